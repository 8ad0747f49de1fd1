/* SPDX-License-Identifier: MIT
 *
 * Training and evaluation on datasets whose regions follow the images: label maps with classes that
 * are missing in some images or in all, segmentations stored and computed, anchors.
 */
#include "tests/test_meta_runs.h"

#include "image/evaluate.h"
#include "image/geometry.h"
#include "image/regions.h"
#include "meta/meta_gradient.h"
#include "partition/segmentation.h"

enum { N = 16, H = 16, W = 16, C = 3, CLASSES = 5 };

static const struct tsr_partition_rule labels_rule = {.rule = TSR_RULE(labels, 0)},
                                       segment_rule = {.rule = TSR_RULE(segment, 4)};

static struct tsr_model_config config_of(struct tsr_partition_rule rule, enum tsr_slots slots) {
    struct tsr_model_config config = toy_config(0, 0, C);
    config.partition = rule;
    config.slots = slots;
    return config;
}

/* A dataset with label maps of CLASSES, of which those of the bits in `absent` occur nowhere. */
static const char *labelled_dataset(const char *name, unsigned absent) {
    uint8_t *images = toy_images(N, H, W, C);
    uint16_t *labels = toy_labels(N, H, W, CLASSES, absent);
    const struct toy_maps maps = {labels, CLASSES, NULL};
    const char *path = toy_dataset_of(name, images, N, H, W, C, &maps);
    free(images);
    free(labels);
    return path;
}

/* ---- classes that are missing -------------------------------------------------------------------
 */

/* A slot of a checkpoint: initialisation, rates and Adam's moments of both. */
static void same_slot(const char *a, const char *b, size_t slot, bool same) {
    static const char *const arrays[4] = {"/outer/theta_m", "/outer/theta_v", "/outer/rates_m",
                                          "/outer/rates_v"};
    struct tsr_model *x, *y;
    MUST(tsr_model_load(a, &x, err));
    MUST(tsr_model_load(b, &y, err));
    size_t n = x->net.n_params * sizeof *x->theta;
    const tsr_real *p = x->theta + slot * x->net.n_params, *q = y->theta + slot * x->net.n_params;
    assert_int_equal(memcmp(p, q, n) == 0, same);
    for (size_t k = 0; k < x->rates.n_steps; k++) {
        size_t at = tsr_rates_at(&x->rates, k, slot);
        bool equal = memcmp(x->rates.value + at, y->rates.value + at,
                            x->rates.n_units * sizeof *x->rates.value) == 0;
        assert_int_equal(equal, same);
        for (size_t i = 0; i < 4; i++) {
            size_t size, from = i < 2 ? slot * x->net.n_params : at;
            size_t count = i < 2 ? x->net.n_params : x->rates.n_units;
            double *u = read_array(a, arrays[i], &size), *v = read_array(b, arrays[i], &size);
            assert_true(from + count <= size);
            assert_int_equal(memcmp(u + from, v + from, count * sizeof *u) == 0, same);
            free(u);
            free(v);
        }
    }
    tsr_model_free(x);
    tsr_model_free(y);
}

/* Class 2 never occurs: its slot stays as it was made, with moments of zero. */
static void class_that_never_occurs(void **state) {
    (void)state;
    const char *data = labelled_dataset("data.h5", 1u << 2), *output = in_folder("m.h5");
    struct tsr_model_config config = config_of(labels_rule, TSR_SLOTS_PER_CLASS);
    struct tsr_trainer_config run_config = settings(12, output);
    struct tsr_model *start, *end;
    run(&config, &run_config, data, 0);
    MUST(tsr_model_load(output, &end, err));
    assert_int_equal(end->n_slots, CLASSES); /* as many as the dataset has */
    config.partition.rule.value[0] = CLASSES;
    MUST(tsr_model_create(&config, run_config.seed, &start, err));
    size_t n = start->net.n_params, size;
    for (size_t s = 0; s < CLASSES; s++) {
        bool same = memcmp(end->theta + s * n, start->theta + s * n, n * sizeof *end->theta) == 0;
        assert_int_equal(same, s == 2);
        size_t at = tsr_rates_at(&end->rates, 0, s);
        same = memcmp(end->rates.value + at, start->rates.value + at,
                      end->rates.n_units * sizeof *end->rates.value) == 0;
        assert_int_equal(same, s == 2);
    }
    double *m = read_array(output, "/outer/theta_m", &size);
    for (size_t i = 0; i < n; i++)
        assert_true(m[2 * n + i] == 0 && !signbit(m[2 * n + i]));
    free(m);
    tsr_model_free(start);
    tsr_model_free(end);
}

