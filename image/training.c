/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "image/training.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/memory.h"
#include "image/checkpoint.h"
#include "image/image_tasks.h"
#include "image/regions.h"
#include "image/validation.h"
#include "inner/kernels/kernel.h"
#include "meta/principal.h"

/* Images that the anchors of segments are learned from. */
enum { ANCHOR_IMAGES = 256 };
enum { REMARKS = 2 };
enum {
    START_REGIONS = 40,
    START_IMAGES_LEAST = 128,
    START_IMAGES_MOST = 4096,
    START_AT_ONCE = 512
};

struct tsr_training {
    struct tsr_model *model;
    struct tsr_outer_state state; /* with settings and progress */
    char *kernel, *output, *command;
    struct tsr_dataset *dataset; /* the caller's */
    struct tsr_origin origin;
    size_t n_remarks;
    char remark[REMARKS][TSR_ERROR_SIZE];
    struct tsr_task_source source;
    struct tsr_validator validator;
    struct tsr_trainer *trainer;
    struct tsr_observer observer; /* of validations, of so many images; 0: none */
    size_t observed;
};

static enum tsr_status copy_string(const char *from, char **to, struct tsr_error *err) {
    *to = from ? strdup(from) : NULL;
    if (from && !*to) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "cannot copy \"%s\"", from);
    return TSR_OK;
}

static enum tsr_status own_strings(struct tsr_training *t, struct tsr_error *err) {
    struct tsr_trainer_config *c = &t->state.config;
    TSR_TRY(copy_string(c->kernel ? c->kernel : "auto", &t->kernel, err));
    TSR_TRY(copy_string(c->output, &t->output, err));
    TSR_TRY(copy_string(c->command, &t->command, err));
    c->kernel = t->kernel, c->output = t->output, c->command = t->command;
    return TSR_OK;
}

static enum tsr_status save(void *user, struct tsr_error *err) {
    const struct tsr_training *t = user;
    return tsr_checkpoint_save(t->model, &t->state, &t->origin, t->output, err);
}

/* ---- what the run is computed from, and by what ------------------------------------------------
 */

static void remark(struct tsr_training *t, const char *format, ...) TSR_PRINTF(2, 3);
static void remark(struct tsr_training *t, const char *format, ...) {
    va_list list;
    if (t->n_remarks == REMARKS) return;
    va_start(list, format);
    (void)vsnprintf(t->remark[t->n_remarks++], sizeof *t->remark, format, list);
    va_end(list);
}

/* The bits of a run depend on the kernel, the precision, and the kernels of the BLAS in turn. */
static enum tsr_status describe_kernel(const char *name, char *out, size_t size,
                                       struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    TSR_TRY(tsr_kernel_find(name, &kernel, err));
    bool blas = strcmp(kernel->name, "blas") == 0;
    (void)snprintf(out, size, "%s%s%s float%zu", kernel->name, blas ? " " : "",
                   blas ? tsr_blas_core() : "", 8 * sizeof(tsr_real));
    return TSR_OK;
}

static enum tsr_status find_origin(struct tsr_training *t, struct tsr_origin *out,
                                   struct tsr_error *err) {
    *out = (struct tsr_origin){.has_dataset = true};
    TSR_TRY(tsr_identity_of(t->dataset, &out->dataset, err));
    return describe_kernel(t->kernel, out->kernel, sizeof out->kernel, err);
}

