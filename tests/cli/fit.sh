#!/bin/sh
# SPDX-License-Identifier: MIT
# tessera fit: files, curve, bounds, models as a start, interruption, refusals.
. "$TSR_TESTS/cli/common.inc"

picture p.ppm 24 36 1
picture q.ppm 24 36 2
awk 'BEGIN { printf "P5\n13 11\n255\n"; for (i = 0; i < 143; i++) printf "%c", 40 + i }' >grey.pgm
small="--grid 2x3 --width 8 --hidden-layers 1 --omega-first 10 --lr 0.003"
value() { awk -F '\t' -v name="$1" '$1 == name { print $2 }' out; }

# one run with everything it writes
tessera 0 "fit" fit p.ppm -o p.inr.h5 $small --iterations 25 --png p.png --curve c.csv \
    --curve-every 10 --curve-regions --json p.json
cp out table
check "regions" test "$(value regions)" = 6
check "iterations" test "$(value iterations)" = 25
check "parameters" test "$(value params)" = $((6 * (3 * 8 + 9 * 8 + 9 * 3)))
check "the configuration is on stderr" grep -q '^  partition  *grid 2x3' err
check "the INR is one" "$TESSERA" info p.inr.h5
check "the picture is a PNG" grep -q PNG p.png
check "JSON has the regions" test "$(grep -c '"region":' p.json)" = 6
curve() { # FILE NAME COLUMNS ROWS: iterations and seconds rise, columns are numbers
    check "$2" awk -F , -v columns="$3" -v rows="$4" '
        NF != columns { exit 1 }
        NR == 1 { if ($1 != "iteration" || $3 != "psnr_db") exit 1; next }
        NR > 2 && ($1 <= last || $2 < seconds) { exit 1 }
        $3 !~ /^-?[0-9]+\.[0-9]+$/ || $4 !~ /^[0-9.e+-]+$/ { exit 1 }
        { last = $1; seconds = $2 }
        END { if (NR != rows + 1) { exit 1 } }' "$1"
}
curve c.csv "the curve: 0, 10, 20, 25" 10 4
check "its last line is the result" \
    awk -F , -v psnr="$(value psnr_db)" 'END { exit !($1 == 25 && ($3 - psnr) ^ 2 < 1e-6) }' c.csv
check "it learns" awk -F , 'NR == 2 { first = $3 } END { exit !($3 > first + 3) }' c.csv
"$TESSERA" render p.inr.h5 -o again.png >/dev/null
check "the picture is that of the INR" cmp p.png again.png

# reproducible
for threads in 1 2 3; do
    "$TESSERA" fit p.ppm -o t$threads.inr.h5 $small --iterations 12 --batch-fraction 0.3 \
        --schedule cosine --threads $threads >/dev/null 2>&1
    check "1 and $threads threads" cmp t1.inr.h5 t$threads.inr.h5
done
"$TESSERA" fit p.ppm -o s.inr.h5 $small --iterations 12 --seed 1 --quiet >/dev/null 2>err
check "quiet" test ! -s err
"$TESSERA" fit p.ppm -o s2.inr.h5 $small --iterations 12 --quiet >/dev/null
if cmp -s s.inr.h5 s2.inr.h5; then fail "another seed"; else pass "another seed"; fi

# bounds
tessera 0 "until a PSNR" fit p.ppm -o u.inr.h5 $small --target-psnr 24 --curve u.csv --curve-every 3
check "the PSNR is there" awk -v p="$(value psnr_db)" 'BEGIN { exit !(p >= 24) }'
check "regions that got there are counted" test -n "$(value regions_at_target)"
tessera 0 "until a time" fit p.ppm --force -o u.inr.h5 $small --time 0.1s
check "the time has passed" awk -v s="$(value seconds)" 'BEGIN { exit !(s >= 0.1) }'
tessera 0 "the first of two bounds" fit p.ppm --force -o u.inr.h5 $small --time 1h --iterations 4
check "4 iterations" test "$(value iterations)" = 4

# other images, networks and partitions
tessera 0 "a grey image" fit grey.pgm -o g.inr.h5 --cell 4x4 --width 4 --iterations 3 --png g.png
check "12 cells" test "$(value regions)" = 12
tessera 0 "defaults" fit grey.pgm --force -o g.inr.h5 --iterations 2
check "the whole image" test "$(value regions)" = 1
tessera 0 "matched parameters" fit grey.pgm --force -o g.inr.h5 --grid 3x3 --hidden-layers 3 \
    --match-params 20000 --iterations 1
check "about as many" awk -v n="$(value params)" 'BEGIN { exit !(n > 18500 && n < 21500) }'
check "the wish is shown" grep -q 'asked for 20000' err
tessera 0 "JSON to stdout" fit grey.pgm --force -o g.inr.h5 --width 4 --iterations 2 --json -
check "and nothing else" test "$(head -c 1 out)" = '{'

