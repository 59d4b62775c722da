/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a chip's values, and the units that only move them: memory and links. */
#include "chip/values.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "chip/addresses.h"
#include "chip/chip_values.h"
#include "chip/values_room.h"

/* Maxima over lanes cover sixteen superlanes, then four more; a pass of int8 products stays below
 * 2^24. */
enum { MOST_SUPERLANES = 20, MOST_EXACT_ROWS = 1024 };

static struct values_lanes lanes_create(int32_t lanes)
{
    return (struct values_lanes){.real = base_alloc((size_t)lanes, sizeof(float)),
                                 .key = base_alloc((size_t)lanes, sizeof(uint64_t))};
}

static void lanes_release(struct values_lanes *lanes)
{
    base_free(lanes->real);
    base_free(lanes->key);
}

/* Cycles from one edge of the chip to the other: units stand at 0 to 2 slices + 4. */
static int32_t width_of(const struct lpu_chip *machine)
{
    return 2 * machine->mem_slices_per_hemisphere + 4;
}

/* Phases under way together: the widest crossing there and back, and the longest delay. */
static int64_t span_of(const struct chip *chip)
{
    int64_t longest = 0;
    for (int opcode = 0; opcode < PROGRAM_OPCODES; opcode++) {
        const struct executor_timing *t = &chip->timing[opcode];
        longest = t->delay + t->skew > longest ? t->delay + t->skew : longest;
    }
    return longest + 2 * width_of(chip->machine) + 1;
}

struct values *values_create(const struct chip *chip, enum chip_numerics numerics)
{
    const struct lpu_chip *m = chip->machine;
    struct values *v = base_alloc(1, sizeof *v);
    v->numbers = (struct numbers){m->lanes, numerics == CHIP_FP32};
    v->vector_bytes = numbers_vector_bytes(&v->numbers);
    v->width = width_of(m);
    v->contents = contents_create(PROGRAM_QUEUE_VXM, m->vectors_per_slice, v->vector_bytes);
    v->streams = rings_create(2 * m->streams_per_direction, span_of(chip), v->vector_bytes);
    v->alus = rings_create(m->vxm_alus, span_of(chip), (size_t)m->lanes * sizeof(uint64_t));
    for (int32_t n = 0; n < m->vxm_alus; n++)
        v->fold[n] = lanes_create(m->lanes);
    for (int32_t n = 0; n < 3; n++)
        v->input[n] = lanes_create(m->lanes);
    v->result = lanes_create(m->lanes);
    v->from = base_alloc((size_t)m->lanes, sizeof *v->from);
    values_planes_create(m, v);
    return v;
}

void values_release(struct values *values)
{
    if (!values)
        return;
    contents_release(&values->contents);
    rings_release(&values->streams);
    rings_release(&values->alus);
    acts_release(&values->acts);
    for (int32_t n = 0; n < VALUES_ALUS; n++)
        lanes_release(&values->fold[n]);
    for (int32_t n = 0; n < 3; n++)
        lanes_release(&values->input[n]);
    lanes_release(&values->result);
    base_free(values->from);
    for (int32_t n = 0; n < LINKS_OF_CHIP; n++) {
        values_queue_release(&values->in[n]);
        values_queue_release(&values->out[n]);
    }
    values_planes_release(values);
    base_free(values);
}

void values_begin(struct chip *chip)
{
    struct values *v = chip->values;
    acts_clear(&v->acts);
    rings_clear(&v->streams);
    rings_clear(&v->alus);
    contents_take_back(&v->contents);
    v->blocked = v->starved = false;
    for (int32_t link = 0; link < LINKS_OF_CHIP; link++)
        values_queue_drop(&v->in[link], chip->begun);
}

static int64_t phase_at(uint8_t direction, int64_t cycle, int32_t x)
{
    return direction == PROGRAM_EAST ? cycle - x : cycle + x;
}

static int32_t lane_of(const struct chip *chip, const struct program_operand *o, int32_t k)
{
    return o->direction * chip->machine->streams_per_direction + o->stream + k;
}