/* Class 3 occurs in the first part of a run and no more in the second. */
static void class_that_goes_away(void **state) {
    (void)state;
    const char *first = labelled_dataset("first.h5", 0),
               *second = labelled_dataset("b.h5", 1u << 3);
    const char *output = in_folder("m.h5"), *before = in_folder("before.h5");
    struct tsr_model_config config = config_of(labels_rule, TSR_SLOTS_PER_CLASS);
    struct tsr_trainer_config run_config = settings(12, output);
    run(&config, &run_config, first, 5);
    size_t size;
    void *bytes = slurp(output, &size);
    write_file(before, bytes, size);
    free(bytes);
    struct tsr_training *training;
    struct tsr_trainer_config forced = {.threads = 2, .output = output, .force = true};
    MUST(resume_training(output, &forced, second, &training, err));
    MUST(tsr_training_run(training, NULL, err));
    close_training(training);
    assert_true(read_number(output, "/outer", "outer_step") == 12);
    for (size_t s = 0; s < CLASSES; s++)
        same_slot(before, output, s, s == 3);
}

/* Two of forty classes in each image: a fraction of 0.1 is one region of them, not four, and never
 * one that is not there. */
static void regions_are_chosen_among_those_present(void **state) {
    (void)state;
    enum { MANY = 40 };
    uint8_t *images = toy_images(N, H, W, C);
    uint16_t *labels = make(N * H * W, sizeof *labels);
    for (size_t i = 0; i < N * H * W; i++)
        labels[i] = (uint16_t)(i % W < W / 2 ? 7 : 21);
    const struct toy_maps maps = {labels, MANY, NULL};
    const char *data = toy_dataset_of("data.h5", images, N, H, W, C, &maps);
    struct tsr_model_config config = config_of(labels_rule, TSR_SLOTS_PER_CLASS);
    unsigned chosen[2] = {0, 0};
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct tsr_trainer_config run_config = settings(2, in_folder("m.h5"));
        struct tsr_model *end;
        size_t n, changed = 0;
        run_config.batch = 1;
        run_config.region_fraction = 0.1;
        run_config.seed = seed;
        run(&config, &run_config, data, 1);
        double *m = read_array(run_config.output, "/outer/theta_m", &n);
        MUST(tsr_model_load(run_config.output, &end, err));
        for (size_t s = 0; s < MANY; s++) {
            bool touched = false;
            for (size_t i = 0; i < end->net.n_params; i++)
                touched |= m[s * end->net.n_params + i] != 0;
            changed += touched;
            if (touched) assert_true(s == 7 || s == 21);
            if (touched) chosen[s == 21]++;
        }
        assert_int_equal(changed, 1);
        tsr_model_free(end);
        free(m);
    }
    assert_true(chosen[0] > 0 && chosen[1] > 0);
    free(images);
    free(labels);
}

/* ---- one outer step -----------------------------------------------------------------------------
 */

/* The meta-gradient of all training images and regions, each image the mean over its context
 * pixels; into d_theta [n_slots, n_params]. */
