/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles, loads, and keeps what was loaded. */
#include "loaded.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "test.h"

int32_t loaded_lanes(void)
{
    return rack_chip()->lanes;
}

size_t loaded_place(const struct program_tensor *t, int32_t sub, int32_t index)
{
    return (size_t)sub * (size_t)t->count + (size_t)index;
}

float *loaded_at(const struct loaded *l, int32_t tensor, int32_t sub, int32_t index)
{
    return l->lanes[tensor] +
           loaded_place(&l->program->tensor[tensor], sub, index) * (size_t)loaded_lanes();
}

void loaded_put(void *context, int32_t tensor, int32_t sub, int32_t index, const float *lanes)
{
    struct loaded *l = context;
    const struct program_tensor *t = &l->program->tensor[tensor];
    bool inside = tensor >= 0 && t->slice >= 0 && index >= 0 && index < t->valid && sub >= 0 &&
                  sub + program_dtype_planes(t->dtype) <= t->subs;
    l->outside += !inside;
    if (!inside)
        return;
    l->times[tensor][loaded_place(t, sub, index)]++;
    memcpy(loaded_at(l, tensor, sub, index), lanes, (size_t)loaded_lanes() * sizeof *lanes);
}

static void load(struct loaded_group *g, struct loaded *l, int32_t rank, bool int8)
{
    const struct program *p = &g->rack.program[rank][PARTITION_DECODE];
    struct image_input input = {.chip = &g->rack.machine,
                                .model = &g->rack.model,
                                .bucket = &g->rack.bucket,
                                .weights = g->weights,
                                .group = g->chips,
                                .rank = rank,
                                .int8 = int8};
    *l = (struct loaded){.program = p,
                         .lanes = base_alloc(p->tensors, sizeof *l->lanes),
                         .times = base_alloc(p->tensors, sizeof *l->times)};
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        size_t vectors = t->slice < 0 ? 0 : (size_t)t->subs * (size_t)t->count;
        l->lanes[n] = base_alloc(vectors * (size_t)loaded_lanes(), sizeof(float));
        l->times[n] = base_alloc(vectors, 1);
    }
    CU_ASSERT_TRUE(image_write(&input, p, loaded_put, l, &g->rack.report));
    CU_ASSERT_EQUAL(g->rack.report.count, 0);
    CU_ASSERT_EQUAL(l->outside, 0);
}

static void unload(struct loaded *l)
{
    for (size_t n = 0; n < l->program->tensors; n++) {
        base_free(l->lanes[n]);
        base_free(l->times[n]);
    }
    base_free(l->lanes);
    base_free(l->times);
}

void loaded_open(struct loaded_group *g, int32_t chips)
{
    struct model model = rack_shipped_model("sums");
    char *folder = test_source_path("configs/models/sums"), why[160];
    g->chips = chips;
    rack_compile(&g->rack, &(struct rack_case){.model = &model,
                                               .stages = 1,
                                               .group = chips,
                                               .chips_per_node = LOADED_MOST_CHIPS,
                                               .max_sequence = 64});
    CU_ASSERT_PTR_NOT_NULL_FATAL(g->rack.plan);
    g->weights = model_weights_open(folder, &g->rack.model, &g->rack.report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(g->weights);
    CU_ASSERT_TRUE_FATAL(shape_derive_decode(&g->shape, &g->rack.machine, &g->rack.model,
                                             &g->rack.bucket, chips, why));
    for (int32_t rank = 0; rank < chips; rank++) {
        load(g, &g->exact[rank], rank, false);
        load(g, &g->bytes[rank], rank, true);
    }
    free(folder);
}

void loaded_close(struct loaded_group *g)
{
    for (int32_t rank = 0; rank < g->chips; rank++) {
        unload(&g->exact[rank]);
        unload(&g->bytes[rank]);
    }
    model_weights_close(g->weights);
    rack_release(&g->rack);
}

void loaded_for_all_groups(void (*check)(const struct loaded_group *g))
{
    static struct loaded_group g;
    for (int32_t chips = 1; chips <= LOADED_MOST_CHIPS; chips *= 2) {
        loaded_open(&g, chips);
        check(&g);
        loaded_close(&g);
    }
}

bool loaded_begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int32_t loaded_scales(const struct program *p, int32_t tensor)
{
    char name[24];
    memcpy(name, p->tensor[tensor].name, sizeof name);
    name[strlen(name) - 2] = 's';
    for (size_t n = 0; n < p->tensors; n++)
        if (p->tensor[n].layer == p->tensor[tensor].layer && strcmp(p->tensor[n].name, name) == 0)
            return (int32_t)n;
    CU_FAIL_FATAL("weights without scales");
    return -1;
}
