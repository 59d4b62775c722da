/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of sends from one GPU to another, as a profiler saw the kernel: bytes, milliseconds. The
 * GPU is the part of the file's name before "_dgx". */
#include <stdio.h>
#include <string.h>

#include "collective.h"

static const char *gpu(const struct row *row)
{
    static char name[64];
    const char *end = strstr(row->table->gpu, "_dgx"), *at = end;
    while (at && at > row->table->gpu && at[-1] != '_')
        at--;
    snprintf(name, sizeof name, "%.*s_sxm", end ? (int)(end - at) : 0, end ? at : "");
    return end ? name : NULL;
}

static bool is_for_fit(const struct row *row)
{
    return collective_is_for_fit(row_whole(row, "size", 0));
}

/* A profiler does not see what a kernel costs from launch to launch. */
static const char *predict(const struct row *row, struct points *points)
{
    if (strcmp(row_text(row, "collective"), "send_recv") != 0)
        return "no model of the collective";
    if (row_whole(row, "devices_per_node", 1) < 2)
        return "a network that the table does not describe";
    double time_s;
    const char *why = collective_predict(row, "1x8", GPU_OP_SEND, 2, row_whole(row, "size", 0),
                                         GPU_ALL_REDUCE_NCCL, &time_s);
    if (why)
        return why;
    points_add(points, "send and receive in a node",
               row_real(row, "time_stats.send_recv.median", 0) / 1e3,
               time_s - (double)row->chip->kernel_floor_ps / 1e12);
    return NULL;
}

const struct kind kind_transfer = {
    .name = "transfer",
    .needs = (const char *const[]){"time_stats.send_recv.median", "size", "collective",
                                   "devices_per_node", NULL},
    .without = (const char *const[]){NULL},
    .measured = (const char *const[]){"", "time_stats.send_recv.min", "time_stats.send_recv.max",
                                      "time_stats.send_recv.mean", "time_stats.send_recv.median",
                                      "time_stats.send_recv.std", NULL},
    .gpu = gpu,
    .is_for_fit = is_for_fit,
    .predict = predict,
};
