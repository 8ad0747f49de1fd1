/* SPDX-License-Identifier: MIT */
#include "test_data_helper.h"

#include <math.h>

#include "data/decoder.h"
#include "test_data_files.h"

static struct tsr_error err;

static struct tsr_image read_as(const char *path, size_t channels) {
    const struct tsr_image_as as = {.channels = channels, .background = TSR_WHITE};
    struct tsr_image image;
    assert_ok(tsr_image_read(path, &as, &image, &err), &err);
    return image;
}

static void assert_unreadable(const char *path, const char *part) {
    struct tsr_image image = {.height = 1};
    memset(&err, 0, sizeof err);
    assert_fails(tsr_image_read(path, NULL, &image, &err), TSR_ERR_FORMAT, &err, part);
    assert_non_null(strstr(err.message, path));
    assert_null(image.pixels);
    assert_int_equal(image.height, 0);
}

static void assert_same(const struct tsr_image *a, const struct tsr_image *b) {
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->channels, b->channels);
    assert_memory_equal(a->pixels, b->pixels, a->height * a->width * a->channels);
}

/* ---- reading and writing ------------------------------------------------------------------- */

static void png_round_trip(void **state) {
    (void)state;
    const size_t sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {37, 53}};
    for (size_t i = 0; i < 8; i++) {
        size_t channels = i % 2 ? 3 : 1;
        struct tsr_image image =
                             make_image(sizes[i / 2][0], sizes[i / 2][1], channels, (unsigned)i),
                         back, probe;
        const char *path = in_folder("a.png");
        write_png(path, &image);
        back = read_as(path, 0);
        assert_same(&image, &back);
        assert_ok(tsr_image_probe(path, &probe, &err), &err);
        assert_int_equal(probe.height, image.height);
        assert_int_equal(probe.width, image.width);
        assert_int_equal(probe.channels, channels);
        assert_null(probe.pixels);
        tsr_image_clear(&image);
        tsr_image_clear(&back);
    }
    assert_int_equal(files_in_folder(), 1);
}

/* Writes bytes of test_data_files.h into the folder. */
#define PUT(name, array) (write_file(in_folder(name), array, sizeof array), in_folder(name))

static void assert_pixels(const char *path, size_t channels, size_t found, const char *pixels) {
    struct tsr_image image = read_as(path, channels);
    assert_int_equal(image.height, 1);
    assert_int_equal(image.width, 2);
    assert_int_equal(image.channels, found);
    assert_memory_equal(image.pixels, pixels, 2 * found);
    tsr_image_clear(&image);
}

static void channels_are_converted(void **state) {
    (void)state;
    const char grey = (77 * 40 + 150 * 50 + 29 * 60) >> 8;
    const char greys[2] = {'\xff', grey};
    const char *rgba = PUT("rgba.png", png_rgba), *la = PUT("la.png", png_grey_alpha);
    assert_pixels(rgba, 0, 3, "\xff\xff\xff\x28\x32\x3c");
    assert_pixels(rgba, 3, 3, "\xff\xff\xff\x28\x32\x3c");
    assert_pixels(rgba, 1, 1, greys);
    assert_pixels(la, 0, 1, "\xff\x09");
    assert_pixels(la, 3, 3, "\xff\xff\xff\x09\x09\x09");
    assert_pixels(PUT("palette.png", png_palette), 0, 3, "\x01\x02\x03\xc8\x64\x32");
    assert_pixels(PUT("wide.png", png_wide), 0, 1, "\x12\xfe");

    const struct tsr_image_as two = {.channels = 2, .background = TSR_WHITE};
    struct tsr_image image;
    assert_fails(tsr_image_read(rgba, &two, &image, &err), TSR_ERR_ARGUMENT, &err, "2 channels");
}

/* What is transparent shows the background, a grey picture its grey. */
static void transparency(void **state) {
    (void)state;
    const struct tsr_image_as on[] = {{.background = {200, 100, 50}},
                                      {.channels = 3, .background = {200, 100, 50}}};
    const uint8_t grey = tsr_grey(200, 100, 50), greys[] = {grey, 9, grey, grey, grey, 9, 9, 9};
    struct tsr_image image;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(tsr_image_read(PUT("a.png", png_rgba), &on[i], &image, &err), &err);
        assert_memory_equal(image.pixels, "\xc8\x64\x32\x28\x32\x3c", 6);
        tsr_image_clear(&image);
        assert_ok(tsr_image_read(PUT("b.png", png_grey_alpha), &on[i], &image, &err), &err);
        assert_memory_equal(image.pixels, greys + 2 * i, i ? 6 : 2);
        tsr_image_clear(&image);
    }
}

