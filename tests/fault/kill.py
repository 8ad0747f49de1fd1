#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills pack, train and adapt (SIGKILL) at random moments: every file is the old one or the new one
and whole, a training run that is resumed after each kill ends with the bits of one that was left
alone, and the next run leaves nothing temporary.

    kill.py TESSERA KILLS [SEED]
"""
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

tessera = os.path.abspath(sys.argv[1])
kills = int(sys.argv[2])
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 31)
rng = random.Random(seed)
root = tempfile.mkdtemp(prefix='tessera-kill-')
os.chdir(root)
env = dict(os.environ, LC_ALL='C', OMP_NUM_THREADS='1')
failures = 0


def verdict(good, name, *lines):
    global failures
    print(f'{"ok" if good else "not ok"} {name}', flush=True)
    if not good:
        failures += 1
        for line in lines:
            print(f'# {line}')


def start(words):
    return subprocess.Popen([tessera] + words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)


def run(line, may_fail=False):
    p = start(line.split(' '))
    err = p.communicate()[1].decode(errors='replace')
    if p.returncode != 0 and not may_fail:
        print(f'not ok {line}\n# exit {p.returncode}: {err}')
        sys.exit(1)
    return p.returncode


def killed(line, within):
    """Was the command still at work when the signal came?"""
    p = start(line.split(' '))
    time.sleep(rng.uniform(0, within))
    p.kill()
    p.communicate()
    return p.returncode < 0


def took(line):
    begin = time.monotonic()
    run(line)
    return time.monotonic() - begin


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def temporaries():
    return sorted(name for _, _, files in os.walk('.') for name in files if name.endswith('.tmp'))


def forced(command):
    out = subprocess.run([tessera, command, '--help'], env=env, stdout=subprocess.PIPE).stdout
    return ' --force' if b'--force' in out else ''


def picture(path, n):
    with open(path, 'wb') as f:
        f.write(b'P6\n48 48\n255\n')
        f.write(bytes((x * (n + 3) + y * 5 + c * 40) % 256 for y in range(48) for x in range(48) for c in range(3)))


def replaced(name, output, old, new, n):
    """One output that a command replaces: kill it n times, then let it end."""
    run(old)
    before = digest(output)
    span = took(new)
    after = digest(output)
    again = took(new)
    same_bytes = digest(output) == after
    span = max(span, again)
    shutil.copy(output, 'new.copy')
    run(old)
    dead, states = 0, {'old': 0, 'new': 0}
    for _ in range(n):
        dead += killed(new, 1.1 * span)
        now = digest(output)
        if now == before:
            states['old'] += 1
        elif now == after or (not same_bytes and run(f'info {output}', True) == 0):
            states['new'] += 1
            run(old)
            before = digest(output)
        else:
            verdict(False, f'{name}: a file that is neither the old nor the new one')
    left = len(temporaries())
    run(new)
    verdict(not temporaries(), f'{name}: killed {dead} of {n} times: {states["old"]} old, {states["new"]} new files, '
            f'{left} temporary ones, none after the next run', *temporaries())
    if same_bytes:
        verdict(digest(output) == after, f'{name}: the next run gives the same file')


def trained(n):
    options = '--grid 4x4 --width 16 --hidden-layers 1 --batch 4 --val-images 1 --checkpoint-every 0.000001'
    begin = f'train data.h5 -o m.h5 {options} --outer-steps 60'
    span = took(begin.replace('m.h5', 'reference.h5'))
    run('adapt reference.h5 photos/p0.ppm -o reference.inr.h5')
    dead = rounds = starts = whole = 0
    while dead < n:
        rounds += 1
        if os.path.exists('m.h5'):
            os.remove('m.h5')
        most = 6 # kills of one run
        for _ in range(most):
            there = os.path.exists('m.h5')
            starts += not there
            dead += killed('train data.h5 --resume m.h5' if there else begin, span / 3)
            if os.path.exists('m.h5') and run('info m.h5', True) == 0:
                whole += 1
            elif os.path.exists('m.h5'):
                verdict(False, 'train: a checkpoint that cannot be read')
        run('train data.h5 --resume m.h5' if os.path.exists('m.h5') else begin)
        run('adapt m.h5 photos/p0.ppm -o m.inr.h5' + forced('adapt'))
        if digest('m.inr.h5') != digest('reference.inr.h5'):
            verdict(False, 'train: resumed after kills, and other bits')
    verdict(not temporaries(), f'train: killed {dead} times in {rounds} runs, {whole} whole checkpoints found, all runs '
            'end with the bits of one left alone, nothing temporary', *temporaries())


try:
    os.mkdir('photos')
    for i in range(10):
        picture(f'photos/p{i}.ppm', i)
    force = forced('pack')
    share = max(1, kills // 3)
    replaced('pack', 'd.h5', f'pack photos -o d.h5 --size 32x32 --limit 5{force}', f'pack photos -o d.h5 --size 48x48{force}',
             share)
    run('pack photos -o data.h5 --size 48x48 --split 0.6,0.2,0.2')
    trained(kills - 2 * share)
    force = forced('adapt')
    replaced('adapt', 'a.inr.h5', f'adapt reference.h5 photos/p1.ppm -o a.inr.h5 --inner-steps 1{force}',
             f'adapt reference.h5 photos/p2.ppm -o a.inr.h5 --inner-steps 30{force}', share)
    print(f'# seed {seed}')
finally:
    os.chdir('/')
    shutil.rmtree(root)
sys.exit(1 if failures else 0)
