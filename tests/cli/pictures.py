# SPDX-License-Identifier: MIT
"""Pictures as people have them, made with Pillow, and what Pillow makes of them.

  pictures.py make FOLDER             writes FOLDER/in/*, of which each is HxW when it is upright
  pictures.py check FOLDER DATASET BY compares what was packed, FOLDER/in, with Pillow's pixels; BY
                                      decodes JPEG: stb or libjpeg

Reference for standing upright: ImageOps.exif_transpose. For transparency: alpha_composite() on the
background. For JPEG that Pillow and tessera decode with different libraries a tolerance.
"""
import io
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

H, W = 24, 40
ROSE = (200, 100, 50)
NONE_OF_THEM = (9, 0, 65535)


def photo(height, width, seed=0):
    """Smooth, different at every place and from its mirror images."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = [128 + 100 * np.sin(x / (9 + seed) + c) * np.cos(y / (7 + c)) + x - y for c in range(3)]
    return np.clip(np.stack(rgb, -1), 0, 255).astype(np.uint8)


def tiff(big, value, kind=3, count=1):
    """An EXIF block by hand: a maker's name, then the orientation."""
    e = '>' if big else '<'
    entries = struct.pack(e + 'HHI4s', 0x10f, 2, 4, b'abc\0') + struct.pack(e + 'HHIHH', 0x112, kind, count, value, 0)
    return (b'MM' if big else b'II') + struct.pack(e + 'HIH', 42, 8, 2) + entries + b'\0\0\0\0'


def png_chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def with_exif_chunk(png, block, at_end):
    """eXIf before the pixels or behind them."""
    at = png.rindex(b'IEND') - 4 if at_end else 33
    return png[:at] + png_chunk(b'eXIf', block) + png[at:]


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def segment(marker, body):
    return b'\xff' + bytes([marker]) + struct.pack('>H', len(body) + 2) + body


def turned_pictures(put):
    for o in list(range(1, 9)) + list(NONE_OF_THEM):
        swapped = 5 <= o <= 8
        im = Image.fromarray(photo(W, H) if swapped else photo(H, W))
        jpeg, png = (encoded(im, k, **p) for k, p in (('JPEG', {'quality': 95, 'subsampling': 0}), ('PNG', {})))
        for big in (False, True):
            block = tiff(big, o)
            name = f"{'mm' if big else 'ii'}-{o}"
            # Behind JFIF and other segments, as cameras and editors leave them.
            first = segment(0xe1, b'http://ns.adobe.com/xap/1.0/\0<x/>') + segment(0xfe, b'a comment')
            put(f'{name}.jpg', jpeg[:2] + segment(0xe1, b'Exif\0\0' + block) + jpeg[2:])
            put(f'{name}-late.jpg', jpeg[:20] + first + segment(0xe1, b'Exif\0\0' + block) + jpeg[20:])
            put(f'{name}.png', with_exif_chunk(png, block, big))
    # What makes no sense changes nothing.
    im = Image.fromarray(photo(H, W))
    jpeg = encoded(im, 'JPEG', quality=95, subsampling=0)
    good = tiff(False, 6)
    for name, block in {'cut': good[:20], 'empty': b'', 'nothing': b'II*\0\xff\xff\xff\xff', 'far': b'MM\0*\0\0\0\x08\xff\xff' + b'\0' * 40,
                        'no-tiff': b'XX' + good[2:], 'many': tiff(True, 6, count=70000)}.items():
        put(f'odd-{name}.jpg', jpeg[:2] + segment(0xe1, b'Exif\0\0' + block) + jpeg[2:], upright=np.asarray(Image.open(io.BytesIO(jpeg))))
        if block:
            put(f'odd-{name}.png', with_exif_chunk(encoded(im, 'PNG'), block, False), upright=np.asarray(im))


def transparent_pictures(put):
    rgb = photo(H, W, 3)
    alpha = (np.add.outer(np.arange(H) * 11, np.arange(W) * 3) % 256).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    grey = Image.fromarray(np.dstack([rgb[..., 0], alpha]), 'LA')
    palette = Image.fromarray(rgb).quantize(37)
    put('rgba.png', encoded(rgba, 'PNG'))
    put('grey-alpha.png', encoded(grey, 'PNG'))
    put('palette.png', encoded(palette, 'PNG'))
    put('palette-alpha.png', encoded(palette, 'PNG', transparency=bytes(range(0, 37 * 6, 6))))
    put('palette-one.png', encoded(palette, 'PNG', transparency=3))
    put('rgb-key.png', encoded(Image.fromarray(rgb), 'PNG', transparency=tuple(int(v) for v in rgb[4, 5])))
    put('grey-key.png', encoded(Image.fromarray(rgb[..., 0]), 'PNG', transparency=int(rgb[2, 2, 0])))
    put('turned-alpha.png', with_exif_chunk(encoded(rgba.transpose(Image.Transpose.ROTATE_90), 'PNG'), tiff(True, 6), True))


