/* SPDX-License-Identifier: MIT
 *
 * Aligned blocks and arenas.
 *
 * An arena is one aligned block from which pieces are taken in order. Sized first, carved second,
 * by the same function: with `base` NULL, tsr_arena_take() only counts.
 *
 *     static void layout(struct scratch *s, struct tsr_arena *a) { s->g = tsr_arena_take(a, n,
 * sizeof *s->g); } struct tsr_arena a = {0};  layout(&s, &a);           // measures: a.used bytes
 *     tsr_arena_create(&a, a.used, err); layout(&s, &a);   // carves
 */
#ifndef TSR_BASE_MEMORY_H
#define TSR_BASE_MEMORY_H

#include "base/status.h"

#define TSR_ALIGNMENT 64

struct tsr_arena {
    unsigned char *base; /* owned; NULL while measuring */
    size_t size;         /* bytes owned */
    size_t used;         /* bytes taken so far */
};

/* Zero-filled storage for `count` items of `size` bytes, aligned to TSR_ALIGNMENT; free with
 * free(). `what` names it in the error. TSR_ERR_NO_MEMORY also if count * size overflows. A count
 * of 0 gives a valid pointer. */
TSR_API enum tsr_status tsr_alloc(void **out, size_t count, size_t size, const char *what,
                                  struct tsr_error *err) TSR_MUST_USE;

/* Allocates `size` bytes and resets `used` to 0. */
TSR_API enum tsr_status tsr_arena_create(struct tsr_arena *arena, size_t size, const char *what,
                                         struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_arena_free(struct tsr_arena *arena);

/* The next `count` items of `size` bytes, aligned to TSR_ALIGNMENT; NULL while measuring. Taking
 * more than was measured is a programmer's error (assert). */
TSR_API void *tsr_arena_take(struct tsr_arena *arena, size_t count, size_t size);

#endif
