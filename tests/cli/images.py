"""Training on folders of pictures, from the command line: what is left out and what is refused, the same
result after an interruption, predictions, and that steps do not wait for decoding.
Usage: images.py MICA DEVICE PHOTOS.TAR   (without the photos their part is left out)
"""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib

mica, device, photos = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
RECIPE = '''
input: [{side}, {side}, 3]
data:
  set: images
  files: [{files}]
  memory: {memory}
  mean: [0.5, 0.5, 0.5]
  std: [0.25, 0.25, 0.25]
  augment: {{crop_padding: 2, flip: true, brightness: 0.2, contrast: 0.2, cutout: 3}}
layers:
  - {{type: flatten}}
{layers}  - {{type: dense, units: 2}}
loss: softmax_cross_entropy
optimizer: {{kind: adam, learning_rate: 0.003}}
batch: {batch}
epochs: {epochs}
'''


def run(*args, code=0):
    done = subprocess.run([mica, *map(str, args), '--device', device], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def train(*args):
    out, err = run('train', *args, '--json')
    return json.loads(out.splitlines()[-1]), err


def png(path, colour, side=20):
    """A picture of one colour with some grain."""
    rows = b''.join(b'\0' + bytes(min(255, colour[c] + (x * y) % 16) for x in range(side)
                                  for c in range(3)) for y in range(side))
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)),
              (b'IDAT', zlib.compress(rows)), (b'IEND', b'')]
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in chunks))


