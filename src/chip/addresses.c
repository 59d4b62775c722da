/* SPDX-License-Identifier: BSD-3-Clause */
/* Follows the rules of address modes (base/program.h). */
#include "chip/addresses.h"

#include "chip/executor.h"
#include "chip/experts.h"

static int64_t clamp(int64_t value, int64_t high)
{
    return value < 0 ? 0 : (value > high ? high : value);
}

/* Rows from the first cache of a tensor to that of the instruction's sequence. */
static int64_t cache_offset(const struct executor_step *of, const struct program_instruction *i)
{
    return (int64_t)of->runtime.sequence[i->sequence].cache * i->width;
}

static struct addresses_target kv_target(const struct executor_step *of,
                                         const struct program_instruction *i, int32_t inner)
{
    int64_t row =
        (int64_t)of->runtime.sequence[i->sequence].position + i->argument + 16 * (int64_t)inner;
    int32_t local = -1;
    if (row >= 0 && row < INT32_MAX)
        local = program_kv_owner(of->program->kv_tile_positions, program_is_east(i->queue), i->low,
                                 (int32_t)row);
    return local < 0
               ? (struct addresses_target){i->limit, true}
               : (struct addresses_target){i->address + cache_offset(of, i) + local / 16, false};
}

static struct addresses_target token_target(const struct executor_step *of,
                                            const struct program_instruction *i, int32_t inner,
                                            int32_t outer)
{
    int64_t step = (int64_t)inner * i->stride[0];
    int32_t local = -1;
    if (outer < of->runtime.tokens)
        local = program_token_owner(of->program, i->low, of->runtime.token[outer]);
    return local < 0 ? (struct addresses_target){i->limit + step, true}
                     : (struct addresses_target){i->address + step + (int64_t)local * i->stride[1],
                                                 false};
}

static struct addresses_target expert_target(const struct chip *chip, const struct run *run,
                                             int32_t inner, int32_t outer)
{
    const struct program_instruction *i = run->instruction;
    int64_t id =
        experts_id(chip, run->of, executor_output(run, 1)->tensor, i->low + outer / i->width);
    return (struct addresses_target){i->address + (int64_t)inner * i->stride[0] +
                                         (int64_t)(outer % i->width) * i->stride[1] + id * i->limit,
                                     false};
}

struct addresses_target addresses_target(const struct chip *chip, const struct run *run, int32_t k)
{
    const struct program_instruction *i = run->instruction;
    int64_t position = run->of->runtime.sequence[i->sequence].position;
    switch (i->address_mode) {
    case PROGRAM_ADDRESS_POSITION:
        return (struct addresses_target){run_value(run, i->address + position, i->stride, k),
                                         false};
    case PROGRAM_ADDRESS_CLAMP:
        return (struct addresses_target){
            i->address + clamp(run_value(run, position + i->argument, i->stride, k), i->limit),
            false};
    case PROGRAM_ADDRESS_KV:
        return kv_target(run->of, i, run_inner(run, k));
    case PROGRAM_ADDRESS_CACHE:
        return (struct addresses_target){
            run_value(run, i->address + cache_offset(run->of, i), i->stride, k), false};
    case PROGRAM_ADDRESS_TOKEN:
        return token_target(run->of, i, run_inner(run, k), run_outer(run, k));
    case PROGRAM_ADDRESS_EXPERT:
        return expert_target(chip, run, run_inner(run, k), run_outer(run, k));
    default:
        return (struct addresses_target){run_value(run, i->address, i->stride, k), false};
    }
}

bool addresses_are_linear(const struct program_instruction *i)
{
    return i->address_mode == PROGRAM_ADDRESS_STATIC ||
           i->address_mode == PROGRAM_ADDRESS_POSITION || i->address_mode == PROGRAM_ADDRESS_CACHE;
}

/* Vectors of one slot are. */
bool addresses_are_linear_in_runs(const struct run *run)
{
    return addresses_are_linear(run->instruction) ||
           (run->instruction->address_mode == PROGRAM_ADDRESS_EXPERT && run->level == 0);
}

struct addresses_reach addresses_reach(const struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    int64_t address = addresses_target(chip, run, 0).address;
    struct addresses_reach reach = {address, address, address};
    for (int level = 0; level < 2; level++) {
        int64_t length = (int64_t)(i->count[level] - 1) * i->stride[level];
        *(length < 0 ? &reach.low : &reach.high) += length;
    }
    return reach;
}
