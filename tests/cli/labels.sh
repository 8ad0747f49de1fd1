#!/bin/sh
# SPDX-License-Identifier: MIT
# Label maps: packed with their images, shown and drawn by info, refused when they do not fit.
. "$TSR_TESTS/cli/common.inc"

# label_map FILE HEIGHT WIDTH LARGEST: labels 1..LARGEST in blocks, as binary PGM
label_map() {
    awk -v h="$2" -v w="$3" -v n="$4" 'BEGIN {
        printf "P5\n%d %d\n255\n", w, h
        for (y = 0; y < h; y++) for (x = 0; x < w; x++) printf "%c", 1 + (int(x / 3) + 2 * int(y / 5)) % n
    }' >"$1"
}
# label_maps FOLDER COUNT HEIGHT WIDTH LARGEST
label_maps() {
    mkdir -p "$1"
    i=0
    while [ $i -lt "$2" ]; do
        label_map "$1/p$i.pgm" "$3" "$4" "$5"
        i=$((i + 1))
    done
}
shares_sum() { awk '/^label [0-9]+: /{ s += $(NF - 1) } END { exit !(s > 99.9 && s < 100.1) }' out; }

pictures photos 6 20 24
label_maps maps 6 20 24 4
for fit in crop cover squash tile; do
    tessera 0 "pack with $fit" pack photos --labels maps --size 10x8 --fit $fit -o $fit.h5
    check "the labels are counted ($fit)" grep -q 'label maps of 5 labels' out
    tessera 0 "info ($fit)" info $fit.h5
    check "info counts the labels ($fit)" grep -qx 'labels: 5' out
    check "info says where they come from ($fit)" grep -qx 'label rule: labels' out
    check "the shares are of the whole ($fit)" shares_sum
done
printf 'sky\nsea\nland\nships, small\nclouds\nmoon\n' >names
tessera 0 "pack with names" pack photos --labels maps --label-names names --size 10x8 -o named.h5
tessera 0 "info with names" info named.h5
check "the labels that are named are counted" grep -qx 'labels: 6' out
check "info names a label" grep -q '^label 3: ships, small, [0-9.]* %$' out
check "info names a label that does not occur" grep -q '^label 5: moon, 0.00 %$' out

# Images and label maps in one folder, as datasets with masks often come.
mkdir -p all/train all/test
pictures all/train/images 3 12 12
label_maps all/train/labels 3 12 12 4
pictures all/test/images 2 12 12
label_maps all/test/labels 2 12 12 3
tessera 0 "pack a folder that holds its label maps" pack all --labels all --size 12x12 -o all.h5
check "the label maps are no images" grep -q '5 images of 12x12x3 (3 train, 0 val, 2 test) from 5 files' out

tessera 0 "draw an image" info named.h5 --label-png look.png --image 5
check "the drawing is a picture" sh -c 'head -c 4 look.png | grep -q PNG'
tessera 0 "the drawing can be packed" pack look.png --size 64x64 --channels 3 --strict -o drawn.h5
refused 2 "--image is 6; named.h5 has the images 0..5" "draw an image that is not there" \
    info named.h5 --label-png x.png --image 6
refused 2 "is an input" "draw over the dataset" info named.h5 --label-png named.h5
refused 3 "drawn.h5: has no label maps" "draw without label maps" info drawn.h5 --label-png x.png
small_train named.h5 m.h5 --outer-steps 1
refused 2 "m.h5 is neither" "draw a model" info m.h5 --label-png x.png

printf 'sky\nsea\nland\nships\n' >four
refused 3 "maps/p0.pgm: has the label 4 at row 0, column 9; four names the labels 0..3" \
    "a label without a name" pack photos --labels maps --label-names four --size 10x8 -o x.h5
printf 'sky\n\nland\n' >gap
refused 3 "gap: line 2 is empty" "an unnamed label" \
    pack photos --labels maps --label-names gap --size 10x8 -o x.h5
cp -r maps odd
label_map odd/p2.pgm 20 23 4
refused 3 "odd/p2.pgm: is 20x23 (height x width); its image photos/p2.ppm is 20x24" \
    "a label map of another size" pack photos --labels odd --size 10x8 -o x.h5
