"""Networks on images as users train and use them, on small ones: pictures in the run's folder, metrics
without classes, `mica sample` and `mica encode`, notes. Usage: vision.py MICA SOURCE DEVICE"""
import csv
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

mica, source, device = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
environment = {key: value for key, value in os.environ.items() if key != 'MICA_DATA'}

VAE = '''
name: vae
input: [8, 8, 1]
data: {set: digits, validation: 0.1}
layers:
  - {type: noise, deviation: 0.1}
  - {type: conv2d, name: conv, filters: 4, strides: 2, padding: same, activation: relu}
  - {type: flatten, name: flat}
  - {type: dense, name: mean, from: flat, units: 2}
  - {type: dense, name: log_variance, from: flat, units: 2}
  - {type: gaussian, name: code, from: [mean, log_variance]}
  - {type: dense, name: hidden, units: 16, activation: relu}
  - {type: dense, name: pixels, units: 64}
loss:
  - {name: image, kind: sigmoid_cross_entropy, from: pixels, target: input, reduce: sum}
  - {name: latent, kind: kl_divergence, from: [mean, log_variance], weight: 0.5}
optimizer: {kind: adam, learning_rate: 0.01}
batch: 64
epochs: 2
patience: 1
'''

# Two decoders of one code, with a checkerboard to be warned of.
UP = '''
name: up
input: [8, 8, 1]
data: {set: digits, validation: 0.1}
layers:
  - {type: conv2d, name: code, filters: 2, strides: 2, padding: same}
  - {type: conv2d_transpose, name: transposed, filters: 1, kernel: 3, strides: 2, padding: same}
  - {type: resize, name: larger, from: code, factor: 2}
  - {type: conv2d, name: resized, filters: 1, padding: same}
loss:
  - {name: transposed, kind: mean_squared_error, from: transposed, target: input, artefacts: 2}
  - {name: resized, kind: mean_squared_error, from: resized, target: input, artefacts: 2}
optimizer: {kind: adam, learning_rate: 0.01}
batch: 64
epochs: 1
'''


def run(*arguments):
    return subprocess.run([mica, *map(str, arguments)], text=True, capture_output=True,
                          env=environment)


def check(condition, message):
    if not condition:
        sys.exit(f'FAILED: {message}')


def ok(*arguments):
    result = run(*arguments, '--device', device)
    check(result.returncode == 0, f'{arguments}: exit {result.returncode}: {result.stderr}')
    return result


def as_json(*arguments):
    return json.loads(ok(*arguments, '--json').stdout.splitlines()[-1])


def refused(words, *arguments):
    result = run(*arguments)
    check(result.returncode == 2, f'{arguments}: exit {result.returncode}, not 2')
    lines = result.stderr.splitlines()
    check(len(lines) == 1 and words in lines[0], f'{arguments}: wanted "{words}": {result.stderr}')


def png_size(path):
    """The width and height of a PNG whose chunks and data are whole."""
    data = pathlib.Path(path).read_bytes()
    check(data[:8] == b'\x89PNG\r\n\x1a\n', f'{path} is no PNG')
    at, pixels = 8, b''
    while at < len(data):
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        check(zlib.crc32(kind + body) == struct.unpack('>I', data[at + 8 + length:][:4])[0],
              f'{path}: a chunk is damaged')
        if kind == b'IHDR':
            width, height, depth, colour = struct.unpack('>IIBB', body[:10])
        pixels += body if kind == b'IDAT' else b''
        at += 12 + length
    row = 1 + width * {0: 1, 2: 3}[colour] * depth // 8
    check(len(zlib.decompress(pixels)) == row * height, f'{path}: pixels are missing')
    return width, height


def npy(path):
    """Shape and numbers of a .npy file; what NumPy makes of it too, where it is installed."""
    data = pathlib.Path(path).read_bytes()
    check(data[:8] == b'\x93NUMPY\x01\x00', f'{path} is no .npy file')
    length = struct.unpack('<H', data[8:10])[0]
    header = eval(data[10:10 + length].decode(), {})  # a dictionary of literals
    check(header['descr'] == '<f4' and not header['fortran_order'], header)
    numbers = struct.unpack(f'<{(len(data) - 10 - length) // 4}f', data[10 + length:])
    try:
        import numpy
    except ImportError:
        return header['shape'], numbers
    array = numpy.load(path)
    check(array.shape == header['shape'] and array.dtype == numpy.float32, array.shape)
    check(tuple(array.ravel().tolist()) == numbers, 'NumPy reads other numbers')
    return header['shape'], numbers


