#!/bin/sh
# SPDX-License-Identifier: MIT
# What eval says of single images and regions: JSON, CSV and terminal agree with each other and with
# what numpy makes of them; several models; the linear limit; what it refuses.
. "$TSR_TESTS/cli/common.inc"

small_dataset d.h5
small_train d.h5 a.h5 --outer-steps 8
small_train d.h5 b,.h5 --outer-steps 4
mv b,.h5 b.h5
"$TESSERA" train d.h5 -o c.h5 --init a.h5 --grid 2x2 --slots per-region --outer-steps 2 --batch 2 --quiet >train.out 2>&1 ||
    fail "slots of their own" "$(cat train.out)"
tessera 0 "a survey" eval a.h5 d.h5 --split all --limit 7 --baseline random --compare b.h5,c.h5 --json s.json \
    --csv regions.csv --image-csv images.csv --by-region --quiet
cp out table
if [ "$(sed -n '/^region/,/^random/p' table | awk 'length > 80' | wc -l)" -eq 0 ] && [ "$(grep -c '^ *[0-9]* *0 [01],[01] ' table)" -eq 4 ]; then
    pass "a line of at most 80 columns for each region"
else
    fail "a line of at most 80 columns for each region" "$(cat table)"
fi
tessera 0 "a transfer matrix" eval c.h5 d.h5 --transfer 2 --json t.json --quiet
tessera 0 "what Adam needs" eval a.h5 d.h5 --reach 1 --json r.json --quiet
refused 2 "the model has one slot" "one slot transfers nothing" eval a.h5 d.h5 --transfer 2 --quiet
refused 2 "empty" "an empty path" eval a.h5 d.h5 --compare b.h5,,c.h5
refused 3 "none.h5" "a model that is missing" eval a.h5 d.h5 --compare b.h5,none.h5
refused 2 "is an input" "a model is not overwritten" eval a.h5 d.h5 --compare b.h5 --json b.h5 --force

if ! find_python 'h5py, numpy'; then
    echo "skip the figures of a survey: there is no python3 with h5py and numpy"
    finish
    exit
fi
check "a dataset of floats" as_floats d.h5 floats.h5
tessera 0 "what Adam needs for its images" eval a.h5 floats.h5 --reach 1 --json floats.json --quiet
cat >agree.py <<'PY'
import csv, json, re, sys
import numpy as np
off = float(sys.argv[1])
d = json.load(open("s.json"))
models = {"model": d, "random": d["baseline"], **{m["name"]: m for m in d["models"]}}
assert list(models) == ["model", "random", "b.h5", "c.h5"]
images = list(csv.DictReader(open("images.csv", newline="")))
regions = list(csv.DictReader(open("regions.csv", newline="")))
for name, m in models.items():
    psnr = np.array([i["psnr_db"] for i in m["per_image"]])
    assert np.allclose(psnr.mean(0), m["psnr_db"]) and np.allclose(psnr.std(0, ddof=1), m["psnr_db_std"])
    assert np.allclose(np.mean([i["ssim"] for i in m["per_image"]], 0), m["ssim"])
    rows = [r for r in images if r["of"] == name]
    assert [r["name"] for r in rows] == [i["name"] for i in m["per_image"]]
    assert np.allclose([float(r["psnr_db_3"]) for r in rows], psnr[:, 3])
    rows = [r for r in regions if r["of"] == name]
    for row, r in zip(rows, m["regions"]):
        assert np.allclose([float(row[f"psnr_db_{k}"]) for k in range(4)], r["psnr_db"])
        assert row["worst_image"] == r["worst_image"] and int(row["top"]) == r["top"] == 8 * r["row"]
    assert len(rows) == 4 and [r["slot"] for r in rows] == [str(i if name == "c.h5" else 0) for i in range(4)]
first = np.array([i["psnr_db"][-1] for i in d["per_image"]])
rng = np.random.default_rng(1)
for c in d["compare"]:
    gain = np.array([i["psnr_db"][-1] for i in models[c["name"]]["per_image"]]) - first
    assert abs(gain.mean() + off - c["gain_db"]) < 1e-6 and c["better_on"] == (gain > 0).sum()
    means = gain[rng.integers(0, len(gain), (20000, len(gain)))].mean(1)
    width = max(np.ptp(gain), 1e-9)
    assert np.allclose(np.quantile(means, [0.025, 0.975]), [c["low_db"], c["high_db"]], atol=0.03 * width), c
    assert [r["region"] for r in c["regions"]] == [0, 1, 2, 3]
    for r, a, b in zip(c["regions"], d["regions"], models[c["name"]]["regions"]):
        assert abs(b["psnr_db"][-1] - a["psnr_db"][-1] - r["gain_db"]) < 1e-5
shown = [line.split() for line in open("table") if re.match(r" *\d+ +\d+ \d,\d ", line)]
for line, r in zip(shown, d["regions"]):
    assert abs(float(line[5]) - r["psnr_db"][-1]) < 0.006 and r["worst_image"].endswith(line[9]), (line, r)
t = np.array(json.load(open("t.json"))["transfer"]["psnr_db"])
assert t.shape == (4, 4) and np.allclose(np.diag(t), [r["psnr_db"][-1] for r in json.load(open("t.json"))["regions"]])
reach = json.load(open("r.json"))["reach"]
assert reach["random"]["reached"] == 1 and reach["random"]["iterations"] > 0 and "mean_image" in reach
floats = json.load(open("floats.json"))["reach"]
assert all(floats[start]["iterations"] == reach[start]["iterations"] for start in ("random", "mean_image"))
PY
check "they agree" $python agree.py 0
if $python agree.py 0.01 2>/dev/null; then fail "the comparison can fail"; else pass "the comparison can fail"; fi

limit() { $python "$TSR_TESTS/../scripts/linear-limit" d.h5 "$@"; }
stored=$("$TESSERA" info a.h5 | sed -n 's/^parameters per region: //p')
check "the linear limit of cells" limit --grid 2x2 --numbers "5,$stored" --cells limit.tsv
check "another one" limit --grid 2x2 --numbers 5,7 --cells other.tsv
tessera 0 "gains over it" eval a.h5 d.h5 --linear-limit limit.tsv --json l.json --quiet
cat >gains.py <<'PY'
import json
limit = {int(c): float(v) for n, c, v in (line.split() for line in open("limit.tsv") if line[0] != "#") if n != "5" and c != "image"}
for r in json.load(open("l.json"))["regions"]:
    assert abs(r["linear_limit_db"] - limit[r["region"]]) < 1e-5
    assert abs(r["psnr_db"][-1] - r["linear_limit_db"] - r["gain_over_linear_limit_db"]) < 1e-5
PY
check "the gains are right" $python gains.py
refused 2 "of 5, 7 numbers a region; the model stores $stored" "a limit of other numbers" eval a.h5 d.h5 --linear-limit other.tsv
echo "nonsense" >other.tsv
refused 3 "is not a line" "a limit that is none" eval a.h5 d.h5 --linear-limit other.tsv
no_leftovers "nothing half-written"
finish
