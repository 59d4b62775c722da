/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies a template's operands, tensors, ops and instructions, moved to their layer, rows and
 * cycles. */
#include "partition/assemble.h"

#include <string.h>

#include "base/memory.h"

/* A shared tensor of (name, layer) that the program has already, or -1. */
static int32_t find_shared(const struct program *p, const char *name, int16_t layer)
{
    for (size_t n = 0; n < p->tensors; n++)
        if (p->tensor[n].layer == layer && strcmp(p->tensor[n].name, name) == 0)
            return (int32_t)n;
    return -1;
}

static int64_t moved(int64_t cycle, int64_t by)
{
    return cycle == INT64_MIN || cycle == INT64_MAX ? cycle : cycle + by;
}

static int32_t rows_to_add(const struct tensor_meta *meta, int32_t slice,
                           const struct assemble_place *at)
{
    return meta->persistent && at->rows ? at->rows[slice] : 0;
}

static void append_places(struct program *p, const struct block *b,
                          const struct program_tensor *from, const struct tensor_meta *meta,
                          const struct assemble_place *at)
{
    size_t capacity = p->slice_capacity, need = p->slices + from->subs;
    p->row = base_grow(p->row, &capacity, need, sizeof *p->row);
    p->slice = base_grow(p->slice, &p->slice_capacity, need, sizeof *p->slice);
    for (int32_t j = 0; j < from->subs; j++) {
        int32_t slice = b->code.slice[from->slice + j];
        p->slice[p->slices] = slice;
        p->row[p->slices++] = b->code.row[from->slice + j] + rows_to_add(meta, slice, at);
    }
}

static void widen_window(struct program_tensor *t, const struct program_tensor *from, int64_t cycle)
{
    int64_t low = moved(from->live_from, cycle), high = moved(from->live_to, cycle);
    t->live_from = low < t->live_from ? low : t->live_from;
    t->live_to = high > t->live_to ? high : t->live_to;
}

static int32_t append_tensor(struct program *p, const struct block *b, size_t n,
                             const struct assemble_place *at)
{
    const struct program_tensor *from = &b->code.tensor[n];
    const struct tensor_meta *meta = &b->meta[n];
    int16_t layer = (int16_t)(meta->layer_step < 0 ? -1 : at->layer + meta->layer_step);
    int32_t known = meta->shared ? find_shared(p, from->name, layer) : -1;
    if (known >= 0) {
        widen_window(&p->tensor[known], from, at->cycle);
        return known;
    }
    p->tensor = base_grow(p->tensor, &p->tensor_capacity, p->tensors + 1, sizeof *p->tensor);
    struct program_tensor *t = &p->tensor[p->tensors];
    *t = *from;
    t->layer = layer;
    t->live_from = moved(t->live_from, at->cycle);
    t->live_to = moved(t->live_to, at->cycle);
    if (from->slice >= 0) {
        t->slice = (int32_t)p->slices;
        append_places(p, b, from, meta, at);
    }
    return (int32_t)p->tensors++;
}

static void append_ops(struct program *p, const struct block *b, const struct assemble_place *at)
{
    p->op = base_grow(p->op, &p->op_capacity, p->ops + b->code.ops, sizeof *p->op);
    for (size_t n = 0; n < b->code.ops; n++) {
        struct program_op op = b->code.op[n];
        op.layer = op.layer < 0 ? (int16_t)-1 : (int16_t)at->layer;
        op.start_cycle += at->cycle;
        op.end_cycle += at->cycle;
        p->op[p->ops++] = op;
    }
}

static void append_operands(struct program *p, const struct block *b, const int32_t *tensor)
{
    p->operand = base_grow(p->operand, &p->operand_capacity, p->operands + b->code.operands,
                           sizeof *p->operand);
    for (size_t n = 0; n < b->code.operands; n++) {
        struct program_operand o = b->code.operand[n];
        o.tensor = o.kind == PROGRAM_ALU ? -1 : tensor[o.tensor];
        p->operand[p->operands++] = o;
    }
}

