#!/bin/sh
# SPDX-License-Identifier: MIT
# Folders of images: their tree is kept, a bad file among them is named and left out, what is done of
# some images is done of images spread over them all. More inner steps never make worse what is stored.
. "$TSR_TESTS/cli/common.inc"

find_python 'h5py, numpy'
small_dataset d.h5
small_train d.h5 m.h5 --outer-steps 3
mkdir -p tree/cats/young tree/dogs
cp photos/p0.ppm tree/cats/1.ppm
cp photos/p1.ppm tree/cats/young/1.ppm
cp photos/p2.ppm tree/dogs/1.ppm
cp photos/p3.ppm tree/2.ppm
tree() { (cd "$1" && find . -type f | sort | tr '\n' ' '); }

# ---- where it all goes ------------------------------------------------------------------------
tessera 0 "adapt takes a folder" adapt m.h5 tree -o inrs --png
check "the tree is kept" test "$(tree inrs)" = \
    "./2.inr.h5 ./2.png ./cats/1.inr.h5 ./cats/1.png ./cats/young/1.inr.h5 ./cats/young/1.png ./dogs/1.inr.h5 ./dogs/1.png "
check "a row for each" test "$(grep -c '^tree/' out)" -eq 4
tessera 0 "one of them by itself" adapt m.h5 tree/cats/young/1.ppm -o alone.inr.h5
check "gives the same file" cmp alone.inr.h5 inrs/cats/young/1.inr.h5
tessera 0 "equal names in two folders" adapt m.h5 tree/cats/1.ppm tree/dogs/1.ppm -o two
check "are told apart by the folders" test "$(tree two)" = "./cats/1.inr.h5 ./dogs/1.inr.h5 "
tessera 0 "in two sources" adapt m.h5 tree/cats ./tree/../tree/dogs -o sources
check "are told apart by their paths, none of which leads out" test "$(tree sources)" = \
    "./tree/cats/1.inr.h5 ./tree/cats/young/1.inr.h5 ./tree/tree/dogs/1.inr.h5 "
printf 'P5 16 16 255 %256s' '' >tree/dogs/1.pgm
tessera 0 "equal names but for the ending" adapt m.h5 tree/dogs -o endings
check "keep the ending" test "$(tree endings)" = "./1.pgm.inr.h5 ./1.ppm.inr.h5 "
rm tree/dogs/1.pgm
refused 2 "is an input" "nothing is written over an image of a folder" adapt m.h5 inrs -o inrs --png --force
mkdir empty
refused 3 "empty: no image found" "a folder without images" adapt m.h5 empty -o none
check "makes no folder" test ! -e none

# ---- a bad one in the middle ------------------------------------------------------------------
head -c 100 photos/p5.ppm >tree/cats/bad.ppm
: >tree/dogs/empty.png
tessera 1 "adapt goes on after a bad image" adapt m.h5 tree -o most
check "named when it is met" grep -q 'tree/cats/bad.ppm: truncated PNM; left out' err
check "and at the end" grep -q '2 of 6 images were left out: tree/cats/bad.ppm, tree/dogs/empty.png' err
check "the others are there" test "$(tree most)" = "./2.inr.h5 ./cats/1.inr.h5 ./cats/young/1.inr.h5 ./dogs/1.inr.h5 "
tessera 3 "strict stops at the first" adapt m.h5 tree -o strict --strict
check "which is the last that is named" test "$(tail -n 1 err)" = "tessera adapt: tree/cats/bad.ppm: truncated PNM"
check "what was before it is there" test "$(tree strict)" = "./2.inr.h5 ./cats/1.inr.h5 "
check "folders that nothing came into are not" test ! -e strict/dogs

# ---- fit ----------------------------------------------------------------------------------------
tiny="--width 8 --hidden-layers 1 --iterations 3 --quiet"
tessera 1 "fit takes a folder" fit tree -o fits $tiny --png pictures --curve curves --json jsons
check "its INR files" test "$(tree fits)" = "$(tree most)"
check "its pictures" test "$(tree pictures)" = "./2.png ./cats/1.png ./cats/young/1.png ./dogs/1.png "
check "its curves" test "$(tree curves)" = "./2.csv ./cats/1.csv ./cats/young/1.csv ./dogs/1.csv "
check "its figures" test "$(tree jsons)" = "./2.json ./cats/1.json ./cats/young/1.json ./dogs/1.json "
check "a table" test "$(grep -c '^tree/' out)" -eq 4
tessera 0 "fit of one" fit tree/dogs/1.ppm -o alone2.inr.h5 $tiny
check "gives the same" cmp alone2.inr.h5 fits/dogs/1.inr.h5
refused 2 "name a folder" "many curves to standard output" fit tree -o fits2 $tiny --curve -
check "no folder was left" test ! -e fits2