def pictures(folder, *names):
    for name in names:
        width, height = png_size(pathlib.Path(folder, name))
        check(60 < width < 4000 and 40 < height < 4000, f'{name}: {width} x {height}')


def autoencoder():
    pathlib.Path('vae.yaml').write_text(VAE)
    got = as_json('train', 'vae.yaml', '--out', 'vae')
    wanted = {'train_loss', 'validation_loss', 'test_loss', 'image_train_loss',
              'image_validation_loss', 'image_test_loss', 'latent_train_loss',
              'latent_validation_loss', 'latent_test_loss', 'image_validation_reconstruction_error',
              'image_test_reconstruction_error'}
    check({name for name in got if name.endswith(('_loss', '_error', '_accuracy'))} == wanted, got)
    check(abs(got['image_test_loss'] + 0.5 * got['latent_test_loss'] - got['test_loss']) < 1e-6, got)
    check(0 < got['image_test_reconstruction_error'] < 0.2, got)
    with open('vae/metrics.csv') as file:
        rows = list(csv.DictReader(file))
    check(float(rows[0]['image_validation_reconstruction_error']) > 0, rows)
    pictures('vae', 'filters.png', 'reconstructions.png', 'walk.png', 'samples.png')
    check(not pathlib.Path('vae/confusion.png').exists(), 'a confusion without classes')
    check('Reconstruction error' in pathlib.Path('vae/curves.svg').read_text(), 'no such curve')
    again = as_json('train', 'vae.yaml', '--out', 'again')
    check(again['test_loss'] == got['test_loss'], 'the same seed gave another result')
    seen = as_json('eval', 'vae')
    for name in 'test_loss', 'image_test_reconstruction_error', 'latent_test_loss':
        check(abs(seen[name] - got[name]) < 1e-9 * abs(got[name]), f'eval and train differ: {name}')
    check('test_reconstruction_error' in ok('eval', 'vae').stdout, 'not in the table')
    # More numbers than a plane has, and another layer as the code
    ok('train', 'vae.yaml', '--out', 'three', '--set', 'epochs=1', '--set', 'code=flat', '--set',
       'layers.mean.units=3', '--set', 'layers.log_variance.units=3')
    pictures('three', 'walk.png', 'samples.png')
    ok('encode', 'three', '--set', 'test', '-o', 'c.npy')
    check(npy('c.npy')[0] == (342, 64), npy('c.npy')[0])
    refused('not a classifier', 'predict', 'vae', 'vae/walk.png', '--device', device)


def sample():
    check(as_json('sample', 'vae', '-n', 7, '-o', 's.npy')['shape'] == [7, 8, 8, 1], 'shape')
    shape, numbers = npy('s.npy')
    check(shape == (7, 8, 8, 1) and len(numbers) == 448, shape)
    check(all(0 <= number <= 1 for number in numbers), 'not pixels')
    ok('sample', 'vae', '-n', 7, '-o', 'same.npy', '--seed', 1)
    ok('sample', 'vae', '-n', 7, '-o', 'other.npy', '--seed', 2)
    check(npy('same.npy') == npy('s.npy') != npy('other.npy'), 'seeds')
    ok('sample', 'vae', '--count', 60, '--out', 'many.npy')
    check(npy('many.npy')[1][:448] == numbers, 'more samples begin differently')
    ok('sample', 'vae', '-n', 5, '-o', 's.png')
    check(png_size('s.png')[0] > 3 * 64, png_size('s.png'))
    refused('expected one RUN', 'sample', '-o', 's.png')
    refused('expected -o FILE.png or -o FILE.npy', 'sample', 'vae')
    refused('expected -o FILE.png or -o FILE.npy', 'sample', 'vae', '-o', 's.gif')
    refused('--count: expected an integer from 1', 'sample', 'vae', '-o', 's.png', '-n', '0')
    refused('--seed: expected an integer from 0', 'sample', 'vae', '-o', 's.png', '--seed', 'x')
    refused('not the folder of a run', 'sample', '.', '-o', 's.png')
    refused('no variational autoencoder', 'sample', 'up', '-o', 's.png', '--device', device)


