/* SPDX-License-Identifier: BSD-3-Clause */
/* Sections about one request on both machines: figures, intervals, shares, memory, links. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/report.h"
#include "app/text.h"
#include "base/memory.h"

enum { NAME = RECORD_NAME_BYTES, MOST_LINKS = 16, SHADES = 9 };
static const char *const machine_class[] = {"lpu", "gpu"};
static const char *const machine_name[] = {"LPU rack", "GPU cluster"};
static const char *const machine_legend[] = {"lpu", "LPU rack", "gpu", "GPU cluster", NULL};

static void value_write(FILE *out, const struct record_compare_metric *metric, size_t count,
                        const char *name, uint8_t machine)
{
    fputs("<td>", out);
    for (size_t i = 0; i < count; i++)
        if (metric[i].machine == machine && !strncmp(metric[i].metric, name, 2 * NAME))
            fprintf(out, "%.6g", metric[i].value);
    fputs("</td>", out);
}

static bool seen_before(const struct record_compare_metric *metric, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (!strncmp(metric[i].metric, metric[at].metric, 2 * NAME))
            return true;
    return false;
}

static void metric_row_write(const struct app_page *page,
                             const struct record_compare_metric *metric, size_t count, size_t at)
{
    char name[2 * NAME + 1], units[NAME + 1];
    snprintf(name, sizeof name, "%.*s", 2 * NAME, metric[at].metric);
    snprintf(units, sizeof units, "%.*s", NAME, metric[at].units);
    fputs("<tr><td>", page->out);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    app_html_text(page->out, name);
    fputs("</td>", page->out);
    for (uint8_t machine = 0; machine < 2; machine++)
        value_write(page->out, metric, count, metric[at].metric, machine);
    fputs("<td>", page->out);
    app_html_text(page->out, units);
    fputs("</td></tr>\n", page->out);
}

void app_report_figures(const struct app_page *page)
{
    size_t count;
    struct record_compare_metric *metric =
        app_scan_all(page->reader, RECORD_COMPARE_METRICS, &count);
    if (count > 0) {
        app_page_section(page, "Figures", "One request on both machines.");
        fputs("<table><tr><th>figure</th><th>LPU rack</th><th>GPU cluster</th><th>unit</th></tr>\n",
              page->out);
        for (size_t i = 0; i < count; i++)
            if (!seen_before(metric, i))
                metric_row_write(page, metric, count, i);
        fputs("</table>\n", page->out);
    }
    base_free(metric);
}

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Times from token to token in us, sorted; of decode steps behind another step. */
static size_t intervals_of(const struct record_compare_step *step, size_t count, int machine,
                           double *us)
{
    size_t found = 0;
    for (size_t i = 1; i < count; i++)
        if (step[i].machine == machine && step[i - 1].machine == machine &&
            step[i].repeat == step[i - 1].repeat && step[i].phase == RECORD_DECODE &&
            step[i - 1].phase == RECORD_DECODE)
            us[found++] = (double)(step[i].end_ps - step[i - 1].end_ps) / 1e6;
    qsort(us, found, sizeof *us, double_compare);
    return found;
}

/* Shares of values up to each, as a staircase from 0 on. */
static void ecdf_draw(const struct app_plot *plot, const double *value, size_t count,
                      const char *colour)
{
    double *x = base_alloc(count + 3, sizeof *x), *y = base_alloc(count + 3, sizeof *y);
    x[0] = plot->x0;
    for (size_t i = 0; i < count; i++) {
        x[i + 1] = value[i];
        y[i + 1] = 100.0 * (double)(i + 1) / (double)count;
    }
    x[count + 1] = plot->x1;
    y[count + 1] = 100;
    app_plot_stairs(plot, x, y, count + 2, colour);
    base_free(x);
    base_free(y);
}

