#!/bin/sh
# SPDX-License-Identifier: MIT
# Label maps in arrays beside images in arrays; label maps that nobody asked for are told.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'h5py, numpy'; then
    echo "skip label maps in arrays: there is no python3 with h5py and numpy"
    exit
fi
same() { $python "$TSR_TESTS/cli/label_arrays.py" same "$@"; }
sheet() { [ "$($python "$TSR_TESTS/cli/label_arrays.py" sheet "$1")" = "$2" ]; }
check "h5py and numpy write" $python "$TSR_TESTS/cli/label_arrays.py" make

for file in of_i1 of_i2 of_i4 of_i8 of_u1 of_u2 of_f8 nhw1 n1hw hwn matlab; do
    tessera 0 "$file" pack $file.h5 --images images --label-array masks -o d.h5 --force
    check "$file has the label maps" same d.h5
done
for file in minus_i1 minus_i2 minus_i4 minus_i8; do
    tessera 0 "$file" pack $file.h5 --label-array masks --ignore-label -1 -o d.h5 --force
    check "$file has them, with void" same d.h5 void
done
refused 3 "minus_i2.h5/masks#0: has the value -1 at row 0, column 9; --ignore-label -1" "-1 that nobody explains" \
    pack minus_i2.h5 --label-array masks -o x.h5
tessera 0 "parts of two splits" pack parts.h5 --images x_train,x_test --label-array y_train,y_test -o parts-d.h5
check "have theirs" same parts-d.h5
refused 3 "y_test#0 would be the label map of parts.h5/x_train#0" "parts in another order" \
    pack parts.h5 --images x_train,x_test --label-array y_test,y_train -o x.h5
tessera 0 "groups" pack group.h5 --images photos --label-array masks --size 12x16 -o group-d.h5
check "have theirs" same group-d.h5
tessera 0 ".npz" pack all.npz --label-array masks -o npz.h5
check "has its own" same npz.h5
tessera 0 "another file" pack images.npy --labels masks.npy -o npy.h5
check "has them" same npy.h5
tessera 0 "in Fortran order" pack images.npy --labels fortran.npy -o fortran.h5
check "has the same" same fortran.h5
tessera 0 "an array in another file" pack plain.h5 --labels of_u1.h5 --label-array masks -o other.h5
check "has them, too" same other.h5
refused 3 "half.h5/masks#0: is 6x8 (height x width); its image half.h5/images#0 is 12x16; --labels-fit" "half the size" \
    pack half.h5 --label-array masks -o x.h5
tessera 0 "half the size, scaled" pack half.h5 --label-array masks --labels-fit -o d.h5 --force
refused 3 "mask.h5/masks#0: is a mask of the values 0 and 255" "a mask" pack mask.h5 --label-array masks -o x.h5
tessera 0 "its values" pack mask.h5 --label-array masks --label-values 0,255 -o mask-d.h5
check "are two labels" sheet mask-d.h5 "2 - labels 0 1"
refused 3 "few.h5: /masks has shape [5,12,16]; label maps of these 6 images of 12x16" "too few" pack few.h5 --label-array masks -o x.h5
refused 3 "label maps of these 6 images" "in colour" pack colour.h5 --label-array masks -o x.h5
refused 3 "has the value 0.5 at row 0, column 0; labels are whole numbers" "no labels" pack broken.h5 --label-array masks -o x.h5
refused 3 "/nothing is missing; there is /images uint8 [6,12,16,3]" "no such array" pack few.h5 --label-array nothing -o x.h5
tessera 0 "an image in a file" pack images.npy -o plain-npy.h5
pictures photos 2 12 16
refused 2 "label maps in arrays are for images in arrays" "images in files" pack photos --size 12x16 --labels masks.npy -o x.h5

# What nobody asks for.
tessera 0 "an array beside the images" pack of_u1.h5 -o d.h5 --force
check "is told" grep -q 'of_u1.h5: what may be label maps is left out: masks (--label-array NAME)' err
tessera 0 "and in .npz" pack all.npz -o d.h5 --force
check "is told, too" grep -q 'all.npz: what may be label maps is left out: masks (--label-array NAME)' err
tessera 0 "a dataset's own" pack dataset.h5 -o own.h5
check "are kept" same own.h5 void
check "with names and void" sheet own.h5 "4 3 labels sky sea land void"
tessera 0 "packed once more" pack own.h5 -o again.h5
check "they are the same" same again.h5 void
tessera 0 "cut" pack own.h5 --size 6x8 -o cut.h5
check "with names" sheet cut.h5 "4 3 labels sky sea land void"
tessera 0 "of a file of others" pack foreign.h5 -o d.h5 --force
check "they are kept, too" same d.h5
tessera 0 "where images are asked for" pack own.h5 --images images -o d.h5 --force
check "they are left out, and told" grep -q 'own.h5: its label maps are left out (--label-array labels)' err
tessera 0 "datasets with and without" pack own.h5 plain.h5 -o d.h5 --force
check "have none" grep -q 'own.h5: its label maps are left out' err
tessera 0 "a segmentation" pack plain.h5 --size 12x16 --segment 3 -o segments.h5
tessera 0 "is kept" pack segments.h5 -o d.h5 --force
check "as one" sheet d.h5 "3 - segment 3 color"
tessera 0 "cut, it is none" pack segments.h5 --size 8x8 -o d.h5 --force
check "and left out" grep -q '"segment 3 color" has found them in images of another size' err
if [ -e d.h5 ]; then check "of the file" sh -c '! "$TESSERA" info d.h5 | grep -q "^labels:"'; fi

# Files that are called like label maps.
mkdir -p pairs/images pairs/masks beside apart/photos apart/SegmentationClass
for i in 0 1 2; do
    picture pairs/images/$i.ppm 12 16 $i
    picture pairs/masks/$i.pgm 12 16 $i
    picture beside/p$i.ppm 12 16 $i
    picture beside/p${i}_mask.pgm 12 16 $i
    picture apart/photos/$i.ppm 12 16 $i
    picture apart/SegmentationClass/$i.pgm 12 16 $i
done
tessera 0 "images and masks" pack pairs --size 8x8 -o d.h5 --force
check "are told apart" grep -q 'warning: 3 of 6 files are called like label maps of others (the first is pairs/masks/0.pgm) and are packed as images; --labels pairs/masks takes' err
tessera 0 "masks by their suffix" pack beside --size 8x8 -o d.h5 --force
check "are told" grep -q '(the first is beside/p0_mask.pgm) and are packed as images; --labels beside --label-suffix _mask.pgm takes' err
tessera 0 "a folder beside the source" pack apart/photos --size 8x8 -o d.h5 --force
check "is told" grep -q '3 files in apart/SegmentationClass are called like the images; --labels apart/SegmentationClass takes' err
tessera 0 "pictures alone" pack photos --size 8x8 -o d.h5 --force
check "need no word" sh -c '! grep -q "label" err'
check "nothing was written" test ! -e x.h5
no_leftovers "nothing half-written"
finish
