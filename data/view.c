/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/image.h"

/* ---- layouts --------------------------------------------------------------------------------- */

static const char letters[] = "HWCN";
enum { ROWS, COLUMNS, CHANNELS, IMAGES, ROLES };

struct layout {
    size_t rank;
    int axis[ROLES]; /* -1: there is none */
    size_t flat[3];  /* of flat:..., its numbers; else 0 */
    size_t n_flat;
};

static bool parse_flat(const char *text, struct layout *out) {
    out->rank = 2;
    out->axis[IMAGES] = 0;
    if (*text == 0) return true; /* plain "flat" */
    if (*text++ != ':') return false;
    for (;;) {
        char *end;
        if (*text < '1' || *text > '9' || out->n_flat == 3) return false;
        unsigned long value = strtoul(text, &end, 10);
        if (value > TSR_IMAGE_MAX_SIDE) return false;
        out->flat[out->n_flat++] = value;
        if (*end == 0) return out->n_flat >= 2;
        if (*end != 'x') return false;
        text = end + 1;
    }
}

static bool parse_layout(const char *text, struct layout *out) {
    *out = (struct layout){.axis = {-1, -1, -1, -1}};
    if (strncmp(text, "flat", 4) == 0) return parse_flat(text + 4, out);
    for (; text[out->rank]; out->rank++) {
        const char *role = strchr(letters, text[out->rank]);
        if (!role || out->axis[role - letters] >= 0) return false;
        out->axis[role - letters] = (int)out->rank;
    }
    return out->axis[ROWS] >= 0 && out->axis[COLUMNS] >= 0;
}

enum tsr_status tsr_view_check_layout(const char *layout, struct tsr_error *err) {
    struct layout parsed;
    if (parse_layout(layout, &parsed)) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG,
                     "\"%s\" is not a layout; one is the axes in their order, of N (images), H, W "
                     "and C (channels), such as NHWC, NCHW, HWCN or NHW, or flat:HxWxC, such as "
                     "flat:32x32x3",
                     layout);
}

/* ---- the layout of a shape ------------------------------------------------------------------- */

static bool is_channels(size_t extent) {
    return extent == 1 || extent == 3 || extent == 4;
}

enum { SHAPE_TEXT = TSR_ARRAY_MAX_RANK * 21 + 3 };

static const char *shape_text(const struct tsr_array *a, char text[SHAPE_TEXT]) {
    size_t at = (size_t)snprintf(text, SHAPE_TEXT, "[");
    for (size_t i = 0; i < a->rank; i++)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%zu", i ? "," : "", a->dims[i]);
    (void)snprintf(text + at, SHAPE_TEXT - at, "]");
    return text;
}

/* MATLAB's habit is HxWxCxN; seen from here, its axes are in reverse. NULL: it is not clear. */
static const char *guess_reversed(const struct tsr_array *a) {
    const size_t *d = a->dims;
    if (a->rank == 4 && is_channels(d[1])) return "NCWH";
    if (a->rank == 3 && d[0] != 3 && d[0] != 1) return "NWH";
    return NULL;
}

static const char *guess(const struct tsr_array *a) {
    const size_t *d = a->dims;
    if (a->reversed) return guess_reversed(a);
    if (a->rank == 4) {
        if (d[3] == 1 || d[3] == 3) return "NHWC";
        if (d[3] == 4) return d[1] == 1 || d[1] == 3 ? NULL : "NHWC";
        if (is_channels(d[1])) return "NCHW";
        return is_channels(d[2]) ? "HWCN" : NULL;
    }
    if (a->rank == 3 && !is_channels(d[2]) && d[0] != 3) return "NHW";
    return NULL;
}

/* Layouts of label maps, in pairs of which the second has rows and columns exchanged: MATLAB's
 * first.
 */
static const char *const label_layouts[] = {"NHW",  "NWH",  "NHWC", "NWHC", "NCHW", "NCWH",
                                            "HWCN", "WHCN", "HWN",  "WHN",  "HW",   "WH"};
