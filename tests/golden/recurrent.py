"""Writes recurrent.h: recurrent networks of PyTorch in double precision, with the gradients of a loss
that takes all results. Numbers that go in come from formulas, here and in tests/graph/recurrent.c:
element i of tensor number k is sin(i + k) times a scale; parameters are numbered in PyTorch's order.
Made with torch 2.15.0.

python3 tests/golden/recurrent.py | clang-format > tests/golden/recurrent.h"""
import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def numbers(shape, k, scale):
    count = torch.Size(shape).numel()
    return (torch.sin(torch.arange(count) + float(k)) * scale).reshape(shape)


def write(name, values):
    text = ', '.join(f'{v:.9g}' for v in values.flatten().tolist())
    print(f'static const double golden_{name}[] = {{{text}}};')


def case(name, kind, layers, bidirectional, steps, lengths, **more):
    features, hidden, batch = 3, 4, 3
    net = kind(features, hidden, layers, batch_first=True, bidirectional=bidirectional, **more)
    for k, parameter in enumerate(net.parameters()):
        parameter.data = numbers(parameter.shape, k, 0.5)
    directions = 2 if bidirectional else 1
    x = numbers((batch, steps, features), 100, 1).requires_grad_()
    states = [numbers((layers * directions, batch, hidden), 101 + k, 0.5).requires_grad_()
              for k in range(2 if kind is nn.LSTM else 1)]
    given = x
    if lengths:
        given = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
    outputs, final = net(given, tuple(states) if kind is nn.LSTM else states[0])
    if lengths:
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True,
                                                      total_length=steps)
    results = [outputs, *(final if kind is nn.LSTM else [final])]
    sum((numbers(y.shape, 200 + k, 1) * y).sum() for k, y in enumerate(results)).backward()
    print(f'\n/* {name}: {layers} layers, {directions} directions, {steps} steps, lengths {lengths} */')
    write(name + '_results', torch.cat([y.flatten() for y in results]))
    write(name + '_inputs', torch.cat([v.grad.flatten() for v in (x, *states)]))
    write(name + '_parameters', torch.cat([v.grad.flatten() for v in net.parameters()]))


print('/* Made by recurrent.py: batch 3, 3 features, 4 units. Results, then the gradients of what goes'
      ' in\n * and of the parameters, each one tensor behind the other. */')
case('lstm', nn.LSTM, 3, False, 7, None)
case('gru', nn.GRU, 3, False, 7, None)
case('rnn', nn.RNN, 3, False, 7, None)
case('lstm_both', nn.LSTM, 1, True, 4, [4, 3, 1])
case('gru_both', nn.GRU, 2, True, 4, [4, 2, 2])
case('rnn_both', nn.RNN, 1, True, 4, [3, 3, 2], nonlinearity='relu')
