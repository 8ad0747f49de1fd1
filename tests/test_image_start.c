/* SPDX-License-Identifier: MIT
 *
 * The principal start of a run, against its definition in plain formulas: units that are the waves
 * of a Fourier series, a last layer that is the mean of all tasks, one inner step that is a Newton
 * step, and directions better than others.
 */
#include "tests/test_image_helper.h"

#include <math.h>

#include "image/evaluate.h"
#include "image/training.h"

enum { CELL = 8, PIXELS = CELL * CELL, WIDTH = 40, OUT = 3, ROW = (WIDTH + 1) * OUT, D = 10 };
/* 128 images are looked at for the mean: each of the train split as often. */
enum { IMAGES = 64, TASKS = IMAGES / 2 * 4 };

static struct tsr_model_config config_of(size_t width, size_t numbers) {
    struct tsr_model_config config = toy_config(2 * CELL, 2 * CELL, OUT);
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(grid, 2, 2)};
    config.network.width = width;
    config.network.hidden_layers = 0;
    config.adaptation = tsr_choice_of(&tsr_adaptation_latent.object);
    config.adaptation.value[0] = (double)numbers;
    config.inner_lr = 0.1;
    return config;
}

static enum tsr_status start(const struct tsr_model_config *config, enum tsr_start kind,
                             struct tsr_dataset *data, size_t threads, struct tsr_training **out,
                             struct tsr_error *error) {
    struct tsr_trainer_config trainer;
    tsr_trainer_config_default(&trainer);
    trainer.outer_steps = 1;
    trainer.start = kind;
    trainer.threads = threads;
    return tsr_training_create(config, &trainer, data, NULL, out, error);
}

/* Values of the units and of the bias at the pixels of a cell. */
static void features(const struct tsr_model *m, double f[PIXELS][WIDTH + 1]) {
    const tsr_real *w = m->theta + m->net.weight_at[0], *b = m->theta + m->net.bias_at[0];
    for (size_t p = 0; p < PIXELS; p++) {
        double row = 2 * ((double)(p / CELL) + 0.5) / CELL - 1,
               col = 2 * ((double)(p % CELL) + 0.5) / CELL - 1;
        for (size_t j = 0; j < WIDTH; j++)
            f[p][j] = sin(m->net.omega[0] *
                          ((double)w[2 * j] * row + (double)w[2 * j + 1] * col + (double)b[j]));
        f[p][WIDTH] = 1;
    }
}

/* The parameters of the last layer in the order [out, width + 1]. */
static void last_layer(const struct tsr_model *m, const tsr_real *phi, double *out) {
    for (size_t o = 0; o < OUT; o++)
        for (size_t j = 0; j <= WIDTH; j++)
            out[o * (WIDTH + 1) + j] = (double)
                phi[j < WIDTH ? m->net.weight_at[1] + o * WIDTH + j : m->net.bias_at[1] + o];
}

/* Gradient of the mean squared error by the last layer, of residuals r [PIXELS, OUT]. */
static void gradient(double f[PIXELS][WIDTH + 1], const double *r, double *g) {
    for (size_t o = 0; o < OUT; o++)
        for (size_t j = 0; j <= WIDTH; j++) {
            double sum = 0;
            for (size_t p = 0; p < PIXELS; p++)
                sum += r[p * OUT + o] * f[p][j];
            g[o * (WIDTH + 1) + j] = 2 * sum / (PIXELS * OUT);
        }
}

static void add_outputs(double f[PIXELS][WIDTH + 1], const double *last, double factor, double *r) {
    for (size_t p = 0; p < PIXELS; p++)
        for (size_t o = 0; o < OUT; o++)
            for (size_t j = 0; j <= WIDTH; j++)
                r[p * OUT + o] += factor * f[p][j] * last[o * (WIDTH + 1) + j];
}

