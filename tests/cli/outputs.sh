#!/bin/sh
# SPDX-License-Identifier: MIT
# What a command may not destroy, what it replaces when told to, and what it leaves: nothing.
. "$TSR_TESTS/cli/common.inc"

quick="--grid 2x2 --width 4 --hidden-layers 1 --batch 2 --region-fraction 1 --warmup 1 --val-images 1 --quiet"
tiny="--grid 2x2 --width 4 --hidden-layers 1 --iterations 2 --quiet"
small_dataset d.h5
small_train d.h5 m.h5 --outer-steps 2
"$TESSERA" fit photos/p0.ppm -o i.inr.h5 $tiny --png p.png >/dev/null
mkdir album inrs maps
cp p.png album/a.png; cp p.png album/b.png
for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
    { printf 'P5\n16 16\n255\n'; head -c 256 /dev/zero; } >maps/p$i.pgm
    echo "p$i.ppm $((i % 3))"
done >split.txt
echo zero >names.txt
ln -s d.h5 link.h5; ln d.h5 hard.h5; ln -s . here; ln -s ../inrs album/inrs
ln -s nowhere.h5 dangling.h5; ln -s loop2 loop1; ln -s loop1 loop2

# All that lies here: names, types, modes, owners, targets of links, contents.
others="! -name before ! -name after ! -name out ! -name err ! -name ."
state() {
    # shellcheck disable=SC2086
    find . $others -exec ls -ldn {} + | awk '{ print $1, $3, $4, $9, $10, $11 }' | sort
    # shellcheck disable=SC2086
    find . -type f $others -exec cksum {} + | sort
}
# spared CODE TEXT NAME ARGUMENTS...: refused, and everything is as before
spared() {
    state >before
    refused "$@"
    state >after
    if cmp -s before after; then pass "$3: nothing changed"; else fail "$3: nothing changed" "$(diff before after)"; fi
}

# ---- outputs that are inputs, --force or not ------------------------------------------------------------
input="is an input; it would be overwritten"
for force in "" --force; do
    # shellcheck disable=SC2086
    {
        spared 2 "$input" "adapt --png over its photo $force" adapt m.h5 album/a.png -o album/a.inr.h5 --png $force
        spared 2 "$input" "adapt --png over its photos $force" adapt m.h5 album/a.png album/b.png -o album --png $force
        spared 2 "$input" "the same through a link $force" adapt m.h5 here/album/a.png here/album/b.png -o album/ --png $force
        spared 2 "$input" "train over the initial model $force" train d.h5 --init m.h5 -o m.h5 --outer-steps 1 $quick $force
        spared 2 "$input" "train over the dataset, by a link $force" train d.h5 -o link.h5 --outer-steps 1 $quick $force
        spared 2 "$input" "train over the dataset, by a hard link $force" train d.h5 -o hard.h5 --outer-steps 1 $quick $force
        spared 2 "$input" "resume onto the dataset $force" train d.h5 --resume m.h5 -o ./d.h5 --outer-steps 4 --quiet $force
        spared 2 "$input" "pack over the split file $force" pack photos --size 8x8 --split-file split.txt -o split.txt $force
        spared 2 "$input" "pack over the label names $force" pack photos --size 8x8 --labels maps --label-names names.txt -o here/names.txt $force
        spared 2 "$input" "render over the INR $force" render i.inr.h5 -o ./i.inr.h5 $force
        spared 2 "$input" "fit --json over the image $force" fit p.png -o n $tiny --json here/p.png $force
        spared 2 "$input" "fit --curve over the model $force" fit p.png -o n --init m.h5 --iterations 1 --curve m.h5 $force
        spared 2 "$input" "fit over the label map $force" fit photos/p0.ppm -o maps/p0.pgm --label-map maps/p0.pgm --iterations 1 $force
        spared 2 "$input" "eval --json over the model $force" eval m.h5 d.h5 --json m.h5 $force
        spared 2 "$input" "info --label-png over its file $force" info i.inr.h5 --label-png here/i.inr.h5 $force
    }
done
spared 2 "$input" "pack over one of its images" pack photos --size 8x8 -o photos/p3.ppm --force
spared 2 "$input" "pack over one of its label maps" pack photos --size 8x8 --labels maps -o here/maps/p3.pgm --force

