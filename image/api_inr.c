/* SPDX-License-Identifier: MIT
 *
 * INRs of include/tessera.h.
 */
#include "image/inr.h"

#include <string.h>

#include "image/api_checks.h"
#include "image/inr_file.h"
#include "image/points.h"

enum tsr_status tsr_inr_from_file(const char *path, struct tsr_inr **out, struct tsr_error *err) {
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(path, err);
    return tsr_inr_load(path, out, err);
}

enum tsr_status tsr_inr_from_memory(const void *bytes, size_t size, struct tsr_inr **out,
                                    struct tsr_error *err) {
    struct tsr_h5 *file;
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(bytes, err);
    TSR_TRY(tsr_h5_open_memory("INR in memory", bytes, size, &file, err));
    enum tsr_status status = tsr_inr_read(file, out, err);
    tsr_h5_close(file);
    TSR_TRY(status);
    return tsr_inr_need_complete("INR in memory", out, err);
}

enum tsr_status tsr_inr_to_file(const struct tsr_inr *inr, const char *path,
                                struct tsr_error *err) {
    TSR_NEED(inr, err);
    TSR_NEED(path, err);
    return tsr_inr_save(inr, path, err);
}

enum tsr_status tsr_inr_to_memory(const struct tsr_inr *inr, void **bytes, size_t *size,
                                  struct tsr_error *err) {
    struct tsr_h5 *file;
    TSR_NEED(bytes, err);
    *bytes = NULL;
    TSR_NEED(size, err);
    *size = 0;
    TSR_NEED(inr, err);
    TSR_TRY(tsr_h5_create_memory("INR in memory", &file, err));
    enum tsr_status status = tsr_inr_write(file, inr, err);
    if (status == TSR_OK) status = tsr_h5_take_memory(file, bytes, size, err);
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_inr_get_info(const struct tsr_inr *inr, struct tsr_inr_info *out,
                                 struct tsr_error *err) {
    TSR_NEED(inr, err);
    TSR_NEED(out, err);
    TSR_TRY(tsr_sized_check("tsr_inr_info", out, err));
    struct tsr_inr_info info = {.height = inr->partition->height,
                                .width = inr->partition->width,
                                .channels = inr->net.out_dim,
                                .regions = inr->partition->n_regions,
                                .region_params = inr->net.n_params};
    tsr_partition_rule_describe(&inr->rule, info.rule, sizeof info.rule);
    tsr_choice_describe(&inr->network.kind, info.network, sizeof info.network);
    tsr_sized_write(&info, sizeof info, out);
    return TSR_OK;
}

enum tsr_status tsr_inr_get_params(const struct tsr_inr *inr, size_t region, float *out,
                                   struct tsr_error *err) {
    TSR_NEED(inr, err);
    TSR_NEED(out, err);
    if (region >= inr->partition->n_regions)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "region %zu: the INR has %zu regions", region,
                         inr->partition->n_regions);
    const tsr_real *phi = inr->phi + region * inr->net.n_params;
    for (size_t i = 0; i < inr->net.n_params; i++)
        out[i] = (float)phi[i];
    return TSR_OK;
}

enum tsr_status tsr_inr_eval(const struct tsr_inr *inr, const float *coordinates, size_t n,
                             size_t threads, float *out, struct tsr_error *err) {
    TSR_NEED(inr, err);
    if (n == 0) return TSR_OK;
    TSR_NEED(coordinates, err);
    TSR_NEED(out, err);
    return tsr_inr_at_points(inr, coordinates, n, threads, "auto", out, err);
}

enum tsr_status tsr_inr_render_floats(const struct tsr_inr *inr, size_t height, size_t width,
                                      size_t threads, float *out, struct tsr_error *err) {
    TSR_NEED(inr, err);
    TSR_NEED(out, err);
    const struct tsr_drawing to = {.height = height, .width = width, .floats = out};
    return tsr_inr_draw(inr, &to, threads, "auto", err);
}

enum tsr_status tsr_inr_render_bytes(const struct tsr_inr *inr, size_t height, size_t width,
                                     size_t threads, uint8_t *out, struct tsr_error *err) {
    TSR_NEED(inr, err);
    TSR_NEED(out, err);
    const struct tsr_drawing to = {.height = height, .width = width, .bytes = out};
    return tsr_inr_draw(inr, &to, threads, "auto", err);
}
