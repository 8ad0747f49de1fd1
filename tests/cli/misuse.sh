#!/bin/sh
# SPDX-License-Identifier: MIT
# Command lines that are refused: exit code 2, the reason on stderr, nothing on stdout.
. "$TSR_TESTS/cli/common.inc"

refused 2 "unknown option --widht; did you mean --width?" "unknown option" train d.h5 -o m.h5 --widht 8
refused 2 "unknown option -z" "unknown short option" train d.h5 -z
refused 2 "--width is given twice" "option twice" train d.h5 -o m.h5 --width 8 --width 9
refused 2 "--quiet is given twice" "common option twice" info x --quiet --quiet
refused 2 "--width needs a value" "missing value at the end" train d.h5 -o m.h5 --width
refused 2 "--width needs a value" "missing value before an option" train d.h5 --width --quiet
refused 2 "--quiet takes no value" "value of a flag" train d.h5 --quiet=yes
refused 2 "an argument is missing" "missing argument" train -o m.h5
refused 2 "one argument too many" "argument too many" info a b
refused 2 "one argument too many: \"--threads\"" "-- ends the options" info a -- --threads
refused 2 "--output D.h5 is missing" "missing output" pack photos --size 8x8
picture p.ppm 8 8 0
refused 2 "(--size HxW)" "missing size" pack p.ppm -o d.h5

for value in 8x '' -1 1.5e0 8.0 0x10 ' 8' 8q 1e3k 1.0005k 1e999 1e300 99999999999999999999; do
    refused 2 "--width" "width \"$value\"" train d.h5 -o m.h5 --outer-steps 1 "--width=$value"
done
refused 2 "is below 1" "width 0" train d.h5 -o m.h5 --outer-steps 1 --width 0
refused 2 "is above 4096" "width 5000" train d.h5 -o m.h5 --outer-steps 1 --width 5000
for value in nan inf 1e999 0x1p3 1,5 '' ' 1'; do
    refused 2 "--omega" "omega \"$value\"" train d.h5 -o m.h5 --outer-steps 1 "--omega=$value"
done
refused 2 "--omega: -1 is below" "omega -1" train d.h5 -o m.h5 --outer-steps 1 --omega -1
for value in '' 8x 8x8x8 x8 8*8 0x8 -8x8 8x×8; do
    refused 2 "--grid" "grid \"$value\"" train d.h5 -o m.h5 --outer-steps 1 "--grid=$value"
done
for value in 5y -3 m 0 '' 30m1h 1h1h 1h30 1h-3m; do
    refused 2 "--time" "time \"$value\"" train d.h5 -o m.h5 "--time=$value"
done
for value in 1,2 1,2,3,4 0.5,0.5,0.5 a,b,c -0.5,1,0.5 ',,'; do
    refused 2 "split" "split \"$value\"" pack photos -o d.h5 --size 8x8 "--split=$value"
done
refused 2 "maml" "unknown method" train d.h5 -o m.h5 --outer-steps 1 --method sgd
refused 2 "per-region" "unknown slots" train d.h5 -o m.h5 --outer-steps 1 --slots many
refused 2 "avx512" "unknown kernel" train d.h5 -o m.h5 --outer-steps 1 --kernel turbo
refused 2 "tile" "unknown fit" pack photos -o d.h5 --size 8x8 --fit stretch
refused 2 "channels" "two channels" pack photos -o d.h5 --size 8x8 --channels 2
refused 2 "random is" "unknown baseline" eval m.h5 d.h5 --baseline best
refused 2 "exclude each other" "two partition rules" train d.h5 -o m.h5 --outer-steps 1 --whole --grid 2x2
refused 2 "exclude each other" "two bounds" train d.h5 -o m.h5 --outer-steps 1 --time 3s
refused 2 "exclude each other" "scale and size" render f.inr.h5 -o p.png --scale 2 --size 4x4
refused 2 "--outer-steps N or --time TIME is missing" "no bound" train d.h5 -o m.h5
refused 2 "--width cannot be changed" "new width for a saved run" train d.h5 --resume m.h5 --width 8
refused 2 "--init cannot be changed" "resume and init" train d.h5 --resume m.h5 --init m0.h5

# Words of other programs, and slips.
said() { # TEXT COMMAND-LINE: a word of it is not ours, and TEXT is answered
    # shellcheck disable=SC2086
    refused 2 "$1" "\"$2\"" $2
}
said "did you mean --outer-lr or --inner-lr?" "train d.h5 -o m.h5 --lr 1e-3"
said "did you mean --outer-steps or --inner-steps or --time?" "train d.h5 -o m.h5 --epochs 3"
said "did you mean --iterations or --inner-steps or --time?" "fit p.png -o p.inr.h5 --steps 3"
said "did you mean --inner-steps?" "adapt m.h5 p.png -o p.inr.h5 --steps 3"
said "did you mean --batch?" "train d.h5 -o m.h5 --batch-size=4"
said "did you mean --threads?" "train d.h5 -o m.h5 -j 4"
said "did you mean --force?" "pack photos -o d.h5 -f"
said "what it names stands without one: tessera train D.h5" "train --data d.h5"
said "progress is shown unless --quiet" "train d.h5 -v"
said "on the processor" "train d.h5 --device cuda"
said "tessera --version" "train --version"
said "bench --help lists them" "bench --lr 3"
said "did you mean siren?" "train d.h5 -o m.h5 --net sirne"
said "did you mean per-step?" "train d.h5 -o m.h5 --rates per-setp"
said "did you mean region?" "train d.h5 -o m.h5 --coords-frame regoin"
said "did you mean eval?" "evaluate m.h5 d.h5"
said "did you mean adapt?" "reconstruct m.h5 p.png"
said "did you mean train?" "help trian"
said "name it p.png" "render f.inr.h5 -o p.jpg"
check "what other programs call it leads to options that are there" sh -c '
    sed -n "/^static const struct foreign/,/^};/p" "$1/cli/likely.c" | tr "\n" " " | sed "s/},/},\n/g" |
        sed -n "s/.*\", *\"\([a-z -]*\)\"},$/\1/p" | tr " " "\n" | sort -u >ours
    test "$(wc -l <ours)" -gt 40
    for c in $("$2" --help | sed -n "s/^  \([a-z]*\) .*/\1/p"); do echo "$c"; "$2" $c --help; done |
        grep -Eo "^[a-z]+|^(  )?(-[a-z], )?--[a-z-]+" | sed "s/.*--//" | sort -u >there
    ! comm -23 ours there | grep .' sh "$TSR_TESTS/.." "$TESSERA"
check "nothing was written" test ! -e d.h5 -a ! -e m.h5
finish
