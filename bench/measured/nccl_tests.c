/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of nccl-tests: sizes in bytes, times in microseconds. A row names its machine:
 * h100_2n_p5 is 2 nodes of H100 SXM in machines of type p5 (topologies/h100-p5.cfg). */
#include <stdio.h>
#include <string.h>

#include "collective.h"

/* "h100_sxm" of "h100_2n_p5". */
static const char *gpu(const struct row *row)
{
    static char name[64];
    const char *id = row_text(row, "table_id");
    snprintf(name, sizeof name, "%.*s_sxm", (int)strcspn(id, "_"), id);
    return name;
}

static const char *machine_of(const struct row *row)
{
    const char *last = strrchr(row_text(row, "table_id"), '_');
    return row_whole(row, "nodes", 1) > 1 && last ? last + 1 : "1x8";
}

static const char *range_of(int64_t bytes)
{
    return bytes < 1024 ? "below 1 KiB" : bytes <= 256 << 20 ? "1 KiB to 256 MiB" : "above 256 MiB";
}

static bool is_for_fit(const struct row *row)
{
    return collective_is_for_fit(row_whole(row, "size_bytes", 0));
}

static const char *predict(const struct row *row, struct points *points)
{
    int64_t bytes = row_whole(row, "size_bytes", 0), nodes = row_whole(row, "nodes", 1);
    int32_t ranks = (int32_t)row_whole(row, "gpus", 0);
    double time_s;
    const char *why =
        collective_predict(row, machine_of(row), collective_op(row_text(row, "collective")), ranks,
                           bytes, GPU_ALL_REDUCE_NCCL, &time_s);
    if (why)
        return why;
    char group[96];
    snprintf(group, sizeof group, "%s, %d nodes, %s", gpu(row), (int)nodes, range_of(bytes));
    points_add(points, group, row_real(row, "ip_time_us", 0) / 1e6, time_s);
    return NULL;
}

const struct kind kind_nccl_tests = {
    .name = "nccl-tests",
    .needs = (const char *const[]){"table_id", "collective", "nodes", "gpus", "size_bytes",
                                   "ip_time_us", NULL},
    .without = (const char *const[]){NULL},
    .measured = (const char *const[]){"oop_time_us", "oop_algbw_GBps", "oop_busbw_GBps",
                                      "ip_time_us", "ip_algbw_GBps", "ip_busbw_GBps", NULL},
    .gpu = gpu,
    .is_for_fit = is_for_fit,
    .predict = predict,
};
