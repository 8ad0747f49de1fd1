/* SPDX-License-Identifier: MIT */
#include "data/image_bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/orientation.h"

enum tsr_image_kind tsr_image_kind(const unsigned char *bytes, size_t size) {
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return TSR_KIND_JPEG;
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return TSR_KIND_PNG;
    if (size >= 2 && memcmp(bytes, "BM", 2) == 0) return TSR_KIND_BMP;
    if (size >= 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7') return TSR_KIND_PNM;
    return TSR_KIND_UNKNOWN;
}

const char *tsr_image_kind_name(enum tsr_image_kind kind) {
    static const char *const names[TSR_KINDS] = {"unknown", "JPEG", "PNG", "BMP", "PNM"};
    return names[kind];
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

/* Each scan may be a few bytes, and costs a pass over all pixels. */
#define JPEG_SCANS_AT_MOST 500

/* What the segments of a JPEG say. */
struct jpeg {
    struct tsr_image_header header; /* zero but what JPEG sets */
    unsigned frame, precision;      /* the marker of the frame; 0: none came */
    size_t scans;
    unsigned char component[4]; /* by which scans name them */
    bool seen[4];               /* a scan has it */
};

/* A start of frame: SOF0..SOF15 but DHT, JPG and DAC. */
static bool is_frame(unsigned marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static const char *take_frame(struct jpeg *jpeg, unsigned marker, const unsigned char *body,
                              size_t size) {
    if (jpeg->frame) return "damaged JPEG (two frames)";
    if (size < 6 || size < 6 + 3 * (size_t)body[5]) return "damaged JPEG (bad frame header)";
    jpeg->frame = marker;
    jpeg->precision = body[0];
    jpeg->header.height = (size_t)body[1] << 8 | body[2];
    jpeg->header.width = (size_t)body[3] << 8 | body[4];
    jpeg->header.components = body[5];
    for (unsigned i = 0; i < body[5] && i < 4; i++)
        jpeg->component[i] = body[6 + 3 * i];
    return NULL;
}

static const char *take_scan(struct jpeg *jpeg, const unsigned char *body, size_t size) {
    if (!jpeg->frame) return "damaged JPEG (pixels before the header)";
    if (++jpeg->scans > JPEG_SCANS_AT_MOST) return "damaged JPEG (more than 500 scans)";
    if (size < 1 || size < 1 + 2 * (size_t)body[0]) return "damaged JPEG (bad scan header)";
    for (unsigned k = 0; k < body[0]; k++)
        for (unsigned i = 0; i < 4; i++)
            if (body[1 + 2 * k] == jpeg->component[i]) jpeg->seen[i] = true;
    return NULL;
}

static const char *take_segment(struct jpeg *jpeg, unsigned marker, const unsigned char *body,
                                size_t size) {
    if (marker == 0xc4 && !huffman_tables_fit(body, size))
        return "damaged JPEG (bad Huffman table)";
    if (is_frame(marker)) return take_frame(jpeg, marker, body, size);
    if (marker == 0xda) return take_scan(jpeg, body, size);
    if (marker == 0xee && size >= 12 && memcmp(body, "Adobe", 5) == 0)
        jpeg->header.adobe = body[11];
    if (marker == 0xe1 && jpeg->scans == 0 && jpeg->header.orientation == 0 && size > 6 &&
        memcmp(body, "Exif\0", 6) == 0)
        jpeg->header.orientation = tsr_exif_orientation(body + 6, size - 6);
    return NULL;
}

/* Follows the markers from the first. What lies between segments is skipped until the next one, as
 * libjpeg does, which also steps over the entropy-coded data: there 0xff is followed by 0 or by a
 * restart marker. Looking for the end-of-image marker at the end of the file would be wrong both
 * ways: an embedded thumbnail has one of its own, and much software appends data behind it. */
static const char *jpeg_segments(const unsigned char *bytes, size_t size, struct jpeg *jpeg) {
    *jpeg = (struct jpeg){.header = {.adobe = -1}};
    for (size_t at = 2; at < size;) {
        const unsigned char *found = memchr(bytes + at, 0xff, size - at);
        if (!found) break;
        for (at = (size_t)(found - bytes); at < size && bytes[at] == 0xff;)
            at++;
        if (at == size) break;
        unsigned marker = bytes[at++];
        if (marker == 0xd9) {
            jpeg->header.ended = true;
            return NULL;
        }
        /* Stuffed zero, TEM, restart, start of image: no segment follows. */
        if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
        size_t length = size - at < 2 ? SIZE_MAX : (size_t)bytes[at] << 8 | bytes[at + 1];
        if (length > size - at) return "truncated JPEG (it ends within a segment)";
        if (length < 2) return "damaged JPEG (segment without length)";
        const char *wrong = take_segment(jpeg, marker, bytes + at + 2, length - 2);
        if (wrong) return wrong;
        at += length;
    }
    return NULL;
}

static const char *jpeg_damage(const unsigned char *bytes, size_t size) {
    struct jpeg jpeg;
    const char *wrong = jpeg_segments(bytes, size, &jpeg);
    if (wrong) return wrong;
    bool all = jpeg.scans > 0;
    for (unsigned i = 0; i < jpeg.header.components && i < 4; i++)
        all = all && jpeg.seen[i];
    if (all) return NULL;
    return jpeg.header.ended ? "damaged JPEG (no pixels)"
                             : "truncated JPEG (it has no end-of-image marker)";
}

static const char *jpeg_header(const unsigned char *bytes, size_t size,
                               struct tsr_image_header *out) {
    struct jpeg jpeg;
    (void)jpeg_segments(bytes, size, &jpeg);
    *out = jpeg.header;
    out->bits = 8;
    out->samples = out->components == 1 ? 1 : 3;
    if (jpeg.precision != 8) return "a JPEG of other than 8 bits a sample";
    if (jpeg.frame > 0xc2 && jpeg.frame != 0xc9 && jpeg.frame != 0xca)
        return "a lossless or hierarchical JPEG";
    if (out->components != 1 && out->components != 3 && out->components != 4)
        return "a JPEG of other than 1, 3 or 4 channels";
    return NULL;
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

static const char *png_header(const unsigned char *bytes, size_t size,
                              struct tsr_image_header *out) {
    static const unsigned char samples[] = {1, 0, 3, 3, 2, 0, 4};
    /* Bit d is set where d bits a sample are allowed (PNG 1.2, 4.1.1). */
    static const unsigned depths[] = {0x10116, 0, 0x10100, 0x116, 0x10100, 0, 0x10100};
    unsigned colour = bytes[25];
    *out = (struct tsr_image_header){.height = tsr_big_endian(bytes + 20),
                                     .width = tsr_big_endian(bytes + 16),
                                     .bits = bytes[24] == 16 ? 16 : 8};
    if (png_bytes(bytes + 16) == 0 || !(depths[colour] >> bytes[24] & 1))
        return "damaged PNG (a header of no known kind)";
    out->samples = samples[colour];
    for (size_t at = 8; size - at >= 12; at += tsr_big_endian(bytes + at) + 12) {
        const unsigned char *chunk = bytes + at;
        if (memcmp(chunk + 4, "IEND", 4) == 0) break;
        if (memcmp(chunk + 4, "tRNS", 4) == 0 && out->samples % 2 == 1) out->samples++;
        if (memcmp(chunk + 4, "eXIf", 4) == 0 && out->orientation == 0)
            out->orientation = tsr_exif_orientation(chunk + 8, tsr_big_endian(chunk));
    }
    return NULL;
}

/* ---- BMP ------------------------------------------------------------------------------------- */

static uint32_t little(const unsigned char *p, int n) {
    uint32_t value = 0;
    for (int i = n - 1; i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

#define BMP_BITFIELDS 3

struct bmp {
    uint64_t offset, width, rows, bits, row; /* of the pixels; `row` in bytes */
    uint32_t compression, alpha;             /* its mask */
};

static bool bmp_read(const unsigned char *bytes, size_t size, struct bmp *out) {
    if (size < 30) return false;
    uint32_t header = little(bytes + 14, 4);
    bool old = header == 12; /* OS/2: 16-bit sides */
    int32_t height = (int32_t)(old ? little(bytes + 20, 2) : little(bytes + 22, 4));
    *out = (struct bmp){.offset = little(bytes + 10, 4),
                        .width = old ? little(bytes + 18, 2) : little(bytes + 18, 4),
                        /* The rows of one whose height is negative begin at the top. */
                        .rows = height < 0 ? (uint64_t) - (int64_t)height : (uint64_t)height,
                        .bits = old ? little(bytes + 24, 2) : little(bytes + 28, 2)};
    out->row = (out->width * out->bits + 31) / 32 * 4; /* at most 2^32 * 2^16 bits */
    if (!old && size >= 34) out->compression = little(bytes + 30, 4);
    /* Only the headers of Windows 95 and later speak of alpha. */
    if (header >= 108 && size >= 70 && out->compression == BMP_BITFIELDS)
        out->alpha = little(bytes + 66, 4);
    return true;
}

static bool bmp_is_whole(const unsigned char *bytes, size_t size) {
    struct bmp bmp;
    if (!bmp_read(bytes, size, &bmp)) return false;
    if (bmp.compression != 0 && bmp.compression != BMP_BITFIELDS) return bmp.offset <= size;
    return bmp.offset <= size && (bmp.rows == 0 || bmp.row <= (size - bmp.offset) / bmp.rows);
}

static const char *bmp_header(const unsigned char *bytes, size_t size,
                              struct tsr_image_header *out) {
    struct bmp bmp = {0};
    (void)bmp_read(bytes, size, &bmp);
    *out = (struct tsr_image_header){.height = (size_t)bmp.rows,
                                     .width = (size_t)bmp.width,
                                     .samples = bmp.alpha ? 4 : 3,
                                     .bits = 8};
    if (bmp.compression != 0 && bmp.compression != BMP_BITFIELDS) return "a compressed BMP";
    return NULL;
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

static const char *pnm_image_header(const unsigned char *bytes, size_t size,
                                    struct tsr_image_header *out) {
    struct tsr_pnm header;
    const char *wrong = tsr_pnm_header(bytes, size, &header);
    *out = (struct tsr_image_header){.height = header.height,
                                     .width = header.width,
                                     .samples = (unsigned)header.channels,
                                     .bits = header.max > 255 ? 16 : 8};
    return wrong;
}

/* ---- any ------------------------------------------------------------------------------------- */

/* What a file that is no image may be. */
static const char *unknown_damage(const unsigned char *bytes, size_t size) {
    static const char pointer[] = "version https://git-lfs.github.com/spec/";
    if (size == 0) return "is empty";
    if (size >= sizeof pointer - 1 && memcmp(bytes, pointer, sizeof pointer - 1) == 0)
        return "is a Git LFS pointer, not the image itself; `git lfs pull` fetches it";
    return "not a JPEG, PNG, BMP or PNM image";
}

const char *tsr_image_damage(enum tsr_image_kind kind, const unsigned char *bytes, size_t size) {
    switch (kind) {
    case TSR_KIND_UNKNOWN:
    case TSR_KINDS:
        return unknown_damage(bytes, size);
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

const char *tsr_image_header(enum tsr_image_kind kind, const unsigned char *bytes, size_t size,
                             struct tsr_image_header *out) {
    static const char *(*const read[TSR_KINDS])(const unsigned char *, size_t,
                                                struct tsr_image_header *) = {
        [TSR_KIND_JPEG] = jpeg_header,
        [TSR_KIND_PNG] = png_header,
        [TSR_KIND_BMP] = bmp_header,
        [TSR_KIND_PNM] = pnm_image_header,
    };
    const char *wrong = read[kind](bytes, size, out);
    if (out->orientation == 0) out->orientation = 1;
    return wrong;
}