static void colours(void **state) {
    (void)state;
    static const struct {
        const char *text, *stored;
    } good[] = {{"white", "#ffffff"}, {"Black", "#000000"},   {"GREY", "#808080"},
                {"teal", "#008080"},  {"#a0b1C2", "#a0b1c2"}, {"#f07", "#ff0077"}};
    static const char *const bad[] = {"",         "#",    "whit",   "#12345",
                                      "#1234567", "#ggg", "123456", "# 12"};
    struct tsr_colour colour;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(tsr_colour_parse(good[i].text, &colour, &err), &err);
        assert_string_equal(tsr_colour_text(colour).text, good[i].stored);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(tsr_colour_parse(bad[i], &colour, &err), TSR_ERR_CONFIG, &err, "#rrggbb");
}

static void jpeg(void **state) {
    (void)state;
    const char *paths[2] = {PUT("a.jpg", jpeg_baseline), PUT("b.jpeg", jpeg_progressive)};
    for (int i = 0; i < 2; i++) {
        struct tsr_image image = read_as(paths[i], 0);
        assert_int_equal(image.height, 24);
        assert_int_equal(image.width, 40);
        assert_int_equal(image.channels, 3);
        for (int row = 0; row < 24; row++)
            for (int column = 0; column < 40; column++) {
                const uint8_t *rgb = image.pixels + (row * 40 + column) * 3;
                assert_in_range(rgb[0] + 20, 6 * column, 6 * column + 40);
                assert_in_range(rgb[1] + 20, 10 * row, 10 * row + 40);
                assert_in_range(rgb[2] + 20, 128 + 2 * column - 3 * row,
                                168 + 2 * column - 3 * row);
            }
        tsr_image_clear(&image);
    }
    struct tsr_image image = read_as(PUT("c.jpg", jpeg_grey), 0);
    assert_int_equal(image.channels, 1);
    assert_in_range(image.pixels[12 * 40 + 7], 110, 130);
    tsr_image_clear(&image);
}

/* A BMP of 24 bits, 3 x 2; rows come from the bottom, or for a height of -2 from the top, blue
 * first, padded to 12 bytes. */
static size_t put_bmp(const char *path, int height) {
    unsigned char bmp[] = "BM\x4e\0\0\0\0\0\0\0\x36\0\0\0"
                          "\x28\0\0\0\3\0\0\0\2\0\0\0\1\0\x18\0\0\0\0\0"
                          "\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                          "cbafedihg\0\0\0"
                          "CBAFEDIHG\0\0";
    if (height < 0) bmp[22] = (unsigned char)height, memset(bmp + 23, 0xff, 3);
    write_file(path, bmp, sizeof bmp);
    return sizeof bmp;
}

static void bmp(void **state) {
    (void)state;
    const char *path = in_folder("a.bmp");
    for (int height = 2; height >= -2; height -= 4) {
        assert_int_equal(put_bmp(path, height), 78);
        struct tsr_image image = read_as(path, 0);
        assert_int_equal(image.height, 2);
        assert_int_equal(image.width, 3);
        assert_memory_equal(image.pixels, height > 0 ? "ABCDEFGHIabcdefghi" : "abcdefghiABCDEFGHI",
                            18);
        tsr_image_clear(&image);
    }
}

