/* SPDX-License-Identifier: MIT
 *
 * Reconstruction, its measures, evaluation and INRs, each against a recomputation from pixels,
 * coordinates and the reference kernel.
 */
#include "tests/test_meta_helper.h"

#include "base/memory.h"
#include "image/evaluate.h"
#include "image/inr.h"

/* ---- measures ----------------------------------------------------------------------------------
 */

static void psnr_of_known_errors(void **state) {
    (void)state;
    assert_true(tsr_psnr_db(12, 12) == 0);
    assert_true(fabs(tsr_psnr_db(1, 100) - 20) < 1e-12);
    assert_true(fabs(tsr_psnr_db(0.5, 50000) - 50) < 1e-12);
    assert_true(tsr_psnr_db(400, 4) < 0);
    assert_true(isinf(tsr_psnr_db(0, 10)) && tsr_psnr_db(0, 10) > 0);
    assert_true(isnan(tsr_psnr_db((double)NAN, 10)));
}

static double ssim(const uint8_t *a, const uint8_t *b, size_t height, size_t width,
                   size_t channels) {
    float *scratch = make(tsr_ssim_scratch(width, channels), sizeof *scratch);
    double value = tsr_ssim(a, b, height, width, channels, scratch);
    free(scratch);
    return value;
}

static void ssim_of_identical_images(void **state) {
    (void)state;
    uint8_t *image = toy_images(1, 20, 31, 3), black[11 * 11] = {0};
    assert_true(fabs(ssim(image, image, 20, 31, 3) - 1) < 1e-5);
    assert_true(fabs(ssim(black, black, 11, 11, 1) - 1) < 1e-9);
    free(image);
}

/* A ramp and the ramp plus d have the same variance and covariance, and a ramp's mean over a
 * symmetric window is its value in the middle: only the luminance term is left. */
static void ssim_of_a_shift(void **state) {
    (void)state;
    enum { H = 17, W = 23 };
    const double c1 = 0.01 * 255 * 0.01 * 255;
    uint8_t a[H * W], b[H * W];
    for (int shift = 0; shift <= 60; shift += 20) {
        double sum = 0;
        for (size_t i = 0; i < H * W; i++) {
            a[i] = (uint8_t)(20 + 3 * (i / W) + 2 * (i % W));
            b[i] = (uint8_t)(a[i] + shift);
        }
        for (size_t row = 5; row < H - 5; row++)
            for (size_t col = 5; col < W - 5; col++) {
                double m = a[row * W + col], n = m + shift;
                sum += (2 * m * n + c1) / (m * m + n * n + c1);
            }
        double want = sum / ((H - 10) * (W - 10));
        assert_true(fabs(ssim(a, b, H, W, 1) - want) < 1e-4);
    }
}

/* The definition, in double, for one channel. */
static double naive_ssim(const uint8_t *a, const uint8_t *b, size_t height, size_t width) {
    const double c1 = 2.55 * 2.55, c2 = 7.65 * 7.65;
    double total = 0;
    for (size_t row = 0; row + 11 <= height; row++)
        for (size_t col = 0; col + 11 <= width; col++) {
            double w = 0, ma = 0, mb = 0, va = 0, vb = 0, cov = 0;
            for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < 121; i++) {
                    double y = (double)(i / 11) - 5, x = (double)(i % 11) - 5;
                    double g = exp(-(x * x + y * y) / 4.5);
                    size_t at = (row + i / 11) * width + col + i % 11;
                    if (pass == 0) {
                        w += g, ma += g * a[at], mb += g * b[at];
                        continue;
                    }
                    va += g / w * (a[at] - ma / w) * (a[at] - ma / w);
                    vb += g / w * (b[at] - mb / w) * (b[at] - mb / w);
                    cov += g / w * (a[at] - ma / w) * (b[at] - mb / w);
                }
            ma /= w, mb /= w;
            total +=
                (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
        }
    return total / (double)((height - 10) * (width - 10));
}

static void ssim_by_definition(void **state) {
    (void)state;
    enum { H = 15, W = 18 };
    uint8_t a[H * W], b[H * W];
    for (int noise = 2; noise < 200; noise *= 3) {
        for (size_t i = 0; i < H * W; i++) {
            a[i] = (uint8_t)(40 + 4 * (i / W) + draw(0, 20));
            b[i] = (uint8_t)(a[i] + draw(0, noise > 100 ? 100 : noise));
        }
        assert_true(fabs(ssim(a, b, H, W, 1) - naive_ssim(a, b, H, W)) < 1e-4);
    }
}

static void ssim_of_small_images(void **state) {
    (void)state;
    uint8_t image[11 * 11 * 3] = {0};
    assert_true(isnan(ssim(image, image, 10, 11, 3)));
    assert_true(isnan(ssim(image, image, 11, 10, 3)));
    assert_false(isnan(ssim(image, image, 11, 11, 3)));
}

/* ---- reconstruction ----------------------------------------------------------------------------
 */

/* Everything that a reconstruction gives. */
struct picture {
    size_t height, width, channels, steps, n_regions;
    struct tsr_reconstruction out;
    struct tsr_partition *partition; /* the same partition, made here */
};

static struct picture reconstruct(const struct tsr_model *model, size_t height, size_t width,
                                  const uint8_t *pixels,
                                  const struct tsr_reconstruct_config *config) {
    struct picture p = {.height = height,
                        .width = width,
                        .channels = model->net.out_dim,
                        .steps = config->inner_steps};
    struct tsr_reconstructor *r;
    MUST(tsr_partition_create(&model->config.partition, height, width, &p.partition, err));
    p.n_regions = p.partition->n_regions;
    size_t states = p.steps + 1;
    p.out.psnr_db = make(states, sizeof(double));
    p.out.ssim = make(states, sizeof(double));
    p.out.region_error = make(states * p.n_regions, sizeof(double));
    p.out.phi = make(p.n_regions * model->net.n_params, sizeof(tsr_real));
    p.out.pictures = make(states * height * width * p.channels, 1);
    MUST(tsr_reconstructor_create(model, config, height, width, &r, err));
    assert_int_equal(tsr_reconstructor_partition(r)->n_regions, p.n_regions);
    MUST(tsr_reconstruct(r, TSR_BYTES(pixels), &p.out, err));
    tsr_reconstructor_free(r);
    return p;
}

