/* SPDX-License-Identifier: MIT
 *
 * Regions that overlap or follow the image: blended reconstructions, the seam metric and INRs, each
 * against a recomputation from its definition.
 */
#include "tests/test_meta_helper.h"

#include "base/memory.h"
#include "image/geometry.h"
#include "image/inr.h"
#include "image/reconstruct.h"
#include "image/seam.h"
#include "partition/segmentation.h"

enum { H = 13, W = 17 };

static const size_t overlaps[] = {0, 1, 2, 4, 64};
enum { N_OVERLAPS = sizeof overlaps / sizeof *overlaps, N_RULES = 5 };

/* Rules of all kinds; a cell that the edges cut off, one larger than the image. */
static struct tsr_partition_rule some_rule(int i, size_t overlap) {
    const struct tsr_partition_rule rules[N_RULES] = {
        {.rule = TSR_RULE(grid, 3, 2)},   {.rule = TSR_RULE(cell, 5, 6)},
        {.rule = TSR_RULE(labels, 5)},    {.rule = TSR_RULE(whole, 0)},
        {.rule = TSR_RULE(cell, 40, 50)},
    };
    struct tsr_partition_rule rule = rules[i % N_RULES];
    rule.overlap = overlap;
    return rule;
}

/* Random patches of the labels 0, 1, 2 and 4; 3 is absent. */
static uint32_t *some_labels(size_t height, size_t width) {
    uint32_t *labels = make(height * width, sizeof *labels);
    for (int n = 0; n < 12; n++) {
        size_t row = draw_size(0, height - 1), col = draw_size(0, width - 1);
        size_t label = draw_size(0, 3), rows = draw_size(1, 6), cols = draw_size(1, 8);
        for (size_t r = row; r < row + rows && r < height; r++)
            for (size_t c = col; c < col + cols && c < width; c++)
                labels[r * width + c] = (uint32_t)(label == 3 ? 4 : label);
    }
    return labels;
}

static struct tsr_model *model_of(const struct tsr_partition_rule *rule, int i) {
    struct tsr_model_config config = toy_config(0, 0, i % 2 ? 1 : 3);
    config.partition = *rule;
    config.rates = (enum tsr_rates_kind)(i % 5);
    config.coords.sampling = (enum tsr_sampling)(i % 3);
    config.coords.frame = (enum tsr_frame)(i / 2 % 2);
    config.inner_loss = (enum tsr_inner_loss)(i / 3 % 2);
    return toy_model(&config, (uint64_t)i);
}

/* Everything that a reconstruction gives. */
struct result {
    size_t states, n_regions, n_params, values; /* values: H W C */
    struct tsr_reconstruction out;
};

static struct result result_of(const struct tsr_model *model, size_t states, size_t height,
                               size_t width) {
    struct result r = {.states = states,
                       .n_regions = tsr_model_regions(model, height, width),
                       .n_params = model->net.n_params,
                       .values = height * width * model->net.out_dim};
    r.out.psnr_db = make(states, sizeof(double));
    r.out.seam = make(states, sizeof(double));
    r.out.region_error = make(states * r.n_regions, sizeof(double));
    r.out.phi = make(r.n_regions * r.n_params, sizeof(tsr_real));
    r.out.pictures = make(states * r.values, 1);
    return r;
}

static void clear_result(struct result *r) {
    free(r->out.psnr_db);
    free(r->out.seam);
    free(r->out.region_error);
    free(r->out.phi);
    free(r->out.pictures);
}

static struct tsr_reconstruct_config config_of(const struct tsr_model *model, size_t threads) {
    struct tsr_reconstruct_config config;
    tsr_reconstruct_config_default(model, &config);
    config.threads = threads;
    config.seam = true;
    return config;
}

/* labels NULL: the rule does not follow the image. */
static struct result reconstruct(const struct tsr_model *model,
                                 const struct tsr_reconstruct_config *config, size_t height,
                                 size_t width, const uint8_t *pixels, const uint32_t *labels) {
    struct result r = result_of(model, config->inner_steps + 1, height, width);
    struct tsr_reconstructor *reconstructor;
    MUST(tsr_reconstructor_create(model, config, height, width, &reconstructor, err));
    if (labels) MUST(tsr_reconstructor_follow(reconstructor, labels, err));
    MUST(tsr_reconstruct(reconstructor, TSR_BYTES(pixels), &r.out, err));
    tsr_reconstructor_free(reconstructor);
    return r;
}

static void same_result(const struct result *a, const struct result *b) {
    ASSERT_SAME_BITS("psnr", a->out.psnr_db, b->out.psnr_db, a->states);
    ASSERT_SAME_BITS("seam", a->out.seam, b->out.seam, a->states);
    ASSERT_SAME_BITS("errors", a->out.region_error, b->out.region_error, a->states * a->n_regions);
    ASSERT_SAME_BITS("phi", a->out.phi, b->out.phi, a->n_regions * a->n_params);
    ASSERT_SAME_BITS("pictures", a->out.pictures, b->out.pictures, a->states * a->values);
}

