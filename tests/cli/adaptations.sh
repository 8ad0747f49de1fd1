#!/bin/sh
# SPDX-License-Identifier: MIT
# What adapts: all, the last layer, the biases, a latent code. Training, resuming, evaluation, INR
# files; what is stored is what adapts.
. "$TSR_TESTS/cli/common.inc"

small_dataset d.h5
train() { # MODEL OPTIONS...
    model=$1; shift
    rm -f "$model"
    "$TESSERA" train d.h5 -o "$model" --grid 2x2 --width 8 --hidden-layers 1 --batch 2 --warmup 2 \
        --final-lr 1 --val-every 5 --quiet "$@" >train.out 2>&1 || fail "train $*" "$(cat train.out)"
}
number() { sed -n "s/^$1: //p" out; }
render() { # INR PNG
    rm -f "$2"
    "$TESSERA" render "$1" -o "$2" --quiet >/dev/null
}

# Rates that are matrices: 2^2 + ... of each layer, its sides; one for a code.
for kind in all:kron-per-layer-per-step:924 biases:kron-per-layer-per-step:411 latent:11:full-per-step:363; do
    rates=${kind%:*} n=${kind##*:}
    adapt=${rates%:*} rates=${rates##*:}
    train m.h5 --adapt "$adapt" --rates "$rates" --outer-steps 20 --threads 1
    tessera 0 "$rates of $adapt: info" info m.h5
    check "$rates of $adapt: numbers" grep -q "^rates: $rates, $n numbers" out
    train two.h5 --adapt "$adapt" --rates "$rates" --outer-steps 20 --threads 2
    train half.h5 --adapt "$adapt" --rates "$rates" --outer-steps 10
    "$TESSERA" train d.h5 --resume half.h5 --outer-steps 20 --quiet >/dev/null 2>err || cat err
    for model in m two half; do
        "$TESSERA" eval $model.h5 d.h5 | grep '^[0-3]' >$model.figures
    done
    check "$rates of $adapt: two threads, resumed, the same" sh -c "cmp m.figures two.figures && cmp m.figures half.figures"
    check "$rates of $adapt: it learns" awk 'NR == 1 { before = $2 } END { exit !($2 > before + 0.5) }' m.figures
done
tessera 2 "a matrix that is too large" train d.h5 -o x.h5 --outer-steps 1 --width 32 --rates full-per-step
check "is refused" grep -q "rates full-per-step: a matrix of 2307 rows" err

# 2*8+8 + 8*8+8 + 8*3+3 = 123 parameters; 27 of the last layer, 19 biases, a code of 11.
for kind in last:27 biases:19 latent:11; do
    adapt=${kind%:*} n=${kind#*:}
    [ "$adapt" != latent ] || adapt=latent:11
    train m.h5 --adapt "$adapt" --outer-steps 20 --threads 1
    tessera 0 "$adapt: info" info m.h5
    check "$adapt: numbers per region" test "$(number 'numbers per region')" = "$n"
    check "$adapt: numbers per image" test "$(number 'parameters per image')" = $((4 * n))
    train two.h5 --adapt "$adapt" --outer-steps 20 --threads 2
    train half.h5 --adapt "$adapt" --outer-steps 10
    "$TESSERA" train d.h5 --resume half.h5 --outer-steps 20 --quiet >/dev/null 2>err || cat err
    rm -f m.json
    tessera 0 "$adapt: eval" eval m.h5 d.h5 --json m.json
    check "$adapt: inner steps help" awk 'NR > 1 && $1 ~ /^[0-9]/ {
        if (n++ && $2 <= last) bad = 1; last = $2 } END { exit bad || n < 4 }' out
    check "$adapt: params_per_image of the JSON" grep -q "\"params_per_image\": $((4 * n))" m.json
    rm -f m.inr.h5 m.png two.inr.h5 half.inr.h5
    tessera 0 "$adapt: adapt" adapt m.h5 photos/p0.ppm -o m.inr.h5 --png
    render m.inr.h5 drawn.png
    check "$adapt: the INR file holds the picture" cmp m.png drawn.png
    rm -f ref.inr.h5 drawn.png
    tessera 0 "$adapt: adapt --reference" adapt m.h5 photos/p0.ppm -o ref.inr.h5 --reference
    tessera 0 "$adapt: render --model" render ref.inr.h5 -o drawn.png --model m.h5
    check "$adapt: the same picture" cmp m.png drawn.png
    check "$adapt: a smaller file" test "$(wc -c <ref.inr.h5)" -lt "$(wc -c <m.inr.h5)"
    refused 2 "refers to a model" "$adapt: a reference without its model" render ref.inr.h5 -o none.png
    train other.h5 --adapt "$adapt" --outer-steps 2 --seed 1
    refused 3 "those of this model have" "$adapt: a reference with another" render ref.inr.h5 -o none.png --model other.h5
    tessera 0 "$adapt: info of a reference" info ref.inr.h5
    check "$adapt: tells the digest" grep -q '^reference: [0-9a-f]\{16\},' out
    check "$adapt: nothing was drawn" test ! -e none.png
    for other in two half; do
        "$TESSERA" adapt $other.h5 photos/p0.ppm -o $other.inr.h5 --quiet >/dev/null
        check "$adapt: $other.h5 is the same model" cmp $other.inr.h5 m.inr.h5
    done
    tessera 0 "$adapt: info of the INR" info m.inr.h5
    check "$adapt: the INR's numbers" test "$(number 'numbers per region')" = "$n"
done

train all.h5 --outer-steps 20
tessera 0 "all: info" info all.h5
check "all: every parameter" test "$(number 'parameters per image')" = 492
refused 2 "there is nothing to leave out" "all: a reference" adapt all.h5 photos/p0.ppm -o none.inr.h5 --reference
refused 2 "numbers" "a code of no numbers" train d.h5 -o x.h5 --grid 2x2 --adapt latent:0 --time 1s
refused 2 "known are" "an unknown adaptation" train d.h5 -o x.h5 --grid 2x2 --adapt middle --time 1s
refused 2 "too much" "a number too many" train d.h5 -o x.h5 --grid 2x2 --adapt last:3 --time 1s
check "nothing is left of these" test ! -e x.h5

train many.h5 --adapt latent:5 --slots per-region --outer-steps 10
rm -f m.inr.h5 m.png
tessera 0 "a basis per slot" adapt many.h5 photos/p1.ppm -o m.inr.h5 --png
render m.inr.h5 drawn.png
check "a basis per slot: the INR file holds the picture" cmp m.png drawn.png
refused 2 "method reptile with the adaptation latent, whose basis it would not learn" \
    "latent by reptile is refused" train d.h5 -o reptile.h5 --adapt latent:5 --method reptile --outer-steps 5
for method in fomaml multi-step; do
    train $method.h5 --adapt latent:5 --method $method --outer-steps 5
    tessera 0 "latent by $method" eval $method.h5 d.h5
done
rm -f m.inr.h5
tessera 0 "more inner steps with Adam" eval m.h5 d.h5 --inner-steps 12 --inner-optimizer adam
finish
