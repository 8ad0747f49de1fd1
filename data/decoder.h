/* SPDX-License-Identifier: MIT
 *
 * Decoders of image files. Each is an object (base/object.h) in data/decoders: a file that defines
 * one constant, and one line in the registry. Of several that read a kind the first does, so that
 * what a build has decides: libjpeg and libspng where they are there, stb_image else.
 *
 * A decoder sees bytes that have been looked at (data/image_bytes.h), within the limits on sides
 * and area. Internal to data/. Any thread.
 */
#ifndef TSR_DATA_DECODER_H
#define TSR_DATA_DECODER_H

#include "base/object.h"
#include "data/image_bytes.h"

/* A file in memory. */
struct tsr_encoded {
    const char *name; /* for messages */
    enum tsr_image_kind kind;
    const unsigned char *bytes;
    size_t size;
    struct tsr_image_header header;
};

/* What is decoded, as it is stored: [height, width, samples], of 8 bits or, where the header says
 * 16, uint16_t; samples as there, of the header. */
struct tsr_decoded {
    void *samples;      /* to be freed with free() */
    const char *remark; /* what is not as it should be though all pixels are there, or NULL */
};

struct tsr_decoder {
    struct tsr_object object;
    bool reads[TSR_KINDS];
    /* Errors: TSR_ERR_FORMAT (damaged), TSR_ERR_NO_MEMORY; `out` is then empty. */
    enum tsr_status (*decode)(const struct tsr_encoded *in, struct tsr_decoded *out,
                              struct tsr_error *err);
};

TSR_API extern const struct tsr_registry tsr_decoders;
/* The i-th of the registry. */
TSR_API const struct tsr_decoder *tsr_decoder(size_t i);
/* The one that reads this kind; NULL for a kind that none does. */
TSR_API const struct tsr_decoder *tsr_decoder_of(enum tsr_image_kind kind);

#endif
