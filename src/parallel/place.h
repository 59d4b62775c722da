/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the ranks of a run are, and how much of the machine they have used. */
#ifndef PARALLEL_PLACE_H
#define PARALLEL_PLACE_H

#include <stdbool.h>
#include <stdint.h>

/* The host of this rank as hwloc sees it: "2 cores, 2 hardware threads, 1 NUMA node, 23.4 GiB";
 * base_free. */
char *parallel_host_text(void);

/* Collective. "ranks 0-3 on node1, cores 0-1" a line for every group of ranks alike; on every rank;
 * base_free. */
char *parallel_layout_text(void);

/* "Open MPI v4.1.4, MPI 3.1"; base_free. */
char *parallel_library_text(void);

/* Whether idle ranks yield, and whether parallel_start decided so. */
bool parallel_ranks_yield(void);

/* Collective. Peak resident memory, summed over the ranks. */
int64_t parallel_peak_memory_bytes(void);

/* Wall time since parallel_start. */
double parallel_wall_seconds(void);

#endif
