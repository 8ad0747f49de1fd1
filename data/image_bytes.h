/* SPDX-License-Identifier: MIT
 *
 * What kind of image a file is, what its header says, and whether its bytes are what that claims,
 * before any decoder sees them: stb_image fills what is missing of a truncated JPEG or BMP with
 * grey or black, does not look at the checksums of PNG, inflates whatever a PNG holds, and reports
 * success. Internal to data/. Any thread.
 */
#ifndef TSR_DATA_IMAGE_BYTES_H
#define TSR_DATA_IMAGE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tsr_image_kind {
    TSR_KIND_UNKNOWN,
    TSR_KIND_JPEG,
    TSR_KIND_PNG,
    TSR_KIND_BMP,
    TSR_KIND_PNM, /* of which binary grey (P5) and binary RGB (P6) can be read */
    TSR_KINDS
};

/* By the first bytes, whatever the file is called. */
enum tsr_image_kind tsr_image_kind(const unsigned char *bytes, size_t size);
/* "JPEG", "PNG", ... */
const char *tsr_image_kind_name(enum tsr_image_kind kind);

/* NULL if nothing is missing, else what is wrong (static storage). A PNG is not inflated for this,
 * and of a JPEG the end-of-image marker may be missing: whether its pixels are there is seen when
 * they are decoded. */
const char *tsr_image_damage(enum tsr_image_kind kind, const unsigned char *bytes, size_t size);

/* Of an undamaged file with sides within bounds: whether it can hold as many pixels as its header
 * says. The pixels of a PNG must inflate to just as many bytes, and are inflated for no more; what
 * else is deflated in it (iCCP, zTXt, iTXt) is inflated by nobody. NULL, or what is wrong. */
const char *tsr_image_misfit(enum tsr_image_kind kind, const unsigned char *bytes, size_t size,
                             size_t height, size_t width);

/* What the header of an undamaged file says. */
struct tsr_image_header {
    size_t height, width; /* as stored, before it is turned upright */
    unsigned samples;     /* of a pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
    unsigned bits;        /* of a sample as it is decoded: 8 or 16 */
    unsigned orientation; /* 1..8, by EXIF (data/orientation.h) */
    /* Of a JPEG: */
    bool ended;          /* its end-of-image marker is there */
    unsigned components; /* 1, 3 or, of CMYK and YCCK, which decode to RGB, 4 */
    int adobe;           /* the colour transform that Adobe's marker states; -1: it has none */
};
/* NULL, or what is not supported (static storage). Sides are not looked at. */
const char *tsr_image_header(enum tsr_image_kind kind, const unsigned char *bytes, size_t size,
                             struct tsr_image_header *out);

/* A number of four bytes, the most significant first. */
uint32_t tsr_big_endian(const unsigned char *p);

/* Header of a PNM file; `pixels` is the offset of the first sample. Returns NULL, or what is wrong
 * (static storage). */
struct tsr_pnm {
    size_t width, height, channels, max, pixels;
};
const char *tsr_pnm_header(const unsigned char *bytes, size_t size, struct tsr_pnm *out);

#endif
