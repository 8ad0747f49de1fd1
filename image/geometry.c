/* SPDX-License-Identifier: MIT */
#include "image/geometry.h"

static void measure_context(struct tsr_geometry *g, const struct tsr_partition_rule *rule) {
    const struct tsr_partition *p = g->partition;
    if (tsr_rule_follows_image(rule)) {
        size_t side = 2 * rule->overlap + 1, most = side * side;
        g->max_context = g->n_pixels;
        g->total_context = g->n_pixels * (most < p->n_regions ? most : p->n_regions);
        return;
    }
    for (size_t r = 0; r < p->n_regions; r++) {
        size_t n = p->regions[r].n_context;
        if (n > g->max_context) g->max_context = n;
        g->total_context += n;
    }
}

enum tsr_status tsr_geometry_create(const struct tsr_model *model, size_t height, size_t width,
                                    struct tsr_geometry *out, struct tsr_error *err) {
    const struct tsr_model_config *c = &model->config;
    enum tsr_status status;
    *out = (struct tsr_geometry){.channels = model->net.out_dim,
                                 .n_pixels = height * width,
                                 .frame = c->coords,
                                 .slots = c->slots,
                                 .inner_loss = c->inner_loss};
    TSR_TRY(tsr_model_check_image(model, height, width, model->net.out_dim, err));
    TSR_TRY(tsr_partition_create(&c->partition, height, width, &out->partition, err));
    TSR_CHECK(tsr_coord_table_create(&c->coords, out->partition, &out->coords, err));
    measure_context(out, &c->partition);
    return TSR_OK;
done:
    tsr_geometry_clear(out);
    return status;
}

enum tsr_status tsr_geometry_follow(struct tsr_geometry *geometry, const uint32_t *labels,
                                    struct tsr_error *err) {
    TSR_TRY(tsr_partition_relabel(geometry->partition, labels, err));
    return tsr_coord_table_refill(&geometry->coords, &geometry->frame, geometry->partition, err);
}

void tsr_geometry_clear(struct tsr_geometry *geometry) {
    tsr_partition_free(geometry->partition);
    tsr_coord_table_clear(&geometry->coords);
    *geometry = (struct tsr_geometry){0};
}

void tsr_geometry_targets(const struct tsr_geometry *geometry, struct tsr_pixels pixels,
                          size_t region, tsr_real *y) {
    const struct tsr_partition *p = geometry->partition;
    const struct tsr_region *g = &p->regions[region];
    size_t c = geometry->channels;
    if (p->labels) {
        for (size_t i = 0; i < g->n_context; i++)
            tsr_pixels_values(tsr_pixels_at(pixels, p->context[p->context_first[region] + i] * c),
                              c, y + i * c);
        return;
    }
    const struct tsr_box *w = &g->window;
    for (size_t r = 0; r < w->height; r++)
        tsr_pixels_values(tsr_pixels_at(pixels, ((w->row + r) * p->width + w->col) * c),
                          w->width * c, y + r * w->width * c);
}

struct tsr_task tsr_geometry_task(const struct tsr_geometry *geometry, size_t region,
                                  const tsr_real *y) {
    size_t n = geometry->partition->regions[region].n_context;
    size_t over = geometry->inner_loss == TSR_INNER_LOSS_REGION ? n : geometry->n_pixels;
    struct tsr_points points = {geometry->coords.x[region], y, n};
    return (struct tsr_task){.ctx = points,
                             .qry = points,
                             .ctx_scale = 1.0 / (double)(over * geometry->channels),
                             .slot = tsr_slot_of_region(geometry->slots, region)};
}

size_t tsr_geometry_own_point(const struct tsr_geometry *geometry, size_t region, size_t i,
                              size_t *at) {
    const struct tsr_partition *p = geometry->partition;
    const struct tsr_region *g = &p->regions[region];
    if (p->labels) {
        *at = p->pixels[p->first[region] + i];
        return p->overlap ? tsr_partition_context_from(p, region, *at) : i;
    }
    size_t row = g->row + i / g->width, col = g->col + i % g->width;
    *at = row * p->width + col;
    return (row - g->window.row) * g->window.width + col - g->window.col;
}

size_t tsr_geometry_context_pixel(const struct tsr_geometry *geometry, size_t region, size_t i) {
    const struct tsr_partition *p = geometry->partition;
    const struct tsr_box *w = &p->regions[region].window;
    if (p->labels) return p->context[p->context_first[region] + i];
    return (w->row + i / w->width) * p->width + w->col + i % w->width;
}

double tsr_geometry_own_error(const struct tsr_geometry *geometry, size_t region,
                              const tsr_real *out, const tsr_real *y, const uint8_t *known) {
    size_t c = geometry->channels;
    double sum = 0;
    for (size_t i = 0; i < geometry->partition->regions[region].n_pixels; i++) {
        size_t at, from = tsr_geometry_own_point(geometry, region, i, &at);
        if (known && known[at]) continue;
        for (size_t j = from * c; j < (from + 1) * c; j++) {
            double r = (double)out[j] - (double)y[j];
            sum += r * r;
        }
    }
    return sum;
}

void tsr_to_bytes(const tsr_real *values, size_t n, uint8_t *out) {
    tsr_real v[64];
    for (size_t at = 0; at < n; at += 64) {
        size_t m = n - at < 64 ? n - at : 64;
        /* one decision a loop: the compiler makes vectors of these, and branches of a nest */
        for (size_t i = 0; i < m; i++)
            v[i] = values[at + i] > 0 ? values[at + i] : 0;
        for (size_t i = 0; i < m; i++)
            v[i] = v[i] < 1 ? v[i] : 1;
        for (size_t i = 0; i < m; i++)
            out[at + i] = (uint8_t)(int)(v[i] * 255 + (tsr_real)0.5);
    }
}
