#!/usr/bin/env python3
"""A disk that is full while saving: the former checkpoint survives, one clear line, exit 1."""
import resource
import shutil
import signal
import subprocess
import tempfile

import runs

args = runs.arguments(__doc__).parse_args()
# A rate that does not depend on the number of epochs: more epochs then continue the same curve.
constant = 'optimizer.schedule.kind=constant'
short = runs.Trainer(args, constant, 'epochs=2')
longer = runs.Trainer(args, constant, 'epochs=4')


def small_files(limit):
    """No file may grow beyond `limit` bytes: writes then fail as on a full disk."""
    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return prepare


def check_refused(process, out, before, words):
    _, stderr = process.communicate()
    runs.check(process.returncode == 1, f'exit {process.returncode}, not 1: {stderr}')
    line = runs.error_line(stderr)
    runs.check(any(word in line for word in words) and str(out) in line, line)
    after = (out / 'checkpoint.safetensors').read_bytes()
    runs.check(after == before, 'the former checkpoint was changed')
    runs.check_clean(out)


def with_limit(base):
    out = base / 'limited'
    short.finish(out)
    before = (out / 'checkpoint.safetensors').read_bytes()
    process = longer.start(out, '--resume', preexec_fn=small_files(len(before) - 100))
    check_refused(process, out, before, ['File too large'])
    result = longer.finish(out, '--resume')
    runs.check(runs.same_results(result, longer.finish(base / 'whole')), 'another result')
    runs.check(runs.outcome(out) == runs.outcome(base / 'whole'), 'another curve or other weights')


def with_full_disk(base):
    """On a file system of its own that is filled up; only where this user may mount one."""
    disk = base / 'disk'
    disk.mkdir()
    out = disk / 'run'
    short.finish(out)
    size = sum(file.stat().st_size for file in out.iterdir())
    saved = base / 'saved'
    shutil.move(out, saved)
    script = f'''
        mount -t tmpfs -o size={2 * size} tmpfs {disk} || exit 77
        cp -r {saved} {out}
        head -c {4 * size} /dev/zero > {disk}/ballast 2>/dev/null
        "$@"
        code=$?
        cmp {saved}/checkpoint.safetensors {out}/checkpoint.safetensors || exit 99
        ls {out} | grep tmp && exit 98
        exit $code
    '''
    command = [*longer.command, '--out', str(out), '--resume']
    process = subprocess.run(['unshare', '--mount', 'sh', '-c', script, 'sh', *command], text=True,
                             capture_output=True)
    if process.returncode == 77 or 'unshare' in process.stderr:
        print('this user cannot mount a small disk: the full disk was not tried')
        return
    runs.check(process.returncode == 1, f'exit {process.returncode}, not 1: {process.stderr}')
    line = runs.error_line(process.stderr)
    runs.check('No space left' in line, line)


with tempfile.TemporaryDirectory() as temporary:
    base = runs.folder(temporary)
    with_limit(base)
    with_full_disk(base)
print('the former checkpoint survived')
