/* SPDX-License-Identifier: MIT */
#include "inner/kernels/kernel.h"

#include <stdio.h>
#include <string.h>

#include "inner/kernels/kernels.h"

/* Fastest first. */
static const struct tsr_kernel *const kernels[] = {
#ifndef TSR_REAL_DOUBLE
#ifdef __x86_64__
    &tsr_kernel_avx512,    &tsr_kernel_avx2,
#endif
    &tsr_kernel_portable,
#endif
#ifndef TSR_NO_BLAS
    &tsr_kernel_blas,
#endif
    &tsr_kernel_reference, NULL,
};

const struct tsr_kernel *const *tsr_kernel_list(void) {
    return kernels;
}

enum tsr_status tsr_kernel_find(const char *name, const struct tsr_kernel **out,
                                struct tsr_error *err) {
    char names[256] = "auto";
    if (!name) name = "auto";
    for (size_t i = 0; kernels[i]; i++) {
        const struct tsr_kernel *k = kernels[i];
        bool named = strcmp(name, k->name) == 0;
        if (named && !k->available())
            return TSR_ERROR(err, TSR_ERR_UNSUPPORTED,
                             "kernel \"%s\": this processor lacks the instructions it needs", name);
        if (named || (strcmp(name, "auto") == 0 && k->available())) {
            *out = k;
            return TSR_OK;
        }
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, ", %s", k->name);
    }
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "kernel \"%s\" is unknown; known are %s", name, names);
}
