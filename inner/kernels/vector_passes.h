/* SPDX-License-Identifier: MIT
 *
 * The passes over a tile, and the calls of the seam made of them. Part of
 * kernel_vector.h, a template.
 */

static void NAME(pack_forward)(const struct plan *p, const float *parameters, float offset,
                               size_t from, float *const *to, float *const *bias) {
    const struct tsr_net *net = p->net;
    size_t last = net->n_layers - 1;
    for (size_t l = from; l < last; l++) {
        float scale = (float)p->ops->scale(net->omega[l]);
        const float *w = parameters + net->weight_at[l];
        NAME(pack_transposed)(net->width, net->fan_in[l], w, scale, to[l]);
        NAME(pack_bias)(net->width, parameters + net->bias_at[l], scale, 0, bias[l]);
    }
    const float *w = parameters + net->weight_at[last];
    NAME(pack_outputs)(net->out_dim, net->width, w, to[last]);
    NARROW(pack_bias)(net->out_dim, parameters + net->bias_at[last], 1, offset, bias[last]);
}

static void NAME(pack_backward)(const struct plan *p, const float *parameters, float *const *to) {
    const struct tsr_net *net = p->net;
    for (size_t l = 1; l < net->n_layers; l++) {
        const float *w = parameters + net->weight_at[l];
        size_t out = net->fan_out[l], rows = round_up(out, 4);
        NAME(pack)(out, net->width, w, (float)net->omega[l - 1], to[l]);
        memset(to[l] + out * p->columns, 0, (rows - out) * p->columns * sizeof *to[l]);
    }
}

static void NAME(store_outputs)(const struct plan *p, const float *f, size_t m, float *out) {
    size_t n = p->net->out_dim;
    for (size_t c = 0; c < n; c += 4) {
        size_t count = n - c < 4 ? n - c : 4;
        NARROW(copy_columns)(m, count, f + c, p->out_row, out + c, n);
    }
}

/* d of the last layer from the outputs f of m points; returns the squared error. */
static double NAME(residual_tile)(const struct plan *p, const float *y, size_t m, float factor,
                                  const float *f, float *d) {
    size_t out = p->net->out_dim, done = 0;
    double error = out == 3 ? NAME(colour_residual)(m, factor, y, f, d, &done) : 0;
    const float *rest = y + done * out;
    size_t at = done * p->out_row, n = m - done;
    for (size_t c = 0; n > 0 && c < out; c += 4)
        error += NARROW(residual)(n, factor, out - c, rest + c, out, n * out - c, f + at + c,
                                  d + at + c, p->out_row);
    return error;
}

/* The encoding of m points, sin and cos of all angles: vectors of a row from last to first, so that
 * what the last one writes too much is overwritten by the cosines, or by the next row. */
static void NAME(encode_tile)(const struct plan *p, const struct record *r, const float *x,
                              size_t m) {
    const struct tsr_net *net = p->net;
    size_t angles = net->in_dim * net->octaves;
    tsr_half_turns(tsr_turns_of_one(net), net->octaves, x, m * net->in_dim, p->half_turns);
    for (size_t i = 0; i < m; i++) {
        float *row = r->encoded + i * p->in_row;
        for (size_t at = round_up(angles, LANES); at > 0;) {
            VEC s, c;
            at -= LANES;
            NAME(sincos)(*(NAME(unaligned) *)(p->half_turns + i * angles + at), &s, &c);
            *(NAME(unaligned) *)(row + at) = s;
            *(NAME(unaligned) *)(row + angles + at) = c;
        }
    }
}

/* Inputs of layer 0, whose points are x. */
static const float *NAME(inputs)(const struct record *r, const float *x) {
    return r->encoded ? r->encoded : x;
}

static void NAME(last_forward)(const struct plan *p, const struct record *r, size_t m) {
    size_t last = p->net->n_layers - 1;
    NAME(outputs)
    (p, m, p->bias[last], r->s + (last - 1) * p->layer, p->forward[last], NULL, NULL, r->f);
}

