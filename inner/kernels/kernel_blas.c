/* SPDX-License-Identifier: MIT
 *
 * Matrix products through OpenBLAS, on tiles of points that stay in the cache. Formulas and
 * notation: kernel_ref.c; a row of a tile is one point.
 */
#include <string.h>

#include "base/blas.h"
#include "base/memory.h"
#include "inner/kernels/encode.h"
#include "inner/kernels/kernels.h"
#include "inner/kernels/sincos.h"

#define TILE 256

/* Quantities of one tile, each an array over layers of [TILE, stride]; a row of layer l uses the
 * first fan_out[l] entries and rows lie fan_out[l] apart. */
struct scratch {
    size_t stride;
    tsr_real *a, *slope, *curvature, *d, *e;
    tsr_real *ra, *rz, *rd;
    tsr_real *encoded, *half_turns; /* [TILE, fan_in[0]] and half of that, if encoded */
};

static size_t layout(struct scratch *s, const struct tsr_net *net, void *workspace) {
    struct tsr_arena arena = {.base = workspace, .size = SIZE_MAX / 2};
    tsr_real **arrays[] = {&s->a, &s->slope, &s->curvature, &s->d, &s->e, &s->ra, &s->rz, &s->rd};
    s->stride = TILE * (net->width > net->out_dim ? net->width : net->out_dim);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = tsr_arena_take(&arena, net->n_layers * s->stride, sizeof(tsr_real));
    size_t angles = TILE * net->in_dim * net->octaves;
    s->encoded = tsr_arena_take(&arena, 2 * angles, sizeof(tsr_real));
    s->half_turns =
        tsr_arena_take(&arena, angles ? angles + TSR_HALF_TURNS_SPARE : 0, sizeof(tsr_real));
    return arena.used;
}

static size_t workspace_size(const struct tsr_net *net) {
    struct scratch s;
    return layout(&s, net, NULL);
}

static bool available(void) {
    return true;
}

/* z [n, out] = a [n, in] W^T, plus z if `add` */
static void multiply(const struct tsr_net *net, size_t l, size_t n, const tsr_real *parameters,
                     const tsr_real *a, bool add, tsr_real *z) {
    size_t in = net->fan_in[l], out = net->fan_out[l];
    tsr_blas_gemm(false, true, n, out, in, 1, a, in, parameters + net->weight_at[l], in,
                  add ? 1 : 0, z, out);
}

/* e [n, in] = d [n, out] W, plus e if `add` */
static void multiply_transposed(const struct tsr_net *net, size_t l, size_t n,
                                const tsr_real *parameters, const tsr_real *d, bool add,
                                tsr_real *e) {
    size_t in = net->fan_in[l], out = net->fan_out[l];
    tsr_blas_gemm(false, false, n, in, out, 1, d, out, parameters + net->weight_at[l], in,
                  add ? 1 : 0, e, in);
}

/* Part of `g` at W += d^T a */
static void add_outer(const struct tsr_net *net, size_t l, size_t n, const tsr_real *d,
                      const tsr_real *a, tsr_real *g) {
    size_t in = net->fan_in[l], out = net->fan_out[l];
    tsr_blas_gemm(true, false, out, in, n, 1, d, out, a, in, 1, g + net->weight_at[l], in);
}

static void add_bias(size_t n, size_t units, const tsr_real *bias, tsr_real *z) {
    for (size_t p = 0; p < n; p++)
        for (size_t i = 0; i < units; i++)
            z[p * units + i] += bias[i];
}

static void sum_rows(size_t n, size_t units, const tsr_real *d, tsr_real *sum) {
    for (size_t p = 0; p < n; p++)
        for (size_t i = 0; i < units; i++)
            sum[i] += d[p * units + i];
}

/* Input of layer 0 of n points: x itself or its encoding. */
static const tsr_real *encode_tile(const struct tsr_net *net, const tsr_real *x, size_t n,
                                   struct scratch *s) {
    size_t angles = net->in_dim * net->octaves;
    if (angles == 0) return x;
    tsr_half_turns(tsr_turns_of_one(net), net->octaves, x, n * net->in_dim, s->half_turns);
    for (size_t p = 0; p < n; p++) {
        tsr_real *row = s->encoded + p * net->fan_in[0], *u = s->half_turns + p * angles;
        for (size_t i = 0; i < angles; i++)
            tsr_sincos(u[i], &row[i], &row[angles + i]);
    }
    return s->encoded;
}

