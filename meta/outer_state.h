/* SPDX-License-Identifier: MIT
 *
 * The state of a run of the outer loop: its settings, where it stands, the moments of the outer
 * optimiser, its history. With the initialisations and the rates this is all that a resumed run
 * needs.
 */
#ifndef TSR_META_OUTER_STATE_H
#define TSR_META_OUTER_STATE_H

#include "base/comm.h"
#include "base/setting.h"
#include "meta/losses.h"
#include "meta/methods.h"

#define TSR_MAX_ROLLBACKS 16

/* What a new run starts from: networks and basis drawn at random, or solved for on the train split
 * (meta/principal.h), behind units that are waves where the network kind has such. */
enum tsr_start { TSR_START_RANDOM, TSR_START_PRINCIPAL };
TSR_API extern const struct tsr_names tsr_start_names;
TSR_API const char *tsr_start_name(enum tsr_start start);
TSR_API enum tsr_status tsr_start_parse(const char *text, enum tsr_start *out,
                                        struct tsr_error *err) TSR_MUST_USE;

/* Whether a run that begins with one slot turns to more: to one for each region, or each class. */
enum tsr_then { TSR_THEN_SAME, TSR_THEN_PER_REGION, TSR_THEN_PER_CLASS };
TSR_API extern const struct tsr_names tsr_then_names;
TSR_API const char *tsr_then_name(enum tsr_then then);
TSR_API enum tsr_status tsr_then_parse(const char *text, enum tsr_then *out,
                                       struct tsr_error *err) TSR_MUST_USE;

