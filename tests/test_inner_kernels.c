/* SPDX-License-Identifier: MIT
 *
 * The kernels: sine and cosine, derivatives against finite differences (double build), every kernel
 * against a plain computation in double, and what a call may touch.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "inner/kernels/encode.h"
#include "inner/kernels/exp2.h"
#include "inner/kernels/kernel.h"
#include "inner/kernels/kernels.h"
#include "inner/kernels/sincos.h"

#define PI 3.14159265358979323846L

/* Largest deviation that rounding may cause, relative to the largest entry of an array. */
#ifdef TSR_REAL_DOUBLE
static const double tolerance = 1e-12;
static const double hvp_tolerance = 1e-12;
static const double sincos_bound = 2e-13; /* rounding of pi u at pi u = 1000 */
#else
static const double tolerance = 1e-5;
static const double hvp_tolerance = 1e-5;
static const double sincos_bound = 2e-7;
#endif

/* ---- networks and data ------------------------------------------------------------------- */

static struct tsr_net make_net(size_t in, size_t width, size_t n_layers, size_t out) {
    struct tsr_net net = {.kind = &tsr_kind_siren,
                          .in_dim = in,
                          .out_dim = out,
                          .width = width,
                          .n_layers = n_layers};
    net.output_offset = 0.5;
    for (size_t l = 0; l < n_layers; l++) {
        bool last = l + 1 == n_layers;
        net.fan_in[l] = l ? width : in;
        net.fan_out[l] = last ? out : width;
        net.omega[l] = last ? 1 : l ? 30 : 12;
        net.weight_at[l] = net.n_params;
        net.bias_at[l] = net.n_params + net.fan_in[l] * net.fan_out[l];
        net.n_params = net.bias_at[l] + net.fan_out[l];
    }
    return net;
}

/* Units that are neither sines nor piecewise linear. */
static struct tsr_net make_gaussian_net(size_t in, size_t width, size_t n_layers, size_t out) {
    struct tsr_net net = make_net(in, width, n_layers, out);
    net.kind = &tsr_kind_gaussian;
    for (size_t l = 0; l + 1 < n_layers; l++)
        net.omega[l] = l ? 1.5 : 4;
    return net;
}

static struct tsr_net make_finer_net(size_t in, size_t width, size_t n_layers, size_t out) {
    struct tsr_net net = make_net(in, width, n_layers, out);
    net.kind = &tsr_kind_finer;
    for (size_t l = 0; l + 1 < n_layers; l++)
        net.omega[l] = l ? 5 : 4;
    return net;
}

static struct tsr_net make_relu_net(size_t in, size_t octaves, size_t width, size_t n_layers,
                                    size_t out) {
    struct tsr_net net = make_net(octaves ? 2 * in * octaves : in, width, n_layers, out);
    net.kind = &tsr_kind_relu_pe;
    net.octaves = octaves;
    net.pe_omega = octaves > 10 ? 0.5 : 0.7;
    net.in_dim = in;
    for (size_t l = 0; l < n_layers; l++)
        net.omega[l] = 1;
    return net;
}

static void fill(double *values, size_t n, double half_range, uint64_t seed) {
    for (size_t i = 0; i < n; i++)
        values[i] =
            (double)(tsr_real)(half_range * (2 * tsr_random_uniform(seed, TSR_STREAM_USER, i) - 1));
}

/* The usual initialisation of SIREN, or of ReLU with biases; for the other kinds something that
 * reaches all parts of their units. Also the scale of a sensible direction. */
static void fill_parameters(const struct tsr_net *net, double *values, uint64_t seed) {
    for (size_t l = 0; l < net->n_layers; l++) {
        bool first = l == 0 && net->kind != &tsr_kind_relu_pe;
        double bound = sqrt(6.0 / (double)net->fan_in[l]) / (first ? 3 : net->omega[l]);
        fill(values + net->weight_at[l], net->fan_in[l] * net->fan_out[l], bound, seed + 2 * l);
        fill(values + net->bias_at[l], net->fan_out[l], bound, seed + 2 * l + 1);
    }
}

static double *doubles(size_t n) {
    double *p = calloc(n + 1, sizeof *p);
    assert_non_null(p);
    return p;
}

/* ---- the plain computation -------------------------------------------------------------------
 * Ordinary back-propagation in double on dual numbers (value, derivative along v): its tangent is
 * the Hessian-vector product, without any formula of the R-operator. */

struct dual {
    double v, t;
};

static struct dual add_product(struct dual sum, struct dual a, struct dual b) {
    return (struct dual){sum.v + a.v * b.v, sum.t + a.v * b.t + a.t * b.v};
}

static struct dual parameter(const double *phi, const double *v, size_t i) {
    return (struct dual){phi[i], v[i]};
}

struct plain_point {
    struct dual *a, *slope, *d; /* [n_layers + 1, stride]; row l is the input of layer l */
    size_t stride;
    double nearest_kink; /* least |z| of all units that are not smooth there */
};

static struct plain_point make_plain(const struct tsr_net *net) {
    struct plain_point s = {.stride = net->width + net->fan_in[0] + TSR_MAX_DIM};
    size_t size = (net->n_layers + 1) * s.stride * sizeof *s.a;
    s.a = malloc(size), s.slope = malloc(size), s.d = malloc(size);
    assert_true(s.a && s.slope && s.d);
    return s;
}

static void free_plain(struct plain_point *s) {
    free(s->a), free(s->slope), free(s->d);
}

/* The encoding as its formula says; libm reduces angles of any size exactly, and these are exact:
 * a sum of two doubles. */
static void plain_encoding(const struct tsr_net *net, const double *x, double *a) {
    size_t octaves = net->octaves, angles = net->in_dim * octaves;
    if (octaves == 0) memcpy(a, x, net->in_dim * sizeof *a);
    for (size_t i = 0; i < angles; i++) {
        double high = x[i / octaves] * net->pe_omega,
               low = fma(x[i / octaves], net->pe_omega, -high);
        high = ldexp(high, (int)(i % octaves)), low = ldexp(low, (int)(i % octaves));
        a[i] = sin(high) * cos(low) + cos(high) * sin(low);
        a[angles + i] = cos(high) * cos(low) - sin(high) * sin(low);
    }
}

static void plain_activation(const struct tsr_net *net, size_t l, struct dual z,
                             struct plain_point *s, struct dual *a, struct dual *slope) {
    double w = net->omega[l], sine = sin(w * z.v), cosine = cos(w * z.v);
    if (l + 1 == net->n_layers) {
        *a = (struct dual){z.v + net->output_offset, z.t};
    } else if (net->kind == &tsr_kind_siren) {
        *a = (struct dual){sine, w * cosine * z.t};
        *slope = (struct dual){w * cosine, -w * w * sine * z.t};
    } else if (net->kind == &tsr_kind_gaussian) {
        double value = exp(-w * w * z.v * z.v), first = -2 * w * w * z.v * value;
        *a = (struct dual){value, first * z.t};
        *slope = (struct dual){first, -2 * w * w * (value + z.v * first) * z.t};
    } else if (net->kind == &tsr_kind_finer) {
        double angle = w * (fabs(z.v) + 1) * z.v, rate = w * (2 * fabs(z.v) + 1);
        double second = w * (z.v > 0 ? 2 : -2) * cos(angle) - rate * rate * sin(angle);
        *a = (struct dual){sin(angle), rate * cos(angle) * z.t};
        *slope = (struct dual){rate * cos(angle), second * z.t};
        s->nearest_kink = fmin(s->nearest_kink, fabs(z.v));
    } else {
        *a = z.v > 0 ? z : (struct dual){0, 0};
        *slope = (struct dual){z.v > 0, 0};
        s->nearest_kink = fmin(s->nearest_kink, fabs(z.v));
    }
}

