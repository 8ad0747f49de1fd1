/* SPDX-License-Identifier: MIT
 *
 * The survey of an evaluation against reconstructions made one by one; the bootstrap; the transfer
 * matrix; what ordinary learning needs to reach as much.
 */
#include "tests/test_image_helper.h"

#include "image/fit.h"
#include "image/reach.h"
#include "image/survey.h"
#include "image/transfer.h"

enum {
    HEIGHT = 13,
    WIDTH = 17,
    CHANNELS = 3,
    LAST = 2,
    STATES = LAST + 1,
    VALUES = HEIGHT * WIDTH * CHANNELS
};

static struct tsr_survey *survey_of(const struct tsr_model *model, struct tsr_dataset *data,
                                    struct tsr_evaluation *e) {
    struct tsr_reconstruct_config config = plain(model);
    struct tsr_survey *s;
    MUST(tsr_survey_create(model, data, TSR_SPLIT_TEST, 0, &config, false, &s, err));
    const struct tsr_evaluate_callbacks callbacks = {.observer = tsr_survey_observer(s)};
    MUST(tsr_evaluate(model, data, TSR_SPLIT_TEST, 0, &config, &callbacks, e, err));
    return s;
}

static double psnr(double error, double values) {
    return -10 * log10(error / values);
}

/* One image at a time, as nobody surveys it. */
struct alone {
    double psnr_db[STATES], error[STATES * 6];
    uint8_t pictures[STATES * VALUES], image[VALUES];
    tsr_real *phi;
};

static void reconstruct(struct tsr_reconstructor *r, struct tsr_dataset *data, size_t index,
                        struct alone *a) {
    struct tsr_reconstruction out = {
        .psnr_db = a->psnr_db, .region_error = a->error, .pictures = a->pictures, .phi = a->phi};
    MUST(tsr_dataset_read(data, index, a->image, err));
    MUST(tsr_reconstruct(r, TSR_BYTES(a->image), &out, err));
}

static double squared(const struct alone *a, size_t k, size_t pixel) {
    double sum = 0;
    for (size_t c = pixel * CHANNELS; c < (pixel + 1) * CHANNELS; c++)
        sum += pow((a->image[c] - a->pictures[k * VALUES + c]) / 255.0, 2);
    return sum;
}

/* Rows or columns to the nearest edge between cells, from the formula of the grid. */
static bool at_edge(size_t at, size_t length, size_t cells) {
    for (size_t i = 1; i < cells; i++) {
        size_t edge = i * length / cells;
        if (at < edge ? edge - at <= TSR_BORDER_PIXELS : at - edge < TSR_BORDER_PIXELS) return true;
    }
    return false;
}

static double border_share(const struct alone *a, size_t k, double *pixels) {
    double all = 0, there = 0, n = 0;
    for (size_t i = 0; i < HEIGHT * WIDTH; i++) {
        bool near = at_edge(i / WIDTH, HEIGHT, 2) || at_edge(i % WIDTH, WIDTH, 3);
        all += squared(a, k, i);
        there += near ? squared(a, k, i) : 0;
        n += near;
    }
    *pixels = n / (HEIGHT * WIDTH);
    return there / all;
}