static void whole_gradient(const struct tsr_model *model, struct tsr_dataset *data,
                           tsr_real *d_theta, tsr_real *d_rates) {
    enum { IMAGES = N / 2, TASKS = IMAGES * CLASSES };
    const struct tsr_kernel *kernel;
    struct tsr_geometry geometry[IMAGES];
    struct tsr_engine engine;
    struct tsr_meta_workspace *meta;
    const struct tsr_choice choice = tsr_choice_of(&tsr_method_maml.object);
    struct tsr_task tasks[TASKS];
    tsr_real *y[TASKS];
    double error[TASKS];
    size_t n, n_tasks = 0;
    uint8_t pixels[H * W * C];
    uint16_t stored[H * W];
    uint32_t labels[H * W];
    const uint32_t *index = tsr_dataset_split(data, TSR_SPLIT_TRAIN, &n);
    assert_int_equal(n, IMAGES);
    for (size_t i = 0; i < IMAGES; i++) {
        MUST(tsr_dataset_read(data, index[i], pixels, err));
        MUST(tsr_dataset_read_labels(data, index[i], stored, err));
        for (size_t j = 0; j < H * W; j++)
            labels[j] = stored[j];
        MUST(tsr_geometry_create(model, H, W, &geometry[i], err));
        MUST(tsr_geometry_follow(&geometry[i], labels, err));
        size_t first = n_tasks, points = 0;
        for (size_t r = 0; r < CLASSES; r++) {
            size_t context = geometry[i].partition->regions[r].n_context;
            if (context == 0) continue;
            points += context;
            y[n_tasks] = make(context * C, sizeof(tsr_real));
            tsr_geometry_targets(&geometry[i], TSR_BYTES(pixels), r, y[n_tasks]);
            tasks[n_tasks] = tsr_geometry_task(&geometry[i], r, y[n_tasks]);
            n_tasks++;
        }
        for (size_t j = first; j < n_tasks; j++)
            tasks[j].qry_scale = 1.0 / (double)(IMAGES * points * C);
    }
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_engine_create(&model->net, kernel, 1, &engine, err));
    MUST(tsr_meta_workspace_create(&engine, &choice, NULL, model->config.inner_steps, &model->rates,
                                   model->n_slots, TASKS, H * W, NULL, &meta, err));
    const struct tsr_meta_point at = {model->theta, NULL, &model->rates, 0};
    MUST(tsr_meta_gradient(meta, &at, tasks, n_tasks, d_theta, NULL, d_rates, error, err));
    tsr_meta_workspace_free(meta);
    tsr_engine_clear(&engine);
    for (size_t i = 0; i < n_tasks; i++)
        free(y[i]);
    for (size_t i = 0; i < IMAGES; i++)
        tsr_geometry_clear(&geometry[i]);
}

/* m = (1 - beta1) g after the first outer step of a meta-batch of everything, unclipped. */
static void first_outer_step_by_hand(void **state) {
    (void)state;
    const char *path = labelled_dataset("data.h5", 1u << 4), *output = in_folder("m.h5");
    struct tsr_dataset *data;
    MUST(tsr_dataset_open(path, &data, err));
    for (size_t i = 0; i < 4; i++) {
        struct tsr_model_config config =
            config_of(labels_rule, i % 2 ? TSR_SLOTS_PER_CLASS : TSR_SLOTS_SHARED);
        struct tsr_trainer_config run_config = settings(20, output);
        struct tsr_model *start;
        config.rates = TSR_RATES_PER_STEP;
        config.partition.rule.value[0] = CLASSES;
        config.partition.overlap = i / 2 * 2;
        run_config.batch = N / 2;
        run_config.clip = 0;
        MUST(tsr_model_create(&config, run_config.seed, &start, err));
        size_t n = start->n_slots * start->net.n_params, rates = tsr_rates_count(&start->rates);
        tsr_real *d_theta = make(n, sizeof *d_theta), *d_rates = make(rates, sizeof *d_rates);
        whole_gradient(start, data, d_theta, d_rates);
        run(&config, &run_config, path, 1);
        double *m = read_array(output, "/outer/theta_m", &n);
        for (size_t j = 0; j < n; j++)
            d_theta[j] *= (tsr_real)0.1;
        ASSERT_CLOSE("m of theta", d_theta, m, n, 1e-4);
        free(m);
        m = read_array(output, "/outer/rates_m", &n);
        assert_int_equal(n, rates);
        for (size_t j = 0; j < n; j++)
            d_rates[j] *= (tsr_real)0.1;
        ASSERT_CLOSE("m of the rates", d_rates, m, n, 1e-4);
        free(m);
        free(d_theta);
        free(d_rates);
        tsr_model_free(start);
    }
    tsr_dataset_close(data);
}

/* ---- determinism --------------------------------------------------------------------------------
 */

/* 10 outer steps; 4 of them and the rest in another session with two threads; and with two threads
 * from the start. */
static void check_resume(const struct tsr_model_config *config, const char *data) {
    const char *whole = in_folder("whole.h5"), *parts = in_folder("parts.h5");
    struct tsr_trainer_config run_config = settings(10, whole);
    run_config.region_fraction = 0.6;
    run(config, &run_config, data, 0);
    run_config.output = parts;
    run(config, &run_config, data, 4);
    resume(parts, data, 2);
    same_checkpoint(whole, parts, config);
    run_config.threads = 2;
    run(config, &run_config, data, 0);
    same_checkpoint(whole, parts, config);
}

