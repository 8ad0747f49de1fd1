#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Places where writing fails as a whole: a file system that fills up (a tmpfs, which takes root), a folder that takes
no files, one that goes away under a run, one checkpoint that two processes go on from.

    places.py TESSERA [PAIRS]     PAIRS of processes that resume one checkpoint (20)
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

TESSERA = os.path.abspath(sys.argv[1])
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
SMALL = ('--grid 2x2 --width 16 --hidden-layers 1 --batch 2 --warmup 2 --val-images 1 --checkpoint-every 0.3s '
         '--threads 1').split()
NOBODY = 65534
failures = 0


def verdict(name, *faults):
    global failures
    faults = [f for f in faults if f]
    failures += len(faults) > 0
    print(f'{"not ok" if faults else "ok"} {name}' + ''.join(f'\n# {f}' for f in faults), flush=True)


def start(words, cwd, nobody=False):
    become = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if nobody else {}
    return subprocess.Popen([TESSERA] + words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL='C'), **become)


def run(words, cwd, nobody=False):
    process = start(words, cwd, nobody)
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def must(words, cwd):
    code, err = run(words, cwd)
    if code != 0:
        raise SystemExit(f'not ok {" ".join(words)}: {code} {err}')


def content(path):
    return open(path, 'rb').read() if os.path.exists(path) else None


def fails(name, code, err, said, path, before):
    """What a command says and leaves that could not write `path`, which held `before`."""
    left = sorted(f for f in os.listdir(os.path.dirname(path)) if 'fill' not in f and f != os.path.basename(path))
    verdict(name, code != 1 and f'exit {code}', said not in err and f'no word of "{said}": {err[-300:]}',
            os.path.basename(path) not in err and f'the file is not named: {err[-300:]}',
            content(path) != before and 'the file is another one', left and f'left behind: {left}')


def fill(folder):
    path = os.path.join(folder, 'fill')
    try:
        with open(path, 'ab', buffering=0) as f:
            for size in (4096, 1):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass
    except OSError:
        pass
    return path