const void *values_sample(const struct chip *chip, const struct run *run,
                          const struct program_operand *o, int32_t k, int64_t cycle)
{
    int32_t x = chip->position[run->instruction->queue];
    const void *vector =
        rings_sample(&chip->values->streams, lane_of(chip, o, k), phase_at(o->direction, cycle, x),
                     x, (enum program_direction)o->direction);
    return vector ? vector : chip->values->contents.zero;
}

/* The drive of stream k of a result in `cycle`. */
static struct ring_drive drive_of(const struct chip *chip, const struct run *run,
                                  const struct program_operand *o, int32_t k, int64_t cycle)
{
    int32_t x = chip->position[run->instruction->queue];
    return (struct ring_drive){.now = cycle - values_delay(chip, run),
                               .until = cycle + chip->values->width,
                               .phase = phase_at(o->direction, cycle, x),
                               .lane = lane_of(chip, o, k),
                               .x = x};
}

void *values_drive(struct chip *chip, const struct run *run, const struct program_operand *o,
                   int32_t k, int64_t cycle)
{
    const struct ring_drive drive = drive_of(chip, run, o, k, cycle);
    return rings_drive(&chip->values->streams, &drive);
}

void values_take(const struct chip *chip, const struct run *run, const struct program_operand *o,
                 int64_t cycle, struct values_lanes *lanes)
{
    const void *plane[NUMBERS_MOST_PLANES];
    for (int32_t k = 0; k < program_dtype_planes(o->dtype); k++)
        plane[k] = values_sample(chip, run, o, k, cycle);
    lanes->is_key = o->dtype == PROGRAM_DTYPE_KEY;
    if (lanes->is_key)
        numbers_read_keys(&chip->values->numbers, plane, lanes->key);
    else
        numbers_read(&chip->values->numbers, (enum program_dtype)o->dtype, plane, lanes->real);
}

void values_give(struct chip *chip, const struct run *run, const struct program_operand *o,
                 int64_t cycle, const struct values_lanes *lanes)
{
    void *plane[NUMBERS_MOST_PLANES];
    for (int32_t k = 0; k < program_dtype_planes(o->dtype); k++)
        plane[k] = values_drive(chip, run, o, k, cycle);
    if (o->dtype == PROGRAM_DTYPE_KEY)
        numbers_write_keys(&chip->values->numbers, lanes->key, plane);
    else
        numbers_write(&chip->values->numbers, (enum program_dtype)o->dtype, lanes->real, plane);
}

static void read_memory(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    struct values *v = chip->values;
    const struct ring_drive drive = drive_of(chip, &act->run, executor_output(&act->run, 0), 0,
                                             cycle + values_delay(chip, &act->run));
    int64_t row = addresses_target(chip, &act->run, act->k).address;
    rings_refer(&v->streams, &drive, contents_lend(&v->contents, i->queue, row, drive.until));
}

static void write_memory(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    struct values *v = chip->values;
    const void *vector = values_sample(chip, &act->run, executor_input(&act->run, 0), 0, cycle);
    int64_t address = addresses_target(chip, &act->run, act->k).address;
    void *row = contents_row(&v->contents, i->queue, address);
    if (!row || row == vector)
        return;
    if (contents_is_lent(&v->contents, i->queue, address, cycle))
        rings_settle(&v->streams, row);
    memcpy(row, vector, v->vector_bytes);
}

static void send(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    const void *vector = values_sample(chip, &act->run, executor_input(&act->run, 0), 0, cycle);
    values_queue_put(&chip->values->out[i->queue - PROGRAM_QUEUE_SEND], act->run.of->number,
                     chip->values->vector_bytes, vector, 1);
}

/* False where the vector is not here. */
static bool receive(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    struct values *v = chip->values;
    const void *vector = values_queue_take(&v->in[i->queue - PROGRAM_QUEUE_RECEIVE],
                                           act->run.of->number, v->vector_bytes);
    if (!vector && !v->starved)
        return false;
    v->starved = false;
    memcpy(values_drive(chip, &act->run, executor_output(&act->run, 0), 0,
                        cycle + values_delay(chip, &act->run)),
           vector ? vector : v->contents.zero, v->vector_bytes);
    return true;
}

