#!/bin/sh
# SPDX-License-Identifier: MIT
# Archives: the dataset is that of the folder which they would unpack to; nothing is unpacked; what was
# made to do harm is refused.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'zipfile, tarfile, lzma'; then
    echo "skip archives: there is no python3"
    exit 0
fi
pictures photos 4 10 12
pictures photos/sub/train 3 10 12
mkdir archives
$python "$TSR_TESTS/cli/archives.py" photos archives >list || { fail "archives.py"; finish; exit; }
tessera 0 "the folder" pack photos --size 8x8 -o folder.h5
libarchive=yes
if "$TESSERA" version | grep -q 'archives: zip; others: none'; then libarchive=; fi
limit=800000
if ldd "$TESSERA" | grep -q -e asan -e ubsan; then limit=unlimited; fi
while IFS='	' read -r name says; do
    if [ -z "$libarchive" ]; then case $name in *.zip) ;; *) continue ;; esac; fi
    (ulimit -v $limit 2>/dev/null; exec timeout 20 "$TESSERA" pack archives/$name --size 8x8 -o a.h5 --force --strict --quiet >out 2>err)
    code=$?
    if [ "$says" != '*' ]; then
        if [ $code -eq 3 ] && grep -qF -- "$says" err; then pass "refuses $name"; else fail "refuses $name" "exit $code, expected 3 and: $says" "$(cat err)"; fi
    elif [ $code -ne 0 ]; then
        fail "reads $name" "exit $code" "$(cat err)"
    else
        check "$name holds what the folder does" $python "$TSR_TESTS/cli/same.py" folder.h5 a.h5
    fi
done <list
# Names lead nowhere.
$python - <<'PY'
import zipfile
with zipfile.ZipFile('escape.zip', 'w') as z:
    for name in '../../up.ppm', '/etc/root.ppm', 'a/../b.ppm', 'c\\d.ppm':
        z.writestr(name, open('photos/p1.ppm', 'rb').read())
PY
tessera 0 "names that would lead elsewhere" pack escape.zip --size 8x8 -o e.h5 --split 1,0,0
names() { [ "$($python -c 'import h5py; print(b" ".join(h5py.File("e.h5")["names"][:]).decode())')" = "a/b.ppm c/d.ppm etc/root.ppm up.ppm" ]; }
check "they are names only" names
# Cut between two members: read, with a word; whole ones without.
if [ -n "$libarchive" ]; then
    $python - <<'PY'
import io, tarfile
to = io.BytesIO()
with tarfile.open(fileobj=to, mode='w') as t:
    for i in range(3):
        t.add(f'photos/p{i}.ppm', f'p{i}.ppm')
    at = t.offset
open('whole.tar', 'wb').write(to.getvalue())
open('unended.tar', 'wb').write(to.getvalue()[:at])
PY
    tessera 0 "a tar archive cut between two members" pack unended.tar --size 8x8 -o u.h5
    check "is read" grep -q ' 3 images' out
    check "that it has no end is told" grep -qF 'unended.tar: ends without the mark of its end' err
    tessera 0 "a whole tar archive" pack whole.tar --size 8x8 -o u.h5 --force
    check "nothing is said of it" test ! -s err
fi
# Splits by folders, lists inside, a folder inside, several archives, a limit.
printf 'p0.ppm 0\np1.ppm 1\np2.ppm 2\n' >photos/list.txt
$python - <<'PY'
import zipfile
with zipfile.ZipFile('in.zip', 'w') as z:
    for i in range(4):
        z.write(f'photos/p{i}.ppm', f'{"train" if i % 2 else "valid"}/p{i}.ppm')
    z.write('photos/list.txt', 'lists/list.txt')
PY
tessera 0 "folders inside" pack in.zip --size 8x8 -o f.h5
check "are splits" grep -q '(2 train, 2 val, 0 test) from 4 files, passed over: .txt 1' out
tessera 0 "a list inside" pack in.zip --size 8x8 -o l.h5 --split-file in.zip/lists/list.txt
check "is read" grep -q '(1 train, 1 val, 1 test) from 3 files, 1 not in the split file' out
tessera 0 "a folder inside" pack in.zip/valid --size 8x8 -o v.h5
check "is a source" grep -q '2 images' out
tessera 0 "two archives, a file and a limit" pack archives/stored.zip in.zip photos/p1.ppm --size 8x8 -o s.h5 --limit 5
check "are one list" grep -q ' 5 images' out
refused 3 "in.zip: has no member none.txt" "a list that is not inside" pack in.zip --size 8x8 -o x.h5 --split-file in.zip/none.txt
refused 3 "there is no image in in.zip there" "a folder that is not inside" pack in.zip/none --size 8x8 -o x.h5
refused 2 "is an input" "an archive for output" pack in.zip --size 8x8 -o in.zip --force
refused 2 "is an input" "its folder's archive for output" pack in.zip/valid --size 8x8 -o in.zip --force
no_leftovers "nothing is left"
check "nothing was unpacked" test ! -e sub -a ! -e train -a ! -e valid
finish
