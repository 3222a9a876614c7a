"""Checks exported networks with onnx.checker and onnxruntime: outputs must agree within 1e-4.

    export_check.py TEST_ONNX_EXPORT DEVICE RECIPE...

Runs the test program, which leaves its networks with their inputs and outputs. Skipped without the
packages of tests/requirements.txt."""
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print(f'skipped: {error}')
    sys.exit(77)


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    if not path.with_suffix('.output').exists():  # random
        return 0
    given = session.get_inputs()[0]
    dtype = np.int32 if 'int32' in given.type else np.float32
    x = np.fromfile(path.with_suffix('.input'), dtype).reshape(given.shape)
    got = session.run(None, {given.name: x})[0].ravel()
    want = np.fromfile(path.with_suffix('.output'), np.float32)
    return np.max(np.abs(got - want) / (1 + np.abs(want)))


with tempfile.TemporaryDirectory() as folder:
    program, device, *recipes = sys.argv[1:]
    code = subprocess.run([program, device, folder, *recipes]).returncode
    wrong = 0
    for path in sorted(pathlib.Path(folder).glob('*.onnx')):
        try:
            error = check(path)
        except Exception as failure:
            print(f'{path.stem}: {failure}')
            wrong += 1
            continue
        print(f'{path.stem}: {error:.1e}')
        wrong += not error < 1e-4
    sys.exit(code or wrong > 0)
