/* SPDX-License-Identifier: MIT */
#include "base/object.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"

enum tsr_status tsr_registry_find(const struct tsr_registry *registry, const char *name,
                                  const struct tsr_object **out, struct tsr_error *err) {
    enum { MOST = 64 };
    const char *names[MOST];
    size_t n = registry->n < MOST ? registry->n : MOST, i;
    for (i = 0; i < n; i++)
        names[i] = registry->object[i]->name;
    TSR_TRY(tsr_name_parse(name, names, n, registry->what, &i, err));
    *out = registry->object[i];
    return TSR_OK;
}

struct tsr_choice tsr_choice_of(const struct tsr_object *object) {
    struct tsr_choice choice = {.object = object};
    tsr_params_default(&object->params, choice.value);
    return choice;
}

enum tsr_status tsr_choice_check(const struct tsr_registry *registry,
                                 const struct tsr_choice *choice, struct tsr_error *err) {
    for (size_t i = 0; i < registry->n; i++)
        if (registry->object[i] == choice->object)
            return tsr_params_check(choice->object->name, &choice->object->params, choice->value,
                                    err);
    return TSR_ERROR(err, TSR_ERR_CONFIG, "%s is not set", registry->what);
}

double tsr_choice_get(const struct tsr_choice *choice, const char *name) {
    return tsr_params_get(&choice->object->params, choice->value, name);
}

bool tsr_choice_set(struct tsr_choice *choice, const char *name, double value) {
    size_t i = tsr_params_find(&choice->object->params, name);
    if (i == choice->object->params.n) return false;
    choice->value[i] = value;
    return true;
}

bool tsr_choice_equal(const struct tsr_choice *a, const struct tsr_choice *b) {
    if (a->object != b->object) return false;
    for (size_t i = 0; i < a->object->params.n; i++)
        if (a->value[i] != b->value[i]) return false;
    return true;
}

void tsr_choice_describe(const struct tsr_choice *choice, char *out, size_t size) {
    const struct tsr_params *params = &choice->object->params;
    size_t used = 0, positional = 0;
    (void)snprintf(out, size, "%s", choice->object->name);
    for (size_t i = 0; i < params->n; i++) {
        char value[64];
        const struct tsr_param *row = &params->row[i];
        if (tsr_param_is_tacit(row, choice->value[i])) continue;
        tsr_param_print(row, choice->value[i], value, sizeof value);
        used = strlen(out);
        if (row->positional)
            (void)snprintf(out + used, size - used, "%s%s", positional++ ? "x" : " ", value);
        else
            (void)snprintf(out + used, size - used, ", %s %s", row->name, value);
    }
}
