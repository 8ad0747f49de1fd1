/* SPDX-License-Identifier: MIT
 *
 * The stb libraries behind a few functions of our own, so that one file compiles them and their
 * names stay out of the library's. Internal to data/. Any thread.
 */
#ifndef TSR_DATA_STB_H
#define TSR_DATA_STB_H

#include <stdbool.h>
#include <stddef.h>

struct tsr_stb_size {
    size_t height, width;
};
/* JPEG, PNG and BMP: pixels converted to `channels`; free with free(). NULL: tsr_stb_reason() says
 * why. */
unsigned char *tsr_stb_decode(const unsigned char *bytes, int size, int channels,
                              struct tsr_stb_size *found);
/* The same in 16 bits. */
unsigned short *tsr_stb_decode_wide(const unsigned char *bytes, int size, int channels,
                                    struct tsr_stb_size *found);
/* Why the last call of this thread failed, in two or three words. */
const char *tsr_stb_reason(void);

/* Scales the part [top, bottom) x [left, right) of an image, given as fractions of its sides, to
 * height x width. False: no memory. */
struct tsr_stb_box {
    double top, left, bottom, right;
};
bool tsr_stb_resize(const unsigned char *in, int in_height, int in_width, int channels,
                    struct tsr_stb_box box, unsigned char *out, int height, int width);

/* A PNG file in memory, or with a quality 1 .. 100 a JPEG file (above 90 without subsampling of
 * colours); free with free(). NULL: no memory. */
unsigned char *tsr_stb_encode(const unsigned char *pixels, int height, int width, int channels,
                              int quality, int *size);

#endif
