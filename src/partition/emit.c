/* SPDX-License-Identifier: BSD-3-Clause */
/* Derives issue cycles from positions and needs, and appends instructions, operands and tensors. */
#include "partition/emit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "partition/place.h"

int32_t emit_vxm_x(const struct block *b)
{
    return program_queue_position(b->chip, PROGRAM_QUEUE_VXM);
}

int32_t emit_mxm_x(const struct block *b, bool east)
{
    return program_queue_position(b->chip, PROGRAM_QUEUE_MXM + (east ? 2 * PROGRAM_MXM_QUEUES : 0));
}

int32_t emit_sxm_x(const struct block *b, bool east)
{
    return program_queue_position(b->chip, PROGRAM_QUEUE_SXM + (east ? PROGRAM_SXM_QUEUES : 0));
}

struct lane_group emit_at_vxm(const struct block *b, bool east, int32_t stream, int64_t cycle)
{
    return (struct lane_group){emit_inward(east), stream, emit_vxm_x(b), cycle};
}

void emit_use_set(struct block *b, int32_t op)
{
    b->set = (op + b->rotation) % EMIT_SETS;
}

/* The slice `inward` places from the VXM. */
static int32_t slice_from_vxm(const struct block *b, bool east, int32_t place)
{
    int32_t slices = b->chip->mem_slices_per_hemisphere;
    return east ? slices + place : slices - 1 - place;
}

int32_t emit_inner_slice(const struct block *b, bool east, int32_t slot)
{
    if (slot < EMIT_FREE_SLICES)
        return slice_from_vxm(b, east, slot);
    return slice_from_vxm(b, east, EMIT_SET_SLICES * b->set + slot);
}

int32_t emit_outer_slice(const struct block *b, bool east, int32_t k)
{
    int32_t left_out = (EMIT_SETS - 1 - b->set) * EMIT_SET_SLICES,
            slices = b->chip->mem_slices_per_hemisphere;
    int32_t from_edge = k < left_out ? k : k + EMIT_SET_SLICES;
    return slice_from_vxm(b, east, slices - 1 - from_edge);
}

struct pattern emit_pattern(int32_t n0, int32_t d0, int32_t n1, int32_t d1)
{
    return (struct pattern){{n0, n1}, {d0, d1}};
}

struct walk emit_walk(int32_t index, int32_t stride0, int32_t stride1)
{
    return (struct walk){index, {stride0, stride1}};
}

void emit_op(struct block *b, const char *name, bool in_layer)
{
    struct program *p = &b->code;
    p->op = base_grow(p->op, &p->op_capacity, p->ops + 1, sizeof *p->op);
    struct program_op *op = &p->op[p->ops++];
    *op = (struct program_op){
        .layer = in_layer ? 0 : -1, .start_cycle = INT64_MAX, .end_cycle = INT64_MIN};
    snprintf(op->name, sizeof op->name, "%s", name);
}

static void add_place(struct program *p, int32_t slice, int32_t row)
{
    size_t need = p->slices + 1, capacity = p->slice_capacity;
    p->row = base_grow(p->row, &capacity, need, sizeof *p->row);
    p->slice = base_grow(p->slice, &p->slice_capacity, need, sizeof *p->slice);
    p->row[p->slices] = row;
    p->slice[p->slices++] = slice;
}

/* Rows for one sub of a tensor in its slice. */
static int32_t take_rows(struct sram *sram, int32_t slice, int32_t count, bool persistent)
{
    if (persistent) {
        sram->grow[slice] += count;
        return sram->grow[slice] - count;
    }
    return sram->top[slice] -= count;
}

static bool stays(const struct tensor_spec *spec)
{
    return spec->kind != PROGRAM_TENSOR_ACTIVATION && spec->kind != PROGRAM_TENSOR_TRANSIENT;
}