enum { LABEL_LAYOUTS = sizeof label_layouts / sizeof *label_layouts };

static size_t extent(const struct tsr_array *a, const struct layout *l, int role) {
    return l->axis[role] < 0 ? 1 : a->dims[l->axis[role]];
}

/* The layout of as many maps as there are images, if one can be of their size; else the first that
 * the number allows. NULL: none does. */
static const char *guess_labels(const struct tsr_array *a, const struct tsr_view_options *o) {
    const char *possible = NULL;
    for (size_t i = 0; i < LABEL_LAYOUTS; i++) {
        const char *text = label_layouts[a->reversed ? i ^ 1 : i];
        struct layout l;
        if (!parse_layout(text, &l) || l.rank != a->rank || extent(a, &l, CHANNELS) != 1) continue;
        if (o->of_n > 0 && extent(a, &l, IMAGES) != o->of_n) continue;
        if (!possible) possible = text;
        if (extent(a, &l, ROWS) == o->of_height && extent(a, &l, COLUMNS) == o->of_width)
            return text;
    }
    return possible;
}

/* Of a square number; 0: it is none. */
static size_t square_root(size_t n) {
    size_t root = (size_t)lround(sqrt((double)n));
    return root < UINT32_MAX && root * root == n ? root : 0;
}

enum { OFFERS = 256 };

static void offer_flat(const struct tsr_array *a, char text[OFFERS]) {
    size_t values = a->dims[1], side = square_root(values);
    size_t third = values % 3 == 0 ? square_root(values / 3) : 0;
    if (side > 0)
        (void)snprintf(text, OFFERS, "--images-layout flat:%zux%zu reads it as %zu grey images",
                       side, side, a->dims[0]);
    else if (third > 0)
        (void)snprintf(text, OFFERS,
                       "--images-layout flat:%zux%zux3 reads it as %zu colour images, and "
                       "flat:3x%zux%zu if all red values of an image come first",
                       third, third, a->dims[0], third, third);
    else
        (void)snprintf(text, OFFERS,
                       "--images-layout flat:HxWxC, with the numbers, reads it as %zu images",
                       a->dims[0]);
    size_t at = strlen(text);
    (void)snprintf(text + at, OFFERS - at, "; %s as one grey image", a->reversed ? "WH" : "HW");
}

static void offer(const struct tsr_array *a, char text[OFFERS]) {
    bool last = a->rank == 3 && is_channels(a->dims[2]);
    const char *one = a->reversed ? "CWH" : last ? "HWC" : "CHW";
    if (a->rank == 2)
        offer_flat(a, text);
    else if (a->rank == 3)
        (void)snprintf(text, OFFERS,
                       "--images-layout %s reads it as one image of %zu channel%s, %s as %zu grey "
                       "images",
                       one, last && !a->reversed ? a->dims[2] : a->dims[0],
                       (last && !a->reversed ? a->dims[2] : a->dims[0]) == 1 ? "" : "s",
                       a->reversed ? "NWH" : "NHW", a->dims[0]);
    else if (a->rank == 4)
        (void)snprintf(text, OFFERS,
                       "expected 1, 3 or 4 channels on one axis; --images-layout with the order of "
                       "the axes, such as NHWC or NCHW, says which one");
    else
        (void)snprintf(text, OFFERS, "expected [N,H,W] or [N,H,W,C]");
}

bool tsr_view_suggest(const struct tsr_array *a, char *layout, size_t size) {
    const struct tsr_view_options none = {0};
    struct tsr_view view;
    layout[0] = 0;
    if (guess(a)) return tsr_view_find("", a, &none, &view, NULL) == TSR_OK;
    if (a->rank == 3)
        (void)snprintf(layout, size, "%s", a->reversed ? "NWH" : "NHW");
    else if (a->rank == 2 && square_root(a->dims[1]) > 1)
        (void)snprintf(layout, size, "flat");
    else if (a->rank == 2 && a->dims[1] % 3 == 0 && square_root(a->dims[1] / 3) > 1)
        (void)snprintf(layout, size, "flat:%zux%zux3", square_root(a->dims[1] / 3),
                       square_root(a->dims[1] / 3));
    return layout[0] != 0;
}

