#!/bin/sh
# SPDX-License-Identifier: MIT
# Arrays as others store them are read as the images that they are: a model trained on each has seen
# the pixels that the model of the reference has seen. What is not clear is asked for.
. "$TSR_TESTS/cli/common.inc"

python=/usr/bin/python3
[ -x $python ] && $python -c 'import h5py, numpy' 2>/dev/null || python=python3
if ! $python -c 'import h5py, numpy' 2>/dev/null; then
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
