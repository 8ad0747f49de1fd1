#!/bin/sh
# SPDX-License-Identifier: MIT
# The linear limit against a singular value decomposition of the same cells.
. "$TSR_TESTS/cli/common.inc"

python=/usr/bin/python3
[ -x $python ] && $python -c 'import h5py, numpy' 2>/dev/null || python=python3
if ! $python -c 'import h5py, numpy' 2>/dev/null; then
    echo "skip the linear limit: there is no python3 with h5py and numpy"
    exit 0
fi
small_dataset d.h5
limit() { $python "$TSR_TESTS/../scripts/linear-limit" d.h5 "$@"; }
check "the linear limit" limit --grid 2x2 --numbers 0,3,9,192 --json limit.json
cat >agree.py <<'PY'
import json, sys
import h5py, numpy as np
off = float(sys.argv[1])
with h5py.File("d.h5") as f:
    x, split = f["images"][:].astype(float) / 255, f["split"][:]
def cells(i): # [images * 4, values] of an image of 16x16 cut in 2x2
    return np.stack([i[:, r:r + 8, c:c + 8].reshape(len(i), -1) for r in (0, 8) for c in (0, 8)], 1)
train, test = cells(x[split == 0]).reshape(-1, 192), cells(x[split == 2])
mean = train.mean(0)
directions = np.linalg.svd(train - mean)[2]
for row in json.load(open("limit.json"))["linear_limit"]:
    n = row["numbers_per_cell"]
    left = (test - mean) - (test - mean) @ directions[:n].T @ directions[:n]
    want = np.mean(-10 * np.log10((left ** 2).mean((1, 2)) + 1e-300))
    found = row["psnr_db"] if row["psnr_db"] is not None else 1000
    assert n == 192 and found > 200 or abs(found + off - want) < 1e-6, (n, found, want)
PY
check "as a decomposition says" $python agree.py 0
if $python agree.py 0.01 2>/dev/null; then fail "the comparison can fail"; else pass "the comparison can fail"; fi
finish
