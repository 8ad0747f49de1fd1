/* SPDX-License-Identifier: MIT
 *
 * The reference: every formula once, one point at a time, in plain C. Compiled in double it is what
 * the derivative checks compare with finite differences.
 *
 * Notation, for one point; the last layer has no units: there a_L = z_L + offset, s'_L = 1:
 *     z_l = W_l a_{l-1} + b_l        a_l = unit(z_l), of slope s'_l and curvature s''_l
 *     d_l = dE/dz_l:  d_L = 2 scale (f - y),  d_{l-1} = s'_{l-1} * (W_l^T d_l)
 *     dE/dW_l = d_l a_{l-1}^T        dE/db_l = d_l
 * R{.} is the derivative in the direction phi + t v at t = 0, with V, u the parts of v at W, b:
 *     Rz_l = V_l a_{l-1} + W_l Ra_{l-1} + u_l        Ra_l = s'_l * Rz_l
 *     Rd_L = 2 scale Rf
 *     Rd_{l-1} = s'_{l-1} * (V_l^T d_l + W_l^T Rd_l) + s''_{l-1} * Rz_{l-1} * (W_l^T d_l)
 *     (Hv)_W = Rd_l a_{l-1}^T + d_l Ra_{l-1}^T
 *     (Hv)_b = Rd_l
 * The Gauss-Newton product is the gradient's backward pass from d_L = 2 scale Rf.
 * Units: inner/kinds/. a_0 is x or its encoding (encode.h).
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "inner/kernels/encode.h"
#include "inner/kernels/kernels.h"

/* Quantities of one point, each an array over layers of a row of at most `stride` units. */
struct scratch {
    size_t stride;
    tsr_real *a, *slope, *curvature; /* a_l, s'_l, s''_l */
    tsr_real *d, *e;                 /* d_l, e_l = W_{l+1}^T d_{l+1} */
    tsr_real *ra, *rz, *rd;
    tsr_real *encoded; /* a_0, if there is an encoding */
};

static size_t max_units(const struct tsr_net *net) {
    size_t n = net->width;
    return n > net->out_dim ? n : net->out_dim;
}

static size_t layout(struct scratch *s, const struct tsr_net *net, void *workspace) {
    struct tsr_arena arena = {.base = workspace, .size = SIZE_MAX / 2};
    size_t n = net->n_layers * max_units(net);
    tsr_real **rows[] = {&s->a, &s->slope, &s->curvature, &s->d, &s->e, &s->ra, &s->rz, &s->rd};
    s->stride = max_units(net);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        *rows[i] = tsr_arena_take(&arena, n, sizeof(tsr_real));
    s->encoded = tsr_arena_take(&arena, net->octaves ? net->fan_in[0] : 0, sizeof(tsr_real));
    return arena.used;
}

static size_t workspace_size(const struct tsr_net *net) {
    struct scratch s;
    return layout(&s, net, NULL);
}

static bool available(void) {
    return true;
}

/* The two parts of a tape are the rows a, slope, curvature and d, e of one point after the other.
 */
static struct tsr_tape_size tape_size(const struct tsr_net *net, size_t n) {
    size_t row = net->n_layers * max_units(net) * sizeof(tsr_real);
    return (struct tsr_tape_size){.forward = n * 3 * row, .backward = n * 2 * row};
}

/* Lets the rows of point p stand in the parts of a tape that there are. */
static void use_tape(struct scratch *s, const struct tsr_net *net, const struct tsr_tape *tape,
                     size_t p) {
    size_t row = net->n_layers * max_units(net);
    if (tape && tape->forward) {
        s->a = (tsr_real *)tape->forward + p * 3 * row;
        s->slope = s->a + row;
        s->curvature = s->slope + row;
    }
    if (tape && tape->backward) {
        s->d = (tsr_real *)tape->backward + p * 2 * row;
        s->e = s->d + row;
    }
}

/* y [out] (+)= W x, W [out, in] */
static void multiply(size_t out, size_t in, const tsr_real *w, const tsr_real *x, tsr_real *y) {
    for (size_t o = 0; o < out; o++) {
        tsr_real sum = 0;
        for (size_t i = 0; i < in; i++)
            sum += w[o * in + i] * x[i];
        y[o] += sum;
    }
}

