/* SPDX-License-Identifier: BSD-3-Clause */
/* From a row of a table to a question, and its answer by simulation. */
#include "collective.h"

#include <string.h>

#include "base/memory.h"

/* What the simulation of a call takes no more than a moment for. */
enum { MOST_BYTES = 1 << 30, MOST_GPUS = 1024 };

int64_t collective_element_bytes(const char *name)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } element[] = {{"half", 2}, {"float16", 2}, {"bfloat16", 2}, {"int8", 1},
                   {"fp8", 1},  {"float", 4},   {"float32", 4}};
    for (size_t i = 0; i < sizeof element / sizeof *element; i++)
        if (strcmp(name, element[i].name) == 0)
            return element[i].bytes;
    return 0;
}

enum gpu_op collective_op(const char *name)
{
    return strcmp(name, "alltoall") == 0 ? GPU_OP_ALL_TO_ALL : gpu_collective_op_of(name);
}

bool collective_is_for_fit(int64_t bytes)
{
    bool even = true;
    for (; bytes > 1; bytes /= 2)
        even = !even;
    return even;
}

const char *collective_predict(const struct row *row, const char *machine, enum gpu_op op,
                               int32_t ranks, int64_t bytes, unsigned all_reduce, double *time_s)
{
    if (bytes > MOST_BYTES)
        return "larger than 1 GiB";
    if (ranks > MOST_GPUS)
        return "more than 1024 GPUs";
    const struct gpu_cluster_spec *found = gpus_cluster(row->gpus, row->gpu, machine);
    if (!found)
        return "no description of the machine";
    if (op == GPU_OP_COUNT)
        return "no model of the collective";
    struct gpu_cluster_spec cluster = *found;
    int32_t each = cluster.gpus_per_node, needed = (ranks + each - 1) / each;
    cluster.nodes = needed > cluster.nodes ? needed : cluster.nodes;
    struct gpu_question question = {
        .op = op, .ranks = ranks, .bytes = bytes, .wish.all_reduce = all_reduce};
    char *why;
    bool possible =
        gpu_call_is_possible(row->chip, &cluster, &question.wish, op, ranks, bytes, &why);
    base_free(why);
    if (!possible)
        return "members, bytes or nodes that no call has";
    *time_s = (double)gpu_collective_predict(row->chip, &cluster, &question).time_ps / 1e12;
    return NULL;
}