static void clear_picture(struct picture *p) {
    free(p->out.psnr_db);
    free(p->out.ssim);
    free(p->out.region_error);
    free(p->out.phi);
    free(p->out.pictures);
    tsr_partition_free(p->partition);
}

/* The pixels of a region's window: what a cell that the edge cuts off is adapted to. */
static size_t window_pixels(const struct tsr_partition *p, size_t region, uint32_t *index) {
    const struct tsr_box *w = &p->regions[region].window;
    size_t n = 0;
    for (size_t row = w->row; row < w->row + w->height; row++)
        for (size_t col = w->col; col < w->col + w->width; col++)
            index[n++] = (uint32_t)(row * p->width + col);
    return n;
}

/* Own pixels of a region, or its context pixels, with coordinates and targets made here. */
static struct tsr_points points_of(const struct picture *p, const struct tsr_model *model,
                                   const uint8_t *pixels, size_t region, bool context, tsr_real *x,
                                   tsr_real *y) {
    size_t n = p->partition->regions[region].n_pixels, c = p->channels;
    uint32_t *index = make(p->height * p->width, sizeof *index);
    if (context)
        n = window_pixels(p->partition, region, index);
    else
        tsr_partition_pixels(p->partition, region, index);
    for (size_t i = 0; i < n; i++) {
        tsr_coords_at(&model->config.coords, p->partition, region, (double)(index[i] / p->width),
                      (double)(index[i] % p->width), x + 2 * i);
        for (size_t j = 0; j < c; j++)
            y[i * c + j] = (tsr_real)pixels[index[i] * c + j] / 255;
    }
    free(index);
    return (struct tsr_points){x, y, n};
}

/* The inner loop of one region with plain loops; error [K+1] at its own points. */
static void adapt(const struct picture *p, const struct tsr_model *model, size_t region,
                  const struct tsr_kernel *kernel, const struct tsr_points *points,
                  const struct tsr_points *own_points, tsr_real *phi, double *error) {
    struct tsr_arena scratch;
    size_t n = model->net.n_params, slot = model->n_slots > 1 ? region : 0;
    bool own = model->config.inner_loss == TSR_INNER_LOSS_REGION;
    double scale = 1.0 / (double)((own ? points->n : p->height * p->width) * p->channels);
    tsr_real *g = make(n, sizeof *g);
    MUST(tsr_arena_create(&scratch, kernel->workspace_size(&model->net), "scratch", err));
    memcpy(phi, model->theta + slot * n, n * sizeof *phi);
    for (size_t k = 0; k <= p->steps; k++) {
        error[k] = kernel->gradient(&model->net, phi, own_points, 1, g, NULL, NULL, scratch.base);
        memset(g, 0, n * sizeof *g);
        (void)kernel->gradient(&model->net, phi, points, scale, g, NULL, NULL, scratch.base);
        tsr_rates_apply(&model->rates, k, slot, 0, n, g, g);
        for (size_t i = 0; k < p->steps && i < n; i++)
            phi[i] -= g[i];
    }
    tsr_arena_free(&scratch);
    free(g);
}

/* Adapted parameters, errors of regions and PSNR of all inner steps. */
static void check_against_loops(const struct picture *p, const struct tsr_model *model,
                                const uint8_t *pixels) {
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("reference", &kernel, err));
    size_t values = p->height * p->width * p->channels, n = model->net.n_params;
    tsr_real *x = make(4 * values, sizeof *x), *y = make(2 * values, sizeof *y);
    tsr_real *phi = make(n, sizeof *phi);
    double *want = make(n, sizeof *want), *sum = make(p->steps + 1, sizeof *sum);
    double *error = make(p->steps + 1, sizeof *error);
    for (size_t r = 0; r < p->n_regions; r++) {
        struct tsr_points points = points_of(p, model, pixels, r, true, x, y);
        struct tsr_points own = points_of(p, model, pixels, r, false, x + 2 * values, y + values);
        adapt(p, model, r, kernel, &points, &own, phi, error);
        for (size_t i = 0; i < n; i++)
            want[i] = (double)phi[i];
        ASSERT_CLOSE("phi", p->out.phi + r * n, want, n, 1e-4);
        for (size_t k = 0; k <= p->steps; k++) {
            double found = p->out.region_error[k * p->n_regions + r];
            assert_true(fabs(found - error[k]) <= 1e-4 * error[k]);
            sum[k] += error[k];
        }
    }
    for (size_t k = 0; k <= p->steps; k++) {
        double psnr = 10 * log10((double)values / sum[k]);
        assert_true(fabs(p->out.psnr_db[k] - psnr) < 1e-3);
    }
    free(x);
    free(y);
    free(phi);
    free(want);
    free(sum);
    free(error);
}

static struct tsr_reconstruct_config plain_config(const struct tsr_model *model) {
    struct tsr_reconstruct_config config;
    tsr_reconstruct_config_default(model, &config);
    assert_int_equal(config.inner_steps, model->config.inner_steps);
    config.threads = 1;
    return config;
}

static const struct tsr_partition_rule rules[] = {
    {.rule = TSR_RULE(whole, 0)},
    {.rule = TSR_RULE(grid, 3, 2)},
    {.rule = TSR_RULE(cell, 5, 6)},   /* odd sizes left over */
    {.rule = TSR_RULE(cell, 40, 50)}, /* larger than the image */
};
enum { N_RULES = sizeof rules / sizeof *rules };

