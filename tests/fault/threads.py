#!/usr/bin/env python3
"""Runs the program of two threads, with cold caches and with warm ones.
Usage: threads.py PROGRAM RECIPE DEVICE..."""
import os
import subprocess
import sys
import tempfile

program, recipe, devices = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
with tempfile.TemporaryDirectory() as folder:
    env = os.environ | {'XDG_CACHE_HOME': folder}
    for name in 'cold', 'warm':
        done = subprocess.run([program, recipe, os.path.join(folder, name), devices[0], devices[-1]], env=env)
        if done.returncode:
            sys.exit(f'{name} caches: exit {done.returncode}')