# ---- two outputs in one file ----------------------------------------------------------------------------
spared 2 "written twice" "INR and PNG in one" fit p.png -o n $tiny --png ./n
spared 2 "written twice" "CSV and JSON in one" hypothesis --csv r --json here/r
spared 2 "written twice" "curve and JSON in one, by a dangling link" fit p.png -o n $tiny --curve nowhere.h5 --json dangling.h5
spared 2 "is given twice" "an image twice" adapt m.h5 album/a.png photos/p0.ppm album//a.png -o inrs
spared 2 "standard output" "two to standard output" hypothesis --csv - --json -

# ---- outputs that exist ---------------------------------------------------------------------------------
echo mine >mine
spared 2 "exists: resume it with --resume, or replace it with --force" "train" train d.h5 -o m.h5 --outer-steps 1 $quick
spared 2 "mine exists: replace it with --force" "resume into another file" train d.h5 --resume m.h5 -o mine --outer-steps 4 --quiet
spared 2 "exists: replace it with --force" "pack over a model" pack photos --size 8x8 -o m.h5
spared 2 "exists: replace it with --force" "pack through a link" pack album --size 8x8 -o link.h5
spared 2 "exists: replace it with --force" "adapt" adapt m.h5 photos/p0.ppm -o mine
echo mine >inrs/p1.png
spared 2 "p1.png exists: replace it with --force" "adapt, a picture of many" adapt m.h5 photos/p0.ppm photos/p1.ppm -o inrs --png
spared 2 "p1.png exists: replace it with --force" "adapt, through a link to the folder" adapt m.h5 photos/p0.ppm photos/p1.ppm -o album/inrs --png
for option in --png --curve --json; do
    spared 2 "mine exists: replace it with --force" "fit $option" fit p.png -o n $tiny $option mine
done
for option in --csv --json --report; do
    spared 2 "mine exists: replace it with --force" "hypothesis $option" hypothesis $option mine
done
spared 2 "mine exists: replace it with --force" "render" render i.inr.h5 -o mine
spared 2 "mine exists: replace it with --force" "info" info i.inr.h5 --label-png mine
spared 2 "mine exists: replace it with --force" "eval" eval m.h5 d.h5 --json mine
spared 2 "mine exists: replace it with --force" "bench" bench --json mine
spared 2 "unknown option --force" "nothing to force" version --force

# ---- places where nothing can be written ----------------------------------------------------------------
spared 2 "is a folder" "a folder" render i.inr.h5 -o album
spared 2 "is a folder" "a folder, forced" eval m.h5 d.h5 --json inrs --force
spared 1 "no/such" "a missing folder" render i.inr.h5 -o no/such.png
spared 1 "loop1" "a loop of links" render i.inr.h5 -o loop1
spared 2 "the value is empty" "an empty name" render i.inr.h5 -o ""
mkfifo pipe
spared 2 "cannot be written to a pipe" "an INR into a named pipe" fit p.png -o pipe $tiny
rm pipe
[ -d /proc/self ] && spared 1 "/proc/x.png: cannot create a file there" "a folder that takes no files" render i.inr.h5 -o /proc/x.png

# ---- told to --------------------------------------------------------------------------------------------
echo mine >n.inr.h5; chmod 600 n.inr.h5
ln -s n.inr.h5 ln.inr.h5
tessera 0 "forced, through a link" fit p.png -o ln.inr.h5 $tiny --force
check "the link stays" test "$(readlink ln.inr.h5)" = n.inr.h5
check "what it leads to is new" "$TESSERA" info n.inr.h5
check "its mode is kept" test "$(stat -c %a n.inr.h5)" = 600
tessera 0 "a dangling link" fit p.png -o dangling.h5 $tiny
check "it leads somewhere now" "$TESSERA" info nowhere.h5
check "and is still a link" test -L dangling.h5
cp m.h5 r.h5; chmod 640 r.h5; ln -s r.h5 rl.h5
tessera 0 "resume through a link" train d.h5 --resume rl.h5 --outer-steps 4 --quiet
check "the link stays, too" test "$(readlink rl.h5)" = r.h5
check "the run went on" sh -c '"$1" info r.h5 | grep -qx "outer_step: 4"' sh "$TESSERA"
check "with the mode it had" test "$(stat -c %a r.h5)" = 640
tessera 0 "resume, the output said again" train d.h5 --resume r.h5 -o ./rl.h5 --outer-steps 5 --quiet
tessera 0 "adapt in folders" adapt m.h5 photos/p0.ppm photos/p1.ppm -o inrs --png --force
tessera 0 "pack beside its images, forced" pack photos --size 8x8 -o photos/d.h5 --force
tessera 0 "and again" pack photos --size 8x8 -o photos/d.h5 --force

