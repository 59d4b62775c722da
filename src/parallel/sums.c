/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions of integers over the ranks. */
#include <mpi.h>

#include <limits.h>

#include "parallel/parallel.h"

static void reduce_in_place(int64_t *values, size_t count, MPI_Op op)
{
    while (count > 0) {
        int part = count > INT_MAX ? INT_MAX : (int)count;
        MPI_Allreduce(MPI_IN_PLACE, values, part, MPI_INT64_T, op, MPI_COMM_WORLD);
        values += part;
        count -= (size_t)part;
    }
}

void parallel_sum_i64(int64_t *values, size_t count)
{
    reduce_in_place(values, count, MPI_SUM);
}

void parallel_max_i64(int64_t *values, size_t count)
{
    reduce_in_place(values, count, MPI_MAX);
}

void parallel_min_i64(int64_t *values, size_t count)
{
    reduce_in_place(values, count, MPI_MIN);
}

int64_t parallel_sum_before_i64(int64_t value)
{
    int64_t before = 0;
    MPI_Exscan(&value, &before, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    return parallel_is_first() ? 0 : before;
}
