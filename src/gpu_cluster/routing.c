/* SPDX-License-Identifier: BSD-3-Clause */
/* Floyd's sampling of a subset, by counter-based random numbers: one a choice. */
#include "gpu_cluster/routing.h"

#include "base/memory.h"
#include "base/random.h"

/* Choices of one token do not run into those of the next, nor tokens into the next step. */
static uint64_t index_of(int32_t step, int64_t row, int64_t choice)
{
    uint64_t token = (uint64_t)step * MODEL_MOST_ROWS + (uint64_t)row;
    return token * MODEL_MOST_EXPERTS + (uint64_t)choice;
}

/* Takes `chosen` different experts for a row; `taken_by` holds the last row that took one. */
static void draw_row(const struct gpu_experts *shape, uint64_t seed, int32_t layer, int32_t step,
                     int64_t row, int64_t *taken_by, int32_t *rows)
{
    for (int64_t i = 0; i < shape->chosen; i++) {
        int64_t last = shape->experts - shape->chosen + i;
        double u =
            base_random_uniform(seed, BASE_RANDOM_EXPERT, (uint64_t)layer, index_of(step, row, i));
        int64_t expert = (int64_t)(u * (double)(last + 1));
        if (taken_by[expert] == row + 1) {
            expert = last;
        }
        taken_by[expert] = row + 1;
        rows[expert]++;
    }
}

void gpu_routing_draw(const struct gpu_experts *shape, uint64_t seed, int32_t layer, int32_t step,
                      int32_t *rows)
{
    int64_t *taken_by = base_alloc((size_t)shape->experts, sizeof *taken_by);
    for (int64_t e = 0; e < shape->experts; e++) {
        rows[e] = 0;
    }
    for (int64_t row = 0; row < shape->rows; row++) {
        draw_row(shape, seed, layer, step, row, taken_by, rows);
    }
    base_free(taken_by);
}

const int32_t *gpu_routing_rows(struct gpu_routing *routing, const struct gpu_experts *shape,
                                uint64_t seed, int32_t layer, int32_t step)
{
    bool is_new = routing->rows == NULL;
    if (is_new) {
        routing->rows = base_alloc((size_t)shape->experts, sizeof *routing->rows);
    }
    if (is_new || routing->step != step) {
        gpu_routing_draw(shape, seed, layer, step, routing->rows);
        routing->step = step;
    }
    return routing->rows;
}