/* Compares what the checkpoint says with what is at hand, which is what the run goes on with. */
static enum tsr_status check_origin(struct tsr_training *t, const char *checkpoint,
                                    struct tsr_error *err) {
    const struct tsr_origin then = t->origin;
    const char *path = tsr_dataset_path(t->dataset);
    char differences[TSR_ERROR_SIZE / 2];
    TSR_TRY(find_origin(t, &t->origin, err));
    if (!then.has_dataset)
        remark(t,
               "%s does not say which dataset its run began with: it cannot be told whether %s "
               "is the same",
               checkpoint, path);
    else if (!tsr_identity_equal(&then.dataset, &t->origin.dataset, differences,
                                 sizeof differences)) {
        if (!t->state.config.force)
            return TSR_ERROR(err, TSR_ERR_CONFIG,
                             "%s is not the dataset that the run of %s began with: it has %s; such "
                             "a run goes on only if forced to",
                             path, checkpoint, differences);
        remark(t, "%s is not the dataset that the run of %s began with: it has %s", path,
               checkpoint, differences);
    }
    if (then.kernel[0] && strcmp(then.kernel, t->origin.kernel) != 0)
        remark(t,
               "the run of %s was computed by kernel %s and goes on with %s: its bits are not "
               "those of an uninterrupted run",
               checkpoint, then.kernel, t->origin.kernel);
    return TSR_OK;
}

const char *tsr_training_remark(const struct tsr_training *t, size_t i) {
    return i < t->n_remarks ? t->remark[i] : NULL;
}

/* ---- construction ------------------------------------------------------------------------------
 */

static const struct tsr_comm *comm_of(const struct tsr_training *t) {
    return tsr_comm_of(t->state.config.comm);
}

/* Everything but model and state, which are there. */
static enum tsr_status set_up(struct tsr_training *t, struct tsr_dataset *dataset,
                              struct tsr_error *err) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_learner learner = tsr_model_learner(t->model);
    const struct tsr_comm *comm = comm_of(t);
    const struct tsr_store store = {t, t->output && comm->rank == 0 ? save : NULL};
    const struct tsr_image_tasks_config tasks = {.batch = c->batch,
                                                 .region_fraction = c->region_fraction,
                                                 .context = t->model->config.context,
                                                 .seed = c->seed,
                                                 .first_step = t->state.progress.outer_step,
                                                 .comm = comm,
                                                 .threads = c->threads};
    TSR_TRY(tsr_validation_create(t->model, dataset, c->val_images, c->threads, c->kernel, comm,
                                  &t->validator, err));
    TSR_TRY(tsr_image_tasks_create(t->model, dataset, &tasks, &t->source, err));
    return tsr_trainer_create(&learner, &t->source, &t->validator, &store, &t->state, &t->trainer,
                              err);
}

/* Meta-batches that a principal start is solved on, of `images` each: as many as START_REGIONS for
 * each parameter of the last layer ask for, within bounds; as many again for the mean. */
static size_t start_batches(const struct tsr_model *m, size_t *images) {
    size_t regions = tsr_model_regions(m, m->config.height, m->config.width);
    size_t wanted = START_REGIONS * (m->net.width + 1) * m->net.out_dim / (regions ? regions : 1);
    if (wanted < START_IMAGES_LEAST) wanted = START_IMAGES_LEAST;
    if (wanted > START_IMAGES_MOST) wanted = START_IMAGES_MOST;
    *images = regions && regions < START_AT_ONCE ? START_AT_ONCE / regions : 1;
    return (wanted + *images - 1) / *images;
}

static enum tsr_status start_principal(struct tsr_training *t, struct tsr_dataset *dataset,
                                       struct tsr_error *err) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_learner learner = tsr_model_learner(t->model);
    const struct tsr_coords *coords = &t->model->config.coords;
    const struct tsr_context_config *context = &t->model->config.context;
    struct tsr_image_tasks_config tasks = {
        .region_fraction = 1, .context = *context, .seed = c->seed, .threads = c->threads};
    const struct tsr_principal config = {.batches = start_batches(t->model, &tasks.batch),
                                         .context = context->fraction < 1 ? TSR_PRINCIPAL_DRAWN
                                                    : context->query_scale > 1
                                                        ? TSR_PRINCIPAL_FIXED
                                                        : TSR_PRINCIPAL_QUERY,
                                         .kernel = c->kernel,
                                         .threads = c->threads};
    struct tsr_task_source source;
    if (t->model->net.kind->waves)
        t->model->net.kind->waves(&t->model->net, coords->lo, coords->hi, t->model->theta);
    TSR_TRY(tsr_image_tasks_create(t->model, dataset, &tasks, &source, err));
    enum tsr_status status = tsr_principal_start(&learner, &source, &config, err);
    source.close(source.user);
    return status;
}