static const tsr_real *input_of(const struct scratch *s, size_t layer, const tsr_real *x) {
    return layer ? s->a + (layer - 1) * s->stride : x;
}

/* With z in the place of Rz, which is not known yet. */
static void forward_tile(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x,
                         size_t n, bool curvature, struct scratch *s) {
    size_t last = net->n_layers - 1;
    for (size_t l = 0; l <= last; l++) {
        size_t out = net->fan_out[l];
        tsr_real *a = s->a + l * s->stride;
        tsr_real *z = l == last ? a : s->rz + l * s->stride;
        multiply(net, l, n, phi, input_of(s, l, x), false, z);
        add_bias(n, out, phi + net->bias_at[l], z);
        if (l == last) break;
        net->kind->units(n * out, net->omega[l], z, a, s->slope + l * s->stride,
                         curvature ? s->curvature + l * s->stride : NULL);
    }
    for (size_t i = 0; i < n * net->out_dim; i++)
        s->a[last * s->stride + i] += (tsr_real)net->output_offset;
}

/* Fills d and e of the layers below the last from that of the last. */
static void backward_tile(const struct tsr_net *net, const tsr_real *phi, size_t n,
                          struct scratch *s) {
    for (size_t l = net->n_layers - 1; l > 0; l--) {
        size_t at = l * s->stride, below = at - s->stride;
        multiply_transposed(net, l, n, phi, s->d + at, false, s->e + below);
        for (size_t i = below; i < below + n * net->fan_in[l]; i++)
            s->d[i] = s->slope[i] * s->e[i];
    }
}

/* d of the last layer from the outputs; returns the squared error of the tile. */
static double residual_tile(const struct tsr_net *net, const tsr_real *y, size_t n, double scale,
                            struct scratch *s) {
    size_t last = (net->n_layers - 1) * s->stride;
    double error = 0;
    for (size_t i = 0; i < n * net->out_dim; i++) {
        tsr_real r = s->a[last + i] - y[i];
        error += (double)r * (double)r;
        s->d[last + i] = (tsr_real)(2 * scale) * r;
    }
    return error;
}

/* grad += the tile's share of all layers. */
static void add_tile(const struct tsr_net *net, const tsr_real *x, size_t n, struct scratch *s,
                     tsr_real *grad) {
    for (size_t l = 0; l < net->n_layers; l++) {
        const tsr_real *d = s->d + l * s->stride;
        add_outer(net, l, n, d, input_of(s, l, x), grad);
        sum_rows(n, net->fan_out[l], d, grad + net->bias_at[l]);
    }
}

static void r_forward_tile(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                           const tsr_real *x, size_t n, struct scratch *s) {
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t out = net->fan_out[l], at = l * s->stride;
        multiply(net, l, n, v, input_of(s, l, x), false, s->rz + at);
        if (l > 0) multiply(net, l, n, phi, s->ra + at - s->stride, true, s->rz + at);
        add_bias(n, out, v + net->bias_at[l], s->rz + at);
        if (l + 1 == net->n_layers) return;
        for (size_t i = at; i < at + n * out; i++)
            s->ra[i] = s->slope[i] * s->rz[i];
    }
}

static void r_backward_tile(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                            size_t n, double scale, struct scratch *s) {
    size_t last = (net->n_layers - 1) * s->stride;
    for (size_t i = last; i < last + n * net->out_dim; i++)
        s->rd[i] = (tsr_real)(2 * scale) * s->rz[i];
    for (size_t l = net->n_layers - 1; l > 0; l--) {
        size_t at = l * s->stride, below = at - s->stride;
        multiply_transposed(net, l, n, v, s->d + at, false, s->rd + below);
        multiply_transposed(net, l, n, phi, s->rd + at, true, s->rd + below);
        for (size_t i = below; i < below + n * net->fan_in[l]; i++)
            s->rd[i] = s->slope[i] * s->rd[i] + s->curvature[i] * s->rz[i] * s->e[i];
    }
}

