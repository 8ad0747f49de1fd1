/* SPDX-License-Identifier: MIT
 *
 * Contexts that are not the query: which pixels are drawn, what a reduced image is, that nothing
 * but the context moves the networks, and that figures are of all pixels.
 */
#include "tests/test_image_helper.h"

#include <math.h>

#include "image/context.h"
#include "image/fit.h"
#include "image/image_tasks.h"
#include "image/points.h"

enum { H = 20, W = 24, C = 3, PIXELS = H * W };

static struct tsr_model_config config_of(struct tsr_partition_rule rule) {
    struct tsr_model_config config = toy_config(H, W, C);
    config.partition = rule;
    return config;
}

static const struct tsr_partition_rule cells = {.rule = TSR_RULE(cell, 8, 8)};
static const struct tsr_partition_rule margins = {.rule = TSR_RULE(cell, 8, 8), .overlap = 2};

/* ---- what is drawn -----------------------------------------------------------------------------
 */

/* Known pixels of each region, own by own. */
static size_t known_of(const struct tsr_geometry *g, const uint8_t *known, size_t region) {
    size_t n = 0, at;
    for (size_t i = 0; i < g->partition->regions[region].n_pixels; i++) {
        (void)tsr_geometry_own_point(g, region, i, &at);
        n += known[at];
    }
    return n;
}

static void check_draws(void **state) {
    (void)state;
    enum { DRAWS = 600 };
    const struct tsr_context_config third = {0.3, 1};
    struct tsr_model_config config = config_of(margins);
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_geometry g;
    struct tsr_context c;
    uint8_t first[PIXELS];
    size_t often[PIXELS] = {0};
    MUST(tsr_geometry_create(model, H, W, &g, err));
    MUST(tsr_context_create(model, &third, false, &g, &c, err));
    for (uint64_t i = 0; i < DRAWS; i++) {
        tsr_context_draw(&c, 3, 5, i);
        for (size_t r = 0; r < g.partition->n_regions; r++) {
            double n = (double)g.partition->regions[r].n_pixels;
            assert_int_equal(known_of(&g, c.known, r), lround(0.3 * n));
        }
        for (size_t p = 0; p < PIXELS; p++)
            often[p] += c.known[p];
    }
    /* every pixel in 0.3 of the draws: five standard deviations of a binomial, and a rounding */
    for (size_t p = 0; p < PIXELS; p++)
        assert_true(fabs((double)often[p] / DRAWS - 0.3) < 5 * sqrt(0.21 / DRAWS) + 0.5 / 32);
    tsr_context_draw(&c, 3, 5, 0);
    memcpy(first, c.known, PIXELS);
    const uint64_t others[][3] = {{4, 5, 0}, {3, 6, 0}, {3, 5, 1}};
    for (size_t i = 0; i < 3; i++) {
        tsr_context_draw(&c, others[i][0], others[i][1], others[i][2]);
        assert_memory_not_equal(first, c.known, PIXELS);
    }
    tsr_context_draw(&c, 3, 5, 0);
    assert_memory_equal(first, c.known, PIXELS);
    tsr_context_clear(&c);
    tsr_geometry_clear(&g);
    tsr_model_free(model);
}

/* ---- a reduced image ---------------------------------------------------------------------------
 */

