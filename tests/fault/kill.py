#!/usr/bin/env python3
"""kill -9 at random times: every run can be resumed, and ends as if it had never been killed."""
import random
import shutil
import signal
import subprocess
import tempfile
import time

import runs

parser = runs.arguments(__doc__)
parser.add_argument('--runs', type=int, default=50)
parser.add_argument('--seed', type=int, default=None, help='of the times')
args = parser.parse_args()
seed = args.seed if args.seed is not None else random.randrange(1 << 30)
chance = random.Random(seed)
print(f'{args.runs} runs, times from --seed {seed}', flush=True)

# Saving between any two steps, so that most kills hit a file that is being written.
often = ['--checkpoint-seconds', '0.001']
trainer = runs.Trainer(args, 'epochs=6')

with tempfile.TemporaryDirectory() as temporary:
    base = runs.folder(temporary)
    whole = trainer.finish(base / 'whole', *often)
    wanted = runs.outcome(base / 'whole')
    start = time.monotonic()
    trainer.finish(base / 'timed', *often)
    seconds = time.monotonic() - start
    kills = 0
    for number in range(args.runs):
        out = base / f'run{number}'
        before = kills
        while kills == before or chance.random() < 0.3:  # some are killed again after resuming
            process = trainer.start(out, *often, '--resume')
            try:
                _, stderr = process.communicate(timeout=chance.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
            else:
                runs.check(process.returncode == 0, f'{out}: exit {process.returncode}: {stderr}')
                if kills == before:
                    shutil.rmtree(out)  # it was done too early: begin again
        result = trainer.finish(out, *often, '--resume')
        runs.check(runs.outcome(out) == wanted, f'{out}: another curve or other weights')
        runs.check(runs.same_results(result, whole), f'{out}: {result} is not {whole}')
        runs.check_clean(out)
    print(f'{args.runs} runs were killed {kills} times in all and ended alike')
