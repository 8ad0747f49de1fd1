#!/bin/sh
# SPDX-License-Identifier: MIT
# Pictures as cameras, browsers and editors leave them come out as Pillow has them: upright, composed
# on the background, JPEG of every marking. What is damaged is refused by name.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'PIL, h5py, numpy'; then
    echo "skip pictures as Pillow has them: there is no python3 with Pillow, h5py and numpy"
    exit 0
fi
$python "$TSR_TESTS/cli/pictures.py" make . || { fail "pictures.py"; finish; exit; }
by=libjpeg
"$TESSERA" version | grep -q 'JPEG by stb_image' && by=stb
tessera 0 "pictures of all kinds are packed" pack in -o d.h5 --keep-copies --size 24x40 --background '#c86432'
check "they are as Pillow has them" $python "$TSR_TESTS/cli/pictures.py" check . d.h5 $by
if [ $by = stb ]; then
    check "what stb_image cannot read is refused by name" grep -q "stb-cannot-cmyk.*which stb_image does not read" err
else
    check "a missing end is told" grep -q 'stb-cannot-no-end.jpg: its end marker is missing, its pixels are there' err
    check "stray bytes are told" grep -q 'stb-cannot-stray.jpg: bytes that belong to nothing were passed over' err
fi
check "nothing is said of the others" test "$(grep -cv stb-cannot err)" -eq 0
for bad in half.jpg:truncated half-with-end.jpg: first-scans.jpg:truncated empty.jpg:'is empty' pointer.png:'is a Git LFS pointer'; do
    [ $by = stb ] && [ "${bad%%:*}" = half-with-end.jpg ] && continue # it fills up with grey
    refused 3 "${bad%%:*}: ${bad#*:}" "refuses ${bad%%:*}" pack --strict "bad/${bad%%:*}" -o e.h5 --size 8x8 --quiet
done
refused 2 'is no colour' "a background is a colour" pack in -o e.h5 --size 24x40 --background mauve

# A label map that was turned fits the picture that was.
mkdir photos maps
cp in/mm-6.jpg photos/a.jpg
cp in/ii-1.jpg photos/b.jpg
$python - <<'PY'
import sys, numpy as np
from PIL import Image
labels = (np.add.outer(np.arange(24), 2 * np.arange(40)) % 7).astype(np.uint8)
exif = Image.Exif()
exif[0x112] = 8
Image.fromarray(labels).save('maps/a.png')
Image.fromarray(labels).transpose(Image.Transpose.ROTATE_270).save('maps/b.png', exif=exif)
np.save('labels.npy', labels)
PY
tessera 0 "label maps of upright pictures" pack photos -o l.h5 --size 24x40 --labels maps --quiet
check "maps are turned, too" $python -c '
import h5py, numpy as np
assert (h5py.File("l.h5")["labels"][:] == np.load("labels.npy")).all()'

# Everywhere else.
small_dataset s.h5
small_train s.h5 m.h5 --outer-steps 2
tessera 0 "adapt stands it upright" adapt m.h5 in/mm-6.jpg -o a.inr.h5
check "height and width" grep -q '	24	40	' out
tessera 0 "fit, too" fit in/mm-6.png -o f.inr.h5 --background black --width 8 --hidden-layers 1 --iterations 2 --quiet
check "its size" sh -c "'$TESSERA' info f.inr.h5 | grep -q 24x40"
finish
