"""Prints `N passed, N failed, N skipped` of logs of one JSON object a test, as meson writes them.
A log that is not there counts as a failure. Exit status 1 if anything failed or nothing passed."""
import json
import pathlib
import sys

passed = failed = skipped = 0
for log in map(pathlib.Path, sys.argv[1:]):
    if not log.exists():
        failed += 1
        continue
    for line in log.read_text(encoding='utf-8').splitlines():
        result = json.loads(line)['result']
        passed += result in ('OK', 'EXPECTEDFAIL')
        skipped += result == 'SKIP'
        failed += result not in ('OK', 'EXPECTEDFAIL', 'SKIP')
print(f'{passed} passed, {failed} failed, {skipped} skipped')
sys.exit(failed > 0 or passed == 0)
