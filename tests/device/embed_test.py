"""ci/embed.py: includes, guards of kernels, line numbers, refusals."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

EMBED = os.path.join(os.path.dirname(__file__), '..', '..', 'ci', 'embed.py')


class Embed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        for name in ('cl', 'shaders'):
            os.mkdir(os.path.join(self.folder.name, name))

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def put(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)
        return self.path(name)

    def text(self, name):
        with open(self.path(name), encoding='utf-8') as file:
            return file.read()

    def embed(self, *arguments):
        return subprocess.run([sys.executable, EMBED, *arguments], capture_output=True, text=True,
                              check=False)

    def opencl(self, *files):
        return self.embed('opencl', self.path('out.c'), self.path('out.d'), *files)

    def test_includes_once_and_lists_them(self):
        self.put('cl/a.h', '#define A "a\\\\"\n')
        self.put('cl/b.h', '#include "a.h"\nint b;\n')
        source = self.put('cl/k.cl', '#include "a.h"\n#include "b.h"\nint k;\n')
        self.assertEqual(self.opencl(source).returncode, 0)
        text = self.text('out.c')
        self.assertEqual(text.count('#define A'), 1)
        self.assertIn(r'"#define A \"a\\\\\"\n"', text)
        self.assertIn(r'"#line 3 \"k.cl\"\n"' + '\n' + ' ' * 8 + r'"int k;\n"', text)
        for name in ('k.cl', 'a.h', 'b.h'):
            self.assertIn(name, self.text('out.d'))

    def test_guards_each_kernel(self):
        source = self.put('cl/k.cl', 'int helper() {\n}\n__kernel\nvoid one(int a) {\n}\n'
                          '__kernel void two(int a) {\n    {\n    }\n}\nint last;\n')
        self.assertEqual(self.opencl(source).returncode, 0)
        lines = [line.strip().strip('"') for line in self.text('out.c').splitlines()]
        first = lines.index(r'#ifdef MICA_KERNEL_one\n')
        self.assertEqual(lines[first + 1:first + 7], [
            r'#line 3\n', r'__kernel\n', r'void one(int a) {\n', r'}\n', r'#endif\n', r'#line 6\n'])
        last = lines.index(r'#endif\n', first + 7)
        self.assertEqual(lines[last + 1], r'#line 10\n')

    def test_missing_include_is_refused(self):
        result = self.opencl(self.put('cl/k.cl', '#include "none.h"\n'))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('none.h', result.stderr)

    def test_shaders_get_their_macros(self):
        if not shutil.which('glslc'):
            self.skipTest('no glslc')
        body = 'layout(binding = 0) buffer B { int b[]; };\nvoid main() { b[0] = N; }\n'
        source = self.put('shaders/s.comp', '// kernels: one:N=77777 two:N=88888\n#version 450\n' + body)
        done = self.embed('spirv', 'glslc', self.path('s.c'), self.path('s.d'), source)
        self.assertEqual(done.returncode, 0, done.stderr)
        one, two = self.text('s.c').split('two_code')[:2]
        self.assertTrue(f'{77777:#010x}' in one and f'{88888:#010x}' in two and 'one_code' in one)
        self.put('shaders/s.comp', '// kernels: one\n#version 450\n' + body)
        self.assertIn('kernel one does not compile',
                      self.embed('spirv', 'glslc', self.path('s.c'), self.path('s.d'), source).stderr)

    def test_shaders_list_their_kernels_once(self):
        one = self.put('shaders/one.comp', '// kernels: a b\n')
        two = self.put('shaders/two.comp', '// kernels: b\n')
        none = self.put('shaders/none.comp', '#version 450\n')
        self.assertEqual(self.embed('index', self.path('i.c'), one).returncode, 0)
        self.assertIn('mica_spirv_one', self.text('i.c'))
        self.assertIn('kernel b is in both', self.embed('index', self.path('i.c'), one, two).stderr)
        self.assertIn('kernels:', self.embed('index', self.path('i.c'), none).stderr)


if __name__ == '__main__':
    unittest.main()