static void a_survey_is_what_single_images_are(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_dataset *data = toy_data("a.h5", 24, HEIGHT, WIDTH, CHANNELS);
    struct tsr_evaluation e;
    struct tsr_survey *s = survey_of(model, data, &e);
    struct tsr_reconstruct_config steps = plain(model);
    struct tsr_reconstructor *r;
    struct alone a = {.phi = make(6 * model->net.n_params, sizeof(tsr_real))};
    double region[6][STATES] = {{0}}, map[STATES][HEIGHT * WIDTH] = {{0}}, share[STATES] = {0};
    double moved = 0, marked = 0;
    MUST(tsr_reconstructor_create(model, &steps, HEIGHT, WIDTH, &r, err));
    assert_int_equal(s->images, 6);
    assert_int_equal(s->n_regions, 6);
    assert_true(s->has_pictures && s->map_height == HEIGHT && s->map_width == WIDTH);
    for (size_t i = 0; i < s->images; i++) {
        reconstruct(r, data, s->index[i], &a);
        assert_int_equal(s->index[i], 4 * i + 3);
        ASSERT_SAME_BITS("PSNR", s->psnr_db + i * STATES, a.psnr_db, STATES);
        for (size_t k = 0; k < STATES; k++) {
            share[k] += border_share(&a, k, &marked) / 6;
            for (size_t p = 0; p < HEIGHT * WIDTH; p++)
                map[k][p] += squared(&a, k, p) / CHANNELS / 6;
            for (size_t g = 0; g < 6; g++) {
                double want = psnr(a.error[k * 6 + g], (double)s->regions[g].n_pixels * CHANNELS);
                assert_true(fabs(tsr_survey_psnr_db(s, i, g, k) - want) < 1e-5);
                region[g][k] += want / 6;
            }
        }
        for (size_t g = 0; g < 6; g++)
            for (size_t p = model->net.weight_at[1]; p < model->net.weight_at[2]; p++)
                moved +=
                    pow((double)a.phi[g * model->net.n_params + p] - (double)model->theta[p], 2);
    }
    for (size_t k = 0; k < STATES; k++) {
        assert_true(fabs(s->border_share[k] - share[k]) < 1e-12);
        for (size_t p = 0; p < HEIGHT * WIDTH; p++)
            assert_true(fabs(s->map_mse[k * HEIGHT * WIDTH + p] - map[k][p]) < 1e-12);
        for (size_t g = 0; g < 6; g++) {
            struct tsr_region_figures f;
            tsr_survey_region(s, g, k, &f);
            assert_true(fabs(f.psnr_db - region[g][k]) < 1e-5);
            assert_true(fabs(f.psnr_db - e.region_psnr_db[g * STATES + k]) < 1e-5);
        }
    }
    assert_true(fabs(s->border_pixels - marked) < 1e-12);
    moved = sqrt(moved / (36.0 * (double)(model->net.weight_at[2] - model->net.weight_at[1])));
    assert_true(moved > 0 && fabs(s->moved[1] / moved - 1) < 1e-6);
    free(a.phi);
    tsr_reconstructor_free(r);
    tsr_evaluation_clear(&e);
    tsr_survey_free(s);
    tsr_dataset_close(data);
    tsr_model_free(model);
}

/* Classes, of which an image has some: absent ones are in no figure. */
static void figures_of_what_is_there(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    uint8_t *images = toy_images(16, HEIGHT, WIDTH, CHANNELS);
    uint16_t *labels = toy_labels(16, HEIGHT, WIDTH, 4, 4);
    const struct toy_maps maps = {labels, 4, NULL};
    struct tsr_dataset *data;
    struct tsr_evaluation e;
    for (size_t i = 0; i < 3 * HEIGHT * WIDTH; i++) /* images 0 .. 2 */
        labels[i] = 0;
    for (size_t i = 0; i < HEIGHT * WIDTH; i++) /* the first of the split */
        labels[3 * HEIGHT * WIDTH + i] = i < WIDTH ? 1 : 3;
    MUST(tsr_dataset_open(toy_dataset_of("c.h5", images, 16, HEIGHT, WIDTH, CHANNELS, &maps), &data,
                          err));
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(labels, 4)};
    config.slots = TSR_SLOTS_PER_CLASS;
    struct tsr_model *model = toy_model(&config, 3);
    struct tsr_survey *s = survey_of(model, data, &e);
    struct tsr_region_figures f;
    uint32_t order[4];
    tsr_survey_region(s, 2, LAST, &f);
    assert_true(f.images == 0 && isnan(f.psnr_db) && isnan(f.worst_psnr_db));
    for (size_t g = 0; g < 4; g++) {
        double sum = 0, squares = 0, worst = (double)INFINITY, last = -(double)INFINITY;
        size_t n = 0;
        tsr_survey_region(s, g, LAST, &f);
        MUST(tsr_survey_order(s, g, LAST, order, err));
        for (size_t i = 0; i < 4; i++) {
            double x = tsr_survey_psnr_db(s, i, g, LAST),
                   y = tsr_survey_psnr_db(s, order[i], g, LAST);
            assert_true(isnan(x) == (s->n_pixels[i * 4 + g] == 0));
            assert_true(isnan(y) == (i >= f.images));
            if (!isnan(y)) assert_true(y >= last);
            if (!isnan(y)) last = y;
            if (isnan(x)) continue;
            n++, sum += x, squares += x * x;
            worst = fmin(worst, x);
        }
        assert_int_equal(f.images, n);
        if (n == 0) continue;
        double mean = sum / (double)n;
        assert_true(fabs(f.psnr_db - mean) < 1e-9 && f.worst_psnr_db == worst);
        assert_int_equal(f.worst_image, order[0]);
        if (n > 1)
            assert_true(fabs(f.psnr_db_std -
                             sqrt((squares - (double)n * mean * mean) / (double)(n - 1))) < 1e-6);
    }
    assert_int_equal(s->n_pixels[1], WIDTH);
    tsr_evaluation_clear(&e);
    tsr_survey_free(s);
    tsr_model_free(model);
    tsr_dataset_close(data);
    free(images);
    free(labels);
}

