/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a chip: load, begin, run, finish. */
#include "chip/chip.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "chip/executor.h"
#include "chip/experts.h"

static void set_timing(struct chip *chip)
{
    const struct lpu_chip *m = chip->machine;
    const struct executor_timing timing[PROGRAM_OPCODES] = {
        [PROGRAM_MEM_READ] = {0, m->mem_read_cycles, m->mem_read_cycles},
        [PROGRAM_MEM_WRITE] = {m->mem_write_skew_cycles, 0, 0},
        [PROGRAM_MXM_LOAD] = {m->mxm_load_skew_cycles, 0, 0},
        [PROGRAM_MXM_INSTALL] = {0, 0, m->mxm_install_cycles},
        [PROGRAM_MXM_COMPUTE] = {m->mxm_compute_skew_cycles, m->mxm_compute_cycles,
                                 m->mxm_compute_cycles},
        [PROGRAM_VXM] = {m->vxm_skew_cycles, m->vxm_alu_cycles, m->vxm_alu_cycles},
        [PROGRAM_SXM_PERMUTE] = {m->sxm_skew_cycles, m->sxm_cycles, m->sxm_cycles},
        [PROGRAM_SXM_TRANSPOSE] = {m->sxm_skew_cycles, m->sxm_transpose_cycles,
                                   m->sxm_transpose_cycles},
        [PROGRAM_C2C_SEND] = {m->c2c_send_skew_cycles, 0, 0},
        [PROGRAM_C2C_RECEIVE] = {0, m->c2c_receive_cycles, m->c2c_receive_cycles},
    };
    memcpy(chip->timing, timing, sizeof timing);
}

struct chip *chip_create(const struct lpu_chip *machine, const struct lpu_topology *topology,
                         int32_t chip_id)
{
    struct chip *chip = base_alloc(1, sizeof *chip);
    chip->machine = machine;
    chip->topology = topology;
    chip->id = chip_id;
    chip->step = -1;
    set_timing(chip);
    for (int32_t q = 0; q < PROGRAM_QUEUES; q++)
        chip->position[q] = (int16_t)program_queue_position(machine, q);
    streams_create(chip);
    sram_create(chip);
    mxm_create(chip);
    return chip;
}

static void release_program(struct executor_program *loaded)
{
    order_release(&loaded->order);
    base_free(loaded->resident);
    base_free(loaded->head);
    base_free(loaded->is_read);
}

void chip_destroy(struct chip *chip)
{
    if (!chip)
        return;
    for (size_t n = 0; n < chip->loads; n++)
        release_program(&chip->loaded[n]);
    base_free(chip->loaded);
    streams_release(&chip->streams);
    sram_release(chip);
    mxm_release(&chip->mxm);
    links_release(&chip->links);
    residents_release(&chip->residents);
    values_release(chip->values);
    base_free(chip->op);
    base_free(chip->violation);
    base_free(chip);
}

static const struct executor_program *find_program(const struct chip *chip,
                                                   const struct program *program)
{
    for (size_t n = 0; n < chip->loads; n++)
        if (chip->loaded[n].program == program)
            return &chip->loaded[n];
    return NULL;
}

bool executor_is_in_slices(const struct chip *chip, const struct program *program,
                           const struct program_tensor *tensor)
{
    for (int32_t s = 0; s < tensor->subs; s++) {
        int64_t row = program_tensor_address(program, tensor, s);
        if (row < 0 || row + tensor->count > chip->machine->vectors_per_slice)
            return false;
    }
    return true;
}

/* Lists of row accesses for what is written and read in the order of time. */
static void number_lists(const struct chip *chip, struct executor_program *loaded)
{
    const struct program *p = loaded->program;
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        bool ordered = t->kind == PROGRAM_TENSOR_ACTIVATION ||
                       (t->kind == PROGRAM_TENSOR_KV && loaded->resident[n] >= 0);
        loaded->head[n] = -1;
        if (!ordered || t->slice < 0 || !executor_is_in_slices(chip, p, t))
            continue;
        loaded->head[n] = loaded->heads;
        loaded->heads += t->subs;
    }
}

static void list_read(struct executor_program *loaded)
{
    const struct program *p = loaded->program;
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        for (uint32_t k = 1; i->opcode == PROGRAM_MEM_READ && k <= i->outputs; k++)
            if (k == 1 || p->operand[i->operand + i->outputs - k].kind == PROGRAM_EXPECT)
                loaded->is_read[p->operand[i->operand + i->outputs - k].tensor] = true;
    }
}

