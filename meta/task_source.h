/* SPDX-License-Identifier: MIT
 *
 * Where the tasks of learning to learn come from. The trainer asks for one meta-batch after the
 * other and knows nothing else of what is learned: images, sounds, sines.
 */
#ifndef TSR_META_TASK_SOURCE_H
#define TSR_META_TASK_SOURCE_H

#include "inner/inner_loop.h"

/* One meta-batch: items (images), each of which gives some tasks (regions). Where several processes
 * share it (base/comm.h), the items of this process's span. */
struct tsr_task_batch {
    size_t n_items;
    const size_t *first; /* [n_items + 1] where the tasks of each item begin; the last: n_tasks */
    /* Tasks with points, slot and ctx_scale. qry_scale is not read: the outer loss is the mean over
     * the items of the mean over all query values of each. */
    const struct tsr_task *tasks;
};

/* All functions are called by the thread that runs the trainer. */
struct tsr_task_source {
    void *user;
    size_t n_slots;    /* slots that tasks can have */
    size_t n_items;    /* of every meta-batch, of all processes together */
    size_t item_tasks; /* most tasks of an item */
    size_t max_tasks;  /* of a meta-batch, of this process */
    size_t max_points; /* context or query points of a task */

    /* The meta-batch of an outer step (from 0): views until the next call. A pure function of
     * `outer_step`; calls come in the order of outer steps, and begin where a resumed run begins.
     */
    enum tsr_status (*next)(void *user, uint64_t outer_step, struct tsr_task_batch *out,
                            struct tsr_error *err);
    /* What people call item `item` of this process in the last meta-batch, for messages: a view
     * until the next call. May be NULL. */
    const char *(*name)(void *user, size_t item);
    /* Seconds that `next` has waited for data which were not there yet. May be NULL. */
    double (*waited)(void *user);
    void (*close)(void *user); /* may be NULL */
};

#endif
