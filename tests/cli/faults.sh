#!/bin/sh
# SPDX-License-Identifier: MIT
# Some of the faults of tests/fault/faults.py, and some kills; make check-faults injects them all.
: "${TESSERA:?path of the program}" "${TSR_TESTS:?folder of the tests}" "${TSR_BUILD:?folder of the build}"
if ! command -v python3 >/dev/null; then
    echo "skip faults: there is no python3"
    exit 0
fi
if [ -n "${TSR_COVERAGE:-}" ]; then
    echo "skip faults: what counts the lines allocates memory of its own, and does not bear that it fails"
    exit 0
fi
if LD_PRELOAD=$TSR_BUILD/fault/inject.so "$TESSERA" version >/dev/null 2>&1; then
    python3 "$TSR_TESTS/fault/faults.py" "$TESSERA" "$TSR_BUILD/fault/inject.so" --sample 1 --jobs 1 || exit 1
else
    echo "skip faults: the library that injects them cannot be loaded before a sanitizer's"
fi