int32_t emit_tensor(struct block *b, const struct tensor_spec *spec, int32_t address)
{
    struct program *p = &b->code;
    bool persistent = stays(spec) && !spec->shared, placed = spec->slice != NULL;
    p->tensor = base_grow(p->tensor, &p->tensor_capacity, p->tensors + 1, sizeof *p->tensor);
    b->meta = base_grow(b->meta, &b->meta_capacity, p->tensors + 1, sizeof *b->meta);
    struct program_tensor *t = &p->tensor[p->tensors];
    *t = (struct program_tensor){.kind = (uint8_t)spec->kind,
                                 .dtype = (uint8_t)spec->dtype,
                                 .subs = (uint8_t)spec->subs,
                                 .slice = placed ? (int32_t)p->slices : -1,
                                 .count = spec->count,
                                 .valid = spec->valid,
                                 .live_from = stays(spec) ? INT64_MIN : INT64_MAX,
                                 .live_to = stays(spec) ? INT64_MAX : INT64_MIN};
    snprintf(t->name, sizeof t->name, "%s", spec->name);
    for (int32_t j = 0; placed && j < spec->subs; j++)
        add_place(p, spec->slice[j],
                  address >= 0 ? address
                               : take_rows(&b->sram, spec->slice[j], spec->count, persistent));
    b->meta[p->tensors] = (struct tensor_meta){
        .persistent = persistent, .shared = spec->shared, .layer_step = spec->layer_step};
    return (int32_t)p->tensors++;
}

int32_t emit_placed(struct block *b, enum program_tensor_kind kind, enum program_dtype dtype,
                    const char *name, const int32_t *slice, int32_t subs, int32_t count)
{
    struct tensor_spec spec = {.name = name,
                               .kind = kind,
                               .dtype = dtype,
                               .subs = subs,
                               .count = count,
                               .valid = count,
                               .slice = slice};
    return emit_tensor(b, &spec, -1);
}

void emit_follow_rows(struct block *b, int32_t tensor)
{
    b->meta[tensor].row_ready =
        base_alloc((size_t)b->code.tensor[tensor].count, sizeof *b->meta->row_ready);
}

int32_t emit_address(const struct block *b, int32_t tensor, int32_t sub)
{
    return program_tensor_address(&b->code, &b->code.tensor[tensor], sub);
}

int32_t emit_transient(struct block *b, const char *name, enum program_dtype dtype, int32_t subs)
{
    return emit_tensor(b,
                       &(struct tensor_spec){.name = name,
                                             .kind = PROGRAM_TENSOR_TRANSIENT,
                                             .dtype = dtype,
                                             .subs = subs,
                                             .count = INT32_MAX,
                                             .valid = INT32_MAX},
                       -1);
}

struct program_operand emit_stream(uint8_t direction, int32_t stream, int32_t streams,
                                   int32_t tensor, int32_t sub, struct walk walk)
{
    return (struct program_operand){.kind = PROGRAM_STREAM,
                                    .direction = direction,
                                    .stream = (uint8_t)stream,
                                    .streams = (uint8_t)streams,
                                    .sub = (uint8_t)sub,
                                    .tensor = tensor,
                                    .index = walk.index,
                                    .stride = {walk.stride[0], walk.stride[1]}};
}

struct program_operand emit_alu_operand(int32_t alu)
{
    return (struct program_operand){
        .kind = PROGRAM_ALU, .stream = (uint8_t)alu, .dtype = PROGRAM_DTYPE_FP32, .tensor = -1};
}

struct program_operand emit_alu_key(int32_t alu)
{
    struct program_operand o = emit_alu_operand(alu);
    o.dtype = PROGRAM_DTYPE_KEY;
    return o;
}

struct program_operand emit_expect(int32_t tensor, int32_t subs, struct walk walk)
{
    struct program_operand o = emit_stream(0, 0, subs, tensor, 0, walk);
    o.kind = PROGRAM_EXPECT;
    return o;
}

/* Lanes are read as the tensor says, but for results of ALUs. */
static void add_operands(struct block *b, const struct program_operand *operand, int32_t n)
{
    struct program *p = &b->code;
    p->operand =
        base_grow(p->operand, &p->operand_capacity, p->operands + (size_t)n, sizeof *p->operand);
    for (int32_t k = 0; k < n; k++) {
        struct program_operand *o = &p->operand[p->operands++];
        *o = operand[k];
        if (o->kind == PROGRAM_ALU)
            o->mark = b->mark[o->stream];
        else
            o->dtype = p->tensor[o->tensor].dtype;
    }
}