static struct tsr_partition *partition_of(const struct tsr_partition_rule *rule, size_t height,
                                          size_t width, const uint32_t *labels) {
    struct tsr_partition *p;
    MUST(tsr_partition_create(rule, height, width, &p, err));
    if (labels) MUST(tsr_partition_relabel(p, labels, err));
    return p;
}

/* ---- the seam metric ---------------------------------------------------------------------------
 */

/* The definition, pair by pair. */
static double naive_seam(const double *e, size_t channels, const struct tsr_partition *p) {
    double sum[2] = {0};
    size_t n[2] = {0};
    for (size_t i = 0; i < p->height * p->width; i++)
        for (size_t j = 0; j < p->height * p->width; j++) {
            size_t row = i / p->width, col = i % p->width;
            bool right = j / p->width == row && j % p->width == col + 1;
            bool below = j / p->width == row + 1 && j % p->width == col;
            if (!right && !below) continue;
            bool border = tsr_partition_region_at(p, row, col) !=
                          tsr_partition_region_at(p, j / p->width, j % p->width);
            for (size_t c = 0; c < channels; c++, n[border]++)
                sum[border] += fabs(e[i * channels + c] - e[j * channels + c]);
        }
    return sum[1] / (double)n[1] / (sum[0] / (double)n[0]);
}

static void seam_by_definition(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        size_t height = draw_size(1, 14), width = draw_size(1, 14), channels = i % 2 ? 1 : 3;
        size_t n = height * width * channels;
        struct tsr_partition_rule rule = some_rule(i % 3, 0);
        if (tsr_partition_rule_is(&rule, &tsr_rule_grid))
            rule.rule.value[0] = draw_size(1, height), rule.rule.value[1] = draw_size(1, width);
        uint32_t *labels =
            tsr_partition_rule_is(&rule, &tsr_rule_labels) ? some_labels(height, width) : NULL;
        struct tsr_partition *p = partition_of(&rule, height, width, labels);
        tsr_real *e = make(n, sizeof *e);
        double *exact = make(n, sizeof *exact);
        draw_all(e, n, -1, 1);
        for (size_t j = 0; j < n; j++)
            exact[j] = (double)e[j];
        double want = naive_seam(exact, channels, p), found = tsr_seam(e, channels, p, 1);
        assert_true(isnan(want) ? isnan(found) : fabs(found - want) < 1e-9 * (1 + want));
        for (size_t threads = 2; threads <= 3; threads++) {
            double other = tsr_seam(e, channels, p, threads);
            assert_true(isnan(found) ? isnan(other) : other == found);
        }
        tsr_partition_free(p);
        free(labels);
        free(e);
        free(exact);
    }
}

/* A ramp of slope 1 with a step of s at the border of two halves: its border has jumps of 1 + s. */
static void seam_of_a_step(void **state) {
    (void)state;
    enum { N = 20 };
    struct tsr_partition_rule rule = {.rule = TSR_RULE(grid, 1, 2)};
    struct tsr_partition *p = partition_of(&rule, 1, N, NULL);
    for (int s = 0; s < 5; s++) {
        tsr_real e[N];
        for (size_t i = 0; i < N; i++)
            e[i] = (tsr_real)(i + (i >= N / 2 ? (size_t)s : 0));
        assert_true(tsr_seam(e, 1, p, 1) == 1 + s);
    }
    tsr_partition_free(p);
}

/* Noise and waves know nothing of the regions; offsets of regions show. */
static void seam_of_large_residuals(void **state) {
    (void)state;
    enum { SIDE = 128, N = SIDE * SIDE };
    struct tsr_partition_rule rule = {.rule = TSR_RULE(grid, 16, 16)};
    struct tsr_partition *p = partition_of(&rule, SIDE, SIDE, NULL);
    tsr_real *e = make(N, sizeof *e);
    draw_all(e, N, -1, 1);
    assert_true(fabs(tsr_seam(e, 1, p, 1) - 1) < 0.05);
    for (size_t i = 0; i < N; i++)
        e[i] = (tsr_real)sin(0.31 * (double)(i / SIDE) + 0.23 * (double)(i % SIDE));
    assert_true(fabs(tsr_seam(e, 1, p, 1) - 1) < 0.05);
    for (size_t i = 0; i < N; i++)
        e[i] += (tsr_real)tsr_partition_region_at(p, i / SIDE, i % SIDE);
    assert_true(tsr_seam(e, 1, p, 1) > 10);
    free(e);
    tsr_partition_free(p);
}

static void seams_that_are_not(void **state) {
    (void)state;
    struct tsr_partition_rule whole = {.rule = TSR_RULE(whole, 0)};
    struct tsr_partition_rule pixels = {.rule = TSR_RULE(grid, 4, 5)};
    struct tsr_partition_rule halves = {.rule = TSR_RULE(grid, 1, 2)};
    tsr_real e[20], same[20] = {0};
    draw_all(e, 20, -1, 1);
    struct tsr_partition *p = partition_of(&whole, 4, 5, NULL);
    assert_true(isnan(tsr_seam(e, 1, p, 1))); /* no border */
    tsr_partition_free(p);
    p = partition_of(&pixels, 4, 5, NULL);
    assert_true(isnan(tsr_seam(e, 1, p, 1))); /* nothing inside */
    tsr_partition_free(p);
    p = partition_of(&halves, 4, 5, NULL);
    assert_true(isnan(tsr_seam(same, 1, p, 1)));
    assert_true(tsr_seam(e, 1, p, 1) > 0);
    e[7] = (tsr_real)NAN;
    assert_true(isnan(tsr_seam(e, 1, p, 1)));
    tsr_partition_free(p);
    p = partition_of(&whole, 1, 1, NULL);
    assert_true(isnan(tsr_seam(e, 1, p, 1)));
    tsr_partition_free(p);
}

