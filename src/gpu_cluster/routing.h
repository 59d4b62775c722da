/* SPDX-License-Identifier: BSD-3-Clause */
/* Which experts the tokens of a step choose where no values do: drawn, all experts as likely. */
#ifndef GPU_CLUSTER_ROUTING_H
#define GPU_CLUSTER_ROUTING_H

#include "gpu_cluster/plan.h"

/* Rows of each expert of one layer in the step drawn last. */
struct gpu_routing {
    int32_t *rows; /* [experts]; NULL: nothing drawn yet */
    int32_t step;
};

/* rows[experts]: how many tokens of (step, layer) choose an expert. A token chooses `chosen`
 * different ones; what it chooses depends on seed, layer, step and its place in the step alone. */
void gpu_routing_draw(const struct gpu_experts *shape, uint64_t seed, int32_t layer, int32_t step,
                      int32_t *rows);

/* As gpu_routing_draw, once a step; valid until another step is asked for. `routing` is that of the
 * layer; free its rows with base_free. */
const int32_t *gpu_routing_rows(struct gpu_routing *routing, const struct gpu_experts *shape,
                                uint64_t seed, int32_t layer, int32_t step);

#endif