static void plain_forward(const struct tsr_net *net, const double *phi, const double *v,
                          const double *x, struct plain_point *s) {
    double *input = doubles(net->fan_in[0]);
    s->nearest_kink = INFINITY;
    plain_encoding(net, x, input);
    for (size_t i = 0; i < net->fan_in[0]; i++)
        s->a[i] = (struct dual){input[i], 0};
    free(input);
    for (size_t l = 0; l < net->n_layers; l++) {
        const struct dual *a = s->a + l * s->stride;
        for (size_t o = 0; o < net->fan_out[l]; o++) {
            struct dual z = parameter(phi, v, net->bias_at[l] + o),
                        *to = s->a + (l + 1) * s->stride;
            for (size_t i = 0; i < net->fan_in[l]; i++) {
                size_t at = net->weight_at[l] + o * net->fan_in[l] + i;
                z = add_product(z, parameter(phi, v, at), a[i]);
            }
            plain_activation(net, l, z, s, &to[o], &s->slope[(l + 1) * s->stride + o]);
        }
    }
}

static double plain_backward(const struct tsr_net *net, const double *phi, const double *v,
                             const double *y, double scale, struct plain_point *s, double *grad,
                             double *hv) {
    double error = 0;
    for (size_t c = 0; c < net->out_dim; c++) {
        struct dual f = s->a[net->n_layers * s->stride + c];
        error += (f.v - y[c]) * (f.v - y[c]);
        s->d[net->n_layers * s->stride + c] =
            (struct dual){2 * scale * (f.v - y[c]), 2 * scale * f.t};
    }
    const struct dual zero = {0, 0}, one = {1, 0};
    for (size_t l = net->n_layers; l-- > 0;) {
        struct dual *a = s->a + l * s->stride, *below = s->d + l * s->stride;
        for (size_t i = 0; i < net->fan_in[l]; i++)
            below[i] = zero;
        for (size_t o = 0; o < net->fan_out[l]; o++) {
            struct dual d = s->d[(l + 1) * s->stride + o];
            grad[net->bias_at[l] + o] += d.v;
            hv[net->bias_at[l] + o] += d.t;
            for (size_t i = 0; i < net->fan_in[l]; i++) {
                size_t at = net->weight_at[l] + o * net->fan_in[l] + i;
                struct dual g = add_product(zero, d, a[i]);
                grad[at] += g.v;
                hv[at] += g.t;
                below[i] = add_product(below[i], parameter(phi, v, at), d);
            }
        }
        for (size_t i = 0; i < net->fan_in[l]; i++)
            below[i] = add_product(zero, below[i], l ? s->slope[l * s->stride + i] : one);
    }
    return error;
}

/* The Gauss-Newton product is the gradient for targets from which the outputs differ by J v. */
static void plain_gauss_newton(const struct tsr_net *net, const double *phi, const double *v,
                               double scale, struct plain_point *s, double *gn) {
    double *y = doubles(net->out_dim), *unused = doubles(net->n_params);
    for (size_t c = 0; c < net->out_dim; c++) {
        struct dual f = s->a[net->n_layers * s->stride + c];
        y[c] = f.v - f.t;
    }
    (void)plain_backward(net, phi, v, y, scale, s, gn, unused);
    free(y), free(unused);
}

static double plain(const struct tsr_net *net, const double *phi, const double *v, const double *x,
                    const double *y, size_t n, double scale, double *grad, double *hv, double *gn,
                    double *out) {
    struct plain_point s = make_plain(net);
    double error = 0;
    for (size_t p = 0; p < n; p++) {
        plain_forward(net, phi, v, x + p * net->in_dim, &s);
        error += plain_backward(net, phi, v, y + p * net->out_dim, scale, &s, grad, hv);
        plain_gauss_newton(net, phi, v, scale, &s, gn);
        for (size_t c = 0; c < net->out_dim; c++)
            out[p * net->out_dim + c] = s.a[net->n_layers * s.stride + c].v;
    }
    free_plain(&s);
    return error;
}

/* Draws points again that lie so near to a kink of a unit or of its slope that rounding, or the
 * step of a finite difference, could cross it. */
static void leave_kinks(const struct tsr_net *net, const double *phi, double *x, size_t n,
                        uint64_t seed) {
    double margin = fmin(1e-3, 0.02 / (double)(net->width * (net->n_layers - 1)));
    struct plain_point s = make_plain(net);
    for (size_t p = 0; p < n;) {
        plain_forward(net, phi, phi, x + p * net->in_dim, &s);
        if (s.nearest_kink > margin)
            p++;
        else
            fill(x + p * net->in_dim, net->in_dim, 1, ++seed * 8191);
    }
    free_plain(&s);
}

/* ---- comparison -------------------------------------------------------------------------- */

static double largest(const double *values, size_t n) {
    double m = 0;
    for (size_t i = 0; i < n; i++)
        m = fmax(m, fabs(values[i]));
    return m;
}

/* Largest deviation relative to the largest wanted entry; infinite if anything is not finite. */
static double deviation(const double *got, const double *want, size_t n) {
    double scale = largest(want, n), worst = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(got[i]) || !isfinite(want[i])) return INFINITY;
        worst = fmax(worst, fabs(got[i] - want[i]));
    }
    return worst > 0 ? worst / scale : 0;
}

/* Every coordinate for itself: also the small ones must have the right sign and size. */
static bool same_derivative(const double *got, const double *want, size_t n, double relative) {
    double floor_ = 1e-4 * relative * largest(want, n) + 1e-9;
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= relative * fabs(want[i]) + floor_)) return false;
    return n > 0;
}

/* ---- guarded memory ---------------------------------------------------------------------- */

enum { GUARD = 192, PATTERN = 0xA5 };

/* `size` bytes at `p` between guard bytes; `p` lies `shift` bytes past an aligned address. */
struct guarded {
    unsigned char *base, *p;
    size_t size, total;
};

/* The bytes themselves start as 0xFF, that is as NaN. */
static struct guarded guard(size_t size, size_t shift) {
    struct guarded g = {.size = size};
    g.total = (GUARD + shift + size + GUARD + 63) / 64 * 64;
    g.base = aligned_alloc(64, g.total);
    assert_non_null(g.base);
    memset(g.base, PATTERN, g.total);
    g.p = g.base + GUARD + shift;
    memset(g.p, 0xFF, size);
    return g;
}

static bool intact(const struct guarded *g) {
    for (size_t i = 0; i < g->total; i++) {
        bool inside = g->base + i >= g->p && g->base + i < g->p + g->size;
        if (!inside && g->base[i] != PATTERN) return false;
    }
    return true;
}