/* ---- reconstruction ----------------------------------------------------------------------------
 */

/* The context pixels of a region with coordinates and targets, made here: index [H W]. */
static struct tsr_points points_of(const struct tsr_model *model, const struct tsr_partition *p,
                                   const uint8_t *pixels, size_t region, uint32_t *index,
                                   tsr_real *x, tsr_real *y) {
    const struct tsr_box *w = &p->regions[region].window;
    size_t n = 0, c = model->net.out_dim;
    for (size_t i = 0; i < p->height * p->width; i++) {
        size_t row = i / p->width, col = i % p->width;
        bool in =
            row >= w->row && row < w->row + w->height && col >= w->col && col < w->col + w->width;
        /* within the window of a label map's region all pixels with a weight */
        if (in && p->labels) in = tsr_partition_weight_at(p, region, (double)row, (double)col) > 0;
        if (!in) continue;
        tsr_coords_at(&model->config.coords, p, region, (double)row, (double)col, x + 2 * n);
        for (size_t j = 0; j < c; j++)
            y[n * c + j] = (tsr_real)pixels[i * c + j] / 255;
        index[n++] = (uint32_t)i;
    }
    return (struct tsr_points){x, y, n};
}

/* Scratch of the recomputation. */
struct loops {
    const struct tsr_kernel *kernel;
    struct tsr_arena arena;
    uint32_t *index;
    tsr_real *x, *y, *out, *g, *phi;
    double *want; /* [n_params] */
};

static struct loops loops_of(const struct tsr_model *model, size_t pixels) {
    struct loops l = {0};
    size_t c = model->net.out_dim, n = model->net.n_params;
    MUST(tsr_kernel_find("reference", &l.kernel, err));
    MUST(tsr_arena_create(&l.arena, l.kernel->workspace_size(&model->net), "scratch", err));
    l.index = make(pixels, sizeof *l.index);
    l.x = make(2 * pixels, sizeof *l.x), l.y = make(c * pixels, sizeof *l.y);
    l.out = make(c * pixels, sizeof *l.out), l.g = make(n, sizeof *l.g);
    l.phi = make(n, sizeof *l.phi), l.want = make(n, sizeof *l.want);
    return l;
}

static void clear_loops(struct loops *l) {
    tsr_arena_free(&l->arena);
    free(l->index);
    free(l->x);
    free(l->y);
    free(l->out);
    free(l->g);
    free(l->phi);
    free(l->want);
}

/* The inner loop of one region with plain loops; adds weight * output to sum [K+1, H, W, C]. */
static void add_region(struct loops *l, const struct tsr_model *model,
                       const struct tsr_partition *p, const uint8_t *pixels, size_t region,
                       const struct result *found, double *sum) {
    size_t n = model->net.n_params, c = model->net.out_dim;
    struct tsr_points points = points_of(model, p, pixels, region, l->index, l->x, l->y);
    bool own = model->config.inner_loss == TSR_INNER_LOSS_REGION;
    double scale = 1.0 / (double)((own ? points.n : p->height * p->width) * c);
    memcpy(l->phi, model->theta, n * sizeof *l->phi);
    for (size_t k = 0; points.n && k < found->states; k++) {
        l->kernel->forward(&model->net, l->phi, points.x, points.n, l->out, l->arena.base);
        for (size_t i = 0; i < points.n; i++) {
            double weight = tsr_partition_weight_at(p, region, (double)(l->index[i] / p->width),
                                                    (double)(l->index[i] % p->width));
            for (size_t j = 0; j < c; j++)
                sum[k * found->values + l->index[i] * c + j] += weight * (double)l->out[i * c + j];
        }
        if (k + 1 == found->states) break;
        memset(l->g, 0, n * sizeof *l->g);
        (void)l->kernel->gradient(&model->net, l->phi, &points, scale, l->g, NULL, NULL,
                                  l->arena.base);
        tsr_rates_apply(&model->rates, k, 0, 0, n, l->g, l->g);
        for (size_t i = 0; i < n; i++)
            l->phi[i] -= l->g[i];
    }
    for (size_t i = 0; i < n; i++)
        l->want[i] = (double)l->phi[i];
    ASSERT_CLOSE("phi", found->out.phi + region * n, l->want, n, 1e-4);
}

