/* SPDX-License-Identifier: MIT */
#include "data/image_bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum tsr_image_kind tsr_image_kind(const unsigned char *bytes, size_t size) {
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return TSR_KIND_JPEG;
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return TSR_KIND_PNG;
    if (size >= 2 && memcmp(bytes, "BM", 2) == 0) return TSR_KIND_BMP;
    if (size >= 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7') return TSR_KIND_PNM;
    return TSR_KIND_UNKNOWN;
}

/* ---- JPEG ------------------------------------------------------------------------------------ */

/* The tables of a DHT segment have at most 256 symbols each: stb_image 2.27 writes beyond its own
 * for more. */
static bool huffman_tables_fit(const unsigned char *body, size_t size) {
    while (size > 0) {
        size_t symbols = 0;
        if (size < 17) return false;
        for (int i = 1; i <= 16; i++)
            symbols += body[i];
        if (symbols > 256 || symbols > size - 17) return false;
        body += 17 + symbols;
        size -= 17 + symbols;
    }
    return true;
}

/* A JPEG file is whole if its markers, followed from the first, lead to the end-of-image marker.
 * Looking for that marker at the end of the file would be wrong both ways: an embedded thumbnail
 * has one of its own, and much software appends data behind it. What lies between segments is
 * skipped until the next marker, as libjpeg does, which also steps over the entropy-coded data:
 * there 0xff is followed by 0 or by a restart marker. */
static const char *jpeg_damage(const unsigned char *bytes, size_t size) {
    size_t at = 2;
    while (at + 1 < size) {
        unsigned marker = bytes[at + 1];
        if (bytes[at] != 0xff || marker == 0xff) {
            at++;
            continue;
        }
        at += 2;
        if (marker == 0xd9) return NULL;
        /* Stuffed zero, TEM, restart, start of image: no segment follows. */
        if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
        if (size - at < 2) break;
        size_t length = (size_t)bytes[at] << 8 | bytes[at + 1];
        if (length > size - at) break;
        if (length < 2) return "damaged JPEG (segment without length)";
        if (marker == 0xc4 && !huffman_tables_fit(bytes + at + 2, length - 2))
            return "damaged JPEG (bad Huffman table)";
        at += length;
    }
    return "truncated JPEG (it has no end-of-image marker)";
}

/* The first scan of a JPEG has at least one bit for each block of 8x8 pixels. */
#define JPEG_PIXELS_PER_BYTE 512

/* ---- PNG ------------------------------------------------------------------------------------- */

uint32_t tsr_big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Every chunk is there and, unless it is of a kind that does not touch the pixels (a small first
 * letter), has the checksum that it states: stb_image does not look at them. */
static const char *png_damage(const unsigned char *bytes, size_t size) {
    if (size < 33 || tsr_big_endian(bytes + 8) != 13 || memcmp(bytes + 12, "IHDR", 4) != 0)
        return "damaged PNG (it does not begin with a header)";
    for (size_t at = 8; size - at >= 12;) {
        const unsigned char *chunk = bytes + at;
        size_t length = tsr_big_endian(chunk);
        if (length > size - at - 12) break;
        if (!(chunk[4] & 0x20) &&
            crc32(0, chunk + 4, (uInt)length + 4) != tsr_big_endian(chunk + 8 + length))
            return "damaged PNG (wrong checksum)";
        if (memcmp(chunk + 4, "IEND", 4) == 0) return NULL;
        at += length + 12;
    }
    return "truncated PNG";
}

/* Bytes of the rows of a picture, each behind one that names its filter; none for one without
 * pixels. */
static uint64_t png_rows(uint64_t width, uint64_t height, unsigned bits) {
    return width && height ? ((width * bits + 7) / 8 + 1) * height : 0;
}

#define DEFLATE_AT_MOST 1032 /* what a byte of deflate can stand for; a property of the format */

