#!/bin/sh
# SPDX-License-Identifier: MIT
# tessera hypothesis: tables, CSV, page, JSON; thread counts; the bound; interruption; bad options.
. "$TSR_TESTS/cli/common.inc"

small="--width 8 --hidden-layers 1 --points 300 --lr 0.005 --target 0.3 --max-steps 200 --runs 2 --quiet"
without_seconds() { cut -d, -f1-7,9- "$1"; }

tessera 0 "1-D" hypothesis $small --boundaries 1:5:2,8 --threads 1 --csv a.csv --report a.html --json a.json
cp out one
check "silent on stderr" test ! -s err
check "columns of the table" grep -q '^#pieces.n.runs.mean.min.max.censored.mean_longest.work.published.ratio$' one
check "a row for each number" test "$(grep -c '^1	[0-9]*	2	' one)" -eq 4
check "a row for each law" test "$(grep -c -e '^1	exponential' -e '^1	power' -e '^1	linear' one)" -eq 3
check "one law is best" test "$(grep -c '^best	1	' one)" -eq 1
check "columns of the CSV file" \
    test "$(head -n 1 a.csv)" = dim,n,run,seed,pieces,steps,censored,seconds,mse,piece_steps
check "a line for each run, in order" \
    test "$(sed 1d a.csv | cut -d, -f1-5 | tr '\n' ' ')" = \
    "1,1,0,0,1 1,1,1,0,1 1,3,0,0,1 1,3,1,0,1 1,5,0,0,1 1,5,1,0,1 1,8,0,0,1 1,8,1,0,1 "
check "censored and error agree" awk -F, 'NR > 1 && ($9 < 0.3) == $7 { exit 1 }' a.csv
check "table and CSV agree" awk -F'[,\t]' 'NR == FNR { if (FNR > 1) sum[$2] += $6; next }
    $1 == 1 && $2 in sum && $3 == 2 { n++; if ($4 != sprintf("%.1f", sum[$2] / 2)) exit 1 }
    END { if (n != 4) exit 1 }' a.csv one

tessera 0 "1-D, 3 threads" hypothesis $small --boundaries 1,3,5,8 --threads 3 --csv b.csv --report b.html --json b.json
check "the same tables" cmp one out
check "the same page" cmp a.html b.html
check "the same JSON" cmp a.json b.json
without_seconds a.csv >a.cut
without_seconds b.csv >b.cut
check "the same CSV but for the seconds" cmp a.cut b.cut
tessera 0 "another seed" hypothesis $small --boundaries 1,3,5,8 --seed 1 --csv c.csv
without_seconds c.csv | sed 's/,1,1,/,0,1,/' >c.cut
if cmp -s a.cut c.cut; then fail "another seed, other steps"; else pass "another seed, other steps"; fi

if command -v python3 >/dev/null; then
    check "the page has every run, and the JSON file" python3 -c 'import csv, json, re
text = open("a.html").read()
data = json.loads(re.search(r"<script type=\"application/json\" id=\"data\">(.*?)</script>", text, re.S).group(1))
rows = [[int(r["n"]), int(r["run"]), int(r["steps"]), r["censored"] == "1"] for r in csv.DictReader(open("a.csv"))]
assert [[r["n"], r["run"], r["steps"], r["censored"]] for r in data.pop("runs")[0]] == rows
assert data == json.load(open("a.json"))'
    check "the JSON file" python3 -c 'import json
d = json.load(open("a.json"))
g = d["groups"][0]
assert d["dim"] == 1 and d["target"] == 0.3 and g["pieces"] == 1
assert [b["n"] for b in g["boundaries"]] == [1, 3, 5, 8] and g["best"] in g["laws"]
assert set(g["laws"]) == {"exponential", "power", "linear"}'
fi