/* Errors, seam and picture after k inner steps from the blended outputs [H, W, C]. */
static void check_state(const struct tsr_partition *p, const uint8_t *pixels, double *outputs,
                        size_t channels, const struct result *found, size_t k) {
    double total = 0, *error = make(found->n_regions, sizeof *error);
    for (size_t i = 0; i < found->values; i++) {
        size_t at = i / channels, region = tsr_partition_region_at(p, at / p->width, at % p->width);
        double byte = 255 * fmin(fmax(outputs[i], 0), 1) + 0.5;
        assert_true(fabs(floor(byte) - found->out.pictures[k * found->values + i]) <=
                    (fabs(byte - round(byte)) < 1e-2 ? 1 : 0));
        outputs[i] -= pixels[i] / 255.0;
        error[region] += outputs[i] * outputs[i];
    }
    for (size_t r = 0; r < found->n_regions; r++) {
        double other = found->out.region_error[k * found->n_regions + r];
        assert_true(fabs(other - error[r]) <= 1e-4 * error[r] + 1e-9);
        total += error[r];
    }
    double psnr = 10 * log10((double)found->values / total);
    assert_true(fabs(found->out.psnr_db[k] - psnr) < 1e-3);
    double seam = naive_seam(outputs, channels, p);
    assert_true(isnan(seam) ? isnan(found->out.seam[k])
                            : fabs(found->out.seam[k] - seam) < 1e-3 * seam);
    free(error);
}

static void check_against_loops(const struct tsr_model *model, const struct tsr_partition *p,
                                const uint8_t *pixels, const struct result *found) {
    struct loops l = loops_of(model, p->height * p->width);
    double *sum = make(found->states * found->values, sizeof *sum);
    for (size_t r = 0; r < found->n_regions; r++)
        add_region(&l, model, p, pixels, r, found, sum);
    for (size_t k = 0; k < found->states; k++)
        check_state(p, pixels, sum + k * found->values, model->net.out_dim, found, k);
    clear_loops(&l);
    free(sum);
}

/* What a test does with a model, an image and, for a rule that follows it, its label map. */
typedef void (*check_fn)(const struct tsr_model *model, const struct tsr_partition *partition,
                         const uint8_t *pixels, const uint32_t *labels);

/* All rules with all overlaps, on images of H x W. */
static void for_all_rules(check_fn check) {
    for (int i = 0; i < N_RULES * N_OVERLAPS; i++) {
        struct tsr_partition_rule rule = some_rule(i, overlaps[i / N_RULES]);
        uint32_t *labels =
            tsr_partition_rule_is(&rule, &tsr_rule_labels) ? some_labels(H, W) : NULL;
        struct tsr_model *model = model_of(&rule, i);
        uint8_t *pixels = toy_images(1, H, W, model->net.out_dim);
        struct tsr_partition *p = partition_of(&rule, H, W, labels);
        check(model, p, pixels, labels);
        tsr_partition_free(p);
        tsr_model_free(model);
        free(pixels);
        free(labels);
    }
}

static void compare_with_loops(const struct tsr_model *model, const struct tsr_partition *p,
                               const uint8_t *pixels, const uint32_t *labels) {
    struct tsr_reconstruct_config config = config_of(model, 1);
    struct result r = reconstruct(model, &config, H, W, pixels, labels);
    check_against_loops(model, p, pixels, &r);
    clear_result(&r);
}

static void figures_by_plain_loops(void **state) {
    (void)state;
    for_all_rules(compare_with_loops);
}

static void compare_threads(const struct tsr_model *model, const struct tsr_partition *p,
                            const uint8_t *pixels, const uint32_t *labels) {
    (void)p;
    struct tsr_reconstruct_config config = config_of(model, 1);
    struct result one = reconstruct(model, &config, H, W, pixels, labels);
    for (config.threads = 2; config.threads <= 3; config.threads++) {
        struct result many = reconstruct(model, &config, H, W, pixels, labels);
        same_result(&many, &one);
        clear_result(&many);
    }
    clear_result(&one);
}

static void same_bits_for_any_threads(void **state) {
    (void)state;
    for_all_rules(compare_threads);
}

/* Outputs at border pixels become those of several networks; once these have learned, the borders
 * are the less visible for it. */
static void blending_changes_the_error(void **state) {
    (void)state;
    enum { SIDE = 60, K = 100 };
    struct tsr_partition_rule rule = some_rule(0, 4);
    struct tsr_model *model = model_of(&rule, 2); /* frame region */
    uint8_t *pixels = toy_images(1, SIDE, SIDE, 3);
    struct tsr_reconstruct_config config = config_of(model, 1);
    config.optimizer = tsr_reconstruct_optimizer(model, &tsr_optimizer_adam);
    config.inner_steps = K;
    struct result blended = reconstruct(model, &config, SIDE, SIDE, pixels, NULL);
    model->config.partition.overlap = 0;
    struct result plain = reconstruct(model, &config, SIDE, SIDE, pixels, NULL);
    for (size_t k = 0; k <= K; k++)
        assert_true(blended.out.psnr_db[k] != plain.out.psnr_db[k]);
    assert_true(blended.out.seam[K] < plain.out.seam[K] / 2);
    clear_result(&blended);
    clear_result(&plain);
    free(pixels);
    tsr_model_free(model);
}

