/* SPDX-License-Identifier: BSD-3-Clause */
/* Keeps what outlives a step, by name and layer. */
#include "chip/residents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "chip/executor.h"
#include "chip/overlap.h"

void residents_release(struct residents *residents)
{
    for (size_t n = 0; n < residents->count; n++) {
        base_free(residents->at[n].slice);
        base_free(residents->at[n].row);
        base_free(residents->at[n].lane);
        base_free(residents->at[n].head);
        base_free(residents->at[n].written);
    }
    base_free(residents->at);
    base_free(residents->zero);
    *residents = (struct residents){0};
}

static bool is_persistent(const struct program_tensor *t)
{
    return t->kind == PROGRAM_TENSOR_WEIGHT || t->kind == PROGRAM_TENSOR_CONSTANT ||
           t->kind == PROGRAM_TENSOR_KV || t->kind == PROGRAM_TENSOR_EMBEDDING;
}

static bool is_named(const struct resident *r, const struct program_tensor *t)
{
    return r->kind == t->kind && r->layer == t->layer && strcmp(r->name, t->name) == 0;
}

static bool is_placed_as(const struct resident *r, const struct program *p,
                         const struct program_tensor *t)
{
    if (r->subs != t->subs || r->count != t->count || r->valid != t->valid ||
        r->caches != t->caches)
        return false;
    for (int32_t s = 0; s < r->subs; s++)
        if (r->slice[s] != p->slice[t->slice + s] || r->row[s] != program_tensor_address(p, t, s))
            return false;
    return true;
}

static int32_t find(const struct residents *residents, const struct program_tensor *t)
{
    for (size_t n = 0; n < residents->count; n++)
        if (is_named(&residents->at[n], t))
            return (int32_t)n;
    return -1;
}

static int32_t add(struct residents *residents, const struct program *p,
                   const struct program_tensor *t)
{
    residents->at =
        base_grow(residents->at, &residents->capacity, residents->count + 1, sizeof *residents->at);
    struct resident *r = &residents->at[residents->count];
    *r = (struct resident){.layer = t->layer,
                           .kind = t->kind,
                           .subs = t->subs,
                           .count = t->count,
                           .valid = t->valid,
                           .tile_positions = p->kv_tile_positions,
                           .caches = t->caches,
                           .cache_rows = program_cache_rows(t)};
    memcpy(r->name, t->name, sizeof r->name);
    r->slice = base_alloc(t->subs, sizeof *r->slice);
    r->row = base_alloc(t->subs, sizeof *r->row);
    memcpy(r->slice, p->slice + t->slice, t->subs * sizeof *r->slice);
    for (int32_t s = 0; s < t->subs; s++)
        r->row[s] = program_tensor_address(p, t, s);
    if (t->kind == PROGRAM_TENSOR_KV) {
        r->words = ((size_t)t->count + 63) / 64;
        r->written = base_alloc(r->words * t->subs, sizeof *r->written);
        r->lane = base_alloc(t->subs, sizeof *r->lane);
        r->head = base_alloc(t->subs, sizeof *r->head);
        for (int32_t s = 0; s < t->subs; s++)
            r->lane[s] = -1, r->head[s] = -1;
    }
    return (int32_t)residents->count++;
}

static struct chip_violation *report(struct chip *chip, enum chip_rule rule,
                                     const struct program_tensor *t)
{
    struct chip_violation *v = executor_report(chip, NULL, rule, EXECUTOR_NO_INSTRUCTION, 0);
    v->layer = t->layer;
    return v;
}

static bool fits(struct chip *chip, const struct program *p, const struct program_tensor *t)
{
    if (executor_is_in_slices(chip, p, t))
        return true;
    struct chip_violation *v = report(chip, CHIP_RULE_CAPACITY, t);
    snprintf(v->expected, sizeof v->expected, "%d rows a slice", chip->machine->vectors_per_slice);
    snprintf(v->found, sizeof v->found, "%s, %d rows from %d", t->name, t->count,
             program_tensor_address(p, t, 0));
    return false;
}

