/* SPDX-License-Identifier: BSD-3-Clause */
/* Sweeps each slice in the order of residency windows, keeping the addresses in use disjoint. */
#include "chip/overlap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "chip/executor.h"

enum { NO_TENSOR = -1 };

enum space_kind {
    SPACE_TENSOR,
    SPACE_IDLE, /* a tensor that no instruction reads or writes: the place for dumps */
    SPACE_ZERO,
    SPACE_DUMP,
    SPACE_KEPT, /* for another program */
};

/* Rows [from, to) of a slice in cycles [live_from, live_to). */
struct space {
    int32_t slice, from, to;
    int64_t live_from, live_to;
    const char *name;
    int32_t layer;
    enum space_kind kind;
    const struct executor_step *of; /* NULL: of a program that is loaded */
};

struct spaces {
    struct space *at;
    size_t count, capacity;
};

static void append(struct spaces *spaces, struct space space)
{
    if (space.from >= space.to || space.live_from >= space.live_to)
        return;
    spaces->at = base_grow(spaces->at, &spaces->capacity, spaces->count + 1, sizeof *spaces->at);
    spaces->at[spaces->count++] = space;
}

/* Tensors that memory instructions name. */
static bool *list_used(const struct program *p)
{
    bool *used = base_alloc(p->tensors, sizeof *used);
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        if (i->opcode == PROGRAM_MEM_READ || i->opcode == PROGRAM_MEM_WRITE)
            used[p->operand[i->operand + i->inputs + i->outputs - 1u].tensor] = true;
    }
    return used;
}

static void add_tensors(const struct chip *chip, const struct program *p, struct spaces *spaces)
{
    bool *used = list_used(p);
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        if (t->slice < 0 || t->kind == PROGRAM_TENSOR_ZERO || !executor_is_in_slices(chip, p, t))
            continue;
        for (int32_t s = 0; s < t->subs; s++) {
            int32_t row = program_tensor_address(p, t, s);
            append(spaces, (struct space){p->slice[t->slice + s], row, row + t->valid, t->live_from,
                                          t->live_to, t->name, t->layer,
                                          used[n] ? SPACE_TENSOR : SPACE_IDLE, NULL});
        }
    }
    base_free(used);
}

static void add_dumps(const struct program *p, struct spaces *spaces)
{
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        if (i->opcode == PROGRAM_MEM_WRITE && i->address_mode == PROGRAM_ADDRESS_KV)
            append(spaces, (struct space){i->queue, i->limit, i->limit + 1, INT64_MIN, INT64_MAX,
                                          "dump", p->op[i->op].layer, SPACE_DUMP, NULL});
    }
}

/* Zero rows of all programs, and what the chip keeps that this program does not know. */
static void add_kept(const struct chip *chip, const struct executor_program *loaded,
                     struct spaces *spaces)
{
    bool *known = base_alloc(chip->residents.count, sizeof *known);
    for (size_t n = 0; n < loaded->program->tensors; n++)
        if (loaded->resident[n] >= 0)
            known[loaded->resident[n]] = true;
    for (size_t n = 0; n < chip->residents.count; n++) {
        const struct resident *r = &chip->residents.at[n];
        bool zero = r->kind == PROGRAM_TENSOR_ZERO;
        for (int32_t s = 0; s < r->subs; s++) {
            struct space space = {r->slice[s], r->row[s],  r->row[s] + r->count,
                                  INT64_MIN,   INT64_MAX,  r->name,
                                  r->layer,    SPACE_KEPT, NULL};
            if (!zero && !known[n]) {
                space.to = r->row[s] + r->valid;
                append(spaces, space);
            }
            space.kind = SPACE_ZERO;
            space.from = zero ? r->row[s] : r->row[s] + r->valid;
            space.to = r->row[s] + r->count;
            append(spaces, space);
        }
    }
    base_free(known);
}

