/* SPDX-License-Identifier: MIT */
#include "test_data_helper.h"

#include <math.h>

#include "data/dataset.h"
#include "data/h5.h"
#include "data/label_files.h"
#include "data/pack.h"
#include "test_data_files.h"

static struct tsr_error err;

/* ---- PNG of any kind, uncompressed ----------------------------------------------------------- */

struct bytes {
    uint8_t at[4096];
    size_t n;
};

static void put(struct bytes *b, const void *data, size_t n) {
    assert_true(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, data, n);
    b->n += n;
}

static void put_big(struct bytes *b, uint32_t value) {
    const uint8_t four[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    put(b, four, 4);
}

static void put_chunk(struct bytes *b, const char *kind, const void *data, size_t n) {
    uint32_t crc = UINT32_MAX;
    put_big(b, (uint32_t)n);
    size_t first = b->n;
    put(b, kind, 4);
    put(b, data, n);
    for (size_t i = first; i < b->n; i++) {
        crc ^= b->at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
    }
    put_big(b, ~crc);
}

/* Rows of packed samples, each behind a filter byte, in one stored block of zlib. */
static void put_samples(struct bytes *png, size_t height, size_t width, unsigned depth,
                        const uint16_t *values) {
    struct bytes raw = {.n = 0}, zlib = {.n = 0};
    for (size_t row = 0; row < height; row++) {
        uint8_t line[256] = {0};
        for (size_t col = 0; col < width; col++)
            for (unsigned bit = 0; bit < depth; bit++)
                if (values[row * width + col] >> (depth - 1 - bit) & 1)
                    line[1 + (col * depth + bit) / 8] |= (uint8_t)(0x80 >> (col * depth + bit) % 8);
        put(&raw, line, 1 + (width * depth + 7) / 8);
    }
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < raw.n; i++) {
        a = (a + raw.at[i]) % 65521;
        b = (b + a) % 65521;
    }
    const uint8_t head[7] = {0x78,
                             0x01,
                             1,
                             (uint8_t)raw.n,
                             (uint8_t)(raw.n >> 8),
                             (uint8_t)~raw.n,
                             (uint8_t)(~raw.n >> 8)};
    put(&zlib, head, 7);
    put(&zlib, raw.at, raw.n);
    put_big(&zlib, b << 16 | a);
    put_chunk(png, "IDAT", zlib.at, zlib.n);
}

