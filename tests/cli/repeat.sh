#!/bin/sh
# SPDX-License-Identifier: MIT
# Same bits for any number of threads, for a resumed run, and for the same seed.
. "$TSR_TESTS/cli/common.inc"

small_dataset d.h5
adapted() { # MODEL OUT
    "$TESSERA" adapt "$1" photos/p0.ppm -o "$2" --force --quiet >/dev/null 2>err || cat err
}
figures() { grep -v -e seconds -e threads -e '"model"' "$1"; }
same() { # NAME MODEL MODEL
    adapted "$2" a.inr.h5
    adapted "$3" b.inr.h5
    check "$1" cmp a.inr.h5 b.inr.h5
    "$TESSERA" eval "$2" d.h5 --force --json a.json >/dev/null 2>&1
    "$TESSERA" eval "$3" d.h5 --force --json b.json >/dev/null 2>&1
    figures a.json >a.figures
    figures b.json >b.figures
    check "$1: figures" cmp a.figures b.figures
}
train() {
    "$TESSERA" train d.h5 "$@" --quiet >train.out 2>&1 || fail "train $*" "$(cat train.out)"
}
fresh() {
    model=$1; shift
    train -o "$model" --grid 2x2 --width 8 --hidden-layers 1 --batch 2 --warmup 2 --final-lr 1 \
        --val-every 5 "$@"
}

fresh one.h5 --outer-steps 10 --threads 1
fresh two.h5 --outer-steps 10 --threads 2
fresh three.h5 --outer-steps 10 --threads 3 --seed 0
same "1 and 2 threads" one.h5 two.h5
same "1 and 3 threads" one.h5 three.h5
fresh other.h5 --outer-steps 10 --seed 1
adapted one.h5 a.inr.h5
adapted other.h5 b.inr.h5
if cmp -s a.inr.h5 b.inr.h5; then fail "another seed"; else pass "another seed"; fi

fresh whole.h5 --outer-steps 20
fresh part.h5 --outer-steps 10
train --resume part.h5 --outer-steps 20
same "10 + 10 outer steps are 20" part.h5 whole.h5
"$TESSERA" info part.h5 >out
check "the resumed run counts on" grep -q '^outer_step: 20$' out

"$TESSERA" adapt one.h5 photos/p0.ppm photos/p1.ppm -o t1 --threads 1 >/dev/null 2>&1
"$TESSERA" adapt one.h5 photos/p0.ppm photos/p1.ppm -o t2 --threads 2 >/dev/null 2>&1
check "adapt with 1 and 2 threads" cmp t1/p1.inr.h5 t2/p1.inr.h5
"$TESSERA" render t1/p1.inr.h5 -o 1.png --scale 3 --threads 1 >/dev/null
"$TESSERA" render t1/p1.inr.h5 -o 2.png --scale 3 --threads 2 >/dev/null
check "render with 1 and 2 threads" cmp 1.png 2.png
"$TESSERA" pack photos -o p1.h5 --size 9x9 --fit squash --threads 1 >/dev/null
"$TESSERA" pack photos -o p2.h5 --size 9x9 --fit squash --threads 2 >/dev/null
"$TESSERA" eval one.h5 p1.h5 --force --json a.json --split all >/dev/null 2>&1
"$TESSERA" eval one.h5 p2.h5 --force --json b.json --split all >/dev/null 2>&1
figures a.json | grep -v dataset >a.figures
figures b.json | grep -v dataset >b.figures
check "pack with 1 and 2 threads" cmp a.figures b.figures

# Ctrl-C: a checkpoint is written, the program ends by the signal, and the run goes on from there.
"$TESSERA" train d.h5 -o int.h5 --grid 2x2 --width 8 --time 100s >out 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
check "interrupted: ended by the signal" test $? -eq 143
check "interrupted: says how to go on" grep -q -- '--resume int.h5' err
tessera 0 "interrupted: the model is there" info int.h5
steps=$(sed -n 's/^outer_step: //p' out)
tessera 0 "interrupted: resume" train d.h5 --resume int.h5 --outer-steps $((steps + 2)) --quiet
no_leftovers "nothing half-written"
finish
