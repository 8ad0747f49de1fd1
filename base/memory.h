/* SPDX-License-Identifier: MIT
 *
 * Aligned blocks and arenas.
 *
 * An arena is one aligned block from which pieces are taken in order. It is sized first and carved
 * second, by the same function: while `base` is NULL, tsr_arena_take() only counts.
 *
 *     static void layout(struct scratch *s, struct tsr_arena *a) {
 *         s->g = tsr_arena_take(a, n, sizeof *s->g);
 *     }
 *     struct tsr_arena a = {0};
 *     layout(&s, &a);                                        // measures: a.used bytes
 *     TSR_TRY(tsr_arena_create(&a, a.used, "scratch", err));
 *     layout(&s, &a);                                        // carves
 */
#ifndef TSR_BASE_MEMORY_H
#define TSR_BASE_MEMORY_H

#include "base/status.h"

#define TSR_ALIGNMENT 64

struct tsr_arena {
    unsigned char *base; /* owned; NULL while measuring */
    size_t size;         /* bytes owned */
    size_t used;         /* bytes taken so far; SIZE_MAX: more than can be counted */
};

/* `bytes` rounded up to a multiple of TSR_ALIGNMENT; SIZE_MAX where that is too large. */
static inline size_t tsr_align_up(size_t bytes) {
    size_t spare = TSR_ALIGNMENT - 1;
    return bytes > SIZE_MAX - spare ? SIZE_MAX : (bytes + spare) & ~spare;
}

/* Zero-filled storage for `count` items of `size` bytes, aligned to TSR_ALIGNMENT; free with
 * free(). `what` names it in the error. TSR_ERR_NO_MEMORY also if count * size overflows. A count
 * of 0 gives a valid pointer.
 *
 * The pages of a large block (256 KiB and more, Linux) are the system's zero pages: a page costs
 * memory once someone writes to it, and lies near the processor that did so first. */
TSR_API enum tsr_status tsr_alloc(void **out, size_t count, size_t size, const char *what,
                                  struct tsr_error *err) TSR_MUST_USE;

/* The same for any type: `pointer` is the address of a pointer to it.
 *
 *     TSR_TRY(TSR_ALLOC(&m->order, m->n, "order of the tasks", err));
 */
#define TSR_ALLOC(pointer, count, what, err)                                                       \
    tsr_alloc_to((pointer), (count), sizeof **(pointer), (what), (err))

/* Room for one more item behind the n of an array that has grown by nothing else: `pointer` is the
 * address of a pointer to it, NULL at first; free with free(). The new item is not set.
 * TSR_ERR_NO_MEMORY leaves the array as it was.
 *
 *     TSR_TRY(TSR_GROW(&list->items, list->n, path, err));
 *     list->items[list->n++] = item;
 */
#define TSR_GROW(pointer, n, what, err)                                                            \
    tsr_grow_to((pointer), (n), sizeof **(pointer), (what), (err))

/* Use through TSR_GROW. */
TSR_API enum tsr_status tsr_grow_to(void *pointer, size_t n, size_t size, const char *what,
                                    struct tsr_error *err) TSR_MUST_USE;

/* Use through TSR_ALLOC. `pointer` is the address of an object pointer. */
TSR_API enum tsr_status tsr_alloc_to(void *pointer, size_t count, size_t size, const char *what,
                                     struct tsr_error *err) TSR_MUST_USE;

/* Allocates `size` bytes, as tsr_alloc() does, and resets `used` to 0. A measure that overflowed
 * is refused (TSR_ERR_NO_MEMORY). */
TSR_API enum tsr_status tsr_arena_create(struct tsr_arena *arena, size_t size, const char *what,
                                         struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_arena_free(struct tsr_arena *arena);

/* The next `count` items of `size` bytes, aligned to TSR_ALIGNMENT; NULL while measuring, and for
 * what an arena that was measured otherwise has no room for. */
TSR_API void *tsr_arena_take(struct tsr_arena *arena, size_t count, size_t size);

#endif
