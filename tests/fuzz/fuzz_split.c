/* SPDX-License-Identifier: MIT
 *
 * A split file.
 */
#include <stdlib.h>
#include <string.h>

#include "data/listing.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tsr_split_file file;
    struct tsr_error err;
    if (tsr_split_file_read(fuzz_file(data, size), &file, &err) != TSR_OK) return 0;
    for (size_t i = 0; i < file.n; i++)
        if (file.entries[i].split > 2 || tsr_split_file_find(&file, file.entries[i].name) == NULL)
            abort();
    tsr_split_file_clear(&file);
    return 0;
}
