/* SPDX-License-Identifier: MIT
 *
 * A training run as people see it: the table before the first step, the line while it runs.
 * Shared by train and demo.
 */
#ifndef TSR_CLI_TRAIN_VIEW_H
#define TSR_CLI_TRAIN_VIEW_H

#include <stdio.h>

#include "cli/train_log.h"
#include "cli/train_pictures.h"
#include "data/view.h"
#include "image/training.h"

struct cli_data {
    const char *path;
    size_t height, width, channels;
    size_t images[4];                  /* by enum tsr_split */
    size_t read_cost;                  /* tsr_dataset_read_cost() */
    size_t together;                   /* images that are drawn together, 0: all */
    char layout[TSR_VIEW_LAYOUT_SIZE]; /* tsr_dataset_layout(), "" for none */
};
struct cli_data cli_data_of(const struct tsr_dataset *dataset); /* path is a view */
/* Reading an image reads much more than it has. */
bool cli_data_is_slow(const struct cli_data *data);
double cli_data_image_mb(const struct cli_data *data);

void cli_training_table(const struct tsr_training *training, const struct cli_data *data, FILE *to);

/* Has the run waited for data for more than a twentieth of this session? Then out is "12 % of the
 * time waiting for data". out [48]. */
bool cli_waits_for_data(const struct tsr_trainer_progress *p, char *out);

/* What a run writes while it runs; either may be NULL. */
struct cli_train_outputs {
    struct cli_train_log *log;
    struct cli_train_pictures *pictures;
};

/* tsr_training_run() with progress; SIGINT and SIGTERM end it with TSR_ERR_INTERRUPTED. */
enum tsr_status cli_training_run(struct tsr_training *training, bool quiet,
                                 const struct cli_train_outputs *outputs, struct tsr_error *err);

#endif
