/* SPDX-License-Identifier: MIT */
#include "partition/merge.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* Squared Lab distance that makes no difference: keeps the pieces of flat ground balanced. */
#define NOISE 1.0
/* A piece below this part of the mean area is merged first. */
#define STARVING 0.25

enum tsr_status tsr_pieces_create(struct tsr_pieces *out, size_t n, size_t max_borders,
                                  struct tsr_error *err) {
    void *block;
    enum tsr_status status;
    *out = (struct tsr_pieces){.n = n, .n_left = n};
    TSR_CHECK(tsr_alloc(&block, n, sizeof *out->piece, "pieces of the image", err));
    out->piece = block;
    TSR_CHECK(tsr_alloc(&block, max_borders, sizeof *out->border, "borders of the pieces", err));
    out->border = block;
    TSR_CHECK(tsr_alloc(&block, n, sizeof *out->first, "pieces of the image", err));
    out->first = block;
    TSR_CHECK(tsr_alloc(&block, n, sizeof *out->into, "pieces of the image", err));
    out->into = block;
    for (size_t i = 0; i < n; i++) {
        out->first[i] = TSR_MERGE_END;
        out->into[i] = (uint32_t)i;
    }
done:
    if (status != TSR_OK) tsr_pieces_clear(out);
    return status;
}

void tsr_pieces_clear(struct tsr_pieces *pieces) {
    free(pieces->piece);
    free(pieces->border);
    free(pieces->first);
    free(pieces->into);
    *pieces = (struct tsr_pieces){0};
}

static void list_half(struct tsr_pieces *p, uint32_t piece, uint32_t half) {
    p->border[half / 2].end[half % 2] = piece;
    p->border[half / 2].next[half % 2] = p->first[piece];
    p->first[piece] = half;
}

void tsr_pieces_touch(struct tsr_pieces *pieces, uint32_t a, uint32_t b, double contrast) {
    uint32_t h = pieces->first[a];
    while (h != TSR_MERGE_END && pieces->border[h / 2].end[1 - h % 2] != b)
        h = pieces->border[h / 2].next[h % 2];
    if (h == TSR_MERGE_END) {
        h = 2 * (uint32_t)pieces->n_borders++;
        list_half(pieces, a, h);
        list_half(pieces, b, h + 1);
    }
    pieces->border[h / 2].length += 1;
    pieces->border[h / 2].contrast += (float)contrast;
}

uint32_t tsr_pieces_root(const struct tsr_pieces *pieces, uint32_t i) {
    while (pieces->into[i] != i)
        i = pieces->into[i];
    return i;
}

/* ---- heap of pieces, smallest key first, lowest number on ties ----------------------------------
 */

struct heap {
    size_t n;
    uint32_t *item, *place; /* item[place[i]] == i */
    double *key;            /* by piece */
};

static int before(const struct heap *h, uint32_t a, uint32_t b) {
    return h->key[a] < h->key[b] || (h->key[a] == h->key[b] && a < b);
}

static void put(struct heap *h, size_t place, uint32_t item) {
    h->item[place] = item;
    h->place[item] = (uint32_t)place;
}

/* Moves the item at a place up or down to where its key belongs. */
static void settle(struct heap *h, size_t place) {
    uint32_t item = h->item[place];
    while (place > 0 && before(h, item, h->item[(place - 1) / 2])) {
        put(h, place, h->item[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && before(h, h->item[child + 1], h->item[child])) child++;
        if (!before(h, h->item[child], item)) break;
        put(h, place, h->item[child]);
        place = child;
    }
    put(h, place, item);
}

static void change_key(struct heap *h, uint32_t item, double key) {
    h->key[item] = key;
    settle(h, h->place[item]);
}

static void take_out(struct heap *h, uint32_t item) {
    size_t place = h->place[item];
    uint32_t last = h->item[--h->n];
    if (last == item) return;
    put(h, place, last);
    settle(h, place);
}

static enum tsr_status heap_create(struct heap *h, size_t n, struct tsr_error *err) {
    void *block;
    TSR_TRY(tsr_alloc(&block, n, sizeof *h->item, "order of the pieces", err));
    h->item = block;
    TSR_TRY(tsr_alloc(&block, n, sizeof *h->place, "order of the pieces", err));
    h->place = block;
    TSR_TRY(tsr_alloc(&block, n, sizeof *h->key, "order of the pieces", err));
    h->key = block;
    return TSR_OK;
}

/* All pieces that are left, with their keys set. */
static void heap_fill(struct heap *h, const struct tsr_pieces *p) {
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->into[i] != i) continue;
        put(h, h->n++, i);
        settle(h, h->n - 1);
    }
}

static void heap_clear(struct heap *h) {
    free(h->item);
    free(h->place);
    free(h->key);
}

/* ---- merging ------------------------------------------------------------------------------------
 */

struct merger {
    struct tsr_pieces *p;
    enum tsr_merge rule;
    struct heap areas, costs; /* costs: of each piece's best border (color only) */
    uint32_t *best;           /* the other end of it */
    uint32_t *seen;           /* half of the border with a piece, while two lists become one */
};

static void unlist_half(struct tsr_pieces *p, uint32_t half) {
    uint32_t *link = &p->first[p->border[half / 2].end[half % 2]];
    while (*link != half)
        link = &p->border[*link / 2].next[*link % 2];
    *link = p->border[half / 2].next[half % 2];
}

