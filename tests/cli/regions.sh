#!/bin/sh
# SPDX-License-Identifier: MIT
# Regions that follow the image and regions that overlap, on the sample photos: pack, train, eval,
# adapt, render, fit and info, and what they refuse.
. "$TSR_TESTS/cli/common.inc"

sample=$TSR_TESTS/../data/sample
cat=$sample/test/cat.jpg
picture p.ppm 30 40 1
network="--width 8 --hidden-layers 1"
quick="$network --batch 2 --outer-steps 6 --warmup 2 --val-images 2 --quiet"
# label_map FILE HEIGHT WIDTH LARGEST: labels 1..LARGEST in blocks, as binary PGM
label_map() {
    awk -v h="$2" -v w="$3" -v n="$4" 'BEGIN {
        printf "P5\n%d %d\n255\n", w, h
        for (y = 0; y < h; y++) for (x = 0; x < w; x++)
            printf "%c", 1 + (int(x / 9) + 2 * int(y / 8)) % n
    }' >"$1"
}
value() { awk -F '\t' -v name="$1" '$1 == name { print $2 }' out; }
differ() { ! cmp -s "$1" "$2"; }

# ---- segments ------------------------------------------------------------------------------------
tessera 0 "pack segments" pack "$sample" --size 40x48 --segment 4 -o s.h5
tessera 0 "info of them" info s.h5
check "their rule" grep -qx 'label rule: segment 4 color' out
tessera 0 "pack without them" pack "$sample" --size 40x48 -o p.h5
for slots in shared per-region; do
    tessera 0 "train on stored segments, $slots" train s.h5 -o $slots.h5 --segment 4 --slots $slots $quick
    tessera 0 "train on computed ones, $slots" train p.h5 -o again.h5 --force --segment 4 --slots $slots $quick
    "$TESSERA" eval $slots.h5 p.h5 --split test --json - --quiet | grep -v '"model"\|seconds' >one
    "$TESSERA" eval again.h5 s.h5 --split test --json - --quiet | grep -v '"model"\|seconds' >two
    sed -i 's/p\.h5/s.h5/' one
    check "stored and computed segments are the same, $slots" cmp one two
    tessera 0 "info of the model, $slots" info $slots.h5
    check "its rule" grep -q '^partition: segment 4, merge color' out
done
check "its anchors" grep -q '^anchors: 4,' out
tessera 0 "resume" train s.h5 --resume per-region.h5 --outer-steps 8 --quiet
tessera 0 "train with overlap, by area" train p.h5 -o area.h5 --segment 3 --merge area --overlap 2 $quick
tessera 0 "info of it" info area.h5
check "rule and overlap" grep -q '^partition: segment 3, merge area, overlap 2' out
tessera 0 "adapt a photo" adapt area.h5 "$cat" -o photo.inr.h5
tessera 0 "eval of it" eval area.h5 p.h5 --split test
check "it is adapted as it was trained" test "$(value params_per_image)" = $((3 * (3 * 8 + 9 * 8 + 9 * 3)))

# ---- another partition at test time -----------------------------------------------------------------
for rule in "--grid 2x3" "--segment 6 --merge area" "--whole" "--overlap 3" "--cell 16x16 --overlap 1"; do
    # shellcheck disable=SC2086
    tessera 0 "eval $rule" eval shared.h5 p.h5 --split test $rule
    check "all images ($rule)" test "$(value images)" = 5
    check "it learns ($rule)" awk -F '\t' '$1 == "0" { a = $2 } $1 == "3" { b = $2 } END { exit !(b > a) }' out
    # shellcheck disable=SC2086
    tessera 0 "adapt $rule" adapt shared.h5 p.ppm -o a.inr.h5 --png --force $rule
    tessera 0 "render ($rule)" render a.inr.h5 -o a1.png --force
    check "the picture is the reconstruction ($rule)" cmp a.png a1.png
    tessera 0 "render at twice the size ($rule)" render a.inr.h5 -o a2.png --force --scale 2 --threads 1
    "$TESSERA" render a.inr.h5 -o a3.png --force --scale 2 --threads 2 >/dev/null
    check "1 and 2 threads ($rule)" cmp a2.png a3.png
    tessera 0 "draw the regions ($rule)" info a.inr.h5 --label-png look.png --force
    check "the drawing is a picture ($rule)" sh -c 'head -c 4 look.png | grep -q PNG'
