"""Every recipe that comes with Mica, shortened: it trains on a device, its loss falls, its numbers are
finite and its pictures are there. The data sets are cut to what takes seconds.

Usage: recipes.py MICA SOURCE DEVICE. With SOURCE/../shared/data or $MICA_DATA; without MNIST and
CIFAR-10 there, those recipes are left out."""
import csv
import gzip
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

mica, source, device = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
data = pathlib.Path(os.environ.get('MICA_DATA', source.resolve().parent / 'shared' / 'data'))
on_cpu_shaders = 'llvmpipe' in device  # where a step takes many times as long
TRAIN, TEST, EPOCHS = (192, 64, 2) if on_cpu_shaders else (640, 128, 3)
CHARACTERS, WINDOW = 12000, 16
TRAIN_COLOUR = 80 if on_cpu_shaders else 160  # of CIFAR-10

CLASSIFIER = ['filters.png', 'confusion.png', 'mistakes.png']
AUTOENCODER = ['filters.png', 'reconstructions.png', 'walk.png']
# recipe: what is in the folder beside curves.svg
RECIPES = {
    'digits-softmax': CLASSIFIER,
    'digits-mlp': CLASSIFIER,
    'digits-cnn': CLASSIFIER,
    'sigmoid-vs-relu': ['filters.png', 'confusion-relu.png', 'mistakes-sigmoid.png', 'gradients.svg'],
    'mnist-softmax': CLASSIFIER,
    'mnist-mlp': CLASSIFIER,
    'mnist-cnn': CLASSIFIER,
    'mnist-autoencoder': AUTOENCODER,
    'mnist-conv-autoencoder': AUTOENCODER,
    'mnist-denoising': AUTOENCODER,
    'mnist-vae': [*AUTOENCODER, 'samples.png'],
    'cifar10-cnn': CLASSIFIER,
    'cifar10-resnet': CLASSIFIER,
    'upsampling': AUTOENCODER,
    'digits-rows': ['confusion.png', 'mistakes.png'],
    'char-lstm': [],
    'char-gru': [],
    'char-rnn': [],
    'forecast': ['forecast.svg'],
    'movielens-mf': [],
    'movielens-bpr': [],
    'movielens-neural': [],
}
# found, not trained: tests/recommend/recommend.py; tests/train/alexnet.c; tests/train/transfer.py
ELSEWHERE = {'movielens-item-item', 'movielens-user-item', 'alexnet', 'squeezenet', 'transfer-codes',
             'transfer-finetune'}


def cut_idx(name, folder):
    """The first images and labels of a set in IDX files."""
    (folder / name).mkdir()
    for part, count in ('train', TRAIN), ('t10k', TEST):
        for kind, rank in ('images-idx3', 3), ('labels-idx1', 1):
            with gzip.open(data / name / f'{part}-{kind}-ubyte.gz') as file:
                sizes = struct.unpack(f'>{rank + 1}I', file.read(4 * rank + 4))[1:]
                body = file.read(count * math.prod(sizes[1:]))
            header = struct.pack(f'>{rank + 1}I', 0x800 + rank, count, *sizes[1:])
            (folder / name / f'{part}-{kind}-ubyte').write_bytes(header + body)


def cut_cifar10(folder):
    """CIFAR-10's files from the first original records."""
    (folder / 'cifar10').mkdir()
    size = 3073
    with gzip.open(data / 'cifar10' / 'data_batch_1_first4000.bin.gz') as file:
        records = file.read((TRAIN_COLOUR + TEST) * size)
    part = TRAIN_COLOUR // 5 * size
    for i in range(5):
        (folder / 'cifar10' / f'data_batch_{i + 1}.bin').write_bytes(records[i * part:][:part])
    (folder / 'cifar10' / 'test_batch.bin').write_bytes(records[TRAIN_COLOUR * size:])


