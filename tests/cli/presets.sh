#!/bin/sh
# SPDX-License-Identifier: MIT
# Presets: what they decide, what options still decide, images of one channel.
. "$TSR_TESTS/cli/common.inc"

if "$TESSERA" version | grep -q '^blas: none'; then
    echo "skip presets: this build has no OpenBLAS, which their start needs"
    finish
fi
small_dataset d.h5
has() { check "$1" grep -qx "$2" out; }

# As many numbers as values: one step gives the picture.
tessera 0 "--preset 200k" train d.h5 -o m.h5 --preset 200k
tessera 0 "its model" info m.h5
has "cells" "partition: cell 8x8, slots shared, image_height 16, image_width 16"
has "numbers of a region" "numbers per region: 192"
has "start" "start: principal"
tessera 0 "its quality" eval m.h5 d.h5 --inner-steps 1 --json m.json
check "lossless" awk '$1 == "1" { found = $2 } END { exit !(found > 60) }' out

tessera 0 "options say otherwise" train d.h5 -o o.h5 --preset 200k --grid 1x2 --adapt latent:5 --width 20 --outer-steps 2
tessera 0 "its model" info o.h5
check "rule, numbers, width and bound" awk '/^partition: grid, rows 1|^partition: grid 1x2/ { n++ }
    /^numbers per region: 5$/ { n++ } /^network: .* width 20,/ { n++ } /^outer_steps: 2$/ { n++ } END { exit n != 4 }' out

"$TESSERA" pack photos -o grey.h5 --size 16x16 --channels 1 --split 0.667,0.167,0.166 --quiet >pack.out 2>&1 ||
    fail "grey images" "$(cat pack.out)"
tessera 0 "one channel" train grey.h5 -o g.h5 --preset 200k
tessera 0 "its model" info g.h5
has "a third of the numbers" "numbers per region: 64"

# A run that is not gone on with.
for final in '' --final; do
    # shellcheck disable=SC2086
    tessera 0 "a run $final" train d.h5 -o "run$final.h5" --adapt latent:40 --width 20 --outer-steps 3 $final
    tessera 0 "its figures" eval "run$final.h5" d.h5
    grep '^[0-3]' out >"figures$final"
    tessera 0 "its file" info "run$final.h5"
    cp out "told$final"
done
check "--final keeps the model" cmp figures figures--final
check "and the command" grep -q '^command: .* --final' told--final
check "in a third of the file" test "$(wc -c <run--final.h5)" -lt "$(($(wc -c <run.h5) / 3 + 1000))"
refused 3 "cannot be resumed" "but no run" train d.h5 --resume run--final.h5 --outer-steps 4

refused 3 "no-such.h5" "a model that is missing is no image" adapt no-such.h5 photos -o inrs
refused 2 "an argument is missing" "images for a built-in model" adapt --preset none photos -o inrs
tessera 2 "with --init" train d.h5 -o x.h5 --preset 25k --init m.h5
tessera 2 "no such preset" train d.h5 -o x.h5 --preset 26k
finish
