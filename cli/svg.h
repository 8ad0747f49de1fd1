/* SPDX-License-Identifier: MIT
 *
 * Plots as SVG text: axes, linear or logarithmic, with ticks and a grid; series of lines, markers
 * and error bars; a legend.
 */
#ifndef TSR_CLI_SVG_H
#define TSR_CLI_SVG_H

#include <stdbool.h>

#include "base/status.h"

enum svg_marker { SVG_NO_MARKER, SVG_DOT, SVG_CIRCLE, SVG_SQUARE, SVG_CROSS };
enum svg_line { SVG_NO_LINE, SVG_SOLID, SVG_DASHED, SVG_DOTTED };
#define SVG_N_COLOURS 8

/* Values that are not finite, or not positive on a logarithmic axis, are left out and break lines.
 */
struct cli_svg_series {
    const char *label;        /* of the legend, UTF-8; NULL: not in it */
    size_t n;                 /* points */
    const double *x, *y;      /* [n]; borrowed */
    const double *low, *high; /* [n]: ends of error bars in y; NULL: none */
    enum svg_marker marker;
    enum svg_line line;
    size_t
        colour; /* 0 .. SVG_N_COLOURS - 1, repeating; told apart by the colour-blind, 0 is black */
    bool faint; /* half transparent */
};

struct cli_svg_axis {
    const char *label;
    bool log;
    double from, to; /* both 0: what the series need */
};

struct cli_svg_plot {
    const char *title;
    struct cli_svg_axis x, y;
    const struct cli_svg_series *series; /* [n_series]: later ones over earlier ones; borrowed */
    size_t n_series;
};

/* The text of the plot, 840 x 480; free with free(). Errors: TSR_ERR_NO_MEMORY. */
enum tsr_status cli_svg_plot_text(const struct cli_svg_plot *plot, char **text, size_t *size,
                                  struct tsr_error *err);
/* ... into a file, whole or not at all. */
enum tsr_status cli_svg_plot_write(const struct cli_svg_plot *plot, const char *path,
                                   struct tsr_error *err);

#endif