/* A label map that is a grid gives the bits of the grid. */
static void label_maps_of_grids(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct tsr_partition_rule grid = {.rule = TSR_RULE(grid, 3, 4)};
        struct tsr_partition_rule follow = {.rule = TSR_RULE(labels, 12)};
        struct tsr_partition *p = partition_of(&grid, H, W, NULL);
        uint32_t labels[H * W];
        for (size_t j = 0; j < H * W; j++)
            labels[j] = (uint32_t)tsr_partition_region_at(p, j / W, j % W);
        struct tsr_model *model = model_of(&grid, i);
        uint8_t *pixels = toy_images(1, H, W, model->net.out_dim);
        struct tsr_reconstruct_config config = config_of(model, 1);
        struct result a = reconstruct(model, &config, H, W, pixels, NULL);
        model->config.partition = follow;
        struct result b = reconstruct(model, &config, H, W, pixels, labels);
        same_result(&b, &a);
        clear_result(&a);
        clear_result(&b);
        free(pixels);
        tsr_model_free(model);
        tsr_partition_free(p);
    }
}

static void absent_classes_keep_their_initialisation(void **state) {
    (void)state;
    for (size_t overlap = 0; overlap < 4; overlap += 3) {
        struct tsr_partition_rule rule = {.rule = TSR_RULE(labels, 5), .overlap = overlap};
        struct tsr_model_config model_config = toy_config(0, 0, 3);
        model_config.partition = rule;
        model_config.slots = TSR_SLOTS_PER_CLASS;
        struct tsr_model *model = toy_model(&model_config, 4);
        uint32_t *labels = some_labels(H, W); /* 3 is absent */
        uint8_t *pixels = toy_images(1, H, W, 3);
        struct tsr_reconstruct_config config = config_of(model, 2);
        struct result r = reconstruct(model, &config, H, W, pixels, labels);
        size_t n = r.n_params;
        ASSERT_SAME_BITS("phi", r.out.phi + 3 * n, model->theta + 3 * n, n);
        assert_memory_not_equal(r.out.phi, model->theta, n * sizeof(tsr_real));
        for (size_t k = 0; k < r.states; k++)
            assert_true(r.out.region_error[k * 5 + 3] == 0 && r.out.region_error[k * 5] > 0);
        clear_result(&r);
        free(pixels);
        free(labels);
        tsr_model_free(model);
    }
}

/* One reconstructor for images of many label maps, with more and with fewer context pixels. */
static void followed_as_made_anew(void **state) {
    (void)state;
    for (int i = 0; i < N_OVERLAPS; i++) {
        struct tsr_partition_rule rule = some_rule(2, overlaps[i]);
        struct tsr_model *model = model_of(&rule, i);
        struct tsr_reconstruct_config config = config_of(model, 1);
        struct tsr_reconstructor *kept;
        MUST(tsr_reconstructor_create(model, &config, H, W, &kept, err));
        for (int j = 0; j < 5; j++) {
            uint32_t *labels = some_labels(H, W);
            uint8_t *pixels = toy_images(1, H, W, model->net.out_dim);
            struct result anew = reconstruct(model, &config, H, W, pixels, labels);
            struct result again = result_of(model, config.inner_steps + 1, H, W);
            MUST(tsr_reconstructor_follow(kept, labels, err));
            MUST(tsr_reconstruct(kept, TSR_BYTES(pixels), &again.out, err));
            same_result(&again, &anew);
            clear_result(&anew);
            clear_result(&again);
            free(labels);
            free(pixels);
        }
        tsr_reconstructor_free(kept);
        tsr_model_free(model);
    }
}

/* A network of a few numbers, so that long runs are short. */
static struct tsr_model *tiny_model(const struct tsr_partition_rule *rule) {
    struct tsr_model_config config = toy_config(0, 0, 3);
    config.network.width = 2;
    config.network.hidden_layers = 0;
    config.partition = *rule;
    config.inner_lr = 1e-3;
    struct tsr_model *model;
    MUST(tsr_model_create(&config, 7, &model, err));
    return model;
}

/* Without overlap the seam metric changes nothing but itself: not when the outputs of all inner
 * steps are kept, nor when the regions go through the inner loop in rounds. */
static void seam_metric_changes_nothing(void **state) {
    (void)state;
    enum { SIDE = 128 }; /* 192 KiB of outputs after each inner step: 341 make a round */
    struct tsr_partition_rule rule = {.rule = TSR_RULE(cell, 50, 70)};
    struct tsr_model *model = tiny_model(&rule);
    uint8_t *pixels = toy_images(1, SIDE, SIDE, 3);
    for (int i = 0; i < 3; i++) {
        struct tsr_reconstruct_config config = config_of(model, 1 + (size_t)i / 2);
        config.inner_steps = i < 2 ? 5 : 345;
        config.optimizer =
            tsr_reconstruct_optimizer(model, i < 1 ? &tsr_optimizer_sgd : &tsr_optimizer_adam);
        struct result with = reconstruct(model, &config, SIDE, SIDE, pixels, NULL);
        config.seam = false;
        struct result without = reconstruct(model, &config, SIDE, SIDE, pixels, NULL);
        for (size_t k = 0; k < with.states; k++) {
            assert_true(isfinite(with.out.seam[k]) && isnan(without.out.seam[k]));
            without.out.seam[k] = with.out.seam[k];
        }
        same_result(&with, &without);
        clear_result(&with);
        clear_result(&without);
    }
    free(pixels);
    tsr_model_free(model);
}

