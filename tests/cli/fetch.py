"""`mica fetch` against a server on the loopback address: whole files, parts, cut connections, wrong and
missing files, a full disk, a proxy. Needs the four files of MNIST to get any; without them only the
refusals are tested.
Usage: fetch.py MICA MNIST
"""
import http.server
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import threading

mica, mnist = sys.argv[1], pathlib.Path(sys.argv[2])
LABELS = 't10k-labels-idx1-ubyte.gz'
FIRST = 'train-images-idx3-ubyte.gz'
SIZES = {FIRST: 9912422, 'train-labels-idx1-ubyte.gz': 28881, 't10k-images-idx3-ubyte.gz': 1648877,
         LABELS: 4542}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `files` as `way` says, and keeps what was asked for in `asked`."""
    files, asked, way = {}, [], {}

    def do_GET(self):
        name, way = self.path.rsplit('/', 1)[-1], Handler.way
        Handler.asked.append((self.path, self.headers.get('Range')))
        if name not in Handler.files:
            return self.send_error(404)
        if 'redirect' in way:
            self.send_response(302)
            self.send_header('Location', way['redirect'])
            return self.end_headers()
        data, first = Handler.files[name], 0
        if self.headers.get('Range') and way.get('ranges', True):
            first = int(self.headers['Range'].removeprefix('bytes=').removesuffix('-'))
            if first >= len(data):
                return self.send_error(416)
        self.send_response(206 if first else 200)
        if first:
            self.send_header('Content-Range', f'bytes {first}-{len(data) - 1}/{len(data)}')
        self.send_header('Content-Length', str(len(data) - first))
        self.end_headers()
        end = way.get('end', len(data))             # nothing from there on
        end = min(end, first + way.get('cut', len(data)))  # and no more than this at once
        self.wfile.write(data[first:end])
        self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.handle_error = lambda *_: None  # a client may hang up
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f'http://127.0.0.1:{server.server_port}'
clean = {key: value for key, value in os.environ.items() if not key.lower().endswith('_proxy')}


def fetch(folder, *more, name='mnist', url=address, env=None, limit=None, **way):
    """Returns the exit code, standard output and standard error."""
    def prepare():
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    Handler.way, Handler.asked = way, []
    done = subprocess.run([mica, 'fetch', name, '--to', folder, '--from', url, *more],
                          capture_output=True, text=True, timeout=120, env=clean | (env or {}),
                          preexec_fn=prepare)
    return done.returncode, done.stdout, done.stderr


def refused(code, words, folder, *more, left=(), **way):
    """One line on standard error that has the words, and only the files `left` in the folder."""
    got = fetch(folder, *more, **way)
    assert got[:2] == (code, ''), got
    assert got[2].startswith('mica: ') and got[2].count('\n') == 1 and words in got[2], got
    there = sorted(file.name for file in pathlib.Path(folder).rglob('*') if file.is_file())
    assert there == sorted(left), there


def whole(folder):
    for file, size in SIZES.items():
        assert (folder / 'mnist' / file).read_bytes() == Handler.files[file], file
        assert len(Handler.files[file]) == size
    assert len(list((folder / 'mnist').iterdir())) == 4, list((folder / 'mnist').iterdir())


def fresh(part=None):
    """A new folder, where perhaps a part of the first file lies."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=base))
    if part is not None:
        (folder / 'mnist').mkdir()
        (folder / 'mnist' / f'{FIRST}.part').write_bytes(part)
    return folder


