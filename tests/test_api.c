/* SPDX-License-Identifier: MIT
 *
 * The library as its user sees it: what is called here is declared in include/tessera.h.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>

enum { N = 6, H = 16, W = 20, C = 3, SIZE = H * W * C };

static uint8_t bytes[N][SIZE];
static float floats[N][SIZE];
static uint16_t labels[N][H * W];
static struct tsr_dataset *dataset;
static struct tsr_model *model; /* grid 3x2, trained for three inner steps */

static void paint(void) {
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < (size_t)H * W; k++) {
            double y = (double)(k / W) / H, x = (double)(k % W) / W;
            for (size_t c = 0; c < C; c++) {
                double v = 0.5 + 0.3 * sin(6 * y + (double)i + (double)c) * cos(5 * x - (double)i);
                bytes[i][k * C + c] = (uint8_t)(255 * v);
                floats[i][k * C + c] = (float)bytes[i][k * C + c] / 255;
            }
            labels[i][k] = (uint16_t)((y + 0.1 * (double)i > 0.5) + (x > 0.6));
        }
}

static struct tsr_model *train(struct tsr_dataset *from, const char *rule, const char *overlap) {
    struct tsr_settings *settings;
    struct tsr_model *out;
    MUST(tsr_settings_create(&settings, err));
    MUST(tsr_settings_set(settings, "rule", rule, err));
    MUST(tsr_settings_set(settings, "overlap", overlap, err));
    MUST(tsr_settings_set(settings, "width", "8", err));
    MUST(tsr_settings_set(settings, "hidden-layers", "1", err));
    MUST(tsr_settings_set(settings, "outer_steps", "12", err));
    MUST(tsr_settings_set(settings, "batch", "2", err));
    MUST(tsr_model_train(from, settings, NULL, NULL, NULL, &out, err));
    tsr_settings_free(settings);
    return out;
}

static int set_up(void **state) {
    (void)state;
    paint();
    struct tsr_images images = tsr_images_bytes(bytes[0], N, H, W, C);
    MUST(tsr_dataset_from_images(&images, &dataset, err));
    model = train(dataset, "grid 3x2", "0");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tsr_model_free(model);
    tsr_dataset_free(dataset);
    return 0;
}

static struct tsr_inr *adapt(const struct tsr_model *m, size_t i) {
    struct tsr_images image = tsr_images_bytes(bytes[i], 1, H, W, C);
    struct tsr_inr *inr;
    image.labels = labels[i];
    MUST(tsr_model_adapt(m, &image, NULL, &inr, NULL, err));
    return inr;
}

/* ---- version, errors, sizes ------------------------------------------------------------------ */

static void test_version_and_statuses(void **state) {
    (void)state;
    assert_string_equal(tsr_version(), TSR_VERSION);
    assert_string_equal(tsr_status_name(TSR_ERR_NOT_FOUND), "not found");
    tsr_free(NULL);
    tsr_dataset_free(NULL);
    tsr_settings_free(NULL);
    tsr_model_free(NULL);
    tsr_inr_free(NULL);
}