static bool perform(struct chip *chip, const struct act *act, int64_t cycle)
{
    static void (*const unit[PROGRAM_OPCODES])(struct chip *, const struct act *, int64_t) = {
        [PROGRAM_MEM_READ] = read_memory,
        [PROGRAM_MEM_WRITE] = write_memory,
        [PROGRAM_MXM_LOAD] = values_load,
        [PROGRAM_MXM_INSTALL] = values_install,
        [PROGRAM_MXM_COMPUTE] = values_compute,
        [PROGRAM_VXM] = values_vxm,
        [PROGRAM_SXM_PERMUTE] = values_permute,
        [PROGRAM_SXM_TRANSPOSE] = values_transpose,
        [PROGRAM_C2C_SEND] = send,
    };
    if (act->run.instruction->opcode == PROGRAM_C2C_RECEIVE)
        return receive(chip, act, cycle);
    unit[act->run.instruction->opcode](chip, act, cycle);
    return true;
}

/* Within a cycle arrays are ready first, and memory is read before it is written. */
static uint64_t order_of(const struct run *run)
{
    int32_t opcode = run->instruction->opcode;
    uint64_t class = opcode == PROGRAM_MXM_INSTALL ? 0 : opcode == PROGRAM_MEM_WRITE ? 2 : 1;
    return class << 32 | run->number;
}

static void put_acts(struct chip *chip, const struct run *run)
{
    int32_t opcode = run->instruction->opcode;
    int32_t wait = opcode == PROGRAM_MXM_INSTALL ? chip->machine->mxm_install_cycles
                                                 : chip->timing[opcode].skew;
    acts_put(&chip->values->acts, run, run->cycle + wait, order_of(run));
}

/* Runs that follow each other are put one by one: few wait at a time. */
void values_note(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    put_acts(chip, run);
    for (uint32_t piece = 1; !order_is_in_turn(i) && piece < order_pieces(i); piece++) {
        struct run other = order_piece(run, piece);
        put_acts(chip, &other);
    }
}

/* The act has happened; behind the last one of a run comes the next run of its instruction. */
static void follow(struct chip *chip, const struct act *act)
{
    const struct run run = act->run;
    const struct program_instruction *i = run.instruction;
    bool over = act->k + 1 == run.count;
    acts_pop(&chip->values->acts);
    if (!over || !order_is_in_turn(i) || run.piece + 1 == order_pieces(i))
        return;
    struct run next = order_piece(&run, run.piece + 1);
    put_acts(chip, &next);
}

const struct run *values_advance(struct chip *chip, int64_t cycle)
{
    struct values *v = chip->values;
    int64_t next;
    v->blocked = false;
    for (const struct act *act = acts_next(&v->acts, &next); act && next < cycle;
         act = acts_next(&v->acts, &next)) {
        if (!perform(chip, act, next)) {
            v->blocked = true;
            return &act->run;
        }
        follow(chip, act);
    }
    return NULL;
}

/* The vector of a promise that came: its sender owes it (rule 8). */
static void report_missing_vector(struct chip *chip)
{
    const struct run *run = &chip->waiting;
    struct chip_violation *v =
        executor_report(chip, run->of, CHIP_RULE_MESSAGE, run->number, run->cycle);
    snprintf(v->expected, sizeof v->expected, "a vector on link %d",
             run->instruction->queue - PROGRAM_QUEUE_RECEIVE);
    snprintf(v->found, sizeof v->found, "none");
}

bool values_give_up(struct chip *chip)
{
    if (!chip->values->blocked)
        return false;
    report_missing_vector(chip);
    chip->values->starved = true;
    return true;
}

