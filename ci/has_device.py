"""Exit status 0 if `mica devices --json` (on standard input) has a device that works with this
BACKEND:PART-OF-NAME."""
import json
import sys

backend, part = sys.argv[1].split(':')
devices = json.loads(sys.stdin.read().splitlines()[-1])['devices']
sys.exit(not any(d['backend'] == backend and part in d['name'].lower() and not d.get('problem')
                 for d in devices))