# ---- standard input and output --------------------------------------------------------------------------
"$TESSERA" render i.inr.h5 -o - >piped.png 2>err
check "render to standard output" cmp piped.png p.png
"$TESSERA" render i.inr.h5 -o /dev/stdout | cat >piped.png
check "by its other name" cmp piped.png p.png
"$TESSERA" hypothesis --boundaries 1 --runs 1 --max-steps 3 --points 20 --width 4 --csv - >out 2>err
check "a table as CSV alone" sh -c 'head -n 1 out | grep -q "^[a-z_,0-9]*$" && test "$(wc -l <out)" -eq 2'
check "no file called -" test ! -e ./-
"$TESSERA" fit - -o s1.inr.h5 $tiny <photos/p0.ppm >/dev/null
check "fit from standard input" cmp s1.inr.h5 i.inr.h5
# shellcheck disable=SC2002
cat photos/p0.ppm | "$TESSERA" adapt m.h5 - -o s2.inr.h5 >out 2>err
"$TESSERA" adapt m.h5 photos/p0.ppm -o s3.inr.h5 >/dev/null
check "adapt from a pipe" cmp s2.inr.h5 s3.inr.h5
spared 2 "an HDF5 file cannot be written to a pipe" "adapt to standard output" adapt m.h5 p.png -o -
spared 2 "an HDF5 file cannot be written to a pipe" "train to standard output" train d.h5 -o - --outer-steps 1
"$TESSERA" info - <m.h5 >out 2>err
check "a model from standard input that is a file" grep -qx 'kind: model' out
# shellcheck disable=SC2002
cat m.h5 | "$TESSERA" info - >out 2>err
check "but not from a pipe: misuse" test $? -eq 2
check "it says why" grep -q 'an HDF5 file cannot be read from a pipe' err
spared 2 "read once" "two inputs from it" fit - -o n --label-map - --iterations 1
tessera 0 "figures to /dev/null" eval m.h5 d.h5 --json /dev/null

# ---- names that break a table, full disks ---------------------------------------------------------------
tab=$(printf 'a\tb\\c.ppm')
cp photos/p0.ppm "$tab"
tessera 0 "a path with a tab" adapt m.h5 "$tab" -o tab.inr.h5
check "the table has as many columns everywhere" awk -F '\t' 'NF != 9 { exit 1 }' out
check "the path can be told" grep -q '^a\\tb\\\\c.ppm' out
if [ -e /dev/full ]; then
    refused 1 "/dev/full: cannot be written" "no room for a drawing" info i.inr.h5 --label-png /dev/full
    tessera 1 "no room for figures" eval m.h5 d.h5 --json /dev/full
    refused 1 "/dev/full: cannot be written" "no room for a picture" render i.inr.h5 -o /dev/full
fi

# Nothing that is printed goes into a file where standard output and error are closed.
"$TESSERA" render i.inr.h5 -o closed.png >&- 2>&-
check "closed descriptors" cmp closed.png p.png

