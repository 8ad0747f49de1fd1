/* SPDX-License-Identifier: MIT
 *
 * What kind of image a file is, and whether its bytes are what its header says: stb_image fills
 * what is missing of a truncated JPEG or BMP with grey or black, does not look at the checksums of
 * PNG, inflates whatever a PNG holds, and reports success. Internal to data/. Any thread.
 */
#ifndef TSR_DATA_IMAGE_BYTES_H
#define TSR_DATA_IMAGE_BYTES_H

#include <stddef.h>
#include <stdint.h>

enum tsr_image_kind {
    TSR_KIND_UNKNOWN,
    TSR_KIND_JPEG,
    TSR_KIND_PNG,
    TSR_KIND_BMP,
    TSR_KIND_PNM /* of which binary grey (P5) and binary RGB (P6) can be read */
};

enum tsr_image_kind tsr_image_kind(const unsigned char *bytes, size_t size);

/* NULL if nothing is missing, else what is wrong (static storage). A PNG is not inflated for this.
 */
const char *tsr_image_damage(enum tsr_image_kind kind, const unsigned char *bytes, size_t size);

/* Of an undamaged file with sides within bounds: whether it can hold as many pixels as its header
 * says. The pixels of a PNG must inflate to just as many bytes, and are inflated for no more; what
 * else is deflated in it (iCCP, zTXt, iTXt) is inflated by nobody. NULL, or what is wrong. */
const char *tsr_image_misfit(enum tsr_image_kind kind, const unsigned char *bytes, size_t size,
                             size_t height, size_t width);

/* A number of four bytes, the most significant first. */
uint32_t tsr_big_endian(const unsigned char *p);

/* Header of a PNM file; `pixels` is the offset of the first sample. Returns NULL, or what is wrong
 * (static storage). */
struct tsr_pnm {
    size_t width, height, channels, max, pixels;
};
const char *tsr_pnm_header(const unsigned char *bytes, size_t size, struct tsr_pnm *out);

#endif
