# SPDX-License-Identifier: MIT
"""Label maps in arrays: what h5py and numpy write for tests/cli/label_arrays.sh, and what comes of it.

label_arrays.py make             writes the sources
label_arrays.py same D.h5 [VOID] the label maps are those that were made; VOID: pixels of label 3 are void
label_arrays.py sheet D.h5       count, void, rule, names
"""
import sys

import h5py
import numpy as np

N, H, W = 6, 12, 16
rng = np.random.default_rng(5)
images = rng.integers(0, 256, (N, H, W, 3), dtype=np.uint8)
y, x = np.mgrid[:H, :W]
labels = np.stack([(x // 3 + y // 4 + i) % 4 for i in range(N)])


def write(name, maps, array="masks", **attributes):
    with h5py.File(name, "w") as f:
        f["images"] = images
        f[array] = maps
        f[array].attrs.update(attributes)


def make():
    with h5py.File("plain.h5", "w") as f:
        f["images"] = images
    for kind in "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<f8":
        write(f"of_{kind.strip('<>')}.h5", labels.astype(kind))
    for kind in "i1", ">i2", "<i4", ">i8":
        write(f"minus_{kind.strip('<>')}.h5", np.where(labels == 3, -1, labels).astype(kind))
    write("nhw1.h5", labels[..., None].astype("u1"))
    write("n1hw.h5", labels[:, None].astype("u1"))
    write("hwn.h5", labels.transpose(1, 2, 0).astype("u1"))
    write("matlab.h5", labels.transpose(0, 2, 1).astype("f8"), MATLAB_class=np.bytes_("double"))
    write("half.h5", labels[:, ::2, ::2].astype("u1"))
    write("few.h5", labels[:5].astype("u1"))
    write("colour.h5", np.repeat(labels[..., None], 3, 3).astype("u1"))
    write("broken.h5", labels + 0.5)
    write("mask.h5", 255 * (labels > 1).astype("u1"))
    write("dataset.h5", labels.astype("u1"), "labels", label_names=["sky", "sea", "land", "void"], void=3)
    write("foreign.h5", labels.astype("i4"), "labels")
    with h5py.File("parts.h5", "w") as f:
        for part, of in ("train", slice(0, 4)), ("test", slice(4, 6)):
            f["x_" + part], f["y_" + part] = images[of], labels[of].astype("u1")
    with h5py.File("group.h5", "w") as f:
        for i in range(N):
            f[f"photos/{i}"], f[f"masks/{i}"] = images[i], labels[i].astype("u1")
    np.savez("all.npz", images=images, masks=labels.astype(">i2"))
    np.save("images.npy", images)
    np.save("masks.npy", labels.astype("i8"))
    np.save("fortran.npy", np.asfortranarray(labels.astype("i2")))


def main():
    if sys.argv[1] == "make":
        return make()
    with h5py.File(sys.argv[2]) as f:
        found, attributes = f["labels"][:], f["labels"].attrs
        if sys.argv[1] == "same":
            order = [int(np.argwhere((images == i).all((1, 2, 3)))[0, 0]) for i in f["images"][:]]
            assert (found == labels[order]).all()
            assert attributes.get("void", -1) == (3 if len(sys.argv) > 3 else -1)
            assert attributes["count"] == 4 and sorted(order) == list(range(N))
        else:
            names = [n.decode() for n in attributes.get("label_names", [])]
            print(attributes["count"], attributes.get("void", "-"), attributes["rule"].decode(), *names)


main()
