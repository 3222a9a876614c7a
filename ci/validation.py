"""Runs the tests of the suite `vulkan` under Vulkan's validation layers, synchronization included,
and fails on any message of theirs.

validation.py BUILD"""
import json
import os
import pathlib
import subprocess
import sys

LAYER = 'VK_LAYER_KHRONOS_validation'
MARKS = ('VUID-', 'UNASSIGNED-', 'SYNC-HAZARD', 'Validation Error', 'Validation Warning')

build = pathlib.Path(sys.argv[1])
environment = os.environ | {
    'VK_INSTANCE_LAYERS': LAYER,
    'VK_LAYER_ENABLES': 'VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT',
}
loader = subprocess.run([build / 'mica', 'devices'], env=environment | {'VK_LOADER_DEBUG': 'layer'},
                        capture_output=True, text=True, check=True).stderr
if f'Insert instance layer "{LAYER}"' not in loader:
    sys.exit(f'{LAYER} was not loaded: install vulkan-validationlayers')

# Layers make every call slower; a message is what fails here, not the time.
failed = subprocess.run(
    ['meson', 'test', '-C', build, '--no-rebuild', '--print-errorlogs', '--suite', 'vulkan',
     '--logbase', 'validation', '-t', '10'], env=environment, check=False).returncode
log = (build / 'meson-logs/validation.json').read_text(encoding='utf-8')
for test in map(json.loads, log.splitlines()):
    for line in (test.get('stdout', '') + test.get('stderr', '')).splitlines():
        if any(mark in line for mark in MARKS):
            print(f'{test["name"]}: {line}')
            failed = 1
sys.exit(failed)
