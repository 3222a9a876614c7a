"""Runs every OpenCL kernel on small shapes under Oclgrind, those for GPUs and those for CPUs, and
fails on any report (accesses out of bounds, data races, diverging barriers, wrong use of the API) and
on any kernel that was not launched.

oclgrind.py BUILD"""
import concurrent.futures
import os
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
mica = build / 'mica'
recipe = root / 'recipes/course/3-4-2.yaml'
device = ['--device', 'opencl:oclgrind']


def commands():
    """What to run, the longest first."""
    suites = [path.stem for path in (root / 'tests/op').glob('*.c')
              if f'mica_suite_{path.stem} ' in path.read_text(encoding='utf-8')]
    suites.sort(key=lambda name: (name != 'matmul', name != 'elementwise', name))
    for name in suites:
        yield [mica, 'check', '--small', name, *device]
    yield ['env', 'MICA_TUNE=winograd', 'OCLGRIND_LOCAL_MEM_SIZE=131072',  # usually too little
           mica, 'check', '--small', 'conv2d', *device]
    for optimizer in OPTIMIZERS:
        yield [mica, 'plan', recipe, '--set', f'optimizer={optimizer}', *device]
    normalized = 'layers=[{type: batch_norm}, {type: dense, units: 2}]'
    yield [mica, 'plan', recipe, '--set', normalized, *device]  # running statistics
    yield [mica, 'bench', '--peak', *device]
    yield ['env', 'CK_RUN_CASE=state', build / 'tests/graph/test_recurrent', 'opencl:oclgrind']
    yield ['env', 'CK_RUN_CASE=updates', build / 'tests/graph/test_sparse', 'opencl:oclgrind']
    yield [build / 'tests/device/test_device_launch']


def run(kind, command, cache):
    """Runs a command under Oclgrind. Returns the kernels that it launched, and what is wrong or ''."""
    with tempfile.NamedTemporaryFile('r', encoding='utf-8') as log:
        result = subprocess.run(
            ['oclgrind', '--check-api', '--data-races', '--inst-counts', '--log', log.name,
             '--build-options', '-D__builtin_prefetch(...)=0',  # which Oclgrind does not have
             'env', f'XDG_CACHE_HOME={cache}', 'sh', '-c', 'LD_PRELOAD=$0:$LD_PRELOAD exec "$@"',
             build / f'tests/device/libas_{kind}.so', *command],
            env=os.environ | {'VK_DRIVER_FILES': '/nonexistent'},  # OpenCL alone
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        reports = log.read()
    kernels = re.findall(r"^Instructions executed for kernel '(\w+)'", result.stdout, re.M)
    if not result.returncode and not reports:
        return kernels, ''
    output = re.sub(r'^(Instructions executed for .*| +\d+ - .*|)\n', '', result.stdout, flags=re.M)
    return kernels, f'exit status {result.returncode}\n{output}{reports}'


source = (build / 'src/device/opencl_sources.c').read_text(encoding='utf-8')
wanted = set(re.findall(r'#ifdef MICA_KERNEL_(\w+)', source)) - UNREACHED
wanted |= {name + r'\d+x\d+' for name in re.findall(r'KERNEL ENTRY\((\w+_),', source)}
launched = set()
failed = False
with tempfile.TemporaryDirectory() as folder, \
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    jobs = {pool.submit(run, kind, command, pathlib.Path(folder, kind)):
            f'as {kind}: {" ".join(map(str, command))}'
            for command in commands() for kind in ('gpu', 'cpu')}
    for job in concurrent.futures.as_completed(jobs):
        kernels, problem = job.result()
        launched.update(kernels)
        print(f'{jobs[job]}: {len(kernels)} launches', problem, flush=True)
        failed |= problem != ''
for name in sorted(wanted):
    if not any(re.fullmatch(name, kernel) for kernel in launched):
        print(f'kernel {name} was never launched')
        failed = True
print(f'{len(launched)} kernels ran under Oclgrind')
sys.exit(failed)