/* Rounds of blended images: a longer run begins with the states of a shorter one. */
static void long_runs_begin_like_short_ones(void **state) {
    (void)state;
    enum { SIDE = 100, CUT = 50 }; /* 9 regions that see all: 1 MiB a state, 62 states a round */
    struct tsr_partition_rule rule = {.rule = TSR_RULE(labels, 9), .overlap = 64};
    struct tsr_model *model = tiny_model(&rule);
    uint8_t *pixels = toy_images(1, SIDE, SIDE, 3);
    uint32_t *labels = make(SIDE * SIDE, sizeof *labels);
    for (size_t i = 0; i < SIDE * SIDE; i++) /* 3x3 pixels of all regions in the middle */
        labels[i] = (uint32_t)(i / SIDE < 50   ? 0
                               : i / SIDE > 50 ? 2
                                               : 1) *
                        3 +
                    (uint32_t)(i % SIDE < 50   ? 0
                               : i % SIDE > 50 ? 2
                                               : 1);
    struct tsr_reconstruct_config config = config_of(model, 2);
    config.optimizer = tsr_reconstruct_optimizer(model, &tsr_optimizer_adam);
    config.inner_steps = CUT;
    struct result little = reconstruct(model, &config, SIDE, SIDE, pixels, labels);
    config.inner_steps = 70;
    struct result much = reconstruct(model, &config, SIDE, SIDE, pixels, labels);
    ASSERT_SAME_BITS("psnr", much.out.psnr_db, little.out.psnr_db, CUT);
    ASSERT_SAME_BITS("seam", much.out.seam, little.out.seam, CUT);
    ASSERT_SAME_BITS("errors", much.out.region_error, little.out.region_error, CUT * 9);
    ASSERT_SAME_BITS("pictures", much.out.pictures, little.out.pictures, CUT * little.values);
    for (size_t k = CUT; k < 70; k++)
        assert_true(much.out.psnr_db[k + 1] > much.out.psnr_db[k]);
    clear_result(&little);
    clear_result(&much);
    free(labels);
    free(pixels);
    tsr_model_free(model);
}

/* ---- INRs --------------------------------------------------------------------------------------
 */

static void same_rule(const struct tsr_partition_rule *a, const struct tsr_partition_rule *b) {
    char of_a[64], of_b[64];
    tsr_partition_rule_describe(a, of_a, sizeof of_a);
    tsr_partition_rule_describe(b, of_b, sizeof of_b);
    assert_string_equal(of_a, of_b);
}

/* Made, saved and loaded. */
static struct tsr_inr *inr_of(const struct tsr_model *model, const struct tsr_partition *p,
                              const tsr_real *phi, const uint32_t *labels) {
    struct tsr_inr *inr, *back;
    const char *path = in_folder("a.inr.h5");
    size_t n = p->n_regions * model->net.n_params;
    MUST(tsr_inr_create(&model->config, p->height, p->width, &inr, err));
    if (labels) MUST(tsr_inr_follow(inr, labels, err));
    memcpy(inr->phi, phi, n * sizeof *phi);
    MUST(tsr_inr_save(inr, path, err));
    tsr_inr_free(inr);
    MUST(tsr_inr_load(path, &back, err));
    same_rule(&back->rule, &model->config.partition);
    ASSERT_SAME_BITS("phi", back->phi, phi, n);
    assert_int_equal(back->partition->overlap, p->overlap);
    for (size_t i = 0; i < p->height * p->width; i++)
        assert_int_equal(tsr_partition_region_at(back->partition, i / p->width, i % p->width),
                         tsr_partition_region_at(p, i / p->width, i % p->width));
    return back;
}

/* At its own size the INR shows the last picture of the reconstruction. */
static void compare_with_render(const struct tsr_model *model, const struct tsr_partition *p,
                                const uint8_t *pixels, const uint32_t *labels) {
    struct tsr_reconstruct_config config = config_of(model, 1);
    struct result r = reconstruct(model, &config, H, W, pixels, labels);
    struct tsr_inr *inr = inr_of(model, p, r.out.phi, labels);
    for (size_t threads = 1; threads <= 2; threads++) {
        struct tsr_image image;
        MUST(tsr_inr_render(inr, H, W, threads, "auto", NULL, &image, err));
        ASSERT_SAME_BITS("picture", image.pixels, r.out.pictures + (r.states - 1) * r.values,
                         r.values);
        tsr_image_clear(&image);
    }
    tsr_inr_free(inr);
    clear_result(&r);
}

static void original_size_is_the_reconstruction(void **state) {
    (void)state;
    for_all_rules(compare_with_render);
}

