/* SPDX-License-Identifier: MIT
 *
 * Segmentation: what every label map must satisfy, known answers on synthetic images, merging
 * against naive references on small graphs.
 */
#include "tests/check.h"

#include "partition/lab.h"
#include "partition/merge.h"
#include "partition/segmentation.h"
#include "partition/superpixels.h"

/* ---- checks of label maps -----------------------------------------------------------------------
 */

/* Pixels that are 4-connected to `first` and have its label; they are marked. */
static size_t fill_from(const uint32_t *labels, size_t height, size_t width, size_t first,
                        unsigned char *marked, uint32_t *stack) {
    size_t n = 1, count = 0;
    stack[0] = (uint32_t)first;
    marked[first] = 1;
    while (n > 0) {
        size_t at = stack[--n];
        count++;
        for (int k = 0; k < 4; k++) {
            static const int dr[4] = {0, 0, 1, -1}, dc[4] = {1, -1, 0, 0};
            long r = (long)(at / width) + dr[k], c = (long)(at % width) + dc[k];
            if (r < 0 || c < 0 || r >= (long)height || c >= (long)width) continue;
            size_t next = (size_t)r * width + (size_t)c;
            if (marked[next] || labels[next] != labels[first]) continue;
            marked[next] = 1;
            stack[n++] = (uint32_t)next;
        }
    }
    return count;
}

/* Labels 0..n-1 in the order of their first pixels, each one 4-connected; the smallest area. */
static size_t check_map(const uint32_t *labels, size_t height, size_t width, size_t n) {
    unsigned char *marked = make(height * width, 1);
    uint32_t *stack = make(height * width, sizeof *stack);
    size_t found = 0, smallest = SIZE_MAX;
    for (size_t i = 0; i < height * width; i++) {
        if (marked[i]) continue;
        if (labels[i] != found)
            fail_msg("%zux%zu, %zu regions: pixel %zu begins label %u, not %zu", height, width, n,
                     i, labels[i], found);
        found++;
        size_t area = fill_from(labels, height, width, i, marked, stack);
        if (area < smallest) smallest = area;
    }
    assert_int_equal(found, n);
    free(marked);
    free(stack);
    return smallest;
}

static size_t check_segment(const uint8_t *pixels, size_t height, size_t width, size_t channels,
                            size_t n, enum tsr_merge merge) {
    uint32_t *labels = make(height * width, sizeof *labels);
    memset(labels, 0xee, height * width * sizeof *labels);
    MUST(tsr_segment(pixels, height, width, channels, n, merge, labels, err));
    size_t smallest = check_map(labels, height, width, n);
    free(labels);
    return smallest;
}

/* ---- images -------------------------------------------------------------------------------------
 */

/* Random soft blobs with noise of +-`noise`. */
static uint8_t *blobs(size_t height, size_t width, size_t channels, double noise) {
    uint8_t *pixels = make(height * width * channels, 1);
    double wave[3][4];
    for (int k = 0; k < 12; k++)
        wave[k / 4][k % 4] = draw(-9, 9);
    for (size_t i = 0; i < height * width * channels; i++) {
        const double *w = wave[i % channels];
        double r = (double)(i / channels / width) / (double)height;
        double c = (double)(i / channels % width) / (double)width;
        double v = 127 + 80 * sin(w[0] * r + w[1] * c + w[2]) * cos(w[3] * r * c + w[0]);
        v += draw(-noise, noise);
        pixels[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    return pixels;
}

static void label_maps_are_whole(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{16, 16},   {17, 31},  {33, 64},  {90, 71}, {120, 40},
                                      {1, 50},    {50, 1},   {3, 200},  {200, 2}, {2, 2},
                                      {1, 20000}, {6000, 3}, {178, 178}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t channels = 1; channels <= 3; channels += 2) {
            size_t h = sizes[s][0], w = sizes[s][1];
            uint8_t *pixels = blobs(h, w, channels, s % 3 == 0 ? 120 : 5);
            size_t counts[] = {1, 2, 3, 4, 9, h * w / 64, h * w / 20, h * w / 2, h * w};
            for (size_t k = 0; k < 9; k++)
                for (int merge = 0; merge < 2; merge++)
                    if (counts[k] >= 1 && counts[k] <= h * w)
                        check_segment(pixels, h, w, channels, counts[k], (enum tsr_merge)merge);
            free(pixels);
        }
}

static void flat_images(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{16, 16}, {64, 48}, {178, 178}, {37, 211}};
    for (size_t s = 0; s < 4; s++)
        for (int merge = 0; merge < 2; merge++)
            for (size_t n = 1; n <= 16; n += 5) {
                size_t h = sizes[s][0], w = sizes[s][1];
                uint8_t *pixels = make(h * w * 3, 1);
                memset(pixels, 200 + (int)n, h * w * 3);
                size_t smallest = check_segment(pixels, h, w, 3, n, (enum tsr_merge)merge);
                assert_true(smallest * n * 4 >= h * w); /* a quarter of the mean */
                smallest = check_segment(pixels, h, w, 1, n, (enum tsr_merge)merge);
                assert_true(smallest * n * 4 >= h * w);
                free(pixels);
            }
}

