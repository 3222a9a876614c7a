"""Runs small programs on lavapipe under Vulkan's validation layer, synchronization included, and fails
on any message of its.

validation.py BUILD"""
import concurrent.futures
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
DEVICE = 'vulkan:llvmpipe'

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parent.parent


def commands():
    """What to run, the longest first."""
    for test in ('graph/test_sparse', 'graph/test_graph', 'train/test_train', 'graph/test_recurrent',
                 'graph/test_batch_norm', 'tune/test_matmul_variants', 'recipe/test_recipe_losses',
                 'onnx/test_onnx_recurrent'):
        yield [build / 'tests' / test, DEVICE]
    for path in sorted((root / 'tests/op').glob('*.c')):
        if f'mica_suite_{path.stem} ' in path.read_text(encoding='utf-8'):
            yield [build / 'mica', 'check', '--small', path.stem, '--device', DEVICE]
    yield [build / 'tests/device/test_device_vulkan']
    yield ['env', 'CK_RUN_CASE=small', build / 'tests/recommend/test_neighbours', DEVICE]


def run(command, folder):
    """Returns what is wrong, a line each."""
    result = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {'VK_INSTANCE_LAYERS': 'VK_LAYER_KHRONOS_validation',
                          'VK_LAYER_SETTINGS_PATH': folder, 'XDG_CACHE_HOME': folder})
    output = result.stdout.splitlines()
    wrong = [line for line in output if any(message in line for message in MESSAGES)]
    if not any(ACTIVE in line for line in output):
        wrong.append('ran without the validation layer')
    if result.returncode:
        wrong += [f'exit status {result.returncode}', *output[-20:]]
    return wrong


failed = False
with tempfile.TemporaryDirectory() as folder, \
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    pathlib.Path(folder, 'vk_layer_settings.txt').write_text(SETTINGS, encoding='utf-8')
    jobs = {pool.submit(run, command, folder): ' '.join(map(str, command)) for command in commands()}
    for job in concurrent.futures.as_completed(jobs):
        print(jobs[job], *job.result() or ['ok'], sep='\n  ', flush=True)
        failed |= bool(job.result())
sys.exit(failed)
