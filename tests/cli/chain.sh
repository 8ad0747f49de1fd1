#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole chain on small images: pack, train, eval, adapt, render, info.
. "$TSR_TESTS/cli/common.inc"

# number KEY FILE: the number of a line "KEY<tab>number"
number() { awk -F '\t' -v key="$1" '$1 == key { print $2 }' "$2"; }
above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }

pictures photos/train 8 20 24
pictures photos/val 2 20 24
pictures photos/test 3 20 24
tessera 0 "pack" pack photos -o d.h5 --size 16x16 --fit cover
check "pack counts the splits" grep -q '13 images of 16x16x3 (8 train, 2 val, 3 test) from 13 files' out
check "pack says what it found" grep -q "tessera pack: photos: the folders test, train and val are splits" err
tessera 0 "pack tiles" pack photos -o tiles.h5 --size 8x8 --fit tile --deflate 4
check "pack counts tiles" grep -q '78 images' out
tessera 0 "pack with a limit" pack photos -o few.h5 --size 16x16 --limit 5
check "pack counts the limit" grep -q ' 5 images' out

tessera 0 "train" train d.h5 -o m.h5 --grid 2x2 --width 8 --hidden-layers 1 --batch 2 \
    --outer-steps 20 --warmup 3 --val-every 10 --region-fraction 1
check "train prints its configuration" grep -q '^  partition  *grid 2x2' err
check "train prints parameters for each value" grep -q 'parameters .* values' err
check "train prints validations" grep -q 'outer step 10/20 .* val ' err
check "train ends with a line" grep -q '^m.h5: 20 outer steps' out
tessera 0 "train quietly" train d.h5 -o quiet.h5 --whole --width 8 --hidden-layers 0 --outer-steps 2 \
    --quiet --slots per-region --method fomaml --rates per-step --coords-range 0,1 \
    --coords-sampling endpoints --coords-frame image --batch 1
check "--quiet is quiet" test ! -s out -a ! -s err
tessera 0 "train with an adaptation" train d.h5 -o adapt.h5 --whole --width 8 --adapt all --outer-steps 1 --quiet
tessera 0 "info of it" info adapt.h5
check "the adaptation is kept" grep -q "^inner: all, steps 3" out
refused 2 "all" "an adaptation that is none" train d.h5 -o x.h5 --adapt some --outer-steps 1
tessera 0 "train for a time" train d.h5 -o time.h5 --cell 8x8 --width 8 --time 0.2s --batch 1 --quiet
tessera 0 "train from a model" train d.h5 -o init.h5 --grid 2x2 --init m.h5 --slots per-region \
    --outer-steps 1 --quiet

# A model starts from what it can mean something to: the network and the coordinates of that model.
network() { grep -e '^network' -e '^coord' "$1"; }
tessera 0 "train an unusual network" train d.h5 -o odd.h5 --grid 2x2 --width 7 --hidden-layers 0 \
    --omega-first 15.5 --omega 20 --output-offset 0.25 --coords-range 0,2 --coords-frame image \
    --coords-sampling endpoints --batch 2 --outer-steps 2 --quiet
tessera 0 "info of it" info odd.h5
network out >odd.txt
check "its network is shown" test -s odd.txt
tessera 0 "go on from it" train d.h5 -o again.h5 --grid 2x2 --init odd.h5 --outer-steps 1 --quiet
tessera 0 "info after that" info again.h5
network out >again.txt
check "network and coordinates are those of the initial model" cmp odd.txt again.txt
tessera 0 "its kind and its frequency, said again" train d.h5 -o again.h5 --force --grid 2x2 --init odd.h5 \
    --net siren --omega-first 15.5 --outer-steps 1 --quiet
tessera 0 "info after that too" info again.h5
network out >again.txt
check "what is not said is the initial model's" cmp odd.txt again.txt
refused 3 "omega_first of its network is 15.5, not 30" "another omega" train d.h5 -o x.h5 --init odd.h5 \
    --omega-first 30 --outer-steps 1
refused 3 "coord_frame of its network is image, not region" "another frame" train d.h5 -o x.h5 \
    --init odd.h5 --coords-frame region --outer-steps 1
refused 3 "width of its network is 7, not 8" "another width" train d.h5 -o x.h5 --init odd.h5 --width 8 \
    --outer-steps 1

tessera 0 "eval" eval m.h5 d.h5 --json e.json
check "eval prints the table" grep -q '^#k	psnr_db	psnr_db_std	ssim	seam$' out
check "eval prints K+1 rows" test "$(grep -c '^[0-3]	' out)" -eq 4
check "inner steps help" above "$(number 3 out)" "$(number 0 out)"
check "eval counts images" test "$(number images out)" -eq 3
check "eval counts parameters" test "$(number params_per_image out)" -eq 492
cp out table
if command -v python3 >/dev/null 2>&1; then
    cat >figures.py <<'PY'