/* Number of the resident that a persistent tensor is; -1 where it cannot be kept. */
static int32_t keep(struct chip *chip, const struct program *p, const struct program_tensor *t)
{
    int32_t n = find(&chip->residents, t);
    if (n < 0)
        return add(&chip->residents, p, t);
    struct resident *r = &chip->residents.at[n];
    if (is_placed_as(r, p, t) &&
        (r->kind != PROGRAM_TENSOR_KV || r->tile_positions == p->kv_tile_positions))
        return n;
    struct chip_violation *v = report(chip, CHIP_RULE_RESIDENCY, t);
    snprintf(v->expected, sizeof v->expected, "%s at row %d of slice %d", r->name, r->row[0],
             r->slice[0]);
    snprintf(v->found, sizeof v->found, "another place or size: row %d of slice %d",
             program_tensor_address(p, t, 0), p->slice[t->slice]);
    return -1;
}

/* Zero rows are alike: those of every program are kept, wherever they are. */
static void keep_zero_rows(struct residents *residents, const struct program *p,
                           const struct program_tensor *t)
{
    int32_t from = t->kind == PROGRAM_TENSOR_ZERO ? 0 : t->valid;
    struct program_tensor zero = *t;
    zero.kind = PROGRAM_TENSOR_ZERO;
    zero.address += from;
    zero.count -= from;
    zero.valid = 0;
    for (size_t n = 0; n < residents->count; n++)
        if (is_named(&residents->at[n], &zero) && is_placed_as(&residents->at[n], p, &zero))
            return;
    if (zero.count > 0)
        add(residents, p, &zero);
}

