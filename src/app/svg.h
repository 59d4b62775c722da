/* SPDX-License-Identifier: BSD-3-Clause */
/* Small plots as inline SVG: axes with units, bars, and lines. Colours are classes of the page. */
#ifndef APP_SVG_H
#define APP_SVG_H

#include <stdint.h>
#include <stdio.h>

/* A plot from x0 to x1 and y0 to y1, y upwards unless y0 > y1. */
struct app_plot {
    FILE *out;
    double x0, x1, y0, y1;
    double left, top, width, height; /* of the area within the axes, in pixels */
};

struct app_plot app_plot_of(FILE *out, double x0, double x1, double y0, double y1);

/* Text with what HTML would take for marks escaped. */
void app_html_text(FILE *out, const char *text);

/* Opens a picture whose area has these pixels; `label` says to a screen reader what it shows. */
void app_plot_begin(struct app_plot *plot, const char *label, double left, double height);
void app_plot_end(struct app_plot *plot);

/* Ticks at round numbers and a name with its unit. */
void app_plot_x_axis(const struct app_plot *plot, const char *name);
void app_plot_y_axis(const struct app_plot *plot, const char *name);

/* A word left of the y axis. */
void app_plot_row_name(const struct app_plot *plot, double y, const char *name);

/* A box in data coordinates; `title` is shown where a pointer rests. */
void app_plot_box(const struct app_plot *plot, double x0, double x1, double y0, double y1,
                  const char *colour, const char *title);

/* A staircase through `count` points: level until the next x, then up or down to its y. */
void app_plot_stairs(const struct app_plot *plot, const double *x, const double *y, size_t count,
                     const char *colour);

/* Dots joined by lines. */
void app_plot_line(const struct app_plot *plot, const double *x, const double *y, size_t count,
                   const char *colour);

/* Coloured squares with names, in a line below a plot: pairs of class and name, NULL behind. */
void app_legend(FILE *out, const char *const *entries);

#endif
