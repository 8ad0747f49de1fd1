#!/bin/sh
# SPDX-License-Identifier: MIT
# The fenced blocks of README.md and docs/*.md are run, in order, by a user of the installed program:
# see blocks.py.
. "$TSR_TESTS/cli/common.inc"
if ! find_python 'h5py, numpy' || ! command -v bash >/dev/null 2>&1; then
    echo "skip the blocks of the documentation: there is no bash, or no python3 with h5py and numpy"
    exit 0
fi
root=$(cd "$TSR_TESTS/.." && pwd)
MODELS="25k 50k"; export MODELS # the built-in ones that they ask for
(cd "$root" && "${MAKE:-make}" -s --no-print-directory install prefix="$work/usr") >install.out 2>&1 ||
    fail "make install" "$(tail -n 5 install.out)"
PATH=$work/usr/bin:$PATH LD_LIBRARY_PATH=$work/usr/lib PKG_CONFIG_PATH=$work/usr/lib/pkgconfig
PYTHONPATH=$work/usr/lib/python3/dist-packages
export PATH LD_LIBRARY_PATH PKG_CONFIG_PATH PYTHONPATH
mkdir sandbox control

# The control: of these blocks one is right.
cat >wrong.md <<'MD'
```sh
tessera version
```
```sh
tessera version
tessera no-such-command   # fails
tessera version
```
```python
open('there is no such file')
```
```
anything
```
```text
tessera version
```
MD
$python -B "$TSR_TESTS/docs/blocks.py" "$root" control wrong.md >control.out 2>&1
check "one block of the control is right" test "$(grep -c '^ok ' control.out)" -eq 1
check "four are wrong" test "$(grep -c '^not ok ' control.out)" -eq 4
check "the command that failed is named" grep -q '# failed: tessera no-such-command' control.out

cd "$root" || exit 1
$python -B "$TSR_TESTS/docs/blocks.py" "$root" "$work/sandbox" README.md docs/*.md || failures=1
finish
