"""`mica convert` and `mica summary` of files of weights.
Usage: convert.py MICA RECIPES DEVICE
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

mica, recipes, device = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]


def run(*args):
    done = subprocess.run([mica, *map(str, args)], capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout, done.stderr


def ok(*args):
    code, out, err = run(*args)
    assert code == 0, err
    return out


def refused(words, *args):
    code, out, err = run(*args)
    assert (code, out) == (2, '') and err.count('\n') == 1 and words in err, (code, out, err)


def shapes(path):
    got = json.loads(ok('summary', '--json', path))
    return {row['name']: row['shape'] for row in got['tensors']}, got


def safetensors(path, type, data):
    """A file of one tensor, x, of 8-byte numbers."""
    header = json.dumps({'x': {'dtype': type, 'shape': [len(data) // 8],
                               'data_offsets': [0, len(data)]}}).encode()
    path.write_bytes(struct.pack('<Q', len(header)) + header + data)
    return path


def onnx(path, data):
    """A network that gives its only tensor, x, of one U64."""
    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content
    tensor = bytes([1 << 3, 1, 2 << 3, 13]) + field(8, b'x') + field(9, data)
    node = field(1, b'x') + field(2, b'y') + field(4, b'Identity')
    graph = field(1, node) + field(2, b'g') + field(5, tensor) + field(12, field(1, b'y'))
    path.write_bytes(bytes([1 << 3, 8]) + field(8, bytes([2 << 3, 17])) + field(7, graph))
    return path


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    recipe, trained, network = recipes / 'digits-cnn.yaml', folder / 'run', folder / 'net.onnx'
    ok('train', recipe, '--set', 'epochs=1', '--device', device, '--out', trained)
    own = shapes(trained / 'model.safetensors')[0]
    assert own['conv1/weight'] == [3, 3, 1, 16], own

    ok('convert', trained, network, '--device', device)
    tensors, got = shapes(network)
    assert got['opset'] == 17 and got['operators']['Conv'] == 2, got
    convolutions = [node['result'] for node in got['nodes'] if node['operator'] == 'Conv']
    listed = [line.split() for line in ok('summary', network).splitlines()]
    assert len(convolutions) == 2 and all([result, 'Conv'] in listed for result in convolutions), got
    assert got['inputs'] == [{'name': 'input', 'type': 'F32', 'shape': [1, 8, 8, 1]}], got
    assert tensors['conv1/weight'] == [16, 1, 3, 3] and own.keys() <= tensors.keys(), tensors
    assert 'conv1/weight' in ok('summary', network)
    ok('convert', '--channels-first', '--batch', 5, trained, network, '--device', device)
    assert shapes(network)[1]['inputs'][0]['shape'] == [5, 1, 8, 8]
    ok('convert', recipe, network, '--weights', trained / 'model.safetensors', '--device', device)
    assert shapes(network)[0] == tensors

    ok('convert', network, folder / 'a.safetensors')
    ok('convert', folder / 'a.safetensors', folder / 'a.npz')
    ok('convert', folder / 'a.npz', folder / 'b.safetensors')
    assert shapes(folder / 'a.safetensors')[0] == shapes(folder / 'b.safetensors')[0] == tensors
    assert zipfile.ZipFile(folder / 'a.npz').testzip() is None
    first, second = ((folder / f'{c}.safetensors').read_bytes() for c in 'ab')
    assert first == second

    # Texts are listed, kept in NumPy's files and left out of others
    codes, copy = folder / 'codes.npz', folder / 'copy.npz'
    ok('encode', trained, '--set', 'test', '-n', 9, '--layer', 'hidden', '-o', codes, '--device', device)
    listed, got = shapes(codes)
    assert listed == {'codes': [9, 64], 'labels': [9], 'class_names': [10]}, got
    assert [row['type'] for row in got['tensors']] == ['F32', 'I32', 'TEXT'], got
    assert got['numbers'] == 9 * 64 + 9 and 'class_names  TEXT  (10)' in ok('summary', codes), got
    ok('convert', codes, copy)
    assert copy.read_bytes() == codes.read_bytes()
    code, out, err = run('convert', codes, folder / 'codes.safetensors')
    assert (code, out) == (0, '') and err == (
        'note: texts do not go into safetensors, left out: class_names\n'), (code, out, err)
    assert shapes(folder / 'codes.safetensors')[0] == {'codes': [9, 64], 'labels': [9]}
    with zipfile.ZipFile(codes) as whole, zipfile.ZipFile(folder / 'texts.npz', 'w') as texts:
        texts.writestr('class_names.npy', whole.read('class_names.npy'))
    refused('is text: safetensors has numbers only', 'convert', folder / 'texts.npz',
            folder / 'texts.safetensors')
    assert not (folder / 'texts.safetensors').exists()

    # Numbers that do not fit
    wide, to = folder / 'wide.safetensors', folder / 'narrow.safetensors'
    ok('convert', safetensors(wide, 'U64', struct.pack('<2Q', 7, 2**63 - 1)), to)
    assert to.read_bytes().endswith(struct.pack('<2q', 7, 2**63 - 1))
    refused('tensor x: it has 9223372036854775808, and U64 becomes I64', 'convert',
            safetensors(wide, 'U64', struct.pack('<2Q', 7, 2**63)), to)
    refused('tensor x: it has 9223372036854775813, and U64 becomes I64', 'convert',
            onnx(folder / 'wide.onnx', struct.pack('<Q', 2**63 + 5)), to)
    ok('convert', safetensors(wide, 'F64', struct.pack('<3d', 3e38, float('-inf'), 0.1)), to)
    assert to.read_bytes().endswith(struct.pack('<3f', 3e38, float('-inf'), 0.1))
    refused('tensor x: it has -1e+39, and F64 becomes F32', 'convert',
            safetensors(wide, 'F64', struct.pack('<2d', 1, -1e39)), to)

    # What cannot be written is found before the device is looked for
    for place in folder / 'none' / 'x', recipe / 'x':
        refused(f'cannot write {place}.onnx', 'convert', trained, f'{place}.onnx', '--device', 'none')
        refused(f'cannot write {place}.npz', 'convert', codes, f'{place}.npz')
        refused(f'cannot write {place}.npy', 'encode', trained, '--set', 'test', '--layer', 'hidden', '-o',
                f'{place}.npy', '--device', 'none')
        refused(f'cannot write {place}.png', 'sample', trained, '-o', f'{place}.png', '--device', 'none')
    (folder / 'taken.npz').mkdir()
    refused('taken.npz is a folder', 'convert', codes, folder / 'taken.npz')

    # Files of the wrong kind
    refused('--set and --data are for recipes', 'summary', codes, '--set', 'a=b')
    refused('--set and --data are for recipes', 'summary', network, '--data', folder)
    for command in 'train', 'plan':
        for path in network, codes, wide:
            refused(f'{path} is no recipe', command, path)
    for command in 'eval', 'predict', 'encode':
        more = {'eval': [], 'predict': ['a.png'], 'encode': ['a.png', '-o', copy]}[command]
        refused('a recipe needs --weights FILE', command, recipe, *more)
        refused(f'{wide} is a file of weights', command, wide, *more)
    refused('cannot make samples', 'sample', trained, '--device', device)
    ok('convert', trained, network, '--device', device)
    refused('convert it with --channels-first', 'predict', network, '--preprocess', 'alexnet', 'a.png',
            '--device', device)

    refused('expected FROM and TO', 'convert', network)
    refused('become a .safetensors or .npz file', 'convert', network, folder / 'a.txt')
    refused('becomes a .onnx file', 'convert', trained, folder / 'a.npz')
    refused('options are for networks', 'convert', '--batch', 2, network, folder / 'a.npz')
    refused('not the folder of a run', 'convert', recipe, folder / 'b.onnx')
    refused('No such file', 'convert', folder / 'none.onnx', folder / 'a.npz')
    refused('No such file', 'summary', folder / 'none.safetensors')
    (folder / 'bad.onnx').write_bytes(network.read_bytes()[:-7])
    refused('not an ONNX model', 'summary', folder / 'bad.onnx')
    refused('not an ONNX model', 'convert', folder / 'bad.onnx', folder / 'a.npz')
    corpus = pathlib.Path(__file__).parent.parent / 'fuzz' / 'corpus'
    refused('20000 x 20000 pixels', 'predict', corpus / 'onnx' / 'large_input.onnx', '--preprocess',
            'alexnet', corpus / 'image' / 'rgb.png', '--device', device)
