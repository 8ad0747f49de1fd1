#!/bin/sh
# SPDX-License-Identifier: MIT
# python/ as pip installs it, without a network: it finds the library that is named, and does what the module of the tree does.
. "$TSR_TESTS/cli/common.inc"
for TESSERA_LIBRARY in "$TSR_BUILD"/libtessera.so.*; do export TESSERA_LIBRARY; done

if ! find_python 'setuptools, pip, numpy'; then
    echo "skip the module by pip: there is no python3 with numpy, pip and setuptools"
    exit 0
fi
mkdir source && cp -R "$TSR_TESTS/../python/tessera" "$TSR_TESTS/../python/pyproject.toml" source/ # pip builds in its source
exits 0 "pip installs it" $python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --target site ./source
cat >use.py <<'PY'
import importlib.metadata, os
import numpy, tessera
assert tessera.__file__.startswith(os.path.join(os.getcwd(), "site")), tessera.__file__
assert importlib.metadata.version("tessera-inr") == tessera.__version__
images = numpy.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=numpy.uint8)
inr = tessera.train(images, rule="grid 2x2", width=4, hidden_layers=1, batch=2, outer_steps=2).adapt(images[0])
assert inr.render(scale=2).shape == (16, 16, 3)
PY
PYTHONPATH=site; export PYTHONPATH
exits 0 "and it works, in the version of the library" $python use.py
finish
