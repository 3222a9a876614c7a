"""Makes CIFAR-10's binary version from all its images as JPEG (a lossy copy of the set, for tests and
demos) and keeps it: a second run finds it there. Skips itself (77) where the images are not.
Usage: make_cifar10.py MAKE_CIFAR10 CIFAR-10-JPEG.TAR.XZ FOLDER
       for training: ... ~/.cache/mica/data/cifar10
"""
import hashlib
import lzma
import os
import pathlib
import shutil
import subprocess
import sys

tool, archive, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
MD5 = {  # as libjpeg-turbo's defaults decode the images
    'data_batch_1.bin': '5a5142663b2c457eb7edf61944cf14cd',
    'data_batch_2.bin': 'a03813b579934887e19fffa24f57e096',
    'data_batch_3.bin': '9338b8beb58f9f053aa7e7f6d2ca26a1',
    'data_batch_4.bin': '5d6a4b059305fb3437429da7d5355351',
    'data_batch_5.bin': 'b543e7acd6f6cab339de5ace5ae323ae',
    'test_batch.bin': 'c21be9aaa6c0cd3bb2d052f6936183e9',
}


def wrong():
    """The files that are not there, or are others."""
    return [name for name, md5 in MD5.items() if not (folder / name).is_file() or
            hashlib.md5((folder / name).read_bytes()).hexdigest() != md5]


folder.mkdir(parents=True, exist_ok=True)
if wrong():
    if not archive.exists():
        print(f'{archive} is not there')
        sys.exit(77)
    images = folder / f'images{os.getpid()}.tar'
    try:
        with lzma.open(archive) as packed, images.open('wb') as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        subprocess.run([tool, images, folder], check=True)
    finally:
        images.unlink(missing_ok=True)
assert not wrong(), f'another md5 than expected: {wrong()}'
