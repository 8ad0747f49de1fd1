#!/bin/sh
# SPDX-License-Identifier: MIT
# Input files that are not what they should be (exit 3), outputs that cannot be written (exit 1).
. "$TSR_TESTS/cli/common.inc"
sample=$TSR_TESTS/../data/sample

small_dataset d.h5
small_train d.h5 m.h5 --outer-steps 2
"$TESSERA" adapt m.h5 photos/p0.ppm -o f.inr.h5 >/dev/null 2>&1
echo "this is text" >text
echo "this is text" >text.jpg
: >empty.h5
head -c 3000 d.h5 >cut.h5
head -c 3000 m.h5 >cutmodel.h5
head -c 2000 f.inr.h5 >cut.inr.h5
head -c 5000 "$sample/test/cat.jpg" >cut.jpg
mkdir folder

refused 3 "nothing" "missing source" pack nothing -o x.h5 --size 8x8
refused 3 "no image found" "folder without images" pack folder -o x.h5 --size 8x8
refused 3 "nothing" "missing split file" pack photos -o x.h5 --size 8x8 --split-file nothing
echo "p0.ppm 7" >split.txt
refused 3 "split" "bad split file" pack photos -o x.h5 --size 8x8 --split-file split.txt
refused 3 "text.jpg" "no image" pack text.jpg -o x.h5 --size 8x8 --strict
refused 3 "cut.jpg" "truncated JPEG" pack cut.jpg -o x.h5 --size 8x8 --strict
tessera 0 "truncated JPEG among images" pack cut.jpg photos/p0.ppm -o skip.h5 --size 8x8
check "the truncated JPEG is named" grep -q 'skipped cut.jpg' err
check "the skipped file is counted" grep -q '1 skipped' out
refused 3 "cut.jpg" "adapt to a truncated JPEG" adapt m.h5 cut.jpg -o x.inr.h5
refused 3 "text" "adapt to text" adapt m.h5 text -o x.inr.h5
refused 3 "nothing.png" "adapt to a missing image" adapt m.h5 nothing.png -o x.inr.h5
tessera 1 "adapt leaves bad images out" adapt m.h5 cut.jpg photos/p0.ppm nothing.png photos/p1.ppm -o many
check "the first is named" grep -q 'cut.jpg.*; left out' err
check "the last, too" grep -q 'nothing.png.*; left out' err
check "they are counted, and named again" grep -q '2 of 4 images were left out: cut.jpg, nothing.png' err
check "the others are there" test "$(ls many | tr '\n' ' ')" = 'p0.inr.h5 p1.inr.h5 '
rm -r many
refused 3 "nothing.h5" "no model" adapt nothing.h5 photos/p0.ppm photos/p1.ppm -o many
check "adapt left no folder" test ! -e many

for file in nothing.h5 text empty.h5 cut.h5 folder; do
    refused 3 "$file" "train on $file" train "$file" -o x.h5 --outer-steps 1
    refused 3 "$file" "eval on $file" eval m.h5 "$file"
    refused 3 "$file" "info of $file" info "$file"
done
for file in nothing.h5 text cutmodel.h5 d.h5 f.inr.h5; do
    refused 3 "$file" "eval of $file" eval "$file" d.h5
    refused 3 "$file" "resume $file" train d.h5 --resume "$file"
    refused 3 "$file" "init from $file" train d.h5 -o x.h5 --outer-steps 1 --init "$file"
    refused 3 "$file" "adapt $file" adapt "$file" photos/p0.ppm -o x.inr.h5
done
for file in nothing.h5 text cut.inr.h5 d.h5 m.h5; do
    refused 3 "$file" "render $file" render "$file" -o x.png
done
refused 3 "expected a" "train on a model" train m.h5 -o x.h5 --outer-steps 1

"$TESSERA" pack photos -o grey.h5 --size 16x16 --channels 1 --quiet >/dev/null
"$TESSERA" pack photos -o seven.h5 --size 7x7 --quiet >/dev/null
refused 3 "channels" "model and dataset of other channels" eval m.h5 grey.h5
refused 3 "channels" "resume with other channels" train grey.h5 --resume m.h5 --outer-steps 4
refused 2 "grid" "more rows than pixels" eval m.h5 seven.h5 --split all --grid 9x9
small_train d.h5 slots.h5 --outer-steps=1 --slots=per-region
refused 2 "shared slot" "another partition of per-region slots" eval slots.h5 d.h5 --grid 3x3
refused 3 "initial model: out_dim" "init from a network of other channels" train grey.h5 -o x.h5 \
    --outer-steps 1 --init m.h5

refused 2 "folder is a folder" "output is a folder" pack photos -o folder --size 8x8
refused 1 "no/such" "output in a missing folder: pack" pack photos -o no/such.h5 --size 8x8
refused 1 "no/such" "output in a missing folder: train" train d.h5 -o no/such.h5 --outer-steps 1
refused 1 "no/such" "output in a missing folder: adapt" adapt m.h5 photos/p0.ppm -o no/such.h5
refused 1 "no/such" "output in a missing folder: render" render f.inr.h5 -o no/such.png
refused 1 "no/such" "output in a missing folder: eval" eval m.h5 d.h5 --json no/such.json
refused 2 "is an input" "train over its dataset" train d.h5 -o d.h5 --outer-steps 1
refused 2 "is an input" "adapt over its model" adapt m.h5 photos/p0.ppm -o m.h5
refused 2 "is given twice" "an image twice" adapt m.h5 photos/p0.ppm ./photos/p0.ppm -o many
tessera 0 "the files are still good" eval m.h5 d.h5
check "nothing was written" test ! -e x.h5 -a ! -e x.inr.h5 -a ! -e x.png
no_leftovers "nothing half-written"
finish
