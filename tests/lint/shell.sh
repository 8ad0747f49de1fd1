#!/bin/sh
# SPDX-License-Identifier: MIT
# No finding of shellcheck in any script but those that .shellcheckrc accepts.
. "$TSR_TESTS/cli/common.inc"
command -v shellcheck >/dev/null 2>&1 || { echo "skip the scripts: there is no shellcheck"; exit 0; }
root=$(cd "$TSR_TESTS/.." && pwd)
# shellcheck disable=SC2094 # another "scripts"
(cd "$root" && grep -rlE --exclude-dir=node_modules '^#!(/bin/sh|/usr/bin/env (ba)?sh)' .ci scripts tests) | sort >scripts
check "there are scripts" test "$(wc -l <scripts)" -gt 20
while read -r script; do
    check "$script" shellcheck "$root/$script"
done <scripts

# The control.
printf '#!/bin/sh\nrm -r $1/*\n' >wrong.sh
if shellcheck wrong.sh >/dev/null 2>&1; then fail "a fault is found"; else pass "a fault is found"; fi
finish