static double norm(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* Residuals of task `at` of the train split at theta. */
static void residuals(const struct tsr_model *m, struct tsr_dataset *data, size_t at,
                      double f[PIXELS][WIDTH + 1], double *r) {
    uint8_t pixels[4 * PIXELS * OUT];
    double theta[ROW];
    size_t n, region = at % 4;
    const uint32_t *index = tsr_dataset_split(data, TSR_SPLIT_TRAIN, &n);
    MUST(tsr_dataset_read(data, index[at / 4], pixels, err));
    for (size_t i = 0; i < PIXELS * OUT; i++) {
        size_t row = region / 2 * CELL + i / OUT / CELL, col = region % 2 * CELL + i / OUT % CELL;
        r[i] = m->config.network.output_offset -
               pixels[(row * 2 * CELL + col) * OUT + i % OUT] / 255.0;
    }
    last_layer(m, m->theta, theta);
    add_outputs(f, theta, 1, r);
}

/* What one inner step along the basis leaves of the error of all tasks, as a share; the largest
 * share of a gradient by the numbers that is left; the norm of the mean gradient by its mean norm.
 */
static void one_step(const struct tsr_model *m, struct tsr_dataset *data, double *left,
                     double *slope, double *mean) {
    static double f[PIXELS][WIDTH + 1], basis[D][ROW];
    double before = 0, after = 0, sum[ROW] = {0}, norms = 0;
    features(m, f);
    for (size_t d = 0; d < D; d++)
        last_layer(m, m->basis + d * m->net.n_params, basis[d]);
    *slope = 0;
    for (size_t at = 0; at < TASKS; at++) {
        double r[PIXELS * OUT], g[ROW], z[2][D], step[ROW] = {0};
        residuals(m, data, at, f, r);
        before += pow(norm(r, PIXELS * OUT), 2);
        gradient(f, r, g);
        norms += norm(g, ROW);
        for (size_t i = 0; i < ROW; i++)
            sum[i] += g[i];
        for (size_t d = 0; d < D; d++) {
            z[0][d] = 0;
            for (size_t i = 0; i < ROW; i++)
                z[0][d] += basis[d][i] * g[i];
            for (size_t i = 0; i < ROW; i++)
                step[i] -= (double)m->rates.value[d] * z[0][d] * basis[d][i];
        }
        add_outputs(f, step, 1, r);
        after += pow(norm(r, PIXELS * OUT), 2);
        gradient(f, r, g);
        for (size_t d = 0; d < D; d++) {
            z[1][d] = 0;
            for (size_t i = 0; i < ROW; i++)
                z[1][d] += basis[d][i] * g[i];
        }
        *slope = fmax(*slope, norm(z[1], D) / norm(z[0], D));
    }
    *left = after / before;
    *mean = norm(sum, ROW) / norms;
}

/* Turns the directions by random amounts into others that the units reach as well, as long. */
static void mix(struct tsr_model *m, const struct tsr_model *all, size_t n_all) {
    size_t n = m->net.n_params;
    for (size_t d = 0; d < D; d++) {
        double turn[ROW], length = 0;
        for (size_t k = 0; k < n_all; k++)
            length += pow(turn[k] = draw(-1, 1), 2);
        memset(m->basis + d * n, 0, n * sizeof *m->basis);
        for (size_t k = 0; k < n_all; k++)
            for (size_t i = 0; i < n; i++)
                m->basis[d * n + i] += (tsr_real)(turn[k] / sqrt(length)) * all->basis[k * n + i];
    }
}

static struct tsr_dataset *toys(void) {
    return toy_data("start.h5", IMAGES, 2 * CELL, 2 * CELL, OUT);
}

static void check_principal(void **state) {
    (void)state;
    enum { ALL = 60 };
    struct tsr_model_config config = config_of(WIDTH, D), wide = config_of(WIDTH, ALL);
    struct tsr_dataset *data = toys();
    struct tsr_training *training, *random, *every;
    double left, slope, mean, left_of_others, unused;
    MUST(start(&config, TSR_START_PRINCIPAL, data, 1, &training, err));
    one_step(tsr_training_model(training), data, &left, &slope, &mean);
    assert_true(mean < 0.05); /* directions that the units hardly reach are left alone */
    assert_true(slope < 1e-3);
    assert_true(left < 0.03);
    /* as many other directions leave more; what is drawn at random has none of it */
    MUST(start(&wide, TSR_START_PRINCIPAL, data, 1, &every, err));
    mix((struct tsr_model *)(uintptr_t)tsr_training_model(training), tsr_training_model(every),
        ALL);
    one_step(tsr_training_model(training), data, &left_of_others, &unused, &unused);
    assert_true(left_of_others > 1.5 * left);
    MUST(start(&config, TSR_START_RANDOM, data, 1, &random, err));
    one_step(tsr_training_model(random), data, &unused, &slope, &mean);
    assert_true(mean > 0.2 && slope > 0.1);
    tsr_training_free(training);
    tsr_training_free(random);
    tsr_training_free(every);
    tsr_dataset_close(data);
}

/* Cosine and sine of each wave, no wave twice, none longer than one before it. */
static void check_waves(void **state) {
    (void)state;
    struct tsr_model_config config = config_of(WIDTH, D);
    struct tsr_model *m = toy_model(&config, 1);
    m->net.kind->waves(&m->net, -1, 1, m->theta);
    const tsr_real *w = m->theta + m->net.weight_at[0], *b = m->theta + m->net.bias_at[0];
    for (size_t i = 0; i + 1 < WIDTH; i += 2) {
        ASSERT_SAME_BITS("one wave", w + 2 * i, w + 2 * i + 2, 2);
        assert_true(fabs(m->net.omega[0] * (double)(b[i] - b[i + 1]) - 1.5707963) < 1e-5);
        for (size_t k = 0; k < i; k += 2) {
            double x = (double)w[2 * i], y = (double)w[2 * i + 1], u = (double)w[2 * k],
                   v = (double)w[2 * k + 1];
            assert_true(fmin(hypot(x - u, y - v), hypot(x + u, y + v)) > 1e-3);
            assert_true(hypot(x, y) > hypot(u, v) - 1e-6);
        }
    }
    tsr_model_free(m);
}

static void check_threads_and_slots(void **state) {
    (void)state;
    struct tsr_model_config config = config_of(WIDTH, D);
    struct tsr_dataset *data = toys();
    struct tsr_training *one, *two;
    config.slots = TSR_SLOTS_PER_REGION;
    MUST(start(&config, TSR_START_PRINCIPAL, data, 1, &one, err));
    MUST(start(&config, TSR_START_PRINCIPAL, data, 2, &two, err));
    const struct tsr_model *a = tsr_training_model(one), *b = tsr_training_model(two);
    size_t n = a->net.n_params;
    ASSERT_SAME_BITS("theta", a->theta, b->theta, 4 * n);
    ASSERT_SAME_BITS("basis", a->basis, b->basis, 4 * D * n);
    for (size_t slot = 1; slot < 4; slot++) {
        ASSERT_SAME_BITS("theta of a slot", a->theta, a->theta + slot * n, n);
        ASSERT_SAME_BITS("basis of a slot", a->basis, a->basis + slot * D * n, D * n);
    }
    tsr_training_free(one);
    tsr_training_free(two);
    tsr_dataset_close(data);
}

/* Mean PSNR over the test split after each of the model's inner steps, from a context. */
static void measure_context(const struct tsr_model *m, struct tsr_dataset *data,
                            struct tsr_context_config context, double *psnr_db) {
    struct tsr_reconstruct_config config = plain(m);
    struct tsr_evaluation e;
    config.context = context;
    MUST(tsr_evaluate(m, data, TSR_SPLIT_TEST, 0, &config, NULL, &e, err));
    memcpy(psnr_db, e.psnr_db, (m->config.inner_steps + 1) * sizeof *psnr_db);
    tsr_evaluation_clear(&e);
}

/* Larger images with detail that no context tells all of. */
static struct tsr_dataset *textures(void) {
    enum { SIDE = 8 * CELL, ALL = 16 * SIDE * SIDE * OUT };
    struct tsr_dataset *data;
    uint8_t *images = toy_images(16, SIDE, SIDE, OUT);
    for (size_t i = 0; i < ALL; i++)
        images[i] =
            (uint8_t)(images[i] * 0.6 +
                      50 * sin((double)(i / OUT % SIDE) * (double)(i / SIDE / OUT % SIDE) / 9) +
                      50);
    MUST(tsr_dataset_open(toy_dataset_of("textures.h5", images, 16, SIDE, SIDE, OUT, NULL), &data,
                          err));
    free(images);
    return data;
}

/* A start for a context, and another whose directions and rates are those of the whole image: the
 * first comes nearer, and does not depend on the number of threads. */
static void check_context(struct tsr_context_config context, double gain_db) {
    enum { K = 2, TOLD = 40 };
    struct tsr_model_config config = config_of(WIDTH, TOLD);
    struct tsr_dataset *data = textures();
    struct tsr_training *one, *two, *whole;
    double psnr_db[K + 1], whole_db[K + 1];
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(cell, CELL, CELL)};
    config.inner_steps = K;
    MUST(start(&config, TSR_START_PRINCIPAL, data, 1, &whole, err));
    config.context = context;
    MUST(start(&config, TSR_START_PRINCIPAL, data, 1, &one, err));
    MUST(start(&config, TSR_START_PRINCIPAL, data, 2, &two, err));
    const struct tsr_model *m = tsr_training_model(one), *n = tsr_training_model(two);
    ASSERT_SAME_BITS("rates", m->rates.value, n->rates.value, K * TOLD);
    ASSERT_SAME_BITS("basis", m->basis, n->basis, TOLD * m->net.n_params);
    measure_context(m, data, context, psnr_db);
    measure_context(tsr_training_model(whole), data, context, whole_db);
    assert_true(psnr_db[1] > psnr_db[0] + 1);
    for (size_t k = 1; k <= K; k++)
        assert_true(psnr_db[k] > whole_db[k] + gain_db);
    tsr_training_free(one);
    tsr_training_free(two);
    tsr_training_free(whole);
    tsr_dataset_close(data);
}

/* Of a part of the pixels a Newton step gives more noise than image. */
static void check_drawn_context(void **state) {
    (void)state;
    check_context((struct tsr_context_config){0.3, 1}, 1);
}

/* Of a reduced image it gives what the context cannot tell apart, too. */
static void check_reduced_context(void **state) {
    (void)state;
    check_context((struct tsr_context_config){1, 2}, 0.1);
}

static void check_refusal(void **state) {
    (void)state;
    struct tsr_model_config config = config_of(4, 16);
    struct tsr_dataset *data = toys();
    struct tsr_training *training;
    MUST_FAIL(start(&config, TSR_START_PRINCIPAL, data, 1, &training, err), TSR_ERR_CONFIG,
              "16 numbers of a region are to adapt, but the 4 units before the last layer span 15");
    assert_null(training);
    tsr_dataset_close(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(check_waves),         TEST(check_principal),       TEST(check_threads_and_slots),
        TEST(check_drawn_context), TEST(check_reduced_context), TEST(check_refusal),
    };
    return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
