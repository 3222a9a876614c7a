"""Runs the fuzz targets, as many at a time as there are processors, each for some seconds.

fuzz.py BUILD [SECONDS] [TARGET]...     60 seconds, all targets

Inputs that crash, hang or need too much memory are kept in BUILD/found; each is a bug. What was found
interesting stays in BUILD/corpus for the next time."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
build = pathlib.Path(sys.argv[1]).resolve()
seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
# what is in the repository anyway, and ONNX's own cases where Debian's package is installed
MORE = {'recipe': ['recipes', 'recipes/course'], 'onnx': ['/usr/share/libonnx-testdata/data/node']}


def run(program):
    target = program.name.removeprefix('fuzz_')
    corpus, found = build / 'corpus' / target, build / 'found'
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(exist_ok=True)
    seeds = [root / 'tests/fuzz/corpus' / target, *(root / more for more in MORE.get(target, []))]
    done = subprocess.run(
        [program, f'-max_total_time={seconds}', '-timeout=5', '-rss_limit_mb=1024', '-max_len=20000',
         '-malloc_limit_mb=512', '-print_final_stats=1', f'-artifact_prefix={found}/{target}-',
         corpus, *(seed for seed in seeds if seed.is_dir())],
        capture_output=True, text=True, errors='replace', cwd=root, check=False)
    runs = [line.split()[-1] for line in done.stderr.splitlines() if 'number_of_executed' in line]
    said = '' if done.returncode == 0 else done.stderr[-4000:]
    return target, done.returncode, runs[0] if runs else '?', said


programs = sorted(p for p in (build / 'tests/fuzz').glob('fuzz_*') if p.is_file() and os.access(p, os.X_OK))
programs = [p for p in programs if not sys.argv[3:] or p.name.removeprefix('fuzz_') in sys.argv[3:]]
wrong = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for target, code, runs, said in pool.map(run, programs):
        print(f'{target}: {runs} inputs, {"ok" if code == 0 else "FAILED"}', said, flush=True)
        wrong += code != 0
sys.exit(wrong > 0 or not programs)
