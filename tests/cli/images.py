#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images that nobody should be harmed by, written to the folder given: one line for each on stdout,
"FILE<tab>what a message about it must say", "*" for one that is to be read like any other."""
import os
import struct
import sys
import zlib

os.chdir(sys.argv[1])


def put(name, data, says):
    with open(name, 'wb') as f:
        f.write(data)
    print(f'{name}\t{says}')


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, interlaced=0, extra=b'', split=None):
    data = rows if isinstance(rows, bytes) else zlib.compress(bytes(rows), 9)
    parts = [data] if split is None else [data[i:i + split] for i in range(0, len(data), split)]
    return (b'\x89PNG\r\n\x1a\n' +
            chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, interlaced)) +
            extra + b''.join(chunk(b'IDAT', p) for p in parts) + chunk(b'IEND', b''))


def interlaced_size(width, height, bits):
    size = 0
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                         (1, 0, 2, 2), (0, 1, 1, 2)):
        w, h = -(-(width - x) // dx), -(-(height - y) // dy)
        if w > 0 and h > 0:
            size += ((w * bits + 7) // 8 + 1) * h
    return size


put('bomb.png', png(1, 1, 8, 2, 300_000_000), 'more pixels than its header')
put('bomb-split.png', png(1, 1, 8, 2, 300_000_000, split=1000), 'more pixels than its header')
put('one-row-more.png', png(8, 8, 8, 2, 9 * 25), 'more pixels than its header')
put('one-byte-less.png', png(8, 8, 8, 2, 8 * 25 - 1), 'fewer pixels than its header')
put('nothing.png', png(8, 8, 8, 2, 0), 'fewer pixels than its header')
put('claims.png', png(16384, 16384, 16, 6, 100), 'fewer pixels than its header')
put('too-wide.png', png(70000, 8, 8, 2, 100), 'a side is 1..65535')
put('too-many.png', png(60000, 60000, 8, 2, 100), 'pixels are read')
put('not-deflate.png', png(8, 8, 8, 2, b'no zlib at all'), 'cannot be inflated')
put('depth.png', png(8, 8, 3, 0, 8 * 4), 'a header of no known kind')
put('headless.png', b'\x89PNG\r\n\x1a\n' + chunk(b'IDAT', zlib.compress(bytes(25))) +
    chunk(b'IEND', b''), 'does not begin with a header')
put('plain.png', png(8, 8, 8, 2, 8 * 25), '*')
put('sixteen.png', png(8, 8, 16, 6, 8 * 65, split=7), '*')
put('bits.png', png(13, 9, 1, 0, 9 * 3), '*')
for side in (1, 2, 3, 5, 8, 9, 17):
    put(f'interlaced-{side}.png', png(side, 20 - side, 8, 2, interlaced_size(side, 20 - side, 24), 1),
        '*')
put('interlaced-bomb.png', png(9, 9, 8, 2, interlaced_size(9, 9, 24) + 1, 1), 'more pixels')
bomb = zlib.compress(bytes(200_000_000), 9)
put('profile-bomb.png', png(8, 8, 8, 2, 8 * 25, extra=chunk(b'iCCP', b'x\0\0' + bomb) +
                            chunk(b'zTXt', b'k\0\0' + bomb) +
                            chunk(b'iTXt', b'k\0\1\0\0\0' + bomb)), '*')
# A JPEG of one block that claims 16384x16384.
jpeg = (b'\xff\xd8' + b'\xff\xdb\0\x43\0' + bytes([1]) * 64 +
        b'\xff\xc0\0\x0b\x08' + struct.pack('>HH', 16384, 16384) + b'\x01\x01\x11\0' +
        b'\xff\xc4\0\x14\0' + bytes([1] + [0] * 15) + b'\0' +
        b'\xff\xc4\0\x14\x10' + bytes([1] + [0] * 15) + b'\0' +
        b'\xff\xda\0\x08\x01\x01\0\0\x3f\0' + b'\0' + b'\xff\xd9')
put('claims.jpg', jpeg, 'fewer pixels than its header')
put('too-many.jpg', jpeg.replace(struct.pack('>HH', 16384, 16384), struct.pack('>HH', 65500, 65500)),
    'pixels are read')


def bmp(width, height, bits=24, data=None, size=40):
    row = (width * bits + 31) // 32 * 4
    data = bytes(range(256)) * (row * abs(height) // 256 + 1) if data is None else data
    data = data[:row * abs(height)]
    return (b'BM' + struct.pack('<IHHI', 14 + size + len(data), 0, 0, 14 + size) +
            struct.pack('<IiiHHIIiiII', size, width, height, 1, bits, 0, len(data), 0, 0, 0, 0) + data)


put('bottom-up.bmp', bmp(9, 7), '*')
put('top-down.bmp', bmp(9, -7), '*')
put('claims.bmp', bmp(30000, 8000, data=bytes(100)), 'truncated BMP')
put('lowest.bmp', bmp(9, -2**31, data=bytes(100)), 'BMP')
put('negative.bmp', bmp(-9 & 0x7fffffff, 7, data=bytes(100)), 'BMP')
put('numbers.ppm', b'P6\n99999999999999999999 1\n255\n' + bytes(100), 'damaged PNM header')
put('product.ppm', b'P6\n999999999 999999999\n255\n' + bytes(100), 'truncated PNM')
put('comment.ppm', b'P6\n#' + b'x' * 100000 + b'\n4 4\n255\n' + bytes(48), '*')
put('maximum.pgm', b'P5\n4 4\n65536\n' + bytes(48), 'largest value')
for name, data in (('gif', b'GIF89a\1\0\1\0\x80\0\0' + bytes(30)), ('psd', b'8BPS\0\1' + bytes(60)),
                   ('hdr', b'#?RADIANCE\n\n-Y 1 +X 1\n' + bytes(30)), ('pic', b'\x53\x80\xf6\x34' + bytes(90)),
                   ('tga', b'\0\0\2' + bytes(9) + b'\1\0\1\0\x18\0' + bytes(3)), ('webp', b'RIFF\0\0\0\0WEBP'),
                   ('svg', b'<svg/>'), ('empty', b'')):
    put(f'really-{name}.png', data, 'not a JPEG, PNG, BMP or PNM' if data else 'is empty')
