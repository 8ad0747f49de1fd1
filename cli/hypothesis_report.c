/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "cli/hypothesis_report.h"

#include <math.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/page.h"
#include "cli/report_assets.h"
#include "data/file.h"
#include "study/published.h"

/* ---- tables ---------------------------------------------------------------------------------- */

static void print_summary(const struct hypothesis_report *r, const struct tsr_growth_group *g,
                          FILE *to) {
    for (size_t i = 0; i < r->growth.n_values; i++) {
        struct tsr_growth_summary s = tsr_growth_summarise(&r->growth, g, i);
        double known = tsr_published_steps(&g->h, s.n);
        if (!s.runs) continue;
        (void)fprintf(to, "%zu\t%zu\t%zu\t%.1f\t%zu\t%zu\t%zu\t%.1f\t%.1f",
                      tsr_hypothesis_pieces(&g->h), s.n, s.runs, s.mean, s.min, s.max, s.censored,
                      s.longest, s.work);
        if (known > 0)
            (void)fprintf(to, "\t%.0f\t%.2f\n", known, s.mean / known);
        else
            (void)fprintf(to, "\t-\t-\n");
    }
}

static void print_laws(const struct tsr_growth_group *g, FILE *to) {
    const struct tsr_law *best = &g->laws[tsr_growth_best(g)];
    for (int k = 0; g->fitted && k < TSR_N_LAWS; k++) {
        const struct tsr_law *l = &g->laws[k];
        (void)fprintf(to,
                      "%zu\t%s\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.3f\t%.3f\t%.1f\t%.1f\t%.3f\n",
                      tsr_hypothesis_pieces(&g->h), tsr_law_name((enum tsr_law_kind)k), l->a,
                      l->a_interval[0], l->a_interval[1], l->b, l->b_interval[0], l->b_interval[1],
                      l->sigma, l->r2, l->aic, l->aic - best->aic, l->chosen);
    }
}

static void print_best(const struct tsr_growth_group *g, FILE *to) {
    size_t pieces = tsr_hypothesis_pieces(&g->h);
    enum tsr_law_kind best = tsr_growth_best(g);
    const struct tsr_law *l = &g->laws[best];
    if (!g->fitted) {
        (void)fprintf(to, "best\t%zu\t-\ttoo few runs to fit\n", pieces);
        return;
    }
    (void)fprintf(to, "best\t%zu\t%s\t", pieces, tsr_law_name(best));
    switch (best) {
    case TSR_LAW_EXPONENTIAL:
        (void)fprintf(to, "T(n) = %.4g exp(%.4g n), times %.4f a boundary\n", l->a, l->b,
                      exp(l->b));
        break;
    case TSR_LAW_POWER:
        (void)fprintf(to, "T(n) = %.4g n^%.4g\n", l->a, l->b);
        break;
    case TSR_LAW_LINEAR:
        (void)fprintf(to, "T(n) = %.4g %c %.4g n\n", l->a, l->b < 0 ? '-' : '+', fabs(l->b));
        break;
    }
}