void app_report_intervals(const struct app_page *page)
{
    size_t count;
    struct record_compare_step *step = app_scan_all(page->reader, RECORD_COMPARE_STEPS, &count);
    double *us[2] = {base_alloc(count, sizeof **us), base_alloc(count, sizeof **us)};
    size_t found[2] = {intervals_of(step, count, 0, us[0]), intervals_of(step, count, 1, us[1])};
    double most = 0;
    for (int m = 0; m < 2; m++)
        if (found[m] > 0 && us[m][found[m] - 1] > most)
            most = us[m][found[m] - 1];
    if (most > 0) {
        struct app_plot plot = app_plot_of(page->out, 0, 1.05 * most, 0, 104);
        app_page_section(
            page, "From token to token",
            "Share of the intervals between decode steps that last at most so long. A "
            "compiled schedule has one length; what is decided while it runs spreads.");
        app_legend(page->out, machine_legend);
        app_plot_begin(&plot, "distribution of the time between tokens", 64, 240);
        app_plot_x_axis(&plot, "time from token to token in µs");
        app_plot_y_axis(&plot, "share of the intervals in %");
        for (int m = 0; m < 2; m++)
            if (found[m] > 0)
                ecdf_draw(&plot, us[m], found[m], machine_class[m]);
        app_plot_end(&plot);
    }
    base_free(us[0]);
    base_free(us[1]);
    base_free(step);
}

/* A piece of a decode step that takes any time. */
static bool is_piece(const struct record_compare_share *share, int machine)
{
    return share->machine == machine && share->phase == RECORD_DECODE && share->time_ps > 0;
}

static double share_total(const struct record_compare_share *share, size_t count, int machine)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        if (is_piece(&share[i], machine))
            sum += (double)share[i].time_ps / 1e6;
    return sum;
}

static void share_bar_draw(const struct app_page *page, const struct app_plot *plot,
                           const struct record_compare_share *share, size_t count, int machine)
{
    static const char *const colour[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    double at = 0, total = share_total(share, count, machine), row = machine;
    size_t number = 0;
    app_plot_row_name(plot, row, machine_name[machine]);
    fputs("<g>\n", page->out);
    for (size_t i = 0; i < count; i++) {
        double us = (double)share[i].time_ps / 1e6;
        if (!is_piece(&share[i], machine))
            continue;
        char *title = base_format("%.*s: %s, %.1f %%", NAME, share[i].share,
                                  app_text_time(share[i].time_ps).text, 100 * us / total);
        app_plot_box(plot, at, at + us, row - 0.36, row + 0.36, colour[number++ % SHADES], title);
        base_free(title);
        at += us;
    }
    fputs("</g>\n", page->out);
}

/* Names and times of the pieces, in the order and the colours of the bar. */
static void share_legend_write(const struct app_page *page,
                               const struct record_compare_share *share, size_t count, int machine)
{
    size_t number = 0;
    fprintf(page->out, "<p class=\"legend\"><b>%s</b>&#160; ", machine_name[machine]);
    for (size_t i = 0; i < count; i++)
        if (is_piece(&share[i], machine)) {
            fprintf(page->out, "<span><i class=\"%c\"></i>", "abcdefghi"[number++ % SHADES]);
            char *name =
                base_format("%.*s %s", NAME, share[i].share, app_text_time(share[i].time_ps).text);
            app_html_text(page->out, name);
            base_free(name);
            fputs("</span>", page->out);
        }
    fputs("</p>\n", page->out);
}

void app_report_shares(const struct app_page *page)
{
    size_t count;
    struct record_compare_share *share = app_scan_all(page->reader, RECORD_COMPARE_SHARES, &count);
    double lpu = share_total(share, count, 0), gpu = share_total(share, count, 1);
    if (lpu + gpu > 0) {
        struct app_plot plot = app_plot_of(page->out, 0, 1.02 * (lpu > gpu ? lpu : gpu), 1.5, -0.5);
        app_page_section(page, "Where the time goes", "Pieces of a decode step of each machine.");
        app_plot_begin(&plot, "stacked bars of the time of a decode step", 110, 110);
        app_plot_x_axis(&plot, "time of a decode step in µs");
        for (int m = 0; m < 2; m++)
            if ((m ? gpu : lpu) > 0)
                share_bar_draw(page, &plot, share, count, m);
        app_plot_end(&plot);
        for (int m = 0; m < 2; m++)
            if ((m ? gpu : lpu) > 0)
                share_legend_write(page, share, count, m);
    }
    base_free(share);
}

void app_report_memory(const struct app_page *page)
{
    static const char *const legend[] = {"a", "weights", "b", "KV cache", NULL};
    size_t count;
    struct record_plan_stage *stage = app_scan_all(page->reader, RECORD_PLAN_STAGES, &count);
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        double mib = (double)(stage[i].weight_bytes + stage[i].kv_bytes) / stage[i].chips / 1048576;
        most = mib > most ? mib : most;
    }
    if (most > 0) {
        struct app_plot plot = app_plot_of(page->out, 0, 1.05 * most, (double)count - 0.5, -0.5);
        app_page_section(page, "SRAM",
                         "What a chip of each pipeline stage keeps for the whole run.");
        app_legend(page->out, legend);
        app_plot_begin(&plot, "SRAM of a chip by stage", 110, 20 + 22 * (double)count);
        app_plot_x_axis(&plot, "SRAM of a chip in MiB");
        for (size_t i = 0; i < count; i++) {
            double w = (double)stage[i].weight_bytes / stage[i].chips / 1048576;
            double k = (double)stage[i].kv_bytes / stage[i].chips / 1048576, y = (double)i;
            char *name = base_format("stage %" PRId32, stage[i].stage);
            app_plot_row_name(&plot, y, name);
            app_plot_box(&plot, 0, w, y - 0.36, y + 0.36, "a", "weights");
            app_plot_box(&plot, w, w + k, y - 0.36, y + 0.36, "b", "KV cache");
            base_free(name);
        }
        app_plot_end(&plot);
    }
    base_free(stage);
}