with tempfile.TemporaryDirectory() as base:
    base = pathlib.Path(base)
    for name, part, count in [('train', 'warm', 24), ('train', 'cold', 24), ('test', 'warm', 4),
                              ('test', 'cold', 4)]:
        folder = base / name / part
        folder.mkdir(parents=True)
        for i in range(count):
            shade = 60 + 5 * i
            png(folder / f'{i:02}.png', (200, shade, 40) if part == 'warm' else (40, shade, 200))
    broken = base / 'train' / 'cold' / 'broken.jpg'
    broken.write_bytes(b'\xff\xd8\xff\xe0')
    recipe = base / 'warm.yaml'
    recipe.write_text(RECIPE.format(side=12, files='train, test', memory=1, layers='', batch=8,
                                    epochs=6))

    got, err = train(recipe, '--out', base / 'whole')
    assert f'left out: {base}/train/cold/broken.jpg: a damaged JPEG' in err, err
    assert got['test_accuracy'] == 1 and 0 <= got['data_wait'] <= 1, got
    assert got['steps'] == 36, got
    _, err = run('train', recipe, '--out', base / 'strict', '--strict', code=2)
    assert 'broken.jpg: a damaged JPEG' in err and err.count('\n') == 1, err
    assert not (base / 'strict').exists()

    # Pictures that are decoded again and again, and a run in two sessions, give the same bits
    model = (base / 'whole' / 'model.safetensors').read_bytes()
    again, _ = train(recipe, '--out', base / 'again', '--set', 'data.memory=0.000001')
    assert (base / 'again' / 'model.safetensors').read_bytes() == model
    short, _ = train(recipe, '--out', base / 'two', '--set', 'epochs=3')
    train(recipe, '--out', base / 'two', '--resume')
    assert (base / 'two' / 'model.safetensors').read_bytes() == model

    # What is measured without some files says so
    (base / 'test' / 'warm' / 'list.txt').write_text('x')
    out, _ = run('predict', base / 'whole', base / 'test' / 'warm' / '01.png',
                 base / 'test' / 'cold' / '02.png', '--top', '1', '--json')
    names = [image['classes'][0]['name'] for image in json.loads(out)['images']]
    assert names == ['warm', 'cold'], names

    _, err = run('eval', base / 'whole', '--data', base)
    assert f'left out: {base}/test/warm/list.txt: not one of the kinds' in err, err
    (base / 'test' / 'warm' / 'list.txt').unlink()

    # One file among several that cannot be read is named, the others are looked at
    files = [base / 'test' / 'warm' / '01.png', broken, base / 'none.png',
             base / 'test' / 'cold' / '02.png']
    out, err = run('predict', base / 'whole', *files, '--top', '1', '--json', code=2)
    images = json.loads(out)['images']
    assert [image.get('classes', [{'name': None}])[0]['name'] for image in images] == [
        'warm', None, None, 'cold'], images
    assert 'broken.jpg: a damaged JPEG' in images[1]['error'], images
    assert len(err.splitlines()) == 2 and 'none.png: No such file' in err, err
    out, err = run('predict', base / 'whole', *files, '--top', '1', code=2)
    assert out.count('%') == 2 and len(err.splitlines()) == 2, (out, err)
    codes = base / 'codes.npz'
    out, err = run('encode', base / 'whole', *files, '--layer', 'dense1', '-o', codes, '--json', code=2)
    assert json.loads(out)['shape'] == [2, 2] and len(err.splitlines()) == 2, (out, err)
    with zipfile.ZipFile(codes) as archive:
        names = archive.read('files.npy').decode('utf-8', 'replace').replace('\0', '')
    assert '01.png' in names and '02.png' in names and 'broken' not in names, names
    codes.unlink()
    run('encode', base / 'whole', broken, '--layer', 'dense1', '-o', codes, code=2)
    assert not codes.exists()

    # A picture that is lost while training: another takes its place, or with --strict the run is
    # saved and can be continued once the picture is back
    lost, ready = base / 'train' / 'warm' / '05.png', base / 'ready'
    content = lost.read_bytes()
    broken.unlink()

    def train_and_lose(out, *more):
        with open(ready, 'wb') as log:
            training = subprocess.Popen(
                [mica, 'train', recipe, '--out', out, '--device', device, '--set', 'epochs=2000',
                 '--set', 'data.memory=0.000001', *more], stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + 120
        while not (out / 'model.safetensors').exists() and training.poll() is None:
            assert time.monotonic() < deadline, 'no epoch'
            time.sleep(0.02)
        lost.unlink()
        if not more:
            while 'note: lost' not in ready.read_text() and training.poll() is None:
                assert time.monotonic() < deadline, 'nothing was said of the picture'
                time.sleep(0.02)
            training.send_signal(signal.SIGINT)
        code = training.wait(timeout=120)
        lost.write_bytes(content)
        return code, ready.read_text()

    code, err = train_and_lose(base / 'lost')
    assert code != 2 and err.count('05.png') == 1, err
    assert 'note: lost while training, others take its place: ' in err, err
    code, err = train_and_lose(base / 'kept', '--strict')
    assert code == 2 and '05.png: No such file' in err and 'saved at epoch' in err, err
    done = int(err.split('saved at epoch ')[1].split(',')[0])
    got, _ = train(base / 'kept', '--resume', '--data', base, '--set', f'epochs={done + 1}')
    assert got['epochs'] == done + 1, got

    if photos.exists() and device.startswith('opencl'):  # the same again would take lavapipe minutes
        with tarfile.open(photos) as tar:
            tar.extractall(base, filter='data')
        recipe.write_text(RECIPE.format(
            side=64, files='hymenoptera-256/train, hymenoptera-256/val', memory=0.001, batch=32,
            layers='  - {type: dense, units: 512, activation: relu}\n', epochs=3))
        got, err = train(recipe, '--out', base / 'insects')
        assert 'left out' not in err, err
        print(f"photos of 256 pixels to 64: {got['samples_per_s']:.0f} samples/s, waiting for "
              f"{100 * got['data_wait']:.1f} % of the time")
        assert got['data_wait'] < 0.5 or 'ASAN_OPTIONS' in os.environ, got  # which slows decoding alone
        run('predict', base / 'insects', base / 'hymenoptera-256' / 'val' / 'ants' / '001.jpg')
