/* SPDX-License-Identifier: MIT
 *
 * Model files: round trips of every kind, files that others wrote, and files that must be refused
 * with a message, before anything large is allocated.
 */
#include "tests/test_meta_runs.h"

#include <sys/resource.h>

#include "image/checkpoint.h"
#include "image/reconstruct.h"

/* ---- round trips -------------------------------------------------------------------------------
 */

static void same_config(const struct tsr_model_config *a, const struct tsr_model_config *b) {
    assert_true(tsr_choice_equal(&a->network.kind, &b->network.kind));
    assert_int_equal(a->network.in_dim, b->network.in_dim);
    assert_int_equal(a->network.out_dim, b->network.out_dim);
    assert_int_equal(a->network.width, b->network.width);
    assert_int_equal(a->network.hidden_layers, b->network.hidden_layers);
    assert_true(a->network.output_offset == b->network.output_offset);
    assert_true(tsr_choice_equal(&a->partition.rule, &b->partition.rule));
    assert_true(a->coords.lo == b->coords.lo && a->coords.hi == b->coords.hi);
    assert_int_equal(a->coords.sampling, b->coords.sampling);
    assert_int_equal(a->coords.frame, b->coords.frame);
    assert_int_equal(a->slots, b->slots);
    assert_int_equal(a->inner_steps, b->inner_steps);
    assert_int_equal(a->rates, b->rates);
    assert_true(a->inner_lr == b->inner_lr);
    assert_int_equal(a->inner_loss, b->inner_loss);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->width, b->width);
}

static void check_round_trip(const struct tsr_model_config *config) {
    const char *path = in_folder("m.h5");
    struct tsr_model *model = toy_model(config, 9), *back;
    MUST(tsr_model_save(model, path, err));
    MUST(tsr_model_load(path, &back, err));
    same_config(&model->config, &back->config);
    assert_int_equal(back->n_slots, model->n_slots);
    assert_int_equal(back->net.n_params, model->net.n_params);
    assert_memory_equal(&back->net, &model->net, sizeof model->net);
    assert_int_equal(tsr_rates_count(&back->rates), tsr_rates_count(&model->rates));
    ASSERT_SAME_BITS("theta", back->theta, model->theta, model->n_slots * model->net.n_params);
    ASSERT_SAME_BITS("rates", back->rates.value, model->rates.value,
                     tsr_rates_count(&model->rates));
    tsr_model_free(model);
    tsr_model_free(back);
}

static void every_kind_of_rates_and_slots(void **state) {
    (void)state;
    for (int kind = 0; kind < 7; kind++)
        for (int slots = 0; slots < 2; slots++)
            for (size_t steps = 0; steps <= 3; steps += 3) {
                struct tsr_model_config config = toy_config(16, 24, 3);
                config.rates = (enum tsr_rates_kind)kind;
                config.slots = (enum tsr_slots)slots;
                config.inner_steps = steps;
                check_round_trip(&config);
            }
}

static void every_setting(void **state) {
    (void)state;
    const struct tsr_partition_rule rules[] = {{.rule = TSR_RULE(whole, 0)},
                                               {.rule = TSR_RULE(grid, 4, 5)},
                                               {.rule = TSR_RULE(cell, 7, 11)}};
    for (int i = 0; i < 12; i++) {
        struct tsr_model_config config = toy_config(30, 41, i % 2 ? 1 : 3);
        config.network.hidden_layers = (size_t)i % 3;
        config.network.output_offset = -0.1;
        config.network.kind = siren(8, 17.25);
        config.partition = rules[i % 3];
        config.coords = (struct tsr_coords){-0.5, 0.1 * i + 0.3, (enum tsr_sampling)(i % 3),
                                            (enum tsr_frame)(i % 2)};
        config.slots = (enum tsr_slots)(i / 3 % 2);
        config.inner_loss = (enum tsr_inner_loss)(i / 6);
        config.inner_lr = 1.0 / 3;
        check_round_trip(&config);
        config.network.kind = relu_pe((size_t)i * 5, 0.3);
        check_round_trip(&config);
    }
}

