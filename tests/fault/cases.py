"""What the tests of faults run: the parts, the commands, their inputs, and how results are compared."""
import csv
import dataclasses
import io
import json
import os
import re
import shutil
import struct
import subprocess
import zipfile
import zlib

POCL, LAVAPIPE = 'opencl:pthread', 'vulkan:llvmpipe'


@dataclasses.dataclass
class Part:
    """Which calls fail, and how."""
    values: dict
    device: str = POCL
    vulkan: bool = False
    resume: bool = False
    only_device: bool = False
    only_resuming: bool = False
    limit: str = ''             # a resource that prlimit(1) limits, in the place of calls
    amounts: tuple = ()         # of it
    full: bool = False          # standard output is a full disk
    own_blocks: bool = True     # the program's calls count; else libraries', which not all need, nor free all

    def takes(self, case):
        if self.only_resuming:
            return case.resumes
        # drivers that get too little end the process or are not there: without them
        if self.limit and (case.cold or not case.null):
            return False
        return case.device or not self.only_device


PARTS = {
    'memory': Part({'FAULT_CALLS': 'memory'}),
    'libraries': Part({'FAULT_CALLS': 'memory', 'FAULT_FROM': 'libjansson,libyaml,libzip,libpng,libturbojpeg,libwebp'},
                      own_blocks=False),
    'files': Part({'FAULT_CALLS': 'files'}, resume=True),
    'opencl': Part({'FAULT_CALLS': 'opencl'}, only_device=True),
    'opencl_lost': Part({'FAULT_CALLS': 'opencl', 'FAULT_ALL': '1'}, only_device=True),
    'vulkan': Part({'FAULT_ERROR': '-2'}, LAVAPIPE, vulkan=True, only_device=True),
    'vulkan_lost': Part({'FAULT_ALL': '1'}, LAVAPIPE, vulkan=True, only_device=True),
    'kill': Part({'FAULT_CALLS': 'files', 'FAULT_KILL': '1', 'FAULT_PATH': 'out'}, resume=True,
                 only_resuming=True),
    'descriptors': Part({}, limit='nofile', amounts=tuple(range(3, 30))),
    'address_space': Part({}, 'null', limit='as', own_blocks=False,
                          amounts=tuple(range(16 << 20, 1 << 30, 1 << 18))),
    'output': Part({}, full=True),
}


@dataclasses.dataclass
class Case:
    name: str
    command: str                # what it writes is called out...
    needs: tuple = ()           # of the template
    device: bool = True         # takes --device
    resumes: bool = False       # --resume goes on with it
    times: bool = False         # its output has times, which differ
    cold: bool = False          # begins without a cache of kernels
    null: bool = True           # needs no driver, or runs on the device that computes nothing
    serves: bool = False        # {url} serves the data sets

    def arguments(self, device, url=''):
        return [*self.command.replace('{url}', url).split(), *(['--device', device] if self.device else [])]

    def environment(self, work):
        values = {'MICA_TUNE': '0', 'LC_ALL': 'C.UTF-8'}
        return values | ({'XDG_CACHE_HOME': str(work / 'cache')} if self.cold else {})

    def without_times(self, text):
        text = re.sub(r'"(seconds|samples_per_s|data_wait)":[^,}]*', r'"\1":0', text)
        return re.sub(r'[ -]*\d[\d.,e+-]*[kMG]?', '#', text) if self.times else text


def train(name, recipe, *needs, more='', **keys):
    return Case(f'train {name}', f'train {recipe} --json --out out {more}'.strip(), (recipe, *needs), resumes=True, **keys)