static void test_null_is_refused(void **state) {
    (void)state;
    struct tsr_images image = tsr_images_bytes(bytes[0], 1, H, W, C);
    struct tsr_dataset_info d = {.size = sizeof d};
    struct tsr_model_info m = {.size = sizeof m};
    struct tsr_inr_info i = {.size = sizeof i};
    struct tsr_inr *inr = adapt(model, 0), *out;
    struct tsr_dataset *no_dataset;
    struct tsr_settings *settings;
    struct tsr_model *no_model;
    float f[4] = {0};
    uint8_t b;
    void *p;
    size_t n;
    char text[8];
    MUST(tsr_settings_create(&settings, err));
#define REFUSED(call) MUST_FAIL(call, TSR_ERR_ARGUMENT, "NULL")
    REFUSED(tsr_image_from_file("x", 0, NULL, err));
    REFUSED(tsr_image_from_file(NULL, 0, &image, err));
    image = tsr_images_bytes(bytes[0], 1, H, W, C);
    REFUSED(tsr_dataset_from_images(NULL, &no_dataset, err));
    REFUSED(tsr_dataset_from_images(&image, NULL, err));
    REFUSED(tsr_dataset_from_file(NULL, &no_dataset, err));
    REFUSED(tsr_dataset_from_file("x", NULL, err));
    REFUSED(tsr_dataset_get_info(NULL, &d, err));
    REFUSED(tsr_dataset_get_info(dataset, NULL, err));
    REFUSED(tsr_settings_create(NULL, err));
    REFUSED(tsr_settings_set(NULL, "width", "8", err));
    REFUSED(tsr_settings_set(settings, NULL, "8", err));
    REFUSED(tsr_settings_set(settings, "width", NULL, err));
    REFUSED(tsr_settings_get(NULL, "width", text, sizeof text, err));
    REFUSED(tsr_settings_get(settings, NULL, text, sizeof text, err));
    REFUSED(tsr_settings_get(settings, "width", NULL, 0, err));
    REFUSED(tsr_model_train(NULL, settings, NULL, NULL, NULL, &no_model, err));
    REFUSED(tsr_model_train(dataset, settings, NULL, NULL, NULL, NULL, err));
    REFUSED(tsr_model_from_file(NULL, &no_model, err));
    REFUSED(tsr_model_from_file("x", NULL, err));
    REFUSED(tsr_model_from_memory(NULL, 3, &no_model, err));
    REFUSED(tsr_model_from_memory("abc", 3, NULL, err));
    REFUSED(tsr_model_to_file(NULL, "x", err));
    REFUSED(tsr_model_to_file(model, NULL, err));
    REFUSED(tsr_model_to_memory(NULL, &p, &n, err));
    REFUSED(tsr_model_to_memory(model, NULL, &n, err));
    REFUSED(tsr_model_to_memory(model, &p, NULL, err));
    REFUSED(tsr_model_get_info(NULL, &m, err));
    REFUSED(tsr_model_get_info(model, NULL, err));
    REFUSED(tsr_model_adapt(NULL, &image, NULL, &out, NULL, err));
    REFUSED(tsr_model_adapt(model, NULL, NULL, &out, NULL, err));
    REFUSED(tsr_model_adapt(model, &image, NULL, NULL, NULL, err));
    REFUSED(tsr_inr_from_file(NULL, &out, err));
    REFUSED(tsr_inr_from_file("x", NULL, err));
    REFUSED(tsr_inr_from_memory(NULL, 3, &out, err));
    REFUSED(tsr_inr_from_memory("abc", 3, NULL, err));
    REFUSED(tsr_inr_to_file(NULL, "x", err));
    REFUSED(tsr_inr_to_file(inr, NULL, err));
    REFUSED(tsr_inr_to_memory(NULL, &p, &n, err));
    REFUSED(tsr_inr_to_memory(inr, NULL, &n, err));
    REFUSED(tsr_inr_to_memory(inr, &p, NULL, err));
    REFUSED(tsr_inr_get_info(NULL, &i, err));
    REFUSED(tsr_inr_get_info(inr, NULL, err));
    REFUSED(tsr_inr_get_params(NULL, 0, f, err));
    REFUSED(tsr_inr_get_params(inr, 0, NULL, err));
    REFUSED(tsr_inr_eval(NULL, f, 1, 0, f, err));
    REFUSED(tsr_inr_eval(inr, NULL, 1, 0, f, err));
    REFUSED(tsr_inr_eval(inr, f, 1, 0, NULL, err));
    REFUSED(tsr_inr_render_floats(NULL, 1, 1, 0, f, err));
    REFUSED(tsr_inr_render_floats(inr, 1, 1, 0, NULL, err));
    REFUSED(tsr_inr_render_bytes(NULL, 1, 1, 0, &b, err));
    REFUSED(tsr_inr_render_bytes(inr, 1, 1, 0, NULL, err));
#undef REFUSED
    assert_null(tsr_settings_name(NULL, 0));
    /* Nobody needs to want the message. */
    assert_int_equal(tsr_model_from_file("/nowhere/x", &no_model, NULL), TSR_ERR_IO);
    tsr_settings_free(settings);
    tsr_inr_free(inr);
}

/* What a caller of another version might hand in. */
static void test_sizes_of_structs(void **state) {
    (void)state;
    struct {
        struct tsr_adapt_settings known;
        size_t unknown;
    } newer = {.known = tsr_adapt_defaults()};
    struct tsr_adapt_settings older = tsr_adapt_defaults(), none = {0};
    struct tsr_images image = tsr_images_bytes(bytes[0], 1, H, W, C);
    struct tsr_adapt_report report = tsr_adapt_report_of(NULL, 0);
    struct tsr_inr *inr;
    newer.known.size = sizeof newer;
    MUST(tsr_model_adapt(model, &image, &newer.known, &inr, NULL, err));
    tsr_inr_free(inr);
    newer.unknown = 1;
    MUST_FAIL(tsr_model_adapt(model, &image, &newer.known, &inr, NULL, err), TSR_ERR_UNSUPPORTED,
              "beyond");
    assert_null(inr);
    /* One that ends before `kernel`: what stands there is somebody else's. */
    older.size = offsetof(struct tsr_adapt_settings, kernel);
    older.inner_steps = 2;
    older.kernel = "no such kernel";
    MUST(tsr_model_adapt(model, &image, &older, &inr, &report, err));
    assert_int_equal(report.inner_steps, 2);
    tsr_inr_free(inr);
    MUST_FAIL(tsr_model_adapt(model, &image, &none, &inr, NULL, err), TSR_ERR_ARGUMENT,
              "size is 0");
    report.size = 4;
    MUST_FAIL(tsr_model_adapt(model, &image, NULL, &inr, &report, err), TSR_ERR_ARGUMENT, "size");
    /* A report of an older caller is not written past its end. */
    report = tsr_adapt_report_of(NULL, 0);
    report.size = offsetof(struct tsr_adapt_report, flops);
    report.flops = -7;
    MUST(tsr_model_adapt(model, &image, NULL, &inr, &report, err));
    assert_true(report.flops == -7);
    assert_int_equal(report.regions, 6);
    tsr_inr_free(inr);
    image.size = 0;
    MUST_FAIL(tsr_model_adapt(model, &image, NULL, &inr, NULL, err), TSR_ERR_ARGUMENT,
              "tsr_images");
}