/* A model of one of many combinations, for an image of 13 x 17. */
static struct tsr_model *some_model(int i, size_t channels) {
    struct tsr_model_config config = toy_config(13, 17, channels);
    config.partition = rules[i % N_RULES];
    config.rates = (enum tsr_rates_kind)(i % 5);
    config.slots = (enum tsr_slots)(i / N_RULES % 2);
    config.coords.sampling = (enum tsr_sampling)(i % 3);
    config.coords.frame = (enum tsr_frame)(i / 3 % 2);
    config.inner_loss = (enum tsr_inner_loss)(i / 2 % 2);
    return toy_model(&config, (uint64_t)i);
}

static void figures_by_plain_loops(void **state) {
    (void)state;
    for (int i = 0; i < 16; i++) {
        size_t channels = i % 2 ? 1 : 3;
        struct tsr_model *model = some_model(i, channels);
        uint8_t *pixels = toy_images(1, 13, 17, channels);
        struct tsr_reconstruct_config config = plain_config(model);
        config.inner_steps = (size_t)i % 5; /* up to two more than trained */
        struct picture p = reconstruct(model, 13, 17, pixels, &config);
        check_against_loops(&p, model, pixels);
        for (size_t k = 0; k <= p.steps; k++)
            assert_true(isnan(p.out.ssim[k])); /* was not asked for */
        clear_picture(&p);
        free(pixels);
        tsr_model_free(model);
    }
}

static void same_bits(const struct picture *a, const struct picture *b, size_t n_params) {
    size_t states = a->steps + 1;
    ASSERT_SAME_BITS("psnr", a->out.psnr_db, b->out.psnr_db, states);
    ASSERT_SAME_BITS("ssim", a->out.ssim, b->out.ssim, states);
    ASSERT_SAME_BITS("errors", a->out.region_error, b->out.region_error, states * a->n_regions);
    ASSERT_SAME_BITS("phi", a->out.phi, b->out.phi, a->n_regions * n_params);
    ASSERT_SAME_BITS("pictures", a->out.pictures, b->out.pictures,
                     states * a->height * a->width * a->channels);
}

/* Regions with the same coordinates share the first forward pass: their parameters are, to the bit,
 * those of whole gradients. Cells of up to four sizes, and image coordinates, which are not shared.
 */
static void shared_passes_same_bits(void **state) {
    (void)state;
    const size_t height = 53, width = 47, values = height * width * 3;
    uint8_t *pixels = toy_images(1, height, width, 3);
    tsr_real *x = make(2 * values, sizeof *x), *y = make(values, sizeof *y);
    double error[4];
    for (int i = 0; i < 6; i++) {
        struct tsr_model_config model_config = toy_config(0, 0, 3);
        model_config.partition =
            (struct tsr_partition_rule){.rule = TSR_RULE(grid, i % 2 ? 3 : 6, i % 2 ? 4 : 7)};
        model_config.coords.frame = i == 4 ? TSR_FRAME_IMAGE : TSR_FRAME_REGION;
        struct tsr_model *model = toy_model(&model_config, (uint64_t)i);
        struct tsr_reconstruct_config config = plain_config(model);
        size_t n = model->net.n_params;
        tsr_real *phi = make(n, sizeof *phi);
        assert_true(config.inner_steps > 0 && config.inner_steps <= 3);
        for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
            if (!(*k)->available()) continue;
            config.kernel = (*k)->name;
            config.threads = (size_t)i % 3 + 1;
            struct picture p = reconstruct(model, height, width, pixels, &config);
            for (size_t r = 0; r < p.n_regions; r++) {
                struct tsr_points points = points_of(&p, model, pixels, r, true, x, y);
                adapt(&p, model, r, *k, &points, &points, phi, error);
                ASSERT_SAME_BITS((*k)->name, p.out.phi + r * n, phi, n);
            }
            clear_picture(&p);
        }
        free(phi);
        tsr_model_free(model);
    }
    free(pixels);
    free(x);
    free(y);
}

/* Rates with which some regions get worse and worse: of each the best state is kept. */
static void the_best_is_kept(void **state) {
    (void)state;
    uint8_t *pixels = toy_images(1, 26, 30, 3);
    tsr_real *x = make(26 * 30 * 2, sizeof *x), *y = make(26 * 30 * 3, sizeof *y);
    const struct tsr_kernel *kernel;
    struct tsr_arena scratch;
    size_t fell = 0;
    MUST(tsr_kernel_find("reference", &kernel, err));
    for (int i = 0; i < 9; i++) {
        struct tsr_model_config model_config = toy_config(0, 0, 3);
        model_config.partition = rules[i % 3];
        struct tsr_model *model = toy_model(&model_config, 3);
        struct tsr_reconstruct_config config = plain_config(model);
        config.inner_steps = 12;
        for (size_t j = 0; j < tsr_rates_count(&model->rates); j++)
            model->rates.value[j] *= (tsr_real)(i < 3 ? 1 : i < 6 ? 30 : 3000);
        struct picture p = reconstruct(model, 26, 30, pixels, &config);
        MUST(tsr_arena_create(&scratch, kernel->workspace_size(&model->net), "scratch", err));
        tsr_real *g = make(model->net.n_params, sizeof *g);
        double sum = 0, top = -INFINITY;
        for (size_t r = 0; r < p.n_regions; r++) {
            double least = INFINITY, last = p.out.region_error[p.steps * p.n_regions + r];
            for (size_t k = 0; k <= p.steps; k++)
                least = fmin(least, p.out.region_error[k * p.n_regions + r]);
            const struct tsr_points own = points_of(&p, model, pixels, r, false, x, y);
            double found = kernel->gradient(&model->net, p.out.phi + r * model->net.n_params, &own,
                                            1, g, NULL, NULL, scratch.base);
            assert_true(fabs(found - least) <= 1e-4 * (least + 1e-3));
            sum += least;
            fell += !(last <= least);
        }
        for (size_t k = 0; k <= p.steps; k++)
            top = fmax(top, p.out.psnr_db[k]);
        assert_true(p.out.best_psnr_db >= top);
        assert_true(fabs(p.out.best_psnr_db - tsr_psnr_db(sum, 26 * 30 * 3)) < 1e-9);
        tsr_arena_free(&scratch);
        clear_picture(&p);
        tsr_model_free(model);
        free(g);
    }
    assert_true(fell > 10);
    free(pixels);
    free(x);
    free(y);
}