static void runs_resume(void **state) {
    (void)state;
    const char *data = labelled_dataset("data.h5", 1u << 1);
    for (size_t i = 0; i < 8; i++) {
        struct tsr_partition_rule rule = i % 2 ? labels_rule : segment_rule;
        enum tsr_slots own = i % 2 ? TSR_SLOTS_PER_CLASS : TSR_SLOTS_PER_REGION;
        rule.overlap = i / 4;
        struct tsr_model_config config = config_of(rule, i / 2 % 2 ? TSR_SLOTS_SHARED : own);
        check_resume(&config, data);
    }
}

/* ---- segmentations, stored and computed ---------------------------------------------------------
 */

/* The same images with maps of a rule of this name: the segmentations, or others. */
static const char *segmented(const char *name, const uint8_t *images, const char *rule,
                             bool others) {
    uint16_t *labels = make(N * H * W, sizeof *labels);
    uint32_t found[H * W];
    for (size_t i = 0; i < N; i++) {
        MUST(tsr_segment(images + i * H * W * C, H, W, C, 4, TSR_MERGE_COLOR, found, err));
        for (size_t j = 0; j < H * W; j++)
            labels[i * H * W + j] = (uint16_t)(others ? j % 4 : found[j]);
    }
    const struct toy_maps maps = {labels, 4, rule};
    const char *path = toy_dataset_of(name, images, N, H, W, C, &maps);
    free(labels);
    return path;
}

static void stored_segmentations_are_used(void **state) {
    (void)state;
    uint8_t *images = toy_images(N, H, W, C);
    const char *plain = toy_dataset_of("plain.h5", images, N, H, W, C, NULL);
    const char *stored = segmented("stored.h5", images, "segment 4 color", false);
    const char *wrong = segmented("wrong.h5", images, "segment 4 color", true);
    const char *area = segmented("area.h5", images, "segment 4 area", true);
    const char *a = in_folder("a.h5"), *b = in_folder("b.h5");
    for (size_t i = 0; i < 2; i++) {
        struct tsr_model_config config =
            config_of(segment_rule, i ? TSR_SLOTS_SHARED : TSR_SLOTS_PER_REGION);
        struct tsr_trainer_config run_config = settings(4, a);
        size_t n;
        config.partition.overlap = 1; /* of no account for the maps */
        run(&config, &run_config, plain, 0);
        run_config.output = b;
        run(&config, &run_config, stored, 0);
        same_checkpoint(a, b, &config);
        run(&config, &run_config, area, 0); /* of another rule: computed */
        same_checkpoint(a, b, &config);
        run(&config, &run_config, wrong, 0); /* a control: these are believed */
        double *x = read_array(a, "/outer/theta_m", &n), *y = read_array(b, "/outer/theta_m", &n);
        assert_memory_not_equal(x, y, n * sizeof *x);
        free(x);
        free(y);
    }
    free(images);
}

/* ---- anchors ------------------------------------------------------------------------------------
 */

/* The anchors of a run are those of the features of its training images. */
static void anchors_by_hand(void **state) {
    (void)state;
    uint8_t *images = toy_images(N, H, W, C);
    const char *data = toy_dataset_of("data.h5", images, N, H, W, C, NULL);
    struct tsr_model_config config = config_of(segment_rule, TSR_SLOTS_PER_REGION);
    struct tsr_dataset *d;
    struct tsr_anchors want;
    uint32_t labels[H * W];
    size_t n;
    MUST(tsr_dataset_open(data, &d, err));
    const uint32_t *index = tsr_dataset_split(d, TSR_SPLIT_TRAIN, &n);
    for (size_t limit = 3; limit <= 100; limit += 97) {
        size_t taken = limit < n ? limit : n, stride = 4 * TSR_REGION_FEATURES;
        double *features = make(taken * stride, sizeof *features);
        for (size_t i = 0; i < taken; i++) {
            const uint8_t *image = images + index[i * n / taken] * H * W * C;
            MUST(tsr_segment(image, H, W, C, 4, TSR_MERGE_COLOR, labels, err));
            tsr_region_features(image, H, W, C, labels, 4, features + i * stride);
        }
        MUST(tsr_anchors_learn(features, taken, 4, &want, err));
        for (size_t threads = 1; threads <= 3; threads++) {
            struct tsr_model *model;
            config.height = H, config.width = W;
            model = toy_model(&config, 1);
            MUST(tsr_regions_learn(model, d, limit, threads, err));
            assert_int_equal(model->anchors.n, 4);
            ASSERT_SAME_BITS("mean", model->anchors.mean, want.mean, stride);
            ASSERT_SAME_BITS("weight", model->anchors.weight, want.weight, TSR_REGION_FEATURES);
            double *mean = model->anchors.mean;
            MUST(tsr_regions_learn(model, d, 2, threads, err)); /* learned once */
            assert_ptr_equal(model->anchors.mean, mean);
            tsr_model_free(model);
        }
        tsr_anchors_clear(&want);
        free(features);
    }
    tsr_dataset_close(d);
    free(images);
}