void hypothesis_print(const struct hypothesis_report *r, FILE *to) {
    for (size_t k = 0; k < r->growth.n_groups; k++) {
        const struct tsr_growth_group *g = &r->growth.groups[k];
        size_t pieces = tsr_hypothesis_pieces(&g->h);
        (void)fprintf(to,
                      "# %zu-D, %zu network%s %zu -> %zu x %zu -> 1, %zu parameters, kernel %s\n",
                      g->h.dim, pieces, pieces == 1 ? "" : "s, each", g->h.dim, g->net.n_layers - 1,
                      g->net.width, pieces * g->net.n_params, r->kernel);
    }
    (void)fprintf(
        to, "#pieces\tn\truns\tmean\tmin\tmax\tcensored\tmean_longest\twork\tpublished\tratio\n");
    for (size_t k = 0; k < r->growth.n_groups; k++)
        print_summary(r, &r->growth.groups[k], to);
    (void)fprintf(to,
                  "#pieces\tlaw\ta\ta_low\ta_high\tb\tb_low\tb_high\tsigma\tr2\taic\tdelta_aic\t"
                  "chosen\n");
    for (size_t k = 0; k < r->growth.n_groups; k++)
        print_laws(&r->growth.groups[k], to);
    for (size_t k = 0; k < r->growth.n_groups; k++)
        print_best(&r->growth.groups[k], to);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void put_rows(const struct hypothesis_report *r, FILE *f) {
    (void)fputs("dim,n,run,seed,pieces,steps,censored,seconds,mse,piece_steps\n", f);
    for (size_t k = 0; k < r->growth.n_groups; k++) {
        const struct tsr_growth_group *g = &r->growth.groups[k];
        size_t pieces = tsr_hypothesis_pieces(&g->h);
        for (size_t i = 0; i < r->growth.n_values * r->growth.n_repeats; i++) {
            const struct tsr_hypothesis_run *run = &g->runs[i];
            if (!run->done) continue;
            (void)fprintf(f, "%zu,%zu,%zu,%llu,%zu,%zu,%d,%.3f,%.6g,", g->h.dim, run->n, run->index,
                          (unsigned long long)g->h.seed, pieces, run->steps, run->censored > 0,
                          run->seconds, run->mse);
            for (size_t p = 0; p < pieces; p++)
                (void)fprintf(f, p ? " %zu" : "%zu", run->piece_steps[p]);
            (void)fputc('\n', f);
        }
    }
}

enum tsr_status hypothesis_write_csv(const struct hypothesis_report *r, const char *path,
                                     struct tsr_error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (f) put_rows(r, f);
    bool failed = !f || ferror(f);
    if (f && fclose(f) != 0) failed = true;
    enum tsr_status status = failed
                                 ? TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for the CSV text")
                                 : tsr_file_replace(path, text, size, err);
    free(text);
    return status;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_settings(struct cli_json *j, const struct hypothesis_report *r) {
    const struct tsr_hypothesis *h = &r->growth.groups->h;
    cli_json_integer(j, "dim", h->dim);
    cli_json_integer(j, "width", h->width);
    cli_json_integer(j, "hidden_layers", h->hidden_layers);
    cli_json_number(j, "omega_first", h->omega_first);
    cli_json_number(j, "omega_hidden", h->omega_hidden);
    cli_json_integer(j, "points", h->points);
    cli_json_integer(j, "max_steps", h->max_steps);
    cli_json_number(j, "target", h->target);
    cli_json_number(j, "lr", h->lr);
    cli_json_integer(j, "seed", h->seed);
    cli_json_string(j, "kernel", r->kernel);
}

static void put_value(struct cli_json *j, const struct hypothesis_report *r,
                      const struct tsr_growth_group *g, size_t value) {
    struct tsr_growth_summary s = tsr_growth_summarise(&r->growth, g, value);
    double known = tsr_published_steps(&g->h, s.n);
    if (!s.runs) return;
    cli_json_open(j, NULL, '{');
    cli_json_integer(j, "n", s.n);
    cli_json_integer(j, "runs", s.runs);
    cli_json_number(j, "mean", s.mean);
    cli_json_integer(j, "min", s.min);
    cli_json_integer(j, "max", s.max);
    cli_json_integer(j, "censored", s.censored);
    cli_json_number(j, "mean_longest", s.longest);
    cli_json_number(j, "work", s.work);
    cli_json_number(j, "published", known > 0 ? known : (double)NAN);
    cli_json_close(j, '}');
}

static void put_law(struct cli_json *j, enum tsr_law_kind kind, const struct tsr_law *l) {
    cli_json_open(j, tsr_law_name(kind), '{');
    cli_json_number(j, "a", l->a);
    cli_json_numbers(j, "a_interval", l->a_interval, 2);
    cli_json_number(j, "b", l->b);
    cli_json_numbers(j, "b_interval", l->b_interval, 2);
    cli_json_number(j, "sigma", l->sigma);
    cli_json_number(j, "log_likelihood", l->log_likelihood);
    cli_json_number(j, "aic", l->aic);
    cli_json_number(j, "r2", l->r2);
    cli_json_number(j, "chosen", l->chosen);
    cli_json_close(j, '}');
}

static void put_group(struct cli_json *j, const struct hypothesis_report *r,
                      const struct tsr_growth_group *g) {
    cli_json_open(j, NULL, '{');
    cli_json_integer(j, "pieces", tsr_hypothesis_pieces(&g->h));
    cli_json_integer(j, "width", g->net.width);
    cli_json_integer(j, "params_per_piece", g->net.n_params);
    cli_json_open(j, "boundaries", '[');
    for (size_t i = 0; i < r->growth.n_values; i++)
        put_value(j, r, g, i);
    cli_json_close(j, ']');
    cli_json_open(j, "laws", '{');
    for (int k = 0; g->fitted && k < TSR_N_LAWS; k++)
        put_law(j, (enum tsr_law_kind)k, &g->laws[k]);
    cli_json_close(j, '}');
    cli_json_string(j, "best", g->fitted ? tsr_law_name(tsr_growth_best(g)) : NULL);
    cli_json_close(j, '}');
}

/* All but the end. */
static void put_report(struct cli_json *j, const struct hypothesis_report *r) {
    cli_json_open(j, NULL, '{');
    put_settings(j, r);
    cli_json_open(j, "groups", '[');
    for (size_t k = 0; k < r->growth.n_groups; k++)
        put_group(j, r, &r->growth.groups[k]);
    cli_json_close(j, ']');
}

enum tsr_status hypothesis_write_json(const struct hypothesis_report *r, const char *path,
                                      struct tsr_error *err) {
    struct cli_json j = {0};
    put_report(&j, r);
    cli_json_close(&j, '}');
    return cli_json_write(&j, path, err);
}

/* ---- page ------------------------------------------------------------------------------------ */

static void put_runs(struct cli_json *j, const struct hypothesis_report *r,
                     const struct tsr_growth_group *g) {
    cli_json_open(j, NULL, '[');
    for (size_t i = 0; i < r->growth.n_values * r->growth.n_repeats; i++) {
        if (!g->runs[i].done) continue;
        cli_json_open(j, NULL, '{');
        cli_json_integer(j, "n", g->runs[i].n);
        cli_json_integer(j, "run", g->runs[i].index);
        cli_json_integer(j, "steps", g->runs[i].steps);
        cli_json_text(j, "censored", g->runs[i].censored > 0 ? "true" : "false");
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

enum tsr_status hypothesis_write_page(const struct hypothesis_report *r, const char *path,
                                      struct tsr_error *err) {
    struct cli_json j = {0};
    enum tsr_status status;
    put_report(&j, r);
    cli_json_open(&j, "runs", '[');
    for (size_t k = 0; k < r->growth.n_groups; k++)
        put_runs(&j, r, &r->growth.groups[k]);
    cli_json_close(&j, ']');
    cli_json_close(&j, '}');
    status = cli_json_finish(&j, err);
    if (status == TSR_OK) status = cli_page_write(path, cli_asset_hypothesis_html, j.text, err);
    cli_json_clear(&j);
    return status;
}
