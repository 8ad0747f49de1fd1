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

tessera 2 "with --init" train d.h5 -o x.h5 --preset 25k --init m.h5
tessera 2 "no such preset" train d.h5 -o x.h5 --preset 26k
finish
