#!/bin/sh
# SPDX-License-Identifier: MIT
# The notebooks of docs/examples run, with a short training, and hold the outputs of a long one.
. "$TSR_TESTS/python/python.inc"
MPLBACKEND=Agg; export MPLBACKEND
with_python "the notebooks" "numpy, matplotlib" "$TSR_TESTS/python/notebook.py"
