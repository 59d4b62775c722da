/* SPDX-License-Identifier: BSD-3-Clause */
/* Conservative time windows: an event simulation in partitions, a partition a rank.
 *
 * Each window, every rank tells the others its promise (engine/engine.h) and hands over its
 * messages, and all advance to the least promise. On one host they meet in shared memory, page by
 * page; on several by an exchange of notes and, where there are messages, one to a rank. One
 * partition meets nobody. docs/engine.md says why this is safe. */
#ifndef PARALLEL_WINDOWS_H
#define PARALLEL_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "base/status.h"

/* How a run is watched. Zero: no progress, only signals stop it. */
struct parallel_windows_watch {
    void (*progress)(void *context, int64_t now_ps); /* first rank, some times a second */
    void *context;
    bool messages_only; /* never shared memory: for tests and comparison */
};

/* The same on all ranks. */
struct parallel_windows_report {
    int64_t windows; /* meetings */
    int64_t events, messages, message_bytes;
    int64_t end_ps; /* time of the latest event */
    int partitions;
    bool shared_memory;
    int stop_signal; /* SIGTERM and the like that ended the run early; 0: none */
};

/* What a simulation offers to share. */
struct parallel_windows_share {
    int64_t items;         /* entities; no partition is without one */
    int64_t window_events; /* about how many events a window has, all partitions together */
    int64_t wanted;        /* partitions, as far as there are items and ranks; 0: what pays off */
};

/* Collective. How many partitions to make; partition p is rank p's. What pays off is one a core of
 * a host at most, each with so many events a window that they outweigh the meeting. */
int parallel_windows_partitions(struct parallel_windows_share share);

/* Collective. Runs to the end of all partitions. `engine` is NULL on ranks that hold none; they
 * sleep until the end. BASE_NO_PROGRESS: nothing is pending, and some partition is not finished;
 * ask the clients what they wait for. BASE_FAILURE: stopped by a signal, see the report. */
enum base_status parallel_windows_run(struct engine *engine, int partitions,
                                      const struct parallel_windows_watch *watch,
                                      struct parallel_windows_report *report);

#endif
