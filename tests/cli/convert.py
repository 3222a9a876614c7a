"""`mica convert` and `mica summary` of files of weights.
Usage: convert.py MICA RECIPES DEVICE
"""
import json
import pathlib
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