/* A queue holds its instructions of all loaded programs: which one runs is known a step ahead. */
static void check_queue_capacity(struct chip *chip, const struct program *program)
{
    int32_t more[PROGRAM_QUEUES] = {0}, most = chip->machine->queue_capacity_instructions;
    for (size_t n = 0; n < program->instructions; n++)
        more[program->instruction[n].queue]++;
    for (int32_t q = 0; q < PROGRAM_QUEUES; q++) {
        chip->queued[q] += more[q];
        if (chip->queued[q] <= most || !more[q])
            continue;
        struct chip_violation *v =
            executor_report(chip, CHIP_RULE_CAPACITY, EXECUTOR_NO_INSTRUCTION, 0);
        v->queue = q;
        snprintf(v->expected, sizeof v->expected, "up to %d instructions", most);
        snprintf(v->found, sizeof v->found, "%d instructions", chip->queued[q]);
    }
}

void chip_load(struct chip *chip, const struct program *program)
{
    if (find_program(chip, program))
        return;
    chip->loaded =
        base_grow(chip->loaded, &chip->load_capacity, chip->loads + 1, sizeof *chip->loaded);
    struct executor_program *loaded = &chip->loaded[chip->loads++];
    *loaded = (struct executor_program){
        .program = program,
        .order = order_create(program),
        .resident = base_alloc(program->tensors, sizeof *loaded->resident),
        .head = base_alloc(program->tensors, sizeof *loaded->head),
        .is_read = base_alloc(program->tensors, sizeof *loaded->is_read),
    };
    check_queue_capacity(chip, program);
    residents_load(chip, loaded);
    number_lists(chip, loaded);
    list_read(loaded);
}

static int32_t tokens_needed(const struct program *program)
{
    int32_t most = 0;
    for (size_t n = 0; n < program->instructions; n++) {
        const struct program_instruction *i = &program->instruction[n];
        if (i->address_mode == PROGRAM_ADDRESS_TOKEN && i->count[1] > most)
            most = i->count[1];
    }
    return most;
}

/* Of the KV tensor that has the fewest; as many as there can be where there is none. */
static int32_t least_caches(const struct program *program)
{
    int32_t least = PROGRAM_SEQUENCES;
    for (size_t n = 0; n < program->tensors; n++) {
        const struct program_tensor *t = &program->tensor[n];
        if (t->kind == PROGRAM_TENSOR_KV && t->caches < least)
            least = t->caches;
    }
    return least;
}

static void check_sequences(const struct program *program, const struct program_runtime *runtime,
                            struct base_report *report)
{
    const int32_t most_positions = 1 << 24, caches = least_caches(program);
    uint64_t taken = 0;
    for (int32_t s = 0; s < program->sequences; s++) {
        const struct program_sequence *at = &runtime->sequence[s];
        bool known = at->cache >= 0 && at->cache < caches;
        if (at->position < 0 || at->position > most_positions)
            base_report_add(report, NULL, 0, "chip %d: a step starts at row 0 to %d, not %d",
                            program->chip, most_positions, at->position);
        if (!known || taken >> at->cache & 1)
            base_report_add(report, NULL, 0,
                            "chip %d: sequence %d has cache %d; each has one of 0 to %d for itself",
                            program->chip, s, at->cache, caches - 1);
        taken |= known ? UINT64_C(1) << at->cache : 0;
    }
}

static bool runtime_fits(const struct program *program, const struct program_runtime *runtime,
                         struct base_report *report)
{
    size_t before = report->count;
    int32_t needed = tokens_needed(program);
    check_sequences(program, runtime, report);
    if (runtime->tokens < needed || (needed && !runtime->token))
        base_report_add(report, NULL, 0, "chip %d: the program takes %d tokens, not %d",
                        program->chip, needed, runtime->token ? runtime->tokens : 0);
    return report->count == before;
}