/* An array aligned to its type only. */
static struct guarded guard_reals(const double *values, size_t n) {
    struct guarded g = guard(n * sizeof(tsr_real), sizeof(tsr_real));
    for (size_t i = 0; values && i < n; i++)
        ((tsr_real *)g.p)[i] = (tsr_real)values[i];
    return g;
}

static void read_back(const struct guarded *g, const double *start, double *to) {
    for (size_t i = 0; i < g->size / sizeof(tsr_real); i++)
        to[i] = (double)((tsr_real *)g->p)[i] - (start ? start[i] : 0);
}

static void release(struct guarded *g) {
    assert_true(intact(g));
    free(g->base);
}

/* ---- one kernel on one case -------------------------------------------------------------- */

struct test_case {
    struct tsr_net net;
    size_t n;
    double scale;
    double *phi, *v, *x, *y, *start; /* inputs; `start` is in the accumulators beforehand */
    double *grad, *hv, *gn, *out, *got, error; /* the plain results */
};

/* Where the points lie: in rows of `columns`, the first of which lacks `first` of them, along one
 * coordinate; 0 columns: anywhere. */
struct place {
    size_t columns, first, along;
};

static void fill_lattice(struct place place, double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t row = (place.first + i) / place.columns, column = (place.first + i) % place.columns;
        x[2 * i + place.along] = (double)(tsr_real)(0.13 * (double)column - 0.9);
        x[2 * i + 1 - place.along] = (double)(tsr_real)(0.7 - 0.11 * (double)row);
    }
}

/* Directions that move nothing that is fixed. */
static void still(const struct tsr_net *net, double *v) {
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t weights = net->fan_in[l] * net->fan_out[l];
        if (l < net->n_fixed) memset(v + net->bias_at[l], 0, net->fan_out[l] * sizeof *v);
        if (l < net->n_fixed || net->weights_fixed)
            memset(v + net->weight_at[l], 0, weights * sizeof *v);
    }
}

static struct test_case make_case(struct tsr_net net, size_t n, struct place place, uint64_t seed) {
    struct test_case t = {.net = net, .n = n, .scale = 0.7 / (double)(n ? n * net.out_dim : 1)};
    size_t params = net.n_params, outs = n * net.out_dim;
    t.phi = doubles(params), t.v = doubles(params), t.start = doubles(params);
    t.x = doubles(n * net.in_dim), t.y = doubles(outs), t.out = doubles(outs);
    t.grad = doubles(params), t.hv = doubles(params), t.gn = doubles(params),
    t.got = doubles(params + outs);
    fill_parameters(&net, t.phi, seed);
    fill_parameters(&net, t.v, seed + 1000);
    fill(t.x, n * net.in_dim, 1, seed + 2000);
    if (place.columns) fill_lattice(place, t.x, n);
    still(&net, t.v);
    leave_kinks(&net, t.phi, t.x, n, seed + 3000);
    fill(t.y, outs, 1, seed + 2001);
    t.error = plain(&net, t.phi, t.v, t.x, t.y, n, t.scale, t.grad, t.hv, t.gn, t.out);
    for (size_t i = 0; i < 3; i++)
        still(&net, (double *[]){t.grad, t.hv, t.gn}[i]);
    fill(t.start, params, 0.25 * largest(t.grad, params), seed + 2002);
    return t;
}

