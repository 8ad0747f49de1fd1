#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-tidy, with the checks of .clang-tidy, finds nothing but what tests/lint/tidy.accepted lists.
# TSR_CFLAGS are the flags of the compiler (make lint sets them).
. "$TSR_TESTS/cli/common.inc"
command -v clang-tidy >/dev/null 2>&1 || { echo "skip clang-tidy: there is none"; exit 0; }
root=$(cd "$TSR_TESTS/.." && pwd)
# tidy FILE...: findings, one line each: FILE: TEXT [CHECK]
tidy() (
    cd "$root" || exit 1
    # shellcheck disable=SC2016,SC2086
    printf '%s\n' "$@" | xargs -P "$(nproc 2>/dev/null || echo 1)" -n 1 sh -c \
        'flags=$1; shift; exec clang-tidy --quiet --config-file=.clang-tidy "$@" -- $flags' sh "${TSR_CFLAGS:--std=c11 -I. -Iinclude}" \
        2>"$work/tidy.err" | sed -n "s|^$PWD/||; s|^\./||; s/^\([^:]*\):[0-9]*:[0-9]*: \(warning\|error\): /\1: /p" | sort -u
)
# accepted: the findings without those that the list accepts: lines CHECK FILE, # for comments
accepted() {
    awk 'NR == FNR { if (!/^#/ && NF == 2) ok[$1 " " $2] = 1; next }
        { file = $1; sub(/:$/, "", file); check = $NF; gsub(/[][]/, "", check)
          n = split(check, names, ","); fine = 0
          for (i = 1; i <= n; i++) if ((names[i] " " file) in ok) fine = 1
          if (!fine) print }' "$TSR_TESTS/lint/tidy.accepted" -
}
# stb.c holds code of others.
files=$(cd "$root" && find base data partition inner meta image study cli docs/examples -name '*.c' ! -path data/stb.c ! -name "${TSR_WITHOUT:-}" | sort)
# shellcheck disable=SC2086
tidy $files | accepted >"$work/findings"
check "clang-tidy" sh -c 'cat "$1"; ! [ -s "$1" ]' sh "$work/findings"
check "its files compile" sh -c '! grep -h "error:" "$1"' sh "$work/tidy.err"

# The control.
printf '#include <stdlib.h>\nint f(int n) { int *p = malloc(8); if (n) free(p); return *p; }\n' >"$work/wrong.c"
tidy "$work/wrong.c" | accepted >control
check "a fault is found" test -n "$(cat control)"
finish
