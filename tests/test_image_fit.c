/* SPDX-License-Identifier: MIT
 *
 * Ordinary learning of one image, against a plain computation in double: the network, its gradient
 * and Adam are written out here once more.
 */
#include "tests/test_meta_helper.h"

#include "base/memory.h"
#include "image/fit.h"
#include "image/reconstruct.h"
#include "image/regions.h"

/* ---- a plain computation -----------------------------------------------------------------------
 */

/* One network of at most 8 layers of at most 16 units, in double. */
enum { LAYERS = 8, UNITS = 16 };

/* Squared error of one point; adds scale * its gradient to g. */
static double plain_point(const struct tsr_net *net, const double *phi, const tsr_real *x,
                          const tsr_real *y, double scale, double *g) {
    double z[LAYERS][UNITS], a[LAYERS + 1][UNITS], d[UNITS], error = 0;
    size_t last = net->n_layers - 1;
    for (size_t i = 0; i < net->in_dim; i++)
        a[0][i] = (double)x[i];
    for (size_t l = 0; l <= last; l++)
        for (size_t o = 0; o < net->fan_out[l]; o++) {
            z[l][o] = phi[net->bias_at[l] + o];
            for (size_t i = 0; i < net->fan_in[l]; i++)
                z[l][o] += phi[net->weight_at[l] + o * net->fan_in[l] + i] * a[l][i];
            a[l + 1][o] = l == last ? z[l][o] + net->output_offset : sin(net->omega[l] * z[l][o]);
        }
    for (size_t o = 0; o < net->out_dim; o++) {
        d[o] = a[last + 1][o] - (double)y[o];
        error += d[o] * d[o];
        d[o] *= 2 * scale;
    }
    for (size_t l = last + 1; l-- > 0;) {
        double below[UNITS] = {0};
        for (size_t o = 0; o < net->fan_out[l]; o++) {
            g[net->bias_at[l] + o] += d[o];
            for (size_t i = 0; i < net->fan_in[l]; i++) {
                g[net->weight_at[l] + o * net->fan_in[l] + i] += d[o] * a[l][i];
                below[i] += d[o] * phi[net->weight_at[l] + o * net->fan_in[l] + i];
            }
        }
        for (size_t i = 0; l > 0 && i < net->fan_in[l]; i++)
            d[i] = below[i] * net->omega[l - 1] * cos(net->omega[l - 1] * z[l - 1][i]);
    }
    return error;
}

/* A toy image, a model for it, and what the plain computation knows about one of its regions. */
struct scene {
    struct tsr_image image;
    struct tsr_model *model;
    struct tsr_partition *partition;
};

static struct scene make_scene(const struct tsr_model_config *config, size_t height, size_t width) {
    struct scene s = {
        .image = {.height = height, .width = width, .channels = config->network.out_dim}};
    s.image.pixels = toy_images(1, height, width, s.image.channels);
    s.model = toy_model(config, 5);
    MUST(tsr_partition_create(&config->partition, height, width, &s.partition, err));
    return s;
}

static void clear_scene(struct scene *s) {
    free(s->image.pixels);
    tsr_model_free(s->model);
    tsr_partition_free(s->partition);
}

/* The context pixels of a region, row by row: the caller's; *n of them. */
static uint32_t *plain_context(const struct scene *s, size_t region, size_t *n) {
    const struct tsr_partition *p = s->partition;
    const struct tsr_box *w = &p->regions[region].window;
    *n = p->regions[region].n_context;
    uint32_t *pixel = make(*n, sizeof *pixel);
    for (size_t i = 0; i < *n; i++)
        pixel[i] = p->labels
                       ? p->context[p->context_first[region] + i]
                       : (uint32_t)((w->row + i / w->width) * p->width + w->col + i % w->width);
    return pixel;
}

/* Coordinates and targets of the context pixels of a region: x [n, 2], y [n, C], the caller's. */
static size_t plain_points(const struct scene *s, size_t region, tsr_real **x, tsr_real **y) {
    size_t n, c = s->image.channels, width = s->image.width;
    uint32_t *pixel = plain_context(s, region, &n);
    *x = make(n, 2 * sizeof **x);
    *y = make(n, c * sizeof **y);
    for (size_t i = 0; i < n; i++) {
        tsr_coords_at(&s->model->config.coords, s->partition, region, (double)(pixel[i] / width),
                      (double)(pixel[i] % width), *x + 2 * i);
        for (size_t j = 0; j < c; j++)
            (*y)[i * c + j] = (tsr_real)s->image.pixels[pixel[i] * c + j] / 255;
    }
    free(pixel);
    return n;
}

