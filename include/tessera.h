/* SPDX-License-Identifier: MIT
 *
 * tessera: images as small coordinate networks (implicit neural representations, INRs).
 *
 * A model is meta-learned on a dataset of images: it holds where the networks of an image's regions
 * start from and how they adapt. Adapting it to an image takes a few gradient steps and gives an
 * INR, which can be evaluated at any point and rendered at any size.
 *
 *     struct tsr_error err;
 *     struct tsr_model *model;
 *     struct tsr_inr *inr;
 *     struct tsr_images image = tsr_images_bytes(pixels, 1, height, width, 3);
 *     if (tsr_model_from_file("faces.h5", &model, &err) ||
 *         tsr_model_adapt(model, &image, NULL, &inr, NULL, &err))
 *         fprintf(stderr, "%s\n", err.message);
 *     tsr_inr_render_floats(inr, 4 * height, 4 * width, 0, out, &err);
 *     tsr_inr_free(inr);
 *     tsr_model_free(model);
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
     * model knows), or 65535: the pixel belongs to no class. Such pixels are a region of their own
     * of a model that was trained with some, else they go to the class of the nearest pixel that
     * has one. */
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

/* An image file of any kind that the program reads, as one image of bytes, ready for
 * tsr_model_adapt(). `channels`: 1 or 3 converts, 0 keeps what the file has. Of *out the caller has
 * set the size (tsr_images_bytes() does); all else is overwritten, and out->pixels is to be freed
 * with tsr_free(). After a failure it is NULL. */
TSR_PUBLIC enum tsr_status tsr_image_from_file(const char *path, size_t channels,
                                               struct tsr_images *out, struct tsr_error *err);

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
    size_t label_count;             /* of classes; 0: no label maps */
};
TSR_PUBLIC enum tsr_status tsr_dataset_get_info(const struct tsr_dataset *dataset,
                                                struct tsr_dataset_info *out,
                                                struct tsr_error *err);

/* ---- training -------------------------------------------------------------------------------- */

/* How to train: partition rule, network, method, length of the run and so on, all by name. */
struct tsr_settings;

/* The defaults, which are those of `tessera train` but for the length of the run: 1000 outer
 * steps. */
TSR_PUBLIC enum tsr_status tsr_settings_create(struct tsr_settings **out, struct tsr_error *err);
TSR_PUBLIC void tsr_settings_free(struct tsr_settings *settings); /* accepts NULL */

/* Sets one, as text. Names are those of `tessera train` without the dashes; docs/library.md lists
 * them. A whole choice may be given at once, parameters and all:
 *
 *     tsr_settings_set(settings, "rule", "grid 8x8", &err);
 *     tsr_settings_set(settings, "net", "siren", &err);
 *     tsr_settings_set(settings, "width", "32", &err);
 *     tsr_settings_set(settings, "time", "60", &err);         (seconds; 0: by outer steps)
 *
 * Choosing an object (a network, a rule, a method) sets its parameters to their defaults.
 * TSR_ERR_NOT_FOUND: there is none of this name, or no such choice; TSR_ERR_CONFIG: the value
 * cannot be read or is out of range. What depends on several settings is checked when training
 * begins. */
TSR_PUBLIC enum tsr_status tsr_settings_set(struct tsr_settings *settings, const char *name,
                                            const char *value, struct tsr_error *err);
/* Its value as text: out [size], terminated. TSR_ERR_SHAPE: it does not fit. */
TSR_PUBLIC enum tsr_status tsr_settings_get(const struct tsr_settings *settings, const char *name,
                                            char *out, size_t size, struct tsr_error *err);
/* Name of the i-th setting, in the present choice of objects; NULL from the last on. */
TSR_PUBLIC const char *tsr_settings_name(const struct tsr_settings *settings, size_t i);

struct tsr_model;

/* Where a run stands. The library's: members that a caller knows are always there. */
struct tsr_training_progress {
    size_t size;
    uint64_t outer_step;  /* done */
    uint64_t outer_steps; /* of the run; 0: it is bounded by time */
    double seconds, seconds_bound;
    double train_psnr_db; /* dB, mean over the images of this outer step, after the inner steps */
    double val_psnr_db;   /* dB, at the last validation; NaN before the first, or without images */
    uint64_t skipped;     /* images left out because something was not finite */
};

