#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lets every system call and every allocation of every command fail, one at a time, and looks at
what is left: no crash, the exit status that the manual promises, a message with the system's words,
the last good file or a whole new one, nothing temporary.

    faults.py TESSERA INJECT.so            all of them
    faults.py TESSERA INJECT.so --sample N at most N of each kind and command, spread evenly
    faults.py ... --only pack,eval         these commands
    faults.py ... --calls alloc,open       these calls
    faults.py ... --hdf5                   allocations of HDF5 instead: counted, not judged
"""
import argparse
import errno
import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

SMALL = '--grid 2x2 --width 8 --hidden-layers 1 --batch 2 --region-fraction 1 --warmup 2 --val-images 1'

# name: command line, its outputs
COMMANDS = {
    'pack': ('pack photos -o out.h5 --size 16x16', ['out.h5']),
    'pack-segment': ('pack photos -o out.h5 --size 16x16 --segment 3', ['out.h5']),
    'pack-npz': ('pack photos.npz -o out.h5 --size 16x16', ['out.h5']),
    'train': (f'train data.h5 -o out.h5 {SMALL} --outer-steps 3 --checkpoint-every 0.000001', ['out.h5', 'out.h5.jsonl']),
    'resume': ('train data.h5 --resume out.h5 --outer-steps 6', ['out.h5', 'out.h5.jsonl']),
    'eval': ('eval model.h5 data.h5 --limit 2 --json out.json', ['out.json']),
    'adapt': ('adapt model.h5 photos/p0.ppm -o out.inr.h5', ['out.inr.h5']),
    'adapt-png': ('adapt model.h5 photos/p0.ppm -o out.inr.h5 --png', ['out.inr.h5', 'out.png']),
    'fit': ('fit photos/p0.ppm -o out.inr.h5 --grid 1x2 --width 8 --hidden-layers 1 --iterations 3'
            ' --curve out.csv --json out.json --png out.png', ['out.inr.h5', 'out.csv', 'out.json', 'out.png']),
    'render': ('render image.inr.h5 -o out.png', ['out.png']),
    'info': ('info data.h5', []),
    'info-label-png': ('info image.inr.h5 --label-png out.png', ['out.png']),
    'bench': ('bench --outer-row 7 --repeats 1 --threads 1 --json out.json', ['out.json']),
    'hypothesis': ('hypothesis --boundaries 1,2 --runs 1 --max-steps 20 --width 8 --hidden-layers 1 --points 32'
                   ' --csv out.csv --json out.json --report out.html', ['out.csv', 'out.json', 'out.html']),
}
# A harmless failure must not show at all.
KINDS = [
    # call, error, calls in a row, harmless
    ('open', errno.EMFILE, 1, False),
    ('open', errno.EACCES, 1, False),
    ('read', errno.EIO, 1, False),
    ('read', errno.EIO, 0, False),
    ('read', errno.EINTR, 1, True),
    ('write', errno.ENOSPC, 0, False),
    ('write', errno.EIO, 1, False),
    ('write', errno.EDQUOT, 0, False),
    ('write', errno.EINTR, 1, True),
    ('write', 0, 0, True),
    ('fsync', errno.EIO, 1, False),
    ('rename', errno.EIO, 1, False),
    ('close', errno.EIO, 1, False),
    ('truncate', errno.ENOSPC, 1, False),
    ('alloc', errno.ENOMEM, 1, False),
    ('alloc', errno.ENOMEM, 0, False),
]


def picture(path, n):
    with open(path, 'wb') as f:
        f.write(b'P6\n16 16\n255\n')
        f.write(bytes((x * (n + 3) + y * 5 + c * 40) % 256 for y in range(16) for x in range(16) for c in range(3)))


def arrays(path):
    """Images, named by splits, and what is none, as numpy.savez() writes them."""
    with zipfile.ZipFile(path, 'w') as f:
        for name, shape in ('x_train', (5, 16, 16, 3)), ('y_train', (5,)), ('x_test', (3, 16, 16, 3)):
            header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
            n = math.prod(shape)
            f.writestr(f'{name}.npy', b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + bytes(i % 251 for i in range(n)))


class Place:
    """A folder with the inputs, in which one run after the other takes place."""

    def __init__(self, fixture, root, number):
        self.path = os.path.join(root, f'place-{number}')
        shutil.copytree(fixture, self.path)
        self.expected = set(os.listdir(self.path))


class Faults:
    def __init__(self, options):
        self.tessera = os.path.abspath(options.tessera)
        self.inject = os.path.abspath(options.inject)
        self.options = options
        self.root = tempfile.mkdtemp(prefix='tessera-faults-')
        self.fixture = os.path.join(self.root, 'fixture')
        self.env = dict(os.environ, LC_ALL='C', OMP_NUM_THREADS='1')
        self.env.pop('LD_PRELOAD', None)
        self.failures, self.counts = [], {}

    def run(self, args, cwd, fault=None):
        env = dict(self.env)
        log = None
        if fault:
            call, error, times, at, who = fault
            log = os.path.join(cwd, '..', f'log-{os.path.basename(cwd)}')
            if os.path.exists(log):
                os.remove(log)
            env.update(LD_PRELOAD=self.inject, FAULT_CALL=call, FAULT_ERROR=str(error), FAULT_TIMES=str(times),
                       FAULT_AT=str(at), FAULT_FROM=who, FAULT_LOG=log)
        try:
            p = subprocess.run([self.tessera] + args, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            code, err = p.returncode, p.stderr.decode(errors='replace')
        except subprocess.TimeoutExpired:
            code, err = 'hangs', ''
        text = open(log).read() if log and os.path.exists(log) else ''
        return code, err, text

    # ---- what the runs start from ----

    def words(self, name):
        line, outputs = COMMANDS[name]
        return line.split(' '), outputs

    def forced(self, words):
        """With --force where the command knows it: outputs are there already."""
        known = subprocess.run([self.tessera, words[0], '--help'], env=self.env, stdout=subprocess.PIPE).stdout
        return words + ['--force'] if b'--force' in known and '--resume' not in words else words

    def prepare(self):
        os.makedirs(os.path.join(self.fixture, 'photos'))
        for n in range(6):
            picture(os.path.join(self.fixture, 'photos', f'p{n}.ppm'), n)
        arrays(os.path.join(self.fixture, 'photos.npz'))
        for line in ('pack photos -o data.h5 --size 16x16 --split 0.5,0.25,0.25',
                     f'train data.h5 -o model.h5 {SMALL} --outer-steps 2',
                     f'fit photos/p0.ppm -o image.inr.h5 --segment 3 --width 8 --hidden-layers 1 --iterations 3'):
            code, err, _ = self.run(line.split(' ') + ['--quiet'], self.fixture)
            if code != 0:
                raise SystemExit(f'not ok {line}: {code} {err}')

    def last_good(self, name):
        """The outputs of an undisturbed run, which a failed one must leave alone."""
        words, outputs = self.words(name)
        folder = os.path.join(self.root, f'good-{name}')
        shutil.copytree(self.fixture, folder)
        if name == 'resume':
            for o in outputs:
                shutil.copy(os.path.join(folder, o.replace('out', 'model')), os.path.join(folder, o))
            return folder, {o: open(os.path.join(folder, o), 'rb').read() for o in outputs}
        code, err, _ = self.run(words, folder)
        if code != 0:
            raise SystemExit(f'not ok {name}: {code} {err}')
        return folder, {o: open(os.path.join(folder, o), 'rb').read() for o in outputs}

    # ---- verdicts ----

    def whole(self, path, good):
        data = open(path, 'rb').read()
        if path.endswith('.h5'):
            return self.run(['info', path], self.fixture)[0] == 0
        if path.endswith('.json') or path.endswith('.jsonl'):
            # A run that fails has logged what was before; the last line may have been cut off.
            texts = [data] if path.endswith('.json') else data.split(b'\n')[:-1]
            try:
                return all(json.loads(text) for text in texts)
            except ValueError:
                return False
        if path.endswith('.png'):
            return data == good or data.endswith(b'IEND' + struct.pack('>I', 0xae426082))
        return data.count(b'\n') == good.count(b'\n')

    def judge(self, place, name, good, kind, code, err):
        call, error, _, harmless = kind
        said = os.strerror(error) if error else ''
        wrong = []
        if code == 'hangs' or code < 0 or code > 100:
            wrong.append(f'ends with {signal.Signals(-code).name if isinstance(code, int) and code < 0 else code}')
        elif harmless and code != 0:
            wrong.append(f'exit {code} though nothing was lost')
        elif code not in (0, 1) and not (code == 3 and call in ('open', 'read', 'close')):
            wrong.append(f'exit {code}')
        elif code != 0 and call != 'alloc' and said not in err:
            wrong.append(f'no word of "{said}"')
        elif code != 0 and call == 'alloc' and 'memory' not in err and 'allocate' not in err:
            wrong.append('no word of memory')
        elif code != 0 and call != 'alloc' and not any(n in err for n in ('out.', 'photos', 'data.h5', 'model.h5', 'image.')):
            wrong.append('no file is named')
        for output, old in good.items():
            path = os.path.join(place.path, output)
            if not os.path.exists(path):
                wrong.append(f'{output} is gone')
            elif open(path, 'rb').read() != old and not self.whole(path, old):
                wrong.append(f'{output} is damaged')
        left = set(os.listdir(place.path)) - place.expected - set(good)
        if left and (code != -signal.SIGKILL):
            wrong.append(f'left behind: {" ".join(sorted(left))}')
            for f in left:
                os.remove(os.path.join(place.path, f))
        return wrong

    # ---- one command ----

    def numbers(self, total):
        n = self.options.sample
        if not n or total <= n:
            return range(1, total + 1)
        return sorted({1 + (total - 1) * i // (n - 1) for i in range(n)}) if n > 1 else [(total + 1) // 2]

    def command(self, name, places):
        words, _ = self.words(name)
        words = self.forced(words)
        folder, good = self.last_good(name)
        calls = self.options.calls.split(',') if self.options.calls else [k[0] for k in KINDS]
        kinds = [('alloc', errno.ENOMEM, 1, False)] if self.options.hdf5 else [k for k in KINDS if k[0] in calls]
        # HDF5 reads by itself; its allocations are another matter (docs/reliability.md).
        callers = {k[0]: 'any' if k[0] != 'alloc' else 'hdf5' if self.options.hdf5 else 'program' for k in kinds}

        def restore(place):
            for output, data in good.items():
                with open(os.path.join(place.path, output), 'wb') as f:
                    f.write(data)

        totals = {}
        for call in {k[0] for k in kinds}:
            restore(places[0])
            code, err, log = self.run(words, places[0].path, (call, 0, 1, 0, callers[call]))
            if code != 0:
                raise SystemExit(f'not ok {name}: {code} {err}')
            totals[call] = int(log.split()[-1])
        jobs = [(kind, at) for kind in kinds for at in self.numbers(totals[kind[0]])]

        def work(index):
            place = places[index]
            for kind, at in jobs[index::len(places)]:
                restore(place)
                code, err, log = self.run(words, place.path, (*kind[:3], at, callers[kind[0]]))
                if 'fired' not in log:
                    continue
                key = (name, kind[0], errno.errorcode.get(kind[1], 'half'), kind[2])
                seen = self.counts.setdefault(key, {})
                wrong = self.judge(place, name, good, kind, code, err)
                seen[str(code)] = seen.get(str(code), 0) + 1
                if wrong:
                    seen['wrong'] = seen.get('wrong', 0) + 1
                    last = err.strip().split('\n')[-1]
                    self.failures.append(f'{name}: {key[1]} {at} fails with {key[2]}'
                                         f'{" from then on" if kind[2] == 0 else ""}: {"; ".join(wrong)} [{last}]')

        with ThreadPoolExecutor(len(places)) as pool:
            list(pool.map(work, range(len(places))))
        for key in sorted(k for k in self.counts if k[0] == name):
            seen = self.counts[key]
            ends = ', '.join(f'{n} {"exit " + c if c.lstrip("-").isdigit() else c}' for c, n in sorted(seen.items()) if c != 'wrong')
            verdict = 'not ok' if seen.get('wrong') and not self.options.hdf5 else 'ok'
            rest = ', from then on' if key[3] == 0 else ''
            print(f'{verdict} {name}: {key[1]} fails with {key[2]}{rest}: {ends}'
                  f'{", %d wrong" % seen["wrong"] if seen.get("wrong") else ""}', flush=True)

    def all(self):
        try:
            self.prepare()
            jobs = self.options.jobs or os.cpu_count() or 1
            for name in self.options.only.split(',') if self.options.only else COMMANDS:
                places = [Place(self.fixture, self.root, f'{name}-{i}') for i in range(jobs)]
                self.command(name, places)
        finally:
            shutil.rmtree(self.root)
            self.report()
        return 1 if self.failures and not self.options.hdf5 else 0

    def report(self):
        for line in self.failures[:self.options.show]:
            print('# ' + line)
        total = sum(n for seen in self.counts.values() for c, n in seen.items() if c != 'wrong')
        print(f'# {total} faults injected, {len(self.failures)} with something wrong')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('tessera')
    parser.add_argument('inject')
    parser.add_argument('--sample', type=int, default=0)
    parser.add_argument('--only')
    parser.add_argument('--calls')
    parser.add_argument('--jobs', type=int, default=0)
    parser.add_argument('--show', type=int, default=60)
    parser.add_argument('--hdf5', action='store_true')
    sys.exit(Faults(parser.parse_args()).all())


main()
