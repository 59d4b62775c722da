/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a chip: load, begin, run, finish. */
#include "chip/chip.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "chip/executor.h"
#include "chip/experts.h"
#include "chip/sram.h"

/* Instructions. */
enum { FETCH_AHEAD = 6 };

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
    set_timing(chip);
    for (int32_t q = 0; q < PROGRAM_QUEUES; q++)
        chip->position[q] = (int16_t)program_queue_position(machine, q);
    streams_create(chip);
    banks_create(&chip->banks);
    rows_create(&chip->rows);
    mxm_create(chip);
    return chip;
}

static void release_program(struct executor_program *loaded)
{
    order_release(&loaded->order);
    base_free(loaded->resident);
    base_free(loaded->head);
    base_free(loaded->is_read);
    base_free(loaded);
}

/* What a step needs only while it is open. */
static void release_step(struct executor_step *of)
{
    base_free(of->head);
    base_free(of->op);
    of->head = NULL;
    of->op = NULL;
}

static void forget_steps(struct chip *chip)
{
    for (size_t n = 0; n < chip->steps; n++) {
        release_step(chip->step[n]);
        base_free(chip->step[n]);
    }
    for (size_t n = 0; n < chip->pasts; n++)
        base_free(chip->past[n]);
    chip->steps = chip->pasts = 0;
}

void chip_destroy(struct chip *chip)
{
    if (!chip)
        return;
    forget_steps(chip);
    base_free(chip->step);
    base_free(chip->past);
    base_free(chip->pair);
    for (size_t n = 0; n < chip->loads; n++)
        release_program(chip->loaded[n]);
    base_free(chip->loaded);
    streams_release(&chip->streams);
    banks_release(&chip->banks);
    rows_release(&chip->rows);
    mxm_release(&chip->mxm);
    links_release(&chip->links);
    residents_release(&chip->residents);
    values_release(chip->values);
    base_free(chip->violation);
    base_free(chip);
}

