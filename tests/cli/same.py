# SPDX-License-Identifier: MIT
"""Do two datasets hold the same images under the same names, in any order?"""
import sys

import h5py


def images(path):
    with h5py.File(path) as f:
        return sorted((name, f['images'][i].tobytes()) for i, name in enumerate(f['names'][:]))


sys.exit(0 if images(sys.argv[1]) == images(sys.argv[2]) else 'the datasets differ')