static void free_case(struct test_case *t) {
    double *all[] = {t->phi, t->v, t->x, t->y, t->start, t->grad, t->hv, t->gn, t->out, t->got};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void check(const struct test_case *t, const struct tsr_kernel *k, const char *what,
                  double got, double allowed) {
    if (got <= allowed) return;
    fail_msg("%s: %s deviates by %g (allowed %g); %s, in %zu, octaves %zu, width %zu, layers "
             "%zu, out %zu, n %zu",
             k->name, what, got, allowed, t->net.kind->object.name, t->net.in_dim, t->net.octaves,
             t->net.width, t->net.n_layers, t->net.out_dim, t->n);
}

/* Everything that a call needs, in guarded memory. */
struct buffers {
    struct guarded phi, v, x, y, grad, hv, out, workspace, forward, backward;
    struct tsr_points points;
    struct tsr_tape tape; /* forward, backward */
};

static struct buffers make_buffers(const struct test_case *t, const struct tsr_kernel *k) {
    size_t params = t->net.n_params, outs = t->n * t->net.out_dim;
    struct tsr_tape_size tape = {0, 0};
    if (k->tape_size) tape = k->tape_size(&t->net, t->n);
    struct buffers b = {
        .phi = guard_reals(t->phi, params),
        .v = guard_reals(t->v, params),
        .x = guard_reals(t->x, t->n * t->net.in_dim),
        .y = guard_reals(t->y, outs),
        .grad = guard_reals(t->start, params),
        .hv = guard_reals(t->start, params),
        .out = guard_reals(NULL, outs),
        .workspace = guard(k->workspace_size(&t->net), 0),
        .forward = guard(tape.forward, 0),
        .backward = guard(tape.backward, 0),
    };
    b.tape = (struct tsr_tape){b.forward.p, b.backward.p};
    b.points = (struct tsr_points){.x = (tsr_real *)b.x.p, .y = (tsr_real *)b.y.p, .n = t->n};
    return b;
}

static void free_buffers(struct buffers *b) {
    struct guarded *all[] = {&b->phi, &b->v,   &b->x,         &b->y,       &b->grad,
                             &b->hv,  &b->out, &b->workspace, &b->forward, &b->backward};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
}

static double call_gradient(const struct test_case *t, const struct tsr_kernel *k,
                            struct buffers *b, bool out, bool tape) {
    return k->gradient(&t->net, (tsr_real *)b->phi.p, &b->points, t->scale, (tsr_real *)b->grad.p,
                       out ? (tsr_real *)b->out.p : NULL, tape && k->tape_size ? &b->tape : NULL,
                       b->workspace.p);
}

static void call_hvp(const struct test_case *t, const struct tsr_kernel *k, struct buffers *b,
                     bool tape) {
    k->hvp(&t->net, (tsr_real *)b->phi.p, (tsr_real *)b->v.p, &b->points, t->scale,
           (tsr_real *)b->hv.p, tape && k->tape_size ? &b->tape : NULL, b->workspace.p);
}

/* Overwrites hv. */
static void call_gauss_newton(const struct test_case *t, const struct tsr_kernel *k,
                              struct buffers *b, bool tape) {
    for (size_t i = 0; i < t->net.n_params; i++)
        ((tsr_real *)b->hv.p)[i] = (tsr_real)t->start[i];
    k->gauss_newton(&t->net, (tsr_real *)b->phi.p, (tsr_real *)b->v.p, b->points.x, t->n, t->scale,
                    (tsr_real *)b->hv.p, tape && k->tape_size ? b->tape.forward : NULL,
                    b->workspace.p);
}

static bool same_bytes(const struct guarded *a, const struct guarded *b) {
    return a->size == b->size && memcmp(a->p, b->p, a->size) == 0;
}

static struct guarded copy_of(const struct guarded *g) {
    struct guarded copy = guard(g->size, 0);
    memcpy(copy.p, g->p, g->size);
    return copy;
}

/* What a call has added, without what belongs to fixed parameters. */
static void read_asked(const struct test_case *t, const struct guarded *result) {
    read_back(result, t->start, t->got);
    still(&t->net, t->got);
}

/* The error in double and the two accumulators of one gradient and one Hessian-vector call. */
static void check_derivatives(const struct test_case *t, const struct tsr_kernel *k, bool with_out,
                              bool with_tape) {
    size_t params = t->net.n_params;
    struct buffers b = make_buffers(t, k);
    double error = call_gradient(t, k, &b, with_out, with_tape);
    check(t, k, "error", deviation(&error, &t->error, 1), tolerance);
    read_asked(t, &b.grad);
    check(t, k, "gradient", deviation(t->got, t->grad, params), tolerance);
    if (with_out) {
        read_back(&b.out, NULL, t->got);
        check(t, k, "output", deviation(t->got, t->out, t->n * t->net.out_dim), tolerance);
    }
    struct guarded forward = copy_of(&b.forward), backward = copy_of(&b.backward);
    memset(b.workspace.p, 0xFF, b.workspace.size);
    call_hvp(t, k, &b, with_tape);
    read_asked(t, &b.hv);
    check(t, k, with_tape ? "hvp with tape" : "hvp", deviation(t->got, t->hv, params),
          hvp_tolerance);
    memset(b.workspace.p, 0xFF, b.workspace.size);
    call_gauss_newton(t, k, &b, with_tape);
    read_asked(t, &b.hv);
    check(t, k, with_tape ? "Gauss-Newton with tape" : "Gauss-Newton",
          deviation(t->got, t->gn, params), hvp_tolerance);
    assert_true(same_bytes(&forward, &b.forward) && same_bytes(&backward, &b.backward));
    release(&forward);
    release(&backward);
    free_buffers(&b);
}

static void check_forward(const struct test_case *t, const struct tsr_kernel *k) {
    struct buffers b = make_buffers(t, k);
    k->forward(&t->net, (tsr_real *)b.phi.p, b.points.x, t->n, (tsr_real *)b.out.p, b.workspace.p);
    read_back(&b.out, NULL, t->got);
    check(t, k, "forward", deviation(t->got, t->out, t->n * t->net.out_dim), tolerance);
    free_buffers(&b);
}

/* backward() from what record() wrote, against gradient(). */
static void check_halves_once(const struct test_case *t, const struct tsr_kernel *k,
                              struct buffers *whole, struct buffers *half, bool keep) {
    struct tsr_tape tape = {half->tape.forward, keep ? half->tape.backward : NULL};
    double want = call_gradient(t, k, whole, true, true);
    memset(half->workspace.p, 0, half->workspace.size);
    double error = k->backward(&t->net, (tsr_real *)half->phi.p, &half->points, t->scale,
                               (tsr_real *)half->grad.p, keep ? (tsr_real *)half->out.p : NULL,
                               &tape, half->workspace.p);
    assert_memory_equal(&error, &want, sizeof error);
    assert_true(same_bytes(&half->grad, &whole->grad));
    if (keep) assert_true(same_bytes(&half->out, &whole->out));
}

/* gradient() in two halves gives its bits; so does hvp() after them; and the forward part serves
 * again, for other targets. */
static void check_halves(const struct test_case *t, const struct tsr_kernel *k) {
    if (!k->record) {
        assert_true(!k->backward && !k->tape_size);
        return;
    }
    struct buffers a = make_buffers(t, k), b = make_buffers(t, k);
    k->record(&t->net, (tsr_real *)b.phi.p, b.points.x, t->n, b.tape.forward, b.workspace.p);
    struct guarded forward = copy_of(&b.forward);
    check_halves_once(t, k, &a, &b, true);
    call_hvp(t, k, &a, true);
    call_hvp(t, k, &b, true);
    assert_true(same_bytes(&a.hv, &b.hv));
    for (size_t i = 0; i < t->n * t->net.out_dim; i++) {
        tsr_real y = 1 - 2 * ((tsr_real *)a.y.p)[i];
        ((tsr_real *)a.y.p)[i] = ((tsr_real *)b.y.p)[i] = y;
    }
    check_halves_once(t, k, &a, &b, false);
    assert_true(same_bytes(&forward, &b.forward));
    release(&forward);
    free_buffers(&a);
    free_buffers(&b);
}

static void check_repeatable(const struct test_case *t, const struct tsr_kernel *k) {
    struct buffers a = make_buffers(t, k), b = make_buffers(t, k);
    memset(b.workspace.p, 0, b.workspace.size);
    double first = call_gradient(t, k, &a, true, true);
    double second = call_gradient(t, k, &b, true, true);
    call_hvp(t, k, &a, true);
    call_hvp(t, k, &b, true);
    assert_memory_equal(&first, &second, sizeof first);
    assert_true(same_bytes(&a.grad, &b.grad) && same_bytes(&a.hv, &b.hv) &&
                same_bytes(&a.out, &b.out));
    free_buffers(&a);
    free_buffers(&b);
}

static void check_all(const struct test_case *t) {
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        check_forward(t, *k);
        check_derivatives(t, *k, true, false);
        check_derivatives(t, *k, false, true);
        check_repeatable(t, *k);
        check_halves(t, *k);
    }
}

/* Under an emulator the largest cases take minutes each; scripts/check-arm64 leaves them out. */
static bool is_too_large(const struct tsr_net *net, size_t n) {
    return getenv("TSR_EMULATED") && net->n_params * n > 300000;
}

static void check_case_at(struct tsr_net net, size_t n, struct place place, uint64_t seed) {
    if (is_too_large(&net, n)) return;
    struct test_case t = make_case(net, n, place, seed);
    check_all(&t);
    free_case(&t);
}

static void check_case(struct tsr_net net, size_t n, uint64_t seed) {
    check_case_at(net, n, (struct place){0}, seed);
}

/* ---- parity ------------------------------------------------------------------------------ */

static size_t draw(uint64_t index, size_t from, size_t count) {
    return from + (size_t)tsr_random_below(7, TSR_STREAM_USER, index, count);
}

static void check_widths(const size_t *widths, size_t n_widths, size_t most_layers) {
    static const size_t points[] = {0, 1, 2, 15, 16, 47, 48, 49, 121, 500};
    for (size_t w = 0; w < n_widths; w++)
        for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
            uint64_t index = 1000 * widths[w] + 10 * i;
            size_t n_layers = draw(index, 2, points[i] < 200 ? most_layers - 1 : 2);
            struct tsr_net net =
                make_net(draw(index + 1, 1, 3), widths[w], n_layers, draw(index + 2, 1, 5));
            check_case(net, points[i], index);
        }
}

static void narrow_networks_agree(void **state) {
    (void)state;
    static const size_t widths[] = {1, 3, 8, 16, 17, 32, 33};
    check_widths(widths, sizeof widths / sizeof *widths, 5);
}

static void wide_networks_agree(void **state) {
    (void)state;
    static const size_t widths[] = {64, 100, 128, 200, 256};
    check_widths(widths, sizeof widths / sizeof *widths, 4);
}

/* Every combination of small dimensions once, with a number of points that leaves remainders. */
static void small_dimensions_agree(void **state) {
    (void)state;
    static const size_t widths[] = {5, 8, 16, 24};
    for (size_t in = 1; in <= 3; in++)
        for (size_t out = 1; out <= 5; out++)
            for (size_t n_layers = 2; n_layers <= 5; n_layers++)
                check_case(make_net(in, widths[(in + out + n_layers) % 4], n_layers, out),
                           3 + 7 * in + 11 * out, 100 * in + 10 * out + n_layers);
}

