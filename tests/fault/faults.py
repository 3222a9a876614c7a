#!/usr/bin/env python3
"""Calls that fail: each command runs again and again, and each time another call of one kind fails.

A trial is
  clean      exit 1 or 2, and one line on standard error that begins with "mica"
  tolerated  exit 0 with the results of a run without a fault, or a note that says what is missing
  WRONG      anything else: other results, no word or several, a crash, a run that hangs, a torn or
             temporary file, a block or OpenCL object that is not freed
The last line counts them. What was wrong is shown with the calls that led there.
"""
import argparse
import collections
import concurrent.futures
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import cases
import runs

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('mica')
parser.add_argument('libraries', help='the folder of faults.so and libvulkan.so.1')
parser.add_argument('part', choices=cases.PARTS)
parser.add_argument('--data', help='a folder with the files of MNIST, to fetch from here')
parser.add_argument('--most', type=int, default=int(os.environ.get('MICA_FAULTS', '0')),
                    help='calls of a command that fail, drawn at random; 0: every one ($MICA_FAULTS)')
parser.add_argument('--seed', type=int, default=random.randrange(1 << 30), help='of the draw')
parser.add_argument('--case', default='', help='only commands whose name has this part')
parser.add_argument('--call', type=int, help='only this call fails')
args = parser.parse_args()
args.mica, args.libraries = os.path.abspath(args.mica), os.path.abspath(args.libraries)
part = cases.PARTS[args.part]
os.environ.pop('LD_LIBRARY_PATH', None)  # in which meson puts this folder's libvulkan.so.1 for all
print(f'--seed {args.seed}', flush=True)


def environment(case, work, log, call):
    values = case.environment(work) | {'FAULT_LOG': str(log), 'FAULT_AT': str(call)} | part.values
    if not part.values:
        pass
    elif part.vulkan:
        real = runs.vulkan_loader()
        values |= {'LD_LIBRARY_PATH': args.libraries, 'FAULT_VULKAN': real}
    else:
        values['LD_PRELOAD'] = os.path.join(args.libraries, 'faults.so')
    return os.environ | values


class Trial:
    """One run of a case, in a folder of its own; `call` 0: without a fault."""

    def __init__(self, case, template, call):
        self.call = call
        self.base = runs.folder(tempfile.mkdtemp(prefix='trial-', dir=template.parent))
        work, log = self.base / 'work', self.base / 'log'
        cases.copy(template, work, case.needs)
        before = cases.contents(work)
        command = [args.mica, *case.arguments(part.device, url)]
        full = open('/dev/full', 'w') if part.full and call else None
        if part.limit and call:
            command = ['prlimit', f'--{part.limit}={call}', *command]
        process = subprocess.Popen(command, cwd=work, env=environment(case, work, log, call), text=True,
                                   stdin=subprocess.DEVNULL, stdout=full or subprocess.PIPE,
                                   stderr=subprocess.PIPE, errors='replace', start_new_session=True)
        self.hangs = False
        try:
            out, self.err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.hangs = True
            os.killpg(process.pid, signal.SIGKILL)
            out, self.err = process.communicate()
        self.code, self.out = process.returncode, case.without_times(out or '')
        self.before, self.after = before, cases.contents(work)
        self.log = log.read_text() if log.exists() else ''
        self.total = int((re.findall(r'^total (\d+)', self.log, re.M) or ['0'])[-1])
        self.live = {kind: int(n) for kind, n in re.findall(r'^live (\w+) (\d+)', self.log, re.M)}
        self.resumed = ''
        if part.resume and case.resumes and self.code != 0 and call:
            self.resumed = self.resume(case, work)

    def resume(self, case, work):
        """After a kill or an error the run goes on to the same end."""
        command = [args.mica, *case.arguments(part.device, url)]
        command += [] if '--resume' in command else ['--resume']
        done = subprocess.run(command, cwd=work, env=os.environ | case.environment(work), text=True,
                              capture_output=True, timeout=60)
        return done.stderr if done.returncode else cases.contents(work)

    def remove(self):
        shutil.rmtree(self.base)