static void pnm(void **state) {
    (void)state;
    struct tsr_image image =
        read_as(write_text("a.pgm", "P5\n# a comment\n 3 # and\n2\n255\nabcdef"), 0);
    assert_int_equal(image.height, 2);
    assert_int_equal(image.width, 3);
    assert_int_equal(image.channels, 1);
    assert_memory_equal(image.pixels, "abcdef", 6);
    tsr_image_clear(&image);

    image = read_as(write_text("b.ppm", "P6 1 2 255 abcdef"), 0);
    assert_int_equal(image.height, 2);
    assert_int_equal(image.channels, 3);
    assert_memory_equal(image.pixels, "abcdef", 6);
    tsr_image_clear(&image);

    const char wide[] = "P5 2 1 65535\n\x80\x00\xff\xff";
    write_file(in_folder("c.pgm"), wide, sizeof wide - 1);
    image = read_as(in_folder("c.pgm"), 3);
    assert_memory_equal(image.pixels, "\x80\x80\x80\xff\xff\xff", 6);
    tsr_image_clear(&image);

    const char few[] = "P5 2 1 3\n\x01\x09";
    write_file(in_folder("d.pgm"), few, sizeof few - 1);
    image = read_as(in_folder("d.pgm"), 0);
    assert_memory_equal(image.pixels, "\x55\xff", 2);
    tsr_image_clear(&image);

    assert_unreadable(write_text("e.pgm", "P5 3 2 255\nabcde"), "truncated PNM");
    assert_unreadable(write_text("f.pgm", "P5 999999999 999999999 255\nabc"), "truncated PNM");
    assert_unreadable(write_text("g.pgm", "P5 3 2"), "damaged PNM header");
    assert_unreadable(write_text("h.pgm", "P5 3 0 255\nabc"), "without pixels");
    assert_unreadable(write_text("i.pgm", "P5 1 1 70000\nabc"), "largest value");
    assert_unreadable(write_text("j.ppm", "P3 1 1 255\n1 2 3"), "other than P5");
}

/* ---- damage -------------------------------------------------------------------------------- */

/* However much is cut off: an error, or all pixels, and a remark that something is missing. */
static size_t cut_everywhere(const char *source, const char *ending) {
    size_t size, whole = 0;
    char *bytes = slurp(source, &size), name[16];
    snprintf(name, sizeof name, "cut%s", ending);
    const char *cut = in_folder(name);
    struct tsr_image all = read_as(source, 0);
    assert_string_equal(all.remark, "");
    for (size_t n = 0; n<size; n += n> 700 && n + 40 < size ? 61 : 1) {
        struct tsr_image image;
        write_file(cut, bytes, n);
        if (tsr_image_read(cut, NULL, &image, &err) == TSR_OK) {
            assert_same(&all, &image);
            assert_string_equal(image.remark, "its end marker is missing, its pixels are there");
            tsr_image_clear(&image);
            whole++;
            continue;
        }
        assert_int_equal(err.status, TSR_ERR_FORMAT);
        assert_non_null(strstr(err.message, name));
    }
    tsr_image_clear(&all);
    free(bytes);
    return whole;
}

static void truncated_files(void **state) {
    (void)state;
    bool forgives = strcmp(tsr_decoder_of(TSR_KIND_JPEG)->object.name, "stb_image") != 0;
    size_t least = forgives ? 2 : 0, most = forgives ? 4 : 0; /* the marker, padding before it */
    assert_in_range(cut_everywhere(PUT("a.jpg", jpeg_baseline), ".jpg"), least, most);
    assert_in_range(cut_everywhere(PUT("b.jpg", jpeg_progressive), ".jpg"), least, most);
    assert_int_equal(cut_everywhere(put_png("c.png", 20, 30, 3, 3), ".png"), 0);
    assert_int_equal(put_bmp(in_folder("d.bmp"), 2), 78);
    assert_int_equal(cut_everywhere(in_folder("d.bmp"), ".bmp"), 0);
}

/* stb_image does not look at the checksums: a wrong bit would be wrong pixels. */
static void png_with_a_wrong_bit(void **state) {
    (void)state;
    size_t size;
    const char *path = put_png("a.png", 20, 30, 3, 3);
    unsigned char *bytes = slurp(path, &size);
    for (size_t i = 0; i < size; i += 7) {
        bytes[i] ^= 4;
        write_file(path, bytes, size);
        bytes[i] ^= 4;
        assert_unreadable(path, "");
    }
    free(bytes);
}

/* A JPEG with an embedded thumbnail has two end markers: losing the outer one must be seen. Data
 * behind the image, which cameras and editors append, must not matter. */
