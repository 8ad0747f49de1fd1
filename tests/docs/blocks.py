# SPDX-License-Identifier: MIT
"""Runs the fenced blocks of the pages: blocks.py ROOT SANDBOX PAGE.md...

A block says what it is: sh, python, c, or text, which is not run and may hold no command. Blocks run in
the order of the pages in one folder, which holds what a user would have (STAND_INS), and what earlier
blocks made. The text of a block is what runs, but for SUBSTITUTIONS, which make it short, and LEFT_OUT,
which is said. Prints "ok PAGE:LINE" or "not ok PAGE:LINE" for each.
"""
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib

# (what, by what, why): of each line.
SUBSTITUTIONS = [
    (r'--time \S+', '--outer-steps 2', 'two outer steps, or iterations, instead of minutes'),
    (r'(tessera fit .*)--outer-steps 2', r'\1--iterations 2', 'which fit calls iterations'),
    (r'--iterations 1\d\d\b', '--iterations 2', 'the same'),
    (r'--target-psnr 30', '--target-psnr 30 --iterations 2', 'the same, before the target is reached'),
    (r'--warmup 20', '--warmup 1', 'a warm-up shorter than the run'),
    (r'--val-images 16', '--val-images 1', 'a validation as short'),
    (r'--runs 5', '--runs 1', 'one run of an experiment instead of five'),
    (r'--boundaries 27,\S+', '--boundaries 27', 'the easiest signal'),
    (r'^(tessera hypothesis)((?!.*--boundaries).*--dim 2)', r'\1 --runs 1 --boundaries 27\2', 'the same'),
    (r'^(tessera hypothesis)(?!.*--boundaries)', r'\1 --boundaries 1,5,9', 'the same'),
    (r'^(scripts/reproduce/\S+)', r'\1 --scale tiny --tessera "$(command -v tessera)" --out results', 'the smallest scale'),
    (r'celeba\.h5( --labels \S+)? --images FOLDER', r'small.h5\1 --images FOLDER', 'small images'),
    (r'^(scripts/reproduce/learning-to-learn .*)celeba\.h5', r'\1small.h5', 'small images'),
]
PYTHON_SUBSTITUTIONS = [
    (r'\btime=\d+', 'outer_steps=2', 'two outer steps instead of a minute'),
]
# (command, why): lines that are not run here.
LEFT_OUT = [
    (r'sudo apt-get install libopenmpi', 'it needs the network'),
    (r'make MPI=1', 'the program of the suite is built with MPI, too'),
    (r'mpirun|srun', 'tests/cli/ranks.sh starts several processes'),
    (r'make demo', 'CI runs it by itself'),
    (r'make check', 'this is part of it'),
    (r'scripts/reproduce/', 'tests/cli/reproduce.sh runs each at the smallest scale'),
]
COMMANDS = r'^(\$ )?(tessera|make|cc|scripts/|python3?|cd|git|sudo|apt-get|pip)\b(?!/)'
OUTPUTS = r'(?:-o|--json|--png|--curve|--csv|--label-png|--report) (\S+\.\w+|\S+/)'

