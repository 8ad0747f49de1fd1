/* SPDX-License-Identifier: MIT
 *
 * Images whose regions follow a label map or overlap: reconstruction, INRs and their files, each
 * against a recomputation from pixels, coordinates, weights and the reference kernel.
 */
#include "tests/test_meta_helper.h"

#include <sys/resource.h>

#include "base/memory.h"
#include "image/blend.h"
#include "image/inr.h"
#include "image/reconstruct.h"
#include "image/regions.h"
#include "partition/segmentation.h"

enum { H = 21, W = 26, C = 3, VALUES = H * W * C, K = 2, STATES = K + 1 };

/* ---- reconstruction -----------------------------------------------------------------------------
 */

struct picture {
    struct tsr_model *model;
    uint8_t *pixels;
    uint32_t labels[H * W];          /* of a rule that follows the image */
    struct tsr_partition *partition; /* the same partition, made here */
    struct tsr_reconstruction out;
};

static void make_partition(struct picture *p) {
    const struct tsr_partition_rule *rule = &p->model->config.partition;
    if (tsr_rule_follows_image(rule))
        MUST(tsr_partition_from_labels(p->labels, H, W, tsr_partition_rule_regions(rule, H, W),
                                       rule->overlap, &p->partition, err));
    else
        MUST(tsr_partition_create(rule, H, W, &p->partition, err));
}

/* A model of one of many combinations; label 1 of 6 does not occur. */
static struct picture some_picture(size_t i) {
    struct tsr_model_config config = toy_config(H, W, C);
    struct picture p;
    uint16_t *labels = toy_labels(1, H, W, 6, 1u << 1);
    for (size_t j = 0; j < H * W; j++)
        p.labels[j] = labels[j];
    free(labels);
    config.coords.frame = (enum tsr_frame)(i / 2 % 2);
    config.inner_loss = (enum tsr_inner_loss)(i / 4 % 2);
    config.partition.overlap = i % 3 * 2;
    if (i % 2) {
        config.partition.rule = (struct tsr_choice)TSR_RULE(labels, 6);
        if (i % 4 == 1) config.slots = TSR_SLOTS_PER_CLASS;
    } else if (i % 4 == 2) {
        config.partition =
            (struct tsr_partition_rule){.rule = TSR_RULE(cell, 9, 10), .overlap = i % 3};
    }
    p.model = toy_model(&config, i);
    p.pixels = toy_images(1, H, W, C);
    make_partition(&p);
    return p;
}

/* All arrays that a reconstruction can fill. */
static struct tsr_reconstruction arrays(size_t n_regions, size_t n_params) {
    return (struct tsr_reconstruction){.psnr_db = make(STATES, sizeof(double)),
                                       .ssim = make(STATES, sizeof(double)),
                                       .seam = make(STATES, sizeof(double)),
                                       .region_error = make(STATES * n_regions, sizeof(double)),
                                       .phi = make(n_regions * n_params, sizeof(tsr_real)),
                                       .pictures = make(STATES * VALUES, 1)};
}

static void free_arrays(struct tsr_reconstruction *out) {
    free(out->psnr_db);
    free(out->ssim);
    free(out->seam);
    free(out->region_error);
    free(out->phi);
    free(out->pictures);
}

static void reconstruct(struct picture *p, size_t threads, bool seam) {
    struct tsr_reconstruct_config config;
    struct tsr_reconstructor *r;
    tsr_reconstruct_config_default(p->model, &config);
    config.threads = threads;
    config.ssim = true;
    config.seam = seam;
    p->out = arrays(p->partition->n_regions, p->model->net.n_params);
    MUST(tsr_reconstructor_create(p->model, &config, H, W, &r, err));
    if (p->partition->labels) MUST(tsr_reconstructor_follow(r, p->labels, err));
    MUST(tsr_reconstruct(r, TSR_BYTES(p->pixels), &p->out, err));
    tsr_reconstructor_free(r);
}

static void clear(struct picture *p) {
    free_arrays(&p->out);
    tsr_partition_free(p->partition);
    tsr_model_free(p->model);
    free(p->pixels);
}

