/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of all chips add up to: decisions, and the load of streams and links. */
#include "app/lpu.h"

int64_t app_lpu_send_cycles(const struct lpu_chip *machine, const struct program_instruction *send)
{
    return (int64_t)send->count[0] * send->count[1] * machine_link_slot_cycles(machine);
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
}

/* Collective. */
static void agree_sums(struct app_lpu_program *sums)
{
    struct partition_decisions *d = &sums->decisions;
    int64_t sum[] = {d->placements,    d->issues,          d->repeats,    d->slots,
                     d->routes,        sums->instructions, sums->tensors, sums->load_stream_cycles,
                     sums->link_cycles};
    parallel_sum_i64(sum, sizeof sum / sizeof sum[0]);
    parallel_max_i64(&sums->busiest_link_cycles, 1);
    *d = (struct partition_decisions){.placements = sum[0],
                                      .issues = sum[1],
                                      .repeats = sum[2],
                                      .slots = sum[3],
                                      .routes = sum[4]};
    sums->instructions = sum[5];
    sums->tensors = sum[6];
    sums->load_stream_cycles = sum[7];
    sums->link_cycles = sum[8];
}

void app_lpu_sum(struct app_lpu *lpu, const struct lpu_chip *machine)
{
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        if (!app_lpu_has_phase(lpu, (enum partition_phase)phase))
            continue;
        for (int64_t i = 0; i < lpu->block.count; i++)
            sum_program(&lpu->sums[phase], machine, &lpu->own[i].program[phase]);
        agree_sums(&lpu->sums[phase]);
    }
}