# What surrounds blocks that are parts of a program: a word of the block, before it, after it.
PYTHON = [
    ('mine.h5', 'images = np.zeros((1000, 64, 64, 3), np.uint8)\nlabels = np.arange(1000 * 64 * 64).reshape(1000, 64, 64) % 3\n'
                'labels = labels.astype(np.uint8)\n',
     'import subprocess\nout = subprocess.run(["tessera", "info", "mine.h5"], check=True, capture_output=True, text=True).stdout\n'
     'assert "label 2: hair" in out and "train: 900" in out, out\n'),
    ('def write_tessera', '', '''
import subprocess
class Tensor:
    def __init__(self, a): self.a = np.float32(a)
    def detach(self): return self
    def numpy(self): return self.a
class Linear:
    def __init__(self, n, m):
        self.out_features = m
        self.weight, self.bias = Tensor(np.random.uniform(-.1, .1, (m, n))), Tensor(np.zeros(m))
write_tessera("theirs.h5", [Linear(2, 16), Linear(16, 16), Linear(16, 16), Linear(16, 3)], 30., 30., 2, 0.01)
subprocess.run(["tessera", "eval", "theirs.h5", "celeba.h5", "--limit", "1"], check=True)
'''),
    ('old.h5', 'import h5py\nh5py.File("old.h5", "w").create_dataset("images", data=np.zeros((4, 8, 8, 3), np.uint8), compression="lzf").file.close()\n', ''),
    ('tessera.train', 'images = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8)\n', ''),
    ('def render', '', '''
import glob, subprocess
# Of each rule one that earlier blocks have made.
found = ["portrait.inr.h5", "holiday.inr.h5", "one.inr.h5", "nine.inr.h5", "face.inr.h5"] + sorted(glob.glob("holiday-inr/*.inr.h5"))[:1]
rules = set()
for name in found:
    subprocess.run(["tessera", "render", name, "-o", "theirs.png", "--force"], check=True)
    mine = render(name)
    subprocess.run(["tessera", "pack", "theirs.png", "-o", "theirs-data.h5", "--force", "--size", "%dx%d" % mine.shape[:2]], check=True)
    theirs = h5py.File("theirs-data.h5")["images"][0].astype(int)
    rules.add(h5py.File(name)["partition"].attrs["rule"].decode())
    assert mine.std() > 5 and abs(mine - theirs).max() <= 1, (name, abs(mine - theirs).max())
assert rules >= {"whole", "grid", "cell", "segment", "labels"}, rules
'''),
]
C_BEFORE = '''
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    size_t height = 40, width = 48, n = 2;
    float coordinates[4] = {0, 0, 20.5f, 7}, values[6], *pixels = malloc(height * width * 3 * sizeof(float)),
          *picture = malloc(16 * height * width * 3 * sizeof(float));
    for (size_t i = 0; i < height * width * 3; i++) pixels[i] = (float)(i % 256) / 255;
'''
C_AFTER = '''
    free(pixels);
    free(picture);
    return values[0] > -10 && values[0] < 10 ? 0 : 1;
}
'''


# ---- stand-ins -----------------------------------------------------------------------------------

