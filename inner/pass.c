/* SPDX-License-Identifier: MIT */
#include "inner/pass.h"

#include <string.h>

#include "base/clock.h"

/* Points of a piece: enough to amortise packing the weights, few enough to share one image among
 * the threads. The number of pieces is bounded since each needs a gradient of its own. Parameters
 * of a slice: what one thread adds up at a time. */
enum { PIECE = 4096, SLICE = 4096 };

enum tsr_status tsr_engine_create(const struct tsr_net *net, const struct tsr_kernel *kernel,
                                  size_t threads, struct tsr_engine *out, struct tsr_error *err) {
    size_t size = kernel->workspace_size(net);
    size = (size + TSR_ALIGNMENT - 1) / TSR_ALIGNMENT * TSR_ALIGNMENT;
    *out = (struct tsr_engine){.net = *net,
                               .kernel = kernel,
                               .threads = tsr_thread_count(threads),
                               .workspace_size = size};
    const struct tsr_choice all = tsr_choice_of(&tsr_adaptation_all.object);
    tsr_engine_adapt(out, &all);
    return tsr_arena_create(&out->arena, size * out->threads, "workspaces of the kernels", err);
}

void tsr_engine_adapt(struct tsr_engine *engine, const struct tsr_choice *adaptation) {
    tsr_space_layout(adaptation, &engine->net, &engine->space);
}

void tsr_engine_fix(struct tsr_engine *engine) {
    const struct tsr_adaptation *adaptation = tsr_adaptation_of(&engine->space.choice);
    if (adaptation->fix) adaptation->fix(&engine->net);
}

void tsr_engine_clear(struct tsr_engine *engine) {
    tsr_arena_free(&engine->arena);
}

size_t tsr_pass_pieces(size_t n) {
    size_t pieces = (n + PIECE / 2) / PIECE;
    return pieces < 1 ? 1 : pieces > TSR_PASS_MAX_PIECES ? TSR_PASS_MAX_PIECES : pieces;
}

size_t tsr_pass_partial(const struct tsr_engine *engine, size_t n, bool team) {
    size_t others = tsr_pass_pieces(n) - 1;
    return engine->net.n_params * (team || others < 1 ? others : 1);
}

static void *workspace_of(const struct tsr_engine *engine, size_t thread) {
    return engine->arena.base + thread * engine->workspace_size;
}

