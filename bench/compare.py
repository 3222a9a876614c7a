#!/usr/bin/env python3
"""Training steps of Mica against PyTorch's, in turn on the same machine.

usage: compare.py [--mica build/mica] [--device D] [--python PYTHON] [--rounds N] [WORKLOAD...]

A round runs `mica bench --json` and torch_peer.py on each workload, one after the other. Prints, for
each workload, the medians over all rounds and their ratio: Mica's speed over PyTorch's. PYTHON is an
interpreter that has PyTorch 2 (default: this one); without it, only Mica is measured.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT = ['softmax', 'mlp', 'vae', 'cifar_cnn', 'conv_autoencoder', 'resnet18_cifar',
           'matrix_factorization']


def milliseconds(command):
    """What one workload's run printed last."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])['ms_per_step']


def torch_version(python):
    try:
        done = subprocess.run([python, '-c', 'import torch; print(torch.__version__)'],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--mica', default=HERE.parent / 'build' / 'mica')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--python', default=sys.executable)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('workloads', nargs='*', metavar='WORKLOAD')
    arguments = parser.parse_args()
    workloads = arguments.workloads or DEFAULT
    version = torch_version(arguments.python)
    if not version:
        print(f'{arguments.python} has no PyTorch: only Mica is measured', file=sys.stderr)
    mica = [arguments.mica, 'bench', '--json', '--device', arguments.device]
    torch = [arguments.python, HERE / 'torch_peer.py']
    times = {name: ([], []) for name in workloads}
    for _ in range(arguments.rounds):
        for name, (ours, theirs) in times.items():
            ours.append(milliseconds(mica + [name]))
            if version:
                theirs.append(milliseconds(torch + [name]))
    for name, (ours, theirs) in times.items():
        line = f'{name:20} mica {statistics.median(ours):8.3f} ms'
        if version:
            ratio = statistics.median(theirs) / statistics.median(ours)
            line += f'  torch {version} {statistics.median(theirs):8.3f} ms  ratio {ratio:.2f}'
        print(line)


if __name__ == '__main__':
    main()