static int compare_zero_rows(const void *a, const void *b)
{
    const struct zero_rows *x = a, *y = b;
    if (x->slice != y->slice)
        return x->slice < y->slice ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

static void join_zero_rows(struct residents *residents)
{
    size_t kept = 0;
    qsort(residents->zero, residents->zeros, sizeof *residents->zero, compare_zero_rows);
    for (size_t n = 0; n < residents->zeros; n++) {
        struct zero_rows z = residents->zero[n], *last = kept ? &residents->zero[kept - 1] : NULL;
        if (last && last->slice == z.slice && last->to >= z.from)
            last->to = last->to > z.to ? last->to : z.to;
        else
            residents->zero[kept++] = z;
    }
    residents->zeros = kept;
}

static void list_zero_rows(struct residents *residents)
{
    residents->zeros = 0;
    for (size_t n = 0; n < residents->count; n++) {
        const struct resident *r = &residents->at[n];
        int32_t from = r->kind == PROGRAM_TENSOR_ZERO ? 0 : r->valid;
        for (int32_t s = 0; s < r->subs && from < r->count; s++) {
            residents->zero = base_grow(residents->zero, &residents->zero_capacity,
                                        residents->zeros + 1, sizeof *residents->zero);
            residents->zero[residents->zeros++] =
                (struct zero_rows){r->slice[s], r->row[s] + from, r->row[s] + r->count};
        }
    }
    if (residents->zeros)
        join_zero_rows(residents);
}

bool residents_are_zero(const struct residents *residents, int32_t slice, int32_t from, int32_t to)
{
    size_t low = 0, high = residents->zeros;
    struct zero_rows key = {slice, from, to};
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_zero_rows(&residents->zero[middle], &key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    const struct zero_rows *z = &residents->zero[low - 1];
    return z->slice == slice && z->from <= from && to <= z->to;
}

static void report_lanes(struct chip *chip, const struct resident *r, int32_t sub, int32_t lane)
{
    struct chip_violation *v =
        executor_report(chip, NULL, CHIP_RULE_RESIDENCY, EXECUTOR_NO_INSTRUCTION, 0);
    v->layer = r->layer;
    v->queue = r->slice[sub];
    snprintf(v->expected, sizeof v->expected, "%s[%d] to hold rows of lane %d", r->name, sub,
             sub * RESIDENTS_KV_LANES / r->subs);
    snprintf(v->found, sizeof v->found, "a write of lane %d", lane);
}

/* A write to the cache says which rows its slice holds: the lanes are dealt out to the subs in
 * order, so that no row is lost. */
static void learn_lane(struct chip *chip, const struct executor_program *loaded,
                       const struct program_instruction *i)
{
    const struct program_operand *o = &loaded->program->operand[i->operand + i->inputs];
    if (i->opcode != PROGRAM_MEM_WRITE || i->address_mode != PROGRAM_ADDRESS_KV ||
        loaded->resident[o->tensor] < 0)
        return;
    struct resident *r = &chip->residents.at[loaded->resident[o->tensor]];
    if (i->low == o->sub * RESIDENTS_KV_LANES / r->subs)
        r->lane[o->sub] = (int16_t)i->low;
    else
        report_lanes(chip, r, o->sub, i->low);
}

void residents_load(struct chip *chip, struct executor_program *loaded)
{
    const struct program *p = loaded->program;
    size_t before = chip->residents.count;
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        loaded->resident[n] = -1;
        if (t->slice < 0 || !fits(chip, p, t))
            continue;
        if (is_persistent(t))
            loaded->resident[n] = keep(chip, p, t);
        else if (t->kind == PROGRAM_TENSOR_ZERO || t->valid < t->count)
            keep_zero_rows(&chip->residents, p, t);
    }
    for (size_t n = 0; n < p->instructions; n++)
        learn_lane(chip, loaded, &p->instruction[n]);
    list_zero_rows(&chip->residents);
    overlap_check(chip, loaded, true);
    for (size_t n = 0; n + 1 < chip->loads && chip->residents.count > before; n++)
        overlap_check(chip, chip->loaded[n], false);
}

/* Vectors of a cache that hold positions before `position`. */
static int32_t filled(const struct resident *r, int32_t sub, int32_t position)
{
    if (r->lane[sub] < 0 || r->tile_positions < 16)
        return r->cache_rows;
    int32_t side = program_is_east(r->slice[sub]), tile = position / r->tile_positions;
    int32_t rest = position % r->tile_positions - r->lane[sub];
    int32_t whole = (tile + (side ? 0 : 1)) / 2 * (r->tile_positions / 16);
    int32_t rows = tile % 2 == side && rest > 0 ? whole + (rest + 15) / 16 : whole;
    return rows < r->cache_rows ? rows : r->cache_rows;
}

struct resident_rows residents_rows_from(const struct resident *r, int32_t sub,
                                         struct program_sequence sequence)
{
    int32_t first = sequence.cache * r->cache_rows;
    if (sequence.cache >= r->caches)
        return (struct resident_rows){0, 0};
    return (struct resident_rows){first + filled(r, sub, sequence.position), first + r->cache_rows};
}

struct resident_rows residents_rows_before(const struct resident *r, int32_t sub,
                                           struct program_sequence sequence)
{
    int32_t first = sequence.cache * r->cache_rows;
    if (sequence.cache >= r->caches)
        return (struct resident_rows){0, 0};
    return (struct resident_rows){first, first + filled(r, sub, sequence.position)};
}

void resident_write_row(struct resident *r, int32_t sub, int32_t row)
{
    r->written[(size_t)sub * r->words + (size_t)row / 64] |= UINT64_C(1) << (row % 64);
}

/* Those of rows [from, to) that are in the word of row `from`, as bits of it; *end is the row
 * behind them. */
static uint64_t bits_of(struct resident_rows rows, int32_t *end)
{
    int32_t next = (rows.from / 64 + 1) * 64;
    *end = next < rows.to ? next : rows.to;
    return UINT64_MAX >> (64 - (*end - rows.from)) << (rows.from % 64);
}

bool resident_rows_are_written(const struct resident *r, int32_t sub, struct resident_rows rows)
{
    const uint64_t *written = &r->written[(size_t)sub * r->words];
    for (int32_t end; rows.from < rows.to; rows.from = end) {
        uint64_t word = written[rows.from / 64], bits = bits_of(rows, &end);
        if (bits & ~word)
            return false;
    }
    return true;
}

static void forget_rows(struct resident *r, int32_t sub, struct resident_rows rows)
{
    uint64_t *written = &r->written[(size_t)sub * r->words];
    for (int32_t end; rows.from < rows.to; rows.from = end) {
        uint64_t *word = &written[rows.from / 64], bits = bits_of(rows, &end);
        *word &= ~bits;
    }
}

void residents_forget_from(struct residents *residents, struct program_sequence sequence)
{
    for (size_t n = 0; n < residents->count; n++) {
        struct resident *r = &residents->at[n];
        for (int32_t s = 0; s < r->subs && r->kind == PROGRAM_TENSOR_KV; s++)
            forget_rows(r, s, residents_rows_from(r, s, sequence));
    }
}

void residents_assume_before(struct residents *residents, struct program_sequence sequence)
{
    for (size_t n = 0; n < residents->count; n++) {
        struct resident *r = &residents->at[n];
        for (int32_t s = 0; s < r->subs && r->kind == PROGRAM_TENSOR_KV; s++) {
            struct resident_rows rows = residents_rows_before(r, s, sequence);
            for (int32_t row = rows.from; row < rows.to; row++)
                resident_write_row(r, s, row);
        }
    }
}
