/* SPDX-License-Identifier: MIT
 *
 * Runs a fuzz target on the contents of files. It crashes, or prints how many there were.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

int main(int argc, char **argv) {
    static unsigned char bytes[1 << 22];
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            (void)fprintf(stderr, "%s cannot be opened\n", argv[i]);
            return 1;
        }
        size_t size = fread(bytes, 1, sizeof bytes, f);
        (void)fclose(f);
        /* At the end of a block of its own, so that a sanitizer sees what lies behind. */
        unsigned char *copy = malloc(size ? size : 1);
        if (!copy) return 1;
        for (size_t k = 0; k < size; k++)
            copy[k] = bytes[k];
        (void)LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
    (void)printf("%d\n", argc - 1);
    return 0;
}
