#!/bin/sh
# SPDX-License-Identifier: MIT
# Label maps: packed with their images, shown and drawn by info, refused when they do not fit.
. "$TSR_TESTS/cli/common.inc"

find_python sys

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
refused 3 "photos/p2.ppm: has no label map (1 of 6 images have none)" "a missing label map" \
    pack photos --labels odd --size 10x8 -o x.h5 --strict
tessera 0 "images without label maps" pack photos --labels odd --size 10x8 -o fewer.h5
check "are left out" grep -q '^fewer.h5: 5 images .* from 5 files, .* 1 without a label map' out
check "and told" grep -q '1 of 6 images have no label map and are left out; the first is photos/p2.ppm' err
refused 3 "nothing" "a missing folder" pack photos --labels nothing --size 10x8 -o x.h5
refused 3 "is not a folder" "a file for a folder" pack photos --labels names --size 10x8 -o x.h5
refused 3 "nothing" "a missing file of names" \
    pack photos --labels maps --label-names nothing --size 10x8 -o x.h5
refused 2 "no label maps" "names without label maps" pack photos --label-names names --size 10x8 -o x.h5

# Values that are no labels: masks, borders, what the file's type has for -1; other sizes; suffixes.
$python - <<'PY'
import zlib, struct
def png(path, rows, bits=8):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    wide = '>%dH' if bits == 16 else '>%dB'
    data = b''.join(b'\0' + struct.pack(wide % len(r), *r) for r in rows)
    with open(path, 'wb') as f:
        f.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', len(rows[0]), len(rows), bits, 0, 0, 0, 0))
                + chunk(b'IDAT', zlib.compress(data)) + chunk(b'IEND', b''))
import os
for folder in 'mask', 'voc', 'wide', 'half', 'city':
    os.makedirs(folder)
for i in range(6):
    rows = [[(x // 3 + y // 5 + i) % 4 for x in range(24)] for y in range(20)]
    png(f'mask/p{i}.png', [[255 * (v > 1) for v in r] for r in rows])
    png(f'voc/p{i}.png', [[255 if v == 3 else v for v in r] for r in rows])
    png(f'wide/p{i}.png', [[65535 if v == 3 else v for v in r] for r in rows], 16)
    png(f'half/p{i}.png', [r[::2] for r in rows[::2]])
    png(f'city/p{i}_gtFine_labelIds.png', rows)
    png(f'city/p{i}_gtFine_color.png', [[9] * 24] * 20)
PY
labels() { # FILE: count, names, and all maps, one line each
    $python -c '
import h5py, sys
f = h5py.File(sys.argv[1])["labels"]
print(f.attrs["count"], *[n.decode() for n in f.attrs["label_names"]], f.attrs.get("void", ""))
print(f[:].tolist())' "$1"
}
is() { [ "$(labels "$1" | head -n 1)" = "$2" ]; }
pack="pack photos --size 20x24 --fit crop"
refused 3 "mask/p0.png: is a mask of the values 0 and 255; --label-values 0,255" "a mask" $pack --labels mask -o x.h5
tessera 0 "its values" $pack --labels mask --label-values 0,255 -o mask.h5
check "are two labels" is mask.h5 '2 0 1 '
refused 3 "has the value 255 at row 0, column 6, which is none of the 1" "a value that is not named" \
    $pack --labels mask --label-values 0 -o x.h5
refused 3 "voc/p0.png: has 255 beside labels below 128; --ignore-label 255" "borders" $pack --labels voc -o x.h5
printf 'sky\nsea\nland\n' >three
refused 3 "three names the labels 0..2; --ignore-label 255 gives" "borders beside names" \
    $pack --labels voc --label-names three -o x.h5
tessera 0 "borders that are ignored" $pack --labels voc --label-names three --ignore-label 255 -o voc.h5
check "are void" is voc.h5 '4 sky sea land void 3'
tessera 0 "without names" $pack --labels voc --ignore-label 255 -o plain.h5
check "the largest is found" is plain.h5 '4 0 1 2 void 3'
tessera 0 "-1 of 16 bits" $pack --labels wide --ignore-label -1 -o wide.h5
tessera 0 "-1 of 8 bits" $pack --labels voc --ignore-label -1 -o minus.h5
check "is the largest value" sh -c '[ "$1" = "$2" ] && [ "$1" = "$3" ]' - "$(labels plain.h5)" "$(labels wide.h5)" "$(labels minus.h5)"
tessera 0 "training on them" train voc.h5 -o void.h5 --labels --slots per-class --width 8 --outer-steps 2 --batch 1 --quiet
tessera 0 "and evaluation" eval void.h5 voc.h5 --split all --json void.json
check "void is a region of its own, and no class" sh -c 'grep -q "\"void\": *true" void.json && ! grep -q "\"class\": *\"void\"" void.json'
tessera 0 "and info" info voc.h5
check "tells the classes" grep -qx 'labels: 3' out
check "and void apart" grep -q '^void: [0-9.]* %$' out

# Models trained on data with void and without, with maps that have it and that do not.
label_maps two-labels 6 20 24 2
tessera 0 "data without void" $pack --labels two-labels --label-names three -o sane.h5
quick="--labels --width 8 --hidden-layers 1 --outer-steps 2 --batch 1 --val-images 1 --quiet"
tessera 0 "a model of one slot without void" train sane.h5 -o shared.h5 $quick
tessera 0 "a slot for each class without void" train sane.h5 -o classes.h5 $quick --slots per-class
tessera 0 "info of a model with void" info void.h5
check "tells it" grep -q '^partition: labels, n_regions 4, last_region void' out
for model in shared classes void; do
    for data in voc sane; do
        tessera 0 "$model.h5 on $data.h5" eval $model.h5 $data.h5 --split all --by-region --csv $model-$data.csv
        case $model-$data in
        classes-voc) check "says where void counts" grep -q 'no weights for pixels of no class: each gets the class of the nearest' err ;;
        *) check "needs no word" sh -c '! grep -q "no weights" err' ;;
        esac
    done
done
row() { awk -F, -v c="$2" '$4 == c { print $9 "," $10 }' "$1"; }
same_pixels() { [ -n "$(row shared-voc.csv sky)" ] && [ "$(row shared-voc.csv sky)" = "$(row void-voc.csv sky)" ] && [ "$(row classes-voc.csv sky)" != "$(row void-voc.csv sky)" ]; }
check "classes are measured without void" same_pixels
check "which has a row of its own" sh -c 'grep -q ",(void)," void-voc.csv && grep -q ",(void)," shared-voc.csv && ! grep -q ",(void)," classes-voc.csv'
check "also where the data have none" sh -c 'grep -q "^model,3,3,(void),,,,,0," void-sane.csv'
tessera 0 "void that eval is told of" eval shared.h5 sane.h5 --split all --ignore-label 1 --csv told.csv
check "is no class" sh -c 'grep -q ",(void)," told.csv && grep -q "^model,1,0,[^,]*,,,,,0," told.csv'
same_regions() {
    for i in one two; do "$TESSERA" info $i.inr.h5 --label-png $i.png --force >/dev/null || return 1; done
    cmp one.png two.png
}
for command in 'adapt void.h5' 'adapt shared.h5' 'adapt classes.h5' 'fit --init void.h5 --iterations 2' 'fit --iterations 2 --width 8'; do
    case $command in adapt*) args="$command photos/p0.ppm" ;; *) args="fit photos/p0.ppm ${command#fit }" ;; esac
    tessera 0 "$command, 255 ignored" $args --label-map voc/p0.png --ignore-label 255 -o one.inr.h5 --force
    tessera 0 "and -1" $args --label-map voc/p0.png --ignore-label -1 -o two.inr.h5 --force
    check "has the same regions" same_regions
