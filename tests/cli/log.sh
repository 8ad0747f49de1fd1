#!/bin/sh
# SPDX-License-Identifier: MIT
# What a run logs: lines of JSON that a resumed run goes on with, event files of TensorBoard by a
# reader of our own, and watch.
. "$TSR_TESTS/cli/common.inc"

small_dataset d.h5
net="--grid 2x2 --width 8 --hidden-layers 1 --batch 2 --val-every 5 --val-images 1 --quiet"
# shellcheck disable=SC2086 # words
tessera 0 "a run with logs" train d.h5 -o a.h5 $net --outer-steps 20 --tensorboard events
cp a.h5.jsonl first.jsonl
# What a killed run may have left: a step that the model has not seen, and a line cut off.
{
    sed 's/"outer_step": 20,/"outer_step": 23,/' first.jsonl | tail -n 1
    printf '{"outer_step": 24, "seco'
} >>a.h5.jsonl
tessera 0 "a resumed one" train d.h5 --resume a.h5 --outer-steps 30 --tensorboard events --quiet
cp first.jsonl i.h5.jsonl
echo "no log" | tee logs.txt >j.h5.jsonl
# shellcheck disable=SC2086
refused 2 "exists" "a log is not overwritten" train d.h5 -o b.h5 $net --outer-steps 1 --log first.jsonl
# shellcheck disable=SC2086
tessera 0 "one without its model is" train d.h5 -o i.h5 $net --outer-steps 1
check "with lines of this run only" sh -c '[ "$(wc -l <i.h5.jsonl)" -eq 1 ]'
# shellcheck disable=SC2086
refused 2 "is not the log of a run" "what is no log is not" train d.h5 -o j.h5 $net --outer-steps 1
refused 2 "is not the log of a run" "what is no log is not gone on with" train d.h5 --resume a.h5 --outer-steps 31 --log logs.txt --quiet
check "and stays" grep -q "no log" logs.txt
tessera 0 "resumed as another file" train d.h5 --resume a.h5 -o e.h5 --outer-steps 31 --quiet
check "the log goes on beside it" sh -c '[ "$(head -n 5 e.h5.jsonl)" = "$(head -n 5 a.h5.jsonl)" ] && tail -n 1 e.h5.jsonl | grep -q "\"outer_step\": 31,"'
check "and the first one stays" sh -c 'tail -n 1 a.h5.jsonl | grep -q "\"outer_step\": 30,"'
# shellcheck disable=SC2086
tessera 0 "no log" train d.h5 -o f.h5 $net --outer-steps 1 --log none
check "is none" test ! -e f.h5.jsonl
# shellcheck disable=SC2086
tessera 0 "a log elsewhere" train d.h5 -o g.h5 $net --outer-steps 1 --log g.txt
check "is there" sh -c '[ ! -e g.h5.jsonl ] && grep -q "^{\"outer_step\": 1," g.txt'
# shellcheck disable=SC2086
refused 2 "name a file" "a log is no stream" train d.h5 -o h.h5 $net --outer-steps 1 --log -
# shellcheck disable=SC2086
tessera 1 "a folder that is a file" train d.h5 -o c.h5 $net --outer-steps 1 --tensorboard d.h5
tessera 0 "watch" watch a.h5 --html w.html
cp out watched; cp a.h5.jsonl elsewhere.txt
tessera 0 "watch a log of any name" watch elsewhere.txt
check "the same of it" sh -c "sed s/elsewhere.txt/a.h5.jsonl/ out | cmp - watched"
check "draws" grep -q '^outer step 30 ' out
check "fits 80 columns" sh -c '[ "$(awk "length > 80" out | wc -l)" -eq 0 ]'
cat >page.py <<'PY'
import json
from page_data import data_of
assert data_of("w.html") == {"model": "a.h5", "lines": [json.loads(line) for line in open("a.h5.jsonl")]}
PY
check "writes a page of the lines" env PYTHONPATH="$TSR_TESTS/cli" python3 page.py
refused 2 "a.h5.jsonl is an input" "watch does not write over the log" watch a.h5 --html a.h5.jsonl --force
refused 2 "elsewhere.txt is an input" "nor over one of another name" watch elsewhere.txt --html elsewhere.txt --force
refused 2 "a.h5 is an input" "nor over the model" watch a.h5 --html a.h5 --force
refused 3 "no log" "watch without a log" watch d.h5
refused 2 "exists" "watch overwrites nothing" watch a.h5 --html w.html

