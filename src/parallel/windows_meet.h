/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ways for the ranks of a window to meet: in shared memory, and by MPI collectives. */
#ifndef PARALLEL_WINDOWS_MEET_H
#define PARALLEL_WINDOWS_MEET_H

#include <mpi.h>

#include <stdint.h>

#include "engine/engine.h"

/* What a rank brings, and what all have when they leave: the least promise, the largest signal. */
struct windows_call {
    int64_t promise_ps;
    int64_t stop_signal;
};

struct windows_shared;

/* Collective over `ranks`. NULL where they do not share memory. Close with windows_shared_close. */
struct windows_shared *windows_shared_open(MPI_Comm ranks);
void windows_shared_close(struct windows_shared *shared);

/* Collective. Takes the messages of the outbox to where they belong and clears it. */
struct windows_call windows_shared_meet(struct windows_shared *shared, struct engine *engine,
                                        struct windows_call call);
struct windows_call windows_mpi_meet(MPI_Comm ranks, struct engine *engine,
                                     struct windows_call call);

/* Collective. The exchange of windows_mpi_meet alone. */
void windows_mpi_exchange(MPI_Comm ranks, struct engine *engine);

#endif
