/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "cli/train_pictures.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/outputs.h"
#include "cli/panel.h"
#include "cli/paths.h"

enum { SIDE = 256 }; /* of a picture, at most */

struct cli_train_pictures {
    const char *folder;
    struct tsr_training *training;
    struct tsr_dataset *dataset;
    size_t n, next; /* images of a sheet, and the one that comes next */
    struct cli_sheet sheet;
    uint8_t *room; /* [H, W, C] */
    enum tsr_status status;
    struct tsr_error failure;
};

/* ---- files ----------------------------------------------------------------------------------- */

static const char PREFIX[] = "outer-step-", SUFFIX[] = ".png";
enum { NAME_SIZE = 48 };

static void name_of(uint64_t outer_step, char *out) {
    (void)snprintf(out, NAME_SIZE, "%s%010llu%s", PREFIX, (unsigned long long)outer_step, SUFFIX);
}

/* Is this the name of a picture, and of which outer step? */
static bool is_picture(const char *name, uint64_t *outer_step) {
    char same[NAME_SIZE];
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0) return false;
    *outer_step = strtoull(name + sizeof PREFIX - 1, NULL, 10);
    name_of(*outer_step, same);
    return strcmp(name, same) == 0;
}

static enum tsr_status cannot_read(const char *folder, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be read: %s", folder, strerror(errno));
}

enum tsr_status cli_train_pictures_guard(struct cli_call *call, const char *folder, bool resumes) {
    const struct cli_common *common = call->args;
    const struct dirent *entry;
    uint64_t outer_step;
    bool found = false;
    TSR_TRY(cli_files_folder(call, folder));
    if (resumes || common->force || call->comm->rank > 0) return TSR_OK;
    DIR *dir = opendir(folder);
    if (!dir) return cannot_read(folder, &call->err);
    while (!found && (entry = readdir(dir)))
        found = is_picture(entry->d_name, &outer_step);
    (void)closedir(dir);
    if (!found) return TSR_OK;
    return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                     "%s holds pictures of another run: replace them with --force, or name "
                     "another folder",
                     folder);
}

static enum tsr_status remove_behind(const char *folder, uint64_t outer_step,
                                     struct tsr_error *err) {
    const struct dirent *entry;
    enum tsr_status status = TSR_OK;
    uint64_t at;
    DIR *dir = opendir(folder);
    if (!dir) return cannot_read(folder, err);
    while (status == TSR_OK && (entry = readdir(dir))) {
        if (!is_picture(entry->d_name, &at) || at <= outer_step) continue;
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            status = TSR_ERROR(err, TSR_ERR_IO, "%s/%s: cannot be removed: %s", folder,
                               entry->d_name, strerror(errno));
    }
    (void)closedir(dir);
    return status;
}

/* ---- sheets ---------------------------------------------------------------------------------- */

static enum tsr_status begin(struct cli_train_pictures *p, const struct tsr_model *m,
                             struct tsr_error *err) {
    size_t height = m->config.height, width = m->config.width;
    cli_sheet_fit(SIDE, &height, &width);
    cli_sheet_clear(&p->sheet);
    return cli_sheet_create(&p->sheet, p->n, cli_panel_places(m->config.inner_steps), height, width,
                            err);
}

static enum tsr_status put(struct cli_train_pictures *p, size_t row, const struct tsr_evaluated *e,
                           struct tsr_error *err) {
    const struct tsr_model_config *c = &e->model->config;
    size_t channels = c->network.out_dim;
    const uint8_t *pixels = tsr_pixels_bytes(e->pixels, c->height * c->width * channels, p->room);
    const struct tsr_image image = {
        .height = c->height, .width = c->width, .channels = channels, .pixels = (uint8_t *)pixels};
    const struct cli_panel panel = {&image, c->inner_steps, e->result->pictures,
                                    e->result->psnr_db};
    char *name = cli_stem(tsr_dataset_name(p->dataset, e->index));
    if (!name) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for the name of an image");
    enum tsr_status status = cli_panel_put(&p->sheet, row * p->sheet.cols, name, &panel, err);
    free(name);
    return status;
}

static enum tsr_status write_sheet(const struct cli_train_pictures *p, struct tsr_error *err) {
    char name[NAME_SIZE];
    name_of(tsr_training_state(p->training)->outer_step, name);
    char *path = cli_join(p->folder, name, "");
    if (!path) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for a path");
    enum tsr_status status = tsr_image_write_png(path, &p->sheet.canvas, err);
    free(path);
    return status;
}

static enum tsr_status add(struct cli_train_pictures *p, size_t i, const struct tsr_evaluated *e,
                           struct tsr_error *err) {
    if (i == 0) TSR_TRY(begin(p, e->model, err));
    if (!p->sheet.canvas.pixels) return TSR_OK; /* an image before it has failed */
    TSR_TRY(put(p, i, e, err));
    if (i + 1 < p->n) return TSR_OK;
    TSR_TRY(write_sheet(p, err));
    cli_sheet_clear(&p->sheet);
    return TSR_OK;
}

/* The images of a validation come one after the other. What fails does not end the run. */
static enum tsr_status on_image(void *user, const struct tsr_evaluated *e, struct tsr_error *err) {
    struct cli_train_pictures *p = user;
    struct tsr_error failure = {0};
    size_t i = p->next;
    (void)err;
    p->next = i + 1 < p->n ? i + 1 : 0;
    enum tsr_status status = add(p, i, e, &failure);
    if (status == TSR_OK) return TSR_OK;
    cli_sheet_clear(&p->sheet);
    p->status = status;
    tsr_error_copy(&p->failure, &failure);
    return TSR_OK;
}

/* ---- the run --------------------------------------------------------------------------------- */

static enum tsr_status prepare(struct cli_train_pictures *p, struct tsr_error *err) {
    const struct tsr_model_config *c = &tsr_training_model(p->training)->config;
    const struct tsr_observer observer = {.pictures = true, .image = on_image, .user = p};
    size_t channels = c->network.out_dim;
    if (channels != 1 && channels != 3)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--pictures: %zu channels are no picture", channels);
    TSR_TRY(TSR_ALLOC(&p->room, c->height * c->width * channels, "picture", err));
    TSR_TRY(tsr_training_observe(p->training, &observer, CLI_TRAIN_PICTURES, &p->n, err));
    if (p->n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "--pictures draws images of the val split, and %s has none there",
                         tsr_dataset_path(p->dataset));
    return remove_behind(p->folder, tsr_training_state(p->training)->outer_step, err);
}

enum tsr_status cli_train_pictures_open(const char *folder, struct tsr_training *training,
                                        struct tsr_dataset *dataset,
                                        struct cli_train_pictures **out, struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(TSR_ALLOC(out, 1, "pictures", err));
    **out = (struct cli_train_pictures){.folder = folder, .training = training, .dataset = dataset};
    enum tsr_status status = prepare(*out, err);
    if (status == TSR_OK) return TSR_OK;
    cli_train_pictures_close(*out);
    *out = NULL;
    return status;
}

bool cli_train_pictures_failed(struct cli_train_pictures *p, struct tsr_error *err) {
    if (!p || p->status == TSR_OK) return false;
    p->status = TSR_OK;
    tsr_error_copy(err, &p->failure);
    return true;
}

void cli_train_pictures_close(struct cli_train_pictures *p) {
    if (!p) return;
    cli_sheet_clear(&p->sheet);
    free(p->room);
    free(p);
}
