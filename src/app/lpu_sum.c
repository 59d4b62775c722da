/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of all chips add up to: decisions, load of units, and where the cycles go.
 *
 * Shares are found by a sweep over intervals: chips of a group work in step and stages one after
 * the other, so that a cycle in which any chip streams weights is spent on weights, and one in
 * which only vectors fly is spent on links. */
#include <stdlib.h>
#include <string.h>

#include "app/lpu.h"
#include "base/memory.h"
#include "parallel/copies.h"

struct interval {
    int64_t from, to;
};

struct intervals {
    struct interval *item;
    size_t count, capacity;
};

const char *app_lpu_share_name(enum app_lpu_share share)
{
    static const char *const name[APP_LPU_SHARES] = {"weight streaming", "attention",
                                                     "norms, gates, drain", "links and hops",
                                                     "barrier, transit"};
    return name[share];
}

int64_t app_lpu_send_cycles(const struct lpu_chip *machine, const struct program_instruction *send)
{
    return (int64_t)send->count[0] * send->count[1] * machine_link_slot_cycles(machine);
}

/* Last issue of all repeats, plus one. */
static int64_t issue_end(const struct program_instruction *i)
{
    return i->cycle + (int64_t)(i->count[0] - 1) * i->interval[0] +
           (int64_t)(i->count[1] - 1) * i->interval[1] + 1;
}

static void add(struct intervals *list, int64_t from, int64_t to)
{
    list->item = base_grow(list->item, &list->capacity, list->count + 1, sizeof *list->item);
    list->item[list->count++] = (struct interval){from, to};
}

static bool is_attention(const char *op)
{
    static const char *const prefix[] = {"rope", "kv", "scores", "softmax", "values"};
    for (size_t i = 0; i < sizeof prefix / sizeof prefix[0]; i++)
        if (!strncmp(op, prefix[i], strlen(prefix[i])))
            return true;
    return false;
}

static bool loads_weights(const struct program *p, const struct program_instruction *i)
{
    return i->opcode == PROGRAM_MXM_LOAD &&
           p->tensor[p->operand[i->operand].tensor].kind == PROGRAM_TENSOR_WEIGHT;
}

/* Weight loads, flights of vectors, and which ops use links. */
static void add_instructions(const struct lpu_chip *machine, const struct program *p,
                             struct intervals *list, bool *uses_links)
{
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        if (loads_weights(p, i))
            add(&list[APP_LPU_WEIGHTS], i->cycle, issue_end(i));
        if (i->opcode == PROGRAM_C2C_SEND) {
            int64_t departure = machine->c2c_send_skew_cycles;
            add(&list[APP_LPU_LINKS], i->cycle + departure,
                issue_end(i) + departure + machine->c2c_hop_cycles);
        }
        if (i->opcode == PROGRAM_C2C_SEND || i->opcode == PROGRAM_C2C_RECEIVE)
            uses_links[i->op] = true;
    }
}

static void add_program(const struct lpu_chip *machine, const struct program *p,
                        struct intervals *list)
{
    bool *uses_links = base_alloc(p->ops, sizeof *uses_links);
    add_instructions(machine, p, list, uses_links);
    for (size_t n = 0; n < p->ops; n++) {
        const struct program_op *op = &p->op[n];
        enum app_lpu_share share = is_attention(op->name) ? APP_LPU_ATTENTION : APP_LPU_VECTOR;
        add(&list[uses_links[n] ? APP_LPU_LINKS : share], op->start_cycle, op->end_cycle);
    }
    base_free(uses_links);
}

