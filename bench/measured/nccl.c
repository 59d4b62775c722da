/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of NCCL's collectives under graph replay: sizes in elements, times in milliseconds. */
#include <stdio.h>

#include "collective.h"

static int64_t bytes_of(const struct row *row)
{
    return row_whole(row, "message_size", 0) *
           collective_element_bytes(row_text(row, "nccl_dtype"));
}

static bool is_for_fit(const struct row *row)
{
    return collective_is_for_fit(bytes_of(row));
}

static const char *predict(const struct row *row, struct points *points)
{
    const char *name = row_text(row, "op_name");
    int32_t ranks = (int32_t)row_whole(row, "num_gpus", 0);
    int64_t bytes = bytes_of(row);
    if (bytes == 0)
        return "elements of unknown size";
    double time_s;
    const char *why = collective_predict(row, "1x8", collective_op(name), ranks, bytes,
                                         GPU_ALL_REDUCE_NCCL, &time_s);
    if (why)
        return why;
    char group[64];
    snprintf(group, sizeof group, "%s, %d GPUs", name, (int)ranks);
    points_add(points, group, row_real(row, "latency", 0) / 1e3, time_s);
    return NULL;
}

const struct kind kind_nccl = {
    .name = "nccl",
    .needs =
        (const char *const[]){"op_name", "nccl_dtype", "num_gpus", "message_size", "latency", NULL},
    .without = (const char *const[]){NULL},
    .sizes = (const char *const[]){"num_gpus", "message_size", NULL},
    .measured = (const char *const[]){"latency", NULL},
    .is_for_fit = is_for_fit,
    .predict = predict,
};
