/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of a numbered sequence, from those who have them to those who want them. */
#include <mpi.h>

#include <assert.h>
#include <limits.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"

/* What a rank has and wants, as every rank knows it. */
struct ranges {
    int64_t have_first, have_count, want_first, want_count;
};

/* Counts and displacements, in rows, of one direction of MPI_Alltoallv. */
struct parts {
    int *count, *start;
};

static struct parts parts_alloc(int ranks)
{
    return (struct parts){base_alloc((size_t)ranks, sizeof(int)),
                          base_alloc((size_t)ranks, sizeof(int))};
}

static void parts_release(struct parts parts)
{
    base_free(parts.count);
    base_free(parts.start);
}

/* Sets part `rank` to where [first, first + count) overlaps the rows `mine`, counted from there. */
static void parts_set(struct parts parts, int rank, struct parallel_rows mine, int64_t first,
                      int64_t count)
{
    int64_t from = first > mine.first ? first : mine.first;
    int64_t end = first + count, mine_end = mine.first + mine.count;
    int64_t to = end < mine_end ? end : mine_end;
    if (to <= from)
        return;
    assert(to - mine.first <= INT_MAX);
    parts.start[rank] = (int)(from - mine.first);
    parts.count[rank] = (int)(to - from);
}

static void rows_move(MPI_Datatype row, struct parallel_rows have, struct parallel_rows want,
                      const struct ranges *all)
{
    struct parts out = parts_alloc(parallel_size()), in = parts_alloc(parallel_size());
    for (int rank = 0; rank < parallel_size(); rank++) {
        parts_set(out, rank, have, all[rank].want_first, all[rank].want_count);
        parts_set(in, rank, want, all[rank].have_first, all[rank].have_count);
    }
    MPI_Alltoallv(have.row, out.count, out.start, row, want.row, in.count, in.start, row,
                  MPI_COMM_WORLD);
    parts_release(out);
    parts_release(in);
}

void parallel_exchange_rows(size_t row_bytes, struct parallel_rows have, struct parallel_rows want)
{
    assert(row_bytes <= INT_MAX);
    struct ranges mine = {have.first, have.count, want.first, want.count};
    struct ranges *all = base_alloc((size_t)parallel_size(), sizeof *all);
    MPI_Allgather(&mine, 4, MPI_INT64_T, all, 4, MPI_INT64_T, MPI_COMM_WORLD);
    MPI_Datatype row;
    MPI_Type_contiguous((int)row_bytes, MPI_BYTE, &row);
    MPI_Type_commit(&row);
    rows_move(row, have, want, all);
    MPI_Type_free(&row);
    base_free(all);
}