static void the_bootstrap(void **state) {
    (void)state;
    enum { N = 400 };
    double a[N], b[N], sum = 0, squares = 0;
    struct tsr_paired p, q;
    for (size_t i = 0; i < N; i++) {
        double gain = 0.3 + tsr_random_normal(5, TSR_STREAM_USER, i);
        a[i] = 30 + 8 * tsr_random_normal(6, TSR_STREAM_USER, i); /* much larger, and common */
        b[i] = a[i] + gain;
        sum += gain, squares += gain * gain;
    }
    double mean = sum / N, error = sqrt((squares / N - mean * mean) / N);
    MUST(tsr_paired_bootstrap(a, b, N, 4000, 1, 0, &p, err));
    assert_true(fabs(p.mean - mean) < 1e-9 && p.n == N && p.wins > N / 2);
    /* the interval of normal theory; the quantiles of 4000 samples scatter by some 4 % of it */
    assert_true(fabs(p.low - (mean - 1.96 * error)) < 0.2 * error);
    assert_true(fabs(p.high - (mean + 1.96 * error)) < 0.2 * error);
    MUST(tsr_paired_bootstrap(a, b, N, 4000, 1, 0, &q, err));
    assert_true(p.low == q.low && p.high == q.high);
    MUST(tsr_paired_bootstrap(a, b, N, 4000, 1, 1, &q, err));
    assert_true(p.low != q.low);
    MUST(tsr_paired_bootstrap(a, a, N, 100, 1, 0, &q, err));
    assert_true(q.mean == 0 && q.low == 0 && q.high == 0 && q.wins == 0);
    b[0] = (double)NAN, a[1] = (double)INFINITY;
    MUST(tsr_paired_bootstrap(a, b, N, 100, 1, 0, &q, err));
    assert_int_equal(q.n, N - 2);
    MUST(tsr_paired_bootstrap(a, b, 1, 100, 1, 0, &q, err));
    assert_true(q.n == 0 && isnan(q.mean) && isnan(q.low));
}

static void surveys_are_compared_pair_by_pair(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_model *x = toy_model(&config, 1), *y = toy_model(&config, 2);
    struct tsr_dataset *data = toy_data("p.h5", 16, HEIGHT, WIDTH, CHANNELS),
                       *more = toy_data("q.h5", 32, HEIGHT, WIDTH, CHANNELS);
    struct tsr_evaluation e;
    struct tsr_paired p, q;
    struct tsr_survey *a = survey_of(x, data, &e);
    tsr_evaluation_clear(&e);
    struct tsr_survey *b = survey_of(y, data, &e);
    tsr_evaluation_clear(&e);
    struct tsr_survey *other = survey_of(y, more, &e);
    tsr_evaluation_clear(&e);
    for (size_t g = 0; g <= 6; g++) {
        double sum = 0;
        MUST(tsr_survey_compare(a, b, g, 50, 1, &p, err));
        MUST(tsr_survey_compare(b, a, g, 50, 1, &q, err));
        for (size_t i = 0; i < 4; i++)
            sum += tsr_survey_psnr_db(b, i, g, LAST) - tsr_survey_psnr_db(a, i, g, LAST);
        assert_true(fabs(p.mean - sum / 4) < 1e-9 && fabs(p.mean + q.mean) < 1e-9);
        assert_true(p.low <= p.mean && p.mean <= p.high);
    }
    MUST_FAIL(tsr_survey_compare(a, other, 6, 50, 1, &p, err), TSR_ERR_ARGUMENT,
              "different images");
    tsr_survey_free(a);
    tsr_survey_free(b);
    tsr_survey_free(other);
    tsr_dataset_close(data);
    tsr_dataset_close(more);
    tsr_model_free(x);
    tsr_model_free(y);
}