/* Each context point stands in the middle of the pixels whose mean it is. */
static void check_reduced(enum tsr_frame frame, struct tsr_partition_rule rule, size_t scale) {
    struct tsr_model_config config = config_of(rule);
    const struct tsr_context_config reduced = {1, scale};
    config.coords.frame = frame;
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_geometry g;
    struct tsr_context c;
    uint8_t *image = toy_images(1, H, W, C);
    tsr_real x[PIXELS * 2], y[PIXELS * C], all[PIXELS * C];
    MUST(tsr_geometry_create(model, H, W, &g, err));
    MUST(tsr_context_create(model, &reduced, false, &g, &c, err));
    tsr_context_take(&c, TSR_BYTES(image));
    assert_int_equal(tsr_context_unseen(&c), 0);
    for (size_t r = 0; r < g.partition->n_regions; r++) {
        const struct tsr_box *w = &g.partition->regions[r].window;
        size_t n = tsr_context_points(&c, r, x, y);
        assert_int_equal(n * scale * scale, w->height * w->width);
        tsr_geometry_targets(&g, TSR_BYTES(image), r, all);
        for (size_t i = 0; i < n; i++) {
            double sum[2 + C] = {0};
            size_t row = i / (w->width / scale) * scale, col = i % (w->width / scale) * scale;
            for (size_t k = 0; k < scale * scale; k++) {
                size_t at = (row + k / scale) * w->width + col + k % scale;
                for (size_t j = 0; j < 2; j++)
                    sum[j] += (double)g.coords.x[r][at * 2 + j];
                for (size_t j = 0; j < C; j++)
                    sum[2 + j] += (double)all[at * C + j];
            }
            for (size_t j = 0; j < 2 + C; j++) {
                double have = (double)(j < 2 ? x[i * 2 + j] : y[i * C + j - 2]);
                assert_true(fabs(have - sum[j] / (double)(scale * scale)) < 1e-6);
            }
        }
    }
    tsr_context_clear(&c);
    tsr_geometry_clear(&g);
    tsr_model_free(model);
    free(image);
}

static void check_reduced_images(void **state) {
    (void)state;
    const struct tsr_partition_rule grid = {.rule = TSR_RULE(grid, 2, 3)};
    check_reduced(TSR_FRAME_REGION, cells, 2);
    check_reduced(TSR_FRAME_REGION, margins, 2);
    check_reduced(TSR_FRAME_IMAGE, margins, 2);
    check_reduced(TSR_FRAME_REGION, cells, 4);
    check_reduced(TSR_FRAME_REGION, grid, 2);
}

static void check_refusals(void **state) {
    (void)state;
    const struct tsr_partition_rule odd = {.rule = TSR_RULE(cell, 7, 8)},
                                    uneven = {.rule = TSR_RULE(grid, 4, 5)},
                                    segments = {.rule = TSR_RULE(segment, 4, 0)};
    struct tsr_model_config config = config_of(cells);
    struct tsr_reconstructor *r;
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_reconstruct_config c = plain(model);
    c.context.query_scale = 2;
    MUST_FAIL(tsr_reconstructor_create(model, &c, H + 1, W, &r, err), TSR_ERR_SHAPE, "multiples");
    model->config.partition = uneven;
    MUST_FAIL(tsr_reconstructor_create(model, &c, H, W, &r, err), TSR_ERR_SHAPE,
              "edges that are no multiples of the query scale 2");
    c.context.fraction = 0;
    MUST_FAIL(tsr_reconstructor_create(model, &c, H, W, &r, err), TSR_ERR_CONFIG, "fraction is 0");
    tsr_model_free(model);
    config.context.query_scale = 2;
    config.partition = odd;
    MUST_FAIL(tsr_model_config_check(&config, err), TSR_ERR_CONFIG, "cell 7x8");
    config.partition = margins;
    config.partition.overlap = 3;
    MUST_FAIL(tsr_model_config_check(&config, err), TSR_ERR_CONFIG, "overlap");
    config.partition = segments;
    MUST_FAIL(tsr_model_config_check(&config, err), TSR_ERR_CONFIG, "segment 4");
    config.partition = cells;
    config.coords.sampling = TSR_SAMPLING_EDGE;
    MUST_FAIL(tsr_model_config_check(&config, err), TSR_ERR_CONFIG, "centers, not edge");
    config.coords.sampling = TSR_SAMPLING_CENTER;
    MUST(tsr_model_config_check(&config, err));
}

/* ---- reconstruction ----------------------------------------------------------------------------
 */

/* What comes of an image: parameters of all regions, figures after every inner step. */
struct found {
    struct tsr_reconstruction out;
    double psnr_db[8], unseen_db[8];
};

static size_t regions_of(const struct tsr_model *m) {
    return tsr_model_regions(m, H, W);
}

static void reconstruct(const struct tsr_model *m, const struct tsr_reconstruct_config *config,
                        struct tsr_pixels pixels, size_t height, size_t width, const uint8_t *mask,
                        struct found *f) {
    struct tsr_reconstructor *r;
    f->out = (struct tsr_reconstruction){.psnr_db = f->psnr_db, .unseen_psnr_db = f->unseen_db};
    f->out.phi = make(tsr_model_regions(m, height, width) * m->net.n_params, sizeof *f->out.phi);
    MUST(tsr_reconstructor_create(m, config, height, width, &r, err));
    if (mask) tsr_reconstructor_mask(r, mask);
    MUST(tsr_reconstruct(r, pixels, &f->out, err));
    tsr_reconstructor_free(r);
}