# ---- some of many -------------------------------------------------------------------------------
"$TESSERA" adapt m.h5 photos/p0.ppm photos/p1.ppm photos/p10.ppm photos/p11.ppm photos/p2.ppm photos/p3.ppm photos/p4.ppm \
    photos/p5.ppm photos/p6.ppm photos/p7.ppm photos/p8.ppm photos/p9.ppm -o all >rows 2>err
tessera 0 "eval of three" eval m.h5 d.h5 --split all --limit 3
spread=$(awk -F'\t' '!/^#/ && NR % 4 == 2 { sum += $7; n++ } END { printf "%.3f", sum / n }' rows)
check "are spread over all" awk -F'\t' -v want="$spread" '$1 == 3 { found = $2 } END { exit !(found - want < .002 && want - found < .002) }' out
check "of how many is told" grep -qx 'images_of_split	12' out
"$TESSERA" train d.h5 -o t.h5 --grid 2x2 --width 8 --batch 2 --outer-steps 1 --val-images 1 >/dev/null 2>err
check "train tells, too" grep -q 'validation *on 1 of the 2, evenly spread' err

# ---- eval of files --------------------------------------------------------------------------------
tessera 0 "eval of a dataset of them all" eval m.h5 d.h5 --split all --json all.json
tessera 0 "eval of the folder" eval m.h5 photos --json files.json
check "gives the same figures" $python -c '
import json
a, b = json.load(open("all.json")), json.load(open("files.json"))
for key in "psnr_db", "psnr_db_std", "ssim", "seam", "params_per_value", "images":
    x, y = (v if isinstance(v, list) else [v] for v in (a[key], b[key]))
    assert all(abs(p - q) < 1e-6 for p, q in zip(x, y)), (key, x, y)
assert [r["psnr_db"] for r in a["regions"]] == [r["psnr_db"] for r in b["regions"]]'
tessera 0 "eval of some of them" eval m.h5 photos --limit 3
check "which are spread, too" awk -F'\t' -v want="$spread" '$1 == 3 { found = $2 } END { exit !(found - want < .002 && want - found < .002) }' out
picture other.ppm 20 28 3
tessera 1 "eval goes on after a bad file" eval m.h5 tree other.ppm
check "names it" grep -q '2 of 7 images were left out: tree/cats/bad.ppm, tree/dogs/empty.png' err
check "has figures of the rest" grep -qx 'images	5' out
tessera 3 "unless it is to be strict" eval m.h5 tree --strict
refused 2 "is for a dataset" "no split of files" eval m.h5 photos --split test
refused 2 "is for image files" "no background of a dataset" eval m.h5 d.h5 --background black

# ---- a crop of little ------------------------------------------------------------------------------
tessera 0 "a crop of a corner" pack photos -o corner.h5 --size 7x9
check "is told, with the way out" grep -q 'less than a quarter of 12 of 12 pictures; --fit cover' err
tessera 0 "a crop of a quarter" pack photos -o quarter.h5 --size 8x8
check "is not" test ! -s err

# ---- the last word is the best --------------------------------------------------------------------
column() { awk -F'\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i } NR == 2 { print $c }' out; }
for model in m.h5 overlapping.h5; do
    [ $model = m.h5 ] || small_train d.h5 overlapping.h5 "--outer-steps=3" "--overlap=2"
    tessera 0 "sgd past what was trained ($model)" adapt $model photos/p1.ppm -o sgd.inr.h5 --png --inner-steps 60 --inner-optimizer sgd --force
    stored=$(column stored_psnr_db) last=$(column psnr_db_60)
    top=$(awk -F'\t' 'NR == 2 { for (i = 4; i <= NF - 2; i++) if ($i > top) top = $i; print top }' out)
    check "what is stored is not worse than any step" awk -v s="$stored" -v t="$top" 'BEGIN { exit !(s >= t - .02) }'
    if awk -v l="$last" -v t="$top" 'BEGIN { exit !(l < t - .01) }'; then
        check "a fall is told" grep -q 'PSNR falls' err
    fi
    "$TESSERA" pack sgd.png photos/p1.ppm -o both.h5 --size 16x16 --force --quiet >/dev/null 2>&1
    if $python -c 'import h5py, numpy' 2>/dev/null; then
        check "the picture is what is stored" $python -c '
import sys, h5py, numpy as np
a, b = h5py.File("both.h5")["images"][:].astype(float)
psnr = 10 * np.log10(255**2 / ((a - b) ** 2).mean())
assert abs(psnr - float(sys.argv[1])) < 0.3, psnr' "$stored"
    else
        echo "skip the picture is what is stored: there is no python3 with h5py"
    fi
done
finish
