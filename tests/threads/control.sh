#!/bin/sh
# SPDX-License-Identifier: MIT
# What ThreadSanitizer says of OpenMP is worth something: it finds the race of a program that has one,
# and none in a program that has none. Without Archer, the tool of clang's OpenMP runtime that tells it of
# barriers and locks, it finds races everywhere. CC is the compiler, TSR_OMP_TOOL Archer (make check-tsan sets both).
. "$TSR_TESTS/cli/common.inc"
cat >program.c <<'C'
#include <stdio.h>
#include <time.h>
static long sum, part[64];
static void add(int i) {
#ifndef RACE
#pragma omp critical
#endif
    sum += i;
}
int main(void) {
    const struct timespec pause = {0, 1000000};
    long n = 0;
#pragma omp parallel num_threads(4)
    {
#pragma omp for schedule(static, 1)
        for (int i = 0; i < 64; i++) {
            (void)nanosleep(&pause, NULL); /* so that every thread gets to run */
            add(i);
        }
#pragma omp for schedule(dynamic)
        for (int i = 0; i < 64; i++)
            part[i] = sum + i;
#pragma omp single
        for (int i = 0; i < 64; i++)
            n += part[63 - i];
    }
    (void)printf("%ld %ld\n", sum, n);
    return 0;
}
C
compile() { ${CC:-cc} -std=gnu11 -g -O1 -fopenmp -fsanitize=thread "$@"; }
if ! compile program.c -o right >out 2>&1 || [ ! -e "${TSR_OMP_TOOL:-}" ]; then
    echo "skip ThreadSanitizer: ${CC:-cc} cannot link it with OpenMP, or there is no Archer"
    exit 0
fi
check "a program with a race builds" compile -DRACE program.c -o race
check "the program without a race runs, and counts" sh -c './right | grep -qx "2016 131040"'
if ./race >out 2>&1; then fail "the race is found" "$(cat out)"; else pass "the race is found"; fi
check "and named" grep -q 'data race.*program.c' out
finish
