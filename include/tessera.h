/* SPDX-License-Identifier: MIT
 *
 * tessera: images as small coordinate networks (implicit neural representations, INRs).
 *
 * Errors. A function that can fail returns an enum tsr_status, TSR_OK (0) if it did not, and fills
 * the caller's struct tsr_error, which may be NULL, only when it fails. What it should have created
 * is then NULL. The library prints nothing and ends no process. NULL, where it is not said to be
 * allowed, is answered with TSR_ERR_ARGUMENT. So is a NaN or an infinity among coordinates or
 * pixels.
 *
 * Ownership. What a function creates through a `**` argument belongs to the caller: objects end
 * with the tsr_..._free() of their kind, blocks of bytes with tsr_free(). What the caller hands in
 * stays the caller's and is not kept after the call, but for a dataset (see there). Strings that
 * are returned are views.
 *
 * Arrays are dense, the last index runs fastest: images [n, height, width, channels], coordinates
 * [n, 2] (row, column).
 *
 * Threads. Any function may be called from any thread. A model or an INR may be used by several
 * threads at once, since no function changes it; a dataset or settings by one at a time. `threads`
 * is how many threads of OpenMP a call may use: 0 is one for each processor that the process may
 * use (OMP_NUM_THREADS, processor affinity and a container's quota are respected), and 1 is right
 * for a program with a pool of its own. The results do not depend on it, unless training is bounded
 * by time. A process that has called the library with more than one thread must not call it with
 * more than one after fork() without exec(): so it is with GNU OpenMP. HDF5 is used by one thread
 * at a time inside, under a lock that does not know of other users of HDF5 in the process: build
 * HDF5 thread-safe, or read and write files from one thread, if there are any.
 *
 * Compatibility. Until 1.0 the library's SONAME is libtessera.so.0.MINOR, and only versions of one
 * MINOR are binary compatible. A struct whose first member is `size` may grow at its end: the size
 * tells the library which members its caller knows, and the initialisers below set it. What the
 * caller does not know is left alone, or, of settings, has its default, which is what 0 means for
 * every member. A caller that is newer than the library is refused with TSR_ERR_UNSUPPORTED where
 * it sets what the library does not know. Without a size there is TSR_ERR_ARGUMENT.
 */
#ifndef TSR_TESSERA_H
#define TSR_TESSERA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TSR_PUBLIC
#if defined __GNUC__
#define TSR_PUBLIC __attribute__((visibility("default")))
#else
#define TSR_PUBLIC
#endif
#endif

/* ---- version and errors ---------------------------------------------------------------------- */

/* Of this header. The build reads it from this line. */
#define TSR_VERSION "0.1.0"
/* Of the library in use. */
TSR_PUBLIC const char *tsr_version(void);

enum tsr_status {
    TSR_OK = 0,
    TSR_ERR_ARGUMENT, /* a call broke the contract of the function */
    TSR_ERR_CONFIG,   /* a setting is out of range or contradicts another */
    TSR_ERR_NO_MEMORY,
    TSR_ERR_IO,      /* open, read, write, rename, disk full */
    TSR_ERR_FORMAT,  /* a file is not what it claims to be, or is damaged */
    TSR_ERR_VERSION, /* a file is of a newer format */
    TSR_ERR_SHAPE,   /* two things do not fit each other */
    TSR_ERR_NOT_FOUND,
    TSR_ERR_NUMERIC,     /* NaN, infinity, divergence */
    TSR_ERR_INTERRUPTED, /* a callback asked to stop */
    TSR_ERR_UNSUPPORTED
};

#define TSR_ERROR_SIZE 1024

struct tsr_error {
    enum tsr_status status;
    const char *file; /* source location that raised it; static storage */
    int line;
    /* One line, no trailing newline: names the thing, the value found and the rule. */
    char message[TSR_ERROR_SIZE];
};

