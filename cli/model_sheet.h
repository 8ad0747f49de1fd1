/* SPDX-License-Identifier: MIT
 *
 * What a model has learned, as pictures.
 */
#ifndef TSR_CLI_MODEL_SHEET_H
#define TSR_CLI_MODEL_SHEET_H

#include "data/dataset.h"
#include "data/image.h"
#include "image/model.h"

/* A contact sheet: the initialisation as a picture (what an image is before the first inner step;
 * not under a rule that follows the image), what each of the first slots draws in the frame of a
 * region, the first directions of each basis (what they add to the picture of the first slot, grey
 * being nothing, of equal contrast), and the inner rates of the first slot, a picture for each
 * layer and inner step: a row for each unit, a column for each weight into it and one for its bias,
 * from the lowest rate to the highest. out: created, RGB. Networks of two inputs and one or three
 * outputs; else TSR_ERR_SHAPE. */
enum tsr_status cli_model_sheet(const struct tsr_model *model, size_t threads,
                                struct tsr_image *out, struct tsr_error *err);

/* Images of a dataset, evenly spread, with their numbers. out: created, RGB. */
enum tsr_status cli_dataset_sheet(struct tsr_dataset *dataset, struct tsr_image *out,
                                  struct tsr_error *err);

#endif