def write_png(path, height, width, grey=None):
    """Waves in colour, or, with grey, labels 0..grey-1 in squares."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            if grey:
                rows.append((x // 16 + y // 16) % grey)
            else:
                rows += bytes(((x * 3 + y) % 256, (y * 2) % 256, (x * y // 16) % 256))
    def chunk(name, data):
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    head = struct.pack('>IIBBBBB', width, height, 8, 0 if grey else 2, 0, 0, 0)
    with open(path, 'wb') as f:
        f.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(bytes(rows), 1)) + chunk(b'IEND', b''))


def stand_ins(root):
    """What a user of the README has: CelebA and its split file, folders of photos, label maps."""
    samples = os.path.join(root, 'data/sample')
    photos = sorted(os.path.join(folder, f) for folder, _, files in os.walk(samples) for f in files if f.endswith('.jpg'))
    for folder in ('img_align_celeba', 'photos', 'holiday', 'celebamask', 'kodak', 'faces', 'imagenet'):
        os.mkdir(folder)
    with open('list_eval_partition.txt', 'w') as split:
        for i in range(20):
            shutil.copy(photos[i], 'img_align_celeba/%06d.jpg' % (i + 1))
            split.write('%06d.jpg %d\n' % (i + 1, 0 if i < 14 else 1 if i < 17 else 2))
    with zipfile.ZipFile('img_align_celeba.zip', 'w') as archive:
        for name in sorted(os.listdir('img_align_celeba')):
            archive.write('img_align_celeba/' + name)
    small = sorted(photos, key=os.path.getsize)
    for i in range(10):
        shutil.copy(photos[i], 'photos/')
        write_png('faces/%d.png' % i, 178, 178)
        write_png('imagenet/%d.png' % i, 176, 352)
        write_png('kodak/kodim%02d.png' % (i + 1), 48, 64)
        write_png('celebamask/%d.png' % i, 256, 256, grey=3)
        # An image of the size of its label map; the ending .ppm keeps it an image.
        with open('celebamask/%d.ppm' % i, 'wb') as f:
            f.write(b'P6\n256 256\n255\n' + bytes((x * (i + 1)) // 7 % 256 for x in range(256 * 256 * 3)))
    for i in range(2):
        shutil.copy(small[i], 'holiday/')
    for name in ('portrait.jpg', 'face.jpg', 'photo.jpg', 'holiday.jpg'):
        write_png(name, 96, 80)         # the content decides, not the ending
    write_png('face-labels.png', 96, 80, grey=3)
    write_png('known.png', 178, 178, grey=2)
    write_png('small.png', 88, 88)
    for i in (1, 4, 5, 15, 23):
        write_png('kodim%02d.png' % i, 48, 64)
    with open('label-names.txt', 'w') as f:
        f.write('background\nskin\nhair\n')
    for name in ('scripts', 'data', 'docs'):
        os.symlink(os.path.join(root, name), name)
    run_quietly('tessera pack img_align_celeba --split-file list_eval_partition.txt --size 178x178 --fit crop -o celeba.h5')
    for n, merge in ((9, 'color'), (9, 'area'), (64, 'color')):
        run_quietly('tessera pack img_align_celeba --split-file list_eval_partition.txt --size 178x178 '
                    '--segment %d --merge %s -o celeba-%d%s.h5' % (n, merge, n, merge))
    run_quietly('tessera train celeba.h5 -o whole.h5 --whole --width 16 --outer-steps 2 --val-images 1')


def run_quietly(command):
    done = subprocess.run(command.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print('not ok stand-in: %s\n# %s' % (command, done.stdout[-2000:]))


# ---- blocks --------------------------------------------------------------------------------------

def blocks(page):
    """(line, language, text) of each fenced block."""
    with open(page) as f:
        lines = f.read().split('\n')
    start = None
    for i, line in enumerate(lines):
        if not line.startswith('```'):
            continue
        if start is None:
            start, language = i, line[3:].strip()
        else:
            yield start + 1, language, '\n'.join(lines[start + 1:i]) + '\n'
            start = None


def shell(text):
    """The script that runs, and what was left out of it."""
    lines, left = [], []
    for line in text.split('\n'):
        why = [why for what, why in LEFT_OUT if re.match(what, line)]
        if why:
            left.append((re.sub(r'\s+#.*', '', line), why[0]))
            continue
        for what, by, _ in SUBSTITUTIONS:
            line = re.sub(what, by, line)
        lines.append(line)
    script = '\n'.join(lines)
    # An earlier block may have made what this one makes; a block may make nothing twice.
    for output in set(re.findall(OUTPUTS, script)):
        if output.endswith('/'):
            shutil.rmtree(output, ignore_errors=True)
        elif os.path.exists(output):
            os.remove(output)
    return script, left


def run(command, text):
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    return None if done.returncode == 0 else 'exit %d: %s' % (done.returncode, done.stdout[-3000:])


def run_sh(text):
    script, left = shell(text)
    with open('block.sh', 'w') as f:
        f.write('set -eEu -o pipefail\ntrap \'echo "failed: $BASH_COMMAND"\' ERR\n' + script)
    for command, why in left:
        print('# left out: %s: %s' % (command, why))
    return run(['bash', 'block.sh'], '')


def run_python(text):
    if 'tessera.torch' in text and not importlib.util.find_spec('torch'):
        print('skip a block: there is no torch')
        return None
    for what, by, _ in PYTHON_SUBSTITUTIONS:
        text = re.sub(what, by, text)
    for word, before, after in PYTHON:
        if word in text:
            text = 'import numpy as np\n' + before + text + after
            break
    return run([sys.executable, '-B', '-'], text)


def run_c(text):
    includes = [line for line in text.split('\n') if line.startswith('#include')]
    body = [line for line in text.split('\n') if not line.startswith('#include')]
    with open('program.c', 'w') as f:
        f.write('\n'.join(includes) + C_BEFORE + '\n'.join(body) + C_AFTER)
    return run(['bash', '-eu'], 'cc program.c $(pkg-config --cflags --libs tessera) -o program && ./program')


def run_text(text):
    found = [line for line in text.split('\n') if re.match(COMMANDS, line)]
    return 'a block that is not run holds a command: ' + found[0] if found else None


def run_unknown(_):
    return 'the block says none of sh, python, c, text'


def main():
    root, sandbox = os.path.abspath(sys.argv[1]), sys.argv[2]
    pages = [(page, list(blocks(page))) for page in sys.argv[3:]]
    os.chdir(sandbox)
    if len(pages) > 1:
        stand_ins(root)
    failed = 0
    for page, found in pages:
        for line, language, text in found:
            what = {'sh': run_sh, 'python': run_python, 'c': run_c, 'text': run_text}.get(language, run_unknown)
            wrong = what(text)
            name = '%s:%d (%s)' % (page, line, language or 'no language')
            print('ok ' + name if wrong is None else 'not ok ' + name)
            if wrong is not None:
                failed += 1
                print('\n'.join('# ' + l for l in wrong.split('\n')))
            sys.stdout.flush()
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
