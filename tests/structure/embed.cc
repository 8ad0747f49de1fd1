// SPDX-License-Identifier: MIT
// A program of someone else: sees nothing but what is installed.
#include <tessera.h>

#include <cstdio>
#include <cstring>

int main() {
    if (std::strcmp(tsr_version(), TSR_VERSION) != 0) {
        std::printf("library %s, header %s\n", tsr_version(), TSR_VERSION);
        return 1;
    }
    return 0;
}