few="--width 8 --hidden-layers 1 --points 300 --runs 2 --quiet"
tessera 0 "the bound" hypothesis $few --boundaries 6,7,9 --target 0.001 --max-steps 7 --csv d.csv
check "runs at the bound are marked" test "$(cut -d, -f6,7 d.csv | grep -c '^7,1$')" -eq 6
check "the table counts them" test "$(grep -c '^1	[0-9]*	2	7.0	7	7	2	' out)" -eq 3
check "no law without a run that ended" grep -q '^best	1	-	too few runs to fit' out

tessera 0 "pieces" hypothesis $small --boundaries 2,4,6 --partition 1,3 --csv e.csv
check "a line for each run and partition" test "$(sed 1d e.csv | cut -d, -f5 | tr '\n' ' ')" = "1 1 1 1 1 1 3 3 3 3 3 3 "
check "steps are those of the pieces" awk -F, 'NR > 1 { n = split($10, s, " "); t = 0
    for (i = 1; i <= n; i++) t += s[i]; if (n != $5 || t != $6) exit 1 }' e.csv
tessera 0 "2-D" hypothesis --dim 2 --boundaries 4:12 --points 16 --width 8 --hidden-layers 1 --runs 1 \
    --lr 0.005 --target 0.5 --max-steps 60 --partition 2 --quiet --csv f.csv
check "2-D: numbers that checkerboards have" test "$(sed 1d f.csv | cut -d, -f2 | tr '\n' ' ')" = "4 7 10 12 "
check "2-D: 4 pieces" test "$(sed 1d f.csv | cut -d, -f1,5 | sort -u)" = "2,4"

for list in '' 0 5,3 3,3 1:2:0 5:1 a 1,,2 '1,' 1:2:3:4 1000001 -1 99999999999999999999; do
    refused 2 "--boundaries" "boundaries \"$list\"" hypothesis "--boundaries=$list"
done
refused 2 "29 is a prime" "no such checkerboard" hypothesis --dim 2 --boundaries 14
refused 2 "holds no number" "no such checkerboards" hypothesis --dim 2 --boundaries 14:15
refused 2 "--dim" "dim 0" hypothesis --dim 0
refused 2 "--dim" "dim 3" hypothesis --dim 3
for list in 0 65 2x2 4,2; do
    refused 2 "--partition" "partition \"$list\"" hypothesis --partition "$list"
done
refused 2 "2 for each of 8 pieces" "too few points" hypothesis --points 15 --partition 8
refused 2 "--target" "target 0" hypothesis --target 0
refused 2 "--runs" "runs 0" hypothesis --runs 0
refused 2 "avx512" "unknown kernel" hypothesis --kernel turbo
refused 1 "no/such/folder" "no folder for the CSV file" hypothesis --csv no/such/folder/a.csv
refused 2 "one argument too many" "an argument" hypothesis a.csv

# Ctrl-C: what is done is kept, the program ends by the signal. The run of 50000 boundaries has no end.
"$TESSERA" hypothesis --boundaries 1,2,50000 --width 8 --hidden-layers 1 --points 300 --lr 0.005 --target 0.3 \
    --max-steps 100000000 --runs 1 --threads 2 --csv g.csv --quiet >out 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
check "interrupted: ended by the signal" test $? -eq 143
check "interrupted: says so" grep -q 'interrupted after [0-2] of 3 runs; they are in g.csv' err
done=$(sed -n 's/.*interrupted after \([0-9]\) .*/\1/p' err)
check "interrupted: the runs in the CSV file" test "$(sed 1d g.csv | wc -l)" -eq "${done:-9}"
check "interrupted: the runs in the table" test "$(grep -c '^1	[0-9]' out)" -eq "${done:-9}"
no_leftovers "nothing half-written"
tessera 0 "pieces" hypothesis $small --boundaries 1:9:2 --partition 1,2 --report p.html --json p.json
browser "the page" hypothesis.js p.html p.json ${TSR_SHOTS:+"$TSR_SHOTS"}
finish