static int by_start(const void *a, const void *b)
{
    const struct interval *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Sorts and merges what touches. */
static void unite(struct intervals *list)
{
    size_t kept = 0;
    if (list->count > 0)
        qsort(list->item, list->count, sizeof *list->item, by_start);
    for (size_t i = 0; i < list->count; i++) {
        struct interval *last = kept ? &list->item[kept - 1] : NULL, next = list->item[i];
        if (last && next.from <= last->to)
            last->to = next.to > last->to ? next.to : last->to;
        else
            list->item[kept++] = next;
    }
    list->count = kept;
}

/* Collective. The union over all ranks on the first; empty elsewhere. */
static void unite_ranks(struct intervals *list)
{
    size_t bytes;
    unite(list);
    struct interval *all = parallel_gather(list->item, list->count * sizeof *all, &bytes);
    base_free(list->item);
    *list = (struct intervals){all, bytes / sizeof *all, bytes / sizeof *all};
    unite(list);
}

/* Adds `more` to a united list; returns by how many cycles it grew within [0, length). */
static int64_t extend(struct intervals *list, const struct intervals *more, int64_t length)
{
    int64_t before = 0, after = 0;
    for (size_t i = 0; i < list->count; i++)
        before += list->item[i].to - list->item[i].from;
    for (size_t i = 0; i < more->count; i++) {
        struct interval x = more->item[i];
        int64_t from = x.from > 0 ? x.from : 0, to = x.to < length ? x.to : length;
        if (from < to)
            add(list, from, to);
    }
    unite(list);
    for (size_t i = 0; i < list->count; i++)
        after += list->item[i].to - list->item[i].from;
    return after - before;
}

/* Collective. */
static void share_out(struct app_lpu *lpu, const struct lpu_chip *machine,
                      enum partition_phase phase)
{
    struct intervals list[APP_LPU_SHARES] = {{0}}, all = {0};
    int64_t length = lpu->outline.length_cycles[phase];
    int64_t *share = lpu->sums[phase].share_cycles;
    for (int64_t i = 0; i < lpu->block.count; i++)
        add_program(machine, &lpu->own[i].program[phase], list);
    for (int kind = 0; kind < APP_LPU_NOTHING; kind++) {
        unite_ranks(&list[kind]);
        share[kind] = extend(&all, &list[kind], length);
        base_free(list[kind].item);
    }
    share[APP_LPU_NOTHING] = length;
    for (int kind = 0; kind < APP_LPU_NOTHING; kind++)
        share[APP_LPU_NOTHING] -= share[kind];
    base_free(all.item);
    parallel_broadcast(share, APP_LPU_SHARES * sizeof *share);
}

/* Cycles in use of each queue of a chip. */
static void add_queue(const struct lpu_chip *machine, const struct program_instruction *i,
                      int64_t *busy)
{
    int64_t repeats = (int64_t)i->count[0] * i->count[1];
    bool send = i->opcode == PROGRAM_C2C_SEND;
    busy[i->queue] += send ? app_lpu_send_cycles(machine, i) : repeats;
}

static int64_t busiest(const int64_t *busy, int32_t from, int32_t to)
{
    int64_t most = 0;
    for (int32_t queue = from; queue < to; queue++)
        most = busy[queue] > most ? busy[queue] : most;
    return most;
}

static int64_t busiest_plane(const struct lpu_chip *machine, const int64_t *busy)
{
    int64_t most = 0;
    for (int32_t plane = 0; plane < machine->mxm_planes; plane++) {
        int64_t compute = busy[PROGRAM_QUEUE_MXM + PROGRAM_MXM_QUEUES * plane + 2];
        most = compute > most ? compute : most;
    }
    return most;
}

static void keep_most(int64_t *most, int64_t value)
{
    *most = value > *most ? value : *most;
}

static void sum_program(struct app_lpu_program *sums, const struct lpu_chip *machine,
                        const struct program *p)
{
    int64_t busy[PROGRAM_QUEUES] = {0};
    struct partition_decisions d = plan_decisions(p);
    sums->decisions.placements += d.placements;
    sums->decisions.issues += d.issues;
    sums->decisions.repeats += d.repeats;
    sums->decisions.slots += d.slots;
    sums->decisions.routes += d.routes;
    sums->instructions += (int64_t)p->instructions;
    sums->tensors += (int64_t)p->tensors;
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        add_queue(machine, i, busy);
        if (i->opcode == PROGRAM_MXM_LOAD)
            sums->load_stream_cycles +=
                (int64_t)i->count[0] * i->count[1] * p->operand[i->operand].streams;
        if (i->opcode == PROGRAM_C2C_SEND)
            sums->link_cycles += app_lpu_send_cycles(machine, i);
    }
    keep_most(&sums->busiest_link_cycles, busiest(busy, PROGRAM_QUEUE_SEND, PROGRAM_QUEUE_RECEIVE));
    keep_most(&sums->busiest_vxm_cycles, busiest(busy, PROGRAM_QUEUE_VXM, PROGRAM_QUEUE_MXM));
    keep_most(&sums->busiest_compute_cycles, busiest_plane(machine, busy));
}

/* Collective. */
static void agree_sums(struct app_lpu_program *sums)
{
    struct partition_decisions *d = &sums->decisions;
    int64_t sum[] = {d->placements,    d->issues,          d->repeats,    d->slots,
                     d->routes,        sums->instructions, sums->tensors, sums->load_stream_cycles,
                     sums->link_cycles};
    int64_t most[] = {sums->busiest_link_cycles, sums->busiest_vxm_cycles,
                      sums->busiest_compute_cycles};
    parallel_sum_i64(sum, sizeof sum / sizeof sum[0]);
    parallel_max_i64(most, sizeof most / sizeof most[0]);
    *d = (struct partition_decisions){.placements = sum[0],
                                      .issues = sum[1],
                                      .repeats = sum[2],
                                      .slots = sum[3],
                                      .routes = sum[4]};
    sums->instructions = sum[5];
    sums->tensors = sum[6];
    sums->load_stream_cycles = sum[7];
    sums->link_cycles = sum[8];
    sums->busiest_link_cycles = most[0];
    sums->busiest_vxm_cycles = most[1];
    sums->busiest_compute_cycles = most[2];
}

void app_lpu_sum(struct app_lpu *lpu, const struct lpu_chip *machine)
{
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        if (!app_lpu_has_phase(lpu, (enum partition_phase)phase))
            continue;
        for (int64_t i = 0; i < lpu->block.count; i++)
            sum_program(&lpu->sums[phase], machine, &lpu->own[i].program[phase]);
        agree_sums(&lpu->sums[phase]);
        share_out(lpu, machine, (enum partition_phase)phase);
    }
}