/* PSNR of the INR of parameters phi over pixels that are `of` a mask (2: all), one by one. */
static double measure(const struct tsr_model *m, const tsr_real *phi, const uint8_t *image,
                      const uint8_t *mask, uint8_t of) {
    struct tsr_inr *inr;
    double sum = 0;
    size_t n = 0;
    float at[PIXELS * 2], out[PIXELS * C];
    MUST(tsr_inr_create(&m->config, H, W, &inr, err));
    tsr_inr_share(inr, m);
    memcpy(inr->phi, phi, regions_of(m) * m->net.n_params * sizeof *phi);
    for (size_t i = 0; i < PIXELS; i++)
        at[2 * i] = (float)(i / W), at[2 * i + 1] = (float)(i % W);
    MUST(tsr_inr_at_points(inr, at, PIXELS, 1, "reference", out, err));
    for (size_t i = 0; i < PIXELS; i++) {
        if (of < 2 && mask[i] != of) continue;
        n += C;
        for (size_t j = 0; j < C; j++)
            sum += pow((double)out[i * C + j] - image[i * C + j] / 255.0, 2);
    }
    tsr_inr_free(inr);
    return -10 * log10(sum / (double)n);
}

static void check_mask(struct tsr_partition_rule rule, const struct tsr_object *adaptation,
                       size_t threads) {
    struct tsr_model_config config = config_of(rule);
    config.adaptation = tsr_choice_of(adaptation);
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_reconstruct_config c = plain(model), whole = plain(model);
    uint8_t *image = toy_images(1, H, W, C), mask[PIXELS], all[PIXELS];
    struct found plainly, everything, some, other;
    size_t n = model->net.n_params;
    memset(all, 1, PIXELS);
    for (size_t i = 0; i < PIXELS; i++) /* nothing of the first cell and its margin is known */
        mask[i] = !(i / W < 12 && i % W < 12) && draw(0, 1) < 0.6;
    c.masked = true;
    c.threads = threads;
    c.inner_steps = whole.inner_steps = 5;
    reconstruct(model, &whole, TSR_BYTES(image), H, W, NULL, &plainly);
    reconstruct(model, &c, TSR_BYTES(image), H, W, all, &everything);
    for (size_t k = 0; k <= 5; k++) {
        assert_true(fabs(everything.psnr_db[k] - plainly.psnr_db[k]) < 1e-4);
        assert_true(isnan(everything.unseen_db[k]) && isnan(plainly.unseen_db[k]));
    }
    reconstruct(model, &c, TSR_BYTES(image), H, W, mask, &some);
    assert_true(fabs(some.out.best_psnr_db - measure(model, some.out.phi, image, mask, 2)) < 1e-3);
    assert_true(fabs(some.out.best_unseen_psnr_db - measure(model, some.out.phi, image, mask, 0)) <
                1e-3);
    ASSERT_SAME_BITS("the region of which nothing is known", some.out.phi, model->theta, n);
    assert_memory_not_equal(some.out.phi + n, model->theta, n * sizeof *model->theta);
    /* what is not known has no part in it */
    for (size_t i = 0; i < PIXELS * C; i++)
        if (!mask[i / C]) image[i] = (uint8_t)draw(0, 255);
    reconstruct(model, &c, TSR_BYTES(image), H, W, mask, &other);
    ASSERT_SAME_BITS("phi", some.out.phi, other.out.phi, regions_of(model) * n);
    assert_true(fabs(some.unseen_db[5] - other.unseen_db[5]) > 0.1);
    free(plainly.out.phi);
    free(everything.out.phi);
    free(some.out.phi);
    free(other.out.phi);
    free(image);
    tsr_model_free(model);
}

static void check_masks(void **state) {
    (void)state;
    check_mask(cells, &tsr_adaptation_all.object, 1);
    check_mask(margins, &tsr_adaptation_all.object, 2);
    check_mask(margins, &tsr_adaptation_latent.object, 1);
}

