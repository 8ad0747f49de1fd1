/* SPDX-License-Identifier: MIT
 *
 * How many numbers each adaptation adapts.
 */
#include "tests/check.h"

#include "inner/adaptations.h"

static void counts(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct tsr_network_config config;
        struct tsr_net net;
        tsr_network_config_default(&config);
        config.out_dim = draw_size(1, 4);
        config.width = draw_size(1, 40);
        config.hidden_layers = draw_size(0, 4);
        tsr_network_layout(&config, &net);
        for (size_t i = 0; i < tsr_adaptations.n; i++) {
            struct tsr_choice choice = tsr_choice_of(tsr_adaptations.object[i]);
            size_t n = tsr_adaptation_count(&choice, &net);
            assert_true(n >= 1 && n <= net.n_params);
        }
        struct tsr_choice all = tsr_choice_of(&tsr_adaptation_all.object);
        size_t w = config.width; /* of SIREN: 2 -> w, hidden_layers times w -> w, w -> out */
        assert_int_equal(tsr_adaptation_count(&all, &net),
                         2 * w + w + config.hidden_layers * (w * w + w) + (w + 1) * config.out_dim);
    }
}

static void all_is_the_default(void **state) {
    (void)state;
    const struct tsr_object *found;
    MUST(tsr_registry_find(&tsr_adaptations, "all", &found, err));
    assert_ptr_equal(found, tsr_adaptations.object[0]);
    MUST_FAIL(tsr_registry_find(&tsr_adaptations, "none", &found, err), TSR_ERR_NOT_FOUND, "all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(all_is_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
