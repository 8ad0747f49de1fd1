/* SPDX-License-Identifier: MIT
 *
 * A split file, and a list of names.
 */
#include <stdlib.h>
#include <string.h>

#include "data/splits.h"
#include "fuzz.h"

static void look(const char *path, bool list) {
    struct tsr_split_file file = {0};
    struct tsr_error err;
    enum tsr_status status =
        list ? tsr_split_list_add(&file, path, 1, &err) : tsr_split_file_add(&file, path, &err);
    if (status == TSR_OK && tsr_split_file_sort(&file, &err) == TSR_OK)
        for (size_t i = 0; i < file.n; i++) {
            const struct tsr_split_entry *rival;
            if (file.entries[i].split > 2 ||
                tsr_split_file_find(&file, file.entries[i].name, &rival) == NULL)
                abort();
        }
    tsr_split_file_clear(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    look(path, false);
    look(path, true);
    return 0;
}
