/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws in a picture 1080 pixels wide that shrinks with the page. */
#include "app/svg.h"

#include <math.h>

enum { WIDTH = 1080, RIGHT = 24, TOP = 10, BOTTOM = 46, MOST_TICKS = 8 };

void app_html_text(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else if ((unsigned char)*text >= 0x20 || *text == '\n')
            putc(*text, out);
}

struct app_plot app_plot_of(FILE *out, double x0, double x1, double y0, double y1)
{
    return (struct app_plot){.out = out, .x0 = x0, .x1 = x1, .y0 = y0, .y1 = y1};
}

static double x_of(const struct app_plot *p, double x)
{
    return p->left + p->width * (x - p->x0) / (p->x1 - p->x0);
}

static double y_of(const struct app_plot *p, double y)
{
    return p->top + p->height * (p->y1 - y) / (p->y1 - p->y0);
}

void app_plot_begin(struct app_plot *p, const char *label, double left, double height)
{
    p->left = left;
    p->top = TOP;
    p->width = WIDTH - RIGHT - left;
    p->height = height;
    fprintf(p->out, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", WIDTH,
            height + TOP + BOTTOM);
    app_html_text(p->out, label);
    fputs("\">\n", p->out);
}

void app_plot_end(struct app_plot *p)
{
    fputs("</svg>\n", p->out);
}

/* A round distance of ticks: 1, 2 or 5 times a power of ten. */
static double tick_step(double range)
{
    double step = pow(10, floor(log10(range / MOST_TICKS)));
    while (range / step > MOST_TICKS)
        step *= range / (2 * step) <= MOST_TICKS ? 2 : range / (5 * step) <= MOST_TICKS ? 5 : 10;
    return step;
}

static void tick_text(FILE *out, double value, double step)
{
    int digits = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    fprintf(out, "%.*f", digits, fabs(value) < step / 1000 ? 0 : value);
}

static void label_write(const struct app_plot *p, double x, double y, const char *anchor,
                        const char *text)
{
    fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    app_html_text(p->out, text);
    fputs("</text>\n", p->out);
}

void app_plot_x_axis(const struct app_plot *p, const char *name)
{
    double step = tick_step(p->x1 - p->x0), bottom = p->top + p->height;
    for (double t = step * ceil(p->x0 / step - 1e-9); t <= p->x1 + step * 1e-9; t += step) {
        fprintf(p->out,
                "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                x_of(p, t), p->top, bottom, x_of(p, t), bottom + 17);
        tick_text(p->out, t, step);
        fputs("</text>\n", p->out);
    }
    fprintf(p->out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>", p->left, bottom,
            p->left + p->width);
    label_write(p, p->left + p->width / 2, bottom + 37, "middle", name);
}

void app_plot_y_axis(const struct app_plot *p, const char *name)
{
    double step = tick_step(p->y1 - p->y0), middle = p->top + p->height / 2;
    for (double t = step * ceil(p->y0 / step - 1e-9); t <= p->y1 + step * 1e-9; t += step) {
        fprintf(p->out,
                "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
                p->left, y_of(p, t), p->left + p->width, p->left - 7, y_of(p, t) + 4);
        tick_text(p->out, t, step);
        fputs("</text>\n", p->out);
    }
    fprintf(p->out,
            "<text x=\"14\" y=\"%.1f\" text-anchor=\"middle\" transform=\"rotate(-90 14 %.1f)\">",
            middle, middle);
    app_html_text(p->out, name);
    fputs("</text>\n", p->out);
}

void app_plot_row_name(const struct app_plot *p, double y, const char *name)
{
    label_write(p, p->left - 8, y_of(p, y) + 4, "end", name);
}

void app_plot_box(const struct app_plot *p, double x0, double x1, double y0, double y1,
                  const char *colour, const char *title)
{
    double a = y_of(p, y0), b = y_of(p, y1), left = x_of(p, x0);
    fprintf(p->out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\">",
            colour, left, fmin(a, b), fmax(x_of(p, x1) - left, 0.05), fabs(a - b));
    fputs("<title>", p->out);
    app_html_text(p->out, title);
    fputs("</title></rect>\n", p->out);
}

void app_plot_stairs(const struct app_plot *p, const double *x, const double *y, size_t count,
                     const char *colour)
{
    if (count == 0)
        return;
    fprintf(p->out, "<path class=\"line %s\" d=\"M%.2f %.2f", colour, x_of(p, x[0]), y_of(p, y[0]));
    for (size_t i = 1; i < count; i++)
        fprintf(p->out, "H%.2fV%.2f", x_of(p, x[i]), y_of(p, y[i]));
    fputs("\"/>\n", p->out);
}

void app_plot_line(const struct app_plot *p, const double *x, const double *y, size_t count,
                   const char *colour)
{
    if (count == 0)
        return;
    fprintf(p->out, "<path class=\"line %s\" d=\"", colour);
    for (size_t i = 0; i < count; i++)
        fprintf(p->out, "%c%.2f %.2f", i ? 'L' : 'M', x_of(p, x[i]), y_of(p, y[i]));
    fputs("\"/>\n", p->out);
    for (size_t i = 0; i < count; i++)
        fprintf(p->out, "<circle class=\"%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"3.2\"/>\n", colour,
                x_of(p, x[i]), y_of(p, y[i]));
}

void app_legend(FILE *out, const char *const *entries)
{
    fputs("<p class=\"legend\">", out);
    for (; *entries; entries += 2)
        fprintf(out, "<span><i class=\"%s\"></i>%s</span>", entries[0], entries[1]);
    fputs("</p>\n", out);
}
