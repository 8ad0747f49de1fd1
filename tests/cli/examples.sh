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

# Through tessera.h: discs drawn in memory, then a picture of another size.
check "train runs" "$examples/train" 60 discs.h5
cp check.out train.out
check "train: inner steps help" awk '/^PSNR/ { n++; ok = $11 > $8 + 5 } END { exit !(n == 1 && ok) }' train.out
check "train: values between the pixels" test "$(grep -c '^column' train.out)" -eq 9
check "its model is one for the program" "$TESSERA" info discs.h5
picture in.ppm 40 48 3
check "adapt runs" "$examples/adapt" discs.h5 in.ppm out.ppm
cp check.out adapt.out
check "adapt writes four times the sides" test "$(head -c 10 out.ppm)" = "P6 192 160"
check "the program adapts too" "$TESSERA" adapt discs.h5 in.ppm -o in.inr.h5
check "to the same PSNR" test "$(awk '!/^#/ { printf "%.2f", $(NF - 1) }' check.out)" = "$(awk '{ print $3 }' adapt.out)"
for wrong in "" "discs.h5" "discs.h5 discs.h5 o.ppm" "nowhere.h5 in.ppm o.ppm"; do
    # shellcheck disable=SC2086
    if "$examples/adapt" $wrong >/dev/null 2>wrong.err || ! [ -s wrong.err ]; then fail "adapt $wrong"; else pass "adapt $wrong fails in words"; fi
done
finish
