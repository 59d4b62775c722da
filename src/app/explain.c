/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp FILE --explain: how near the schedule is to what the machine allows, and what keeps it
 * away. */
#include <inttypes.h>
#include <stdio.h>

#include "app/lpu.h"
#include "app/text.h"
#include "partition/bound.h"

enum { PHASES = PARTITION_PHASES };

static const char *const block_name[PARTITION_BLOCKS] = {"embedding",    "attention",    "mlp",
                                                         "mlp, share 1", "mlp, share 2", "head"};

static double over(int64_t cycles, int64_t bound)
{
    return bound > 0 ? (double)cycles / (double)bound : 0;
}

static void print_op(const struct bound_op *op)
{
    printf("  %-12s", op->name);
    printf(" %9s %9s %7.2f", app_text_count(op->advance).text, app_text_count(op->path).text,
           over(op->advance, op->path));
    printf(" %9s %9s %7.2f  ", app_text_count(op->span).text, app_text_count(op->alone).text,
           over(op->span, op->alone));
    for (enum bound_limit r = 0; r < BOUND_LIMITS; r++)
        printf(" %7s", op->need[r] ? app_text_count(op->need[r]).text : "-");
    printf("  %s\n", bound_limit_name(op->limit));
}

static void print_block(const struct bound_block *block)
{
    if (!block->ops)
        return;
    printf("%-14s %9s %9s %7.2f\n", block_name[block->kind], app_text_count(block->length).text,
           app_text_count(block->end).text, over(block->length, block->end));
    for (int32_t n = 0; n < block->ops; n++)
        print_op(&block->op[n]);
}

static void print_heading(void)
{
    printf("%-14s %9s %9s %7s %9s %9s %7s  ", "block, op", "adds", "bound", "ratio", "span",
           "alone", "ratio");
    for (enum bound_limit r = 0; r < BOUND_LIMITS; r++)
        printf(" %7s", bound_limit_name(r));
    puts("  limit");
}

static void print_stages(const struct bound_step *step)
{
    int64_t cycles = 0, bound = 0, move = 0, move_bound = 0;
    for (int32_t s = 0; s < step->stages; s++) {
        cycles += step->stage[s].cycles, bound += step->stage[s].bound;
        move += step->stage[s].move_cycles, move_bound += step->stage[s].move_bound;
    }
    printf("%-14s %9s %9s %7.2f   %" PRId32 " stages, moves apart\n", "stages",
           app_text_count(cycles).text, app_text_count(bound).text, over(cycles, bound),
           step->stages);
    printf("%-14s %9s %9s %7.2f   between stages, and of the token\n", "moves",
           app_text_count(move).text, app_text_count(move_bound).text, over(move, move_bound));
}

static void print_step(const struct app_run *run, enum partition_phase phase)
{
    struct bound_step step;
    bound_step(run->lpu->plan, phase, &step);
    printf("\n%s step\n", phase == PARTITION_DECODE ? "decode" : "prefill");
    print_heading();
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++)
        print_block(&step.block[kind]);
    print_stages(&step);
    printf("%-14s %9s %9s %7.2f   sums may go straight to the next stage\n", "step",
           app_text_count(step.cycles).text, app_text_count(step.bound).text,
           over(step.cycles, step.bound));
    bound_release(&step);
}

enum base_status app_explain_show(struct app_run *run)
{
    if (run->command->kind != APP_COMMAND_EXPLAIN)
        return BASE_OK;
    run->over = true;
    if (!parallel_is_first())
        return BASE_OK;
    printf("%s on %" PRId32 " %s, %" PRId32 " stages x %" PRId32 "; cycles of the chip's clock\n",
           run->model.name, plan_chips(run->lpu->plan), run->scenario.lpu_chip.name,
           plan_stages(run->lpu->plan), plan_group(run->lpu->plan));
    print_step(run, PARTITION_DECODE);
    print_step(run, PARTITION_PREFILL);
    return BASE_OK;
}
