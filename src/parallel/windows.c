/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop over time windows. */
#include "parallel/windows.h"

#include <mpi.h>

#include <string.h>
#include <time.h>

#include "parallel/parallel.h"
#include "parallel/place.h"
#include "parallel/room.h"
#include "parallel/windows_meet.h"

static int ranks_of_this_host(void)
{
    MPI_Comm host;
    int ranks;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &ranks);
    MPI_Comm_free(&host);
    return ranks;
}

/* Events that cost two or three times as much as a meeting does: of a few ranks that share memory
 * (about a microsecond), of ranks on several hosts (an exchange over the network). See
 * docs/engine.md. */
enum { EVENTS_A_MEETING = 32, EVENTS_AN_EXCHANGE = 512 };

static int64_t partitions_that_pay(int64_t window_events)
{
    int64_t alone = ranks_of_this_host() == parallel_size();
    parallel_min_i64(&alone, 1);
    int64_t most = window_events / (alone ? EVENTS_A_MEETING : EVENTS_AN_EXCHANGE);
    if (most < 2 || !alone) {
        return most;
    }
    int64_t cores = parallel_host_cores();
    parallel_min_i64(&cores, 1);
    return cores < most ? cores : most;
}

/* On several hosts ranks are left where the user has put them: cores do not bound them. */
int parallel_windows_partitions(struct parallel_windows_share share)
{
    int64_t most = share.wanted > 0 ? share.wanted : partitions_that_pay(share.window_events);
    most = parallel_size() < most ? parallel_size() : most;
    most = share.items < most ? share.items : most;
    return most > 1 ? (int)most : 1;
}

/* State of one rank that holds a partition. */
struct run {
    struct engine *engine;
    MPI_Comm ranks;
    struct windows_shared *shared; /* NULL: by messages */
    struct windows_mpi *mpi;
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
                       : windows_mpi_meet(run->mpi, engine, call);
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
    bool shared = run->watch == NULL || !run->watch->messages_only;
    run->shared = shared ? windows_shared_open(run->ranks) : NULL;
    run->mpi = run->shared == NULL ? windows_mpi_open(run->ranks, run->engine) : NULL;
    run->report->shared_memory = run->shared != NULL;
    advance_together(run);
    windows_shared_close(run->shared);
    windows_mpi_close(run->mpi);
}

/* Waits for all ranks without taking a core from those that work: naps grow with the waiting, and
 * with them what is lost at the end, a thirtieth of it. */
static void sleep_until_all(MPI_Comm all)
{
    enum { SHORTEST_NS = 50000, LONGEST_NS = 10000000, SHARE = 30 };
    MPI_Request request;
    int done = 0;
    int64_t waited_ns = 0;
    MPI_Ibarrier(all, &request);
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    while (!done) {
        int64_t nap = SHORTEST_NS + waited_ns / SHARE;
        nap = nap < LONGEST_NS ? nap : LONGEST_NS;
        nanosleep(&(struct timespec){.tv_nsec = (long)nap}, NULL);
        waited_ns += nap;
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
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