cat >logs.py <<'PY'
import glob, json, math, struct
lines = [json.loads(line) for line in open("a.h5.jsonl")]
steps = [line["outer_step"] for line in lines]
assert steps[0] == 1 and steps[-1] == 30 and steps == sorted(set(steps)) and 23 not in steps[:steps.index(20) + 1]
assert [line for line in lines if line["outer_step"] <= 20] == [json.loads(line) for line in open("first.jsonl")]
validated = [line["outer_step"] for line in lines if line["val_psnr_db"] is not None]
assert {5, 10, 15, 20, 25, 30} <= set(validated), validated
assert all(len(line["rates"]) == 3 and line["seconds"] > 0 for line in lines)
assert all(low <= rate <= high and low < high for line in lines for low, rate, high in zip(line["rates_least"], line["rates"], line["rates_most"]))
assert all(0 <= line["data_seconds"] <= line["session_seconds"] <= line["seconds"] for line in lines)
# The arithmetic mean of the errors of two images, over their geometric one.
assert all(1 <= line["train_mse"] * 10 ** (line["train_psnr_db"] / 10) < 2 for line in lines)
try:
    import h5py
    with h5py.File("a.h5") as f:
        for step, _, train, val, lr in f["outer/history"][:]:
            line = lines[steps.index(step)]
            assert math.isclose(line["val_psnr_db"], val, rel_tol=1e-6) and math.isclose(line["outer_lr"], lr, rel_tol=1e-6)
except ImportError:
    pass

def crc32c(data): # by the generator polynomial, most significant bit first, on reflected bytes
    reverse = lambda x, n: int(format(x, f"0{n}b")[::-1], 2)
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= reverse(b, 8) << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x1EDC6F41 if crc >> 31 else crc << 1) & 0xFFFFFFFF
    return reverse(crc ^ 0xFFFFFFFF, 32)
assert crc32c(b"123456789") == 0xE3069283
def unmask(x):
    x = (x - 0xA282EAD8) & 0xFFFFFFFF
    return (x >> 17 | x << 15) & 0xFFFFFFFF
def records(path):
    b, at = open(path, "rb").read(), 0
    while at < len(b):
        n, crc = struct.unpack_from("<QI", b, at)
        assert unmask(crc) == crc32c(b[at:at + 8])
        data, = [b[at + 12:at + 12 + n]]
        assert unmask(struct.unpack_from("<I", b, at + 12 + n)[0]) == crc32c(data)
        yield data
        at += 16 + n
def fields(b):
    at, out = 0, []
    def varint():
        nonlocal at
        x = shift = 0
        while True:
            x |= (b[at] & 127) << shift; shift += 7; at += 1
            if b[at - 1] < 128: return x
    while at < len(b):
        key = varint()
        if key & 7 == 0: out.append((key >> 3, varint()))
        elif key & 7 == 1: out.append((key >> 3, struct.unpack_from("<d", b, at)[0])); at += 8
        elif key & 7 == 5: out.append((key >> 3, struct.unpack_from("<f", b, at)[0])); at += 4
        else:
            n = varint(); out.append((key >> 3, b[at:at + n])); at += n
    return out
files = sorted(glob.glob("events/events.out.tfevents.*"), key=lambda p: dict(fields(list(records(p))[1]))[2])
assert len(files) == 2
found = {}
for path, first in zip(files, (1, 21)):
    events = [dict(fields(r)) for r in records(path)]
    assert events[0][3] == b"brain.Event:2" and events[1][2] == first and dict(fields(events[1][7])) == {1: 1}
    for e in events[2:]:
        assert e[1] > 1.7e9
        for _, value in fields(e[5]):
            v = dict(fields(value))
            found[v[1].decode(), e[2]] = v[2]
for line in lines:
    for tag, key in (("psnr_db/train", "train_psnr_db"), ("psnr_db/validation", "val_psnr_db"), ("outer/gradient_norm", "gradient_norm"),
                     ("outer/lr", "outer_lr"), ("images_per_second", "images_per_second"),
                     ("mse/train", "train_mse"), ("data_seconds", "data_seconds")):
        have = found.pop((tag, line["outer_step"]), None)
        assert line[key] is None and have is None or math.isclose(have, line[key], rel_tol=1e-6), (tag, line, have)
assert not found
PY
find_python 'h5py'
check "lines and events agree, before and after the break" $python logs.py
sed -i.bak '$s/"train_psnr_db": /&9/' a.h5.jsonl
if $python logs.py 2>/dev/null; then fail "the comparison can fail"; else pass "the comparison can fail"; fi
cp e.h5 b.h5
cp e.h5.jsonl b.h5.jsonl
tessera 0 "the page of another run" watch b.h5 --html b.html
browser "the page of watch" watch.js b.html b.h5.jsonl \
    "'$TESSERA' train d.h5 --resume b.h5 --outer-steps 36 --quiet && '$TESSERA' watch b.h5 --html b.html --force" ${TSR_SHOTS:+"$TSR_SHOTS"}
no_leftovers "nothing half-written"
finish