/* ---- image files ----------------------------------------------------------------------------- */

static void test_images_are_read(void **state) {
    (void)state;
    struct tsr_images image = tsr_images_bytes(NULL, 9, 9, 9, 9);
    char path[] = "/tmp/tsr_test_api_XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "wb");
    assert_non_null(file);
    (void)fprintf(file, "P6\n%d %d\n255\n", W, H);
    (void)fwrite(bytes[1], 1, SIZE, file);
    (void)fclose(file);
    MUST(tsr_image_from_file(path, 0, &image, err));
    assert_true(image.n == 1 && image.height == H && image.width == W && image.channels == C);
    assert_int_equal(image.type, TSR_PIXELS_U8);
    assert_memory_equal(image.pixels, bytes[1], SIZE);
    tsr_free((void *)image.pixels);
    MUST(tsr_image_from_file(path, 1, &image, err));
    assert_int_equal(image.channels, 1);
    tsr_free((void *)image.pixels);
    MUST_FAIL(tsr_image_from_file(path, 2, &image, err), TSR_ERR_ARGUMENT, "2 channels");
    assert_null(image.pixels);
    assert_int_equal(remove(path), 0);
    MUST_FAIL(tsr_image_from_file(path, 0, &image, err), TSR_ERR_IO, path);
    assert_null(image.pixels);
    image.size = 0;
    MUST_FAIL(tsr_image_from_file(path, 0, &image, err), TSR_ERR_ARGUMENT, "size is 0");
}

/* ---- settings and training ------------------------------------------------------------------- */

static void test_settings_by_name(void **state) {
    (void)state;
    struct tsr_settings *s;
    char text[128];
    MUST(tsr_settings_create(&s, err));
    MUST(tsr_settings_set(s, "rule", "grid 4x6", err));
    MUST(tsr_settings_get(s, "rule", text, sizeof text, err));
    assert_string_equal(text, "grid 4x6");
    MUST(tsr_settings_set(s, "rule", "grid 4", err));
    MUST(tsr_settings_get(s, "rule", text, sizeof text, err));
    assert_string_equal(text, "grid 4x4");
    MUST(tsr_settings_set(s, "rule", "grid 4x6", err));
    MUST(tsr_settings_set(s, "rows", "5", err));
    MUST(tsr_settings_get(s, "rule", text, sizeof text, err));
    assert_string_equal(text, "grid 5x6");
    MUST(tsr_settings_set(s, "net", "siren, omega_first 12.5", err));
    MUST(tsr_settings_get(s, "omega-first", text, sizeof text, err));
    assert_string_equal(text, "12.5");
    MUST(tsr_settings_set(s, "outer-lr", "2e-3", err));
    MUST(tsr_settings_get(s, "outer_lr", text, sizeof text, err));
    assert_string_equal(text, "0.002");
    MUST(tsr_settings_set(s, "method", "fomaml", err));
    MUST(tsr_settings_set(s, "rates", "per-step", err));
    MUST(tsr_settings_set(s, "slots", "per-region", err));
    MUST(tsr_settings_set(s, "threads", "1", err));
    MUST(tsr_settings_set(s, "kernel", "portable", err));
    MUST_FAIL(tsr_settings_set(s, "colour", "red", err), TSR_ERR_NOT_FOUND, "colour");
    MUST_FAIL(tsr_settings_set(s, "widht", "8", err), TSR_ERR_NOT_FOUND, "did you mean width?");
    MUST_FAIL(tsr_settings_set(s, "octaves", "4", err), TSR_ERR_NOT_FOUND, "octaves");
    MUST_FAIL(tsr_settings_set(s, "net", "mlp", err), TSR_ERR_NOT_FOUND, "mlp");
    MUST_FAIL(tsr_settings_set(s, "rule", "grid 0x6", err), TSR_ERR_CONFIG, "rows");
    MUST_FAIL(tsr_settings_set(s, "rule", "grid 4x6x8", err), TSR_ERR_CONFIG, "8");
    MUST_FAIL(tsr_settings_set(s, "rows", "0", err), TSR_ERR_CONFIG, "rows");
    MUST_FAIL(tsr_settings_set(s, "width", "8.5", err), TSR_ERR_CONFIG, "8.5");
    MUST_FAIL(tsr_settings_set(s, "width", "-8", err), TSR_ERR_CONFIG, "-8");
    MUST_FAIL(tsr_settings_set(s, "outer_lr", "nan", err), TSR_ERR_CONFIG, "nan");
    MUST_FAIL(tsr_settings_set(s, "outer_lr", "", err), TSR_ERR_CONFIG, "number");
    MUST_FAIL(tsr_settings_set(s, "rates", "some", err), TSR_ERR_NOT_FOUND, "per-step");
    MUST_FAIL(tsr_settings_set(s, "kernel", "gpu", err), TSR_ERR_NOT_FOUND, "gpu");
    MUST_FAIL(tsr_settings_get(s, "colour", text, sizeof text, err), TSR_ERR_NOT_FOUND, "colour");
    MUST_FAIL(tsr_settings_get(s, "rule", text, 8, err), TSR_ERR_SHAPE, "8 bytes");
    MUST(tsr_settings_get(s, "rule", text, 9, err));
    assert_string_equal(text, "grid 5x6");
    tsr_settings_free(s);
}