/* The value of an INR at a position of its image, in pixels: the weighted sum of all networks. */
static double value_at(const struct tsr_inr *inr, struct loops *l, double row, double col,
                       size_t channel) {
    double sum = 0;
    tsr_real x[2], out[4];
    for (size_t r = 0; r < inr->partition->n_regions; r++) {
        double weight = tsr_partition_weight_at(inr->partition, r, row, col);
        if (weight == 0) continue;
        tsr_coords_at(&inr->coords, inr->partition, r, row, col, x);
        l->kernel->forward(&inr->net, inr->phi + r * inr->net.n_params, x, 1, out, l->arena.base);
        sum += weight * (double)out[channel];
    }
    return sum;
}

static void compare_sizes(const struct tsr_model *model, const struct tsr_partition *p,
                          const uint8_t *pixels, const uint32_t *labels) {
    if (p->overlap == 0) return;
    size_t height = draw_size(1, 50), width = draw_size(1, 50), c = model->net.out_dim;
    struct tsr_reconstruct_config config = config_of(model, 1);
    struct result r = reconstruct(model, &config, H, W, pixels, labels);
    struct tsr_inr *inr = inr_of(model, p, r.out.phi, labels);
    struct loops l = loops_of(model, 1);
    struct tsr_image one, two;
    MUST(tsr_inr_render(inr, height, width, 1, "auto", NULL, &one, err));
    MUST(tsr_inr_render(inr, height, width, 2, "auto", NULL, &two, err));
    ASSERT_SAME_BITS("threads", one.pixels, two.pixels, height * width * c);
    for (size_t i = 0; i < height * width * c; i++) {
        double row = ((double)(i / c / width) + 0.5) * H / (double)height - 0.5;
        double col = ((double)(i / c % width) + 0.5) * W / (double)width - 0.5;
        double value = fmin(fmax(value_at(inr, &l, row, col, i % c), 0), 1);
        assert_true(fabs(255 * value - one.pixels[i]) < 0.51);
    }
    tsr_image_clear(&one);
    tsr_image_clear(&two);
    clear_loops(&l);
    tsr_inr_free(inr);
    clear_result(&r);
}

static void any_size_is_the_weighted_sum(void **state) {
    (void)state;
    for_all_rules(compare_sizes);
}

/* ---- INR files ---------------------------------------------------------------------------------
 */

/* An INR file of one constant value a region, 4 x 5 pixels; what is not wanted is left out. */
struct foreign {
    const char *rule, *merge;  /* merge NULL: none */
    double n_regions, overlap; /* negative: none */
    size_t label_rows;         /* 0: no label map */
    uint32_t label;            /* of the last pixel; the others have 0 and 1 by turns */
    size_t vectors;
};

static void put_number(struct tsr_h5 *file, const char *group, const char *name, double value) {
    if (value >= 0) MUST(tsr_h5_write_attr_i64(file, group, name, (int64_t)value, err));
}

static void put_labels(struct tsr_h5 *file, const struct foreign *how) {
    const size_t dims[2] = {how->label_rows, 5};
    uint32_t *labels = make(how->label_rows * 5, sizeof *labels);
    if (how->label_rows == 0) {
        free(labels);
        return;
    }
    for (size_t i = 0; i < how->label_rows * 5; i++)
        labels[i] = (uint32_t)(i % 2);
    labels[how->label_rows * 5 - 1] = how->label;
    MUST(tsr_h5_write(file, "/partition/labels", TSR_H5_U32, 2, dims, labels, 0, err));
    free(labels);
}

static const char *write_foreign(const struct foreign *how) {
    const char *path = in_folder("foreign.inr.h5");
    const size_t weight0[3] = {how->vectors, 2, 2}, weight1[3] = {how->vectors, 1, 2};
    const size_t bias1[2] = {how->vectors, 1};
    float *zero = make(4 * how->vectors, sizeof *zero), *bias = make(how->vectors, sizeof *bias);
    struct tsr_h5 *file;
    for (size_t i = 0; i < how->vectors; i++)
        bias[i] = (float)(40 * (i + 1)) / 255;
    MUST(tsr_h5_create(path, &file, err));
    MUST(tsr_h5_write_attr_str(file, "/", "format", "tessera-inr", err));
    put_number(file, "/", "format_version", 1);
    MUST(tsr_h5_write_attr_str(file, "/network", "kind", "siren", err));
    const struct {
        const char *name;
        double value;
    } network[] = {{"in_dim", 2},        {"out_dim", 1},     {"width", 2},
                   {"hidden_layers", 0}, {"omega_first", 1}, {"omega_hidden", 1},
                   {"coord_lo", 0},      {"coord_hi", 1},    {"output_offset", 0}};
    for (size_t i = 0; i < sizeof network / sizeof *network; i++)
        put_number(file, "/network", network[i].name, network[i].value);
    MUST(tsr_h5_write_attr_str(file, "/network", "coord_sampling", "center", err));
    MUST(tsr_h5_write_attr_str(file, "/network", "coord_frame", "region", err));
    MUST(tsr_h5_write_attr_str(file, "/partition", "rule", how->rule, err));
    if (how->merge) MUST(tsr_h5_write_attr_str(file, "/partition", "merge", how->merge, err));
    put_number(file, "/partition", "image_height", 4);
    put_number(file, "/partition", "image_width", 5);
    put_number(file, "/partition", "rows", 1);
    put_number(file, "/partition", "cols", 2);
    put_number(file, "/partition", "n_regions", how->n_regions);
    put_number(file, "/partition", "overlap", how->overlap);
    put_labels(file, how);
    MUST(tsr_h5_write(file, "/regions/layer0/weight", TSR_H5_F32, 3, weight0, zero, 0, err));
    MUST(tsr_h5_write(file, "/regions/layer0/bias", TSR_H5_F32, 2, weight0, zero, 0, err));
    MUST(tsr_h5_write(file, "/regions/layer1/weight", TSR_H5_F32, 3, weight1, zero, 0, err));
    MUST(tsr_h5_write(file, "/regions/layer1/bias", TSR_H5_F32, 2, bias1, bias, 0, err));
    MUST(tsr_h5_commit(file, err));
    tsr_h5_close(file);
    free(zero);
    free(bias);
    return path;
}

