/* SPDX-License-Identifier: MIT
 *
 * The plan of a call: shapes, tiles, and where everything lies in the workspace and on a tape. Part
 * of kernel_vector.h, a template.
 */

#ifndef TSR_VECTOR_MEMORY
#define TSR_VECTOR_MEMORY

/* What the ordinary passes leave of one tile; arrays over the layers with units, see struct plan.
 */
struct record {
    float *s, *c, *n, *f; /* forward; f: outputs [tile, out_row] */
    float *encoded;       /* forward: inputs [tile, fan_in[0]], if there is an encoding */
    float *d, *e, *d_out; /* backward; d_out: d of the last layer. e is NULL if not kept */
};

/* Points in rows of as many columns: point p in row (first + p) / columns. */
struct lattice {
    size_t columns; /* 0: they are not */
    size_t rows;
    size_t first; /* columns that the first row lacks */
    size_t along; /* the coordinate that changes along a row: 0 or 1 */
};

/* The most numbers of its tables. */
#define LATTICE_TABLE 4096

/* Shapes and storage of one call. */
struct plan {
    const struct tsr_net *net;
    size_t tile; /* points, a multiple of 8 */
    const struct unit_ops *ops;
    size_t vecs, row, layer;  /* of the units of a layer: row in floats, layer = tile * row */
    size_t sloped;            /* `layer` of what piecewise linear kinds do without: 0 there */
    size_t bent;              /* `layer` of n: 0 unless it has an array of its own */
    size_t in_row;            /* of the inputs of layer 0 */
    float *outputs;           /* of a tile, where those of the tape do not hold */
    float *half_turns;        /* of one tile's encoding */
    struct lattice lattice;   /* of all points, if layer 0 can use it */
    float *table_s, *table_c; /* sines and cosines: [columns + rows, row] */
    size_t out_row;           /* of the outputs, a multiple of 4 */
    size_t columns;           /* row of a weight gradient */
    float *forward[TSR_MAX_LAYERS], *backward[TSR_MAX_LAYERS], *bias[TSR_MAX_LAYERS];
    float *v_forward[TSR_MAX_LAYERS], *v_backward[TSR_MAX_LAYERS], *v_bias[TSR_MAX_LAYERS];
    float *weights[TSR_MAX_LAYERS], *bias_sum[TSR_MAX_LAYERS];
    float *ra, *rz;        /* over the layers with units */
    float *rd[2], *rd_out; /* of this layer and the one below */
};

/* tsr_arena_take() in line: small networks make this call several dozen times in a microsecond. */
static inline float *floats(struct tsr_arena *arena, size_t n) {
    size_t at = arena->used;
    arena->used = round_up(at + n * sizeof(float), TSR_ALIGNMENT);
    return arena->base ? (float *)(void *)(arena->base + at) : NULL;
}
#endif

/* Measured on Zen 4: anything from 48 to 200 is within a few per cent; few tiles suit small
 * networks, short ones the second-level cache of wide networks. */
static size_t NAME(most_points)(const struct tsr_net *net) {
    return net->width <= 32 ? 192 : net->width <= 64 ? 144 : 48;
}

/* Points of a tile when there are n: as even a cut as possible into tiles that the caches hold,
 * each but the last a multiple of all block heights. A function of the network and n alone. */
static size_t NAME(tile_points)(const struct tsr_net *net, size_t n) {
    size_t most = NAME(most_points)(net);
    size_t tiles = (n + most - 1) / most;
    return round_up((n + tiles - 1) / tiles, tiles > 1 ? 24 : 8);
}

/* The forward part of a record; returns its size. */
static size_t NAME(forward_layout)(const struct plan *p, struct record *r, void *memory) {
    struct tsr_arena arena = {.base = memory, .size = SIZE_MAX / 2};
    size_t layers = p->net->n_layers - 1;
    r->s = floats(&arena, layers * p->layer);
    r->c = floats(&arena, layers * p->sloped);
    r->n = p->ops->bend == BEND_STORED ? floats(&arena, layers * p->bent) : r->s;
    r->f = floats(&arena, p->tile * p->out_row);
    r->encoded = p->net->octaves ? floats(&arena, p->tile * p->in_row + LANES) : NULL;
    return arena.used;
}

