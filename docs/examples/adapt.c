/* SPDX-License-Identifier: MIT
 *
 * A picture to an INR in a few steps, and back at four times its size.
 *
 *     adapt MODEL.h5 IN.ppm OUT.ppm        (binary PPM, 8 bit)
 */
#include <stdio.h>
#include <stdlib.h>
#include <tessera.h>

/* pixels [height, width, 3], to be freed; NULL: not a picture of this sort. */
static uint8_t *read_ppm(const char *path, size_t *height, size_t *width) {
    FILE *file = fopen(path, "rb");
    uint8_t *pixels = NULL;
    if (file && fscanf(file, "P6 %5zu %5zu 255", width, height) == 2 && fgetc(file) != EOF)
        pixels = malloc(*height * *width * 3 + 1);
    if (pixels && fread(pixels, *width * 3, *height, file) != *height) {
        free(pixels);
        pixels = NULL;
    }
    if (file) (void)fclose(file);
    return pixels;
}

static int write_ppm(const char *path, const uint8_t *pixels, size_t height, size_t width) {
    FILE *file = fopen(path, "wb");
    if (!file) return 1;
    (void)fprintf(file, "P6 %zu %zu 255\n", width, height);
    (void)fwrite(pixels, width * 3, height, file);
    return fclose(file);
}

int main(int argc, char **argv) {
    struct tsr_error err = {TSR_OK, NULL, 0, "MODEL.h5, a binary PPM and a place for another"};
    struct tsr_model *model = NULL;
    struct tsr_inr *inr = NULL;
    struct tsr_adapt_report report = tsr_adapt_report_of(NULL, 0);
    size_t height, width;
    uint8_t *pixels = argc == 4 ? read_ppm(argv[2], &height, &width) : NULL;
    uint8_t *large = pixels ? malloc(16 * height * width * 3) : NULL;
    int failed = 1;
    if (large) {
        struct tsr_images image = tsr_images_bytes(pixels, 1, height, width, 3);
        failed = tsr_model_from_file(argv[1], &model, &err) ||
                 tsr_model_adapt(model, &image, NULL, &inr, &report, &err) ||
                 tsr_inr_render_bytes(inr, 4 * height, 4 * width, 0, large, &err) ||
                 write_ppm(argv[3], large, 4 * height, 4 * width);
    }
    if (failed)
        (void)fprintf(stderr, "adapt: %s\n", err.message);
    else
        (void)printf("%zu numbers, %.2f dB, %.3f s\n", report.numbers, report.final_psnr_db,
                     report.seconds);
    tsr_inr_free(inr);
    tsr_model_free(model);
    free(large);
    free(pixels);
    return failed;
}
