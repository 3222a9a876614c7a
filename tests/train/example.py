"""Runs examples/mnist.c, built against the public headers, and looks at what it learned."""
import os
import re
import subprocess
import sys

program, root, *arguments = sys.argv[1:]
text = subprocess.run([os.path.abspath(program), *arguments], cwd=root, check=True, text=True,
                      stdout=subprocess.PIPE).stdout
accuracy = float(re.search(r'test accuracy ([\d.]+) %', text)[1])
if accuracy < 95:
    sys.exit(f'{accuracy} % is too little')
