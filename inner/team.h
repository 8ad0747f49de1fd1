/* SPDX-License-Identifier: MIT
 *
 * Alone or team: does each thread carry tasks of its own, or do all threads share the pieces of a
 * few tasks at a time (inner/pass.h)?
 *
 * Neither changes a bit of any result, so that the faster may be taken each time. Alone costs no
 * barriers and no serial work between passes, but the last tasks leave threads idle; a team shares
 * pieces, which are smaller than tasks. Training, reconstruction, learning of one image and
 * rendering all ask here.
 */
#ifndef TSR_INNER_TEAM_H
#define TSR_INNER_TEAM_H

#include <stdbool.h>

#include "base/api.h"

/* The work at hand, added up task by task; begins as zeros. */
struct tsr_load {
    size_t n_tasks, n_pieces;
    double points;                 /* of all tasks */
    double largest, largest_piece; /* in points */
};

/* One more task of `points` points, which `pieces` threads can share. Tasks without points count
 * for nothing. */
TSR_API void tsr_load_add(struct tsr_load *load, size_t points, size_t pieces);

/* How it runs best. */
struct tsr_plan {
    bool team;
    /* Tasks that are carried together: 1 if not a team (each thread has one), else as few as keep
     * all threads at work; at most n_tasks, at least 1. */
    size_t at_once;
};
TSR_API struct tsr_plan tsr_plan_of(const struct tsr_load *load, size_t threads);

#endif