CASES = [
    train('dense', 'dense.yaml'),
    train('cnn', 'cnn.yaml'),
    train('rows', 'rows.yaml'),
    train('text', 'text.yaml', 'novel.txt'),
    train('factors', 'factors.yaml', 'ratings.csv'),
    train('pictures', 'pictures.yaml', 'pictures'),
    train('vae', 'vae.yaml'),
    train('series', 'series.yaml', 'series.csv'),
    Case('train neighbours', 'train neighbours.yaml --json --out out', ('neighbours.yaml', 'ratings.csv', 'titles.csv'),
         null=False),
    Case('resume', 'train dense.yaml --json --out out_half --set epochs=2 --resume', ('dense.yaml', 'out_half'), resumes=True),
    Case('eval', 'eval dense --json', ('dense',)),
    Case('eval cold', 'eval dense', ('dense',), cold=True),
    Case('predict', 'predict cnn pictures/a/0.png pictures/b/1.png --json', ('cnn', 'pictures')),
    Case('sample pictures', 'sample vae -n 4 -o out.png --json', ('vae',)),
    Case('sample array', 'sample vae -n 4 -o out.npy', ('vae',)),
    Case('sample text', 'sample text --length 20', ('text', 'novel.txt')),
    Case('encode npz', 'encode cnn pictures --layer hidden -o out.npz --json', ('cnn', 'pictures')),
    Case('encode npy', 'encode cnn --layer hidden --set test -n 40 -o out.npy', ('cnn',)),
    Case('convert run', 'convert cnn out.onnx', ('cnn',)),
    Case('convert onnx', 'convert net.onnx out.safetensors', ('net.onnx',), device=False),
    Case('convert npz', 'convert net.onnx out.npz', ('net.onnx',), device=False),
    Case('convert back', 'convert net.npz out.safetensors', ('net.npz',), device=False),
    Case('summary', 'summary cnn.yaml --json', ('cnn.yaml',), device=False),
    Case('summary onnx', 'summary net.onnx --json', ('net.onnx',), device=False),
    Case('summary npz', 'summary net.npz', ('net.npz',), device=False),
    Case('plan', 'plan dense.yaml --json', ('dense.yaml',), times=True),
    Case('recommend item', 'recommend neighbours --item N100 --json', ('neighbours', 'ratings.csv', 'titles.csv'),
         device=False),
    Case('recommend user', 'recommend factors --user u1 --exclude-seen', ('factors', 'ratings.csv')),
    Case('devices', 'devices --json', device=False, null=False),
    Case('fetch', 'fetch mnist --to out --from {url}', device=False, serves=True),
    Case('check', 'check --small softmax --json', null=False),
    Case('bench', 'bench --steps 2 softmax --json', times=True),
]

RECIPES = {
    'dense': '''input: [8, 8, 1]
data: {set: digits, validation: 0.1}
layers: [{type: flatten}, {type: dense, name: scores, units: 10}]
loss: softmax_cross_entropy
optimizer: {kind: sgd, learning_rate: 0.1, momentum: 0.9, schedule: {kind: constant}}
batch: 64
epochs: 1
''',
    'cnn': '''input: [8, 8, 1]
data: {set: digits, validation: 0.1}
layers:
  - {type: conv2d, name: conv1, filters: 4, kernel: 3, activation: relu}
  - {type: batch_norm, name: norm}
  - {type: max_pool, name: pool}
  - {type: flatten}
  - {type: dense, name: hidden, units: 8, activation: relu}
  - {type: dropout, name: drop, keep_prob: 0.75}
  - {type: dense, name: scores, units: 10}
loss: softmax_cross_entropy
optimizer: {kind: adam, learning_rate: 0.003}
batch: 128
epochs: 1
''',
    'rows': '''input: [8, 8]
data: {set: digits, validation: 0.1}
layers: [{type: lstm, name: lstm, units: 8, last: true}, {type: dense, name: scores, units: 10}]
loss: softmax_cross_entropy
optimizer: {kind: adam, learning_rate: 0.01, clip_norm: 1}
batch: 128
epochs: 1
''',
    'text': '''input: [16]
data: {set: text, files: [novel.txt], validation: 0.1, test: 0.1}
layers:
  - {type: embedding, name: characters, rows: classes, width: 8}
  - {type: gru, name: gru, units: 8, stateful: true}
  - {type: dense, name: scores, units: classes}
loss: softmax_cross_entropy
optimizer: {kind: adam, learning_rate: 0.01}
batch: 4
epochs: 1
''',
    'factors': '''input: [2]
data: {set: ratings, files: [ratings.csv]}
layers:
  - {type: embedding, name: taste, from: input, rows: users, width: 4, column: 0, columns: 1, sparse: true}
  - {type: embedding, name: traits, from: input, rows: items, width: 4, column: 1, sparse: true}
  - {type: mul, name: match, from: [taste, traits]}
  - {type: sum, name: rating}
loss: mean_squared_error
optimizer: {kind: adam, learning_rate: 0.005}
batch: 64
epochs: 1
''',
    'neighbours': '''name: neighbours
data: {set: ratings, files: [ratings.csv], titles: titles.csv, relevant: 4}
neighbours: {by: items, similarity: cosine, k: 5}
''',
    'pictures': '''input: [8, 8, 3]
data: {set: images, files: [pictures], validation: 0.2, test: 0.2, augment: {flip: true}}
layers: [{type: flatten}, {type: dense, units: 2}]
loss: softmax_cross_entropy
optimizer: {kind: sgd, learning_rate: 0.01}
batch: 4
epochs: 1
''',
    'vae': '''input: [8, 8, 1]
data: {set: digits, validation: 0.1}
layers:
  - {type: flatten}
  - {type: dense, name: encode, units: 8, activation: relu}
  - {type: dense, name: mean, from: encode, units: 2}
  - {type: dense, name: log_variance, from: encode, units: 2}
  - {type: gaussian, name: code, from: [mean, log_variance]}
  - {type: dense, name: decode, units: 8, activation: relu}
  - {type: dense, name: pixels, units: 64}
loss:
  - {name: image, kind: sigmoid_cross_entropy, from: pixels, target: input, reduce: sum}
  - {name: latent, kind: kl_divergence, from: [mean, log_variance], weight: 1}
optimizer: {kind: adam, learning_rate: 0.001}
batch: 128
epochs: 1
''',
    'series': '''input: [8, 1]
data: {set: series, files: [series.csv], columns: [value], horizon: 1, validation: 0.2, test: 0.2}
layers: [{type: gru, name: gru, units: 4, last: true}, {type: dense, name: next, units: 1}]
loss: mean_squared_error
optimizer: {kind: adam, learning_rate: 0.01}
batch: 16
epochs: 1
''',
}


