/* SPDX-License-Identifier: BSD-3-Clause */
/* Start and end of the ranks, and the way out for one rank alone. */
#include "parallel/parallel.h"

#include <mpi.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "parallel/place.h"
#include "parallel/room.h"

/* Set once by parallel_start. */
static int world_rank, world_size = 1;

void parallel_start(int *argc, char ***argv)
{
    parallel_clock_start();
    parallel_decide_yield();
    int provided;
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world_size);
    if (provided < MPI_THREAD_FUNNELED)
        parallel_abort(BASE_FAILURE, "MPI offers no MPI_THREAD_FUNNELED");
    parallel_catch_signals();
}

void parallel_finish(void)
{
    MPI_Finalize();
}

_Noreturn void parallel_abort(enum base_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = base_vformat(format, args);
    va_end(args);
    fprintf(stderr, "lpusim-mp: error: rank %d: %s\n", world_rank, text);
    fflush(NULL);
    int started = 0, ended = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    if (started && !ended)
        MPI_Abort(MPI_COMM_WORLD, (int)status);
    _Exit((int)status);
}

int parallel_rank(void)
{
    return world_rank;
}

int parallel_size(void)
{
    return world_size;
}