static void no_region_starves(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        size_t h = draw_size(40, 180), w = draw_size(40, 180), n = draw_size(2, 40);
        uint8_t *pixels = blobs(h, w, i % 4 ? 3 : 1, draw(0, 60));
        /* a few loud pixels that would like to stay alone */
        for (int k = 0; k < 20; k++)
            pixels[draw_size(0, h * w - 1)] = k % 2 ? 255 : 0;
        size_t smallest = check_segment(pixels, h, w, i % 4 ? 3 : 1, n, TSR_MERGE_COLOR);
        if (smallest * n * 8 < h * w)
            fail_msg("%zux%zu, %zu regions: one has %zu pixels", h, w, n, smallest);
        free(pixels);
    }
}

/* ---- known answers ------------------------------------------------------------------------------
 */

#define DISCS 5
static const struct {
    double row, col, radius;
    uint8_t color[3];
} disc[DISCS] = {{30, 35, 22, {220, 40, 40}},
                 {38, 130, 30, {40, 60, 200}},
                 {120, 40, 28, {240, 230, 60}},
                 {135, 100, 23, {20, 20, 20}},
                 {144, 150, 24, {250, 250, 250}}};

static uint32_t *draw_discs(size_t side, size_t channels, uint8_t *pixels) {
    uint32_t *truth = make(side * side, sizeof *truth);
    for (size_t i = 0; i < side * side; i++) {
        static const uint8_t ground[3] = {90, 140, 110}, grey[DISCS] = {30, 60, 190, 0, 255};
        for (size_t k = 0; k < channels; k++)
            pixels[i * channels + k] = ground[k];
        for (uint32_t d = 0; d < DISCS; d++) {
            double dr = (double)(i / side) - disc[d].row, dc = (double)(i % side) - disc[d].col;
            if (dr * dr + dc * dc > disc[d].radius * disc[d].radius) continue;
            truth[i] = d + 1;
            for (size_t k = 0; k < channels; k++)
                pixels[i * channels + k] = channels == 1 ? grey[d] : disc[d].color[k];
        }
    }
    return truth;
}

/* Discs on a ground come back to the pixel. */
static void discs_come_back(void **state) {
    (void)state;
    const size_t side = 178;
    for (size_t channels = 1; channels <= 3; channels += 2) {
        uint8_t *pixels = make(side * side * channels, 1);
        uint32_t *truth = draw_discs(side, channels, pixels), region_of[DISCS + 1];
        uint32_t *labels = make(side * side, sizeof *labels);
        MUST(tsr_segment(pixels, side, side, channels, DISCS + 1, TSR_MERGE_COLOR, labels, err));
        check_map(labels, side, side, DISCS + 1);
        for (size_t i = 0; i < side * side; i++)
            region_of[truth[i]] = labels[i];
        for (size_t i = 0; i < side * side; i++)
            assert_int_equal(labels[i], region_of[truth[i]]);
        free(pixels);
        free(truth);
        free(labels);
    }
}

/* Two halves of nearly the same colour: the difference is found; without it (the control) the
 * border lies elsewhere. */
