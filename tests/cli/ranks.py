# SPDX-License-Identifier: MIT
"""ranks.py A B...: exits with 0 if the models B... are A in everything but times and command lines."""
import sys

import h5py
import numpy as np


def content(path):
    found = {}

    def keep(name, item):
        for key, value in item.attrs.items():
            found[f'{name}@{key}'] = np.asarray(value)
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]
    with h5py.File(path) as file:
        file.visititems(keep)
    del found['outer@seconds']
    del found['outer@turned_seconds']
    found['outer/history'] = np.delete(found['outer/history'], 1, axis=1)
    return {name: value.tobytes() for name, value in found.items()}


first = content(sys.argv[1])
wrong = 0
for path in sys.argv[2:]:
    other = content(path)
    for name in sorted(first.keys() | other.keys()):
        if first.get(name) != other.get(name):
            print(f'{path}: {name} is not that of {sys.argv[1]}')
            wrong += 1
sys.exit(wrong > 0)
