#!/bin/sh
# SPDX-License-Identifier: MIT
# cppcheck finds nothing but what tests/lint/cppcheck.accepted lists, and that it does find.
. "$TSR_TESTS/cli/common.inc"
command -v cppcheck >/dev/null 2>&1 || { echo "skip cppcheck: there is none"; exit 0; }
root=$(cd "$TSR_TESTS/.." && pwd)
analyse() {
    (cd "$root" && cppcheck --std=c11 --language=c --quiet --error-exitcode=1 --enable=warning,performance,portability \
        --suppressions-list="$TSR_TESTS/lint/cppcheck.accepted" -j "$(nproc 2>/dev/null || echo 1)" \
        --template='{file}:{line}: {severity}: {message} [{id}]' -I. -Iinclude "$@")
}
check "cppcheck" analyse base data partition inner meta image study cli docs/examples

# The control.
printf 'int f(int n) { int a[4]; return a[n > 3 ? 4 : 3] + (n > 3 ? a[7] : 0); }\n' >"$work/wrong.c"
if analyse "$work/wrong.c" >/dev/null 2>&1; then fail "a fault is found"; else pass "a fault is found"; fi
finish