/* Inner steps of a context at half the size are those of the reduced model on the reduced image. */
static void check_query_scale(void **state) {
    (void)state;
    struct tsr_model_config config = config_of(margins);
    struct tsr_model *model = toy_model(&config, 1), small = *model;
    struct tsr_reconstruct_config c = plain(model), d = plain(model);
    struct found full, reduced;
    uint8_t *image = toy_images(1, H, W, C);
    float half[PIXELS / 4 * C] = {0};
    for (size_t i = 0; i < PIXELS * C; i++)
        half[(i / C / W / 2 * (W / 2) + i / C % W / 2) * C + i % C] += (float)image[i] / 255 / 4;
    c.context.query_scale = 2;
    MUST(tsr_model_config_reduce(&small.config, 2, err));
    reconstruct(model, &c, TSR_BYTES(image), H, W, NULL, &full);
    reconstruct(&small, &d, (struct tsr_pixels){.floats = half}, H / 2, W / 2, NULL, &reduced);
    double *want = make(regions_of(model) * model->net.n_params, sizeof *want);
    for (size_t i = 0; i < regions_of(model) * model->net.n_params; i++)
        want[i] = (double)reduced.out.phi[i];
    ASSERT_CLOSE("phi", full.out.phi, want, regions_of(model) * model->net.n_params, 1e-5);
    assert_true(fabs(full.out.best_psnr_db - measure(model, full.out.phi, image, NULL, 2)) < 1e-3);
    free(want);
    free(full.out.phi);
    free(reduced.out.phi);
    free(image);
    tsr_model_free(model);
}

/* Results that do not fit into memory at once: the regions go through the inner loop in rounds,
 * some end before. Figures are those of one round. */
static void check_rounds(void **state) {
    (void)state;
    enum { SIDE = 512, K = 24 };
    struct tsr_model_config config =
        config_of((struct tsr_partition_rule){.rule = TSR_RULE(cell, 64, 64)});
    config.network.width = 2;
    config.network.hidden_layers = 0;
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_reconstruct_config c;
    uint8_t *image = toy_images(1, SIDE, SIDE, C);
    double psnr_db[2][K + 1], unseen_db[2][K + 1], best[2][2];
    tsr_real *phi = make(64 * model->net.n_params, sizeof *phi);
    tsr_reconstruct_config_default(model, &c);
    c.context.fraction = 0.25;
    c.inner_steps = K;
    c.target_psnr_db = 14;
    for (size_t i = 0; i < 2; i++) {
        struct tsr_reconstructor *r;
        struct tsr_reconstruction out = {
            .psnr_db = psnr_db[i], .unseen_psnr_db = unseen_db[i], .phi = phi};
        c.seam = i;
        c.threads = 1 + i;
        MUST(tsr_reconstructor_create(model, &c, SIDE, SIDE, &r, err));
        tsr_reconstructor_draw(r, 7);
        MUST(tsr_reconstruct(r, TSR_BYTES(image), &out, err));
        best[i][0] = out.best_psnr_db, best[i][1] = out.best_unseen_psnr_db;
        tsr_reconstructor_free(r);
    }
    ASSERT_SAME_BITS("PSNR", psnr_db[0], psnr_db[1], K + 1);
    ASSERT_SAME_BITS("PSNR of unseen pixels", unseen_db[0], unseen_db[1], K + 1);
    ASSERT_SAME_BITS("of what is stored", best[0], best[1], 2);
    assert_true(psnr_db[0][K] > psnr_db[0][0] && isfinite(unseen_db[0][K]));
    free(phi);
    free(image);
    tsr_model_free(model);
}

/* ---- tasks -------------------------------------------------------------------------------------
 */

/* Every context point of a task is one of its query points, with its target. */
static void check_subset(const struct tsr_task *task, double fraction) {
    size_t at = 0, n = task->qry.n;
    assert_int_equal(task->ctx.n, lround(fraction * (double)n));
    assert_true(fabs(task->ctx_scale * (double)(task->ctx.n * C) - 1) < 1e-12);
    for (size_t i = 0; i < task->ctx.n; i++, at++) {
        while (at < n && memcmp(task->ctx.x + 2 * i, task->qry.x + 2 * at, 2 * sizeof(tsr_real)))
            at++;
        assert_true(at < n);
        ASSERT_SAME_BITS("target", task->ctx.y + C * i, task->qry.y + C * at, C);
    }
}

