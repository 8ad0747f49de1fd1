#!/bin/sh
# SPDX-License-Identifier: MIT
# What libtessera exports, shared and static, is what include/tessera.h declares: all of it, and
# nothing else.
. "$TSR_TESTS/cli/common.inc"
header=$TSR_TESTS/../include/tessera.h

# Declarations marked TSR_PUBLIC, which the header defines unless it is there: the name before the
# first parenthesis, or of a variable.
declared() {
    ${CC:-cc} -E -P -DTSR_PUBLIC=TSR_PUBLIC "$1" | tr '\n' ' ' | sed -e 's/;/;\n/g' |
        sed -n 's/.*TSR_PUBLIC \(.*\)/\1/p' |
        sed -e 's/__attribute__ *((.*)) *;/;/' -e 's/^\([^(]*\)(.*/\1/' -e 's/\[.*//' -e 's/[ ;]*$//' -e 's/.*[ *]//' | sort -u
}
# Undefined and local names are left out, and those that the compiler makes for "omp critical", which
# begin with a point.
exported() { nm "$@" --defined-only -g | awk 'NF == 3 && $3 !~ /^\./ { print $3 }' | sort -u; }

# shellcheck disable=SC2094 # "declared" is a function, and its output
declared "$header" >declared
check "tessera.h declares functions" test "$(wc -l <declared)" -gt 5
exported -D "$TSR_BUILD"/libtessera.so.[0-9]* >shared
check "the shared library exports what tessera.h declares" diff declared shared
exported "$TSR_BUILD"/public/libtessera.a >static
check "the static library exports what tessera.h declares" diff declared static
# The control: the library in parts, which the tests use, has more.
exported "$TSR_BUILD"/libtessera.a >inside
if cmp -s declared inside; then fail "the comparison sees what is inside"; else pass "the comparison sees what is inside"; fi
check "only names of tessera" sh -c '! grep -v "^tsr_" declared'
finish