/* Every name that is listed can be read, and what is read can be set. */
static void test_settings_are_listed(void **state) {
    (void)state;
    struct tsr_settings *s;
    const char *name;
    char text[256];
    size_t n = 0;
    bool width = false;
    MUST(tsr_settings_create(&s, err));
    for (; (name = tsr_settings_name(s, n)); n++) {
        MUST(tsr_settings_get(s, name, text, sizeof text, err));
        MUST(tsr_settings_set(s, name, text, err));
        width |= strcmp(name, "width") == 0;
        assert_string_not_equal(name, "out_dim");
    }
    assert_true(width);
    assert_true(n > 30);
    tsr_settings_free(s);
}

struct watch {
    uint64_t calls, stop_at;
};

static int watch(void *user, const struct tsr_training_progress *p) {
    struct watch *w = user;
    w->calls++;
    assert_int_equal(p->outer_step, w->calls);
    assert_true(p->size == sizeof *p);
    assert_true(isfinite(p->train_psnr_db));
    return p->outer_step == w->stop_at;
}

static void assert_same_model(const struct tsr_model *a, const struct tsr_model *b, bool same) {
    void *p, *q;
    size_t n, m;
    MUST(tsr_model_to_memory(a, &p, &n, err));
    MUST(tsr_model_to_memory(b, &q, &m, err));
    assert_int_equal(n, m);
    assert_int_equal(memcmp(p, q, n) == 0, same);
    tsr_free(p);
    tsr_free(q);
}

static void test_training_can_be_cancelled(void **state) {
    (void)state;
    struct tsr_settings *s;
    struct tsr_model *m;
    struct watch w = {.stop_at = 3};
    MUST(tsr_settings_create(&s, err));
    MUST(tsr_settings_set(s, "rule", "grid 2x2", err));
    MUST(tsr_settings_set(s, "width", "8", err));
    MUST(tsr_settings_set(s, "batch", "2", err));
    MUST_FAIL(tsr_model_train(dataset, s, NULL, watch, &w, &m, err), TSR_ERR_INTERRUPTED, "3");
    assert_int_equal(w.calls, 3);
    assert_non_null(m);
    tsr_model_free(m);
    MUST(tsr_settings_set(s, "rule", "grid 99x99", err));
    MUST_FAIL(tsr_model_train(dataset, s, NULL, NULL, NULL, &m, err), TSR_ERR_CONFIG, "99");
    assert_null(m);
    tsr_settings_free(s);
}

