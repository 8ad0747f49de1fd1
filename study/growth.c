/* SPDX-License-Identifier: MIT */
#include "study/growth.h"

#include <stdlib.h>

#include "base/memory.h"

static size_t longest_piece(const struct tsr_hypothesis_run *run, size_t pieces) {
    size_t longest = 0;
    for (size_t i = 0; i < pieces; i++)
        if (run->piece_steps[i] > longest) longest = run->piece_steps[i];
    return longest;
}

double tsr_growth_step_work(const struct tsr_growth_group *g) {
    struct tsr_hypothesis single = g->h;
    struct tsr_net net;
    single.partition = 1;
    tsr_hypothesis_network(&single, &net);
    return (double)tsr_network_weights(&g->net) / (double)tsr_network_weights(&net) /
           (double)tsr_hypothesis_pieces(&g->h);
}

struct tsr_growth_summary tsr_growth_summarise(const struct tsr_growth *growth,
                                               const struct tsr_growth_group *g, size_t value) {
    const struct tsr_hypothesis_run *runs = g->runs + value * growth->n_repeats;
    struct tsr_growth_summary s = {.n = runs->n, .min = SIZE_MAX};
    for (size_t i = 0; i < growth->n_repeats; i++) {
        if (!runs[i].done) continue;
        s.runs++;
        s.censored += runs[i].censored > 0;
        s.mean += (double)runs[i].steps;
        s.longest += (double)longest_piece(&runs[i], tsr_hypothesis_pieces(&g->h));
        if (runs[i].steps < s.min) s.min = runs[i].steps;
        if (runs[i].steps > s.max) s.max = runs[i].steps;
    }
    s.mean /= (double)s.runs;
    s.longest /= (double)s.runs;
    s.work = s.mean * tsr_growth_step_work(g);
    return s;
}

enum tsr_status tsr_growth_fit(struct tsr_growth *growth, size_t resamples, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    size_t n_runs = growth->n_values * growth->n_repeats;
    struct tsr_trial *trials;
    TSR_TRY(TSR_ALLOC(&trials, n_runs, "trials", err));
    for (size_t k = 0; k < growth->n_groups && status == TSR_OK; k++) {
        struct tsr_growth_group *g = &growth->groups[k];
        size_t n = 0;
        for (size_t i = 0; i < n_runs; i++)
            if (g->runs[i].done)
                trials[n++] = (struct tsr_trial){.n = (double)g->runs[i].n,
                                                 .steps = (double)g->runs[i].steps,
                                                 .censored = g->runs[i].censored > 0};
        status = tsr_laws_fit(trials, n, resamples, g->h.seed, g->laws, err);
        g->fitted = status == TSR_OK;
        if (status == TSR_ERR_CONFIG) status = TSR_OK; /* too few runs: no law, no failure */
    }
    free(trials);
    return status;
}

enum tsr_law_kind tsr_growth_best(const struct tsr_growth_group *g) {
    int best = 0;
    for (int k = 1; k < TSR_N_LAWS; k++)
        if (g->laws[k].aic < g->laws[best].aic) best = k;
    return (enum tsr_law_kind)best;
}