static int compare(const void *a, const void *b)
{
    const struct space *x = a, *y = b;
    if (x->slice != y->slice)
        return x->slice < y->slice ? -1 : 1;
    if (x->live_from != y->live_from)
        return x->live_from < y->live_from ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

static void report(struct chip *chip, const struct space *here, const struct space *new)
{
    struct chip_violation *v =
        executor_report(chip, new->of, CHIP_RULE_RESIDENCY, EXECUTOR_NO_INSTRUCTION,
                        new->live_from == INT64_MIN ? 0 : new->live_from);
    v->queue = new->slice;
    v->layer = new->layer;
    snprintf(v->expected, sizeof v->expected, "%s alone at rows %d to %d", here->name, here->from,
             here->to - 1);
    snprintf(v->found, sizeof v->found, "%s at rows %d to %d", new->name, new->from, new->to - 1);
}

/* What is dumped must have rows of its own. */
static void report_homeless(struct chip *chip, const struct space *dump)
{
    struct chip_violation *v =
        executor_report(chip, NULL, CHIP_RULE_RESIDENCY, EXECUTOR_NO_INSTRUCTION, 0);
    v->queue = dump->slice;
    v->layer = dump->layer;
    snprintf(v->expected, sizeof v->expected, "a dump in a tensor that is not used");
    snprintf(v->found, sizeof v->found, "%s at row %d", dump->name, dump->from);
}

static size_t first_beyond(const struct spaces *active, int32_t from)
{
    size_t low = 0, high = active->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (active->at[middle].to <= from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_out(struct spaces *active, size_t n)
{
    active->count--;
    memmove(active->at + n, active->at + n + 1, (active->count - n) * sizeof *active->at);
}

static void put_in(struct spaces *active, size_t n, struct space space)
{
    active->at = base_grow(active->at, &active->capacity, active->count + 1, sizeof *active->at);
    memmove(active->at + n + 1, active->at + n, (active->count - n) * sizeof *active->at);
    active->at[n] = space;
    active->count++;
}

/* Whether two spaces of one time and place bear with each other; the union stays in *new. */
static bool agree(const struct space *here, struct space *new)
{
    bool zeros = here->kind == SPACE_ZERO && new->kind == SPACE_ZERO;
    bool dumps = here->kind == SPACE_DUMP && new->kind == SPACE_DUMP;
    bool dump_in_idle = (here->kind == SPACE_DUMP && new->kind == SPACE_IDLE) ||
                        (here->kind == SPACE_IDLE && new->kind == SPACE_DUMP);
    if (!zeros && !dumps && !dump_in_idle)
        return false;
    new->from = here->from < new->from ? here->from : new->from;
    new->to = here->to > new->to ? here->to : new->to;
    new->kind = dump_in_idle ? SPACE_IDLE : new->kind;
    return true;
}

/* Spaces come in the order of live_from: what has ended by then will not be met again. */
static void occupy(struct chip *chip, struct spaces *active, struct space new, bool own)
{
    size_t n = first_beyond(active, new.from);
    while (n < active->count && active->at[n].from < new.to) {
        struct space *here = &active->at[n];
        if (here->live_to <= new.live_from || agree(here, &new)) {
            take_out(active, n);
            continue;
        }
        if (own || here->kind == SPACE_KEPT || new.kind == SPACE_KEPT)
            report(chip, here, &new);
        return;
    }
    if (own && new.kind == SPACE_DUMP)
        report_homeless(chip, &new);
    put_in(active, n, new);
}

void overlap_check(struct chip *chip, const struct executor_program *loaded, bool own)
{
    struct spaces all = {0}, active = {0};
    add_tensors(chip, loaded->program, &all);
    add_dumps(loaded->program, &all);
    add_kept(chip, loaded, &all);
    if (all.count)
        qsort(all.at, all.count, sizeof *all.at, compare);
    for (size_t n = 0; n < all.count; n++) {
        if (n > 0 && all.at[n].slice != all.at[n - 1].slice)
            active.count = 0;
        occupy(chip, &active, all.at[n], own);
    }
    base_free(all.at);
    base_free(active.at);
}

/* Activations of a step that are alive in cycles [from, to) of the clock. */
static void add_alive(const struct executor_step *of, int64_t from, int64_t to,
                      struct spaces *spaces)
{
    const struct program *p = of->program;
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        int64_t live_from = of->start + t->live_from, live_to = of->start + t->live_to;
        if (t->kind != PROGRAM_TENSOR_ACTIVATION || of->loaded->head[n] < 0 ||
            t->live_from >= t->live_to || live_from >= to || live_to <= from)
            continue;
        for (int32_t s = 0; s < t->subs; s++) {
            int32_t row = program_tensor_address(p, t, s);
            append(spaces, (struct space){p->slice[t->slice + s], row, row + t->valid, live_from,
                                          live_to, t->name, t->layer, SPACE_TENSOR, of});
        }
    }
}

/* A space of one step where one of another step is alive; within a step, loading has judged. */
static void meet_other_step(struct chip *chip, struct spaces *active, const struct space *new)
{
    size_t kept = 0;
    for (size_t n = 0; n < active->count; n++) {
        struct space *here = &active->at[n];
        if (here->live_to <= new->live_from)
            continue;
        if (here->of != new->of && here->from < new->to &&new->from < here->to)
            report(chip, here, new);
        active->at[kept++] = *here;
    }
    active->count = kept;
    append(active, *new);
}

static void check_pair(struct chip *chip, const struct executor_step *a,
                       const struct executor_step *b)
{
    struct spaces all = {0}, active = {0};
    add_alive(a, b->start, INT64_MAX, &all);
    add_alive(b, b->start, a->start + a->program->length_cycles, &all);
    if (all.count)
        qsort(all.at, all.count, sizeof *all.at, compare);
    for (size_t n = 0; n < all.count; n++) {
        if (n > 0 && all.at[n].slice != all.at[n - 1].slice)
            active.count = 0;
        meet_other_step(chip, &active, &all.at[n]);
    }
    base_free(all.at);
    base_free(active.at);
}

/* Whether two steps of these programs, so far apart, were found to bear with each other. */
static bool is_known(const struct chip *chip, const struct overlap_pair *pair)
{
    for (size_t n = 0; n < chip->pairs; n++)
        if (chip->pair[n].a == pair->a && chip->pair[n].b == pair->b &&
            chip->pair[n].distance == pair->distance)
            return true;
    return false;
}

void overlap_check_steps(struct chip *chip, const struct executor_step *of)
{
    for (size_t n = 0; n < chip->steps; n++) {
        const struct executor_step *other = chip->step[n];
        struct overlap_pair pair = {other->loaded, of->loaded, of->start - other->start};
        int64_t before = chip->violations_total;
        if (other == of || is_known(chip, &pair))
            continue;
        check_pair(chip, other, of);
        if (chip->violations_total > before)
            continue;
        chip->pair =
            base_grow(chip->pair, &chip->pair_capacity, chip->pairs + 1, sizeof *chip->pair);
        chip->pair[chip->pairs++] = pair;
    }
}