/* m points x, number `at` and following of the call. */
static void NAME(forward_tile)(const struct plan *p, const struct record *r, const float *x,
                               size_t at, size_t m, bool slopes) {
    size_t last = p->net->n_layers - 1;
    if (r->encoded) NAME(encode_tile)(p, r, x, m);
    if (p->lattice.columns) NAME(lattice_tile)(p, r, at, m, slopes && p->net->n_fixed == 0);
    for (size_t l = p->lattice.columns ? 1 : 0; l < last; l++) {
        struct job j = {.rows = m, .vecs = p->vecs, .row = p->row, .bias = p->bias[l]};
        j.a_row = l ? p->row : p->in_row;
        j.padded = l > 0 || r->encoded;
        j.sum[0].a = l ? r->s + (l - 1) * p->layer : NAME(inputs)(r, x);
        j.sum[0].b = p->forward[l];
        j.sum[0].k = p->net->fan_in[l];
        j.to = r->s + l * p->layer;
        j.to2 = r->c + l * p->sloped;
        j.to3 = r->n + l * p->bent;
        j.omega = (float)p->net->omega[l];
        (slopes && l >= p->net->n_fixed ? p->ops->slopes : p->ops->values)(&j);
    }
    NAME(last_forward)(p, r, m);
}

/* d of layer l; without a tape only two layers are kept. */
static float *NAME(delta)(const struct plan *p, const struct record *r, size_t l) {
    if (l + 1 == p->net->n_layers) return r->d_out;
    return r->d + (r->e ? l : l & 1) * p->layer;
}

/* Adds the bias gradient of a layer: the sum of the rows of d. */
static void NAME(bias_tile)(const struct plan *p, size_t l, size_t m, bool fresh, const float *d) {
    if (l + 1 == p->net->n_layers)
        NARROW(sum_rows)(m, p->out_row / 4, d, p->out_row, fresh, p->bias_sum[l]);
    else
        NAME(sum_rows)(m, p->vecs, d, p->row, fresh, p->bias_sum[l]);
}

/* Adds the weight gradient of layer l: d a^T, plus d2 a2^T if d2 is not NULL. The rows of d are
 * rounded up to a multiple of 4, within its padding; those of layer 0 are the inputs. */
static void NAME(weights_tile)(const struct plan *p, size_t l, size_t m, bool fresh, const float *d,
                               const float *a, const float *d2, const float *a2) {
    bool last = l + 1 == p->net->n_layers;
    size_t d_row = last ? p->out_row : p->row;
    struct job j = {.vecs = p->vecs, .row = p->columns, .b_row = p->row, .fresh = fresh};
    j.rows = l ? round_up(p->net->fan_out[l], 4) : p->in_row;
    j.a_step = l ? d_row : p->in_row;
    j.sum[0].a = l ? d : a;
    j.sum[0].b = l ? a : d;
    j.sum[0].k = m;
    j.sum[1].a = d2;
    j.sum[1].b = a2;
    j.sum[1].k = d2 ? m : 0;
    j.to = p->weights[l];
    NAME(weights)(&j);
}

/* Adds the gradients of layer 0, whose inputs are x: of two, with one reading of d. */
static void NAME(first_tile)(const struct plan *p, size_t m, bool fresh, const float *d,
                             const float *x) {
    if (p->in_row != 2 || p->net->weights_fixed) {
        NAME(bias_tile)(p, 0, m, fresh, d);
        if (!p->net->weights_fixed) NAME(weights_tile)(p, 0, m, fresh, d, x, NULL, NULL);
        return;
    }
    for (size_t v = 0; v < p->row; v += LANES) {
        float *to[3] = {p->weights[0] + v, p->weights[0] + p->columns + v, p->bias_sum[0] + v};
        VEC sum[4][3] = {{{0}}};
        size_t begin = 0;
#ifdef PAIR
        NAME(first_pairs)(m, x, d, sum[0], &begin);
#endif
        for (size_t i = begin; i < m; i += 4)
            UNROLL for (size_t k = 0; k < 4; k++) {
                if (i + k == m) break;
                VEC e = AT(d, (i + k) * p->row + v);
                sum[k][0] = MULTIPLY_ADD(SPLAT(x[2 * (i + k)]), e, sum[k][0]);
                sum[k][1] = MULTIPLY_ADD(SPLAT(x[2 * (i + k) + 1]), e, sum[k][1]);
                sum[k][2] += e;
            }
        UNROLL for (size_t k = 0; k < 3; k++) {
            sum[0][k] = (sum[0][k] + sum[1][k]) + (sum[2][k] + sum[3][k]);
            if (!fresh) sum[0][k] += AT(to[k], 0);
            AT(to[k], 0) = sum[0][k];
        }
    }
}