# from a model
small_dataset d.h5
small_train d.h5 m.h5 --outer-steps 20
"$TESSERA" adapt m.h5 p.ppm -o a.inr.h5 >out 2>err
psnr=$(awk -F '\t' 'NR == 2 { print $4 }' out)
adapted=$(awk -F '\t' 'NR == 2 { print $(NF - 1) }' out)
tessera 0 "from a model" fit p.ppm -o f.inr.h5 --init m.h5 --iterations 30 --curve f.csv
check "it starts where the model does" awk -F , -v p="$psnr" \
    'NR == 2 { exit !(($3 - p) ^ 2 < 1e-5) }' f.csv
check "with the model's partition" test "$(value regions)" = 4
tessera 0 "from a model, another partition" fit p.ppm --force -o f.inr.h5 --init m.h5 --cell 8x8 --iterations 2
check "15 cells" test "$(value regions)" = 15
tessera 0 "after inner steps" fit p.ppm --force -o f.inr.h5 --init m.h5 --inner-steps 3 --iterations 2 \
    --curve f.csv
check "it starts where adapt ends" awk -F , -v p="$adapted" \
    'NR == 2 { exit !(($3 - p) ^ 2 < 1e-5) }' f.csv
refused 2 "those of a model" "inner steps of no model" fit p.ppm -o n --inner-steps 3
refused 2 "--width does not go with --init" "network and model" fit p.ppm -o n --init m.h5 --width 8
refused 3 "tessera-model" "not a model" fit p.ppm -o n --init p.inr.h5

# refusals
refused 2 "--output OUT is missing" "no output" fit p.ppm
refused 2 "exclude each other" "two rules" fit p.ppm -o n --whole --grid 2x2
refused 2 "excludes --width" "two widths" fit p.ppm -o n --width 8 --match-params 1000
refused 2 "needs --curve" "regions of no curve" fit p.ppm -o n --curve-regions
refused 2 "cosine" "a cosine without an end" fit p.ppm -o n --schedule cosine --target-psnr 30
refused 2 "is above 1" "too many pixels" fit p.ppm -o n --batch-fraction 1.5
refused 2 "is not above 0" "no rate" fit p.ppm -o n --lr 0
refused 2 "constant, cosine" "unknown schedule" fit p.ppm -o n --schedule linear
refused 2 "is an input" "input as output" fit p.ppm -o p.ppm
refused 2 "is an input" "input as curve" fit p.ppm -o n --curve p.ppm
refused 2 "written twice" "two outputs in one" fit p.ppm -o n --png n
refused 2 "at most 11x13 cells" "a grid finer than the image" fit grey.pgm -o n --grid 12x12
refused 3 "nowhere.png" "no image" fit nowhere.png -o n
echo hello >text.png
refused 3 "text.png" "not an image" fit text.png -o n
refused 1 "no/such" "no folder" fit p.ppm -o no/such/n
refused 1 "not finite" "divergence" fit p.ppm -o n --grid 2x3 --width 8 --lr 1e36 \
    --iterations 20 --quiet
check "nothing was written" test ! -e n

# A file that is there stays until the new one is whole.
echo old >kept.csv
refused 1 "not finite" "a curve that ends in a failure" fit p.ppm -o n --grid 2x3 --width 8 --lr 1e36 \
    --iterations 20 --curve kept.csv --curve-every 1 --force --quiet
check "the old curve is still there" test "$(cat kept.csv)" = old
tessera 0 "a curve in its place" fit p.ppm -o kept.h5 $small --iterations 3 --curve kept.csv --force
check "it is new" grep -q '^iteration,' kept.csv

# What is learned may be a part of each network; the file holds that alone, and what all share once.
for adapt in last biases latent:7; do
    tessera 0 "learns $adapt" fit p.ppm -o part.h5 $small --adapt $adapt --iterations 5 --png part.png --force
    params=$(value params)
    tessera 0 "info of $adapt" info part.h5
    check "info tells the numbers of $adapt" grep -q "parameters per image: $params" out
    tessera 0 "renders $adapt" render part.h5 -o whole.png --force
    check "$adapt: the same picture" cmp part.png whole.png
done
refused 2 "all, last, biases, latent" "unknown adaptation" fit p.ppm -o n --adapt most
refused 2 "needs the model's basis" "a basis that the model lacks" fit p.ppm -o n --init m.h5 --adapt latent:3

# Ctrl-C: what was learned is written, the program ends by the signal. A pipe gets points as they come.
cp p.inr.h5 i.inr.h5
"$TESSERA" fit q.ppm -o i.inr.h5 --force $small --time 100s --png i.png --curve /dev/fd/3 >out 2>err 3>i.csv &
pid=$!
tries=0
while { [ ! -e i.csv ] || [ "$(wc -l <i.csv)" -lt 3 ]; } && [ $tries -lt 300 ]; do
    kill -0 $pid 2>/dev/null || break
    sleep 0.1
    tries=$((tries + 1))
done
kill -TERM $pid
wait $pid
check "interrupted: ended by the signal" test $? -eq 143
check "interrupted: it says so" grep -q 'interrupted after' err
check "interrupted: the results are there" test "$(value iterations)" = "$(tail -n 1 i.csv | cut -d , -f 1)"
tessera 0 "interrupted: the INR is whole" render i.inr.h5 -o j.png
check "interrupted: and what was learned" cmp i.png j.png
no_leftovers "nothing half-written"
finish
