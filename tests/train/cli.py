"""`mica train`, `eval` and `predict` as users call them: results, and one clear line for each error."""
import gzip
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

mica, source, device = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
recipe = str(source / 'recipes' / 'digits-softmax.yaml')
environment = {key: value for key, value in os.environ.items() if key != 'MICA_DATA'}


def run(*arguments):
    return subprocess.run([mica, *map(str, arguments)], text=True, capture_output=True,
                          env=environment)


def check(condition, message):
    if not condition:
        sys.exit(f'FAILED: {message}')


def ok(*arguments):
    result = run(*arguments)
    check(result.returncode == 0, f'{arguments}: exit {result.returncode}: {result.stderr}')
    return result.stdout


def as_json(*arguments):
    return json.loads(ok(*arguments, '--json').splitlines()[-1])


def refused(words, *arguments, code=2):
    result = run(*arguments)
    check(result.returncode == code, f'{arguments}: exit {result.returncode}, not {code}')
    lines = result.stderr.splitlines()
    check(len(lines) == 1 and words in lines[0], f'{arguments}: wanted "{words}": {result.stderr}')
    check(not result.stdout, f'{arguments}: on stdout: {result.stdout}')


def png(path, side, rows):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack(
            '>I', zlib.crc32(kind + data))
    pixels = b''.join(b'\0' + bytes(row) for row in rows)
    path.write_bytes(b'\x89PNG\r\n\x1a\n'
                     + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0))
                     + chunk(b'IDAT', zlib.compress(pixels)) + chunk(b'IEND', b''))


def draw_digit(path, scale):
    """The first sample, a 0, `scale` times as large."""
    with gzip.open(source / 'recipes' / 'data' / 'digits.csv.gz', 'rt') as file:
        values = [int(value) for value in file.readline().split(',')][:64]
    side = 8 * scale
    png(path, side, [[values[y // scale * 8 + x // scale] * 255 // 16 for x in range(side)]
                     for y in range(side)])


def results():
    train = ['train', recipe, '--device', device, '--set', 'epochs=3']
    first = as_json(*train)
    check(first['out'] == 'runs/digits-softmax-seed1', first)
    wanted = {'train_loss', 'validation_loss', 'validation_accuracy', 'test_loss', 'test_accuracy',
              'epochs', 'best_epoch', 'steps', 'seconds', 'samples_per_s', 'data_wait', 'device',
              'out'}
    check(set(first) == wanted, first)
    check(first['test_accuracy'] > 0.85 and first['epochs'] == 3, first)
    second = as_json(*train)
    check(second['out'] == 'runs/digits-softmax-seed1-2', second)
    check(second['test_loss'] == first['test_loss'], 'the same seed gave another result')
    resumed = as_json(*train, '--resume')
    check(resumed['out'] == second['out'] and resumed['epochs'] == 3, resumed)
    other = as_json(*train, '--seed', '2', '--out', 'other')
    check(other['test_loss'] != first['test_loss'], 'another seed gave the same result')
    more = as_json('train', 'other', '--resume', '--device', device, '--set', 'epochs=4')
    check(more['out'] == 'other' and more['epochs'] == 4, more)

    found = as_json('eval', first['out'], '--device', device)
    check(found['test_loss'] == first['test_loss'], 'eval and train differ')
    check(found['test_accuracy'] == first['test_accuracy'], 'eval and train differ')
    check('precision' in ok('eval', first['out'], '--device', device), 'no table')

    draw_digit(pathlib.Path('zero.png'), 5)
    seen = as_json('predict', first['out'], 'zero.png', '--device', device, '--top', '2')
    classes = seen['images'][0]['classes']
    check(len(classes) == 2 and classes[0]['name'] == '0', seen)
    check(classes[0]['probability'] > classes[1]['probability'], seen)
    check('zero.png' in ok('predict', first['out'], 'zero.png', '--device', device), 'no table')
    for command in 'train', 'eval', 'predict':
        check(ok(command, '--help').startswith(f'usage: mica {command} '), 'no help')


def errors():
    refused('expected one RECIPE', 'train')
    refused('nothing.yaml', 'train', 'nothing.yaml')
    refused('did you mean --seed', 'train', recipe, '--sed', '3')
    refused('--seed', 'train', recipe, '--seed', 'x')
    refused('--checkpoint-seconds', 'train', recipe, '--checkpoint-seconds', '0')
    refused('nothing:7', 'train', recipe, '--device', 'nothing:7', '--out', 'never')
    refused('train-images', 'train', source / 'recipes' / 'mnist-mlp.yaml', '--data', '.', '--out',
            'never')
    check(not os.path.exists('never'), 'a folder was made for a run that could not begin')
    refused('holds a run already', 'train', recipe, '--device', device, '--out', 'other')
    refused('seed was 2 and is 1', 'train', recipe, '--device', device, '--out', 'other', '--resume')
    refused('not the folder of a run', 'eval', '.')
    refused('expected one RUN', 'eval')
    refused('expected a RUN and pictures', 'predict', 'other')
    refused('none.png', 'predict', 'other', 'none.png', '--device', device)

    shutil.copytree('other', 'strange')
    with open('other/model.safetensors', 'rb') as file:
        model = file.read()
    pathlib.Path('strange/model.safetensors').write_bytes(model[:-4])
    refused('model.safetensors', 'eval', 'strange', '--device', device)
    pathlib.Path('strange/model.safetensors').write_bytes(b'\xff' * 8 + model[8:])
    refused('model.safetensors', 'eval', 'strange', '--device', device)
    shutil.copy('other/checkpoint.safetensors', 'strange/model.safetensors')
    refused('of another model', 'eval', 'strange', '--device', device)
    shutil.copy('other/model.safetensors', 'strange/checkpoint.safetensors')
    refused('no checkpoint', 'train', 'strange', '--device', device, '--resume')
    (pathlib.Path('strange') / 'model.safetensors').unlink()
    refused('no model.safetensors yet', 'eval', 'strange', '--device', device)


with tempfile.TemporaryDirectory() as temporary:
    os.chdir(temporary)
    results()
    errors()
    os.chdir('/')