static void faint_border(void **state) {
    (void)state;
    const size_t height = 60, width = 101;
    uint8_t *pixels = make(height * width * 3, 1);
    uint32_t *labels = make(height * width, sizeof *labels);
    for (int step = 12; step >= 0; step -= 12) {
        size_t wrong = 0;
        for (size_t i = 0; i < height * width; i++)
            for (size_t k = 0; k < 3; k++)
                pixels[i * 3 + k] = (uint8_t)(120 + (i % width < 37 ? step : 0));
        MUST(tsr_segment(pixels, height, width, 3, 2, TSR_MERGE_COLOR, labels, err));
        for (size_t i = 0; i < height * width; i++)
            wrong += labels[i] != (i % width >= 37);
        if (step)
            assert_int_equal(wrong, 0);
        else
            assert_true(wrong > 0);
    }
    free(pixels);
    free(labels);
}

/* ---- determinism --------------------------------------------------------------------------------
 */

static void same_for_any_threads(void **state) {
    (void)state;
    enum { N = 6 };
    const size_t h = 97, w = 83, n = h * w;
    uint8_t *pixels[N];
    uint32_t *expected = make(N * n, sizeof *expected), *found = make(4 * N * n, sizeof *found);
    for (size_t i = 0; i < N; i++) {
        pixels[i] = blobs(h, w, 3, 40);
        MUST(
            tsr_segment(pixels[i], h, w, 3, 5 + i, (enum tsr_merge)(i % 2), expected + i * n, err));
    }
    int failures = 0;
#pragma omp parallel for num_threads(4) schedule(static, 1) reduction(+ : failures)
    for (int t = 0; t < 4 * N; t++) {
        size_t i = (size_t)t / 4;
        failures += tsr_segment(pixels[i], h, w, 3, 5 + i, (enum tsr_merge)(i % 2),
                                found + (size_t)t * n, NULL) != TSR_OK;
    }
    assert_int_equal(failures, 0);
    for (size_t t = 0; t < 4 * N; t++)
        assert_memory_equal(found + t * n, expected + t / 4 * n, n * sizeof *found);
    for (size_t i = 0; i < N; i++)
        free(pixels[i]);
    free(expected);
    free(found);
}

/* ---- superpixels and Lab ------------------------------------------------------------------------
 */

static void superpixels_are_connected(void **state) {
    (void)state;
    struct tsr_lab lab;
    tsr_lab_init(&lab);
    for (int i = 0; i < 30; i++) {
        size_t h = draw_size(1, 90), w = draw_size(1, 90), side = draw_size(4, 40), count;
        uint8_t *pixels = blobs(h, w, 3, i % 2 ? 127 : 10);
        uint32_t *labels = make(h * w, sizeof *labels);
        struct tsr_picture picture = {pixels, h, w, 3};
        MUST(tsr_superpixels_slic(&lab, &picture, side, labels, &count, err));
        check_map(labels, h, w, count);
        count = tsr_superpixels_grid(&picture, side, labels);
        assert_int_equal(count, ((h + side - 1) / side) * ((w + side - 1) / side));
        check_map(labels, h, w, count);
        free(pixels);
        free(labels);
    }
}