def cut_text(folder):
    """The beginning of the novel that comes with Mica, under the name of the larger text."""
    (folder / 'text').mkdir()
    with gzip.open(source / 'recipes' / 'data' / 'pride-and-prejudice.txt.gz') as file:
        (folder / 'text' / 'tinyshakespeare.txt').write_bytes(file.read(CHARACTERS))


def make_movielens(folder):
    """The ratings that come with Mica, in the form of MovieLens 100K."""
    (folder / 'movielens-100k').mkdir()
    with open(source / 'recipes' / 'data' / 'ratings.csv', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    (folder / 'movielens-100k' / 'u.data').write_text(''.join(
        f"{row['user']}\t{row['item']}\t{max(1, round(float(row['rating'])))}\t{row['time']}\n"
        for row in rows))
    with open(source / 'recipes' / 'data' / 'ratings-titles.csv', encoding='utf-8') as file:
        (folder / 'movielens-100k' / 'u.item').write_text(''.join(
            f"{row['item']}|{row['title']}|01-Jan-1995||\n" for row in csv.DictReader(file)))


def train(recipe, folder):
    """The results and each epoch's row; exits on failure."""
    command = [mica, 'train', str(source / 'recipes' / f'{recipe}.yaml'), '--device', device,
               '--data', str(folder), '--out', str(folder / recipe), '--json', '--set', 'batch=32',
               '--set', f'epochs={3 if recipe == "cifar10-resnet" else EPOCHS}']
    if recipe.startswith('char-'):
        command += ['--set', f'input=[{WINDOW}]', '--set', f'layers.{recipe[5:]}.units=48']
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f'FAIL {recipe}: {done.stderr}')
        return None, None
    rows = (folder / recipe / 'metrics.jsonl').read_text().splitlines()
    return json.loads(done.stdout.splitlines()[-1]), [json.loads(row) for row in rows]


def problems(recipe, folder):
    result, rows = train(recipe, folder)
    if not result:
        return ['it did not train']
    found = []
    if not rows[-1]['train_loss'] < rows[0]['train_loss']:
        found.append(f"the loss went from {rows[0]['train_loss']} to {rows[-1]['train_loss']}")
    found += [f'{name} is {value}' for name, value in result.items() if value is None]
    for name in ['curves.svg', *RECIPES[recipe]]:
        path = folder / recipe / name
        if not path.exists():
            found.append(f'no {name}')
        elif name.endswith('.png') and path.read_bytes()[:8] != b'\x89PNG\r\n\x1a\n':
            found.append(f'{name} is no PNG')
    if recipe == 'upsampling' and not (result['overlapping_test_checkerboard']
                                       > result['padded_test_checkerboard']):
        found.append('the overlapping kernel made no checkerboard')
    return found


def main():
    missing = {path.stem for path in (source / 'recipes').glob('*.yaml')} ^ set(RECIPES) ^ ELSEWHERE
    failed = 0
    for recipe in sorted(missing):
        print(f'FAIL {recipe}: not in the list of this test, or in it and not there')
        failed += 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        there = {name for name in ('mnist', 'cifar10') if (data / name).is_dir()}
        cut_text(folder)
        make_movielens(folder)
        if 'mnist' in there:
            cut_idx('mnist', folder)
        if 'cifar10' in there:
            cut_cifar10(folder)
        for recipe in RECIPES:
            text = (source / 'recipes' / f'{recipe}.yaml').read_text()
            wanted = {name for name in ('mnist', 'cifar10') if f'set: {name}\n' in text}
            if not wanted <= there:
                print(f'skip {recipe}: no {", ".join(wanted)} in {data}')
                continue
            begin = time.monotonic()
            found = problems(recipe, folder)
            failed += bool(found)
            print(f'FAIL {recipe}: {"; ".join(found)}' if found else
                  f'ok   {recipe}, {time.monotonic() - begin:.0f} s', flush=True)
    sys.exit(failed > 0)


if subprocess.run([mica, 'plan', source / 'recipes' / 'digits-softmax.yaml', '--device', device],
                  capture_output=True).returncode:
    print(f'skipped: no device {device}')
    sys.exit(77)
main()
