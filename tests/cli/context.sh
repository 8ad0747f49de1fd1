#!/bin/sh
# SPDX-License-Identifier: MIT
# Contexts that are not the query: random pixels, a mask, an image at half its size.
. "$TSR_TESTS/cli/common.inc"

small_dataset d.h5
train() { # MODEL OPTIONS...
    model=$1; shift
    rm -f "$model"
    "$TESSERA" train d.h5 -o "$model" --width 8 --hidden-layers 1 --batch 2 --warmup 2 \
        --outer-steps 12 --quiet "$@" >train.out 2>&1 || fail "train $*" "$(cat train.out)"
}
column() { awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i }
    NR == 2 && c { print $c }' out; }
positive() { column "$1" | awk '{ good = $1 > 0 } END { exit !good }'; }

# a mask of HEIGHT WIDTH whose left half is known
mask() { # FILE HEIGHT WIDTH
    awk -v h="$2" -v w="$3" 'BEGIN { printf "P5\n%d %d\n255\n", w, h
        for (i = 0; i < h * w; i++) printf "%c", i % w < w / 2 ? 7 : 0 }' >"$1"
}

# Random pixels.
train half.h5 --grid 2x2 --context-fraction 0.5
train again.h5 --grid 2x2 --context-fraction 0.5 --threads 1
"$TESSERA" eval half.h5 d.h5 --quiet 2>/dev/null | grep psnr -A 3 >first
"$TESSERA" eval again.h5 d.h5 --quiet 2>/dev/null | grep psnr -A 3 >second
check "a run does not depend on the number of threads" cmp first second
tessera 0 "info" info half.h5
check "info says what it was trained for" grep -q '^context.*fraction 0.5' out
rm -f half.json
tessera 0 "eval" eval half.h5 d.h5 --json half.json
check "eval tells unseen pixels apart" positive unseen_psnr_db
check "so does its JSON" grep -q unseen_psnr_db half.json
cp out first
tessera 0 "eval, another seed" eval half.h5 d.h5 --seed 5
check "which pixels depends on the seed" test "$(cut -f 2 out)" != "$(cut -f 2 first)"
tessera 0 "eval of all pixels" eval half.h5 d.h5 --context-fraction 1
check "then none is unseen" test -z "$(column unseen_psnr_db)"
tessera 0 "adapt to some pixels" adapt half.h5 photos/p0.ppm -o some.inr.h5 --context-fraction 0.3
check "adapt tells them apart" positive stored_unseen_psnr_db
tessera 0 "adapt to all pixels unless told" adapt half.h5 photos/p0.ppm -o all.inr.h5
check "it then has one figure" test -z "$(column stored_unseen_psnr_db)"
refused 2 "context-fraction" "no pixel at all" train d.h5 -o x.h5 --context-fraction 0 --time 1s

# A mask: what is not known has no part in the result.
mask m.pgm 16 16
mask wide.pgm 16 20
{ printf 'P5\n16 16\n255\n'; head -c 256 /dev/zero; } >black.pgm
tessera 0 "adapt with a mask" adapt half.h5 photos/p0.ppm -o masked.inr.h5 --mask m.pgm --png
check "the picture is there" test -s masked.png
check "seen and unseen pixels" positive stored_unseen_psnr_db
refused 3 "16x20" "a mask of another size" adapt half.h5 photos/p0.ppm -o x.inr.h5 --mask wide.pgm
refused 3 "black" "a mask of nothing" adapt half.h5 photos/p0.ppm -o x.inr.h5 --mask black.pgm
refused 3 "none.png" "a mask that is not there" adapt half.h5 photos/p0.ppm -o x.inr.h5 --mask none.png
refused 2 "exclude" "a mask and a fraction" adapt half.h5 photos/p0.ppm -o x.inr.h5 --mask m.pgm \
    --context-fraction 0.5
check "nothing is left of these" test ! -e x.inr.h5
rm -f f.json
tessera 0 "fit with a mask" fit photos/p0.ppm -o f.inr.h5 --width 8 --iterations 20 --mask m.pgm \
    --json f.json
check "fit tells unseen pixels apart" grep -q '^unseen_psnr_db' out
check "so does its JSON of fit" grep -q '"mask": "m.pgm"' f.json
tessera 0 "fit to some pixels" fit photos/p0.ppm -o g.inr.h5 --width 8 --iterations 20 \
    --context-fraction 0.4
check "they are told apart" grep -q '^unseen_psnr_db' out

# Super-resolution: the context at half the size.
train super.h5 --cell 8x8 --overlap 2 --query-scale 2
tessera 0 "eval at half the size" eval super.h5 d.h5
check "no pixel is left out" test -z "$(column unseen_psnr_db)"
cp out scaled
tessera 0 "eval of the whole image" eval super.h5 d.h5 --query-scale 1
check "which gives other figures" test "$(cut -f 2 out)" != "$(cut -f 2 scaled)"
tessera 0 "adapt to a small image" adapt super.h5 photos/p2.ppm -o small.inr.h5
tessera 0 "info of it" info small.inr.h5
check "its cells are half as large" grep -q 'cell 4x4' out
check "so is the overlap" grep -q 'overlap 1' out
tessera 0 "render" render small.inr.h5 -o large.png --scale 2
check "the picture is twice as large" grep -q '32x32' out
tessera 0 "adapt to a whole image" adapt super.h5 photos/p2.ppm -o whole.inr.h5 --query-scale 1
tessera 0 "info of that" info whole.inr.h5
check "its cells are those of training" grep -q 'cell 8x8' out
refused 2 "multiples" "cells that cannot be halved" train d.h5 -o x.h5 --cell 5x8 --query-scale 2 --time 1s
refused 2 "segment" "regions found in the image" train d.h5 -o x.h5 --segment 4 --query-scale 2 --time 1s
refused 2 "centers" "coordinates at edges" train d.h5 -o x.h5 --cell 8x8 --coords-sampling edge --query-scale 2 \
    --time 1s
picture odd.ppm 15 16 1
refused 3 "15x16" "an image of odd size" eval super.h5 odd.ppm
check "nothing is left of these either" test ! -e x.h5
no_leftovers "nothing is left half-written"
finish
