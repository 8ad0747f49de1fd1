/* SPDX-License-Identifier: MIT */
#include "data/stb.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- memory of the writer ----------------------------------------------------------------------
 *
 * It does not look at what allocation gives it. Its blocks are kept in a list, and where there is
 * no memory for one, control goes back to who called it. */

struct block {
    struct block *next, *previous;
};

static _Thread_local struct {
    struct block list; /* a ring */
    jmp_buf *out;
} writer;

static void *enter(struct block *block) {
    if (!block) longjmp(*writer.out, 1);
    block->next = writer.list.next;
    block->previous = &writer.list;
    block->next->previous = writer.list.next = block;
    return block + 1;
}

static struct block *leave(void *memory) {
    struct block *block = (struct block *)memory - 1;
    block->next->previous = block->previous;
    block->previous->next = block->next;
    return block;
}

static void *writer_alloc(size_t size) {
    return enter(malloc(sizeof(struct block) + size));
}

/* A block that cannot grow is freed with the others. */
static void *writer_realloc(void *memory, size_t size) {
    if (!memory) return writer_alloc(size);
    struct block *block = leave(memory), *grown = realloc(block, sizeof *block + size);
    if (grown) return enter(grown);
    (void)enter(block);
    return enter(NULL);
}

static void writer_free(void *memory) {
    if (memory) free(leave(memory));
}

static void writer_free_all(void) {
    while (writer.list.next != &writer.list)
        writer_free(writer.list.next + 1);
}

/* zlib's files are a third smaller than the writer's own. */
static unsigned char *writer_deflate(unsigned char *bytes, int size, int *out_size, int quality) {
    uLongf n = compressBound((uLong)size);
    unsigned char *out = writer_alloc(n);
    (void)quality;
    if (compress2(out, &n, bytes, (uLong)size, Z_DEFAULT_COMPRESSION) != Z_OK) (void)enter(NULL);
    *out_size = (int)n;
    return out;
}

#define STBIW_ZLIB_COMPRESS writer_deflate
#define STBIW_MALLOC(size) writer_alloc(size)
#define STBIW_REALLOC(block, size) writer_realloc(block, size)
#define STBIW_FREE(block) writer_free(block)

/* ---- the rest of it ----------------------------------------------------------------------------
 */

/* The library never aborts: what these check is checked by our callers or does not endanger memory.
 */
#define STBI_ASSERT(x) ((void)0)
#define STBIR_ASSERT(x) ((void)0)
#define STBIW_ASSERT(x) ((void)0)

/* Zeroed memory: the decoder of JPEG uses tables that a damaged file has not defined. */
#define STBI_MALLOC(size) calloc(1, size)
#define STBI_REALLOC(block, size) realloc(block, size)
#define STBI_FREE(block) free(block)

/* PNM is read by decoders/pnm.c: this decoder takes a truncated file for a whole one, and leaves
 * memory uninitialised. */
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

unsigned char *tsr_stb_decode(const unsigned char *bytes, int size, int channels,
                              struct tsr_stb_size *found) {
    int width = 0, height = 0, in_file;
    unsigned char *pixels = stbi_load_from_memory(bytes, size, &width, &height, &in_file, channels);
    *found = (struct tsr_stb_size){(size_t)height, (size_t)width};
    return pixels;
}

unsigned short *tsr_stb_decode_wide(const unsigned char *bytes, int size, int channels,
                                    struct tsr_stb_size *found) {
    int width = 0, height = 0, in_file;
    unsigned short *pixels =
        stbi_load_16_from_memory(bytes, size, &width, &height, &in_file, channels);
    *found = (struct tsr_stb_size){(size_t)height, (size_t)width};
    return pixels;
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

/* A file that grows. */
struct sink {
    unsigned char *bytes;
    int size, room;
};

static void put(void *user, void *bytes, int size) {
    struct sink *s = user;
    if (size > s->room - s->size) {
        s->room = 2 * (s->size + size);
        s->bytes = writer_realloc(s->bytes, (size_t)s->room);
    }
    memcpy(s->bytes + s->size, bytes, (size_t)size);
    s->size += size;
}

unsigned char *tsr_stb_encode(const unsigned char *pixels, int height, int width, int channels,
                              int quality, int *size) {
    unsigned char *volatile out = NULL;
    struct sink sink = {0};
    jmp_buf no_memory;
    writer.list.next = writer.list.previous = &writer.list;
    writer.out = &no_memory;
    if (setjmp(no_memory) == 0) {
        if (quality)
            (void)stbi_write_jpg_to_func(put, &sink, width, height, channels, pixels, quality);
        else
            sink.bytes = stbi_write_png_to_mem(pixels, 0, width, height, channels, &sink.size);
        out = sink.bytes ? malloc((size_t)sink.size) : NULL;
        if (out) memcpy(out, sink.bytes, (size_t)sink.size);
        *size = sink.size;
    }
    writer_free_all();
    return out;
}
