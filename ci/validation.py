"""Runs the tests of the suite `vulkan` under Vulkan's validation layer, synchronization included, and
fails on any message of its.

validation.py BUILD"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SETTINGS = """
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,info
khronos_validation.log_filename = stdout
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
"""
ACTIVE = 'Current Enables: VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION'
MESSAGES = ('Validation Error', 'Validation Warning', 'Validation Performance Warning')

build = pathlib.Path(sys.argv[1]).resolve()
with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, 'vk_layer_settings.txt').write_text(SETTINGS, encoding='utf-8')
    # The layer makes every call slower; what fails here is a message, not the time.
    failed = subprocess.run(
        ['meson', 'test', '-C', build, '--no-rebuild', '--print-errorlogs', '--suite', 'vulkan',
         '--logbase', 'validation', '-t', '10'], check=False,
        env=os.environ | {'VK_INSTANCE_LAYERS': 'VK_LAYER_KHRONOS_validation',
                          'VK_LAYER_SETTINGS_PATH': folder}).returncode
log = (build / 'meson-logs/validation.json').read_text(encoding='utf-8')
for test in map(json.loads, log.splitlines()):
    output = test.get('stdout', '').splitlines()
    if not any(ACTIVE in line for line in output):
        print(f'{test["name"]}: ran without the validation layer')
        failed = 1
    for line in output:
        if any(message in line for message in MESSAGES):
            print(f'{test["name"]}: {line}')
            failed = 1
sys.exit(failed)