/* y [in] += W^T d */
static void multiply_transposed(size_t out, size_t in, const tsr_real *w, const tsr_real *d,
                                tsr_real *y) {
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            y[i] += w[o * in + i] * d[o];
}

/* g [out, in] += d x^T */
static void add_outer(size_t out, size_t in, const tsr_real *d, const tsr_real *x, tsr_real *g) {
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            g[o * in + i] += d[o] * x[i];
}

static const tsr_real *input_of(const struct scratch *s, size_t layer, const tsr_real *x) {
    return layer ? s->a + (layer - 1) * s->stride : x;
}

/* Input of layer 0: x itself or its encoding. */
static const tsr_real *encode_point(const struct tsr_net *net, const tsr_real *x,
                                    struct scratch *s) {
    const double turn = 6.283185307179586477;
    size_t angles = net->in_dim * net->octaves;
    if (net->octaves == 0) return x;
    for (size_t i = 0; i < net->in_dim; i++) {
        struct tsr_turns turns = tsr_turns(tsr_turns_of_one(net), x[i]);
        for (size_t k = 0; k < net->octaves; k++) {
            double angle = turn * tsr_octave(turns, k);
            s->encoded[i * net->octaves + k] = (tsr_real)sin(angle);
            s->encoded[angles + i * net->octaves + k] = (tsr_real)cos(angle);
        }
    }
    return s->encoded;
}

/* The outputs from z = a. */
static void activate_last(const struct tsr_net *net, tsr_real *a, tsr_real *slope,
                          tsr_real *curvature) {
    for (size_t o = 0; o < net->out_dim; o++) {
        a[o] += (tsr_real)net->output_offset;
        slope[o] = 1;
        curvature[o] = 0;
    }
}

static void forward_point(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x,
                          struct scratch *s) {
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t in = net->fan_in[l], out = net->fan_out[l];
        tsr_real *a = s->a + l * s->stride, *slope = s->slope + l * s->stride;
        tsr_real *curvature = s->curvature + l * s->stride;
        tsr_real *z = l + 1 == net->n_layers ? a : s->rz + l * s->stride;
        memcpy(z, phi + net->bias_at[l], out * sizeof *z);
        multiply(out, in, phi + net->weight_at[l], input_of(s, l, x), z);
        if (l + 1 == net->n_layers)
            activate_last(net, a, slope, curvature);
        else
            net->kind->units(out, net->omega[l], z, a, slope, curvature);
    }
}

/* Fills d (and e) of the layers below the last from that of the last. */
static void backward_point(const struct tsr_net *net, const tsr_real *phi, struct scratch *s) {
    for (size_t l = net->n_layers - 1; l > 0; l--) {
        size_t in = net->fan_in[l], below = (l - 1) * s->stride;
        memset(s->e + below, 0, in * sizeof *s->e);
        multiply_transposed(net->fan_out[l], in, phi + net->weight_at[l], s->d + l * s->stride,
                            s->e + below);
        for (size_t i = 0; i < in; i++)
            s->d[below + i] = s->slope[below + i] * s->e[below + i];
    }
}

/* d of the last layer from the outputs; returns the squared error of the point. */
static double residual_point(const struct tsr_net *net, const tsr_real *y, double scale,
                             struct scratch *s) {
    size_t last = (net->n_layers - 1) * s->stride;
    double error = 0;
    for (size_t c = 0; c < net->out_dim; c++) {
        tsr_real r = s->a[last + c] - y[c];
        error += (double)r * (double)r;
        s->d[last + c] = (tsr_real)(2 * scale) * r;
    }
    return error;
}

/* grad += the point's share of all layers. */
static void add_point(const struct tsr_net *net, const struct scratch *s, const tsr_real *x,
                      tsr_real *grad) {
    for (size_t l = 0; l < net->n_layers; l++) {
        const tsr_real *d = s->d + l * s->stride;
        add_outer(net->fan_out[l], net->fan_in[l], d, input_of(s, l, x), grad + net->weight_at[l]);
        for (size_t o = 0; o < net->fan_out[l]; o++)
            grad[net->bias_at[l] + o] += d[o];
    }
}