/* Called after every outer step, by the thread that trains. Nonzero ends the run. */
typedef int (*tsr_training_fn)(void *user, const struct tsr_training_progress *state);

/* Trains a model on the train split; the validation split gives the PSNR that is reported. `init`:
 * a model whose initialisations to start from, of the same network and coordinates, or NULL.
 * `progress` may be NULL. A run that is bounded by outer steps is a function of dataset, settings
 * and `init`. The dataset is in use until the call returns.
 *
 * Two failures still give a model: TSR_ERR_INTERRUPTED, after a nonzero `progress`, the one
 * reached; TSR_ERR_NUMERIC, for images whose losses are not finite over and over, that before. *out
 * is then not NULL. */
TSR_PUBLIC enum tsr_status tsr_model_train(struct tsr_dataset *dataset,
                                           const struct tsr_settings *settings,
                                           const struct tsr_model *init, tsr_training_fn progress,
                                           void *user, struct tsr_model **out,
                                           struct tsr_error *err);

/* ---- models ---------------------------------------------------------------------------------- */

/* A model file, or its bytes in memory, as `tessera train` writes it (docs/formats.md). `path` is
 * replaced as a whole or not at all. */
TSR_PUBLIC enum tsr_status tsr_model_from_file(const char *path, struct tsr_model **out,
                                               struct tsr_error *err);
TSR_PUBLIC enum tsr_status tsr_model_from_memory(const void *bytes, size_t size,
                                                 struct tsr_model **out, struct tsr_error *err);
TSR_PUBLIC enum tsr_status tsr_model_to_file(const struct tsr_model *model, const char *path,
                                             struct tsr_error *err);
TSR_PUBLIC enum tsr_status tsr_model_to_memory(const struct tsr_model *model, void **bytes,
                                               size_t *size, struct tsr_error *err);
TSR_PUBLIC void tsr_model_free(struct tsr_model *model); /* accepts NULL */

struct tsr_model_info {
    size_t size; /* set by the caller */
    size_t channels;
    size_t height, width; /* of the images it was trained on; 0: unknown */
    size_t slots;         /* meta-learned initialisations */
    size_t inner_steps;   /* that it was trained for */
    size_t region_params; /* parameters of the network of one region */
    char rule[128];       /* the partition rule, e.g. "grid 8x8" */
    char network[128];    /* the kind of network with its parameters */
};
TSR_PUBLIC enum tsr_status tsr_model_get_info(const struct tsr_model *model,
                                              struct tsr_model_info *out, struct tsr_error *err);

/* ---- adapting -------------------------------------------------------------------------------- */

struct tsr_inr;

struct tsr_adapt_settings {
    size_t size;
    size_t inner_steps; /* 0: as many as the model was trained for; see also no_steps */
    int no_steps;       /* nonzero: none, the initialisation itself */
    size_t threads;
    const char *kernel; /* "portable", "avx2", ...; NULL: the best for this processor */
    /* Asked now and then, on the calling thread; nonzero ends the work with
     * TSR_ERR_INTERRUPTED. */
    int (*cancelled)(void *user);
    void *user;
};
static inline struct tsr_adapt_settings tsr_adapt_defaults(void) {
    struct tsr_adapt_settings settings;
    memset(&settings, 0, sizeof settings);
    settings.size = sizeof settings;
    return settings;
}

/* What adapting gave and cost. */
struct tsr_adapt_report {
    size_t size; /* set by the caller */
    /* PSNR in dB (peak 1) after 0, 1, ... inner steps, from the unclipped outputs: the caller's
     * array of room for psnr_room numbers, of which the first inner_steps + 1 are set as far as
     * there is room. NULL: not wanted. */
    double *psnr_db;
    size_t psnr_room;
    size_t inner_steps;     /* done */
    double final_psnr_db;   /* of the INR, which holds of each region the best of its steps */
    double seconds;         /* of computing; finding the regions is not in it */
    double regions_seconds; /* of finding the regions, where the rule looks at the image */
    size_t regions;         /* that have pixels */
    size_t numbers; /* adapted and stored, of all regions: beside height * width * channels */
    double flops;   /* essential floating-point operations: multiply-adds count 2 */
};
static inline struct tsr_adapt_report tsr_adapt_report_of(double *psnr_db, size_t psnr_room) {
    struct tsr_adapt_report report;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;
    report.psnr_db = psnr_db;
    report.psnr_room = psnr_room;
    return report;
}

