#!/bin/sh
# SPDX-License-Identifier: MIT
# Each header of the library compiles alone, as C11 and as C++17; the public one without a warning
# from gcc and clang, and in C99, too.
. "$TSR_TESTS/cli/common.inc"
root=$(cd "$TSR_TESTS/.." && pwd)
CC=${CC:-cc}

# The kernels' templates are bodies that need what their includer defines, and say so at their head.
headers=$(cd "$root" && find include base data partition inner meta image study -name '*.h' 2>/dev/null |
    while read -r h; do head -n 20 "$h" | tr -s '* \n' ' ' | grep -q ' a template' || echo "$h"; done | sort)
flags="$(cd "$root" && scripts/find-stb) $(${PKG_CONFIG:-pkg-config} --cflags hdf5) -I$root -I$root/include -fsyntax-only"

# alone NAME COMPILER...: all headers, each in a file of its own, as many at a time as there are processors
alone() {
    alone_name=$1; shift
    echo "$headers" | xargs -P "$(nproc 2>/dev/null || echo 1)" -I{} sh -c \
        'echo "#include \"$1\"" | '"$* $flags"' - >"h.$(echo "$1" | tr / .)" 2>&1 || echo "$1"' sh {} >wrong
    if [ -s wrong ]; then
        fail "$alone_name" "$(cat wrong)" "$(head -n 5 "h.$(head -n 1 wrong | tr / .)")"
    else
        pass "$alone_name"
    fi
}
check "there are headers" test "$(echo "$headers" | wc -l)" -gt 30
alone "each header alone is C11" "$CC" -std=c11 -Wall -Wextra -Werror -x c
if command -v c++ >/dev/null 2>&1; then
    alone "each header alone is C++17" c++ -std=c++17 -Wall -Wextra -Werror -x c++
else
    echo "skip headers as C++: there is no c++"
fi

for compiler in gcc g++ clang clang++; do
    if ! command -v $compiler >/dev/null 2>&1; then
        echo "skip tessera.h with $compiler: there is none"
        continue
    fi
    case $compiler in *++) standards='c++11 c++20' language=c++ ;; *) standards='c99 c11' language=c ;; esac
    for standard in $standards; do
        echo '#include <tessera.h>' >one
        check "tessera.h with $compiler -std=$standard" $compiler -std=$standard -Wall -Wextra -Wpedantic -Wshadow \
            -Wconversion -Werror -I"$root/include" -fsyntax-only -x $language one
    done
done
finish