/* The configuration that slots turn to. */
static struct tsr_model_config turned(const struct tsr_training *t) {
    struct tsr_model_config config = t->model->config;
    config.slots =
        t->state.config.then == TSR_THEN_PER_CLASS ? TSR_SLOTS_PER_CLASS : TSR_SLOTS_PER_REGION;
    return config;
}

/* Is there room for so many slots? A run should not find that out half way. Of all that is learned
 * there are the value, its gradient and two moments; value and moments of the last good state; and
 * with a running mean two more. */
static enum tsr_status check_room(const struct tsr_training *t, size_t slots,
                                  struct tsr_error *err) {
    const struct tsr_model *m = t->model;
    char what[64];
    void *room;
    size_t copies = t->state.config.ema > 0 ? 9 : 7;
    size_t numbers = m->net.n_params + tsr_model_basis_count(m) + tsr_rates_count(&m->rates);
    (void)snprintf(what, sizeof what, "%zu slots of %zu numbers to learn", slots, numbers);
    TSR_TRY(tsr_alloc(&room, slots, copies * numbers * sizeof(tsr_real), what, err));
    free(room);
    return TSR_OK;
}

/* Can the slots turn to what the settings say? */
static enum tsr_status check_turn(const struct tsr_training *t, struct tsr_error *err) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_model_config config = turned(t);
    const char *then = tsr_then_name(c->then);
    if (c->then == TSR_THEN_SAME || t->state.progress.turned_at) return TSR_OK;
    if (t->model->config.slots != TSR_SLOTS_SHARED)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "slots are %s and are to turn to %s: only shared ones can turn",
                         tsr_slots_name(t->model->config.slots), then);
    TSR_TRY(tsr_model_config_check(&config, err));
    size_t slots = tsr_model_config_slots(&config);
    if (slots < 2)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "slots are to turn to %s, and %s has one region: the shared slot is all",
                         then, config.partition.rule.object->name);
    if (c->outer_steps && (double)(c->outer_steps - 1) < c->then_at * (double)c->outer_steps)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "slots are to turn to %s after %g of %llu outer steps: none would be "
                         "left for them",
                         then, c->then_at, (unsigned long long)c->outer_steps);
    return check_room(t, slots, err);
}

static enum tsr_status make_model(struct tsr_training *t, const struct tsr_model_config *from,
                                  struct tsr_dataset *dataset, const struct tsr_model *init,
                                  struct tsr_error *err) {
    struct tsr_model_config config = *from;
    size_t n;
    (void)tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: the train split has no images",
                         tsr_dataset_path(dataset));
    config.height = tsr_dataset_height(dataset);
    config.width = tsr_dataset_width(dataset);
    config.network.out_dim = tsr_dataset_channels(dataset);
    tsr_regions_count_classes(&config.partition, dataset);
    TSR_TRY(tsr_model_create(&config, t->state.config.seed, &t->model, err));
    if (init) TSR_TRY(tsr_model_init_from(t->model, init, err));
    TSR_TRY(tsr_regions_learn(t->model, dataset, ANCHOR_IMAGES, t->state.config.threads, err));
    if (init || t->state.config.start != TSR_START_PRINCIPAL) return TSR_OK;
    return start_principal(t, dataset, err);
}

/* Moments and progress of a new run; its settings are there. */
static enum tsr_status make_state(struct tsr_training *t, struct tsr_error *err) {
    struct tsr_outer_state state;
    const struct tsr_model *m = t->model;
    TSR_TRY(tsr_outer_state_create(m->n_slots * m->net.n_params, tsr_model_basis_count(m),
                                   tsr_rates_count(&m->rates), &state, err));
    state.config = t->state.config;
    state.progress.val_psnr_db = state.progress.train_psnr_db = (double)NAN;
    if (state.config.outer_lr <= 0) state.config.outer_lr = m->net.kind->outer_lr(m->net.width);
    t->state = state;
    return TSR_OK;
}

