/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates of the event engine on PHOLD, on a message mesh and on the cluster's ring all-reduce. See
 * docs/engine.md.
 * usage: mpirun -np RANKS engine [quick] [messages] [phold | mesh | ring GPUS]...
 * All loads by default; quick: small ones; messages: ranks do not meet in shared memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mesh.h"
#include "parallel/parallel.h"
#include "parallel/place.h"
#include "parallel/windows.h"
#include "phold.h"
#include "ring.h"

static const int64_t ns = 1000, us = 1000000;

struct options {
    bool quick;
    struct parallel_windows_watch watch;
};

/* A load being run on this rank. */
struct trial {
    const char *name;
    int partitions;
    bool active; /* this rank holds a partition */
    double wall_s, cpu_s;
    struct parallel_windows_report report;
    enum base_status status;
};

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Collective. Times include set-up. */
static struct trial trial_begin(const char *name, int64_t items)
{
    struct trial trial = {.name = name,
                          .partitions = parallel_windows_partitions((struct parallel_windows_share){
                              .items = items, .wanted = parallel_size()})};
    trial.active = parallel_rank() < trial.partitions;
    parallel_agree_status(BASE_OK);
    trial.wall_s = parallel_wall_seconds();
    trial.cpu_s = cpu_seconds();
    return trial;
}

static void trial_run(struct trial *trial, struct engine *engine, const struct options *options)
{
    trial->status =
        parallel_windows_run(engine, trial->partitions, &options->watch, &trial->report);
    trial->wall_s = parallel_wall_seconds() - trial->wall_s;
    trial->cpu_s = cpu_seconds() - trial->cpu_s;
}

static void print_head(void)
{
    if (parallel_is_first()) {
        printf("%-9s %5s %9s %9s %8s %8s %11s %11s %8s  %s\n", "load", "ranks", "events",
               "messages", "windows", "seconds", "M events/s", "M/CPU s", "peak MiB", "check");
    }
}

/* Collective. `check`: a digest, or a time; printed in hexadecimal. */
static void trial_print(const struct trial *trial, uint64_t check)
{
    const struct parallel_windows_report *report = &trial->report;
    int64_t memory = parallel_peak_memory_bytes(), cpu_us = (int64_t)(trial->cpu_s * 1e6);
    parallel_sum_i64(&cpu_us, 1);
    double events = (double)report->events / 1e6;
    if (parallel_is_first()) {
        printf("%-9s %5d %9" PRId64 " %9" PRId64 " %8" PRId64 " %8.3f %11.2f %11.2f %8" PRId64
               "  %016" PRIx64 "%s\n",
               trial->name, parallel_size(), report->events, report->messages, report->windows,
               trial->wall_s, events / trial->wall_s, events * 1e6 / (double)cpu_us, memory >> 20,
               check, trial->status == BASE_OK ? "" : "  NOT FINISHED");
    }
}

/* Collective. Digests of partitions add up. */
static uint64_t sum_of(uint64_t digest)
{
    int64_t sum = (int64_t)digest;
    parallel_sum_i64(&sum, 1);
    return (uint64_t)sum;
}

static enum base_status play_phold(const struct options *options)
{
    bool quick = options->quick;
    const struct phold_spec spec = {.objects = quick ? 256 : 16384,
                                    .remote = 0.25,
                                    .lookahead_ps = us,
                                    .mean_ps = us,
                                    .end_ps = (quick ? 100 : 1000) * us,
                                    .seed = 1};
    struct trial trial = trial_begin("PHOLD", spec.objects);
    struct phold *phold =
        trial.active ? phold_create(&spec, parallel_rank(), trial.partitions) : NULL;
    trial_run(&trial, phold ? phold_engine(phold) : NULL, options);
    trial_print(&trial, sum_of(phold ? phold_digest(phold) : 0));
    phold_free(phold);
    return trial.status;
}

static enum base_status play_mesh(const struct options *options)
{
    bool quick = options->quick;
    const struct mesh_spec spec = {.width = quick ? 8 : 32,
                                   .height = quick ? 8 : 32,
                                   .latency_ps = ns,
                                   .end_ps = (quick ? 100 : 2000) * ns,
                                   .seed = 1};
    struct trial trial = trial_begin("mesh", (int64_t)spec.width * spec.height);
    struct mesh *mesh = trial.active ? mesh_create(&spec, parallel_rank(), trial.partitions) : NULL;
    trial_run(&trial, mesh ? mesh_engine(mesh) : NULL, options);
    trial_print(&trial, sum_of(mesh ? mesh_digest(mesh) : 0));
    mesh_free(mesh);
    return trial.status;
}

/* 1 MiB, segments in 4 chunks. */
static enum base_status play_ring(int32_t gpus, const struct options *options)
{
    char name[16];
    snprintf(name, sizeof name, "ring %d", (int)gpus);
    struct trial trial = trial_begin(name, gpus);
    struct gpu_world *world =
        trial.active ? ring_create(gpus, 1 << 20, 4, parallel_rank(), trial.partitions) : NULL;
    trial_run(&trial, world ? gpu_world_engine(world) : NULL, options);
    int64_t end_ps = world ? ring_end_ps(world) : 0;
    parallel_max_i64(&end_ps, 1);
    trial_print(&trial, (uint64_t)end_ps);
    gpu_world_free(world);
    return trial.status;
}

/* The load of argument `*next`, which moves on; BASE_USAGE: there is no such load. */
static enum base_status play_argument(int argc, char **argv, int *next,
                                      const struct options *options)
{
    const char *name = argv[(*next)++];
    if (!strcmp(name, "phold")) {
        return play_phold(options);
    }
    if (!strcmp(name, "mesh")) {
        return play_mesh(options);
    }
    int gpus = !strcmp(name, "ring") && *next < argc ? atoi(argv[(*next)++]) : 0;
    if (gpus > 1) {
        return play_ring(gpus, options);
    }
    if (parallel_is_first()) {
        fprintf(stderr,
                "engine: what is \"%s\"? [quick] [messages] [phold | mesh | ring GPUS]...\n", name);
    }
    return BASE_USAGE;
}

static enum base_status play_all(const struct options *options)
{
    enum base_status status = play_phold(options);
    status = status == BASE_OK ? play_mesh(options) : status;
    status = status == BASE_OK ? play_ring(options->quick ? 16 : 256, options) : status;
    return status == BASE_OK && !options->quick ? play_ring(1024, options) : status;
}

static bool is_option(int argc, char **argv, int *next, const char *name)
{
    bool given = *next < argc && !strcmp(argv[*next], name);
    *next += given;
    return given;
}

int main(int argc, char **argv)
{
    parallel_start(&argc, &argv);
    int next = 1;
    struct options options = {.quick = is_option(argc, argv, &next, "quick")};
    options.watch.messages_only = is_option(argc, argv, &next, "messages");
    enum base_status status = BASE_OK;
    print_head();
    if (next == argc) {
        status = play_all(&options);
    }
    while (next < argc && status == BASE_OK) {
        status = play_argument(argc, argv, &next, &options);
    }
    parallel_finish();
    return (int)status;
}