/* ---- the view -------------------------------------------------------------------------------- */

/* The layout asked for, or the one that the shape tells. */
static enum tsr_status choose_layout(const char *name, const struct tsr_array *a,
                                     const struct tsr_view_options *options, struct layout *out,
                                     char text[TSR_VIEW_LAYOUT_SIZE], struct tsr_error *err) {
    char shape[SHAPE_TEXT], offers[OFFERS];
    const char *asked = options->layout;
    const char *chosen = asked ? asked : options->labels ? guess_labels(a, options) : guess(a);
    size_t side = a->rank == 2 ? square_root(a->dims[1]) : 0;
    if (asked) TSR_TRY(tsr_view_check_layout(asked, err));
    if (chosen && parse_layout(chosen, out) && out->rank == a->rank) {
        (void)snprintf(text, TSR_VIEW_LAYOUT_SIZE, "%s", chosen);
        if (out->axis[ROWS] >= 0 || out->n_flat > 0) return TSR_OK;
        out->flat[0] = out->flat[1] = side; /* plain "flat" */
        out->n_flat = 2;
        (void)snprintf(text, TSR_VIEW_LAYOUT_SIZE, "flat:%zux%zu", side, side);
        if (side > 0) return TSR_OK;
    }
    if (options->labels)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s has shape %s; label maps of these %zu images of %zux%zu are [N,H,W], "
                         "[N,H,W,1] or [N,1,H,W]",
                         name, shape_text(a, shape), options->of_n, options->of_height,
                         options->of_width);
    offer(a, offers);
    if (asked)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s has shape %s, which is not %s; %s", name,
                         shape_text(a, shape), asked, offers);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s has shape %s; %s", name, shape_text(a, shape),
                     offers);
}

/* The steps of the axes of an image, its axis of images left out. */
static void set_steps(const struct tsr_array *a, const struct layout *l, struct tsr_view *v) {
    size_t step = 1;
    for (size_t i = a->rank; i-- > 0;)
        for (int role = ROWS; role <= CHANNELS; role++)
            if (l->axis[role] == (int)i) {
                v->step[role] = step;
                step *= a->dims[i];
            }
    v->height = a->dims[l->axis[ROWS]];
    v->width = a->dims[l->axis[COLUMNS]];
    v->stored = l->axis[CHANNELS] < 0 ? 1 : a->dims[l->axis[CHANNELS]];
}

static enum tsr_status set_flat(const char *name, const struct tsr_array *a, const struct layout *l,
                                struct tsr_view *v, struct tsr_error *err) {
    const size_t *f = l->flat;
    bool planes = l->n_flat == 3 && is_channels(f[0]) && !is_channels(f[2]);
    v->height = f[planes], v->width = f[planes + 1];
    v->stored = l->n_flat == 2 ? 1 : planes ? f[0] : f[2];
    v->step[ROWS] = planes ? v->width : v->width * v->stored;
    v->step[COLUMNS] = planes ? 1 : v->stored;
    v->step[CHANNELS] = planes ? v->width * v->height : 1;
    if (v->height * v->width * v->stored == a->dims[1]) return TSR_OK;
    char offers[OFFERS];
    offer_flat(a, offers);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s has %zu values an image, not the %zu of %s; %s", name,
                     a->dims[1], v->height * v->width * v->stored, v->layout, offers);
}

