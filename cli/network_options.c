/* SPDX-License-Identifier: MIT */
#include "cli/network_options.h"

const char *const cli_network_options[] = {
    "net",   "octaves",       "pe-omega",     "width",           "hidden-layers", "omega-first",
    "omega", "output-offset", "coords-range", "coords-sampling", "coords-frame",  NULL};

void cli_kind_default(struct cli_kind *kind) {
    struct tsr_choice siren = tsr_choice_of(&tsr_kind_siren.object),
                      relu_pe = tsr_choice_of(&tsr_kind_relu_pe.object);
    *kind = (struct cli_kind){.object = tsr_kinds.object[0],
                              .omega_first = tsr_choice_get(&siren, "omega_first"),
                              .omega_hidden = tsr_choice_get(&siren, "omega_hidden"),
                              .octaves = (size_t)tsr_choice_get(&relu_pe, "octaves"),
                              .pe_omega = tsr_choice_get(&relu_pe, "pe_omega")};
}

enum tsr_status cli_kind_apply(const struct cli_call *call, const struct cli_kind *kind,
                               struct tsr_choice *out, struct tsr_error *err) {
    const struct {
        const char *option, *name;
        double value;
    } all[] = {{"omega-first", "omega_first", kind->omega_first},
               {"omega", "omega_hidden", kind->omega_hidden},
               {"octaves", "octaves", (double)kind->octaves},
               {"pe-omega", "pe_omega", kind->pe_omega}};
    *out = tsr_choice_of(kind->object);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (cli_given(call, all[i].option) && !tsr_choice_set(out, all[i].name, all[i].value))
            return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s has no meaning with --net %s",
                             all[i].option, kind->object->name);
    return TSR_OK;
}
