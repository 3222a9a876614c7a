"""Each public header compiles alone, as C and as C++, without a warning from a strict compiler.

headers.py INCLUDE CC CXX"""
import pathlib
import subprocess
import sys
import tempfile

include, *compilers = sys.argv[1:]
failed = 0
with tempfile.TemporaryDirectory() as folder:
    for header in sorted(pathlib.Path(include).glob('mica/*.h')):
        for compiler, standard, suffix in zip(compilers, ('c11', 'c++17'), ('c', 'cc')):
            # Twice, so that its include guard works too.
            source = pathlib.Path(folder, f'{header.stem}.{suffix}')
            source.write_text(f'#include <mica/{header.name}>\n' * 2)
            failed += subprocess.run(
                [compiler, f'-std={standard}', '-Wall', '-Wextra', '-pedantic-errors', '-Werror',
                 '-fsyntax-only', f'-I{include}', source], check=False).returncode != 0
sys.exit(failed > 0)
