/* SPDX-License-Identifier: MIT
 *
 * Objects and registries. A network kind, a partition rule, an outer method, an adaptation and a
 * test-time optimiser are each an object: one file that defines one constant, and one line in the
 * registry of its sort. The constant's struct begins with a struct tsr_object; functions of the
 * sort follow:
 *
 *     struct tsr_kind { struct tsr_object object; void (*unit)(...); ... };
 *     const struct tsr_kind tsr_kind_siren = {.object = {"siren", "...", TSR_PARAMS(params)}, ...};
 *
 * Whoever has to list, parse, print, store or read objects needs the registry alone.
 */
#ifndef TSR_BASE_OBJECT_H
#define TSR_BASE_OBJECT_H

#include "base/params.h"

struct tsr_object {
    const char *name;  /* as typed and stored, e.g. "relu-pe" */
    const char *about; /* one line for help, no full stop */
    struct tsr_params params;
};

struct tsr_registry {
    const char *what; /* "network kind", for messages */
    const struct tsr_object *const *object;
    size_t n;
};

/* An object and the values of its parameters: what a setting holds. Plain data, copied freely. */
struct tsr_choice {
    const struct tsr_object *object;
    double value[TSR_MAX_PARAMS]; /* [object->params.n] */
};

/* TSR_ERR_NOT_FOUND lists the names. */
TSR_API enum tsr_status tsr_registry_find(const struct tsr_registry *registry, const char *name,
                                          const struct tsr_object **out,
                                          struct tsr_error *err) TSR_MUST_USE;

/* This object with its defaults. */
TSR_API struct tsr_choice tsr_choice_of(const struct tsr_object *object);

/* The object is one of the registry and all values are in range. TSR_ERR_CONFIG otherwise. */
TSR_API enum tsr_status tsr_choice_check(const struct tsr_registry *registry,
                                         const struct tsr_choice *choice,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Value of the parameter `name`; NaN if the object has none of that name. */
TSR_API double tsr_choice_get(const struct tsr_choice *choice, const char *name);
/* Sets it, unchecked; false if the object has none of that name. */
TSR_API bool tsr_choice_set(struct tsr_choice *choice, const char *name, double value);
/* Same object, same values. */
TSR_API bool tsr_choice_equal(const struct tsr_choice *a, const struct tsr_choice *b);

/* "grid 8x8", "segment 9, merge color", "siren, omega_first 15, omega_hidden 30": the name,
 * positional values, the others by name. out [size], terminated. */
TSR_API void tsr_choice_describe(const struct tsr_choice *choice, char *out, size_t size);

#endif
