/* SPDX-License-Identifier: BSD-3-Clause */
/* Chips and nodes as summaries show them. */
#include "app/machine_text.h"

#include <inttypes.h>

#include "app/lpu.h"
#include "base/memory.h"

static char *lpu_text(const struct app_run *run)
{
    const struct lpu_topology *t = &run->lpu->topology;
    int32_t used = run->lpu->outline.chips;
    char *of = used < t->chips ? base_format("%" PRId32 " of ", used) : base_strdup("");
    char *text = base_format("%s%" PRId32 " %s, %" PRId32 " node%s", of, t->chips,
                             run->scenario.lpu_chip.name, t->nodes, t->nodes == 1 ? "" : "s");
    base_free(of);
    return text;
}

static char *gpu_text(const struct app_run *run)
{
    const struct gpu_cluster_spec *c = &run->scenario.gpu_cluster;
    return base_format("%" PRId32 " %s, %" PRId32 " node%s%s", c->nodes * c->gpus_per_node,
                       run->scenario.gpu_chip.name, c->nodes, c->nodes == 1 ? "" : "s",
                       c->neighbour ? " + neighbour" : "");
}

char *app_machine_text(const struct app_run *run, enum record_machine machine)
{
    return machine == RECORD_LPU ? lpu_text(run) : gpu_text(run);
}
