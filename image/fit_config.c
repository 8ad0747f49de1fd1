/* SPDX-License-Identifier: MIT
 *
 * Settings of ordinary learning: rules, and what suits an image.
 */
#include <math.h>

#include "base/names.h"
#include "image/fit.h"

static const char *const schedule_names[] = {"constant", "cosine"};
TSR_DEFINE_NAMES(tsr_fit_schedule, tsr_fit_schedule, schedule_names, "schedule")

void tsr_fit_config_default(struct tsr_fit_config *config) {
    *config = (struct tsr_fit_config){.adaptation = tsr_choice_of(&tsr_adaptation_all.object),
                                      .lr = 1e-3,
                                      .batch_fraction = 1,
                                      .every = 10,
                                      .random = true,
                                      .context_fraction = 1,
                                      .kernel = "auto"};
}

static bool positive(double x) {
    return x > 0 && isfinite(x);
}

enum tsr_status tsr_fit_config_check(const struct tsr_fit_config *c, struct tsr_error *err) {
    if (!c->iterations && !positive(c->seconds) && !positive(c->target_psnr_db))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "nothing bounds the run: iterations, time or a target PSNR must be set");
    if (!positive(c->lr))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "Adam's rate is %g; it must be positive", c->lr);
    if (!(c->batch_fraction > 0 && c->batch_fraction <= 1))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the batch fraction is %g; it must be above 0, up to 1",
                         c->batch_fraction);
    const struct tsr_context_config context = {c->context_fraction, 1};
    TSR_TRY(tsr_context_config_check(&context, err));
    if (c->every < 1)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "a curve point every 0 iterations; at least 1");
    if (c->inner_steps > 1000000)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "inner steps are %zu; at most 1000000 are allowed",
                         c->inner_steps);
    if (c->schedule == TSR_FIT_SCHEDULE_COSINE && !c->iterations && !positive(c->seconds))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the cosine schedule needs a number of iterations or a time to end at");
    return TSR_OK;
}

/* ---- what suits an image: measured on photos ---------------------------------------------------
 */

/* So many pixels give a gradient that more would hardly improve. */
static const double ENOUGH_PIXELS = 65536;
/* Updates of full size after inner steps of a model would undo these. */
enum { INNER_STEPS_WARMUP = 20 };

double tsr_fit_omega_first(const struct tsr_model_config *config, size_t height, size_t width) {
    double pixels = (double)height * (double)width;
    size_t regions = tsr_partition_rule_regions(&config->partition, height, width);
    if (config->coords.frame != TSR_FRAME_IMAGE) pixels /= (double)regions;
    return 4 * sqrt(sqrt(pixels));
}

/* How far parameters move for a unit of each of a basis's numbers: root of the mean square. */
static double reach_of(const struct tsr_model *model) {
    size_t n = model->n_slots * model->space.n_directions * model->net.n_params;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)model->basis[i] * (double)model->basis[i];
    return sqrt(sum / (double)(model->n_slots * model->net.n_params));
}

void tsr_fit_config_for(const struct tsr_model *model, size_t height, size_t width,
                        struct tsr_fit_config *config) {
    double pixels = (double)height * (double)width;
    double region = pixels / (double)tsr_model_regions(model, height, width);
    config->lr = fmin(0.08 / (double)model->config.network.width, 0.004);
    if (config->inner_steps) config->lr /= 10; /* there is more to lose */
    if (tsr_adaptation_of(&config->adaptation) == &tsr_adaptation_latent && model->basis) {
        double reach = reach_of(model);
        if (reach > 0) config->lr /= reach; /* so that parameters move as far */
    }
    /* A constant rate of this size undoes, over thousands of iterations, what small networks have
     * learned: 3000 iterations of a 4x4 grid of width 19 end 3 dB lower than with a cosine. */
    config->schedule = config->iterations || config->seconds > 0 ? TSR_FIT_SCHEDULE_COSINE
                                                                 : TSR_FIT_SCHEDULE_CONSTANT;
    config->warmup = config->inner_steps ? INNER_STEPS_WARMUP : 0;
    config->batch_fraction = region > ENOUGH_PIXELS ? ENOUGH_PIXELS / region : 1;
}
