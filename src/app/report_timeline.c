/* SPDX-License-Identifier: BSD-3-Clause */
/* A decode step of both machines: ops of the first LPU chips, kernels of the first GPUs. */
#include <inttypes.h>
#include <string.h>

#include "app/report.h"
#include "base/machine.h"
#include "base/memory.h"

enum { MOST_ROWS = 8, ROW = 20, NAME = RECORD_NAME_BYTES };

struct walk {
    const struct app_page *page;
    struct app_plot plot;
    struct lpu_chip chip;
    int64_t begin_ps, end_ps;
    int32_t step, rows;
};

/* The colour of work by what it is for; "host" has none. */
static const char *class_of(const char *name)
{
    static const struct {
        const char *start, *colour;
    } kinds[] = {{"all_", "d"},   {"send", "d"},    {"receive", "d"}, {"hidden", "d"},
                 {"token", "d"},  {"reduce_", "d"}, {"rope", "b"},    {"kv", "b"},
                 {"scores", "b"}, {"softmax", "b"}, {"values", "b"},  {"attent", "b"},
                 {"qkv", "a"},    {"o", "a"},       {"gate", "a"},    {"down", "a"},
                 {"router", "a"}, {"expert", "a"},  {"embed", "e"},   {"head", "e"},
                 {"argmax", "e"}, {"sample", "e"}};
    size_t length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, ".sum"))
        return "d";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strncmp(name, kinds[i].start, strlen(kinds[i].start)))
            return kinds[i].colour;
    return "c";
}

static void bar_draw(const struct walk *w, int32_t row, const char *name, int32_t layer,
                     int64_t start_ps, int64_t end_ps)
{
    char *title = base_format("%s, layer %" PRId32 ", %.3f µs", name, layer,
                              (double)(end_ps - start_ps) / 1e6);
    app_plot_box(&w->plot, (double)(start_ps - w->begin_ps) / 1e6,
                 (double)(end_ps - w->begin_ps) / 1e6, row - 0.38, row + 0.38, class_of(name),
                 title);
    base_free(title);
}

static void begin(struct walk *w, const char *title, const char *unit)
{
    w->plot = app_plot_of(w->page->out, 0, (double)(w->end_ps - w->begin_ps) / 1e6,
                          (double)w->rows - 0.5, -0.5);
    fprintf(w->page->out, "<h3>%s</h3>\n", title);
    app_plot_begin(&w->plot, title, 70, 8 + ROW * (double)w->rows);
    app_plot_x_axis(&w->plot, "time since the begin of the step in µs");
    for (int32_t i = 0; i < w->rows; i++) {
        char *name = base_format("%s %" PRId32, unit, i);
        app_plot_row_name(&w->plot, i, name);
        base_free(name);
    }
}

static void lpu_draw(struct walk *w)
{
    size_t count;
    struct record_lpu_op *op = app_scan_all(w->page->reader, RECORD_LPU_OPS, &count);
    for (size_t i = 0; i < count; i++) {
        int64_t end = machine_cycles_to_ps(&w->chip, op[i].end_cycle);
        if (op[i].phase == RECORD_DECODE && end > w->end_ps)
            w->end_ps = end;
        if (op[i].chip >= w->rows)
            w->rows = op[i].chip < MOST_ROWS ? op[i].chip + 1 : MOST_ROWS;
    }
    if (w->end_ps > 0) {
        begin(w, "LPU rack, as compiled", "chip");
        for (size_t i = 0; i < count; i++)
            if (op[i].phase == RECORD_DECODE && op[i].chip < w->rows) {
                char name[NAME + 1];
                snprintf(name, sizeof name, "%.*s", NAME, op[i].name);
                bar_draw(w, op[i].chip, name, op[i].layer,
                         machine_cycles_to_ps(&w->chip, op[i].start_cycle),
                         machine_cycles_to_ps(&w->chip, op[i].end_cycle));
            }
        app_plot_end(&w->plot);
    }
    base_free(op);
}

static bool kernel_wants(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_gpu_kernel *k = row;
    return k->repeat == 0 && k->step == w->step && k->gpu < w->rows;
}

static void kernel_take(void *context, const void *row)
{
    const struct record_gpu_kernel *k = row;
    bar_draw(context, k->gpu, record_label(record_layout(RECORD_GPU_KERNELS), "op", k->op),
             k->layer, k->start_ps, k->end_ps);
}

static bool collective_wants(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_gpu_collective *c = row;
    return c->repeat == 0 && c->step == w->step && c->gpu < w->rows;
}

static void collective_take(void *context, const void *row)
{
    const struct record_gpu_collective *c = row;
    bar_draw(context, c->gpu, record_label(record_layout(RECORD_GPU_COLLECTIVES), "op", c->op),
             c->layer, c->start_ps, c->end_ps);
}

/* The first decode step, when it began and ended, and how many GPUs there are. */
static bool gpu_step_wants(void *context, const void *row)
{
    struct walk *w = context;
    const struct record_gpu_step *s = row;
    if (s->repeat != 0 || s->phase != RECORD_DECODE || (w->step >= 0 && s->step > w->step))
        return false;
    bool new = s->step != w->step;
    w->step = s->step;
    w->begin_ps = new || s->start_ps < w->begin_ps ? s->start_ps : w->begin_ps;
    w->end_ps = new || s->end_ps > w->end_ps ? s->end_ps : w->end_ps;
    if (s->gpu >= w->rows)
        w->rows = s->gpu < MOST_ROWS ? s->gpu + 1 : MOST_ROWS;
    return false;
}

static void gpu_draw(struct walk *w)
{
    static const char *const keys[] = {"repeat",   "step",   "gpu", "phase",
                                       "start_ps", "end_ps", NULL};
    static const char *const few[] = {"repeat", "step", "gpu", NULL};
    struct app_scan steps = {RECORD_GPU_STEPS, keys, gpu_step_wants, NULL, w};
    struct app_scan kernels = {RECORD_GPU_KERNELS, few, kernel_wants, kernel_take, w};
    struct app_scan all = {RECORD_GPU_COLLECTIVES, few, collective_wants, collective_take, w};
    app_scan_table(w->page->reader, &steps, w->page->report);
    if (w->step < 0)
        return;
    begin(w, "GPU cluster, the first decode step as it happened", "GPU");
    app_scan_table(w->page->reader, &kernels, w->page->report);
    app_scan_table(w->page->reader, &all, w->page->report);
    app_plot_end(&w->plot);
}

void app_report_timeline(const struct app_page *page)
{
    static const char *const legend[] = {"a", "matrix products",           "b", "attention",
                                         "c", "norms, gates, quantising",  "d", "between chips",
                                         "e", "embedding, head, sampling", NULL};
    struct walk lpu = {.page = page}, gpu = {.page = page, .step = -1};
    bool has_clock = record_reader_i64(page->reader, "/lpu", "clock_hz", &lpu.chip.clock_hz) &&
                     lpu.chip.clock_hz >= 1000;
    if (!has_clock && record_reader_rows(page->reader, record_layout(RECORD_GPU_STEPS)) <= 0)
        return;
    app_page_section(page, "A decode step",
                     "Each machine on its own scale, the same colours for the same work, at most "
                     "eight chips and GPUs. Gaps on a GPU are waits for the host or for others.");
    app_legend(page->out, legend);
    if (has_clock)
        lpu_draw(&lpu);
    gpu_draw(&gpu);
}