/* Squared error of each region's own pixels at the parameters of an INR, blended: error
 * [n_regions]. */
static void plain_errors(const struct scene *s, const struct tsr_inr *inr, double *error) {
    const struct tsr_partition *p = s->partition;
    const struct tsr_kernel *kernel;
    struct tsr_arena scratch;
    size_t n, c = s->image.channels, pixels = p->height * p->width;
    double *picture = make(pixels * c, sizeof *picture);
    tsr_real *out = make(pixels * c, sizeof *out), *x, *y;
    float *weight = make(pixels, sizeof *weight);
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_arena_create(&scratch, kernel->workspace_size(&inr->net), "scratch", err));
    for (size_t r = 0; r < p->n_regions; r++) {
        uint32_t *pixel = plain_context(s, r, &n);
        plain_points(s, r, &x, &y);
        kernel->forward(&inr->net, inr->phi + r * inr->net.n_params, x, n, out, scratch.base);
        tsr_partition_weights(p, r, weight);
        for (size_t i = 0; i < n * c; i++)
            picture[pixel[i / c] * c + i % c] += (double)weight[i / c] * (double)out[i];
        free(pixel), free(x), free(y);
        error[r] = 0;
    }
    for (size_t i = 0; i < pixels * c; i++) {
        double d = picture[i] - s->image.pixels[i] / 255.0;
        error[tsr_partition_region_at(p, i / c / p->width, i / c % p->width)] += d * d;
    }
    tsr_arena_free(&scratch);
    free(picture), free(out), free(weight);
}

/* The place in the order of batches of position `at`: one permutation after the other. */
static size_t plain_order(uint64_t seed, size_t region, size_t n, uint64_t at) {
    uint32_t *order = make(n, sizeof *order);
    tsr_random_permutation(tsr_random_u64(seed, TSR_STREAM_PIXELS, region),
                           at / n << 32 | TSR_STREAM_PIXELS, n, order);
    size_t pixel = order[at % n];
    free(order);
    return pixel;
}

/* The directions [*n, n_params] that a fit moves parameters along: the caller's. */
static double *plain_directions(const struct scene *s, const struct tsr_choice *adaptation,
                                size_t *n) {
    const struct tsr_net *net = &s->model->net;
    size_t params = net->n_params, last = net->n_layers - 1;
    double *b = make(params * params, sizeof *b);
    const struct tsr_adaptation *a = tsr_adaptation_of(adaptation);
    *n = a == &tsr_adaptation_latent ? s->model->space.n_directions : 0;
    for (size_t i = 0; i < *n * params; i++)
        b[i] = (double)s->model->basis[i];
    if (*n) return b;
    for (size_t l = 0; l <= last; l++)
        for (size_t i = 0; i < net->fan_out[l] * (net->fan_in[l] + 1); i++) {
            bool bias = i < net->fan_out[l];
            if (a == &tsr_adaptation_last && l < last) continue;
            if (a == &tsr_adaptation_biases && !bias) continue;
            size_t at = bias ? net->bias_at[l] + i : net->weight_at[l] + i - net->fan_out[l];
            b[(*n)++ * params + at] = 1;
        }
    return b;
}

/* What phi [n_params] of a region becomes in config->iterations iterations. */
static void plain_fit(const struct scene *s, const struct tsr_fit_config *c, size_t region,
                      double *phi) {
    tsr_real *x, *y;
    const struct tsr_net *net = &s->model->net;
    size_t n = plain_points(s, region, &x, &y), channels = s->image.channels;
    size_t batch = (size_t)(c->batch_fraction * (double)n + 0.5);
    double *m = make(net->n_params, sizeof *m), *v = make(net->n_params, sizeof *v);
    double *g = make(net->n_params, sizeof *g);
    size_t numbers;
    double *b = plain_directions(s, &c->adaptation, &numbers);
    for (uint64_t k = 0; k < c->iterations; k++) {
        memset(g, 0, net->n_params * sizeof *g);
        for (size_t i = 0; i < batch; i++) {
            size_t at = batch < n ? plain_order(c->seed, region, n, k * batch + i) : i;
            plain_point(net, phi, x + 2 * at, y + at * channels, 1 / (double)(batch * channels), g);
        }
        double lr = c->lr, t = (double)(k + 1);
        if (k < c->warmup) lr *= t / (double)c->warmup;
        if (c->schedule == TSR_FIT_SCHEDULE_COSINE)
            lr *= (1 + cos(M_PI * (double)k / (double)c->iterations)) / 2;
        for (size_t i = 0; i < numbers; i++) {
            double gz = 0;
            for (size_t j = 0; j < net->n_params; j++)
                gz += b[i * net->n_params + j] * g[j];
            m[i] = 0.9 * m[i] + 0.1 * gz;
            v[i] = 0.999 * v[i] + 0.001 * gz * gz;
            double step =
                lr * (m[i] / (1 - pow(0.9, t))) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
            for (size_t j = 0; j < net->n_params; j++)
                phi[j] -= step * b[i * net->n_params + j];
        }
    }
    free(x), free(y), free(m), free(v), free(g), free(b);
}

