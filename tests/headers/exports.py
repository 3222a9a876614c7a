"""The shared library exports what the public headers declare, nothing more and nothing less.

exports.py INCLUDE LIBRARY"""
import pathlib
import re
import subprocess
import sys

include, library = sys.argv[1:]
declared = set()
for header in pathlib.Path(include).glob('mica/*.h'):
    declared.update(re.findall(r'^MICA_API\b[^;(]*?(\w+)\(', header.read_text(), re.M))
table = subprocess.run(['nm', '-D', '--defined-only', '-P', library], check=True,
                       capture_output=True, text=True).stdout
exported = {line.split()[0] for line in table.splitlines()}
for name in sorted(declared - exported):
    print(f'{name} is declared in a public header but not exported')
for name in sorted(exported - declared):
    print(f'{name} is exported but in no public header')
sys.exit(declared != exported)