/* The backward part, of all layers or of two at a time. */
static size_t NAME(backward_layout)(const struct plan *p, struct record *r, bool keep,
                                    void *memory) {
    struct tsr_arena arena = {.base = memory, .size = SIZE_MAX / 2};
    size_t layers = p->net->n_layers - 1;
    r->d = floats(&arena, (keep ? layers : 2) * p->layer);
    r->e = keep ? floats(&arena, layers * p->sloped) : NULL;
    r->d_out = floats(&arena, p->tile * p->out_row);
    return arena.used;
}

/* Both parts of tile number `tile`, on the tape where there is one, else at `memory`. */
static void NAME(place_record)(const struct plan *p, struct record *r, const struct tsr_tape *tape,
                               bool keep, size_t tile, char *memory) {
    char *forward = tape ? tape->forward : NULL, *backward = tape ? tape->backward : NULL;
    size_t size = NAME(forward_layout)(p, r, forward ? forward : memory);
    if (forward)
        (void)NAME(forward_layout)(p, r, forward + tile * size);
    else
        memory += size;
    size = NAME(backward_layout)(p, r, keep, backward ? backward : memory);
    if (backward) (void)NAME(backward_layout)(p, r, keep, backward + tile * size);
}

static void NAME(shape)(struct plan *p, const struct tsr_net *net, size_t tile) {
    p->net = net;
    p->tile = tile;
    p->vecs = NAME(vecs)(net->width);
    p->columns = p->vecs * LANES;
    p->row = p->columns;
    p->layer = tile * p->row;
    p->ops = NAME(unit_ops);
    while (p->ops->kind != net->kind)
        p->ops++;
    p->sloped = p->ops->bend == BEND_NONE ? 0 : p->layer;
    p->bent = p->ops->bend == BEND_STORED ? p->layer : p->sloped;
    p->in_row = net->fan_in[0];
    p->out_row = round_up(net->out_dim, 4);
}

/* Storage of a call; `second_order` adds what hvp() needs. Returns its size in bytes; what lies
 * behind it is for a record. */
static size_t NAME(layout)(struct plan *p, bool second_order, void *workspace) {
    struct tsr_arena arena = {.base = workspace, .size = SIZE_MAX / 2};
    size_t last = p->net->n_layers - 1;
    for (size_t l = 0; l <= last; l++) {
        size_t in = p->net->fan_in[l], out = p->net->fan_out[l];
        size_t units = l == last ? p->out_row : p->columns;
        if (l == last) in = p->columns;
        for (int v = 0; v < (second_order ? 2 : 1); v++) {
            (v ? p->v_forward : p->forward)[l] = floats(&arena, in * units);
            (v ? p->v_backward : p->backward)[l] =
                floats(&arena, l ? round_up(out, 4) * p->columns : 0);
            (v ? p->v_bias : p->bias)[l] = floats(&arena, units);
        }
        p->weights[l] = floats(&arena, (l ? round_up(out, 4) : in) * p->columns);
        p->bias_sum[l] = floats(&arena, units);
    }
    size_t angles = p->tile * p->net->in_dim * p->net->octaves;
    p->half_turns = floats(&arena, angles ? angles + LANES + TSR_HALF_TURNS_SPARE : 0);
    size_t table = p->ops->kind == &tsr_kind_siren && p->in_row == 2 ? LATTICE_TABLE : 0;
    p->table_s = floats(&arena, table);
    p->table_c = floats(&arena, table);
    p->outputs = floats(&arena, p->tile * p->out_row);
    if (!second_order) return arena.used;
    p->ra = floats(&arena, last * p->layer);
    p->rz = floats(&arena, last * p->sloped);
    p->rd[0] = floats(&arena, p->layer);
    p->rd[1] = floats(&arena, p->layer);
    p->rd_out = floats(&arena, p->tile * p->out_row);
    return arena.used;
}

static size_t NAME(workspace_size)(const struct tsr_net *net) {
    struct plan p;
    struct record r;
    NAME(shape)(&p, net, NAME(most_points)(net));
    return NAME(layout)(&p, true, NULL) + NAME(forward_layout)(&p, &r, NULL) +
           NAME(backward_layout)(&p, &r, true, NULL);
}

static struct tsr_tape_size NAME(tape_size)(const struct tsr_net *net, size_t n) {
    struct plan p;
    struct record r;
    if (n == 0) return (struct tsr_tape_size){0, 0};
    NAME(shape)(&p, net, NAME(tile_points)(net, n));
    size_t tiles = (n + p.tile - 1) / p.tile;
    return (struct tsr_tape_size){tiles * NAME(forward_layout)(&p, &r, NULL),
                                  tiles * NAME(backward_layout)(&p, &r, true, NULL)};
}
