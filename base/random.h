/* SPDX-License-Identifier: MIT
 *
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011). A value is a pure function of (seed, stream, index): there is no state to
 * save, and what a thread draws does not depend on the others. Streams separate the uses.
 */
#ifndef TSR_BASE_RANDOM_H
#define TSR_BASE_RANDOM_H

#include "base/api.h"

enum tsr_random_stream {
    TSR_STREAM_INIT = 1,       /* network initialisation */
    TSR_STREAM_SHUFFLE = 2,    /* order of the images in an epoch */
    TSR_STREAM_SPLIT = 3,      /* assignment of images to splits */
    TSR_STREAM_REGIONS = 4,    /* choice of regions of an image */
    TSR_STREAM_PIXELS = 5,     /* order of the pixels of a region in its batches */
    TSR_STREAM_BASIS = 6,      /* basis of a latent adaptation */
    TSR_STREAM_CONTEXT = 7,    /* known pixels of an image */
    TSR_STREAM_CHUNKS = 8,     /* order of the chunks of a file in an epoch */
    TSR_STREAM_RUN = 16,       /* seeds of the runs of an experiment */
    TSR_STREAM_SIGNAL = 17,    /* boundaries of random signals */
    TSR_STREAM_POINTS = 18,    /* training points drawn afresh */
    TSR_STREAM_BOOTSTRAP = 19, /* resampling */
    TSR_STREAM_USER = 64       /* first free number */
};

/* `stream` is one of the above plus, in the upper 32 bits, whatever numbers its instances (an
 * epoch, a slot). */
TSR_API uint64_t tsr_random_u64(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in [0, 1), 53 bits. */
TSR_API double tsr_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal (Box-Muller). */
TSR_API double tsr_random_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in 0 .. n-1; n > 0. */
TSR_API uint64_t tsr_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);

/* A random permutation of 0 .. n-1 (Fisher-Yates). out [n], overwritten. */
TSR_API void tsr_random_permutation(uint64_t seed, uint64_t stream, size_t n, uint32_t *out);

#endif