static void large_dimensions_agree(void **state) {
    (void)state;
    check_case(make_net(64, 40, 3, 64), 70, 1);
    check_case(make_net(7, 20, 3, 17), 300, 2);
    check_case(make_net(2, 700, 3, 9), 20, 3);
    check_case(make_net(2, 16, 12, 3), 60, 4);
    check_case(make_net(2, 8, 3, 3), 3000, 5);
}

static void relu_networks_agree(void **state) {
    (void)state;
    static const size_t widths[] = {1, 5, 8, 16, 17, 32, 40, 64, 100},
                        points[] = {0, 1, 2, 47, 130, 300}, octaves[] = {0, 1, 10, 60, 4};
    size_t index = 0;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t p = 0; p < sizeof points / sizeof *points; p++, index++) {
            size_t in = 1 + index % 3, out = 1 + index * 7 % 5, n_layers = 2 + index / 2 % 3;
            check_case(make_relu_net(in, octaves[(w + p) % 5], widths[w], n_layers, out), points[p],
                       9000 + index);
        }
    check_case(make_relu_net(2, 64, 200, 4, 3), 60, 1);
    check_case(make_relu_net(64, 64, 9, 3, 64), 20, 2);
    check_case(make_relu_net(64, 0, 40, 3, 17), 120, 3);
}

static void other_units_agree(void **state) {
    (void)state;
    static const size_t widths[] = {1, 5, 8, 16, 17, 32, 40, 64, 100},
                        points[] = {0, 1, 2, 47, 130, 300};
    size_t index = 0;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t p = 0; p < sizeof points / sizeof *points; p++, index++) {
            size_t in = 1 + index % 3, out = 1 + index * 7 % 5, n_layers = 2 + index / 2 % 3;
            check_case(make_gaussian_net(in, widths[w], n_layers, out), points[p], 12000 + index);
            check_case(make_finer_net(in, widths[w], n_layers, out), points[p], 13000 + index);
        }
    check_case(make_gaussian_net(64, 20, 3, 17), 60, 1);
    check_case(make_finer_net(7, 200, 3, 40), 60, 2);
}

/* ---- what must fail ---------------------------------------------------------------------- */

/* Rectangles of pixels, and pieces of them that begin and end within a row. */
static void lattices_agree(void **state) {
    (void)state;
    const size_t widths[] = {5, 8, 16, 20, 40};
    const struct place places[] = {{11, 0, 1}, {11, 4, 0}, {5, 3, 1}, {23, 22, 1}, {2, 0, 0}};
    for (size_t i = 0; i < 5; i++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            uint64_t seed = 60000 + 100 * i + w;
            size_t n = places[i].columns * (3 + (i + w) % 9) + draw(seed, 0, 11);
            check_case_at(make_net(2, widths[w], 2 + w % 3, 3), n, places[i], seed);
        }
    check_case_at(make_finer_net(2, 16, 3, 3), 121, places[0], 61000);
    check_case_at(make_gaussian_net(2, 16, 3, 3), 121, places[0], 61001);
}

/* One point out of line, and one row too short: no lattices. */
static void almost_lattices_agree(void **state) {
    (void)state;
    const struct place place = {9, 0, 1};
    for (size_t i = 0; i < 20; i++) {
        struct test_case t = make_case(make_net(2, 16, 3, 3), 81, place, 62000 + i);
        size_t at = draw(i, 0, 162);
        if (i < 10)
            t.x[at] += 0.05;
        else
            memmove(t.x + at / 2 * 2, t.x + at / 2 * 2 + 2, (160 - at / 2 * 2) * sizeof *t.x);
        double *sums[] = {t.grad, t.hv, t.gn};
        for (size_t k = 0; k < 3; k++)
            memset(sums[k], 0, t.net.n_params * sizeof *sums[k]);
        t.error = plain(&t.net, t.phi, t.v, t.x, t.y, t.n, t.scale, t.grad, t.hv, t.gn, t.out);
        check_all(&t);
        free_case(&t);
    }
}

/* Of networks with fixed layers or weights the rest is as it was. */
static void fixed_parts_are_left_out(void **state) {
    (void)state;
    struct tsr_net (*const make[])(size_t, size_t, size_t, size_t) = {make_net, make_finer_net};
    const size_t widths[] = {3, 8, 16, 20, 70};
    for (size_t i = 0; i < 5; i++)
        for (size_t layers = 2; layers < 5; layers++)
            for (size_t fixed = 0; fixed < layers; fixed++) {
                struct tsr_net net = make[fixed % 2](2, widths[i], layers, i % 2 ? 3 : 5);
                net.n_fixed = fixed;
                check_case(net, 30 + 20 * i, 63000 + 100 * i + 10 * layers + fixed);
                net.weights_fixed = true;
                check_case(net, 30 + 20 * i, 64000 + 100 * i + 10 * layers + fixed);
            }
}

/* With only the last layer free, one forward part serves for all of them. */
static void last_layers_share_a_forward(void **state) {
    (void)state;
    struct tsr_net net = make_net(2, 16, 4, 3);
    net.n_fixed = 3;
    struct test_case t = make_case(net, 200, (struct place){0}, 65000);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available() || !(*k)->record) continue;
        struct buffers whole = make_buffers(&t, *k), half = make_buffers(&t, *k);
        tsr_real *phi = (tsr_real *)half.phi.p;
        for (size_t i = net.weight_at[3]; i < net.n_params; i++)
            phi[i] += (tsr_real)(0.01 * (double)(i % 7));
        (*k)->record(&net, phi, half.points.x, t.n, half.tape.forward, half.workspace.p);
        memcpy(phi, whole.phi.p, net.n_params * sizeof *phi);
        check_halves_once(&t, *k, &whole, &half, false);
        free_buffers(&whole);
        free_buffers(&half);
    }
    free_case(&t);
}

static void comparison_catches_errors(void **state) {
    (void)state;
    double want[3] = {1, -1e-3, 0.5}, got[3] = {1, -1e-3, 0.5};
    assert_true(same_derivative(got, want, 3, 1e-6));
    got[1] = 1e-3;
    assert_false(same_derivative(got, want, 3, 1e-6));
    assert_false(deviation(got, want, 3) <= 1e-3);
    got[1] = (double)NAN;
    assert_false(same_derivative(got, want, 3, 1e-6));
    assert_false(deviation(got, want, 3) <= 1e-3);
    got[1] = -1.00001e-3;
    assert_false(same_derivative(got, want, 3, 1e-6));
}

static bool all_finite(const struct guarded *g) {
    for (size_t i = 0; i < g->size / sizeof(tsr_real); i++)
        if (!isfinite(((tsr_real *)g->p)[i])) return false;
    return true;
}

/* Divergence must be visible: a parameter that is not finite makes the error not finite, or, as a
 * Gaussian is 0 at infinity, the gradient. */
