/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary as text: into the file at the end of a run, and out of it again. */
#include "app/summary.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/run_file.h"
#include "base/memory.h"
#include "parallel/parallel.h"

static void print(const struct app_run *run)
{
    if (run->attribution)
        app_attribute_print(run);
    else if (run->frontier)
        app_frontier_print(run);
    else if (run->serving)
        app_serving_print(run);
    else
        app_summary_print(run);
}

/* All of a stream from its begin; free with base_free. */
static char *text_of(FILE *stream)
{
    long bytes = ftell(stream);
    char *text = base_alloc((size_t)(bytes > 0 ? bytes : 0) + 1, 1);
    rewind(stream);
    text[fread(text, 1, (size_t)(bytes > 0 ? bytes : 0), stream)] = '\0';
    return text;
}

/* What is printed, without colours: standard output is a file meanwhile. NULL where there is no
 * room for one. */
static char *captured(const struct app_run *run)
{
    FILE *stream = tmpfile();
    fflush(stdout);
    int output = dup(STDOUT_FILENO);
    char *text = NULL;
    if (stream && output >= 0 && dup2(fileno(stream), STDOUT_FILENO) >= 0) {
        print(run);
        fflush(stdout);
        dup2(output, STDOUT_FILENO);
        fseek(stream, 0, SEEK_END);
        text = text_of(stream);
    }
    if (output >= 0)
        close(output);
    if (stream)
        fclose(stream);
    return text;
}

void app_summary_keep(struct app_run *run)
{
    char *text = parallel_is_first() ? captured(run) : NULL;
    record_set_text(run->file, "/run", "summary", text ? text : "");
    base_free(text);
}

/* The first word that is no option. */
static const char *file_of(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (argv[i][0] != '-')
            return argv[i];
    return NULL;
}

bool app_summary_is_asked(int argc, char **argv)
{
    const char *file = file_of(argc, argv);
    return file && app_run_file_is_hdf5(file);
}

/* Prints what the file keeps; a fault where it keeps none. */
static void show(const char *file, struct base_report *report)
{
    struct record_reader *reader = record_reader_open(file, report);
    if (!reader)
        return;
    char *summary = record_reader_text(reader, "/run", "summary");
    char *progress = record_reader_text(reader, "/", "progress");
    if (summary && summary[0])
        fputs(summary, stdout);
    else
        base_report_add(report, file, 0, "keeps no summary: the run did not reach its end; %s",
                        progress ? progress : "nobody knows how far it got");
    base_free(progress);
    base_free(summary);
    record_reader_close(reader);
}

enum base_status app_summary_answer(int argc, char **argv)
{
    struct base_report report = {0};
    const char *file = file_of(argc, argv);
    for (int i = 0; i < argc; i++)
        if (argv[i] != file)
            base_report_add(&report, NULL, 0, "%s: nothing else goes with show %s", argv[i], file);
    if (base_report_is_clean(&report))
        show(file, &report);
    if (fflush(stdout) != 0)
        base_report_add(&report, NULL, 0, "standard output: cannot be written");
    bool clean = base_report_is_clean(&report);
    if (!clean)
        base_report_print(&report, stderr);
    base_report_release(&report);
    return clean ? BASE_OK : BASE_USAGE;
}
