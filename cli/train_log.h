/* SPDX-License-Identifier: MIT
 *
 * What a training run says while it runs, for programs: a line of JSON for each logged outer step
 * in a file beside the model, and event files of TensorBoard. Both are appended to, a whole line or
 * record at a time. Outer steps are logged at validations, at the end, and about once a second; in
 * runs longer than a quarter of an hour, once in a thousandth of the time so far, so that a log of
 * any run stays small.
 *
 * tessera-watch(1) says what a line has; it begins with {"outer_step": N.
 */
#ifndef TSR_CLI_TRAIN_LOG_H
#define TSR_CLI_TRAIN_LOG_H

#include "image/training.h"

struct cli_train_log;

/* The log of a model: beside what the path leads to. Free with free(). */
enum tsr_status cli_train_log_path(const char *model, char **path, struct tsr_error *err);

/* Where to; each may be NULL. */
struct cli_train_log_paths {
    const char *jsonl;
    const char *before;      /* the log that it goes on from, which may be the same file */
    const char *tensorboard; /* a folder, made if need be */
};
/* Of the log before, if there is one, the lines up to the outer step at which the run stands are
 * kept. A file there that is no log is TSR_ERR_CONFIG. *out is NULL where nothing is logged. */
enum tsr_status cli_train_log_open(const struct cli_train_log_paths *paths,
                                   const struct tsr_training *training, struct cli_train_log **out,
                                   struct tsr_error *err);
/* How long each of several processes [n] has waited for the others: goes into the next line. NULL:
 * there is no log. */
void cli_train_log_waited(struct cli_train_log *log, const double *seconds, size_t n);
/* After an outer step; `last` logs it whatever the time. NULL: there is no log. A log that cannot
 * be written is given up; the return says so once. */
enum tsr_status cli_train_log_add(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                  bool last, struct tsr_error *err);
void cli_train_log_close(struct cli_train_log *log); /* accepts NULL */

/* One line as it is read back; false if it is none. */
struct cli_log_line {
    unsigned long long outer_step;
    double seconds, train_psnr_db, val_psnr_db, outer_lr, gradient_norm, images_per_second,
        data_share,                 /* of the time of the session waited for data */
        slowest_rank, waited_share; /* the process that has waited least for the others, and how
                                       much of the session who waited most has; NaN where no one
                                       asked */
};
bool cli_log_line_read(const char *text, struct cli_log_line *out);

#endif