static struct tsr_fit_config fit_config(uint64_t iterations) {
    struct tsr_fit_config c;
    tsr_fit_config_default(&c);
    c.iterations = iterations;
    c.lr = 2e-3;
    c.every = 3;
    c.seed = 11;
    c.threads = 2;
    return c;
}

static struct tsr_fitter *run_fit(const struct scene *s, const struct tsr_fit_config *c) {
    struct tsr_fitter *f;
    MUST(tsr_fitter_create(s->model, c, &s->image, &f, err));
    MUST(tsr_fitter_run(f, NULL, err));
    return f;
}

/* Runs a fit and compares every region with the plain one. */
static void compare_with_plain(const struct scene *s, const struct tsr_fit_config *c) {
    size_t n = s->model->net.n_params;
    struct tsr_fitter *f = run_fit(s, c);
    const struct tsr_inr *inr = tsr_fitter_inr(f);
    tsr_real *start = make(n, sizeof *start);
    double *phi = make(n, sizeof *phi), pooled = 0;
    double *own = make(s->partition->n_regions, sizeof *own);
    plain_errors(s, inr, own);
    for (size_t r = 0; r < s->partition->n_regions; r++) {
        tsr_network_randomize(&s->model->net, c->seed, r, start);
        for (size_t i = 0; i < n; i++)
            phi[i] = (double)(c->random && !inr->numbers ? start[i] : s->model->theta[i]);
        if (s->partition->regions[r].n_pixels > 0) plain_fit(s, c, r, phi);
        ASSERT_CLOSE("parameters", inr->phi + r * n, phi, n, 2e-4);
        assert_true(fabs(tsr_fitter_state(f)->region_error[r] - own[r]) <= 1e-4 * own[r]);
        pooled += own[r];
    }
    assert_int_equal(tsr_fitter_state(f)->iteration, c->iterations);
    double values = (double)(s->image.height * s->image.width * s->image.channels);
    assert_true(fabs(tsr_fitter_state(f)->psnr_db + 10 * log10(pooled / values)) < 1e-3);
    tsr_fitter_free(f);
    free(start), free(phi), free(own);
}

static void iterations_are_adam(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(13, 17, 3);
    struct scene s = make_scene(&config, 13, 17);
    for (uint64_t n = 1; n <= 7; n += 2) {
        struct tsr_fit_config c = fit_config(n);
        compare_with_plain(&s, &c);
    }
    struct tsr_fit_config c = fit_config(9);
    c.schedule = TSR_FIT_SCHEDULE_COSINE;
    c.warmup = 4;
    compare_with_plain(&s, &c);
    c.random = false;
    compare_with_plain(&s, &c);
    clear_scene(&s);
}

/* Of the rest nothing is stored but the model's. */
static void what_does_not_adapt_stays(void **state) {
    (void)state;
    const struct tsr_adaptation *const some[] = {&tsr_adaptation_last, &tsr_adaptation_biases,
                                                 &tsr_adaptation_latent};
    for (size_t i = 0; i < 6; i++) {
        struct tsr_model_config config = toy_config(13, 17, 3);
        struct tsr_fit_config c = fit_config(8);
        c.adaptation = tsr_choice_of(&some[i / 2]->object);
        (void)tsr_choice_set(&c.adaptation, "numbers", 5);
        config.adaptation = c.adaptation;
        c.batch_fraction = i % 2 ? 0.4 : 1;
        struct scene s = make_scene(&config, 13, 17);
        compare_with_plain(&s, &c);
        struct tsr_fitter *f = run_fit(&s, &c);
        struct tsr_inr *loaded;
        const struct tsr_inr *inr = tsr_fitter_inr(f);
        MUST(tsr_inr_save(inr, in_folder("fitted.inr.h5"), err));
        MUST(tsr_inr_load(in_folder("fitted.inr.h5"), &loaded, err));
        size_t n = inr->partition->n_regions * inr->net.n_params;
        assert_int_equal(loaded->space.n, s.model->space.n);
        assert_memory_equal(loaded->phi, inr->phi, n * sizeof *inr->phi);
        tsr_inr_free(loaded);
        tsr_fitter_free(f);
        clear_scene(&s);
    }
}

