# SPDX-License-Identifier: MIT
"""Arrays as others store their images: every file holds the images of reference.h5, in another form."""
import io
import os
import sys

import h5py
import numpy as np

os.chdir(sys.argv[1])
rng = np.random.default_rng(7)
N, H, W = 12, 24, 16
rows, columns = np.mgrid[0:H, 0:W]
waves = [np.sin(0.4 * (k + 1) * rows / 3 + k) + np.cos(0.3 * columns + k) for k in range(N)]
grey = np.stack([np.uint8(np.clip(127 + 50 * w + rng.normal(0, 9, w.shape), 1, 254)) for w in waves])
rgb = np.stack([grey, np.roll(grey, 3, 1), 255 - grey], -1)
rgb[0, 0, 0] = 0, 255, 128  # the ends of the range


def write(name, array, object='images', **options):
    with h5py.File(name + '.h5', 'w') as f:
        made = f.create_dataset(object, data=array, **options)
        if name.startswith('matlab'):
            made.attrs['MATLAB_class'] = np.bytes_('uint8')


write('reference', rgb)
write('reference-grey', grey[..., None])

# Colour; read in place.
write('nchw', rgb.transpose(0, 3, 1, 2))
write('nwhc', rgb.transpose(0, 2, 1, 3))
write('matlab', rgb.transpose(0, 3, 2, 1))
write('flat', rgb.reshape(N, -1))
write('planes', rgb.transpose(0, 3, 1, 2).reshape(N, -1))
write('int64', rgb.astype(np.int64))
write('big-endian', rgb.astype('>u2'))
write('signed', rgb.astype('>i4'), chunks=(5, 7, 16, 3), compression='gzip', shuffle=True)
write('opaque', np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], -1))
write('named', rgb, 'train/data')
# The same as floats.
write('float', np.float32(rgb / 255))
write('double', (rgb / 255).transpose(0, 3, 1, 2))
write('half', np.float16(rgb))
write('to-255', np.float64(rgb))
write('to-1', np.float32(rgb / 127.5 - 1))
write('wide', rgb.astype(np.uint16) * 257)
# Grey.
write('n1hw', grey[:, None])
write('nhw', grey)
write('matlab-grey', grey.transpose(0, 2, 1))
# Not read in place.
write('hwcn', rgb.transpose(1, 2, 3, 0))
with h5py.File('each.h5', 'w') as f:
    for i, image in enumerate(rgb):
        f['faces/%02d' % i] = image
try:
    from PIL import Image

    def png(image):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, 'PNG')
        return np.frombuffer(buffer.getvalue(), np.uint8)
    with h5py.File('encoded.h5', 'w') as f:
        files = f.create_dataset('images', (N,), h5py.vlen_dtype(np.uint8))
        for i, image in enumerate(rgb):
            files[i] = png(image)
    with h5py.File('encoded-each.h5', 'w') as f:
        for i, image in enumerate(rgb):
            f['faces/%02d' % i] = png(image)
except ImportError:
    pass
# Several arrays.
with h5py.File('keras.h5', 'w') as f:
    f['x_train'], f['x_test'] = rgb[:9], rgb[9:]
    f['y_train'], f['y_test'] = np.arange(9), np.arange(3)
with h5py.File('groups.h5', 'w') as f:
    f['train/images'], f['val/images'], f['test/images'] = rgb[:6], rgb[6:9], rgb[9:]
# numpy's own.
np.save('plain.npy', rgb)
np.save('fortran.npy', np.asfortranarray(rgb.transpose(0, 3, 1, 2)))
np.save('float.npy', np.float32(rgb / 255))
np.save('short.npy', rgb.astype('>i2'))
np.savez('one.npz', rgb)
np.savez_compressed('keras.npz', x_train=rgb[:9], x_test=rgb[9:], y_train=np.arange(9), y_test=np.arange(3))
for version in (1, 0), (2, 0), (3, 0):
    with open('version%d.npy' % version[0], 'wb') as f:
        np.lib.format.write_array(f, rgb, version)

# Not fit.
np.save('bright.npy', np.float32(rgb))
np.save('objects.npy', np.array([{}, None], dtype=object), allow_pickle=True)
np.savez('several.npz', a=rgb, b=rgb[:3])
with open('cut.npy', 'wb') as f:
    f.write(open('plain.npy', 'rb').read()[:-1])
write('one', rgb[0])
write('one-planar', rgb[0].transpose(2, 0, 1))
write('negative', rgb.astype(np.int16) - 4)
write('lzf', rgb, compression='lzf')
with h5py.File('others.h5', 'w') as f:
    f['x'], f['flat'] = rgb, grey.reshape(N, -1)[:, :256]
    f['names'] = np.array([b'a'] * N)
    for i in range(9):
        f['faces/%d' % i] = grey[i]