/* Each kind has attributes of its own. */
static void kinds_of_networks(void **state) {
    (void)state;
    const char *path = in_folder("relu.h5");
    struct tsr_model_config config = toy_config(16, 16, 3);
    config.network.kind = relu_pe(10, 1);
    struct tsr_model *model = toy_model(&config, 9);
    struct tsr_h5 *file;
    char kind[16];
    MUST(tsr_model_save(model, path, err));
    MUST(tsr_h5_open(path, &file, err));
    MUST(tsr_h5_read_attr_str(file, "/network", "kind", kind, sizeof kind, err));
    assert_string_equal(kind, "relu-pe");
    assert_true(tsr_h5_has_attr(file, "/network", "octaves"));
    assert_false(tsr_h5_has_attr(file, "/network", "omega_first"));
    tsr_h5_close(file);
    /* 20 angles, sine and cosine: 40 inputs */
    assert_int_equal(model->net.n_params, (40 + 1) * 8 + (8 + 1) * 8 + (8 + 1) * 3);
    tsr_model_free(model);
}

/* The paper's network: 2 coordinates, 60 octaves, 512 wide (its code: 912,899 parameters). */
static void parameters_of_the_paper(void **state) {
    (void)state;
    struct tsr_network_config config;
    struct tsr_net net;
    tsr_network_config_default(&config);
    config.kind = relu_pe(60, 1), config.width = 512, config.hidden_layers = 3;
    tsr_network_layout(&config, &net);
    assert_int_equal(net.n_params, 912899);
    config.width = 148;
    tsr_network_layout(&config, &net);
    assert_int_equal(9 * net.n_params, 920439);
}

/* Values that only bits tell apart. */
static void unusual_numbers(void **state) {
    (void)state;
    const char *path = in_folder("m.h5");
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_model *model = toy_model(&config, 9), *back;
    const tsr_real odd[] = {(tsr_real)-0.0, (tsr_real)1e-42, (tsr_real)3e38, (tsr_real)1 / 3};
    memcpy(model->theta, odd, sizeof odd);
    MUST(tsr_model_save(model, path, err));
    MUST(tsr_model_load(path, &back, err));
    ASSERT_SAME_BITS("theta", back->theta, model->theta, model->net.n_params);
    tsr_model_free(model);
    tsr_model_free(back);
}

/* ---- files of others ---------------------------------------------------------------------------
 */

/* A file such as h5py writes: the settings needed and float64 weights, and nothing else. One
 * setting can be left out or replaced. */
struct foreign {
    const char *without; /* attribute or dataset to leave out */
    struct {
        const char *name;
        double value;
    } instead[3];               /* numbers to replace, and by what */
    const char *text_of, *text; /* name of the string to replace, and by what */
    size_t layer_rows;          /* 0: as the settings say; else the rows of /init/layer1/weight */
};

static void put_number(struct tsr_h5 *file, const struct foreign *how, const char *group,
                       const char *name, double value) {
    if (how->without && strcmp(how->without, name) == 0) return;
    double number = value;
    for (size_t i = 0; i < 3; i++)
        if (how->instead[i].name && strcmp(how->instead[i].name, name) == 0)
            number = how->instead[i].value;
    if (number == floor(number) && fabs(number) < 1e18)
        MUST(tsr_h5_write_attr_i64(file, group, name, (int64_t)number, err));
    else
        MUST(tsr_h5_write_attr_f64(file, group, name, number, err));
}

static void put_text(struct tsr_h5 *file, const struct foreign *how, const char *group,
                     const char *name, const char *text) {
    if (how->without && strcmp(how->without, name) == 0) return;
    bool other = how->text_of && strcmp(how->text_of, name) == 0;
    MUST(tsr_h5_write_attr_str(file, group, name, other ? how->text : text, err));
}

