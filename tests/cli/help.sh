#!/bin/sh
# SPDX-License-Identifier: MIT
# --help of every command, and that the man pages say the same.
. "$TSR_TESTS/cli/common.inc"
docs=$TSR_TESTS/../docs

tessera 0 "--help" --help
cp out overview
check "--help is on stdout" grep -q '^usage: tessera' out
tessera 0 "help" help
check "help is --help" cmp -s out overview
tessera 0 "--version" --version
check "--version is a number" grep -Eq '^tessera [0-9]+\.[0-9]+\.[0-9]+$' out
tessera 0 "version" version
check "version names the kernels" grep -q '^kernel: reference' out
check "version names the BLAS core" grep -q '^blas core: .' out
refused 2 "usage: tessera" "no command" 
refused 2 'did you mean train?' "a mistyped command" trian
refused 2 'unknown command' "help of an unknown command" help fly

# "--name [default]" of every option, from --help and from a man page.
options_of_help() {
    awk 'function flush() { if (name != "") { d = ""; if (match(text, / \[[^]]*\]$/)) d = substr(text, RSTART); print name d } name = "" }
        /^  (-[a-z], )?--/ { flush(); match($0, /--[a-z0-9-]+/); name = substr($0, RSTART, RLENGTH); text = $0; next }
        /^ +[^ ]/ { sub(/^ +/, " "); text = text $0; next }
        { flush() }
        END { flush() }' "$1" | sort
}
options_of_page() {
    sed -e 's/\\f[BIR]//g' -e 's/\\-/-/g' "$1" |
        awk '/^\.SH OPTIONS/ { on = 1; next } /^\.SH/ { on = 0 }
            on && /^\.TP/ { getline; if (!match($0, /--[a-z0-9-]+/)) next
                name = substr($0, RSTART, RLENGTH); getline
                d = ""; if (match($0, / \[[^]]*\]$/)) d = substr($0, RSTART); print name d }' | sort
}

for command in $(sed -n 's/^  \([a-z]*\) .*/\1/p' overview); do
    tessera 0 "$command --help" "$command" --help
    check "$command --help is on stdout" grep -q "^usage: tessera $command" out
    check "$command --help is silent on stderr" test ! -s err
    check "$command --help has the common options" grep -q -- '--threads N' out
    options_of_help out >help.options
    "$TESSERA" help "$command" >other 2>&1
    check "help $command is $command --help" cmp -s out other
    check "tessera.1 names $command" grep -q "^\.B $command" "$docs/tessera.1"
    case $command in version | help) continue ;; esac
    options_of_page "$docs/tessera-$command.1" >page.options
    check "tessera-$command.1 has the options of --help" diff help.options page.options
done
if [ -e /dev/full ]; then
    "$TESSERA" --help >/dev/full 2>err
    check "a full disk is an error" test $? -eq 1
fi
finish
