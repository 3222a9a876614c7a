"""Writes pool.h: pooling as PyTorch does it, and as TensorFlow does with SAME, which is PyTorch's
on an image padded by hand (with minus infinity; for means, divided by the mean of ones). Made with torch
2.15.0, seed 1.

python3 tests/golden/pool.py | clang-format > tests/golden/pool.h"""
import torch
import torch.nn.functional as F

torch.manual_seed(1)
x = torch.randn(2, 5, 6, 3)
planes = x.permute(0, 3, 1, 2)  # to PyTorch's order


def write(name, values):
    numbers = ', '.join(f'{v:.9g}' for v in values.flatten().tolist())
    print(f'static const double golden_pool_{name}[] = {{{numbers}}};')


def result(name, y):
    print(f'/* {tuple(y.permute(0, 2, 3, 1).shape)} */')
    write(name, y.permute(0, 2, 3, 1))


print('/* Made by pool.py: x is (2, 5, 6, 3). */')
write('x', x)
result('max_ceil', F.max_pool2d(planes, 3, 2, 1, ceil_mode=True))
result('max_dilated', F.max_pool2d(planes, 2, 1, 1, dilation=2))
result('avg_padded', F.avg_pool2d(planes, 3, 2, 1, ceil_mode=True, count_include_pad=True))
result('avg_inside', F.avg_pool2d(planes, 3, 2, 1, ceil_mode=True, count_include_pad=False))
# SAME, window 3x3, stride 2: 5 rows need 1 + 1 more, 6 columns 0 + 1.
same = (0, 1, 1, 1)
result('max_same', F.max_pool2d(F.pad(planes, same, value=-torch.inf), 3, 2))
ones = torch.ones_like(planes)
result('avg_same', F.avg_pool2d(F.pad(planes, same), 3, 2) / F.avg_pool2d(F.pad(ones, same), 3, 2))
