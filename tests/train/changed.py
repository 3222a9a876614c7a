"""A run whose data or recipe changed: `mica eval` never counts what was trained on, `--resume` goes on
with the same data, network, loss and preparation or not at all, and each says by name what differs."""
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

mica, device = os.path.abspath(sys.argv[1]), sys.argv[2]
environment = {key: value for key, value in os.environ.items() if key != 'MICA_DATA'}


def run(*arguments):
    return subprocess.run([mica, *map(str, arguments)], text=True, capture_output=True,
                          env=environment)


def check(condition, message):
    if not condition:
        sys.exit(f'FAILED: {message}')


def ok(*arguments, notes=()):
    """Runs a command that succeeds; each of `notes` is in a note of its."""
    result = run(*arguments)
    check(result.returncode == 0, f'{arguments}: exit {result.returncode}: {result.stderr}')
    said = [line for line in result.stderr.splitlines() if line.startswith('note: ')]
    check(bool(said) == bool(notes), f'{arguments}: wanted notes {notes}, came {said}')
    for words in notes:
        check(any(words in line for line in said), f'{arguments}: wanted "{words}" in {said}')
    return result.stdout


def as_json(*arguments, notes=()):
    return json.loads(ok(*arguments, '--json', notes=notes).splitlines()[-1])


def contents(folder):
    return {path: path.read_bytes() for path in sorted(pathlib.Path(folder).rglob('*'))
            if path.is_file() and not path.is_symlink()}


def refused(words, *arguments, folder=None):
    """A command that fails with one line and leaves the folder as it was."""
    before = contents(folder) if folder else None
    result = run(*arguments)
    check(result.returncode in (1, 2), f'{arguments}: exit {result.returncode}')
    lines = [line for line in result.stderr.splitlines() if line.startswith('mica: ')]
    check(len(lines) == 1, f'{arguments}: {result.stderr}')
    for word in [words] if isinstance(words, str) else words:
        check(word in lines[0], f'{arguments}: wanted "{word}": {lines[0]}')
    if folder:
        check(contents(folder) == before, f'{arguments}: {folder} is not as it was')


def train(*arguments, notes=()):
    return as_json('train', *arguments, '--device', device, notes=notes)


def resume(*arguments, notes=()):
    return train(*arguments, '--resume', notes=notes)


def resume_refused(words, run_folder, *arguments):
    refused(words, 'train', run_folder, '--resume', '--device', device, *arguments,
            folder=run_folder)


def evaluate(folder, notes=()):
    return as_json('eval', folder, '--device', device, notes=notes)


NET = '''layers:
  - {name: hidden, type: dense, units: 128, activation: relu}
  - {name: out, type: dense, units: 2}
loss: softmax_cross_entropy
optimizer: {kind: adam, learning_rate: 0.01}
batch: 50
'''


def grown_table():
    """Labels drawn at random: a model can only know those it was trained on."""
    rng = random.Random(3)
    rows = [','.join(f'{rng.gauss(0, 1):.4f}' for _ in range(20)) + f',{rng.randrange(2)}\n'
            for _ in range(460)]
    table = pathlib.Path('data.csv')
    table.write_text(''.join(rows[:400]))
    pathlib.Path('table.yaml').write_text(
        NET + 'input: [20]\nepochs: 30\ndata: {set: csv, files: [data.csv], classes: 2, test: 0.25}\n')
    result = train('table.yaml', '--out', 'table')
    check(result['train_loss'] < 0.05, f'not learned by heart: {result}')
    first = evaluate('table')
    check(first['test_accuracy'] == result['test_accuracy'], 'eval is not what training said')

    grown = list(rows)
    random.Random(1).shuffle(grown)
    table.write_text(''.join(grown).replace('\n', '\r\n'))
    later = evaluate('table', notes=['training samples: ', 'test samples: ', 'data.csv has changed'])
    check(0.3 < later['test_accuracy'] < 0.7, f'measured on what was trained on: {later}')
    resume_refused(['cannot be continued with other data', 'training samples: ', 'data.csv has changed'],
                   'table', '--set', 'epochs=31')

    # Edited samples are drawn anew: those of training may now be in the test part. Neither can they be
    # told from samples that are gone while others came.
    for edited in [''.join(row.replace('.', '.0', 1) for row in rows[:400]), ''.join(rows[20:])]:
        table.write_text(edited)
        refused('may have been trained on what are now test samples', 'eval', 'table', folder='table')
    table.write_text(''.join(rows[20:400]))  # gone alone
    evaluate('table', notes=['training samples: ', 'data.csv has changed'])

    table.write_text(''.join(reversed(rows[:400])))  # the same, in another order
    check(evaluate('table', notes=['training samples are others or in another order'])['samples'] ==
          first['samples'], 'another order is another test part')
    resume_refused('or in another order', 'table', '--set', 'epochs=31')

    table.write_text(''.join(rows[:400]))


