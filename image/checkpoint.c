/* SPDX-License-Identifier: MIT */
#include "image/checkpoint.h"

#include <stdio.h>

#include "base/memory.h"
#include "image/attributes.h"
#include "image/layer_arrays.h"
#include "image/model_file.h"

/* The arrays of a state, below a group: of initialisations, of rates, and the moments of both. */
struct arrays {
    const char *group;
    tsr_real *theta, *basis, *rates; /* NULL: they stand elsewhere, or there are none */
    tsr_real *m_theta, *v_theta, *m_basis, *v_basis, *m_rates, *v_rates;
};

static enum tsr_status transfer(bool write, struct tsr_h5 *file, const struct tsr_model *m,
                                const struct arrays *a, struct tsr_error *err) {
    const size_t theta[2] = {m->n_slots, m->net.n_params};
    const size_t basis[3] = {m->n_slots, m->space.n_directions, m->net.n_params};
    const size_t rates[3] = {m->rates.n_steps, m->rates.n_slots, m->rates.n_units};
    const struct {
        const char *name;
        size_t rank;
        const size_t *dims;
        tsr_real *data;
    } table[] = {{"theta", 2, theta, a->theta},     {"rates", 3, rates, a->rates},
                 {"basis", 3, basis, a->basis},     {"basis_m", 3, basis, a->m_basis},
                 {"basis_v", 3, basis, a->v_basis}, {"theta_m", 2, theta, a->m_theta},
                 {"theta_v", 2, theta, a->v_theta}, {"rates_m", 3, rates, a->m_rates},
                 {"rates_v", 3, rates, a->v_rates}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char path[64];
        if (!table[i].data) continue;
        (void)snprintf(path, sizeof path, "%s/%s", a->group, table[i].name);
        TSR_TRY(write ? tsr_h5_write(file, path, TSR_H5_REAL, table[i].rank, table[i].dims,
                                     table[i].data, 0, err)
                      : tsr_h5_read(file, path, TSR_H5_REAL, table[i].rank, table[i].dims,
                                    table[i].data, err));
    }
    return TSR_OK;
}

static enum tsr_status transfer_moments(bool write, struct tsr_h5 *file, const struct tsr_model *m,
                                        struct tsr_outer_state *s, struct tsr_error *err) {
    const struct arrays arrays = {.group = "/outer",
                                  .m_theta = s->m_theta,
                                  .v_theta = s->v_theta,
                                  .m_basis = m->basis ? s->m_basis : NULL,
                                  .v_basis = m->basis ? s->v_basis : NULL,
                                  .m_rates = s->m_rates,
                                  .v_rates = s->v_rates};
    return transfer(write, file, m, &arrays, err);
}

/* The last good state, where it is not the one at hand. */
static enum tsr_status transfer_good(bool write, struct tsr_h5 *file, const struct tsr_model *m,
                                     struct tsr_good_state *g, struct tsr_error *err) {
    const struct arrays arrays = {.group = "/outer/good",
                                  .theta = g->theta,
                                  .basis = m->basis ? g->basis : NULL,
                                  .rates = g->rates,
                                  .m_theta = g->m_theta,
                                  .v_theta = g->v_theta,
                                  .m_basis = m->basis ? g->m_basis : NULL,
                                  .v_basis = m->basis ? g->v_basis : NULL,
                                  .m_rates = g->m_rates,
                                  .v_rates = g->v_rates};
    return transfer(write, file, m, &arrays, err);
}

/* With a running mean, which the model holds: what a run goes on from, and the mean of the last
 * good state. */
static enum tsr_status transfer_means(bool write, struct tsr_h5 *file, const struct tsr_model *m,
                                      struct tsr_outer_state *s, bool good, struct tsr_error *err) {
    const struct tsr_values *v = good ? &s->good.mean : &s->other;
    const struct arrays arrays = {.group = good ? "/outer/good/mean" : "/outer/values",
                                  .theta = v->theta,
                                  .basis = m->basis ? v->basis : NULL,
                                  .rates = v->rates};
    return transfer(write, file, m, &arrays, err);
}

/* The model's arrays. */
static struct tsr_values values_of(const struct tsr_model *m) {
    return (struct tsr_values){m->theta, m->basis, m->rates.value};
}

static enum tsr_status read_means(struct tsr_h5 *file, const struct tsr_model *m,
                                  struct tsr_outer_state *s, struct tsr_error *err) {
    const struct tsr_values values = values_of(m);
    if (!(s->config.ema > 0)) return TSR_OK;
    TSR_TRY(tsr_outer_state_average(s, &values, err));
    return transfer_means(false, file, m, s, false, err);
}

