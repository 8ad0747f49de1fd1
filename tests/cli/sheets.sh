#!/bin/sh
# SPDX-License-Identifier: MIT
# Pictures for one's own model: the panel of adapt and the sheets of info hold, pixel by pixel, what
# other commands write.
. "$TSR_TESTS/cli/common.inc"

pictures photos 4 178 178
"$TESSERA" pack photos -o d.h5 --size 178x178 --split 0.5,0.25,0.25 --quiet >pack.out 2>&1 || fail "a dataset" "$(cat pack.out)"
for slots in shared per-region; do
    "$TESSERA" train d.h5 -o $slots.h5 --grid 2x2 --slots $slots --width 8 --hidden-layers 1 --batch 1 --outer-steps 2 --quiet \
        >train.out 2>&1 || fail "a model" "$(cat train.out)"
done
"$TESSERA" train d.h5 -o latent.h5 --grid 2x2 --adapt latent:3 --width 8 --hidden-layers 1 --batch 1 --outer-steps 2 --quiet >train.out 2>&1 ||
    fail "a latent model" "$(cat train.out)"
tessera 0 "a panel of no step" adapt per-region.h5 photos/p0.ppm -o zero.inr.h5 --inner-steps 0 --png --panel --quiet
tessera 0 "a panel of some steps" adapt shared.h5 photos/p0.ppm -o three.inr.h5 --panel --quiet
tessera 0 "a panel of many steps" adapt shared.h5 photos/p0.ppm -o many.inr.h5 --inner-steps 20 --panel --quiet
refused 2 "exists" "a panel is not overwritten" adapt shared.h5 photos/p0.ppm -o three.inr.h5 --panel --quiet
tessera 0 "info draws a model" info per-region.h5 --png model.png
check "and prints" grep -q '^kind: model$' out
tessera 0 "info draws a latent model" info latent.h5 --png latent.png
tessera 0 "info draws a dataset" info d.h5 --png data.png
tessera 0 "info draws an INR" info zero.inr.h5 --png inr.png
tessera 0 "as --label-png does" info zero.inr.h5 --label-png labels.png
refused 2 "exists" "a sheet is not overwritten" info d.h5 --png data.png
refused 2 "is an input" "nor the file that it shows" info d.h5 --png d.h5 --force

cat >sheets.py <<'PY'
from png import png
def ppm(path):
    b = open(path, "rb").read()
    return [b[len(b) - 178 * 178 * 3:][y * 534:(y + 1) * 534] for y in range(178)]
def place(sheet, row, col): # 178x178 with a gap of 8 and captions of 9
    top, left = 8 + row * (178 + 17 + 8), 8 + col * (178 + 8)
    return [r[3 * left:3 * (left + 178)] for r in sheet[3][top:top + 178]]
zero, own = png("zero.panel.png"), png("zero.png")
assert zero[:2] == (8 + 2 * 186, 8 + 2 * 203)
assert place(zero, 0, 0) == ppm("photos/p0.ppm") and place(zero, 0, 1) == own[3]
three, many = png("three.panel.png"), png("many.panel.png")
assert three[0] == 8 + 3 * 186 and many[0] == 8 + 5 * 186 # 6 pictures; 10
assert place(three, 0, 0) == ppm("photos/p0.ppm") and place(three, 0, 1) != place(three, 1, 1)
model = png("model.png")
assert model[0] == 8 + 8 * 186 and place(model, 0, 0) == own[3]
assert len({bytes().join(place(model, 0, i)) for i in range(1, 5)}) == 4 # slots of their own
latent = png("latent.png")
assert latent[:2] == (8 + 8 * 186, 8 + 203) # initialisation, slot, 3 of a basis, 3 of rates
data = png("data.png")
assert all(place(data, 0, i) == ppm(f"photos/p{i}.ppm") for i in range(4))
assert open("inr.png", "rb").read() == open("labels.png", "rb").read()
PY
check "pixel by pixel what they should be" env PYTHONPATH="$TSR_TESTS/cli" python3 sheets.py
if as_floats d.h5 floats.h5; then
    tessera 0 "info draws a dataset of floats" info floats.h5 --png floats.png
    check "as one of bytes" cmp floats.png data.png
else
    echo "skip the sheet of a dataset of floats: there is no python3 with h5py and numpy"
fi
no_leftovers "nothing half-written"
finish