static void same_bits(const struct picture *p, const struct tsr_reconstruction *a,
                      const struct tsr_reconstruction *b) {
    size_t n = p->partition->n_regions;
    ASSERT_SAME_BITS("psnr", a->psnr_db, b->psnr_db, STATES);
    ASSERT_SAME_BITS("ssim", a->ssim, b->ssim, STATES);
    ASSERT_SAME_BITS("seam", a->seam, b->seam, STATES);
    ASSERT_SAME_BITS("errors", a->region_error, b->region_error, STATES * n);
    ASSERT_SAME_BITS("phi", a->phi, b->phi, n * p->model->net.n_params);
    ASSERT_SAME_BITS("pictures", a->pictures, b->pictures, STATES * VALUES);
}

/* ---- plain computation --------------------------------------------------------------------------
 */

/* Context pixels of a region, row by row. */
static size_t context_of(const struct tsr_partition *p, size_t region, uint32_t *out) {
    const struct tsr_region *g = &p->regions[region];
    if (p->labels) {
        memcpy(out, p->context + p->context_first[region], g->n_context * sizeof *out);
        return g->n_context;
    }
    for (size_t i = 0; i < g->n_context; i++)
        out[i] = (uint32_t)((g->window.row + i / g->window.width) * W + g->window.col +
                            i % g->window.width);
    return g->n_context;
}

/* The inner loop of a region with plain loops: out [STATES, n_context, C], phi after the last. */
static void adapt(const struct picture *p, size_t region, const uint32_t *pixel, size_t n,
                  tsr_real *out, tsr_real *phi) {
    const struct tsr_model *m = p->model;
    const struct tsr_kernel *kernel;
    struct tsr_arena scratch;
    size_t slot = m->n_slots > 1 ? region : 0, params = m->net.n_params;
    tsr_real *x = make(2 * n, sizeof *x), *y = make(n * C, sizeof *y), *g = make(params, sizeof *g);
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_arena_create(&scratch, kernel->workspace_size(&m->net), "scratch", err));
    for (size_t i = 0; i < n; i++) {
        tsr_coords_at(&m->config.coords, p->partition, region, pixel[i] / W, pixel[i] % W,
                      x + 2 * i);
        for (size_t j = 0; j < C; j++)
            y[i * C + j] = (tsr_real)p->pixels[pixel[i] * C + j] / 255;
    }
    struct tsr_points points = {x, y, n};
    size_t over = m->config.inner_loss == TSR_INNER_LOSS_REGION ? n : H * W;
    memcpy(phi, m->theta + slot * params, params * sizeof *phi);
    for (size_t k = 0; k <= K; k++) {
        kernel->forward(&m->net, phi, x, n, out + k * n * C, scratch.base);
        memset(g, 0, params * sizeof *g);
        (void)kernel->gradient(&m->net, phi, &points, 1.0 / (double)(over * C), g, NULL, NULL,
                               scratch.base);
        tsr_rates_apply(&m->rates, k, slot, 0, params, g, g);
        for (size_t i = 0; k < K && i < params; i++)
            phi[i] -= g[i];
    }
    tsr_arena_free(&scratch);
    free(x);
    free(y);
    free(g);
}

/* The blended pictures [STATES, H, W, C] in double, and the parameters. */
static double *plain_pictures(const struct picture *p, tsr_real *phi) {
    double *pictures = make(STATES * VALUES, sizeof *pictures);
    uint32_t pixel[H * W];
    float weight[H * W];
    tsr_real *out = make(STATES * VALUES, sizeof *out);
    for (size_t r = 0; r < p->partition->n_regions; r++) {
        size_t n = context_of(p->partition, r, pixel);
        if (p->partition->regions[r].n_pixels == 0) continue;
        adapt(p, r, pixel, n, out, phi + r * p->model->net.n_params);
        tsr_partition_weights(p->partition, r, weight);
        for (size_t i = 0; i < STATES * n * C; i++) {
            size_t k = i / (n * C), at = i / C % n;
            pictures[k * VALUES + pixel[at] * C + i % C] += (double)weight[at] * (double)out[i];
        }
    }
    free(out);
    return pictures;
}