# ---- two writers ----------------------------------------------------------------------------------------
# waits for FILE to be there
there() {
    tries=0
    while [ ! -e "$1" ] && [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
    test -e "$1"
}
# shellcheck disable=SC2086
"$TESSERA" train d.h5 -o w.h5 $quick --time 300s --checkpoint-every 0.2s >w.out 2>&1 &
pid=$!
check "a run writes its model" there w.h5
refused 1 "w.h5 is being written by process $pid" "a second run onto it" train d.h5 -o w.h5 --outer-steps 1 $quick --force
refused 1 "is being written by process $pid" "resumed by a second one" train d.h5 --resume here/w.h5 --outer-steps 9 --quiet
refused 1 "is being written by process $pid" "packed onto" pack photos --size 8x8 -o w.h5 --force
tessera 0 "another file of the folder" render i.inr.h5 -o free.png
kill -9 $pid
wait $pid 2>/dev/null
tessera 0 "free once it was killed" train d.h5 --resume w.h5 --time 0.1s --quiet

# ---- what signals leave ---------------------------------------------------------------------------------
for signal in INT TERM HUP USR1; do
    rm -f s.h5
    # A shell without job control begins a background job with SIGINT ignored, nohup all with SIGHUP.
    # shellcheck disable=SC2086
    perl -e '$SIG{INT} = $SIG{HUP} = "DEFAULT"; exec @ARGV' "$TESSERA" train d.h5 -o s.h5 $quick --time 300s --checkpoint-every 0.2s >s.out 2>&1 &
    pid=$!
    there s.h5 >/dev/null
    kill -$signal $pid
    wait $pid
    code=$?
    check "$signal ends the run as itself" test $code -eq $((128 + $(kill -l $signal 2>/dev/null || echo 0))) -o \
        "$(kill -l $code)" = $signal
    check "$signal leaves a whole model" "$TESSERA" info s.h5
done
# Not only between iterations: one of this fit takes many seconds.
{ printf 'P5 3000 3000 255 '; head -c 9000000 /dev/zero; } >large.pgm
perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$TESSERA" fit large.pgm -o large.inr.h5 --whole --width 256 --batch-fraction 1 --iterations 1000 >s.out 2>&1 &
pid=$!
tries=0
while ! grep -q until s.out && [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -INT $pid
wait $pid
check "within the first iteration of a large fit" grep -q "interrupted after 0 iterations" s.out
check "which leaves no file" test ! -e large.inr.h5
rm large.pgm
# Nobody reads standard error any more.
rm -f s.h5
# shellcheck disable=SC2086
{ { "$TESSERA" train d.h5 -o s.h5 ${quick% --quiet} --time 300s --val-every 5 2>&1 >/dev/null; echo $? >code; } | head -n 1; } >/dev/null 2>err
check "a closed pipe ends the run" test "$(cat code)" -eq 141
check "and leaves a whole model" "$TESSERA" info s.h5
# What was ignored stays ignored.
rm -f s.h5
(trap '' HUP; exec "$TESSERA" train d.h5 -o s.h5 --time 2s $quick >/dev/null 2>&1) &
pid=$!
sleep 0.5
kill -HUP $pid
wait $pid
check "nohup" test $? -eq 0
rm -f s.h5
(ulimit -f 1; exec "$TESSERA" train d.h5 -o s.h5 --outer-steps 1 $quick) >/dev/null 2>err
check "a limit on sizes is an error" test $? -eq 1
check "with its reason" grep -qi 'too large' err
# Temporary files: gone after a signal that ends a run at once; left by kill -9 until the next run.
temporary() { find . -name '.k.h5.tessera-*.tmp'; }
slow() { # SIGNAL: packs until there is a temporary file, then sends the signal
    perl -e '$SIG{QUIT} = "DEFAULT"; exec @ARGV' "$TESSERA" pack "$TSR_TESTS/../data/sample/train" -o k.h5 --size 256x256 --fit tile --segment 60 --threads 1 >/dev/null 2>&1 &
    pid=$!
    tries=0
    while [ -z "$(temporary)" ] && [ $tries -lt 300 ]; do sleep 0.02; tries=$((tries + 1)); done
    kill -"$1" $pid
    wait $pid 2>/dev/null
}
slow QUIT
check "ended at once: no temporary file" test -z "$(temporary)"
check "and no output" test ! -e k.h5
slow KILL
check "killed: there is one" test -n "$(temporary)"
touch .k.h5.tessera-0123456789abcdef-0.tmp .other.h5.tessera-0123456789abcdef-0.tmp
tessera 0 "the next run" pack photos -o k.h5 --size 8x8
check "removes it, and no other's" test "$(find . -name '.*.tessera-*.tmp' | wc -l)" -eq 2
rm .k.h5.tessera-0123456789abcdef-0.tmp .other.h5.tessera-0123456789abcdef-0.tmp

# ---- the demo -------------------------------------------------------------------------------------------
mkdir -p sample/train sample/val sample/test
phase=0; for part in train val test; do phase=$((phase + 1)); picture sample/$part/$part.ppm 176 176 3 $phase; done
tessera 0 "a demo" demo --samples sample --time 0.2s --quiet
tessera 0 "where one was" demo --samples sample --time 0.2s --quiet
mkdir own; cp m.h5 own/model.h5
spared 2 "own/model.h5 exists: replace it with --force" "a demo over another model" demo --samples sample -o own --time 0.2s --quiet
mkdir pics; cp p.png pics/test.png
spared 2 "pics/test.png exists: replace it with --force" "a demo over a picture" demo --samples sample -o pics --time 0.2s --quiet
spared 3 "nowhere" "a demo of nothing leaves no folder" demo --samples nowhere -o gone --time 0.2s --quiet
no_leftovers "nothing half-written"
finish