/* An INR that refers to a model has the numbers alone, and is whole again with that model only. */
static void references_need_their_model(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(13, 17, 3);
    struct tsr_fit_config c = fit_config(8);
    struct tsr_inr *back;
    void *bytes;
    size_t size;
    c.adaptation = tsr_choice_of(&tsr_adaptation_latent.object);
    (void)tsr_choice_set(&c.adaptation, "numbers", 5);
    config.adaptation = c.adaptation;
    struct scene s = make_scene(&config, 13, 17);
    struct tsr_model *other = toy_model(&config, 6);
    struct tsr_fitter *f = run_fit(&s, &c);
    struct tsr_inr *inr = (struct tsr_inr *)(uintptr_t)tsr_fitter_inr(f);
    size_t n = inr->partition->n_regions * inr->net.n_params;
    inr->refers = true;
    inr->shared = tsr_model_shared_digest(s.model);
    MUST(tsr_inr_save(inr, in_folder("reference.inr.h5"), err));
    MUST(tsr_inr_to_memory(inr, &bytes, &size, err));
    MUST_FAIL(tsr_inr_load(in_folder("reference.inr.h5"), &back, err), TSR_ERR_UNSUPPORTED,
              "reference.inr.h5 refers to a model");
    MUST_FAIL(tsr_inr_from_memory(bytes, size, &back, err), TSR_ERR_UNSUPPORTED,
              "refers to a model");
    free(bytes);
    MUST(tsr_inr_open(in_folder("reference.inr.h5"), &back, err));
    MUST_FAIL(tsr_inr_complete(back, other, err), TSR_ERR_SHAPE, "those of this model have");
    assert_true(back->incomplete);
    MUST(tsr_inr_complete(back, s.model, err));
    assert_memory_equal(back->phi, inr->phi, n * sizeof *inr->phi);
    tsr_inr_free(back);
    tsr_model_free(other);
    tsr_fitter_free(f);
    clear_scene(&s);
}

/* A basis is the model's, and so is what its inner steps adapt. */
static void adaptations_that_do_not_fit(void **state) {
    (void)state;
    struct tsr_fitter *f;
    struct tsr_model_config config = toy_config(13, 17, 3);
    config.adaptation = tsr_choice_of(&tsr_adaptation_latent.object);
    (void)tsr_choice_set(&config.adaptation, "numbers", 4);
    struct scene s = make_scene(&config, 13, 17);
    struct tsr_fit_config c = fit_config(3);
    c.adaptation = config.adaptation;
    (void)tsr_choice_set(&c.adaptation, "numbers", 5);
    MUST_FAIL(tsr_fitter_create(s.model, &c, &s.image, &f, err), TSR_ERR_CONFIG,
              "latent 5 is to be learned, which needs the model's basis");
    c.adaptation = tsr_choice_of(&tsr_adaptation_last.object);
    c.random = false;
    c.inner_steps = 2;
    MUST_FAIL(tsr_fitter_create(s.model, &c, &s.image, &f, err), TSR_ERR_CONFIG,
              "the model's inner steps adapt latent 4, but last is to be learned");
    clear_scene(&s);
}

static void cut_cells_learn_the_whole_window(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(0, 0, 1);
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(cell, 6, 7)};
    struct scene s = make_scene(&config, 15, 16);
    assert_int_equal(s.partition->n_regions, 9);
    assert_true(tsr_region_is_cut(&s.partition->regions[8]));
    struct tsr_fit_config c = fit_config(5);
    compare_with_plain(&s, &c);
    clear_scene(&s);
}

/* Four classes, of which class 1 does not occur, and segments. */
static void regions_that_follow_the_image(void **state) {
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct tsr_model_config config = toy_config(0, 0, 3);
        uint16_t *stored = toy_labels(1, 17, 19, 4, 1u << 1);
        uint32_t labels[17 * 19];
        config.partition =
            (struct tsr_partition_rule){.rule = TSR_RULE(labels, 4), .overlap = i / 2};
        if (i % 2) config.partition.rule = (struct tsr_choice)TSR_RULE(segment, 4);
        struct scene s = make_scene(&config, 17, 19);
        MUST(tsr_regions_of_image(s.model, TSR_BYTES(s.image.pixels), 17, 19, i % 2 ? NULL : stored,
                                  labels, err));
        MUST(tsr_partition_relabel(s.partition, labels, err));
        struct tsr_fit_config c = fit_config(5);
        c.labels = i % 2 ? NULL : stored;
        c.random = i < 4;
        compare_with_plain(&s, &c);
        c.batch_fraction = 0.3;
        compare_with_plain(&s, &c);
        c.labels = NULL;
        struct tsr_fitter *f;
        if (i % 2 == 0)
            MUST_FAIL(tsr_fitter_create(s.model, &c, &s.image, &f, err), TSR_ERR_CONFIG,
                      "rule labels: the image has no label map");
        clear_scene(&s);
        free(stored);
    }
}

