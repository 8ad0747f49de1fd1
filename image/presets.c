/* SPDX-License-Identifier: MIT */
#include "image/presets.h"

static const char *const names[] = {"none", "12k", "25k", "50k", "100k", "200k"};
TSR_DEFINE_NAMES(tsr_preset, tsr_preset, names, "preset")

/* From 100k on, cells are stored in as many numbers as they have values: nothing is left to learn.
 * Learning would only add the noise of Adam's steps, which do not shrink with the gradient. */
static const struct {
    size_t cell, numbers, width;
    double outer_lr, minutes; /* 0: one outer step */
} rows[] = {
    [TSR_PRESET_12K] = {30, 333, 448, 1e-4, 10}, [TSR_PRESET_25K] = {23, 390, 448, 1e-4, 10},
    [TSR_PRESET_50K] = {17, 413, 400, 1e-4, 10}, [TSR_PRESET_100K] = {12, 432, 280, 1e-9, 0},
    [TSR_PRESET_200K] = {8, 192, 160, 1e-9, 0},
};

size_t tsr_preset_numbers(enum tsr_preset preset, size_t channels) {
    size_t numbers = rows[preset].numbers * channels / 3;
    return numbers ? numbers : 1;
}

void tsr_preset_apply(enum tsr_preset preset, struct tsr_model_config *model,
                      struct tsr_trainer_config *trainer) {
    if (preset == TSR_PRESET_NONE) return;
    model->partition.rule = tsr_choice_of(&tsr_rule_cell.object);
    (void)tsr_choice_set(&model->partition.rule, "cell_height", (double)rows[preset].cell);
    (void)tsr_choice_set(&model->partition.rule, "cell_width", (double)rows[preset].cell);
    model->network.width = rows[preset].width;
    model->network.hidden_layers = 0;
    model->adaptation = tsr_choice_of(&tsr_adaptation_latent.object);
    (void)tsr_choice_set(&model->adaptation, "numbers", (double)rows[preset].numbers);
    model->inner_lr = tsr_model_start_rate(model);
    trainer->start = TSR_START_PRINCIPAL;
    trainer->outer_lr = rows[preset].outer_lr;
    trainer->outer_steps = rows[preset].minutes > 0 ? 0 : 1;
    trainer->seconds = 60 * rows[preset].minutes;
}
