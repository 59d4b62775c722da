/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws predicted over measured as SVG: a dot a point, a grey band of 10 % either way. */
#include <math.h>

#include "points.h"

enum { LEFT = 60, TOP = 40, WIDTH = 760, HEIGHT = 420, DOUBLINGS = 2 };

/* Decades of measured time that the points span. */
struct axis {
    double low, high; /* log10 of seconds, whole */
};

static struct axis axis_of(const struct points *points, enum points_part part)
{
    struct axis axis = {1e9, -1e9};
    for (size_t i = 0; i < points->count; i++) {
        double at = log10(points->point[i].measured_s);
        if (!points_takes(part, &points->point[i]))
            continue;
        axis.low = floor(at) < axis.low ? floor(at) : axis.low;
        axis.high = ceil(at) > axis.high ? ceil(at) : axis.high;
    }
    axis.high = axis.high > axis.low ? axis.high : axis.low + 1;
    return axis;
}

/* Ratios beyond a factor of four are drawn at the edge. */
static double y_of(double ratio)
{
    double up = log2(ratio) / DOUBLINGS;
    up = up > 1 ? 1 : up < -1 ? -1 : up;
    return TOP + HEIGHT / 2.0 * (1 - up);
}

static double x_of(const struct axis *axis, double at)
{
    return LEFT + WIDTH * (at - axis->low) / (axis->high - axis->low);
}

static void frame_draw(const struct axis *axis, const char *title, FILE *stream)
{
    fprintf(stream,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%d\" y=\"24\" font-size=\"15\">%s: predicted / measured</text>\n"
            "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"#ddd\"/>\n"
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"black\"/>\n",
            LEFT + WIDTH + 40, TOP + HEIGHT + 50, LEFT, title, LEFT, y_of(1.1), WIDTH,
            y_of(0.9) - y_of(1.1), LEFT, TOP, WIDTH, HEIGHT);
    for (int i = -DOUBLINGS; i <= DOUBLINGS; i++)
        fprintf(stream, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 6,
                y_of(exp2(i)) + 4, exp2(i));
    for (double at = axis->low; at <= axis->high; at += 1)
        fprintf(stream, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g us</text>\n",
                x_of(axis, at), TOP + HEIGHT + 18, pow(10, at + 6));
    fprintf(stream, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">measured</text>\n",
            LEFT + WIDTH / 2, TOP + HEIGHT + 38);
}

void points_plot(const struct points *points, enum points_part part, const char *title,
                 FILE *stream)
{
    struct axis axis = axis_of(points, part);
    frame_draw(&axis, title, stream);
    for (size_t i = 0; i < points->count; i++) {
        const struct point *p = &points->point[i];
        if (points_takes(part, p))
            fprintf(stream, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.2\" fill=\"#06c\"/>\n",
                    x_of(&axis, log10(p->measured_s)), y_of(p->predicted_s / p->measured_s));
    }
    fputs("</svg>\n", stream);
}
