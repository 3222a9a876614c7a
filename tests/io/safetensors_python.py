"""Files go both ways between Mica and Python's own safetensors package. Skipped without it.
Usage: safetensors_python.py SAFETENSORS_TOOL"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file
except ImportError as error:
    print(f'skipped: {error}')
    sys.exit(77)

tool = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = pathlib.Path(folder.name)


def run(*arguments):
    return subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True,
                          text=True).stdout


def mica_to_python():
    path = root / 'mica.safetensors'
    run('write', path)
    tensors = load_file(path)
    assert set(tensors) == {'step', 'dense.weight', 'dense.bias', 'empty', 'bytes'}
    assert tensors['step'].dtype == np.int64 and tensors['step'].shape == ()
    assert tensors['step'] == -3
    assert (tensors['dense.weight'] ==
            np.arange(15, dtype=np.float32).reshape(3, 5) / np.float32(7)).all()
    assert (tensors['dense.bias'] == -np.arange(5)).all()
    assert tensors['empty'].shape == (0, 4)
    assert tensors['bytes'].tolist() == [1, 2, 255]
    with safe_open(path, 'np') as file:
        assert file.metadata() == {'format': 'größe "1"'}


def python_to_mica():
    path = root / 'python.safetensors'
    values = np.array([[1, -2.5, 3e-5], [65504, 0, -0.1]])
    save_file({
        'f64': values, 'f32': values.astype(np.float32), 'f16': values.astype(np.float16),
        'i16': np.array([-5, 7], np.int16), 'u8': np.array(200, np.uint8),
        'bool': np.array([True, False]), 'none': np.zeros((2, 0), np.float32),
    }, path, metadata={'note': 'by Python'})
    lines = run('read', path).splitlines()
    assert lines[0] == 'note by Python'
    found = {}
    for line in lines[1:]:
        name, kind, shape, *numbers = line.split(' ')
        found[name] = (kind, shape, np.array([float(x) for x in numbers], np.float32))
    assert set(found) == {'f64', 'f32', 'f16', 'i16', 'u8', 'bool', 'none'}
    for name, kind in (('f64', np.float64), ('f32', np.float32), ('f16', np.float16)):
        assert found[name][:2] == (name.upper(), '2,3')
        assert (found[name][2] == values.astype(kind).astype(np.float32).ravel()).all()
    assert found['i16'][2].tolist() == [-5, 7] and found['u8'][1] == ''
    assert found['bool'][2].tolist() == [1, 0] and found['none'][1] == '2,0'


def brain_floats_to_mica():
    """numpy has no bfloat16: only where torch is there too."""
    try:
        import torch
        from safetensors.torch import save_file as save_torch
    except ImportError:
        return
    values = torch.tensor([1, -3.1, 1e-40, 3e38]).to(torch.bfloat16)
    path = root / 'bf16.safetensors'
    save_torch({'x': values}, path)
    line = run('read', path).splitlines()[1].split(' ')
    assert line[:3] == ['x', 'BF16', '4']
    assert [float(x) for x in line[3:]] == [float(f'{x:.9g}') for x in values.float().tolist()]


mica_to_python()
python_to_mica()
brain_floats_to_mica()
print('read both ways')