static const struct foreign segments = {.rule = "segment",
                                        .merge = "area",
                                        .n_regions = 3,
                                        .overlap = 1,
                                        .label_rows = 4,
                                        .label = 2,
                                        .vectors = 3};

static void files_of_label_maps(void **state) {
    (void)state;
    struct tsr_inr *inr;
    struct tsr_image image;
    struct foreign how = segments;
    MUST(tsr_inr_load(write_foreign(&how), &inr, err));
    same_rule(&inr->rule, &(struct tsr_partition_rule){.rule = TSR_RULE(segment, 3, TSR_MERGE_AREA),
                                                       .overlap = 1});
    tsr_inr_free(inr);
    how.overlap = -1; /* none: the labels can be seen */
    MUST(tsr_inr_load(write_foreign(&how), &inr, err));
    assert_int_equal(inr->rule.overlap, 0);
    MUST(tsr_inr_render(inr, 4, 5, 1, "auto", NULL, &image, err));
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(image.pixels[i], i == 19 ? 120 : i % 2 ? 80 : 40);
    tsr_image_clear(&image);
    tsr_inr_free(inr);
}

/* Files from before there were label maps and overlaps. */
static void older_files(void **state) {
    (void)state;
    const struct foreign how = {.rule = "grid", .n_regions = -1, .overlap = -1, .vectors = 2};
    struct tsr_inr *inr;
    struct tsr_image image;
    MUST(tsr_inr_load(write_foreign(&how), &inr, err));
    assert_int_equal(inr->rule.overlap, 0);
    assert_null(inr->partition->labels);
    MUST(tsr_inr_render(inr, 4, 5, 1, "auto", NULL, &image, err));
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(image.pixels[i], i % 5 < 2 ? 40 : 80);
    tsr_image_clear(&image);
    tsr_inr_free(inr);
}

#define REFUSED(FIELD, VALUE, TEXT)                                                                \
    do {                                                                                           \
        struct foreign refused = segments;                                                         \
        struct tsr_inr *inr;                                                                       \
        refused.FIELD = (VALUE);                                                                   \
        const char *path = write_foreign(&refused);                                                \
        MUST_FAIL(tsr_inr_load(path, &inr, err), TSR_ERR_FORMAT, TEXT);                            \
        MUST_FAIL(tsr_inr_load(path, &inr, err), TSR_ERR_FORMAT, "foreign.inr.h5");                \
        assert_null(inr);                                                                          \
    } while (0)

static void files_refused(void **state) {
    (void)state;
    REFUSED(label, 3, "/partition/labels has label 3 at (3, 4); labels must be below 3");
    REFUSED(label, UINT32_MAX, "must be below 3");
    REFUSED(label_rows, 5, "/partition/labels has shape [5, 5]; the settings ask for [4, 5]");
    REFUSED(label_rows, 0, "/partition/labels");
    REFUSED(overlap, 65, "overlap of 65 pixels");
    REFUSED(n_regions, -1, "n_regions");
    REFUSED(n_regions, 65536, "segment: n_regions is 65536; it must be a whole number, 1 to 65535");
    REFUSED(n_regions, 4, "is for 3 regions");
    REFUSED(merge, "colour", "color, area");
    REFUSED(rule, "objects", "whole, grid, cell, quadtree, segment, labels");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seam_by_definition),
        cmocka_unit_test(seam_of_a_step),
        cmocka_unit_test(seam_of_large_residuals),
        cmocka_unit_test(seams_that_are_not),
        cmocka_unit_test(figures_by_plain_loops),
        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(blending_changes_the_error),
        cmocka_unit_test(label_maps_of_grids),
        cmocka_unit_test(absent_classes_keep_their_initialisation),
        cmocka_unit_test(followed_as_made_anew),
        cmocka_unit_test(seam_metric_changes_nothing),
        cmocka_unit_test(long_runs_begin_like_short_ones),
        TEST(original_size_is_the_reconstruction),
        TEST(any_size_is_the_weighted_sum),
        TEST(files_of_label_maps),
        TEST(older_files),
        TEST(files_refused),
    };
    return cmocka_run_group_tests_name("blend", tests, NULL, NULL);
}
