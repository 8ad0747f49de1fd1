# SPDX-License-Identifier: MIT
"""Archives of the files below a folder, in the folder that is the second argument: whole ones, odd ones
that are read all the same, and ones made to do harm. Prints "NAME<tab>what is said of it"; "*": read."""
import gzip
import io
import lzma
import os
import struct
import sys
import tarfile
import zipfile

source, out = sys.argv[1:]
files = sorted(os.path.relpath(os.path.join(folder, name), source)
               for folder, _, names in os.walk(source) for name in names)
content = {name: open(os.path.join(source, name), 'rb').read() for name in files}


def say(name, what='*'):
    print(f'{name}\t{what}')


def put(name, data, what='*'):
    with open(os.path.join(out, name), 'wb') as f:
        f.write(data)
    say(name, what)


def zipped(method=zipfile.ZIP_STORED, names=files, large=False, prefix='', comment=b'', more=()):
    to = io.BytesIO()
    with zipfile.ZipFile(to, 'w', method) as z:
        for name in names:
            info = zipfile.ZipInfo(prefix + name)
            info.compress_type = method
            with z.open(info, 'w', force_zip64=large) as f:
                f.write(content[name])
        for name, data in more:
            z.writestr(name, data)
        z.comment = comment
    return to.getvalue()


def deflated(names=files, more=()):
    return zipped(zipfile.ZIP_DEFLATED, names, more=more)


def tarred(names=files, mode='w', form=tarfile.PAX_FORMAT, prefix=''):
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode=mode, format=form) as t:
        for name in names:
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content[name])
            t.addfile(info, io.BytesIO(content[name]))
    return to.getvalue()


def holding(members, mode='w'):
    """A tar archive of members (name, bytes)."""
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode=mode) as t:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return to.getvalue()


def nested(mode='w', inner_mode='w', ending='.tar', change=lambda data: data):
    """Each folder an archive of its own, as ImageNet comes."""
    folders = {}
    for name in files:
        folders.setdefault(name.partition('/')[0] if '/' in name else '', []).append(name)
    inner = [(folder + ending, change(holding([(n[len(folder) + 1:], content[n]) for n in names], inner_mode)))
             for folder, names in folders.items() if folder]
    return holding([(n, content[n]) for n in folders.get('', [])] + inner, mode)


def patched(data, mark, at, value):
    """`value` at an offset from each `mark`."""
    data, i = bytearray(data), 0
    while (i := data.find(mark, i)) >= 0:
        data[i + at:i + at + len(value)] = value
        i += 4
    return bytes(data)


# As they are made.
put('deflated.zip', deflated())
put('stored.zip', zipped())
put('backwards.zip', deflated(files[::-1]))
put('large.zip', zipped(large=True))
put('comment.zip', zipped(comment=b'c' * 5000))
put('program.zip', b'#!/bin/sh\n' * 99 + deflated())
put('dots.zip', zipped(prefix='./'))
put('mac.zip', deflated(more=[('__MACOSX/._a.png', b'x'), ('.DS_Store', b'x'), ('sub/.hidden.png', b'x')]))
put('plain.tar', tarred())
put('backwards.tar', tarred(files[::-1]))
put('old.tar', tarred(form=tarfile.USTAR_FORMAT))
put('gnu.tar', tarred(form=tarfile.GNU_FORMAT))
put('a.tar.gz', tarred(mode='w:gz'))
put('a.tgz', tarred(mode='w:gz', prefix='./'))
put('a.tar.bz2', tarred(mode='w:bz2'))
put('a.tar.xz', tarred(mode='w:xz'))
put('no-ending', tarred(mode='w:gz'))

# Archives in archives, one deep.
put('nested.tar', nested())
put('nested.tar.gz', nested('w:gz'))
put('nested-gz.tar', nested(ending='.TGZ', inner_mode='w:gz'))
put('deeper.tar', holding([(n, content[n]) for n in files] + [('a.tar', holding([('b.tar', tarred())])),
                                                             ('._c.tar', b'Mac OS X'), ('none.tar', holding([]))]))

# What is refused.
put('nested-cut.tar', nested(change=lambda data: data[:1300]), '/sub.tar: cannot be read as an archive')
put('nested-twice.tgz', nested('w:gz', 'w:gz', '.tgz'), 'is compressed more than once')
whole, tar = deflated(), tarred()
put('encrypted.zip', patched(patched(whole, b'PK\1\2', 8, b'\1\0'), b'PK\3\4', 6, b'\1\0'), 'is encrypted; unpack it')
put('method.zip', patched(whole, b'PK\1\2', 10, b'\x0e\0'), 'LZMA')
put('short.zip', whole[:-40], 'it has no directory')
put('halved.zip', whole[:len(whole) // 2], 'it has no directory')
put('directory.zip', patched(whole, b'PK\5\6', 16, b'\xff\xff\xff\x7f'), 'its directory is not found')
put('many.zip', patched(whole, b'PK\5\6', 10, b'\xfe\xff'), 'its directory is too short')
put('checksum.zip', patched(whole, b'PK\1\2', 16, b'abcd'), 'wrong checksum')
put('bomb.zip', patched(whole, b'PK\1\2', 24, struct.pack('<I', 1 << 30)), 'its sizes cannot be')
put('larger.zip', patched(whole, b'PK\1\2', 24, struct.pack('<I', 700)), 'cannot be inflated')
put('huge.zip', patched(zipped(), b'PK\1\2', 20, struct.pack('<II', 1 << 31, 1 << 31)), 'at most 2147483647 are read')
put('elsewhere.zip', patched(whole, b'PK\1\2', 42, b'\1\0\0\0'), 'it is not where it should be')
put('beyond.zip', patched(whole, b'PK\1\2', 42, b'\0\0\0\x7f'), 'it ends before it should')
put('volumes.zip', patched(whole, b'PK\5\6', 4, b'\1\0'), 'is one of several volumes')
put('text.zip', deflated([], [('readme.txt', b'hello'), ('a.webp', b'x')]), 'no image found')
put('empty.zip', zipped(names=[]), 'no image found')
put('cut.tar', tar[:1700], 'cannot be read as an archive')
put('cut.tgz', gzip.compress(tar)[:-400], 'cannot be read as an archive')
put('twice.tgz', gzip.compress(gzip.compress(tar)), 'is compressed more than once')
put('picture.gz', gzip.compress(content[files[0]]), 'cannot be read as an archive')
put('nothing.rar', b'Rar!\x1a\7\0' + b'\0' * 600, 'cannot be read as an archive')
# A file of zeros of which xz makes a 6,000th.
info = tarfile.TarInfo('zeros.png')
info.size = 1 << 30
put('zeros.tar.xz', lzma.compress(info.tobuf() + bytes(1 << 28), preset=0), 'times its size')