static double curve(double t) {
    return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

static void lab_is_within_a_hundredth(void **state) {
    (void)state;
    static const double white[3] = {0.95047, 1.0, 1.08883};
    static const double xyz[3][3] = {{0.4124564, 0.3575761, 0.1804375},
                                     {0.2126729, 0.7151522, 0.0721750},
                                     {0.0193339, 0.1191920, 0.9503041}};
    struct tsr_lab tables;
    tsr_lab_init(&tables);
    for (int i = 0; i < 20000; i++) {
        uint8_t rgb[3];
        double f[3] = {0};
        float lab[3], grey[3];
        for (int k = 0; k < 3; k++)
            rgb[k] = (uint8_t)(i < 256 ? i : (int)draw_size(0, 255));
        for (int row = 0; row < 3; row++) {
            for (int k = 0; k < 3; k++) {
                double s = rgb[k] / 255.0;
                f[row] += xyz[row][k] * (s <= 0.04045 ? s / 12.92 : pow((s + 0.055) / 1.055, 2.4));
            }
            f[row] = curve(f[row] / white[row]);
        }
        tsr_lab_of(&tables, rgb, 3, lab);
        assert_true(fabs(lab[0] - (116 * f[1] - 16)) < 0.01);
        assert_true(fabs(lab[1] - 500 * (f[0] - f[1])) < 0.05);
        assert_true(fabs(lab[2] - 200 * (f[1] - f[2])) < 0.05);
        if (i >= 256) continue;
        tsr_lab_of(&tables, rgb, 1, grey);
        assert_true(fabsf(grey[0] - lab[0]) < 0.01f && grey[1] == 0 && grey[2] == 0);
    }
}

/* ---- merging against naive references -----------------------------------------------------------
 */

#define MAX_PIECES 40

struct naive {
    size_t n;
    bool alive[MAX_PIECES];
    double area[MAX_PIECES], sum[MAX_PIECES][3];
    double length[MAX_PIECES][MAX_PIECES], contrast[MAX_PIECES][MAX_PIECES];
    uint32_t group[MAX_PIECES];
};

/* A grid of pieces with a diagonal here and there; whole areas, so that `area` meets ties. */
static void random_graph(struct naive *g, struct tsr_pieces *p) {
    size_t rows = draw_size(1, 5), cols = draw_size(2, 8), n = rows * cols;
    *g = (struct naive){.n = n};
    MUST(tsr_pieces_create(p, n, 3 * n, err));
    for (size_t i = 0; i < n; i++) {
        g->alive[i] = true;
        g->group[i] = (uint32_t)i;
        g->area[i] = p->piece[i].area = (double)draw_size(1, 9);
        for (int k = 0; k < 3; k++)
            g->sum[i][k] = p->piece[i].sum[k] = g->area[i] * (double)draw_size(0, 100);
    }
    for (size_t i = 0; i < n; i++) {
        size_t next[3] = {i % cols + 1 < cols ? i + 1 : n, i + cols,
                          i % cols + 1 < cols && draw(0, 1) < 0.4 ? i + cols + 1 : n};
        for (int k = 0; k < 3; k++)
            for (size_t t = draw_size(1, 4); next[k] < n && t > 0; t--) {
                size_t j = next[k];
                double contrast = (double)draw_size(0, 900);
                tsr_pieces_touch(p, (uint32_t)i, (uint32_t)j, contrast);
                g->length[i][j] = g->length[j][i] += 1;
                g->contrast[i][j] = g->contrast[j][i] += contrast;
            }
    }
}

static void naive_join(struct naive *g, size_t a, size_t b) {
    g->alive[a] = false;
    g->area[b] += g->area[a];
    for (int k = 0; k < 3; k++)
        g->sum[b][k] += g->sum[a][k];
    for (size_t i = 0; i < g->n; i++) {
        if (i == b || i == a) continue;
        g->length[i][b] = g->length[b][i] += g->length[a][i];
        g->contrast[i][b] = g->contrast[b][i] += g->contrast[a][i];
        g->length[i][a] = g->length[a][i] = 0;
    }
    g->length[a][b] = g->length[b][a] = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->group[i] == a) g->group[i] = (uint32_t)b;
}

static size_t naive_smallest(const struct naive *g) {
    size_t best = g->n;
    for (size_t i = 0; i < g->n; i++)
        if (g->alive[i] && (best == g->n || g->area[i] < g->area[best])) best = i;
    return best;
}

static void naive_area(struct naive *g) {
    size_t a = naive_smallest(g), b = g->n;
    for (size_t i = 0; i < g->n; i++)
        if (g->alive[i] && g->length[a][i] > 0 && (b == g->n || g->area[i] < g->area[b])) b = i;
    naive_join(g, a, b);
}

static double naive_cost(const struct naive *g, size_t a, size_t b) {
    double d = g->contrast[a][b] / g->length[a][b] + 1;
    for (int k = 0; k < 3; k++)
        d += pow(g->sum[a][k] / g->area[a] - g->sum[b][k] / g->area[b], 2);
    return d * g->area[a] * g->area[b] / (g->area[a] + g->area[b]) *
           sqrt(fmin(g->area[a], g->area[b])) / g->length[a][b];
}

