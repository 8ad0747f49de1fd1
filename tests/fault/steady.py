#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A long run of train with many validations and checkpoints: memory (to 2 MiB) and open files stay
what they are after a tenth of it, and the log tells its story line by line.

    steady.py TESSERA OUTER_STEPS
"""
import os
import re
import subprocess
import sys
import tempfile

tessera = os.path.abspath(sys.argv[1])
steps = int(sys.argv[2])
env = dict(os.environ, LC_ALL='C')
failures = 0


def verdict(good, text):
    global failures
    failures += not good
    print(f'{"ok" if good else "not ok"} {text}', flush=True)


def picture(path, n):
    with open(path, 'wb') as f:
        f.write(b'P6\n16 16\n255\n')
        f.write(bytes((x * (n + 3) + y * 5 + c * 40) % 256 for y in range(16) for x in range(16) for c in range(3)))


def look(pid):
    status = open(f'/proc/{pid}/status').read()
    return int(re.search(r'VmRSS:\s+(\d+)', status).group(1)), len(os.listdir(f'/proc/{pid}/fd'))


with tempfile.TemporaryDirectory(prefix='tessera-steady-') as root:
    os.chdir(root)
    os.mkdir('photos')
    for i in range(40):
        picture(f'photos/p{i}.ppm', i)
    subprocess.run([tessera, 'pack', 'photos', '-o', 'd.h5', '--size', '16x16', '--quiet'], env=env, check=True)
    p = subprocess.Popen([tessera, 'train', 'd.h5', '-o', 'm.h5', '--grid', '2x2', '--width', '8', '--hidden-layers', '1',
                          '--outer-steps', str(steps), '--val-every', str(steps // 100), '--checkpoint-every', '0.5'],
                         env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen, lines = {}, []
    for line in p.stderr:
        lines.append(line)
        at = re.search(r'outer step (\d+)/', line)
        if at and p.poll() is None:
            try:
                seen[int(at.group(1))] = look(p.pid)
            except (FileNotFoundError, AttributeError):
                pass
    out = p.stdout.read()
    verdict(p.wait() == 0, f'{steps} outer steps: exit {p.returncode}')
    early = seen[min(s for s in seen if s >= steps // 10)]
    late = seen[max(s for s in seen if s < steps)]
    verdict(late[0] <= early[0] + 2048, f'memory: {early[0]} kB after a tenth of the run, {late[0]} kB at its end')
    verdict(late[1] <= early[1], f'open files: {early[1]} after a tenth of the run, {late[1]} at its end')
    told = [line for line in lines if re.search(r'outer step \d+/', line)]
    verdict(100 <= len(told) <= 110, f'log: {len(told)} lines of progress for 100 validations')
    stamped = [line for line in told if re.match(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ', line)]
    verdict(len(stamped) == len(told), f'log: {len(stamped)} of them begin with date and time')
    verdict('m.h5: ' in out, 'the last word is what the file holds: ' + out.strip().split('\n')[-1])
os.chdir('/')
sys.exit(1 if failures else 0)
