"""Runs the commands of docs/course.md and compares what they print with what the page says.

Usage: course.py PAGE RECIPES MICA COURSE DEVICE. A line `...` stands for any lines. In blocks marked
`about` numbers may differ: by 0.02, or by 15 % where that is more. Exit 77 where there is no such
device."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

NUMBER = re.compile(r'-?\d+\.\d+|\d+')


def blocks(page):
    """Yields (command, expected lines, exact) of each console block."""
    for info, body in re.findall(r'^```console( about)?\n(.*?)^```', page, re.M | re.S):
        lines = body.splitlines()
        assert lines[0].startswith('$ '), lines[0]
        yield lines[0][2:], lines[1:], not info


def same(want, got, exact):
    if exact or want == got:
        return want.rstrip() == got.rstrip()
    if NUMBER.sub('#', want).split() != NUMBER.sub('#', got).split():
        return False
    pairs = zip(map(float, NUMBER.findall(want)), map(float, NUMBER.findall(got)))
    return all(abs(a - b) <= max(0.02, 0.15 * abs(a)) for a, b in pairs)


def matches(want, got, exact):
    """Whether the lines `got` are the lines `want`, with `...` for any number of lines."""
    if not want:
        return not got
    if want[0] == '...':
        return any(matches(want[1:], got[i:], exact) for i in range(len(got) + 1))
    return bool(got) and same(want[0], got[0], exact) and matches(want[1:], got[1:], exact)


def main():
    page, recipes, mica, course = map(os.path.abspath, sys.argv[1:5])
    device = sys.argv[5]
    if subprocess.run([course, 'relu', device], capture_output=True).returncode:
        print(f'skipped: no device {device}')
        sys.exit(77)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(recipes, pathlib.Path(folder) / 'recipes')
        for command, want, exact in blocks(pathlib.Path(page).read_text()):
            words = command.split()
            if words[0] == 'course':
                words = [course, *words[1:], device]
            else:
                words[0] = mica
                if words[1] == 'train':
                    words += ['--device', device]
            run = subprocess.run(words, cwd=folder, capture_output=True, text=True)
            good = run.returncode == 0 and matches(want, run.stdout.splitlines(), exact)
            failed += not good
            print('ok  ' if good else 'FAIL', command)
            if not good:
                print(f'wanted:\n{chr(10).join(want)}\ngot ({run.returncode}):\n{run.stdout}{run.stderr}')
    sys.exit(failed > 0)


main()
