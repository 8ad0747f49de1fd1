#!/bin/sh
# SPDX-License-Identifier: MIT
# --help of every command, and that the man pages say the same.
. "$TSR_TESTS/cli/common.inc"
pages=$(dirname "$TESSERA")/man

tessera 0 "--help" --help
cp out overview
check "--help is on stdout" grep -q '^usage: tessera' out
tessera 0 "help" help
check "help is --help" cmp -s out overview
tessera 0 "--version" --version
check "--version is a number" grep -Eq '^tessera [0-9]+\.[0-9]+\.[0-9]+$' out
cp out version
tessera 0 "-V" -V
check "-V is --version" cmp -s out version
tessera 0 "version" version
check "version names the kernels" grep -q '^kernel: reference' out
check "version names the BLAS core" grep -q '^blas core: .' out
refused 2 "usage: tessera" "no command" 
refused 2 'did you mean train?' "a mistyped command" trian
refused 2 'unknown command' "help of an unknown command" help fly

options_of() { # names, from --help or a page
    sed -e 's/\\f[BIR]//g' -e 's/\\-/-/g' "$1" | grep -Eo '^(  )?(-[a-z], )?--[a-z0-9-]+' | sed 's/.*--/--/' | sort
}

# shellcheck disable=SC2013 # each line is one word
for command in $(sed -n 's/^  \([a-z]*\) .*/\1/p' overview); do
    tessera 0 "$command --help" "$command" --help
    check "$command --help is on stdout" grep -q "^usage: tessera $command" out
    check "$command --help is silent on stderr" test ! -s err
    check "$command --help has the common options" grep -q -- '--threads N' out
    options_of out >help.options
    "$TESSERA" help "$command" >other 2>&1
    check "help $command is $command --help" cmp -s out other
    check "tessera.1 names $command" grep -q "^\.B $command" "$pages/tessera.1"
    case $command in version | help) continue ;; esac
    options_of "$pages/tessera-$command.1" >page.options
    check "tessera-$command.1 has options" test "$(wc -l <page.options)" -gt 4
    check "tessera-$command.1 has the options of --help" diff help.options page.options
done
check "lines of --help end before column 80" sh -c 'for c in pack train watch eval adapt fit render info demo hypothesis bench help version; do
    "$1" $c --help; done | sed 1,10d | grep -v "^[^ -]" | awk "length > 80 { print; bad = 1 } END { exit bad }"' sh "$TESSERA"
# The formats, from Markdown: what stands there as a name stands here, in bold.
formats=$pages/tessera-formats.5
grep -o '^| [^|]*| `[a-z_]*`' "$TSR_TESTS/../docs/formats.md" | sed 's/.*`\(.*\)`/\1/' | sort -u >names
check "tessera-formats.5 has the attributes of formats.md" sh -c 'test "$(wc -l <names)" -gt 15 &&
    while read -r name; do grep -qF "\fB$name\fR" "$1" || { echo "$name"; exit 1; }; done <names' sh "$formats"
check "and its chapters" test "$(grep -c '^\.S[HS] ' "$formats")" -ge "$(grep -c '^##' "$TSR_TESTS/../docs/formats.md")"
if command -v groff >/dev/null 2>&1; then
    for page in "$pages"/*; do
        check "groff has nothing to say about $(basename "$page")" sh -c 'groff -man -Tutf8 -ww -Kutf8 "$1" 2>&1 >/dev/null | tee said; test ! -s said' sh "$page"
    done
else
    echo "skip what groff says about the man pages: there is none"
fi
if [ -e /dev/full ]; then
    "$TESSERA" --help >/dev/full 2>err
    check "a full disk is an error" test $? -eq 1
fi
finish