done
check "info tells the rule" grep -q '^partition: cell 16x16, overlap 1' out
check "info tells the overlap" grep -qx 'overlap: 1 pixels' out
tessera 0 "eval of per-region slots with overlap" eval per-region.h5 p.h5 --split test --overlap 2
tessera 0 "several images" adapt per-region.h5 "$cat" "$sample/test/pagoda.jpg" -o folder/
tessera 0 "one of them" info folder/pagoda.inr.h5
check "has its regions" grep -qx 'regions: 4' out

# ---- label maps ---------------------------------------------------------------------------------------
label_map cat.pgm 300 451 4
tessera 0 "adapt to a label map" adapt shared.h5 "$cat" -o l.inr.h5 --label-map cat.pgm --overlap 1
tessera 0 "info of the INR" info l.inr.h5
check "one class more than the largest label" grep -q '^partition: labels, n_regions 5, overlap 1' out
check "class 0 does not occur" grep -qx 'regions without pixels: 1' out
tessera 0 "render it" render l.inr.h5 -o l.png --scale 0.5
tessera 0 "draw it" info l.inr.h5 --label-png look.png --force
pictures photos 8 40 48
mkdir maps
for i in 0 1 2 3 4 5 6 7; do label_map maps/p$i.pgm 40 48 3; done
tessera 0 "pack classes" pack photos --labels maps --size 40x48 --split 0.5,0.25,0.25 -o c.h5
tessera 0 "train on classes" train c.h5 -o class.h5 --labels --slots per-class $quick
tessera 0 "info of the model" info class.h5
check "a slot for each class" grep -qx 'slots: 4' out
tessera 0 "eval on classes" eval class.h5 c.h5 --split test
check "class 0 costs nothing" test "$(value params_per_image)" = $((3 * (3 * 8 + 9 * 8 + 9 * 3)))
tessera 0 "adapt to classes" adapt class.h5 photos/p0.ppm -o k.inr.h5 --label-map maps/p0.pgm
tessera 0 "eval of a shared slot on classes" eval shared.h5 c.h5 --split test --labels

# ---- fit ----------------------------------------------------------------------------------------------
label_map p.pgm 30 40 3
small="$network --omega-first 10 --lr 0.003 --iterations 12"
for rule in "--segment 4 --merge area" "--grid 2x2 --overlap 2" "--label-map p.pgm" "--label-map p.pgm --overlap 3"; do
    # shellcheck disable=SC2086
    tessera 0 "fit $rule" fit p.ppm -o f.inr.h5 --force $small --png f.png $rule
    tessera 0 "info ($rule)" info f.inr.h5
    check "four regions ($rule)" grep -qx 'regions: 4' out
    tessera 0 "render what was fitted ($rule)" render f.inr.h5 -o g.png --force
    check "the picture is the fit's ($rule)" cmp f.png g.png
done
tessera 0 "fit from a model, other segments" fit p.ppm -o f.inr.h5 --force --init shared.h5 --segment 5 --iterations 3
tessera 0 "fit without overlap" fit p.ppm -o f.inr.h5 --force $small --grid 2x2 --png h.png
check "overlap shows" differ f.png h.png

# ---- refusals -----------------------------------------------------------------------------------------
refused 2 "exclude each other" "two rules" train p.h5 -o n --outer-steps 1 --segment 4 --grid 2x2
refused 2 "exclude each other" "a rule and a label map" adapt shared.h5 "$cat" -o n --segment 4 --label-map cat.pgm
refused 2 "exclude each other" "labels and the whole" eval shared.h5 c.h5 --labels --whole
refused 2 "exclude each other" "labels and segments" pack photos --size 8x8 -o n --labels maps --segment 4
for command in "train p.h5 -o n --outer-steps 1" "eval shared.h5 p.h5" "adapt shared.h5 p.ppm -o n" \
    "fit p.ppm -o n" "pack photos --size 8x8 -o n"; do
    # shellcheck disable=SC2086
    refused 2 "for --segment" "--merge alone: ${command%% *}" \
        $command --merge area
done
refused 3 "p.pgm: the label map has 30x40 pixels, its image 300x451" "a label map of another size" \
    adapt shared.h5 "$cat" -o n --label-map p.pgm
