/* SPDX-License-Identifier: MIT
 *
 * Merging the nodes of a graph of adjacent pieces of an image until a given number is left.
 */
#ifndef TSR_PARTITION_MERGE_H
#define TSR_PARTITION_MERGE_H

#include "base/status.h"
#include "partition/segmentation.h"

#define TSR_MERGE_END UINT32_MAX

struct tsr_piece {
    double area;   /* pixels */
    double sum[3]; /* of Lab over its pixels */
};

/* A shared border. Halves 2e and 2e+1 of edge e belong to ends a and b. */
struct tsr_border {
    uint32_t end[2];
    uint32_t next[2]; /* the next half in the list of that end, or TSR_MERGE_END */
    float length;     /* pairs of adjacent pixels */
    float contrast;   /* sum over these pairs of the squared Lab difference */
};

struct tsr_pieces {
    size_t n, n_borders, n_left;
    struct tsr_piece *piece;   /* [n] */
    struct tsr_border *border; /* [n_borders] */
    uint32_t *first;           /* [n]: first half of each piece's list, or TSR_MERGE_END */
    uint32_t *into;            /* [n]: the piece that a piece was merged into, or itself */
};

/* n pieces of area 0 without borders, and room for max_borders. */
enum tsr_status tsr_pieces_create(struct tsr_pieces *out, size_t n, size_t max_borders,
                                  struct tsr_error *err) TSR_MUST_USE;
void tsr_pieces_clear(struct tsr_pieces *pieces);

/* Adds a pair of adjacent pixels to the border of a and b, a != b. */
void tsr_pieces_touch(struct tsr_pieces *pieces, uint32_t a, uint32_t b, double contrast);

/* Merges until n_left pieces are left (1 <= n_left <= n, the graph connected). On ties the piece of
 * the lowest number comes first.
 *
 * `area` (arXiv 2310.14184): the smallest piece goes into the smallest of its neighbours.
 *
 * `color`: the pair with the smallest cost is merged (greedy, hierarchical), where
 *
 *     cost = A B / (A + B)  (|mean_A - mean_B|^2 + contrast + 1)  sqrt(min(A, B)) / length
 *
 * with the areas A and B in pixels, the mean colours in Lab, and the mean squared difference
 * (contrast) over the pairs of adjacent pixels (length) of the border: Ward's increase of the
 * error, plus a term for the edge between the two, over the relative length of the border, so that
 * regions stay compact. But a piece smaller than a quarter of the present mean area goes first, to
 * its neighbour of the smallest cost: no region starves. Greedy merging costs O(n log n) where
 * pieces have few neighbours. TSR_ERR_NO_MEMORY. */
enum tsr_status tsr_pieces_merge(struct tsr_pieces *pieces, size_t n_left, enum tsr_merge rule,
                                 struct tsr_error *err) TSR_MUST_USE;

/* The piece that piece i is part of now. */
uint32_t tsr_pieces_root(const struct tsr_pieces *pieces, uint32_t i);

#endif