struct tsr_trainer_config {
    enum tsr_start start;         /* of a new run without an initial model */
    enum tsr_then then;           /* what the slots become after ... */
    double then_at;               /* ... this part of the run, (0, 1) */
    struct tsr_choice method;     /* of tsr_methods */
    struct tsr_choice outer_loss; /* of tsr_losses */
    size_t batch;                 /* images of a meta-batch, 1 .. 65536 */
    double region_fraction; /* of each image's regions in an outer step, (0, 1]; at least one */
    double outer_lr; /* Adam's rate on the initialisations; 0: by kind and width of the network */
    double rates_lr; /* Adam's rate on the rates, as a fraction of their start value; 0.02 */
    double beta1, beta2;  /* 0.9, 0.99 */
    size_t warmup;        /* outer steps of linear warm-up */
    double final_lr;      /* of the cosine decay, as a fraction of outer_lr */
    double clip;          /* bound on the norm of the meta-gradient of theta; 0: none */
    uint64_t outer_steps; /* stop after so many in all; 0: by time */
    double seconds;       /* stop after so many seconds of training in all; 0: by outer_steps */
    size_t val_every;     /* outer steps between validations; 0: every tenth of the run */
    size_t val_images;    /* at most this many; 0: all */
    size_t max_rollbacks; /* of a run that diverges, 0 .. TSR_MAX_ROLLBACKS; 3 */
    size_t
        patience; /* validations in a row without a new best that halve the outer rates; 0: none */
    double ema; /* what is learned: a running mean, whose weights fall so an outer step; 0: none */
    double checkpoint_seconds; /* between checkpoints; 0: only at the end */
    uint64_t seed;
    size_t threads;      /* 0: all */
    const char *kernel;  /* "auto", ... */
    const char *output;  /* model file; NULL: none is written */
    const char *command; /* stored in the file; may be NULL */
    /* Processes that share each meta-batch; NULL: one. All have the same settings. */
    const struct tsr_comm *comm;
    bool force; /* go on with data that are not those that the run began with */
};
TSR_API void tsr_trainer_config_default(struct tsr_trainer_config *config);
TSR_API enum tsr_status tsr_trainer_config_check(const struct tsr_trainer_config *config,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* Where a run stands; for progress and history. An item is what a task source says, an image. */
struct tsr_trainer_progress {
    uint64_t outer_step;    /* done */
    uint64_t outer_steps;   /* bound; 0: by time */
    double seconds;         /* of training so far, earlier sessions included */
    double seconds_bound;   /* 0: by outer steps */
    double session_seconds; /* of this session, or since slots turned in it, */
    double data_seconds;    /* and of those, waited for data by this process */
    double train_psnr_db;   /* mean over the items of this outer step, after K inner steps */
    double train_mse;       /* of the same the mean squared error: the outer loss, if that is mse */
    double val_psnr_db;     /* of the last validation; NaN before the first */
    size_t val_left_out;    /* items that it leaves out because they are not finite */
    double outer_lr;        /* in use */
    double gradient_norm;   /* of theta, before clipping */
    uint64_t items;         /* seen in this session */
    uint64_t skipped;       /* items left out because something was not finite */
    double bad_share;       /* of the items left out lately, a running mean */
    double best_val_psnr_db; /* of the run; NaN before the first */
    uint64_t rollbacks;      /* times that the run went back to its last good state */
    uint64_t lost;           /* outer steps taken back by them */
    uint64_t turned_at;      /* the outer step after which slots became more; 0: they have not */
    double turned_seconds;   /* of training until then */
    uint64_t lost_before;    /* what was lost until then */
    uint64_t halvings; /* times that the outer rates were halved since validation stood still */
    uint64_t waited;   /* validations since the best one or the last halving */
    double images_per_second;  /* items, in session_seconds */
    int validated;             /* nonzero when val_psnr_db is new */
    int saved;                 /* nonzero when a save of this session has succeeded, ... */
    uint64_t saved_outer_step; /* ... the last one after this outer step */
};

/* One line of a run's history, at each validation. */
struct tsr_history_line {
    double outer_step, seconds, train_psnr_db, val_psnr_db, outer_lr;
};
#define TSR_HISTORY_COLUMNS 5

/* A run that diverged: after which outer step, back to the state after which, why (the validation
 * PSNR in dB; NaN: something was not finite), and the factor of the outer rate from there on. */
struct tsr_rollback {
    double outer_step, good_outer_step, val_psnr_db, factor;
};
#define TSR_ROLLBACK_COLUMNS 4

/* Values of all that is learned, [n_theta], [n_basis], [n_rates]; NULL: none. Owned. */
struct tsr_values {
    tsr_real *theta, *basis, *rates;
};

/* The last good state. */
struct tsr_good_state {
    bool kept;
    bool current;        /* it is the state at hand; its arrays need not be stored */
    uint64_t outer_step; /* after which it was reached */
    uint64_t updates;    /* outer steps that its moments have seen (tsr_outer_state_updates()) */
    double train_psnr_db, val_psnr_db;
    tsr_real *theta, *m_theta, *v_theta; /* [n_theta]; owned */
    tsr_real *basis, *m_basis, *v_basis; /* [n_basis]; owned */
    tsr_real *rates, *m_rates, *v_rates; /* [n_rates]; owned */
    struct tsr_values mean;              /* with config.ema */
};

/* Everything that a resumed run needs besides model and dataset. */
struct tsr_outer_state {
    struct tsr_trainer_config config; /* strings are not stored here */
    struct tsr_trainer_progress progress;
    size_t n_theta, n_basis, n_rates;
    tsr_real *m_theta, *v_theta;      /* [n_slots, n_params] Adam's moments; owned */
    tsr_real *m_basis, *v_basis;      /* [n_slots, n_directions, n_params]; owned */
    tsr_real *m_rates, *v_rates;      /* as rates.value; owned */
    struct tsr_history_line *history; /* owned */
    size_t n_history, max_history;
    /* With config.ema: the running mean while a run is under way; while it rests, or validates or
     * is saved, the learner holds the mean, and these are the values that the run goes on from. */
    struct tsr_values other;
    struct tsr_good_state good;
    struct tsr_rollback rollback[TSR_MAX_ROLLBACKS]; /* [progress.rollbacks] */
};

/* The settings of a run. An fn that only reads does not change *config. */
TSR_API enum tsr_status tsr_trainer_config_visit(struct tsr_trainer_config *config,
                                                 tsr_setting_fn fn, void *user,
                                                 struct tsr_error *err);
/* The same, then where it stands: all of the group `outer` (base/setting.h). */
TSR_API enum tsr_status tsr_outer_state_visit(struct tsr_outer_state *state, tsr_setting_fn fn,
                                              void *user, struct tsr_error *err);

/* Outer steps that the moments have seen: those done, but for the ones taken back, since the slots
 * turned. */
TSR_API uint64_t tsr_outer_state_updates(const struct tsr_outer_state *state);

/* Part of the run that is done, 0 .. 1. */
TSR_API double tsr_outer_state_progress(const struct tsr_outer_state *state);

/* Where the outer rates stand in their decay, 0 .. 1: the part of the run that is done or, once the
 * slots have turned, of what was left of it then. */
TSR_API double tsr_outer_state_decay(const struct tsr_outer_state *state);

/* Has the run come to where its slots turn, and not turned yet? */
TSR_API bool tsr_outer_state_is_due(const struct tsr_outer_state *state);

/* The state of a run whose slots turn: the same run, with the moments of a new one for as many
 * values as given, and without what patience (config.patience) has counted and halved: the new
 * slots have not stood still. *state is cleared and replaced. */
TSR_API enum tsr_status tsr_outer_state_turn(struct tsr_outer_state *state, size_t n_theta,
                                             size_t n_basis, size_t n_rates,
                                             struct tsr_error *err) TSR_MUST_USE;

/* Allocates what a running mean needs, of which these values are the first; nothing to do without
 * config.ema or where it is there. */
TSR_API enum tsr_status tsr_outer_state_average(struct tsr_outer_state *state,
                                                const struct tsr_values *first,
                                                struct tsr_error *err) TSR_MUST_USE;
/* Swaps the learner's values with the others; nothing to do without config.ema. */
TSR_API void tsr_outer_state_swap(struct tsr_outer_state *state, const struct tsr_values *learner);

/* Makes the state at hand the good one: initialisations theta [n_theta], basis [n_basis] and rates
 * [n_rates], which are copied, with moments and figures. */
TSR_API void tsr_outer_state_keep(struct tsr_outer_state *state, const tsr_real *theta,
                                  const tsr_real *basis, const tsr_real *rates);
/* Overwrites theta, basis, rates and moments with those of the good state; outer step, time and
 * history go on. The outer steps between are counted as lost. */
TSR_API void tsr_outer_state_restore(struct tsr_outer_state *state, tsr_real *theta,
                                     tsr_real *basis, tsr_real *rates);

/* Zeroed moments of n_theta initial parameters, n_basis numbers of bases and n_rates rates. */
TSR_API enum tsr_status tsr_outer_state_create(size_t n_theta, size_t n_basis, size_t n_rates,
                                               struct tsr_outer_state *out,
                                               struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_outer_state_clear(struct tsr_outer_state *state);
TSR_API enum tsr_status tsr_outer_state_add_history(struct tsr_outer_state *state,
                                                    const struct tsr_history_line *line,
                                                    struct tsr_error *err) TSR_MUST_USE;

#endif
