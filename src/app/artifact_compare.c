/* SPDX-License-Identifier: BSD-3-Clause */
/* Two schedules side by side, a chip at a time. */
#include "app/artifact_compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lpu_slots.h"
#include "base/memory.h"

/* A program with its ops in the order of their names, and the instructions of each. */
struct side {
    const struct program *program;
    const struct lpu_chip *machine;
    struct app_lpu_slots slots;
    uint32_t *instruction; /* in the order of ops, then of operands */
    size_t *first;         /* of each op in `instruction`, and the end of the last */
};

/* Something with a name, a layer and a place among those that have the same. */
struct key {
    const char *name;
    int32_t layer;
    size_t number; /* in its program */
};

struct pairing {
    struct app_artifact_comparison *comparison;
    enum partition_phase phase;
    const struct side *x, *y;
    int32_t chip;
    int64_t layers; /* of the model; the compiler counts the head as one more */
};

int64_t app_artifact_changed(const struct app_artifact_changes *changes)
{
    int64_t sum = 0;
    for (int change = APP_ARTIFACT_SHIFTED + 1; change < APP_ARTIFACT_CHANGES; change++)
        sum += changes->count[change];
    return sum;
}

static struct app_artifact_changes *group_find(struct app_artifact_groups *groups, const char *name)
{
    for (size_t n = groups->count; n-- > 0;)
        if (!strcmp(groups->group[n].name, name))
            return &groups->group[n].changes;
    groups->group =
        base_grow(groups->group, &groups->capacity, groups->count + 1, sizeof *groups->group);
    struct app_artifact_group *group = &groups->group[groups->count++];
    snprintf(group->name, sizeof group->name, "%s", name);
    return &group->changes;
}

/* Adds changes of an op's instructions to all sums that they belong to. */
static void add_instructions(struct pairing *pair, const struct program_op *op,
                             const struct app_artifact_changes *changes)
{
    char layer[32] = "outside of layers", chip[32];
    struct app_artifact_comparison *c = pair->comparison;
    if (op->layer >= 0 && op->layer < pair->layers)
        snprintf(layer, sizeof layer, "layer %d", op->layer);
    snprintf(chip, sizeof chip, "chip %" PRId32, pair->chip);
    struct app_artifact_changes *sum[] = {&c->changes[pair->phase][APP_ARTIFACT_INSTRUCTIONS],
                                          group_find(&c->op, op->name),
                                          group_find(&c->layer, layer), group_find(&c->chip, chip)};
    for (size_t n = 0; n < sizeof sum / sizeof sum[0]; n++)
        for (int change = 0; change < APP_ARTIFACT_CHANGES; change++)
            sum[n]->count[change] += changes->count[change];
}