enum tsr_status tsr_training_create(const struct tsr_model_config *model_config,
                                    const struct tsr_trainer_config *config,
                                    struct tsr_dataset *dataset, const struct tsr_model *init,
                                    struct tsr_training **out, struct tsr_error *err) {
    enum tsr_status status;
    *out = NULL;
    TSR_TRY(TSR_ALLOC(out, 1, "training", err));
    struct tsr_training *t = *out;
    TSR_CHECK(tsr_trainer_config_check(config, err));
    t->state.config = *config;
    t->dataset = dataset;
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(find_origin(t, &t->origin, err));
    TSR_CHECK(make_model(t, model_config, dataset, init, err));
    TSR_CHECK(make_state(t, err));
    TSR_CHECK(check_turn(t, err));
    TSR_CHECK(set_up(t, dataset, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_training_free(t);
    *out = NULL;
    return status;
}

static void take_over(struct tsr_trainer_config *saved, const struct tsr_trainer_config *now) {
    if (now->outer_steps || now->seconds > 0) {
        saved->outer_steps = now->outer_steps;
        saved->seconds = now->seconds;
    }
    saved->threads = now->threads;
    saved->kernel = now->kernel;
    saved->output = now->output;
    saved->command = now->command;
    saved->checkpoint_seconds = now->checkpoint_seconds;
    saved->force = now->force;
    saved->comm = now->comm;
    if (now->max_rollbacks > saved->max_rollbacks) saved->max_rollbacks = now->max_rollbacks;
}

enum tsr_status tsr_training_resume(const char *checkpoint, const struct tsr_trainer_config *config,
                                    struct tsr_dataset *dataset, struct tsr_training **out,
                                    struct tsr_error *err) {
    enum tsr_status status;
    *out = NULL;
    TSR_TRY(TSR_ALLOC(out, 1, "training", err));
    struct tsr_training *t = *out;
    t->dataset = dataset;
    TSR_CHECK(tsr_checkpoint_load(checkpoint, &t->model, &t->state, &t->origin, err));
    take_over(&t->state.config, config);
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(tsr_trainer_config_check(&t->state.config, err));
    TSR_CHECK(tsr_model_check_image(t->model, tsr_dataset_height(dataset),
                                    tsr_dataset_width(dataset), tsr_dataset_channels(dataset),
                                    err));
    TSR_CHECK(check_origin(t, checkpoint, err));
    TSR_CHECK(check_turn(t, err));
    TSR_CHECK(set_up(t, dataset, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_training_free(t);
    *out = NULL;
    return status;
}

/* All processes have one run: the same data, computed the same way. */
static enum tsr_status compare_origins(const struct tsr_training *t, struct tsr_error *err) {
    const struct tsr_comm *comm = comm_of(t);
    struct tsr_origin first = t->origin;
    char differences[TSR_ERROR_SIZE / 2];
    enum tsr_status status = TSR_OK;
    TSR_TRY(tsr_comm_share(comm, &first, sizeof first, err));
    if (!tsr_identity_equal(&first.dataset, &t->origin.dataset, differences, sizeof differences))
        status = TSR_ERROR(err, TSR_ERR_CONFIG, "%s is not the dataset of rank 0: that has %s",
                           tsr_dataset_path(t->dataset), differences);
    else if (strcmp(first.kernel, t->origin.kernel) != 0)
        status = TSR_ERROR(err, TSR_ERR_CONFIG,
                           "computes by kernel %s, and rank 0 by %s, which differ in bits: all "
                           "processes need the same --kernel",
                           t->origin.kernel, first.kernel);
    return tsr_comm_agree(comm, status, err);
}

/* ---- the turn to more slots --------------------------------------------------------------------
 */

static void close_parts(struct tsr_training *t) {
    tsr_trainer_free(t->trainer);
    if (t->source.close) t->source.close(t->source.user);
    if (t->validator.close) t->validator.close(t->validator.user);
    t->trainer = NULL;
    t->source = (struct tsr_task_source){0};
    t->validator = (struct tsr_validator){0};
}

/* The shared slot becomes one for each region or class, all alike at first; the run goes on with
 * them. Who holds the model keeps it. */
static enum tsr_status turn(struct tsr_training *t, struct tsr_error *err) {
    struct tsr_model *next, *now = t->model;
    const struct tsr_model_config config = turned(t);
    close_parts(t);
    TSR_TRY(tsr_model_create(&config, t->state.config.seed, &next, err));
    enum tsr_status status = tsr_model_init_from(next, now, err);
    if (status == TSR_OK)
        status = tsr_regions_learn(next, t->dataset, ANCHOR_IMAGES, t->state.config.threads, err);
    if (status == TSR_OK)
        status =
            tsr_outer_state_turn(&t->state, next->n_slots * next->net.n_params,
                                 tsr_model_basis_count(next), tsr_rates_count(&next->rates), err);
    if (status == TSR_OK) {
        struct tsr_model old = *now;
        *now = *next;
        *next = old;
        status = set_up(t, t->dataset, err);
    }
    tsr_model_free(next);
    TSR_TRY(status);
    if (!t->observed) return TSR_OK;
    size_t n;
    return tsr_validation_observe(&t->validator, &t->observer, t->observed, &n, err);
}

static void tell_of_turn(const struct tsr_training *t,
                         const struct tsr_trainer_callbacks *callbacks) {
    char what[TSR_ERROR_SIZE];
    if (!callbacks || !callbacks->turned) return;
    (void)snprintf(what, sizeof what, "outer step %llu: the shared slot becomes %zu, %s",
                   (unsigned long long)t->state.progress.turned_at, t->model->n_slots,
                   tsr_then_name(t->state.config.then));
    callbacks->turned(callbacks->user, what);
}

/* ---- the run ------------------------------------------------------------------------------------
 */

enum tsr_status tsr_training_run(struct tsr_training *training,
                                 const struct tsr_trainer_callbacks *callbacks,
                                 struct tsr_error *err) {
    TSR_TRY(compare_origins(training, err));
    TSR_TRY(tsr_trainer_run(training->trainer, callbacks, err));
    if (tsr_outer_state_is_due(&training->state)) {
        TSR_TRY(tsr_comm_agree(comm_of(training), turn(training, err), err));
        tell_of_turn(training, callbacks);
        TSR_TRY(tsr_trainer_run(training->trainer, callbacks, err));
    }
    enum tsr_status status = tsr_dataset_unchanged(training->dataset, err);
    if (status != TSR_OK && training->output)
        tsr_error_prefix(err, "%s is complete, but what it was learned from is doubtful",
                         training->output);
    return status;
}

enum tsr_status tsr_training_finish(const struct tsr_training *t, struct tsr_error *err) {
    if (!t->output || comm_of(t)->rank != 0) return TSR_OK;
    return tsr_checkpoint_finish(t->model, &t->origin, t->command, t->output, err);
}

void tsr_training_free(struct tsr_training *t) {
    if (!t) return;
    close_parts(t);
    tsr_outer_state_clear(&t->state);
    tsr_model_free(t->model);
    free(t->kernel);
    free(t->output);
    free(t->command);
    free(t);
}

enum tsr_status tsr_training_observe(struct tsr_training *t, const struct tsr_observer *observer,
                                     size_t limit, size_t *n, struct tsr_error *err) {
    t->observer = *observer;
    t->observed = limit;
    return tsr_validation_observe(&t->validator, observer, limit, n, err);
}

const struct tsr_model *tsr_training_model(const struct tsr_training *training) {
    return training->model;
}

const struct tsr_trainer_config *tsr_training_settings(const struct tsr_training *training) {
    return &training->state.config;
}

const struct tsr_trainer_progress *tsr_training_state(const struct tsr_training *training) {
    return &training->state.progress;
}