struct program_instruction *emit(struct block *b, struct program_instruction i,
                                 const struct program_operand *in, int32_t inputs,
                                 const struct program_operand *out, int32_t outputs)
{
    struct program *p = &b->code;
    i.op = (int32_t)p->ops - 1;
    i.operand = (uint32_t)p->operands;
    i.inputs = (uint8_t)inputs;
    i.outputs = (uint8_t)outputs;
    add_operands(b, in, inputs);
    add_operands(b, out, outputs);
    p->instruction = base_grow(p->instruction, &p->instruction_capacity, p->instructions + 1,
                               sizeof *p->instruction);
    p->instruction[p->instructions] = i;
    return &p->instruction[p->instructions++];
}

static struct program_instruction repeated(struct pattern p, enum program_opcode opcode,
                                           int32_t queue)
{
    return (struct program_instruction){.queue = (uint8_t)queue,
                                        .opcode = (uint8_t)opcode,
                                        .count = {p.n[0], p.n[1]},
                                        .interval = {p.d[0], p.d[1]}};
}

/* A MEM instruction for one sub of `tensor`; cycle and operands are the caller's. */
static struct program_instruction mem_instruction(const struct block *b, int32_t tensor,
                                                  int32_t sub, struct walk walk, struct pattern p,
                                                  enum program_opcode opcode)
{
    const struct program_tensor *t = &b->code.tensor[tensor];
    assert(t->slice >= 0 && sub < t->subs);
    struct program_instruction i = repeated(p, opcode, b->code.slice[t->slice + sub]);
    i.address = emit_address(b, tensor, sub) + walk.index;
    i.stride[0] = walk.stride[0];
    i.stride[1] = walk.stride[1];
    return i;
}

/* Cycle at which a read must issue so that its vector reaches `at`. */
static int64_t read_cycle(const struct block *b, int32_t queue, struct lane_group at)
{
    int32_t x = program_queue_position(b->chip, queue);
    assert(at.direction == PROGRAM_EAST ? at.x >= x : at.x <= x);
    return at.cycle - b->chip->mem_read_cycles - abs(at.x - x);
}

struct program_operand emit_read(struct block *b, int32_t tensor, int32_t sub, int32_t n,
                                 struct walk walk, struct pattern p, struct lane_group at)
{
    for (int32_t j = 0; j < n; j++) {
        struct program_instruction i =
            mem_instruction(b, tensor, sub + j, walk, p, PROGRAM_MEM_READ);
        i.cycle = read_cycle(b, i.queue, at);
        struct program_operand out =
            emit_stream(at.direction, at.stream + j, 1, tensor, sub + j, walk);
        emit(b, i, NULL, 0, &out, 1);
    }
    return emit_stream(at.direction, at.stream, n, tensor, sub, walk);
}

void emit_read_as(struct block *b, int32_t tensor, int32_t sub, struct walk walk, struct pattern p,
                  struct program_operand carried, struct lane_group at)
{
    struct program_instruction i = mem_instruction(b, tensor, sub, walk, p, PROGRAM_MEM_READ);
    struct program_operand out[2] = {carried, emit_expect(tensor, 1, walk)};
    out[1].sub = (uint8_t)sub;
    i.cycle = read_cycle(b, i.queue, at);
    emit(b, i, NULL, 0, out, 2);
}

struct program_operand emit_read_table(struct block *b, const struct table_read *t,
                                       struct walk walk, struct pattern p, struct lane_group at)
{
    for (int32_t j = 0; j < t->subs; j++) {
        struct walk steps = {t->address_offset, {t->stride[0], t->stride[1]}};
        struct program_instruction i =
            mem_instruction(b, t->table, t->sub + j, steps, p, PROGRAM_MEM_READ);
        i.cycle = read_cycle(b, i.queue, at);
        i.address_mode = t->mode;
        i.argument = t->argument;
        i.limit = t->limit;
        i.low = t->low;
        i.width = t->width;
        i.sequence = (uint8_t)t->sequence;
        struct program_operand out[2] = {
            emit_stream(at.direction, at.stream + j, 1, t->label, j, walk),
            emit_expect(t->table, 1, steps)};
        if (t->mode == PROGRAM_ADDRESS_CLAMP)
            out[1].index = t->argument;
        out[1].sub = (uint8_t)(t->sub + j);
        out[1].index_mode = t->mode;
        emit(b, i, NULL, 0, out, 2);
    }
    return emit_stream(at.direction, at.stream, t->subs, t->label, 0, walk);
}

