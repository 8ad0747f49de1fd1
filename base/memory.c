/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t align_up(size_t n) {
    return (n + TSR_ALIGNMENT - 1) & ~(size_t)(TSR_ALIGNMENT - 1);
}

enum tsr_status tsr_alloc(void **out, size_t count, size_t size, const char *what,
                          struct tsr_error *err) {
    *out = NULL;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: %zu items of %zu bytes are too many", what,
                         count, size);
    bytes = align_up(bytes ? bytes : 1);
    void *p = aligned_alloc(TSR_ALIGNMENT, bytes);
    if (!p) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate %zu bytes", what, bytes);
    memset(p, 0, bytes);
    *out = p;
    return TSR_OK;
}

enum tsr_status tsr_arena_create(struct tsr_arena *arena, size_t size, const char *what,
                                 struct tsr_error *err) {
    void *p;
    *arena = (struct tsr_arena){0};
    TSR_TRY(tsr_alloc(&p, size, 1, what, err));
    *arena = (struct tsr_arena){.base = p, .size = size};
    return TSR_OK;
}

void tsr_arena_free(struct tsr_arena *arena) {
    free(arena->base);
    *arena = (struct tsr_arena){0};
}

void *tsr_arena_take(struct tsr_arena *arena, size_t count, size_t size) {
    size_t at = arena->used;
    arena->used = at + align_up(count * size);
    if (!arena->base) return NULL;
    assert(arena->used <= align_up(arena->size));
    return arena->base + at;
}
