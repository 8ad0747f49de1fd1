/* SPDX-License-Identifier: MIT
 *
 * What a training run says while it runs, for programs: a line of JSON for each logged outer step
 * in a file beside the model, and event files of TensorBoard. Both are appended to, a whole line or
 * record at a time. Outer steps are logged about once a second, at validations and at the end.
 *
 * A line is {"outer_step": N, "seconds": S, "train_psnr_db": X, "val_psnr_db": X or null,
 * "outer_lr": X, "gradient_norm": X, "images_per_second": X, "skipped": N, "rollbacks": N, "rates":
 * [...]}: train_psnr_db is that of this outer step's images, val_psnr_db null where none was
 * measured then, rates the mean inner rate of each inner step.
 */
#ifndef TSR_CLI_TRAIN_LOG_H
#define TSR_CLI_TRAIN_LOG_H

#include "image/training.h"

struct cli_train_log;

/* `jsonl`, `tensorboard` (a folder, made if need be): either may be NULL. Of a file that is there
 * the lines up to the outer step at which the run stands are kept, and the rest goes. */
enum tsr_status cli_train_log_open(const char *jsonl, const char *tensorboard,
                                   const struct tsr_training *training, struct cli_train_log **out,
                                   struct tsr_error *err);
/* After an outer step; `last` logs it whatever the time. NULL: there is no log. A log that cannot
 * be written is given up; the return says so once. */
enum tsr_status cli_train_log_add(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                  bool last, struct tsr_error *err);
void cli_train_log_close(struct cli_train_log *log); /* accepts NULL */

/* One line as it is read back; false if it is none. */
struct cli_log_line {
    unsigned long long outer_step;
    double seconds, train_psnr_db, val_psnr_db, outer_lr, gradient_norm, images_per_second;
};
bool cli_log_line_read(const char *text, struct cli_log_line *out);

#endif
