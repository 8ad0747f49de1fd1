#!/bin/sh
# SPDX-License-Identifier: MIT
# valgrind finds what it is there to find; and the program itself is clean under it.
. "$TSR_TESTS/cli/common.inc"
command -v valgrind >/dev/null 2>&1 || { echo "skip valgrind: there is none"; exit 0; }
memcheck=$TSR_TESTS/memory/memcheck

cat >program.c <<'C'
#include <stdlib.h>
int main(int argc, char **argv) {
    volatile char *p = malloc(8), *lost = malloc(argc > 1 && argv[1][0] == 'l' ? 64 : 1);
    int answer = argc > 1 && argv[1][0] == 'u' ? p[3] : 0;
    if (argc > 1 && argv[1][0] == 'b') p[8] = 1;
    if (argc == 1 || argv[1][0] != 'l') free((void *)lost);
    lost = NULL;
    free((void *)p);
    return answer == 77 && argv ? 1 : 0;
}
C
# shellcheck disable=SC2086 # it may be two words
check "the control builds" ${CC:-cc} -g -O0 program.c -o program
check "the control is clean" "$memcheck" ./program
for fault in beyond unset lost; do
    if "$memcheck" ./program $fault >out 2>&1; then fail "found: $fault"; else pass "found: $fault"; fi
done

pictures photos 4 16 16
under() { # NAME ARGUMENTS...
    under_name=$1; shift
    check "$under_name" "$memcheck" "$TESSERA" "$@" --threads 1
}
under pack pack photos -o d.h5 --size 16x16 --split 0.5,0.25,0.25
under train train d.h5 -o m.h5 --grid 2x2 --width 8 --hidden-layers 1 --batch 2 --outer-steps 3 --warmup 1 --val-images 1
under eval eval m.h5 d.h5 --json e.json
under adapt adapt m.h5 photos/p0.ppm -o p.inr.h5 --png
under render render p.inr.h5 --scale 2 -o p2.png
under fit fit photos/p1.ppm -o f.inr.h5 --segment 3 --width 8 --iterations 3
under info info m.h5
check "a bad file" sh -c 'head -c 3000 m.h5 >cut.h5; "$1" "$2" info cut.h5; test $? -eq 3' sh "$memcheck" "$TESSERA"
finish
