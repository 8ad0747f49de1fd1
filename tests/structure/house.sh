#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules of the house: see house.py.
if ! command -v python3 >/dev/null 2>&1; then
    echo "skip the rules of the house: there is no python3"
    exit 0
fi
exec python3 "$TSR_TESTS/structure/house.py" "$TSR_TESTS/.."
