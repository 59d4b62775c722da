/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp FILE --explain: how near the schedule is to what the machine allows, and what keeps it
 * away. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lpu.h"
#include "app/text.h"
#include "partition/bound.h"
#include "partition/columns.h"
#include "partition/critical.h"
#include "partition/survey.h"

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
    if (!block->times)
        return;
    printf("%-14s %9s %9s %7.2f\n", block_name[block->kind], app_text_count(block->cycles).text,
           app_text_count(block->bound).text, over(block->cycles, block->bound));
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
    int64_t cycles = 0, bound = 0, move = 0;
    for (int32_t s = 0; s < step->stages; s++) {
        cycles += step->stage[s].cycles, bound += step->stage[s].bound;
        move += step->stage[s].move_cycles;
    }
    printf("%-14s %9s %9s %7.2f   %" PRId32 " stages, moves apart\n", "stages",
           app_text_count(cycles).text, app_text_count(bound).text, over(cycles, bound),
           step->stages);
    printf("%-14s %9s %17s   from the end of a stage to the start of the next, or of the step\n",
           "moves", app_text_count(move).text, "");
}

static bool is_like(const struct critical_part *a, const struct critical_part *b)
{
    return a->unit == b->unit && strcmp(a->op, b->op) == 0;
}

/* How often the pair of parts at n comes in a row, at most until `end`. */
static size_t pairs_at(const struct critical_path *path, size_t n, size_t end)
{
    size_t pairs = 1;
    while (n + 2 * pairs + 1 < end && is_like(&path->part[n], &path->part[n + 2 * pairs]) &&
           is_like(&path->part[n + 1], &path->part[n + 2 * pairs + 1]))
        pairs++;
    return pairs;
}

static void print_part(const struct critical_part *part, int32_t times, int64_t cycles)
{
    printf(" %s", critical_unit_name(part->unit));
    if (times > 1)
        printf(" x%" PRId32, times);
    printf(" %s", app_text_count(cycles).text);
}

/* The parts from n on, or so many pairs of them; returns how many that were. */
static size_t print_parts(const struct critical_path *path, size_t n, size_t end)
{
    size_t pairs = n + 1 < end ? pairs_at(path, n, end) : 1;
    if (pairs < 3) {
        print_part(&path->part[n], path->part[n].instructions, path->part[n].cycles);
        return 1;
    }
    int64_t cycles[2] = {0, 0};
    for (size_t k = 0; k < 2 * pairs; k++)
        cycles[k % 2] += path->part[n + k].cycles;
    printf(" %zu times (", pairs);
    print_part(&path->part[n], 1, cycles[0]);
    fputs(" >", stdout);
    print_part(&path->part[n + 1], 1, cycles[1]);
    fputs(" )", stdout);
    return 2 * pairs;
}

/* Neighbours of one op on one line. */
static void print_chain(const struct critical_path *path)
{
    for (size_t n = 0, end; n < path->parts; n = end) {
        const char *op = path->part[n].op;
        int64_t cycles = 0;
        for (end = n; end < path->parts && !strcmp(path->part[end].op, op); end++)
            cycles += path->part[end].cycles;
        printf("  %-12s %9s ", op, app_text_count(cycles).text);
        for (size_t k = n; k < end;) {
            fputs(k > n ? " >" : "", stdout);
            k += print_parts(path, k, end);
        }
        puts("");
    }
}

static void print_slack(const struct critical_slack *slack)
{
    printf("  %-12s %" PRId64 " vectors over links could come %s cycles later at least, %s in "
           "the median\n",
           slack->op, slack->transfers, app_text_count(slack->least).text,
           app_text_count(slack->median).text);
}

static void print_slacks(const struct app_run *run, enum partition_phase phase,
                         enum partition_block kind)
{
    struct critical_slack slack[BOUND_OPS];
    int32_t ops = critical_slacks(run->lpu->plan, phase, kind, slack, BOUND_OPS);
    for (int32_t n = 0; n < ops; n++)
        print_slack(&slack[n]);
}

static void print_moves(const struct app_run *run, const struct bound_step *step)
{
    struct critical_path path;
    struct critical_slack slack = critical_move_slack(run->lpu->plan, step->phase);
    critical_moves(run->lpu->plan, step->phase, &path);
    if (path.parts)
        printf("moves, all %" PRId32 "\n", step->stages - (step->phase == PARTITION_PREFILL));
    print_chain(&path);
    if (slack.transfers)
        print_slack(&slack);
    critical_release(&path);
}

