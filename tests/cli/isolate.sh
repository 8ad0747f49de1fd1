#!/bin/sh
# SPDX-License-Identifier: MIT
# Images decoded apart: every command makes of them what it makes without, and says the same of
# those that it cannot use. What a decoder may not do is tested in test_cli_isolate.c.
. "$TSR_TESTS/cli/common.inc"

if ! find_python 'h5py, numpy, zlib'; then
    echo "skip images decoded apart: there is no python3 with h5py and numpy"
    exit 0
fi
if ldd "$TESSERA" | grep -q -e asan -e ubsan; then
    echo "skip images decoded apart: sanitizers have system calls of their own"
    exit 0
fi
mkdir images
$python "$TSR_TESTS/cli/images.py" images >list || { fail "images.py"; finish; exit; }
"$TESSERA" pack images --size 4x4 --fit squash -o here.h5 --threads 2 >here.out 2>here.err
if ! "$TESSERA" pack images --size 4x4 --fit squash -o apart.h5 --threads 2 --isolate >apart.out 2>apart.err &&
    grep -q 'images cannot be decoded apart here' apart.err; then
    check "where nothing can be shut off, nothing is written" test ! -e apart.h5
    finish
    exit
fi
words() { sed -e 's/^[-0-9]* [:0-9]*  //' -e '/ left$/d' "$1"; }
words here.err >here.words
words apart.err >apart.words
check "bad images are told in the same words" cmp here.words apart.words
check "of which there are some" test "$(grep -c skipped apart.words)" -gt 10
check "the same images" $python "$TSR_TESTS/cli/same.py" here.h5 apart.h5

small_dataset d.h5
small_train d.h5 m.h5 --outer-steps 2
same_inr() {
    $python - "$1" "$2" <<'PY'
import h5py, sys
def arrays(path):
    found = {}
    with h5py.File(path) as f:
        f.visititems(lambda name, item: found.update({name: item[()].tobytes()} if hasattr(item, 'shape') else {}))
    return found
a, b = arrays(sys.argv[1]), arrays(sys.argv[2])
sys.exit(0 if a and a == b else 'other numbers')
PY
}
tessera 0 "adapt" adapt m.h5 photos/p1.ppm -o a.h5
tessera 0 "adapt --isolate" adapt m.h5 photos/p1.ppm -o b.h5 --isolate
check "the same INR" same_inr a.h5 b.h5
tessera 0 "fit --isolate" fit photos/p1.ppm -o c.h5 --width 8 --iterations 2 --isolate
tessera 0 "fit" fit photos/p1.ppm -o e.h5 --width 8 --iterations 2
check "the same INR of fit" same_inr c.h5 e.h5
tessera 0 "eval" eval m.h5 photos/p1.ppm photos/p2.ppm
grep -v seconds out >figures
tessera 0 "eval --isolate" eval m.h5 photos/p1.ppm photos/p2.ppm --isolate
grep -v seconds out >figures.apart
check "the same figures" cmp figures figures.apart
refused 2 "--isolate is for image files" "a dataset is no image file" eval m.h5 d.h5 --isolate
printf 'P5 16 16 255 ' >map.pgm
head -c 200 /dev/zero >>map.pgm
refused 3 "map.pgm: truncated PNM" "a mask decoded apart" adapt m.h5 photos/p1.ppm -o no.h5 --mask map.pgm --isolate
refused 3 "map.pgm: truncated PNM" "a label map decoded apart" \
    adapt m.h5 photos/p1.ppm -o no.h5 --label-map map.pgm --isolate
finish
