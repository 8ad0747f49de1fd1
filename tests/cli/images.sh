#!/bin/sh
# SPDX-License-Identifier: MIT
# Images made to do harm are refused by a message that names what is wrong, in little memory; what
# only looks odd is read. Label maps are no less careful.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'zlib'; then
    echo "skip images made to do harm: there is no python3"
    exit 0
fi
mkdir images
$python "$TSR_TESTS/cli/images.py" images >list || { fail "images.py"; finish; exit; }
limit=400000
if ldd "$TESSERA" | grep -q -e asan -e ubsan; then limit=unlimited; fi
try() { # ARGUMENTS...: exit code, 124 after ten seconds
    (ulimit -v $limit 2>/dev/null; exec timeout 10 "$TESSERA" "$@" >out 2>err)
}
while IFS='	' read -r name says; do
    try pack --strict --threads 1 --size 4x4 --fit squash "images/$name" -o data.h5 --quiet
    code=$?
    rm -f data.h5
    if [ "$says" = '*' ]; then
        if [ $code -eq 0 ]; then pass "reads $name"; else fail "reads $name" "exit $code" "$(cat err)"; fi
    elif [ $code -eq 3 ] && grep -qF -- "$says" err; then
        pass "refuses $name"
    else
        fail "refuses $name" "exit $code, expected 3 and: $says" "$(cat err)"
    fi
done <list
mkdir labels photos
cp images/plain.png photos/a.png
for map in bomb one-byte-less; do
    cp images/$map.png labels/a.png
    try pack --threads 1 --size 4x4 --fit squash photos -o data.h5 --labels labels --quiet
    code=$?
    if [ $code -eq 3 ]; then pass "a label map like $map"; else fail "a label map like $map" "exit $code" "$(cat err)"; fi
done
# Names that a terminal would obey, in messages and in tables.
evil=$(printf 'photos/\033[2Jx\ty\nz\302\233m\342\200\256.png')
cp images/plain.png "$evil"
cp images/bomb.png "$(printf 'photos/\033]0;b.png')"
"$TESSERA" pack photos -o data.h5 --size 8x8 --quiet >shown 2>&1
"$TESSERA" pack photos -o photos/none/data.h5 --size 8x8 >>shown 2>&1
"$TESSERA" train data.h5 -o model.h5 --grid 2x2 --width 8 --outer-steps 1 --batch 1 --quiet >>shown 2>&1
"$TESSERA" adapt model.h5 "$evil" >table 2>>shown
"$TESSERA" adapt model.h5 "$evil.none" >>shown 2>&1
"$TESSERA" info data.h5 >>shown 2>&1
"$TESSERA" info "$evil" >>shown 2>&1
plain() { ! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$@" && ! grep -q -e "$(printf '\302\233')" -e "$(printf '\342\200\256')" "$@"; }
check "nothing printed is obeyed by a terminal" plain shown table
check "escapes stand for it" grep -qF 'x\ty\nz\u009bm\u202e' shown
columns() { [ "$(tail -n +2 table | awk -F'\t' '{ print NF }' | sort -u)" = "$(head -n 1 table | awk -F'\t' '{ print NF }')" ]; }
check "a tab in a name makes no column" columns
finish