def wait_for(path, changed_from=None, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = content(path)
        if now is not None and now != changed_from:
            return True
        time.sleep(0.05)
    return False


def outputs(inputs, folder):
    """Command lines with one output each, into a folder."""
    return {
        'pack': (['pack', inputs, '--size', '64x64', '-o'], f'{folder}/d.h5'),
        'train': (['train', f'{inputs}/d.h5', *SMALL, '--outer-steps', '3', '-o'], f'{folder}/m.h5'),
        'adapt': (['adapt', f'{inputs}/m.h5', f'{inputs}/p0.ppm', '-o'], f'{folder}/p0.inr.h5'),
        'render': (['render', f'{inputs}/p0.inr.h5', '-o'], f'{folder}/p0.png'),
    }


def nothing_fits(inputs, folder, why, said, nobody=False, prepare=None, release=None):
    """Each command, onto nothing and over what it wrote before."""
    for name, (words, path) in outputs(inputs, folder).items():
        for there in (False, True):
            for f in os.listdir(folder):
                os.remove(os.path.join(folder, f))
            if there:
                must(words + [path], inputs)
            before = content(path)
            prepare()
            code, err = run(words + [path] + (['--force'] if there else []), inputs, nobody)
            fails(f'{why}: {name}, {"over the last one" if there else "a new file"}', code, err, said, path, before)
            release()


def long_run(inputs, folder, why, said, prepare, release, nobody=False):
    """A run that cannot save for a while goes on, says so, and saves afterwards."""
    path = f'{folder}/m.h5'
    for f in os.listdir(folder):
        os.remove(os.path.join(folder, f))
    process = start(['train', f'{inputs}/d.h5', *SMALL, '--time', '6s', '-o', path], inputs, nobody)
    there = wait_for(path)
    prepare()
    time.sleep(1)
    stuck = content(path)
    time.sleep(1.5)
    kept = content(path) == stuck
    whole = run(['info', path], inputs)[0] == 0
    release()
    saved = wait_for(path, stuck)
    _, err = process.communicate(timeout=120)
    verdict(f'{why}: a run goes on, and saves when it can', not there and 'no checkpoint', not kept and 'it was saved',
            not whole and 'the last one is not whole', not saved and 'not saved afterwards',
            process.returncode != 0 and f'exit {process.returncode}', said not in err and f'no word of it: {err[-500:]}',
            run(['info', path], inputs)[0] != 0 and 'the result is not whole',
            os.listdir(folder) != ['m.h5'] and f'left behind: {os.listdir(folder)}')


def gone(inputs, root):
    folder = f'{root}/gone'
    os.makedirs(folder)
    process = start(['train', f'{inputs}/d.h5', *SMALL, '--time', '4s', '-o', f'{folder}/m.h5'], inputs)
    wait_for(f'{folder}/m.h5')
    shutil.rmtree(folder)
    _, err = process.communicate(timeout=120)
    verdict('a folder that is removed under a run', process.returncode != 1 and f'exit {process.returncode}',
            'm.h5' not in err and f'the file is not named: {err[-300:]}',
            'No such file' not in err and f'the reason is not said: {err[-300:]}', os.path.exists(folder) and 'it is back')


def pairs(inputs, root):
    """Two processes that resume one checkpoint at once: one does, the other says who; or the second begins when the
    first has ended, and goes on from there."""
    path, counts, wrong = f'{root}/pair.h5', {'one refused': 0, 'one after the other': 0}, []
    must(['train', f'{inputs}/d.h5', *SMALL, '--outer-steps', '20', '-o', path], inputs)
    whole = content(path)
    alone = f'{root}/alone.h5'
    shutil.copy(path, alone)
    words = ['train', f'{inputs}/d.h5', '--outer-steps', '400', '--threads', '1', '--resume']
    must(words + [alone], inputs)
    must(['adapt', alone, 'p0.ppm', '-o', f'{root}/alone.inr.h5'], inputs)
    for _ in range(PAIRS):
        with open(path, 'wb') as f:
            f.write(whole)
        two = [start(words + [path], inputs) for _ in range(2)]
        ended = [(p.communicate()[1], p.returncode) for p in two]
        codes = sorted(code for _, code in ended)
        if codes == [0, 0]:
            counts['one after the other'] += 1
            if sorted(err.split('resumed at')[-1].split()[2] for err, _ in ended) != ['20,', '400,']:
                wrong.append('both went on from outer step 20')
        elif codes == [0, 1] and any('is being written by process' in err for err, _ in ended):
            counts['one refused'] += 1
        else:
            wrong.append(f'{codes}: ' + ' | '.join(err[-200:] for err, _ in ended))
        must(['adapt', path, 'p0.ppm', '-o', f'{root}/pair.inr.h5', '--force'], inputs)
        if content(f'{root}/pair.inr.h5') != content(f'{root}/alone.inr.h5'):
            wrong.append('the result is not that of one process')
    verdict(f'two that resume one checkpoint: {counts}', *wrong)


def main():
    root = tempfile.mkdtemp(prefix='tessera-places-')
    tmpfs = f'{root}/tmpfs'
    try:
        os.chmod(root, 0o755)
        inputs = f'{root}/inputs'
        os.makedirs(inputs)
        os.makedirs(tmpfs)
        for n in range(6):
            with open(f'{inputs}/p{n}.ppm', 'wb') as f:
                f.write(b'P6\n64 64\n255\n')
                f.write(bytes((x * (n + 3) + y * 5 + c * 40 + x * y * n) % 256
                              for y in range(64) for x in range(64) for c in range(3)))
        must(['pack', inputs, '--size', '64x64', '--split', '0.5,0.25,0.25', '-o', 'd.h5'], inputs)
        must(['train', 'd.h5', *SMALL, '--outer-steps', '3', '-o', 'm.h5'], inputs)
        must(['adapt', 'm.h5', 'p0.ppm', '-o', 'p0.inr.h5'], inputs)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', tmpfs], stderr=subprocess.DEVNULL).returncode == 0:
            try:
                full = {'prepare': lambda: fill(tmpfs), 'release': lambda: os.remove(f'{tmpfs}/fill')}
                nothing_fits(inputs, tmpfs, 'a full file system', 'No space left', **full)
                long_run(inputs, tmpfs, 'a full file system', 'No space left', **full)
            finally:
                subprocess.run(['umount', tmpfs], check=True)
        else:
            print('skip a full file system: a tmpfs cannot be mounted')
        closed = f'{root}/closed'
        os.makedirs(closed)
        root_too = os.getuid() == 0
        if root_too:
            os.chown(closed, NOBODY, NOBODY)
        shut = {'prepare': lambda: os.chmod(closed, 0o555), 'release': lambda: os.chmod(closed, 0o755), 'nobody': root_too}
        nothing_fits(inputs, closed, 'a folder that takes no files', 'Permission denied', **shut)
        long_run(inputs, closed, 'a folder that is closed for a while', 'Permission denied', **shut)
        gone(inputs, root)
        pairs(inputs, root)
    finally:
        shutil.rmtree(root)
    return failures > 0


sys.exit(main())