static double seam_of(const struct tsr_partition *p, const double *residual) {
    double sum[2] = {0}, n[2] = {0};
    for (size_t i = 0; i < H * W; i++)
        for (size_t step = 1; step <= W; step += W - 1) {
            if (step == 1 ? i % W + 1 == W : i / W + 1 == H) continue;
            bool within = tsr_partition_region_at(p, i / W, i % W) ==
                          tsr_partition_region_at(p, (i + step) / W, (i + step) % W);
            for (size_t j = 0; j < C; j++, n[within]++)
                sum[within] += fabs(residual[i * C + j] - residual[(i + step) * C + j]);
        }
    return sum[0] / n[0] / (sum[1] / n[1]);
}

/* One state: the figures that follow from its picture. */
static void check_state(const struct picture *p, size_t k, double *picture) {
    size_t n = p->partition->n_regions;
    double *error = make(n, sizeof *error), sum = 0;
    for (size_t i = 0; i < VALUES; i++) {
        double shown = fmin(fmax(picture[i], 0), 1) * 255;
        assert_true(fabs(p->out.pictures[k * VALUES + i] - shown) <= 0.501);
        picture[i] -= p->pixels[i] / 255.0;
        error[tsr_partition_region_at(p->partition, i / C / W, i / C % W)] +=
            picture[i] * picture[i];
    }
    for (size_t r = 0; r < n; r++) {
        double found = p->out.region_error[k * n + r];
        assert_true(fabs(found - error[r]) <= 2e-4 * error[r]);
        sum += error[r];
    }
    assert_true(fabs(p->out.psnr_db[k] - 10 * log10(VALUES / sum)) < 1e-3);
    double seam = seam_of(p->partition, picture);
    assert_true(fabs(p->out.seam[k] - seam) <= 1e-3 * seam);
    free(error);
}

static void figures_by_plain_loops(void **state) {
    (void)state;
    for (size_t i = 0; i < 24; i++) {
        struct picture p = some_picture(i);
        size_t n = p.model->net.n_params, regions = p.partition->n_regions;
        tsr_real *phi = make(regions * n, sizeof *phi);
        double *want = make(n, sizeof *want), *pictures = plain_pictures(&p, phi);
        reconstruct(&p, 1 + i % 2, true);
        for (size_t r = 0; r < regions; r++) {
            if (p.partition->regions[r].n_pixels == 0) continue;
            for (size_t j = 0; j < n; j++)
                want[j] = (double)phi[r * n + j];
            ASSERT_CLOSE("phi", p.out.phi + r * n, want, n, 1e-4);
        }
        for (size_t k = 0; k <= K; k++)
            check_state(&p, k, pictures + k * VALUES);
        free(phi);
        free(want);
        free(pictures);
        clear(&p);
    }
}

/* Without overlap, to the bit; the seam metric is measured beside and changes nothing. */
static void a_map_like_a_grid(void **state) {
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct picture map = some_picture(0), grid = map;
        grid.model->config.coords.frame = (enum tsr_frame)(i / 2 % 2);
        grid.model->config.inner_loss = (enum tsr_inner_loss)(i / 4 % 2);
        reconstruct(&grid, 1, i % 2);
        for (size_t j = 0; j < H * W; j++)
            map.labels[j] = (uint32_t)tsr_partition_region_at(grid.partition, j / W, j % W);
        map.model->config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(labels, 6)};
        make_partition(&map);
        reconstruct(&map, 1, true);
        for (size_t k = 0; k <= K; k++) {
            if (i % 2) continue;
            assert_true(isnan(grid.out.seam[k])); /* was not asked for */
            grid.out.seam[k] = map.out.seam[k];
        }
        same_bits(&map, &map.out, &grid.out);
        free_arrays(&grid.out);
        tsr_partition_free(grid.partition);
        clear(&map);
    }
}

