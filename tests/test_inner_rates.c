/* SPDX-License-Identifier: MIT
 *
 * Inner rates: extents of the seven kinds, and their use against loops that look every rate up by
 * its (inner step, slot, parameter); of those that couple, against the matrix that they are.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "inner/network.h"
#include "inner/rates.h"

enum { STEPS = 3, SLOTS = 4, KINDS = 7, COUPLED = 5 };

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
    size_t kron = 0;
    for (size_t i = 0; i < l; i++)
        kron += net.fan_out[i] * net.fan_out[i] + (net.fan_in[i] + 1) * (net.fan_in[i] + 1);
    const size_t expected[KINDS][3] = {
        {1, 1, 1},         {STEPS, SLOTS, 1},    {STEPS, SLOTS, l},    {1, SLOTS, p},
        {STEPS, SLOTS, p}, {STEPS, SLOTS, kron}, {STEPS, SLOTS, p * p}};
    for (int kind = 0; kind < KINDS; kind++) {
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
    for (int kind = 0; kind < KINDS; kind++) {
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
            tsr_rates_apply(&rates, k, slot, 0, n, g, out);
            ASSERT_CLOSE("apply", out, want, n, 1e-7);
            memset(out, 0, n * sizeof *out);
            tsr_rates_apply_transposed(&rates, k, slot, 0, n / 3, g, out);
            tsr_rates_apply_transposed(&rates, k, slot, n / 3, n, g, out);
            ASSERT_CLOSE("apply in parts", out, want, n, 1e-7);
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

/* Place of the group of number i in the rates of a step, its rows and columns, and the row and
 * column of the number: by docs/formats.md. */
struct place {
    size_t at, rows, columns, row, column;
};

static struct place place_of(const struct tsr_rates *rates, const struct tsr_net *net, size_t i) {
    struct place p = {0, net->n_params, 1, i, 0};
    if (rates->kind == TSR_RATES_FULL_PER_STEP) return p;
    size_t layer = layer_of(net, i);
    for (size_t l = 0; l < layer; l++)
        p.at += net->fan_out[l] * net->fan_out[l] + (net->fan_in[l] + 1) * (net->fan_in[l] + 1);
    p.rows = net->fan_out[layer];
    p.columns = net->fan_in[layer] + 1;
    bool bias = i >= net->bias_at[layer];
    p.row = bias ? i - net->bias_at[layer] : (i - net->weight_at[layer]) / net->fan_in[layer];
    p.column = bias ? p.columns - 1 : (i - net->weight_at[layer]) % net->fan_in[layer];
    return p;
}

/* Entry [i, j] of alpha_k, from the rates of its step. */
static double entry(const struct tsr_rates *rates, const struct tsr_net *net, const tsr_real *units,
                    size_t i, size_t j) {
    struct place a = place_of(rates, net, i), b = place_of(rates, net, j);
    if (a.at != b.at) return 0;
    double left = (double)units[a.at + a.row * a.rows + b.row];
    const tsr_real *right = units + a.at + a.rows * a.rows;
    return a.columns > 1 ? left * (double)right[b.column * a.columns + a.column] : left;
}

/* Against the matrix [n, n] written out: apply, its parts, the transposed, a step, the diagonal and
 * the derivatives, by differences that are exact, since each entry is linear in each rate. */
static void check_coupled(void **state) {
    enum tsr_rates_kind kind = *(enum tsr_rates_kind *)*state;
    struct tsr_net net = small_net();
    struct tsr_rates rates;
    tsr_rates_layout_all(&rates, kind, STEPS, SLOTS, &net);
    size_t n = net.n_params, count = tsr_rates_count(&rates), k = 1, slot = 2;
    rates.value = make(count, sizeof *rates.value);
    tsr_real *g = make(n, sizeof *g), *v = make(n, sizeof *v), *out = make(n, sizeof *out);
    tsr_real *units = make(rates.n_units, sizeof *units);
    double *want = make(n, sizeof *want), *back = make(n, sizeof *back),
           *own = make(n, sizeof *own);
    draw_all(rates.value, count, -0.5, 0.5);
    draw_all(g, n, -1, 1);
    draw_all(v, n, -1, 1);
    tsr_real *of_step = rates.value + tsr_rates_at(&rates, k, slot);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double p = entry(&rates, &net, of_step, i, j);
            want[i] += p * (double)g[j];
            back[j] += p * (double)v[i];
            if (i == j) own[i] = p;
        }
    tsr_rates_apply(&rates, k, slot, 0, n, g, out);
    ASSERT_CLOSE("apply", out, want, n, 1e-6);
    tsr_rates_apply_transposed(&rates, k, slot, 0, 7, v, out);
    tsr_rates_apply_transposed(&rates, k, slot, 7, n, v, out);
    ASSERT_CLOSE("apply transposed", out, back, n, 1e-6);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs(tsr_rates_own(&rates, k, slot, i) - own[i]) < 1e-7);
        want[i] = (double)v[i] - 0.5 * want[i];
    }
    tsr_rates_descend(&rates, k, slot, 0, 7, 0.5, v, g, out);
    tsr_rates_descend(&rates, k, slot, 7, n, 0.5, v, g, out);
    ASSERT_CLOSE("descend", out, want, n, 1e-6);
    for (size_t u = 0; u < rates.n_units; u++)
        units[u] = 2;
    tsr_rates_derive(&rates, k, slot, v, g, units);
    double *derived = make(rates.n_units, sizeof *derived);
    for (size_t u = 0; u < rates.n_units; u++) {
        double sum[2] = {0, 0};
        for (size_t s = 0; s < 2; s++) {
            of_step[u] += s ? 1 : -1;
            tsr_rates_apply(&rates, k, slot, 0, n, g, out);
            of_step[u] -= s ? 1 : -1;
            for (size_t i = 0; i < n; i++)
                sum[s] -= (double)v[i] * (double)out[i];
        }
        derived[u] = 2 + (sum[1] - sum[0]) / 2;
    }
    ASSERT_CLOSE("derive adds", units, derived, rates.n_units, 1e-5);
    free(rates.value), free(g), free(v), free(out), free(units);
    free(want), free(back), free(own), free(derived);
}