static int by_name(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    if (order)
        return order;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* Whether a key comes before, with, or after another; the place among equals aside. */
static int key_compare(const struct key *x, const struct key *y)
{
    int order = strcmp(x->name, y->name);
    return order ? order : (x->layer > y->layer) - (x->layer < y->layer);
}

/* Walks two sorted lists; calls with a key of both, or with NULL where one side has none. */
static void pair_keys(struct key *x, size_t xs, struct key *y, size_t ys,
                      void (*meet)(struct pairing *, const struct key *, const struct key *),
                      struct pairing *pair)
{
    qsort(x, xs, sizeof *x, by_name);
    qsort(y, ys, sizeof *y, by_name);
    for (size_t n = 0, k = 0; n < xs || k < ys;) {
        int order = n == xs ? 1 : k == ys ? -1 : key_compare(&x[n], &y[k]);
        meet(pair, order <= 0 ? &x[n] : NULL, order >= 0 ? &y[k] : NULL);
        n += order <= 0;
        k += order >= 0;
    }
}

static bool is_same_tensor(const struct program *p, int32_t a, const struct program *q, int32_t b)
{
    if (a < 0 || b < 0)
        return a == b;
    return p->tensor[a].layer == q->tensor[b].layer &&
           !strcmp(p->tensor[a].name, q->tensor[b].name);
}

static bool operands_are_same(const struct program *p, const struct program_instruction *i,
                              const struct program *q, const struct program_instruction *j)
{
    for (uint32_t k = 0; k < (uint32_t)i->inputs + i->outputs; k++) {
        struct program_operand a = p->operand[i->operand + k], b = q->operand[j->operand + k];
        bool same = is_same_tensor(p, a.tensor, q, b.tensor);
        a.tensor = b.tensor = 0;
        if (!same || memcmp(&a, &b, sizeof a))
            return false;
    }
    return true;
}

/* An instruction without what says where and when it is. */
static struct program_instruction stripped(const struct program_instruction *i)
{
    struct program_instruction bare;
    memset(&bare, 0, sizeof bare);
    memcpy(&bare, i, offsetof(struct program_instruction, sequence) + sizeof i->sequence);
    bare.cycle = bare.address = bare.op = 0;
    bare.operand = 0;
    return bare;
}

static enum app_artifact_change change_of(const struct side *x, const struct program_instruction *i,
                                          const struct side *y, const struct program_instruction *j)
{
    struct program_instruction a = stripped(i), b = stripped(j);
    int64_t from = x->program->op[i->op].start_cycle, to = y->program->op[j->op].start_cycle;
    if (memcmp(&a, &b, sizeof a) || !operands_are_same(x->program, i, y->program, j))
        return APP_ARTIFACT_REWRITTEN;
    if (i->address != j->address)
        return APP_ARTIFACT_MOVED;
    if (i->cycle - from != j->cycle - to)
        return APP_ARTIFACT_RETIMED;
    return i->cycle == j->cycle ? APP_ARTIFACT_SAME : APP_ARTIFACT_SHIFTED;
}

static size_t instructions_of(const struct side *s, const struct key *op)
{
    return op ? s->first[op->number + 1] - s->first[op->number] : 0;
}

static void meet_ops(struct pairing *pair, const struct key *a, const struct key *b)
{
    const struct side *x = pair->x, *y = pair->y;
    struct app_artifact_changes changes = {{0}};
    size_t xs = instructions_of(x, a), ys = instructions_of(y, b), both = xs < ys ? xs : ys;
    for (size_t n = 0; n < both; n++) {
        uint32_t i = x->instruction[x->first[a->number] + n];
        uint32_t j = y->instruction[y->first[b->number] + n];
        changes.count[change_of(x, &x->program->instruction[i], y, &y->program->instruction[j])]++;
    }
    changes.count[APP_ARTIFACT_REMOVED] = (int64_t)(xs - both);
    changes.count[APP_ARTIFACT_ADDED] = (int64_t)(ys - both);
    add_instructions(pair, a ? &x->program->op[a->number] : &y->program->op[b->number], &changes);
}

static bool is_placed_alike(const struct program *p, const struct program_tensor *a,
                            const struct program *q, const struct program_tensor *b)
{
    if (a->slice < 0 || b->slice < 0)
        return a->slice < 0 && b->slice < 0;
    for (int32_t j = 0; j < a->subs; j++)
        if (p->slice[a->slice + j] != q->slice[b->slice + j] ||
            program_tensor_address(p, a, j) != program_tensor_address(q, b, j))
            return false;
    return true;
}

static enum app_artifact_change tensor_change(const struct pairing *pair, const struct key *a,
                                              const struct key *b)
{
    if (!a || !b)
        return a ? APP_ARTIFACT_REMOVED : APP_ARTIFACT_ADDED;
    const struct program *p = pair->x->program, *q = pair->y->program;
    const struct program_tensor *t = &p->tensor[a->number], *u = &q->tensor[b->number];
    if (t->kind != u->kind || t->dtype != u->dtype || t->subs != u->subs || t->count != u->count ||
        t->valid != u->valid || t->caches != u->caches)
        return APP_ARTIFACT_REWRITTEN;
    if (!is_placed_alike(p, t, q, u))
        return APP_ARTIFACT_MOVED;
    bool same = t->live_from == u->live_from && t->live_to == u->live_to;
    return same ? APP_ARTIFACT_SAME : APP_ARTIFACT_SHIFTED;
}

static void meet_tensors(struct pairing *pair, const struct key *a, const struct key *b)
{
    pair->comparison->changes[pair->phase][APP_ARTIFACT_TENSORS].count[tensor_change(pair, a, b)]++;
}

static enum app_artifact_change slot_change(const struct pairing *pair, const struct key *a,
                                            const struct key *b)
{
    if (!a || !b)
        return a ? APP_ARTIFACT_REMOVED : APP_ARTIFACT_ADDED;
    const struct record_lpu_slot *s = &pair->x->slots.slot[a->number];
    const struct record_lpu_slot *t = &pair->y->slots.slot[b->number];
    if (s->vectors != t->vectors || s->interval_cycles != t->interval_cycles)
        return APP_ARTIFACT_REWRITTEN;
    if (s->link != t->link || s->to_chip != t->to_chip)
        return APP_ARTIFACT_MOVED;
    return s->departure_cycle == t->departure_cycle ? APP_ARTIFACT_SAME : APP_ARTIFACT_SHIFTED;
}

static void meet_slots(struct pairing *pair, const struct key *a, const struct key *b)
{
    pair->comparison->changes[pair->phase][APP_ARTIFACT_SLOTS].count[slot_change(pair, a, b)]++;
}

static struct key *op_keys(const struct program *p)
{
    struct key *key = base_alloc(p->ops, sizeof *key);
    for (size_t n = 0; n < p->ops; n++)
        key[n] = (struct key){p->op[n].name, p->op[n].layer, n};
    return key;
}

static struct key *tensor_keys(const struct program *p)
{
    struct key *key = base_alloc(p->tensors, sizeof *key);
    for (size_t n = 0; n < p->tensors; n++)
        key[n] = (struct key){p->tensor[n].name, p->tensor[n].layer, n};
    return key;
}

/* Slots that bring the same tensor to the same chip have one key; layers are below 2^15. */
static struct key *slot_keys(const struct side *s)
{
    struct key *key = base_alloc(s->slots.count, sizeof *key);
    for (size_t n = 0; n < s->slots.count; n++) {
        const struct record_lpu_slot *slot = &s->slots.slot[n];
        const struct program_tensor *t = &s->program->tensor[slot->tensor];
        key[n] = (struct key){t->name, (slot->to_chip << 16) + t->layer, n};
    }
    return key;
}

static void pair_things(struct pairing *pair)
{
    const struct program *p = pair->x->program, *q = pair->y->program;
    struct key *key[APP_ARTIFACT_THINGS][2] = {
        [APP_ARTIFACT_INSTRUCTIONS] = {op_keys(p), op_keys(q)},
        [APP_ARTIFACT_TENSORS] = {tensor_keys(p), tensor_keys(q)},
        [APP_ARTIFACT_SLOTS] = {slot_keys(pair->x), slot_keys(pair->y)}};
    pair_keys(key[APP_ARTIFACT_INSTRUCTIONS][0], p->ops, key[APP_ARTIFACT_INSTRUCTIONS][1], q->ops,
              meet_ops, pair);
    pair_keys(key[APP_ARTIFACT_TENSORS][0], p->tensors, key[APP_ARTIFACT_TENSORS][1], q->tensors,
              meet_tensors, pair);
    pair_keys(key[APP_ARTIFACT_SLOTS][0], pair->x->slots.count, key[APP_ARTIFACT_SLOTS][1],
              pair->y->slots.count, meet_slots, pair);
    for (int thing = 0; thing < APP_ARTIFACT_THINGS; thing++) {
        base_free(key[thing][0]);
        base_free(key[thing][1]);
    }
}

/* Instructions by op; within one, in the order of their operands. */
static void group_by_op(struct side *s)
{
    const struct program *p = s->program;
    uint32_t *owner = base_alloc(p->operands, sizeof *owner);
    s->first = base_alloc(p->ops + 2, sizeof *s->first);
    s->instruction = base_alloc(p->instructions, sizeof *s->instruction);
    for (size_t n = 0; n < p->instructions; n++) {
        owner[p->instruction[n].operand] = (uint32_t)n + 1;
        s->first[p->instruction[n].op + 2]++;
    }
    for (size_t n = 1; n < p->ops; n++)
        s->first[n + 1] += s->first[n];
    for (size_t k = 0; k < p->operands; k++)
        if (owner[k])
            s->instruction[s->first[p->instruction[owner[k] - 1].op + 1]++] = owner[k] - 1;
    base_free(owner);
}

static struct side side_open(const struct app_artifact *a, const struct lpu_topology *topology,
                             enum partition_phase phase, const struct program *program)
{
    struct side s = {.program = program, .machine = &a->scenario.lpu_chip};
    group_by_op(&s);
    app_lpu_slots_add(&s.slots, s.machine, topology, &a->outline, phase, program);
    return s;
}

static void side_close(struct side *s)
{
    app_lpu_slots_release(&s->slots);
    base_free(s->instruction);
    base_free(s->first);
}

/* One of the two artifacts, with its wires. */
struct end {
    const struct app_artifact *artifact;
    struct lpu_topology topology;
};

/* A chip that one of the two lacks has no instruction there. */
static bool compare_chip(const struct end end[2], int32_t chip,
                         struct app_artifact_comparison *comparison, struct base_report *report)
{
    struct program program[2][PARTITION_PHASES] = {{{0}}};
    bool sound = true;
    for (int n = 0; n < 2; n++)
        if (chip < app_artifact_chips(end[n].artifact))
            sound = app_artifact_programs(end[n].artifact, chip, program[n], report) && sound;
    for (int phase = 0; phase < PARTITION_PHASES && sound; phase++) {
        struct side side[2];
        for (int n = 0; n < 2; n++)
            side[n] = side_open(end[n].artifact, &end[n].topology, (enum partition_phase)phase,
                                &program[n][phase]);
        struct pairing pair = {comparison, (enum partition_phase)phase,  &side[0], &side[1],
                               chip,       end[0].artifact->model.layers};
        pair_things(&pair);
        side_close(&side[0]);
        side_close(&side[1]);
    }
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        program_release(&program[0][phase]);
        program_release(&program[1][phase]);
    }
    return sound;
}

static bool end_open(struct end *end, const struct app_artifact *a, struct base_report *report)
{
    *end = (struct end){.artifact = a};
    return lpu_topology_build(&end->topology, &a->scenario.lpu_rack, &a->scenario.lpu_chip, report);
}

bool app_artifact_compare(const struct app_artifact *x, const struct app_artifact *y,
                          struct app_artifact_comparison *comparison, struct base_report *report)
{
    struct end end[2] = {{0}};
    int32_t xs = app_artifact_chips(x), ys = app_artifact_chips(y), chips = xs > ys ? xs : ys;
    bool wired[2] = {end_open(&end[0], x, report), end_open(&end[1], y, report)};
    bool sound = wired[0] && wired[1];
    for (int32_t chip = 0; chip < chips && sound; chip++)
        sound = compare_chip(end, chip, comparison, report);
    for (int n = 0; n < 2; n++)
        if (wired[n])
            lpu_topology_release(&end[n].topology);
    return sound;
}

void app_artifact_comparison_release(struct app_artifact_comparison *c)
{
    base_free(c->op.group);
    base_free(c->layer.group);
    base_free(c->chip.group);
    *c = (struct app_artifact_comparison){0};
}
