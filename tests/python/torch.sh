#!/bin/sh
# SPDX-License-Identifier: MIT
# Models and INRs as PyTorch modules, and back.
. "$TSR_TESTS/python/python.inc"
# One thread: the arrays are small, and other tests run beside this one.
OMP_NUM_THREADS=1; export OMP_NUM_THREADS
with_python "what PyTorch computes" "numpy, h5py, torch" "$TSR_TESTS/python/modules_of_torch.py"