def edited_recipe():
    edits = {'layers.hidden.activation=tanh': 'layers.hidden.activation was relu and is tanh',
             'data.std=[2]': 'data.std was not given and is [2]',
             'loss={kind: softmax_cross_entropy, label_smoothing: 0.1}': 'loss was softmax_cross_entropy and is',
             'data.scale=2': 'data.scale was not given and is 2',
             'data.test=0.5': 'data.test was 0.25 and is 0.5',
             'l2=0.1': 'l2 was 0 and is 0.1', 'seed=2': 'seed was 1 and is 2',
             'batch=25': 'batch was 50 and is 25'}
    for edit, words in edits.items():
        resume_refused(words, 'table', '--set', edit)
    recipe = pathlib.Path('table/recipe.yaml')
    text = recipe.read_text()
    recipe.write_text(text.replace('activation: relu', 'activation: gelu'))
    resume_refused('layers.hidden.activation was relu and is gelu', 'table')
    for command in ('eval', 'predict'):
        more = ['x.png'] if command == 'predict' else []
        refused('layers.hidden.activation was relu and is gelu', command, 'table', *more, '--device',
                device, folder='table')
    recipe.write_text(text)
    result = resume('table', '--set', 'epochs=32', '--set', 'optimizer.learning_rate=0.001')
    check(result['epochs'] == 32, f'not continued: {result}')
    check('0.001' in recipe.read_text(), 'the learning rate is not in recipe.yaml')
    evaluate('table')


def old_run():
    shutil.copytree('table', 'old')
    os.remove('old/manifest.txt')
    refused(['has no manifest.txt', 'earlier version', 'train anew'], 'eval', 'old', '--device', device)
    resume_refused(['has no manifest.txt', 'train anew'], 'old', '--set', 'epochs=40')


def no_checkpoint():
    arguments = ['table.yaml', '--set', 'epochs=1', '--out']
    train(*arguments, 'fresh', '--resume', notes=['fresh has no checkpoint: training starts from'])
    resume(*arguments, 'fresh')  # and now it has one
    checkpoint = pathlib.Path('fresh/checkpoint.safetensors')
    kept = checkpoint.read_bytes()
    checkpoint.unlink()
    resume_refused('but no checkpoint.safetensors', 'fresh')
    checkpoint.symlink_to('nowhere')
    resume_refused('a link that leads nowhere', 'fresh')
    checkpoint.unlink()
    checkpoint.symlink_to('checkpoint.safetensors')
    resume_refused('cannot look at', 'fresh')
    checkpoint.unlink()
    checkpoint.mkdir()
    resume_refused('checkpoint.safetensors', 'fresh')
    checkpoint.rmdir()
    checkpoint.symlink_to('recipe.yaml/x')  # ENOTDIR
    resume_refused('cannot look at', 'fresh')
    checkpoint.unlink()
    checkpoint.write_bytes(kept)
    if os.geteuid():
        os.chmod('fresh', 0o600)
        refused('cannot', 'train', 'table.yaml', '--resume', '--out', 'fresh', '--device', device)
        os.chmod('fresh', 0o700)
    resume(*arguments, 'fresh')


