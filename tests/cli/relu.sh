#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole chain with the second network: ReLU on a positional encoding.
. "$TSR_TESTS/cli/common.inc"

above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }
psnr() { awk -F '\t' -v k="$1" '$1 == k { print $2 }' out; }

small_dataset d.h5
tessera 0 "train" train d.h5 -o m.h5 --net relu-pe --grid 2x2 --width 8 --hidden-layers 1 --batch 2 \
    --region-fraction 1 --warmup 2 --outer-steps 40
check "train says the network" grep -q 'network .* relu-pe, octaves 4, pe_omega 1' err
tessera 0 "info of a relu-pe model" info m.h5
check "info says the encoding" grep -q '^network: relu-pe, octaves [0-9]*, pe_omega 1, in_dim 2, out_dim 3, width 8, hidden_layers 1, output_offset 0.5' out
tessera 0 "eval" eval m.h5 d.h5 --json e.json
check "inner steps help" above "$(psnr 3)" "$(psnr 0)"
check "eval --json says the kind" grep -q '"kind": "relu-pe"' e.json
tessera 0 "eval with the reference" eval m.h5 d.h5 --kernel reference
ref=$(psnr 3)
other=portable
if "$TESSERA" version | grep -q '^kernel: blas'; then other=blas; fi
tessera 0 "eval with another kernel" eval m.h5 d.h5 --kernel $other
check "kernels agree" test "$(psnr 3)" = "$ref"
tessera 0 "eval with a baseline" eval m.h5 d.h5 --baseline random
tessera 0 "adapt" adapt m.h5 photos/p0.ppm -o p.inr.h5 --png
tessera 0 "render" render p.inr.h5 -o same.png
check "render is the reconstruction" cmp -s same.png p.png
tessera 0 "render larger" render p.inr.h5 -o large.png --scale 2.5
check "render says the size" grep -q '^large.png: 40x40$' out
tessera 0 "info of a relu-pe INR" info p.inr.h5
check "info of the INR says the encoding" grep -q '^network: relu-pe, octaves 4, pe_omega 1' out

tessera 0 "resume" train d.h5 --resume m.h5 --outer-steps 42 --quiet
tessera 0 "info after" info m.h5
check "the resumed run counts on" grep -q '^outer_step: 42$' out
tessera 0 "from a model" train d.h5 -o i.h5 --net relu-pe --grid 2x2 --width 8 --hidden-layers 1 \
    --init m.h5 --slots per-region --outer-steps 1 --quiet
refused 3 "its network is relu-pe, not siren" "from a model of the other kind" train d.h5 -o j.h5 \
    --net siren --init m.h5 --outer-steps 1
for options in '--octaves 0' '--octaves 60 --pe-omega 0.25'; do
    # shellcheck disable=SC2086
    tessera 0 "train $options" train d.h5 -o o.h5 --force --net relu-pe --grid 2x2 --width 8 $options \
        --outer-steps 2 --quiet
    tessera 0 "eval $options" eval o.h5 d.h5
done
for threads in 1 2; do
    tessera 0 "$threads threads" train d.h5 -o t$threads.h5 --net relu-pe --grid 2x2 --width 8 \
        --outer-steps 5 --quiet --threads $threads
    tessera 0 "adapt of $threads threads" adapt t$threads.h5 photos/p1.ppm -o t$threads.inr.h5 \
        --threads $threads --quiet
done
check "1 and 2 threads" cmp t1.inr.h5 t2.inr.h5

refused 2 "--octaves: 65 is above 64" "too many octaves" train d.h5 -o x.h5 --net relu-pe --octaves 65 \
    --outer-steps 1
refused 2 "--pe-omega: 0 is below" "no frequency" train d.h5 -o x.h5 --net relu-pe --pe-omega 0 \
    --outer-steps 1
refused 2 "--omega has no meaning with --net relu-pe" "omega of a ReLU" train d.h5 -o x.h5 \
    --net relu-pe --omega 20 --outer-steps 1
refused 2 "--octaves has no meaning with --net siren" "octaves of a siren" train d.h5 -o x.h5 \
    --octaves 5 --outer-steps 1
refused 2 "siren, relu-pe" "unknown network" train d.h5 -o x.h5 --net gauss --outer-steps 1
check "nothing was written" test ! -e x.h5
finish