static void overlapping_cells(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(0, 0, 1);
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(cell, 6, 7), .overlap = 2};
    struct scene s = make_scene(&config, 15, 16);
    for (size_t i = 0; i < 2; i++) {
        struct tsr_fit_config c = fit_config(5);
        c.batch_fraction = i ? 0.4 : 1;
        compare_with_plain(&s, &c);
    }
    clear_scene(&s);
}

/* ---- batches -----------------------------------------------------------------------------------
 */

static void batches_walk_through_permutations(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(12, 14, 3);
    struct scene s = make_scene(&config, 12, 14);
    const double fractions[] = {0.1, 0.34, 0.7};
    for (size_t i = 0; i < 3; i++) {
        struct tsr_fit_config c = fit_config(8); /* several times through all pixels */
        c.batch_fraction = fractions[i];
        compare_with_plain(&s, &c);
    }
    /* the order that the plain computation and thus the fit follows: each pixel once a pass */
    size_t n = 28, seen[28] = {0};
    for (uint64_t at = 0; at < 3 * n; at++) {
        seen[plain_order(11, 2, n, at)]++;
        for (size_t p = 0; (at + 1) % n == 0 && p < n; p++)
            assert_int_equal(seen[p], (at + 1) / n);
    }
    clear_scene(&s);
}

/* ---- bits --------------------------------------------------------------------------------------
 */

static void same_result(const char *what, const struct tsr_fitter *a, const struct tsr_fitter *b) {
    const struct tsr_inr *x = tsr_fitter_inr(a), *y = tsr_fitter_inr(b);
    const struct tsr_fit_state *s = tsr_fitter_state(a), *t = tsr_fitter_state(b);
    ASSERT_SAME_BITS(what, x->phi, y->phi, x->partition->n_regions * x->net.n_params);
    ASSERT_SAME_BITS(what, s->region_error, t->region_error, s->n_regions);
    ASSERT_SAME_BITS(what, &s->psnr_db, &t->psnr_db, 1);
    ASSERT_SAME_BITS(what, &s->flops, &t->flops, 1);
    assert_int_equal(s->iteration, t->iteration);
}

static void bits_do_not_depend_on_threads(void **state) {
    (void)state;
    const struct tsr_partition_rule rules[] = {
        {.rule = TSR_RULE(whole, 0)}, /* two pieces: the team works on them */
        {.rule = TSR_RULE(grid, 1, 3)},
        {.rule = TSR_RULE(grid, 4, 5)}, /* each thread has regions of its own */
        {.rule = TSR_RULE(grid, 2, 3), .overlap = 4},
        {.rule = TSR_RULE(segment, 5), .overlap = 1},
    };
    enum { N_RULES = sizeof rules / sizeof *rules };
    for (size_t i = 0; i < 2 * N_RULES; i++) {
        struct tsr_model_config config = toy_config(90, 82, 3);
        config.partition = rules[i % N_RULES];
        struct scene s = make_scene(&config, 90, 82);
        struct tsr_fit_config c = fit_config(7);
        if (i >= N_RULES) c.batch_fraction = 0.9;
        c.threads = 1;
        struct tsr_fitter *one = run_fit(&s, &c);
        for (c.threads = 2; c.threads <= 4; c.threads++) {
            struct tsr_fitter *many = run_fit(&s, &c);
            same_result("threads", many, one);
            tsr_fitter_free(many);
        }
        c.every = 100; /* other curve points */
        struct tsr_fitter *other = run_fit(&s, &c);
        same_result("curve points", other, one);
        tsr_fitter_free(other);
        c.seed++;
        other = run_fit(&s, &c);
        assert_true(tsr_fitter_state(other)->psnr_db != tsr_fitter_state(one)->psnr_db);
        tsr_fitter_free(other);
        tsr_fitter_free(one);
        clear_scene(&s);
    }
}

/* ---- targets -----------------------------------------------------------------------------------
 */