static void put_values(struct tsr_h5 *file, const struct foreign *how, const char *path,
                       size_t rank, size_t a, size_t b, size_t c) {
    const size_t dims[3] = {a, b, c};
    size_t n = a * b * (rank > 2 ? c : 1);
    if (how->without && strcmp(how->without, path) == 0) return;
    double *values = make(n, sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = draw(-0.5, 0.5);
    MUST(tsr_h5_write(file, path, TSR_H5_F64, rank, dims, values, 0, err));
    free(values);
}

static const char *write_foreign(const struct foreign *how) {
    const char *path = in_folder("foreign.h5");
    const double rate = 0.01;
    struct tsr_h5 *file;
    MUST(tsr_h5_create(path, &file, err));
    put_text(file, how, "/", "format", "tessera-model");
    put_number(file, how, "/", "format_version", 1);
    put_text(file, how, "/network", "kind", "siren");
    put_number(file, how, "/network", "in_dim", 2);
    put_number(file, how, "/network", "out_dim", 3);
    put_number(file, how, "/network", "width", 6);
    put_number(file, how, "/network", "hidden_layers", 0);
    put_number(file, how, "/network", "omega_first", 12.5);
    put_number(file, how, "/network", "omega_hidden", 30);
    put_number(file, how, "/network", "output_offset", 0.5);
    put_number(file, how, "/network", "coord_lo", -1);
    put_number(file, how, "/network", "coord_hi", 1);
    put_text(file, how, "/network", "coord_sampling", "center");
    put_text(file, how, "/network", "coord_frame", "region");
    put_text(file, how, "/partition", "rule", "grid");
    put_number(file, how, "/partition", "rows", 2);
    put_number(file, how, "/partition", "cols", 2);
    put_text(file, how, "/partition", "slots", "shared");
    put_number(file, how, "/inner", "steps", 2);
    put_text(file, how, "/inner", "rates", "fixed");
    if (!how->without || strcmp(how->without, "/inner/rate") != 0)
        MUST(tsr_h5_write(file, "/inner/rate", TSR_H5_F64, 0, NULL, &rate, 0, err));
    put_values(file, how, "/init/layer0/weight", 3, 1, 6, 2);
    put_values(file, how, "/init/layer0/bias", 2, 1, 6, 0);
    put_values(file, how, "/init/layer1/weight", 3, 1, how->layer_rows ? how->layer_rows : 3, 6);
    put_values(file, how, "/init/layer1/bias", 2, 1, 3, 0);
    MUST(tsr_h5_commit(file, err));
    tsr_h5_close(file);
    return path;
}

/* Loads and reconstructs; cannot be resumed. */
static void file_without_outer(void **state) {
    (void)state;
    const struct foreign plain = {0};
    const char *path = write_foreign(&plain);
    struct tsr_model *model;
    struct tsr_reconstructor *r;
    struct tsr_reconstruct_config config;
    double psnr[3];
    struct tsr_reconstruction out = {.psnr_db = psnr};
    MUST(tsr_model_load(path, &model, err));
    size_t n = 0;
    double *weight = read_array(path, "/init/layer1/weight", &n);
    ASSERT_CLOSE("weight", model->theta + model->net.weight_at[1], weight, n, 1e-7);
    free(weight);
    tsr_reconstruct_config_default(model, &config);
    MUST(tsr_reconstructor_create(model, &config, 12, 14, &r, err));
    uint8_t *image = toy_images(1, 12, 14, 3);
    MUST(tsr_reconstruct(r, TSR_BYTES(image), &out, err));
    assert_true(isfinite(psnr[0]) && psnr[2] > psnr[0]);
    free(image);
    tsr_reconstructor_free(r);
    tsr_model_free(model);
    struct tsr_training *trainer;
    struct tsr_trainer_config resume = {.outer_steps = 1};
    const char *data = toy_dataset("data.h5", 4, 12, 14, 3);
    MUST_FAIL(resume_training(path, &resume, data, &trainer, err), TSR_ERR_FORMAT,
              "there is no /outer; this model cannot be resumed, only used to start from");
}

/* ---- files that are refused --------------------------------------------------------------------
 */

static void refuse(const struct foreign *how, enum tsr_status status, const char *text) {
    const char *path = write_foreign(how);
    struct tsr_model *model = (struct tsr_model *)&path;
    MUST_FAIL(tsr_model_load(path, &model, err), status, text);
    MUST_FAIL(tsr_model_load(path, &model, err), status, "foreign.h5");
    assert_null(model);
}

#define WITHOUT(name, message) refuse(&(struct foreign){.without = (name)}, TSR_ERR_FORMAT, message)
#define NUMBER(name, number, message)                                                              \
    refuse(&(struct foreign){.instead = {{(name), (number)}}}, TSR_ERR_FORMAT, message)
#define TEXT(name, string, message)                                                                \
    refuse(&(struct foreign){.text_of = (name), .text = (string)}, TSR_ERR_FORMAT, message)

static void something_missing(void **state) {
    (void)state;
    static const char *const attributes[] = {
        "format_version", "kind",          "in_dim",         "out_dim",
        "width",          "hidden_layers", "omega_first",    "output_offset",
        "coord_lo",       "coord_hi",      "coord_sampling", "coord_frame",
        "rule",           "slots",         "steps",          "rates"};
    static const char *const datasets[] = {"/init/layer0/weight", "/init/layer0/bias",
                                           "/init/layer1/weight", "/init/layer1/bias",
                                           "/inner/rate"};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        WITHOUT(attributes[i], attributes[i]);
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++)
        WITHOUT(datasets[i], datasets[i]);
    WITHOUT("format", "attribute format is \"absent\"; expected \"tessera-model\"");
}

