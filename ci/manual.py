"""The manual page and the bash completion name every command of the program, and the manual every
option that a command's --help lists, nothing more.

manual.py BUILD"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
mica = pathlib.Path(sys.argv[1], 'mica').resolve()
manual = (root / 'docs/mica.1').read_text(encoding='utf-8')
completion = (root / 'ci/mica.bash').read_text(encoding='utf-8')


def help_of(*command):
    return subprocess.run([mica, *command, '--help'], check=True, capture_output=True,
                          text=True).stdout


commands = re.findall(r'^  (\w+) ', help_of(), re.M)
sections = dict(re.findall(r'^\.Ss (\w+)\n(.*?)(?=^\.S[sh] )', manual, re.M | re.S))
problems = []
for command in commands:
    if not re.search(rf"_mica_words '[^']*\b{command}\b", completion):
        problems.append(f'{command} is not in the completion')
    if command not in sections:
        problems.append(f'{command} is not in the manual')
        continue
    helped = set(re.findall(r'^  --([\w-]+)', help_of(command), re.M)) - {'help'}
    told = set(re.findall(r'^\.It.*', sections[command], re.M))
    told = set(re.findall(r'Fl -([\w-]+)', '\n'.join(told)))
    problems += [f'{command} --{name} is only in --help' for name in sorted(helped - told)]
    problems += [f'{command} --{name} is only in the manual' for name in sorted(told - helped)]
print('\n'.join(problems), end='\n' if problems else '')
sys.exit(bool(problems))