static void test_training_starts_from_a_model(void **state) {
    (void)state;
    struct tsr_settings *s;
    struct tsr_model *m;
    struct tsr_model_info info = {.size = sizeof info};
    MUST(tsr_settings_create(&s, err));
    MUST(tsr_settings_set(s, "outer-steps", "1", err));
    MUST(tsr_settings_set(s, "batch", "2", err));
    MUST_FAIL(tsr_model_train(dataset, s, model, NULL, NULL, &m, err), TSR_ERR_SHAPE,
              "width of its network is 8");
    MUST(tsr_settings_set(s, "width", "8", err));
    MUST(tsr_settings_set(s, "hidden-layers", "1", err));
    MUST(tsr_settings_set(s, "net", "siren", err));
    MUST(tsr_model_train(dataset, s, model, NULL, NULL, &m, err));
    MUST(tsr_model_get_info(m, &info, err));
    assert_string_equal(info.rule, "grid 8x8");
    assert_int_equal(info.channels, C);
    assert_int_equal(info.height, H);
    assert_int_equal(info.width, W);
    assert_int_equal(info.slots, 1);
    assert_int_equal(info.inner_steps, 3);
    assert_int_equal(info.region_params, 2 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3);
    assert_non_null(strstr(info.network, "siren"));
    tsr_model_free(m);
    tsr_settings_free(s);
}

/* A run is a function of dataset and settings, and floats are as good as bytes. */
static void test_floats_train_as_bytes_do(void **state) {
    (void)state;
    struct tsr_images images = tsr_images_floats(floats[0], N, H, W, C);
    struct tsr_dataset *d;
    struct tsr_model *again = train(dataset, "grid 3x2", "0"), *other;
    assert_same_model(model, again, true);
    tsr_model_free(again);
    MUST(tsr_dataset_from_images(&images, &d, err));
    again = train(d, "grid 3x2", "0");
    assert_same_model(model, again, true);
    tsr_model_free(again);
    /* What 8 bits do not tell apart makes a difference. */
    for (size_t k = 0; k < SIZE; k++)
        floats[2][k] += k % 2 ? 1e-3F : -1e-3F;
    other = train(d, "grid 3x2", "0");
    assert_same_model(model, other, false);
    paint();
    tsr_model_free(other);
    tsr_dataset_free(d);
}

static void test_dataset_info(void **state) {
    (void)state;
    static const uint8_t split[N] = {0, 0, 1, 0, 2, 2};
    struct tsr_images images = tsr_images_bytes(bytes[0], N, H, W, C);
    struct tsr_dataset *d;
    struct tsr_dataset_info info = {.size = sizeof info};
    images.split = split;
    images.labels = labels[0];
    images.label_count = 3;
    MUST(tsr_dataset_from_images(&images, &d, err));
    MUST(tsr_dataset_get_info(d, &info, err));
    assert_int_equal(info.images, N);
    assert_int_equal(info.height, H);
    assert_int_equal(info.width, W);
    assert_int_equal(info.channels, C);
    assert_int_equal(info.train, 3);
    assert_int_equal(info.validation, 1);
    assert_int_equal(info.test, 2);
    assert_int_equal(info.label_count, 3);
    tsr_dataset_free(d);
    images.channels = 0;
    MUST_FAIL(tsr_dataset_from_images(&images, &d, err), TSR_ERR_ARGUMENT, "channel");
    MUST_FAIL(tsr_dataset_from_file("/nowhere/d.h5", &d, err), TSR_ERR_IO, "/nowhere/d.h5");
    assert_null(d);
}

/* ---- adapting -------------------------------------------------------------------------------- */

static void test_report(void **state) {
    (void)state;
    struct tsr_images image = tsr_images_bytes(bytes[1], 1, H, W, C);
    struct tsr_adapt_settings settings = tsr_adapt_defaults();
    double psnr_db[5] = {0, 0, 0, 0, -1};
    struct tsr_adapt_report r = tsr_adapt_report_of(psnr_db, 4);
    struct tsr_inr *inr;
    struct tsr_inr_info info = {.size = sizeof info};
    float out[SIZE];
    MUST(tsr_model_adapt(model, &image, NULL, &inr, &r, err));
    MUST(tsr_inr_get_info(inr, &info, err));
    MUST(tsr_inr_render_floats(inr, H, W, 0, out, err));
    double error = 0;
    for (size_t k = 0; k < SIZE; k++)
        error += pow((double)out[k] - bytes[1][k] / 255.0, 2);
    assert_int_equal(r.inner_steps, 3);
    assert_true(fabs(r.final_psnr_db - -10 * log10(error / SIZE)) < 1e-4);
    assert_true(psnr_db[3] == r.final_psnr_db && psnr_db[4] == -1);
    assert_true(psnr_db[0] < psnr_db[3]);
    assert_int_equal(r.regions, 6);
    assert_int_equal(info.regions, 6);
    assert_int_equal(r.numbers, 6 * info.region_params);
    assert_true(r.flops > 0 && r.seconds > 0);
    assert_int_equal(info.height, H);
    assert_int_equal(info.width, W);
    assert_int_equal(info.channels, C);
    assert_string_equal(info.rule, "grid 3x2");
    tsr_inr_free(inr);
    settings.no_steps = 1;
    MUST(tsr_model_adapt(model, &image, &settings, &inr, &r, err));
    assert_int_equal(r.inner_steps, 0);
    assert_true(r.final_psnr_db == psnr_db[0]);
    tsr_inr_free(inr);
}