with tempfile.TemporaryDirectory() as base:
    # What is refused, with made-up files of the right sizes
    Handler.files = {file: bytes(size) for file, size in SIZES.items()}
    part = f'{FIRST}.part'
    nowhere = pathlib.Path(base, 'nowhere')
    refused(2, 'unknown data set mnits; did you mean mnist?', nowhere, name='mnits')
    refused(2, 'expected http://... or https://..., got "ftp://x"', nowhere, url='ftp://x')
    refused(2, 'unknown option --form; did you mean --from?', nowhere, '--form', 'x')
    assert not nowhere.exists()
    refused(1, 'check sum is not that of the published file', fresh())
    refused(1, 'check sum is not', fresh(bytes(1000)))
    del Handler.files[FIRST]
    refused(1, f'{address}/{FIRST}: the server answers 404 (not found)', fresh())
    Handler.files[FIRST] = bytes(SIZES[FIRST] + 1)
    refused(1, 'more than the 9912422 bytes', fresh(), left=[part])
    Handler.files[FIRST] = bytes(3000)
    refused(1, 'only 3000 bytes, the published file has 9912422', fresh(), left=[part])
    refused(1, 'only 3000 bytes, the published file has 9912422', fresh(bytes(5000)), left=[part])
    Handler.files[FIRST] = bytes(SIZES[FIRST])
    folder = fresh()
    refused(1, '; 5000 of 9912422 bytes are there, and the same command goes on', folder, left=[part],
            end=5000)
    assert (folder / 'mnist' / part).stat().st_size == 5000
    assert Handler.asked[-1][1] == 'bytes=5000-', Handler.asked
    refused(1, 'File too large', fresh(), left=[part], limit=1 << 20)
    refused(1, 'rotocol', fresh(), redirect='file:///etc/passwd')
    with http.server.HTTPServer(('127.0.0.1', 0), Handler) as other:
        closed = other.server_port
    refused(1, 'connect', fresh(), url=f'http://127.0.0.1:{closed}')
    folder = fresh(b'')
    (folder / 'mnist' / part).rename(folder / 'mnist' / FIRST)
    refused(2, 'it is not the published file: move it away', folder, left=[FIRST])
    not_a_folder = pathlib.Path(base, 'file')
    not_a_folder.write_text('')
    assert fetch(not_a_folder)[0] == 1

    if not all((mnist / file).exists() for file in SIZES):
        print(f'{mnist} has not all of MNIST: nothing was fetched')
        sys.exit(0)
    Handler.files = {file: (mnist / file).read_bytes() for file in SIZES}

    # All of it; then nothing more to do
    folder = fresh()
    code, out, err = fetch(folder, '--json')
    got = json.loads(out)
    assert code == 0 and [file['file'] for file in got['files']] == list(SIZES), (code, out, err)
    assert got['set'] == 'mnist' and all(file['fetched'] for file in got['files']), got
    whole(folder)
    code, out, err = fetch(folder)
    assert (code, out) == (0, '') and err.count('already there') == 4 and not Handler.asked, err

    # A part is continued, by servers that can; a wrong one is got again
    first = Handler.files[FIRST]
    folder = fresh(first[:1234567])
    assert fetch(folder)[0] == 0
    assert Handler.asked[0][1] == 'bytes=1234567-' and len(Handler.asked) == 4, Handler.asked
    whole(folder)
    folder = fresh(first[:1234567])
    assert fetch(folder, ranges=False)[0] == 0
    whole(folder)
    folder = fresh(b'x' * 1000)
    assert fetch(folder)[0] == 0
    assert [asked[1] for asked in Handler.asked[:2]] == ['bytes=1000-', None], Handler.asked
    whole(folder)
    for there in [first, first + b'x']:
        folder = fresh(there)
        assert fetch(folder)[0] == 0
        assert len(Handler.asked) == 3 + (len(there) > len(first)), Handler.asked
        whole(folder)

    # A connection that breaks off again and again
    folder = fresh()
    code, out, err = fetch(folder, cut=3 << 20)
    assert code == 0 and len(Handler.asked) == 4 + 3, (err, Handler.asked)
    whole(folder)

    # A part that an interrupted program left
    folder = fresh()
    refused(1, '4194304 of 9912422 bytes are there', folder, left=[part], end=4 << 20)
    assert fetch(folder)[0] == 0 and Handler.asked[0][1] == f'bytes={4 << 20}-'
    whole(folder)

    # A proxy is asked for the whole address
    folder = fresh()
    code, out, err = fetch(folder, url='http://data.invalid/sets', env={'http_proxy': address})
    assert code == 0 and Handler.asked[0][0] == f'http://data.invalid/sets/{FIRST}', err
    whole(folder)
