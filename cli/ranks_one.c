/* SPDX-License-Identifier: MIT */
#include "cli/ranks.h"

enum tsr_status cli_ranks_start(const struct tsr_comm **out, struct tsr_error *err) {
    (void)err;
    *out = &tsr_comm_alone;
    return TSR_OK;
}

void cli_ranks_end(int code) {
    (void)code;
}