static int stop(void *user) {
    ++*(int *)user;
    return 1;
}

static void test_adapting_can_be_cancelled(void **state) {
    (void)state;
    struct tsr_images image = tsr_images_bytes(bytes[1], 1, H, W, C);
    struct tsr_adapt_settings settings = tsr_adapt_defaults();
    struct tsr_inr *inr;
    int calls = 0;
    settings.cancelled = stop;
    settings.user = &calls;
    MUST_FAIL(tsr_model_adapt(model, &image, &settings, &inr, NULL, err), TSR_ERR_INTERRUPTED, "");
    assert_null(inr);
    assert_true(calls > 0);
}

static void test_images_that_do_not_fit(void **state) {
    (void)state;
    struct tsr_images image = tsr_images_bytes(bytes[0], 2, H, W, C);
    struct tsr_adapt_settings settings = tsr_adapt_defaults();
    struct tsr_inr *inr;
    MUST_FAIL(tsr_model_adapt(model, &image, NULL, &inr, NULL, err), TSR_ERR_ARGUMENT, "n is 2");
    image = tsr_images_bytes(bytes[0], 1, H, W, 1);
    MUST_FAIL(tsr_model_adapt(model, &image, NULL, &inr, NULL, err), TSR_ERR_SHAPE, "channel");
    image = tsr_images_bytes(bytes[0], 1, 2, W, C);
    MUST_FAIL(tsr_model_adapt(model, &image, NULL, &inr, NULL, err), TSR_ERR_CONFIG, "2x20");
    image = tsr_images_bytes(bytes[0], 1, H, W, C);
    settings.kernel = "no such";
    MUST_FAIL(tsr_model_adapt(model, &image, &settings, &inr, NULL, err), TSR_ERR_NOT_FOUND,
              "no such");
    image = tsr_images_floats(floats[0], 1, H, W, C);
    floats[0][77] = NAN;
    MUST_FAIL(tsr_model_adapt(model, &image, NULL, &inr, NULL, err), TSR_ERR_ARGUMENT, "nan");
    floats[0][77] = (float)bytes[0][77] / 255;
}

static void assert_same_params(const struct tsr_inr *a, const struct tsr_inr *b) {
    struct tsr_inr_info info = {.size = sizeof info};
    static float p[4096], q[4096];
    MUST(tsr_inr_get_info(a, &info, err));
    assert_true(info.region_params <= 4096);
    for (size_t r = 0; r < info.regions; r++) {
        MUST(tsr_inr_get_params(a, r, p, err));
        MUST(tsr_inr_get_params(b, r, q, err));
        assert_memory_equal(p, q, info.region_params * sizeof *p);
    }
    MUST_FAIL(tsr_inr_get_params(a, info.regions, p, err), TSR_ERR_ARGUMENT, "region");
}

static void test_floats_adapt_as_bytes_do(void **state) {
    (void)state;
    struct tsr_images image = tsr_images_floats(floats[3], 1, H, W, C);
    struct tsr_inr *a = adapt(model, 3), *b;
    MUST(tsr_model_adapt(model, &image, NULL, &b, NULL, err));
    assert_same_params(a, b);
    tsr_inr_free(a);
    tsr_inr_free(b);
}

/* ---- evaluation ------------------------------------------------------------------------------ */

/* At pixel centres, at its own size and others, evaluation is rendering. */
static void compare_at_pixels(const struct tsr_inr *inr, size_t height, size_t width) {
    size_t n = height * width;
    float *at = make(n * 2, sizeof *at), *a = make(n * C, sizeof *a), *b = make(n * C, sizeof *b);
    uint8_t *c = make(n * C, 1);
    for (size_t i = 0; i < n; i++) {
        at[2 * i] = (float)(((double)(i / width) + 0.5) * H / (double)height - 0.5);
        at[2 * i + 1] = (float)(((double)(i % width) + 0.5) * W / (double)width - 0.5);
    }
    MUST(tsr_inr_eval(inr, at, n, 2, a, err));
    MUST(tsr_inr_render_floats(inr, height, width, 2, b, err));
    MUST(tsr_inr_render_bytes(inr, height, width, 1, c, err));
    for (size_t i = 0; i < n * C; i++) {
        assert_true(fabs((double)a[i] - (double)b[i]) < 2e-5);
        double v = b[i] < 0 ? 0 : b[i] > 1 ? 1 : (double)b[i];
        assert_true(fabs(v * 255 - c[i]) <= 0.5 + 1e-3);
    }
    free(at);
    free(a);
    free(b);
    free(c);
}