static void check_tasks(void **state) {
    (void)state;
    struct tsr_model_config config =
        config_of((struct tsr_partition_rule){.rule = TSR_RULE(grid, 2, 3)});
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_dataset *data = toy_data("data.h5", 8, H, W, C);
    struct tsr_task_source source;
    struct tsr_task_batch batch;
    const struct tsr_image_tasks_config tasks = {
        .batch = 2, .region_fraction = 0.5, .context = {0.5, 1}, .seed = 3, .threads = 2};
    tsr_real first[40 * 2] = {0};
    size_t same = 0;
    MUST(tsr_image_tasks_create(model, data, &tasks, &source, err));
    for (uint64_t step = 0; step < 4; step++) {
        MUST(source.next(source.user, step, &batch, err));
        assert_int_equal(batch.first[2], 2 * 3);
        for (size_t i = 0; i < batch.first[2]; i++) {
            check_subset(&batch.tasks[i], 0.5);
            same += memcmp(first, batch.tasks[i].ctx.x, sizeof first) == 0;
            memcpy(first, batch.tasks[i].ctx.x, sizeof first);
        }
    }
    assert_int_equal(same, 0); /* drawn afresh for each region and outer step */
    source.close(source.user);
    tsr_dataset_close(data);
    tsr_model_free(model);
}

/* ---- ordinary learning -------------------------------------------------------------------------
 */

static void fit(const struct tsr_model *model, const struct tsr_image *image, const uint8_t *mask,
                double fraction, double batch, tsr_real *phi, struct tsr_fit_state *end) {
    struct tsr_fitter *fitter;
    struct tsr_fit_config c;
    tsr_fit_config_default(&c);
    c.iterations = 12;
    c.every = 5;
    c.random = false;
    c.inner_steps = 1;
    c.batch_fraction = batch;
    c.context_fraction = fraction;
    c.mask = mask;
    c.threads = 1;
    MUST(tsr_fitter_create(model, &c, image, &fitter, err));
    MUST(tsr_fitter_run(fitter, NULL, err));
    *end = *tsr_fitter_state(fitter);
    memcpy(phi, tsr_fitter_inr(fitter)->phi, regions_of(model) * model->net.n_params * sizeof *phi);
    tsr_fitter_free(fitter);
}

static void check_fit(struct tsr_partition_rule rule, double batch) {
    struct tsr_model_config config = config_of(rule);
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_image image = {
        .height = H, .width = W, .channels = C, .pixels = toy_images(1, H, W, C)};
    struct tsr_fit_state end;
    size_t n = model->net.n_params, all = regions_of(model) * n;
    tsr_real *phi = make(all, sizeof *phi), *other = make(all, sizeof *phi);
    uint8_t mask[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        mask[i] = !(i / W < 12 && i % W < 12) && draw(0, 1) < 0.6;
    fit(model, &image, mask, 1, batch, phi, &end);
    ASSERT_SAME_BITS("the region of which nothing is known", phi, model->theta, n);
    assert_true(fabs(end.psnr_db - measure(model, phi, image.pixels, mask, 2)) < 1e-3);
    assert_true(fabs(end.unseen_psnr_db - measure(model, phi, image.pixels, mask, 0)) < 1e-3);
    for (size_t i = 0; i < PIXELS * C; i++)
        if (!mask[i / C]) image.pixels[i] = (uint8_t)draw(0, 255);
    fit(model, &image, mask, 1, batch, other, &end);
    ASSERT_SAME_BITS("phi", phi, other, all);
    fit(model, &image, NULL, 0.5, batch, phi, &end);
    assert_true(isfinite(end.unseen_psnr_db));
    fit(model, &image, NULL, 1, batch, phi, &end);
    assert_true(isnan(end.unseen_psnr_db));
    free(phi);
    free(other);
    free(image.pixels);
    tsr_model_free(model);
}

static void check_fits(void **state) {
    (void)state;
    check_fit(cells, 1);
    check_fit(margins, 1);
    check_fit(cells, 0.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(check_draws), TEST(check_reduced_images), TEST(check_refusals),
        TEST(check_masks), TEST(check_query_scale),    TEST(check_rounds),
        TEST(check_tasks), TEST(check_fits),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
