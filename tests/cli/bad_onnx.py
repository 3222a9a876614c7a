"""Damaged ONNX files on the command line: one clear line, exit code 2, in a second and 64 MiB over the
file's size. A file that is still right after the damage may be read, as quickly.

bad_onnx.py MICA CORPUS"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

mica, corpus = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
MEMORY = 64 << 20


def measure(path):
    """Exit code, standard error, seconds and peak memory in bytes of `mica summary PATH`."""
    start = time.monotonic()
    child = subprocess.Popen([mica, 'summary', str(path)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    error = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stderr.close()
    return child.returncode, error, time.monotonic() - start, usage.ru_maxrss * 1024


def damaged(folder):
    """Names and paths of the files, by how they were made."""
    model = (corpus / 'products.onnx').read_bytes()
    variants = [(f'the first {n} bytes', model[:n]) for n in range(0, len(model), len(model) // 70)]
    for bit in range(0, 8 * 64, 5):
        flipped = bytearray(model)
        flipped[bit // 8] ^= 1 << bit % 8
        variants.append((f'bit {bit} flipped', bytes(flipped)))
    huge = b'\x3a\xff\xff\xff\xff\x7f'  # a graph of 2^35 bytes
    nested = b''
    for _ in range(3000):  # messages in messages
        nested = b'\x3a' + varint(len(nested)) + nested
    variants += [('text', b'a: b\n' * 100), ('zeros', bytes(5000)), ('a huge size', huge),
                 ('deep', nested)]
    for i, (name, data) in enumerate(variants):
        path = folder / f'{i}.onnx'
        path.write_bytes(data)
        yield name, path
    (folder / 'folder.onnx').mkdir()
    (folder / 'loop.onnx').symlink_to('loop.onnx')
    for name in 'folder', 'loop', 'missing':
        yield name, folder / f'{name}.onnx'


def varint(n):
    data = bytearray()
    while n > 127:
        data.append(n & 127 | 128)
        n >>= 7
    data.append(n)
    return bytes(data)


with tempfile.TemporaryDirectory() as name:
    base = measure(corpus / 'products.onnx')
    assert base[0] == 0, base
    refused = 0
    for what, path in damaged(pathlib.Path(name)):
        code, error, seconds, memory = measure(path)
        size = path.stat().st_size if path.is_file() else 0
        assert code in (0, 2), f'{what}: exit code {code}: {error}'
        if code == 2:
            refused += 1
            assert error.startswith('mica: ') and error.count('\n') == 1, f'{what}: {error!r}'
        assert seconds < 1 or seconds < 20 * base[2], f'{what}: {seconds:.1f} s'
        assert memory < base[3] + MEMORY + size, f'{what}: {memory >> 20} MiB'
    assert refused >= 100, f'only {refused} files were refused'
    print(f'{refused} files refused, each in one line')
