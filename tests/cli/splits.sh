#!/bin/sh
# SPDX-License-Identifier: MIT
# Splits of datasets as they are distributed: what pack makes of them, and says.
. "$TSR_TESTS/cli/common.inc"

# packs TRAIN VAL TEST NAME ARGUMENTS...
packs() {
    counts="($1 train, $2 val, $3 test)" packs_name=$4; shift 4
    tessera 0 "$packs_name" pack --size 8x8 -o d.h5 --force "$@"
    if grep -qF "$counts" out; then pass "$packs_name: the splits"; else fail "$packs_name: the splits" "$(cat out err)"; fi
}
says() { # TEXT NAME
    if grep -qF -- "$1" out err; then pass "$2"; else fail "$2" "no \"$1\"" "$(cat out err)"; fi
}

# As Roboflow exports them.
pictures robo/train/images 5 8 8
pictures robo/valid/images 3 8 8
pictures robo/test/images 2 8 8
packs 5 3 2 "train, valid and test" robo
says "robo: the folders test, train and valid are splits" "which folders are splits is told"
packs 5 3 2 "folders as sources" robo/*
packs 5 3 2 "files as sources" robo/*/images/*
# As ADE20K and COCO are.
mkdir -p ade/images coco
cp -r robo/train ade/images/training && cp -r robo/valid ade/images/validation
cp -r robo/train coco/train2017 && cp -r robo/valid coco/val2017 && cp -r robo/test coco/unlabeled2017
packs 5 3 0 "training and validation" ade
packs 5 5 0 "folders of years" coco --split 0,1,0
says "2 of 10 images lie in none of the folders train2017 and val2017" "what lies beside them is told"
# Classes, one of them called train.
mkdir -p classes
cp -r robo/train classes/train && cp -r robo/valid classes/bus && cp -r robo/test classes/car
packs 0 0 10 "a class called train" classes --split 0,0,1
says "it is taken for a class, not for a split" "that it is a class is told"

# As VOC is, as Kaggle's CelebA is.
pictures voc/JPEGImages 6 8 8
mkdir -p voc/ImageSets
printf 'p0\np1\np2\n' >voc/ImageSets/train.txt
printf 'p3  1\np4 -1\np9  1\n' >voc/ImageSets/val.txt
packs 3 2 0 "lists of stems" voc --split-list train=voc/ImageSets/train.txt,val=voc/ImageSets/val.txt
says 'voc/ImageSets/val.txt: 1 of its 6 names are those of no image; the first is "p9", line 3' "a name of no image is told"
says "1 images that it does not name are left out; the first is voc/JPEGImages/p5.ppm" "an image that is not named is told"
says "passed over: .txt 2" "what is passed over is counted"
printf 'image_id,partition\r\np0.jpg,0\r\np1.jpg,0\r\np2.jpg,1\r\np3.jpg,2\r\n' >kaggle.csv
packs 2 1 1 "a table" voc --split-file kaggle.csv
refused 2 "it is train=F,val=F,test=F" "a list of nothing" pack voc --size 8x8 -o x.h5 --split-list voc/ImageSets/train.txt
refused 2 "it is train=F,val=F,test=F" "a split twice" pack voc --size 8x8 -o x.h5 --split-list train=kaggle.csv,train=kaggle.csv
refused 3 "gone.txt" "a list that is not there" pack voc --size 8x8 -o x.h5 --split-list train=gone.txt
refused 2 "is an input" "a list for output" pack voc --size 8x8 -o kaggle.csv --force --split-list val=kaggle.csv

# One file under two names, one picture in two files, of one split and of two.
pictures twice/train 4 8 8
pictures twice/test 2 8 8
cp twice/train/p0.ppm twice/train/same.ppm && cp twice/train/p1.ppm twice/test/leak.ppm
ln -s ../train/p2.ppm twice/test/link.ppm
packs 3 0 4 "copies" twice twice/train/p3.ppm
says "2 images are other names of files that are listed, too, such as twice/train/p2.ppm of twice/test/link.ppm" "a file listed twice is told"
says "copies of other images: 1, such as twice/train/same.ppm of twice/train/p0.ppm; they are of one split" "a copy is told"
says "images given to several splits: 1, such as twice/train/p1.ppm, which is twice/test/leak.ppm, too" "a copy in another split is told"
says "(3 train, 0 val, 4 test) from 8 files, 2 listed again, 1 copy, 1 left out that are in another split" "they are counted"
packs 6 0 4 "copies as they come" twice twice/train/p3.ppm --keep-copies

# A folder that cannot be listed: root may list all, unless it is somebody else.
as=
[ "$(id -u)" -ne 0 ] || as="setpriv --reuid=65534 --regid=65534 --clear-groups"
mkdir -p disk/lost+found out.d && pictures disk 3 8 8 && chmod 755 . && chmod 777 out.d && chmod 0 disk/lost+found
if $as test -x "$TESSERA" -a -r disk/p0.ppm 2>/dev/null; then
    $as "$TESSERA" pack disk --size 8x8 -o out.d/d.h5 >out 2>err
    check "the rest is packed" grep -q '3 images' out
    says "skipped disk/lost+found: cannot be listed: " "a folder that cannot be listed is named"
    says "1 folders that cannot be listed" "and counted"
    $as "$TESSERA" pack disk --size 8x8 -o out.d/s.h5 --strict >out 2>err
    check "and fatal where it is strict" grep -q 'disk/lost+found: cannot be listed' err
else
    echo "skip a folder that cannot be listed: no other user to be"
fi
chmod 755 disk/lost+found
no_leftovers "nothing is left"
finish
