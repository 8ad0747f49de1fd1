# SPDX-License-Identifier: MIT
"""The rules of the house, read off the sources: which room may include which, where hdf5.h, stb,
cblas.h, printf, exit and their like may stand, how long a function may be, that each file name
occurs once, that each file names its licence.

Each rule is a function from {path: text} to a list of complaints, and comes with a control: sources
in which it must find something.
"""
import os
import re
import subprocess
import sys

LONGEST = 50

# Whose headers the sources of a room may include.
MAY_INCLUDE = {
    'include': {'include'},
    'base': {'include', 'base'},
    'data': {'include', 'base', 'data'},
    'partition': {'include', 'base', 'partition'},
    'inner': {'include', 'base', 'inner'},
    'meta': {'include', 'base', 'inner', 'meta'},
    'image': {'include', 'base', 'data', 'partition', 'inner', 'meta', 'image'},
    'study': {'include', 'base', 'inner', 'study'},
    'cli': {'include', 'base', 'data', 'partition', 'inner', 'meta', 'image', 'study', 'cli'},
}
# The folders of sources; a new one has to be named here.
FOLDERS = {'include', 'base', 'data', 'data/decoders', 'partition', 'partition/rules', 'inner', 'inner/adaptations', 'inner/kinds', 'inner/kernels',
           'inner/kernels/units', 'inner/optimizers', 'meta', 'meta/losses', 'meta/methods', 'image', 'study', 'cli', 'tests', 'tests/fault', 'tests/fuzz', 'docs/examples'}
# Headers of others: the sources that may include them.
ONLY_IN = {
    r'hdf5.*\.h|H5\w*\.h': r'data/|tests/',
    r'(stb/)?stb_\w+\.h': r'data/stb\.c$',
    r'jpeglib\.h|jerror\.h': r'data/decoders/libjpeg\.c$',
    r'spng\.h': r'data/decoders/libspng\.c$',
    r'cblas\.h': r'base/blas\.c$',
    r'mpi\.h': r'cli/ranks_mpi\.c$',
    r'assert\.h': r'tests/',
}
# The library never prints, aborts, exits, or asks the environment.
ONLY_IN_CLI = re.compile(r'\b(v?f?printf|puts|putchar|perror|exit|_exit|_Exit|quick_exit|abort|assert|getenv|setenv|signal|raise)\s*\(')
# fprintf of the library goes to files it was asked to write.
TO_FILES = re.compile(r'\bfprintf\s*\((?!\s*(stderr|stdout)\b)')


