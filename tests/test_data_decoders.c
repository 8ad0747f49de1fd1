/* SPDX-License-Identifier: MIT
 *
 * All decoders that a build has, one against the other and against samples that are known: PNG of
 * every colour, depth and interlacing, with and without transparency; EXIF by itself.
 */
#include "test_data_helper.h"

#include <zlib.h>

#include "data/decoder.h"
#include "data/orientation.h"
#include "test_data_files.h"

static struct tsr_error err;

/* ---- PNG, written from samples ------------------------------------------------------------- */

enum { HEIGHT = 11, WIDTH = 13 };

struct png {
    unsigned colour, depth, samples; /* as stored, the index of a palette being one */
    bool interlaced, trns;
    unsigned value[HEIGHT][WIDTH][4];
    unsigned char bytes[8192], rows[4096];
    size_t size, n_rows, bit;
};

static void put_u32(unsigned char *p, size_t value) {
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void chunk(struct png *p, const char *kind, const unsigned char *body, size_t n) {
    unsigned char *at = p->bytes + p->size;
    put_u32(at, n);
    memcpy(at + 4, kind, 4);
    if (n) memcpy(at + 8, body, n);
    put_u32(at + 8 + n, crc32(0, at + 4, (uInt)n + 4));
    p->size += n + 12;
}

static void put_sample(struct png *p, unsigned value) {
    if (p->depth == 16) p->rows[p->n_rows++] = (unsigned char)(value >> 8);
    if (p->depth >= 8) {
        p->rows[p->n_rows++] = (unsigned char)value;
        return;
    }
    if (p->bit == 0) p->rows[p->n_rows++] = 0;
    p->rows[p->n_rows - 1] |= (unsigned char)(value << (8 - p->depth - p->bit));
    p->bit = (p->bit + p->depth) % 8;
}

/* The rows of every down-th row and across-th column from (row, column) on. */
static void put_pass(struct png *p, size_t row, size_t column, size_t down, size_t across) {
    if (column >= WIDTH) return;
    for (; row < HEIGHT; row += down) {
        p->rows[p->n_rows++] = 0; /* no filter */
        p->bit = 0;
        for (size_t c = column; c < WIDTH; c += across)
            for (size_t s = 0; s < p->samples; s++)
                put_sample(p, p->value[row][c][s]);
    }
}

/* 2^depth colours; entry i is (i, 255 - i, 7 i), its alpha 31 i + 5, both modulo 256. */
static void put_palette(struct png *p) {
    unsigned char rgb[768], alpha[256];
    unsigned n = 1u << p->depth;
    for (unsigned i = 0; i < n; i++) {
        const unsigned char entry[3] = {(unsigned char)i, (unsigned char)(255 - i),
                                        (unsigned char)(7 * i)};
        memcpy(rgb + 3 * i, entry, 3);
        alpha[i] = (unsigned char)(31 * i + 5);
    }
    chunk(p, "PLTE", rgb, 3 * n);
    if (p->trns) chunk(p, "tRNS", alpha, n);
}

static void write_samples(struct png *p) {
    static const unsigned char signature[] = "\x89PNG\r\n\x1a\n";
    unsigned char header[13] = {0}, packed[8192], key[8] = {0};
    uLongf n = sizeof packed;
    memcpy(p->bytes, signature, 8);
    p->size = 8;
    put_u32(header, WIDTH);
    put_u32(header + 4, HEIGHT);
    header[8] = (unsigned char)p->depth;
    header[9] = (unsigned char)p->colour;
    header[12] = p->interlaced;
    chunk(p, "IHDR", header, 13);
    if (p->colour == 3) put_palette(p);
    for (unsigned s = 0; s < p->samples; s++) { /* the first pixel is the transparent one */
        key[2 * s] = (unsigned char)(p->value[0][0][s] >> 8);
        key[2 * s + 1] = (unsigned char)p->value[0][0][s];
    }
    if (p->trns && p->colour != 3) chunk(p, "tRNS", key, 2 * p->samples);
    p->n_rows = 0;
    static const size_t passes[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                        {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
    for (int i = 0; i < (p->interlaced ? 7 : 1); i++)
        put_pass(p, p->interlaced ? passes[i][0] : 0, p->interlaced ? passes[i][1] : 0,
                 p->interlaced ? passes[i][2] : 1, p->interlaced ? passes[i][3] : 1);
    assert_int_equal(compress(packed, &n, p->rows, p->n_rows), Z_OK);
    chunk(p, "IDAT", packed, n / 2);
    chunk(p, "IDAT", packed + n / 2, n - n / 2);
    chunk(p, "IEND", NULL, 0);
}

/* What a pixel decodes to: `samples` of the header, in 8 or 16 bits. */
static void expect_pixel(const struct png *p, size_t row, size_t column, unsigned *out) {
    const unsigned *value = p->value[row][column];
    unsigned full = p->depth == 16 ? 65535 : 255,
             stretch = p->depth < 8 ? 255u / ((1u << p->depth) - 1) : 1;
    if (p->colour == 3) {
        unsigned i = value[0];
        const unsigned entry[4] = {i, 255 - i, 7 * i & 255, (31 * i + 5) & 255};
        memcpy(out, entry, sizeof entry);
        return;
    }
    for (unsigned s = 0; s < p->samples; s++)
        out[s] = value[s] * stretch;
    bool same = memcmp(value, p->value[0][0], p->samples * sizeof *value) == 0;
    if (p->trns) out[p->samples] = same ? 0 : full;
}

static void check_png(const struct png *p, const struct tsr_decoder *decoder) {
    struct tsr_encoded in = {
        .name = "p.png", .kind = TSR_KIND_PNG, .bytes = p->bytes, .size = p->size};
    struct tsr_decoded out = {0};
    unsigned expected[4];
    assert_null(tsr_image_damage(in.kind, in.bytes, in.size));
    assert_null(tsr_image_header(in.kind, in.bytes, in.size, &in.header));
    assert_null(tsr_image_misfit(in.kind, in.bytes, in.size, HEIGHT, WIDTH));
    unsigned samples = p->colour == 3 ? 3 : p->samples;
    assert_int_equal(in.header.samples, samples + p->trns);
    assert_ok(decoder->decode(&in, &out, &err), &err);
    for (size_t i = 0; i < (size_t)HEIGHT * WIDTH; i++) {
        expect_pixel(p, i / WIDTH, i % WIDTH, expected);
        for (unsigned s = 0; s < in.header.samples; s++) {
            size_t at = i * in.header.samples + s;
            unsigned found =
                in.header.bits == 16 ? ((uint16_t *)out.samples)[at] : ((uint8_t *)out.samples)[at];
            if (found != expected[s])
                fail_msg("%s: colour %u, depth %u%s%s: pixel %zu, sample %u is %u, not %u",
                         decoder->object.name, p->colour, p->depth,
                         p->interlaced ? ", interlaced" : "", p->trns ? ", tRNS" : "", i, s, found,
                         expected[s]);
        }
    }
    free(out.samples);
}

static void every_png(void **state) {
    (void)state;
    static const struct {
        unsigned colour, samples;
        unsigned depths[6];
    } kinds[] = {{0, 1, {1, 2, 4, 8, 16}},
                 {2, 3, {8, 16}},
                 {3, 1, {1, 2, 4, 8}},
                 {4, 2, {8, 16}},
                 {6, 4, {8, 16}}};
    static struct png p;
    size_t checked = 0;
    for (size_t k = 0; k < 5; k++)
        for (const unsigned *depth = kinds[k].depths; *depth; depth++)
            for (int variant = 0; variant < 4; variant++) {
                if (variant >= 2 && kinds[k].colour >= 4) continue; /* has alpha as it is */
                p = (struct png){.colour = kinds[k].colour,
                                 .depth = *depth,
                                 .samples = kinds[k].samples,
                                 .interlaced = variant % 2,
                                 .trns = variant >= 2};
                uint32_t x = 12345;
                for (size_t i = 0; i < (size_t)HEIGHT * WIDTH * 4; i++) {
                    x = x * 1664525u + 1013904223u;
                    p.value[i / 4 / WIDTH][i / 4 % WIDTH][i % 4] = x >> (32 - *depth);
                }
                write_samples(&p);
                for (size_t d = 0; d < tsr_decoders.n; d++)
                    if (tsr_decoder(d)->reads[TSR_KIND_PNG])
                        check_png(&p, tsr_decoder(d)), checked++;
            }
    assert_true(checked >= 44);
}

/* ---- JPEG ---------------------------------------------------------------------------------- */

/* The same picture, but for rounding and how chroma is scaled up. */
static void jpeg_decoders_agree(void **state) {
    (void)state;
    const struct {
        const unsigned char *bytes;
        size_t size;
    } files[] = {{jpeg_baseline, sizeof jpeg_baseline},
                 {jpeg_progressive, sizeof jpeg_progressive},
                 {jpeg_grey, sizeof jpeg_grey}};
    for (size_t f = 0; f < 3; f++) {
        struct tsr_encoded in = {
            .name = "a.jpg", .kind = TSR_KIND_JPEG, .bytes = files[f].bytes, .size = files[f].size};
        uint8_t *first = NULL;
        assert_null(tsr_image_damage(in.kind, in.bytes, in.size));
        assert_null(tsr_image_header(in.kind, in.bytes, in.size, &in.header));
        for (size_t d = 0; d < tsr_decoders.n; d++) {
            struct tsr_decoded out = {0};
            if (!tsr_decoder(d)->reads[TSR_KIND_JPEG]) continue;
            assert_ok(tsr_decoder(d)->decode(&in, &out, &err), &err);
            assert_null(out.remark);
            const uint8_t *found = out.samples;
            for (size_t i = 0; first && i < in.header.height * in.header.width * in.header.samples;
                 i++)
                assert_in_range(found[i] + 4, first[i], first[i] + 8);
            if (!first)
                first = out.samples;
            else
                free(out.samples);
        }
        free(first);
    }
}

/* ---- EXIF ---------------------------------------------------------------------------------- */

struct tiff {
    unsigned char bytes[64];
    size_t size;
    bool big;
};

static void put(struct tiff *t, size_t n, uint32_t value) {
    for (size_t i = 0; i < n; i++)
        t->bytes[t->size++] = (unsigned char)(value >> 8 * (t->big ? n - 1 - i : i));
}

/* A directory of another entry, and one that states an orientation. */
static struct tiff make_tiff(bool big, unsigned type, uint32_t count, uint32_t value) {
    struct tiff t = {.big = big};
    memcpy(t.bytes, big ? "MM" : "II", t.size = 2);
    put(&t, 2, 42);
    put(&t, 4, 8);
    put(&t, 2, 2);
    put(&t, 2, 0x0100), put(&t, 2, 3), put(&t, 4, 1), put(&t, 2, 6), put(&t, 2, 0);
    put(&t, 2, 0x0112), put(&t, 2, type), put(&t, 4, count);
    size_t n = type == 1 ? 1 : type == 4 ? 4 : 2;
    put(&t, n, value);
    put(&t, 4 - n, 0);
    put(&t, 4, 0);
    return t;
}

static void exif(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        for (unsigned value = 0; value < 300; value++) {
            unsigned expected = value >= 1 && value <= 8 ? value : 1;
            struct tiff t = make_tiff(big, 3, 1, value);
            assert_int_equal(tsr_exif_orientation(t.bytes, t.size), expected);
            if (value < 256) t = make_tiff(big, 1, 1, value);
            assert_int_equal(tsr_exif_orientation(t.bytes, t.size), expected);
            t = make_tiff(big, 4, 1, value);
            assert_int_equal(tsr_exif_orientation(t.bytes, t.size), expected);
            t = make_tiff(big, 3, 2, value);
            assert_int_equal(tsr_exif_orientation(t.bytes, t.size), 1);
            t = make_tiff(big, 7, 1, value);
            assert_int_equal(tsr_exif_orientation(t.bytes, t.size), 1);
        }
        /* Cut anywhere, in a block of just that size: what is beyond must not be read. */
        struct tiff t = make_tiff(big, 3, 1, 6);
        for (size_t n = 0; n <= t.size; n++) {
            unsigned char *exact = malloc(n ? n : 1);
            assert_non_null(exact);
            memcpy(exact, t.bytes, n);
            assert_int_equal(tsr_exif_orientation(exact, n), n >= 34 ? 6 : 1);
            free(exact);
        }
        /* Where the directory lies, and how long it is, is stated by the file. */
        for (size_t at = 0; at < 10; at++)
            for (unsigned byte = 0; byte < 256; byte += 5) {
                struct tiff wrong = t;
                wrong.bytes[at] = (unsigned char)byte;
                assert_in_range(tsr_exif_orientation(wrong.bytes, wrong.size), 1, 8);
            }
    }
}

/* Turned one way and back, of each orientation and its reverse. */
static void turning(void **state) {
    (void)state;
    static const unsigned reverse[9] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
    for (unsigned o = 1; o <= 8; o++)
        for (size_t element = 1; element <= 3; element++) {
            struct tsr_image image = make_image(7, 5, element == 2 ? 1 : element, o);
            size_t height = 7, width = element == 2 ? 2 : 5, n = height * width * element;
            void *turned = malloc(n);
            assert_non_null(turned);
            memcpy(turned, image.pixels, n);
            assert_ok(tsr_turn_upright(o, element, &turned, &height, &width, "p", &err), &err);
            assert_int_equal(height == 7, o < 5);
            if (o != 1) assert_memory_not_equal(turned, image.pixels, n);
            assert_ok(tsr_turn_upright(reverse[o], element, &turned, &height, &width, "p", &err),
                      &err);
            assert_int_equal(height, 7);
            assert_memory_equal(turned, image.pixels, n);
            free(turned);
            tsr_image_clear(&image);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_png),
        TEST(jpeg_decoders_agree),
        TEST(exif),
        TEST(turning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
