"""What is printed arrives or is an error; what a terminal would obey is shown instead.
Usage: output.py MICA RECIPES DEVICE
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

mica, recipes, device = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
LOST = 'mica: cannot write to standard output: '


def run(*args, **more):
    done = subprocess.run([mica, *map(os.fsencode, args)], stderr=subprocess.PIPE, timeout=300, **more)
    return done.returncode, done.stderr.decode()


def shown(*args):
    code, err = run(*args, stdout=subprocess.PIPE)
    assert code == 0, err
    return subprocess.run([mica, *map(os.fsencode, args)], stdout=subprocess.PIPE, timeout=300,
                          check=True, stderr=subprocess.DEVNULL).stdout


def check_lost(*args):
    """A full disk, a closed descriptor and a pipe that nobody reads: a message, and exit 1."""
    reader, writer = os.pipe()
    os.close(reader)
    with open('/dev/full', 'w') as full, open(writer, 'w') as pipe:
        for stdout, closed, why in [(full, (), 'No space left on device'),
                                    (None, (1,), 'Bad file descriptor'), (pipe, (), 'Broken pipe')]:
            code, err = run(*args, stdout=stdout, restore_signals=True,
                            preexec_fn=lambda: [os.close(fd) for fd in closed])
            assert code == 1, (args, why, code, err)
            assert err.endswith(LOST + why + '\n') and err.count(LOST) == 1, (args, why, err)


def check_plain(output):
    """Lines, and nothing else that a terminal would obey."""
    text = output.decode()  # strictly UTF-8
    bad = [c for c in text if c != '\n' and (ord(c) < 32 or 127 <= ord(c) < 160)]
    assert not bad, (bad, text)
    return text


digits = recipes / 'digits-softmax.yaml'
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    on = ['--device', device]
    train = ['train', str(digits), '--set', 'epochs=1', *on]
    assert run(*train, '--out', 'run', stdout=subprocess.PIPE)[0] == 0
    check_lost('--help')
    check_lost('--version')
    for command in ['train', 'eval', 'predict', 'sample', 'encode', 'recommend', 'convert', 'summary',
                    'plan', 'bench', 'check', 'fetch', 'devices']:
        check_lost(command, '--help')
    for more in [], ['--json']:
        check_lost('summary', 'run', *more)
        check_lost('summary', 'run/model.safetensors', *more)
        check_lost('plan', str(digits), '--device', 'null', *more)
        check_lost('eval', 'run', *on, *more)
        check_lost('check', 'softmax', '--small', '--device', device, *more)
        check_lost('devices', *more)
        for name in os.listdir('.'):
            if name.startswith('lost'):
                subprocess.run(['rm', '-r', name], check=True)
    with open('/dev/full', 'w') as full:
        for n, more in enumerate([[], ['--json']]):
            code, err = run(*train, '--out', f'lost{n}', *more, stdout=full)
            assert code == 1 and err.endswith(LOST + 'No space left on device\n'), err

    # Nothing to print is nothing lost; a file never takes the place of a descriptor that is closed.
    assert run('convert', 'run', 'a.onnx', stdout=subprocess.PIPE)[0] == 0
    code, _ = run('convert', 'run', 'b.onnx', preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
    assert code == 0 and pathlib.Path('a.onnx').read_bytes() == pathlib.Path('b.onnx').read_bytes()
    code, _ = run('summary', 'run', preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
    assert code == 1

    # Names in errors, in tables, in progress, in files and of them
    evil = 'a\n\x1b[31m\x9b\x7f'  # a line end, and what starts sequences in two alphabets
    recipe = pathlib.Path('evil.yaml')
    for key, value in ('name', json.dumps(evil)), ('loss', json.dumps(evil)):
        recipe.write_text(digits.read_text() + f'\n{key}: {value}\n')
        code, err = run('summary', str(recipe), stdout=subprocess.PIPE)
        assert code == 2 and err.count('\n') == 1, err
        check_plain(err.encode())
    for name in evil + '.yaml', b'\xff\x1b.yaml':
        code, err = run('summary', name, stdout=subprocess.PIPE)
        assert code == 2 and err.count('\n') == 1 and '\\x1b' in err, err
        check_plain(err.encode())
    code, err = run('summary', '--' + evil, stdout=subprocess.PIPE)
    assert code == 2 and err.count('\n') == 1, err
    check_plain(err.encode())

    run_name = os.fsencode('run' + evil) + b'\xff'
    code, err = run(*train, '--out', run_name, stdout=subprocess.PIPE)
    assert code == 0, err
    assert 'training on' in check_plain(err.encode()) and '\\n\\x1b[31m\\u009b\\x7f\\xff' in err, err
    pathlib.Path('run/classes.txt').write_text('\x1b[31mred\x07\n' * 10)
    code, err = run('eval', 'run', *on, stdout=subprocess.PIPE)  # they are not those of its data
    assert code == 2 and '\\x1b[31mred\\a' in check_plain(err.encode()), err

    # A file of weights whose tensors have such names, and a path that is no UTF-8
    header = json.dumps({'w\u009b': {'dtype': 'F32', 'shape': [1], 'data_offsets': [0, 4]}}).encode()
    weights = pathlib.Path(os.fsdecode(b'w\xe9.safetensors'))
    weights.write_bytes(struct.pack('<Q', len(header)) + header + b'\0' * 4)
    code, err = run('summary', weights, stdout=subprocess.PIPE)
    if code == 0:
        assert 'w\\u009b' in check_plain(shown('summary', weights))
        assert json.loads(shown('summary', '--json', weights))['file'] == 'w\\xe9.safetensors'
    check_plain(err.encode())