refused 3 "cat.pgm: the label map has 300x451 pixels, its image 30x40" "fit to one" \
    fit p.ppm -o n --label-map cat.pgm
refused 2 "--label-map is the map of one image; 2 images are given" "a label map of two images" \
    adapt shared.h5 p.ppm "$cat" -o n/ --label-map p.pgm
refused 3 "nowhere.pgm" "no label map" adapt shared.h5 p.ppm -o n --label-map nowhere.pgm
label_map many.pgm 30 40 7
refused 3 "many.pgm: the label map has the label 7; the model knows 0 to 3" "a class that the model does not know" \
    adapt class.h5 p.ppm -o n --label-map many.pgm
refused 2 "the image has no label map" "classes without a map" adapt class.h5 p.ppm -o n
refused 2 "the image has no label map" "fit to none" fit p.ppm -o n --labels
refused 2 "slots per-class need the rule labels, not segment" "classes of segments" \
    train s.h5 -o n --segment 4 --slots per-class --outer-steps 1
refused 2 "its slots are per-class or shared" "regions of classes" \
    train c.h5 -o n --labels --slots per-region --outer-steps 1
refused 2 "p.h5 has no label maps; the rule labels needs them (pack --labels)" "no label maps" \
    train p.h5 -o n --labels --outer-steps 1
refused 2 "p.h5 has no label maps" "no label maps to eval on" eval class.h5 p.h5 --split test
refused 2 "are segmentations (segment 4 color), not classes" "segments for classes" \
    eval shared.h5 s.h5 --labels
refused 2 "this one has per-region" "another partition for slots of regions" \
    eval per-region.h5 p.h5 --grid 2x2
refused 2 "1 to 1920 regions" "too many segments" train p.h5 -o n --segment 1921 --outer-steps 1
tessera 2 "too many to adapt" adapt shared.h5 p.ppm -o n --segment 1201
check "it says how many there can be" grep -q 'p.ppm: .*1 to 1200 regions' err
refused 2 "is above 65535" "far too many" fit p.ppm -o n --segment 65536
refused 2 "is above 64" "too much overlap" eval shared.h5 p.h5 --overlap 65
refused 2 "shared.h5 is neither" "regions of a model" info shared.h5 --label-png x.png
refused 2 "--image is for datasets" "an image of an INR" info l.inr.h5 --label-png x.png --image 0
refused 2 "is an input" "draw over the INR" info l.inr.h5 --label-png l.inr.h5
check "nothing was written" test ! -e n
no_leftovers "nothing half-written"

# ---- docs/formats.md ----------------------------------------------------------------------------------
if ! find_python 'h5py, numpy'; then
    echo "skip what h5py reads and writes: there is no python3 with h5py and numpy"
    finish
    exit
fi
# The example of the document: the fence before the function to the fence after it.
awk '/^```/ { inside = !inside; if (!inside && code ~ /def render/) printf "%s", code; code = ""; next }
    inside { code = code $0 "\n" }' "$TSR_TESTS/../docs/formats.md" >render.py
check "the document has an example" test -s render.py
for model in shared class; do
    map=; [ $model = class ] && map="--label-map maps/p0.pgm"
    # shellcheck disable=SC2086
    tessera 0 "adapt ($model)" adapt $model.h5 photos/p0.ppm -o r.inr.h5 --png --force $map
    tessera 0 "pack the picture ($model)" pack r.png --size 40x48 -o r.h5 --force
    check "numpy renders the same from the file ($model)" $python - <<'PY'
import h5py, numpy as np
from render import render
with h5py.File("r.h5") as f:
    want = f["images"][0].astype(int)
with h5py.File("r.inr.h5") as f:
    assert f["partition/labels"].dtype == np.uint16 and f["partition"].attrs["n_regions"] == 4
    assert f["partition"].attrs["overlap"] == 0 and f["partition/labels"].compression == "gzip"
found = render("r.inr.h5").astype(int)
assert abs(found - want).max() <= 1 and (found != want).mean() < 0.01, (found != want).mean()
PY
done
check "the anchors are there" $python - <<'PY'
import h5py
with h5py.File("per-region.h5") as f:
    assert f["partition/anchors"].shape == (4, 6) and f["partition/anchor_weights"].shape == (6,)
with h5py.File("shared.h5") as f:
    assert "anchors" not in f["partition"] and f["partition"].attrs["rule"] == b"segment"
PY
finish