static void wrong_names(void **state) {
    (void)state;
    TEXT("format", "tessera-inr", "attribute format is \"tessera-inr\"");
    TEXT("coord_sampling", "centre", "edge, center, endpoints");
    TEXT("coord_frame", "cell", "image, region");
    TEXT("rule", "hexagons", "partition rule \"hexagons\" is unknown");
    TEXT("slots", "own", "shared, per-region");
    TEXT("rates", "learned", "per-param-per-step");
    TEXT("kind", "wire", "network kind \"wire\" is unknown; known are siren, relu-pe");
}

static void other_versions(void **state) {
    (void)state;
    refuse(&(struct foreign){.instead = {{"format_version", 2}}}, TSR_ERR_VERSION,
           "format_version is 2; this program reads 1 to 1");
    refuse(&(struct foreign){.instead = {{"format_version", 0}}}, TSR_ERR_VERSION, "is 0");
    refuse(&(struct foreign){.instead = {{"format_version", 1e15}}}, TSR_ERR_VERSION,
           "format_version");
}

static void numbers_out_of_range(void **state) {
    (void)state;
    NUMBER("in_dim", 3, "in_dim is 3");
    NUMBER("in_dim", 0, "in_dim is 0");
    NUMBER("out_dim", 65, "out_dim is 65");
    NUMBER("width", 0, "width is 0");
    NUMBER("width", -6, "width");
    NUMBER("width", 1e15, "width is 1000000000000000");
    NUMBER("hidden_layers", 63, "hidden_layers is 63");
    NUMBER("hidden_layers", -1, "hidden_layers");
    NUMBER("omega_first", (double)NAN, "omega_first is nan");
    NUMBER("omega_first", 0, "omega_first is 0");
    NUMBER("omega_hidden", (double)INFINITY, "omega_hidden is inf");
    NUMBER("output_offset", (double)NAN, "output_offset is nan");
    NUMBER("coord_lo", (double)NAN, "coordinate range");
    NUMBER("coord_hi", -1, "coordinate range");
    NUMBER("rows", 0, "grid: rows is 0");
    NUMBER("cols", 1e9, "grid: cols is 1000000000");
    NUMBER("steps", 1001, "inner_steps is 1001");
    NUMBER("steps", -1, "steps");
}

static void wrong_shapes(void **state) {
    (void)state;
    NUMBER("width", 7, "/init/layer0/weight");
    NUMBER("out_dim", 1, "/init/layer1/weight");
    NUMBER("hidden_layers", 1, "layer1");
    refuse(&(struct foreign){.layer_rows = 4}, TSR_ERR_FORMAT, "/init/layer1/weight");
    /* per-region slots: 4 of them, not 1 */
    TEXT("slots", "per-region", "/init/layer0/weight is for 1 slots; /partition asks for 4");
    TEXT("rates", "per-step", "/inner/rate");
    TEXT("rates", "per-param", "/inner/layer0/weight_rate");
}

static size_t peak_kilobytes(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss;
}

/* Allowed settings that ask for gigabytes, and a file that does not hold them. */
static void large_settings_are_not_believed(void **state) {
    (void)state;
    size_t before = peak_kilobytes();
    refuse(&(struct foreign){.instead = {{"width", 4096}, {"hidden_layers", 62}}}, TSR_ERR_FORMAT,
           "/init/layer0/weight");
    refuse(&(struct foreign){.instead = {{"hidden_layers", 62}}}, TSR_ERR_FORMAT, "layer1");
    refuse(&(struct foreign){.instead = {{"rows", 60000}, {"cols", 60000}},
                             .text_of = "slots",
                             .text = "per-region"},
           TSR_ERR_FORMAT, "asks for 3600000000");
    refuse(&(struct foreign){.instead = {{"steps", 1000}},
                             .text_of = "rates",
                             .text = "per-param-per-step"},
           TSR_ERR_FORMAT, "/inner/layer0/weight_rate");
    assert_true(peak_kilobytes() - before < 100000);
}

