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
from torch.nn import functional

# A workload returns its network, a function that computes its loss on a random batch, and the batch's
# size. Images are channels_last in memory, which is PyTorch's fastest form on CPUs.
BATCH = 128


def classifier(network, samples):
    labels = torch.randint(10, (len(samples),))
    return network, lambda: functional.cross_entropy(network(samples), labels), len(samples)


def images(network, *shape):
    return (network.to(memory_format=torch.channels_last),
            torch.rand(*shape).to(memory_format=torch.channels_last))


def softmax():
    return classifier(nn.Linear(784, 10), torch.randn(BATCH, 784))


def mlp():
    return classifier(nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, 10)), torch.randn(BATCH, 784))


def conv3(inputs, filters):
    return [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU()]


def cifar_cnn():
    pool = nn.MaxPool2d(2)
    return classifier(*images(nn.Sequential(
        *conv3(3, 32), *conv3(32, 32), pool, *conv3(32, 64), *conv3(64, 64), pool,
        *conv3(64, 128), pool, nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 10)), BATCH, 3, 32, 32))


class Residual(nn.Module):
    def __init__(self, inputs, filters, stride):
        super().__init__()

        def normalized(depth, kernel, step):
            return [nn.Conv2d(depth, filters, kernel, step, kernel // 2, bias=False),
                    nn.BatchNorm2d(filters)]

        self.main = nn.Sequential(
            *normalized(inputs, 3, stride), nn.ReLU(), *normalized(filters, 3, 1))
        self.shortcut = nn.Sequential(*(normalized(inputs, 1, stride) if stride > 1 else []))

    def forward(self, x):
        return functional.relu(self.main(x) + self.shortcut(x))


def resnet18_cifar():
    stages = [Residual(64 << max(i - 1, 0) if j == 0 else 64 << i, 64 << i, 2 if i and j == 0 else 1)
              for i in range(4) for j in range(2)]
    return classifier(*images(nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *stages,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)), 32, 3, 32, 32))


def conv_autoencoder():
    pool = nn.MaxPool2d(2, ceil_mode=True)
    network, samples = images(nn.Sequential(
        *conv3(1, 32), pool, *conv3(32, 32), pool, *conv3(32, 16), pool,
        nn.Upsample(size=(7, 7)), *conv3(16, 16), nn.Upsample(size=(14, 14)), *conv3(16, 32),
        nn.Upsample(size=(28, 28)), *conv3(32, 32), nn.Conv2d(32, 1, 3, padding=1)), BATCH, 1, 28, 28)
    return network, lambda: functional.binary_cross_entropy_with_logits(
        network(samples), samples), BATCH


def vae():
    network = nn.ModuleDict({
        'encoder': nn.Sequential(nn.Linear(784, 400), nn.ReLU()),
        'mean': nn.Linear(400, 20), 'log_variance': nn.Linear(400, 20),
        'decoder': nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))})
    samples = torch.rand(BATCH, 784)

    def loss():
        hidden = network['encoder'](samples)
        mean, log_variance = network['mean'](hidden), network['log_variance'](hidden)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        pixels = functional.binary_cross_entropy_with_logits(
            network['decoder'](code), samples, reduction='sum')
        divergence = -(1 + log_variance - mean ** 2 - torch.exp(log_variance)).sum() / 2
        return (pixels + divergence) / BATCH

    return network, loss, BATCH


def alexnet_codes():
    def conv(inputs, filters, kernel, stride=1, groups=1):
        return [nn.Conv2d(inputs, filters, kernel, stride, 0 if stride > 1 else kernel // 2,
                          groups=groups), nn.ReLU(inplace=True)]

    norm, pool = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1), nn.MaxPool2d(3, 2)
    network, samples = images(nn.Sequential(
        *conv(3, 96, 11, 4), norm, pool, *conv(96, 256, 5, groups=2), norm, pool,
        *conv(256, 384, 3), *conv(384, 384, 3, groups=2), *conv(384, 256, 3, groups=2), pool,
        nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(inplace=True),
        nn.Linear(4096, 4096), nn.ReLU(inplace=True)), 16, 3, 227, 227)
    network.requires_grad_(False)
    return network, lambda: network(samples), 16


def char_lstm():
    lstm, scores = nn.LSTM(83, 512, 2, batch_first=True), nn.Linear(512, 83)
    characters, following = torch.randint(83, (100, 50)), torch.randint(83, (5000,))

    def loss():
        states, _ = lstm(functional.one_hot(characters, 83).float())
        return functional.cross_entropy(scores(states.reshape(5000, 512)), following)

    return nn.ModuleList([lstm, scores]), loss, 100


def matrix_factorization():
    batch, users, items, factors = 1024, 943, 1682, 64
    user, item, rating = torch.randint(users, (batch,)), torch.randint(items, (batch,)), torch.randn(batch)
    tables = nn.ModuleList([nn.Embedding(users, factors), nn.Embedding(items, factors),
                            nn.Embedding(users, 1), nn.Embedding(items, 1)])
    user_factors, item_factors, user_bias, item_bias = tables

    def loss():
        agreement = (user_factors(user) * item_factors(item)).sum(1)
        return functional.mse_loss(agreement + user_bias(user)[:, 0] + item_bias(item)[:, 0], rating)

    return tables, loss, batch


WORKLOADS = {workload.__name__: workload for workload in (
    softmax, mlp, cifar_cnn, resnet18_cifar, conv_autoencoder, vae, char_lstm,
    matrix_factorization, alexnet_codes)}


def measure(network, loss, seconds):
    """Seconds a step on one random batch: forward and, where there is a gradient, backward and SGD."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    times = []
    end = None
    while end is None or time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        result = loss()
        if result.requires_grad:
            result.backward()
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
        network, loss, batch = WORKLOADS[name]()
        step = measure(network, loss, arguments.seconds)
        print(json.dumps({'workload': name, 'batch': batch, 'ms_per_step': step * 1e3,
                          'samples_per_s': batch / step, 'torch': torch.__version__,
                          'threads': torch.get_num_threads()}), flush=True)


if __name__ == '__main__':
    main()