/* Few regions, which all threads share, and many. */
static void same_bits_for_any_threads(void **state) {
    (void)state;
    for (size_t i = 0; i < 12; i++) {
        struct picture p = some_picture(i);
        if (i >= 6) { /* one region a thread */
            p.model->config.partition.rule = (struct tsr_choice)TSR_RULE(labels, 42);
            p.model->config.slots = TSR_SLOTS_SHARED;
            for (size_t j = 0; j < H * W; j++)
                p.labels[j] = (uint32_t)(j / W / 4 * 7 + j % W / 4);
            tsr_partition_free(p.partition);
            make_partition(&p);
        }
        reconstruct(&p, 1, true);
        struct tsr_reconstruction one = p.out;
        for (size_t threads = 2; threads <= 3; threads++) {
            reconstruct(&p, threads, true);
            same_bits(&p, &p.out, &one);
            if (threads == 2) free_arrays(&p.out);
        }
        free_arrays(&one);
        clear(&p);
    }
}

/* A class that the image lacks keeps its initialisation, and a reconstructor forgets the regions of
 * the image before. */
static void absent_classes(void **state) {
    (void)state;
    for (size_t i = 1; i < 12; i += 2) {
        struct picture p = some_picture(i);
        size_t n = p.model->net.n_params, slot = p.model->n_slots > 1 ? 1 : 0;
        struct tsr_reconstruct_config config;
        struct tsr_reconstructor *r;
        uint32_t other[H * W];
        assert_int_equal(p.partition->regions[1].n_pixels, 0);
        reconstruct(&p, 1, true);
        ASSERT_SAME_BITS("phi", p.out.phi + n, p.model->theta + slot * n, n);
        for (size_t k = 0; k <= K; k++)
            assert_true(p.out.region_error[k * 6 + 1] == 0);
        struct tsr_reconstruction again = arrays(6, n);
        tsr_reconstruct_config_default(p.model, &config);
        config.threads = 2, config.ssim = config.seam = true;
        MUST(tsr_reconstructor_create(p.model, &config, H, W, &r, err));
        for (size_t j = 0; j < H * W; j++)
            other[j] = (uint32_t)(j % 6);
        MUST(tsr_reconstructor_follow(r, other, err));
        MUST(tsr_reconstruct(r, TSR_BYTES(p.pixels), &again, err));
        assert_true(again.region_error[1] > 0);
        MUST(tsr_reconstructor_follow(r, p.labels, err));
        MUST(tsr_reconstruct(r, TSR_BYTES(p.pixels), &again, err));
        same_bits(&p, &again, &p.out);
        other[7] = 6;
        MUST_FAIL(tsr_reconstructor_follow(r, other, err), TSR_ERR_ARGUMENT,
                  "pixel (0, 7) has label 6; labels must be below 6");
        tsr_reconstructor_free(r);
        free_arrays(&again);
        clear(&p);
    }
}

static size_t peak_kilobytes(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss;
}

/* Many regions with wide margins could give each pixel 289 context points; what is kept follows the
 * regions that there are. */
static void memory_follows_the_regions(void **state) {
    (void)state;
    enum { SIDE = 200 };
    struct tsr_model_config model_config = toy_config(0, 0, C);
    struct tsr_reconstruct_config config;
    struct tsr_reconstructor *r;
    model_config.partition =
        (struct tsr_partition_rule){.rule = TSR_RULE(labels, 2000), .overlap = 8};
    struct tsr_model *model = toy_model(&model_config, 1);
    uint8_t *pixels = toy_images(1, SIDE, SIDE, C);
    uint32_t *labels = make(SIDE * SIDE, sizeof *labels);
    double psnr[2][STATES];
    tsr_reconstruct_config_default(model, &config);
    config.threads = 1;
    size_t before = peak_kilobytes();
    MUST(tsr_reconstructor_create(model, &config, SIDE, SIDE, &r, err));
    for (size_t k = 0; k < 3; k++) { /* few regions, more of them, few */
        for (size_t i = 0; i < SIDE * SIDE; i++)
            labels[i] = (uint32_t)(k == 1 ? i / SIDE / 50 * 4 + i % SIDE / 50 : 0);
        struct tsr_reconstruction out = {.psnr_db = psnr[k / 2]};
        MUST(tsr_reconstructor_follow(r, labels, err));
        if (k != 1) MUST(tsr_reconstruct(r, TSR_BYTES(pixels), &out, err));
    }
    assert_true(peak_kilobytes() - before < 100000);
    ASSERT_SAME_BITS("psnr", psnr[0], psnr[1], STATES);
    tsr_reconstructor_free(r);
    tsr_model_free(model);
    free(pixels);
    free(labels);
}

