#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files that nobody should be harmed by, written to the folder given: one line for each on stdout,
"FILE<tab>what a message about it must say". "*" is a file that is to be read like any other."""
import os
import struct
import sys
import zlib

import h5py
import numpy as np

folder = sys.argv[1]
os.chdir(folder)
rng = np.random.default_rng(1)
pixels = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
secret = os.path.join(os.getcwd(), 'secret')
with open(secret, 'wb') as f:
    f.write(bytes(64 * 1024))


def file(name, says):
    print(f'{name}.h5\t{says}')
    return h5py.File(name + '.h5', 'w')


with h5py.File('other.h5', 'w') as f:
    f['images'] = pixels
with file('external-link', 'external link') as f:
    f['images'] = h5py.ExternalLink('other.h5', '/images')
with file('external-group', 'external link') as f:
    f['images'] = pixels
    f['labels'] = h5py.ExternalLink('other.h5', '/images')
with file('external-by-soft', 'soft link') as f:
    f['there'] = h5py.ExternalLink('other.h5', '/')
    f['images'] = h5py.SoftLink('/there/images')
with file('circle', 'soft link') as f:
    f['images'] = h5py.SoftLink('/a')
    f['a'] = h5py.SoftLink('/images')
with file('dangling', 'soft link') as f:
    f['images'] = h5py.SoftLink('/nowhere')
with file('soft-link', '*') as f:
    f['data/train'] = pixels
    f['images'] = h5py.SoftLink('/data/train')
with file('external-storage', 'external storage') as f:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_external(secret.encode(), 0, 12 * 8 * 8 * 3)
    space = h5py.h5s.create_simple((12, 8, 8, 3))
    h5py.h5d.create(f.id, b'images', h5py.h5t.STD_U8LE, space, properties)
with file('virtual', 'virtual dataset') as f:
    layout = h5py.VirtualLayout(shape=(12, 8, 8, 3), dtype=np.uint8)
    layout[:] = h5py.VirtualSource('other.h5', 'images', shape=(12, 8, 8, 3))
    f.create_virtual_dataset('images', layout)
with file('virtual-self', 'virtual dataset') as f:
    layout = h5py.VirtualLayout(shape=(12, 8, 8, 3), dtype=np.uint8)
    layout[:] = h5py.VirtualSource('.', 'images', shape=(12, 8, 8, 3))
    f.create_virtual_dataset('images', layout)
with file('virtual-endless', 'virtual dataset') as f:
    layout = h5py.VirtualLayout(shape=(12, 8, 8, 3), dtype=np.uint8, maxshape=(None, 8, 8, 3))
    source = h5py.VirtualSource('.', 'images', shape=(12, 8, 8, 3), maxshape=(None, 8, 8, 3))
    layout[:h5py.h5s.UNLIMITED] = source[:h5py.h5s.UNLIMITED]
    f.create_virtual_dataset('images', layout)
with file('virtual-labels', 'virtual dataset') as f:
    f['images'] = pixels
    layout = h5py.VirtualLayout(shape=(12, 8, 8), dtype=np.uint8, maxshape=(None, 8, 8))
    source = h5py.VirtualSource('.', 'labels', shape=(12, 8, 8), maxshape=(None, 8, 8))
    layout[:h5py.h5s.UNLIMITED] = source[:h5py.h5s.UNLIMITED]
    f.create_virtual_dataset('labels', layout)
with file('filter-lzf', 'lzf') as f:
    f.create_dataset('images', data=pixels, compression='lzf')
with file('filter-scaleoffset', 'scaleoffset') as f:
    f.create_dataset('images', data=pixels, scaleoffset=0)
with file('claims-contiguous', 'can hold no such array') as f:
    f.create_dataset('images', shape=(2**32 - 1, 1, 1), dtype=np.uint8)
with file('claims-chunked', 'can hold no such array') as f:
    f.create_dataset('images', shape=(2**32 - 1, 1, 1), dtype=np.uint8, chunks=(1, 1, 1))
with file('claims-deflated', 'can hold no such array') as f:
    f.create_dataset('images', shape=(2**28, 64, 64), dtype=np.uint8, chunks=(1, 64, 64),
                     compression=9)
with file('huge-chunk', 'chunks of') as f:
    f.create_dataset('images', shape=(4, 60000, 60000), dtype=np.uint8, chunks=(1, 60000, 60000),
                     compression=9)
with file('huge-image', '2^28 pixels') as f:
    f.create_dataset('images', shape=(1, 30000, 30000), dtype=np.uint8, chunks=(1, 3000, 30000),
                     compression=1)
    rows = zlib.compress(bytes(90_000_000), 1)
    for i in range(10):
        f['images'].id.write_direct_chunk((0, 3000 * i, 0), rows)
with file('never-written', 'never written') as f:
    f.create_dataset('images', shape=(12, 8, 8, 3), dtype=np.uint8)
    f['padding'] = pixels
with file('half-written', 'never written') as f:
    f.create_dataset('images', shape=(12, 8, 8, 3), dtype=np.uint8, chunks=(1, 8, 8, 3))
    f['images'][:6] = pixels[:6]
with file('fat-chunk', 'that takes') as f:
    f.create_dataset('images', shape=(2, 8, 8, 3), dtype=np.uint8, chunks=(1, 8, 8, 3),
                     compression=9)
    for i in range(2):
        f['images'].id.write_direct_chunk((i, 0, 0, 0), zlib.compress(bytes(9000), 0))
with file('bomb', 'inflates to more than') as f:
    f.create_dataset('images', shape=(2, 300, 300, 3), dtype=np.uint8, chunks=(1, 300, 300, 3),
                     compression=9)
    for i in range(2):
        f['images'].id.write_direct_chunk((i, 0, 0, 0), zlib.compress(bytes(100_000_000), 9))
with file('compound', 'compounds') as f:
    f.create_dataset('images', data=np.zeros((4, 8, 8), dtype=[('r', 'u1'), ('g', 'u1')]))
with file('references', 'references') as f:
    f.create_dataset('images', shape=(4, 8, 8), dtype=h5py.ref_dtype)
with file('arrays', 'arrays') as f:
    f.create_dataset('images', shape=(4, 8, 8), dtype=h5py.vlen_dtype(np.uint8))
with file('wide', 'integers are 0..255') as f:
    f['images'] = pixels.astype('>i2') + 300
with file('big-endian', '*') as f:
    f['images'] = pixels
    f.create_dataset('split', data=np.array([0] * 8 + [2] * 4, dtype='>i4'))
    f.create_dataset('labels', data=(pixels[..., 0] // 64).astype('>u2'))
    f['labels'].attrs['count'] = np.array(4, dtype='>i8')
with file('split-huge', 'can hold no such array') as f:
    f['images'] = pixels
    f.create_dataset('split', shape=(2**33,), dtype=np.uint8, chunks=(2**16,))
with file('names-huge', '*') as f:
    f['images'] = pixels
    f.create_dataset('names', shape=(2**20,), dtype='S65536', chunks=(16,), compression=9)
with file('labels-huge', 'can hold no such array') as f:
    f['images'] = pixels
    f.create_dataset('labels', shape=(12, 2**31, 8), dtype=np.uint8, chunks=(1, 2**16, 8))
with file('labels-of-others', '*') as f:
    f['images'] = pixels
    f.create_dataset('labels', data=np.arange(12), compression='lzf')
with file('text-attribute', '*') as f:
    f['images'] = pixels
    f.attrs['command'] = 'x\x1b[31mred\x07\x9b31m\u202e\n\tend' + 'y' * 3000
with file('names-fixed', '*') as f:
    f['images'] = pixels
    f['names'] = np.array([b'n%d' % i for i in range(12)], dtype='S100')
with file('many-in-chunk', '*') as f:
    f.create_dataset('images', data=np.tile(pixels, (20, 1, 1, 1)), compression='gzip')
os.mkfifo('fifo.h5')
print('fifo.h5\tnot a regular file')
with h5py.File('storage-fifo.h5', 'w') as f:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_external(os.path.join(os.getcwd(), 'fifo.h5').encode(), 0, 12 * 8 * 8 * 3)
    space = h5py.h5s.create_simple((12, 8, 8, 3))
    h5py.h5d.create(f.id, b'images', h5py.h5t.STD_U8LE, space, properties)
print('storage-fifo.h5\texternal storage')
# Nothing but a header.
with open('header-only.h5', 'wb') as f:
    f.write(b'\x89HDF\r\n\x1a\n' + bytes(88))
print('header-only.h5\tHDF5')
# A user-defined link, which h5py cannot write: the kind of an external one is changed to 100. The
# file is of the old format, without checksums.
with h5py.File('user-link.h5', 'w', libver=('earliest', 'v108')) as f:
    f['images'] = h5py.ExternalLink('other.h5', '/images')
    f['padding'] = 1
with open('user-link.h5', 'rb') as f:
    data = f.read()
at = data.find(b'other.h5\0/images')
kind = data.rfind(struct.pack('<B', 64), 0, at)
if at > 0 and kind > at - 40:
    data = data[:kind] + bytes([100]) + data[kind + 1:]
    with open('user-link.h5', 'wb') as f:
        f.write(data)
    print('user-link.h5\tuser-defined')
