/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room tell each other and nobody else. */
#ifndef PARALLEL_ROOM_H
#define PARALLEL_ROOM_H

/* Before MPI starts: asks it to yield while idle where this host has more ranks than cores, unless
 * the user has said otherwise. */
void parallel_decide_yield(void);

/* Cores of this host that the process may use. */
int parallel_host_cores(void);

/* Ranks that a Slurm list of tasks a node ("2(x3),1") puts on its fullest node; 0 if unreadable. */
int parallel_most_tasks(const char *list);

/* Installs the handlers behind parallel_stop_signal; from here on a file that grows beyond its
 * limit is an error of the write, not a signal. */
void parallel_catch_signals(void);

/* The moment that parallel_wall_seconds counts from. */
void parallel_clock_start(void);

/* Seconds of a clock that never goes back. */
double parallel_clock_seconds(void);

#endif