static const struct executor_program *find_program(const struct chip *chip,
                                                   const struct program *program)
{
    for (size_t n = 0; n < chip->loads; n++)
        if (chip->loaded[n]->program == program)
            return chip->loaded[n];
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
            executor_report(chip, NULL, CHIP_RULE_CAPACITY, EXECUTOR_NO_INSTRUCTION, 0);
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
    struct executor_program *loaded = base_alloc(1, sizeof *loaded);
    chip->loaded[chip->loads++] = loaded;
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
    int32_t least = PROGRAM_CACHES;
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
    for (int32_t s = 0; s < program->sequences; s++) {
        const struct program_sequence *at = &runtime->sequence[s];
        bool known = at->cache >= 0 && at->cache < caches;
        if (at->position < 0 || at->position > most_positions)
            base_report_add(report, NULL, 0, "chip %d: a step starts at row 0 to %d, not %d",
                            program->chip, most_positions, at->position);
        for (int32_t other = 0; other < s && known; other++)
            known = runtime->sequence[other].cache != at->cache;
        if (!known)
            base_report_add(report, NULL, 0,
                            "chip %d: sequence %d has cache %d; each has one of 0 to %d for itself",
                            program->chip, s, at->cache, caches - 1);
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

bool executor_is_busy(const struct chip *chip)
{
    return chip->steps > 0;
}

/* No step is under way: the clock begins anew. */
static void clear(struct chip *chip)
{
    forget_steps(chip);
    chip->now = INT64_MIN;
    for (int32_t q = 0; q < PROGRAM_QUEUES; q++)
        chip->busy_until[q] = chip->pair_until[q] = INT64_MIN;
    banks_clear(&chip->banks);
    links_begin(&chip->links);
    if (chip->values)
        values_begin(chip);
}

/* The instruction that is executed `distance` after the next one; the last one where there are
 * less.
 */
static const struct program_instruction *ahead(const struct executor_step *of, size_t distance)
{
    const struct order *order = &of->loaded->order;
    size_t n = of->next + distance < order->count ? of->next + distance : order->count - 1;
    return &of->program->instruction[order->instruction[n]];
}

/* Instructions are stored by queue and executed by time: each is far from the one before, and so
 * are its operands. They are fetched ahead. */
static void look_ahead(struct executor_step *of)
{
    of->run.cycle = INT64_MAX;
    if (of->next == of->loaded->order.count)
        return;
    const struct program_instruction *far = ahead(of, 2 * FETCH_AHEAD);
    __builtin_prefetch(far);
    __builtin_prefetch((const char *)(far + 1) - 1);
    __builtin_prefetch(&of->program->operand[ahead(of, FETCH_AHEAD)->operand]);
    of->run = order_run(of->program, of->loaded->order.instruction[of->next++]);
    of->run.of = of;
    of->run.cycle += of->start;
}

static struct executor_step *open_step(struct chip *chip, const struct executor_program *loaded,
                                       const struct program_runtime *runtime, int64_t start)
{
    struct executor_step *of = base_alloc(1, sizeof *of);
    chip->step = base_grow(chip->step, &chip->step_capacity, chip->steps + 1, sizeof *chip->step);
    chip->step[chip->steps++] = of;
    *of = (struct executor_step){
        .loaded = loaded,
        .program = loaded->program,
        .runtime = *runtime,
        .number = chip->begun++,
        .start = start,
        .op = base_alloc(loaded->program->ops, sizeof *of->op),
        .statistics = {.instructions = (int64_t)loaded->program->instructions}};
    for (size_t n = 0; n < loaded->program->ops; n++)
        of->op[n] = (struct executor_op){INT64_MAX, INT64_MIN};
    rows_begin(of);
    look_ahead(of);
    return of;
}

/* An open step that works on the same cache, at its row or beyond; NULL: none. */
static const struct executor_step *
user_of_cache(const struct chip *chip, const struct executor_step *of, struct program_sequence at)
{
    for (size_t n = 0; n < chip->steps; n++) {
        const struct executor_step *other = chip->step[n];
        for (int32_t s = 0; other != of && s < other->program->sequences; s++)
            if (other->runtime.sequence[s].cache == at.cache &&
                other->runtime.sequence[s].position >= at.position)
                return other;
    }
    return NULL;
}

/* A sequence goes on where its last step was, or its cache is another's. */
static void check_caches(struct chip *chip, const struct executor_step *of)
{
    for (int32_t s = 0; s < of->program->sequences; s++) {
        struct program_sequence at = of->runtime.sequence[s];
        const struct executor_step *other = user_of_cache(chip, of, at);
        if (!other)
            continue;
        struct chip_violation *v =
            executor_report(chip, of, CHIP_RULE_RESIDENCY, EXECUTOR_NO_INSTRUCTION, of->start);
        snprintf(v->expected, sizeof v->expected, "cache %d free from row %d on", at.cache,
                 at.position);
        snprintf(v->found, sizeof v->found, "step %d that works there", other->number);
    }
}

bool chip_begin(struct chip *chip, const struct program *program,
                const struct program_runtime *runtime, int64_t start, struct base_report *report)
{
    const struct executor_program *loaded = find_program(chip, program);
    assert(loaded && "a program is loaded before it is begun");
    if (!runtime_fits(program, runtime, report) ||
        !experts_fit(program, runtime, chip->values != NULL, report))
        return false;
    if (!executor_is_busy(chip))
        clear(chip);
    assert(start >= chip->now && "a step begins after what was executed");
    const struct executor_step *of = open_step(chip, loaded, runtime, start);
    for (int32_t s = 0; s < program->sequences; s++)
        residents_forget_from(&chip->residents, runtime->sequence[s]);
    links_close(chip);
    check_caches(chip, of);
    overlap_check_steps(chip, of);
    return true;
}

static void check_queue(struct chip *chip, const struct run *run)
{
    int32_t queue = run->instruction->queue;
    int64_t end = run->of->start + order_last_issue(run->instruction) + 1;
    if (run->cycle < chip->busy_until[queue]) {
        struct chip_violation *v =
            executor_report(chip, run->of, CHIP_RULE_QUEUE, run->number, run->cycle);
        snprintf(v->expected, sizeof v->expected, "an issue at %lld or later",
                 (long long)(chip->busy_until[queue] - run->of->start));
        snprintf(v->found, sizeof v->found, "an issue at %lld",
                 (long long)(run->cycle - run->of->start));
    }
    if (end > chip->busy_until[queue])
        chip->busy_until[queue] = end;
}

/* An fp16 instruction uses the same queue of the odd plane as well. */
static void check_pair(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    bool fp16 = i->flags & PROGRAM_FP16;
    int32_t pair = i->queue + PROGRAM_MXM_QUEUES;
    int64_t held = fp16 ? chip->busy_until[pair] : chip->pair_until[i->queue];
    if (run->cycle < held) {
        struct chip_violation *v =
            executor_report(chip, run->of, CHIP_RULE_MXM, run->number, run->cycle);
        snprintf(v->expected, sizeof v->expected, "both planes free at %lld",
                 (long long)(run->cycle - run->of->start));
        snprintf(v->found, sizeof v->found, "the %s plane busy until %lld", fp16 ? "odd" : "fp16",
                 (long long)(held - run->of->start));
    }
    int64_t end = run->of->start + order_last_issue(i) + 1;
    if (fp16 && end > chip->pair_until[pair])
        chip->pair_until[pair] = end;
}

static bool is_mxm(const struct program_instruction *i)
{
    return i->opcode == PROGRAM_MXM_LOAD || i->opcode == PROGRAM_MXM_INSTALL ||
           i->opcode == PROGRAM_MXM_COMPUTE;
}

/* From the start of the step. */
static void note_times(const struct chip *chip, struct executor_step *of,
                       const struct program_instruction *i)
{
    struct executor_op *op = &of->op[i->op];
    int64_t end = order_last_issue(i) + 1 + chip->timing[i->opcode].tail;
    op->start = i->cycle < op->start ? i->cycle : op->start;
    op->end = end > op->end ? end : op->end;
    if (end > of->statistics.executed_length_cycles)
        of->statistics.executed_length_cycles = end;
}

static void note_busy(struct executor_step *of, const struct program_instruction *i)
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
        of->statistics.busy_cycles[unit[i->opcode]] += (int64_t)i->count[0] * i->count[1];
}

/* All repeats of an instruction, given its first run. */
static void execute(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    check_queue(chip, run);
    if (is_mxm(i))
        check_pair(chip, run);
    note_times(chip, run->of, i);
    note_busy(run->of, i);
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

/* The step whose next instruction is issued first; NULL: none before `until`. */
static struct executor_step *first_step(const struct chip *chip, int64_t until)
{
    struct executor_step *first = NULL;
    for (size_t n = 0; n < chip->steps; n++)
        if (chip->step[n]->run.cycle < (first ? first->run.cycle : until))
            first = chip->step[n];
    return first;
}

/* Numbers up to `cycle`; false at a receive whose vector is not here. */
static bool compute_before(struct chip *chip, int64_t cycle)
{
    const struct run *run = chip->values ? values_advance(chip, cycle) : NULL;
    if (run)
        chip->waiting = *run;
    return !run;
}

enum chip_state chip_run(struct chip *chip, int64_t until)
{
    for (struct executor_step *of; (of = first_step(chip, until));) {
        const struct run *run = &of->run;
        if (!compute_before(chip, run->cycle))
            return CHIP_WAITING;
        if (run->instruction->opcode == PROGRAM_C2C_RECEIVE && !links_can_receive(chip, run)) {
            chip->waiting = *run;
            return CHIP_WAITING;
        }
        execute(chip, run);
        look_ahead(of);
    }
    if (!compute_before(chip, until))
        return CHIP_WAITING;
    chip->now = until > chip->now ? until : chip->now;
    return CHIP_DONE;
}

struct chip_wait chip_waiting_for(const struct chip *chip)
{
    const struct run *run = &chip->waiting;
    const struct program_instruction *i = run->instruction;
    const struct program_tensor *t =
        &run->of->program->tensor[executor_output(run, i->outputs - 1)->tensor];
    struct chip_wait wait = {.link = i->queue - PROGRAM_QUEUE_RECEIVE,
                             .layer = t->layer,
                             .step = run->of->number,
                             .cycle = i->cycle};
    memcpy(wait.tensor, t->name, sizeof wait.tensor);
    return wait;
}

void chip_give_up(struct chip *chip)
{
    if (chip->values && values_give_up(chip))
        return;
    execute(chip, &chip->waiting);
    look_ahead(chip->waiting.of);
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

static void report_length(struct chip *chip, const struct executor_step *of, int64_t cycle,
                          const struct program_op *op, const char *what, int64_t compiled)
{
    struct chip_violation *v =
        executor_report(chip, of, CHIP_RULE_LENGTH, EXECUTOR_NO_INSTRUCTION, of->start + cycle);
    if (op) {
        memcpy(v->op, op->name, sizeof v->op);
        v->layer = op->layer;
    }
    snprintf(v->expected, sizeof v->expected, "%s %lld", what, (long long)compiled);
    snprintf(v->found, sizeof v->found, "%s %lld", what, (long long)cycle);
}

/* The first issue of a run of the step that the chip was not asked for, from the start of the step;
 * INT64_MAX: none. */
static int64_t first_left(const struct chip *chip, const struct executor_step *of)
{
    int64_t first = INT64_MAX;
    for (size_t n = 0; n < of->program->instructions; n++) {
        struct run run = order_run(of->program, (uint32_t)n);
        for (uint32_t piece = 0; piece < order_pieces(run.instruction); piece++) {
            int64_t cycle = order_piece(&run, piece).cycle;
            if (cycle >= chip->now - of->start && cycle < first)
                first = cycle;
        }
    }
    return first;
}

static void check_ops(struct chip *chip, const struct executor_step *of)
{
    const struct program *p = of->program;
    for (size_t n = 0; n < p->ops; n++) {
        const struct executor_op *done = &of->op[n];
        if (done->start > done->end)
            continue;
        if (done->start != p->op[n].start_cycle)
            report_length(chip, of, done->start, &p->op[n], "start", p->op[n].start_cycle);
        if (done->end != p->op[n].end_cycle)
            report_length(chip, of, done->end, &p->op[n], "end", p->op[n].end_cycle);
    }
}

static void check_times(struct chip *chip, const struct executor_step *of)
{
    int64_t length = of->statistics.executed_length_cycles, compiled = of->program->length_cycles;
    check_ops(chip, of);
    if (of->run.cycle == INT64_MAX && length <= compiled)
        return;
    int64_t left = first_left(chip, of);
    if (left != INT64_MAX)
        report_length(chip, of, left, NULL, "the last issue before", compiled);
    else
        report_length(chip, of, length, NULL, "length", compiled);
}

static int64_t end_of(const struct executor_step *of)
{
    return of->start + of->program->length_cycles;
}

/* The open step that is to end first. */
static struct executor_step *ending_step(const struct chip *chip)
{
    struct executor_step *first = NULL;
    for (size_t n = 0; n < chip->steps; n++) {
        struct executor_step *of = chip->step[n];
        if (!first || end_of(of) < end_of(first))
            first = of;
    }
    assert(first && "a step was begun");
    return first;
}

/* From the open steps to those of the past. */
static void leave(struct chip *chip, struct executor_step *of)
{
    size_t n = 0;
    while (chip->step[n] != of)
        n++;
    chip->steps--;
    memmove(chip->step + n, chip->step + n + 1, (chip->steps - n) * sizeof *chip->step);
    chip->past = base_grow(chip->past, &chip->past_capacity, chip->pasts + 1, sizeof *chip->past);
    chip->past[chip->pasts++] = of;
}

struct chip_statistics chip_finish(struct chip *chip)
{
    struct executor_step *of = ending_step(chip);
    leave(chip, of);
    int64_t now = executor_is_busy(chip) ? chip->now : INT64_MAX;
    streams_settle(chip, now);
    rows_close(chip, of, now);
    mxm_settle(chip, now);
    mxm_close(chip, of);
    links_close(chip);
    check_times(chip, of);
    of->statistics.violations = chip->violations_total - chip->violations_told;
    chip->violations_told = chip->violations_total;
    release_step(of);
    return of->statistics;
}

void chip_replayed(struct chip *chip, int32_t steps, const struct program_sequence *sequence,
                   int32_t sequences)
{
    chip->begun += steps;
    for (int32_t s = 0; s < sequences; s++)
        residents_assume_before(&chip->residents, sequence[s]);
}