static size_t tile_points(size_t n, size_t at) {
    return n - at < TILE ? n - at : TILE;
}

static void forward(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x, size_t n,
                    tsr_real *out, void *workspace) {
    struct scratch s;
    layout(&s, net, workspace);
    for (size_t at = 0; at < n; at += TILE) {
        size_t m = tile_points(n, at);
        forward_tile(net, phi, encode_tile(net, x + at * net->in_dim, m, &s), m, false, &s);
        memcpy(out + at * net->out_dim, s.a + (net->n_layers - 1) * s.stride,
               m * net->out_dim * sizeof *out);
    }
}

static double gradient(const struct tsr_net *net, const tsr_real *phi,
                       const struct tsr_points *points, double scale, tsr_real *grad, tsr_real *out,
                       const struct tsr_tape *tape, void *workspace) {
    (void)tape;
    struct scratch s;
    layout(&s, net, workspace);
    double error = 0;
    for (size_t at = 0; at < points->n; at += TILE) {
        size_t m = tile_points(points->n, at);
        const tsr_real *x = encode_tile(net, points->x + at * net->in_dim, m, &s);
        forward_tile(net, phi, x, m, false, &s);
        if (out)
            memcpy(out + at * net->out_dim, s.a + (net->n_layers - 1) * s.stride,
                   m * net->out_dim * sizeof *out);
        error += residual_tile(net, points->y + at * net->out_dim, m, scale, &s);
        backward_tile(net, phi, m, &s);
        add_tile(net, x, m, &s, grad);
    }
    return error;
}

static void hvp(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                const struct tsr_points *points, double scale, tsr_real *hv,
                const struct tsr_tape *tape, void *workspace) {
    (void)tape;
    struct scratch s;
    layout(&s, net, workspace);
    for (size_t at = 0; at < points->n; at += TILE) {
        size_t m = tile_points(points->n, at);
        const tsr_real *x = encode_tile(net, points->x + at * net->in_dim, m, &s);
        forward_tile(net, phi, x, m, true, &s);
        (void)residual_tile(net, points->y + at * net->out_dim, m, scale, &s);
        backward_tile(net, phi, m, &s);
        r_forward_tile(net, phi, v, x, m, &s);
        r_backward_tile(net, phi, v, m, scale, &s);
        for (size_t l = 0; l < net->n_layers; l++) {
            const tsr_real *rd = s.rd + l * s.stride;
            add_outer(net, l, m, rd, input_of(&s, l, x), hv);
            if (l > 0) add_outer(net, l, m, s.d + l * s.stride, s.ra + (l - 1) * s.stride, hv);
            sum_rows(m, net->fan_out[l], rd, hv + net->bias_at[l]);
        }
    }
}

static void gauss_newton(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                         const tsr_real *x, size_t n, double scale, tsr_real *gv,
                         const void *record, void *workspace) {
    (void)record;
    struct scratch s;
    layout(&s, net, workspace);
    size_t last = (net->n_layers - 1) * s.stride;
    for (size_t at = 0; at < n; at += TILE) {
        size_t m = tile_points(n, at);
        const tsr_real *input = encode_tile(net, x + at * net->in_dim, m, &s);
        forward_tile(net, phi, input, m, false, &s);
        r_forward_tile(net, phi, v, input, m, &s);
        for (size_t i = last; i < last + m * net->out_dim; i++)
            s.d[i] = (tsr_real)(2 * scale) * s.rz[i];
        backward_tile(net, phi, m, &s);
        add_tile(net, input, m, &s, gv);
    }
}

const struct tsr_kernel tsr_kernel_blas = {
    .name = "blas",
    .available = available,
    .workspace_size = workspace_size,
    .forward = forward,
    .gradient = gradient,
    .hvp = hvp,
    .gauss_newton = gauss_newton,
    .combine = tsr_ref_combine,
    .project = tsr_ref_project,
    .outer = tsr_ref_outer,
};
