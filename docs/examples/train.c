/* SPDX-License-Identifier: MIT
 *
 * Training from memory, then adapting: the images are discs of random place, size and colours.
 *
 *     train [OUTER_STEPS [MODEL.h5]]
 *
 * Prints the PSNR of a disc that was not trained on after 0 to 3 inner steps, and the values of its
 * INR along a line through the image, between the pixels too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tessera.h>

enum { N = 64, SIDE = 32, POINTS = 9 };

static float random_number(void) {
    static uint32_t state = 1;
    state = state * 1664525U + 1013904223U;
    return (float)(state >> 8) / (float)(1 << 24);
}

/* pixels [SIDE, SIDE, 3] in 0 .. 1. */
static void draw_disc(float *pixels) {
    float colour[6], row = SIDE * random_number(), col = SIDE * random_number();
    float radius = SIDE * (0.1F + 0.4F * random_number());
    for (int i = 0; i < 6; i++)
        colour[i] = random_number();
    for (int i = 0; i < SIDE * SIDE; i++) {
        float y = (float)(i / SIDE) - row, x = (float)(i % SIDE) - col;
        for (int c = 0; c < 3; c++)
            pixels[i * 3 + c] = colour[y * y + x * x < radius * radius ? c : c + 3];
    }
}

static int show(void *user, const struct tsr_training_progress *state) {
    uint64_t *next = user;
    if (state->outer_step < *next) return 0; /* nonzero would end the training */
    *next += 100;
    (void)printf("outer step %4u: %.2f dB\n", (unsigned)state->outer_step, state->train_psnr_db);
    return 0;
}

static int settle(struct tsr_settings *settings, const char *outer_steps, struct tsr_error *err) {
    return tsr_settings_set(settings, "rule", "grid 4x4", err) ||
           tsr_settings_set(settings, "net", "siren, omega_first 10", err) ||
           tsr_settings_set(settings, "width", "16", err) ||
           tsr_settings_set(settings, "outer-steps", outer_steps, err);
}

static int use(const struct tsr_model *model, struct tsr_error *err) {
    static float pixels[SIDE * SIDE * 3], line[POINTS * 2], value[POINTS * 3];
    struct tsr_images image = tsr_images_floats(pixels, 1, SIDE, SIDE, 3);
    struct tsr_inr *inr;
    double psnr_db[4];
    struct tsr_adapt_report report = tsr_adapt_report_of(psnr_db, 4);
    draw_disc(pixels);
    if (tsr_model_adapt(model, &image, NULL, &inr, &report, err)) return 1;
    (void)printf("PSNR after 0 to 3 inner steps: %.2f %.2f %.2f %.2f dB\n", psnr_db[0], psnr_db[1],
                 psnr_db[2], psnr_db[3]);
    for (int i = 0; i < POINTS; i++) {
        line[2 * i] = SIDE / 2;
        line[2 * i + 1] = (float)(SIDE - 1) * (float)i / (POINTS - 1);
    }
    int failed = tsr_inr_eval(inr, line, POINTS, 0, value, err);
    for (int i = 0; !failed && i < POINTS; i++)
        (void)printf("column %6.3f: %6.3f %6.3f %6.3f\n", (double)line[2 * i + 1],
                     (double)value[3 * i], (double)value[3 * i + 1], (double)value[3 * i + 2]);
    tsr_inr_free(inr);
    return failed;
}

int main(int argc, char **argv) {
    static float pixels[N * SIDE * SIDE * 3];
    struct tsr_error err;
    struct tsr_dataset *dataset = NULL;
    struct tsr_settings *settings = NULL;
    struct tsr_model *model = NULL;
    struct tsr_images images = tsr_images_floats(pixels, N, SIDE, SIDE, 3);
    uint64_t next = 100;
    for (int i = 0; i < N; i++)
        draw_disc(pixels + (size_t)i * SIDE * SIDE * 3);
    int failed = tsr_dataset_from_images(&images, &dataset, &err) ||
                 tsr_settings_create(&settings, &err) ||
                 settle(settings, argc > 1 ? argv[1] : "400", &err) ||
                 tsr_model_train(dataset, settings, NULL, show, &next, &model, &err) ||
                 use(model, &err) || (argc > 2 && tsr_model_to_file(model, argv[2], &err));
    if (failed) (void)fprintf(stderr, "train: %s\n", err.message);
    tsr_model_free(model);
    tsr_settings_free(settings);
    tsr_dataset_free(dataset);
    return failed;
}
