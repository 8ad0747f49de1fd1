# SPDX-License-Identifier: MIT
"""Contents of model and INR files as dictionaries, and the JSON of the program."""
import io
import json
from typing import Any, Dict

import numpy as np


def _h5py():
    try:
        import h5py
    except ImportError:
        raise ImportError("the contents of a file need h5py (Debian: python3-h5py)") from None
    return h5py


def read(data: bytes) -> Dict[str, Any]:
    """{group: attributes, path of an array: array} of an HDF5 file in memory."""
    h5py, contents = _h5py(), {}

    def plain(value):
        return value.decode() if isinstance(value, bytes) else value.item() if np.ndim(value) == 0 and hasattr(
            value, "item") else value

    def take(name, thing):
        if isinstance(thing, h5py.Dataset):
            contents[name] = thing[()]
        elif len(thing.attrs):
            contents[name] = {key: plain(value) for key, value in thing.attrs.items()}

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(take)
    return contents


def write(kind: str, contents: Dict[str, Any]) -> bytes:
    """The reverse, with the attributes on / that a file of this kind has."""
    h5py, file_bytes = _h5py(), io.BytesIO()
    with h5py.File(file_bytes, "w") as file:
        file.attrs.update(format=kind, format_version=1)
        for name, value in contents.items():
            if isinstance(value, dict):
                file.require_group(name).attrs.update(value)
            else:
                file[name] = value
    return file_bytes.getvalue()


def _arrays(value):
    """JSON with lists of numbers as arrays, null among them as NaN, and lists of like objects as one object."""
    if isinstance(value, dict):
        return {key: _arrays(item) for key, item in value.items()}
    if not isinstance(value, list) or not value:
        return value
    if all(isinstance(item, dict) and item.keys() == value[0].keys() for item in value):
        return {key: _arrays([item[key] for item in value]) for key in value[0]}
    try:
        array = np.array(value, float)
    except (TypeError, ValueError):
        return [_arrays(item) for item in value]
    whole = np.array(value) if not np.isnan(array).any() else array
    return whole if whole.dtype.kind in "iu" else array


def read_report(path) -> Dict[str, Any]:
    """What ``tessera eval --json`` (or fit, bench, hypothesis) wrote, from a path or an open file.

    Lists of numbers are arrays, with NaN for null; a list of objects, such as ``regions``, is one object of arrays:
    ``report["regions"]["psnr_db"]`` is [regions, inner steps + 1].
    """
    if hasattr(path, "read"):
        return _arrays(json.load(path))
    with open(path, encoding="utf-8") as file:
        return _arrays(json.load(file))
