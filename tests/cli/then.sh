#!/bin/sh
# SPDX-License-Identifier: MIT
# train --then: a shared slot becomes one for each region in the course of a run.
. "$TSR_TESTS/cli/common.inc"

small_dataset d.h5
small="--grid 2x2 --width 8 --hidden-layers 1 --batch 2 --val-every 4"
tessera 0 "a run that turns" train d.h5 -o m.h5 $small --outer-steps 12 --then per-region --then-at 0.5
check "it says when" grep -q 'slots *per-region after 0.5 of the run' err
tessera 0 "what it leaves" info m.h5
check "has four slots" grep -q '^slots: 4$' out
check "since outer step 6" grep -q '^turned_at: 6$' out
tessera 0 "can be evaluated" eval m.h5 d.h5 --split val
tessera 0 "a later bound goes on" train d.h5 --resume m.h5 --outer-steps 16
check "with the slots that are there" grep -q 'slots *per-region since outer step 6' err
check "the log goes on" grep -q '"outer_step": 16,' m.h5.jsonl
refused 2 "only shared ones can turn" "slots that are many already" train d.h5 -o n.h5 $small --outer-steps 4 \
    --slots per-region --then per-region
refused 2 "per-class" "classes without a label map" train d.h5 -o n.h5 $small --outer-steps 4 --then per-class
refused 2 "then-at says when" "when without what" train d.h5 -o n.h5 $small --outer-steps 4 --then-at 0.3
refused 2 "cannot be changed by --resume" "a resumed run keeps its turn" train d.h5 --resume m.h5 --outer-steps 20 --then per-class
check "nothing was written" test ! -e n.h5
no_leftovers "no temporary files"
finish
