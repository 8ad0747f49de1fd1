#!/bin/sh
# SPDX-License-Identifier: MIT
# train --then: a shared slot becomes one for each region in the course of a run.
. "$TSR_TESTS/cli/common.inc"

small_dataset d.h5
small="--grid 2x2 --width 8 --hidden-layers 1 --batch 2 --val-every 4"
tessera 0 "a run that turns" train d.h5 -o m.h5 $small --outer-steps 12 --then per-region --then-at 0.5
check "it says when" grep -q 'slots *per-region after 0.5 of the run' err
check "and says so when it does" grep -q 'outer step 6: the shared slot becomes 4, per-region$' err
check "a validation before" grep -q '"outer_step": 6, .*"val_psnr_db": [0-9.]*, .*"slots": 1,' m.h5.jsonl
check "the log has the new slots" grep -q '"outer_step": 12, .*"slots": 4,' m.h5.jsonl
tessera 0 "what it leaves" info m.h5
check "has four slots" grep -q '^slots: 4$' out
check "since outer step 6" grep -q '^turned_at: 6$' out
tessera 0 "can be evaluated" eval m.h5 d.h5 --split val
tessera 0 "a later bound goes on" train d.h5 --resume m.h5 --outer-steps 16
check "with the slots that are there" grep -q 'slots *per-region since outer step 6' err
check "the log goes on" grep -q '"outer_step": 16,' m.h5.jsonl

# Every rule, and whatever else is learned.
mkdir maps
for photo in photos/*; do
    map=maps/$(basename "$photo" .ppm).pgm
    awk 'BEGIN { printf "P5\n16 16\n255\n"; for (i = 0; i < 256; i++) printf "%c", 1 + int(i / 90) }' >"$map"
done
tessera 0 "images with classes" pack photos -o l.h5 --size 16x16 --split 0.667,0.167,0.166 --labels maps
# shellcheck disable=SC2086
for rule in "--cell 8x8 --then per-region" "--segment 4 --then per-region" "--labels --then per-class" \
    "--grid 2x2 --adapt latent:5 --start principal --ema 0.5 --patience 1 --then per-region"; do
    tessera 0 "turns: $rule" train l.h5 -o r.h5 --force $rule --width 8 --hidden-layers 1 --batch 2 --val-every 4 \
        --outer-steps 5 --then-at 0.4
    check "to more slots" grep -q 'outer step 2: the shared slot becomes [3-9][0-9]*, per-' err
    tessera 0 "is evaluated" eval r.h5 l.h5 --split val
done

refused 2 "only shared ones can turn" "slots that are many already" train d.h5 -o n.h5 $small --outer-steps 4 \
    --slots per-region --then per-region
refused 2 "per-class" "classes without a label map" train d.h5 -o n.h5 $small --outer-steps 4 --then per-class
refused 2 "then-at says when" "when without what" train d.h5 -o n.h5 $small --outer-steps 4 --then-at 0.3
refused 2 "none would be left" "no outer step behind the turn" train d.h5 -o n.h5 $small --outer-steps 4 --then per-region --then-at 0.8
refused 2 "whole has one region" "one region" train d.h5 -o n.h5 --whole --outer-steps 4 --then per-region
if ldd "$TESSERA" | grep -q -e asan -e ubsan; then
    echo "skip no room for the slots: a sanitizer needs all of it"
else
    (ulimit -v 3000000; exec timeout 20 "$TESSERA" train d.h5 -o n.h5 --grid 16x16 --width 64 --adapt latent:200 --rates per-step \
        --outer-steps 4 --threads 1 --then per-region >out 2>err)
    check "no room for the slots" test $? -ne 0
    check "is found before the run" grep -q '256 slots of [0-9]* numbers to learn: cannot allocate' err
fi
refused 2 "cannot be changed by --resume" "a resumed run keeps its turn" train d.h5 --resume m.h5 --outer-steps 20 --then per-class
check "nothing was written" test ! -e n.h5
no_leftovers "no temporary files"
finish
