#!/usr/bin/env python3
"""Ctrl-C, SIGTERM and SIGHUP: the step ends, everything is saved, exit 1, and --resume goes on."""
import signal
import tempfile
import time

import runs

args = runs.arguments(__doc__).parse_args()
trainer = runs.Trainer(args, 'epochs=40')


def interrupt(out, number):
    """Signals the run once it has saved something; False if it was done before."""
    process = trainer.start(out, '--resume')
    while process.poll() is None and not (out / 'checkpoint.safetensors').exists():
        time.sleep(0.005)
    if process.poll() is None:
        process.send_signal(number)
    _, stderr = process.communicate()
    if process.returncode == 0:
        return False
    runs.check(process.returncode == 1, f'exit {process.returncode}, not 1: {stderr}')
    line = runs.error_line(stderr)
    runs.check('interrupted: saved at epoch' in line and '--resume' in line, line)
    runs.check_clean(out)
    return True


with tempfile.TemporaryDirectory() as temporary:
    base = runs.folder(temporary)
    whole = trainer.finish(base / 'whole')
    stopped = 0
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        out = base / number.name
        stopped += interrupt(out, number)
        result = trainer.finish(out, '--resume')
        runs.check(runs.same_results(result, whole), f'{result} is not {whole}')
        runs.check(runs.outcome(out) == runs.outcome(base / 'whole'), 'another curve')
    runs.check(stopped, 'no run was still going when it was signalled')
print(f'{stopped} interrupted runs ended like the whole one')