/* ---- INRs ---------------------------------------------------------------------------------------
 */

static struct tsr_inr *inr_of(const struct picture *p) {
    struct tsr_inr *inr;
    MUST(tsr_inr_create(&p->model->config, H, W, &inr, err));
    if (p->partition->labels) MUST(tsr_inr_follow(inr, p->labels, err));
    memcpy(inr->phi, p->out.phi,
           p->partition->n_regions * p->model->net.n_params * sizeof *inr->phi);
    return inr;
}

static struct tsr_inr *through_a_file(struct tsr_inr *inr) {
    const char *path = in_folder("a.inr.h5");
    struct tsr_inr *back;
    MUST(tsr_inr_save(inr, path, err));
    MUST(tsr_inr_load(path, &back, err));
    const struct tsr_partition *a = inr->partition, *b = back->partition;
    assert_true(tsr_choice_equal(&back->rule.rule, &inr->rule.rule));
    assert_int_equal(back->rule.overlap, inr->rule.overlap);
    assert_int_equal(b->overlap, inr->rule.overlap);
    assert_int_equal(b->n_regions, a->n_regions);
    assert_memory_equal(b->regions, a->regions, a->n_regions * sizeof *a->regions);
    assert_int_equal(b->labels != NULL, a->labels != NULL);
    if (a->labels) assert_memory_equal(b->labels, a->labels, H * W * sizeof *a->labels);
    ASSERT_SAME_BITS("phi", back->phi, inr->phi, a->n_regions * inr->net.n_params);
    tsr_inr_free(inr);
    return back;
}

/* At its own size, saved and loaded, an INR is the picture after the last inner step. */
static void original_size_is_the_reconstruction(void **state) {
    (void)state;
    for (size_t i = 0; i < 24; i++) {
        struct picture p = some_picture(i);
        reconstruct(&p, 1, false);
        struct tsr_inr *inr = through_a_file(inr_of(&p));
        for (size_t threads = 1; threads <= 2; threads++) {
            struct tsr_image image;
            MUST(tsr_inr_render(inr, H, W, threads, "auto", NULL, &image, err));
            ASSERT_SAME_BITS("picture", image.pixels, p.out.pictures + K * VALUES, VALUES);
            tsr_image_clear(&image);
        }
        tsr_inr_free(inr);
        clear(&p);
    }
}

/* A value of a picture of another size, by the definition; in 0 .. 255. */
static double plain_value(const struct tsr_inr *inr, double row, double col, size_t channel) {
    const struct tsr_partition *p = inr->partition;
    const struct tsr_kernel *kernel;
    struct tsr_arena scratch;
    double sum = 0;
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_arena_create(&scratch, kernel->workspace_size(&inr->net), "scratch", err));
    for (size_t r = 0; r < p->n_regions; r++) {
        size_t at_row = (size_t)fmin(fmax(row + 0.5, 0), H - 1);
        size_t at_col = (size_t)fmin(fmax(col + 0.5, 0), W - 1);
        double weight = p->overlap ? tsr_partition_weight_at(p, r, row, col)
                                   : tsr_partition_region_at(p, at_row, at_col) == r;
        if (weight <= 0) continue;
        tsr_real x[2], y[C];
        tsr_coords_at(&inr->coords, p, r, row, col, x);
        kernel->forward(&inr->net, inr->phi + r * inr->net.n_params, x, 1, y, scratch.base);
        sum += weight * (double)y[channel];
    }
    tsr_arena_free(&scratch);
    return fmin(fmax(sum, 0), 1) * 255;
}