/* Follows a run: frozen regions must stay as they are, the curve must go on. */
struct watch {
    struct tsr_fitter *fitter;
    tsr_real *phi; /* as it was at the last point */
    bool *frozen;
    size_t points, froze;
    uint64_t last;
    double seconds, final_psnr_db;
    int stop_after; /* calls of progress; 0: never */
};

static enum tsr_status watch_point(void *user, const struct tsr_fit_state *s,
                                   struct tsr_error *err) {
    (void)err;
    struct watch *w = user;
    const struct tsr_inr *inr = tsr_fitter_inr(w->fitter);
    size_t n = inr->net.n_params;
    assert_true(w->points == 0 ? s->iteration == 0 : s->iteration > w->last);
    assert_true(s->seconds >= w->seconds);
    for (size_t r = 0; r < s->n_regions; r++) {
        if (w->frozen[r])
            ASSERT_SAME_BITS("frozen", inr->phi + r * n, w->phi + r * n, n);
        else if (s->region_iteration[r] < s->iteration)
            w->frozen[r] = true, w->froze++;
    }
    memcpy(w->phi, inr->phi, s->n_regions * n * sizeof *w->phi);
    w->points++;
    w->last = s->iteration;
    w->seconds = s->seconds;
    w->final_psnr_db = s->psnr_db;
    return TSR_OK;
}

static int watch_progress(void *user, const struct tsr_fit_state *s) {
    struct watch *w = user;
    (void)s;
    return w->stop_after && --w->stop_after == 0;
}

static enum tsr_status watched_run(const struct scene *s, const struct tsr_fit_config *c,
                                   struct watch *w, struct tsr_error *err) {
    size_t n = s->partition->n_regions;
    TSR_TRY(tsr_fitter_create(s->model, c, &s->image, &w->fitter, err));
    w->phi = make(n * s->model->net.n_params, sizeof *w->phi);
    w->frozen = make(n, sizeof *w->frozen);
    const struct tsr_fit_callbacks callbacks = {watch_point, watch_progress, w};
    enum tsr_status status = tsr_fitter_run(w->fitter, &callbacks, err);
    return status;
}

static void clear_watch(struct watch *w) {
    tsr_fitter_free(w->fitter);
    free(w->phi);
    free(w->frozen);
}

/* An image that is flat in the left third and wild in the right one. */
static void paint(struct scene *s) {
    for (size_t i = 0; i < s->image.height * s->image.width; i++)
        for (size_t j = 0; j < s->image.channels; j++)
            if (i % s->image.width < s->image.width / 3)
                s->image.pixels[i * s->image.channels + j] = 128;
            else if (i % s->image.width >= 2 * s->image.width / 3)
                s->image.pixels[i * s->image.channels + j] = (uint8_t)draw(60, 190);
}

static void regions_at_the_target_freeze(void **state) {
    (void)state;
    const double fractions[] = {1, 0.5};
    for (size_t i = 0; i < 4; i++) {
        struct tsr_model_config config = toy_config(18, 24, 3);
        config.partition.overlap = i / 2 * 2;
        struct scene s = make_scene(&config, 18, 24);
        struct watch w = {0};
        struct tsr_fit_config c = fit_config(20000);
        paint(&s);
        c.every = 7;
        c.target_psnr_db = i < 2 ? 22 : 18.5; /* margins have more noise to learn */
        c.batch_fraction = fractions[i % 2];
        MUST(watched_run(&s, &c, &w, err));
        const struct tsr_fit_state *end = tsr_fitter_state(w.fitter);
        assert_true(w.froze >= 2); /* those on the left */
        assert_true(end->iteration < c.iterations);
        assert_true(end->psnr_db >= c.target_psnr_db);
        assert_true(end->psnr_db == w.final_psnr_db);
        assert_true(end->region_iteration[0] < end->iteration);
        /* what is claimed is so at the parameters that are handed out */
        double pooled = 0, own[6], values = (double)(s.image.height * s.image.width * 3);
        assert_int_equal(end->n_regions, 6);
        plain_errors(&s, tsr_fitter_inr(w.fitter), own);
        for (size_t r = 0; r < end->n_regions; r++) {
            assert_true(fabs(own[r] / end->region_error[r] - 1) < 1e-3);
            pooled += own[r];
        }
        assert_true(-10 * log10(pooled / values) > c.target_psnr_db - 1e-3);
        clear_watch(&w);
        clear_scene(&s);
    }
}