bool chip_begin(struct chip *chip, const struct program *program,
                const struct program_runtime *runtime, struct base_report *report)
{
    const struct executor_program *loaded = find_program(chip, program);
    assert(loaded && "a program is loaded before it is begun");
    if (!runtime_fits(program, runtime, report) ||
        !experts_fit(program, runtime, chip->values != NULL, report))
        return false;
    chip->current = loaded;
    chip->program = program;
    chip->runtime = *runtime;
    chip->step++;
    chip->next = 0;
    chip->statistics = (struct chip_statistics){.instructions = (int64_t)program->instructions};
    for (int32_t q = 0; q < PROGRAM_QUEUES; q++)
        chip->busy_until[q] = chip->pair_until[q] = INT64_MIN;
    chip->op = base_grow(chip->op, &chip->op_capacity, program->ops, sizeof *chip->op);
    for (size_t n = 0; n < program->ops; n++)
        chip->op[n] = (struct executor_op){INT64_MAX, INT64_MIN};
    for (int32_t s = 0; s < program->sequences; s++)
        residents_forget_from(&chip->residents, runtime->sequence[s]);
    sram_begin(chip);
    links_begin(chip);
    if (chip->values)
        values_begin(chip);
    return true;
}

static void check_queue(struct chip *chip, const struct program_instruction *i)
{
    int64_t end = order_last_issue(i) + 1;
    if (i->cycle < chip->busy_until[i->queue]) {
        struct chip_violation *v =
            executor_report(chip, CHIP_RULE_QUEUE, executor_number(chip, i), i->cycle);
        snprintf(v->expected, sizeof v->expected, "an issue at %lld or later",
                 (long long)chip->busy_until[i->queue]);
        snprintf(v->found, sizeof v->found, "an issue at %lld", (long long)i->cycle);
    }
    if (end > chip->busy_until[i->queue])
        chip->busy_until[i->queue] = end;
}

/* An fp16 instruction uses the same queue of the odd plane as well. */
static void check_pair(struct chip *chip, const struct program_instruction *i)
{
    bool fp16 = i->flags & PROGRAM_FP16;
    int32_t pair = i->queue + PROGRAM_MXM_QUEUES;
    int64_t held = fp16 ? chip->busy_until[pair] : chip->pair_until[i->queue];
    if (i->cycle < held) {
        struct chip_violation *v =
            executor_report(chip, CHIP_RULE_MXM, executor_number(chip, i), i->cycle);
        snprintf(v->expected, sizeof v->expected, "both planes free at %lld", (long long)i->cycle);
        snprintf(v->found, sizeof v->found, "the %s plane busy until %lld", fp16 ? "odd" : "fp16",
                 (long long)held);
    }
    int64_t end = order_last_issue(i) + 1;
    if (fp16 && end > chip->pair_until[pair])
        chip->pair_until[pair] = end;
}

static bool is_mxm(const struct program_instruction *i)
{
    return i->opcode == PROGRAM_MXM_LOAD || i->opcode == PROGRAM_MXM_INSTALL ||
           i->opcode == PROGRAM_MXM_COMPUTE;
}

static void note_times(struct chip *chip, const struct program_instruction *i)
{
    struct executor_op *op = &chip->op[i->op];
    int64_t end = order_last_issue(i) + 1 + chip->timing[i->opcode].tail;
    op->start = i->cycle < op->start ? i->cycle : op->start;
    op->end = end > op->end ? end : op->end;
    if (end > chip->statistics.executed_length_cycles)
        chip->statistics.executed_length_cycles = end;
}

static void note_busy(struct chip *chip, const struct program_instruction *i)
{
    static const enum chip_unit unit[PROGRAM_OPCODES] = {[PROGRAM_MEM_READ] = CHIP_MEM,
                                                         [PROGRAM_MEM_WRITE] = CHIP_MEM,
                                                         [PROGRAM_MXM_LOAD] = CHIP_MXM_LOAD,
                                                         [PROGRAM_MXM_INSTALL] = CHIP_MXM_LOAD,
                                                         [PROGRAM_MXM_COMPUTE] = CHIP_MXM_COMPUTE,
                                                         [PROGRAM_VXM] = CHIP_VXM,
                                                         [PROGRAM_SXM_PERMUTE] = CHIP_SXM,
                                                         [PROGRAM_SXM_TRANSPOSE] = CHIP_SXM,
                                                         [PROGRAM_C2C_SEND] = CHIP_C2C,
                                                         [PROGRAM_C2C_RECEIVE] = CHIP_C2C};
    if (unit[i->opcode] != CHIP_C2C)
        chip->statistics.busy_cycles[unit[i->opcode]] += (int64_t)i->count[0] * i->count[1];
}

static void open_instruction(struct chip *chip, const struct program_instruction *i)
{
    check_queue(chip, i);
    if (is_mxm(i))
        check_pair(chip, i);
    note_times(chip, i);
    note_busy(chip, i);
}

