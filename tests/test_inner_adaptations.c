/* SPDX-License-Identifier: MIT
 *
 * How many numbers each adaptation adapts.
 */
#include "tests/check.h"

#include "inner/adaptations.h"
#include "inner/network.h"

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
        size_t w = config.width, l = config.hidden_layers, c = config.out_dim, d = draw_size(1, 99);
        /* Of SIREN: 2 -> w, hidden_layers times w -> w, w -> out. */
        const size_t expected[] = {2 * w + w + l * (w * w + w) + (w + 1) * c, (w + 1) * c,
                                   w + l * w + c, d};
        const struct tsr_object *objects[] = {
            &tsr_adaptation_all.object, &tsr_adaptation_last.object, &tsr_adaptation_biases.object,
            &tsr_adaptation_latent.object};
        for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
            struct tsr_choice choice = tsr_choice_of(objects[i]);
            struct tsr_space space;
            (void)tsr_choice_set(&choice, "numbers", (double)d);
            MUST(tsr_choice_check(&tsr_adaptations, &choice, err));
            tsr_space_layout(&choice, &net, &space);
            assert_int_equal(space.n, expected[i]);
            assert_int_equal(tsr_adaptation_count(&choice, &net), expected[i]);
            assert_int_equal(space.end[space.n_groups - 1], space.n);
            assert_int_equal(space.n_directions, i == 3 ? d : 0);
            assert_true(tsr_space_is_whole(&space) == (i == 0));
        }
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