static void check_propagation(struct tsr_net net) {
    struct test_case t = make_case(net, 50, (struct place){0}, 11);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        for (int infinite = 0; infinite < 2; infinite++) {
            struct buffers b = make_buffers(&t, *k);
            ((tsr_real *)b.phi.p)[t.net.weight_at[1] + 5] = (tsr_real)(infinite ? INFINITY : NAN);
            bool finite = isfinite(call_gradient(&t, *k, &b, false, false));
            bool bounded = infinite && net.kind == &tsr_kind_gaussian;
            assert_false(finite && (!bounded || all_finite(&b.grad)));
            free_buffers(&b);
        }
    }
    free_case(&t);
}

static void nan_and_infinity_propagate(void **state) {
    (void)state;
    check_propagation(make_net(2, 20, 3, 3));
    check_propagation(make_relu_net(2, 5, 20, 3, 3));
    check_propagation(make_gaussian_net(2, 20, 3, 3));
    check_propagation(make_finer_net(2, 20, 3, 3));
}

/* One unit with an enormous argument: an output stays within bias + weight * [-1, 1]. */
static void huge_arguments_stay_bounded(void **state) {
    (void)state;
    struct tsr_net net = make_net(1, 1, 2, 1);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        void *workspace = aligned_alloc(64, ((*k)->workspace_size(&net) + 63) / 64 * 64);
        assert_non_null(workspace);
        for (double size = 1e3; size < 1e36; size *= 1.7) {
            tsr_real phi[4] = {(tsr_real)size, 0, 1, 0}, x[2] = {1, (tsr_real)-0.37}, out[2];
            (*k)->forward(&net, phi, x, 2, out, workspace);
            for (size_t i = 0; i < 2; i++)
                assert_true(fabs((double)out[i] - 0.5) <= 1.000001);
        }
        free(workspace);
    }
}

/* With omega = pi, weight 1 and no bias the argument in half turns is the input itself. */
static void sines_of_kernels_are_accurate(void **state) {
    (void)state;
    enum { N = 20000 };
    struct tsr_net net = make_net(1, 1, 2, 1);
    net.omega[0] = (double)PI, net.output_offset = 0;
    double *x = doubles(N), *want = doubles(N), *got = doubles(N);
    const double parameters[4] = {1, 0, 1, 0};
    fill(x, N / 2, 318, 5);
    for (int i = 0; i < N / 2; i++)
        x[N / 2 + i] = (double)(tsr_real)((i % 1273 - 636) * 0.5 + (i / 1273 - 3) * 1e-5);
    for (int i = 0; i < N; i++)
        want[i] = (double)sinl(PI * remainderl((long double)x[i], 2));
    struct guarded phi = guard_reals(parameters, 4), in = guard_reals(x, N);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available() || *k == &tsr_kernel_reference) continue;
        struct guarded out = guard_reals(NULL, N), workspace = guard((*k)->workspace_size(&net), 0);
        (*k)->forward(&net, (tsr_real *)phi.p, (tsr_real *)in.p, N, (tsr_real *)out.p, workspace.p);
        read_back(&out, NULL, got);
        double worst = deviation(got, want, N);
        if (!(worst <= sincos_bound)) fail_msg("%s: sine deviates by %g", (*k)->name, worst);
        release(&out), release(&workspace);
    }
    release(&phi), release(&in);
    free(x), free(want), free(got);
}

static void kernels_are_found_by_name(void **state) {
    (void)state;
    const struct tsr_kernel *k = NULL;
    struct tsr_error err = {0};
    assert_int_equal(tsr_kernel_find("auto", &k, &err), TSR_OK);
    assert_true(k->available());
    const struct tsr_kernel *fastest = k;
    assert_int_equal(tsr_kernel_find(NULL, &k, &err), TSR_OK);
    assert_ptr_equal(k, fastest);
    assert_int_equal(tsr_kernel_find("reference", &k, &err), TSR_OK);
    assert_string_equal(k->name, "reference");
    assert_int_equal(tsr_kernel_find("fast", &k, &err), TSR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "reference"));
}

/* ---- sine and cosine --------------------------------------------------------------------- */

static double sincos_error(double u) {
    tsr_real s, c;
    tsr_sincos((tsr_real)u, &s, &c);
    long double t = PI * remainderl((long double)(tsr_real)u, 2);
    long double error = fmaxl(fabsl((long double)s - sinl(t)), fabsl((long double)c - cosl(t)));
    return isnan(s) || isnan(c) ? (double)INFINITY : (double)error;
}

static void sine_and_cosine_are_accurate(void **state) {
    (void)state;
    const double most = 1000 / (double)PI;
    double worst = 0;
    for (double u = -most; u <= most; u += 0.000831)
        worst = fmax(worst, sincos_error(u));
    for (double u = 1e-30; u < 2; u *= 1.00037)
        worst = fmax(worst, fmax(sincos_error(u), sincos_error(-u)));
    for (int quarter = -640; quarter <= 640; quarter++)
        for (int ulp = -20; ulp <= 20; ulp++) {
            float u = 0.5f * (float)quarter;
            for (int i = 0; i < abs(ulp); i++)
                u = nextafterf(u, ulp > 0 ? INFINITY : -INFINITY);
            worst = fmax(worst, sincos_error((double)u));
        }
    if (!(worst <= sincos_bound)) fail_msg("sincos: error %g", worst);
}

static void sine_and_cosine_of_extremes(void **state) {
    (void)state;
    tsr_real s, c;
    for (double u = 1e3; u < 1e38; u *= 1.37)
        for (int sign = -1; sign <= 1; sign += 2) {
            tsr_sincos((tsr_real)(sign * u), &s, &c);
            assert_true(fabs((double)s) <= 1.0000002 && fabs((double)c) <= 1.0000002);
        }
    const tsr_real bad[] = {(tsr_real)NAN, (tsr_real)INFINITY, (tsr_real)-INFINITY};
    for (size_t i = 0; i < 3; i++) {
        tsr_sincos(bad[i], &s, &c);
        assert_true(isnan(s) && isnan(c));
    }
    tsr_sincos(0, &s, &c);
    assert_true(s == 0 && c == 1);
}

/* ---- powers of two ----------------------------------------------------------------------- */

static void powers_are_accurate(void **state) {
    (void)state;
    const double bound = sizeof(tsr_real) == sizeof(float) ? 2e-7 : 3e-16;
    double worst = 0;
    for (int i = 0; i <= 2000000; i++) {
        tsr_real x = (tsr_real)(i < 1260000 ? -1e-4 * i : -1e-6 * (i - 1260000));
        long double want = exp2l((long double)x), got = (long double)tsr_exp2(x);
        worst = fmax(worst, (double)fabsl(got / want - 1));
    }
    if (!(worst <= bound)) fail_msg("exp2: relative error %g", worst);
    assert_true(tsr_exp2(0) == 1 && tsr_exp2(-1) == (tsr_real)0.5);
    for (double x = -126.01; x > -1e38; x *= 1.37)
        assert_true(tsr_exp2((tsr_real)x) >= 0 && (double)tsr_exp2((tsr_real)x) < 0x1p-126);
    assert_true(tsr_exp2((tsr_real)-INFINITY) == 0);
    assert_true(isnan(tsr_exp2((tsr_real)NAN)));
}

