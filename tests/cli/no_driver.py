"""A machine without any driver: one line that says which packages bring one, and the right status.

no_driver.py MICA RECIPE"""
import os
import subprocess
import sys
import tempfile

mica, recipe = sys.argv[1:]
nowhere = os.environ | {'OCL_ICD_VENDORS': '/nonexistent', 'VK_DRIVER_FILES': '/nonexistent',
                        'VK_ICD_FILENAMES': '/nonexistent'}  # its name before Vulkan 1.3.207


def run(status, *command):
    """Runs mica; returns its standard output, having checked the one line on standard error."""
    result = subprocess.run([mica, *command], env=nowhere, capture_output=True, text=True,
                            check=False, timeout=60)
    assert result.returncode == status, (command, result)
    assert result.stderr.count('\n') == 1, (command, result)
    assert 'no OpenCL or Vulkan device: install a driver' in result.stderr, (command, result)
    assert 'pocl-opencl-icd' in result.stderr, (command, result)
    return result.stdout


assert run(0, 'devices') == ''
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, 'run')
    assert run(2, 'train', recipe, '--out', out) == ''
    assert not os.path.exists(out)
assert run(2, 'plan', recipe) == ''
