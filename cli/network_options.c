/* SPDX-License-Identifier: MIT */
#include "cli/network_options.h"

const char *const cli_network_options[] = {
    "net",   "octaves",       "pe-omega",     "width",           "hidden-layers", "omega-first",
    "omega", "output-offset", "coords-range", "coords-sampling", "coords-frame",  NULL};

enum tsr_status cli_network_check(const struct cli_call *call, enum tsr_network_kind kind,
                                  struct tsr_error *err) {
    static const char *const only[2][2] = {{"omega-first", "omega"}, {"octaves", "pe-omega"}};
    const char *const *others = only[kind == TSR_NET_SIREN];
    for (size_t i = 0; i < 2; i++)
        if (cli_given(call, others[i]))
            return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s has no meaning with --net %s", others[i],
                             tsr_network_kind_name(kind));
    return TSR_OK;
}
