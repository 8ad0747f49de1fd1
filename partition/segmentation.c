/* SPDX-License-Identifier: MIT */
#include "partition/segmentation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/names.h"
#include "partition/merge.h"
#include "partition/superpixels.h"

/* `area` begins with this many regions for each that is asked for, merged by colour: the paper's
 * rule begins with a hierarchical segmentation by colour (HFS). */
#define EARLY 4
/* Up to here single pixels are merged where superpixels would be too few. */
#define FEW_PIXELS 8192

static const char *const merge_names[] = {"color", "area"};

TSR_DEFINE_NAMES(tsr_merge, tsr_merge, merge_names, "merge rule")

static enum tsr_status check(size_t height, size_t width, size_t channels, size_t n_regions,
                             struct tsr_error *err) {
    if (height < 1 || width < 1 || height > INT32_MAX / width)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "an image of %zux%zu pixels: segmentation takes 1 to 2^31-1", height,
                         width);
    if (channels != 1 && channels != 3)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "an image of %zu channels: segmentation takes 1 or 3", channels);
    if (n_regions < 1 || n_regions > height * width)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "segment %zu: an image of %zux%zu pixels has 1 to %zu regions", n_regions,
                         height, width, height * width);
    return TSR_OK;
}

/* Side of the superpixels: eight a region or more (one where they are pixels), 400 to 4096 an image
 * where that is more. */
static size_t side_of_superpixels(size_t n_pixels, size_t n_regions) {
    double wanted = 8.0 * (double)n_regions, usual = (double)n_pixels / 64;
    if (usual < 400) usual = 400;
    if (usual > 4096) usual = 4096;
    if (wanted < usual) wanted = usual;
    size_t side = (size_t)sqrt((double)n_pixels / wanted);
    return side > 1 ? side : 1;
}

static enum tsr_status find_superpixels(const struct tsr_lab *lab,
                                        const struct tsr_picture *picture, size_t n_regions,
                                        uint32_t *labels, size_t *count, struct tsr_error *err) {
    size_t n = picture->height * picture->width, side = side_of_superpixels(n, n_regions);
    if (side >= TSR_SLIC_MIN_SIDE) {
        TSR_TRY(tsr_superpixels_slic(lab, picture, side, labels, count, err));
        if (*count >= 2 * n_regions) return TSR_OK;
    }
    *count = tsr_superpixels_grid(picture, side == 1 || n <= FEW_PIXELS ? 1 : 2, labels);
    return TSR_OK;
}

static void lab_at(const struct tsr_lab *lab, const struct tsr_picture *p, size_t i, float out[3]) {
    tsr_lab_of(lab, p->pixels + i * p->channels, p->channels, out);
}

static void touch(const struct tsr_lab *lab, const struct tsr_picture *picture,
                  const uint32_t *labels, size_t i, size_t j, struct tsr_pieces *out) {
    float a[3], b[3];
    double contrast = 0;
    lab_at(lab, picture, i, a);
    lab_at(lab, picture, j, b);
    for (int k = 0; k < 3; k++)
        contrast += (double)(a[k] - b[k]) * (a[k] - b[k]);
    tsr_pieces_touch(out, labels[i], labels[j], contrast);
}

static enum tsr_status make_pieces(const struct tsr_lab *lab, const struct tsr_picture *picture,
                                   const uint32_t *labels, size_t count, struct tsr_pieces *out,
                                   struct tsr_error *err) {
    size_t width = picture->width, n = picture->height * width;
    /* The graph is planar: at most 3 count - 6 borders. */
    TSR_TRY(tsr_pieces_create(out, count, 3 * count, err));
    for (size_t i = 0; i < n; i++) {
        float color[3];
        struct tsr_piece *piece = &out->piece[labels[i]];
        lab_at(lab, picture, i, color);
        piece->area++;
        for (int k = 0; k < 3; k++)
            piece->sum[k] += (double)color[k];
    }
    for (size_t i = 0, col = 0; i < n; i++) {
        col = i % width;
        if (col + 1 < width && labels[i] != labels[i + 1])
            touch(lab, picture, labels, i, i + 1, out);
        if (i + width < n && labels[i] != labels[i + width])
            touch(lab, picture, labels, i, i + width, out);
    }
    return TSR_OK;
}

/* Superpixel numbers -> region numbers, in the order of their first pixels. */
static enum tsr_status number(const struct tsr_pieces *pieces, uint32_t *labels, size_t n,
                              struct tsr_error *err) {
    void *block;
    TSR_TRY(tsr_alloc(&block, pieces->n, sizeof *labels, "region numbers", err));
    uint32_t *region = block, next = 1; /* 0: none yet */
    for (size_t i = 0; i < n; i++) {
        uint32_t *r = &region[tsr_pieces_root(pieces, labels[i])];
        if (*r == 0) *r = next++;
        labels[i] = *r - 1;
    }
    free(region);
    return TSR_OK;
}

enum tsr_status tsr_segment(const uint8_t *pixels, size_t height, size_t width, size_t channels,
                            size_t n_regions, enum tsr_merge merge, uint32_t *labels,
                            struct tsr_error *err) {
    struct tsr_picture picture = {pixels, height, width, channels};
    struct tsr_pieces pieces = {0};
    struct tsr_lab lab;
    size_t count;
    enum tsr_status status;
    TSR_TRY(check(height, width, channels, n_regions, err));
    tsr_lab_init(&lab);
    TSR_CHECK(find_superpixels(&lab, &picture, n_regions, labels, &count, err));
    TSR_CHECK(make_pieces(&lab, &picture, labels, count, &pieces, err));
    if (merge == TSR_MERGE_AREA && pieces.n > EARLY * n_regions)
        TSR_CHECK(tsr_pieces_merge(&pieces, EARLY * n_regions, TSR_MERGE_COLOR, err));
    TSR_CHECK(tsr_pieces_merge(&pieces, n_regions, merge, err));
    TSR_CHECK(number(&pieces, labels, height * width, err));
done:
    tsr_pieces_clear(&pieces);
    return status;
}
