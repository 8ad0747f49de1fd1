#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian package is built, installed, used and removed, in a root folder of its own.
. "$TSR_TESTS/cli/common.inc"
for tool in dpkg dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null 2>&1 || { echo "skip the Debian package: there is no $tool"; exit 0; }
done
root=$(cd "$TSR_TESTS/.." && pwd)
MODELS=200k; export MODELS # the smallest of the built-in ones
check "scripts/make-deb builds a package" "$root/scripts/make-deb" "$work/deb"
deb=$(tail -n 1 check.out)
dpkg-deb --info "$deb" >info
check "it is named by version and architecture" test "$(basename "$deb")" = \
    "tessera_$("$TESSERA" version | sed -n 's/^tessera //p')_$(dpkg --print-architecture).deb"
check "it depends on HDF5 and the C library" sh -c 'grep "^ Depends: .*libc6" info | grep -q libhdf5'
check "built again, it is the same" sh -c '"$1" again >/dev/null 2>&1 && cmp "$2" again/*.deb' sh "$root/scripts/make-deb" "$deb"

# A system of its own: dpkg's list of packages in $work/system, and nothing there to depend on.
system=$work/system
mkdir -p "$system/var/lib/dpkg/info" "$system/var/lib/dpkg/updates"
: >"$system/var/lib/dpkg/status"
package() { dpkg --root="$system" --force-depends --force-not-root --force-script-chrootless --no-triggers "$@"; }
check "dpkg installs it" package --install "$deb"
check "files are as they were packed" sh -c 'cd "$1" && md5sum --quiet -c' sh "$system" \
    <<LIST
$(dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./md5sums)
LIST
check "its program runs" "$system/usr/bin/tessera" version
libdir=$(find "$system/usr/lib" -name 'libtessera.so.*' -type l -exec dirname {} \;)
picture a.ppm 24 32 1
printf '#include <stdio.h>\n#include <tessera.h>\nint main(void) { return puts(tsr_version()) < 0; }\n' >use.c
check "a program builds with its library" sh -c '${CC:-cc} use.c -I"$1/usr/include" -L"$2" -ltessera -o use && LD_LIBRARY_PATH=$2 ./use' \
    sh "$system" "$libdir"
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    check "its Python module finds its library" env PYTHONPATH="$system/usr/lib/python3/dist-packages" LD_LIBRARY_PATH="$libdir" \
        /usr/bin/python3 -c 'import tessera; print(tessera.read_image("a.ppm").shape, tessera._library.library._name)'
    cp check.out python.out
    check "and reads a picture" grep -q '(24, 32, 3)' python.out
else
    echo "skip the packaged Python module: there is no python3 with numpy"
fi
check "its man pages are there" sh -c 'gzip -dc "$1"/usr/share/man/man1/tessera-train.1.gz | grep -q outer' sh "$system"
check "dpkg removes it" package --remove tessera
check "nothing is left" test -z "$(find "$system/usr" ! -type d 2>/dev/null)"
finish
