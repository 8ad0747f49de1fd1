#!/bin/sh
# SPDX-License-Identifier: MIT
# The C files are laid out as .clang-format says. Its versions differ in details: 14 counts.
. "$TSR_TESTS/cli/common.inc"
if ! clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    echo "skip the layout: there is no clang-format 14"
    exit 0
fi
root=$(cd "$TSR_TESTS/.." && pwd)
check "the layout of all C files" "${MAKE:-make}" -s --no-print-directory -C "$root" format-check

# The control.
printf 'int  f( void ){return 1;}\n' >wrong.c
if clang-format --style="file:$root/.clang-format" --dry-run -Werror wrong.c >/dev/null 2>&1; then
    fail "another layout is found"
else
    pass "another layout is found"
fi
finish
