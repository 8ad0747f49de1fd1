/* SPDX-License-Identifier: MIT
 *
 * A file of label names.
 */
#include <stdlib.h>
#include <string.h>

#include "data/label_files.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tsr_label_names names;
    struct tsr_error err;
    if (tsr_label_names_read(fuzz_file(data, size), &names, &err) != TSR_OK) return 0;
    for (size_t i = 0; i < names.n; i++)
        if (!*names.names[i]) abort();
    tsr_label_names_clear(&names);
    return 0;
}
