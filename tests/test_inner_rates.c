/* SPDX-License-Identifier: MIT
 *
 * Inner rates: extents of the five kinds, and their use against loops that look every rate up by
 * its (inner step, slot, parameter).
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "inner/network.h"
#include "inner/rates.h"

enum { STEPS = 3, SLOTS = 4 };

static struct tsr_net small_net(void) {
    struct tsr_network_config config = {
        .kind = siren(3, 2), .in_dim = 2, .out_dim = 3, .width = 5, .hidden_layers = 1};
    struct tsr_net net;
    tsr_network_layout(&config, &net);
    return net;
}

static size_t layer_of(const struct tsr_net *net, size_t parameter) {
    size_t layer = 0;
    while (layer + 1 < net->n_layers && parameter >= net->weight_at[layer + 1])
        layer++;
    return layer;
}

/* Index into value, by the table at the head of inner/rates.h. */
static size_t rate_index(enum tsr_rates_kind kind, const struct tsr_net *net, size_t steps,
                         size_t k, size_t slot, size_t parameter) {
    size_t step = k < steps ? k : steps - 1, p = net->n_params;
    switch (kind) {
    case TSR_RATES_FIXED:
        return 0;
    case TSR_RATES_PER_STEP:
        return step * SLOTS + slot;
    case TSR_RATES_PER_LAYER_PER_STEP:
        return (step * SLOTS + slot) * net->n_layers + layer_of(net, parameter);
    case TSR_RATES_PER_PARAM:
        return slot * p + parameter;
    default:
        return (step * SLOTS + slot) * p + parameter;
    }
}

static void extents(void **state) {
    (void)state;
    struct tsr_net net = small_net();
    const size_t p = net.n_params, l = net.n_layers;
    const size_t expected[5][3] = {
        {1, 1, 1}, {STEPS, SLOTS, 1}, {STEPS, SLOTS, l}, {1, SLOTS, p}, {STEPS, SLOTS, p}};
    for (int kind = 0; kind < 5; kind++) {
        struct tsr_rates rates;
        tsr_rates_layout_all(&rates, (enum tsr_rates_kind)kind, STEPS, SLOTS, &net);
        assert_int_equal(rates.kind, kind);
        assert_null(rates.value);
        const size_t found[3] = {rates.n_steps, rates.n_slots, rates.n_units};
        assert_memory_equal(found, expected[kind], sizeof found);
        assert_int_equal(tsr_rates_count(&rates), found[0] * found[1] * found[2]);
    }
}

static void no_inner_step_counts_as_one(void **state) {
    (void)state;
    struct tsr_net net = small_net();
    for (int kind = 0; kind < 5; kind++) {
        struct tsr_rates none, one;
        tsr_rates_layout_all(&none, (enum tsr_rates_kind)kind, 0, SLOTS, &net);
        tsr_rates_layout_all(&one, (enum tsr_rates_kind)kind, 1, SLOTS, &net);
        assert_int_equal(tsr_rates_count(&none), tsr_rates_count(&one));
        assert_int_equal(none.n_steps, 1);
    }
}

/* Each kind with random values: at(), apply() and reduce() of every step (and two more than there
 * are) and slot. */
static void check_kind(void **state) {
    enum tsr_rates_kind kind = *(enum tsr_rates_kind *)*state;
    struct tsr_net net = small_net();
    struct tsr_rates rates;
    tsr_rates_layout_all(&rates, kind, STEPS, SLOTS, &net);
    size_t n = net.n_params, count = tsr_rates_count(&rates);
    rates.value = make(count, sizeof *rates.value);
    tsr_real *g = make(n, sizeof *g), *out = make(n, sizeof *out), *units = make(n, sizeof *units);
    double *want = make(n, sizeof *want), *sums = make(count, sizeof *sums);
    draw_all(rates.value, count, 0.1, 1);
    draw_all(g, n, -1, 1);
    for (size_t k = 0; k < STEPS + 2; k++)
        for (size_t slot = 0; slot < SLOTS; slot++) {
            memset(sums, 0, count * sizeof *sums);
            for (size_t i = 0; i < n; i++) {
                size_t at = rate_index(kind, &net, STEPS, k, slot, i);
                want[i] = (double)(rates.value[at] * g[i]);
                sums[at] += (double)g[i];
            }
            tsr_rates_apply(&rates, k, slot, g, out);
            ASSERT_CLOSE("apply", out, want, n, 1e-7);
            memcpy(out, g, n * sizeof *g);
            tsr_rates_apply(&rates, k, slot, out, out);
            ASSERT_CLOSE("apply in place", out, want, n, 1e-7);
            size_t first = rate_index(kind, &net, STEPS, k, slot, 0);
            assert_int_equal(tsr_rates_at(&rates, k, slot), first);
            for (size_t u = 0; u < rates.n_units; u++)
                units[u] = 2, sums[first + u] += 2;
            tsr_rates_reduce(&rates, g, units);
            ASSERT_CLOSE("reduce adds", units, sums + first, rates.n_units, 1e-6);
        }
    free(rates.value);
    free(g);
    free(out);
    free(units);
    free(want);
    free(sums);
}

/* One slot for all, also where the caller has a larger slot number (a shared slot). */
static void one_slot_serves_all(void **state) {
    (void)state;
    struct tsr_net net = small_net();
    for (int kind = 0; kind < 5; kind++) {
        struct tsr_rates rates;
        tsr_rates_layout_all(&rates, (enum tsr_rates_kind)kind, STEPS, 1, &net);
        for (size_t k = 0; k < STEPS; k++)
            assert_int_equal(tsr_rates_at(&rates, k, 3), tsr_rates_at(&rates, k, 0));
    }
}

static void names(void **state) {
    (void)state;
    static const char *const expected[] = {"fixed", "per-step", "per-layer-per-step", "per-param",
                                           "per-param-per-step"};
    enum tsr_rates_kind kind;
    for (int i = 0; i < 5; i++) {
        assert_string_equal(tsr_rates_name((enum tsr_rates_kind)i), expected[i]);
        MUST(tsr_rates_parse(expected[i], &kind, err));
        assert_int_equal(kind, i);
    }
    MUST_FAIL(tsr_rates_parse("per-pixel", &kind, err), TSR_ERR_NOT_FOUND, "per-layer-per-step");
}

int main(void) {
    static enum tsr_rates_kind kinds[] = {TSR_RATES_FIXED, TSR_RATES_PER_STEP,
                                          TSR_RATES_PER_LAYER_PER_STEP, TSR_RATES_PER_PARAM,
                                          TSR_RATES_PER_PARAM_PER_STEP};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extents),
        cmocka_unit_test(no_inner_step_counts_as_one),
        cmocka_unit_test_prestate(check_kind, &kinds[0]),
        cmocka_unit_test_prestate(check_kind, &kinds[1]),
        cmocka_unit_test_prestate(check_kind, &kinds[2]),
        cmocka_unit_test_prestate(check_kind, &kinds[3]),
        cmocka_unit_test_prestate(check_kind, &kinds[4]),
        cmocka_unit_test(one_slot_serves_all),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