static void print_path(const struct app_run *run, const struct bound_step *step)
{
    puts("critical path: cycles of each op on it, and of the units that it goes through");
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++) {
        struct critical_path path;
        if (!step->block[kind].times)
            continue;
        critical_block(run->lpu->plan, step->phase, kind, &path);
        printf("%s x %" PRId32 "\n", block_name[kind], step->block[kind].times);
        print_chain(&path);
        print_slacks(run, step->phase, kind);
        critical_release(&path);
    }
    print_moves(run, step);
}

/* Cycles of the step that an op takes beyond what it adds to the bound. */
struct excess {
    const char *block, *op;
    int64_t cycles; /* of all times */
};

static int by_cycles(const void *a, const void *b)
{
    const struct excess *x = a, *y = b;
    return (x->cycles < y->cycles) - (x->cycles > y->cycles);
}

/* Ops that are farthest from their bounds, most cycles first. */
static void print_excesses(const struct bound_step *step)
{
    enum { SHOWN = 8 };
    struct excess all[PARTITION_BLOCKS * BOUND_OPS];
    size_t count = 0;
    int64_t away = step->cycles - step->bound, left = away;
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++)
        for (int32_t n = 0; n < step->block[kind].ops; n++) {
            const struct bound_op *op = &step->block[kind].op[n];
            int64_t cycles = step->block[kind].times * (op->advance - op->path);
            all[count++] = (struct excess){block_name[kind], op->name, cycles};
            left -= cycles;
        }
    qsort(all, count, sizeof *all, by_cycles);
    printf("of %s cycles beyond the bound", app_text_count(away).text);
    for (size_t n = 0; n < count && n < SHOWN && all[n].cycles > 0; n++)
        printf("%s %s, %s: %s", n ? ";" : ":", all[n].block, all[n].op,
               app_text_count(all[n].cycles).text);
    printf("; between blocks and stages: %s\n", app_text_count(left).text);
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
    print_excesses(&step);
    print_path(run, &step);
    bound_release(&step);
}

static void print_split(const struct survey_split *s, const char *mark)
{
    printf("  %3" PRId32 " x %" PRId32 " %6" PRId32 " %11s %6.2f %9.0f %5" PRId64
           " %10.0f %9.2f %5.0f %%  %s\n",
           s->stages, s->group, s->chips, app_text_count(s->decode_cycles).text,
           over(s->decode_cycles, s->bound_cycles), s->user_tokens_s, s->seats, s->all_tokens_s,
           s->token_joules, 100 * s->idle, mark);
}

/* What the cycles of one split go to, against those of another. */
static void print_difference(const struct survey_split *won, const struct survey_split *other)
{
    printf("%d x %d against %d x %d: %s cycles less;", won->stages, won->group, other->stages,
           other->group, app_text_count(other->decode_cycles - won->decode_cycles).text);
    for (enum bound_class of = 0; of < BOUND_CLASSES; of++)
        printf(" %s %s instead of %s%s", bound_class_name(of), app_text_count(won->share[of]).text,
               app_text_count(other->share[of]).text, of + 1 < BOUND_CLASSES ? "," : "\n");
}

static bool is_chosen(const struct app_run *run, const struct survey_split *s)
{
    return s->stages == plan_stages(run->lpu->plan) && s->group == plan_group(run->lpu->plan);
}

/* The quickest split of another group than the chosen one has. */
static const struct survey_split *runner_up(const struct survey *survey,
                                            const struct survey_split *chosen)
{
    const struct survey_split *best = NULL;
    for (size_t n = 0; n < survey->splits; n++) {
        const struct survey_split *s = &survey->split[n];
        if (s->group != chosen->group && (!best || s->decode_cycles < best->decode_cycles))
            best = s;
    }
    return best;
}

static void print_reason(const struct survey *survey, const struct survey_split *chosen)
{
    const struct survey_split *other = runner_up(survey, chosen), *quickest = chosen;
    for (size_t n = 0; n < survey->splits; n++)
        if (survey->split[n].decode_cycles < quickest->decode_cycles)
            quickest = &survey->split[n];
    if (other)
        print_difference(chosen, other);
    if (quickest != chosen)
        print_difference(quickest, chosen);
}

