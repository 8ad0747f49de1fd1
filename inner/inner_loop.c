/* SPDX-License-Identifier: MIT */
#include "inner/inner_loop.h"

#include <math.h>

#include "base/names.h"

static const char *const optimizer_names[] = {"sgd", "adam"};
TSR_DEFINE_NAMES(tsr_inner_optimizer, tsr_inner_optimizer_kind, optimizer_names, "inner optimizer")

static void sgd_step(const struct tsr_engine *engine, const struct tsr_rates *rates,
                     const struct tsr_trajectory *t, size_t k) {
    const tsr_real *phi = t->phi + k * t->phi_stride, *g = t->g + k * t->g_stride;
    tsr_real *next = t->phi + (k + 1) * t->phi_stride;
    const tsr_real *alpha = rates->value + tsr_rates_at(rates, k, t->task->slot);
    if (rates->n_units == engine->net.n_params) { /* the common case, in one pass */
        for (size_t i = 0; i < engine->net.n_params; i++)
            next[i] = phi[i] - alpha[i] * g[i];
        return;
    }
    for (size_t l = 0; l < engine->net.n_layers; l++) {
        tsr_real a = alpha[rates->n_units > 1 ? l : 0];
        size_t end = engine->net.bias_at[l] + engine->net.fan_out[l];
        for (size_t i = engine->net.weight_at[l]; i < end; i++)
            next[i] = phi[i] - a * g[i];
    }
}

static void adam_step(const struct tsr_engine *engine, const struct tsr_inner_optimizer *o,
                      const struct tsr_trajectory *t, size_t k) {
    double n = (double)(k - o->sgd_steps + 1), beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    double ramp = n < (double)o->warmup ? n / (double)o->warmup : 1;
    tsr_real lr = (tsr_real)(o->adam_lr * ramp / (1 - pow(beta1, n)));
    double unbias = 1 / (1 - pow(beta2, n));
    const tsr_real *phi = t->phi + k * t->phi_stride, *grad = t->g + k * t->g_stride;
    tsr_real *next = t->phi + (k + 1) * t->phi_stride;
    tsr_real *m = t->moments, *v = t->moments + engine->net.n_params;
    for (size_t i = 0; i < engine->net.n_params; i++) {
        tsr_real g = grad[i];
        m[i] = (tsr_real)beta1 * m[i] + (tsr_real)(1 - beta1) * g;
        v[i] = (tsr_real)beta2 * v[i] + (tsr_real)(1 - beta2) * g * g;
        next[i] = phi[i] - lr * m[i] / (tsr_real)(sqrt((double)v[i] * unbias) + eps);
    }
}

struct tsr_tape tsr_trajectory_tape(const struct tsr_trajectory *t, size_t k) {
    struct tsr_tape tape = {0};
    if (t->tape) {
        tape.forward = t->tape + k * t->tape_stride;
        tape.backward = t->tape + k * t->tape_stride + t->tape_backward;
    }
    if (k == 0 && t->forward) tape.forward = t->forward;
    return tape;
}

void tsr_inner_step(const struct tsr_engine *engine, size_t thread, const struct tsr_rates *rates,
                    const struct tsr_inner_optimizer *optimizer,
                    struct tsr_trajectory *trajectories, size_t n, size_t k,
                    struct tsr_pass *passes) {
    for (size_t i = 0; i < n; i++) {
        struct tsr_trajectory *t = &trajectories[i];
        bool recorded = k == 0 && t->forward;
        passes[i] = (struct tsr_pass){.kind = recorded ? TSR_PASS_BACKWARD : TSR_PASS_GRADIENT,
                                      .points = &t->task->ctx,
                                      .scale = t->task->ctx_scale,
                                      .phi = t->phi + k * t->phi_stride,
                                      .result = t->g + k * t->g_stride,
                                      .out = t->out,
                                      .tape = tsr_trajectory_tape(t, k),
                                      .partial = t->partial};
    }
    tsr_pass_run(engine, thread, passes, n);
    for (size_t i = 0; i < n; i++) {
        struct tsr_trajectory *t = &trajectories[i];
        t->error[k] = passes[i].error;
        if (optimizer->kind == TSR_INNER_ADAM && k >= optimizer->sgd_steps)
            adam_step(engine, optimizer, t, k);
        else
            sgd_step(engine, rates, t, k);
    }
}