static enum tsr_status check_sizes(const char *name, const struct tsr_array *a,
                                   const struct tsr_view *v, struct tsr_error *err) {
    char shape[SHAPE_TEXT];
    const char *rule = NULL;
    if (v->labels && v->stored != 1)
        rule = "expected label maps, of one channel";
    else if (!is_channels(v->stored))
        rule = "expected 1 or 3 channels, or 4 with opacity";
    else if (v->n < 1 || v->n > UINT32_MAX)
        rule = "expected 1 to 2^32-1 images";
    else if (v->height < 1 || v->width < 1 || v->height > TSR_IMAGE_MAX_SIDE ||
             v->width > TSR_IMAGE_MAX_SIDE)
        rule = "expected sides of 1..65535";
    else if (v->height * v->width > TSR_IMAGE_MAX_PIXELS)
        rule = "expected images of at most 2^28 pixels";
    if (!rule) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s has shape %s: as %s these are %zu images of %zux%zux%zu; %s", name,
                     shape_text(a, shape), v->layout, v->n, v->height, v->width, v->stored, rule);
}

enum tsr_status tsr_view_find(const char *name, const struct tsr_array *array,
                              const struct tsr_view_options *options, struct tsr_view *out,
                              struct tsr_error *err) {
    struct layout layout;
    bool ranged = options->range[0] < options->range[1] || options->range[0] > options->range[1];
    *out = (struct tsr_view){.scale = 1, .labels = options->labels};
    TSR_TRY(choose_layout(name, array, options, &layout, out->layout, err));
    out->axis = layout.axis[IMAGES];
    out->n = out->axis < 0 ? 1 : array->dims[out->axis];
    if (layout.n_flat)
        TSR_TRY(set_flat(name, array, &layout, out, err));
    else
        set_steps(array, &layout, out);
    TSR_TRY(check_sizes(name, array, out, err));
    out->channels = out->stored == 1 ? 1 : 3;
    out->narrow = array->bytes;
    out->floats = array->floats || ranged;
    if (ranged) {
        out->black = options->range[0];
        out->scale = 1 / (options->range[1] - options->range[0]);
    }
    out->as_it_lies = out->narrow && !out->floats && out->stored == out->channels &&
                      out->step[ROWS] == out->width * out->channels &&
                      out->step[COLUMNS] == out->channels;
    return TSR_OK;
}

size_t tsr_view_values(const struct tsr_view *view) {
    return view->height * view->width * view->stored;
}

/* ---- values ---------------------------------------------------------------------------------- */

static double value_at(const struct tsr_view *v, const void *values, size_t at) {
    return v->narrow ? ((const uint8_t *)values)[at] : (double)((const float *)values)[at];
}

/* A range that takes all values of the image, the roundest. */
static void offer_range(const struct tsr_view *v, const void *values, char text[OFFERS]) {
    static const double ranges[][2] = {{0, 1}, {-1, 1}, {0, 255}, {-128, 127}, {0, 65535}};
    double least = (double)INFINITY, most = -(double)INFINITY;
    for (size_t i = 0; i < tsr_view_values(v); i++) {
        double value = value_at(v, values, i);
        if (isnan(value)) value = (double)INFINITY;
        least = fmin(least, value);
        most = fmax(most, value);
    }
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (least >= ranges[i][0] && most <= ranges[i][1]) {
            (void)snprintf(text, OFFERS, "; --images-range %g..%g takes those of this image",
                           ranges[i][0], ranges[i][1]);
            return;
        }
    text[0] = 0;
    if (isfinite(least) && isfinite(most))
        (void)snprintf(text, OFFERS,
                       "; those of this image are %.6g to %.6g, and --images-range LO..HI takes "
                       "them",
                       least, most);
}

static enum tsr_status out_of_range(const struct tsr_view *v, const char *name, size_t index,
                                    const void *values, size_t row, size_t column, double value,
                                    struct tsr_error *err) {
    char offers[OFFERS], range[64];
    offer_range(v, values, offers);
    if (v->scale == 1 && v->black == 0) /* none was given */
        (void)snprintf(range, sizeof range, v->floats ? "floats are 0..1" : "integers are 0..255");
    else
        (void)snprintf(range, sizeof range, "--images-range is %g..%g", v->black,
                       v->black + 1 / v->scale);
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s has the value %.6g at row %zu, column %zu of image %zu; %s%s", name, value,
                     row, column, index, range, offers);
}

