/* SPDX-License-Identifier: MIT */
#include "inner/forwards.h"

#include <string.h>

/* Bytes that a thread remembers: what a core's own cache holds, or little more. */
enum { LIMIT = 2 << 20 };

void tsr_forwards_layout(struct tsr_forwards *forwards, const struct tsr_engine *engine,
                         size_t max_points, struct tsr_arena *arena) {
    const struct tsr_kernel *kernel = engine->kernel;
    *forwards = (struct tsr_forwards){0};
    if (!kernel->record || max_points == 0 || tsr_pass_pieces(max_points) > 1) return;
    size_t size = kernel->tape_size(&engine->net, max_points).forward;
    size = (size + TSR_ALIGNMENT - 1) / TSR_ALIGNMENT * TSR_ALIGNMENT;
    forwards->size = size;
    forwards->n = LIMIT / size < TSR_MAX_FORWARDS ? LIMIT / size : TSR_MAX_FORWARDS;
    if (forwards->n) forwards->tapes = tsr_arena_take(arena, forwards->n, size);
}

void tsr_forwards_forget(struct tsr_forwards *forwards) {
    memset(forwards->of, 0, sizeof forwards->of);
    forwards->next = 0;
}

void tsr_forwards_release(struct tsr_forwards *forwards) {
    for (size_t i = 0; i < forwards->n; i++)
        forwards->of[i].held = false;
}

/* Whose turn it is to be overwritten, of those that are not held; n: none. */
static size_t next_free(struct tsr_forwards *forwards) {
    for (size_t tries = 0; tries < forwards->n; tries++) {
        size_t i = forwards->next;
        forwards->next = (i + 1) % forwards->n;
        if (!forwards->of[i].held) return i;
    }
    return forwards->n;
}

void *tsr_forwards_find(struct tsr_forwards *forwards, const struct tsr_engine *engine,
                        size_t thread, const tsr_real *phi, const struct tsr_points *points) {
    if (forwards->n == 0) return NULL;
    for (size_t i = 0; i < forwards->n; i++)
        if (forwards->of[i].phi == phi && forwards->of[i].x == points->x &&
            forwards->of[i].n_points == points->n) {
            forwards->of[i].held = true;
            return forwards->tapes + i * forwards->size;
        }
    size_t i = next_free(forwards);
    if (i == forwards->n) return NULL;
    void *tape = forwards->tapes + i * forwards->size;
    struct tsr_pass pass = {
        .kind = TSR_PASS_RECORD, .points = points, .phi = phi, .tape = {.forward = tape}};
    tsr_pass_run(engine, thread, &pass, 1);
    forwards->of[i].phi = phi, forwards->of[i].x = points->x;
    forwards->of[i].n_points = points->n;
    forwards->of[i].held = true;
    return tape;
}
