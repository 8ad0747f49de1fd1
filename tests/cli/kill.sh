#!/bin/sh
# SPDX-License-Identifier: MIT
# pack, train and adapt killed at random moments: a few of the kills of make check-faults.
: "${TESSERA:?path of the program}" "${TSR_TESTS:?folder of the tests}"
if ! command -v python3 >/dev/null; then
    echo "skip kill: there is no python3"
    exit 0
fi
python3 "$TSR_TESTS/fault/kill.py" "$TESSERA" 15
