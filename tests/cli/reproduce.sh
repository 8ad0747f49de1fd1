#!/bin/sh
# SPDX-License-Identifier: MIT
# The scripts of scripts/reproduce/ at a tiny scale on the sample photos: that they run, resume, and
# say what failed. Their figures mean nothing at this scale.
. "$TSR_TESTS/cli/common.inc"
draws=1
if ! find_python matplotlib; then
    draws=
    find_python sys || { echo "skip the scripts of scripts/reproduce: there is no python3"; exit 0; }
fi
scripts=$TSR_TESTS/../scripts/reproduce
samples=$TSR_TESTS/../data/sample

# reproduce CODE NAME SCRIPT ARGUMENTS...: stdout in out, stderr in err, results in results/
reproduce() {
    script_code=$1 script_name=$2 script=$3; shift 3
    exits "$script_code" "$script_name" "$python" "$scripts/$script" --scale tiny --tessera "$TESSERA" --out results "$@"
}

# says NAME FILE TEXT...: the file holds every text
says() {
    says_name=$1 says_file=$2; shift 2
    for text; do
        grep -qF -- "$text" "$says_file" && continue
        fail "$says_name" "$says_file lacks: $text" "$(head -n 40 "$says_file" 2>&1)"
        return
    done
    pass "$says_name"
}

# drawn NAME FOLDER: it holds pictures, and all are well-formed
drawn() {
    [ "$draws" ] || { echo "skip $1: no python3 has matplotlib"; return; }
    check "$1" "$python" - "$2" <<'PY'
import glob, sys, xml.etree.ElementTree as tree
files = glob.glob(sys.argv[1] + '/*.svg')
assert files, 'no SVG in ' + sys.argv[1]
for file in files:
    assert tree.parse(file).getroot().tag.endswith('svg'), file
PY
}

# label_maps FOLDER COUNT SIZE: three classes, of which every second image lacks one
label_maps() {
    mkdir -p "$1"
    i=0
    while [ $i -lt "$2" ]; do
        awk -v s="$3" -v n=$i 'BEGIN {
            printf "P5\n%d %d\n255\n", s, s
            for (y = 0; y < s; y++) for (x = 0; x < s; x++)
                printf "%c", y < s / 2 ? 1 : x < s / 2 || n % 2 ? 2 : 3
        }' >"$1/p$i.pgm"
        i=$((i + 1))
    done
}

check "reproduce: statistics, curves, tables" "$python" -B - "$scripts" <<'PY'
import math, sys
sys.path.insert(0, sys.argv[1])
import common as c
assert c.mean([1, None, 3]) == 2 and c.mean([]) is None and c.deviation([1]) is None
assert math.isclose(c.deviation([1, 2, 3]), 1) and math.isclose(c.geometric_mean([2, 8]), 4)
assert c.spread([1, 2, 3], 1) == '2.0 ± 1.0' and c.spread([2], 1) == '2.0' and c.spread([None]) == '-'
assert c.short(0.0123456) == '0.0123' and c.short(12345.6) == '12,346'
assert c.value_at([0, 2, 4], [1, 3, 3], 1) == 2 and c.value_at([0, 2], [1, 3], 5) is None
assert c.first_reach([0, 10, 20], [5, 15, 25], 20) == 15 and c.first_reach([0, 1], [5, 6], 7) is None
assert c.first_reach([3, 4], [5, 6], 5) == 3
assert c.table(['a', 'b'], [['x', 1]]) == '| a | b |\n| :-- | --: |\n| x | 1 |\n'
assert c.seconds('1.5m') == 90 and c.seconds('7') == 7
PY

# ---- hypothesis

reproduce 0 "reproduce: hypothesis" hypothesis
says "reproduce: hypothesis reports" results/hypothesis.md '### 1-D' '### 2-D' 'pieces, sum' '### Laws' \
    'tessera hypothesis --dim 2'
drawn "reproduce: hypothesis draws" results/hypothesis/tiny
reproduce 0 "reproduce: hypothesis again" hypothesis
says "reproduce: hypothesis keeps what is there" out '0 commands run, 3 kept, 0 failed'
reproduce 0 "reproduce: hypothesis afresh" hypothesis --fresh
says "reproduce: hypothesis runs all afresh" out '3 commands run, 0 kept, 0 failed'
rm results/hypothesis/tiny/2d.csv
reproduce 0 "reproduce: hypothesis, a file deleted" hypothesis
says "reproduce: hypothesis makes the missing file" out '1 commands run, 2 kept, 0 failed'
says "reproduce: hypothesis lists commands" results/hypothesis/tiny/commands.csv 'job,seconds,version,command' \
    '1d-4-pieces,'

