#!/bin/sh
# SPDX-License-Identifier: MIT
# Arrays as others store them are read as the images that they are: a model trained on each has seen
# the pixels that the model of the reference has seen. What is not clear is asked for.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'h5py, numpy'; then
    echo "skip arrays of others: there is no python3 with h5py and numpy"
    exit 0
fi
$python "$TSR_TESTS/cli/arrays.py" .

seen() { # NAME DATASET [OPTION...]: trains one outer step
    name=$1 dataset=$2
    shift 2
    tessera 0 "train on $name" train "$dataset" "$@" -o "$name-model.h5" --force --width 4 \
        --inner-steps 1 --outer-steps 1 --batch 2 --quiet
}
reads() { # REFERENCE FILE [OPTION...]
    reference=$1 file=$2
    shift 2
    seen "$file" "$file.h5" "$@"
    echo "$file $reference" >>pairs
}
# Of bytes the digest of the pixels, of floats what was learned. The last two are controls.
compare() {
    $python - <<'PY'
import h5py, numpy as np
pairs = [line.split() for line in open('pairs')]
for name, reference in pairs + [('planes', 'reference-grey'), ('float', 'reference-grey')]:
    a, b = (h5py.File(n + '-model.h5', 'r') for n in (name, reference))
    keys = ('images', 'height', 'width', 'channels')
    right = all(a['dataset'].attrs[key] == b['dataset'].attrs[key] for key in keys)
    if a['dataset'].attrs['value_bytes'] == 1:
        right = right and a['dataset'].attrs['pixels_digest'] == b['dataset'].attrs['pixels_digest']
    elif right:
        right = all(np.allclose(a[w], b[w], atol=2e-4) for w in ('init/layer0/weight', 'init/layer1/weight'))
    differ = (name, reference) == ('planes', 'reference-grey') or (name, reference) == ('float', 'reference-grey')
    print('%s %s are the pixels of %s%s' % ('ok' if right != differ else 'not ok', name, reference, ', not' if differ else ''))
PY
}

seen reference reference.h5
seen reference-grey reference-grey.h5
reads reference nchw
reads reference nwhc --images-layout NWHC
reads reference matlab
reads reference flat --images-layout flat:24x16x3
reads reference planes --images-layout flat:3x24x16
reads reference int64
reads reference big-endian
reads reference signed
reads reference opaque
reads reference named --images train/data
reads reference float
reads reference double
reads reference half --images-range 0..255
reads reference to-255 --images-range 0..255
reads reference to-1 --images-range=-1..1
reads reference wide --images-range 0..65535
reads reference-grey n1hw
reads reference-grey nhw
reads reference-grey matlab-grey
compare
tessera 0 "info says how an array was read" info matlab.h5
check "it names the layout" grep -q 'read as: NCWH' out
tessera 0 "eval takes the same options" eval reference-model.h5 to-255.h5 --images-range 0..255 --quiet


# ---- splits of a file that has none --------------------------------------------------------------------

tessera 0 "a dataset with splits" pack nchw.h5 -o packed.h5 --quiet
tessera 0 "train without splits" train nchw.h5 -o all.h5 --width 4 --inner-steps 1 --outer-steps 1 --batch 2
check "it says so" grep -q 'has no splits: all its images are trained on' err
tessera 0 "eval without splits" eval all.h5 nchw.h5
check "it says so, too" grep -q 'has no splits: its test images are all of them' err
check "all images are evaluated" grep -q '^images.12$' out
tessera 0 "train with splits dealt" train nchw.h5 --split 0.5,0.25,0.25 -o dealt.h5 --width 4 \
    --inner-steps 1 --outer-steps 1 --batch 2
check "without a warning" sh -c '! grep -q "has no splits" err'
for split in train:6 val:3 test:3; do
    tessera 0 "eval of the split ${split%:*}" eval dealt.h5 reference.h5 --split "${split%:*}"
    check "it has ${split#*:} images" grep -q "^images.${split#*:}$" out
done
tessera 0 "a run that is not gone on with" train nchw.h5 --split 0.5,0.25,0.25 -o final.h5 --width 4 --inner-steps 1 --outer-steps 1 \
    --final
tessera 0 "eval of its split val" eval final.h5 reference.h5 --split val
check "it has as many images" grep -q "^images.3$" out
check "eval says whose splits they are" grep -q 'those that final.h5 was trained with' err
tessera 0 "resumed with the same splits" train matlab.h5 --resume dealt.h5 --outer-steps 2 --quiet
tessera 0 "eval on other images" eval dealt.h5 planes.h5 --images-layout flat:24x16x3
check "deals nothing" grep -q 'has no splits' err
refused 2 'has splits of its own' "splits dealt where there are some" train packed.h5 --split 0.5,0.25,0.25 -o x.h5 --outer-steps 1

# ---- packed ------------------------------------------------------------------------------------------

