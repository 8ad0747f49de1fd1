/* SPDX-License-Identifier: MIT
 *
 * What the tests of data/ share: a folder that goes away again, files in it, images to compare.
 */
#ifndef TSR_TEST_DATA_HELPER_H
#define TSR_TEST_DATA_HELPER_H

#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/image.h"

#define HELPER __attribute__((unused)) static

/* The folder of the running test. */
static char folder[64];

HELPER int enter_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/tessera-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw) {
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

HELPER int leave_folder(void **state) {
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)

/* A path in the folder: good for the next 255 calls. */
HELPER const char *in_folder(const char *name) {
    static char paths[256][256];
    static unsigned next;
    char *path = paths[next++ % 256];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

HELPER const char *make_folder(const char *name) {
    const char *path = in_folder(name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

HELPER size_t files_in_folder(void) {
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

HELPER void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

HELPER const char *write_text(const char *name, const char *text) {
    const char *path = in_folder(name);
    write_file(path, text, strlen(text));
    return path;
}

HELPER void *slurp(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    void *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

HELPER void assert_ok(enum tsr_status status, const struct tsr_error *err) {
    if (status != TSR_OK) fail_msg("%s (%s:%d)", err->message, err->file, err->line);
}

HELPER void assert_fails(enum tsr_status status, enum tsr_status expected,
                         const struct tsr_error *err, const char *part) {
    assert_int_equal(status, expected);
    assert_int_equal(err->status, expected);
    if (!strstr(err->message, part)) fail_msg("\"%s\" does not contain \"%s\"", err->message, part);
}

/* Pixels that differ from image to image and place to place, and that no filter leaves alone. */
HELPER struct tsr_image make_image(size_t height, size_t width, size_t channels, unsigned seed) {
    struct tsr_image image;
    struct tsr_error err = {0};
    assert_ok(tsr_image_create(&image, height, width, channels, &err), &err);
    uint32_t x = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < height * width * channels; i++) {
        x = x * 1664525u + 1013904223u;
        image.pixels[i] = (uint8_t)(x >> 24);
    }
    return image;
}

HELPER void write_png(const char *path, const struct tsr_image *image) {
    struct tsr_error err = {0};
    assert_ok(tsr_image_write_png(path, image, &err), &err);
}

/* Writes a PNG of make_image() into the folder. */
HELPER const char *put_png(const char *name, size_t height, size_t width, size_t channels,
                           unsigned seed) {
    const char *path = in_folder(name);
    struct tsr_image image = make_image(height, width, channels, seed);
    write_png(path, &image);
    tsr_image_clear(&image);
    return path;
}

#endif