static double squared_error(const tsr_real *f, const tsr_real *y, size_t n) {
    double sum[4] = {0}; /* no single chain of additions */
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++) {
            double r = (double)f[i + k] - (double)y[i + k];
            sum[k] += r * r;
        }
    for (; i < n; i++)
        sum[0] += ((double)f[i] - (double)y[i]) * ((double)f[i] - (double)y[i]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static bool has_result(const struct tsr_pass *pass) {
    return pass->kind != TSR_PASS_FORWARD && pass->kind != TSR_PASS_RECORD;
}

/* Points [from, to) of a pass; returns their squared error. */
static double run_points(const struct tsr_engine *engine, const struct tsr_pass *pass, size_t from,
                         size_t to, tsr_real *result, void *workspace) {
    const struct tsr_net *net = &engine->net;
    const struct tsr_kernel *kernel = engine->kernel;
    const struct tsr_points *all = pass->points;
    const struct tsr_tape *tape = pass->tape.forward ? &pass->tape : NULL;
    struct tsr_points part = {.x = all->x + from * net->in_dim,
                              .y = all->y ? all->y + from * net->out_dim : NULL,
                              .n = to - from};
    tsr_real *out = pass->out ? pass->out + from * net->out_dim : NULL;
    switch (pass->kind) {
    case TSR_PASS_FORWARD:
        kernel->forward(net, pass->phi, part.x, part.n, out, workspace);
        return part.y ? squared_error(out, part.y, part.n * net->out_dim) : 0;
    case TSR_PASS_GRADIENT:
        return kernel->gradient(net, pass->phi, &part, pass->scale, result, out, tape, workspace);
    case TSR_PASS_RECORD:
        kernel->record(net, pass->phi, part.x, part.n, pass->tape.forward, workspace);
        return 0;
    case TSR_PASS_BACKWARD:
        return kernel->backward(net, pass->phi, &part, pass->scale, result, out, tape, workspace);
    case TSR_PASS_HVP:
        kernel->hvp(net, pass->phi, pass->v, &part, pass->scale, result, tape, workspace);
        return 0;
    case TSR_PASS_GAUSS_NEWTON:
        kernel->gauss_newton(net, pass->phi, pass->v, part.x, part.n, pass->scale, result,
                             pass->tape.forward, workspace);
        return 0;
    }
    return 0;
}

static bool is_ended(const struct tsr_engine *engine, size_t thread, size_t points) {
    const struct tsr_pass_watch *watch = &engine->watch;
    return watch->turn && watch->turn(watch->user, thread, points);
}

static void run_piece(const struct tsr_engine *engine, size_t thread, struct tsr_pass *pass,
                      size_t piece, tsr_real *result) {
    size_t n = pass->points->n, pieces = tsr_pass_pieces(n);
    size_t from = n * piece / pieces, to = n * (piece + 1) / pieces;
    bool watched = to - from > TSR_PASS_TURN;
    double error = 0;
    if (has_result(pass)) memset(result, 0, engine->net.n_params * sizeof *result);
    for (size_t end; from < to; from = end) {
        end = to - from > TSR_PASS_TURN ? from + TSR_PASS_TURN : to;
        if (watched && is_ended(engine, thread, end - from)) break;
        error += run_points(engine, pass, from, end, result, workspace_of(engine, thread));
    }
    pass->piece_error[piece] = error;
}

static void add(tsr_real *sum, const tsr_real *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static void sum_errors(struct tsr_pass *pass) {
    pass->error = 0;
    for (size_t piece = 0; piece < tsr_pass_pieces(pass->points->n); piece++)
        pass->error += pass->piece_error[piece];
}

static void run_alone(const struct tsr_engine *engine, size_t thread, struct tsr_pass *pass) {
    run_piece(engine, thread, pass, 0, pass->result);
    for (size_t piece = 1; piece < tsr_pass_pieces(pass->points->n); piece++) {
        run_piece(engine, thread, pass, piece, pass->partial);
        if (has_result(pass)) add(pass->result, pass->partial, engine->net.n_params);
    }
    sum_errors(pass);
}

/* The pass and the piece in it that stand at `index` among the pieces of all passes. */
static struct tsr_pass *find_piece(struct tsr_pass *passes, size_t index, size_t *piece) {
    for (size_t pieces; index >= (pieces = tsr_pass_pieces(passes->points->n)); passes++)
        index -= pieces;
    *piece = index;
    return passes;
}

/* Adds the results of the later pieces to that of the first, for one slice of the parameters. */
static void add_slice(const struct tsr_engine *engine, struct tsr_pass *pass, size_t slice) {
    size_t n = engine->net.n_params, from = slice * SLICE, to = from + SLICE < n ? from + SLICE : n;
    for (size_t piece = 1; piece < tsr_pass_pieces(pass->points->n); piece++)
        add(pass->result + from, pass->partial + (piece - 1) * n + from, to - from);
}

static void run_team(const struct tsr_engine *engine, struct tsr_pass *passes, size_t n_passes) {
    size_t n_params = engine->net.n_params, n_slices = (n_params + SLICE - 1) / SLICE;
    size_t n_pieces = 0;
    for (size_t i = 0; i < n_passes; i++)
        n_pieces += tsr_pass_pieces(passes[i].points->n);
#pragma omp parallel num_threads((int)engine->threads)
    {
        size_t thread = tsr_thread_number();
#pragma omp for schedule(dynamic, 1)
        for (size_t index = 0; index < n_pieces; index++) {
            size_t piece;
            struct tsr_pass *pass = find_piece(passes, index, &piece);
            run_piece(engine, thread, pass, piece,
                      piece ? pass->partial + (piece - 1) * n_params : pass->result);
        }
#pragma omp for schedule(static)
        for (size_t i = 0; i < n_passes * n_slices; i++)
            if (has_result(&passes[i / n_slices]))
                add_slice(engine, &passes[i / n_slices], i % n_slices);
    }
    for (size_t i = 0; i < n_passes; i++)
        sum_errors(&passes[i]);
}

void tsr_pass_run(const struct tsr_engine *engine, size_t thread, struct tsr_pass *passes,
                  size_t n_passes) {
    if (thread == TSR_TEAM) {
        run_team(engine, passes, n_passes);
        return;
    }
    for (size_t i = 0; i < n_passes; i++)
        run_alone(engine, thread, &passes[i]);
}
