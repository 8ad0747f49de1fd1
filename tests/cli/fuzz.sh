#!/bin/sh
# SPDX-License-Identifier: MIT
# What fuzzing has found once (tests/fuzz/regressions) does no harm any more, nor do the seeds that
# it starts from.
. "$TSR_TESTS/cli/common.inc"

for source in "$TSR_TESTS"/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    set -- "$TSR_TESTS/fuzz/regressions/${target#fuzz_}"/*
    [ -e "$1" ] || set --
    : >empty
    head -c 300 "$source" >some
    check "$target: findings of former days" "$TSR_BUILD/float/tests/fuzz/$target" empty some "$@"
done
finish
