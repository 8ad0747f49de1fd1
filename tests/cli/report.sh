#!/bin/sh
# SPDX-License-Identifier: MIT
# The report of eval: one file whose data are those of the JSON; in a browser where there is one.
. "$TSR_TESTS/cli/common.inc"

pictures photos 12 32 40
"$TESSERA" pack photos -o d.h5 --size 32x40 --split 0.5,0.25,0.25 --quiet >pack.out 2>&1 || fail "a dataset" "$(cat pack.out)"
"$TESSERA" train d.h5 -o a.h5 --grid 2x3 --width 8 --hidden-layers 1 --batch 2 --outer-steps 20 --val-every 5 --quiet >train.out 2>&1 ||
    fail "a model" "$(cat train.out)"
"$TESSERA" train d.h5 -o b.h5 --grid 2x3 --width 8 --hidden-layers 1 --batch 2 --outer-steps 3 --quiet >train.out 2>&1 ||
    fail "another model" "$(cat train.out)"
if find_python h5py; then # a name that no file can have
    $python - <<'PY'
import h5py
with h5py.File("d.h5", "r+") as f:
    names = f["names"][:].astype("S100")
    attributes = dict(f["names"].attrs)
    del f["names"]
    f["names"] = [b"</script><b>&\"'" + n for n in names]
PY
fi
tessera 0 "a report" eval a.h5 d.h5 --split all --baseline random --compare b.h5 --report r.html --json r.json --quiet
refused 2 "exists" "a report is not overwritten" eval a.h5 d.h5 --report r.html --quiet
if grep -qE '<(script|link|img)[^>]*(src|href)="?(http|//)' r.html; then fail "needs no network"; else pass "needs no network"; fi
# The element of the data, by a parser of HTML that is not ours, holds what the JSON file has.
cat >data.py <<'PY'
import json
from page_data import data_of
found, want = data_of("r.html"), json.load(open("r.json"))
model = found["subjects"][0]
for key in ("psnr_db", "psnr_db_std", "ssim", "regions", "per_image", "borders", "layers"):
    assert model[key] == want[key], key
assert found["compare"] == want["compare"] and found["subjects"][1]["regions"] == want["baseline"]["regions"]
assert found["subjects"][2]["regions"] == want["models"][0]["regions"]
last = want["inner_steps"]
assert [w[0][0] for w in found["worst"]] == [[i["name"] for i in want["per_image"]].index(r["worst_image"]) for r in want["regions"]]
why = [p["why"] for p in found["pictures"] if "why" in p]
assert why[:3] == ["best", "median", "worst"] and len(why) == 6, why
best = max(range(12), key=lambda i: want["per_image"][i]["psnr_db"][last])
assert next(p["image"] for p in found["pictures"] if p.get("why") == "best") == best
assert len(found["history"]) >= 2 and len(found["history"][0]) == 5
PY
check "its data are those of the JSON" env PYTHONPATH="$TSR_TESTS/cli" python3 data.py
cat >clippings.py <<'PY'
import base64, struct, zlib
from page_data import data_of
def png(uri):
    b = base64.b64decode(uri.split(",", 1)[1])
    at, data, head = 8, b"", None
    while at < len(b):
        n, kind = struct.unpack(">I4s", b[at:at + 8])
        if kind == b"IHDR": head = struct.unpack(">IIBB", b[at + 8:at + 18])
        if kind == b"IDAT": data += b[at + 8:at + 8 + n]
        at += 12 + n
    return head[1], head[0], zlib.decompress(data)
def jpeg(uri):
    assert uri.startswith("data:image/jpeg;")
    b, at = base64.b64decode(uri.split(",", 1)[1]), 2
    while b[at + 1] != 0xC0: # the frame: precision, height, width
        at += 2 + struct.unpack(">H", b[at + 2:at + 4])[0]
    return struct.unpack(">HH", b[at + 5:at + 9])
found = data_of("r.html")
regions = found["subjects"][0]["regions"]
for p in found["pictures"]:
    for c in p["crops"]:
        g = regions[c["region"]]
        margin = max(g["height"], g["width"]) // 2
        rows = min(32, g["top"] + g["height"] + margin) - max(0, g["top"] - margin)
        cols = min(40, g["left"] + g["width"] + margin) - max(0, g["left"] - margin)
        assert jpeg(c["picture"]) == (rows, cols)
    for s in p.get("states", []):
        assert png(s)[:2] == (32, 40)
PY
check "its pictures are what they should be" env PYTHONPATH="$TSR_TESTS/cli" python3 clippings.py
if as_floats d.h5 floats.h5; then
    tessera 0 "a report of a dataset of floats" eval a.h5 floats.h5 --split all --report floats.html --quiet
    cat >floats.py <<'PY'
from page_data import data_of
def images(path):
    return [p for p in data_of(path)["pictures"] if p["subject"] is None]
assert images("floats.html") == images("r.html")
PY
    check "has the pictures of one of bytes" env PYTHONPATH="$TSR_TESTS/cli" python3 floats.py
else
    echo "skip the report of a dataset of floats: there is no python3 with h5py and numpy"
fi
no_leftovers "nothing half-written"

browser "the report" browser.js r.html r.json ${TSR_SHOTS:+"$TSR_SHOTS"}
finish
