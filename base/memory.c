/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

/* Memcheck does not know that a discarded page reads as zero. */
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef VALGRIND_MAKE_MEM_DEFINED
#define VALGRIND_MAKE_MEM_DEFINED(address, size) ((void)(address), (void)(size))
#endif

/* Below, writing zeros is cheaper than the faults of fresh pages. */
#define LARGE ((size_t)256 << 10)

#ifdef __linux__
/* Gives the whole pages of a large block back to the system, which maps zero pages in their place
 * when they are touched again, and writes zeros to what lies before and behind. True if that is so:
 * the memory of an unusual allocator (locked, shared, huge pages) may keep its content. */
static bool discard(unsigned char *block, size_t bytes) {
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || bytes < LARGE || bytes / 4 < (size_t)page) return false;
    size_t size = (size_t)page, before = (size - (uintptr_t)block % size) % size;
    size_t whole = (bytes - before) / size * size;
    volatile unsigned char *probe = block + before;
    *probe = 1;
    if (madvise(block + before, whole, MADV_DONTNEED) != 0 || *probe != 0) return false;
    VALGRIND_MAKE_MEM_DEFINED(block + before, whole);
    memset(block, 0, before);
    memset(block + before + whole, 0, bytes - before - whole);
    return true;
}
#else
static bool discard(unsigned char *block, size_t bytes) {
    (void)block;
    (void)bytes;
    return false;
}
#endif

enum tsr_status tsr_alloc(void **out, size_t count, size_t size, const char *what,
                          struct tsr_error *err) {
    *out = NULL;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: %zu items of %zu bytes are too many", what,
                         count, size);
    bytes = tsr_align_up(bytes ? bytes : 1);
    void *p = aligned_alloc(TSR_ALIGNMENT, bytes);
    if (!p) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate %zu bytes", what, bytes);
    if (!discard(p, bytes)) memset(p, 0, bytes);
    *out = p;
    return TSR_OK;
}

enum tsr_status tsr_alloc_to(void *pointer, size_t count, size_t size, const char *what,
                             struct tsr_error *err) {
    void *p;
    enum tsr_status status = tsr_alloc(&p, count, size, what, err);
    /* Not `*(void **)pointer`: what stands there is a pointer of another type. */
    memcpy(pointer, &p, sizeof p);
    return status;
}

static void *resize(void *items, size_t n, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(n, size, &bytes) ? NULL : realloc(items, bytes);
}

/* Room for 2^k items is there from 2^(k-1) + 1 on: no capacity to keep. */
enum tsr_status tsr_grow_to(void *pointer, size_t n, size_t size, const char *what,
                            struct tsr_error *err) {
    void *items;
    if (n & (n - 1)) return TSR_OK;
    size_t room = n ? 2 * n : 1;
    memcpy(&items, pointer, sizeof items);
    items = resize(items, room, size);
    if (!items)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate %zu items of %zu bytes", what,
                         room, size);
    memcpy(pointer, &items, sizeof items);
    return TSR_OK;
}

enum tsr_status tsr_arena_create(struct tsr_arena *arena, size_t size, const char *what,
                                 struct tsr_error *err) {
    *arena = (struct tsr_arena){0};
    if (size == SIZE_MAX)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: its size exceeds what can be counted", what);
    TSR_TRY(TSR_ALLOC(&arena->base, size, what, err));
    arena->size = size;
    return TSR_OK;
}

void tsr_arena_free(struct tsr_arena *arena) {
    free(arena->base);
    *arena = (struct tsr_arena){0};
}

void *tsr_arena_take(struct tsr_arena *arena, size_t count, size_t size) {
    size_t at = arena->used, bytes, end;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(at, tsr_align_up(bytes), &end))
        end = SIZE_MAX;
    arena->used = end;
    if (!arena->base || end > tsr_align_up(arena->size)) return NULL;
    return arena->base + at;
}