struct program_operand emit_read_expert(struct block *b, const struct expert_read *e,
                                        struct walk walk, struct pattern p, struct lane_group at)
{
    for (int32_t j = 0; j < e->subs; j++) {
        struct program_instruction i = mem_instruction(b, e->table, j, walk, p, PROGRAM_MEM_READ);
        i.cycle = read_cycle(b, i.queue, at);
        i.address_mode = PROGRAM_ADDRESS_EXPERT;
        i.limit = e->per_expert;
        i.width = e->repeats_a_slot;
        struct program_operand out[3] = {
            emit_stream(at.direction, at.stream + j, 1, e->label, j, walk),
            emit_expect(e->ids, 1, emit_walk(0, 0, 0)), emit_expect(e->table, 1, walk)};
        out[2].sub = (uint8_t)j;
        out[1].index_mode = out[2].index_mode = PROGRAM_ADDRESS_EXPERT;
        emit(b, i, NULL, 0, out, 3);
    }
    return emit_stream(at.direction, at.stream, e->subs, e->label, 0, walk);
}

void emit_store(struct block *b, struct program_operand carried, int32_t tensor, int32_t sub,
                struct walk walk, struct pattern p, struct lane_group from)
{
    int32_t n = carried.streams;
    for (int32_t j = 0; j < n; j++) {
        struct program_instruction i =
            mem_instruction(b, tensor, sub + j, walk, p, PROGRAM_MEM_WRITE);
        int32_t x = program_queue_position(b->chip, i.queue);
        assert(from.direction == PROGRAM_EAST ? x >= from.x : x <= from.x);
        i.cycle = from.cycle + abs(x - from.x) - b->chip->mem_write_skew_cycles;
        struct program_operand in = carried, out = emit_expect(tensor, 1, walk);
        in.stream = (uint8_t)(carried.stream + j);
        in.sub = (uint8_t)(carried.sub + j);
        in.streams = 1;
        out.sub = (uint8_t)(sub + j);
        emit(b, i, &in, 1, &out, 1);
    }
}

void emit_write(struct block *b, int32_t tensor, int32_t sub, int32_t n, struct walk walk,
                struct pattern p, struct lane_group from)
{
    emit_store(b, emit_stream(from.direction, from.stream, n, tensor, sub, walk), tensor, sub, walk,
               p, from);
}

int64_t emit_alu(struct block *b, struct alu a, const struct program_operand *in, int32_t inputs,
                 const struct program_operand *out, int32_t outputs)
{
    struct program_instruction i = repeated(a.p, PROGRAM_VXM, PROGRAM_QUEUE_VXM + a.unit);
    i.function = (uint8_t)a.function;
    i.flags = a.flags;
    i.immediate = a.function == PROGRAM_VXM_MUL && a.immediate == 0.0f ? 1.0f : a.immediate;
    i.argument = a.argument;
    i.cycle = a.cycle - b->chip->vxm_skew_cycles;
    i.mark = ++b->marks;
    emit(b, i, in, inputs, out, outputs);
    b->mark[a.unit] = i.mark;
    int64_t wait = a.flags & PROGRAM_REDUCE ? (int64_t)(a.p.n[0] - 1) * a.p.d[0] : 0;
    return i.cycle + wait + b->chip->vxm_alu_cycles;
}

void block_release(struct block *b)
{
    for (size_t n = 0; n < b->code.tensors; n++)
        base_free(b->meta[n].row_ready);
    program_release(&b->code);
    base_free(b->meta);
    reservations_release(b->busy);
    b->meta = NULL;
    b->busy = NULL;
}
