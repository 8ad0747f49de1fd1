/* SPDX-License-Identifier: MIT
 *
 * Validation as pictures: at every validation of a run a sheet of some of its images, what the
 * networks draw after each inner step, and the error, as FOLDER/outer-step-0000001200.png.
 */
#ifndef TSR_CLI_TRAIN_PICTURES_H
#define TSR_CLI_TRAIN_PICTURES_H

#include "cli/cli.h"
#include "image/training.h"

#define CLI_TRAIN_PICTURES 4 /* images of a sheet, at most */

/* For the guard over the files of a call: makes the folder. A run that goes on may find pictures in
 * it, a new one only with --force. */
enum tsr_status cli_train_pictures_guard(struct cli_call *call, const char *folder, bool resumes);

struct cli_train_pictures;

/* Pictures of outer steps behind the one at which the run stands are removed. `folder` and the
 * dataset are kept. TSR_ERR_CONFIG: nothing is validated on. */
enum tsr_status cli_train_pictures_open(const char *folder, struct tsr_training *training,
                                        struct tsr_dataset *dataset,
                                        struct cli_train_pictures **out, struct tsr_error *err);
/* Has a picture failed since the last question? A run goes on without it. NULL: no. */
bool cli_train_pictures_failed(struct cli_train_pictures *p, struct tsr_error *err);
void cli_train_pictures_close(struct cli_train_pictures *p); /* accepts NULL */

#endif