/* What rates start as is a number times the identity. */
static void starts(void **state) {
    (void)state;
    struct tsr_net net = small_net();
    for (int kind = 0; kind < KINDS; kind++) {
        struct tsr_rates rates;
        tsr_rates_layout_all(&rates, (enum tsr_rates_kind)kind, STEPS, SLOTS, &net);
        rates.value = make(tsr_rates_count(&rates), sizeof *rates.value);
        tsr_real *g = make(net.n_params, sizeof *g), *out = make(net.n_params, sizeof *out);
        double *want = make(net.n_params, sizeof *want);
        draw_all(g, net.n_params, -1, 1);
        for (size_t i = 0; i < net.n_params; i++)
            want[i] = 0.03 * (double)g[i];
        tsr_rates_start(&rates, 0.03);
        tsr_rates_apply(&rates, STEPS - 1, SLOTS - 1, 0, net.n_params, g, out);
        ASSERT_CLOSE("start", out, want, net.n_params, 1e-6);
        const struct tsr_rates_summary s = tsr_rates_summarize(&rates, 0);
        assert_true(fabs(s.mean - 0.03) < 1e-6 && s.least <= s.most && s.most < 0.03001);
        free(rates.value), free(g), free(out), free(want);
    }
}

/* Matrices that would be too large are refused, and no others. */
static void too_large(void **state) {
    (void)state;
    struct tsr_choice latent = tsr_choice_of(&tsr_adaptation_latent.object);
    struct tsr_net net = small_net();
    struct tsr_space space;
    for (size_t numbers = TSR_RATES_MOST_ROWS; numbers <= TSR_RATES_MOST_ROWS + 1; numbers++)
        for (int kind = 0; kind < KINDS; kind++) {
            struct tsr_error err;
            (void)tsr_choice_set(&latent, "numbers", (double)numbers);
            tsr_space_layout(&latent, &net, &space);
            bool refused = kind >= COUPLED && numbers > TSR_RATES_MOST_ROWS;
            enum tsr_status status = tsr_rates_check((enum tsr_rates_kind)kind, &space, &err);
            assert_int_equal(status, refused ? TSR_ERR_CONFIG : TSR_OK);
            if (refused) assert_non_null(strstr(err.message, "513 rows and columns"));
        }
}

/* One slot for all, also where the caller has a larger slot number (a shared slot). */
static void one_slot_serves_all(void **state) {
    (void)state;
    struct tsr_net net = small_net();
    for (int kind = 0; kind < KINDS; kind++) {
        struct tsr_rates rates;
        tsr_rates_layout_all(&rates, (enum tsr_rates_kind)kind, STEPS, 1, &net);
        for (size_t k = 0; k < STEPS; k++)
            assert_int_equal(tsr_rates_at(&rates, k, 3), tsr_rates_at(&rates, k, 0));
    }
}

static void names(void **state) {
    (void)state;
    static const char *const expected[] = {
        "fixed",        "per-step",           "per-layer-per-step",
        "per-param",    "per-param-per-step", "kron-per-layer-per-step",
        "full-per-step"};
    enum tsr_rates_kind kind;
    for (int i = 0; i < KINDS; i++) {
        assert_string_equal(tsr_rates_name((enum tsr_rates_kind)i), expected[i]);
        MUST(tsr_rates_parse(expected[i], &kind, err));
        assert_int_equal(kind, i);
    }
    MUST_FAIL(tsr_rates_parse("per-pixel", &kind, err), TSR_ERR_NOT_FOUND, "per-layer-per-step");
}

int main(void) {
    static enum tsr_rates_kind kinds[] = {
        TSR_RATES_FIXED,        TSR_RATES_PER_STEP,           TSR_RATES_PER_LAYER_PER_STEP,
        TSR_RATES_PER_PARAM,    TSR_RATES_PER_PARAM_PER_STEP, TSR_RATES_KRON_PER_LAYER_PER_STEP,
        TSR_RATES_FULL_PER_STEP};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extents),
        cmocka_unit_test(no_inner_step_counts_as_one),
        cmocka_unit_test_prestate(check_kind, &kinds[0]),
        cmocka_unit_test_prestate(check_kind, &kinds[1]),
        cmocka_unit_test_prestate(check_kind, &kinds[2]),
        cmocka_unit_test_prestate(check_kind, &kinds[3]),
        cmocka_unit_test_prestate(check_kind, &kinds[4]),
        cmocka_unit_test_prestate(check_coupled, &kinds[5]),
        cmocka_unit_test_prestate(check_coupled, &kinds[6]),
        cmocka_unit_test(starts),
        cmocka_unit_test(too_large),
        cmocka_unit_test(one_slot_serves_all),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