static int link_compare(const void *a, const void *b)
{
    const struct record_gpu_link *x = a, *y = b;
    int64_t p = x->busy_ps + x->neighbour_busy_ps, q = y->busy_ps + y->neighbour_busy_ps;
    return p > q ? -1 : p < q;
}

void app_report_links(const struct app_page *page)
{
    static const char *const legend[] = {"gpu", "this job", "f", "neighbour", NULL};
    size_t count;
    struct record_gpu_link *link = app_scan_all(page->reader, RECORD_GPU_LINKS, &count);
    if (count > 0)
        qsort(link, count, sizeof *link, link_compare);
    double most = count ? (double)(link[0].busy_ps + link[0].neighbour_busy_ps) / 1e6 : 0;
    if (most > 0) {
        count = count < MOST_LINKS ? count : MOST_LINKS;
        struct app_plot plot = app_plot_of(page->out, 0, 1.05 * most, (double)count - 0.5, -0.5);
        app_page_section(page, "Links of the GPU cluster",
                         "Time that the busiest links carried something, over the simulation.");
        app_legend(page->out, legend);
        app_plot_begin(&plot, "busy time of links", 250, 16 + 20 * (double)count);
        app_plot_x_axis(&plot, "busy time in µs");
        for (size_t i = 0; i < count; i++) {
            double own = (double)link[i].busy_ps / 1e6, y = (double)i;
            double all = own + (double)link[i].neighbour_busy_ps / 1e6;
            char *name = base_format("%.*s to %.*s", NAME, link[i].from, NAME, link[i].to);
            app_plot_row_name(&plot, y, name);
            app_plot_box(&plot, 0, own, y - 0.36, y + 0.36, "gpu", "this job");
            app_plot_box(&plot, own, all, y - 0.36, y + 0.36, "f", "neighbour");
            base_free(name);
        }
        app_plot_end(&plot);
    }
    base_free(link);
}