static void truncated_files(void **state) {
    (void)state;
    const char *path = in_folder("m.h5"), *cut = in_folder("cut.h5");
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_model *model = toy_model(&config, 3), *back;
    size_t size;
    MUST(tsr_model_save(model, path, err));
    tsr_model_free(model);
    unsigned char *bytes = slurp(path, &size);
    for (size_t i = 0; i < 40; i++) {
        size_t length = i < 8 ? i : i < 39 ? size * i / 40 : size - 1;
        struct tsr_error err = {0};
        write_file(cut, bytes, length);
        enum tsr_status status = tsr_model_load(cut, &back, &err);
        if (status != TSR_ERR_FORMAT && status != TSR_ERR_IO)
            fail_msg("%zu of %zu bytes: status %d", length, size, (int)status);
        assert_non_null(strstr(err.message, "cut.h5"));
        assert_null(back);
    }
    free(bytes);
    MUST_FAIL(tsr_model_load(in_folder("none.h5"), &back, err), TSR_ERR_IO, "none.h5");
}

/* A failed save leaves what was there. */
static void failed_save(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_model *model = toy_model(&config, 3);
    MUST_FAIL(tsr_model_save(model, in_folder("no/m.h5"), err), TSR_ERR_IO, "no/m.h5");
    assert_int_equal(files_in_folder(), 0);
    MUST(tsr_model_save(model, in_folder("m.h5"), err));
    MUST(tsr_model_save(model, in_folder("m.h5"), err));
    assert_int_equal(files_in_folder(), 1);
    tsr_model_free(model);
}

/* ---- checkpoints with a damaged /outer ---------------------------------------------------------
 */

/* A checkpoint of a run whose settings and moments are good. */
static struct tsr_outer_state good_state(const struct tsr_model *model) {
    struct tsr_outer_state state;
    MUST(tsr_outer_state_create(model->n_slots * model->net.n_params, 0,
                                tsr_rates_count(&model->rates), &state, err));
    tsr_trainer_config_default(&state.config);
    state.config.outer_steps = 5;
    state.config.outer_lr = 1e-3;
    state.config.batch = 2;
    state.progress.outer_step = 3;
    state.progress.skipped = 4;
    state.progress.train_psnr_db = 20.25;
    state.progress.val_psnr_db = (double)NAN; /* none yet */
    draw_all(state.m_theta, model->net.n_params, -1, 1);
    draw_all(state.v_rates, tsr_rates_count(&model->rates), 0, 1);
    return state;
}

static void checkpoint_round_trip(void **state) {
    (void)state;
    const char *path = in_folder("run.h5");
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_model *model = toy_model(&config, 1), *back, *plain;
    struct tsr_outer_state outer = good_state(model), found;
    outer.progress.outer_step = 100;
    for (int i = 0; i < 100; i++) {
        struct tsr_history_line line = {i, 0.5 * i, 20 + i, 19 + i, 1e-3};
        MUST(tsr_outer_state_add_history(&outer, &line, err));
    }
    struct tsr_origin origin = {.has_dataset = true, .dataset.names_digest = UINT64_MAX - 5}, again;
    (void)snprintf(origin.kernel, sizeof origin.kernel, "some kernel");
    MUST(tsr_checkpoint_save(model, &outer, &origin, path, err));
    MUST(tsr_checkpoint_load(path, &back, &found, &again, err));
    assert_memory_equal(&again.dataset, &origin.dataset, sizeof again.dataset);
    assert_string_equal(again.kernel, origin.kernel);
    MUST(tsr_model_load(path, &plain, err)); /* a checkpoint is a model like any other */
    ASSERT_SAME_BITS("theta", back->theta, model->theta, model->net.n_params);
    ASSERT_SAME_BITS("theta", plain->theta, model->theta, model->net.n_params);
    ASSERT_SAME_BITS("m", found.m_theta, outer.m_theta, model->net.n_params);
    ASSERT_SAME_BITS("v", found.v_rates, outer.v_rates, tsr_rates_count(&model->rates));
    assert_int_equal(found.n_history, 100);
    assert_memory_equal(found.history, outer.history, 100 * sizeof *found.history);
    assert_int_equal(found.progress.outer_step, 100);
    assert_int_equal(found.progress.skipped, 4);
    assert_true(found.progress.train_psnr_db == 20.25 && isnan(found.progress.val_psnr_db));
    assert_int_equal(found.config.batch, 2);
    assert_true(found.config.beta2 == outer.config.beta2 && found.config.outer_lr == 1e-3);
    tsr_outer_state_clear(&outer);
    tsr_outer_state_clear(&found);
    tsr_model_free(model);
    tsr_model_free(back);
    tsr_model_free(plain);
}