static uint8_t physical_queue(const struct program_instruction *i, const struct assemble_place *at)
{
    bool on_link = i->opcode == PROGRAM_C2C_SEND || i->opcode == PROGRAM_C2C_RECEIVE;
    if (!on_link || !at->link_of_peer)
        return i->queue;
    int32_t first = i->opcode == PROGRAM_C2C_SEND ? PROGRAM_QUEUE_SEND : PROGRAM_QUEUE_RECEIVE;
    return (uint8_t)(first + at->link_of_peer[i->queue - first]);
}

static void append_instructions(struct program *p, const struct block *b,
                                const struct assemble_place *at, uint32_t operands_before,
                                int32_t ops_before)
{
    size_t more = p->instructions + b->code.instructions;
    p->instruction =
        base_grow(p->instruction, &p->instruction_capacity, more, sizeof *p->instruction);
    for (size_t n = 0; n < b->code.instructions; n++) {
        struct program_instruction i = b->code.instruction[n];
        if (i.opcode == PROGRAM_MEM_READ || i.opcode == PROGRAM_MEM_WRITE) {
            const struct program_operand *held =
                &b->code.operand[i.operand + i.inputs + i.outputs - 1u];
            i.address += rows_to_add(&b->meta[held->tensor], i.queue, at);
        }
        i.queue = physical_queue(&i, at);
        i.cycle += at->cycle;
        i.operand += operands_before;
        i.op += ops_before;
        p->instruction[p->instructions++] = i;
    }
}

void assemble_append(struct program *program, const struct block *block,
                     const struct assemble_place *place)
{
    int32_t *tensor = base_alloc(block->code.tensors, sizeof *tensor);
    uint32_t operands = (uint32_t)program->operands;
    int32_t ops = (int32_t)program->ops;
    for (size_t n = 0; n < block->code.tensors; n++)
        tensor[n] = append_tensor(program, block, n, place);
    append_operands(program, block, tensor);
    append_ops(program, block, place);
    append_instructions(program, block, place, operands, ops);
    base_free(tensor);
}

static bool is_before(const struct program_instruction *x, const struct program_instruction *y)
{
    return x->cycle != y->cycle ? x->cycle < y->cycle : x->operand < y->operand;
}

/* Instructions of one queue; blocks come in the order of time, so that most are in place. */
static void sort_queue(struct program_instruction *i, size_t count)
{
    for (size_t n = 1; n < count; n++) {
        struct program_instruction moved = i[n];
        size_t k = n;
        for (; k > 0 && is_before(&moved, &i[k - 1]); k--)
            i[k] = i[k - 1];
        i[k] = moved;
    }
}

static void sort_instructions(struct program *p)
{
    size_t first[PROGRAM_QUEUES + 1] = {0}, next[PROGRAM_QUEUES];
    struct program_instruction *sorted = base_alloc(p->instructions, sizeof *sorted);
    for (size_t n = 0; n < p->instructions; n++)
        first[p->instruction[n].queue + 1]++;
    for (size_t q = 0; q < PROGRAM_QUEUES; q++) {
        next[q] = first[q];
        first[q + 1] += first[q];
    }
    for (size_t n = 0; n < p->instructions; n++)
        sorted[next[p->instruction[n].queue]++] = p->instruction[n];
    for (size_t q = 0; q < PROGRAM_QUEUES; q++)
        sort_queue(sorted + first[q], first[q + 1] - first[q]);
    base_free(p->instruction);
    p->instruction = sorted;
    p->instruction_capacity = p->instructions;
}

void assemble_finish(struct program *program)
{
    if (program->instructions)
        sort_instructions(program);
    program->operand = base_realloc(program->operand, program->operands, sizeof *program->operand);
    program->operand_capacity = program->operands;
}
