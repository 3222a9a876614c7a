"""What training must reach, on every device given: test accuracy of the recipes with seed 1, the same
bits from the same seed, and the same loss curve on all devices within CURVE_TOLERANCE.

Usage: bars.py MICA SOURCE DEVICE... With the files of MNIST and MovieLens 100K in
SOURCE/../shared/data (or $MICA_DATA), their recipes run too, on the first device."""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

# Published in docs/architecture.md. Kernels of two backends sum in different orders, and training
# magnifies rounding; it does not change where it goes.
CURVE_TOLERANCE = 0.02
CURVE_EPOCHS = 10

mica, source, devices = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]


def train(recipe, device, out, *more, metric='test_accuracy'):
    command = [mica, 'train', str(source / 'recipes' / f'{recipe}.yaml'), '--device', device,
               '--seed', '1', '--out', str(out), *more]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f'FAILED: {command}: {run.stderr}')
    measured = dict(line.split()[:2] for line in run.stdout.splitlines() if len(line.split()) == 2)
    return float(measured[metric])


def curve(out):
    with open(out / 'metrics.csv') as file:
        return [{k: v for k, v in row.items() if k != 'seconds'} for row in csv.DictReader(file)]


def check(good, text):
    print('ok  ' if good else 'FAIL', text)
    return not good


def available(device):
    return subprocess.run([mica, 'train', str(source / 'recipes/digits-softmax.yaml'), '--device',
                           device, '--set', 'epochs=1', '--out', f'probe-{device}'],
                          capture_output=True).returncode == 0


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        here = pathlib.Path(folder)
        found = [device for device in devices if available(device)]
        if not found:
            print(f'skipped: none of {devices} is there')
            sys.exit(77)
        curves = []
        for device in found:
            for recipe, bar in ('digits-softmax', 0.95), ('digits-mlp', 0.97):
                got = train(recipe, device, here / f'{recipe}-{device}')
                failed += check(got >= bar, f'{recipe} on {device}: {got:.4f}, wanted {bar}')
            runs = []
            for i in range(3):
                out = here / f'curve-{device}-{i}'
                train('digits-mlp', device, out, '--set', f'epochs={CURVE_EPOCHS}')
                runs.append((curve(out), (out / 'model.safetensors').read_bytes()))
            failed += check(runs[0] == runs[1] == runs[2], f'3 runs on {device} are bit-identical')
            curves.append(runs[0][0])
        for device, other in zip(found[1:], curves[1:]):
            worst = max(abs(float(a['train_loss']) / float(b['train_loss']) - 1)
                        for a, b in zip(curves[0], other))
            failed += check(worst <= CURVE_TOLERANCE,
                            f'loss curves of {found[0]} and {device} differ by at most {worst:.2e}')
        data = os.environ.get('MICA_DATA', source.resolve().parent / 'shared' / 'data')
        if (pathlib.Path(data) / 'mnist').is_dir():
            for recipe, bar in ('mnist-softmax', 0.92), ('mnist-mlp', 0.98):
                got = train(recipe, found[0], here / recipe, '--data', str(data))
                failed += check(got >= bar, f'{recipe} on {found[0]}: {got:.4f}, wanted {bar}')
        else:
            print(f'skipped: no MNIST in {data}')
        if (pathlib.Path(data) / 'movielens-100k').is_dir():
            got = train('movielens-mf', found[0], here / 'movielens-mf', '--data', str(data),
                        metric='test_rmse')
            failed += check(got <= 0.95, f'movielens-mf on {found[0]}: RMSE {got:.4f}, wanted 0.95')
        else:
            print(f'skipped: no MovieLens 100K in {data}')
    sys.exit(failed > 0)


main()
