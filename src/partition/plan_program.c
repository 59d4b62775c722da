/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds the programs of a plan: blocks and transfers of a chip, each at its place in the step. */
#include "partition/assemble.h"
#include "partition/plan.h"
#include "partition/transfer.h"

/* Link from `chip` to each rank of its group. */
static void find_peers(const struct plan *p, int32_t first, int32_t rank,
                       int32_t link[TEMPLATE_RANKS])
{
    int32_t all[PROGRAM_QUEUES];
    for (int32_t peer = 0; peer < plan_group(p); peer++)
        link[peer] = peer != rank && lpu_topology_direct_links(plan_input(p)->topology,
                                                               first + rank, first + peer, all)
                         ? all[0]
                         : 0;
}

static void append_blocks(const struct plan *p, enum partition_phase phase, int32_t s, int32_t rank,
                          struct program *program)
{
    const struct partition_stage *stage = plan_stage(p, s);
    const struct templates *t = plan_templates(p);
    int32_t link[TEMPLATE_RANKS], rows[PROGRAM_QUEUE_VXM] = {0};
    struct assemble_place at = {
        .cycle = stage->start_cycle[phase], .rows = rows, .link_of_peer = link};
    find_peers(p, stage->first_chip, rank, link);
    for (int32_t n = stage->first_block; n < stage->first_block + stage->blocks;) {
        struct stages_unit u = plan_unit(p, stage, n);
        const struct block *block = plan_block(p, phase, rank, u);
        at.layer = u.layer;
        if (block->shape)
            assemble_append(program, block, &at);
        at.cycle += stages_unit_length(t, phase, u);
        stages_add_rows(t, u, rows);
        n = u.next;
    }
}

static void append_transfers(const struct plan *p, enum partition_phase phase, int32_t chip,
                             struct program *program)
{
    for (int32_t s = 0; s < plan_stages(p); s++) {
        const struct partition_stage *next = s + 1 < plan_stages(p) ? plan_stage(p, s + 1) : NULL;
        struct assemble_place at = {.cycle = plan_stage(p, s)->end_cycle[phase],
                                    .layer =
                                        next ? plan_unit(p, next, next->first_block).layer : -1};
        const struct transfer *x = plan_transfer(p, phase, s);
        for (size_t n = 0; n < x->parts; n++)
            if (x->part[n].chip == chip)
                assemble_append(program, &x->part[n].block, &at);
    }
}

static void describe_program(const struct plan *p, enum partition_phase phase, int32_t chip,
                             struct program *program)
{
    const struct shape *shape = &plan_templates(p)->shape[phase];
    int32_t rank = chip % plan_group(p), vocabulary = (int32_t)plan_input(p)->model->vocabulary;
    program->rows = shape->rows;
    program->sequences = shape->sequences;
    program->length_cycles = plan_length_cycles(p, phase);
    program->kv_tile_positions = shape->kv_tile_positions;
    program->embedding_groups = SHAPE_EMBEDDING_GROUPS;
    program->key_id_bits = shape->key_id_bits;
    program->experts = shape->experts;
    program->expert_slots = shape->rows * shape->experts_per_row;
    program->token = -1;
    if (chip < plan_group(p)) {
        int32_t first = rank * shape->vocabulary;
        program->vocabulary_first = first < vocabulary ? first : vocabulary;
        int32_t left = vocabulary - program->vocabulary_first;
        program->vocabulary_count = left < shape->vocabulary ? left : shape->vocabulary;
        program->token =
            phase != PARTITION_PREFILL ? plan_templates(p)->rank[rank].tables.token : -1;
    }
}

void plan_program(const struct plan *plan, enum partition_phase phase, int32_t chip,
                  struct program *program)
{
    *program = (struct program){0};
    program->chip = chip;
    if (!template_has_phase(plan_templates(plan), phase))
        return;
    describe_program(plan, phase, chip, program);
    struct assemble_place start = {.layer = 0};
    assemble_append(program, &plan_templates(plan)->rank[0].common[phase], &start);
    if (chip < plan_chips(plan))
        append_blocks(plan, phase, chip / plan_group(plan), chip % plan_group(plan), program);
    append_transfers(plan, phase, chip, program);
    assemble_finish(program);
}

static bool is_placed(const struct program_tensor *t)
{
    return t->slice >= 0;
}

struct partition_decisions plan_decisions(const struct program *program)
{
    struct partition_decisions d = {.issues = (int64_t)program->instructions};
    for (size_t n = 0; n < program->tensors; n++)
        d.placements += is_placed(&program->tensor[n]);
    for (size_t n = 0; n < program->instructions; n++) {
        const struct program_instruction *i = &program->instruction[n];
        int64_t repeats = (int64_t)i->count[0] * i->count[1];
        d.repeats += repeats * (i->outputs > 0);
        if (i->opcode == PROGRAM_C2C_SEND) {
            d.slots += repeats;
            d.routes++;
        }
    }
    return d;
}