/* The same of the vectors in the kernels: one Gaussian unit, for any argument. */
static void gaussians_of_kernels_are_accurate(void **state) {
    (void)state;
    enum { N = 20000 };
    struct tsr_net net = make_gaussian_net(1, 1, 2, 1);
    net.omega[0] = 1, net.output_offset = 0;
    const double parameters[4] = {1, 0, 1, 0}, bound = sizeof(tsr_real) == 4 ? 3e-7 : 1e-15;
    double *x = doubles(N), *want = doubles(N), *got = doubles(N);
    for (int i = 0; i < N; i++) {
        x[i] = (double)(tsr_real)((i % 2 ? 1 : -1) * 1e-3 * i);
        want[i] = exp(-x[i] * x[i]);
    }
    struct guarded phi = guard_reals(parameters, 4), in = guard_reals(x, N);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        struct guarded out = guard_reals(NULL, N), workspace = guard((*k)->workspace_size(&net), 0);
        (*k)->forward(&net, (tsr_real *)phi.p, (tsr_real *)in.p, N, (tsr_real *)out.p, workspace.p);
        read_back(&out, NULL, got);
        double worst = deviation(got, want, N);
        if (!(worst <= bound)) fail_msg("%s: Gaussian deviates by %g", (*k)->name, worst);
        release(&out), release(&workspace);
    }
    release(&phi), release(&in);
    free(x), free(want), free(got);
}

/* ---- the encoding ------------------------------------------------------------------------ */

static void encoding_is_accurate(void **state) {
    (void)state;
    struct tsr_net net = make_relu_net(1, TSR_MAX_OCTAVES, 1, 2, 1);
    const double omegas[] = {0.5, 0.7, 1, 3.14159265358979, 1e-3, 1e6};
    const double bound = sizeof(tsr_real) == sizeof(float) ? 3e-7 : 3e-15;
    double want[2 * TSR_MAX_OCTAVES], worst = 0;
    for (int i = 0; i < 3000; i++) {
        tsr_real u[TSR_MAX_OCTAVES + TSR_HALF_TURNS_SPARE], s, c, rounded;
        double x =
            (2 * tsr_random_uniform(3, TSR_STREAM_USER, (uint64_t)i) - 1) * ldexp(1, i % 32 - 25);
        rounded = (tsr_real)x, x = (double)rounded;
        net.pe_omega = omegas[i % 6];
        plain_encoding(&net, &x, want);
        tsr_half_turns(tsr_turns_of_one(&net), TSR_MAX_OCTAVES, &rounded, 1, u);
        for (size_t k = 0; k < TSR_MAX_OCTAVES; k++) {
            tsr_sincos(u[k], &s, &c);
            double error =
                fmax(fabs((double)s - want[k]), fabs((double)c - want[TSR_MAX_OCTAVES + k]));
            worst = fmax(worst, error - fabs(ldexp(x * net.pe_omega, (int)k - 100)));
            assert_false(isnan(s) || isnan(c));
        }
    }
    if (!(worst <= bound)) fail_msg("encoding: error %g", worst);
}

static void encoding_of_extremes(void **state) {
    (void)state;
    struct tsr_net net = make_relu_net(1, 3, 1, 2, 1);
    const tsr_real x[] = {(tsr_real)NAN, (tsr_real)INFINITY, 0, (tsr_real)-1e30};
    tsr_real u[12 + TSR_HALF_TURNS_SPARE];
    tsr_half_turns(tsr_turns_of_one(&net), 3, x, 4, u);
    for (int i = 0; i < 12; i++)
        assert_true(i / 3 == 2 ? u[i] == 0 : isnan(u[i]));
}

/* ---- derivatives, in double -------------------------------------------------------------- */
#ifdef TSR_REAL_DOUBLE

/* A network whose third derivatives leave finite differences their digits. */
static struct tsr_net smooth_net(size_t in, size_t width, size_t n_layers, size_t out) {
    struct tsr_net net = make_net(in, width, n_layers, out);
    for (size_t l = 0; l + 1 < n_layers; l++)
        net.omega[l] = l ? 2.5 : 4;
    return net;
}

struct problem {
    const struct tsr_kernel *kernel;
    struct tsr_net net;
    struct tsr_points points;
    double scale;
    void *workspace;
};

static double loss(const struct problem *p, const double *phi, double *scratch) {
    return p->scale * p->kernel->gradient(&p->net, phi, &p->points, p->scale, scratch, NULL, NULL,
                                          p->workspace);
}

static void gradient_at(const struct problem *p, const double *phi, double *grad) {
    memset(grad, 0, p->net.n_params * sizeof *grad);
    (void)p->kernel->gradient(&p->net, phi, &p->points, p->scale, grad, NULL, NULL, p->workspace);
}

static void hvp_at(const struct problem *p, const double *phi, const double *v, double *hv) {
    memset(hv, 0, p->net.n_params * sizeof *hv);
    p->kernel->hvp(&p->net, phi, v, &p->points, p->scale, hv, NULL, p->workspace);
}

static void difference_gradient(const struct problem *p, const double *phi, double *grad) {
    size_t n = p->net.n_params;
    double *moved = doubles(n), *scratch = doubles(n);
    const double h = 1e-5;
    for (size_t i = 0; i < n; i++) {
        memcpy(moved, phi, n * sizeof *moved);
        moved[i] = phi[i] + h;
        double up = loss(p, moved, scratch);
        moved[i] = phi[i] - h;
        grad[i] = (up - loss(p, moved, scratch)) / (2 * h);
    }
    free(moved), free(scratch);
}

static void difference_hvp(const struct problem *p, const double *phi, const double *v,
                           double *hv) {
    size_t n = p->net.n_params;
    double *moved = doubles(n), *down = doubles(n);
    const double h = 1e-5;
    for (size_t i = 0; i < n; i++)
        moved[i] = phi[i] - h * v[i];
    gradient_at(p, moved, down);
    for (size_t i = 0; i < n; i++)
        moved[i] = phi[i] + h * v[i];
    gradient_at(p, moved, hv);
    for (size_t i = 0; i < n; i++)
        hv[i] = (hv[i] - down[i]) / (2 * h);
    free(moved), free(down);
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void check_hessian(const struct problem *p, const struct test_case *t) {
    size_t n = p->net.n_params;
    double *hv = doubles(n), *hu = doubles(n), *want = doubles(n), *w = doubles(n);
    hvp_at(p, t->phi, t->v, hv);
    difference_hvp(p, t->phi, t->v, want);
    assert_true(same_derivative(hv, want, n, 1e-6));
    hv[n / 2] = -hv[n / 2];
    assert_false(same_derivative(hv, want, n, 1e-6));
    hv[n / 2] = -hv[n / 2];

    hvp_at(p, t->phi, t->start, hu);
    double uhv = dot(t->start, hv, n), vhu = dot(t->v, hu, n);
    double size = sqrt(dot(t->start, t->start, n) * dot(hv, hv, n));
    assert_true(size > 0 && fabs(uhv - vhu) <= 1e-13 * size);

    for (size_t i = 0; i < n; i++)
        w[i] = 2 * t->v[i] - 3 * t->start[i];
    hvp_at(p, t->phi, w, want);
    for (size_t i = 0; i < n; i++)
        w[i] = 2 * hv[i] - 3 * hu[i];
    assert_true(deviation(want, w, n) <= 1e-12);
    free(hv), free(hu), free(want), free(w);
}

static void gauss_newton_at(const struct problem *p, const double *phi, const double *v,
                            double *gv) {
    memset(gv, 0, p->net.n_params * sizeof *gv);
    p->kernel->gauss_newton(&p->net, phi, v, p->points.x, p->points.n, p->scale, gv, NULL,
                            p->workspace);
}

/* Row i of `jacobian` [n_params, outputs]: derivatives of all outputs by parameter i. */
static void difference_jacobian(const struct problem *p, const double *phi, double *jacobian) {
    size_t n = p->net.n_params, outs = p->points.n * p->net.out_dim;
    double *moved = doubles(n), *down = doubles(outs);
    const double h = 1e-5;
    memcpy(moved, phi, n * sizeof *moved);
    for (size_t i = 0; i < n; i++) {
        double *up = jacobian + i * outs;
        moved[i] = phi[i] - h;
        p->kernel->forward(&p->net, moved, p->points.x, p->points.n, down, p->workspace);
        moved[i] = phi[i] + h;
        p->kernel->forward(&p->net, moved, p->points.x, p->points.n, up, p->workspace);
        moved[i] = phi[i];
        for (size_t o = 0; o < outs; o++)
            up[o] = (up[o] - down[o]) / (2 * h);
    }
    free(moved), free(down);
}

/* 2 scale J^T J v with J from differences. */
static void difference_gauss_newton(const struct problem *p, const double *phi, const double *v,
                                    double *gv) {
    size_t n = p->net.n_params, outs = p->points.n * p->net.out_dim;
    double *jacobian = doubles(n * outs), *jv = doubles(outs);
    difference_jacobian(p, phi, jacobian);
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < outs; o++)
            jv[o] += jacobian[i * outs + o] * v[i];
    for (size_t i = 0; i < n; i++)
        gv[i] = 2 * p->scale * dot(jacobian + i * outs, jv, outs);
    free(jacobian), free(jv);
}

