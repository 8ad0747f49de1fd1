/* SPDX-License-Identifier: MIT */
#include "image/layer_arrays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* One dataset [n, out, in] or [n, out] for a part of n parameter vectors. */
struct part {
    char path[96];
    size_t rank, dims[4], size, at; /* at: offset in the vector */
};

/* leading: extents before [out, in], e.g. {K, slots}. */
static struct part describe_part(const char *prefix, const char *suffix, const struct tsr_net *net,
                                 size_t layer, bool bias, const size_t *leading, size_t n_leading) {
    struct part p = {.rank = n_leading};
    for (size_t i = 0; i < n_leading; i++)
        p.dims[i] = leading[i];
    p.dims[p.rank++] = net->fan_out[layer];
    if (!bias) p.dims[p.rank++] = net->fan_in[layer];
    p.size = net->fan_out[layer] * (bias ? 1 : net->fan_in[layer]);
    p.at = bias ? net->bias_at[layer] : net->weight_at[layer];
    (void)snprintf(p.path, sizeof p.path, "%s/layer%zu/%s%s", prefix, layer,
                   bias ? "bias" : "weight", suffix);
    return p;
}

static void print_shape(size_t rank, const size_t *dims, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < rank; i++) {
        size_t used = strlen(out);
        (void)snprintf(out + used, size - used, "%s%zu", i ? ", " : "", dims[i]);
    }
}

enum tsr_status tsr_array_check(struct tsr_h5 *file, const char *path, size_t rank,
                                const size_t *dims, struct tsr_error *err) {
    size_t found_rank, found[TSR_H5_MAX_RANK];
    char have[192], expected[96];
    TSR_TRY(tsr_h5_shape(file, path, &found_rank, found, NULL, err));
    if (found_rank == rank && memcmp(found, dims, rank * sizeof *dims) == 0) return TSR_OK;
    print_shape(found_rank, found, have, sizeof have);
    print_shape(rank, dims, expected, sizeof expected);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s has shape [%s]; the settings ask for [%s]",
                     tsr_h5_path(file), path, have, expected);
}

enum tsr_status tsr_array_check_extent(struct tsr_h5 *file, const char *path, size_t expected,
                                       const char *what, struct tsr_error *err) {
    size_t rank, dims[TSR_H5_MAX_RANK];
    TSR_TRY(tsr_h5_shape(file, path, &rank, dims, NULL, err));
    if (rank != 3)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s has rank %zu; expected [%s, out, in]",
                         tsr_h5_path(file), path, rank, what);
    if (dims[0] != expected)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s is for %zu %s; /partition asks for %zu",
                         tsr_h5_path(file), path, dims[0], what, expected);
    return TSR_OK;
}

static enum tsr_status transfer_part(bool write, struct tsr_h5 *file, const struct part *p,
                                     size_t n_vectors, size_t n_params, tsr_real *vectors,
                                     struct tsr_error *err) {
    void *block;
    TSR_TRY(tsr_alloc(&block, n_vectors, p->size * sizeof *vectors, p->path, err));
    tsr_real *packed = block;
    enum tsr_status status = TSR_OK;
    if (!write) status = tsr_h5_read(file, p->path, TSR_H5_REAL, p->rank, p->dims, packed, err);
    for (size_t i = 0; status == TSR_OK && i < n_vectors; i++) {
        tsr_real *vector = vectors + i * n_params + p->at, *there = packed + i * p->size;
        memcpy(write ? there : vector, write ? vector : there, p->size * sizeof *vector);
    }
    if (write) status = tsr_h5_write(file, p->path, TSR_H5_REAL, p->rank, p->dims, packed, 0, err);
    free(block);
    return status;
}

enum tsr_status tsr_layer_arrays(bool write, struct tsr_h5 *file, const char *prefix,
                                 const char *suffix, const struct tsr_net *net,
                                 const size_t *leading, size_t n_leading, tsr_real *vectors,
                                 struct tsr_error *err) {
    size_t n = 1;
    for (size_t i = 0; i < n_leading; i++)
        n *= leading[i];
    for (size_t l = 0; l < net->n_layers; l++)
        for (int bias = 0; bias < 2; bias++) {
            struct part p = describe_part(prefix, suffix, net, l, bias, leading, n_leading);
            TSR_TRY(vectors ? transfer_part(write, file, &p, n, net->n_params, vectors, err)
                            : tsr_array_check(file, p.path, p.rank, p.dims, err));
        }
    return TSR_OK;
}

enum tsr_status tsr_basis_transfer(bool write, struct tsr_h5 *file, size_t slots,
                                   const struct tsr_space *space, const struct tsr_net *net,
                                   tsr_real *basis, int deflate, struct tsr_error *err) {
    const size_t dims[3] = {slots, space->n_directions, net->n_params};
    if (space->n_directions == 0) return TSR_OK;
    if (write) return tsr_h5_write(file, "/init/basis", TSR_H5_REAL, 3, dims, basis, deflate, err);
    if (!basis) return tsr_array_check(file, "/init/basis", 3, dims, err);
    return tsr_h5_read(file, "/init/basis", TSR_H5_REAL, 3, dims, basis, err);
}
