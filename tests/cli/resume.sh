#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs that are resumed: with their own dataset, with another one, and while it changes.
. "$TSR_TESTS/cli/common.inc"

small_dataset data.h5
small_train data.h5 m.h5 --outer-steps 4
"$TESSERA" pack photos -o other.h5 --size 16x16 --split 0.667,0.167,0.166 --seed 5 --quiet >/dev/null 2>&1
cp m.h5 before.h5
refused 2 "other.h5 is not the dataset that the run of m.h5 began with: it has split of digest" \
    "another split is refused" train other.h5 --resume m.h5 --outer-steps 8
check "... and nothing was written" cmp -s m.h5 before.h5
"$TESSERA" pack photos -o small.h5 --size 16x16 --limit 6 --split 0.5,0.25,0.25 --quiet >/dev/null 2>&1
refused 2 "it has 6 images, not 12" "fewer images are refused" train small.h5 --resume m.h5 --outer-steps 8
tessera 0 "forced" train other.h5 --resume m.h5 --outer-steps 8 --force
check "... with a warning" grep -q "warning: other.h5 is not the dataset" err
cp data.h5 elsewhere.h5
tessera 0 "a dataset that was moved" train elsewhere.h5 --resume before.h5 --outer-steps 8
check "... without a warning" sh -c '! grep -q warning err'

# A run of minutes, whose dataset is packed again meanwhile.
"$TESSERA" train data.h5 -o long.h5 --grid 2x2 --width 8 --hidden-layers 1 --batch 2 --time 10m \
    >long.out 2>long.err &
run=$!
i=0
while ! grep -q computing long.err && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
sleep 0.2
cp other.h5 new.h5 && mv new.h5 data.h5
wait $run
code=$?
if [ $code -eq 1 ]; then pass "a dataset that is replaced ends the run"; else
    fail "a dataset that is replaced ends the run" "exit $code" "$(tail -n 3 long.err)"; fi
check "... which says so" grep -q "data.h5: was replaced by another file" long.err
tessera 0 "... and keeps what was learned" info long.h5
no_leftovers "no temporary files"
finish
