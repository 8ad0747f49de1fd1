#!/bin/sh
# SPDX-License-Identifier: MIT
# train --pictures: a sheet at each validation, of images that are validated on, with what eval says of them; a resumed
# run goes on where its checkpoint stands, and nothing of another run is replaced.
. "$TSR_TESTS/cli/common.inc"

pictures photos 9 48 48
"$TESSERA" pack photos -o d.h5 --size 48x48 --split 0.3,0.6,0.1 --quiet >pack.out 2>&1 || fail "a dataset" "$(cat pack.out)"
"$TESSERA" pack photos -o no-val.h5 --size 48x48 --split 0.8,0,0.2 --quiet >pack.out 2>&1 || fail "a dataset" "$(cat pack.out)"
run() {
    code=$1 name=$2 data=$3 model=$4; shift 4
    tessera "$code" "$name" train $data.h5 -o $model.h5 --grid 2x2 --width 8 --hidden-layers 1 --batch 2 --val-every 5 --val-images 5 --quiet "$@"
}
sheets() { # FOLDER OUTER-STEP...
    (cd "$1" && shift && test "$(echo ./*)" = "$(for i; do printf './outer-step-%010d.png ' "$i"; done | sed 's/ $//')")
}

run 0 "a run with pictures" d a --outer-steps 12 --pictures pics
run 0 "and one without" d b --outer-steps 12
check "one for each validation" sheets pics 5 10 12
"$TESSERA" adapt a.h5 photos/p0.ppm -o a.inr.h5 --png --quiet >out && "$TESSERA" adapt b.h5 photos/p0.ppm -o b.inr.h5 --png --quiet >out
check "which change nothing" cmp a.png b.png
run 2 "a folder is not for another run" d c --outer-steps 12 --pictures pics
check "unless it is told so" grep -q 'holds pictures of another run: replace them with --force' err
run 2 "there must be a validation" no-val c --outer-steps 12 --pictures none
check "and the message says so" grep -q 'val split' err
check "with nothing left behind" test ! -e none
run 1 "a file is no folder" d c --outer-steps 12 --pictures d.h5

cat >place.py <<'PY'
from functools import lru_cache
from png import png
SIDE, read = 48, lru_cache(png)
def place(path, row, col):
    top, left = 8 + row * (SIDE + 25), 8 + col * (SIDE + 8)
    return b"".join(r[3 * left:3 * (left + SIDE)] for r in read(path)[3][top:top + SIDE])
PY
PYTHONPATH=$TSR_TESTS/cli:.; export PYTHONPATH
tessera 0 "eval" eval a.h5 d.h5 --split val --limit 5 --image-csv images.csv --quiet
cat >sheet.py <<'PY'
import csv, math
from place import SIDE, place
sheet = "pics/outer-step-0000000012.png"
names = {open(f"photos/p{i}.ppm", "rb").read()[-SIDE * SIDE * 3:]: f"p{i}.ppm" for i in range(9)}
figures = {f["name"]: f for f in csv.DictReader(open("images.csv"))}
shown = [names.pop(place(sheet, row, 0)) for row in range(4)] # the photos, pixel by pixel, each once
for row, name in enumerate(shown):
    for k in range(4):
        pairs = list(zip(place(sheet, row, 0), place(sheet, row, 1 + k)))
        psnr = -10 * math.log10(sum((x - y) ** 2 for x, y in pairs) / len(pairs) / 255 ** 2)
        assert abs(psnr - float(figures[name][f"psnr_db_{k}"])) < 0.2, (name, k, psnr) # of clipped values
PY
check "the images of eval, and its figures" python3 sheet.py

# What a killed run may have left: a picture that the model has not seen, and a file that is no picture of ours.
cp pics/outer-step-0000000012.png pics/outer-step-0000000013.png
echo mine >pics/outer-step-13.png
tessera 0 "a resumed run" train d.h5 --resume a.h5 --outer-steps 16 --pictures pics --quiet
check "leaves what is not its own" grep -q mine pics/outer-step-13.png
rm pics/outer-step-13.png
check "and goes on" sheets pics 5 10 12 15 16
run 0 "forced, a new run" d c --outer-steps 6 --pictures pics --force
check "begins anew" sheets pics 5 6
if as_floats d.h5 floats.h5; then
    run 0 "images of floats" floats f --outer-steps 6 --pictures floats
    check "are drawn as those of bytes" python3 -c '
from place import place
a, b = (f"{folder}/outer-step-0000000006.png" for folder in ("floats", "pics"))
assert all(place(a, row, col) == place(b, row, col) for row in range(4) for col in range(6))'
else
    echo "skip pictures of images of floats: there is no python3 with h5py and numpy"
fi
no_leftovers "nothing half-written"
finish