static void jpeg_with_thumbnail_and_tail(void **state) {
    (void)state;
    enum { n = sizeof jpeg_baseline };
    struct tsr_image back;
    const char *both = in_folder("b.jpg");
    unsigned char file[2 * n + 100];
    memcpy(file, jpeg_baseline, 2);
    file[2] = 0xff;
    file[3] = 0xe1;
    file[4] = (unsigned char)((n + 2) >> 8);
    file[5] = (unsigned char)(n + 2);
    memcpy(file + 6, jpeg_baseline, n);
    memcpy(file + 6 + n, jpeg_baseline + 2, n - 2);
    size_t size = 2 * n + 4;

    write_file(both, file, size);
    back = read_as(both, 0);
    tsr_image_clear(&back);
    memcpy(file + size, "\0\0garbage\xff\xd8", 12);
    write_file(both, file, size + 12);
    back = read_as(both, 0);
    tsr_image_clear(&back);
    write_file(both, file, size - n / 2);
    assert_unreadable(both, "truncated JPEG");
    write_file(both, file, n + 40);
    assert_unreadable(both, "truncated JPEG");
}

/* Tables that claim more symbols than there can be, which stb_image 2.27 stores beyond its own. */
static void jpeg_with_impossible_tables(void **state) {
    (void)state;
    unsigned char file[sizeof jpeg_baseline];
    size_t tables = 0;
    for (size_t i = 2; i + 20 < sizeof file; i++) {
        if (jpeg_baseline[i] != 0xff || jpeg_baseline[i + 1] != 0xc4) continue;
        memcpy(file, jpeg_baseline, sizeof file);
        memset(file + i + 5, 255, 16);
        write_file(in_folder("a.jpg"), file, sizeof file);
        assert_unreadable(in_folder("a.jpg"), "damaged JPEG (bad Huffman table)");
        tables++;
    }
    assert_true(tables >= 1);
}

static void not_an_image(void **state) {
    (void)state;
    struct tsr_image image;
    assert_unreadable(write_text("a.jpg", "this is not an image"), "not a JPEG, PNG, BMP or PNM");
    assert_unreadable(write_text("b.jpg", ""), "is empty");
    assert_unreadable(
        write_text("d.png", "version https://git-lfs.github.com/spec/v1\noid sha256:0"),
        "is a Git LFS pointer");
    assert_unreadable(write_text("c.gif", "GIF89a\1\1"), "not a JPEG, PNG, BMP or PNM");
    assert_unreadable(folder, "not a regular file");
    assert_fails(tsr_image_read(in_folder("gone.png"), NULL, &image, &err), TSR_ERR_IO, &err,
                 "gone.png: cannot be opened: No such file");
    assert_fails(tsr_image_probe(in_folder("gone.png"), &image, &err), TSR_ERR_IO, &err,
                 "gone.png");
}

/* Sides are refused before anything of their size is allocated. */
static void enormous_images(void **state) {
    (void)state;
    assert_unreadable(PUT("a.png", png_300_megapixels),
                      "15000x20000 (height x width); at most 268435456 pixels");
    assert_unreadable(PUT("c.png", png_4_gigapixels), "pixels are read");
    assert_unreadable(write_text("b.pgm", "P5 70000 1 255\nabc"), "truncated");
    struct tsr_image image;
    assert_fails(tsr_image_create(&image, 70000, 1, 3, &err), TSR_ERR_FORMAT, &err, "70000x1");
    assert_fails(tsr_image_create(&image, 5, 5, 4, &err), TSR_ERR_ARGUMENT, &err, "not 4");
    tsr_image_clear(&image);
    tsr_image_clear(NULL);
}

/* A JPEG of high quality is nearly what it was made of, and smaller than one of a higher one. */
static void jpegs(void **state) {
    (void)state;
    struct tsr_image image, back;
    unsigned char *bytes[2];
    size_t size[2], n;
    double error = 0;
    assert_ok(tsr_image_create(&image, 40, 56, 3, &err), &err);
    n = image.height * image.width * 3;
    for (size_t i = 0; i < n; i++)
        image.pixels[i] = (uint8_t)(128 + 100 * sin((double)(i / 3 % 56) / 9 + (double)(i % 3)) *
                                              cos((double)(i / 168) / 7));
    assert_ok(tsr_image_jpeg(&image, 95, &bytes[0], &size[0], &err), &err);
    assert_ok(tsr_image_jpeg(&image, 50, &bytes[1], &size[1], &err), &err);
    assert_true(size[1] < size[0] && size[0] < n);
    assert_ok(tsr_image_decode("a JPEG", bytes[0], size[0], NULL, &back, &err), &err);
    assert_int_equal(back.height, 40);
    assert_int_equal(back.width, 56);
    for (size_t i = 0; i < n; i++)
        error += pow(image.pixels[i] - back.pixels[i], 2) / (double)n;
    assert_true(error < 4);
    free(bytes[0]);
    free(bytes[1]);
    tsr_image_clear(&image);
    tsr_image_clear(&back);
}

