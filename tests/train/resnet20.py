"""ResNet-20 with weights that others trained, on original records of CIFAR-10: its numbers are those of
the reference, and so are its mistakes.

Usage: resnet20.py MICA SOURCE DEVICE DATA. DATA has resnet-cifar10 and cifar10; without them, or without
the device, the test is skipped."""
import gzip
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

mica, source, device = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
data = pathlib.Path(sys.argv[4]).resolve()
recipe = source.resolve() / 'recipes' / 'cifar10-resnet.yaml'
weights = data / 'resnet-cifar10' / 'resnet20.safetensors'
reference = weights.with_name('resnet20_reference_logits.safetensors')
records = data / 'cifar10' / 'data_batch_1_first4000.bin.gz'
COUNT, REFERENCE, PICTURES, CLASSES, SIDE = 4000, 100, 10, 10, 32
MISSED = [553, 1070, 1864, 2504, 3338, 3348, 3454, 3902]  # of the 4000, by the same weights in NumPy
TOLERANCE = 1e-3  # largest difference, of the largest logit
on_cpu_shaders = 'llvmpipe' in device  # where 4000 records take minutes: there the reference's 100


def check(condition, message):
    if not condition:
        sys.exit(f'FAILED: {message}')


def encode(*arguments):
    """Logits, a row a sample."""
    command = [mica, 'encode', recipe, '--weights', weights, '--set', f'batch={REFERENCE}', '--layer',
               'linear', '--device', device, '-o', 'logits.npy', '--json', *arguments]
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True)
    check(done.returncode == 0, f'{arguments}: exit {done.returncode}: {done.stderr}')
    rows, width = json.loads(done.stdout.splitlines()[-1])['shape']
    check(width == CLASSES, f'{arguments}: {width} logits')
    whole = pathlib.Path('logits.npy').read_bytes()
    numbers = struct.unpack(f'<{rows * width}f', whole[10 + struct.unpack('<H', whole[8:10])[0]:])
    return [numbers[width * i:width * (i + 1)] for i in range(rows)]


def wanted_logits():
    whole = reference.read_bytes()
    size = struct.unpack('<Q', whole[:8])[0]
    entry = json.loads(whole[8:8 + size])['logits_first100']
    check(entry['shape'] == [REFERENCE, CLASSES] and entry['dtype'] == 'F32', entry)
    begin, end = entry['data_offsets']
    numbers = struct.unpack(f'<{REFERENCE * CLASSES}f', whole[8 + size + begin:8 + size + end])
    return [numbers[CLASSES * i:CLASSES * (i + 1)] for i in range(REFERENCE)]


def compare(what, got, wanted):
    largest = max(abs(value) for row in wanted for value in row)
    worst = max(abs(a - b) for mine, theirs in zip(got, wanted) for a, b in zip(mine, theirs))
    worst /= largest
    print(f'{what}: logits differ from the reference by at most {worst:.1e} of the largest', flush=True)
    check(len(got) >= len(wanted) and worst < TOLERANCE, worst)


def png(path, planes):
    """A picture of a record's three planes."""
    rows = b''.join(b'\0' + bytes(planes[SIDE * (SIDE * c + y) + x]
                                  for x in range(SIDE) for c in range(3)) for y in range(SIDE))
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', SIDE, SIDE, 8, 2, 0, 0, 0)),
              (b'IDAT', zlib.compress(rows)), (b'IEND', b'')]
    pathlib.Path(path).write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
        for kind, body in chunks))


def main():
    if not all(path.exists() for path in (weights, reference, records)):
        print(f'skipped: no ResNet-20 or no CIFAR-10 in {data}')
        sys.exit(77)
    if subprocess.run([mica, 'plan', source / 'recipes' / 'digits-softmax.yaml', '--device', device],
                      capture_output=True).returncode:
        print(f'skipped: no device {device}')
        sys.exit(77)
    with gzip.open(records) as file:
        body = file.read()
    size = 1 + 3 * SIDE * SIDE
    check(len(body) == COUNT * size, f'{records}: {len(body)} bytes')
    labels, wanted = body[::size], wanted_logits()
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        count = REFERENCE if on_cpu_shaders else COUNT
        os.symlink(records, 'records.bin.gz')
        got = encode('--set', 'data.files=[records.bin.gz, records.bin.gz]', '--set', 'test', '-n', count,
                     '--data', '.')
        compare('records', got, wanted)
        missed = [i for i, row in enumerate(got) if row.index(max(row)) != labels[i]]
        print(f'{len(missed)} of {len(got)} missed: {missed}')
        check(len(got) == count and missed == [i for i in MISSED if i < count], missed)
        # The same as pictures, which the data's keys prepare.
        names = [f'{i}.png' for i in range(PICTURES)]
        for i, name in enumerate(names):
            png(name, body[size * i + 1:size * (i + 1)])
        compare('pictures', encode(*names), wanted[:PICTURES])
        os.chdir('/')


main()