#define DAMAGED(field, number, status, message)                                                    \
    do {                                                                                           \
        struct tsr_outer_state damaged = good_state(model);                                        \
        struct tsr_trainer_config now = {.threads = 1};                                            \
        struct tsr_training *trainer;                                                              \
        damaged.field = (number);                                                                  \
        MUST(tsr_checkpoint_save(model, &damaged, NULL, path, err));                               \
        MUST_FAIL(resume_training(path, &now, data, &trainer, err), status, message);              \
        assert_null(trainer);                                                                      \
        tsr_outer_state_clear(&damaged);                                                           \
    } while (0)

static void damaged_checkpoints(void **state) {
    (void)state;
    const char *path = in_folder("run.h5"), *data = toy_dataset("data.h5", 4, 16, 16, 3);
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_model *model = toy_model(&config, 1);
    DAMAGED(config.batch, 0, TSR_ERR_CONFIG, "batch is 0");
    DAMAGED(config.batch, SIZE_MAX, TSR_ERR_FORMAT, "batch");
    DAMAGED(config.region_fraction, (double)NAN, TSR_ERR_CONFIG, "region_fraction is nan");
    DAMAGED(config.outer_lr, (double)NAN, TSR_ERR_CONFIG, "outer_lr is nan");
    DAMAGED(config.beta1, 2, TSR_ERR_CONFIG, "beta1 is 2");
    DAMAGED(config.clip, -1, TSR_ERR_CONFIG, "clip is -1");
    DAMAGED(config.outer_steps, 0, TSR_ERR_CONFIG, "a bound is needed");
    tsr_model_free(model);
}

/* ---- starting from a model ---------------------------------------------------------------------
 */

static void shared_slot_expands(void **state) {
    (void)state;
    for (int kind = 0; kind < 7; kind++) {
        struct tsr_model_config config = toy_config(16, 16, 3);
        config.rates = (enum tsr_rates_kind)kind;
        struct tsr_model *from = toy_model(&config, 3);
        config.slots = TSR_SLOTS_PER_REGION;
        struct tsr_model *model = toy_model(&config, 4), *again = toy_model(&config, 5);
        MUST(tsr_model_init_from(model, from, err));
        size_t n = model->net.n_params;
        assert_int_equal(model->n_slots, 6);
        for (size_t s = 0; s < 6; s++) {
            ASSERT_SAME_BITS("theta", model->theta + s * n, from->theta, n);
            for (size_t k = 0; k < model->rates.n_steps; k++)
                ASSERT_SAME_BITS("rates", model->rates.value + tsr_rates_at(&model->rates, k, s),
                                 from->rates.value + tsr_rates_at(&from->rates, k, 0),
                                 model->rates.n_units);
        }
        model->theta[5 * n] = 7;
        MUST(tsr_model_init_from(again, model, err));
        ASSERT_SAME_BITS("slot by slot", again->theta, model->theta, 6 * n);
        tsr_model_free(from);
        tsr_model_free(model);
        tsr_model_free(again);
    }
}

/* Rates of another kind or number of inner steps stay as they are. */
static void other_rates_stay(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_model *from = toy_model(&config, 3);
    config.inner_steps = 4;
    struct tsr_model *model = toy_model(&config, 4);
    size_t n = tsr_rates_count(&model->rates);
    tsr_real *kept = make(n, sizeof *kept);
    memcpy(kept, model->rates.value, n * sizeof *kept);
    MUST(tsr_model_init_from(model, from, err));
    ASSERT_SAME_BITS("theta", model->theta, from->theta, model->net.n_params);
    ASSERT_SAME_BITS("rates", model->rates.value, kept, n);
    free(kept);
    tsr_model_free(from);
    tsr_model_free(model);
}