/* From d of layer l to that of the layer below. */
static struct job NAME(backward_job)(const struct plan *p, const struct record *r, size_t l,
                                     size_t m) {
    struct job j = {.rows = m, .vecs = p->vecs, .row = p->row};
    j.padded = true;
    j.a_row = l + 1 == p->net->n_layers ? p->out_row : p->row;
    j.sum[0].a = NAME(delta)(p, r, l);
    j.sum[0].b = p->backward[l];
    j.sum[0].k = p->net->fan_out[l];
    j.s = r->s + (l - 1) * p->layer;
    j.c = r->c + (l - 1) * p->sloped;
    j.to = NAME(delta)(p, r, l - 1);
    j.to2 = r->e ? r->e + (l - 1) * p->sloped : NULL;
    return j;
}

static void NAME(backward_layer)(const struct plan *p, const struct job *j) {
    (p->ops->bend == BEND_NONE ? NAME(kinked_backward) : NAME(backward))(j);
}

/* Does descend() know the shape of layer l? */
static bool NAME(can_descend)(const struct plan *p, size_t l) {
    bool last = l + 1 == p->net->n_layers;
    return p->vecs == 1 && (last ? p->out_row == 4 : NAME(can_descend_to)(p->net->width));
}

/* The layer below, the weights and the biases in one. */
static void NAME(descend_layer)(const struct plan *p, size_t l, struct job *j, const float *ra,
                                bool fresh) {
    static void (*const ways[2][2])(const struct job *, const float *, float *, float *) = {
        {NAME(descend), NAME(kinked_descend)}, {NAME(few_descend), NAME(kinked_few_descend)}};
    j->fresh = fresh;
    ways[l + 1 == p->net->n_layers][p->ops->bend == BEND_NONE](j, ra, p->weights[l],
                                                               p->bias_sum[l]);
}

/* From layer l to the one below: its weights and biases, and d of the layer below where that is not
 * fixed. `ra` is NULL but for the R-operator. */
static void NAME(leave_layer)(const struct plan *p, size_t l, struct job *j, const float *ra,
                              bool fresh) {
    bool down = l > p->net->n_fixed, weights = !p->net->weights_fixed,
         kinked = p->ops->bend == BEND_NONE;
    const float *d = ra ? j->sum[1].a : j->sum[0].a;
    if (down && weights && NAME(can_descend)(p, l)) {
        NAME(descend_layer)(p, l, j, ra, fresh);
        return;
    }
    NAME(bias_tile)(p, l, j->rows, fresh, d);
    if (weights)
        NAME(weights_tile)(p, l, j->rows, fresh, d, j->s, ra && down ? j->sum[0].a : NULL, ra);
    if (!down) return;
    if (ra)
        (kinked ? NAME(kinked_r_backward) : NAME(r_backward))(j);
    else
        NAME(backward_layer)(p, j);
}

static void NAME(backward_tile)(const struct plan *p, const struct record *r, const float *x,
                                size_t m, bool fresh) {
    size_t end = p->net->n_fixed ? p->net->n_fixed : 1;
    for (size_t l = p->net->n_layers - 1; l >= end; l--) {
        struct job j = NAME(backward_job)(p, r, l, m);
        NAME(leave_layer)(p, l, &j, NULL, fresh);
    }
    if (p->net->n_fixed == 0)
        NAME(first_tile)(p, m, fresh, NAME(delta)(p, r, 0), NAME(inputs)(r, x));
}