/* Stored or computed, a map is renumbered with per-region slots and as it is without. */
static void maps_of_images(void **state) {
    (void)state;
    uint8_t *images = toy_images(N, H, W, C);
    const char *data = toy_dataset_of("data.h5", images, N, H, W, C, NULL);
    struct tsr_dataset *d;
    MUST(tsr_dataset_open(data, &d, err));
    for (size_t i = 0; i < 2; i++) {
        struct tsr_model_config config =
            config_of(segment_rule, i ? TSR_SLOTS_PER_REGION : TSR_SLOTS_SHARED);
        struct tsr_model *model = toy_model(&config, 1);
        model->config.height = H, model->config.width = W;
        MUST(tsr_regions_learn(model, d, 8, 1, err));
        for (size_t j = 0; j < N; j++) {
            const uint8_t *image = images + j * H * W * C;
            uint32_t want[H * W], found[H * W];
            uint16_t stored[H * W];
            MUST(tsr_segment(image, H, W, C, 4, TSR_MERGE_COLOR, want, err));
            for (size_t k = 0; k < H * W; k++)
                stored[k] = (uint16_t)want[k];
            if (i) MUST(tsr_anchors_match(&model->anchors, image, H, W, C, want, err));
            MUST(tsr_regions_of_image(model, TSR_BYTES(image), H, W, NULL, found, err));
            assert_memory_equal(found, want, sizeof want);
            MUST(tsr_regions_of_image(model, TSR_BYTES(image), H, W, stored, found, err));
            assert_memory_equal(found, want, sizeof want);
            stored[9] = 4;
            MUST_FAIL(tsr_regions_of_image(model, TSR_BYTES(image), H, W, stored, found, err),
                      TSR_ERR_ARGUMENT, "label 4; labels must be below 4");
        }
        tsr_model_free(model);
    }
    struct tsr_model_config config = config_of(labels_rule, TSR_SLOTS_SHARED);
    config.partition.rule.value[0] = 3;
    struct tsr_model *model = toy_model(&config, 1);
    uint32_t found[H * W];
    MUST_FAIL(tsr_regions_of_image(model, TSR_BYTES(images), H, W, NULL, found, err),
              TSR_ERR_CONFIG, "rule labels: the image has no label map");
    tsr_model_free(model);
    tsr_dataset_close(d);
    free(images);
}

/* ---- pixels of no class -------------------------------------------------------------------------
 */

/* Pixels of no class, in blocks and alone. */
static void punch(uint16_t *labels, unsigned seed) {
    for (size_t i = 0; i < H * W; i++)
        if ((i / W / 3 + i % W / 5 + seed) % 4 == 0 || (i * 7 + seed) % 11 == 0)
            labels[i] = TSR_VOID_LABEL;
}

/* The distance from a pixel to the nearest one of a class, in steps; H + W: there is none. */
static size_t distance_to(const uint16_t *labels, size_t at, uint32_t class) {
    size_t nearest = H + W;
    for (size_t i = 0; i < H * W; i++) {
        size_t rows = i / W > at / W ? i / W - at / W : at / W - i / W;
        size_t cols = i % W > at % W ? i % W - at % W : at % W - i % W;
        if (labels[i] == class && rows + cols < nearest) nearest = rows + cols;
    }
    return nearest;
}

