/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles blocks with their second matrix cut in either way, counts what a request makes of the
 * difference, and decides. */
#include "partition/columns.h"

#include "partition/plan_room.h"

/* The configuration's word about a matrix. */
static enum lpu_split asked_for(const struct partition_input *in, enum partition_matrix matrix)
{
    return matrix == PARTITION_O ? in->rack->split_o : in->rack->split_down;
}

/* Experts are multiplied row by row, each by other weights: what a chip would gather for one of
 * them is not known before. */
bool columns_are_known(const struct partition_input *in, struct base_report *report)
{
    if (!in->model->experts || asked_for(in, PARTITION_DOWN) != LPU_SPLIT_COLUMNS)
        return true;
    base_report_add(
        report, NULL, 0,
        "lpu.split_down = columns: down of %s is that of experts, which the LPU compiler "
        "cuts by rows; rows or auto would do",
        in->model->name);
    return false;
}

void columns_cut_as_asked(struct plan *p)
{
    for (enum partition_matrix m = 0; m < PARTITION_MATRICES; m++)
        *columns_of(&p->columns, m) = asked_for(&p->input, m) == LPU_SPLIT_COLUMNS;
}

/* Chips share the matrix, and it is not that of experts. */
static bool is_possible(const struct templates *t, enum partition_matrix matrix)
{
    const struct shape *s = &t->shape[PARTITION_DECODE];
    return s->group > 1 && (matrix == PARTITION_O || !s->experts);
}

static struct columns_request request_of(const struct partition_input *in, int32_t pass_rows)
{
    int32_t rows = in->workload->prompt_tokens - 1;
    int64_t passes = rows > 0 ? shape_ceil_div(rows, pass_rows) : 0;
    return (struct columns_request){passes * in->bucket->batch, in->workload->decode_tokens};
}

/* Of a block with a matrix cut `by_columns`, all else of the shape being as it is. */
static int64_t block_cycles(const struct templates *t, enum partition_phase phase, struct shape s,
                            enum partition_matrix matrix, bool by_columns)
{
    struct partition_columns columns = {.o = s.output.by_columns, .down = s.down.by_columns};
    *columns_of(&columns, matrix) = by_columns;
    shape_cut(&s, columns);
    return template_cycles(t, phase, matrix == PARTITION_O ? PARTITION_ATTENTION : PARTITION_MLP,
                           &s);
}

static void compare_blocks(const struct templates *t, enum partition_matrix matrix,
                           struct partition_choice *choice)
{
    static const enum partition_phase phase[2] = {PARTITION_DECODE, PARTITION_PREFILL};
    choice->rows = t->shape[PARTITION_PREFILL].rows;
    for (int32_t n = 0; n < 2; n++)
        for (int32_t k = 0; k < 2; k++)
            choice->block_cycles[n][k] =
                block_cycles(t, phase[n], t->shape[phase[n]], matrix, k == 1);
}

static int64_t extra_cycles(const struct partition_input *in, const struct partition_choice *choice)
{
    const int64_t(*cycles)[2] = choice->block_cycles;
    struct columns_request r = request_of(in, choice->rows);
    return in->model->layers *
           (r.steps * (cycles[0][1] - cycles[0][0]) + r.passes * (cycles[1][1] - cycles[1][0]));
}

static int64_t request_cycles(struct plan *p, struct partition_candidate *c)
{
    struct columns_request r = request_of(&p->input, c->prefill_rows);
    plan_complete(p, c);
    return r.passes * p->length[PARTITION_PREFILL] + r.steps * p->length[PARTITION_DECODE];
}

/* A matrix by columns, in shorter passes where it has to be: kept where the request gets shorter.
 */
static void try_columns(struct plan *p, struct partition_candidate *c, enum partition_matrix matrix)
{
    struct partition_choice *choice = &p->choice[matrix];
    struct partition_candidate by_columns = *c;
    choice->request_cycles[0] = request_cycles(p, c);
    *columns_of(&p->columns, matrix) = true;
    if (plan_try_passes(p, &by_columns, c->shares))
        choice->request_cycles[1] = request_cycles(p, &by_columns);
    if (choice->request_cycles[1] && choice->request_cycles[1] < choice->request_cycles[0]) {
        *c = by_columns;
        return;
    }
    *columns_of(&p->columns, matrix) = false;
    plan_try_rows(p, c, c->prefill_rows, c->shares);
}

void columns_choose(struct plan *p, struct partition_candidate *c)
{
    for (enum partition_matrix m = 0; m < PARTITION_MATRICES; m++) {
        struct partition_choice *choice = &p->choice[m];
        choice->asked = asked_for(&p->input, m) != LPU_SPLIT_AUTO;
        choice->possible = is_possible(&p->templates, m);
        if (!choice->possible || choice->asked)
            continue;
        compare_blocks(&p->templates, m, choice);
        if (extra_cycles(&p->input, choice) < 0)
            try_columns(p, c, m);
    }
}

struct columns_explained columns_explain(const struct plan *plan, enum partition_matrix matrix)
{
    const struct templates *t = plan_templates(plan);
    struct columns_explained e = {.choice = plan_choice(plan, matrix)};
    struct shape row = t->shape[PARTITION_DECODE];
    if (!e.choice.possible)
        return e;
    if (e.choice.asked)
        compare_blocks(t, matrix, &e.choice);
    row.rows = row.sequences = 1;
    for (int32_t k = 0; k < 2; k++)
        e.row_cycles[k] = block_cycles(t, PARTITION_DECODE, row, matrix, k == 1);
    e.request = request_of(&plan->input, e.choice.rows);
    e.extra_cycles = extra_cycles(&plan->input, &e.choice);
    return e;
}