static void check_render(const struct tsr_inr *inr, size_t height, size_t width) {
    struct tsr_image one, many;
    MUST(tsr_inr_render(inr, height, width, 1, "auto", NULL, &one, err));
    MUST(tsr_inr_render(inr, height, width, 2, "auto", NULL, &many, err));
    ASSERT_SAME_BITS("threads", one.pixels, many.pixels, height * width * C);
    for (size_t k = 0; k < 300; k++) {
        size_t i = draw_size(0, height * width * C - 1);
        double row = ((double)(i / C / width) + 0.5) * H / (double)height - 0.5;
        double col = ((double)(i / C % width) + 0.5) * W / (double)width - 0.5;
        assert_true(fabs(one.pixels[i] - plain_value(inr, row, col, i % C)) <= 0.55);
    }
    tsr_image_clear(&one);
    tsr_image_clear(&many);
}

static void other_sizes(void **state) {
    (void)state;
    for (size_t i = 0; i < 24; i++) {
        struct picture p = some_picture(i);
        reconstruct(&p, 1, false);
        struct tsr_inr *inr = inr_of(&p);
        check_render(inr, 2 * H, 2 * W);
        check_render(inr, draw_size(1, 80), draw_size(1, 80));
        tsr_inr_free(inr);
        clear(&p);
    }
}

/* ---- files that are refused ---------------------------------------------------------------------
 */

static void refuse(const struct tsr_inr *inr, const char *text) {
    const char *path = in_folder("bad.inr.h5");
    struct tsr_inr *back;
    MUST(tsr_inr_save(inr, path, err));
    MUST_FAIL(tsr_inr_load(path, &back, err), TSR_ERR_FORMAT, text);
    MUST_FAIL(tsr_inr_load(path, &back, err), TSR_ERR_FORMAT, "bad.inr.h5");
    assert_null(back);
}

static void damaged_inrs(void **state) {
    (void)state;
    struct picture p = some_picture(1), grid = some_picture(0);
    p.out = arrays(6, p.model->net.n_params);
    grid.out = arrays(6, grid.model->net.n_params);
    struct tsr_inr *inr = inr_of(&p), *cells = inr_of(&grid), *back;
    struct tsr_partition_rule rule = inr->rule;
    inr->partition->labels[W + 2] = 6;
    refuse(inr, "label 6 at (1, 2); labels must be below 6");
    inr->partition->labels[W + 2] = 65535;
    refuse(inr, "has label 65535");
    inr->partition->labels[W + 2] = 5;
    inr->rule.overlap = 65;
    refuse(inr, "overlap of 65 pixels: at most 64 are allowed");
    inr->rule.overlap = SIZE_MAX / 2;
    refuse(inr, "overlap of");
    inr->rule = rule, inr->rule.rule.value[0] = 0;
    refuse(inr, "labels: n_regions is 0");
    inr->rule.rule.value[0] = 5;
    refuse(inr, "is for 6 regions; /partition asks for 5");
    inr->rule.rule.value[0] = 65536;
    refuse(inr, "1 to 65535");
    inr->rule = rule;
    MUST(tsr_inr_save(inr, in_folder("good.inr.h5"), err)); /* the rest is fine */
    MUST(tsr_inr_load(in_folder("good.inr.h5"), &back, err));
    tsr_inr_free(back);
    cells->rule = (struct tsr_partition_rule){.rule = TSR_RULE(labels, 6)};
    refuse(cells, "/partition/labels"); /* a rectangle has none */
    tsr_inr_free(inr);
    tsr_inr_free(cells);
    clear(&p);
    clear(&grid);
}

/* ---- models -------------------------------------------------------------------------------------
 */

