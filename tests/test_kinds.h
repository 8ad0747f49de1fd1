/* SPDX-License-Identifier: MIT
 *
 * Network kinds for the tests, with the parameters that a test wants.
 */
#ifndef TSR_TESTS_TEST_KINDS_H
#define TSR_TESTS_TEST_KINDS_H

#include "inner/kinds.h"

/* Any kind; omegas where it has them. */
static inline struct tsr_choice kind_with_omegas(const struct tsr_kind *kind, double first,
                                                 double hidden) {
    struct tsr_choice choice = tsr_choice_of(&kind->object);
    (void)tsr_choice_set(&choice, "omega_first", first);
    (void)tsr_choice_set(&choice, "omega_hidden", hidden);
    return choice;
}

static inline struct tsr_choice siren(double first, double hidden) {
    return kind_with_omegas(&tsr_kind_siren, first, hidden);
}

static inline struct tsr_choice relu_pe(size_t octaves, double pe_omega) {
    struct tsr_choice choice = tsr_choice_of(&tsr_kind_relu_pe.object);
    (void)tsr_choice_set(&choice, "octaves", (double)octaves);
    (void)tsr_choice_set(&choice, "pe_omega", pe_omega);
    return choice;
}

#endif
