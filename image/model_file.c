/* SPDX-License-Identifier: MIT */
#include "image/model_file.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "image/attributes.h"
#include "image/layer_arrays.h"

/* One rate per parameter: laid out like the parameters, /inner/layerL/weight_rate [K, slots, out,
 * in]; others are one dataset /inner/rate: [], [K, slots] or [K, slots, n_units]. */
static enum tsr_status transfer_rates(bool write, struct tsr_h5 *file, const struct tsr_net *net,
                                      const struct tsr_space *space, const struct tsr_rates *rates,
                                      tsr_real *values, struct tsr_error *err) {
    size_t dims[3] = {rates->n_steps, rates->n_slots, rates->n_units};
    if (tsr_space_is_whole(space) && rates->n_units == net->n_params)
        return tsr_layer_arrays(write, file, "/inner", "_rate", net, dims, 2, values, err);
    size_t rank = rates->kind == TSR_RATES_FIXED ? 0 : rates->kind == TSR_RATES_PER_STEP ? 2 : 3;
    if (write) return tsr_h5_write(file, "/inner/rate", TSR_H5_REAL, rank, dims, values, 0, err);
    if (!values) return tsr_array_check(file, "/inner/rate", rank, dims, err);
    return tsr_h5_read(file, "/inner/rate", TSR_H5_REAL, rank, dims, values, err);
}

static enum tsr_status write_anchors(struct tsr_h5 *file, const struct tsr_anchors *a,
                                     struct tsr_error *err) {
    const size_t dims[2] = {a->n, TSR_REGION_FEATURES};
    if (a->n == 0) return TSR_OK;
    TSR_TRY(tsr_h5_write(file, "/partition/anchors", TSR_H5_F64, 2, dims, a->mean, 0, err));
    return tsr_h5_write(file, "/partition/anchor_weights", TSR_H5_F64, 1, dims + 1, a->weight, 0,
                        err);
}

static enum tsr_status read_anchors(struct tsr_h5 *file, struct tsr_model *m,
                                    struct tsr_error *err) {
    const size_t dims[2] = {m->n_slots, TSR_REGION_FEATURES};
    struct tsr_anchors *a = &m->anchors;
    void *mean;
    if (!tsr_model_has_anchors(&m->config)) return TSR_OK;
    TSR_TRY(tsr_alloc(&mean, dims[0], dims[1] * sizeof(double), "anchors", err));
    a->mean = mean;
    a->n = dims[0];
    TSR_TRY(tsr_h5_read(file, "/partition/anchors", TSR_H5_F64, 2, dims, a->mean, err));
    TSR_TRY(
        tsr_h5_read(file, "/partition/anchor_weights", TSR_H5_F64, 1, dims + 1, a->weight, err));
    for (size_t i = 0; i < dims[0] * dims[1]; i++)
        if (!isfinite(a->mean[i]))
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /partition/anchors holds %g; it must be finite",
                             tsr_h5_path(file), a->mean[i]);
    for (size_t i = 0; i < dims[1]; i++)
        if (!(isfinite(a->weight[i]) && a->weight[i] >= 0))
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /partition/anchor_weights holds %g; it must be 0 or more",
                             tsr_h5_path(file), a->weight[i]);
    return TSR_OK;
}

enum tsr_status tsr_model_write(struct tsr_h5 *file, const struct tsr_model *m, const char *command,
                                int deflate, struct tsr_error *err) {
    struct tsr_model_config config = m->config;
    TSR_TRY(tsr_format_write(file, "tessera-model", command, err));
    TSR_TRY(tsr_model_config_visit(&config, tsr_attribute_write, file, err));
    TSR_TRY(write_anchors(file, &m->anchors, err));
    TSR_TRY(tsr_layer_arrays(true, file, "/init", "", &m->net, &m->n_slots, 1, m->theta, err));
    TSR_TRY(tsr_basis_transfer(true, file, m->n_slots, &m->space, &m->net, m->basis, deflate, err));
    return transfer_rates(true, file, &m->net, &m->space, &m->rates, m->rates.value, err);
}

enum tsr_status tsr_model_read(struct tsr_h5 *file, struct tsr_model **out, struct tsr_error *err) {
    struct tsr_model_config config;
    tsr_model_config_default(&config);
    config.partition = (struct tsr_partition_rule){0};
    TSR_TRY(tsr_format_check(file, "tessera-model", err));
    TSR_TRY(tsr_model_config_visit(&config, tsr_attribute_read, file, err));
    enum tsr_status status = tsr_model_config_check(&config, err);
    if (status != TSR_OK) {
        tsr_error_prefix(err, "%s", tsr_h5_path(file));
        return TSR_ERR_FORMAT;
    }
    size_t slots = tsr_model_config_slots(&config);
    struct tsr_net net;
    struct tsr_space space;
    struct tsr_rates rates;
    tsr_network_layout(&config.network, &net);
    tsr_space_layout(&config.adaptation, &net, &space);
    tsr_rates_layout(&rates, config.rates, config.inner_steps, slots, &space);
    TSR_TRY(tsr_array_check_extent(file, "/init/layer0/weight", slots, "slots", err));
    TSR_TRY(tsr_layer_arrays(false, file, "/init", "", &net, &slots, 1, NULL, err));
    TSR_TRY(tsr_basis_transfer(false, file, slots, &space, &net, NULL, 0, err));
    TSR_TRY(transfer_rates(false, file, &net, &space, &rates, NULL, err));
    TSR_TRY(tsr_model_create(&config, 0, out, err));
    struct tsr_model *m = *out;
    TSR_CHECK(read_anchors(file, m, err));
    TSR_CHECK(tsr_layer_arrays(false, file, "/init", "", &m->net, &m->n_slots, 1, m->theta, err));
    TSR_CHECK(tsr_basis_transfer(false, file, slots, &space, &net, m->basis, 0, err));
    TSR_CHECK(transfer_rates(false, file, &net, &space, &rates, m->rates.value, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_model_free(*out);
    *out = NULL;
    return status;
}

enum tsr_status tsr_model_load(const char *path, struct tsr_model **out, struct tsr_error *err) {
    struct tsr_h5 *file;
    *out = NULL;
    TSR_TRY(tsr_h5_open(path, &file, err));
    enum tsr_status status = tsr_model_read(file, out, err);
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_model_save(const struct tsr_model *model, const char *path,
                               struct tsr_error *err) {
    struct tsr_h5 *file;
    TSR_TRY(tsr_h5_create(path, &file, err));
    enum tsr_status status = tsr_model_write(file, model, NULL, 0, err);
    if (status == TSR_OK) status = tsr_h5_commit(file, err);
    tsr_h5_close(file);
    return status;
}
