/* SPDX-License-Identifier: MIT */
#include "data/stb.h"

#include <stdlib.h>

/* The library never aborts: what these check is checked by our callers or does not endanger memory.
 */
#define STBI_ASSERT(x) ((void)0)
#define STBIR_ASSERT(x) ((void)0)
#define STBIW_ASSERT(x) ((void)0)

/* Zeroed memory: the decoder of JPEG uses tables that a damaged file has not defined. */
#define STBI_MALLOC(size) calloc(1, size)
#define STBI_REALLOC(block, size) realloc(block, size)
#define STBI_FREE(block) free(block)

/* PNM is read by image.c: this decoder takes a truncated file for a whole one, and leaves memory
 * uninitialised. */
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 65535
#define STBI_WRITE_NO_STDIO

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION

/* Judged at the end of the file, so that it cannot be limited to the headers. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#include <stb_image.h>
#include <stb_image_resize.h>
#include <stb_image_write.h>
#pragma GCC diagnostic pop

bool tsr_stb_info(const unsigned char *bytes, int size, int *width, int *height, int *channels) {
    return stbi_info_from_memory(bytes, size, width, height, channels) != 0;
}

unsigned char *tsr_stb_decode(const unsigned char *bytes, int size, int channels) {
    int width, height, in_file;
    return stbi_load_from_memory(bytes, size, &width, &height, &in_file, channels);
}

unsigned short *tsr_stb_decode_wide(const unsigned char *bytes, int size) {
    int width, height, in_file;
    return stbi_load_16_from_memory(bytes, size, &width, &height, &in_file, 1);
}

const char *tsr_stb_reason(void) {
    const char *reason = stbi_failure_reason();
    return reason ? reason : "unknown reason";
}

/* Mitchell's filter smooths even at scale 1, where Catmull and Rom's changes nothing. */
static stbir_filter filter(double in, int out) {
    return in > out ? STBIR_FILTER_MITCHELL : STBIR_FILTER_CATMULLROM;
}

bool tsr_stb_resize(const unsigned char *in, int in_height, int in_width, int channels,
                    struct tsr_stb_box box, unsigned char *out, int height, int width) {
    stbir_filter across = filter(in_width * (box.right - box.left), width);
    stbir_filter down = filter(in_height * (box.bottom - box.top), height);
    return stbir_resize_region(in, in_width, in_height, 0, out, width, height, 0, STBIR_TYPE_UINT8,
                               channels, STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP,
                               STBIR_EDGE_CLAMP, across, down, STBIR_COLORSPACE_LINEAR, NULL,
                               (float)box.left, (float)box.top, (float)box.right,
                               (float)box.bottom) != 0;
}

unsigned char *tsr_stb_png(const unsigned char *pixels, int height, int width, int channels,
                           int *size) {
    return stbi_write_png_to_mem(pixels, 0, width, height, channels, size);
}
