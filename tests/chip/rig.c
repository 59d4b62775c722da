/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds small programs and runs them on two chips. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "chip/chip_values.h"
#include "test.h"

const struct lpu_chip rig_machine = {
    .clock_hz = 900000000,
    .lanes = 320,
    .lanes_per_superlane = 16,
    .streams_per_direction = 32,
    .mem_slices_per_hemisphere = 44,
    .vectors_per_slice = 8192,
    .banks_per_slice = 2,
    .mxm_planes = 4,
    .mxm_rows = 320,
    .mxm_columns = 320,
    .mxm_fp16_rows = 160,
    .mxm_load_streams = 16,
    .mxm_accumulator_rows = 4096,
    .vxm_alus = 16,
    .c2c_local_links = 7,
    .c2c_global_links = 4,
    .c2c_bits_per_s = INT64_C(100000000000),
    .c2c_vector_wire_bytes = 328,
    .c2c_hop_cycles = 650,
    .queue_capacity_instructions = 65536,
    .mem_read_cycles = 4,
    .mem_write_skew_cycles = 1,
    .mxm_load_skew_cycles = 1,
    .mxm_install_cycles = 2,
    .mxm_compute_skew_cycles = 1,
    .mxm_compute_cycles = 36,
    .vxm_skew_cycles = 1,
    .vxm_alu_cycles = 4,
    .sxm_skew_cycles = 1,
    .sxm_cycles = 4,
    .sxm_transpose_cycles = 20,
    .c2c_send_skew_cycles = 1,
    .c2c_receive_cycles = 2,
};

void rig_op(struct program *p, const char *name, int32_t layer)
{
    p->op = base_grow(p->op, &p->op_capacity, p->ops + 1, sizeof *p->op);
    struct program_op *op = &p->op[p->ops++];
    *op = (struct program_op){
        .layer = (int16_t)layer, .start_cycle = INT64_MAX, .end_cycle = INT64_MIN};
    snprintf(op->name, sizeof op->name, "%s", name);
}

/* As many bytes as there are subs, where that is a number. */
static uint8_t dtype_of(int32_t subs)
{
    return subs == 2 ? PROGRAM_DTYPE_FP16 : subs == 4 ? PROGRAM_DTYPE_INT32 : PROGRAM_DTYPE_INT8;
}

int32_t rig_tensor(struct program *p, const char *name, enum program_tensor_kind kind, int32_t subs,
                   int32_t first, int32_t address, int32_t count)
{
    bool ordered = kind == PROGRAM_TENSOR_ACTIVATION;
    p->tensor = base_grow(p->tensor, &p->tensor_capacity, p->tensors + 1, sizeof *p->tensor);
    p->slice = base_grow(p->slice, &p->slice_capacity, p->slices + (size_t)subs, sizeof *p->slice);
    p->row = base_realloc(p->row, p->slice_capacity, sizeof *p->row);
    struct program_tensor *t = &p->tensor[p->tensors];
    *t = (struct program_tensor){.kind = (uint8_t)kind,
                                 .dtype = dtype_of(subs),
                                 .subs = (uint8_t)subs,
                                 .caches = kind == PROGRAM_TENSOR_KV,
                                 .layer = 5,
                                 .slice = first < 0 ? -1 : (int32_t)p->slices,
                                 .address = address,
                                 .count = count,
                                 .valid = count,
                                 .live_from = ordered ? INT64_MAX : INT64_MIN,
                                 .live_to = ordered ? INT64_MIN : INT64_MAX};
    snprintf(t->name, sizeof t->name, "%s", name);
    for (int32_t s = 0; s < subs && first >= 0; s++) {
        p->row[p->slices] = s % 2;
        p->slice[p->slices++] = first + s;
    }
    return (int32_t)p->tensors++;
}

struct program_operand rig_stream(struct rig_lane lane, int32_t streams, int32_t tensor,
                                  int32_t sub, struct rig_walk walk)
{
    return (struct program_operand){.kind = PROGRAM_STREAM,
                                    .direction = (uint8_t)lane.direction,
                                    .stream = (uint8_t)lane.stream,
                                    .streams = (uint8_t)streams,
                                    .sub = (uint8_t)sub,
                                    .tensor = tensor,
                                    .index = walk.index,
                                    .stride = {walk.stride[0], walk.stride[1]}};
}

struct program_operand rig_alu(int32_t alu)
{
    return (struct program_operand){
        .kind = PROGRAM_ALU, .stream = (uint8_t)alu, .dtype = PROGRAM_DTYPE_FP32, .tensor = -1};
}

struct program_operand rig_expect(int32_t tensor, int32_t sub, struct rig_walk walk)
{
    struct program_operand o = rig_stream((struct rig_lane){0}, 1, tensor, sub, walk);
    o.kind = PROGRAM_EXPECT;
    return o;
}

