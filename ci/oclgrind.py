"""Runs every OpenCL kernel on small shapes under Oclgrind, as kernels for a GPU and as kernels for a
CPU, and fails on any report (accesses out of bounds, data races, diverging barriers, wrong API use)
and on any kernel that was not launched.

oclgrind.py BUILD"""
import pathlib
import re
import subprocess
import sys
import tempfile

UNREACHED = {'probe_half'}  # Oclgrind offers no half precision
OPTIMIZERS = [
    '{kind: sgd, learning_rate: 0.1}',
    '{kind: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.1}',
    '{kind: adam, learning_rate: 0.1, clip_norm: 0.1}',
    '{kind: adamw, learning_rate: 0.1, weight_decay: 0.1}',
]

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parent.parent
mica = [build / 'mica']
device = ['--device', 'opencl:oclgrind']
commands = [mica + ['check', '--small'] + device]
commands += [mica + ['plan', root / 'recipes/course/3-4-2.yaml', '--set', f'optimizer={optimizer}']
             + device for optimizer in OPTIMIZERS]


def launched(command, kind, cache):
    """Runs a command under Oclgrind; returns the kernels that it launched, or None if it failed."""
    log = pathlib.Path(cache, 'log')
    result = subprocess.run(
        ['oclgrind', '--check-api', '--data-races', '--inst-counts', '--log', log,
         # Oclgrind has no prefetch.
         '--build-options', '-D__builtin_prefetch(...)=0',
         'env', f'XDG_CACHE_HOME={cache}', 'sh', '-c', 'LD_PRELOAD=$0:$LD_PRELOAD exec "$@"',
         build / f'tests/device/libas_{kind}.so'] + command,
        stdout=subprocess.PIPE, text=True, check=False)
    reports = log.read_text(encoding='utf-8') if log.exists() else ''
    kernels = set(re.findall(r"Instructions executed for kernel '(\w+)'", result.stdout))
    if result.returncode or reports:
        rest = re.sub(r"^(Instructions executed for .*| +\d+ - .*|)\n", '', result.stdout, flags=re.M)
        print(f'as {kind}: {" ".join(map(str, command))}: exit status {result.returncode}')
        print(rest + reports)
        return None
    return kernels


source = (build / 'src/device/opencl_sources.c').read_text(encoding='utf-8')
wanted = set(re.findall(r'#ifdef MICA_KERNEL_(\w+)', source)) - UNREACHED
wanted |= {name + r'\d+' for name in re.findall(r'KERNEL PASTE\((\w+_),', source)}
seen = set()
failed = False
for kind in ('gpu', 'cpu'):
    with tempfile.TemporaryDirectory() as cache:
        for command in commands:
            kernels = launched(command, kind, cache)
            failed |= kernels is None
            seen |= kernels or set()
for name in sorted(wanted):
    if not any(re.fullmatch(name, kernel) for kernel in seen):
        print(f'kernel {name} was never launched')
        failed = True
print(f'{len(seen)} kernels ran under Oclgrind: {" ".join(sorted(seen))}')
sys.exit(failed)