static void test_evaluation_is_rendering(void **state) {
    (void)state;
    struct tsr_images images = tsr_images_bytes(bytes[0], N, H, W, C);
    struct tsr_dataset *d;
    static const char *const rules[][2] = {{"grid 3x2", "0"}, {"grid 3x2", "2"}, {"whole", "0"},
                                           {"labels", "0"},   {"labels", "2"},   {"segment 4", "1"},
                                           {"cell 7x6", "1"}, {"segment 5", "0"}};
    images.labels = labels[0];
    images.label_count = 3;
    MUST(tsr_dataset_from_images(&images, &d, err));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct tsr_model *m = train(d, rules[i][0], rules[i][1]);
        struct tsr_inr *inr = adapt(m, i % N);
        compare_at_pixels(inr, H, W);
        compare_at_pixels(inr, 2 * H, 4 * W);
        compare_at_pixels(inr, H / 2, 3 * W);
        tsr_inr_free(inr);
        tsr_model_free(m);
    }
    tsr_dataset_free(d);
}

static void test_points_anywhere(void **state) {
    (void)state;
    struct tsr_model *m = train(dataset, "grid 3x2", "2");
    struct tsr_inr *inr = adapt(m, 0);
    const float outside[4] = {-100, 3, 5, 1e6F};
    static float at[2 * 5000], together[5000 * C], one[C];
    for (size_t i = 0; i < 5000; i++) {
        at[2 * i] = (float)(i * 37 % 1000) / 1000 * (H + 4) - 2;
        at[2 * i + 1] = (float)(i * 101 % 1000) / 1000 * (W + 4) - 2;
    }
    MUST(tsr_inr_eval(inr, at, 5000, 2, together, err));
    for (size_t i = 0; i < 5000; i += 331) {
        MUST(tsr_inr_eval(inr, at + 2 * i, 1, 1, one, err));
        for (size_t c = 0; c < C; c++)
            assert_true(fabs((double)one[c] - (double)together[i * C + c]) < 1e-5);
    }
    MUST(tsr_inr_eval(inr, outside, 2, 0, together, err));
    MUST(tsr_inr_eval(inr, NULL, 0, 0, NULL, err));
    at[7] = NAN;
    MUST_FAIL(tsr_inr_eval(inr, at, 5000, 0, together, err), TSR_ERR_ARGUMENT, "point 3");
    MUST_FAIL(tsr_inr_render_floats(inr, 0, 5, 0, together, err), TSR_ERR_CONFIG, "0x5");
    MUST_FAIL(tsr_inr_render_bytes(inr, 5, 65536, 0, (uint8_t *)together, err), TSR_ERR_CONFIG,
              "65536");
    tsr_inr_free(inr);
    tsr_model_free(m);
}

/* The values do not depend on the threads. */
static void test_threads_give_the_same_bits(void **state) {
    (void)state;
    struct tsr_inr *inr = adapt(model, 2);
    static float at[2 * 9000], a[9000 * C], b[9000 * C];
    for (size_t i = 0; i < 9000; i++) {
        at[2 * i] = (float)(i * 37 % 997) / 997 * H;
        at[2 * i + 1] = (float)(i * 101 % 991) / 991 * W;
    }
    MUST(tsr_inr_eval(inr, at, 9000, 1, a, err));
    MUST(tsr_inr_eval(inr, at, 9000, 5, b, err));
    assert_memory_equal(a, b, sizeof a);
    tsr_inr_free(inr);
}

/* ---- any channels ---------------------------------------------------------------------------- */

static void test_five_channels(void **state) {
    (void)state;
    enum { M = 5 };
    static float pixels[2][H * W * M], out[H * W * M];
    struct tsr_images images = tsr_images_floats(pixels[0], 2, H, W, M);
    struct tsr_images image = tsr_images_floats(pixels[1], 1, H, W, M);
    struct tsr_adapt_report report = tsr_adapt_report_of(NULL, 0);
    struct tsr_dataset *d;
    struct tsr_inr *inr;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < (size_t)H * W * M; k++)
            pixels[i][k] = (float)(0.5 + 0.4 * sin((double)(k / M % W) * 0.3 + (double)(k % M)));
    MUST(tsr_dataset_from_images(&images, &d, err));
    struct tsr_model *m = train(d, "grid 2x2", "1");
    MUST(tsr_model_adapt(m, &image, NULL, &inr, &report, err));
    assert_true(isfinite(report.final_psnr_db));
    MUST(tsr_inr_render_floats(inr, H, W, 0, out, err));
    double error = 0;
    for (size_t k = 0; k < (size_t)H * W * M; k++)
        error += pow((double)out[k] - (double)pixels[1][k], 2);
    assert_true(fabs(report.final_psnr_db - -10 * log10(error / (H * W * M))) < 1e-4);
    tsr_inr_free(inr);
    tsr_model_free(m);
    tsr_dataset_free(d);
}