static void void_is_a_region_or_the_nearest_class(void **state) {
    (void)state;
    uint16_t *maps = toy_labels(N, H, W, CLASSES, 0);
    uint8_t *pixels = toy_images(1, H, W, C);
    const struct tsr_picture picture = {pixels, H, W, C};
    struct tsr_partition_rule own = labels_rule, none = labels_rule;
    char text[64];
    tsr_partition_rule_set_classes(&own, CLASSES, true);
    tsr_partition_rule_set_classes(&none, CLASSES, false);
    assert_int_equal(tsr_partition_rule_regions(&own, 1, 1), CLASSES + 1);
    assert_int_equal(tsr_partition_rule_classes(&own), CLASSES);
    assert_true(tsr_partition_rule_has_void(&own) && !tsr_partition_rule_has_void(&none));
    assert_false(tsr_partition_rule_has_void(&segment_rule));
    tsr_partition_rule_describe(&own, text, sizeof text);
    assert_string_equal(text, "labels 6 void");
    tsr_partition_rule_describe(&none, text, sizeof text);
    assert_string_equal(text, "labels 5");
    for (unsigned k = 0; k < N; k++) {
        uint16_t *map = maps + k * H * W;
        uint32_t with[H * W], without[H * W];
        if (k > 0) punch(map, k);
        MUST(tsr_partition_rule_label(&own, &picture, map, with, err));
        MUST(tsr_partition_rule_label(&none, &picture, map, without, err));
        for (size_t i = 0; i < H * W; i++) {
            if (map[i] != TSR_VOID_LABEL) {
                assert_int_equal(with[i], map[i]);
                assert_int_equal(without[i], map[i]);
                continue;
            }
            assert_int_equal(with[i], CLASSES);
            size_t taken = distance_to(map, i, without[i]);
            for (uint32_t class = 0; class < CLASSES; class ++)
                assert_true(taken <= distance_to(map, i, class));
        }
    }
    for (size_t i = 0; i < H * W; i++)
        maps[i] = TSR_VOID_LABEL;
    uint32_t found[H * W];
    MUST(tsr_partition_rule_label(&none, &picture, maps, found, err));
    for (size_t i = 0; i < H * W; i++)
        assert_int_equal(found[i], 0);
    struct tsr_partition_rule segments = segment_rule;
    MUST_FAIL(tsr_partition_rule_label(&segments, &picture, maps, found, err), TSR_ERR_ARGUMENT,
              "label 65535");
    free(maps);
    free(pixels);
}

/* Data with and without void, models trained on either: all four go together. What is measured of
 * a class has pixels of no class in it only where the model has no region for these. */
static void models_and_data_with_and_without_void(void **state) {
    (void)state;
    uint8_t *pixels = toy_images(N, H, W, C);
    uint16_t *maps[2] = {toy_labels(N, H, W, CLASSES, 0), toy_labels(N, H, W, CLASSES, 0)};
    struct tsr_dataset *data[2];
    double of_class[2] = {0};
    for (size_t k = 0; k < 2; k++) {
        struct tsr_images images = tsr_images_bytes(pixels, N, H, W, C);
        for (unsigned i = 0; i < N && k; i++)
            punch(maps[k] + i * H * W, i);
        for (size_t i = 0; i < N * H * W; i++)
            of_class[k] += maps[k][i] == 2;
        images.labels = maps[k];
        images.label_count = CLASSES;
        MUST(tsr_dataset_in_memory(&images, &data[k], err));
        assert_int_equal(tsr_dataset_has_void(data[k]), k);
    }
    for (size_t i = 0; i < 8; i++) {
        size_t trained = i % 2, on = i / 2 % 2;
        struct tsr_model_config config =
            config_of(labels_rule, i < 4 ? TSR_SLOTS_SHARED : TSR_SLOTS_PER_CLASS);
        struct tsr_reconstruct_config reconstruct;
        struct tsr_evaluation e;
        tsr_regions_count_classes(&config.partition, data[trained]);
        assert_int_equal(tsr_partition_rule_regions(&config.partition, H, W), CLASSES + trained);
        struct tsr_model *model = toy_model(&config, 1);
        bool has = trained || (on && i < 4);
        if (on) assert_int_equal(tsr_regions_admit_void(model), has);
        tsr_reconstruct_config_default(model, &reconstruct);
        MUST(tsr_evaluate(model, data[on], TSR_SPLIT_ALL, 0, &reconstruct, NULL, &e, err));
        assert_int_equal(e.n_regions, CLASSES + has);
        double counted = e.region_pixels[2] * (double)e.region_images[2];
        if (has || !on)
            assert_true(fabs(counted - of_class[on]) < 0.5);
        else
            assert_true(counted > of_class[on] + 0.5);
        if (has) assert_int_equal(e.region_images[CLASSES], on ? N : 0);
        assert_true(isfinite(e.psnr_db[2]));
        tsr_evaluation_clear(&e);
        tsr_model_free(model);
    }
    for (size_t k = 0; k < 2; k++) {
        tsr_dataset_close(data[k]);
        free(maps[k]);
    }
    free(pixels);
}