static void unwritable_png(void **state) {
    (void)state;
    struct tsr_image image = make_image(4, 4, 3, 1);
    assert_fails(tsr_image_write_png(in_folder("no/a.png"), &image, &err), TSR_ERR_IO, &err,
                 "no/a.png: cannot create");
    image.channels = 2;
    assert_fails(tsr_image_write_png(in_folder("a.png"), &image, &err), TSR_ERR_ARGUMENT, &err,
                 "not 2");
    assert_int_equal(files_in_folder(), 0);
    tsr_image_clear(&image);
}

/* ---- fitting ------------------------------------------------------------------------------- */

static void fit_names(void **state) {
    (void)state;
    enum tsr_fit fit;
    for (int f = TSR_FIT_CROP; f <= TSR_FIT_TILE; f++) {
        assert_ok(tsr_fit_parse(tsr_fit_name((enum tsr_fit)f), &fit, &err), &err);
        assert_int_equal(fit, f);
    }
    assert_fails(tsr_fit_parse("stretch", &fit, &err), TSR_ERR_NOT_FOUND, &err,
                 "crop, cover, squash, tile");
}

static bool part_equals(const struct tsr_image *image, size_t top, size_t left, size_t height,
                        size_t width, const uint8_t *out) {
    for (size_t row = 0; row < height; row++)
        if (memcmp(out + row * width * image->channels,
                   image->pixels + ((top + row) * image->width + left) * image->channels,
                   width * image->channels) != 0)
            return false;
    return true;
}

static void crop(void **state) {
    (void)state;
    struct tsr_image image = make_image(218, 178, 3, 1);
    uint8_t *out = malloc(178 * 178 * 3);
    assert_non_null(out);
    assert_int_equal(tsr_fit_count(&image, TSR_FIT_CROP, 178, 178), 1);
    assert_ok(tsr_fit_apply(&image, TSR_FIT_CROP, 0, 178, 178, out, &err), &err);
    assert_true(part_equals(&image, 20, 0, 178, 178, out));
    assert_int_equal(tsr_fit_count(&image, TSR_FIT_CROP, 178, 179), 0);
    assert_fails(tsr_fit_apply(&image, TSR_FIT_CROP, 0, 178, 179, out, &err), TSR_ERR_SHAPE, &err,
                 "218x178 (height x width) is too small for a crop of 178x179");
    free(out);
    tsr_image_clear(&image);
}

/* For sizes of all kinds: the count is that of whole tiles, each is a part of the image, none
 * overlaps another, and what is left out is shared evenly between the sides. */
static void tiles(void **state) {
    (void)state;
    for (size_t h = 1; h < 24; h += 3)
        for (size_t w = 1; w < 24; w += 2)
            for (size_t th = 1; th < 9; th += 2)
                for (size_t tw = 2; tw < 9; tw += 3) {
                    struct tsr_image image = make_image(h, w, 1, (unsigned)(h * w));
                    uint8_t out[81], covered[24][24] = {{0}};
                    size_t down = h / th, across = w / tw, n = down * across;
                    assert_int_equal(tsr_fit_count(&image, TSR_FIT_TILE, th, tw), n);
                    for (size_t k = 0; k < n; k++) {
                        size_t top = (h % th) / 2 + k / across * th;
                        size_t left = (w % tw) / 2 + k % across * tw;
                        assert_ok(tsr_fit_apply(&image, TSR_FIT_TILE, k, th, tw, out, &err), &err);
                        assert_true(part_equals(&image, top, left, th, tw, out));
                        for (size_t i = 0; i < th * tw; i++)
                            assert_int_equal(covered[top + i / tw][left + i % tw]++, 0);
                    }
                    assert_int_not_equal(tsr_fit_apply(&image, TSR_FIT_TILE, n, th, tw, out, &err),
                                         TSR_OK);
                    tsr_image_clear(&image);
                }
}

