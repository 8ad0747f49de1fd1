/* SPDX-License-Identifier: MIT */
#include "cli/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/shown.h"
#include "data/file.h"

void cli_findings_clear(struct cli_findings *f) {
    for (size_t s = 0; s < f->n; s++) {
        tsr_evaluation_clear(&f->subject[s].result);
        tsr_survey_free(f->subject[s].survey);
        if (s) tsr_model_free(f->subject[s].model);
    }
    free(f->linear_limit_db);
    tsr_transfer_clear(&f->transfer);
    *f = (struct cli_findings){0};
}

bool cli_findings_cell(const struct cli_findings *f, size_t r, size_t *row, size_t *col) {
    const struct tsr_survey *s = f->subject[0].survey;
    size_t cols = 0;
    if (!s || s->follows) return false;
    while (cols < s->n_regions && s->regions[cols].row == s->regions[0].row)
        cols++;
    *row = r / cols;
    *col = r % cols;
    return true;
}

const char *cli_findings_image(const struct cli_findings *f, size_t i) {
    return tsr_dataset_name(f->dataset, f->subject[0].survey->index[i]);
}

/* ---- comparison ------------------------------------------------------------------------------ */

bool cli_findings_alike(const struct cli_findings *f, size_t s) {
    const struct tsr_survey *a = f->subject[0].survey, *b = f->subject[s].survey;
    if (!a || !b || a->n_regions != b->n_regions || a->follows != b->follows) return false;
    for (size_t r = 0; r < a->n_regions && !a->follows; r++)
        if (memcmp(&a->regions[r], &b->regions[r], offsetof(struct tsr_region, n_pixels)) != 0)
            return false;
    return true;
}

