/* SPDX-License-Identifier: MIT */
#include "base/blas.h"
#include "base/clock.h"
#include "base/version.h"
#include "cli/options.h"
#include "data/decoder.h"
#include "data/source.h"
#include "inner/kernels/kernel.h"

/* Each kind of image, and what decodes it. */
static void print_decoders(void) {
    for (int kind = TSR_KIND_UNKNOWN + 1; kind < TSR_KINDS; kind++) {
        const struct tsr_decoder *decoder = tsr_decoder_of((enum tsr_image_kind)kind);
        (void)printf("image: %s by %s\n", tsr_image_kind_name((enum tsr_image_kind)kind),
                     decoder->object.name);
    }
}

static enum tsr_status run(struct cli_call *call) {
    const struct tsr_kernel *chosen = NULL;
    (void)printf("tessera %s\n", tsr_version());
#if defined __clang__
    (void)printf("compiler: clang %s\n", __clang_version__);
#elif defined __GNUC__
    (void)printf("compiler: gcc %s\n", __VERSION__);
#endif
#ifdef _OPENMP
    (void)printf("threads: OpenMP %d, %zu cores\n", _OPENMP, tsr_thread_count(0));
#else
    (void)printf("threads: none\n");
#endif
    (void)printf("blas: %s\nblas core: %s\n", tsr_blas_config(), tsr_blas_core());
    print_decoders();
    (void)printf("archives: zip; others: %s\n", tsr_archive_library());
    TSR_TRY(tsr_kernel_find("auto", &chosen, &call->err));
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++)
        (void)printf("kernel: %s%s\n", (*k)->name,
                     *k == chosen        ? " (auto)"
                     : (*k)->available() ? ""
                                         : " (not on this processor)");
    return TSR_OK;
}

const struct cli_command cli_version = {
    .name = "version",
    .group = "about",
    .summary = "version, compiler, libraries, kernels",
    .operands = "",
    .about = "Prints what this program is made of, and what of it this machine can use.",
    .args_size = sizeof(struct cli_common),
    .run = run,
};
