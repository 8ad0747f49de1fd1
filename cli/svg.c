/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "cli/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/file.h"

/* Picture, and the area that the axes enclose. */
enum { WIDTH = 840, HEIGHT = 480, LEFT = 76, RIGHT = 604, TOP = 44, BOTTOM = 420 };

/* Okabe and Ito's palette. */
static const char *const colours[SVG_N_COLOURS] = {"#000000", "#0072b2", "#d55e00", "#009e73",
                                                   "#cc79a7", "#e69f00", "#56b4e9", "#b8a800"};
static const char *const dashes[] = {"", "", " stroke-dasharray=\"7 4\"",
                                     " stroke-dasharray=\"2 3\""};

/* From values to positions in the picture. */
struct scale {
    bool log;
    double from, to;   /* values, or their logarithms to base 10 */
    double begin, end; /* positions */
};

/* ---- scales ---------------------------------------------------------------------------------- */

static bool usable(const struct cli_svg_axis *axis, double v) {
    return isfinite(v) && (v > 0 || !axis->log);
}

static void extend(const struct cli_svg_axis *axis, double v, double *from, double *to) {
    if (!usable(axis, v)) return;
    if (axis->log) v = log10(v);
    if (!(*from <= v)) *from = v;
    if (!(*to >= v)) *to = v;
}

static void find_range(const struct cli_svg_plot *plot, bool vertical, double *from, double *to) {
    const struct cli_svg_axis *axis = vertical ? &plot->y : &plot->x;
    for (size_t s = 0; s < plot->n_series; s++) {
        const struct cli_svg_series *r = &plot->series[s];
        for (size_t i = 0; i < r->n; i++) {
            extend(axis, vertical ? r->y[i] : r->x[i], from, to);
            if (vertical && r->low) extend(axis, r->low[i], from, to);
            if (vertical && r->high) extend(axis, r->high[i], from, to);
        }
    }
}

static struct scale make_scale(const struct cli_svg_plot *plot, bool vertical) {
    const struct cli_svg_axis *axis = vertical ? &plot->y : &plot->x;
    double from = (double)NAN, to = (double)NAN;
    bool fixed = axis->from < axis->to && usable(axis, axis->from) && usable(axis, axis->to);
    if (fixed) {
        extend(axis, axis->from, &from, &to);
        extend(axis, axis->to, &from, &to);
    } else {
        find_range(plot, vertical, &from, &to);
    }
    if (!(from <= to)) from = 0, to = 1; /* nothing to show */
    if (!(from < to)) from -= 0.5, to += 0.5;
    double margin = fixed ? 0 : 0.03 * (to - from);
    return (struct scale){.log = axis->log,
                          .from = from - margin,
                          .to = to + margin,
                          .begin = vertical ? BOTTOM : LEFT,
                          .end = vertical ? TOP : RIGHT};
}