enum tsr_status cli_findings_gain(const struct cli_findings *f, size_t s, size_t region,
                                  struct tsr_paired *out, size_t *resamples,
                                  struct tsr_error *err) {
    const struct tsr_survey *a = f->subject[0].survey, *b = f->subject[s].survey;
    double draws = 2e8 / ((double)a->images * (double)(a->n_regions + 1));
    *resamples = region == a->n_regions ? 10000
                 : draws > 2000         ? 2000
                 : draws < 200          ? 200
                                        : (size_t)draws;
    return tsr_survey_compare(a, b, region, *resamples, f->seed, out, err);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_place(struct cli_json *j, const struct cli_findings *f, size_t s, size_t r) {
    const struct tsr_survey *v = f->subject[s].survey;
    size_t row, col;
    if (v->follows) return;
    if (cli_findings_alike(f, s) && cli_findings_cell(f, r, &row, &col)) {
        cli_json_integer(j, "row", row);
        cli_json_integer(j, "column", col);
    }
    cli_json_integer(j, "top", v->regions[r].row);
    cli_json_integer(j, "left", v->regions[r].col);
    cli_json_integer(j, "height", v->regions[r].height);
    cli_json_integer(j, "width", v->regions[r].width);
}

static void json_spread(struct cli_json *j, const struct cli_findings *f, size_t s, size_t r) {
    const struct tsr_survey *v = f->subject[s].survey;
    struct tsr_region_figures last = {0};
    size_t k = v->states - 1;
    tsr_survey_region(v, r, k, &last);
    cli_json_number(j, "psnr_db_std", last.psnr_db_std);
    cli_json_number(j, "worst_psnr_db", last.worst_psnr_db);
    cli_json_string(j, "worst_image", last.images ? cli_findings_image(f, last.worst_image) : NULL);
    if (s == 0 && f->linear_limit_db) {
        cli_json_number(j, "linear_limit_db", f->linear_limit_db[r]);
        cli_json_number(j, "gain_over_linear_limit_db", last.psnr_db - f->linear_limit_db[r]);
    }
}

static const struct tsr_partition_rule *rule_of(const struct cli_findings *f, size_t s) {
    const struct tsr_model *m = f->subject[s].model ? f->subject[s].model : f->subject[0].model;
    return &m->config.partition;
}

/* Is region r of subject s that of the pixels of no class? */
static bool is_void(const struct cli_findings *f, size_t s, size_t r) {
    return tsr_partition_rule_has_void(rule_of(f, s)) &&
           r == tsr_partition_rule_classes(rule_of(f, s));
}

/* The semantic class of a region of subject s; NULL where regions are none. */
static const char *class_of(const struct cli_findings *f, size_t s, size_t r) {
    if (r >= tsr_partition_rule_classes(rule_of(f, s)) || r >= tsr_dataset_label_count(f->dataset))
        return NULL;
    return tsr_dataset_label_name(f->dataset, r);
}

/* No class is called so by pack, and of others' names none has brackets. */
#define VOID_TEXT "(void)"

void cli_findings_json_regions(struct cli_json *j, const struct cli_findings *f, size_t s) {
    const struct cli_subject *subject = &f->subject[s];
    const struct tsr_evaluation *e = &subject->result;
    cli_json_open(j, "regions", '[');
    for (size_t r = 0; r < e->n_regions; r++) {
        cli_json_open(j, NULL, '{');
        cli_json_integer(j, "region", r);
        cli_json_integer(j, "slot", e->region_slot[r]);
        if (class_of(f, s, r)) cli_json_string(j, "class", class_of(f, s, r));
        if (is_void(f, s, r)) cli_json_text(j, "void", "true");
        if (subject->survey) json_place(j, f, s, r);
        cli_json_integer(j, "images", e->region_images[r]);
        cli_json_number(j, "pixels", e->region_pixels[r]);
        cli_json_numbers(j, "psnr_db", e->region_psnr_db + r * (e->inner_steps + 1),
                         e->inner_steps + 1);
        if (subject->survey) json_spread(j, f, s, r);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void json_borders(struct cli_json *j, const struct tsr_survey *v) {
    if (!v->has_pictures) return;
    cli_json_open(j, "borders", '{');
    cli_json_integer(j, "within_pixels", TSR_BORDER_PIXELS);
    cli_json_number(j, "share_of_pixels", v->border_pixels);
    cli_json_numbers(j, "share_of_error", v->border_share, v->states);
    cli_json_close(j, '}');
}

void cli_findings_json_images(struct cli_json *j, const struct cli_findings *f, size_t s) {
    const struct tsr_survey *v = f->subject[s].survey;
    cli_json_open(j, "per_image", '[');
    for (size_t i = 0; i < v->images; i++) {
        cli_json_open(j, NULL, '{');
        cli_json_integer(j, "image", v->index[i]);
        cli_json_string(j, "name", cli_findings_image(f, i));
        cli_json_numbers(j, "psnr_db", v->psnr_db + i * v->states, v->states);
        cli_json_numbers(j, "ssim", v->ssim + i * v->states, v->states);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
    json_borders(j, v);
    cli_json_open(j, "layers", '[');
    for (size_t l = 0; l < v->n_layers; l++) {
        cli_json_open(j, NULL, '{');
        cli_json_number(j, "moved_rms", v->moved[l]);
        cli_json_number(j, "initial_rms", v->theta_rms[l]);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void json_paired(struct cli_json *j, const struct tsr_paired *p, size_t resamples) {
    cli_json_integer(j, "images", p->n);
    cli_json_integer(j, "better_on", p->wins);
    cli_json_number(j, "gain_db", p->mean);
    cli_json_number(j, "low_db", p->low);
    cli_json_number(j, "high_db", p->high);
    cli_json_integer(j, "resamples", resamples);
}

static enum tsr_status json_gains(struct cli_json *j, const struct cli_findings *f, size_t s,
                                  struct tsr_error *err) {
    size_t resamples, n = f->subject[0].survey->n_regions;
    struct tsr_paired gain;
    TSR_TRY(cli_findings_gain(f, s, n, &gain, &resamples, err));
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "name", f->subject[s].name);
    json_paired(j, &gain, resamples);
    if (cli_findings_alike(f, s)) {
        cli_json_open(j, "regions", '[');
        for (size_t r = 0; r < n; r++) {
            TSR_TRY(cli_findings_gain(f, s, r, &gain, &resamples, err));
            cli_json_open(j, NULL, '{');
            cli_json_integer(j, "region", r);
            json_paired(j, &gain, resamples);
            cli_json_close(j, '}');
        }
        cli_json_close(j, ']');
    }
    cli_json_close(j, '}');
    return TSR_OK;
}

static void json_transfer(struct cli_json *j, const struct tsr_transfer *t) {
    cli_json_open(j, "transfer", '{');
    cli_json_integer(j, "images", t->images);
    cli_json_open(j, "psnr_db", '[');
    for (size_t s = 0; s < t->n_slots; s++)
        cli_json_numbers(j, NULL, t->psnr_db + s * t->n_regions, t->n_regions);
    cli_json_close(j, ']');
    cli_json_close(j, '}');
}

static void json_start(struct cli_json *j, const char *key, const struct tsr_reach_start *s) {
    cli_json_open(j, key, '{');
    cli_json_number(j, "rate", s->rate);
    cli_json_integer(j, "reached", s->reached);
    cli_json_number(j, "iterations", s->iterations);
    cli_json_number(j, "seconds", s->seconds);
    cli_json_close(j, '}');
}

static void json_reach(struct cli_json *j, const struct tsr_reach *r) {
    cli_json_open(j, "reach", '{');
    cli_json_integer(j, "images", r->images);
    cli_json_number(j, "psnr_db", r->psnr_db);
    cli_json_number(j, "seconds", r->seconds);
    cli_json_integer(j, "most_iterations", TSR_REACH_ITERATIONS);
    cli_json_numbers(j, "rates_tried", tsr_reach_rates, tsr_reach_n_rates);
    json_start(j, "random", &r->start[TSR_REACH_RANDOM]);
    if (r->has_mean_image) json_start(j, "mean_image", &r->start[TSR_REACH_MEAN_IMAGE]);
    cli_json_close(j, '}');
}

enum tsr_status cli_findings_json_rest(struct cli_json *j, const struct cli_findings *f,
                                       struct tsr_error *err) {
    if (f->n > 1 && f->subject[0].survey) {
        cli_json_open(j, "compare", '[');
        for (size_t s = 1; s < f->n; s++)
            TSR_TRY(json_gains(j, f, s, err));
        cli_json_close(j, ']');
    }
    if (f->transfer.n_slots) json_transfer(j, &f->transfer);
    if (f->reach.images) json_reach(j, &f->reach);
    return TSR_OK;
}

/* ---- the terminal ---------------------------------------------------------------------------- */

/* Where region r is, or what: "3,4", or the name of its class. */
static void describe(const struct cli_findings *f, size_t r, char *text, size_t size) {
    size_t row, col;
    const char *name = is_void(f, 0, r) ? VOID_TEXT : class_of(f, 0, r);
    if (name)
        (void)snprintf(text, size, "%s", cli_shown(name));
    else if (cli_findings_cell(f, r, &row, &col))
        (void)snprintf(text, size, "%zu,%zu", row, col);
    else
        (void)snprintf(text, size, "-");
}

/* The first other subject whose regions are the model's; n: there is none. */
static size_t first_alike(const struct cli_findings *f) {
    size_t s = 1;
    while (s < f->n && !cli_findings_alike(f, s))
        s++;
    return s;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void print_row(const struct cli_findings *f, size_t r, size_t other) {
    const struct cli_subject *m = &f->subject[0];
    size_t last = m->survey->states - 1;
    struct tsr_region_figures first, at;
    char place[64], name[64];
    tsr_survey_region(m->survey, r, 0, &first);
    tsr_survey_region(m->survey, r, last, &at);
    describe(f, r, place, sizeof place);
    (void)snprintf(name, sizeof name, "%s",
                   at.images ? cli_shown(file_name(cli_findings_image(f, at.worst_image))) : "-");
    (void)printf("%6zu %5zu %-8.8s %7.0f %6.2f %6.2f %5.2f %6.2f", r, m->result.region_slot[r],
                 place, at.pixels, first.psnr_db, at.psnr_db, at.psnr_db_std, at.worst_psnr_db);
    if (other < f->n) {
        struct tsr_region_figures o;
        tsr_survey_region(f->subject[other].survey, r, f->subject[other].survey->states - 1, &o);
        (void)printf(" %+6.2f", o.psnr_db - at.psnr_db);
    }
    (void)printf(" %.*s\n", other < f->n ? 15 : 22, name);
}

void cli_findings_print(const struct cli_findings *f) {
    const struct tsr_survey *v = f->subject[0].survey;
    size_t other = first_alike(f);
    char last[24];
    (void)snprintf(last, sizeof last, "k=%zu", v->states - 1);
    (void)printf("\n%6s %5s %-8s %7s %6s %6s %5s %6s", "region", "slot",
                 v->follows ? "class" : "row,col", "pixels", "k=0", last, "std", "worst");
    if (other < f->n)
        (void)printf(" %6.6s", other == 1 && !f->subject[1].model ? "random" : "other");
    (void)printf(" worst image\n");
    for (size_t r = 0; r < v->n_regions; r++)
        print_row(f, r, other);
    if (other < f->n)
        (void)printf("%s: gain of %s over the model, dB\n",
                     !f->subject[other].model ? "random" : "other",
                     cli_shown(f->subject[other].name));
    if (!v->has_pictures) return;
    (void)printf("within %d pixels of borders: %.1f %% of the pixels, %.1f %% of the error\n",
                 TSR_BORDER_PIXELS, 100 * v->border_pixels, 100 * v->border_share[v->states - 1]);
}

static void print_start(const char *name, const struct tsr_reach_start *s) {
    (void)printf("%s\t%zu\t%.0f\t%.4f\t%g\n", name, s->reached, s->iterations, s->seconds, s->rate);
}

static void print_transfer(const struct tsr_transfer *t) {
    (void)printf("\n#slot\tpsnr_db of region 0 .. %zu (%zu images)\n", t->n_regions - 1, t->images);
    for (size_t s = 0; s < t->n_slots; s++) {
        (void)printf("%zu", s);
        for (size_t r = 0; r < t->n_regions; r++)
            (void)printf("\t%.3f", t->psnr_db[s * t->n_regions + r]);
        (void)printf("\n");
    }
}

enum tsr_status cli_findings_print_rest(const struct cli_findings *f, struct tsr_error *err) {
    for (size_t s = 1; s < f->n && f->subject[s].survey; s++) {
        struct tsr_paired gain;
        size_t resamples;
        TSR_TRY(cli_findings_gain(f, s, f->subject[0].survey->n_regions, &gain, &resamples, err));
        (void)printf("%s: %+.3f dB over the model (95 %%: %+.3f .. %+.3f), better on %zu of %zu "
                     "images\n",
                     cli_shown(f->subject[s].name), gain.mean, gain.low, gain.high, gain.wins,
                     gain.n);
    }
    if (f->reach.images) {
        const struct tsr_reach *r = &f->reach;
        (void)printf("\n#Adam from\treached\titerations\tseconds\tmost_often_rate\n");
        (void)printf("model, no Adam\t%zu\t%zu\t%.4f\n", r->images, r->inner_steps, r->seconds);
        print_start("random", &r->start[TSR_REACH_RANDOM]);
        if (r->has_mean_image) print_start("mean image", &r->start[TSR_REACH_MEAN_IMAGE]);
    }
    if (f->transfer.n_slots) print_transfer(&f->transfer);
    return TSR_OK;
}

/* ---- CSV ------------------------------------------------------------------------------------- */

/* Text that grows; RFC 4180. */
struct csv {
    char *text;
    size_t size, capacity;
    bool failed, within; /* a line has begun */
};

static void csv_put(struct csv *c, const char *text, size_t n) {
    if (c->failed) return;
    if (c->capacity - c->size < n) {
        size_t capacity = 2 * c->capacity + n + 4096;
        char *grown = realloc(c->text, capacity);
        c->failed = !grown;
        if (!grown) return;
        c->text = grown;
        c->capacity = capacity;
    }
    memcpy(c->text + c->size, text, n);
    c->size += n;
}

static void csv_text(struct csv *c, const char *text) {
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (c->within) csv_put(c, ",", 1);
    c->within = true;
    if (quoted) csv_put(c, "\"", 1);
    for (; *text; text++)
        csv_put(c, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    if (quoted) csv_put(c, "\"", 1);
}

static void csv_format(struct csv *c, const char *format, ...) TSR_PRINTF(2, 3);
static void csv_format(struct csv *c, const char *format, ...) {
    char text[64];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    csv_text(c, text);
}

/* An empty field where it is not finite. */
static void csv_number(struct csv *c, double value) {
    if (isfinite(value))
        csv_format(c, "%.9g", value);
    else
        csv_text(c, "");
}

static void csv_end(struct csv *c) {
    csv_put(c, "\r\n", 2);
    c->within = false;
}

static enum tsr_status csv_write(struct csv *c, const char *path, struct tsr_error *err) {
    enum tsr_status status =
        c->failed ? TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory for the text", path)
                  : tsr_file_replace(path, c->text, c->size, err);
    free(c->text);
    return status;
}

static size_t most_states(const struct cli_findings *f) {
    size_t most = 0;
    for (size_t s = 0; s < f->n; s++)
        if (f->subject[s].survey->states > most) most = f->subject[s].survey->states;
    return most;
}

static void csv_region(struct csv *c, const struct cli_findings *f, size_t s, size_t r) {
    const struct tsr_survey *v = f->subject[s].survey;
    const struct tsr_region *g = &v->regions[r];
    struct tsr_region_figures at = {0};
    const char *class = is_void(f, s, r) ? VOID_TEXT : class_of(f, s, r);
    csv_text(c, f->subject[s].name);
    csv_format(c, "%zu", r);
    csv_format(c, "%zu", f->subject[s].result.region_slot[r]);
    csv_text(c, class ? class : "");
    const size_t box[] = {g->row, g->col, g->height, g->width};
    for (size_t i = 0; i < 4; i++)
        if (v->follows)
            csv_text(c, "");
        else
            csv_format(c, "%zu", box[i]);
    tsr_survey_region(v, r, v->states - 1, &at);
    csv_format(c, "%zu", at.images);
    csv_number(c, at.pixels);
    csv_number(c, at.psnr_db_std);
    csv_number(c, at.worst_psnr_db);
    csv_text(c, at.images ? cli_findings_image(f, at.worst_image) : "");
    csv_number(c, s == 0 && f->linear_limit_db ? f->linear_limit_db[r] : (double)NAN);
    for (size_t k = 0; k < v->states; k++)
        csv_number(c, f->subject[s].result.region_psnr_db[r * v->states + k]);
    csv_end(c);
}

static void csv_head(struct csv *c, const char *const *names, size_t states) {
    for (; *names; names++)
        csv_text(c, *names);
    for (size_t k = 0; k < states; k++)
        csv_format(c, "psnr_db_%zu", k);
}

enum tsr_status cli_findings_csv_regions(const struct cli_findings *f, const char *path,
                                         struct tsr_error *err) {
    static const char *const names[] = {
        "of",          "region",        "slot",        "class",           "top",
        "left",        "height",        "width",       "images",          "pixels",
        "psnr_db_std", "worst_psnr_db", "worst_image", "linear_limit_db", NULL};
    struct csv c = {0};
    csv_head(&c, names, most_states(f));
    csv_end(&c);
    for (size_t s = 0; s < f->n; s++)
        for (size_t r = 0; r < f->subject[s].survey->n_regions; r++)
            csv_region(&c, f, s, r);
    return csv_write(&c, path, err);
}

enum tsr_status cli_findings_csv_images(const struct cli_findings *f, const char *path,
                                        struct tsr_error *err) {
    static const char *const names[] = {"of", "image", "name", "ssim", NULL};
    struct csv c = {0};
    csv_head(&c, names, most_states(f));
    csv_end(&c);
    for (size_t s = 0; s < f->n; s++) {
        const struct tsr_survey *v = f->subject[s].survey;
        for (size_t i = 0; i < v->images; i++) {
            csv_text(&c, f->subject[s].name);
            csv_format(&c, "%u", (unsigned)v->index[i]);
            csv_text(&c, cli_findings_image(f, i));
            csv_number(&c, v->ssim[(i + 1) * v->states - 1]);
            for (size_t k = 0; k < v->states; k++)
                csv_number(&c, v->psnr_db[i * v->states + k]);
            csv_end(&c);
        }
    }
    return csv_write(&c, path, err);
}

/* ---- the linear limit ------------------------------------------------------------------------ */

static const size_t MOST_TEXT = (size_t)64 << 20;

/* Notes numbers that are not the wanted ones, for the message. */
static void note(char *others, size_t size, unsigned long long numbers) {
    char text[32];
    size_t used = strlen(others);
    (void)snprintf(text, sizeof text, "%s%llu", used ? ", " : "", numbers);
    const char *last = strrchr(others, ' ');
    if (strcmp(last ? last + 1 : others, text + (used ? 2 : 0)) != 0 && used + strlen(text) < size)
        (void)snprintf(others + used, size - used, "%s", text);
}

/* "numbers region psnr_db", the region being a number or "image". */
static bool read_line(const char *line, unsigned long long *numbers, unsigned long long *region,
                      bool *image, double *psnr_db) {
    const char *at;
    char *end;
    *numbers = strtoull(line, &end, 10);
    if (end == line || *end != '\t') return false;
    at = end + 1;
    *image = strncmp(at, "image\t", 6) == 0;
    *region = *image ? 0 : strtoull(at, &end, 10);
    if (!*image && (end == at || *end != '\t')) return false;
    at = *image ? at + 6 : end + 1;
    *psnr_db = strtod(at, &end);
    return end != at && *end == '\0';
}

static enum tsr_status take_line(const char *line, const char *path, size_t wanted, size_t n,
                                 double *out, double *image_db, char *others, size_t size,
                                 struct tsr_error *err) {
    unsigned long long numbers, region;
    bool image;
    double psnr_db;
    if (!read_line(line, &numbers, &region, &image, &psnr_db))
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: \"%.60s\" is not a line \"numbers region psnr_db\"", path, line);
    if (image) {
        if (numbers == wanted) *image_db = psnr_db;
        return TSR_OK;
    }
    if (numbers != wanted) {
        note(others, size, numbers);
        return TSR_OK;
    }
    if (region >= n)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: region %llu; the model has the regions 0..%zu",
                         path, region, n - 1);
    out[region] = psnr_db;
    return TSR_OK;
}

static enum tsr_status take_lines(char *text, const char *path, size_t wanted, size_t n,
                                  double *out, double *image_db, struct tsr_error *err) {
    char others[200] = "", *next;
    for (char *line = text; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        if (*line == '#' || *line == '\0') continue;
        TSR_TRY(take_line(line, path, wanted, n, out, image_db, others, sizeof others, err));
    }
    for (size_t r = 0; r < n; r++)
        if (isnan(out[r]) && *others)
            return TSR_ERROR(
                err, TSR_ERR_CONFIG,
                "%s: of %s numbers a region; the model stores %zu (scripts/linear-limit "
                "--numbers %zu)",
                path, others, wanted, wanted);
        else if (isnan(out[r]))
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: region %zu is missing", path, r);
    return TSR_OK;
}

enum tsr_status cli_findings_linear_limit(const char *path, const struct tsr_model *model,
                                          size_t n_regions, double **out, double *image_db,
                                          struct tsr_error *err) {
    unsigned char *text;
    size_t size;
    double *limit;
    *image_db = (double)NAN;
    TSR_TRY(tsr_file_read(path, MOST_TEXT, &text, &size, err));
    enum tsr_status status = TSR_ALLOC(&limit, n_regions, "linear limit", err);
    for (size_t r = 0; r < n_regions && status == TSR_OK; r++)
        limit[r] = (double)NAN;
    if (status == TSR_OK) {
        *out = limit;
        status = take_lines((char *)text, path, tsr_model_region_numbers(model), n_regions, limit,
                            image_db, err);
    }
    free(text);
    return status;
}