static void r_forward_point(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                            const tsr_real *x, struct scratch *s) {
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t in = net->fan_in[l], out = net->fan_out[l], at = l * s->stride;
        memcpy(s->rz + at, v + net->bias_at[l], out * sizeof *s->rz);
        multiply(out, in, v + net->weight_at[l], input_of(s, l, x), s->rz + at);
        if (l > 0)
            multiply(out, in, phi + net->weight_at[l], s->ra + (l - 1) * s->stride, s->rz + at);
        for (size_t o = 0; o < out; o++)
            s->ra[at + o] = s->slope[at + o] * s->rz[at + o];
    }
}

static void r_backward_point(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                             double scale, struct scratch *s) {
    size_t last = net->n_layers - 1;
    for (size_t c = 0; c < net->out_dim; c++)
        s->rd[last * s->stride + c] = (tsr_real)(2 * scale) * s->ra[last * s->stride + c];
    for (size_t l = last; l > 0; l--) {
        size_t in = net->fan_in[l], out = net->fan_out[l], at = l * s->stride,
               below = at - s->stride;
        memset(s->rd + below, 0, in * sizeof *s->rd);
        multiply_transposed(out, in, v + net->weight_at[l], s->d + at, s->rd + below);
        multiply_transposed(out, in, phi + net->weight_at[l], s->rd + at, s->rd + below);
        for (size_t i = below; i < below + in; i++)
            s->rd[i] = s->slope[i] * s->rd[i] + s->curvature[i] * s->rz[i] * s->e[i];
    }
}

static void forward(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x, size_t n,
                    tsr_real *out, void *workspace) {
    struct scratch s;
    layout(&s, net, workspace);
    for (size_t p = 0; p < n; p++) {
        forward_point(net, phi, encode_point(net, x + p * net->in_dim, &s), &s);
        memcpy(out + p * net->out_dim, s.a + (net->n_layers - 1) * s.stride,
               net->out_dim * sizeof *out);
    }
}

static void record(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x, size_t n,
                   void *to, void *workspace) {
    struct scratch s;
    layout(&s, net, workspace);
    for (size_t p = 0; p < n; p++) {
        use_tape(&s, net, &(struct tsr_tape){.forward = to}, p);
        forward_point(net, phi, encode_point(net, x + p * net->in_dim, &s), &s);
    }
}

/* The gradient, with the forward pass unless that is on the tape; where only the last layer moves,
 * what is there may be of another one. */
static double sweep(const struct tsr_net *net, const tsr_real *phi, const struct tsr_points *points,
                    double scale, bool recorded, tsr_real *grad, tsr_real *out,
                    const struct tsr_tape *tape, void *workspace) {
    struct scratch s;
    struct tsr_tape kept = tape ? *tape : (struct tsr_tape){NULL, NULL};
    layout(&s, net, workspace);
    double error = 0;
    if (recorded && net->n_fixed + 1 == net->n_layers) {
        recorded = false;
        kept.forward = NULL;
    }
    for (size_t p = 0; p < points->n; p++) {
        const tsr_real *x = encode_point(net, points->x + p * net->in_dim, &s);
        use_tape(&s, net, &kept, p);
        if (!recorded) forward_point(net, phi, x, &s);
        error += residual_point(net, points->y + p * net->out_dim, scale, &s);
        backward_point(net, phi, &s);
        if (out)
            memcpy(out + p * net->out_dim, s.a + (net->n_layers - 1) * s.stride,
                   net->out_dim * sizeof *out);
        add_point(net, &s, x, grad);
    }
    return error;
}

static double gradient(const struct tsr_net *net, const tsr_real *phi,
                       const struct tsr_points *points, double scale, tsr_real *grad, tsr_real *out,
                       const struct tsr_tape *tape, void *workspace) {
    return sweep(net, phi, points, scale, false, grad, out, tape, workspace);
}

