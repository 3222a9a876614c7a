"""What the fault tests share: starting `mica train`, and comparing runs."""
import argparse
import csv
import functools
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('mica', help='the program')
    parser.add_argument('recipe')
    parser.add_argument('--device', default='cpu')
    return parser


class Trainer:
    """`mica train` with one recipe, in folders of one kind."""

    def __init__(self, args, *settings):
        self.command = [args.mica, 'train', args.recipe, '--device', args.device, '--json']
        for setting in settings:
            self.command += ['--set', setting]

    def start(self, out, *more, **popen):
        return subprocess.Popen([*self.command, '--out', str(out), *more], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)

    def finish(self, out, *more, **popen):
        """Trains to the end; gives the results."""
        process = self.start(out, *more, **popen)
        stdout, stderr = process.communicate()
        check(process.returncode == 0, f'exit {process.returncode}: {stderr}')
        return json.loads(stdout.splitlines()[-1])


def check(condition, message):
    if not condition:
        sys.exit(f'FAILED: {message}')


def error_line(stderr):
    """The one line of an error, which follows the lines of progress."""
    lines = [line for line in stderr.splitlines() if line.startswith('mica')]
    check(len(lines) == 1, f'wanted one line of error, came: {stderr}')
    return lines[0]


def outcome(out):
    """What a run leaves that must not depend on how often it was stopped."""
    with open(out / 'metrics.csv') as file:
        rows = [{k: v for k, v in row.items() if k != 'seconds'} for row in csv.DictReader(file)]
    with open(out / 'metrics.jsonl') as file:
        lines = [json.loads(line) for line in file]
    check(len(rows) == len(lines), f'{out}: {len(rows)} rows in CSV, {len(lines)} in JSON lines')
    for line in lines:
        del line['seconds']
    return rows, lines, (out / 'model.safetensors').read_bytes()


def check_clean(out):
    left = [name for name in os.listdir(out) if name.startswith('.mica-tmp-')]
    check(not left, f'{out}: temporary files are left: {left}')


def same_results(a, b):
    timing = {'seconds', 'samples_per_s', 'data_wait', 'out'}
    return {k: v for k, v in a.items() if k not in timing} == \
           {k: v for k, v in b.items() if k not in timing}


def folder(path):
    return pathlib.Path(path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(path):
    """Gives out a folder's files on the loopback address until the program ends; its URL."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=path))
    server.handle_error = lambda *_: None  # a client may hang up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f'http://127.0.0.1:{server.server_port}'


def vulkan_loader():
    """The path of libvulkan.so.1, which the system's linker would take."""
    for line in subprocess.run(['/sbin/ldconfig', '-p'], capture_output=True, text=True).stdout.splitlines():
        if line.strip().startswith('libvulkan.so.1 '):
            return line.split('=> ')[1]
    sys.exit(77)  # skipped


def least(mica, part):
    """The smallest amount of a resource with which the program's libraries can be loaded."""
    return next(amount for amount in part.amounts
                if not subprocess.run(['prlimit', f'--{part.limit}={amount}', mica, '--version'],
                                      capture_output=True).returncode)
