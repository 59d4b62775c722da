/* SPDX-License-Identifier: BSD-3-Clause */
/* Name, type, unit and meaning of every column that programs are kept in. */
#include "record/program_tables.h"

#include <assert.h>

#include "record/members.h"

#define CODE(row, member, description) MEMBER(row, member, #member, RECORD_U8, "1", description)
#define PAIR(row, member, units, description)                                                      \
    MEMBER(row, member[0], #member "_inner", RECORD_I32, units, description ", inner level"),      \
        MEMBER(row, member[1], #member "_outer", RECORD_I32, units, description ", outer level")

static const struct record_column programs[] = {
    COUNT(record_program_row, chip, "1", "number of the chip"),
    CODE(record_program_row, phase,
         "kind of step: 0 decode, 1 prefill, 2 on: decode in a smaller bucket"),
    COUNT(record_program_row, ops, "1", "its rows of ops"),
    COUNT(record_program_row, tensors, "1", "its rows of tensors"),
    COUNT(record_program_row, slices, "1", "its rows of places"),
    CODE(record_program_row, has_rows, "whether places have rows"),
    COUNT(record_program_row, placements, "1", "its rows of placements"),
    COUNT(record_program_row, rows, "tokens", "tokens of the step"),
    COUNT(record_program_row, sequences, "1", "sequences of the step"),
    WIDE(record_program_row, length_cycles, "cycles", "compiled length of the step"),
    COUNT(record_program_row, kv_tile_positions, "tokens", "positions of a tile of the KV cache"),
    COUNT(record_program_row, vocabulary_first, "1", "first token whose embedding is here"),
    COUNT(record_program_row, vocabulary_count, "1", "tokens whose embedding is here"),
    COUNT(record_program_row, embedding_groups, "1", "groups of slices of the embedding"),
    COUNT(record_program_row, experts, "1", "experts of a layer"),
    COUNT(record_program_row, expert_slots, "1", "choices of a layer in a step"),
    COUNT(record_program_row, token, "1", "tensor of the key that a step ends with, -1: none"),
    COUNT(record_program_row, key_id_bits, "bits", "low bits of a key, which hold its id"),
};

static const struct record_column names[] = {
    MEMBER(record_program_name, name, "name", RECORD_TEXT, "1", "of ops and tensors"),
};

static const struct record_column ops[] = {
    COUNT(record_program_op, name, "1", "row of names"),
    COUNT(record_program_op, layer, "1", "transformer layer, -1: none"),
    WIDE(record_program_op, start_cycle, "cycles", "start after that of the op before"),
    WIDE(record_program_op, cycles, "cycles", "from start to end"),
};

static const struct record_column tensors[] = {
    COUNT(record_program_tensor, name, "1", "row of names"),
    COUNT(record_program_tensor, layer, "1", "transformer layer, -1: none"),
    CODE(record_program_tensor, kind, "enum program_tensor_kind"),
    CODE(record_program_tensor, dtype, "enum program_dtype"),
    CODE(record_program_tensor, subs, "parallel byte planes"),
    CODE(record_program_tensor, caches, "caches of a KV tensor, else 0"),
    CODE(record_program_tensor, placed, "whether it has places, one a sub"),
    COUNT(record_program_tensor, address, "1", "row of every sub, before that of its place"),
    COUNT(record_program_tensor, count, "1", "vectors of a sub"),
    COUNT(record_program_tensor, valid, "1", "vectors that are no padding"),
    WIDE(record_program_tensor, live_from, "cycles", "first cycle of its residency"),
    WIDE(record_program_tensor, live_to, "cycles", "first cycle after its residency"),
};

static const struct record_column places[] = {
    CODE(record_program_place, slice, "SRAM slice"),
    COUNT(record_program_place, row, "1", "row after that of the place before"),
};

static const struct record_column placements[] = {
    COUNT(record_program_placement, op, "1", "op after that of the placement before"),
    COUNT(record_program_placement, body, "1", "row of bodies"),
};

static const struct record_column uses[] = {
    COUNT(record_program_use, tensor, "1", "tensor after that of the use before"),
};

static const struct record_column bodies[] = {
    COUNT(record_program_body, instructions, "1", "its rows of instructions"),
    COUNT(record_program_body, operands, "1", "its rows of operands"),
    COUNT(record_program_body, tensors, "1", "tensors that it uses"),
};

static const struct record_column instructions[] = {
    WIDE(program_instruction, cycle, "cycles", "issue after that of the instruction before"),
    CODE(program_instruction, queue, "of the chip"),
    CODE(program_instruction, opcode, "enum program_opcode"),
    CODE(program_instruction, function, "what its unit does, by opcode"),
    CODE(program_instruction, flags, "enum program_flags"),
    CODE(program_instruction, address_mode, "enum program_address_mode"),
    CODE(program_instruction, inputs, "operands that it takes"),
    CODE(program_instruction, outputs, "operands that follow those"),
    CODE(program_instruction, mark, "what ALUs call its result by"),
    PAIR(program_instruction, count, "1", "repeats"),
    PAIR(program_instruction, interval, "cycles", "between repeats"),
    COUNT(program_instruction, address, "1", "row, from where its tensor is"),
    PAIR(program_instruction, stride, "1", "rows between repeats"),
    COUNT(program_instruction, limit, "1", "of a run-time address"),
    COUNT(program_instruction, argument, "1", "of function or address"),
    COUNT(program_instruction, argument_stride, "1", "of function or address"),
    COUNT(program_instruction, low, "1", "first lane, by opcode"),
    COUNT(program_instruction, width, "1", "lanes, by opcode"),
    MEMBER(program_instruction, immediate, "immediate", RECORD_F32, "1", "of an ALU's function"),
    CODE(program_instruction, sequence, "whose position and cache the address follows"),
};

static const struct record_column operands[] = {
    CODE(program_operand, kind, "enum program_operand_kind"),
    CODE(program_operand, direction, "enum program_direction"),
    CODE(program_operand, stream, "first stream, or the ALU"),
    CODE(program_operand, streams, "how many"),
    CODE(program_operand, sub, "first sub"),
    CODE(program_operand, index_mode, "enum program_address_mode"),
    CODE(program_operand, dtype, "enum program_dtype"),
    CODE(program_operand, mark, "of the instruction whose result is meant"),
    COUNT(program_operand, tensor, "1", "of those that the body uses, -1: none"),
    COUNT(program_operand, index, "1", "first vector"),
    PAIR(program_operand, stride, "1", "vectors between repeats"),
};

/* A field that is added to one of these needs a column. */
_Static_assert(sizeof(struct program_instruction) == 80, "columns of instructions");
_Static_assert(sizeof(struct program_operand) == 24, "columns of operands");
_Static_assert(sizeof(struct program_tensor) == 64, "columns of tensors");
_Static_assert(sizeof(struct program_op) == 48, "columns of ops");

#define SCHEMA(name, description, row, column)                                                     \
    {                                                                                              \
        "/programs/" name, description, sizeof(struct row), column,                                \
            sizeof(column) / sizeof(column[0])                                                     \
    }

static const struct record_schema schemas[RECORD_PROGRAM_TABLES] = {
    [RECORD_PROGRAMS] =
        SCHEMA("chips", "a program of each chip and phase", record_program_row, programs),
    [RECORD_PROGRAM_NAMES] = SCHEMA("names", "of ops and tensors", record_program_name, names),
    [RECORD_PROGRAM_OPS] = SCHEMA("ops", "ops, program by program", record_program_op, ops),
    [RECORD_PROGRAM_TENSORS] =
        SCHEMA("tensors", "tensors, program by program", record_program_tensor, tensors),
    [RECORD_PROGRAM_PLACES] =
        SCHEMA("places", "of each sub of each placed tensor", record_program_place, places),
    [RECORD_PROGRAM_PLACEMENTS] = SCHEMA("placements", "bodies of ops, program by program",
                                         record_program_placement, placements),
    [RECORD_PROGRAM_USES] =
        SCHEMA("uses", "tensors of bodies, placement by placement", record_program_use, uses),
    [RECORD_PROGRAM_BODIES] =
        SCHEMA("bodies", "what ops do, each stored once", record_program_body, bodies),
    [RECORD_PROGRAM_INSTRUCTIONS] =
        SCHEMA("instructions", "of bodies", program_instruction, instructions),
    [RECORD_PROGRAM_OPERANDS] = SCHEMA("operands", "of instructions", program_operand, operands),
};

const struct record_schema *record_program_schema(enum record_program_table table)
{
    assert(table >= 0 && table < RECORD_PROGRAM_TABLES);
    return &schemas[table];
}

int32_t record_program_base(const struct program *program, const struct program_instruction *i,
                            const struct program_operand *operand)
{
    if (i->opcode != PROGRAM_MEM_READ && i->opcode != PROGRAM_MEM_WRITE)
        return 0;
    const struct program_tensor *t = &program->tensor[operand->tensor];
    if (t->slice < 0 || operand->sub >= t->subs)
        return 0;
    int32_t row = program->row ? program->row[t->slice + operand->sub] : 0;
    return record_program_add32(t->address, row);
}
