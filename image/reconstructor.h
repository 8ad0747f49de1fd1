/* SPDX-License-Identifier: MIT
 *
 * The state of few-step reconstruction (image/reconstruct.h). Internal to image/: reconstruct.c
 * sets it up, reconstruct_run.c runs it.
 */
#ifndef TSR_IMAGE_RECONSTRUCTOR_H
#define TSR_IMAGE_RECONSTRUCTOR_H

#include "image/blend.h"
#include "image/context.h"
#include "image/reconstruct.h"
#include "inner/team.h"

/* What carries one region through the inner loop, beside its trajectory. */
struct tsr_reconstruct_worker {
    struct tsr_forwards forwards; /* of a thread that works alone: of the first that it carries */
    struct tsr_task task;
    size_t region;
    double flops;      /* of what it has done so far; whole numbers, so that sums are exact */
    tsr_real *y, *out; /* [largest region, C] */
    /* Where the context is not the query, whose outputs and error at the last state they are: */
    tsr_real *query_out;     /* [largest region, C] */
    double query_error;      /* over all its points */
    tsr_real *ctx_x, *ctx_y; /* [largest region, 2], [.., C] */
};

/* Whether a region takes further steps. */
struct tsr_halt {
    double error;    /* at its last state, of its context */
    unsigned slight; /* steps in a row that hardly lowered it */
    bool due;
};

struct tsr_reconstructor {
    const struct tsr_model *model;
    struct tsr_reconstruct_config config;
    struct tsr_geometry geometry;
    struct tsr_context context; /* where it is not the query: */
    bool apart;
    struct tsr_engine engine;
    struct tsr_inner_loop loop;
    /* The regions of the image at hand, and what carries them. */
    size_t *at_hand; /* [n_regions] the first n_at_hand have pixels */
    size_t n_at_hand;
    struct tsr_plan plan;
    size_t turn;                            /* regions that a thread which works alone carries */
    struct tsr_trajectory *t;               /* [threads, most at a time]; n_workers have storage */
    struct tsr_reconstruct_worker *workers; /* the same */
    struct tsr_pass *passes;                /* the same */
    size_t n_workers, largest;
    struct tsr_halt *halt;  /* [n_regions], among the results */
    struct tsr_arena arena; /* of the workers */
    /* Results of a round of inner steps. */
    size_t round;         /* states of the inner loop in it */
    double *region_error; /* [round, n_regions] */
    double *unseen_error; /* [round, n_regions] of pixels that are not known; NULL: all are */
    uint8_t *pictures;    /* [round, H, W, C], with SSIM only */
    float *ssim;          /* [threads, 5 * width], with SSIM only */
    uint8_t *image;       /* [H, W, C] the image as 8 bit, with SSIM only */
    tsr_real *outputs;    /* [round, points, C] of all regions at their context points, and ... */
    tsr_real *picture;    /* ... [H, W, C]: with overlap or the seam metric only */
    double *best;         /* [n_regions] least error of the context so far, and there: */
    double *best_error, *best_unseen; /* [n_regions] as region_error, unseen_error */
    tsr_real *best_outputs;           /* [points, C], with overlap only */
    unsigned char *kept; /* [n_regions] parameters and optimiser between rounds; NULL: one round */
    struct tsr_arena results;
    struct tsr_blend blend; /* with overlap or the seam metric only */
};

/* Do regions overlap? */
bool tsr_reconstructor_overlaps(const struct tsr_reconstructor *r);
/* States of the inner loop, K + 1. */
size_t tsr_reconstructor_states(const struct tsr_reconstructor *r);
/* Values of the image; of the outputs of all regions, 0 where they are not kept. */
size_t tsr_reconstructor_values(const struct tsr_reconstructor *r);
size_t tsr_reconstructor_outputs(const struct tsr_reconstructor *r);
/* Bytes of the optimiser's state, and of all that a region is between rounds. */
size_t tsr_reconstructor_state_size(const struct tsr_reconstructor *r);
size_t tsr_reconstructor_kept_size(const struct tsr_reconstructor *r);

#endif
