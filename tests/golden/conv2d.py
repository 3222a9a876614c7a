#!/usr/bin/env python3
"""Golden numbers of convolutions, for tests/op/conv2d.c and conv2d_transpose.c.

conv2d.py tensorflow | torch

writes tests/golden/conv2d_LIBRARY.h, to be formatted with clang-format. All numbers are small whole
ones, drawn by NumPy's default_rng(2026), so that every order of summation gives the same. A case is
the image or map x, the filter, the result y, the gradient dy that is put in, and the gradients dx and
dfilter that come out, in Mica's layouts: (batch, height, width, depth) and (height, width, in, out).
"""
import pathlib
import sys

import numpy

rng = numpy.random.default_rng(2026)


def draw(*shape):
    return rng.integers(-3, 4, shape).astype('float32')


def with_tensorflow():
    import tensorflow as tf

    def case(name, x, f, function):
        x, f = tf.constant(draw(*x)), tf.constant(draw(*f))
        with tf.GradientTape() as tape:
            tape.watch([x, f])
            y = function(x, f)
        dy = tf.constant(draw(*y.shape))
        dx, df = tape.gradient(y, [x, f], dy)
        return name, [a.numpy() for a in (x, f, y, dy, dx, df)]

    yield tf.__version__
    yield case('same_3x3_stride2', (1, 6, 5, 2), (3, 3, 2, 3),
               lambda x, f: tf.nn.conv2d(x, f, 2, 'SAME'))
    yield case('same_4x2_stride3x2', (2, 7, 6, 1), (4, 2, 1, 2),
               lambda x, f: tf.nn.conv2d(x, f, [1, 3, 2, 1], 'SAME'))
    yield case('same_2x3_dilation2', (1, 5, 6, 2), (2, 3, 2, 2),
               lambda x, f: tf.nn.conv2d(x, f, 1, 'SAME', dilations=2))
    yield case('valid_3x2_stride2', (1, 6, 7, 2), (3, 2, 2, 2),
               lambda x, f: tf.nn.conv2d(x, f, 2, 'VALID'))
    yield case('transpose_same_3x3_stride2', (1, 3, 2, 3), (3, 3, 2, 3),
               lambda x, f: tf.nn.conv2d_transpose(x, f, (1, 6, 4, 2), 2, 'SAME'))
    yield case('transpose_same_4x4_stride2', (1, 2, 3, 2), (4, 4, 2, 2),
               lambda x, f: tf.nn.conv2d_transpose(x, f, (1, 4, 6, 2), 2, 'SAME'))
    yield case('transpose_same_3x3_stride2_5x3', (1, 3, 2, 3), (3, 3, 2, 3),
               lambda x, f: tf.nn.conv2d_transpose(x, f, (1, 5, 3, 2), 2, 'SAME'))
    yield case('transpose_valid_2x3_stride3', (1, 2, 2, 2), (2, 3, 1, 2),
               lambda x, f: tf.nn.conv2d_transpose(x, f, (1, 6, 6, 1), 3, 'VALID'))


def with_torch():
    import torch
    from torch.nn.functional import conv2d, conv_transpose2d

    def case(name, x, f, function):
        """Mica's filters are HWIO; conv2d takes OIHW, conv_transpose2d IOHW with its I our last."""
        x, f = (torch.tensor(draw(*shape), requires_grad=True) for shape in (x, f))
        y = function(x.permute(0, 3, 1, 2), f.permute(3, 2, 0, 1)).permute(0, 2, 3, 1)
        dy = torch.tensor(draw(*y.shape))
        dx, df = torch.autograd.grad(y, [x, f], dy)
        return name, [a.detach().numpy() for a in (x, f, y, dy, dx, df)]

    yield torch.__version__
    yield case('groups2_stride2_pad1', (1, 5, 6, 4), (3, 3, 2, 6),
               lambda x, f: conv2d(x, f, stride=2, padding=1, groups=2))
    yield case('depthwise_dilation2_pad2x1', (1, 6, 5, 3), (3, 2, 1, 6),
               lambda x, f: conv2d(x, f, padding=(2, 1), dilation=2, groups=3))
    yield case('transpose_groups2_stride2_pad1_output1', (1, 3, 3, 4), (3, 3, 2, 4),
               lambda x, f: conv_transpose2d(x, f, stride=2, padding=1, output_padding=1, groups=2))
    yield case('transpose_dilation2_stride3', (1, 2, 3, 2), (2, 3, 1, 2),
               lambda x, f: conv_transpose2d(x, f, stride=3, dilation=2))


library = sys.argv[1]
cases = {'tensorflow': with_tensorflow, 'torch': with_torch}[library]()
guard = f'MICA_TESTS_GOLDEN_CONV2D_{library.upper()}_H'
lines = [f'/* Made by tests/golden/conv2d.py with {library} {next(cases)}, NumPy {numpy.__version__}, '
         'seed 2026. */', f'#ifndef {guard}', f'#define {guard}', '']
for title, arrays in cases:
    for part, array in zip(('x', 'filter', 'y', 'dy', 'dx', 'dfilter'), arrays):
        assert (array == array.round()).all()
        numbers = ', '.join(str(int(n)) for n in array.ravel())
        lines += [f'/* {array.shape} */', f'static const double {title}_{part}[] = {{{numbers}}};']
lines += ['', '#endif', '']
path = pathlib.Path(__file__).parent / f'conv2d_{library}.h'
path.write_text('\n'.join(lines), encoding='utf-8')