static void rules_in_model_files(void **state) {
    (void)state;
    const struct tsr_partition_rule rules[] = {
        {.rule = TSR_RULE(segment, 5, TSR_MERGE_AREA), .overlap = 3},
        {.rule = TSR_RULE(labels, 7), .overlap = 64},
        {.rule = TSR_RULE(cell, 5, 4), .overlap = 1}};
    for (size_t i = 0; i < 6; i++) {
        struct tsr_model_config config = toy_config(H, W, C);
        config.partition = rules[i % 3];
        if (i == 4) config.slots = TSR_SLOTS_PER_CLASS;
        struct tsr_model *model = toy_model(&config, i), *back;
        MUST(tsr_model_save(model, in_folder("m.h5"), err));
        MUST(tsr_model_load(in_folder("m.h5"), &back, err));
        assert_memory_equal(&back->config.partition, &config.partition, sizeof config.partition);
        assert_int_equal(back->config.slots, config.slots);
        assert_int_equal(back->n_slots, i == 4 ? 7 : 1);
        assert_int_equal(back->anchors.n, 0);
        ASSERT_SAME_BITS("theta", back->theta, model->theta, model->n_slots * model->net.n_params);
        tsr_model_free(model);
        tsr_model_free(back);
    }
}

static struct tsr_model *model_with_anchors(size_t n) {
    struct tsr_model_config config = toy_config(H, W, C);
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(segment, n)};
    config.slots = TSR_SLOTS_PER_REGION;
    struct tsr_model *model = toy_model(&config, 3);
    model->anchors.n = n;
    model->anchors.mean = make(n * TSR_REGION_FEATURES, sizeof(double));
    for (size_t i = 0; i < n * TSR_REGION_FEATURES; i++)
        model->anchors.mean[i] = draw(-3, 3);
    for (size_t i = 0; i < TSR_REGION_FEATURES; i++)
        model->anchors.weight[i] = i ? draw(0, 9) : 0;
    return model;
}

static void anchors_in_model_files(void **state) {
    (void)state;
    const char *path = in_folder("m.h5");
    struct tsr_model *model = model_with_anchors(5), *back, *from = model_with_anchors(5);
    MUST(tsr_model_save(model, path, err));
    MUST(tsr_model_load(path, &back, err));
    assert_int_equal(back->anchors.n, 5);
    ASSERT_SAME_BITS("mean", back->anchors.mean, model->anchors.mean, 5 * TSR_REGION_FEATURES);
    ASSERT_SAME_BITS("weight", back->anchors.weight, model->anchors.weight, TSR_REGION_FEATURES);
    MUST(tsr_model_init_from(back, from, err)); /* what a model starts from keeps its anchors */
    ASSERT_SAME_BITS("mean", back->anchors.mean, from->anchors.mean, 5 * TSR_REGION_FEATURES);
    tsr_model_free(back);
    tsr_model_free(from);
    double *mean = model->anchors.mean, first = mean[0];
    mean[0] = (double)NAN;
    MUST(tsr_model_save(model, path, err));
    MUST_FAIL(tsr_model_load(path, &back, err), TSR_ERR_FORMAT, "m.h5: /partition/anchors holds");
    mean[0] = first;
    model->anchors.weight[2] = -1;
    MUST(tsr_model_save(model, path, err));
    MUST_FAIL(tsr_model_load(path, &back, err), TSR_ERR_FORMAT,
              "/partition/anchor_weights holds -1; it must be 0 or more");
    assert_null(back);
    model->anchors.weight[2] = 1;
    model->anchors.n = 4; /* of 5 slots */
    MUST(tsr_model_save(model, path, err));
    MUST_FAIL(tsr_model_load(path, &back, err), TSR_ERR_FORMAT, "/partition/anchors");
    model->anchors.n = 0;
    MUST(tsr_model_save(model, path, err));
    MUST_FAIL(tsr_model_load(path, &back, err), TSR_ERR_FORMAT, "/partition/anchors");
    assert_null(back);
    tsr_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_by_plain_loops),
        cmocka_unit_test(a_map_like_a_grid),
        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(absent_classes),
        cmocka_unit_test(memory_follows_the_regions),
        TEST(original_size_is_the_reconstruction),
        cmocka_unit_test(other_sizes),
        TEST(damaged_inrs),
        TEST(rules_in_model_files),
        TEST(anchors_in_model_files),
    };
    return cmocka_run_group_tests_name("regions of images", tests, NULL, NULL);
}