def jpegs(put):
    im = Image.fromarray(photo(H, W, 5))
    plain = encoded(im, 'JPEG', quality=90)
    end = plain.rindex(b'\xff\xd9')
    put('plain.jpg', plain)
    put('progressive.jpg', encoded(im, 'JPEG', quality=90, progressive=True))
    put('grey.jpg', encoded(im.convert('L'), 'JPEG'))
    put('appended.jpg', plain + b'\xff\xd8\xff\xe1 whatever' * 9)
    cmyk = Image.merge('CMYK', [Image.fromarray(photo(H, W, s)[..., 0]) for s in range(4)])
    inks = encoded(cmyk, 'JPEG', quality=95)
    at = inks.index(b'Adobe')
    put('cmyk.jpg', inks)
    put('ycck.jpg', inks[:at + 11] + b'\2' + inks[at + 12:])
    unmarked = inks[:at - 4] + inks[at - 4 + 2 + struct.unpack('>H', inks[at - 2:at])[0]:]
    put('stb-cannot-cmyk-unmarked.jpg', unmarked)
    # Cameras leave bytes behind the pixels; downloads lose the last two.
    put('stb-cannot-stray.jpg', plain[:end] + b'\x10' * 64 + b'\xff\x00' + b'\x10' * 16 + plain[end:])
    put('stb-cannot-no-end.jpg', plain[:end])
    put('stb-cannot-no-end-progressive.jpg', (lambda b: b[:b.rindex(b'\xff\xd9')])(encoded(im, 'JPEG', progressive=True)))


def damaged(put):
    im = Image.fromarray(photo(H, W, 5))
    plain, progressive = encoded(im, 'JPEG', quality=95), encoded(im, 'JPEG', progressive=True)
    put('half.jpg', plain[:len(plain) * 2 // 3])
    put('half-with-end.jpg', plain[:len(plain) * 2 // 3] + b'\xff\xd9')
    scans = [i for i in range(len(progressive)) if progressive[i:i + 2] == b'\xff\xda']
    put('first-scans.jpg', progressive[:scans[4]])
    put('empty.jpg', b'')
    put('pointer.png', b'version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n')


def wide(put):
    """16 bits: rounded, not cut; composed before that."""
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 65536, (H, W, 4), dtype=np.uint16)
    rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in rgba)
    png = b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', struct.pack('>IIBBBBB', W, H, 16, 6, 0, 0, 0)) + png_chunk(b'IDAT', zlib.compress(rows)) + png_chunk(b'IEND', b'')
    v, a = rgba[..., :3] / 65535, rgba[..., 3:] / 65535
    put('wide.png', png, upright=np.floor(255 * (v * a + np.array(ROSE) / 255 * (1 - a)) + .5).astype(np.uint8))
    with open('wide.ppm', 'wb') as f:
        f.write(b'P6 %d %d 65535\n' % (W, H) + rgba[..., :3].astype('>u2').tobytes())
    put('wide.ppm', open('wide.ppm', 'rb').read(), upright=np.floor(255 * v + .5).astype(np.uint8))


def reference(path):
    im = ImageOps.exif_transpose(Image.open(path))
    if im.mode in ('RGBA', 'LA', 'PA') or 'transparency' in im.info:
        grey = im.mode in ('L', 'LA')
        luma = (77 * ROSE[0] + 150 * ROSE[1] + 29 * ROSE[2]) >> 8
        im = im.convert('RGBA')
        im = Image.alpha_composite(Image.new('RGBA', im.size, ((luma,) * 3 if grey else ROSE) + (255,)), im)
    return np.asarray(im.convert('RGB'))


def make(folder):
    for name in 'in', 'bad', 'npy':
        os.makedirs(f'{folder}/{name}')

    def put(name, data, upright=None):
        with open(f'{folder}/in/{name}', 'wb') as f:
            f.write(data)
        if upright is not None:
            np.save(f'{folder}/npy/{name}.npy', upright)

    def put_bad(name, data):
        with open(f'{folder}/bad/{name}', 'wb') as f:
            f.write(data)
    turned_pictures(put)
    transparent_pictures(put)
    jpegs(put)
    wide(put)
    damaged(put_bad)


def check(folder, dataset, by):
    import h5py
    Image.MAX_IMAGE_PIXELS = None
    from PIL import ImageFile
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    wrong = 0
    with h5py.File(dataset, 'r') as f:
        names = [n.decode() for n in f['names'][:]]
        images = dict(zip(names, f['images'][:]))
    expected = set(os.listdir(f'{folder}/in'))
    if by == 'stb':
        expected = {n for n in expected if not n.startswith('stb-cannot')}
    if set(names) != expected:
        sys.exit(f'packed and expected differ: {set(names) ^ expected}')
    for name in sorted(names):
        own = f'{folder}/npy/{name}.npy'
        want = np.load(own) if os.path.exists(own) else reference(f'{folder}/in/{name}')
        if want.ndim == 2:
            want = np.repeat(want[..., None], 3, -1)
        difference = np.abs(images[name].astype(int) - want)
        # Exact but for composition and inks, which Pillow rounds otherwise, and for what stb_image
        # makes of JPEG.
        most, mean = (24, 2.5) if by == 'stb' and name.endswith('.jpg') else (1, .6)
        if difference.max() > most or difference.mean() > mean:
            wrong += 1
            print(f'{name}: differs by {difference.max()}, {difference.mean():.2f} in the mean')
    print(f'{len(names)} pictures')
    sys.exit(wrong > 0)


{'make': make, 'check': check}[sys.argv[1]](*sys.argv[2:])