static enum tsr_status read_good(struct tsr_h5 *file, const struct tsr_model *m,
                                 struct tsr_outer_state *s, struct tsr_error *err) {
    struct tsr_good_state *g = &s->good;
    uint64_t outer_step = g->outer_step;
    if (tsr_h5_exists(file, "/outer/good")) {
        g->kept = true;
        TSR_TRY(transfer_good(false, file, m, g, err));
        return transfer_means(false, file, m, s, true, err);
    }
    const struct tsr_values values = values_of(m);
    tsr_outer_state_swap(s, &values);
    tsr_outer_state_keep(s, m->theta, m->basis, m->rates.value);
    tsr_outer_state_swap(s, &values);
    if (tsr_h5_has_attr(file, "/outer", "good_outer_step")) g->outer_step = outer_step;
    return TSR_OK;
}

/* Do the counts of a run fit together? */
static enum tsr_status check_counts(const struct tsr_h5 *file, const struct tsr_outer_state *s,
                                    struct tsr_error *err) {
    const struct tsr_trainer_progress *p = &s->progress;
    bool turn = p->turned_at <= p->outer_step && p->lost_before <= p->turned_at &&
                p->lost_before <= p->lost && p->turned_seconds >= 0 &&
                !(p->turned_seconds > p->seconds);
    uint64_t since = p->outer_step - p->turned_at; /* the turn */
    if (p->rollbacks <= TSR_MAX_ROLLBACKS && p->lost <= p->outer_step && turn &&
        p->lost - p->lost_before <= since && s->good.updates <= since)
        return TSR_OK;
    return TSR_ERROR(
        err, TSR_ERR_FORMAT,
        "%s: /outer has %llu rollbacks and %llu lost of %llu outer steps, %llu of them before the "
        "turn of its slots after outer step %llu, the last good state %llu updates; at most %d and "
        "as many as there were",
        tsr_h5_path(file), (unsigned long long)p->rollbacks, (unsigned long long)p->lost,
        (unsigned long long)p->outer_step, (unsigned long long)p->lost_before,
        (unsigned long long)p->turned_at, (unsigned long long)s->good.updates, TSR_MAX_ROLLBACKS);
}

static enum tsr_status transfer_rollbacks(bool write, struct tsr_h5 *file,
                                          struct tsr_outer_state *s, struct tsr_error *err) {
    static const char path[] = "/outer/rollbacks";
    TSR_TRY(check_counts(file, s, err));
    const size_t dims[2] = {(size_t)s->progress.rollbacks, TSR_ROLLBACK_COLUMNS};
    if (dims[0] == 0) return TSR_OK;
    if (!write) return tsr_h5_read(file, path, TSR_H5_F64, 2, dims, s->rollback, err);
    TSR_TRY(tsr_h5_write(file, path, TSR_H5_F64, 2, dims, s->rollback, 0, err));
    return tsr_h5_write_attr_str(file, path, "columns",
                                 "outer_step good_outer_step val_psnr_db factor", err);
}

static enum tsr_status write_history(struct tsr_h5 *file, const struct tsr_outer_state *s,
                                     struct tsr_error *err) {
    const size_t dims[2] = {s->n_history, TSR_HISTORY_COLUMNS};
    if (s->n_history == 0) return TSR_OK;
    TSR_TRY(tsr_h5_write(file, "/outer/history", TSR_H5_F64, 2, dims, s->history, 0, err));
    return tsr_h5_write_attr_str(file, "/outer/history", "columns",
                                 "outer_step seconds train_psnr_db val_psnr_db outer_lr", err);
}

static enum tsr_status read_history(struct tsr_h5 *file, struct tsr_outer_state *s,
                                    struct tsr_error *err) {
    size_t rank, dims[TSR_H5_MAX_RANK];
    if (!tsr_h5_exists(file, "/outer/history")) return TSR_OK;
    TSR_TRY(tsr_h5_shape(file, "/outer/history", &rank, dims, NULL, err));
    if (rank != 2 || dims[1] != TSR_HISTORY_COLUMNS)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /outer/history must be [lines, %d]",
                         tsr_h5_path(file), TSR_HISTORY_COLUMNS);
    if (dims[0] > s->progress.outer_step)
        return TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: /outer/history has %zu lines after %llu outer steps; at most one each",
            tsr_h5_path(file), dims[0], (unsigned long long)s->progress.outer_step);
    void *p;
    TSR_TRY(tsr_alloc(&p, dims[0], sizeof *s->history, "history", err));
    s->history = p;
    s->n_history = s->max_history = dims[0];
    return tsr_h5_read(file, "/outer/history", TSR_H5_F64, 2, dims, s->history, err);
}

static enum tsr_status write_dataset(struct tsr_h5 *file, const struct tsr_origin *origin,
                                     struct tsr_error *err) {
    struct tsr_identity dataset = origin->dataset; /* a visitor may write */
    if (!origin->has_dataset) return TSR_OK;
    TSR_TRY(tsr_identity_visit(&dataset, tsr_attribute_write, file, err));
    if (!tsr_deal_is(&dataset.deal)) return TSR_OK;
    return tsr_deal_visit(&dataset.deal, tsr_attribute_write, file, err);
}

