"""Writes alexnet.h: what PyTorch's AlexNet finds with weights made by a formula, and three steps of
training of a small one. Made with torch 2.15.0; the formula is tests/train/alexnet.c's.

python3 tests/golden/alexnet.py | clang-format > tests/golden/alexnet.h"""
import numpy
import torch
from torch import nn
from torch.nn import functional

SAMPLES = 32
INPUT, INPUT_SCALE = 100, 64


def numbers(stream, scale, *shape):
    """Numbers of -scale to scale in C's order: a hash of place and stream (MurmurHash3's end)."""
    x = numpy.arange(numpy.prod(shape), dtype=numpy.uint32) * numpy.uint32(2654435761)
    x += numpy.uint32(stream * 0x9e3779b9 & 0xffffffff)
    for shift, factor in ((16, 0x85ebca6b), (13, 0xc2b2ae35)):
        x = (x ^ x >> numpy.uint32(shift)) * numpy.uint32(factor)
    x ^= x >> numpy.uint32(16)
    unit = (x >> numpy.uint32(8)).astype(numpy.float32) * numpy.float32(2 ** -23) - numpy.float32(1)
    return torch.from_numpy((unit * numpy.float32(scale)).reshape(shape))


def fill(layers, flat, gain):
    """Mica's order is (height, width, in, out) and (in, out), and fc6 takes (height, width, depth)."""
    for i, layer in enumerate(layers):
        with torch.no_grad():
            layer.bias.copy_(numbers(2 * i + 1, 1 / 8, *layer.bias.shape))
            scale = gain * (1 / 8 if i == 0 else 1 / 16 if i < 5 else 1 / 32)
            if isinstance(layer, nn.Conv2d):
                out, depth, height, width = layer.weight.shape
                weight = numbers(2 * i, scale, height, width, depth, out).permute(3, 2, 0, 1)
            else:
                out, size = layer.weight.shape
                weight = numbers(2 * i, scale, size, out).T
                if i == 5:
                    weight = weight.reshape(out, *flat).permute(0, 3, 1, 2).reshape(out, size)
            layer.weight.copy_(weight)


def network(filters, flat, units, gain=1):
    a, b, c, d, e = filters
    convolutions = [nn.Conv2d(3, a, 11, 4), nn.Conv2d(a, b, 5, padding=2, groups=2),
                    nn.Conv2d(b, c, 3, padding=1), nn.Conv2d(c, d, 3, padding=1, groups=2),
                    nn.Conv2d(d, e, 3, padding=1, groups=2)]
    sizes = [flat[0] * flat[1] * flat[2], *units]
    dense = [nn.Linear(i, o) for i, o in zip(sizes, sizes[1:])]
    fill(convolutions + dense, flat, gain)
    norm, pool = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1), nn.MaxPool2d(3, 2)

    def forward(x):
        for i, layer in enumerate(convolutions):
            x = layer(x).relu()
            x = norm(x) if i < 2 else x
            x = x if i in (2, 3) else pool(x)
        x = x.flatten(1)
        found = []
        for i, layer in enumerate(dense):
            x = layer(x) if i == 2 else layer(x).relu()
            found.append(x)
        return found

    return convolutions + dense, forward


def images(batch, side):
    return numbers(INPUT, INPUT_SCALE, batch, side, side, 3).permute(0, 3, 1, 2)


def write(name, values):
    print(f"static const double golden_alexnet_{name}[] = {{{', '.join(f'{v:.9g}' for v in values)}}};")


print('/* Made by alexnet.py. */')
for name, fc6 in (('whole', 4096), ('narrow', 2048)):
    print(f'/* fc6 of {fc6} units: {SAMPLES} numbers of each of fc6, fc7 and fc8, evenly apart; then the')
    print(' * root mean square of each. */')
    with torch.no_grad():
        found = network((96, 256, 384, 384, 256), (6, 6, 256), (fc6, 4096, 1000))[1](images(1, 227))
    write(name, [v for layer in found
                 for v in layer.flatten()[::layer.numel() // SAMPLES][:SAMPLES].tolist()])
    write(name + '_rms', [layer.square().mean().sqrt().item() for layer in found])

print('/* 67 x 67 pixels, 16-32-24-24-32 filters, 64-48-10 units, twice the weights: the losses of')
print(' * three steps with 4 images of the classes 1, 4, 7, 0, by SGD with 0.01 and momentum 0.9; then the L2 norm of each')
print(' * parameter, the weight before the bias. */')
layers, forward = network((16, 32, 24, 24, 32), (1, 1, 32), (64, 48, 10), 2)
parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
losses = []
for _ in range(3):
    optimizer.zero_grad()
    loss = functional.cross_entropy(forward(images(4, 67))[2], torch.tensor([1, 4, 7, 0]))
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
write('losses', losses)
write('norms', [p.norm().item() for p in parameters])
