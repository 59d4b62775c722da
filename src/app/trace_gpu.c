/* SPDX-License-Identifier: BSD-3-Clause */
/* The GPU cluster in a trace: what each GPU did when, as it happened in the first simulation. */
#include <inttypes.h>

#include "app/trace.h"
#include "base/memory.h"

/* A process for each GPU, and its threads. */
enum { GPUS = 200000 };
enum thread { STEPS, KERNELS, COLLECTIVES, WAITS };

struct walk {
    struct app_trace_job *job;
    int32_t first_decode; /* step; -1: none */
    int32_t step;         /* that is shown where there is no window */
    int64_t start_ps;     /* of that step; -1: not there */
};

static bool first_decode_wants(void *context, const void *row)
{
    struct walk *w = context;
    const struct record_gpu_step *s = row;
    if (s->repeat == 0 && s->end_ps > w->job->end_ps)
        w->job->end_ps = s->end_ps;
    if (s->phase == RECORD_DECODE && (w->first_decode < 0 || s->step < w->first_decode))
        w->first_decode = s->step;
    return false;
}

static bool start_wants(void *context, const void *row)
{
    struct walk *w = context;
    const struct record_gpu_step *s = row;
    if (s->repeat == 0 && s->step == w->step && (w->start_ps < 0 || s->start_ps < w->start_ps))
        w->start_ps = s->start_ps;
    return false;
}

/* Whether a row of this step, GPU and time is shown. */
static bool is_shown(const struct walk *w, int32_t repeat, int32_t step, int32_t gpu,
                     int64_t start_ps, int64_t end_ps)
{
    const struct app_trace_question *asked = w->job->asked;
    if (repeat != 0 || !app_trace_lists(&asked->gpus, gpu))
        return false;
    return asked->windowed ? app_trace_in_window(asked, start_ps, end_ps) : step == w->step;
}

static struct app_trace_place gpu_place(int32_t gpu, enum thread thread)
{
    static const char *const name[] = {"steps", "kernels", "collectives", "waits for the host"};
    struct app_trace_place place = {.process = GPUS + gpu, .thread = (int32_t)thread};
    snprintf(place.process_name, sizeof place.process_name, "GPU %" PRId32, gpu);
    snprintf(place.thread_name, sizeof place.thread_name, "%s", name[thread]);
    return place;
}

static bool step_wants(void *context, const void *row)
{
    const struct record_gpu_step *s = row;
    return is_shown(context, s->repeat, s->step, s->gpu, s->start_ps, s->end_ps);
}

static void step_take(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_gpu_step *s = row;
    struct app_trace_place place = gpu_place(s->gpu, STEPS);
    char *name =
        base_format("%s step %" PRId32, s->phase == RECORD_DECODE ? "decode" : "prefill", s->step);
    app_trace_slice(w->job->trace, &place, name, "step", s->start_ps - w->start_ps,
                    s->end_ps - w->start_ps,
                    "\"step\":%" PRId32 ",\"tokens\":%" PRId32 ",\"kv_positions\":%" PRId32
                    ",\"host_ps\":%" PRId64 ",\"compute_ps\":%" PRId64 ",\"collective_ps\":%" PRId64
                    ",\"idle_ps\":%" PRId64,
                    s->step, s->tokens, s->kv_positions, s->host_ps, s->compute_ps,
                    s->collective_ps, s->idle_ps);
    base_free(name);
}

static bool kernel_wants(void *context, const void *row)
{
    const struct record_gpu_kernel *k = row;
    return is_shown(context, k->repeat, k->step, k->gpu, k->start_ps, k->end_ps);
}

static void kernel_take(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_gpu_kernel *k = row;
    const struct record_schema *schema = record_layout(RECORD_GPU_KERNELS);
    const char *name = record_label(schema, "op", k->op);
    struct app_trace_place place = gpu_place(k->gpu, KERNELS), wait = gpu_place(k->gpu, WAITS);
    int64_t start_ps = k->start_ps - w->start_ps;
    app_trace_slice(w->job->trace, &place, name, "kernel", start_ps, k->end_ps - w->start_ps,
                    "\"layer\":%" PRId32 ",\"step\":%" PRId32
                    ",\"bound\":\"%s\",\"blocks\":%" PRId32 ",\"waves\":%" PRId32
                    ",\"split_k\":%" PRId32 ",\"queue_ps\":%" PRId64,
                    k->layer, k->step, record_label(schema, "bound", k->bound), k->blocks, k->waves,
                    k->split_k, k->queue_ps);
    if (k->queue_ps > 0 && start_ps >= k->queue_ps)
        app_trace_slice(w->job->trace, &wait, name, "host", start_ps - k->queue_ps, start_ps,
                        "\"layer\":%" PRId32 ",\"step\":%" PRId32, k->layer, k->step);
}

static bool collective_wants(void *context, const void *row)
{
    const struct record_gpu_collective *c = row;
    return is_shown(context, c->repeat, c->step, c->gpu, c->start_ps, c->end_ps);
}

static void collective_take(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_gpu_collective *c = row;
    struct app_trace_place place = gpu_place(c->gpu, COLLECTIVES);
    app_trace_slice(w->job->trace, &place,
                    record_label(record_layout(RECORD_GPU_COLLECTIVES), "op", c->op), "collective",
                    c->start_ps - w->start_ps, c->end_ps - w->start_ps,
                    "\"layer\":%" PRId32 ",\"step\":%" PRId32 ",\"bytes\":%" PRId64
                    ",\"wait_ps\":%" PRId64 ",\"queue_ps\":%" PRId64,
                    c->layer, c->step, c->bytes, c->wait_ps, c->queue_ps);
}

/* Finds the step to show and when it began; false where there is none. */
static bool step_find(struct walk *w)
{
    static const char *const keys[] = {"repeat", "step", "phase", "start_ps", "end_ps", NULL};
    struct app_scan scan = {RECORD_GPU_STEPS, keys, first_decode_wants, NULL, w};
    app_trace_scan(w->job, &scan);
    if (w->job->asked->windowed) {
        w->start_ps = 0;
        w->job->from_ps[RECORD_GPU] = w->job->asked->from_ps;
        return true;
    }
    w->step = w->first_decode + w->job->asked->step;
    scan.wants = start_wants;
    if (w->first_decode >= 0)
        app_trace_scan(w->job, &scan);
    w->job->from_ps[RECORD_GPU] = w->start_ps;
    return w->start_ps >= 0;
}

void app_trace_gpu(struct app_trace_job *job)
{
    static const char *const keys[] = {"repeat", "step", "gpu", "start_ps", "end_ps", NULL};
    struct walk w = {.job = job, .first_decode = -1, .start_ps = -1};
    if (record_reader_rows(job->reader, record_layout(RECORD_GPU_STEPS)) <= 0 || !step_find(&w))
        return;
    struct app_scan steps = {RECORD_GPU_STEPS, keys, step_wants, step_take, &w};
    struct app_scan kernels = {RECORD_GPU_KERNELS, keys, kernel_wants, kernel_take, &w};
    struct app_scan collectives = {RECORD_GPU_COLLECTIVES, keys, collective_wants, collective_take,
                                   &w};
    app_trace_scan(job, &steps);
    app_trace_scan(job, &kernels);
    app_trace_scan(job, &collectives);
}
