/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp trace: reads what a window needs, streams it, and says what it left out. */
#include "app/trace.h"

#include <inttypes.h>

#include "app/run_file.h"
#include "app/text.h"
#include "base/memory.h"
#include "base/version.h"

bool app_trace_lists(const struct app_trace_list *list, int32_t number)
{
    for (size_t i = 0; i < list->ranges; i++)
        if (number >= list->from[i] && number <= list->to[i])
            return true;
    return list->ranges == 0;
}

bool app_trace_in_window(const struct app_trace_question *asked, int64_t start_ps, int64_t end_ps)
{
    return start_ps < asked->to_ps && end_ps > asked->from_ps;
}

void app_trace_scan(struct app_trace_job *job, const struct app_scan *scan)
{
    job->scanned[scan->table] = app_scan_table(job->reader, scan, job->report);
}

static void help_print(void)
{
    puts(
        "usage: lpusim-mp trace X.h5 -o T.json [OPTION]...\n\n"
        "Writes a part of a run as Chrome trace events, for https://ui.perfetto.dev,\n"
        "chrome://tracing or Speedscope: of the LPU rack every instruction in its queue, every\n"
        "slot of a link, ops and steps; of the GPU cluster kernels, collectives, waits for the\n"
        "host and steps; requests. Without --window it is one decode step of each machine, both\n"
        "begun at 0.\n\n"
        "options\n"
        "  -o T.json          file to write\n"
        "  --window FROM..TO  what touches this part of the run's time: \"2 ms..2.5 ms\"; FROM or\n"
        "                     TO may be left out\n"
        "  --step N           this decode step of each machine, from 0 (0)\n"
        "  --chip LIST        these LPU chips alone: 0,4-7\n"
        "  --gpu LIST         these GPUs alone\n"
        "  --most N           slices to write (1000000); further ones are counted and left out\n"
        "  --help             print this\n\n"
        "exit status: 0 done, 2 usage or another kind of file, 5 a file cannot be written");
}

/* "160,926 of 550,252 instructions" */
static void shown_print(const struct app_trace_job *job, enum record_table table, const char *what)
{
    const struct app_scanned *s = &job->scanned[table];
    if (s->rows > 0)
        printf("  %s of %s %s\n", app_text_count(s->wanted).text, app_text_count(s->rows).text,
               what);
}

static void origin_print(const struct app_trace_job *job)
{
    static const char *const name[] = {"LPU rack", "GPU cluster"};
    for (int i = 0; i < 2 && !job->asked->windowed; i++)
        if (job->from_ps[i] >= 0 && i == RECORD_LPU && job->scanned[RECORD_LPU_STEPS].rows <= 0)
            printf("%s: a decode step as compiled\n", name[i]);
        else if (job->from_ps[i] >= 0)
            printf("%s: decode step %" PRId32 ", shown from 0, begun at %s of the run\n", name[i],
                   job->asked->step, app_text_time(job->from_ps[i]).text);
}

static void answer_print(const struct app_trace_job *job, int64_t bytes)
{
    const struct app_trace *trace = job->trace;
    printf("%s: %s slices, %s arrows, %s bytes\n", job->asked->output,
           app_text_count(trace->slices).text, app_text_count(trace->arrows).text,
           app_text_count(bytes).text);
    origin_print(job);
    puts("shown of the file:");
    shown_print(job, RECORD_LPU_STEPS, "LPU steps");
    shown_print(job, RECORD_LPU_OPS, "LPU ops");
    shown_print(job, RECORD_LPU_PROGRAM, "LPU instructions");
    shown_print(job, RECORD_LPU_TIMETABLE, "slots of LPU links");
    shown_print(job, RECORD_GPU_STEPS, "GPU steps");
    shown_print(job, RECORD_GPU_KERNELS, "GPU kernels");
    shown_print(job, RECORD_GPU_COLLECTIVES, "GPU collectives");
    shown_print(job, RECORD_SERVE_REQUESTS, "requests");
    if (trace->refused > 0)
        printf("left out beyond --most %" PRId64 ": %s slices; --window, --chip and --gpu choose\n",
               job->asked->most, app_text_count(trace->refused).text);
    if (job->other_bucket > 0)
        printf("%s LPU steps ran in smaller buckets, whose programs are not in the file\n",
               app_text_count(job->other_bucket).text);
    printf("others: --step N, --window FROM..TO; the run ends at %s\n",
           app_text_time(job->end_ps).text);
}

/* A trace without a slice is a wrong question. */
static void check_shown(const struct app_trace_job *job)
{
    if (job->trace->slices > 0 || job->trace->refused > 0)
        return;
    const char *file = job->asked->file;
    if (job->end_ps == 0)
        base_report_add(job->report, file, 0,
                        "has no steps and no requests to show: its run ended before");
    else if (job->asked->windowed)
        base_report_add(job->report, file, 0, "has nothing in this window; the run ends at %s",
                        app_text_time(job->end_ps).text);
    else
        base_report_add(job->report, file, 0,
                        "has nothing of decode step %" PRId32 " on these chips and GPUs",
                        job->asked->step);
}

static void write_trace(struct app_trace_job *job, FILE *stream)
{
    struct app_trace trace;
    char *lpu = NULL, *gpu = NULL;
    job->trace = &trace;
    app_trace_begin(&trace, stream, job->asked->most);
    app_trace_lpu(job);
    app_trace_gpu(job);
    app_trace_requests(job);
    lpu = base_format("%" PRId64, job->from_ps[RECORD_LPU]);
    gpu = base_format("%" PRId64, job->from_ps[RECORD_GPU]);
    char *refused = base_format("%" PRId64, trace.refused);
    app_trace_end(&trace, (const char *const[]){"program", "lpusim-mp", "version", base_version(),
                                                "lpu_from_ps", lpu, "gpu_from_ps", gpu,
                                                "slices_left_out", refused, NULL});
    base_free(refused);
    base_free(gpu);
    base_free(lpu);
    check_shown(job);
    int64_t bytes = app_output_close(stream, job->asked->output, job->report);
    if (base_report_is_clean(job->report))
        answer_print(job, bytes);
    else
        remove(job->asked->output);
}

static enum base_status answer(const struct app_trace_question *asked, struct base_report *report)
{
    struct record_reader *reader = app_run_file_open(asked->file, report);
    if (!reader)
        return BASE_USAGE;
    struct app_trace_job job = {
        .asked = asked, .reader = reader, .report = report, .from_ps = {-1, -1}};
    FILE *stream = app_output_open(asked->output, asked->file, report);
    if (stream)
        write_trace(&job, stream);
    record_reader_close(reader);
    return stream ? BASE_USAGE : BASE_IO;
}

enum base_status app_trace_answer(int argc, char **argv)
{
    struct base_report report = {0};
    struct app_trace_question asked = app_trace_read(argc, argv, &report);
    enum base_status status = BASE_USAGE;
    if (asked.help)
        help_print();
    else if (base_report_is_clean(&report))
        status = answer(&asked, &report);
    if (asked.help || base_report_is_clean(&report))
        status = BASE_OK;
    else
        base_report_print(&report, stderr);
    base_report_release(&report);
    return status;
}