done
refused 3 "voc/p0.png: the label map has the label 255; the model knows 0 to 3; --ignore-label 255" "255 as a class" \
    adapt void.h5 photos/p0.ppm --label-map voc/p0.png -o x.h5
refused 3 "half/p0.png: is 10x12 (height x width); its image photos/p0.ppm is 20x24; --labels-fit" "half the size" $pack --labels half -o x.h5
tessera 0 "half the size, scaled" $pack --labels half --labels-fit -o half.h5
tessera 0 "suffixes" $pack --labels city --label-suffix _gtFine_labelIds.png -o city.h5
check "one class for each label" is city.h5 '4 0 1 2 3 '
double() { [ "$($python -c '
import h5py, numpy as np
half, city = (h5py.File(n)["labels"][:] for n in ("half.h5", "city.h5"))
print((half == city[:, ::2, ::2].repeat(2, 1).repeat(2, 2)).all())')" = True ]; }
check "scaled to the nearest pixel" double
refused 2 "--ignore-label: \"void\" is not a list of up to 16 numbers -1..65535" "no number" $pack --labels voc --ignore-label void -o x.h5
refused 2 "but no label maps" "values of no maps" $pack --label-values 0,255 -o x.h5

# CelebAMask-HQ: one mask for each part, numbers with zeros before them, twice the size.
mkdir -p hq/CelebA-HQ-img hq/CelebAMask-HQ-mask-anno/0
for i in 0 1 2; do picture hq/CelebA-HQ-img/$i.ppm 8 8 $i; done
for part in skin hair l_eye neck_l neck; do
    for i in 0 1; do
        awk -v p=$part -v i=$i 'BEGIN {
            printf "P5\n16 16\n255\n"
            for (y = 0; y < 16; y++) for (x = 0; x < 16; x++) {
                on = p == "skin" ? x >= 2 : p == "hair" ? y < 4 : p == "l_eye" ? x > 5 && x < 10 && y > 7 && y < 12 : p == "neck" ? y > 13 : y > 11 && x < 6
                printf "%c", on ? 255 : 0
            } }' >hq/CelebAMask-HQ-mask-anno/0/0000${i}_$part.pgm
    done
done
tessera 0 "masks of parts" pack hq --size 8x8 --labels hq/CelebAMask-HQ-mask-anno --labels-fit \
    --label-parts "$TSR_TESTS/../share/celebamask-hq.txt" -o hq.h5
check "an image without masks is left out" grep -q '^hq.h5: 2 images .* label maps of 19 labels, 1 without a label map' out
composed() { [ "$($python -c '
import h5py, numpy as np
f = h5py.File("hq.h5")["labels"]
names = [n.decode() for n in f.attrs["label_names"]]
y, x = np.mgrid[0:16, 0:16]
want = np.zeros((16, 16), int)
for name, on in (("skin", x >= 2), ("l_eye", (x > 5) & (x < 10) & (y > 7) & (y < 12)), ("hair", y < 4),
                 ("neck_l", (y > 11) & (x < 6)), ("neck", y > 13)):
    want[on] = names.index(name)
print((f[0] == want[1::2, 1::2]).all() and (f[1] == f[0]).all())')" = True ]; }
check "and the others are composed, later parts above" composed
refused 3 "has no label map: no 0_cloth.png or of another part in maps" "parts that are not there" \
    pack hq/CelebA-HQ-img --size 8x8 --labels maps --label-parts "$TSR_TESTS/../share/celebamask-hq.txt" -o x.h5

# In an archive.
if $python -c 'import zipfile' 2>/dev/null; then
    $python - <<'PY'
import os, tarfile, zipfile
with zipfile.ZipFile('both.zip', 'w') as z, tarfile.open('both.tgz', 'w:gz') as t:
    for folder, names in ('voc', sorted(os.listdir('voc'), reverse=True)), ('photos', sorted(os.listdir('photos'))):
        for name in names:
            z.write(f'{folder}/{name}')
            t.add(f'{folder}/{name}')
    z.write('three', 'names/three.txt')
PY
    tessera 0 "label maps in an archive" pack both.zip --size 20x24 --labels both.zip/voc --label-names both.zip/names/three.txt --ignore-label 255 -o zip.h5
    check "are those of the folder" sh -c '[ "$1" = "$2" ]' - "$(labels zip.h5)" "$(labels voc.h5)"
    if ! "$TESSERA" version | grep -q 'archives: zip; others: none'; then
        tessera 0 "in a stream" pack both.tgz --size 20x24 --labels both.tgz/voc --label-names three --ignore-label 255 -o tgz.h5
        check "in any order" sh -c '[ "$1" = "$2" ]' - "$(labels tgz.h5)" "$(labels voc.h5)"
        refused 2 "is read only once" "whose labels would have to be counted" pack both.tgz --size 20x24 --labels both.tgz/voc --ignore-label 255 -o x.h5
    fi
fi
check "nothing was written" test ! -e x.h5 -a ! -e x.png
no_leftovers "nothing half-written"

if ! find_python 'h5py, numpy'; then
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

# Label maps of others, read in place: 255 and -1, which nobody explains and the option does.
check "h5py writes 255 and -1" $python - <<'PY'
import h5py, numpy as np
y, x = np.mgrid[:20, :24]
whole = (x // 3 + 2 * (y // 5)) % 4
for name, value, kind in (('of255', 255, 'u1'), ('of-1', -1, '>i4')):
    with h5py.File(name + '.h5', 'w') as f:
        f['images'] = np.full((2, 20, 24, 3), 9, np.uint8)
        f['labels'] = np.stack([np.where(whole == 3, value, whole)] * 2).astype(kind)
PY
refused 2 "of255.h5: its label maps have 255 beside labels below 128; --ignore-label 255" "255 that nobody explains" \
    train of255.h5 -o x.h5 $quick
refused 3 "of-1.h5: /labels has -1 at row 0, column 9 of image 0 (#0); --ignore-label -1" "-1 that nobody explains" \
    train of-1.h5 -o x.h5 $quick
for value in 255 -1; do
    tessera 0 "info with $value ignored" info of$value.h5 --ignore-label $value
    check "has three labels ($value)" grep -qx 'labels: 3' out
    check "and void ($value)" grep -qx 'void: 25.00 %' out
    tessera 0 "training with $value ignored" train of$value.h5 -o m$value.h5 $quick --slots per-class --ignore-label $value
    tessera 0 "and evaluation" eval m$value.h5 of$value.h5 --ignore-label $value --csv of$value.csv
    check "name void apart ($value)" grep -q '^model,3,3,(void),' of$value.csv
done
check "they are the same data" cmp of255.csv of-1.csv
finish
