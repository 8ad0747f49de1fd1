/* SPDX-License-Identifier: MIT */
#include "data/image_bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/* ---- PNG ------------------------------------------------------------------------------------- */

static void crc_table(uint32_t table[256]) {
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] & 1 ? 0xedb88320u ^ table[i] >> 1 : table[i] >> 1;
    }
}

static uint32_t crc(const uint32_t table[256], const unsigned char *bytes, size_t size) {
    uint32_t value = UINT32_MAX;
    for (size_t i = 0; i < size; i++)
        value = table[(value ^ bytes[i]) & 255] ^ value >> 8;
    return ~value;
}

static uint32_t big(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Every chunk is there and, unless it is of a kind that does not touch the pixels (a small first
 * letter), has the checksum that it states: stb_image does not look at them. */
static const char *png_damage(const unsigned char *bytes, size_t size) {
    uint32_t table[256];
    crc_table(table);
    for (size_t at = 8; size - at >= 12;) {
        const unsigned char *chunk = bytes + at;
        size_t length = big(chunk);
        if (length > size - at - 12) break;
        if (!(chunk[4] & 0x20) && crc(table, chunk + 4, length + 4) != big(chunk + 8 + length))
            return "damaged PNG (wrong checksum)";
        if (memcmp(chunk + 4, "IEND", 4) == 0) return NULL;
        at += length + 12;
    }
    return "truncated PNG";
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
    return digits > 0;
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