/* ---- memory and files ------------------------------------------------------------------------ */

static void test_model_round_trips(void **state) {
    (void)state;
    struct tsr_model *copy;
    void *p;
    size_t n;
    MUST(tsr_model_to_memory(model, &p, &n, err));
    MUST(tsr_model_from_memory(p, n, &copy, err));
    assert_same_model(model, copy, true);
    tsr_model_free(copy);
    for (size_t part = 0; part < n; part += n / 13 + 1)
        assert_int_not_equal(tsr_model_from_memory(p, part, &copy, NULL), TSR_OK);
    assert_int_not_equal(tsr_model_from_memory(p, n - 1, &copy, NULL), TSR_OK);
    MUST_FAIL(tsr_model_from_memory("not HDF5 at all", 15, &copy, err), TSR_ERR_FORMAT,
              "model in memory");
    assert_null(copy);
    struct tsr_inr *inr;
    MUST_FAIL(tsr_inr_from_memory(p, n, &inr, err), TSR_ERR_FORMAT, "tessera-inr");
    tsr_free(p);
    char path[] = "/tmp/test_api_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    MUST(tsr_model_to_file(model, path, err));
    MUST(tsr_model_from_file(path, &copy, err));
    assert_same_model(model, copy, true);
    tsr_model_free(copy);
    (void)remove(path);
    MUST_FAIL(tsr_model_from_file(path, &copy, err), TSR_ERR_IO, path);
    MUST_FAIL(tsr_model_to_file(model, "/nowhere/m.h5", err), TSR_ERR_IO, "/nowhere");
}

static void test_inr_round_trips(void **state) {
    (void)state;
    struct tsr_inr *inr = adapt(model, 4), *copy;
    void *p;
    size_t n;
    MUST(tsr_inr_to_memory(inr, &p, &n, err));
    MUST(tsr_inr_from_memory(p, n, &copy, err));
    assert_same_params(inr, copy);
    tsr_inr_free(copy);
    for (size_t part = 0; part < n; part += n / 13 + 1)
        assert_int_not_equal(tsr_inr_from_memory(p, part, &copy, NULL), TSR_OK);
    tsr_free(p);
    char path[] = "/tmp/test_api_XXXXXX";
    assert_true(mkstemp(path) >= 0);
    MUST(tsr_inr_to_file(inr, path, err));
    MUST(tsr_inr_from_file(path, &copy, err));
    assert_same_params(inr, copy);
    tsr_inr_free(copy);
    (void)remove(path);
    MUST_FAIL(tsr_inr_from_file(path, &copy, err), TSR_ERR_IO, path);
    tsr_inr_free(inr);
}

/* ---- threads of the caller ------------------------------------------------------------------- */

static void *adapt_all(void *user) {
    struct tsr_inr **out = user;
    for (size_t i = 0; i < N; i++)
        out[i] = adapt(model, i);
    return NULL;
}

static void test_two_threads_share_a_model(void **state) {
    (void)state;
    struct tsr_inr *alone[N], *both[2][N];
    pthread_t thread[2];
    (void)adapt_all(alone);
    for (size_t t = 0; t < 2; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, adapt_all, both[t]), 0);
    for (size_t t = 0; t < 2; t++)
        assert_int_equal(pthread_join(thread[t], NULL), 0);
    for (size_t i = 0; i < N; i++) {
        for (size_t t = 0; t < 2; t++) {
            assert_same_params(alone[i], both[t][i]);
            tsr_inr_free(both[t][i]);
        }
        tsr_inr_free(alone[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_and_statuses),
        cmocka_unit_test(test_null_is_refused),
        cmocka_unit_test(test_sizes_of_structs),
        cmocka_unit_test(test_images_are_read),
        cmocka_unit_test(test_settings_by_name),
        cmocka_unit_test(test_settings_are_listed),
        cmocka_unit_test(test_training_can_be_cancelled),
        cmocka_unit_test(test_training_starts_from_a_model),
        cmocka_unit_test(test_floats_train_as_bytes_do),
        cmocka_unit_test(test_dataset_info),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_adapting_can_be_cancelled),
        cmocka_unit_test(test_images_that_do_not_fit),
        cmocka_unit_test(test_floats_adapt_as_bytes_do),
        cmocka_unit_test(test_evaluation_is_rendering),
        cmocka_unit_test(test_points_anywhere),
        cmocka_unit_test(test_threads_give_the_same_bits),
        cmocka_unit_test(test_five_channels),
        cmocka_unit_test(test_model_round_trips),
        cmocka_unit_test(test_inr_round_trips),
        cmocka_unit_test(test_two_threads_share_a_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