/* Adapts the model to one image (images->n is 1) of the model's channels and of any size that its
 * partition rule can divide; a model with a slot for each region asks for as many regions as it was
 * trained with. `settings` NULL: the defaults; `report` may be NULL. A loss that is not finite is
 * no error: the PSNR is then NaN. Errors: TSR_ERR_SHAPE, the image does not fit the model;
 * TSR_ERR_CONFIG, it cannot be divided, or has no label map where the rule needs one. */
TSR_PUBLIC enum tsr_status tsr_model_adapt(const struct tsr_model *model,
                                           const struct tsr_images *image,
                                           const struct tsr_adapt_settings *settings,
                                           struct tsr_inr **out, struct tsr_adapt_report *report,
                                           struct tsr_error *err);

/* ---- INRs ------------------------------------------------------------------------------------ */

/* TSR_ERR_UNSUPPORTED: the INR refers to a model for what all images share (`tessera adapt
 * --reference`). */
TSR_PUBLIC enum tsr_status tsr_inr_from_file(const char *path, struct tsr_inr **out,
                                             struct tsr_error *err);
TSR_PUBLIC enum tsr_status tsr_inr_from_memory(const void *bytes, size_t size, struct tsr_inr **out,
                                               struct tsr_error *err);
TSR_PUBLIC enum tsr_status tsr_inr_to_file(const struct tsr_inr *inr, const char *path,
                                           struct tsr_error *err);
TSR_PUBLIC enum tsr_status tsr_inr_to_memory(const struct tsr_inr *inr, void **bytes, size_t *size,
                                             struct tsr_error *err);
TSR_PUBLIC void tsr_inr_free(struct tsr_inr *inr); /* accepts NULL */

struct tsr_inr_info {
    size_t size;                    /* set by the caller */
    size_t height, width, channels; /* of the image that it was adapted to */
    size_t regions;
    size_t region_params; /* parameters of the network of each region */
    char rule[128];       /* the partition rule, e.g. "grid 8x8" */
    char network[128];    /* the kind of network with its parameters */
};
TSR_PUBLIC enum tsr_status tsr_inr_get_info(const struct tsr_inr *inr, struct tsr_inr_info *out,
                                            struct tsr_error *err);

/* A copy of the parameters of a region: out [region_params], W_0 [out, in], b_0, W_1, ... */
TSR_PUBLIC enum tsr_status tsr_inr_get_params(const struct tsr_inr *inr, size_t region, float *out,
                                              struct tsr_error *err);

/* The value at any points: coordinates [n, 2], row and column in pixels of the original image, so
 * that (0, 0) is the centre of its first pixel and its area reaches from -0.5 to height - 0.5 and
 * width - 0.5. out [n, channels], overwritten, not clipped. A point is evaluated by the network of
 * the region that it falls in, or, where regions overlap, by all that have weight there, blended. A
 * point outside the image belongs to the region nearest to it; networks know nothing of what is
 * there. n may be 0. */
TSR_PUBLIC enum tsr_status tsr_inr_eval(const struct tsr_inr *inr, const float *coordinates,
                                        size_t n, size_t threads, float *out,
                                        struct tsr_error *err);

/* The image at height x width pixels, any scale: out [height, width, channels], overwritten; the
 * centre of pixel (i, j) is (i + 1/2) H / height - 1/2, (j + 1/2) W / width - 1/2 of the original H
 * x W. Floats are not clipped; bytes are clipped to 0 .. 1, times 255, rounded. Sides are 1 ..
 * 65535 and pixels at most 2^28. */
TSR_PUBLIC enum tsr_status tsr_inr_render_floats(const struct tsr_inr *inr, size_t height,
                                                 size_t width, size_t threads, float *out,
                                                 struct tsr_error *err);
TSR_PUBLIC enum tsr_status tsr_inr_render_bytes(const struct tsr_inr *inr, size_t height,
                                                size_t width, size_t threads, uint8_t *out,
                                                struct tsr_error *err);

#ifdef __cplusplus
}
#endif

#endif