/* ---- what is refused ----------------------------------------------------------------------------
 */

static enum tsr_status try_trainer(struct tsr_partition_rule rule, enum tsr_slots slots,
                                   const char *data, struct tsr_error *err) {
    struct tsr_training *trainer;
    struct tsr_model_config config = config_of(rule, slots);
    struct tsr_trainer_config run_config = settings(1, NULL);
    enum tsr_status status = open_training(&config, &run_config, data, NULL, &trainer, err);
    if (status != TSR_OK) assert_null(trainer);
    close_training(trainer);
    return status;
}

static void runs_refused(void **state) {
    (void)state;
    uint8_t *images = toy_images(N, H, W, C);
    const char *plain = toy_dataset_of("plain.h5", images, N, H, W, C, NULL);
    const char *cut = segmented("cut.h5", images, "segment 4 color", false);
    const char *labels = labelled_dataset("labels.h5", 0);
    struct tsr_partition_rule few = {.rule = TSR_RULE(labels, CLASSES - 1)};
    struct tsr_partition_rule many = {.rule = TSR_RULE(labels, CLASSES + 1)};
    struct tsr_partition_rule tiny = {.rule = TSR_RULE(segment, H * W + 1)};
    MUST(try_trainer(labels_rule, TSR_SLOTS_PER_CLASS, labels, err));
    MUST(try_trainer(many, TSR_SLOTS_PER_CLASS, labels, err));
    MUST(try_trainer(segment_rule, TSR_SLOTS_PER_REGION, labels, err)); /* maps of no use */
    MUST_FAIL(try_trainer(labels_rule, TSR_SLOTS_SHARED, plain, err), TSR_ERR_CONFIG,
              "plain.h5 has no label maps; the rule labels needs them (pack --labels)");
    MUST_FAIL(try_trainer(labels_rule, TSR_SLOTS_SHARED, cut, err), TSR_ERR_CONFIG,
              "cut.h5: its label maps are segmentations (segment 4 color), not classes");
    MUST_FAIL(try_trainer(few, TSR_SLOTS_PER_CLASS, labels, err), TSR_ERR_CONFIG,
              "labels.h5 has label maps of 5 classes; the model is for 4");
    MUST_FAIL(try_trainer(labels_rule, TSR_SLOTS_PER_REGION, labels, err), TSR_ERR_CONFIG,
              "its slots are per-class or shared");
    MUST_FAIL(try_trainer(segment_rule, TSR_SLOTS_PER_CLASS, labels, err), TSR_ERR_CONFIG,
              "slots per-class need the rule labels, not segment");
    MUST_FAIL(try_trainer(tiny, TSR_SLOTS_SHARED, plain, err), TSR_ERR_CONFIG, "257");
    free(images);
}

/* ---- evaluation ---------------------------------------------------------------------------------
 */