static void NAME(r_forward_tile)(const struct plan *p, const struct record *r, const float *x,
                                 size_t m) {
    size_t last = p->net->n_layers - 1;
    size_t fixed = p->net->n_fixed; /* v and ra of these layers are 0 */
    for (size_t l = fixed; l < last; l++) {
        struct job j = {.rows = m, .vecs = p->vecs, .row = p->row, .bias = p->v_bias[l]};
        j.a_row = l ? p->row : p->in_row;
        j.padded = l > 0 || r->encoded;
        j.sum[0].a = l ? r->s + (l - 1) * p->layer : NAME(inputs)(r, x);
        j.sum[0].b = p->v_forward[l];
        j.sum[0].k = p->net->fan_in[l];
        if (l > fixed) {
            j.sum[1].a = p->ra + (l - 1) * p->layer;
            j.sum[1].b = p->forward[l];
            j.sum[1].k = p->net->fan_in[l];
        }
        j.s = r->s + l * p->layer;
        j.c = r->c + l * p->sloped;
        j.to = p->ra + l * p->layer;
        j.to2 = p->rz + l * p->sloped;
        j.factor = (float)(p->net->omega[l] / p->ops->scale(p->net->omega[l]));
        if (p->ops->bend == BEND_NONE)
            NAME(kinked_r_forward)(&j);
        else
            NAME(r_forward)(&j);
    }
    size_t below = (last - 1) * p->layer;
    NAME(outputs)
    (p, m, p->v_bias[last], r->s + below, p->v_forward[last], last > fixed ? p->ra + below : NULL,
     p->forward[last], p->rd_out);
}

static struct job NAME(r_backward_job)(const struct plan *p, const struct record *r, size_t l,
                                       size_t m) {
    struct job j = NAME(backward_job)(p, r, l, m);
    j.sum[0].b = p->v_backward[l];
    j.sum[1].a = l + 1 == p->net->n_layers ? p->rd_out : p->rd[l & 1];
    j.sum[1].b = p->backward[l];
    j.sum[1].k = j.sum[0].k;
    j.n = r->n + (l - 1) * p->bent;
    j.e = r->e + (l - 1) * p->sloped;
    j.rz = p->rz + (l - 1) * p->sloped;
    j.to = p->rd[(l - 1) & 1];
    return j;
}

static void NAME(r_backward_tile)(const struct plan *p, const struct record *r, const float *x,
                                  size_t m, bool fresh) {
    size_t end = p->net->n_fixed ? p->net->n_fixed : 1;
    for (size_t l = p->net->n_layers - 1; l >= end; l--) {
        struct job j = NAME(r_backward_job)(p, r, l, m);
        NAME(leave_layer)(p, l, &j, p->ra + (l - 1) * p->layer, fresh);
    }
    if (p->net->n_fixed == 0) NAME(first_tile)(p, m, fresh, p->rd[0], NAME(inputs)(r, x));
}

/* to[i] += from[i]; from is padded to whole vectors. */
static ALWAYS_INLINE void NAME(add)(size_t n, const float *from, float *to) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        *(NAME(unaligned) *)(to + i) += *(const VEC *)(from + i);
    for (; i < n; i++)
        to[i] += from[i];
}

/* to [out, in] += the transpose of from [in, row]. */
static void NAME(add_transposed)(size_t in, size_t out, const float *from, size_t row, float *to) {
    size_t done = 0;
    for (; in == 2 && done + LANES <= out; done += LANES) {
        VEC low, high;
        NAME(interleave)(AT(from, done), AT(from, row + done), &low, &high);
        *(NAME(unaligned) *)(to + 2 * done) += low;
        *(NAME(unaligned) *)(to + 2 * done + LANES) += high;
    }
    for (size_t i = 0; i < in; i++)
        for (size_t o = done; o < out; o++)
            to[o * in + i] += from[i * row + o];
}

