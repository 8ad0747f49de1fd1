#!/bin/sh
# SPDX-License-Identifier: MIT
# The linear limit against a singular value decomposition of the same cells.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'h5py, numpy'; then
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

# A principal start reaches it by one inner step, as far as its units express the components: here
# all of them. Images of one size in cells of one size, so that nothing but rounding stands between.
if "$TESSERA" version | grep -q '^blas: none'; then
    echo "skip the principal start: this build has no OpenBLAS"
else
    check "a principal start" "$TESSERA" train d.h5 -o start.h5 --grid 2x2 --hidden-layers 0 --width 80 --adapt latent:9 \
        --start principal --outer-steps 1 --outer-lr 1e-9 --rates-lr 0
    check "evaluated" "$TESSERA" eval start.h5 d.h5 --inner-steps 1 --json start.json
    cat >reaches.py <<'PY'
import json, sys
limit = [row["psnr_db"] for row in json.load(open("limit.json"))["linear_limit"] if row["numbers_per_cell"] == 9][0]
found = json.load(open("start.json"))["psnr_db"][1]
assert abs(found - limit) < float(sys.argv[1]), (found, limit)
PY
    check "reaches the linear limit" $python reaches.py 0.5
    if $python reaches.py 1e-9 2>/dev/null; then fail "the comparison can fail"; else pass "the comparison can fail"; fi
fi
finish
