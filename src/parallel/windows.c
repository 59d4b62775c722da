/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop over time windows. */
#include "parallel/windows.h"

#include <hwloc.h>
#include <mpi.h>

#include <string.h>
#include <time.h>

#include "parallel/parallel.h"
#include "parallel/place.h"
#include "parallel/room.h"
#include "parallel/windows_meet.h"

static int64_t cores_of_this_host(void)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) || hwloc_topology_load(topology)) {
        parallel_abort(BASE_FAILURE, "hwloc cannot read the topology of this host");
    }
    int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    int threads = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    hwloc_topology_destroy(topology);
    return cores > 0 ? cores : threads;
}

static int ranks_of_this_host(void)
{
    MPI_Comm host;
    int ranks;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &ranks);
    MPI_Comm_free(&host);
    return ranks;
}

/* Partitions of one core take turns at every window: a few cost little beside what they simulate,
 * many do. */
enum { PARTITIONS_PER_CORE = 4 };

/* Several hosts are left alone: which rank is where decides there what pays off. */
int parallel_windows_partitions(int64_t items, bool spread)
{
    int64_t most = parallel_size();
    if (!spread && ranks_of_this_host() == parallel_size()) {
        int64_t cores = cores_of_this_host();
        parallel_min_i64(&cores, 1);
        most = PARTITIONS_PER_CORE * cores < most ? PARTITIONS_PER_CORE * cores : most;
    }
    most = items < most ? items : most;
    return most > 1 ? (int)most : 1;
}

/* State of one rank that holds a partition. */
struct run {
    struct engine *engine;
    MPI_Comm ranks;
    struct windows_shared *shared;
    const struct parallel_windows_watch *watch;
    struct parallel_windows_report *report;
    double told_s;
};

static struct windows_call meet(struct run *run)
{
    struct engine *engine = run->engine;
    struct windows_call call = {engine_promise_ps(engine), parallel_stop_signal()};
    run->report->windows++;
    return run->shared ? windows_shared_meet(run->shared, engine, call)
                       : windows_mpi_meet(run->ranks, engine, call);
}

/* On the first rank, not more often than the period. */
static void tell(struct run *run)
{
    static const double period_s = 0.2;
    if (run->watch == NULL || run->watch->progress == NULL || !parallel_is_first()) {
        return;
    }
    double now = parallel_clock_seconds();
    if (now - run->told_s > period_s) {
        run->told_s = now;
        run->watch->progress(run->watch->context, engine_now_ps(run->engine));
    }
}

/* A single partition could run to the end at once; slices of simulated time keep progress and
 * signals alive. A slice in which nothing happens is followed by the whole rest. */
static void advance_alone(struct run *run)
{
    static const int64_t slice_ps = INT64_C(1000000000);
    struct engine *engine = run->engine;
    int64_t before, until;
    do {
        before = engine_events(engine);
        until = engine_now_ps(engine) + slice_ps;
        engine_advance(engine, until);
        run->report->stop_signal = parallel_stop_signal();
        tell(run);
    } while (run->report->stop_signal == 0 && engine_events(engine) != before);
    if (run->report->stop_signal == 0) {
        engine_advance(engine, ENGINE_NEVER);
    }
}

static void advance_together(struct run *run)
{
    struct engine *engine = run->engine;
    struct windows_call call;
    enum { LOOKS = 256 };
    do {
        call = meet(run);
        engine_advance(engine, call.promise_ps);
        if (run->report->windows % LOOKS == 0) {
            tell(run);
        }
    } while (call.promise_ps != ENGINE_NEVER && call.stop_signal == 0);
    run->report->stop_signal = (int)call.stop_signal;
}

static void advance_all(struct run *run)
{
    if (run->report->partitions == 1) {
        advance_alone(run);
        return;
    }
    bool shared = run->watch == NULL || !run->watch->collectives_only;
    run->shared = shared ? windows_shared_open(run->ranks) : NULL;
    run->report->shared_memory = run->shared != NULL;
    advance_together(run);
    windows_shared_close(run->shared);
}

/* Waits for all ranks without taking a core from those that work. */
static void sleep_until_all(MPI_Comm all)
{
    const struct timespec nap = {.tv_nsec = 500000};
    MPI_Request request;
    int done = 0;
    MPI_Ibarrier(all, &request);
    while (!done) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (!done) {
            nanosleep(&nap, NULL);
        }
    }
}

static enum base_status agree(const struct engine *engine, struct parallel_windows_report *report)
{
    int64_t most[3] = {report->windows, report->stop_signal, report->end_ps};
    int64_t sum[3] = {report->events, report->messages, engine != NULL && !engine_finished(engine)};
    int64_t shared = report->shared_memory;
    int64_t bytes = report->message_bytes;
    parallel_max_i64(most, 3);
    parallel_sum_i64(sum, 3);
    parallel_max_i64(&shared, 1);
    parallel_max_i64(&bytes, 1);
    report->windows = most[0];
    report->stop_signal = (int)most[1];
    report->end_ps = most[2];
    report->events = sum[0];
    report->messages = sum[1];
    report->message_bytes = sum[1] * bytes;
    report->shared_memory = shared != 0;
    if (report->stop_signal != 0) {
        return BASE_FAILURE;
    }
    return sum[2] > 0 ? BASE_NO_PROGRESS : BASE_OK;
}

enum base_status parallel_windows_run(struct engine *engine, int partitions,
                                      const struct parallel_windows_watch *watch,
                                      struct parallel_windows_report *report)
{
    struct run run = {.engine = engine, .watch = watch, .report = report};
    *report = (struct parallel_windows_report){.partitions = partitions};
    MPI_Comm all;
    MPI_Comm_dup(MPI_COMM_WORLD, &all);
    MPI_Comm_split(all, engine != NULL ? 0 : MPI_UNDEFINED, parallel_rank(), &run.ranks);
    if (engine != NULL) {
        advance_all(&run);
        report->events = engine_events(engine);
        report->messages = engine_messages(engine);
        report->end_ps = engine_now_ps(engine);
        report->message_bytes = (int64_t)engine_event_bytes(engine);
        MPI_Comm_free(&run.ranks);
    }
    sleep_until_all(all);
    MPI_Comm_free(&all);
    return agree(engine, report);
}