/* Piece a becomes part of b. */
static void join(struct merger *m, uint32_t a, uint32_t b) {
    struct tsr_pieces *p = m->p;
    uint32_t next;
    for (uint32_t h = p->first[b]; h != TSR_MERGE_END; h = p->border[h / 2].next[h % 2])
        m->seen[p->border[h / 2].end[1 - h % 2]] = h;
    for (uint32_t h = p->first[a]; h != TSR_MERGE_END; h = next) {
        struct tsr_border *e = &p->border[h / 2];
        uint32_t other = e->end[1 - h % 2], twin = m->seen[other];
        next = e->next[h % 2];
        if (other == b) {
            unlist_half(p, h ^ 1);
        } else if (twin != TSR_MERGE_END) {
            p->border[twin / 2].length += e->length;
            p->border[twin / 2].contrast += e->contrast;
            unlist_half(p, h ^ 1);
        } else {
            list_half(p, b, h);
        }
    }
    for (uint32_t h = p->first[b]; h != TSR_MERGE_END; h = p->border[h / 2].next[h % 2])
        m->seen[p->border[h / 2].end[1 - h % 2]] = TSR_MERGE_END;
    m->seen[a] = TSR_MERGE_END;
    p->piece[b].area += p->piece[a].area;
    for (int k = 0; k < 3; k++)
        p->piece[b].sum[k] += p->piece[a].sum[k];
    p->first[a] = TSR_MERGE_END;
    p->into[a] = b;
    p->n_left--;
    take_out(&m->areas, a);
    change_key(&m->areas, b, p->piece[b].area);
}

/* The cost of merging the two ends of a border: see tsr_pieces_merge(). */
static double cost_of(const struct tsr_pieces *p, const struct tsr_border *e) {
    const struct tsr_piece *a = &p->piece[e->end[0]], *b = &p->piece[e->end[1]];
    double difference = 0, contrast = (double)e->contrast / (double)e->length;
    double smaller = a->area < b->area ? a->area : b->area;
    for (int k = 0; k < 3; k++) {
        double d = a->sum[k] / a->area - b->sum[k] / b->area;
        difference += d * d;
    }
    double ward = a->area * b->area / (a->area + b->area);
    return ward * (difference + contrast + NOISE) * sqrt(smaller) / (double)e->length;
}

static void find_best(struct merger *m, uint32_t a) {
    const struct tsr_pieces *p = m->p;
    double smallest = INFINITY;
    uint32_t best = TSR_MERGE_END;
    for (uint32_t h = p->first[a]; h != TSR_MERGE_END; h = p->border[h / 2].next[h % 2]) {
        uint32_t b = p->border[h / 2].end[1 - h % 2];
        double cost = m->rule == TSR_MERGE_AREA ? p->piece[b].area : cost_of(p, &p->border[h / 2]);
        if (cost < smallest || (cost == smallest && b < best)) smallest = cost, best = b;
    }
    m->best[a] = best;
    m->costs.key[a] = smallest;
}

static void merge_by_area(struct merger *m, size_t n_left) {
    while (m->p->n_left > n_left) {
        uint32_t a = m->areas.item[0];
        find_best(m, a);
        join(m, a, m->best[a]);
    }
}

/* After a became part of b: b and the pieces around it choose anew. */
static void choose_again(struct merger *m, uint32_t a, uint32_t b) {
    const struct tsr_pieces *p = m->p;
    find_best(m, b);
    settle(&m->costs, m->costs.place[b]);
    for (uint32_t h = p->first[b]; h != TSR_MERGE_END; h = p->border[h / 2].next[h % 2]) {
        uint32_t c = p->border[h / 2].end[1 - h % 2];
        if (m->best[c] == a || m->best[c] == b) {
            find_best(m, c);
        } else {
            double cost = cost_of(p, &p->border[h / 2]);
            if (!(cost < m->costs.key[c] || (cost == m->costs.key[c] && b < m->best[c]))) continue;
            m->best[c] = b, m->costs.key[c] = cost;
        }
        settle(&m->costs, m->costs.place[c]);
    }
}

static void merge_by_color(struct merger *m, size_t n_left) {
    struct tsr_pieces *p = m->p;
    double area = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->into[i] != i) continue;
        area += p->piece[i].area;
        find_best(m, i);
    }
    heap_fill(&m->costs, p);
    while (p->n_left > n_left) {
        uint32_t a = m->areas.item[0];
        if (p->piece[a].area >= STARVING * area / (double)p->n_left) a = m->costs.item[0];
        uint32_t b = m->best[a];
        if (p->piece[a].area > p->piece[b].area) {
            uint32_t swap = a;
            a = b, b = swap;
        }
        take_out(&m->costs, a);
        join(m, a, b);
        choose_again(m, a, b);
    }
}

enum tsr_status tsr_pieces_merge(struct tsr_pieces *pieces, size_t n_left, enum tsr_merge rule,
                                 struct tsr_error *err) {
    struct merger m = {.p = pieces, .rule = rule};
    void *block;
    enum tsr_status status;
    TSR_CHECK(heap_create(&m.areas, pieces->n, err));
    TSR_CHECK(heap_create(&m.costs, pieces->n, err));
    TSR_CHECK(tsr_alloc(&block, pieces->n, sizeof *m.best, "order of the pieces", err));
    m.best = block;
    TSR_CHECK(tsr_alloc(&block, pieces->n, sizeof *m.seen, "order of the pieces", err));
    m.seen = block;
    for (size_t i = 0; i < pieces->n; i++) {
        m.areas.key[i] = pieces->piece[i].area;
        m.seen[i] = TSR_MERGE_END;
    }
    heap_fill(&m.areas, pieces);
    if (rule == TSR_MERGE_AREA)
        merge_by_area(&m, n_left);
    else
        merge_by_color(&m, n_left);
done:
    heap_clear(&m.areas);
    heap_clear(&m.costs);
    free(m.best);
    free(m.seen);
    return status;
}