def png(side, color):
    """A picture of one colour with a gradient."""
    rows = b''.join(b'\0' + b''.join(bytes((c + 3 * x + y) % 256 for c in color) for x in range(side))
                    for y in range(side))

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def make_template(mica, base):
    """A folder with all that the cases need; its runs are trained here, which fills the caches."""
    template = base / 'template'
    template.mkdir()
    for name, text in RECIPES.items():
        (template / f'{name}.yaml').write_text(text)
    (template / 'novel.txt').write_text('It was the best of times, it was the worst of times.\n' * 20)
    lines = [f'u{u},N{100 + i},{1 + (u * 7 + i * 3) % 5}' for u in range(20) for i in range(12) if (u + i) % 3]
    (template / 'ratings.csv').write_text('\n'.join(['user,item,rating', *lines, '']))
    (template / 'titles.csv').write_text('item,title\n' + ''.join(f'N{100 + i},"The {i}th"\n' for i in range(12)))
    (template / 'series.csv').write_text('value\n' + ''.join(f'{i % 7}.5\n' for i in range(200)))
    for c, name in enumerate('ab'):
        (template / 'pictures' / name).mkdir(parents=True)
        for i in range(10):
            (template / 'pictures' / name / f'{i}.png').write_bytes(png(8, (100 * c + i, 50, 9 * i)))

    def run(*command):
        done = subprocess.run([mica, *command], cwd=template, text=True, capture_output=True,
                              env=os.environ | {'MICA_TUNE': '0'})
        if done.returncode:
            raise SystemExit(f'{command}: exit {done.returncode}: {done.stderr}')
    for name in 'dense', 'cnn', 'text', 'factors', 'neighbours', 'vae':
        run('train', f'{name}.yaml', '--out', name, '--device', POCL)
    run('train', 'dense.yaml', '--out', 'out_half', '--device', POCL)
    run('convert', 'cnn', 'net.onnx', '--device', POCL)
    run('convert', 'net.onnx', 'net.npz')
    return template


def copy(template, work, needs):
    work.mkdir()
    for name in needs:
        if (template / name).is_dir():
            shutil.copytree(template / name, work / name)
        else:
            shutil.copy(template / name, work / name)


def without_seconds(name, data):
    """The bytes of a file that do not depend on the time."""
    if name.endswith('metrics.csv'):
        rows = list(csv.reader(io.StringIO(data.decode())))
        if rows and 'seconds' in rows[0]:
            at = rows[0].index('seconds')
            return repr([row[:at] + row[at + 1:] for row in rows]).encode()
    if name.endswith('metrics.jsonl'):
        return re.sub(rb'"seconds": ?[^,}]*', b'', data)
    if name.endswith('checkpoint.safetensors') and is_whole(name, data):
        return b'checkpoint'  # it holds times; that it goes on from there is what --resume shows
    return data


def contents(work):
    return {str(path.relative_to(work)): without_seconds(path.name, path.read_bytes())
            for path in work.rglob('*') if path.is_file() and 'cache' not in path.relative_to(work).parts}


def is_picture(name):
    return name.endswith(('.png', '.svg'))


def is_temporary(name, killed):
    """A file that is left on purpose: a download that goes on later, and what a kill leaves."""
    return killed and '.mica-tmp-' in name or name.endswith('.gz.part')


def is_whole(name, data):
    """Of a file that may hold another state of the run: it is complete."""
    try:
        if name.endswith('.safetensors'):
            if data == b'checkpoint':
                return True
            size = 8 + struct.unpack('<Q', data[:8])[0]
            tensors = [t for key, t in json.loads(data[8:size]).items() if key != '__metadata__']
            return len(data) == size + max((t['data_offsets'][1] for t in tensors), default=0)
        if name.endswith('.jsonl'):
            return all(line.startswith(b'{') and line.endswith(b'}') for line in data.splitlines())
        if name.endswith('.png'):
            return data.endswith(b'IEND\xaeB`\x82')
        if name.endswith('.svg'):
            return data.rstrip().endswith(b'</svg>')
        if name.endswith('.npz'):
            return zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    except (ValueError, KeyError, struct.error, zipfile.BadZipFile):
        pass
    return False