struct program_instruction *rig_add(struct program *p, struct program_instruction i,
                                    struct rig_repeat r, const struct program_operand *operand,
                                    int32_t inputs, int32_t outputs)
{
    size_t n = (size_t)(inputs + outputs);
    for (int level = 0; level < 2; level++) {
        i.count[level] = r.count[level];
        i.interval[level] = r.interval[level];
    }
    i.op = (int32_t)p->ops - 1;
    i.operand = (uint32_t)p->operands;
    i.inputs = (uint8_t)inputs;
    i.outputs = (uint8_t)outputs;
    p->operand = base_grow(p->operand, &p->operand_capacity, p->operands + n, sizeof *p->operand);
    for (size_t k = 0; k < n; k++, p->operands++) {
        p->operand[p->operands] = operand[k];
        if (operand[k].tensor >= 0)
            p->operand[p->operands].dtype = p->tensor[operand[k].tensor].dtype;
    }
    p->instruction = base_grow(p->instruction, &p->instruction_capacity, p->instructions + 1,
                               sizeof *p->instruction);
    p->instruction[p->instructions] = i;
    return &p->instruction[p->instructions++];
}

static int32_t position(int32_t queue)
{
    return program_queue_position(&rig_machine, queue);
}

void rig_read(struct program *p, int32_t tensor, int32_t n, struct rig_walk walk,
              struct rig_repeat r, struct rig_lane lane)
{
    for (int32_t s = 0; s < n; s++) {
        const struct program_tensor *t = &p->tensor[tensor];
        int32_t slice = p->slice[t->slice + s];
        struct program_operand out = rig_stream(lane, 1, tensor, s, walk);
        out.stream = (uint8_t)(lane.stream + s);
        rig_add(
            p,
            (struct program_instruction){.cycle = lane.cycle - rig_machine.mem_read_cycles -
                                                  abs(position(lane.queue) - position(slice)),
                                         .queue = (uint8_t)slice,
                                         .opcode = PROGRAM_MEM_READ,
                                         .address = program_tensor_address(p, t, s) + walk.index,
                                         .stride = {walk.stride[0], walk.stride[1]}},
            r, &out, 0, 1);
    }
}

void rig_write(struct program *p, int32_t tensor, int32_t n, struct rig_walk walk,
               struct rig_repeat r, struct rig_lane lane)
{
    for (int32_t s = 0; s < n; s++) {
        const struct program_tensor *t = &p->tensor[tensor];
        int32_t slice = p->slice[t->slice + s];
        struct program_operand o[2] = {rig_stream(lane, 1, tensor, s, walk),
                                       rig_expect(tensor, s, walk)};
        o[0].stream = (uint8_t)(lane.stream + s);
        rig_add(p,
                (struct program_instruction){
                    .cycle = lane.cycle + abs(position(lane.queue) - position(slice)) -
                             rig_machine.mem_write_skew_cycles,
                    .queue = (uint8_t)slice,
                    .opcode = PROGRAM_MEM_WRITE,
                    .address = program_tensor_address(p, t, s) + walk.index,
                    .stride = {walk.stride[0], walk.stride[1]}},
                r, o, 1, 1);
    }
}

static int compare(const void *a, const void *b)
{
    const struct program_instruction *x = a, *y = b;
    if (x->queue != y->queue)
        return x->queue - y->queue;
    return x->cycle < y->cycle ? -1 : x->cycle > y->cycle;
}

static int64_t last_issue(const struct program_instruction *i)
{
    return i->cycle + (int64_t)(i->count[0] - 1) * i->interval[0] +
           (int64_t)(i->count[1] - 1) * i->interval[1];
}

static int64_t delay(const struct program_instruction *i)
{
    const struct lpu_chip *m = &rig_machine;
    const int64_t of[PROGRAM_OPCODES] = {[PROGRAM_MEM_READ] = m->mem_read_cycles,
                                         [PROGRAM_MXM_INSTALL] = m->mxm_install_cycles,
                                         [PROGRAM_MXM_COMPUTE] = m->mxm_compute_cycles,
                                         [PROGRAM_VXM] = m->vxm_alu_cycles,
                                         [PROGRAM_SXM_PERMUTE] = m->sxm_cycles,
                                         [PROGRAM_SXM_TRANSPOSE] = m->sxm_transpose_cycles,
                                         [PROGRAM_C2C_RECEIVE] = m->c2c_receive_cycles};
    return of[i->opcode];
}

static void widen_window(struct program *p, const struct program_instruction *i)
{
    if (i->opcode != PROGRAM_MEM_READ && i->opcode != PROGRAM_MEM_WRITE)
        return;
    struct program_tensor *t =
        &p->tensor[p->operand[i->operand + i->inputs + i->outputs - 1u].tensor];
    if (t->kind != PROGRAM_TENSOR_ACTIVATION)
        return;
    t->live_from = i->cycle < t->live_from ? i->cycle : t->live_from;
    t->live_to = last_issue(i) + 2 > t->live_to ? last_issue(i) + 2 : t->live_to;
}

