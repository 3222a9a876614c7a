"""Writes onnx_recurrent.h: what onnxruntime gives for RNN, LSTM and GRU nodes in all directions, with
lengths, initial states and both layouts. Numbers of input n are those of number() from 100 n on, the
same in tests/onnx/recurrent.c. Written with onnx 1.23.2, onnxruntime 1.32.0:

    python3 tests/golden/onnx_recurrent.py | clang-format > tests/golden/onnx_recurrent.h
"""
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

TIME, BATCH, IN, HIDDEN = 5, 3, 4, 2
GATES = {'RNN': 1, 'LSTM': 4, 'GRU': 3}
LENGTHS = np.array([5, 2, 4], np.int32)

# operator, direction, layout, lengths, initial states, biases, attributes
CASES = [
    ('RNN', 'forward', 0, 0, 1, 1, {}),
    ('RNN', 'bidirectional', 1, 1, 1, 1, {'activations': ['Relu', 'Tanh']}),
    ('RNN', 'reverse', 0, 0, 0, 0, {'activations': ['Relu']}),
    ('LSTM', 'forward', 0, 1, 0, 1, {}),
    ('LSTM', 'reverse', 1, 1, 1, 1, {}),
    ('LSTM', 'bidirectional', 0, 1, 1, 1, {}),
    ('LSTM', 'bidirectional', 1, 0, 0, 0, {}),
    ('GRU', 'forward', 0, 0, 1, 1, {}),
    ('GRU', 'reverse', 0, 1, 1, 1, {'linear_before_reset': 1}),
    ('GRU', 'bidirectional', 0, 1, 1, 1, {}),
    ('GRU', 'bidirectional', 1, 0, 1, 1, {'linear_before_reset': 1}),
    ('GRU', 'forward', 0, 0, 0, 0, {'linear_before_reset': 1}),
]


def numbers(which, *shape):
    i = np.arange(np.prod(shape)) + 100 * which
    return (((i * 37 + 60) % 101) / 50 - 1).astype(np.float32).reshape(shape)


def run(op, direction, layout, lengths, states, biases, attributes):
    n, gates = (2 if direction == 'bidirectional' else 1), GATES[op]
    feeds = {
        'X': numbers(0, *((BATCH, TIME) if layout else (TIME, BATCH)), IN),
        'W': numbers(1, n, gates * HIDDEN, IN),
        'R': numbers(2, n, gates * HIDDEN, HIDDEN),
        'B': numbers(3, n, 2 * gates * HIDDEN),
        'sequence_lens': LENGTHS,
        'initial_h': numbers(5, *((BATCH, n) if layout else (n, BATCH)), HIDDEN),
        'initial_c': numbers(6, *((BATCH, n) if layout else (n, BATCH)), HIDDEN),
    }
    wanted = {'B': biases, 'sequence_lens': lengths, 'initial_h': states,
              'initial_c': states and op == 'LSTM'}
    names = [name if wanted.get(name, True) else '' for name in feeds]
    while not names[-1]:
        names.pop()
    feeds = {name: feeds[name] for name in names if name}
    if layout:  # onnxruntime has layout 0 alone
        for name in ('X', 'initial_h', 'initial_c'):
            if name in feeds:
                feeds[name] = np.ascontiguousarray(feeds[name].swapaxes(0, 1))
    outputs = ['Y', 'Y_h'] + (['Y_c'] if op == 'LSTM' else [])
    node = helper.make_node(op, names, outputs, hidden_size=HIDDEN, direction=direction, **attributes)
    types = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    graph = helper.make_graph(
        [node], 'graph',
        [helper.make_tensor_value_info(k, types[v.dtype], v.shape) for k, v in feeds.items()],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, [None] * (4 if o == 'Y' else 3))
         for o in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 14)], ir_version=8)
    onnx.checker.check_model(model)
    results = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    if layout:
        results[0] = results[0].transpose(2, 0, 1, 3)
        results[1:] = [r.swapaxes(0, 1) for r in results[1:]]
    return results


print('/* Written by onnx_recurrent.py. */')
print('static const recurrent_case cases[] = {')
for op, direction, layout, lengths, states, biases, attributes in CASES:
    results = run(op, direction, layout, lengths, states, biases, attributes)
    texts = attributes.get('activations', [])
    print(f'    {{"{op}", "{direction}", {layout}, {lengths}, {states}, {biases}, '
          f'{attributes.get("linear_before_reset", 0)}, "{" ".join(texts)}",')
    for i in range(3):
        flat = results[i].ravel() if i < len(results) else []
        rows = [', '.join(f'{v:.6g}' for v in flat[k:k + 10]) for k in range(0, len(flat), 10)]
        print(('{' if i == 0 else '') + '{' + (', '.join(rows) or '0') + '}' + (',' if i < 2 else '}},'))
print('};')