static enum tsr_status read_origin(struct tsr_h5 *file, struct tsr_origin *origin,
                                   struct tsr_error *err) {
    if (tsr_h5_has_attr(file, "/outer", "kernel"))
        TSR_TRY(tsr_h5_read_attr_str(file, "/outer", "kernel", origin->kernel,
                                     sizeof origin->kernel, err));
    origin->has_dataset = tsr_h5_exists(file, "/dataset");
    if (!origin->has_dataset) return TSR_OK;
    TSR_TRY(tsr_identity_visit(&origin->dataset, tsr_attribute_read, file, err));
    return tsr_deal_visit(&origin->dataset.deal, tsr_attribute_read, file, err);
}

enum tsr_status tsr_checkpoint_origin(const char *path, struct tsr_origin *origin,
                                      struct tsr_error *err) {
    struct tsr_h5 *file;
    *origin = (struct tsr_origin){0};
    TSR_TRY(tsr_h5_open(path, &file, err));
    enum tsr_status status = read_origin(file, origin, err);
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_checkpoint_save(const struct tsr_model *model,
                                    const struct tsr_outer_state *state,
                                    const struct tsr_origin *origin, const char *path,
                                    struct tsr_error *err) {
    struct tsr_h5 *file = NULL;
    struct tsr_outer_state copy = *state; /* a visitor may write */
    enum tsr_status status;
    TSR_CHECK(tsr_h5_create(path, &file, err));
    TSR_CHECK(tsr_model_write(file, model, state->config.command, 0, err));
    TSR_CHECK(tsr_outer_state_visit(&copy, tsr_attribute_write, file, err));
    TSR_CHECK(transfer_moments(true, file, model, &copy, err));
    TSR_CHECK(transfer_means(true, file, model, &copy, false, err));
    if (state->good.kept && !state->good.current) {
        TSR_CHECK(transfer_good(true, file, model, &copy.good, err));
        TSR_CHECK(transfer_means(true, file, model, &copy, true, err));
    }
    TSR_CHECK(transfer_rollbacks(true, file, &copy, err));
    TSR_CHECK(write_history(file, state, err));
    if (origin && origin->kernel[0])
        TSR_CHECK(tsr_h5_write_attr_str(file, "/outer", "kernel", origin->kernel, err));
    if (origin) TSR_CHECK(write_dataset(file, origin, err));
    TSR_CHECK(tsr_h5_commit(file, err));
done:
    tsr_h5_close(file);
    return status;
}

/* Level of deflate for what is written once. Of a principal start half of the basis is zero. */
enum { FINISHED_DEFLATE = 6 };

enum tsr_status tsr_checkpoint_finish(const struct tsr_model *model,
                                      const struct tsr_origin *origin, const char *command,
                                      const char *path, struct tsr_error *err) {
    struct tsr_h5 *file = NULL;
    enum tsr_status status;
    TSR_CHECK(tsr_h5_create(path, &file, err));
    TSR_CHECK(tsr_model_write(file, model, command, FINISHED_DEFLATE, err));
    if (origin) TSR_CHECK(write_dataset(file, origin, err));
    TSR_CHECK(tsr_h5_commit(file, err));
done:
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_checkpoint_load(const char *path, struct tsr_model **model,
                                    struct tsr_outer_state *state, struct tsr_origin *origin,
                                    struct tsr_error *err) {
    struct tsr_h5 *file = NULL;
    enum tsr_status status;
    *model = NULL;
    *state = (struct tsr_outer_state){0};
    *origin = (struct tsr_origin){0};
    TSR_CHECK(tsr_h5_open(path, &file, err));
    TSR_CHECK(tsr_model_read(file, model, err));
    if (!tsr_h5_exists(file, "/outer")) {
        status = TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: there is no /outer; this model cannot be resumed, only used to start from", path);
        goto done;
    }
    size_t n_theta = (*model)->n_slots * (*model)->net.n_params;
    TSR_CHECK(tsr_outer_state_create(n_theta, tsr_model_basis_count(*model),
                                     tsr_rates_count(&(*model)->rates), state, err));
    TSR_CHECK(tsr_outer_state_visit(state, tsr_attribute_read, file, err));
    TSR_CHECK(transfer_moments(false, file, *model, state, err));
    TSR_CHECK(read_means(file, *model, state, err));
    TSR_CHECK(transfer_rollbacks(false, file, state, err));
    TSR_CHECK(read_good(file, *model, state, err));
    TSR_CHECK(read_history(file, state, err));
    TSR_CHECK(read_origin(file, origin, err));
done:
    tsr_h5_close(file);
    if (status != TSR_OK) {
        tsr_model_free(*model);
        *model = NULL;
        tsr_outer_state_clear(state);
    }
    return status;
}