cp photos/p2.ppm odd/p2.pnm && rm odd/p2.pgm
refused 3 "odd/p2.pnm: is in colour" "a label map in colour" pack photos --labels odd --size 10x8 -o x.h5
rm odd/p2.pnm
refused 3 "photos/p2.ppm: has no label map" "a missing label map" \
    pack photos --labels odd --size 10x8 -o x.h5
refused 3 "nothing" "a missing folder" pack photos --labels nothing --size 10x8 -o x.h5
refused 3 "is not a folder" "a file for a folder" pack photos --labels names --size 10x8 -o x.h5
refused 3 "nothing" "a missing file of names" \
    pack photos --labels maps --label-names nothing --size 10x8 -o x.h5
refused 2 "no label maps" "names without label maps" pack photos --label-names names --size 10x8 -o x.h5
check "nothing was written" test ! -e x.h5 -a ! -e x.png
no_leftovers "nothing half-written"

python=/usr/bin/python3
[ -x $python ] && $python -c 'import h5py, numpy' 2>/dev/null || python=python3
if ! $python -c 'import h5py, numpy' 2>/dev/null; then
    echo "skip what h5py reads and writes: there is no python3 with h5py and numpy"
    finish
    exit
fi
# With h5py and numpy: what was packed is the nearest label, and what they write is read.
check "h5py reads what numpy computes" $python - <<'PY'
import h5py, numpy as np
y, x = np.mgrid[:20, :24]
whole = 1 + (x // 3 + 2 * (y // 5)) % 4
rows = ((np.arange(10) + .5) * 2).astype(int)
squash = whole[rows][:, ((np.arange(8) + .5) * 3).astype(int)]
cover = whole[rows][:, (12 + (np.arange(8) + .5 - 4) * 2).astype(int)]
tiles = [whole[i:i + 10, j:j + 8] for i in (0, 10) for j in (0, 8, 16)]
want = dict(crop=[whole[5:15, 8:16]], cover=[cover], squash=[squash], tile=tiles)
for fit, maps in want.items():
    with h5py.File(fit + '.h5') as f:
        labels, images = f['labels'], f['images']
        assert labels.dtype == np.uint8 and labels.shape == images.shape[:3] and labels.chunks == (1, 10, 8), fit
        assert labels.compression == 'gzip' and labels.attrs['rule'] == b'labels' and labels.attrs['count'] == 5
        assert (labels[:] == np.stack(maps * 6)).all(), fit
with h5py.File('named.h5') as f:
    assert [name.decode() for name in f['labels'].attrs['label_names']] == ['sky', 'sea', 'land', 'ships, small', 'clouds', 'moon']
for name, kind, attrs in (('plain', np.int64, {}), ('counted', np.uint16, dict(count=np.uint8(9))),
                          ('fixed', np.uint8, dict(label_names=np.array([b'a', b'bc', b'd', b'e', b'f']))),
                          ('variable', np.int16, dict(label_names=['a', 'bc', 'd', 'e', 'f'], rule='by hand'))):
    with h5py.File(name + '.h5', 'w') as f:
        f['images'] = np.zeros((2, 20, 24, 3), np.uint8)
        f['labels'] = np.stack([whole, whole]).astype(kind)
        f['labels'].attrs.update(attrs)
with h5py.File('classes.h5', 'w') as f:
    f['images'], f['labels'] = np.zeros((2, 20, 24, 3), np.uint8), np.arange(2)
PY
for file in plain:5:#1 counted:9:#1 fixed:5:bc variable:5:bc; do
    name=${file%%:*} rest=${file#*:} count=${rest%%:*}
    label=${file##*:}
    tessera 0 "info of $name.h5" info $name.h5
    check "$name.h5 has $count labels" grep -qx "labels: $count" out
    check "$name.h5 names them" grep -q "^label 1: $label, 25" out
done
check "the rule is read" sh -c '"$TESSERA" info variable.h5 | grep -qx "label rule: by hand"'
tessera 0 "one class an image is no label map" info classes.h5
check "it is passed over" sh -c '! grep -q "^labels:" out'
tessera 0 "draw labels of others" info plain.h5 --label-png plain.png
finish