cp "$TSR_TESTS/../docs/results.md" page.md
reproduce 0 "reproduce: hypothesis into a page" hypothesis --publish page.md
says "reproduce: the page has report and plots" page.md '### Laws' '<!-- ordinary -->'
drawn "reproduce: plots beside the page" page
[ -z "$draws" ] || says "reproduce: the page shows them" page.md '](page/hypothesis-1d.svg)'
cp page.md page-once.md
reproduce 1 "reproduce: a page without a place" hypothesis --publish results/hypothesis.md
says "reproduce: what it lacks" err "<!-- end of hypothesis -->"
reproduce 0 "reproduce: hypothesis into a page again" hypothesis --publish page.md
check "reproduce: a report takes the place of the last" cmp page.md page-once.md

# ---- ordinary

reproduce 0 "reproduce: ordinary" ordinary "$samples/test" --images cat
says "reproduce: ordinary reports" results/ordinary.md '### SIREN' '### ReLU' '| PoS#9 | 9 |' \
    'fewer iterations by' '--net relu-pe'
drawn "reproduce: ordinary draws" results/ordinary/tiny
reproduce 0 "reproduce: ordinary again" ordinary "$samples/test" --images cat
says "reproduce: ordinary keeps what is there" out '0 commands run, 6 kept'
reproduce 1 "reproduce: ordinary, an unknown image" ordinary "$samples/test" --images dog
says "reproduce: ordinary names it" err 'no image named dog'
reproduce 1 "reproduce: ordinary, a command fails" ordinary "$samples/test" --images cat --nets siren \
    --fit-options=--no-such-option
says "reproduce: ordinary says what failed" results/ordinary.md '**Failed:** siren-single-cat-0 ('

# ---- learning to learn

check "reproduce: a dataset of the sample photos" \
    "$TESSERA" pack "$samples" -o photos.h5 --size 32x32 --fit squash
pictures pictures 12 32 32
label_maps maps 12 32
check "reproduce: a dataset with label maps" "$TESSERA" pack pictures -o labelled.h5 --size 32x32 \
    --labels maps --split 0.5,0.25,0.25
mkdir one && cp "$samples/test/cat.jpg" one
reproduce 0 "reproduce: learning to learn" learning-to-learn photos.h5 --labels labelled.h5 --images one
says "reproduce: learning to learn reports" results/learning-to-learn.md '| whole |' '| segment 4, color |' \
    '### Long runs' '| test time only |' '| both phases |' '### Overlap' 'labels, per-class slots' \
    '### What a random initialisation needs' 'over 2 seeds'
drawn "reproduce: learning to learn draws" results/learning-to-learn/tiny
reproduce 0 "reproduce: learning to learn again" learning-to-learn photos.h5 --labels labelled.h5 --images one
says "reproduce: learning to learn keeps what is there" out '; 0 commands run,'
check "reproduce: learning to learn, complete figures" "$python" - results/learning-to-learn/tiny/evaluations.csv <<'PY'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
assert {r['table'] for r in rows} == {'partitions', 'long', 'phases', 'overlap', 'labels'}
for r in rows:
    assert int(r['outer_steps']) > 0 and float(r['psnr_db']) > 0, r
    assert r['seam'] or r['model'].startswith('whole'), r
PY
reproduce 1 "reproduce: learning to learn, not a dataset" learning-to-learn "$samples/test/cat.jpg"
says "reproduce: learning to learn names it" err 'is not a dataset'

# ---- the frontier

reproduce 0 "reproduce: the frontier" frontier photos.h5 --presets 200k
says "reproduce: the frontier reports" results/frontier.md '### photos' '| 200k |' '| linear limit |' '### More inner steps'
reproduce 0 "reproduce: the frontier again" frontier photos.h5 --presets 200k
says "reproduce: the frontier keeps what is there" out '; 0 commands run, 3 kept'
reproduce 2 "reproduce: the frontier, an unknown preset" frontier photos.h5 --presets 200k,3k
says "reproduce: the frontier names it" err '3k is none of 12k, 25k'

# ---- costs

reproduce 0 "reproduce: costs" costs photos.h5 --models 8x8
says "reproduce: costs reports" results/costs.md '| 8x8 cells, all of 371 weights |' 'GFLOP'
reproduce 2 "reproduce: costs, an unknown model" costs photos.h5 --models 9x9
says "reproduce: costs names it" err '9x9 is none of 8x8, 16x16'

# ---- context

if find_python 'h5py, numpy, scipy, PIL'; then
    mkdir few
    cp "$samples/test/cat.jpg" few
    tessera 0 "reproduce: small photos" pack "$samples" -o small.h5 --size 24x24 --fit cover
    tessera 0 "reproduce: grey ones" pack "$samples" -o grey.h5 --size 24x24 --fit cover --channels 1
    exits 0 "reproduce: context" "$python" "$scripts/context" small.h5 grey.h5 few --scale tiny --limit 1 --tessera "$TESSERA" --out results
    says "reproduce: context reports" results/context.md '### Filling in' '| linear interpolation' '### Enlarging twice' '| bicubic'
else
    echo "skip reproduce: context: there is no python3 with h5py, numpy, scipy and Pillow"
fi

finish