/* What the pixels inflate to; 0 for a header that makes no sense. */
static uint64_t png_bytes(const unsigned char *header) {
    static const unsigned samples[] = {1, 0, 3, 1, 2, 0, 4}; /* of a kind of colour */
    static const struct {
        unsigned row, col, down, across;
    } passes[] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                  {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
    uint64_t width = tsr_big_endian(header), height = tsr_big_endian(header + 4), sum = 0;
    unsigned depth = header[8], colour = header[9], interlaced = header[12];
    if (colour > 6 || samples[colour] == 0 || depth < 1 || depth > 16 || interlaced > 1) return 0;
    unsigned bits = samples[colour] * depth;
    if (!interlaced) return png_rows(width, height, bits);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        sum += png_rows((width + passes[i].across - 1 - passes[i].col) / passes[i].across,
                        (height + passes[i].down - 1 - passes[i].row) / passes[i].down, bits);
    return sum;
}

/* Inflates without keeping, up to one byte more than `most`. Returns Z_STREAM_END at the end of the
 * stream, Z_OK if there is more of it, or what is wrong. */
static int inflate_chunks(const unsigned char *bytes, size_t size, uint64_t most, uint64_t *given) {
    enum { WINDOW = 64 << 10 };
    z_stream stream = {0};
    unsigned char *window = malloc(WINDOW);
    int result = window ? inflateInit(&stream) : Z_MEM_ERROR;
    if (result != Z_OK) {
        free(window);
        return result;
    }
    *given = 0;
    for (size_t at = 8; result == Z_OK && size - at >= 12;) {
        size_t length = tsr_big_endian(bytes + at);
        if (memcmp(bytes + at + 4, "IEND", 4) == 0) break;
        if (memcmp(bytes + at + 4, "IDAT", 4) == 0) {
            stream.next_in = (unsigned char *)bytes + at + 8;
            stream.avail_in = (uInt)length;
            do {
                stream.next_out = window;
                stream.avail_out = WINDOW;
                result = inflate(&stream, Z_NO_FLUSH);
                *given = stream.total_out;
            } while (result == Z_OK && *given <= most && stream.avail_out == 0);
            if (result == Z_BUF_ERROR) result = Z_OK; /* all of this chunk is used */
        }
        if (*given > most) break;
        at += length + 12;
    }
    (void)inflateEnd(&stream);
    free(window);
    return result;
}

static const char *png_misfit(const unsigned char *bytes, size_t size) {
    uint64_t expected = png_bytes(bytes + 16), given = 0;
    if (expected == 0) return "damaged PNG (a header of no known kind)";
    if (expected / DEFLATE_AT_MOST > size) return "damaged PNG (fewer pixels than its header says)";
    int result = inflate_chunks(bytes, size, expected, &given);
    if (result == Z_MEM_ERROR) return "not enough memory to look at its pixels";
    if (given > expected) return "damaged PNG (more pixels than its header says)";
    if (result == Z_OK || result == Z_STREAM_END)
        return given == expected ? NULL : "damaged PNG (fewer pixels than its header says)";
    return "damaged PNG (its pixels cannot be inflated)";
}

/* ---- BMP ------------------------------------------------------------------------------------- */

static uint32_t little(const unsigned char *p, int n) {
    uint32_t value = 0;
    for (int i = n - 1; i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

static bool bmp_is_whole(const unsigned char *bytes, size_t size) {
    if (size < 30) return false;
    bool old = little(bytes + 14, 4) == 12; /* OS/2: 16-bit sides */
    uint64_t offset = little(bytes + 10, 4);
    uint64_t width = old ? little(bytes + 18, 2) : little(bytes + 18, 4);
    int32_t height = (int32_t)(old ? little(bytes + 20, 2) : little(bytes + 22, 4));
    uint64_t bits = old ? little(bytes + 24, 2) : little(bytes + 28, 2);
    uint64_t rows = height < 0 ? (uint64_t) - (int64_t)height : (uint64_t)height;
    uint64_t row = (width * bits + 31) / 32 * 4; /* at most 2^32 * 2^16 bits */
    return offset <= size && (rows == 0 || row <= (size - offset) / rows);
}

/* ---- PNM ------------------------------------------------------------------------------------- */

static bool is_space(unsigned char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number of the header, behind white space and comments. */
static bool pnm_number(const unsigned char *bytes, size_t size, size_t *at, size_t *out) {
    while (*at < size && (is_space(bytes[*at]) || bytes[*at] == '#')) {
        if (bytes[*at] == '#')
            while (*at + 1 < size && bytes[*at + 1] != '\n')
                ++*at;
        ++*at;
    }
    size_t value = 0, digits = 0;
    for (; *at < size && bytes[*at] >= '0' && bytes[*at] <= '9' && digits < 9; ++*at, digits++)
        value = value * 10 + (size_t)(bytes[*at] - '0');
    *out = value;
    return digits > 0 && (*at >= size || bytes[*at] < '0' || bytes[*at] > '9');
}

const char *tsr_pnm_header(const unsigned char *bytes, size_t size, struct tsr_pnm *out) {
    size_t at = 2;
    *out = (struct tsr_pnm){0};
    if (size < 2 || bytes[0] != 'P' || (bytes[1] != '5' && bytes[1] != '6'))
        return "a PNM of a kind other than P5 (binary grey) and P6 (binary RGB)";
    out->channels = bytes[1] == '5' ? 1 : 3;
    if (!pnm_number(bytes, size, &at, &out->width) || !pnm_number(bytes, size, &at, &out->height) ||
        !pnm_number(bytes, size, &at, &out->max) || at >= size || !is_space(bytes[at]))
        return "damaged PNM header";
    out->pixels = at + 1;
    if (out->width == 0 || out->height == 0) return "PNM without pixels";
    if (out->max < 1 || out->max > 65535) return "PNM whose largest value is not 1..65535";
    return NULL;
}

static const char *pnm_damage(const unsigned char *bytes, size_t size) {
    struct tsr_pnm header;
    const char *wrong = tsr_pnm_header(bytes, size, &header);
    if (wrong) return wrong;
    size_t pixel = header.channels * (header.max > 255 ? 2 : 1);
    /* No overflow: both sides have at most nine digits. */
    uint64_t pixels = (uint64_t)header.width * header.height;
    return pixels <= (size - header.pixels) / pixel ? NULL : "truncated PNM";
}

const char *tsr_image_damage(enum tsr_image_kind kind, const unsigned char *bytes, size_t size) {
    switch (kind) {
    case TSR_KIND_UNKNOWN:
        return "not a JPEG, PNG, BMP or PNM image";
    case TSR_KIND_JPEG:
        return jpeg_damage(bytes, size);
    case TSR_KIND_BMP:
        return bmp_is_whole(bytes, size) ? NULL : "truncated BMP";
    case TSR_KIND_PNM:
        return pnm_damage(bytes, size);
    case TSR_KIND_PNG:
        return png_damage(bytes, size);
    }
    return NULL;
}

const char *tsr_image_misfit(enum tsr_image_kind kind, const unsigned char *bytes, size_t size,
                             size_t height, size_t width) {
    if (kind == TSR_KIND_PNG) return png_misfit(bytes, size);
    if (kind == TSR_KIND_JPEG && height * width / JPEG_PIXELS_PER_BYTE > size)
        return "damaged JPEG (fewer pixels than its header says)";
    return NULL; /* of the others the size was looked at */
}