def png(path, shade):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack(
            '>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + bytes((shade * 7 + 3 * x + y) % 256 for x in range(8))
                    for y in range(8))
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 8, 8, 8, 0, 0, 0, 0))
                     + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def pictures():
    for label in ('cat', 'dog'):
        folder = pathlib.Path('pets', label)
        folder.mkdir(parents=True)
        for i in range(40):
            png(folder / f'{i:02}.png', i + 100 * (label == 'dog'))
    pathlib.Path('pets.yaml').write_text(
        'input: [8, 8, 1]\nepochs: 2\n' + NET.replace('layers:\n', 'layers:\n  - {type: flatten}\n')
        .replace('batch: 50', 'batch: 8') + 'data: {set: images, files: [pets], validation: 0.2}\n')
    train('pets.yaml', '--out', 'pets-run')
    samples = evaluate('pets-run')['samples']

    cat = pathlib.Path('pets/cat')
    (cat / '07.png').rename(cat / 'renamed.png')
    later = evaluate('pets-run', notes=['cat/07.png is not there', 'cat/renamed.png is new'])
    check(later['samples'] == samples, 'a renamed picture is in another part')
    resume_refused(['pets/cat/07.png is not there', 'pets/cat/renamed.png is new'], 'pets-run',
                   '--set', 'epochs=3')
    (cat / 'renamed.png').rename(cat / '07.png')
    evaluate('pets-run')

    shutil.copy(cat / '07.png', cat / 'copy.png')  # stays where the first is
    (cat / 'more').mkdir()
    png(cat / 'more' / 'new.png', 77)
    evaluate('pets-run', notes=['cat/copy.png is new', 'cat/more/new.png is new'])
    (cat / 'copy.png').unlink()
    shutil.rmtree(cat / 'more')

    kept = (cat / '03.png').read_bytes()
    (cat / '03.png').write_bytes(kept[:40])
    result = run('eval', 'pets-run', '--device', device)
    check(result.returncode == 0 and 'cat/03.png is not there or cannot be read' in result.stderr,
          f'a picture that cannot be read: {result}')
    resume_refused('cat/03.png is not there or cannot be read', 'pets-run', '--set', 'epochs=3')
    (cat / '03.png').write_bytes(kept)

    classes = pathlib.Path('pets-run/classes.txt')
    classes.write_text('dog\ncat\n')
    refused('class 0 is dog, but it was cat when the run was trained', 'predict', 'pets-run',
            cat / '00.png', '--device', device)
    classes.write_text('cat\ndog\n')
    ok('predict', 'pets-run', cat / '00.png', '--device', device)
    pathlib.Path('pets/dog').rename('pets/bear')
    refused('class 0 was cat when it was trained, in its data it is bear', 'eval', 'pets-run',
            '--device', device)
    resume_refused('class 0 was cat when it was trained', 'pets-run', '--set', 'epochs=3')


def ratings():
    lines = [f'u{u},i{i},{1 + (u * i + u) % 5}\n' for u in range(30) for i in range(20)
             if (u + i) % 4 or u == 0]
    rest = [f'u{u},i{i},{1 + (u * i) % 5}\n' for u in range(1, 30) for i in range(20)
            if not (u + i) % 4]
    file = pathlib.Path('ratings.csv')
    file.write_text(''.join(lines))
    pathlib.Path('items.yaml').write_text('neighbours: {by: items, k: 5}\n'
                                          'data: {set: ratings, files: [ratings.csv], test: 0.2}\n')
    first = train('items.yaml', '--out', 'items')
    check(evaluate('items')['test_rmse'] == first['test_rmse'], 'another error')
    resume('items')
    file.write_text(''.join(lines + rest))  # more ratings of the same users and items
    evaluate('items', notes=['training samples: ', 'ratings.csv has changed'])
    ok('recommend', 'items', '--item', 'i3', '--device', device, notes=['ratings.csv has changed'])
    resume_refused(['other data', 'ratings.csv has changed'], 'items')
    resume_refused('neighbours.k was 5 and is 7', 'items', '--set', 'neighbours.k=7')
    file.write_text(''.join(reversed(lines)))  # which numbers users and items otherwise
    for command in (['eval', 'items'], ['recommend', 'items', '--item', 'i3']):
        refused('or in another order: wanted that file', *command, '--device', device)
    resume_refused('or in another order: wanted that file', 'items')


def series():
    file = pathlib.Path('series.csv')
    values = [f'{(i * i) % 101 / 50 + i / 100:.3f}\n' for i in range(400)]
    file.write_text(''.join(values))
    pathlib.Path('series.yaml').write_text(
        'input: [8, 1]\nlayers: [{type: flatten}, {type: dense, units: 1}, '
        '{type: reshape, shape: [1, 1]}]\n'
        'loss: mean_squared_error\nepochs: 1\ndata: {set: series, files: [series.csv], test: 0.2}\n')
    train('series.yaml', '--out', 'series')
    evaluate('series')
    file.write_text(''.join(values[100:] + values[:100]))
    refused(['may have been trained on what are now test samples', 'series.csv has changed'], 'eval',
            'series', '--device', device)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for case in (grown_table, edited_recipe, old_run, no_checkpoint, pictures, ratings, series):
        case()
