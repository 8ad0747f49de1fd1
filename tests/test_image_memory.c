/* SPDX-License-Identifier: MIT
 *
 * Memory of a reconstruction, in a process of its own: it follows the largest region, not the
 * number of threads, and not the number of inner steps.
 */
#include "tests/check.h"

#include <sys/resource.h>

#include "image/reconstruct.h"
#include "tests/resident.h"

enum { SIDE = 1000 };

static size_t peak_kilobytes(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (size_t)usage.ru_maxrss;
}

static struct tsr_model *whole_model(void) {
    struct tsr_model_config config;
    struct tsr_model *model;
    tsr_model_config_default(&config);
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(whole)};
    config.network.width = 8;
    MUST(tsr_model_create(&config, 1, &model, err));
    return model;
}

/* Peak of the process after one image. */
static size_t peak_after(const struct tsr_model *model, size_t side, size_t threads,
                         size_t inner_steps, const uint8_t *pixels) {
    struct tsr_reconstruct_config config;
    struct tsr_reconstructor *r;
    double *psnr = make(inner_steps + 1, sizeof *psnr);
    struct tsr_reconstruction out = {.psnr_db = psnr};
    tsr_reconstruct_config_default(model, &config);
    config.threads = threads;
    config.inner_steps = inner_steps;
    MUST(tsr_reconstructor_create(model, &config, side, side, &r, err));
    MUST(tsr_reconstruct(r, TSR_BYTES(pixels), &out, err));
    tsr_reconstructor_free(r);
    free(psnr);
    return peak_kilobytes();
}

static void threads_share_one_region(void **state) {
    (void)state;
    if (resident_kib() == 0) skip(); /* cannot be measured */
    struct tsr_model *model = whole_model();
    uint8_t *pixels = make(SIDE * SIDE, 3);
    double one = (double)peak_after(model, SIDE, 1, 1, pixels);
    assert_true((double)peak_after(model, SIDE, 2, 1, pixels) < 1.3 * one);
    assert_true((double)peak_after(model, SIDE, 16, 1, pixels) < 1.3 * one);
    free(pixels);
    tsr_model_free(model);
}

/* Beside the figures themselves. */
static void inner_steps_cost_nothing(void **state) {
    (void)state;
    if (resident_kib() == 0) skip();
    struct tsr_model *model = whole_model();
    uint8_t pixels[2 * 2 * 3] = {200, 100, 50};
    size_t few = peak_after(model, 2, 1, 10, pixels);
    assert_true(peak_after(model, 2, 1, 20000, pixels) < few + 4096);
    tsr_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_one_region),
        cmocka_unit_test(inner_steps_cost_nothing),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
