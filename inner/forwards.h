/* SPDX-License-Identifier: MIT
 *
 * Forward passes at the start of the inner loop, remembered.
 *
 * Tasks that share a slot and their coordinates begin with the same forward pass: targets enter
 * only after it. One thread remembers the last few, and its later tasks take their first gradient
 * from there (struct tsr_tape, `forward`). Bits are those of the whole gradient, so it does not
 * matter which thread remembers what. Each thread has its own, which stay in its cache.
 */
#ifndef TSR_INNER_FORWARDS_H
#define TSR_INNER_FORWARDS_H

#include "inner/pass.h"

#define TSR_MAX_FORWARDS 8

struct tsr_forwards {
    struct {
        const tsr_real *phi, *x;
        size_t n_points;
        bool held;          /* by a task at hand */
    } of[TSR_MAX_FORWARDS]; /* what each was computed from; phi NULL: not in use */
    size_t n;               /* 0: the kernel has no tapes, or regions are too large */
    size_t next;            /* whose turn it is to be overwritten */
    unsigned char *tapes;   /* [n] of `size` bytes, of the arena */
    size_t size;
};

/* Takes memory for regions of up to max_points points from the arena: at most about 2 MiB. */
TSR_API void tsr_forwards_layout(struct tsr_forwards *forwards, const struct tsr_engine *engine,
                                 size_t max_points, struct tsr_arena *arena);

/* Must be called when parameters or coordinates may have changed at the same address. */
TSR_API void tsr_forwards_forget(struct tsr_forwards *forwards);

/* Ends the hold of the tasks at hand on what was found for them. */
TSR_API void tsr_forwards_release(struct tsr_forwards *forwards);

/* The forward part of a tape of these points at phi, computed if it is not remembered; valid until
 * the next release. NULL: none, or no room while others are held: take the whole gradient.
 * `thread`: whose workspace is used. */
TSR_API void *tsr_forwards_find(struct tsr_forwards *forwards, const struct tsr_engine *engine,
                                size_t thread, const tsr_real *phi,
                                const struct tsr_points *points);

#endif
