/* SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "cli/page.h"
#include "cli/report_assets.h"
#include "cli/report_pictures.h"
#include "data/file.h"
#include "data/h5.h"
#include "meta/outer_state.h"

/* ---- the data -------------------------------------------------------------------------------- */

/* What Linux says the processor is. */
static void machine(char *text, size_t size) {
    char line[256];
    FILE *info = fopen("/proc/cpuinfo", "r");
    (void)snprintf(text, size, "unknown");
    if (!info) return;
    while (fgets(line, sizeof line, info)) {
        const char *at = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !at) continue;
        (void)snprintf(text, size, "%.*s", (int)strcspn(at + 2, "\n"), at + 2);
        break;
    }
    (void)fclose(info);
}

/* The history of the model's training, if its file has one. */
static enum tsr_status write_history(struct cli_json *j, const char *path, struct tsr_error *err) {
    struct tsr_h5 *file;
    size_t rank, dims[TSR_H5_MAX_RANK];
    double *lines = NULL;
    enum tsr_status status = TSR_OK;
    TSR_TRY(tsr_h5_open(path, &file, err));
    if (!tsr_h5_exists(file, "/outer/history")) goto done;
    TSR_CHECK(tsr_h5_shape(file, "/outer/history", &rank, dims, NULL, err));
    if (rank != 2 || dims[1] != TSR_HISTORY_COLUMNS) goto done;
    TSR_CHECK(TSR_ALLOC(&lines, dims[0] * dims[1], "history", err));
    TSR_CHECK(tsr_h5_read(file, "/outer/history", TSR_H5_F64, rank, dims, lines, err));
    cli_json_open(j, "history", '[');
    for (size_t i = 0; i < dims[0]; i++)
        cli_json_numbers(j, NULL, lines + i * dims[1], dims[1]);
    cli_json_close(j, ']');
done:
    free(lines);
    tsr_h5_close(file);
    return status;
}

static void write_map(struct cli_json *j, const struct tsr_survey *v) {
    if (!v->has_pictures) return;
    size_t cells = v->map_height * v->map_width;
    cli_json_open(j, "map", '{');
    cli_json_integer(j, "height", v->map_height);
    cli_json_integer(j, "width", v->map_width);
    cli_json_open(j, "psnr_db", '[');
    for (size_t k = 0; k < v->states; k++) {
        cli_json_open(j, NULL, '[');
        for (size_t i = 0; i < cells; i++)
            cli_json_number(j, NULL, round(100 * tsr_psnr_db(v->map_mse[k * cells + i], 1)) / 100);
        cli_json_close(j, ']');
    }
    cli_json_close(j, ']');
    cli_json_close(j, '}');
}

/* The worst images of each region: [image, PSNR of each subject that has the same regions]. */
static enum tsr_status write_worst(struct cli_json *j, const struct cli_findings *f,
                                   struct tsr_error *err) {
    const struct tsr_survey *v = f->subject[0].survey;
    uint32_t *order;
    enum tsr_status status = TSR_OK;
    TSR_TRY(TSR_ALLOC(&order, v->images, "order of the images", err));
    cli_json_open(j, "worst", '[');
    for (size_t r = 0; r < v->n_regions && status == TSR_OK; r++) {
        status = tsr_survey_order(v, r, v->states - 1, order, err);
        cli_json_open(j, NULL, '[');
        for (size_t i = 0; i < v->images && i < CLI_REPORT_WORST && status == TSR_OK; i++) {
            double row[1 + CLI_MOST_SUBJECTS] = {order[i]};
            for (size_t s = 0; s < f->n; s++) {
                const struct tsr_survey *o = f->subject[s].survey;
                row[1 + s] = cli_findings_alike(f, s)
                                 ? tsr_survey_psnr_db(o, order[i], r, o->states - 1)
                                 : (double)NAN;
            }
            if (!isnan(row[1])) cli_json_numbers(j, NULL, row, 1 + f->n);
        }
        cli_json_close(j, ']');
    }
    cli_json_close(j, ']');
    free(order);
    return status;
}

static void write_subject(struct cli_json *j, const struct cli_findings *f,
                          const struct cli_report *about, size_t s) {
    const struct cli_subject *subject = &f->subject[s];
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "name", s == 0 ? about->model_path : subject->name);
    cli_json_string(j, "kind", s == 0 ? "model" : subject->model ? "compared" : "baseline");
    about->figures(j, &subject->result);
    cli_findings_json_regions(j, f, s);
    cli_findings_json_images(j, f, s);
    write_map(j, subject->survey);
    cli_json_close(j, '}');
}

static enum tsr_status write_data(struct cli_json *j, const struct cli_findings *f,
                                  const struct cli_report *about, struct tsr_error *err) {
    char cpu[128];
    machine(cpu, sizeof cpu);
    cli_json_open(j, NULL, '{');
    cli_json_string(j, "command", about->command);
    cli_json_string(j, "version", tsr_version());
    cli_json_string(j, "machine", cpu);
    cli_json_number(j, "seconds", about->seconds);
    cli_json_string(j, "dataset", tsr_dataset_path(f->dataset));
    cli_json_string(j, "split", tsr_split_name(about->split));
    cli_json_number(j, "params_per_value", about->params_per_value);
    if (f->linear_limit_db) cli_json_number(j, "linear_limit_db", f->linear_limit_image_db);
    about->config(j, about->user);
    cli_json_open(j, "subjects", '[');
    for (size_t s = 0; s < f->n; s++)
        write_subject(j, f, about, s);
    cli_json_close(j, ']');
    TSR_TRY(write_worst(j, f, err));
    TSR_TRY(cli_findings_json_rest(j, f, err));
    TSR_TRY(write_history(j, about->model_path, err));
    TSR_TRY(cli_report_pictures(j, f, err));
    cli_json_close(j, '}');
    return cli_json_finish(j, err);
}

enum tsr_status cli_report_write(const struct cli_findings *f, const struct cli_report *about,
                                 const char *path, struct tsr_error *err) {
    struct cli_json j = {0};
    enum tsr_status status;
    TSR_CHECK(write_data(&j, f, about, err));
    TSR_CHECK(cli_page_write(path, cli_asset_page_html, j.text, err));
done:
    cli_json_clear(&j);
    return status;
}