static const char *put_map(const char *name, size_t height, size_t width, unsigned depth,
                           unsigned colour, const uint16_t *values) {
    struct bytes png = {.n = 0}, header = {.n = 0};
    const uint8_t kind[5] = {(uint8_t)depth, (uint8_t)colour, 0, 0, 0};
    const uint8_t palette[12] = {9, 8, 7, 200, 100, 50, 1, 1, 1, 9, 9, 9}, alpha[3] = {0, 128, 7};
    put(&png, "\x89PNG\r\n\x1a\n", 8);
    put_big(&header, (uint32_t)width);
    put_big(&header, (uint32_t)height);
    put(&header, kind, 5);
    put_chunk(&png, "IHDR", header.at, header.n);
    if (colour == 3) put_chunk(&png, "PLTE", palette, sizeof palette);
    if (colour == 3) put_chunk(&png, "tRNS", alpha, sizeof alpha);
    put_samples(&png, height, width, depth, values);
    put_chunk(&png, "IEND", "", 0);
    const char *path = in_folder(name);
    write_file(path, png.at, png.n);
    return path;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void assert_map(const char *path, size_t height, size_t width, const uint16_t *expected) {
    struct tsr_label_map map;
    assert_ok(tsr_label_map_read(path, NULL, &map, &err), &err);
    assert_int_equal(map.height, height);
    assert_int_equal(map.width, width);
    for (size_t i = 0; i < height * width; i++)
        assert_int_equal(map.labels[i], expected[i]);
    tsr_label_map_clear(&map);
    assert_null(map.labels);
}

/* Values and indices as they are stored, whatever the number of bits and the palette. */
static void every_depth_is_exact(void **state) {
    (void)state;
    const unsigned depths[] = {1, 2, 4, 8, 16};
    for (size_t d = 0; d < 5; d++)
        for (unsigned colour = 0; colour <= 3; colour += 3) {
            uint16_t values[7 * 9];
            if (colour == 3 && depths[d] == 16) continue;
            for (size_t i = 0; i < 7 * 9; i++)
                values[i] = (uint16_t)(i * 1031 + i / 5) & (uint16_t)((1u << depths[d]) - 1);
            assert_map(put_map("m.png", 7, 9, depths[d], colour, values), 7, 9, values);
        }
}

static void other_kinds(void **state) {
    (void)state;
    write_file(in_folder("wide.png"), png_wide, sizeof png_wide);
    assert_map(in_folder("wide.png"), 1, 2, (const uint16_t[]){0x1234, 0xfedc});
    write_file(in_folder("alpha.png"), png_grey_alpha, sizeof png_grey_alpha);
    assert_map(in_folder("alpha.png"), 1, 2, (const uint16_t[]){7, 9});
    write_file(in_folder("palette.png"), png_palette, sizeof png_palette);
    assert_map(in_folder("palette.png"), 1, 2, (const uint16_t[]){0, 1});
    write_file(in_folder("a.pgm"), "P5 3 1 # a comment\n 18\n\0\7\22", 26);
    assert_map(in_folder("a.pgm"), 1, 3, (const uint16_t[]){0, 7, 18});
    write_file(in_folder("wide.pgm"), "P5 2 1 300\n\1\54\0\5", 15);
    assert_map(in_folder("wide.pgm"), 1, 2, (const uint16_t[]){300, 5});
}

static void refused(const char *path, enum tsr_status status, const char *part) {
    struct tsr_label_map map;
    assert_fails(tsr_label_map_read(path, NULL, &map, &err), status, &err, part);
    assert_null(map.labels);
    assert_non_null(strstr(err.message, path));
}

static void what_is_no_map(void **state) {
    (void)state;
    refused(put_png("rgb.png", 3, 3, 3, 1), TSR_ERR_FORMAT, "is in colour; a label map is grey");
    write_file(in_folder("rgba.png"), png_rgba, sizeof png_rgba);
    refused(in_folder("rgba.png"), TSR_ERR_FORMAT, "is in colour");
    write_file(in_folder("a.ppm"), "P6 1 1 255\n\1\2\3", 14);
    refused(in_folder("a.ppm"), TSR_ERR_FORMAT, "is in colour");
    write_file(in_folder("grey.png"), jpeg_grey, sizeof jpeg_grey);
    refused(in_folder("grey.png"), TSR_ERR_FORMAT, "is neither PNG nor PGM");
    write_file(in_folder("large.png"), png_4_gigapixels, sizeof png_4_gigapixels);
    refused(in_folder("large.png"), TSR_ERR_FORMAT, "");
    write_file(in_folder("cut.png"), png_palette, sizeof png_palette - 20);
    refused(in_folder("cut.png"), TSR_ERR_FORMAT, "truncated PNG");
    write_text("cut.pgm", "P5 3 3 255\n.....");
    refused(in_folder("cut.pgm"), TSR_ERR_FORMAT, "truncated PNM");
    refused(in_folder("gone.png"), TSR_ERR_IO, "cannot be opened");
    const uint16_t values[2] = {1, 0};
    refused(put_map("odd.png", 1, 2, 5, 0, values), TSR_ERR_FORMAT, "damaged PNG");
    refused(put_map("wide.png", 1, 2, 16, 3, values), TSR_ERR_FORMAT, "damaged PNG");
}

/* ---- fitting --------------------------------------------------------------------------------- */

static uint32_t lcg(uint32_t *x) {
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* The label under the centre of pixel (i, j): the source pixel whose square holds that point, or,
 * on an edge, the one after it. */
static uint16_t under_centre(const struct tsr_label_map *map, double top, double left, double down,
                             double across, size_t i, size_t j) {
    double y = top + ((double)i + 0.5) * down, x = left + ((double)j + 0.5) * across;
    size_t row = (size_t)floor(y + 1e-9), col = (size_t)floor(x + 1e-9);
    assert_true(row < map->height && col < map->width);
    return map->labels[row * map->width + col];
}

static struct tsr_label_map make_map(size_t height, size_t width, uint32_t seed, uint16_t count) {
    struct tsr_label_map map = {
        .height = height, .width = width, .labels = malloc(height * width * sizeof(uint16_t))};
    assert_non_null(map.labels);
    for (size_t i = 0; i < height * width; i++)
        map.labels[i] = (uint16_t)(lcg(&seed) % count);
    return map;
}

static void scaled_labels_are_the_nearest(void **state) {
    (void)state;
    uint32_t seed = 3;
    for (int round = 0; round < 300; round++) {
        size_t h = 1 + lcg(&seed) % 40, w = 1 + lcg(&seed) % 40;
        size_t height = 1 + lcg(&seed) % 30, width = 1 + lcg(&seed) % 30;
        struct tsr_label_map map = make_map(h, w, seed, 60000);
        uint16_t labels[30 * 30];
        double down = (double)h / (double)height, across = (double)w / (double)width;
        assert_ok(tsr_fit_labels(&map, TSR_FIT_SQUASH, 0, height, width, labels, &err), &err);
        for (size_t i = 0; i < height * width; i++)
            assert_int_equal(labels[i],
                             under_centre(&map, 0, 0, down, across, i / width, i % width));
        double scale = down < across ? down : across;
        double top = ((double)h - scale * (double)height) / 2;
        double left = ((double)w - scale * (double)width) / 2;
        if (h != height && w != width) {
            assert_ok(tsr_fit_labels(&map, TSR_FIT_COVER, 0, height, width, labels, &err), &err);
            for (size_t i = 0; i < height * width; i++)
                assert_int_equal(labels[i],
                                 under_centre(&map, top, left, scale, scale, i / width, i % width));
        }
        tsr_label_map_clear(&map);
    }
}

/* What is copied is copied from the same place as the pixels: a map that is also an image. */
static void copied_labels_are_the_pixels(void **state) {
    (void)state;
    uint32_t seed = 4;
    for (int round = 0; round < 200; round++) {
        struct tsr_image image =
            make_image(4 + lcg(&seed) % 30, 4 + lcg(&seed) % 30, 1, (unsigned)round);
        struct tsr_label_map map = make_map(image.height, image.width, 1, 2);
        for (size_t i = 0; i < image.height * image.width; i++)
            map.labels[i] = image.pixels[i];
        for (int f = TSR_FIT_CROP; f <= TSR_FIT_TILE; f++) {
            enum tsr_fit fit = (enum tsr_fit)f;
            /* Cover with nothing to scale: one side is that of the image. */
            size_t height = fit == TSR_FIT_COVER || fit == TSR_FIT_SQUASH ? image.height : 4;
            size_t width = fit == TSR_FIT_SQUASH ? image.width : 3;
            for (size_t k = 0; k < tsr_fit_count(&image, fit, height, width); k++) {
                uint8_t pixels[40 * 40];
                uint16_t labels[40 * 40];
                assert_ok(tsr_fit_apply(&image, fit, k, height, width, pixels, &err), &err);
                assert_ok(tsr_fit_labels(&map, fit, k, height, width, labels, &err), &err);
                for (size_t i = 0; i < height * width; i++)
                    assert_int_equal(labels[i], pixels[i]);
            }
        }
        tsr_label_map_clear(&map);
        tsr_image_clear(&image);
    }
}

/* Where an image of two shades is scaled to nearly one of them, that is what the label says. */
static void scaled_labels_lie_on_the_picture(void **state) {
    (void)state;
    for (int f = TSR_FIT_COVER; f <= TSR_FIT_SQUASH; f++) {
        struct tsr_image image = make_image(97, 64, 1, 0);
        struct tsr_label_map map = make_map(97, 64, 1, 2);
        size_t clear = 0, wrong = 0;
        for (size_t i = 0; i < 97 * 64; i++) {
            map.labels[i] = (i / 64 / 9 + i % 64 / 11) % 2;
            image.pixels[i] = map.labels[i] ? 250 : 5;
        }
        uint8_t pixels[50 * 43];
        uint16_t labels[50 * 43];
        assert_ok(tsr_fit_apply(&image, (enum tsr_fit)f, 0, 50, 43, pixels, &err), &err);
        assert_ok(tsr_fit_labels(&map, (enum tsr_fit)f, 0, 50, 43, labels, &err), &err);
        for (size_t i = 0; i < 50 * 43; i++) {
            if (pixels[i] > 80 && pixels[i] < 175) continue;
            clear++;
            wrong += labels[i] != (pixels[i] >= 175);
        }
        assert_true(clear > 50 * 43 * 3 / 4);
        assert_int_equal(wrong, 0);
        tsr_label_map_clear(&map);
        tsr_image_clear(&image);
    }
}

static void unfit(void **state) {
    (void)state;
    struct tsr_label_map map = make_map(5, 5, 1, 2);
    uint16_t labels[36];
    assert_fails(tsr_fit_labels(&map, TSR_FIT_CROP, 0, 6, 6, labels, &err), TSR_ERR_SHAPE, &err,
                 "too small for a crop of 6x6");
    assert_fails(tsr_fit_labels(&map, TSR_FIT_TILE, 4, 2, 2, labels, &err), TSR_ERR_ARGUMENT, &err,
                 "tile 4 of an image that has 4");
    tsr_label_map_clear(&map);
}

/* ---- packing files --------------------------------------------------------------------------- */

static struct tsr_pack_config config_of(size_t height, size_t width) {
    struct tsr_pack_config config;
    tsr_pack_config_default(&config);
    config.height = height;
    config.width = width;
    config.threads = 2;
    return config;
}

static void pack(const struct tsr_pack_config *config, struct tsr_pack_report *report) {
    const char *source = in_folder("in");
    assert_ok(tsr_pack(config, &source, 1, in_folder("out.h5"), NULL, report, &err), &err);
}

static void pack_fails(const struct tsr_pack_config *config, enum tsr_status status,
                       const char *part) {
    const char *source = in_folder("in");
    memset(&err, 0, sizeof err);
    assert_fails(tsr_pack(config, &source, 1, in_folder("out.h5"), NULL, NULL, &err), status, &err,
                 part);
    assert_int_not_equal(access(in_folder("out.h5"), F_OK), 0);
}

static struct tsr_dataset *open_dataset(void) {
    struct tsr_dataset *dataset;
    assert_ok(tsr_dataset_open(in_folder("out.h5"), &dataset, &err), &err);
    return dataset;
}

/* Image i of in/ and its map of `count` labels in maps/, of its own size. */
static void put_pair(unsigned i, uint16_t count) {
    char name[32];
    size_t height = 14 + i % 5, width = 17 - i % 3;
    struct tsr_label_map map = make_map(height, width, i + 100, count);
    snprintf(name, sizeof name, "in/%02u.png", i);
    put_png(name, height, width, 3, i);
    snprintf(name, sizeof name, "maps/%02u.png", i);
    put_map(name, height, width, count > 256 ? 16 : 8, 0, map.labels);
    tsr_label_map_clear(&map);
}

static void put_pairs(unsigned n, uint16_t count) {
    make_folder("in");
    make_folder("maps");
    for (unsigned i = 0; i < n; i++)
        put_pair(i, count);
}

/* Each stored label map is that of its image, of its place in it. */
static void assert_packed(enum tsr_fit fit, size_t height, size_t width, uint16_t count) {
    struct tsr_dataset *dataset = open_dataset();
    size_t n = tsr_dataset_images(dataset), area = height * width;
    uint16_t *found = malloc(2 * area * sizeof *found), *expected = found + area;
    assert_true(tsr_dataset_has_labels(dataset));
    assert_string_equal(tsr_dataset_label_rule(dataset), "labels");
    for (size_t k = 0; k < n; k++) {
        unsigned i;
        size_t tile = 0;
        assert_true(sscanf(tsr_dataset_name(dataset, k), "%u.png#%zu", &i, &tile) >= 1);
        struct tsr_label_map map = make_map(14 + i % 5, 17 - i % 3, i + 100, count);
        assert_ok(tsr_fit_labels(&map, fit, tile, height, width, expected, &err), &err);
        assert_ok(tsr_dataset_read_labels(dataset, k, found, &err), &err);
        assert_memory_equal(found, expected, area * sizeof *found);
        tsr_label_map_clear(&map);
    }
    free(found);
    tsr_dataset_close(dataset);
}

/* Right with any fit, and the same file with any number of threads. */
static void labels_follow_their_images(void **state) {
    (void)state;
    const size_t sizes[][2] = {{9, 8}, {6, 5}, {7, 10}, {4, 5}};
    put_pairs(30, 19);
    for (int f = TSR_FIT_CROP; f <= TSR_FIT_TILE; f++) {
        struct tsr_pack_config config = config_of(sizes[f][0], sizes[f][1]);
        void *first = NULL;
        size_t first_size = 0;
        config.fit = (enum tsr_fit)f;
        config.labels = in_folder("maps");
        for (size_t threads = 1; threads <= 3; threads++) {
            struct tsr_pack_report report;
            size_t size;
            config.threads = threads;
            pack(&config, &report);
            assert_int_equal(report.labels, 19);
            assert_packed(config.fit, config.height, config.width, 19);
            void *bytes = slurp(in_folder("out.h5"), &size);
            if (first) {
                assert_int_equal(size, first_size);
                assert_memory_equal(bytes, first, size);
                free(bytes);
            } else {
                first = bytes;
                first_size = size;
            }
        }
        free(first);
    }
}

static void assert_stored_as(enum tsr_h5_type expected) {
    struct tsr_h5 *file;
    enum tsr_h5_type type;
    size_t rank, dims[TSR_H5_MAX_RANK];
    assert_ok(tsr_h5_open(in_folder("out.h5"), &file, &err), &err);
    assert_ok(tsr_h5_shape(file, "/labels", &rank, dims, &type, &err), &err);
    assert_int_equal(rank, 3);
    assert_int_equal(type, expected);
    tsr_h5_close(file);
}

static void names_and_types(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(9, 8);
    struct tsr_pack_report report;
    put_pairs(4, 6);
    config.labels = in_folder("maps");
    pack(&config, &report);
    struct tsr_dataset *dataset = open_dataset();
    assert_int_equal(tsr_dataset_label_count(dataset), 6);
    assert_string_equal(tsr_dataset_label_name(dataset, 0), "0");
    assert_string_equal(tsr_dataset_label_name(dataset, 5), "5");
    assert_string_equal(tsr_dataset_label_name(dataset, 6), "#?");
    tsr_dataset_close(dataset);
    assert_stored_as(TSR_H5_U8);

    config.label_names = write_text("names", "sky\nleft eye\nc\nd\ne\nf\nnever seen\n");
    pack(&config, &report);
    assert_int_equal(report.labels, 7);
    dataset = open_dataset();
    assert_int_equal(tsr_dataset_label_count(dataset), 7);
    assert_string_equal(tsr_dataset_label_name(dataset, 1), "left eye");
    assert_string_equal(tsr_dataset_label_name(dataset, 6), "never seen");
    tsr_dataset_close(dataset);
    assert_stored_as(TSR_H5_U8);

    put_pair(5, 3000);
    config.label_names = write_text("names", "0 zero\n2999 last\n");
    pack(&config, &report);
    assert_stored_as(TSR_H5_U16);
    dataset = open_dataset();
    assert_int_equal(tsr_dataset_label_count(dataset), 3000);
    assert_string_equal(tsr_dataset_label_name(dataset, 2998), "2998");
    assert_string_equal(tsr_dataset_label_name(dataset, 2999), "last");
    tsr_dataset_close(dataset);
}

static void bad_maps_end_the_run(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(9, 8);
    put_pairs(5, 6);
    config.labels = in_folder("maps");
    config.label_names = write_text("names", "a\nb\nc\nd\ne\n");
    pack_fails(&config, TSR_ERR_FORMAT, "names names the labels 0..4");
    assert_non_null(strstr(err.message, "maps/00.png: has the label 5 at row "));
    config.label_names = NULL;
    put_pair(2, 3000);
    pack_fails(&config, TSR_ERR_FORMAT, "without names there are labels 0..255");
    assert_non_null(strstr(err.message, "maps/02.png: has the label "));
    put_map("maps/02.png", 4, 5, 8, 0, (const uint16_t[20]){0});
    pack_fails(&config, TSR_ERR_SHAPE, "maps/02.png: is 4x5 (height x width); its image ");
    assert_non_null(strstr(err.message, "in/02.png is 16x15"));
    put_png("maps/02.png", 16, 15, 3, 1);
    pack_fails(&config, TSR_ERR_FORMAT, "maps/02.png: is in colour");
    assert_int_equal(remove(in_folder("maps/02.png")), 0);
    config.strict = true;
    pack_fails(&config, TSR_ERR_NOT_FOUND, "in/02.png: has no label map (1 of ");
    config.strict = false;
    assert_non_null(strstr(err.message, "(1 of 5 images have none)"));
    put_pair(2, 6);
    write_text("maps/02.pgm", "P5");
    pack_fails(&config, TSR_ERR_FORMAT, "in/02.png: has two label maps, ");
    config.labels = in_folder("in/00.png");
    pack_fails(&config, TSR_ERR_FORMAT, "in/00.png: is not a folder");
    config.labels = in_folder("gone");
    pack_fails(&config, TSR_ERR_IO, "gone: cannot be opened");
    /* An image that is left out takes its map along, good or not. */
    assert_int_equal(remove(in_folder("maps/02.pgm")), 0);
    write_text("in/03.png", "no image");
    write_text("maps/03.png", "no map");
    struct tsr_pack_report report;
    config.labels = in_folder("maps");
    pack(&config, &report);
    assert_int_equal(report.images, 4);
    assert_int_equal(report.skipped, 1);
    assert_packed(TSR_FIT_CROP, 9, 8, 6);
}

/* ---- which map for which image --------------------------------------------------------------- */

static void put_files(const char *const *names) {
    for (; *names; names++) {
        char part[64];
        for (const char *slash = *names; (slash = strchr(slash, '/')) != NULL; slash++) {
            snprintf(part, sizeof part, "%.*s", (int)(slash - *names), *names);
            (void)mkdir(in_folder(part), 0777);
        }
        write_text(*names, "");
    }
}

/* Images, and the files of their label maps. */
struct matched {
    struct tsr_listing images;
    struct tsr_label_files maps;
    size_t missing;
    const char *first;
};

static void clear(struct matched *m) {
    tsr_listing_clear(&m->images);
    tsr_label_files_clear(&m->maps);
}

/* Matches images below `images` with maps by rules whose folder is in the test's. */
static enum tsr_status match_by(const char *images, const struct tsr_label_rules *rules,
                                struct matched *m) {
    struct tsr_label_rules in = *rules;
    in.folder = in_folder(rules->folder);
    memset(m, 0, sizeof *m);
    assert_ok(tsr_listing_add(&m->images, in_folder(images), &err), &err);
    assert_ok(tsr_label_files_hide(&in, &m->images, &err), &err);
    return tsr_label_files_match(&in, &m->images, &m->maps, &m->missing, &m->first, &err);
}

static enum tsr_status match(const char *images, const char *maps, struct matched *m) {
    return match_by(images, &(struct tsr_label_rules){.folder = maps}, m);
}

/* `expected`: the maps of one image after the other. */
static void assert_files(const struct matched *m, const char *const *expected) {
    size_t i = 0;
    for (size_t k = 0; k < m->images.n; k++)
        for (size_t j = 0; j < m->images.items[k].maps; j++, i++) {
            assert_non_null(expected[i]);
            assert_string_equal(m->maps.assigned[m->images.items[k].first_map + j].file->path,
                                in_folder(expected[i]));
        }
    assert_null(expected[i]);
}

static void assert_matched(const char *images, const char *maps, const char *const *expected) {
    struct matched m;
    assert_ok(match(images, maps, &m), &err);
    assert_int_equal(m.missing, 0);
    assert_files(&m, expected);
    clear(&m);
}

static void maps_have_suffixes(void **state) {
    (void)state;
    struct matched m;
    put_files((const char *const[]){"i/a_leftImg8bit.png", "i/b_leftImg8bit.png", "i/other.png",
                                    "m/a_gtFine_labelIds.png", "m/a_gtFine_color.png",
                                    "m/b_gtFine_labelIds.png", "m/b_gtFine_color.png", NULL});
    assert_ok(match_by("i",
                       &(struct tsr_label_rules){.folder = "m",
                                                 .suffix = "_gtFine_labelIds.png",
                                                 .image_suffix = "_leftImg8bit"},
                       &m),
              &err);
    assert_int_equal(m.images.n, 2);
    assert_files(&m,
                 (const char *const[]){"m/a_gtFine_labelIds.png", "m/b_gtFine_labelIds.png", NULL});
    clear(&m);
    assert_fails(match_by("i", &(struct tsr_label_rules){.folder = "m", .suffix = "_labels"}, &m),
                 TSR_ERR_NOT_FOUND, &err,
                 "a_leftImg8bit.png: has no label map: no a_leftImg8bit_labels.png, .pgm or .pnm");
    clear(&m);
}

static void maps_have_parts(void **state) {
    (void)state;
    struct matched m;
    struct tsr_label_names parts;
    assert_ok(tsr_label_names_read(write_text("n", "none\nskin\neye\nl_eye\n"), &parts, &err),
              &err);
    put_files((const char *const[]){"i/0.jpg", "i/10.jpg", "i/11.jpg", "m/0/00000_l_eye.png",
                                    "m/0/00000_eye.png", "m/0/00000_skin.png", "m/1/00010_skin.png",
                                    "m/1/00010_hair.png", "m/1/00010.png", NULL});
    assert_ok(match_by("i", &(struct tsr_label_rules){.folder = "m", .parts = &parts}, &m), &err);
    assert_int_equal(m.images.n, 2);
    assert_int_equal(m.missing, 1);
    assert_string_equal(m.first, in_folder("i/11.jpg"));
    assert_files(&m, (const char *const[]){"m/0/00000_skin.png", "m/0/00000_eye.png",
                                           "m/0/00000_l_eye.png", "m/1/00010_skin.png", NULL});
    assert_int_equal(m.maps.assigned[2].part, 3);
    clear(&m);
    tsr_label_names_clear(&parts);
}

static void maps_are_found(void **state) {
    (void)state;
    /* The same path, and else the stem. Files of other kinds do not matter. */
    put_files((const char *const[]){"a/p/1.jpg", "a/q/1.jpg", "a/2.x.jpg", "m/p/1.png", "m/q/1.PNG",
                                    "m/deep/er/2.x.png", "m/2.png", "m/2.x.jpg", NULL});
    assert_matched("a", "m",
                   (const char *const[]){"m/deep/er/2.x.png", "m/p/1.png", "m/q/1.PNG", NULL});
    /* CelebAMask-HQ beside its images, in folders that are splits; one name in both. */
    put_files((const char *const[]){"c/train/images/5.jpg", "c/train/images/6.jpg",
                                    "c/test/images/5.jpg", "c/train/labels/5.png",
                                    "c/train/labels/6.png", "c/test/labels/5.png", NULL});
    assert_matched("c", "c",
                   (const char *const[]){"c/test/labels/5.png", "c/train/labels/5.png",
                                         "c/train/labels/6.png", NULL});
    assert_matched("c/train/images", "c/train/labels",
                   (const char *const[]){"c/train/labels/5.png", "c/train/labels/6.png", NULL});
    /* Label maps below the source are no images, PNG images elsewhere are. */
    put_files((const char *const[]){"d/images/1.png", "d/labels/1.png", NULL});
    assert_matched("d", "d/labels", (const char *const[]){"d/labels/1.png", NULL});
}

static void maps_that_are_in_doubt(void **state) {
    (void)state;
    struct matched m;
    put_files((const char *const[]){"a/1.jpg", "m/p/1.png", "m/q/1.png", NULL});
    assert_fails(match("a", "m", &m), TSR_ERR_FORMAT, &err, "a/1.jpg: has two label maps, ");
    assert_non_null(strstr(err.message, "m/p/1.png and "));
    clear(&m);
    put_files((const char *const[]){"b/p/1.jpg", "b/q/1.jpg", "n/1.png", NULL});
    assert_fails(match("b", "n", &m), TSR_ERR_FORMAT, &err,
                 "n/1.png: would be the label map of two images, ");
    clear(&m);
    assert_fails(match("b", "m/p", &m), TSR_ERR_FORMAT, &err, "of two images");
    clear(&m);
    put_files((const char *const[]){"e/1.jpg", "e/2.jpg", "e/3.jpg", "o/2.png", NULL});
    assert_ok(match("e", "o", &m), &err);
    assert_int_equal(m.missing, 2);
    assert_string_equal(m.first, in_folder("e/1.jpg"));
    assert_int_equal(m.images.n, 1);
    clear(&m);
    put_files((const char *const[]){"f/4.jpg", NULL});
    assert_fails(match("f", "o", &m), TSR_ERR_NOT_FOUND, &err,
                 "f/4.jpg: has no label map: no 4.png, .pgm or .pnm in ");
    assert_non_null(strstr(err.message, "(none of the 1 images has one)"));
    clear(&m);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void name_files(void **state) {
    (void)state;
    const struct {
        const char *text;
        size_t n;
        const char *names[5];
    } cases[] = {
        {"a", 1, {"a"}},
        {" a b \r\n\tc\n\n \n", 2, {"a b", "c"}},
        {"0 a\n1\tb c\n", 2, {"a", "b c"}},
        {"3 d\n1 b\n", 4, {"0", "b", "2", "d"}},
        {"0\n1\n", 2, {"0", "1"}},
        {"1: b\r\n0: a\r\n", 2, {"a", "b"}},
        {"0,a\n1, b c\n", 2, {"a", "b c"}},
        {"0 : a\n2 b\n1. c\n", 3, {"a", "c", "b"}},
        {"\xef\xbb\xbf"
         "0 a\n1 b\n",
         2,
         {"a", "b"}},
        {"2wheels\n3wheels", 2, {"2wheels", "3wheels"}},
    };
    struct tsr_label_names names;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(tsr_label_names_read(write_text("n", cases[i].text), &names, &err), &err);
        assert_int_equal(names.n, cases[i].n);
        for (size_t k = 0; k < names.n; k++)
            assert_string_equal(names.names[k], cases[i].names[k]);
        tsr_label_names_clear(&names);
    }
    const struct {
        const char *text, *message;
    } bad[] = {
        {"", "n: names no label"},
        {" \n\n", "names no label"},
        {"a\n\nb\n", "line 2 is empty; it is the name of label 1"},
        {"1 a\n0 b\n1 c\n", "line 3 names label 1 once more"},
        {"0 a\nb\n", "line 1 is \"0 a\", with a number, and line 2 \"b\", without"},
        {"a\n2 wheels\n", "line 2 is \"2 wheels\", with a number, and line 1 \"a\""},
        {"4000 a\n", "names 4001 labels; at most 4000"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(tsr_label_names_read(write_text("n", bad[i].text), &names, &err),
                     TSR_ERR_FORMAT, &err, bad[i].message);
        assert_null(names.names);
    }
    write_file(in_folder("n"), "a\n\0\n", 4);
    assert_fails(tsr_label_names_read(in_folder("n"), &names, &err), TSR_ERR_FORMAT, &err,
                 "line 2 is not text");
    assert_fails(tsr_label_names_read(in_folder("gone"), &names, &err), TSR_ERR_IO, &err, "gone");
}

/* ---- labels from a rule ---------------------------------------------------------------------- */

struct rule {
    size_t count; /* of labels */
    int fail_at;  /* value of the first pixel; -1: never */
};

/* Every pixel's label is the sum of its channels and place, modulo the count. */
static enum tsr_status sum_rule(void *user, const uint8_t *pixels, size_t height, size_t width,
                                size_t channels, uint16_t *labels, struct tsr_error *e) {
    const struct rule *rule = user;
    if (pixels[0] == rule->fail_at) return TSR_ERROR(e, TSR_ERR_NUMERIC, "no labels for this one");
    for (size_t i = 0; i < height * width; i++) {
        size_t sum = 251 * i;
        for (size_t c = 0; c < channels; c++)
            sum += pixels[i * channels + c];
        labels[i] = (uint16_t)(sum % rule->count);
    }
    return TSR_OK;
}

static void rules_label_what_is_stored(void **state) {
    (void)state;
    const size_t counts[2] = {9, 700}, sizes[][2] = {{9, 8}, {6, 5}, {7, 10}, {4, 5}};
    put_pairs(25, 2);
    for (int f = TSR_FIT_CROP; f <= TSR_FIT_TILE; f++)
        for (size_t threads = 1; threads <= 3; threads++) {
            struct rule rule = {counts[f % 2], -1};
            struct tsr_pack_config config = config_of(sizes[f][0], sizes[f][1]);
            struct tsr_pack_report report;
            config.fit = (enum tsr_fit)f;
            config.threads = threads;
            config.channels = f % 2 ? 1 : 3;
            config.label_image = sum_rule;
            config.label_user = &rule;
            config.label_rule = "sum of channels";
            config.label_count = rule.count;
            pack(&config, &report);
            assert_int_equal(report.labels, rule.count);
            assert_stored_as(f % 2 ? TSR_H5_U16 : TSR_H5_U8);
            struct tsr_dataset *dataset = open_dataset();
            assert_string_equal(tsr_dataset_label_rule(dataset), "sum of channels");
            assert_int_equal(tsr_dataset_label_count(dataset), rule.count);
            assert_string_equal(tsr_dataset_label_name(dataset, 8), "#8");
            assert_int_equal(tsr_dataset_images(dataset), report.images);
            for (size_t i = 0; i < report.images; i++) {
                uint8_t pixels[9 * 10 * 3];
                uint16_t found[9 * 10], expected[9 * 10];
                assert_ok(tsr_dataset_read(dataset, i, pixels, &err), &err);
                assert_ok(tsr_dataset_read_labels(dataset, i, found, &err), &err);
                assert_ok(sum_rule(&rule, pixels, config.height, config.width, config.channels,
                                   expected, &err),
                          &err);
                assert_memory_equal(found, expected, config.height * config.width * 2);
            }
            tsr_dataset_close(dataset);
        }
}

static void rules_that_fail(void **state) {
    (void)state;
    struct rule rule = {9, -1};
    struct tsr_pack_config config = config_of(14, 15), c;
    put_pairs(12, 2);
    config.label_image = sum_rule;
    config.label_user = &rule;
    config.label_rule = "sum";
    config.label_count = 8;
    pack_fails(&config, TSR_ERR_ARGUMENT, "in/00.png: the rule \"sum\" gave the label 8 of 8");
    config.fit = TSR_FIT_TILE;
    pack_fails(&config, TSR_ERR_ARGUMENT, "in/00.png: the rule \"sum\" gave the label 8 of 8");
    config.label_count = 9;
    struct tsr_image image = make_image(14, 15, 3, 5);
    write_png(in_folder("in/05.png"), &image);
    rule.fail_at = image.pixels[0];
    tsr_image_clear(&image);
    pack_fails(&config, TSR_ERR_NUMERIC, ".png: no labels for this one");

    c = config, c.labels = in_folder("maps");
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "not from both");
    c = config, c.label_names = "names";
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "but no label maps");
    c = config, c.label_rule = NULL;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "it is a text");
    c = config, c.label_count = 0;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "1..65536 labels");
    c = config, c.label_count = 65537;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "1..65536 labels");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_depth_is_exact),
        TEST(other_kinds),
        TEST(what_is_no_map),
        TEST(scaled_labels_are_the_nearest),
        TEST(copied_labels_are_the_pixels),
        TEST(scaled_labels_lie_on_the_picture),
        TEST(unfit),
        TEST(labels_follow_their_images),
        TEST(names_and_types),
        TEST(bad_maps_end_the_run),
        TEST(maps_are_found),
        TEST(maps_have_suffixes),
        TEST(maps_have_parts),
        TEST(maps_that_are_in_doubt),
        TEST(name_files),
        TEST(rules_label_what_is_stored),
        TEST(rules_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
