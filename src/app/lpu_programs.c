/* SPDX-License-Identifier: BSD-3-Clause */
/* A program as bytes: the structure itself, then its arrays.
 *
 * Compiling is deterministic, so every rank could do it; where ranks share cores, one compiler that
 * hands out what it found is faster than eight that find the same. */
#include "app/lpu_programs.h"

#include <string.h>

#include "base/memory.h"
#include "parallel/mail.h"

/* An array of struct program: where its pointer and its count are. */
struct array {
    size_t pointer, count, element_bytes;
};

#define ARRAY(field, counter)                                                                      \
    {                                                                                              \
        offsetof(struct program, field), offsetof(struct program, counter),                        \
            sizeof(*((struct program *)0)->field)                                                  \
    }

static const struct array arrays[] = {ARRAY(instruction, instructions),
                                      ARRAY(operand, operands),
                                      ARRAY(tensor, tensors),
                                      ARRAY(slice, slices),
                                      ARRAY(row, slices),
                                      ARRAY(op, ops)};

enum { ARRAYS = sizeof arrays / sizeof arrays[0] };

static char *pointer_of(const struct program *program, const struct array *array)
{
    char *pointer;
    memcpy(&pointer, (const char *)program + array->pointer, sizeof pointer);
    return pointer;
}

/* An array that is not there has no bytes. */
static size_t bytes_of(const struct program *program, const struct array *array)
{
    size_t count;
    memcpy(&count, (const char *)program + array->count, sizeof count);
    return pointer_of(program, array) ? count * array->element_bytes : 0;
}

static char *pack(const struct program *program, size_t *bytes)
{
    *bytes = sizeof *program;
    for (size_t i = 0; i < ARRAYS; i++)
        *bytes += bytes_of(program, &arrays[i]);
    char *packed = base_alloc(*bytes, 1), *end = packed + sizeof *program;
    memcpy(packed, program, sizeof *program);
    for (size_t i = 0; i < ARRAYS; i++) {
        size_t part = bytes_of(program, &arrays[i]);
        if (part > 0)
            memcpy(end, pointer_of(program, &arrays[i]), part);
        end += part;
    }
    return packed;
}

/* Replaces the sender's pointers by copies of what follows. */
static void unpack(struct program *program, const char *packed)
{
    const char *end = packed + sizeof *program;
    memcpy(program, packed, sizeof *program);
    for (size_t i = 0; i < ARRAYS; i++) {
        size_t part = bytes_of(program, &arrays[i]);
        char *copy = pointer_of(program, &arrays[i]) ? base_alloc(part, 1) : NULL;
        if (part > 0)
            memcpy(copy, end, part);
        memcpy((char *)program + arrays[i].pointer, &copy, sizeof copy);
        end += part;
    }
}

/* The tag of a letter is the phase. */
static void take_letter(void *context, const struct parallel_letter *letter)
{
    struct app_lpu *lpu = context;
    struct program program;
    unpack(&program, letter->bytes);
    lpu->own[program.chip - lpu->block.first].program[letter->tag] = program;
}

/* First rank: one chip's programs to their owner. */
static void hand_out(struct app_lpu *lpu, struct parallel_mail *mail, int owner, int32_t chip)
{
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        struct program program;
        size_t bytes;
        if (!app_lpu_has_phase(lpu, (enum partition_phase)phase))
            continue;
        plan_program(lpu->plan, (enum partition_phase)phase, chip, &program);
        if (owner == parallel_rank()) {
            lpu->own[chip - lpu->block.first].program[phase] = program;
            continue;
        }
        char *packed = pack(&program, &bytes);
        parallel_mail_send(mail, owner, phase, packed, bytes);
        base_free(packed);
        program_release(&program);
    }
}

/* First rank: to each rank the programs of its `turn`-th chip. */
static void hand_out_turn(struct app_lpu *lpu, struct parallel_mail *mail, int64_t turn)
{
    for (int rank = 0; rank < parallel_size(); rank++) {
        struct parallel_block block = parallel_block_of(lpu->topology.chips, parallel_size(), rank);
        if (turn < block.count)
            hand_out(lpu, mail, rank, (int32_t)(block.first + turn));
    }
}

void app_lpu_hand_out(struct app_lpu *lpu)
{
    struct parallel_mail *mail = parallel_mail_open();
    int64_t turns = parallel_block_of(lpu->topology.chips, parallel_size(), 0).count;
    for (int64_t turn = 0; turn < turns; turn++) {
        if (parallel_is_first())
            hand_out_turn(lpu, mail, turn);
        parallel_mail_settle(mail, BASE_OK, take_letter, lpu);
    }
    parallel_mail_close(mail);
}
