/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of the all-reduce of serving engines: sizes in elements, times in milliseconds. In eager
 * mode the input is copied first, and the host takes its time to launch. */
#include <stdio.h>
#include <string.h>

#include "collective.h"
#include "gpu_cluster/kernel.h"

static int64_t bytes_of(const struct row *row)
{
    return row_whole(row, "message_size", 0) *
           collective_element_bytes(row_text(row, "allreduce_dtype"));
}

/* Host and device work at the same time, call behind call: the slower one counts. */
static double eager_s(const struct gpu_chip *chip, int64_t bytes, double reduce_s)
{
    struct gpu_kernel copy = gpu_kernel_stream(chip, 2 * (double)bytes);
    double device_s = (double)gpu_kernel_ps(chip, &copy, chip->sms) / 1e12 + reduce_s;
    double host_s = (double)chip->collectives.eager_ps / 1e12;
    return device_s > host_s ? device_s : host_s;
}

static bool is_for_fit(const struct row *row)
{
    return collective_is_for_fit(bytes_of(row));
}

static const char *predict(const struct row *row, struct points *points)
{
    int32_t ranks = (int32_t)row_whole(row, "num_gpus", 0);
    int64_t bytes = bytes_of(row);
    bool eager = strstr(row_text(row, "kernel_source"), "eager") != NULL;
    if (bytes == 0)
        return "elements of unknown size";
    double time_s;
    const char *why = collective_predict(row, "1x8", GPU_OP_ALL_REDUCE, ranks, bytes,
                                         GPU_ALL_REDUCE_ENGINE, &time_s);
    if (why)
        return why;
    char group[64];
    snprintf(group, sizeof group, "%s, %d GPUs", eager ? "eager" : "graph", (int)ranks);
    points_add(points, group, row_real(row, "latency", 0) / 1e3,
               eager ? eager_s(row->chip, bytes, time_s) : time_s);
    return NULL;
}

const struct kind kind_engine_all_reduce = {
    .name = "engine all-reduce",
    .needs = (const char *const[]){"allreduce_dtype", "num_gpus", "message_size", "latency", NULL},
    .without = (const char *const[]){NULL},
    .sizes = (const char *const[]){"num_gpus", "message_size", NULL},
    .measured = (const char *const[]){"latency", NULL},
    .is_for_fit = is_for_fit,
    .predict = predict,
};
