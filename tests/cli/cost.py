"""`mica plan` and `mica bench` on a device: every row and key is there.
Usage: cost.py MICA RECIPES DEVICE
"""
import json
import pathlib
import subprocess
import sys

mica, recipes, device = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]


def run(*args):
    done = subprocess.run([mica, *map(str, args), '--device', device], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


recipe = recipes / 'digits-mlp.yaml'
plan = json.loads(run('plan', recipe, '--json', '--set', 'batch=16'))
assert plan['name'] == 'digits-mlp' and plan['batch'] == 16, plan
phases = [row['phase'] for row in plan['launches']]
assert list(dict.fromkeys(phases)) == ['forward', 'backward', 'update'], phases
assert all(row['microseconds'] > 0 and row['kernel'] and row['node'] for row in plan['launches'])
flops = sum(row['flops'] for row in plan['launches'] if row['phase'] == 'forward')
assert flops >= 2 * 16 * (64 * 256 + 256 * 128 + 128 * 10), flops
# weights, gradients and Adam's two moments
assert plan['parameter_bytes'] >= 4 * 4 * 50826, plan['parameter_bytes']
assert 0 < plan['activation_bytes'] <= plan['unplanned_bytes'], plan

table = run('plan', recipe)
assert 'forward' in table and 'hidden1/matmul' in table and 'activations:' in table, table

names = ['softmax', 'mlp', 'vae']
lines = [json.loads(line) for line in run('bench', '--json', '--steps', '2', *names).splitlines()]
assert [line['workload'] for line in lines] == names, lines
for line in lines:
    assert line['batch'] == 128 and line['ms_per_step'] > 0, line
    assert abs(line['samples_per_s'] * line['ms_per_step'] / 128e3 - 1) < 1e-6, line
assert 'mlp' in run('bench', 'mlp', '--steps', '3')
