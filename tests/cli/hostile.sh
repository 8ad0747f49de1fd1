#!/bin/sh
# SPDX-License-Identifier: MIT
# Files made to do harm: claims of any size, other files as pixels, pipes, bombs. All are refused by
# a message that names what is wrong, at once and in little memory; what only looks odd is read.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'h5py, numpy'; then
    echo "skip files made to do harm: there is no python3 with h5py and numpy"
    exit 0
fi
$python "$TSR_TESTS/cli/hostile.py" . >list || { fail "hostile.py"; finish; exit; }
# Memory that such a file must not buy. Sanitizers reserve all there is.
limit=400000
if "$TESSERA" version 2>/dev/null | grep -q sanitize || ldd "$TESSERA" | grep -q -e asan -e ubsan; then
    limit=unlimited
fi
try() { # ARGUMENTS...: exit code, 124 after ten seconds
    (ulimit -v $limit 2>/dev/null; exec timeout 10 "$TESSERA" "$@" >out 2>err)
}
while IFS='	' read -r name says; do
    for command in info train; do
        case $command in
        info) try info --threads 1 "$name" ;;
        train) try train "$name" -o model.h5 --outer-steps 2 --width 8 --grid 2x2 --batch 2 --quiet --threads 1 ;;
        esac
        code=$?
        rm -f model.h5
        # What lies in the pixels alone is not seen without reading them.
        case $command-$name in info-bomb.h5 | info-fat-chunk.h5) says_now='*' ;; *) says_now=$says ;; esac
        if [ "$says_now" = '*' ]; then
            if [ $code -eq 0 ]; then pass "$command reads $name"; else fail "$command reads $name" "exit $code" "$(cat err)"; fi
        elif [ $code -eq 3 ] && grep -qF -- "$says_now" err; then
            pass "$command refuses $name"
        else
            fail "$command refuses $name" "exit $code, expected 3 and: $says_now" "$(cat err)"
        fi
    done
done <list
finish