/* Short English name of a status, e.g. "not found". Never NULL. */
TSR_PUBLIC const char *tsr_status_name(enum tsr_status status);

/* Frees what a function of this header has allocated as bytes. Accepts NULL. */
TSR_PUBLIC void tsr_free(void *bytes);

/* ---- images and datasets --------------------------------------------------------------------- */

enum tsr_pixel_type {
    TSR_PIXELS_U8 = 1, /* uint8_t: 0 .. 255 stand for 0 .. 1 */
    TSR_PIXELS_F32     /* float: black 0, white 1; values beyond are taken as they are */
};

/* Images of one size in the caller's memory. */
struct tsr_images {
    size_t size;
    enum tsr_pixel_type type;
    const void *pixels;                /* [n, height, width, channels] of the type */
    size_t n, height, width, channels; /* sides 1 .. 65535; channels 1 .. 64 */
    /* Label maps [n, height, width], or NULL: to which class each pixel belongs, for the partition
     * rule `labels`. Each label is below label_count, 1 .. 65535 (for adapting it may be 0: the
     * model knows). */
    const uint16_t *labels;
    size_t label_count;
    /* For datasets only. Of each image 0 (train), 1 (validation) or 2 (test), [n]; NULL: every
     * image is in all three. */
    const uint8_t *split;
    const char *const *names; /* [n], for messages; NULL: "#0", "#1", ... */
};

static inline struct tsr_images tsr_images_of(enum tsr_pixel_type type, const void *pixels,
                                              size_t n, size_t height, size_t width,
                                              size_t channels) {
    struct tsr_images images;
    memset(&images, 0, sizeof images);
    images.size = sizeof images;
    images.type = type;
    images.pixels = pixels;
    images.n = n;
    images.height = height;
    images.width = width;
    images.channels = channels;
    return images;
}
static inline struct tsr_images tsr_images_bytes(const uint8_t *pixels, size_t n, size_t height,
                                                 size_t width, size_t channels) {
    return tsr_images_of(TSR_PIXELS_U8, pixels, n, height, width, channels);
}
static inline struct tsr_images tsr_images_floats(const float *pixels, size_t n, size_t height,
                                                  size_t width, size_t channels) {
    return tsr_images_of(TSR_PIXELS_F32, pixels, n, height, width, channels);
}

struct tsr_dataset;

/* A view: pixels, labels, split and names must stay, unchanged, until tsr_dataset_free(). Floats
 * are trained on as they are, without rounding to 8 bits; where a partition rule looks at colours,
 * it looks at them clipped and rounded. */
TSR_PUBLIC enum tsr_status tsr_dataset_from_images(const struct tsr_images *images,
                                                   struct tsr_dataset **out, struct tsr_error *err);
/* An HDF5 file with `/images` uint8 [N,H,W,C], as `tessera pack` writes it and as h5py may; it
 * stays open and images are read as they are needed. */
TSR_PUBLIC enum tsr_status tsr_dataset_from_file(const char *path, struct tsr_dataset **out,
                                                 struct tsr_error *err);
TSR_PUBLIC void tsr_dataset_free(struct tsr_dataset *dataset); /* accepts NULL */

struct tsr_dataset_info {
    size_t size; /* sizeof(struct tsr_dataset_info), set by the caller */
    size_t images, height, width, channels;
    size_t train, validation, test; /* images in each split */
    size_t label_count;             /* 0: no label maps */
};
TSR_PUBLIC enum tsr_status tsr_dataset_get_info(const struct tsr_dataset *dataset,
                                                struct tsr_dataset_info *out,
                                                struct tsr_error *err);

struct tsr_model;
TSR_PUBLIC void tsr_model_free(struct tsr_model *model); /* accepts NULL */

struct tsr_inr;
TSR_PUBLIC void tsr_inr_free(struct tsr_inr *inr); /* accepts NULL */

#ifdef __cplusplus
}
#endif

#endif
