#!/bin/sh
# SPDX-License-Identifier: MIT
# Images made to do harm are refused by a message that names what is wrong, in little memory; what
# only looks odd is read. Label maps are no less careful.
. "$TSR_TESTS/cli/common.inc"

python=/usr/bin/python3
[ -x $python ] || python=python3
if ! $python -c 'import zlib' 2>/dev/null; then
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
finish
