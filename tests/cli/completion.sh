#!/bin/sh
# SPDX-License-Identifier: MIT
# Completion of the command line, in a bash without a terminal.
. "$TSR_TESTS/cli/common.inc"
command -v bash >/dev/null 2>&1 || { echo "skip completion: there is no bash"; exit 0; }
tessera 0 "help --completion bash" help --completion bash
cp out tessera.bash
tessera 0 "help --completion zsh" help --completion zsh
check "zsh has every command" sh -c 'for c in pack train eval adapt fit hypothesis; do grep -q "^    $c)" out || exit 1; done'
if command -v zsh >/dev/null 2>&1; then check "zsh reads it" zsh -n out; fi
refused 2 "known are bash, zsh" "another shell" help --completion fish
touch photo.png

# What the last word is completed to, one line each.
completed() { # WORD...
    bash -c '. ./tessera.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        complete -p tessera >/dev/null || exit 1
        _tessera
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort | tr '\n' ' '
}
check "commands" test "$(completed tessera ev)" = "eval "
check "options" test "$(completed tessera train --omega)" = "--omega --omega-first "
check "names of objects" test "$(completed tessera train --net si)" = "siren "
check "parameters of objects" test "$(completed tessera eval --mer)" = "--merge "
check "choices" test "$(completed tessera train --merge '')" = "area color "
check "files where a file may stand" test "$(completed tessera adapt m.h5 pho)" = "photo.png "
check "files after an option" test "$(completed tessera adapt -o pho)" = "photo.png "
check "no files after a number" test "$(completed tessera adapt --inner-steps pho)" = " "
check "every option of --help" sh -c '"$1" train --help | grep -Eo "^  (-., )?--[a-z0-9-]+" | sed "s/.*--/--/" | sort >all
    bash -c ". ./tessera.bash; COMP_WORDS=(tessera train --) COMP_CWORD=2; _tessera; printf \"%s\\n\" \"\${COMPREPLY[@]}\"" | sort | diff all -' sh "$TESSERA"
finish