static double place(const struct scale *s, double v) {
    if (s->log) v = log10(v);
    return s->begin + (v - s->from) / (s->to - s->from) * (s->end - s->begin);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void escape(FILE *f, const char *text) {
    for (; *text; text++)
        switch (*text) {
        case '&':
            (void)fputs("&amp;", f);
            break;
        case '<':
            (void)fputs("&lt;", f);
            break;
        case '>':
            (void)fputs("&gt;", f);
            break;
        default:
            if ((unsigned char)*text >= 0x20) (void)fputc(*text, f);
        }
}

static void put_text(FILE *f, double x, double y, const char *attributes, const char *text) {
    (void)fprintf(f, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
    escape(f, text);
    (void)fputs("</text>\n", f);
}

/* ---- axes ------------------------------------------------------------------------------------ */

static void put_tick(FILE *f, const struct scale *s, bool vertical, double v, bool labelled) {
    char text[32];
    double at = place(s, v), low = s->begin < s->end ? s->begin : s->end;
    double high = s->begin < s->end ? s->end : s->begin;
    if (!(at >= low - 0.01 && at <= high + 0.01)) return;
    const char *stroke = labelled ? "#d8d8d8" : "#efefef";
    if (vertical)
        (void)fprintf(f, "<path d=\"M%d %.1fH%d\" stroke=\"%s\"/>\n", LEFT, at, RIGHT, stroke);
    else
        (void)fprintf(f, "<path d=\"M%.1f %dV%d\" stroke=\"%s\"/>\n", at, BOTTOM, TOP, stroke);
    if (!labelled) return;
    (void)snprintf(text, sizeof text, "%.6g", v);
    if (vertical)
        put_text(f, LEFT - 8, at + 4, " text-anchor=\"end\"", text);
    else
        put_text(f, at, BOTTOM + 18, " text-anchor=\"middle\"", text);
}

/* Steps of 1, 2 or 5 times a power of ten, 5 to 10 of them. */
static void put_linear_ticks(FILE *f, const struct scale *s, bool vertical) {
    double raw = (s->to - s->from) / 8, power = pow(10, floor(log10(raw)));
    double step = power * (raw / power > 5 ? 10 : raw / power > 2 ? 5 : raw / power > 1 ? 2 : 1);
    for (double i = ceil(s->from / step); i * step <= s->to; i++)
        put_tick(f, s, vertical, i * step + 0.0, true); /* no -0 */
}

/* Every decade, with 2 and 5 named too where there are few, none but some where there are many. */
static void put_log_ticks(FILE *f, const struct scale *s, bool vertical) {
    double decades = s->to - s->from, every = ceil(decades / 10);
    for (double d = floor(s->from); d <= s->to; d++)
        for (int m = 1; m < 10 && (m == 1 || every <= 1); m++) {
            bool named =
                m == 1 ? fmod(d, every) == 0 : decades < 1 || (decades < 3 && (m == 2 || m == 5));
            if (decades < 5 || m == 1) put_tick(f, s, vertical, m * pow(10, d), named);
        }
}

static void put_axes(FILE *f, const struct cli_svg_plot *plot, const struct scale *x,
                     const struct scale *y) {
    (x->log ? put_log_ticks : put_linear_ticks)(f, x, false);
    (y->log ? put_log_ticks : put_linear_ticks)(f, y, true);
    (void)fprintf(
        f, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#444\"/>\n",
        LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP);
    if (plot->title)
        put_text(f, LEFT, TOP - 16, " font-size=\"15\" font-weight=\"bold\"", plot->title);
    if (plot->x.label)
        put_text(f, 0.5 * (LEFT + RIGHT), BOTTOM + 42, " text-anchor=\"middle\"", plot->x.label);
    if (plot->y.label) {
        char turn[96];
        (void)snprintf(turn, sizeof turn, " text-anchor=\"middle\" transform=\"rotate(-90 22 %d)\"",
                       (TOP + BOTTOM) / 2);
        put_text(f, 22, 0.5 * (TOP + BOTTOM), turn, plot->y.label);
    }
}

/* ---- series ---------------------------------------------------------------------------------- */

static void put_marker(FILE *f, const struct cli_svg_series *s, double x, double y) {
    const char *colour = colours[s->colour % SVG_N_COLOURS];
    switch (s->marker) {
    case SVG_NO_MARKER:
        break;
    case SVG_DOT:
        (void)fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\" fill=\"%s\"/>\n", x, y, colour);
        break;
    case SVG_CIRCLE:
        (void)fprintf(f,
                      "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#fff\" stroke=\"%s\" "
                      "stroke-width=\"1.6\"/>\n",
                      x, y, colour);
        break;
    case SVG_SQUARE:
        (void)fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\" fill=\"%s\"/>\n",
                      x - 4, y - 4, colour);
        break;
    case SVG_CROSS:
        (void)fprintf(f,
                      "<path d=\"M%.1f %.1fl8 8m0 -8l-8 8\" stroke=\"%s\" stroke-width=\"2\"/>\n",
                      x - 4, y - 4, colour);
        break;
    }
}