static void refuse_init(struct tsr_model_config from, struct tsr_model_config config,
                        const char *text) {
    struct tsr_model *a = toy_model(&from, 3), *b = toy_model(&config, 4);
    MUST_FAIL(tsr_model_init_from(b, a, err), TSR_ERR_SHAPE, text);
    tsr_model_free(a);
    tsr_model_free(b);
}

static void unlike_networks_refused(void **state) {
    (void)state;
    const struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_model_config other, wanted;
#define REFUSE_WITH(change, text)                                                                  \
    do {                                                                                           \
        other = config;                                                                            \
        other.change;                                                                              \
        refuse_init(other, config, text);                                                          \
    } while (0)
    REFUSE_WITH(network.width = 9, "width of its network is 9, not 8");
    REFUSE_WITH(network.hidden_layers = 2, "hidden_layers of its network is 2, not 1");
    REFUSE_WITH(network.out_dim = 1, "out_dim of its network is 1, not 3");
    REFUSE_WITH(network.output_offset = 0.25, "output_offset of its network is 0.25, not 0.5");
    REFUSE_WITH(network.kind = siren(15, 30), "omega_first of its network is 15, not 8");
    REFUSE_WITH(network.kind = siren(8, 29), "omega_hidden of its network is 29, not 30");
    REFUSE_WITH(network.kind = relu_pe(4, 1), "its network is relu-pe, not siren");
    REFUSE_WITH(coords.lo = 0, "coord_lo of its network is 0, not -1");
    REFUSE_WITH(coords.hi = 2, "coord_hi of its network is 2, not 1");
    REFUSE_WITH(coords.sampling = TSR_SAMPLING_ENDPOINTS,
                "coord_sampling of its network is endpoints, not center");
    REFUSE_WITH(coords.frame = TSR_FRAME_IMAGE, "coord_frame of its network is image, not region");
    REFUSE_WITH(slots = TSR_SLOTS_PER_REGION, "it has 6 slots; 1 or 1 (shared) are needed");
    wanted = other, wanted.partition.rule.value[0] = 1;
    refuse_init(other, wanted, "it has 6 slots; 3 or 1 (shared) are needed");
    other = wanted = config, wanted.network.kind = relu_pe(4, 1);
    other.network.kind = relu_pe(9, 1);
    refuse_init(other, wanted, "octaves of its network is 9, not 4");
    other.network.kind = relu_pe(4, 2);
    refuse_init(other, wanted, "pe_omega of its network is 2, not 1");
}

/* ---- settings ----------------------------------------------------------------------------------
 */

#define REFUSED(field, value, text)                                                                \
    do {                                                                                           \
        struct tsr_model_config refused = toy_config(16, 16, 3);                                   \
        struct tsr_model *model;                                                                   \
        refused.field = (value);                                                                   \
        MUST_FAIL(tsr_model_config_check(&refused, err), TSR_ERR_CONFIG, text);                    \
        MUST_FAIL(tsr_model_create(&refused, 1, &model, err), TSR_ERR_CONFIG, text);               \
        assert_null(model);                                                                        \
    } while (0)

static void refuse_encoding(size_t octaves, double pe_omega, const char *text) {
    struct tsr_network_config config = toy_config(16, 16, 3).network;
    config.kind = relu_pe(octaves, pe_omega);
    MUST_FAIL(tsr_network_config_check(&config, err), TSR_ERR_CONFIG, text);
}