static void execute(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    if (run->opens)
        open_instruction(chip, i);
    streams_execute(chip, run);
    if (chip->values)
        values_note(chip, run);
    if (i->opcode == PROGRAM_MEM_READ || i->opcode == PROGRAM_MEM_WRITE)
        sram_execute(chip, run);
    else if (is_mxm(i))
        mxm_execute(chip, run);
    else if (i->opcode == PROGRAM_C2C_SEND)
        links_send(chip, run);
    else if (i->opcode == PROGRAM_C2C_RECEIVE)
        links_receive(chip, run);
}

static struct run next_run(const struct chip *chip)
{
    return order_run(chip->program, chip->current->order.entry[chip->next]);
}

/* Numbers up to `cycle`; false at a receive whose vector is not here. */
static bool compute_before(struct chip *chip, int64_t cycle)
{
    chip->waiting = chip->values ? values_advance(chip, cycle) : NULL;
    return !chip->waiting;
}

enum chip_state chip_run(struct chip *chip)
{
    for (; chip->next < chip->current->order.count; chip->next++) {
        struct run run = next_run(chip);
        if (!compute_before(chip, run.cycle))
            return CHIP_WAITING;
        if (run.instruction->opcode == PROGRAM_C2C_RECEIVE && !links_can_receive(chip, &run)) {
            chip->waiting = run.instruction;
            return CHIP_WAITING;
        }
        execute(chip, &run);
    }
    return compute_before(chip, INT64_MAX) ? CHIP_DONE : CHIP_WAITING;
}

struct chip_wait chip_waiting_for(const struct chip *chip)
{
    const struct program_instruction *i = chip->waiting;
    const struct program_tensor *t =
        &chip->program->tensor[executor_output(chip, i, i->outputs - 1)->tensor];
    struct chip_wait wait = {
        .link = i->queue - PROGRAM_QUEUE_RECEIVE, .layer = t->layer, .cycle = i->cycle};
    memcpy(wait.tensor, t->name, sizeof wait.tensor);
    return wait;
}

void chip_give_up(struct chip *chip)
{
    if (chip->values && values_give_up(chip))
        return;
    struct run run = next_run(chip);
    execute(chip, &run);
    chip->next++;
}

void chip_deliver(struct chip *chip, const struct chip_message *message)
{
    links_deliver(chip, message);
}

const struct chip_message *chip_outbox(const struct chip *chip, size_t *count)
{
    *count = chip->links.outbox.count;
    return chip->links.outbox.at;
}

void chip_outbox_clear(struct chip *chip)
{
    chip->links.outbox.count = 0;
    if (chip->values)
        values_outbox_clear(chip->values);
}

static void report_length(struct chip *chip, int64_t cycle, const struct program_op *op,
                          const char *what, int64_t compiled)
{
    struct chip_violation *v =
        executor_report(chip, CHIP_RULE_LENGTH, EXECUTOR_NO_INSTRUCTION, cycle);
    if (op) {
        memcpy(v->op, op->name, sizeof v->op);
        v->layer = op->layer;
    }
    snprintf(v->expected, sizeof v->expected, "%s %lld", what, (long long)compiled);
    snprintf(v->found, sizeof v->found, "%s %lld", what, (long long)cycle);
}

static void check_times(struct chip *chip)
{
    const struct program *p = chip->program;
    for (size_t n = 0; n < p->ops; n++) {
        const struct executor_op *done = &chip->op[n];
        if (done->start > done->end)
            continue;
        if (done->start != p->op[n].start_cycle)
            report_length(chip, done->start, &p->op[n], "start", p->op[n].start_cycle);
        if (done->end != p->op[n].end_cycle)
            report_length(chip, done->end, &p->op[n], "end", p->op[n].end_cycle);
    }
    if (chip->statistics.executed_length_cycles > p->length_cycles)
        report_length(chip, chip->statistics.executed_length_cycles, NULL, "length",
                      p->length_cycles);
}

struct chip_statistics chip_finish(struct chip *chip)
{
    streams_close(chip);
    sram_close(chip);
    mxm_close(chip);
    links_close(chip);
    check_times(chip);
    chip->statistics.violations = chip->violations_total - chip->violations_told;
    chip->violations_told = chip->violations_total;
    chip->program = NULL;
    chip->current = NULL;
    return chip->statistics;
}

void chip_replayed(struct chip *chip, int32_t steps, const struct program_sequence *sequence,
                   int32_t sequences)
{
    chip->step += steps;
    for (int32_t s = 0; s < sequences; s++)
        residents_assume_before(&chip->residents, sequence[s]);
}
