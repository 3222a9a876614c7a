"""Checks that imports point one way: base <- device <- graph <- tune <- op, optim <- nn <- recipe <-
train <- cli, and base <- data <- io <- onnx, recipe; onnx also reads graph and op;
graph, io <- recommend <- recipe, train. All may include public headers (<mica/...>), and cli all of src."""
import pathlib
import re
import sys

BELOW = {
    'base': set(),
    'device': {'base'},
    'graph': {'base', 'device'},
    'tune': {'base', 'device', 'graph'},
    'op': {'base', 'device', 'graph', 'tune', 'cl'},  # cl: tables that kernels share with C
    'optim': {'base', 'device', 'graph'},
    'nn': {'base', 'graph'},
    'data': {'base'},
    'io': {'base', 'data'},
    'onnx': {'base', 'io', 'graph', 'op'},  # export reads graphs node by node
    'recommend': {'base', 'graph', 'device', 'data', 'io'},
    'recipe': {'base', 'graph', 'nn', 'data', 'io', 'recommend'},
    'train': {'base', 'graph', 'nn', 'data', 'io', 'recommend', 'recipe'},
}

source = pathlib.Path(__file__).resolve().parent.parent / 'src'
wrong = 0
for path in sorted(source.rglob('*.[ch]')):
    layer = path.relative_to(source).parts[0]
    if layer == 'cli':
        continue
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        include = re.match(r'#\s*include "(\w+)/', line)
        if include and include[1] != layer and include[1] not in BELOW[layer]:
            print(f'src/{path.relative_to(source)}:{number}: {layer}/ must not include {include[1]}/')
            wrong += 1
sys.exit(wrong > 0)