packs() { # FILE [OPTION...]: to the images of the reference, in their order
    file=$1
    shift
    tessera 0 "pack of $file" pack "$file" "$@" -o "packed-$file.h5" --quiet
    echo "$file" >>packed
}
for file in nchw matlab big-endian opaque float hwcn; do packs $file.h5; done
packs to-1.h5 --images-range=-1..1
packs planes.h5 --images-layout flat:3x24x16
packs each.h5 --images faces --size 24x16
packs groups.h5 --images train/images,val/images,test/images
packs keras.h5 --images x_train,x_test
for file in plain.npy fortran.npy float.npy short.npy version1.npy version2.npy version3.npy one.npz; do
    packs $file
done
packs keras.npz
if [ -e encoded.h5 ]; then
    packs encoded.h5 --size 24x16
    packs encoded-each.h5 --images faces --size 24x16
fi
packs matlab-grey.h5
$python - <<'PY'
import h5py, numpy as np
want = {name: h5py.File(name + '.h5')['images'][()] for name in ('reference', 'reference-grey')}
split = {'groups.h5': [6, 3, 3], 'keras.h5': [9, 0, 3], 'keras.npz': [9, 0, 3]}
def report(right, name):
    print('ok' if right else 'not ok', name)
for name in open('packed').read().split():
    f = h5py.File('packed-' + name + '.h5')
    grey = 'grey' in name
    report(np.array_equal(f['images'][()], want['reference-grey' if grey else 'reference']), name + ' was packed as it is')
    counts = np.bincount(f['split'][()], minlength=3).tolist()
    report(counts == split.get(name, [10, 1, 1]), 'the splits of %s: %s' % (name, counts))
report(not np.array_equal(want['reference'], np.repeat(want['reference-grey'], 3, -1)), 'the comparison tells colours from greys')
PY
tessera 0 "pack again, of what pack wrote" pack packed-groups.h5.h5 --deflate 4 -o again.h5 --quiet
check "images, splits and names are the same" $python -c "
import h5py
a, b = h5py.File('packed-groups.h5.h5'), h5py.File('again.h5')
assert all((a[k][()] == b[k][()]).all() for k in ('images', 'split', 'names')) and b['images'].compression == 'gzip'"
tessera 0 "an array to another size, grey" pack plain.npy --size 8x8 --fit squash --channels 1 -o small.h5
check "it has that size" grep -q '12 images of 8x8x1' out
# Groups that lead to themselves under many names.
$python - <<'PY'
import h5py, numpy as np
with h5py.File('circles.h5', 'w') as f:
    f['deep/pictures'] = np.zeros((3, 8, 8, 3), 'u1')
    for i in range(30):
        f['deep/again%d' % i], f['deep/top%d' % i] = f['deep'], f['/']
PY
refused 3 'there is /deep/pictures uint8 [3,8,8,3]' "an array among groups in circles" info circles.h5
refused 3 'images-range 0..255 takes those' "numpy floats beyond 1" pack bright.npy -o x.h5
refused 3 'is shorter than its shape says' "an array that is cut off" pack cut.npy -o x.h5
refused 3 'holds no integers, floats' "pickled objects" pack objects.npy -o x.h5
refused 3 'which arrays are the images is to be said (--images NAME' "arrays that do not say" pack several.npz -o x.h5
tessera 0 "one of them" pack several.npz --images b -o b.h5
refused 2 'size of the images to store is missing' "no size of images of any size" pack each.h5 --images faces -o y.h5

# ---- refused in place ----------------------------------------------------------------------------------

refused 3 'HWC reads it as one image of 3 channels, NHW as 24 grey' "a single image" train one.h5 -o x.h5 --outer-steps 1
refused 3 'CHW reads it as one image of 3 channels, NHW as 3 grey' "a single planar image" train one-planar.h5 -o x.h5 --outer-steps 1
tessera 0 "a single image that was asked for" info one.h5 --images-layout HWC
check "it is one" grep -q '^images: 1$' out
refused 3 'images-range 0..255 takes those' "floats beyond 1" train to-255.h5 -o x.h5 --outer-steps 1
refused 3 'images-range 0..65535 takes those' "integers beyond 255" train wide.h5 -o x.h5 --outer-steps 1
refused 3 'are -4 to 251' "negative integers" train negative.h5 -o x.h5 --outer-steps 1
refused 3 'filter 32000 (lzf), which is not read' "lzf" train lzf.h5 -o x.h5 --outer-steps 1
refused 3 '/x uint8 [12,24,16,3] (--images x)' "what there is, listed by train" train others.h5 -o x.h5 --outer-steps 1
refused 3 '9 arrays in /faces' "what there is, listed by info" info others.h5
refused 3 'images-layout HWCN -o D.h5`' "images along the last axis" train hwcn.h5 -o x.h5 --outer-steps 1
refused 2 'is not a layout' "a layout that is none" train nchw.h5 --images-layout NCHH -o x.h5 --outer-steps 1
refused 2 'is not a range' "a range that is none" train nchw.h5 --images-range 5..1 -o x.h5 --outer-steps 1
refused 3 'which is not NHW' "a layout of another rank" train nchw.h5 --images-layout NHW -o x.h5 --outer-steps 1