static void settings_refused(void **state) {
    (void)state;
    REFUSED(network.in_dim, 3, "images have 2 coordinates");
    REFUSED(network.out_dim, 0, "out_dim is 0; it must be 1 to 64");
    REFUSED(network.width, 4097, "width is 4097; it must be 1 to 4096");
    REFUSED(network.hidden_layers, 63, "hidden_layers is 63; it must be 0 to 62");
    REFUSED(network.kind, siren(-1, 30), "omega_first is -1");
    REFUSED(network.kind, siren(15, (double)NAN), "omega_hidden is nan");
    REFUSED(network.kind, (struct tsr_choice){0}, "network kind is not set");
    REFUSED(network.kind, (struct tsr_choice){.object = refused.network.kind.object + 1},
            "network kind is not set");
    REFUSED(network.output_offset, (double)INFINITY, "output_offset is inf");
    refuse_encoding(65, 0.5, "octaves is 65; it must be a whole number, 0 to 64");
    refuse_encoding(4, 0, "pe_omega is 0; it must be 1e-09 to 1000000");
    refuse_encoding(4, -1, "pe_omega is -1");
    refuse_encoding(4, 2e6, "pe_omega is 2000000; it must be 1e-09 to 1000000");
    refuse_encoding(4, (double)NAN, "pe_omega is nan");
    REFUSED(partition.rule.value[0], 0, "grid: rows is 0");
    REFUSED(coords.lo, 1, "coordinate range");
    REFUSED(inner_steps, 1001, "inner_steps is 1001; it must be 0 to 1000");
    REFUSED(inner_lr, 0, "inner_lr is 0; it must be positive");
    REFUSED(inner_lr, (double)NAN, "inner_lr is nan");
    REFUSED(inner_lr, (double)INFINITY, "inner_lr is inf");
    REFUSED(height, 65536, "65536x16 pixels");
    REFUSED(width, 70000, "16x70000 pixels");
    struct tsr_model_config cells = toy_config(0, 0, 3);
    cells.slots = TSR_SLOTS_PER_REGION;
    MUST(tsr_model_config_check(&cells, err));
    cells.partition = (struct tsr_partition_rule){.rule = TSR_RULE(cell, 8, 8)};
    MUST_FAIL(tsr_model_config_check(&cells, err), TSR_ERR_CONFIG, "need the size of the images");
}

/* N(0, 2 / in), biases 0 (arXiv 1502.01852). */
static void kaiming_initialisation(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(16, 16, 3);
    config.network.kind = relu_pe(4, 1);
    config.network.width = 200;
    struct tsr_model *m;
    MUST(tsr_model_create(&config, 1, &m, err));
    for (size_t l = 0; l < m->net.n_layers; l++) {
        double sum = 0, squares = 0, n = (double)(m->net.bias_at[l] - m->net.weight_at[l]);
        for (size_t i = m->net.weight_at[l]; i < m->net.bias_at[l]; i++) {
            double w = (double)m->theta[i];
            sum += w, squares += w * w;
        }
        double variance = 2.0 / (double)m->net.fan_in[l];
        assert_true(fabs(sum / n) < 5 * sqrt(variance / n));
        assert_true(fabs(squares / n / variance - 1) < 5 * sqrt(2 / n));
        for (size_t o = 0; o < m->net.fan_out[l]; o++)
            assert_true(m->theta[m->net.bias_at[l] + o] == 0);
    }
    tsr_model_free(m);
}

static void random_initialisation(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(16, 16, 3);
    config.slots = TSR_SLOTS_PER_REGION;
    struct tsr_model *a, *b, *c;
    MUST(tsr_model_create(&config, 1, &a, err));
    MUST(tsr_model_create(&config, 1, &b, err));
    MUST(tsr_model_create(&config, 2, &c, err));
    size_t n = a->net.n_params;
    ASSERT_SAME_BITS("theta", a->theta, b->theta, 6 * n);
    assert_memory_not_equal(a->theta, c->theta, n * sizeof *a->theta);
    assert_memory_not_equal(a->theta, a->theta + n, n * sizeof *a->theta);
    for (size_t i = 0; i < tsr_rates_count(&a->rates); i++)
        assert_true(a->rates.value[i] == (tsr_real)0.01);
    tsr_model_free(a);
    tsr_model_free(b);
    tsr_model_free(c);
    tsr_model_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_rates_and_slots),
        TEST(kinds_of_networks),
        TEST(kaiming_initialisation),
        TEST(parameters_of_the_paper),
        TEST(every_setting),
        TEST(unusual_numbers),
        TEST(file_without_outer),
        TEST(something_missing),
        TEST(wrong_names),
        TEST(other_versions),
        TEST(numbers_out_of_range),
        TEST(wrong_shapes),
        TEST(large_settings_are_not_believed),
        TEST(truncated_files),
        TEST(failed_save),
        TEST(checkpoint_round_trip),
        TEST(damaged_checkpoints),
        cmocka_unit_test(shared_slot_expands),
        cmocka_unit_test(other_rates_stay),
        cmocka_unit_test(unlike_networks_refused),
        cmocka_unit_test(settings_refused),
        cmocka_unit_test(random_initialisation),
    };
    return cmocka_run_group_tests_name("model files", tests, NULL, NULL);
}