/* Splits that use all chips and do not fit. */
static void print_misses(const struct app_run *run)
{
    size_t count;
    const struct partition_candidate *all = plan_candidates(run->lpu->plan, &count);
    for (size_t n = 0; n < count; n++) {
        const struct partition_candidate *c = &all[n];
        if (!c->fits)
            printf("  %3" PRId32 " x %" PRId32 " does not fit: %s\n", c->stages, c->group,
                   c->why_not);
    }
}

static void print_cuts(const char *matrix, const char *step, int32_t rows, const int64_t cycles[2])
{
    printf("  %-6s %-13s %4" PRId32 " %11s %11s\n", matrix, step, rows,
           app_text_count(cycles[0]).text, app_text_count(cycles[1]).text);
}

static void print_request(const char *matrix, const struct columns_explained *e)
{
    const struct partition_choice *c = &e->choice;
    int64_t extra = e->extra_cycles;
    printf("  %-6s by %s%s: %" PRId64 " x prefill pass and %" PRId64
           " x decode step take %s cycles %s by columns",
           matrix, c->columns ? "columns" : "rows", c->asked ? ", as asked" : "", e->request.passes,
           e->request.steps, app_text_count(extra < 0 ? -extra : extra).text,
           extra < 0 ? "less" : "more");
    if (c->request_cycles[1])
        printf("; whole plans %s, not %s", app_text_count(c->request_cycles[1]).text,
               app_text_count(c->request_cycles[0]).text);
    else if (c->request_cycles[0])
        fputs(", but that does not fit", stdout);
    puts("");
}

static void print_matrix(const struct app_run *run, enum partition_matrix matrix)
{
    const char *name = matrix == PARTITION_O ? "o" : "down";
    struct columns_explained e = columns_explain(run->lpu->plan, matrix);
    if (!e.choice.possible) {
        printf("  %-6s by rows: experts are cut in no other way\n", name);
        return;
    }
    print_cuts(name, "decode step", 1, e.row_cycles);
    if (run->scenario.bucket.batch > 1)
        print_cuts(name, "decode step", run->scenario.bucket.batch, e.choice.block_cycles[0]);
    print_cuts(name, "prefill pass", e.choice.rows, e.choice.block_cycles[1]);
    print_request(name, &e);
}

/* Either cut of the second matrix of a pair, where a group shares it. */
static void print_matrices(const struct app_run *run)
{
    if (plan_group(run->lpu->plan) == 1)
        return;
    puts("\nthe second matrix of a pair by rows (partial rows are summed over the group) or by "
         "columns (rows\nare gathered before and behind it): cycles of its block as compiled");
    printf("  %-6s %-13s %4s %11s %11s\n", "matrix", "in a", "rows", "by rows", "by columns");
    for (enum partition_matrix m = 0; m < PARTITION_MATRICES; m++)
        print_matrix(run, m);
}

static void print_survey(const struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct partition_columns columns = plan_columns(run->lpu->plan);
    struct lpu_rack rack = s->lpu_rack;
    rack.split_o = columns.o ? LPU_SPLIT_COLUMNS : LPU_SPLIT_ROWS;
    rack.split_down = columns.down ? LPU_SPLIT_COLUMNS : LPU_SPLIT_ROWS;
    struct partition_input input = {
        &s->lpu_chip, &rack, &run->lpu->topology, &run->model, &s->bucket, &s->workload, 1};
    const struct survey_split *chosen = NULL;
    struct survey survey;
    survey_splits(&input, &survey);
    puts("\nsplits that fit: * nothing is better in chips, tokens a second and energy at once; "
         "seats "
         "are an estimate");
    printf("  %7s %6s %11s %6s %9s %5s %10s %9s %7s\n", "split", "chips", "cycles", "ratio",
           "1/s user", "seats", "1/s all", "J a token", "idle");
    for (size_t n = 0; n < survey.splits; n++) {
        const struct survey_split *split = &survey.split[n];
        bool own = is_chosen(run, split);
        chosen = own ? split : chosen;
        if (split->best || own)
            print_split(split, own ? split->best ? "* chosen" : "chosen" : "*");
    }
    print_misses(run);
    if (chosen)
        print_reason(&survey, chosen);
    survey_release(&survey);
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
    print_matrices(run);
    print_survey(run);
    return BASE_OK;
}