void rig_seal(struct program *p)
{
    if (p->instructions)
        qsort(p->instruction, p->instructions, sizeof *p->instruction, compare);
    p->rows = p->sequences = 1;
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        struct program_op *op = &p->op[i->op];
        int64_t end = last_issue(i) + 1 + delay(i);
        op->start_cycle = i->cycle < op->start_cycle ? i->cycle : op->start_cycle;
        op->end_cycle = end > op->end_cycle ? end : op->end_cycle;
        p->length_cycles = end > p->length_cycles ? end : p->length_cycles;
        widen_window(p, i);
    }
}

struct program_instruction *rig_find(struct program *p, int32_t queue, int32_t n)
{
    for (size_t k = 0; k < p->instructions; k++)
        if (p->instruction[k].queue == queue && n-- == 0)
            return &p->instruction[k];
    CU_FAIL_FATAL("no such instruction");
    return NULL;
}

struct program_operand *rig_operand(struct program *p, int32_t queue, int32_t n, int32_t operand)
{
    return &p->operand[rig_find(p, queue, n)->operand + (uint32_t)operand];
}

void rig_start(struct rig *rig, const struct lpu_chip *machine)
{
    const struct lpu_rack rack = {.nodes = 1, .chips_per_node = 2};
    struct base_report report = {0};
    *rig = (struct rig){.machine = *machine};
    CU_ASSERT_TRUE_FATAL(lpu_topology_build(&rig->topology, &rack, machine, &report));
    for (int32_t c = 0; c < 2; c++)
        rig->chip[c] = chip_create(&rig->machine, &rig->topology, c);
}

void rig_stop(struct rig *rig)
{
    for (int32_t c = 0; c < 2; c++)
        chip_destroy(rig->chip[c]);
    lpu_topology_release(&rig->topology);
}

static void exchange_vectors(struct rig *rig, int32_t c)
{
    struct chip_vectors sent;
    for (int32_t link = 0; link < CHIP_LINKS; link++)
        while (chip_take_vectors(rig->chip[c], link, &sent))
            chip_deliver_vectors(rig->chip[sent.to_chip], &sent);
}

static void exchange(struct rig *rig)
{
    for (int32_t c = 0; c < 2; c++) {
        size_t count;
        const struct chip_message *m = chip_outbox(rig->chip[c], &count);
        for (size_t n = 0; n < count; n++)
            chip_deliver(rig->chip[m[n].to_chip], &m[n]);
        exchange_vectors(rig, c);
        chip_outbox_clear(rig->chip[c]);
    }
}

/* Runs both until the end; returns whether anything was to do. */
static bool run_both(struct rig *rig)
{
    enum chip_state state[2];
    for (int round = 0; round < 8; round++) {
        for (int32_t c = 0; c < 2; c++)
            state[c] = chip_run(rig->chip[c], INT64_MAX);
        exchange(rig);
    }
    for (int32_t c = 0; c < 2; c++)
        if (state[c] == CHIP_WAITING) {
            chip_give_up(rig->chip[c]);
            rig->gave_up++;
        }
    return state[0] == CHIP_WAITING || state[1] == CHIP_WAITING;
}

void rig_step(struct rig *rig, const struct program pair[2], int32_t row)
{
    static const int32_t token[1] = {3};
    const struct program_runtime runtime = {.sequence = {{row, 0}}, .token = token, .tokens = 1};
    struct base_report report = {0};
    for (int32_t c = 0; c < 2; c++) {
        chip_load(rig->chip[c], &pair[c]);
        CU_ASSERT_TRUE_FATAL(chip_begin(rig->chip[c], &pair[c], &runtime, 0, &report));
    }
    while (run_both(rig))
        ;
    for (int32_t c = 0; c < 2; c++)
        rig->statistics[c] = chip_finish(rig->chip[c]);
}

int64_t rig_violations(const struct rig *rig)
{
    int64_t sum = 0;
    for (int32_t c = 0; c < 2; c++) {
        size_t kept;
        int64_t total;
        chip_violations(rig->chip[c], &kept, &total);
        sum += total;
    }
    return sum;
}

const struct chip_violation *rig_first(const struct rig *rig, enum chip_rule rule)
{
    for (int32_t c = 0; c < 2; c++) {
        size_t kept;
        int64_t total;
        const struct chip_violation *v = chip_violations(rig->chip[c], &kept, &total);
        for (size_t n = 0; n < kept; n++)
            if (v[n].rule == rule)
                return &v[n];
    }
    return NULL;
}

void rig_print(const struct rig *rig)
{
    for (int32_t c = 0; c < 2; c++) {
        size_t kept;
        int64_t total;
        const struct chip_violation *v = chip_violations(rig->chip[c], &kept, &total);
        for (size_t n = 0; n < kept; n++) {
            char *text = chip_violation_text(&v[n]);
            fprintf(stderr, "  %s\n", text);
            base_free(text);
        }
    }
}