static void check_gauss_newton(const struct problem *p, const struct test_case *t) {
    size_t n = p->net.n_params, outs = p->points.n * p->net.out_dim;
    double *gv = doubles(n), *gu = doubles(n), *want = doubles(n), *f = doubles(outs);
    gauss_newton_at(p, t->phi, t->v, gv);
    difference_gauss_newton(p, t->phi, t->v, want);
    assert_true(same_derivative(gv, want, n, 1e-6));
    gv[n / 2] = -gv[n / 2];
    assert_false(same_derivative(gv, want, n, 1e-6));
    gv[n / 2] = -gv[n / 2];

    gauss_newton_at(p, t->phi, t->start, gu);
    double size = sqrt(dot(t->start, t->start, n) * dot(gv, gv, n));
    assert_true(fabs(dot(t->start, gv, n) - dot(t->v, gu, n)) <= 1e-13 * size);
    assert_true(dot(t->v, gv, n) > 0 && dot(t->start, gu, n) > 0);

    /* The Hessian adds what the residual bends, and nothing where there is none. */
    hvp_at(p, t->phi, t->v, want);
    assert_false(deviation(gv, want, n) <= 1e-3);
    struct problem exact = *p;
    p->kernel->forward(&p->net, t->phi, p->points.x, p->points.n, f, p->workspace);
    exact.points.y = f;
    hvp_at(&exact, t->phi, t->v, want);
    assert_true(deviation(gv, want, n) <= 1e-12);
    free(gv), free(gu), free(want), free(f);
}

/* The same comparison must refuse a slope that is wrong by a thousandth. */
static void check_wrong_slope(const struct problem *p, const struct test_case *t,
                              const double *want) {
    struct problem wrong = *p;
    double *grad = doubles(p->net.n_params);
    wrong.net.omega[0] *= 1.001;
    wrong.net.pe_omega *= 1.001;
    if (p->net.kind == &tsr_kind_relu_pe && p->net.octaves == 0) wrong.net.output_offset += 0.001;
    gradient_at(&wrong, t->phi, grad);
    assert_false(same_derivative(grad, want, p->net.n_params, 1e-6));
    free(grad);
}

static void check_differences(const struct tsr_kernel *k, struct tsr_net net, size_t n) {
    struct test_case t = make_case(net, n, (struct place){0}, 77 + n);
    struct problem p = {.kernel = k, .net = net, .scale = t.scale};
    p.points = (struct tsr_points){.x = t.x, .y = t.y, .n = n};
    p.workspace = aligned_alloc(64, (k->workspace_size(&net) + 63) / 64 * 64);
    assert_non_null(p.workspace);
    double *grad = doubles(net.n_params), *want = doubles(net.n_params);
    gradient_at(&p, t.phi, grad);
    difference_gradient(&p, t.phi, want);
    assert_true(same_derivative(grad, want, net.n_params, 1e-6));
    check_wrong_slope(&p, &t, want);
    check_hessian(&p, &t);
    check_gauss_newton(&p, &t);
    free(grad), free(want), free(p.workspace);
    free_case(&t);
}

static void derivatives_match_differences(void **state) {
    (void)state;
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        check_differences(*k, smooth_net(2, 6, 4, 3), 9);
        check_differences(*k, smooth_net(1, 4, 2, 1), 5);
        check_differences(*k, smooth_net(3, 5, 3, 2), 1);
        check_differences(*k, smooth_net(2, 9, 5, 4), 20);
        check_differences(*k, make_gaussian_net(2, 6, 4, 3), 9);
        check_differences(*k, make_gaussian_net(3, 5, 2, 2), 4);
        check_differences(*k, make_finer_net(2, 6, 3, 3), 9);
        check_differences(*k, make_finer_net(1, 5, 2, 2), 6);
        check_differences(*k, make_relu_net(2, 3, 6, 4, 3), 9);
        check_differences(*k, make_relu_net(1, 0, 7, 3, 1), 6);
        check_differences(*k, make_relu_net(3, 1, 9, 2, 5), 1);
        check_differences(*k, make_relu_net(1, 60, 5, 3, 2), 20);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sine_and_cosine_are_accurate),
        cmocka_unit_test(sine_and_cosine_of_extremes),
        cmocka_unit_test(sines_of_kernels_are_accurate),
        cmocka_unit_test(kernels_are_found_by_name),
        cmocka_unit_test(lattices_agree),
        cmocka_unit_test(almost_lattices_agree),
        cmocka_unit_test(fixed_parts_are_left_out),
        cmocka_unit_test(last_layers_share_a_forward),
        cmocka_unit_test(comparison_catches_errors),
#ifdef TSR_REAL_DOUBLE
        cmocka_unit_test(derivatives_match_differences),
#endif
        cmocka_unit_test(narrow_networks_agree),
        cmocka_unit_test(wide_networks_agree),
        cmocka_unit_test(relu_networks_agree),
        cmocka_unit_test(other_units_agree),
        cmocka_unit_test(powers_are_accurate),
        cmocka_unit_test(gaussians_of_kernels_are_accurate),
        cmocka_unit_test(encoding_is_accurate),
        cmocka_unit_test(encoding_of_extremes),
        cmocka_unit_test(small_dimensions_agree),
        cmocka_unit_test(large_dimensions_agree),
        cmocka_unit_test(nan_and_infinity_propagate),
        cmocka_unit_test(huge_arguments_stay_bounded),
    };
    return cmocka_run_group_tests_name("inner/kernels", tests, NULL, NULL);
}