static void the_transfer_matrix(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_dataset *data = toy_data("t.h5", 8, HEIGHT, WIDTH, CHANNELS);
    struct tsr_evaluation e;
    struct tsr_transfer t;
    struct tsr_model *shared = toy_model(&config, 1);
    struct tsr_reconstruct_config steps = plain(shared);
    MUST_FAIL(tsr_transfer_matrix(shared, data, TSR_SPLIT_TEST, 0, &steps, NULL, &t, err),
              TSR_ERR_CONFIG, "one slot");
    config.slots = TSR_SLOTS_PER_REGION;
    struct tsr_model *model = toy_model(&config, 1);
    MUST(tsr_transfer_matrix(model, data, TSR_SPLIT_TEST, 0, &steps, NULL, &t, err));
    MUST(tsr_evaluate(model, data, TSR_SPLIT_TEST, 0, &steps, NULL, &e, err));
    assert_true(t.n_slots == 6 && t.n_regions == 6 && t.images == 2);
    for (size_t g = 0; g < 6; g++) {
        /* the diagonal is the evaluation, the rest is something else */
        assert_true(t.psnr_db[g * 7] == e.region_psnr_db[g * STATES + LAST]);
        assert_true(t.psnr_db[g * 6 + (g + 1) % 6] !=
                    e.region_psnr_db[(g + 1) % 6 * STATES + LAST]);
    }
    tsr_transfer_clear(&t);
    tsr_evaluation_clear(&e);
    tsr_model_free(model);
    tsr_model_free(shared);
    tsr_dataset_close(data);
}

static void how_long_ordinary_learning_takes(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_dataset *data = toy_data("r.h5", 8, HEIGHT, WIDTH, CHANNELS);
    struct tsr_reach r;
    struct tsr_model *shared = toy_model(&config, 9);
    config.slots = TSR_SLOTS_PER_REGION;
    struct tsr_model *model = toy_model(&config, 9);
    struct tsr_reconstruct_config steps = plain(model);
    /* the random start is the model itself: it is there before it begins */
    steps.inner_steps = 0;
    MUST(tsr_reach(model, data, TSR_SPLIT_TEST, 1, &steps, 9, NULL, &r, err));
    assert_true(r.images == 1 && r.start[TSR_REACH_RANDOM].reached == 1);
    assert_true(r.start[TSR_REACH_RANDOM].iterations == 0);
    assert_true(r.has_mean_image && r.start[TSR_REACH_MEAN_IMAGE].reached == 1);
    /* after some steps: with the best rate as long as ordinary learning takes with it */
    steps.inner_steps = 2;
    MUST(tsr_reach(shared, data, TSR_SPLIT_TEST, 1, &steps, 4, NULL, &r, err));
    const struct tsr_reach_start *s = &r.start[TSR_REACH_RANDOM];
    uint64_t least = UINT64_MAX;
    assert_int_equal(s->reached, 1);
    for (size_t i = 0; i < tsr_reach_n_rates; i++) {
        struct tsr_fit_config fit;
        struct tsr_fitter *fitter;
        struct tsr_image image = {0};
        tsr_fit_config_default(&fit);
        fit.iterations = TSR_REACH_ITERATIONS;
        fit.target_psnr_db = r.psnr_db - 1e-6;
        fit.lr = tsr_reach_rates[i];
        fit.every = TSR_REACH_EVERY;
        fit.seed = 4;
        fit.threads = 1;
        fit.kernel = "reference";
        MUST(tsr_image_create(&image, HEIGHT, WIDTH, CHANNELS, err));
        MUST(tsr_dataset_read(data, 3, image.pixels, err));
        MUST(tsr_fitter_create(shared, &fit, &image, &fitter, err));
        MUST(tsr_fitter_run(fitter, NULL, err));
        if (tsr_fitter_state(fitter)->iteration < least)
            least = tsr_fitter_state(fitter)->iteration;
        tsr_fitter_free(fitter);
        tsr_image_clear(&image);
    }
    assert_true(s->iterations == (double)least);
    tsr_model_free(shared);
    tsr_model_free(model);
    tsr_dataset_close(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_survey_is_what_single_images_are),
        TEST(figures_of_what_is_there),
        TEST(the_bootstrap),
        TEST(surveys_are_compared_pair_by_pair),
        TEST(the_transfer_matrix),
        TEST(how_long_ordinary_learning_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