/* A reconstructor whose model learned between two images does not remember the first. */
static void model_may_change(void **state) {
    (void)state;
    struct tsr_model_config model_config = toy_config(0, 0, 3);
    model_config.partition = rules[1];
    struct tsr_model *model = toy_model(&model_config, 3);
    uint8_t *pixels = toy_images(1, 30, 28, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    struct tsr_reconstructor *r;
    size_t n = 6 * model->net.n_params;
    tsr_real *phi = make(n, sizeof *phi);
    struct tsr_reconstruction out = {.phi = phi};
    MUST(tsr_reconstructor_create(model, &config, 30, 28, &r, err));
    MUST(tsr_reconstruct(r, TSR_BYTES(pixels), &out, err));
    for (size_t i = 0; i < model->net.n_params; i++)
        model->theta[i] *= (tsr_real)0.5;
    MUST(tsr_reconstruct(r, TSR_BYTES(pixels), &out, err));
    struct picture want = reconstruct(model, 30, 28, pixels, &config);
    ASSERT_SAME_BITS("second image", phi, want.out.phi, n);
    tsr_reconstructor_free(r);
    clear_picture(&want);
    tsr_model_free(model);
    free(pixels);
    free(phi);
}

/* Large regions shared by all threads and small ones for each. */
static void same_bits_for_any_threads(void **state) {
    (void)state;
    uint8_t *pixels = toy_images(1, 120, 140, 3);
    for (int i = 0; i < 6; i++) {
        struct tsr_model_config model_config = toy_config(0, 0, 3);
        model_config.partition = rules[i % 3];
        struct tsr_model *model = toy_model(&model_config, 1);
        struct tsr_reconstruct_config config = plain_config(model);
        config.ssim = true;
        if (i >= 3) {
            config.optimizer = tsr_reconstruct_optimizer(model, &tsr_optimizer_adam);
            config.inner_steps = 5;
        }
        struct picture one = reconstruct(model, 120, 140, pixels, &config);
        for (config.threads = 2; config.threads <= 3; config.threads++) {
            struct picture many = reconstruct(model, 120, 140, pixels, &config);
            same_bits(&many, &one, model->net.n_params);
            clear_picture(&many);
        }
        clear_picture(&one);
        tsr_model_free(model);
    }
    free(pixels);
}

static void ssim_of_the_pictures(void **state) {
    (void)state;
    struct tsr_model *model = some_model(1, 3);
    uint8_t *pixels = toy_images(1, 13, 17, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    config.ssim = true;
    struct picture p = reconstruct(model, 13, 17, pixels, &config);
    for (size_t k = 0; k <= config.inner_steps; k++)
        assert_true(p.out.ssim[k] == ssim(pixels, p.out.pictures + k * 13 * 17 * 3, 13, 17, 3));
    clear_picture(&p);
    tsr_model_free(model);
    free(pixels);
    model = some_model(3, 3); /* a cell larger than the image, the image smaller than a window */
    pixels = toy_images(1, 6, 30, 3);
    p = reconstruct(model, 6, 30, pixels, &config);
    assert_int_equal(p.n_regions, 1);
    assert_true(isnan(p.out.ssim[0]) && isfinite(p.out.psnr_db[0]));
    check_against_loops(&p, model, pixels);
    clear_picture(&p);
    tsr_model_free(model);
    free(pixels);
}

/* A long run with Adam from the learned initialisation goes on where SGD ends. */
static void adam_goes_on(void **state) {
    (void)state;
    struct tsr_model *model = some_model(2, 3);
    uint8_t *pixels = toy_images(1, 13, 17, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    config.optimizer = tsr_reconstruct_optimizer(model, &tsr_optimizer_adam);
    config.inner_steps = 80;
    struct picture p = reconstruct(model, 13, 17, pixels, &config);
    assert_true(p.out.psnr_db[80] > p.out.psnr_db[2] + 6);
    clear_picture(&p);
    tsr_model_free(model);
    free(pixels);
}

/* Does the region end after step k, by the errors of a run in which none does? */
static bool is_due(const struct picture *free_run, const struct tsr_reconstruct_config *config,
                   size_t region, size_t k, size_t trained) {
    const double *error = free_run->out.region_error + region;
    size_t values = free_run->partition->regions[region].n_pixels * free_run->channels, slight = 0;
    double mse = error[k * free_run->n_regions] / (double)values;
    if (config->target_psnr_db > 0) return -10 * log10(mse) >= config->target_psnr_db;
    for (size_t i = k > 2 ? k - 2 : 0; i <= k; i++)
        slight += i > trained &&
                  error[i * free_run->n_regions] > 0.999 * error[(i - 1) * free_run->n_regions];
    return slight == 3;
}

/* Regions end by themselves: up to there everything is as in a run without end, then it stays. */
static void regions_end(void **state) {
    (void)state;
    enum { K = 150, H = 26, W = 34 };
    struct tsr_model *model = some_model(2, 3);
    uint8_t *pixels = toy_images(1, H, W, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    config.optimizer = tsr_reconstruct_optimizer(model, &tsr_optimizer_lm);
    config.inner_steps = K;
    struct picture without = reconstruct(model, H, W, pixels, &config);
    for (int target = 0; target < 2; target++) {
        size_t ended = 0, size = H * W * 3;
        config.target_psnr_db = target ? without.out.psnr_db[K] - 1 : 0;
        config.until_converged = !target;
        struct picture p = reconstruct(model, H, W, pixels, &config);
        for (size_t r = 0; r < p.n_regions; r++)
            for (size_t k = 0, end = K; k <= K; k++) {
                const double *with = p.out.region_error + r, *error = without.out.region_error + r;
                size_t at = k < end ? k : end;
                ASSERT_SAME_BITS("error", with + k * p.n_regions, error + at * p.n_regions, 1);
                if (end < K || !is_due(&without, &config, r, k, model->config.inner_steps))
                    continue;
                end = k;
                ended++;
            }
        assert_true(ended > 0);
        assert_true(p.out.flops < without.out.flops);
        if (target) assert_true(p.out.psnr_db[K] < without.out.psnr_db[K]);
        if (ended == p.n_regions)
            assert_memory_equal(p.out.pictures + K * size, p.out.pictures + (K - 1) * size, size);
        clear_picture(&p);
    }
    clear_picture(&without);
    tsr_model_free(model);
    free(pixels);
}

/* Says stop at the n-th look. */
static int stop_at(void *user) {
    return --*(int *)user < 0;
}

static void a_run_can_be_cancelled(void **state) {
    (void)state;
    struct tsr_model *model = some_model(2, 3);
    uint8_t *pixels = toy_images(1, 13, 17, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    double psnr[8];
    struct tsr_reconstruction out = {.psnr_db = psnr};
    for (int looks = 0; looks < 3; looks++) {
        struct tsr_reconstructor *r;
        int left = looks;
        config.watch.cancelled = stop_at;
        config.watch.user = &left;
        config.threads = 1;
        MUST(tsr_reconstructor_create(model, &config, 13, 17, &r, err));
        MUST_FAIL(tsr_reconstruct(r, TSR_BYTES(pixels), &out, err), TSR_ERR_INTERRUPTED,
                  "interrupted");
        assert_int_equal(left, -1);
        left = 1000000; /* it can be used again */
        MUST(tsr_reconstruct(r, TSR_BYTES(pixels), &out, err));
        struct picture want = reconstruct(model, 13, 17, pixels, &config);
        ASSERT_SAME_BITS("after a cancelled run", psnr, want.out.psnr_db, config.inner_steps + 1);
        clear_picture(&want);
        tsr_reconstructor_free(r);
    }
    tsr_model_free(model);
    free(pixels);
}

static void nan_is_no_error(void **state) {
    (void)state;
    struct tsr_model *model = some_model(1, 3);
    uint8_t *pixels = toy_images(1, 13, 17, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    model->theta[0] = (tsr_real)NAN;
    struct picture p = reconstruct(model, 13, 17, pixels, &config);
    assert_true(isnan(p.out.psnr_db[0]) && isnan(p.out.psnr_db[2]));
    clear_picture(&p);
    tsr_model_free(model);
    free(pixels);
}

static enum tsr_status try_reconstructor(const struct tsr_model *model,
                                         const struct tsr_reconstruct_config *config, size_t height,
                                         size_t width, struct tsr_error *err) {
    struct tsr_reconstructor *r;
    enum tsr_status status = tsr_reconstructor_create(model, config, height, width, &r, err);
    if (status != TSR_OK) assert_null(r);
    tsr_reconstructor_free(r);
    return status;
}

static void reconstructions_refused(void **state) {
    (void)state;
    struct tsr_model *shared = some_model(2, 3), *own = some_model(6, 3);
    assert_int_equal(own->n_slots, 9);
    struct tsr_reconstruct_config config = plain_config(shared), bad = config;
    MUST(try_reconstructor(shared, &config, 100, 3, err));
    MUST(try_reconstructor(own, &config, 15, 18, err)); /* other sizes, as many cells */
    MUST_FAIL(try_reconstructor(own, &config, 13, 19, err), TSR_ERR_SHAPE,
              "images of 13x19 pixels have 12 regions; the model has 9 per-region slots");
    MUST_FAIL(tsr_model_check_image(shared, 13, 17, 1, err), TSR_ERR_SHAPE,
              "the images have 1 channels, the model's networks 3 outputs");
    bad.inner_steps = 1000001;
    MUST_FAIL(try_reconstructor(shared, &bad, 13, 17, err), TSR_ERR_CONFIG, "inner steps are");
    bad = config, bad.optimizer = tsr_reconstruct_optimizer(shared, &tsr_optimizer_adam);
    assert_true(tsr_choice_get(&bad.optimizer, "sgd_steps") == (double)config.inner_steps);
    assert_true(tsr_choice_set(&bad.optimizer, "adam_lr", 0));
    MUST_FAIL(try_reconstructor(shared, &bad, 13, 17, err), TSR_ERR_CONFIG, "adam_lr");
    bad.optimizer.object = &tsr_kind_siren.object;
    MUST_FAIL(try_reconstructor(shared, &bad, 13, 17, err), TSR_ERR_CONFIG, "inner optimizer");
    bad.optimizer.object = NULL;
    MUST_FAIL(try_reconstructor(shared, &bad, 13, 17, err), TSR_ERR_CONFIG, "inner optimizer");
    bad = config, bad.kernel = "cuda";
    MUST_FAIL(try_reconstructor(shared, &bad, 13, 17, err), TSR_ERR_NOT_FOUND, "cuda");
    tsr_model_free(shared);
    shared = some_model(1, 3);
    MUST_FAIL(try_reconstructor(shared, &config, 2, 17, err), TSR_ERR_CONFIG, "grid 3x2");
    tsr_model_free(shared);
    tsr_model_free(own);
}

/* ---- evaluation --------------------------------------------------------------------------------
 */

static struct tsr_dataset *open_data(const char *path) {
    struct tsr_dataset *data;
    MUST(tsr_dataset_open(path, &data, err));
    return data;
}

/* Means, deviations and regions, from single reconstructions of the same images. */
static void check_evaluation(const struct tsr_model *model, struct tsr_dataset *data,
                             size_t limit) {
    enum { STATES = 3 };
    struct tsr_reconstruct_config config = plain_config(model);
    struct tsr_evaluation e;
    size_t n, all, values = 13 * 17 * 3;
    config.ssim = true;
    MUST(tsr_evaluate(model, data, TSR_SPLIT_TEST, limit, &config, NULL, &e, err));
    const uint32_t *index = tsr_dataset_split(data, TSR_SPLIT_TEST, &all);
    n = limit && limit < all ? limit : all;
    double psnr[STATES][16], sum[STATES] = {0}, sum_ssim[STATES] = {0}, regions[200] = {0};
    uint8_t *pixels = make(values, 1);
    for (size_t i = 0; i < n; i++) {
        MUST(tsr_dataset_read(data, index[i * all / n], pixels, err));
        struct picture p = reconstruct(model, 13, 17, pixels, &config);
        for (size_t k = 0; k < STATES; k++) {
            psnr[k][i] = p.out.psnr_db[k];
            sum[k] += p.out.psnr_db[k], sum_ssim[k] += p.out.ssim[k];
            for (size_t r = 0; r < p.n_regions; r++)
                regions[r * STATES + k] += tsr_psnr_db(p.out.region_error[k * p.n_regions + r],
                                                       p.partition->regions[r].n_pixels * 3) /
                                           (double)n;
        }
        clear_picture(&p);
    }
    assert_int_equal(e.images, n);
    assert_int_equal(e.of, all);
    assert_int_equal(e.inner_steps, 2);
    for (size_t k = 0; k < STATES; k++) {
        double mean = sum[k] / (double)n, square = 0;
        for (size_t i = 0; i < n; i++)
            square += (psnr[k][i] - mean) * (psnr[k][i] - mean);
        assert_true(fabs(e.psnr_db[k] - mean) < 1e-9);
        assert_true(fabs(e.psnr_db_std[k] - sqrt(square / (double)(n - 1))) < 1e-6);
        assert_true(fabs(e.ssim[k] - sum_ssim[k] / (double)n) < 1e-9);
    }
    for (size_t i = 0; i < e.n_regions * STATES; i++)
        assert_true(fabs(e.region_psnr_db[i] - regions[i]) < 1e-9);
    assert_true(e.params_per_image == (double)(e.n_regions * model->net.n_params));
    assert_int_equal(e.not_finite, 0);
    free(pixels);
    tsr_evaluation_clear(&e);
}

static void evaluation_is_the_mean(void **state) {
    (void)state;
    struct tsr_dataset *data = open_data(toy_dataset("data.h5", 24, 13, 17, 3));
    for (int i = 0; i < 8; i++) {
        struct tsr_model *model = some_model(i, 3);
        check_evaluation(model, data, i % 2 ? 4 : 0);
        tsr_model_free(model);
    }
    tsr_dataset_close(data);
}

static void regions_of_an_evaluation(void **state) {
    (void)state;
    struct tsr_dataset *data = open_data(toy_dataset("data.h5", 4, 13, 17, 3));
    struct tsr_model *model = some_model(6, 3); /* cells, per-region slots */
    struct tsr_reconstruct_config config = plain_config(model);
    struct tsr_evaluation e;
    MUST(tsr_evaluate(model, data, TSR_SPLIT_ALL, 0, &config, NULL, &e, err));
    assert_int_equal(e.images, 4);
    assert_int_equal(e.n_regions, 9);
    for (size_t r = 0; r < 9; r++) {
        size_t height = r / 3 < 2 ? 5 : 3, width = r % 3 < 2 ? 6 : 5;
        assert_int_equal(e.region_slot[r], r);
        assert_true(e.region_pixels[r] == (double)(height * width));
        assert_int_equal(e.region_images[r], 4);
    }
    /* K gradients of 3 passes and one more forward pass, 2 FLOPs a weight and pixel */
    double weights = 2 * 8 + 8 * 8 + 8 * 3;
    /* (cells that the edge cuts off learn a whole cell) */
    assert_true(e.flops_per_image == 2 * weights * (3 * 2 + 1) * (9 * 5 * 6));
    assert_true(e.seconds_per_image > 0);
    assert_true(isnan(e.ssim[0]));
    tsr_evaluation_clear(&e);
    tsr_model_free(model);
    tsr_dataset_close(data);
}

static int stop_after_two(void *user, size_t done, size_t total, double mean) {
    assert_int_equal(total, 4);
    assert_true(isfinite(mean));
    *(size_t *)user = done;
    return done == 2;
}

static void evaluations_that_end_early(void **state) {
    (void)state;
    struct tsr_dataset *data = open_data(toy_dataset("data.h5", 4, 13, 17, 3));
    struct tsr_dataset *grey = open_data(toy_dataset("grey.h5", 1, 13, 17, 1));
    struct tsr_model *model = some_model(1, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    struct tsr_evaluation e;
    size_t done = 0;
    struct tsr_evaluate_callbacks callbacks = {.progress = stop_after_two, .user = &done};
    MUST_FAIL(tsr_evaluate(model, data, TSR_SPLIT_ALL, 0, &config, &callbacks, &e, err),
              TSR_ERR_INTERRUPTED, "interrupted after 2 of 4 images");
    assert_int_equal(done, 2);
    assert_null(e.psnr_db);
    MUST_FAIL(tsr_evaluate(model, grey, TSR_SPLIT_ALL, 0, &config, NULL, &e, err), TSR_ERR_SHAPE,
              "grey.h5: the images have 1 channels, the model's networks 3 outputs");
    MUST_FAIL(tsr_evaluate(model, grey, TSR_SPLIT_TEST, 0, &config, NULL, &e, err), TSR_ERR_CONFIG,
              "grey.h5: split test has no images");
    model->theta[1] = (tsr_real)NAN;
    MUST(tsr_evaluate(model, data, TSR_SPLIT_ALL, 0, &config, NULL, &e, err));
    assert_int_equal(e.not_finite, 4);
    assert_true(isnan(e.psnr_db[2]));
    tsr_evaluation_clear(&e);
    tsr_model_free(model);
    tsr_dataset_close(data);
    tsr_dataset_close(grey);
}

/* ---- INRs --------------------------------------------------------------------------------------
 */

static struct tsr_inr *inr_of(const struct picture *p, const struct tsr_model *model) {
    struct tsr_inr *inr, *back;
    const char *path = in_folder("a.inr.h5");
    size_t n = p->n_regions * model->net.n_params;
    MUST(tsr_inr_create(&model->config, p->height, p->width, &inr, err));
    memcpy(inr->phi, p->out.phi, n * sizeof *inr->phi);
    MUST(tsr_inr_save(inr, path, err));
    tsr_inr_free(inr);
    MUST(tsr_inr_load(path, &back, err));
    ASSERT_SAME_BITS("phi", back->phi, p->out.phi, n);
    assert_int_equal(back->partition->height, p->height);
    assert_int_equal(back->partition->width, p->width);
    assert_int_equal(back->partition->n_regions, p->n_regions);
    return back;
}

/* The picture of the last inner step is what the saved and reloaded INR shows at its own size. */
static void original_size_is_the_reconstruction(void **state) {
    (void)state;
    for (int i = 0; i < 16; i++) {
        size_t channels = i % 2 ? 1 : 3, size = 13 * 17 * channels;
        struct tsr_model *model = some_model(i, channels);
        uint8_t *pixels = toy_images(1, 13, 17, channels);
        struct tsr_reconstruct_config config = plain_config(model);
        struct picture p = reconstruct(model, 13, 17, pixels, &config);
        struct tsr_inr *inr = inr_of(&p, model);
        for (size_t threads = 1; threads <= 2; threads++) {
            struct tsr_image image;
            MUST(tsr_inr_render(inr, 13, 17, threads, "auto", NULL, &image, err));
            assert_int_equal(image.channels, channels);
            ASSERT_SAME_BITS("picture", image.pixels, p.out.pictures + config.inner_steps * size,
                             size);
            tsr_image_clear(&image);
        }
        tsr_inr_free(inr);
        clear_picture(&p);
        free(pixels);
        tsr_model_free(model);
    }
}

/* What a watch was told; stops at the n-th look. */
struct watcher {
    int left;
    double last;
    bool falls;
};

static void watch_progress(void *user, double done) {
    struct watcher *w = user;
    w->falls = w->falls || done < w->last || done > 1;
    w->last = done;
}

static int watch_stop(void *user) {
    return --((struct watcher *)user)->left < 0;
}

static void long_work_is_watched(void **state) {
    (void)state;
    for (size_t overlap = 0; overlap <= 2; overlap += 2) {
        struct tsr_model_config model_config = toy_config(0, 0, 3);
        model_config.partition.overlap = overlap;
        struct tsr_model *model = toy_model(&model_config, 1);
        uint8_t *pixels = toy_images(1, 24, 30, 3);
        struct tsr_reconstruct_config config = plain_config(model);
        struct watcher w = {.left = 1000000};
        config.threads = 1;
        config.watch = (struct tsr_watch){watch_stop, watch_progress, &w};
        struct picture p = reconstruct(model, 24, 30, pixels, &config);
        assert_true(w.last > 0.5 && !w.falls);
        struct tsr_inr *inr = inr_of(&p, model);
        struct tsr_image image;
        w = (struct watcher){.left = 1000000};
        MUST(tsr_inr_render(inr, 48, 60, 1, "auto", &config.watch, &image, err));
        assert_true(w.last > 0.5 && !w.falls);
        tsr_image_clear(&image);
        int looks = 1000000 - w.left;
        for (int i = 0; i < looks; i += 1 + looks / 5) {
            w = (struct watcher){.left = i};
            MUST_FAIL(tsr_inr_render(inr, 48, 60, 1, "auto", &config.watch, &image, err),
                      TSR_ERR_INTERRUPTED, "interrupted");
            assert_null(image.pixels);
        }
        tsr_inr_free(inr);
        clear_picture(&p);
        free(pixels);
        tsr_model_free(model);
    }
}

/* The four pixels that take the place of one have nearly its value in the mean. */
static void twice_the_size(void **state) {
    (void)state;
    struct tsr_model_config model_config = toy_config(0, 0, 3);
    struct tsr_model *model = toy_model(&model_config, 1);
    uint8_t *pixels = toy_images(1, 24, 30, 3);
    struct tsr_reconstruct_config config = plain_config(model);
    struct picture p = reconstruct(model, 24, 30, pixels, &config);
    struct tsr_inr *inr = inr_of(&p, model);
    struct tsr_image small, large, again;
    MUST(tsr_inr_render(inr, 24, 30, 1, "auto", NULL, &small, err));
    MUST(tsr_inr_render(inr, 48, 60, 1, "auto", NULL, &large, err));
    MUST(tsr_inr_render(inr, 48, 60, 2, "auto", NULL, &again, err));
    assert_int_equal(large.height, 48);
    assert_int_equal(large.width, 60);
    ASSERT_SAME_BITS("threads", large.pixels, again.pixels, 48 * 60 * 3);
    for (size_t i = 0; i < 24 * 30 * 3; i++) {
        size_t row = i / 90, col = i / 3 % 30, sum = 0;
        for (size_t j = 0; j < 4; j++)
            sum += large.pixels[((2 * row + j / 2) * 60 + 2 * col + j % 2) * 3 + i % 3];
        assert_true(fabs((double)sum / 4 - small.pixels[i]) <= 3);
    }
    tsr_image_clear(&small);
    tsr_image_clear(&large);
    tsr_image_clear(&again);
    tsr_inr_free(inr);
    clear_picture(&p);
    free(pixels);
    tsr_model_free(model);
}

/* An INR that is of one colour in each region shows, at any size, the region of the original pixel
 * that the centre of each output pixel falls into. */
static void any_size_shows_the_regions(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        size_t height = draw_size(1, 40), width = draw_size(1, 40);
        struct tsr_model *model = some_model(1 + i % 2, 1); /* a grid, cells; shared */
        struct tsr_inr *inr;
        struct tsr_image image;
        MUST(tsr_inr_create(&model->config, 13, 17, &inr, err));
        size_t n = model->net.n_params; /* all zero but the last bias, which is the last */
        for (size_t r = 0; r < inr->partition->n_regions; r++)
            inr->phi[r * n + n - 1] = (tsr_real)(20 * (double)r / 255 - model->net.output_offset);
        MUST(tsr_inr_render(inr, height, width, 1 + (size_t)i % 3, "auto", NULL, &image, err));
        for (size_t j = 0; j < height * width; j++) {
            size_t row = (2 * (j / width) + 1) * 13 / (2 * height);
            size_t col = (2 * (j % width) + 1) * 17 / (2 * width);
            assert_int_equal(image.pixels[j],
                             20 * tsr_partition_region_at(inr->partition, row, col));
        }
        tsr_image_clear(&image);
        tsr_inr_free(inr);
        tsr_model_free(model);
    }
}

static enum tsr_status try_render(const struct tsr_inr *inr, size_t height, size_t width,
                                  const char *kernel, struct tsr_error *err) {
    struct tsr_image image;
    enum tsr_status status = tsr_inr_render(inr, height, width, 1, kernel, NULL, &image, err);
    if (status != TSR_OK) assert_null(image.pixels);
    tsr_image_clear(&image);
    return status;
}

static void pictures_refused(void **state) {
    (void)state;
    struct tsr_model *model = some_model(0, 2);
    struct tsr_inr *inr;
    MUST(tsr_inr_create(&model->config, 13, 17, &inr, err));
    MUST_FAIL(try_render(inr, 13, 17, "auto", err), TSR_ERR_UNSUPPORTED, "the INR has 2 outputs");
    tsr_inr_free(inr);
    tsr_model_free(model);
    model = some_model(0, 1);
    MUST(tsr_inr_create(&model->config, 13, 17, &inr, err));
    MUST_FAIL(try_render(inr, 0, 17, "auto", err), TSR_ERR_CONFIG, "a picture of 0x17");
    MUST_FAIL(try_render(inr, 13, 65536, "auto", err), TSR_ERR_CONFIG, "13x65536");
    MUST_FAIL(try_render(inr, 65535, 65535, "auto", err), TSR_ERR_CONFIG, "65535x65535");
    MUST_FAIL(try_render(inr, 13, 17, "cuda", err), TSR_ERR_NOT_FOUND, "cuda");
    tsr_inr_free(inr);
    tsr_inr_free(NULL);
    tsr_model_free(model);
}

static void inr_files_refused(void **state) {
    (void)state;
    const char *path = in_folder("a.h5"), *cut = in_folder("cut.h5");
    struct tsr_model *model = some_model(1, 3), *wrong;
    struct tsr_inr *inr, *back;
    size_t size;
    MUST(tsr_model_save(model, path, err));
    MUST_FAIL(tsr_inr_load(path, &back, err), TSR_ERR_FORMAT,
              "attribute format is \"tessera-model\"; expected \"tessera-inr\"");
    assert_null(back);
    MUST(tsr_inr_create(&model->config, 13, 17, &inr, err));
    MUST(tsr_inr_save(inr, path, err));
    MUST_FAIL(tsr_model_load(path, &wrong, err), TSR_ERR_FORMAT, "expected \"tessera-model\"");
    unsigned char *bytes = slurp(path, &size);
    for (size_t i = 0; i < 20; i++) {
        struct tsr_error err = {0};
        write_file(cut, bytes, size * i / 20);
        enum tsr_status status = tsr_inr_load(cut, &back, &err);
        assert_true(status == TSR_ERR_FORMAT || status == TSR_ERR_IO);
        assert_non_null(strstr(err.message, "cut.h5"));
        assert_null(back);
    }
    free(bytes);
    inr->rule.rule.value[0] = 2; /* contradicts the parameters */
    MUST(tsr_inr_save(inr, path, err));
    MUST_FAIL(tsr_inr_load(path, &back, err), TSR_ERR_FORMAT, "is for 6 regions");
    MUST_FAIL(tsr_inr_load(in_folder("none.h5"), &back, err), TSR_ERR_IO, "none.h5");
    MUST_FAIL(tsr_inr_save(inr, in_folder("no/a.h5"), err), TSR_ERR_IO, "no/a.h5");
    tsr_inr_free(inr);
    tsr_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(psnr_of_known_errors),
        cmocka_unit_test(ssim_of_identical_images),
        cmocka_unit_test(ssim_of_a_shift),
        cmocka_unit_test(ssim_by_definition),
        cmocka_unit_test(ssim_of_small_images),
        cmocka_unit_test(figures_by_plain_loops),
        cmocka_unit_test(shared_passes_same_bits),
        cmocka_unit_test(the_best_is_kept),
        cmocka_unit_test(model_may_change),
        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(ssim_of_the_pictures),
        cmocka_unit_test(adam_goes_on),
        cmocka_unit_test(regions_end),
        cmocka_unit_test(a_run_can_be_cancelled),
        cmocka_unit_test(nan_is_no_error),
        cmocka_unit_test(reconstructions_refused),
        TEST(evaluation_is_the_mean),
        TEST(regions_of_an_evaluation),
        TEST(evaluations_that_end_early),
        TEST(original_size_is_the_reconstruction),
        TEST(twice_the_size),
        TEST(long_work_is_watched),
        cmocka_unit_test(any_size_shows_the_regions),
        cmocka_unit_test(pictures_refused),
        TEST(inr_files_refused),
    };
    return cmocka_run_group_tests_name("reconstruct", tests, NULL, NULL);
}