/* Numbers that have been rounded somewhere on their way may end just outside. */
#define SLACK 1e-5

/* A value as it is shown: 0..1, or of integers 0..255; false: it is out of range. */
static bool convert(const struct tsr_view *v, double value, double *out) {
    double most = v->floats ? 1 : 255, shown = (value - v->black) * v->scale;
    if (!(shown >= -SLACK && shown <= most + SLACK)) return false;
    if (!v->floats && shown != floor(shown)) return false;
    *out = fmin(fmax(shown, 0), most);
    return true;
}

enum tsr_status tsr_view_image(const struct tsr_view *view, const char *name, size_t index,
                               const void *values, void *pixels, struct tsr_error *err) {
    const struct tsr_view *v = view;
    size_t at = 0;
    double white = v->floats ? 1 : 255;
    for (size_t y = 0; y < v->height; y++)
        for (size_t x = 0; x < v->width; x++) {
            double pixel[4] = {0};
            for (size_t c = 0; c < v->stored; c++) {
                size_t from = y * v->step[ROWS] + x * v->step[COLUMNS] + c * v->step[CHANNELS];
                double value = value_at(v, values, from);
                if (!convert(v, value, &pixel[c]))
                    return out_of_range(v, name, index, values, y, x, value, err);
            }
            for (size_t c = 0; c < v->channels; c++, at++) {
                double shown = pixel[c];
                if (v->stored == 4) shown = white + (shown - white) * (pixel[3] / white);
                if (v->floats)
                    ((float *)pixels)[at] = (float)shown;
                else
                    ((uint8_t *)pixels)[at] = (uint8_t)(shown + 0.5);
            }
        }
    return TSR_OK;
}

enum tsr_status tsr_view_label_map(const struct tsr_view *v, const char *name, const void *values,
                                   uint16_t *labels, bool *negative, struct tsr_error *err) {
    size_t at = 0;
    *negative = false;
    for (size_t y = 0; y < v->height; y++)
        for (size_t x = 0; x < v->width; x++, at++) {
            double value = value_at(v, values, y * v->step[ROWS] + x * v->step[COLUMNS]);
            if (!(value >= -1 && value <= UINT16_MAX && value == floor(value)))
                return TSR_ERROR(err, TSR_ERR_FORMAT,
                                 "%s has the value %.9g at row %zu, column %zu; labels are whole "
                                 "numbers 0..%d, and -1 for none",
                                 name, value, y, x, UINT16_MAX);
            *negative = *negative || value < 0;
            labels[at] = value < 0 ? UINT16_MAX : (uint16_t)value;
        }
    return TSR_OK;
}

enum { LOOKED_AT = 8 };

enum tsr_status tsr_view_look(const struct tsr_view *v, const char *name, tsr_view_read_fn read,
                              void *user, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    size_t n = v->n < LOOKED_AT ? v->n : LOOKED_AT, area = v->height * v->width;
    void *values, *pixels = NULL;
    if ((v->narrow && !v->floats) || v->labels) return TSR_OK; /* any byte will do */
    TSR_TRY(tsr_alloc(&values, tsr_view_values(v), v->narrow ? 1 : sizeof(float), name, err));
    status = tsr_alloc(&pixels, area * v->channels, v->floats ? sizeof(float) : 1, name, err);
    for (size_t k = 0; k < n && status == TSR_OK; k++) {
        size_t index = n > 1 ? k * (v->n - 1) / (n - 1) : 0;
        status = read(user, index, values, err);
        if (status == TSR_OK) status = tsr_view_image(v, name, index, values, pixels, err);
    }
    free(values);
    free(pixels);
    return status;
}
