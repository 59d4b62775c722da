/* SPDX-License-Identifier: BSD-3-Clause */
/* Sections about many requests: what clients see, who waits, and the rates that keep limits. */
#include <stdlib.h>

#include "app/report.h"
#include "base/memory.h"

enum { SLOTS = 1000 };
static const char *const machine_class[] = {"lpu", "gpu"};
static const char *const machine_legend[] = {"lpu", "LPU rack", "gpu", "GPU cluster", NULL};

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Times to the first token in ms, sorted. */
static size_t ttft_of(const struct record_serve_request *r, size_t count, int machine, double *ms)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (r[i].machine == machine && r[i].first_token_ps >= 0)
            ms[found++] = (double)(r[i].first_token_ps - r[i].arrival_ps) / 1e9;
    qsort(ms, found, sizeof *ms, double_compare);
    return found;
}

static void ttft_draw(const struct app_page *page, const struct record_serve_request *r,
                      size_t count)
{
    double *ms[2] = {base_alloc(count, sizeof **ms), base_alloc(count, sizeof **ms)}, most = 0;
    size_t found[2];
    for (int m = 0; m < 2; m++) {
        found[m] = ttft_of(r, count, m, ms[m]);
        if (found[m] > 0 && ms[m][found[m] - 1] > most)
            most = ms[m][found[m] - 1];
    }
    struct app_plot plot = app_plot_of(page->out, 0, most > 0 ? 1.02 * most : 1, 0, 104);
    fputs("<h3>Time to the first token</h3>\n", page->out);
    app_plot_begin(&plot, "distribution of the time to the first token", 64, 220);
    app_plot_x_axis(&plot, "time to the first token in ms");
    app_plot_y_axis(&plot, "share of the requests in %");
    for (int m = 0; m < 2; m++) {
        double *y = base_alloc(found[m], sizeof *y);
        for (size_t i = 0; i < found[m]; i++)
            y[i] = 100.0 * (double)(i + 1) / (double)found[m];
        app_plot_stairs(&plot, ms[m], y, found[m], machine_class[m]);
        base_free(y);
        base_free(ms[m]);
    }
    app_plot_end(&plot);
}

/* Requests between arrival and admission at `SLOTS` moments. */
static double waiting_of(const struct record_serve_request *r, size_t count, int machine,
                         double end_ps, double *waiting)
{
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        if (r[i].machine != machine || r[i].admitted_ps < 0)
            continue;
        int from = (int)((double)r[i].arrival_ps / end_ps * SLOTS) + 1;
        int to = (int)((double)r[i].admitted_ps / end_ps * SLOTS);
        for (int slot = from; slot <= to && slot < SLOTS; slot++)
            waiting[slot]++;
    }
    for (int slot = 0; slot < SLOTS; slot++)
        most = waiting[slot] > most ? waiting[slot] : most;
    return most;
}

static void queue_draw(const struct app_page *page, const struct record_serve_request *r,
                       size_t count)
{
    double waiting[2][SLOTS] = {{0}}, second[SLOTS], end_ps = 1, most = 1;
    for (size_t i = 0; i < count; i++)
        end_ps = (double)r[i].finished_ps > end_ps ? (double)r[i].finished_ps : end_ps;
    for (int m = 0; m < 2; m++) {
        double queue = waiting_of(r, count, m, end_ps, waiting[m]);
        most = queue > most ? queue : most;
    }
    for (int slot = 0; slot < SLOTS; slot++)
        second[slot] = end_ps * slot / SLOTS / 1e12;
    struct app_plot plot = app_plot_of(page->out, 0, end_ps / 1e12, 0, 1.05 * most);
    fputs("<h3>Queue</h3>\n", page->out);
    app_plot_begin(&plot, "requests waiting over time", 64, 180);
    app_plot_x_axis(&plot, "time in s");
    app_plot_y_axis(&plot, "requests waiting");
    for (int m = 0; m < 2; m++)
        app_plot_stairs(&plot, second, waiting[m], SLOTS, machine_class[m]);
    app_plot_end(&plot);
}

void app_report_requests(const struct app_page *page)
{
    size_t count;
    struct record_serve_request *r = app_scan_all(page->reader, RECORD_SERVE_REQUESTS, &count);
    if (count > 2) {
        app_page_section(page, "Requests",
                         "Every request of the run, at the door of each machine.");
        app_legend(page->out, machine_legend);
        ttft_draw(page, r, count);
        queue_draw(page, r, count);
    }
    base_free(r);
}

static int load_compare(const void *a, const void *b)
{
    const struct record_serve_load *x = a, *y = b;
    return x->rate < y->rate ? -1 : x->rate > y->rate;
}

void app_report_frontier(const struct app_page *page)
{
    size_t count;
    struct record_serve_load *load = app_scan_all(page->reader, RECORD_SERVE_LOADS, &count);
    double *x = base_alloc(count, sizeof *x), *y = base_alloc(count, sizeof *y);
    if (count > 0) {
        qsort(load, count, sizeof *load, load_compare);
        double most = 0;
        for (size_t i = 0; i < count; i++)
            most =
                (double)load[i].ttft_p99_ps / 1e9 > most ? (double)load[i].ttft_p99_ps / 1e9 : most;
        struct app_plot plot =
            app_plot_of(page->out, 0, 1.03 * load[count - 1].rate, 0, 1.05 * most + 1e-9);
        app_page_section(page, "Rates",
                         "99 % of requests have their first token within this time.");
        app_legend(page->out, machine_legend);
        app_plot_begin(&plot, "p99 of the time to the first token by rate", 64, 220);
        app_plot_x_axis(&plot, "requests offered per second");
        app_plot_y_axis(&plot, "p99 of TTFT in ms");
        for (int m = 0; m < 2; m++) {
            size_t points = 0;
            for (size_t i = 0; i < count; i++)
                if (load[i].machine == m) {
                    x[points] = load[i].rate;
                    y[points++] = (double)load[i].ttft_p99_ps / 1e9;
                }
            app_plot_line(&plot, x, y, points, machine_class[m]);
        }
        app_plot_end(&plot);
    }
    base_free(x);
    base_free(y);
    base_free(load);
}
