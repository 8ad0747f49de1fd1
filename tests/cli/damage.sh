#!/bin/sh
# SPDX-License-Identifier: MIT
# Files of ours with a few changed bytes: refused, or read as if nothing had happened because nothing
# had; never a crash, never other numbers. damage.py runs as many as wanted.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'h5py, numpy'; then
    echo "skip files with changed bytes: there is no python3 with h5py and numpy"
    exit 0
fi
pictures photos 3 40 40
"$TESSERA" pack photos -o data.h5 --size 40x40 --split 1,0,0 --segment 4 --deflate 4 --quiet >/dev/null 2>&1
"$TESSERA" train data.h5 -o model.h5 --grid 2x2 --width 16 --hidden-layers 1 --batch 1 --outer-steps 2 \
    --quiet >/dev/null 2>&1
"$TESSERA" train data.h5 -o wide.h5 --grid 2x2 --width 96 --hidden-layers 1 --batch 1 --outer-steps 1 \
    --quiet >/dev/null 2>&1
"$TESSERA" adapt model.h5 photos/p0.ppm -o picture.h5 --quiet >/dev/null 2>&1
damage() { $python "$TSR_TESTS/cli/damage.py" "$TESSERA" "$@"; }
check "changed bytes of a model" damage 10 1 model.h5 info FILE
check "changed bytes of a model with chunks" damage 6 2 wide.h5 eval FILE data.h5 --split all --limit 1
check "changed bytes of a dataset" damage 10 3 data.h5 eval model.h5 FILE --split all --inner-steps 1
check "changed bytes of an INR" damage 10 4 picture.h5 render FILE -o OUT
# A file without checksums tells nothing of a changed pixel: the comparison would see it.
$python - <<'PY'
import h5py
with h5py.File('data.h5') as a, h5py.File('plain.h5', 'w') as b:
    b['images'] = a['images'][:]
PY
if damage 40 5 plain.h5 eval model.h5 FILE --split all --inner-steps 1 >out 2>&1; then
    fail "the comparison sees other pixels" "$(cat out)"
else
    check "the comparison sees other pixels" grep -q 'misread [1-9]' out
fi
finish
