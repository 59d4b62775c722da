/* SPDX-License-Identifier: BSD-3-Clause */
/* What tables of collectives share. */
#ifndef MEASURED_COLLECTIVE_H
#define MEASURED_COLLECTIVE_H

#include "gpu_cluster/predict.h"
#include "kinds.h"

/* Bytes of an element by its name in a table; 0: unknown. */
int64_t collective_element_bytes(const char *name);

/* The op of a name in a table ("alltoall" too); GPU_OP_COUNT: unknown. */
enum gpu_op collective_op(const char *name);

/* Every second size of a series: those from 2^k bytes to less than 2^(k+1), k even. */
bool collective_is_for_fit(int64_t bytes);

/* Time in the event simulation, on GPUs 0 to ranks - 1 of a machine ("1x8"), with as many nodes as
 * that takes. NULL and the time, or why there is none (static text). */
const char *collective_predict(const struct row *row, const char *machine, enum gpu_op op,
                               int32_t ranks, int64_t bytes, unsigned all_reduce, double *time_s);

#endif