def encode():
    check(as_json('encode', 'vae', '--set', 'test', '-o', 'c.npy')['shape'] == [342, 2], 'shape')
    shape, numbers = npy('c.npy')
    check(shape == (342, 2) and len(set(numbers)) > 300, shape)
    ok('encode', 'vae', '--set', 'validation', '-n', 5, '-o', 'c.npy', '--layer', 'conv')
    check(npy('c.npy')[0] == (5, 4, 4, 4), npy('c.npy')[0])
    ok('encode', 'up', '--set', 'train', '-n', 70, '-o', 'c.npy')
    check(npy('c.npy')[0] == (70, 4, 4, 2), npy('c.npy')[0])
    ok('encode', 'vae', 's.png', 'vae/walk.png', '-o', 'c.npy', '--layer', 'input')
    shape, numbers = npy('c.npy')
    check(shape == (2, 8, 8, 1) and -1e-6 < min(numbers) and max(numbers) < 1 + 1e-6, shape)
    ok('encode', 'vae.yaml', '--weights', 'vae/model.safetensors', '--set', 'batch=10', '--set',
       'test', '-o', 'd.npy')
    ok('encode', 'vae', '--set', 'test', '-n', 10, '-o', 'c.npy')
    check(npy('d.npy')[1][:20] == npy('c.npy')[1], 'the same weights give other codes')
    refused('expected a RUN', 'encode')
    refused('expected -o FILE.npz or -o FILE.npy', 'encode', 'vae', 's.png')
    refused('either pictures or --set', 'encode', 'vae', '-o', 'c.npy')
    refused('either pictures or --set', 'encode', 'vae', 's.png', '--set', 'test', '-o', 'c.npy')
    refused('--set: expected train', 'encode', 'vae', '--set', 'tests', '-o', 'c.npy')
    refused('goes with --weights', 'encode', 'vae', 's.png', '--set', 'a=b', '-o', 'c.npy')
    refused('--count goes with --set', 'encode', 'vae', 's.png', '-n', '3', '-o', 'c.npy')
    refused('there are input, noise1', 'encode', 'vae', 's.png', '-o', 'c.npy', '--layer', 'con',
            '--device', device)
    refused('none.png', 'encode', 'vae', 'none.png', '-o', 'c.npy', '--device', device)


def upsampling():
    pathlib.Path('up.yaml').write_text(UP)
    result = ok('train', 'up.yaml', '--out', 'up', '--json')
    check(result.stderr.count('note: transposed') == 1, result.stderr)
    got = json.loads(result.stdout.splitlines()[-1])
    for head in 'transposed', 'resized':
        check(got[f'{head}_test_checkerboard'] >= 0 and got[f'{head}_test_border'] > 0, got)
    pictures('up', 'reconstructions.png', 'walk.png', 'filters.png')
    check(not pathlib.Path('up/samples.png').exists(), 'samples without a distribution')
    summary = run('summary', 'up.yaml')
    check(summary.stderr.count('note: transposed') == 1 and 'note' not in summary.stdout, summary)
    ok('plan', 'up.yaml')


def classifier():
    recipe = source / 'recipes' / 'digits-cnn.yaml'
    got = as_json('train', recipe, '--set', 'epochs=2', '--out', 'cnn')
    check(got['test_accuracy'] > 0.5, got)
    pictures('cnn', 'filters.png', 'mistakes.png', 'confusion.png')
    refused('is no autoencoder', 'encode', 'cnn', 's.png', '-o', 'c.npy', '--device', device)
    seen = as_json('eval', recipe, '--weights', 'cnn/model.safetensors', '--set', 'batch=50')
    check(seen['test_accuracy'] == got['test_accuracy'], (seen, got))
    refused('goes with --weights', 'eval', 'cnn', '--set', 'batch=50')
    refused('of another model', 'eval', recipe, '--weights', 'vae/model.safetensors', '--device',
            device)


with tempfile.TemporaryDirectory() as temporary:
    os.chdir(temporary)
    probe = run('train', source / 'recipes' / 'digits-softmax.yaml', '--device', device, '--set',
                'epochs=1', '--out', 'probe')
    if probe.returncode:
        print(f'skipped: no device {device}: {probe.stderr}')
        sys.exit(77)
    autoencoder()
    upsampling()
    sample()
    encode()
    classifier()
    os.chdir('/')