bool chip_can_compute(const struct lpu_chip *m, struct base_report *report)
{
    const struct {
        const char *name;
        int32_t skew, delay;
    } unit[] = {{"mem_read", -1, m->mem_read_cycles},
                {"mxm_compute", m->mxm_compute_skew_cycles, m->mxm_compute_cycles},
                {"vxm_alu", m->vxm_skew_cycles, m->vxm_alu_cycles},
                {"sxm", m->sxm_skew_cycles, m->sxm_cycles},
                {"sxm_transpose", m->sxm_skew_cycles, m->sxm_transpose_cycles},
                {"c2c_receive", -1, m->c2c_receive_cycles}};
    size_t before = report->count;
    for (size_t n = 0; n < sizeof unit / sizeof unit[0]; n++)
        if (unit[n].delay <= unit[n].skew)
            base_report_add(report, NULL, 0,
                            "values = on: lpu.chip.%s = %d cycles must be more than its skew of %d",
                            unit[n].name, unit[n].delay, unit[n].skew);
    int32_t superlanes = m->lanes / VALUES_SUPERLANE;
    if (m->lanes_per_superlane != VALUES_SUPERLANE || m->lanes % VALUES_SUPERLANE ||
        superlanes < VALUES_SUPERLANE || superlanes > MOST_SUPERLANES)
        base_report_add(report, NULL, 0,
                        "values = on: maxima over lanes need superlanes of %d lanes, %d to %d of "
                        "them, not %d of %d",
                        VALUES_SUPERLANE, VALUES_SUPERLANE, MOST_SUPERLANES, superlanes,
                        m->lanes_per_superlane);
    if (m->mxm_rows > MOST_EXACT_ROWS)
        base_report_add(report, NULL, 0,
                        "values = on: lpu.chip.mxm_rows = %d; sums of int8 products are exact up "
                        "to %d",
                        m->mxm_rows, MOST_EXACT_ROWS);
    return report->count == before;
}

void chip_compute_values(struct chip *chip, enum chip_numerics numerics)
{
    chip->values = values_create(chip, numerics);
}

void chip_preload(struct chip *chip, const struct program *program, const struct chip_number *where,
                  const float *lanes)
{
    struct values *v = chip->values;
    const struct program_tensor *t = &program->tensor[where->tensor];
    void *plane[NUMBERS_MOST_PLANES];
    for (int32_t k = 0; k < program_dtype_planes(t->dtype); k++) {
        int32_t sub = where->sub + k;
        plane[k] = contents_row(&v->contents, program->slice[t->slice + sub],
                                (int64_t)program_tensor_address(program, t, sub) + where->index);
        if (!plane[k])
            return; /* the contract has reported the place */
    }
    numbers_write(&v->numbers, (enum program_dtype)t->dtype, lanes, plane);
}

/* Planes of a number in SRAM. */
static void look(const struct chip *chip, const struct program *program,
                 const struct chip_number *where, const void *plane[NUMBERS_MOST_PLANES])
{
    const struct program_tensor *t = &program->tensor[where->tensor];
    for (int32_t k = 0; k < program_dtype_planes(t->dtype); k++) {
        int32_t sub = where->sub + k;
        plane[k] = contents_look(&chip->values->contents, program->slice[t->slice + sub],
                                 (int64_t)program_tensor_address(program, t, sub) + where->index);
    }
}

void chip_peek(const struct chip *chip, const struct program *program,
               const struct chip_number *where, float *lanes)
{
    const void *plane[NUMBERS_MOST_PLANES];
    look(chip, program, where, plane);
    numbers_read(&chip->values->numbers, (enum program_dtype)program->tensor[where->tensor].dtype,
                 plane, lanes);
}

int64_t values_whole(const struct chip *chip, const struct program *program,
                     const struct chip_number *where)
{
    const float most = 16777216.0f;
    const struct program_tensor *t = &program->tensor[where->tensor];
    const struct numbers first = {.lanes = 1, .wide = chip->values->numbers.wide};
    const void *plane[NUMBERS_MOST_PLANES];
    float number;
    look(chip, program, where, plane);
    numbers_read(&first, (enum program_dtype)t->dtype, plane, &number);
    return number >= 0.0f && number < most && number == rintf(number) ? (int64_t)number : -1;
}

int32_t chip_token(const struct chip *chip, const struct program *program, int32_t row)
{
    struct values *v = chip->values;
    const void *plane[NUMBERS_MOST_PLANES];
    look(chip, program, &(struct chip_number){.tensor = program->token, .index = row}, plane);
    numbers_read_keys(&v->numbers, plane, v->result.key);
    return (int32_t)numbers_key_id(&v->numbers, v->result.key[0], program->key_id_bits);
}

uint64_t chip_memory_digest(const struct chip *chip)
{
    return contents_digest(&chip->values->contents);
}
