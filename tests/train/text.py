"""Text at the command line: one run, from which the same seed writes the same on every device; what
is refused, each with one line and exit code 2; the forecast's picture.

Usage: text.py MICA SOURCE DEVICE..."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

mica, source, devices = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]


def run(*args, cwd):
    return subprocess.run([mica, *map(str, args)], cwd=cwd, capture_output=True, timeout=300)


def check(condition, message):
    if not condition:
        sys.exit(f'FAILED: {message}')


def works(*args, cwd):
    done = run(*args, cwd=cwd)
    check(done.returncode == 0, f'{args}: exit {done.returncode}: {done.stderr.decode()}')
    return done.stdout.decode()


def refused(words, *args, cwd):
    done = run(*args, cwd=cwd)
    lines = done.stderr.decode().splitlines()
    check(done.returncode == 2 and len(lines) == 1 and lines[0].startswith('mica: '),
          f'{args}: exit {done.returncode}: {lines}')
    check(words in lines[0], f'{args}: wanted "{words}" in: {lines[0]}')
    check(not done.stdout, f'{args}: printed {done.stdout}')


with tempfile.TemporaryDirectory() as temporary:
    base = pathlib.Path(temporary)
    (base / 'verse.txt').write_text('Row, row, row your boat, gently down the été.\n' * 40)
    recipe = source / 'recipes' / 'char-gru.yaml'
    small = ['--set', 'data.files=[verse.txt]', '--set', 'batch=4', '--set', 'input=[10]',
             '--set', 'layers.1.units=24', '--data', base]
    either = ['--set', 'data.files=[none.txt, verse.txt]']
    train = ['train', recipe, *small, '--device', devices[0]]
    result = json.loads(works(*train, *either, '--set', 'epochs=4', '--out', 'run', '--json', cwd=base)
                        .splitlines()[-1])
    check(result['validation_perplexity'] < 15, f'it learned nothing: {result}')

    check('none.txt' not in (base / 'run' / 'recipe.yaml').read_text(),
          'the recipe of the run does not say which file it was')

    texts = []
    for device in devices:
        args = ['run', '--prime', 'Row,', '--length', 100, '--seed', 9, '--temperature', 0.9,
                '--device', device]
        text = works('sample', *args, cwd=base)
        check(text.startswith('Row,') and text.endswith('\n') and len(text) == 105, repr(text))
        report = json.loads(works('sample', *args, '--json', cwd=base))
        check(report['prime'] + report['text'] + '\n' == text, f'{report} is not {text!r}')
        texts.append(text)
    check(len(set(texts)) == 1, f'the devices write differently: {texts}')
    if len(devices) > 1:
        print('the same on', ', '.join(devices))

    sample = ['sample', 'run', '--device', devices[0]]
    refused('--length: expected an integer from 1', *sample, '--length', 0, cwd=base)
    refused('--temperature: expected a number above 0', *sample, '--temperature', 0, cwd=base)
    refused('--temperature: expected a number above 0', *sample, '--temperature', 'nan', cwd=base)
    refused('--top-k: expected an integer from 1', *sample, '--top-k', 0, cwd=base)
    refused('the character Z (U+005A) is not among', *sample, '--prime', 'Z', cwd=base)
    refused('writes text', *sample, '--out', 'x.png', cwd=base)

    def refused_text(words, name, content, *more):
        (base / name).write_bytes(content)
        refused(words, *train, '--set', f'data.files=[{name}]', *more, '--out', 'no', cwd=base)
        check(not (base / 'no').exists(), f'{name}: a folder was made')

    refused_text('the text is empty', 'empty.txt', b'')
    refused_text('too few for one batch of 4 sequences of 10', 'short.txt', b'Row, row, row')
    refused_text(':2: byte 5 (0xe9) is not UTF-8', 'latin1.txt', b'Row,\n\xe9t\xe9 ' * 100)
    refused_text('the validation part has', 'verse2.txt', b'Row, row your boat ' * 20)
    refused_text('input of [characters]', 'row.txt', b'Row, row ' * 100, '--set', 'input=[5, 2]')
    refused('is not there', *train, '--set', 'data.files=[none.txt]', '--out', 'no', cwd=base)

    forecast = ['train', source / 'recipes' / 'forecast.yaml', '--device', devices[0]]
    result = json.loads(works(*forecast, '--set', 'epochs=30', '--out', 'years', '--json',
                              cwd=base).splitlines()[-1])
    check(result['test_rmse'] < 40, f'forecast: {result}')
    tree = xml.etree.ElementTree.parse(base / 'years' / 'forecast.svg')
    words = ' '.join(tree.getroot().itertext())
    check('sunspots: one step ahead RMSE' in words, f'forecast.svg: {words}')
    refused('writes no text', 'sample', 'years', '--prime', 'a', '--device', devices[0], cwd=base)
    (base / 'hole.csv').write_text('year,heat\n1,2\n2,\n')
    refused('hole.csv:3: column 2 (heat): wanted a number', *forecast, '--data', base, '--set',
            'data.files=[hole.csv]', '--set', 'data.columns=[heat]', '--out', 'no', cwd=base)
    refused('no column is called rain', *forecast, '--set', 'data.columns=[rain]', '--out', 'no',
            cwd=base)
