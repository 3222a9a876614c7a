"""Prints the ten slowest tests, `N passed, N failed, N skipped` of logs of one JSON object a test, as
meson writes them, and the names of those that failed. A log that is not there counts as a failure.
Exit status 1 if anything failed or nothing passed."""
import json
import pathlib
import sys

passed = skipped = 0
failed = []
times = []
for log in map(pathlib.Path, sys.argv[1:]):
    if not log.exists():
        failed.append(str(log))
        continue
    for line in log.read_text(encoding='utf-8').splitlines():
        test = json.loads(line)
        times.append((test['duration'], test['name']))
        passed += test['result'] in ('OK', 'EXPECTEDFAIL')
        skipped += test['result'] == 'SKIP'
        if test['result'] not in ('OK', 'EXPECTEDFAIL', 'SKIP'):
            failed.append(test['name'])
for seconds, name in sorted(times, reverse=True)[:10]:
    print(f'{seconds:6.0f} s  {name}')
for name in failed:
    print(f'failed: {name}')
print(f'{passed} passed, {len(failed)} failed, {skipped} skipped')
sys.exit(bool(failed) or passed == 0)
