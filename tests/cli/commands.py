"""What the program says: help, versions, mistakes, summaries. Needs no device.
Usage: commands.py MICA RECIPES
"""
import json
import pathlib
import subprocess
import sys
import tempfile

mica, recipes = sys.argv[1], pathlib.Path(sys.argv[2])
COMMANDS = ['train', 'eval', 'predict', 'sample', 'encode', 'recommend', 'convert', 'summary', 'plan',
            'fetch', 'devices', 'check', 'bench']


def run(*args):
    done = subprocess.run([mica, *map(str, args)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def expect(got, wanted):
    assert got == wanted, f'\n   got {got!r}\nwanted {wanted!r}'


def refused(args, error):
    """One line on stderr, nothing on stdout, exit code 2."""
    expect(run(*args), (2, '', f'mica: {error}\n'))


def summary(*args):
    code, out, err = run('summary', '--json', *args)
    assert code == 0 and all(line.startswith('note: ') for line in err.splitlines()), err
    return json.loads(out)


# Help and version
code, listing, _ = run('--help')
expect(code, 0)
for command in COMMANDS:
    assert f'\n  {command} ' in listing, f'{command} is not in mica --help'
    code, out, err = run(command, '--help')
    expect((code, err), (0, ''))
    assert out.startswith(f'usage: mica {command}'), out
code, out, _ = run('--version')
assert code == 0 and out.startswith('mica '), out

# Mistakes
refused([], 'a command is missing; mica --help lists them')
refused(['sumary'], 'unknown command sumary; did you mean summary?')
refused(['xyzzy'], 'unknown command xyzzy; mica --help lists them')
refused(['--jsn'], 'unknown option --jsn; mica --help lists the commands')
refused(['summary'], 'summary: expected one RECIPE or RUN; see mica summary --help')
refused(['summary', 'a', 'b'], 'summary: expected one RECIPE or RUN; see mica summary --help')
refused(['summary', '--jsn', 'a'], 'summary: unknown option --jsn; did you mean --json?')
refused(['summary', '-x', 'a'], 'summary: unknown option -x; mica summary --help lists them')
refused(['summary', '--json=1', 'a'], 'summary: --json takes no value')
refused(['plan', 'a', '--device'], 'plan: --device needs a value')
refused(['bench', 'mpl'], 'bench: unknown workload mpl; did you mean mlp?')
refused(['bench', '--steps', '0'],
        'bench: --steps: expected an integer from 1 to 100000, got "0"')
code, out, err = run('summary', 'nowhere.yaml')
assert code == 2 and out == '' and 'nowhere.yaml' in err and err.count('\n') == 1, err

# Every recipe that comes with the program
for recipe in [*recipes.glob('*.yaml'), *recipes.glob('course/*.yaml')]:
    more = ['--set', 'data.set=ratings'] if recipe.stem.startswith('movielens-') else []
    code, _, err = run('summary', '--json', recipe, *more)
    if code == 2 and ('is not there' in err or 'has no network' in err):
        continue  # a size is only known from data of the user's; there is nothing to sum up
    assert summary(recipe, *more)['name'] == recipe.stem

# The course's example of a convolution, and a network of another framework's names
with tempfile.TemporaryDirectory() as folder:
    recipe = pathlib.Path(folder, 'conv.yaml')
    recipe.write_text('''
input: [32, 32, 3]
layers:
  - {type: conv2d, name: conv, filters: 20, kernel: 8, strides: 2, padding: 1}
  - {type: flatten}
  - {type: dense, name: scores, units: 10}
loss: softmax_cross_entropy
''')
    row = summary(recipe)['layers'][1]
    expect((row['output'], row['parameters']), ([None, 14, 14, 20], 3860))
got = summary(recipes / 'cifar10-resnet.yaml')
expect((got['parameters'], got['frozen']), (271098, 1376))

# Sizes that only the data tell
with tempfile.TemporaryDirectory() as folder:
    recipe, data = pathlib.Path(folder, 'letters.yaml'), pathlib.Path(folder, 'data')
    recipe.write_text('''
input: [4]
data: {set: text, files: [letters.txt]}
layers:
  - {type: embedding, name: letters, rows: classes, width: 2}
  - {type: dense, name: scores, units: classes}
loss: softmax_cross_entropy
''')
    data.mkdir()
    pathlib.Path(data, 'letters.txt').write_text('abcab' * 100)
    for command in 'summary', 'plan':
        code, out, err = run(command, recipe, '--data', folder)
        assert (code, out) == (2, '') and err.count('\n') == 1, err
        assert f'{folder}/letters.txt' in err and 'name its folder with --data' in err, err
    expect(summary(recipe, '--data', data)['parameters'], 3 * 2 + 2 * 3 + 3)

# The course's parameter counts
for name, parameters in [('3-4-2', 26), ('3-4-4-1', 41)]:
    got = summary(recipes / 'course' / f'{name}.yaml')
    expect(got['parameters'], parameters)
    expect(got['bytes'], 4 * parameters)

code, out, _ = run('summary', recipes / 'course' / '3-4-2.yaml')
expect(out, '''3-4-2
layer   type        output  parameters  connected to
input   input       (?, 3)           0
hidden  dense relu  (?, 4)          16  input
output  dense       (?, 2)          10  hidden

parameters  26 (104 bytes)
trainable   26
frozen      0
''')

with tempfile.TemporaryDirectory() as folder:
    # A run is a folder with a recipe; connections, shapes, frozen layers
    recipe = pathlib.Path(folder, 'recipe.yaml')
    recipe.write_text('''
name: joined
input: [2, 3]
layers:
  - {type: concat, name: both, from: [a, b]}
  - {type: dense, units: 2}
  - {type: flatten, name: flat, from: input}
  - {type: dense, name: a, from: flat, units: 4, frozen: true}
  - {type: dense, name: b, from: flat, units: 5, bias: false}
loss: {kind: softmax_cross_entropy, from: dense1}
''')
    got = summary(folder)
    expect([(row['name'], row['output'], row['parameters'], row['from']) for row in got['layers']],
           [('input', [None, 2, 3], 0, ''), ('flat', [None, 6], 0, 'input'),
            ('a', [None, 4], 28, 'flat'), ('b', [None, 5], 30, 'flat'),
            ('both', [None, 9], 0, 'a, b'), ('dense1', [None, 2], 20, 'both')])
    expect((got['parameters'], got['trainable'], got['frozen']), (78, 50, 28))
    expect(summary(folder, '--set', 'layers.a.units=8')['frozen'], 56)

    # A mistake in a recipe has its place
    recipe.write_text('input: [4]\nlayers:\n  - {type: dense, unit: 2}\nloss: softmax_cross_entropy\n')
    refused(['summary', folder],
            f'{recipe}:3:19: unknown key in a dense layer: unit; did you mean units?')
    for command in ['train', 'plan']:
        refused([command, recipe],
                f'{recipe}:3:19: unknown key in a dense layer: unit; did you mean units?')
