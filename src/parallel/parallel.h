/* SPDX-License-Identifier: BSD-3-Clause */
/* The ranks of one run: who is where, whose items are whose, what all agree on, how all leave
 * together. "Collective": every rank calls it, in the same order. */
#ifndef PARALLEL_PARALLEL_H
#define PARALLEL_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Collective. Starts MPI for one thread that communicates. Where ranks outnumber their host's
 * cores, idle ranks yield instead of spinning. Also sets up the signals of parallel_stop_signal. */
void parallel_start(int *argc, char ***argv);

/* Collective. Ends MPI; only process-local functions may be called afterwards. */
void parallel_finish(void);

/* One rank's way out when the others cannot be asked: prints the message, ends all ranks with
 * `status`. */
_Noreturn void parallel_abort(enum base_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int parallel_rank(void);
int parallel_size(void);
static inline bool parallel_is_first(void)
{
    return parallel_rank() == 0;
}

/* Items [first, first + count) of a rank. */
struct parallel_block {
    int64_t first, count;
};

/* Contiguous blocks in rank order, sizes differing by at most one, larger ones first. */
struct parallel_block parallel_block_of(int64_t items, int ranks, int rank);

/* The rank whose block holds `item`, 0 <= item < items. */
int parallel_block_owner(int64_t items, int ranks, int64_t item);

/* "576 chips on 8 ranks, 72 each", or which ranks stay idle; free with base_free. */
char *parallel_block_text(int64_t items, int ranks, const char *noun);

/* Collective. The largest status of all ranks. */
enum base_status parallel_agree_status(enum base_status status);

/* Collective. Leaves in every rank's report the faults of all ranks, in rank order, equal ones
 * once; the first rank prints them to stderr. Returns BASE_OK where there is none, else the largest
 * `if_faulty`. */
enum base_status parallel_agree_report(struct base_report *report, enum base_status if_faulty);

/* Collective, in place, element by element, result on every rank. */
void parallel_sum_i64(int64_t *values, size_t count);
void parallel_max_i64(int64_t *values, size_t count);
void parallel_min_i64(int64_t *values, size_t count);

/* Collective. The sum of `value` over the ranks before this one. */
int64_t parallel_sum_before_i64(int64_t value);

/* SIGTERM, SIGINT or SIGUSR1 if this rank has received one, else 0. Local: ranks see a signal at
 * different times. */
int parallel_stop_signal(void);

/* Collective. The signal that some rank has received, the same on all, else 0. The exit status is
 * then 128 + it. */
int parallel_stop_requested(void);

#endif
