/* SPDX-License-Identifier: MIT
 *
 * Models of include/tessera.h.
 */
#include "image/api_checks.h"
#include "image/model_file.h"

enum tsr_status tsr_model_from_file(const char *path, struct tsr_model **out,
                                    struct tsr_error *err) {
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(path, err);
    return tsr_model_load(path, out, err);
}

enum tsr_status tsr_model_from_memory(const void *bytes, size_t size, struct tsr_model **out,
                                      struct tsr_error *err) {
    struct tsr_h5 *file;
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(bytes, err);
    TSR_TRY(tsr_h5_open_memory("model in memory", bytes, size, &file, err));
    enum tsr_status status = tsr_model_read(file, out, err);
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_model_to_file(const struct tsr_model *model, const char *path,
                                  struct tsr_error *err) {
    TSR_NEED(model, err);
    TSR_NEED(path, err);
    return tsr_model_save(model, path, err);
}

enum tsr_status tsr_model_to_memory(const struct tsr_model *model, void **bytes, size_t *size,
                                    struct tsr_error *err) {
    struct tsr_h5 *file;
    TSR_NEED(bytes, err);
    *bytes = NULL;
    TSR_NEED(size, err);
    *size = 0;
    TSR_NEED(model, err);
    TSR_TRY(tsr_h5_create_memory("model in memory", &file, err));
    enum tsr_status status = tsr_model_write(file, model, NULL, 0, err);
    if (status == TSR_OK) status = tsr_h5_take_memory(file, bytes, size, err);
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_model_get_info(const struct tsr_model *model, struct tsr_model_info *out,
                                   struct tsr_error *err) {
    TSR_NEED(model, err);
    TSR_NEED(out, err);
    TSR_TRY(tsr_sized_check("tsr_model_info", out, err));
    const struct tsr_model_config *c = &model->config;
    struct tsr_model_info info = {.channels = model->net.out_dim,
                                  .height = c->height,
                                  .width = c->width,
                                  .slots = model->n_slots,
                                  .inner_steps = c->inner_steps,
                                  .region_params = tsr_model_region_numbers(model)};
    tsr_partition_rule_describe(&c->partition, info.rule, sizeof info.rule);
    tsr_choice_describe(&c->network.kind, info.network, sizeof info.network);
    tsr_sized_write(&info, sizeof info, out);
    return TSR_OK;
}