static void put_line(FILE *f, const struct cli_svg_plot *plot, const struct cli_svg_series *s,
                     const struct scale *x, const struct scale *y) {
    bool down = false;
    if (s->line == SVG_NO_LINE) return;
    (void)fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"%s d=\"",
                  colours[s->colour % SVG_N_COLOURS], dashes[s->line]);
    for (size_t i = 0; i < s->n; i++) {
        bool there = usable(&plot->x, s->x[i]) && usable(&plot->y, s->y[i]);
        if (there)
            (void)fprintf(f, "%c%.1f %.1f", down ? 'L' : 'M', place(x, s->x[i]), place(y, s->y[i]));
        down = there;
    }
    (void)fputs("\"/>\n", f);
}

static void put_bars(FILE *f, const struct cli_svg_plot *plot, const struct cli_svg_series *s,
                     const struct scale *x, const struct scale *y) {
    for (size_t i = 0; s->low && s->high && i < s->n; i++) {
        if (!usable(&plot->x, s->x[i]) || !usable(&plot->y, s->low[i]) ||
            !usable(&plot->y, s->high[i]))
            continue;
        double at = place(x, s->x[i]), low = place(y, s->low[i]), high = place(y, s->high[i]);
        (void)fprintf(f,
                      "<path d=\"M%.1f %.1fh6m-3 0V%.1fm-3 0h6\" stroke=\"%s\" fill=\"none\"/>\n",
                      at - 3, low, high, colours[s->colour % SVG_N_COLOURS]);
    }
}

static void put_series(FILE *f, const struct cli_svg_plot *plot, const struct cli_svg_series *s,
                       const struct scale *x, const struct scale *y) {
    (void)fprintf(f, "<g%s>\n", s->faint ? " opacity=\"0.5\"" : "");
    put_line(f, plot, s, x, y);
    put_bars(f, plot, s, x, y);
    for (size_t i = 0; s->marker && i < s->n; i++)
        if (usable(&plot->x, s->x[i]) && usable(&plot->y, s->y[i]))
            put_marker(f, s, place(x, s->x[i]), place(y, s->y[i]));
    (void)fputs("</g>\n", f);
}

static void put_legend(FILE *f, const struct cli_svg_plot *plot) {
    double y = TOP + 10, x = RIGHT + 14;
    for (size_t i = 0; i < plot->n_series; i++) {
        const struct cli_svg_series *s = &plot->series[i];
        if (!s->label) continue;
        if (s->line != SVG_NO_LINE)
            (void)fprintf(f, "<path d=\"M%.1f %.1fh24\" stroke=\"%s\" stroke-width=\"1.8\"%s/>\n",
                          x, y, colours[s->colour % SVG_N_COLOURS], dashes[s->line]);
        put_marker(f, s, x + 12, y);
        put_text(f, x + 32, y + 4, "", s->label);
        y += 20;
    }
}

static void put_plot(FILE *f, const struct cli_svg_plot *plot) {
    struct scale x = make_scale(plot, false), y = make_scale(plot, true);
    (void)fprintf(f,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\" "
                  "fill=\"#222\">\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
                  WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
    (void)fprintf(f,
                  "<clipPath id=\"area\"><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>"
                  "</clipPath>\n",
                  LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP);
    put_axes(f, plot, &x, &y);
    (void)fputs("<g clip-path=\"url(#area)\">\n", f);
    for (size_t i = 0; i < plot->n_series; i++)
        put_series(f, plot, &plot->series[i], &x, &y);
    (void)fputs("</g>\n", f);
    put_legend(f, plot);
    (void)fputs("</svg>\n", f);
}

enum tsr_status cli_svg_plot_text(const struct cli_svg_plot *plot, char **text, size_t *size,
                                  struct tsr_error *err) {
    *text = NULL;
    FILE *f = open_memstream(text, size);
    if (f) put_plot(f, plot);
    bool failed = !f || ferror(f);
    if (f && fclose(f) != 0) failed = true;
    if (!failed) return TSR_OK;
    free(*text);
    *text = NULL;
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for the plot");
}

enum tsr_status cli_svg_plot_write(const struct cli_svg_plot *plot, const char *path,
                                   struct tsr_error *err) {
    char *text;
    size_t size;
    TSR_TRY(cli_svg_plot_text(plot, &text, &size, err));
    enum tsr_status status = tsr_file_replace(path, text, size, err);
    free(text);
    return status;
}