/* A target that every region reaches by itself ends the run at the last of them. */
static void one_region_is_the_image(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(16, 16, 1);
    config.partition.rule = (struct tsr_choice)TSR_RULE(whole, 0);
    struct scene s = make_scene(&config, 16, 16);
    struct tsr_fit_config c = fit_config(0);
    struct watch w = {0};
    c.target_psnr_db = 20;
    c.every = 1000000;
    MUST(watched_run(&s, &c, &w, err));
    assert_int_equal(tsr_fitter_state(w.fitter)->active, 0);
    uint64_t n = tsr_fitter_state(w.fitter)->region_iteration[0];
    assert_true(tsr_fitter_state(w.fitter)->psnr_db >= 20);
    clear_watch(&w);
    /* one iteration less was not enough */
    assert_true(n > 1);
    c = fit_config(n - 1);
    struct tsr_fitter *f = run_fit(&s, &c);
    assert_true(tsr_fitter_state(f)->psnr_db < 20);
    tsr_fitter_free(f);
    clear_scene(&s);
}

/* ---- from a model ------------------------------------------------------------------------------
 */

static void a_model_is_where_it_starts(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(0, 0, 3);
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(cell, 8, 9)};
    struct scene s = make_scene(&config, 21, 25);
    struct tsr_reconstruct_config r;
    struct tsr_reconstructor *reconstructor;
    double psnr_db[3];
    tsr_real *phi = make(9 * s.model->net.n_params, sizeof *phi);
    tsr_reconstruct_config_default(s.model, &r);
    MUST(tsr_reconstructor_create(s.model, &r, 21, 25, &reconstructor, err));
    MUST(tsr_reconstruct(reconstructor, TSR_BYTES(s.image.pixels),
                         &(struct tsr_reconstruction){.psnr_db = psnr_db, .phi = phi}, err));
    tsr_reconstructor_free(reconstructor);
    struct tsr_fit_config c = fit_config(40);
    struct watch w = {.stop_after = 1};
    c.random = false;
    MUST_FAIL(watched_run(&s, &c, &w, err), TSR_ERR_INTERRUPTED, "interrupted after");
    assert_int_equal(w.points, 2);
    clear_watch(&w);
    /* the first point alone */
    c.iterations = 1;
    struct tsr_fitter *f;
    MUST(tsr_fitter_create(s.model, &c, &s.image, &f, err));
    assert_int_equal(tsr_fitter_state(f)->iteration, 0);
    ASSERT_SAME_BITS("phi_0", tsr_fitter_inr(f)->phi, s.model->theta, s.model->net.n_params);
    tsr_fitter_free(f);
    c.target_psnr_db = 1e-3; /* reached at once */
    w = (struct watch){0};
    MUST(watched_run(&s, &c, &w, err));
    assert_int_equal(w.points, 1);
    assert_int_equal(tsr_fitter_state(w.fitter)->iteration, 0);
    assert_true(tsr_fitter_state(w.fitter)->psnr_db == psnr_db[0]);
    clear_watch(&w);
    /* after the model's own inner steps, which count as work but not as iterations */
    c.inner_steps = 2;
    w = (struct watch){0};
    MUST(watched_run(&s, &c, &w, err));
    ASSERT_SAME_BITS("phi_2", tsr_fitter_inr(w.fitter)->phi, phi, 9 * s.model->net.n_params);
    assert_true(fabs(tsr_fitter_state(w.fitter)->psnr_db - psnr_db[2]) < 1e-4);
    assert_int_equal(tsr_fitter_state(w.fitter)->iteration, 0);
    assert_true(tsr_fitter_state(w.fitter)->flops > 0);
    clear_watch(&w);
    free(phi);
    clear_scene(&s);
}

static void slots_of_regions(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(12, 18, 3);
    config.slots = TSR_SLOTS_PER_REGION;
    struct scene s = make_scene(&config, 12, 18);
    struct tsr_fit_config c = fit_config(1);
    struct tsr_fitter *f;
    c.random = false;
    MUST(tsr_fitter_create(s.model, &c, &s.image, &f, err));
    ASSERT_SAME_BITS("phi_0", tsr_fitter_inr(f)->phi, s.model->theta, 6 * s.model->net.n_params);
    tsr_fitter_free(f);
    s.image.channels = 1;
    MUST_FAIL(tsr_fitter_create(s.model, &c, &s.image, &f, err), TSR_ERR_SHAPE, "channels");
    s.image.channels = 3;
    clear_scene(&s);
}

/* ---- bounds and errors -------------------------------------------------------------------------
 */