def judge(trial, reference):
    """The kind of a trial, and what is wrong with it."""
    lines = [line for line in trial.err.splitlines() if line.startswith('mica')]
    told = any(line.startswith(('note:', 'left out:')) for line in trial.err.splitlines())
    wrong = []
    killed = 'FAULT_KILL' in part.values and trial.code == -signal.SIGKILL
    if trial.hangs:
        wrong.append('hangs')
    elif trial.code == 0:
        # a device that cannot be used is listed with the reason
        listed = trial.out.count('"problem"') > reference.out.count('"problem"')
        if trial.out != reference.out and not listed:
            wrong.append('exit 0 with another output')
        for name, data in reference.after.items():
            if trial.after.get(name) != data and not (told and cases.is_picture(name)):
                wrong.append(f'exit 0 with another {name}')
    elif trial.code not in (1, 2) and not killed:
        wrong.append(f'exit {trial.code}')
    elif len(lines) != 1 and not killed:
        wrong.append(f'exit {trial.code} with {len(lines)} lines that begin with "mica"')
    for name, data in trial.after.items():
        known = trial.before.get(name), reference.after.get(name)
        if cases.is_temporary(name, killed) or data in known:
            continue
        if name not in trial.before and name not in reference.after:
            wrong.append(f'{name} is left')
        elif not cases.is_whole(name, data):
            wrong.append(f'{name} is torn')
    for kind, count in trial.live.items():
        if count > reference.live.get(kind, 0) and (kind != 'block' or part.own_blocks):
            wrong.append(f'{count} of {kind} live')
    if isinstance(trial.resumed, str) and trial.resumed:
        wrong.append(f'--resume: {trial.resumed.splitlines()[-1]}')
    elif trial.resumed:
        wrong += [f'after --resume another {name}' for name, data in reference.after.items()
                  if trial.resumed.get(name) != data]
    return ('WRONG' if wrong else 'clean' if trial.code else 'tolerated'), wrong


def place(log):
    """Where the call was made, from the innermost frames of the program."""
    found = []
    for module, offset in re.findall(r'^(?:at|leak) (\S+) (\S+)$', log, re.M):
        if os.path.basename(module) == os.path.basename(args.mica):
            text = subprocess.run(['addr2line', '-f', '-s', '-e', module, offset], capture_output=True,
                                  text=True).stdout.split()
            found += [f'{text[0]} {text[1]}'] if len(text) > 1 else []
        elif not found:
            found.append(os.path.basename(module))
    name = (re.findall(r'^fault (\S+)', log, re.M) or ['?'])[0]
    return ' < '.join([name, *found[:6]])


def calls_of(total):
    if args.call:
        return [args.call]
    if part.full:
        return [1]
    if part.limit:
        amounts = [amount for amount in part.amounts if amount >= least][:48]
        return amounts if not args.most else sorted(chance.sample(amounts, min(args.most, len(amounts))))
    if not args.most or total <= args.most:
        return range(1, total + 1)
    # one of each stretch, so that every part of the run has its share
    return [1 + int((i + chance.random()) * total / args.most) for i in range(args.most)]


chance = random.Random(args.seed)
counts = collections.Counter()
with tempfile.TemporaryDirectory(prefix='faults-') as temporary, \
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    url = runs.serve(args.data) if args.data and os.path.isdir(args.data) else ''
    least = runs.least(args.mica, part) if part.limit else 0
    template = cases.make_template(args.mica, runs.folder(temporary))
    for case in cases.CASES:
        if args.case not in case.name or not part.takes(case):
            continue
        if case.serves and not url:
            print(f'{case.name}: no data sets, left out')
            continue
        reference = Trial(case, template, 0)
        runs.check(reference.code == 0, f'{case.name}: exit {reference.code}: {reference.err}')
        runs.check(reference.total or not part.values or not part.own_blocks, f'{case.name}: no call was counted')
        objects = set(reference.live) - {'block'}
        runs.check(not objects, f'{case.name}: never released: {objects}')
        tried = collections.Counter()
        jobs = [pool.submit(Trial, case, template, call) for call in calls_of(reference.total)]
        for job in concurrent.futures.as_completed(jobs):
            trial = job.result()
            trial.remove()
            reached = 'fault ' in trial.log or not part.values
            if trial.code == 127 or not reached and trial.code == 0:  # 127: no room for its libraries
                continue
            kind, wrong = judge(trial, reference)
            tried[kind] += 1
            if wrong:
                print(f'WRONG {case.name} --call {trial.call}: {"; ".join(wrong)}\n'
                      f'  {place(trial.log)}\n  {trial.err.strip()[-300:]}', flush=True)
        print(f'{case.name}: {reference.total} calls, {dict(tried)}', flush=True)
        counts += tried
print(f'{args.part}: tried {sum(counts.values())}, ' +
      ', '.join(f'{kind} {counts[kind]}' for kind in ('clean', 'tolerated', 'WRONG')))
sys.exit(counts['WRONG'] > 0 or not counts)