import json, sys
j = json.load(open(sys.argv[1]))
assert j["images"] == 3 and j["inner_steps"] == 3, j
for key in ("psnr_db", "psnr_db_std", "ssim"):
    assert len(j[key]) == 4 and all(isinstance(v, float) for v in j[key]), key
assert j["params_per_image"] == 492 and j["flops_per_image"] > 0 and j["seconds_per_image"] > 0
assert [r["region"] for r in j["regions"]] == [0, 1, 2, 3]
for r in j["regions"]:
    assert r["slot"] == 0 and r["pixels"] == 64 and len(r["psnr_db"]) == 4
for key in ("version", "dataset", "split", "kernel", "threads", "partition"):
    assert key in j["config"], key
assert j["config"]["split"] == "test"
PY
    check "eval --json" python3 figures.py e.json
    cat >baseline_figures.py <<'PY'
import json, sys
j = json.load(open(sys.argv[1]))
b = j["baseline"]
assert b["kind"] == "random" and b["rate_chosen_on"] == "val" and len(b["psnr_db"]) == 4
assert b["rate"] in b["rates_tried"], b
assert j["config"]["dataset"] == 'a "d"\u00e9\n.h5', j["config"]["dataset"]
PY
    odd=$(printf 'a "d"\303\251\n.h5')
    cp d.h5 "$odd"
    tessera 0 "eval with a baseline" eval m.h5 "$odd" --baseline random --json -
    cp out baseline.json
    check "eval --json - with odd names" python3 baseline_figures.py baseline.json
else
    check "eval --json" grep -q '"psnr_db": \[' e.json
fi
tessera 0 "eval of more inner steps" eval m.h5 d.h5 --inner-steps 6 --split val --limit 1
check "eval prints seven rows" test "$(grep -c '^[0-6]	' out)" -eq 7
tessera 0 "eval of no inner step" eval m.h5 d.h5 --inner-steps 0
check "eval prints one row" test "$(grep -c '^[0-9]	' out)" -eq 1
tessera 0 "eval with Adam" eval m.h5 d.h5 --inner-steps 8 --inner-optimizer adam --adam-lr 1e-3
tessera 0 "eval of another grid" eval m.h5 d.h5 --grid 4x4
check "another grid has more parameters" test "$(number params_per_image out)" -eq 1968
tessera 0 "eval of cells" eval m.h5 d.h5 --cell 5x7
tessera 0 "eval of tiles" eval m.h5 tiles.h5 --split all

tessera 0 "adapt one image" adapt m.h5 photos/test/p0.ppm -o one.inr.h5 --png
check "adapt prints the header" grep -q '^#image	height	width	psnr_db_0' out
check "adapt prints size" grep -q '^photos/test/p0.ppm	20	24	' out
check "adapt writes a picture" test -s one.png
tessera 0 "adapt many images" adapt m.h5 photos/test/p0.ppm photos/test/p1.ppm -o inrs --inner-steps 5
check "adapt fills a folder" test -s inrs/p0.inr.h5 -a -s inrs/p1.inr.h5 -a ! -e inrs/p0.png
tessera 0 "adapt with Adam" adapt m.h5 photos/test/p0.ppm -o adam.inr.h5 --inner-steps 30 --inner-optimizer adam
check "Adam goes on where gradient steps end" awk -F'\t' 'NR == 2 { exit !($34 > $7 && $7 > $4) }' out
tessera 0 "adapt into a folder" adapt m.h5 photos/test/p2.ppm -o inrs
check "adapt finds the folder" test -s inrs/p2.inr.h5

tessera 0 "render" render one.inr.h5 -o same.png
check "render is the reconstruction" cmp -s same.png one.png
tessera 0 "render larger" render one.inr.h5 -o large.png --scale 2
check "render says the size" grep -q '^large.png: 40x48$' out
tessera 0 "render to a size" render one.inr.h5 -o size.png --size 5x7
tessera 0 "pack what was rendered" pack large.png -o large.h5 --size 40x48
check "the picture has its size" grep -q '1 images of 40x48x3' out

tessera 0 "info of a dataset" info d.h5
check "info counts images" grep -q '^images: 13$' out
check "info counts splits" grep -q '^test: 3$' out
tessera 0 "info of a model" info m.h5
check "info says partition" grep -q '^partition: grid 2x2, slots shared' out
check "info says outer steps" grep -q '^outer_step: 20$' out
check "info says rates" grep -q '^rates of inner step 3: mean' out
tessera 0 "info of an INR" info one.inr.h5
check "info says size" grep -q '^image size: 20x24x3$' out
no_leftovers "nothing half-written"
finish