static double backward(const struct tsr_net *net, const tsr_real *phi,
                       const struct tsr_points *points, double scale, tsr_real *grad, tsr_real *out,
                       const struct tsr_tape *tape, void *workspace) {
    return sweep(net, phi, points, scale, true, grad, out, tape, workspace);
}

static void hvp(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                const struct tsr_points *points, double scale, tsr_real *hv,
                const struct tsr_tape *tape, void *workspace) {
    struct scratch s;
    layout(&s, net, workspace);
    for (size_t p = 0; p < points->n; p++) {
        const tsr_real *x = encode_point(net, points->x + p * net->in_dim, &s);
        use_tape(&s, net, tape, p);
        if (!tape) {
            forward_point(net, phi, x, &s);
            (void)residual_point(net, points->y + p * net->out_dim, scale, &s);
            backward_point(net, phi, &s);
        }
        r_forward_point(net, phi, v, x, &s);
        r_backward_point(net, phi, v, scale, &s);
        for (size_t l = 0; l < net->n_layers; l++) {
            size_t in = net->fan_in[l], out = net->fan_out[l], at = l * s.stride;
            add_outer(out, in, s.rd + at, input_of(&s, l, x), hv + net->weight_at[l]);
            if (l > 0) add_outer(out, in, s.d + at, s.ra + at - s.stride, hv + net->weight_at[l]);
            for (size_t o = 0; o < out; o++)
                hv[net->bias_at[l] + o] += s.rd[at + o];
        }
    }
}

static void gauss_newton(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                         const tsr_real *x, size_t n, double scale, tsr_real *gv,
                         const void *record, void *workspace) {
    const struct tsr_tape tape = {.forward = (void *)(uintptr_t)record};
    struct scratch s;
    layout(&s, net, workspace);
    size_t last = (net->n_layers - 1) * s.stride;
    for (size_t p = 0; p < n; p++) {
        const tsr_real *input = encode_point(net, x + p * net->in_dim, &s);
        use_tape(&s, net, &tape, p);
        if (!record) forward_point(net, phi, input, &s);
        r_forward_point(net, phi, v, input, &s);
        for (size_t c = 0; c < net->out_dim; c++)
            s.d[last + c] = (tsr_real)(2 * scale) * s.ra[last + c];
        backward_point(net, phi, &s);
        add_point(net, &s, input, gv);
    }
}

/* ---- rows of a basis --------------------------------------------------------------------------
 */

void tsr_ref_combine(const tsr_real *rows, size_t stride, size_t n, size_t count,
                     const tsr_real *const *z, size_t from, size_t to, tsr_real *const *y) {
    for (size_t t = 0; t < count; t++)
        for (size_t d = 0; d < n; d++)
            for (size_t i = from; i < to; i++)
                y[t][i] += z[t][d] * rows[d * stride + i];
}

void tsr_ref_project(const tsr_real *rows, size_t stride, size_t from, size_t to, size_t count,
                     const tsr_real *const *g, size_t length, tsr_real *const *out) {
    for (size_t t = 0; t < count; t++)
        for (size_t d = from; d < to; d++) {
            double sum = 0;
            for (size_t i = 0; i < length; i++)
                sum += (double)rows[d * stride + i] * (double)g[t][i];
            out[t][d] = (tsr_real)sum;
        }
}

void tsr_ref_outer(size_t n_terms, const tsr_real *b, size_t n, const tsr_real *a, size_t length,
                   size_t from, size_t to, tsr_real *rows) {
    for (size_t d = from; d < to; d++)
        for (size_t j = 0; j < n_terms; j++)
            for (size_t i = 0; i < length; i++)
                rows[d * length + i] += b[j * n + d] * a[j * length + i];
}

const struct tsr_kernel tsr_kernel_reference = {
    .name = "reference",
    .available = available,
    .workspace_size = workspace_size,
    .tape_size = tape_size,
    .forward = forward,
    .gradient = gradient,
    .record = record,
    .backward = backward,
    .hvp = hvp,
    .gauss_newton = gauss_newton,
    .combine = tsr_ref_combine,
    .project = tsr_ref_project,
    .outer = tsr_ref_outer,
};