static void scaling_keeps_constants_and_sizes(void **state) {
    (void)state;
    const size_t sides[] = {1, 2, 7, 64, 101};
    for (size_t i = 0; i < 5 * 5 * 5 * 5; i++) {
        size_t h = sides[i % 5], w = sides[i / 5 % 5];
        size_t height = sides[i / 25 % 5], width = sides[i / 125];
        struct tsr_image image = make_image(h, w, 3, 1);
        uint8_t *out = malloc(height * width * 3);
        assert_non_null(out);
        memset(image.pixels, 201, h * w * 3);
        for (int fit = TSR_FIT_COVER; fit <= TSR_FIT_SQUASH; fit++) {
            assert_int_equal(tsr_fit_count(&image, (enum tsr_fit)fit, height, width), 1);
            assert_ok(tsr_fit_apply(&image, (enum tsr_fit)fit, 0, height, width, out, &err), &err);
            for (size_t p = 0; p < height * width * 3; p++)
                assert_in_range(out[p], 200, 202);
        }
        free(out);
        tsr_image_clear(&image);
    }
}

/* A side that keeps its length keeps its pixels: nothing is blurred across it. */
static void unscaled_side_is_exact(void **state) {
    (void)state;
    struct tsr_image image = make_image(12, 30, 3, 5);
    uint8_t out[12 * 30 * 3];
    for (size_t p = 0; p < 12 * 30; p++) /* all rows alike */
        memcpy(image.pixels + p * 3, image.pixels + p % 30 * 3, 3);
    assert_ok(tsr_fit_apply(&image, TSR_FIT_SQUASH, 0, 6, 30, out, &err), &err);
    assert_true(part_equals(&image, 0, 0, 6, 30, out));
    assert_ok(tsr_fit_apply(&image, TSR_FIT_SQUASH, 0, 12, 30, out, &err), &err);
    assert_true(part_equals(&image, 0, 0, 12, 30, out));
    assert_ok(tsr_fit_apply(&image, TSR_FIT_COVER, 0, 12, 12, out, &err), &err);
    assert_true(part_equals(&image, 0, 9, 12, 12, out));
    tsr_image_clear(&image);
}

/* The centre of the image stays the centre, and the longer side is cut evenly. */
static void cover_is_centred(void **state) {
    (void)state;
    struct tsr_image image = make_image(40, 100, 1, 1);
    uint8_t out[20 * 20];
    for (size_t p = 0; p < 40 * 100; p++)
        image.pixels[p] = (uint8_t)(2 * (p % 100)); /* a ramp: 2 a pixel */
    assert_ok(tsr_fit_apply(&image, TSR_FIT_COVER, 0, 20, 20, out, &err), &err);
    for (size_t p = 0; p < 20 * 20; p++) /* pixel x covers 30 + 2x and the next */
        assert_in_range(out[p], 2 * (30 + 2 * (p % 20)), 2 * (30 + 2 * (p % 20)) + 2);
    tsr_image_clear(&image);
}

/* Stripes of one pixel, scaled to a quarter, are an even grey: the filter sees all pixels. */
static void scaling_down_filters(void **state) {
    (void)state;
    struct tsr_image image = make_image(64, 64, 1, 1);
    uint8_t out[16 * 16];
    for (size_t p = 0; p < 64 * 64; p++)
        image.pixels[p] = p % 2 ? 255 : 0;
    assert_ok(tsr_fit_apply(&image, TSR_FIT_SQUASH, 0, 16, 16, out, &err), &err);
    for (size_t row = 0; row < 16; row++)
        for (size_t column = 2; column < 14; column++)
            assert_in_range(out[row * 16 + column], 120, 135);
    tsr_image_clear(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(png_round_trip),
        TEST(channels_are_converted),
        TEST(transparency),
        TEST(colours),
        TEST(jpeg),
        TEST(bmp),
        TEST(pnm),
        TEST(truncated_files),
        TEST(png_with_a_wrong_bit),
        TEST(jpeg_with_thumbnail_and_tail),
        TEST(jpeg_with_impossible_tables),
        TEST(not_an_image),
        TEST(enormous_images),
        TEST(jpegs),
        TEST(unwritable_png),
        TEST(fit_names),
        TEST(crop),
        TEST(tiles),
        TEST(scaling_keeps_constants_and_sizes),
        TEST(unscaled_side_is_exact),
        TEST(cover_is_centred),
        TEST(scaling_down_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
