/* SPDX-License-Identifier: MIT
 *
 * 8-bit images: decode (JPEG, PNG, BMP, PNM: data/decoder.h), fit to a size, write PNG. Label maps:
 * decode (PNG, PGM), fit as the images they belong to.
 *
 * Every image is upright as it is decoded: turned and mirrored as EXIF states (the first APP1
 * segment of a JPEG that has it, the eXIf chunk of a PNG; what makes no sense there is ignored).
 * What is transparent is composed on a background, in the encoded (sRGB) values, as viewers do. 16
 * bits are rounded to 8.
 */
#ifndef TSR_DATA_IMAGE_H
#define TSR_DATA_IMAGE_H

#include <stdbool.h>

#include "base/names.h"
#include "base/status.h"
#include "data/colour.h"

/* Largest side and largest number of pixels that are decoded; checked before the decoder allocates.
 */
#define TSR_IMAGE_MAX_SIDE 65535
#define TSR_IMAGE_MAX_PIXELS ((size_t)256 << 20)

struct tsr_image {
    size_t height, width, channels; /* channels 1 (grey) or 3 (RGB) */
    uint8_t *pixels;                /* [height, width, channels], owned */
    char remark[64]; /* of a file that is not as it should be, though all pixels are there, say
                        "its end marker is missing, its pixels are there"; "": none */
};

/* How an image is to be decoded. */
struct tsr_decoding;
struct tsr_image_as {
    size_t channels;               /* 1 or 3 converts, 0 keeps what the file has */
    struct tsr_colour background;  /* of what is transparent; for a grey image its grey */
    const struct tsr_decoding *by; /* NULL: here */
};

/* Decodes `path`; `as` NULL: the channels of the file, on white.
 * Errors: TSR_ERR_IO (cannot open), TSR_ERR_FORMAT (not an image, truncated, too large); the
 * message names the path. Any thread. */
TSR_API enum tsr_status tsr_image_read(const char *path, const struct tsr_image_as *as,
                                       struct tsr_image *out, struct tsr_error *err) TSR_MUST_USE;

