#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes 1 to 8 bytes of files, and has them read:  damage.py TESSERA COUNT SEED FILE COMMAND...

FILE is copied COUNT times; every other copy is changed within its first 8,000 bytes, the others
anywhere. COMMAND are the arguments of the program, FILE standing for the copy and OUT for a file to
write. A run may succeed or refuse the file (1 or 3); it may not crash or compute for longer than
LIMIT seconds. What succeeds must print what it prints of the whole file, but for the name; else the change
was not noticed. One line: how many were refused, read without harm, misread, crashed, too slow.
"""
import os
import random
import re
import resource
import subprocess
import sys
import tempfile

LIMIT = 20


def run(program, command, path, out):
    args = [path if a == 'FILE' else out if a == 'OUT' else a for a in command]
    if os.path.exists(out):
        os.remove(out)
    try:
        done = subprocess.run([program, *args], capture_output=True, timeout=20 * LIMIT, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT)))
    except subprocess.TimeoutExpired:
        return 'slow', b''
    text = re.sub(rb'(?m)^(command|file|version|tessera_version|seconds_per_image|map_seconds_per_image)\b.*$', b'',
                  done.stdout.replace(path.encode(), b'FILE'))
    text = re.sub(rb'[0-9.]+ (ms|s)\b', b'', text)
    if done.returncode in (-9, -24):
        return 'slow', b''
    if os.path.exists(out):
        with open(out, 'rb') as f:
            text += f.read()
    return done.returncode, text


def main():
    program, count, seed, source, *command = sys.argv[1:]
    rng = random.Random(int(seed))
    with open(source, 'rb') as f:
        whole = f.read()
    tally = dict.fromkeys(('refused', 'harmless', 'misread', 'crashed', 'slow'), 0)
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, 'x.h5'), os.path.join(folder, 'out.png')
        with open(path, 'wb') as f:
            f.write(whole)
        code, expected = run(program, command, path, out)
        if code != 0:
            sys.exit(f'the whole file is refused: {code}')
        for i in range(int(count)):
            data = bytearray(whole)
            within = min(8000, len(data)) if i % 2 == 0 else len(data)
            changes = [(rng.randrange(within), rng.randrange(1, 256))
                       for _ in range(rng.randint(1, 8))]
            for at, bits in changes:
                data[at] ^= bits
            with open(path, 'wb') as f:
                f.write(data)
            code, text = run(program, command, path, out)
            if code in (1, 3):
                kind = 'refused'
            elif code == 0:
                kind = 'harmless' if text == expected else 'misread'
            else:
                kind = 'slow' if code == 'slow' else 'crashed'
            tally[kind] += 1
            if kind in ('misread', 'crashed', 'slow'):
                print(f'{kind} ({code}): {os.path.basename(source)} {changes}', file=sys.stderr)
                keep = os.environ.get('KEEP')
                if keep:
                    with open(os.path.join(keep, f'{kind}-{seed}-{i}.h5'), 'wb') as f:
                        f.write(data)
    print(' '.join(f'{name} {n}' for name, n in tally.items()))
    sys.exit(tally['crashed'] + tally['slow'] + tally['misread'] > 0)


main()
