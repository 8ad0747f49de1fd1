#!/bin/sh
# SPDX-License-Identifier: MIT
# The programs of docs/examples, briefly.
. "$TSR_TESTS/cli/common.inc"
examples=$(dirname "$TESSERA")/examples

# Sine waves: an initialisation that was learned falls by its one step, a random one hardly.
check "sine runs" "$examples/sine" 1500
cp check.out sine.out
last() { awk -v n="$1" 'END { print $n }' sine.out; }
check "sine counts outer steps" test "$(last 1)" -eq 1500
check "sine: one step helps" awk -v a="$(last 2)" -v b="$(last 3)" 'BEGIN { exit !(b < 0.6 * a) }'
check "sine: ten steps help more" awk -v a="$(last 3)" -v b="$(last 4)" 'BEGIN { exit !(b < a) }'
check "sine: better than untrained" awk 'NR == 2 { before = $3 } END { exit !($3 < 0.6 * before) }' sine.out
"$examples/sine" 3 >a
"$examples/sine" 3 >b
check "sine repeats" cmp a b
finish
