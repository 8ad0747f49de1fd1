# SPDX-License-Identifier: MIT
"""A reader of PNG files of its own: (width, height, channels, rows of bytes)."""
import struct
import zlib


def png(path):
    b = open(path, "rb").read()
    at, data = 8, b""
    while at < len(b):
        n, kind = struct.unpack(">I4s", b[at:at + 8])
        if kind == b"IHDR": w, h, _, colour = struct.unpack(">IIBB", b[at + 8:at + 18])
        if kind == b"IDAT": data += b[at + 8:at + 8 + n]
        at += 12 + n
    c = {0: 1, 2: 3}[colour]
    raw, rows, last = zlib.decompress(data), [], bytearray(w * c)
    for y in range(h):
        f, row = raw[y * (w * c + 1)], bytearray(raw[y * (w * c + 1) + 1:(y + 1) * (w * c + 1)])
        for x in range(w * c):
            a, u, d = (row[x - c] if x >= c else 0), last[x], (last[x - c] if x >= c else 0)
            p = a + u - d
            paeth = a if abs(p - a) <= abs(p - u) and abs(p - a) <= abs(p - d) else u if abs(p - u) <= abs(p - d) else d
            row[x] = (row[x] + [0, a, u, (a + u) // 2, paeth][f]) & 255
        rows.append(bytes(row)); last = row
    return w, h, c, rows
