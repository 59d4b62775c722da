/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the group /run: program, libraries, machine, configuration, time. */
#include "record/run.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"
#include "record/room.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static const char group[] = "/run";
static const char option_group[] = "/run/configuration";

static void text_set_and_free(struct record_file *file, const char *name, char *text)
{
    record_set_text(file, group, name, text);
    base_free(text);
}

static char *start_time(void)
{
    char text[sizeof "2000-01-01T00:00:00Z"];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return base_strdup(text);
}

static char *hdf5_text(void)
{
    unsigned major, minor, release;
    H5get_libversion(&major, &minor, &release);
    return base_format("HDF5 %u.%u.%u, parallel", major, minor, release);
}

static void libraries_write(struct record_file *file)
{
    record_set_text(file, group, "compiler", COMPILER);
    text_set_and_free(file, "mpi", parallel_library_text());
    text_set_and_free(file, "hdf5", hdf5_text());
}

static void machine_write(struct record_file *file)
{
    text_set_and_free(file, "host", parallel_host_text());
    text_set_and_free(file, "ranks_on_hosts", parallel_layout_text());
    record_set_i64(file, group, "ranks", parallel_size());
    record_set_i64(file, group, "ranks_yield_when_idle", parallel_ranks_yield());
}

static void option_write(void *file, const char *key, const char *value)
{
    record_set_text(file, option_group, key, value);
}

enum base_status record_run_begin(struct record_file *file, const struct record_run *run)
{
    record_set_text(file, group, "program_version", run->program_version);
    record_set_text(file, group, "source_state", run->source_state);
    record_set_text(file, group, "command_line", run->command_line);
    record_set_text(file, group, "configuration", run->configuration);
    text_set_and_free(file, "seed", base_format("%" PRIu64, run->seed));
    text_set_and_free(file, "start_time", start_time());
    libraries_write(file);
    machine_write(file);
    record_set_text(file, option_group, "description", "options as in effect, one an attribute");
    if (run->visit_options)
        run->visit_options(run->options, option_write, file);
    return file->status;
}

enum base_status record_run_end(struct record_file *file)
{
    record_set_f64(file, group, "wall_time_s", parallel_wall_seconds());
    return record_set_i64(file, group, "peak_memory_bytes", parallel_peak_memory_bytes());
}
