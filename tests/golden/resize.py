"""Writes the golden numbers of resize: an image of 1x5x6x2 to three sizes, by PyTorch's F.interpolate
and by TensorFlow's tf.image.resize and its older relatives. Made with torch 2.15.0 and tensorflow
2.21.0, seed 3.

python3 tests/golden/resize.py torch | clang-format > tests/golden/resize_torch.h
python3 tests/golden/resize.py tensorflow | clang-format > tests/golden/resize_tensorflow.h"""
import sys

import numpy

x = numpy.random.RandomState(3).randn(1, 5, 6, 2).astype('float32')
sizes = [(10, 12), (7, 4), (3, 9)]


def write(name, values):
    numbers = ', '.join(f'{v:.9g}' for v in numpy.asarray(values).flatten().tolist())
    print(f'static const double golden_resize_{name}[] = {{{numbers}}};')


def torch_results():
    import torch
    import torch.nn.functional as F
    planes = torch.from_numpy(x).permute(0, 3, 1, 2)
    for name, options in {
            'nearest': {'mode': 'nearest'},
            'nearest_exact': {'mode': 'nearest-exact'},
            'bilinear': {'mode': 'bilinear', 'align_corners': False},
            'bilinear_corners': {'mode': 'bilinear', 'align_corners': True}}.items():
        for size in sizes:
            yield name, size, F.interpolate(planes, size, **options).permute(0, 2, 3, 1).numpy()


def tensorflow_results():
    import tensorflow as tf
    old = tf.compat.v1.image
    for name, resize in {
            'nearest': lambda size: tf.image.resize(x, size, 'nearest'),
            'bilinear': lambda size: tf.image.resize(x, size, 'bilinear'),
            'nearest_corners': lambda size: old.resize_nearest_neighbor(x, size, align_corners=True),
            'bilinear_corners': lambda size: old.resize_bilinear(x, size, align_corners=True),
            'bilinear_old': lambda size: old.resize_bilinear(x, size)}.items():
        for size in sizes:
            yield 'tf_' + name, size, resize(size).numpy()


print('/* Made by resize.py. */')
if sys.argv[1] == 'torch':
    write('x', x)
for name, (height, width), y in torch_results() if sys.argv[1] == 'torch' else tensorflow_results():
    write(f'{name}_{height}x{width}', y)