/* grad += the sums of all tiles. Those of layer 0 are transposed. */
static void NAME(add_sums)(const struct plan *p, float *grad) {
    const struct tsr_net *net = p->net;
    for (size_t l = net->n_fixed; l < net->n_layers; l++) {
        size_t in = net->fan_in[l], out = net->fan_out[l];
        float *w = grad + net->weight_at[l];
        const float *sum = p->weights[l];
        NAME(add)(out, p->bias_sum[l], grad + net->bias_at[l]);
        if (net->weights_fixed) continue;
        if (l > 0)
            for (size_t o = 0; o < out; o++)
                NAME(add)(in, sum + o * p->columns, w + o * in);
        else
            NAME(add_transposed)(in, out, sum, p->columns, w);
    }
}

static void NAME(forward)(const struct tsr_net *net, const float *phi, const float *x, size_t n,
                          float *out, void *workspace) {
    struct plan p;
    struct record r;
    if (n == 0) return;
    NAME(shape)(&p, net, NAME(tile_points)(net, n));
    size_t used = NAME(layout)(&p, false, workspace);
    (void)NAME(forward_layout)(&p, &r, (char *)workspace + used);
    NAME(pack_forward)(&p, phi, (float)net->output_offset, 0, p.forward, p.bias);
    NAME(prepare_lattice)(&p, x, n);
    for (size_t at = 0; at < n; at += p.tile) {
        size_t m = n - at < p.tile ? n - at : p.tile;
        NAME(forward_tile)(&p, &r, x + at * net->in_dim, at, m, false);
        NAME(store_outputs)(&p, r.f, m, out + at * net->out_dim);
    }
}

static void NAME(record)(const struct tsr_net *net, const float *phi, const float *x, size_t n,
                         void *to, void *workspace) {
    struct plan p;
    struct record r;
    if (n == 0) return;
    NAME(shape)(&p, net, NAME(tile_points)(net, n));
    (void)NAME(layout)(&p, false, workspace);
    NAME(pack_forward)(&p, phi, (float)net->output_offset, 0, p.forward, p.bias);
    NAME(prepare_lattice)(&p, x, n);
    char *memory = to;
    for (size_t at = 0; at < n; at += p.tile) {
        memory += NAME(forward_layout)(&p, &r, memory);
        NAME(forward_tile)
        (&p, &r, x + at * net->in_dim, at, n - at < p.tile ? n - at : p.tile, true);
    }
}

/* From the forward pass of one tile to d of the last layer; returns the squared error. */
static double NAME(error_tile)(const struct plan *p, const struct record *r,
                               const struct tsr_points *points, size_t at, size_t m, double scale,
                               float *out) {
    size_t out_dim = p->net->out_dim;
    if (out) NAME(store_outputs)(p, r->f, m, out + at * out_dim);
    return NAME(residual_tile)(p, points->y + at * out_dim, m, (float)(2 * scale), r->f, r->d_out);
}

/* The gradient, with the forward pass unless that is on the tape: then at most its last layer. */
static double NAME(sweep)(const struct tsr_net *net, const float *phi,
                          const struct tsr_points *points, double scale, bool recorded, float *grad,
                          float *out, const struct tsr_tape *tape, void *workspace) {
    struct plan p;
    struct record r;
    double error = 0;
    if (points->n == 0) return 0;
    NAME(shape)(&p, net, NAME(tile_points)(net, points->n));
    size_t used = NAME(layout)(&p, false, workspace);
    bool renew = recorded && net->n_fixed + 1 == net->n_layers;
    if (!recorded || renew) NAME(pack_forward)
    (&p, phi, (float)net->output_offset, renew ? net->n_fixed : 0, p.forward, p.bias);
    if (!recorded) NAME(prepare_lattice)(&p, points->x, points->n);
    NAME(pack_backward)(&p, phi, p.backward);
    for (size_t at = 0; at < points->n; at += p.tile) {
        size_t m = points->n - at < p.tile ? points->n - at : p.tile;
        const float *x = points->x + at * net->in_dim;
        NAME(place_record)
        (&p, &r, tape, tape && tape->backward, at / p.tile, (char *)workspace + used);
        if (!recorded) NAME(forward_tile)(&p, &r, x, at, m, true);
        if (renew) {
            r.f = p.outputs;
            NAME(last_forward)(&p, &r, m);
        }
        error += NAME(error_tile)(&p, &r, points, at, m, scale, out);
        NAME(backward_tile)(&p, &r, x, m, at == 0);
    }
    NAME(add_sums)(&p, grad);
    return error;
}

