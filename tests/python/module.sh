#!/bin/sh
# SPDX-License-Identifier: MIT
# The Python module on the library of the build.
. "$TSR_TESTS/python/python.inc"
with_python "the Python module" "numpy, h5py" "$TSR_TESTS/python/module.py"
