#!/usr/bin/env python3
"""The workloads of `mica bench` in PyTorch, on the CPU: median milliseconds a training step.

usage: torch_peer.py [--threads N] [--seconds S] WORKLOAD...

Prints one JSON object a line, with the keys of `mica bench --json`.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn

BATCH = 128


def softmax():
    return nn.Linear(784, 10)


def mlp():
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, 10))


WORKLOADS = {'softmax': softmax, 'mlp': mlp}


def measure(network, seconds):
    """Seconds a step of forward, backward and SGD on one random batch."""
    samples = torch.randn(BATCH, 784)
    labels = torch.randint(10, (BATCH,))
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    times = []
    end = None
    while end is None or time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss(network(samples), labels).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
        if len(times) == 5 and end is None:  # warm now
            times = []
            end = time.perf_counter() + seconds
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--threads', type=int, help='default: all cores')
    parser.add_argument('--seconds', type=float, default=4, help='of each workload (4)')
    parser.add_argument('workloads', nargs='+', choices=WORKLOADS, metavar='WORKLOAD')
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for name in arguments.workloads:
        torch.manual_seed(1)
        step = measure(WORKLOADS[name](), arguments.seconds)
        print(json.dumps({'workload': name, 'batch': BATCH, 'ms_per_step': step * 1e3,
                          'samples_per_s': BATCH / step, 'torch': torch.__version__,
                          'threads': torch.get_num_threads()}), flush=True)


if __name__ == '__main__':
    main()
