#!/bin/sh
# SPDX-License-Identifier: MIT
# A dataset and models that h5py wrote from docs/formats.md load, and evaluate to what numpy computes.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'h5py, numpy'; then
    echo "skip what h5py reads and writes: there is no python3 with h5py and numpy"
    exit 0
fi
$python "$TSR_TESTS/cli/foreign.py" .
agree() { # NAME TOLERANCE
    $python - "$1" "$2" <<'PY'
import json, sys
found, want = json.load(open('found.json'))['psnr_db'], json.load(open('expected.json'))[sys.argv[1]]
sys.exit(not (len(found) == len(want) and all(abs(a - b) <= float(sys.argv[2]) for a, b in zip(found, want))))
PY
}
for model in whole grid; do
    tessera 0 "eval of the $model model" eval $model.h5 foreign-data.h5 --inner-steps 4 --force \
        --json found.json
    check "PSNR of the $model model is numpy's" agree $model 2e-3
    tessera 0 "info of the $model model" info $model.h5
done
"$TESSERA" eval whole.h5 foreign-data.h5 --inner-steps 4 --force --json found.json >/dev/null 2>&1
if agree grid 2e-3; then fail "the comparison tells models apart"; else pass "the comparison tells models apart"; fi
refused 3 'no /outer' "resuming a model without /outer" train foreign-data.h5 --resume whole.h5 --outer-steps 3
