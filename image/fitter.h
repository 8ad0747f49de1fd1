/* SPDX-License-Identifier: MIT
 *
 * The state of ordinary learning (image/fit.h). Internal to image/: fit.c sets it up, fit_run.c
 * runs it.
 */
#ifndef TSR_IMAGE_FITTER_H
#define TSR_IMAGE_FITTER_H

#ifdef __cplusplus
#include <atomic>
using std::atomic_bool;
#else
#include <stdatomic.h>
#endif

#include "image/blend.h"
#include "image/context.h"
#include "image/fit.h"
#include "inner/inner_loop.h"

/* What carries one region, beside its trajectory. */
struct tsr_fit_worker {
    size_t region;
    struct tsr_task task;
    struct tsr_points all;       /* context points of the region that are known */
    tsr_real *y, *out;           /* [largest region, C] targets, outputs */
    tsr_real *batch_x, *batch_y; /* [max_batch, 2], [max_batch, C]; with a batch fraction only */
    tsr_real *g;                 /* [n_params]; with a batch fraction only */
    tsr_real *gz;                /* [numbers], where not all is learned */
    /* Known points and the outputs there, where these are not all: [largest region, 2 or C] */
    tsr_real *ctx_x, *ctx_y, *ctx_out;
};

struct tsr_fitter {
    struct tsr_fit_config config;
    const struct tsr_image *image;
    struct tsr_inr *inr; /* its phi is what is learned */
    struct tsr_geometry geometry;
    struct tsr_context context; /* where not all is known: */
    bool apart;
    struct tsr_engine engine;
    struct tsr_choice adam;
    struct tsr_fit_state state;
    size_t n_params, numbers;           /* of a network; of these or of a basis, what is learned */
    size_t largest, max_batch;          /* points of the largest region, of its batch */
    double pooled_error, allowed_error; /* sums of the image: now; at the target PSNR */
    double pace;    /* seconds of an iteration, from the last block; 0: unknown */
    bool kept;      /* gradients holds those at the present parameters of all active regions */
    bool full;      /* an iteration looks at all pixels */
    size_t *active; /* [n_regions] the first state.active are not frozen, ascending */
    bool *frozen;   /* [n_regions] */
    double *region_error;   /* [n_regions] over own pixels */
    double *context_error;  /* [n_regions] over known context pixels, ... */
    size_t *context_points; /* ... [n_regions] of which there are so many */
    double *unseen_error;   /* [n_regions] over own pixels that are not known */
    uint64_t *updates;      /* [n_regions] */
    uint64_t *points;       /* [n_regions] points that gradients were taken over */
    double *maps;           /* [n_regions] ways through a basis */
    /* With overlap only: all outputs at the context points, as blended at curve points. */
    struct tsr_blend blend;
    tsr_real *outputs;        /* [context points, C] */
    tsr_real *picture;        /* [H, W, C] */
    unsigned char *moments;   /* [n_regions] of tsr_optimizer_state() */
    tsr_real *gradients;      /* [n_regions, n_params], all pixels only */
    size_t *order_at;         /* [n_regions], with a batch fraction only: where in `order` ... */
    uint32_t *order;          /* ... the permutation of a region's context pixels stands */
    struct tsr_trajectory *t; /* [n_workers] */
    struct tsr_fit_worker *workers; /* [n_workers] */
    struct tsr_pass *passes;        /* [n_workers] */
    size_t n_workers;               /* threads, or regions that a team carries at once */
    struct tsr_arena arena;
    const struct tsr_fit_callbacks *callbacks; /* of this run, or NULL */
    double asked;                              /* when, in the middle of a block */
    atomic_bool ended;                         /* in the middle of a block */
};

/* Points of a batch of a region with n context points. */
size_t tsr_fitter_batch(const struct tsr_fitter *f, size_t n);

/* Lists the regions that still cost time; one without pixels never does. */
void tsr_fitter_list_active(struct tsr_fitter *f);

/* The errors of regions that have pixels, but none that is known: they stay. */
void tsr_fitter_measure_unlearned(struct tsr_fitter *f);

#endif
