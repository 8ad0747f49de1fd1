#!/bin/sh
# SPDX-License-Identifier: MIT
# What is installed is enough to build with: a C++ program is compiled, linked and run against an
# installed tree whose path holds a blank, by gcc and clang, with the shared and the static library.
. "$TSR_TESTS/cli/common.inc"
root=$(cd "$TSR_TESTS/.." && pwd)

# Made as what is tested was made: MAKEFLAGS holds the switches. Of the built-in models the smallest.
MODELS=200k; export MODELS
there="$work/a place"
make_install() { (cd "$root" && "${MAKE:-make}" -s --no-print-directory "$@"); }
check "make install" make_install install prefix="$there/usr"
tree=$(cd "$there/usr" && find . -type f -o -type l | sort | tr '\n' ' ')
check "the documentation is installed as it lies in the tree" cmp "$root/docs/demo.jpg" "$there/usr/share/doc/tessera/docs/demo.jpg"
for page in README.md docs/formats.md docs/python.md docs/tutorial.md docs/results.md; do
    # What a page leads to is there.
    (cd "$there/usr/share/doc/tessera/$(dirname $page)" && grep -o '](\([^)#:]*\))' "$(basename $page)" |
        sed 's/](//; s/)//' | while read -r link; do [ -e "$link" ] || case $link in include/* | ../include/* | data/*) ;; *) echo "$link" ;; esac; done) >dead
    check "the links of the installed $page lead somewhere" test ! -s dead
done
check "the sample photos are installed" test "$(find "$there/usr/share/tessera/sample" -name '*.jpg' | wc -l)" -gt 20
check "and their sources" grep -q Licence "$there/usr/share/tessera/sample/SOURCES.md"
# Elsewhere than in the tree; a second's training.
mkdir elsewhere
check "the installed demo finds them" sh -c 'cd elsewhere && "$1" demo --time 1s --quiet && ls demo/demo.png' sh "$there/usr/bin/tessera"
if "$TESSERA" version | grep -q '^blas: none'; then
    check "without OpenBLAS no model is built in" test ! -e "$there/usr/share/tessera/models"
else
    # At once, a photo that it was not learned from.
    exits 0 "a built-in model is installed" "$there/usr/bin/tessera" adapt --preset 200k "$root/data/sample/test/cat.jpg" -o cat.inr.h5
    check "which stores every value of a photo" awk -F'\t' 'NR == 2 { exit !($3 == 451 && $(NF - 1) > 60) }' out
    exits 0 "eval takes it, too" "$there/usr/bin/tessera" eval --preset 200k "$root/data/sample/test/cat.jpg"
    exits 3 "a model that is not installed" "$there/usr/bin/tessera" adapt "$root/data/sample/test/cat.jpg" -o dog.inr.h5
    check "is named" grep -q "built-in model 50k is neither" err
fi
check "one header is installed" test "$(cd "$there/usr/include" && find . -type f)" = ./tessera.h
check "the rest are the program, two libraries, their description, documentation, samples and the Python module" sh -c \
    'for f; do case $f in ./bin/tessera | ./lib/libtessera.a | ./lib/libtessera.so* | ./lib/pkgconfig/tessera.pc | \
        ./share/man/man1/*.1 | ./share/man/man5/tessera-formats.5 | ./share/bash-completion/* | ./share/zsh/* | ./include/tessera.h | \
        ./lib/python3/dist-packages/tessera/*.py | ./share/doc/tessera/* | ./share/tessera/sample/* | ./share/tessera/models/*.h5 | ./share/tessera/celebamask-hq.txt) ;; *) echo "$f"; exit 1 ;; esac; done' sh $tree
PKG_CONFIG_PATH="$there/usr/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"; export PKG_CONFIG_PATH
check "pkg-config knows the version" test "$(pkg-config --modversion tessera)" = "$("$TESSERA" version | sed -n 's/^tessera //p')"
check "CITATION.cff names it, too" grep -qx "version: $(pkg-config --modversion tessera)" "$root/CITATION.cff"
check "the installed program runs" "$there/usr/bin/tessera" version

# shellcheck disable=SC2034 # build evaluates it
program=$TSR_TESTS/structure/embed.cc
# eval: pkg-config quotes blanks for a shell.
# shellcheck disable=SC2034
build() { # COMPILER OUTPUT FLAGS...
    build_with=$1 output=$2; shift 2
    eval "$build_with -std=c++11 -Wall -Wextra -Werror -Wpedantic $(pkg-config --cflags tessera) \"\$program\" -o \"\$output\" $*"
}
described() { sed -n "s/^$1: //p" "$there/usr/lib/pkgconfig/tessera.pc"; }
run_shared() { LD_LIBRARY_PATH="$there/usr/lib" "$1"; }
for compiler in g++ clang++; do
    if ! command -v $compiler >/dev/null 2>&1; then
        echo "skip a program built by $compiler: there is none"
        continue
    fi
    check "$compiler builds with the shared library" build $compiler shared "$(pkg-config --libs tessera)"
    check "and the program runs" run_shared ./shared
    # Only tessera itself is linked statically.
    check "$compiler builds with the static library" build $compiler static "\"$there/usr/lib/libtessera.a\"" \
        "$(described Requires.private | xargs pkg-config --libs) $(described Libs.private)"
    check "and that program runs" ./static
done

# A neighbour of every part that an unquoted name would fall into, and names that want quoting.
odd="$work/it's a \$x \"place\" ;touch gone"
mkdir -p "$odd/usr/lib/pkgconfig" "$odd/usr/bin" "$work/it's/usr"
for mine in "$odd/mine" "$odd/usr/mine" "$odd/usr/lib/libmine.so" "$odd/usr/lib/pkgconfig/mine.pc" "$odd/usr/bin/mine" \
    "$work/it's/usr/mine" "$work/a" "$work/place"; do [ -e "$mine" ] || echo mine >"$mine"; done
neighbours() { find "$work" -type f ! -path "$there/*" | sort | xargs -d '\n' cksum; }
neighbours >before
dollars=$(printf %s "$odd" | sed 's/[$]/$$/g')
check "make install into an odd folder" make_install install prefix="$dollars/usr/"
check "its program runs" "$odd/usr/bin/tessera" version
check "make uninstall from it" make_install uninstall prefix="$dollars/usr/"
check "make install with an odd DESTDIR" make_install install DESTDIR="$dollars/" prefix=/usr
check "its program runs, too" "$odd/usr/bin/tessera" version
check "make uninstall from there" make_install uninstall DESTDIR="$dollars/" prefix=/usr
neighbours | grep -v '/before$\|/after$\|check.out$' >after
grep -v '/before$\|/after$\|check.out$' before >before.files
grep -v 'before.files$' after >after.files
check "all that was there is as it was, and nothing else" cmp before.files after.files
check "nothing of a name was run" test ! -e "$root/gone"

check "make install with DESTDIR" make_install install DESTDIR="$work/stage d" prefix=/opt/x
check "DESTDIR is not written into the description" grep -q '^prefix=/opt/x$' "$work/stage d/opt/x/lib/pkgconfig/tessera.pc"
check "make uninstall" make_install uninstall DESTDIR="$work/stage d" prefix=/opt/x
check "nothing is left" test -z "$(find "$work/stage d" -type f -o -type l)"
finish