def code_of(text):
    """`text` without comments, strings and characters (blanked), its lines kept."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match.group(0))
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def without_directives(code):
    """Preprocessor lines, continued ones too, blanked."""
    return re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', lambda m: re.sub(r'[^\n]', ' ', m.group(0)), code, flags=re.M)


def functions(text):
    """(name, first line, number of lines) of each function that is defined in `text`. A function is
    a block at the outermost level behind a parenthesis; it begins where the declaration does."""
    code = without_directives(code_of(text))
    code = re.sub(r'extern\s+\{', lambda m: re.sub(r'[^\n]', ' ', m.group(0)), code)
    found, depth, begin, name = [], 0, 0, None
    for i, c in enumerate(code):
        if c == '{':
            if depth == 0 and code[:i].rstrip().endswith(')'):
                head = re.match(r'\s*', code[begin:]).end() + begin
                called = re.search(r'(\w+)\s*\(', code[head:i])
                name, start = called.group(1) if called else '?', head
            depth += 1
        elif c == '}':
            depth = max(depth - 1, 0)
            if depth == 0:
                if name:
                    first = code.count('\n', 0, start) + 1
                    found.append((name, first, code.count('\n', 0, i) + 2 - first))
                name, begin = None, i + 1
        elif c == ';' and depth == 0:
            begin = i + 1
    return found


def includes(text):
    code = re.sub(r'/\*.*?\*/', lambda m: re.sub(r'[^\n]', ' ', m.group(0)), text, flags=re.S)
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', code, flags=re.M)


def room_of(path):
    return path.split('/')[0]


def is_c(path):
    return path.endswith(('.c', '.h'))


def is_own(path):
    """Sources of the library and the program."""
    return is_c(path) and room_of(path) in MAY_INCLUDE


def arrows(files):
    wrong = []
    for path, text in files.items():
        if not is_own(path):
            continue
        for kind, name in includes(text):
            room = room_of(name) if '/' in name and room_of(name) in MAY_INCLUDE else None
            if kind == '"' and room is None and name != 'tessera.h':
                wrong.append(f'{path} includes "{name}": no room of the house')
            elif room and room not in MAY_INCLUDE[room_of(path)]:
                wrong.append(f'{path} includes {name}: {room_of(path)}/ may not include {room}/')
    return wrong


def folders(files):
    return [f'{path}: {os.path.dirname(path)}/ is no folder of the house' for path in files
            if is_c(path) and os.path.dirname(path) not in FOLDERS]


def headers_of_others(files):
    return [f'{path} includes {name}: only in {place}' for path, text in files.items() if is_c(path)
            for _, name in includes(text) for pattern, place in ONLY_IN.items()
            if re.fullmatch(pattern, name) and not re.match(place, path)]


def silence(files):
    wrong = []
    for path, text in files.items():
        if not is_own(path) or room_of(path) == 'cli':
            continue
        code = code_of(text)
        for match in ONLY_IN_CLI.finditer(code):
            if TO_FILES.match(code, match.start()):
                continue
            wrong.append(f'{path}:{code.count(chr(10), 0, match.start()) + 1}: {match.group(1)}() outside cli/')
        for match in re.finditer(r'\b(stderr|stdout)\b', code):
            wrong.append(f'{path}:{code.count(chr(10), 0, match.start()) + 1}: {match.group(1)} outside cli/')
    return wrong


def lengths(files):
    return [f'{path}:{line}: {name}() has {n} lines, more than {LONGEST}' for path, text in files.items()
            if is_own(path) or path.startswith('docs/examples/') and is_c(path)
            for name, line, n in functions(text) if n > LONGEST]


def unique_names(files):
    seen, wrong = {}, []
    for path in sorted(files):
        name = os.path.basename(path)
        if is_c(path) and name in seen:
            wrong.append(f'{path} and {seen[name]} have one name')
        seen.setdefault(name, path)
    return wrong


def licences(files):
    return [f'{path}: no SPDX line at its head' for path, text in files.items()
            if (is_c(path) or path.endswith(('.sh', '.py', '.inc')) or re.match(r'(scripts/[^./]*|tests/run|\.ci/run)$', path))
            and 'SPDX-License-Identifier: MIT' not in '\n'.join(text.split('\n')[:3])]


LONG = 'static int\nf(int a,\n  int b) {\n' + '    a++;\n' * (LONGEST - 4) + '}\n'
RULES = [
    ('rooms include only the rooms before them', arrows, [
        {'meta/a.c': '#include "image/inr.h"\n'}, {'base/a.c': '  # include "inner/pass.h"\n'},
        {'inner/kinds/a.c': '#include "meta/trainer.h"\n'}, {'study/a.c': '#include "meta/trainer.h"\n'},
        {'data/a.c': '#include "pass.h"\n'}, {'image/a.c': '#include <cli/cli.h>\n'}]),
    ('every source lies in a folder of the house', folders, [{'inner/misc/a.c': ''}]),
    ('headers of others stand in their one place', headers_of_others, [
        {'image/a.c': '#include <hdf5.h>\n'}, {'inner/a.c': '#include <cblas.h>\n'},
        {'data/a.c': '#include <stb/stb_image.h>\n'}, {'meta/a.c': '#include <assert.h>\n'}]),
    ('the library is silent', silence, [
        {'data/a.c': 'void f(void) {\n    fprintf(stderr, "x");\n}\n'}, {'meta/a.c': 'int x = getenv ("A");'},
        {'inner/a.h': '#define F(x) assert(x)\n'}, {'image/a.c': 'FILE *f = stdout;'}]),
    ('no function is longer than %d lines' % LONGEST, lengths, [
        {'inner/a.c': LONG.replace('a++;\n', 'a++;\n    a++;\n', 1)},
        {'cli/a.c': 'struct s {\n    int x;\n};\n' + LONG.replace('a++;\n', 'if (a) {\n    }\n', 1)},
        {'base/a.h': '#ifdef X\nextern "C" {\n#endif\n' + LONG.replace('a++;\n', '/* { */\n a++;\n', 1) + '}\n'}]),
    ('every file name occurs once', unique_names, [{'a/x.h': '', 'b/x.h': ''}]),
    ('every source names its licence', licences, [{'base/a.c': '/* A */\n'}]),
]
# What must not be complained about.
FINE = {
    'image/a.c': '/* SPDX-License-Identifier: MIT */\n#include <stdio.h>\n#include "inner/pass.h"\n'
                 '/* printf("x") */\nconst char *s = "abort()";\n' + LONG,
    'cli/b.c': '/* SPDX-License-Identifier: MIT */\n#include "image/inr.h"\nvoid f(void) {\n    printf("}");\n}\n',
    'data/c.c': '/* SPDX-License-Identifier: MIT */\n#include <hdf5.h>\n#define LOOP(x) \\\n    for (;;) { \\\n'
                + '        x; \\\n' * 60 + '    }\nint f(FILE *o) {\n    fprintf(o, "x");\n    snprintf(a, 1, "b");\n}\n',
}


def tracked(root):
    """The files of the tree: those that git knows or would add, else all."""
    try:
        names = subprocess.run(['git', '-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                               check=True, capture_output=True).stdout.decode().split('\0')
        inside = subprocess.run(['git', '-C', root, 'rev-parse', '--show-prefix'], check=True,
                                capture_output=True).stdout.strip()
        if inside:
            raise OSError('a tree within another repository')
    except (OSError, subprocess.CalledProcessError):
        names = [os.path.relpath(os.path.join(folder, name), root)
                 for folder, subfolders, files in os.walk(root)
                 if not subfolders.__setitem__(slice(None), [s for s in subfolders if s not in ('build', 'demo', '.git')])
                 for name in files]
    return [name for name in names if name and os.path.isfile(os.path.join(root, name))]


def main(root):
    files = {}
    for path in tracked(root):
        try:
            with open(os.path.join(root, path), encoding='utf-8') as f:
                files[path] = f.read()
        except UnicodeDecodeError:
            pass  # a picture
    failed = 0
    for name, rule, controls in RULES:
        wrong = rule(files)
        print('not ok' if wrong else 'ok', name)
        for line in wrong:
            print('#', line)
        blind = [c for c in controls if not rule(c)] + [f'a false alarm: {w}' for w in rule(FINE)]
        print('not ok' if blind else 'ok', name + ': and this test sees it')
        for line in blind:
            print('#', line)
        failed += bool(wrong) + bool(blind)
    return 1 if failed else 0


if __name__ == '__main__':
    if len(sys.argv) > 2:  # the longest functions, for the curious
        for path in sys.argv[2:]:
            for found in functions(open(path, encoding='utf-8').read()):
                print(found[2], path, found[0])
    else:
        sys.exit(main(sys.argv[1]))