static double NAME(gradient)(const struct tsr_net *net, const float *phi,
                             const struct tsr_points *points, double scale, float *grad, float *out,
                             const struct tsr_tape *tape, void *workspace) {
    return NAME(sweep)(net, phi, points, scale, false, grad, out, tape, workspace);
}

static double NAME(from_record)(const struct tsr_net *net, const float *phi,
                                const struct tsr_points *points, double scale, float *grad,
                                float *out, const struct tsr_tape *tape, void *workspace) {
    return NAME(sweep)(net, phi, points, scale, true, grad, out, tape, workspace);
}

static void NAME(hvp)(const struct tsr_net *net, const float *phi, const float *v,
                      const struct tsr_points *points, double scale, float *hv,
                      const struct tsr_tape *tape, void *workspace) {
    struct plan p;
    struct record r;
    if (points->n == 0) return;
    NAME(shape)(&p, net, NAME(tile_points)(net, points->n));
    size_t used = NAME(layout)(&p, true, workspace);
    NAME(pack_forward)(&p, phi, (float)net->output_offset, tape ? 1 : 0, p.forward, p.bias);
    NAME(pack_backward)(&p, phi, p.backward);
    NAME(pack_forward)(&p, v, 0, 0, p.v_forward, p.v_bias);
    NAME(pack_backward)(&p, v, p.v_backward);
    if (!tape) NAME(prepare_lattice)(&p, points->x, points->n);
    for (size_t at = 0; at < points->n; at += p.tile) {
        size_t m = points->n - at < p.tile ? points->n - at : p.tile;
        const float *x = points->x + at * net->in_dim;
        NAME(place_record)(&p, &r, tape, true, at / p.tile, (char *)workspace + used);
        if (!tape) {
            NAME(forward_tile)(&p, &r, x, at, m, true);
            (void)NAME(error_tile)(&p, &r, points, at, m, scale, NULL);
            for (size_t l = net->n_layers - 1; l > net->n_fixed; l--) {
                struct job j = NAME(backward_job)(&p, &r, l, m);
                NAME(backward_layer)(&p, &j);
            }
        }
        NAME(r_forward_tile)(&p, &r, x, m);
        for (size_t i = 0; i < m * p.out_row; i++)
            p.rd_out[i] *= (float)(2 * scale);
        NAME(r_backward_tile)(&p, &r, x, m, at == 0);
    }
    NAME(add_sums)(&p, hv);
}

static void NAME(gauss_newton)(const struct tsr_net *net, const float *phi, const float *v,
                               const float *x, size_t n, double scale, float *gv,
                               const void *forward, void *workspace) {
    struct plan p;
    struct record r;
    const struct tsr_tape tape = {.forward = (void *)(uintptr_t)forward};
    if (n == 0) return;
    NAME(shape)(&p, net, NAME(tile_points)(net, n));
    size_t used = NAME(layout)(&p, true, workspace);
    NAME(pack_forward)(&p, phi, (float)net->output_offset, forward ? 1 : 0, p.forward, p.bias);
    NAME(pack_backward)(&p, phi, p.backward);
    NAME(pack_forward)(&p, v, 0, 0, p.v_forward, p.v_bias);
    if (!forward) NAME(prepare_lattice)(&p, x, n);
    for (size_t at = 0; at < n; at += p.tile) {
        size_t m = n - at < p.tile ? n - at : p.tile;
        const float *x_tile = x + at * net->in_dim;
        NAME(place_record)(&p, &r, &tape, false, at / p.tile, (char *)workspace + used);
        if (!forward) NAME(forward_tile)(&p, &r, x_tile, at, m, true);
        NAME(r_forward_tile)(&p, &r, x_tile, m);
        for (size_t i = 0; i < m * p.out_row; i++)
            r.d_out[i] = p.rd_out[i] * (float)(2 * scale);
        NAME(backward_tile)(&p, &r, x_tile, m, at == 0);
    }
    NAME(add_sums)(&p, gv);
}
