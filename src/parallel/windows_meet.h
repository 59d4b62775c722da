/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ways for the ranks of a window to meet: in shared memory, and by messages. */
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

/* Collective over `ranks`: one of the two ways, open for one run. Shared: NULL where the ranks do
 * not share memory. */
struct windows_shared;
struct windows_shared *windows_shared_open(MPI_Comm ranks);
void windows_shared_close(struct windows_shared *shared);

struct windows_mpi;
struct windows_mpi *windows_mpi_open(MPI_Comm ranks, const struct engine *engine);
void windows_mpi_close(struct windows_mpi *mpi);

/* Collective. Takes the messages of the outbox to where they belong and clears it. */
struct windows_call windows_shared_meet(struct windows_shared *shared, struct engine *engine,
                                        struct windows_call call);
struct windows_call windows_mpi_meet(struct windows_mpi *mpi, struct engine *engine,
                                     struct windows_call call);

#endif