/* Means over the images that have a region, from single reconstructions. */
static void check_evaluation(const struct tsr_model *model, struct tsr_dataset *data) {
    enum { STATES = 3 };
    struct tsr_reconstruct_config config;
    struct tsr_reconstructor *r;
    struct tsr_evaluation e;
    size_t n, images[CLASSES] = {0}, pixels_of[CLASSES] = {0}, params = 0, context = 0;
    double psnr[STATES] = {0}, region[CLASSES * STATES] = {0}, error[CLASSES * STATES];
    double one[STATES], seam[STATES], seams = 0;
    uint8_t pixels[H * W * C];
    uint16_t stored[H * W];
    uint32_t labels[H * W];
    tsr_reconstruct_config_default(model, &config);
    config.threads = 1, config.seam = true;
    MUST(tsr_evaluate(model, data, TSR_SPLIT_ALL, 0, &config, NULL, &e, err));
    MUST(tsr_reconstructor_create(model, &config, H, W, &r, err));
    const uint32_t *index = tsr_dataset_split(data, TSR_SPLIT_ALL, &n);
    for (size_t i = 0; i < n; i++) {
        struct tsr_reconstruction out = {.psnr_db = one, .region_error = error, .seam = seam};
        MUST(tsr_dataset_read(data, index[i], pixels, err));
        MUST(tsr_dataset_read_labels(data, index[i], stored, err));
        for (size_t j = 0; j < H * W; j++)
            labels[j] = stored[j];
        MUST(tsr_reconstructor_follow(r, labels, err));
        MUST(tsr_reconstruct(r, TSR_BYTES(pixels), &out, err));
        seams += seam[2] / (double)n;
        for (size_t k = 0; k < STATES; k++)
            psnr[k] += one[k] / (double)n;
        const struct tsr_partition *p = tsr_reconstructor_partition(r);
        for (size_t c = 0; c < CLASSES; c++) {
            size_t count = 0;
            for (size_t j = 0; j < H * W; j++)
                count += stored[j] == c;
            if (count == 0) continue;
            images[c]++, pixels_of[c] += count, params += model->net.n_params;
            context += p->regions[c].n_context;
            for (size_t k = 0; k < STATES; k++)
                region[c * STATES + k] += tsr_psnr_db(error[k * CLASSES + c], count * C);
        }
    }
    assert_int_equal(e.images, n);
    assert_true(fabs(e.params_per_image - (double)params / (double)n) < 1e-6);
    double flops = tsr_network_flops(&model->net, 3 * 2 + 1) * (double)context / (double)n;
    assert_true(fabs(e.flops_per_image - flops) <= 1e-9 * flops);
    assert_true(fabs(e.seam[2] - seams) < 1e-9);
    for (size_t k = 0; k < STATES; k++)
        assert_true(fabs(e.psnr_db[k] - psnr[k]) < 1e-9);
    for (size_t c = 0; c < CLASSES; c++) {
        double count = (double)images[c];
        assert_int_equal(e.region_images[c], images[c]);
        assert_int_equal(e.region_slot[c], model->n_slots > 1 ? c : 0);
        assert_true(e.region_pixels[c] == (count > 0 ? (double)pixels_of[c] / count : 0));
        for (size_t k = 0; k < STATES; k++) {
            double found = e.region_psnr_db[c * STATES + k];
            if (count > 0)
                assert_true(fabs(found - region[c * STATES + k] / count) < 1e-9);
            else
                assert_true(isnan(found));
        }
    }
    assert_int_equal(e.region_images[1], 0);
    assert_true(e.map_seconds_per_image > 0);
    tsr_reconstructor_free(r);
    tsr_evaluation_clear(&e);
}

static void evaluation_with_missing_classes(void **state) {
    (void)state;
    struct tsr_dataset *data, *plain;
    MUST(tsr_dataset_open(labelled_dataset("data.h5", 1u << 1), &data, err));
    MUST(tsr_dataset_open(toy_dataset("plain.h5", 4, H, W, C), &plain, err));
    for (size_t i = 0; i < 4; i++) {
        struct tsr_model_config config =
            config_of(labels_rule, i % 2 ? TSR_SLOTS_PER_CLASS : TSR_SLOTS_SHARED);
        struct tsr_reconstruct_config reconstruct;
        struct tsr_evaluation e;
        config.partition.rule.value[0] = CLASSES;
        config.partition.overlap = i / 2 * 2;
        struct tsr_model *model = toy_model(&config, i);
        check_evaluation(model, data);
        tsr_reconstruct_config_default(model, &reconstruct);
        MUST_FAIL(tsr_evaluate(model, plain, TSR_SPLIT_ALL, 0, &reconstruct, NULL, &e, err),
                  TSR_ERR_CONFIG, "plain.h5 has no label maps");
        assert_null(e.psnr_db);
        tsr_model_free(model);
    }
    tsr_dataset_close(data);
    tsr_dataset_close(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(class_that_never_occurs),
        TEST(class_that_goes_away),
        TEST(regions_are_chosen_among_those_present),
        TEST(first_outer_step_by_hand),
        TEST(runs_resume),
        TEST(stored_segmentations_are_used),
        TEST(anchors_by_hand),
        TEST(maps_of_images),
        TEST(void_is_a_region_or_the_nearest_class),
        TEST(models_and_data_with_and_without_void),
        TEST(runs_refused),
        TEST(evaluation_with_missing_classes),
    };
    return cmocka_run_group_tests_name("classes and segments", tests, NULL, NULL);
}