static void runs_end(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(12, 18, 1);
    struct scene s = make_scene(&config, 12, 18);
    struct tsr_fit_config c = fit_config(0);
    struct watch w = {0};
    c.seconds = 0.05;
    c.schedule = TSR_FIT_SCHEDULE_COSINE;
    MUST(watched_run(&s, &c, &w, err));
    assert_true(tsr_fitter_state(w.fitter)->seconds >= 0.05);
    assert_true(w.points > 1 && w.last == tsr_fitter_state(w.fitter)->iteration);
    clear_watch(&w);
    c = fit_config(10); /* points at 0, 3, 6, 9 and 10 */
    w = (struct watch){0};
    MUST(watched_run(&s, &c, &w, err));
    assert_int_equal(w.points, 5);
    /* 10 gradients over all pixels, 3 forward passes each */
    assert_true(tsr_fitter_state(w.fitter)->flops ==
                10.0 * 12 * 18 * 6 * (double)tsr_network_weights(&s.model->net));
    clear_watch(&w);
    clear_scene(&s);
}

static void settings_are_checked(void **state) {
    (void)state;
    struct tsr_fit_config c = fit_config(0);
    MUST_FAIL(tsr_fit_config_check(&c, err), TSR_ERR_CONFIG, "nothing bounds the run");
    c.target_psnr_db = 30;
    MUST(tsr_fit_config_check(&c, err));
    c.schedule = TSR_FIT_SCHEDULE_COSINE;
    MUST_FAIL(tsr_fit_config_check(&c, err), TSR_ERR_CONFIG, "cosine");
    c = fit_config(1);
    c.lr = (double)NAN;
    MUST_FAIL(tsr_fit_config_check(&c, err), TSR_ERR_CONFIG, "rate");
    for (double f = -0.5; f < 3; f += 1.75) { /* -0.5, 1.25 */
        c = fit_config(1);
        c.batch_fraction = f;
        MUST_FAIL(tsr_fit_config_check(&c, err), TSR_ERR_CONFIG, "batch fraction");
    }
    c = fit_config(1);
    c.every = 0;
    MUST_FAIL(tsr_fit_config_check(&c, err), TSR_ERR_CONFIG, "curve point");
}

static void divergence_is_an_error(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(12, 18, 1);
    struct scene s = make_scene(&config, 12, 18);
    struct tsr_fit_config c = fit_config(20);
    struct tsr_fitter *f;
    c.lr = 1e36;
    MUST(tsr_fitter_create(s.model, &c, &s.image, &f, err));
    MUST_FAIL(tsr_fitter_run(f, NULL, err), TSR_ERR_NUMERIC, "not finite");
    tsr_fitter_free(f);
    clear_scene(&s);
}

/* ---- the width for a number of parameters ------------------------------------------------------
 */

static size_t params_of(struct tsr_network_config config, size_t width) {
    struct tsr_net net;
    config.width = width;
    tsr_network_layout(&config, &net);
    return net.n_params;
}

static void widths_for_parameters(void **state) {
    (void)state;
    struct tsr_network_config config;
    tsr_network_config_default(&config);
    config.hidden_layers = 3;
    /* arXiv 2310.14184: one network of width 512 has 791,043; nine of width 170 have 794,097 */
    assert_int_equal(tsr_network_width_for(&config, 791043), 512);
    assert_int_equal(tsr_network_width_for(&config, 791043.0 / 9), 170);
    assert_int_equal(9 * params_of(config, 170), 794097);
    assert_int_equal(tsr_network_width_for(&config, 0), 1);
    assert_int_equal(tsr_network_width_for(&config, 1e30), TSR_MAX_WIDTH);
    for (int i = 0; i < 50; i++) {
        config.hidden_layers = draw_size(0, 4);
        double want = draw(10, 60000);
        size_t width = tsr_network_width_for(&config, want);
        double off = fabs((double)params_of(config, width) - want);
        for (size_t other = 1; other < 1000; other++)
            assert_true(off <= fabs((double)params_of(config, other) - want));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iterations_are_adam),
        TEST(what_does_not_adapt_stays),
        TEST(references_need_their_model),
        cmocka_unit_test(adaptations_that_do_not_fit),
        cmocka_unit_test(cut_cells_learn_the_whole_window),
        cmocka_unit_test(regions_that_follow_the_image),
        cmocka_unit_test(overlapping_cells),
        cmocka_unit_test(batches_walk_through_permutations),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(regions_at_the_target_freeze),
        cmocka_unit_test(one_region_is_the_image),
        cmocka_unit_test(a_model_is_where_it_starts),
        cmocka_unit_test(slots_of_regions),
        cmocka_unit_test(runs_end),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(divergence_is_an_error),
        cmocka_unit_test(widths_for_parameters),
    };
    return cmocka_run_group_tests_name("meta/fit", tests, NULL, NULL);
}