/* The same of an image file in memory: bytes [size]. `name` stands for the path in messages. */
TSR_API enum tsr_status tsr_image_decode(const char *name, const unsigned char *bytes, size_t size,
                                         const struct tsr_image_as *as, struct tsr_image *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Height, width and channels, as tsr_image_read() gives them, without decoding the pixels (`pixels`
 * is NULL). */
TSR_API enum tsr_status tsr_image_probe(const char *path, struct tsr_image *out,
                                        struct tsr_error *err) TSR_MUST_USE;

/* Allocates an image of zeros. */
TSR_API enum tsr_status tsr_image_create(struct tsr_image *out, size_t height, size_t width,
                                         size_t channels, struct tsr_error *err) TSR_MUST_USE;

/* Frees the pixels and zeroes the struct; NULL and an empty image are fine. */
TSR_API void tsr_image_clear(struct tsr_image *image);

/* Of a label map: which object, class or region each pixel belongs to. */
struct tsr_label_map {
    size_t height, width;
    uint16_t *labels; /* [height, width], owned */
    uint16_t most;    /* that its file could hold: 255 or 65535 */
    bool negative;    /* it stands for -1, which some have */
};

/* Who decodes the bytes of image files in the place of this process, say another one that may do
 * nothing else: what tsr_image_decode() and tsr_label_map_decode() do and say. Any thread, several
 * at once. */
struct tsr_decoding {
    enum tsr_status (*image)(void *user, const char *name, const unsigned char *bytes, size_t size,
                             const struct tsr_image_as *as, struct tsr_image *out,
                             struct tsr_error *err);
    enum tsr_status (*label_map)(void *user, const char *name, unsigned char *bytes, size_t size,
                                 struct tsr_label_map *out, struct tsr_error *err);
    void *user;
};

/* Decodes a label map exactly: a PNG that is grey (of 1 to 16 bits; alpha is dropped) or has a
 * palette (the labels are the indices), or a binary PGM (values as they are, whatever its maximum).
 * It is turned upright as images are.
 * Errors as tsr_image_read(); TSR_ERR_FORMAT also for colours, and for JPEG, which keeps no exact
 * values. `by` NULL: here. Any thread. */
TSR_API enum tsr_status tsr_label_map_read(const char *path, const struct tsr_decoding *by,
                                           struct tsr_label_map *out,
                                           struct tsr_error *err) TSR_MUST_USE;
/* The same of a file in memory, bytes [size], which are changed. `name` stands for the path in
 * messages. */
TSR_API enum tsr_status tsr_label_map_decode(const char *name, unsigned char *bytes, size_t size,
                                             const struct tsr_decoding *by,
                                             struct tsr_label_map *out,
                                             struct tsr_error *err) TSR_MUST_USE;
/* Frees the labels and zeroes the struct; NULL and an empty map are fine. */
TSR_API void tsr_label_map_clear(struct tsr_label_map *map);

/* Internal to data/: TSR_ERR_FORMAT unless sides and area are within the limits above. */
enum tsr_status tsr_image_check_sides(const char *name, size_t height, size_t width,
                                      struct tsr_error *err);

enum tsr_fit {
    TSR_FIT_CROP,   /* centre crop; an image smaller than the target is an error */
    TSR_FIT_COVER,  /* scale so that the target is just covered, then centre crop */
    TSR_FIT_SQUASH, /* scale both sides, ignoring the aspect */
    TSR_FIT_TILE,   /* disjoint tiles of the target size, row-major, from the centred multiple */
};

/* Parses "crop", "cover", "squash", "tile"; NOT_FOUND otherwise (the message lists the names). */
TSR_API enum tsr_status tsr_fit_parse(const char *text, enum tsr_fit *out,
                                      struct tsr_error *err) TSR_MUST_USE;
TSR_API extern const struct tsr_names tsr_fit_names;
TSR_API const char *tsr_fit_name(enum tsr_fit fit);

/* How many images of height x width `fit` makes of `image`: 1, or for tiles any number (0: smaller
 * than one tile; also 0 for a crop of an image that is smaller than the target). */
TSR_API size_t tsr_fit_count(const struct tsr_image *image, enum tsr_fit fit, size_t height,
                             size_t width);

/* Writes the `index`-th of them to out [height, width, channels], 8 bit. Down-scaling filters
 * (Mitchell), in sRGB values as PIL and torchvision do. */
TSR_API enum tsr_status tsr_fit_apply(const struct tsr_image *image, enum tsr_fit fit, size_t index,
                                      size_t height, size_t width, uint8_t *out,
                                      struct tsr_error *err) TSR_MUST_USE;

/* The same of a label map: out [height, width] are the labels of what tsr_fit_apply() makes of an
 * image of the size of the map. Where it scales, each is the label at the pixel's centre. */
TSR_API enum tsr_status tsr_fit_labels(const struct tsr_label_map *map, enum tsr_fit fit,
                                       size_t index, size_t height, size_t width, uint16_t *out,
                                       struct tsr_error *err) TSR_MUST_USE;

/* A PNG file (8-bit grey or RGB) in memory; free with free(). */
TSR_API enum tsr_status tsr_image_png(const struct tsr_image *image, unsigned char **bytes,
                                      size_t *size, struct tsr_error *err) TSR_MUST_USE;

/* The same as a JPEG file of a quality 1 .. 100. */
TSR_API enum tsr_status tsr_image_jpeg(const struct tsr_image *image, int quality,
                                       unsigned char **bytes, size_t *size,
                                       struct tsr_error *err) TSR_MUST_USE;

/* Writes a PNG (8-bit grey or RGB) to a temporary name beside `path`, then renames: `path` holds
 * the whole picture or what it held before. */
TSR_API enum tsr_status tsr_image_write_png(const char *path, const struct tsr_image *image,
                                            struct tsr_error *err) TSR_MUST_USE;

#endif
