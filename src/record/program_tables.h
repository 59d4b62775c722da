/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables that programs are kept in. Bodies are stored once, and placed where an op has one. */
#ifndef RECORD_PROGRAM_TABLES_H
#define RECORD_PROGRAM_TABLES_H

#include "base/program.h"
#include "record/record.h"

/* One program; what it has many of stands in the tables below, program by program. */
struct record_program_row {
    int32_t chip, ops, tensors, slices, placements;
    int32_t rows, sequences, kv_tile_positions, vocabulary_first, vocabulary_count,
        embedding_groups;
    int32_t experts, expert_slots, token, key_id_bits;
    int64_t length_cycles;
    uint8_t phase, has_rows;
};

struct record_program_name {
    char name[24];
};

struct record_program_op {
    int32_t name, layer;
    int64_t start_cycle, cycles; /* start: after that of the op before */
};

struct record_program_tensor {
    int32_t name, layer, address, count, valid;
    uint8_t kind, dtype, subs, caches, placed;
    int64_t live_from, live_to;
};

struct record_program_place {
    uint8_t slice;
    int32_t row; /* after that of the place before */
};

/* A body where an op has it; its tensors stand in the list, body by body. */
struct record_program_placement {
    int32_t op, body; /* op: after that of the placement before */
};

struct record_program_use {
    int32_t tensor; /* after that of the use before */
};

struct record_program_body {
    int32_t instructions, operands, tensors;
};

/* Schemas. Rows of INSTRUCTIONS are struct program_instruction, cycle after that before, address
 * within its tensor, op and operand 0; rows of OPERANDS struct program_operand, tensor by first
 * use. */
enum record_program_table {
    RECORD_PROGRAMS,
    RECORD_PROGRAM_NAMES,
    RECORD_PROGRAM_OPS,
    RECORD_PROGRAM_TENSORS,
    RECORD_PROGRAM_PLACES,
    RECORD_PROGRAM_PLACEMENTS,
    RECORD_PROGRAM_USES,
    RECORD_PROGRAM_BODIES,
    RECORD_PROGRAM_INSTRUCTIONS,
    RECORD_PROGRAM_OPERANDS,
    RECORD_PROGRAM_TABLES
};

const struct record_schema *record_program_schema(enum record_program_table table);

/* What the address of an instruction counts from: where its tensor is; 0 for all but memory. */
int32_t record_program_base(const struct program *program, const struct program_instruction *i,
                            const struct program_operand *operand);

/* Sums and differences that wrap instead of overflowing. */
static inline int32_t record_program_add32(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t record_program_sub32(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

static inline int64_t record_program_add64(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t record_program_sub64(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

#endif