static void naive_color(struct naive *g, size_t left) {
    size_t small = naive_smallest(g), a = g->n, b = g->n;
    double total = 0, smallest = INFINITY;
    for (size_t i = 0; i < g->n; i++)
        total += g->alive[i] ? g->area[i] : 0;
    bool starving = g->area[small] < total / (4.0 * (double)left);
    for (size_t i = 0; i < g->n; i++)
        for (size_t j = i + 1; j < g->n; j++) {
            if (!(g->length[i][j] > 0) || (starving && i != small && j != small)) continue;
            double cost = naive_cost(g, i, j);
            if (cost < smallest) smallest = cost, a = i, b = j;
        }
    naive_join(g, a, b);
}

static void merging_equals_the_naive_one(void **state) {
    (void)state;
    for (int i = 0; i < 400; i++) {
        struct naive g;
        struct tsr_pieces p;
        enum tsr_merge rule = i % 2 ? TSR_MERGE_AREA : TSR_MERGE_COLOR;
        random_graph(&g, &p);
        for (size_t left = g.n; left > 1; left--) {
            if (left > 1 && rule == TSR_MERGE_AREA)
                naive_area(&g);
            else
                naive_color(&g, left);
            if (left > 2 && draw(0, 1) < 0.8) continue;
            /* from where the last call left off */
            MUST(tsr_pieces_merge(&p, left - 1, rule, err));
            for (uint32_t a = 0; a < g.n; a++)
                for (uint32_t b = 0; b < a; b++)
                    assert_int_equal(g.group[a] == g.group[b],
                                     tsr_pieces_root(&p, a) == tsr_pieces_root(&p, b));
        }
        tsr_pieces_clear(&p);
    }
}

/* ---- errors and names ---------------------------------------------------------------------------
 */

static void errors_name_what_is_wrong(void **state) {
    (void)state;
    uint8_t pixels[5 * 7 * 3] = {0};
    uint32_t labels[5 * 7];
    const enum tsr_merge rule = TSR_MERGE_COLOR;
    MUST(tsr_segment(pixels, 5, 7, 3, 35, rule, labels, err));
    MUST_FAIL(tsr_segment(pixels, 5, 7, 3, 36, rule, labels, err), TSR_ERR_CONFIG,
              "segment 36: an image of 5x7 pixels has 1 to 35 regions");
    MUST_FAIL(tsr_segment(pixels, 5, 7, 3, 0, rule, labels, err), TSR_ERR_CONFIG, "segment 0");
    MUST_FAIL(tsr_segment(pixels, 5, 7, 2, 4, rule, labels, err), TSR_ERR_ARGUMENT, "2 channels");
    MUST_FAIL(tsr_segment(pixels, 0, 7, 3, 1, rule, labels, err), TSR_ERR_ARGUMENT, "0x7 pixels");
    MUST_FAIL(tsr_segment(pixels, 5, 0, 3, 1, rule, labels, err), TSR_ERR_ARGUMENT, "5x0 pixels");
    MUST_FAIL(tsr_segment(pixels, 65536, 32768, 3, 1, rule, labels, err), TSR_ERR_ARGUMENT,
              "1 to 2^31-1");
    MUST_FAIL(tsr_segment(pixels, SIZE_MAX, 3, 3, 1, rule, labels, err), TSR_ERR_ARGUMENT, "2^31");
}

static void names(void **state) {
    (void)state;
    enum tsr_merge merge = TSR_MERGE_COLOR;
    MUST(tsr_merge_parse("area", &merge, err));
    assert_int_equal(merge, TSR_MERGE_AREA);
    assert_string_equal(tsr_merge_name(TSR_MERGE_COLOR), "color");
    MUST_FAIL(tsr_merge_parse("colour", &merge, err), TSR_ERR_NOT_FOUND, "color, area");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_maps_are_whole),
        cmocka_unit_test(flat_images),
        cmocka_unit_test(no_region_starves),
        cmocka_unit_test(discs_come_back),
        cmocka_unit_test(faint_border),
        cmocka_unit_test(same_for_any_threads),
        cmocka_unit_test(superpixels_are_connected),
        cmocka_unit_test(lab_is_within_a_hundredth),
        cmocka_unit_test(merging_equals_the_naive_one),
        cmocka_unit_test(errors_name_what_is_wrong),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
