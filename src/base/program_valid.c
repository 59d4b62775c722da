/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a program is well formed: every number in range, every reference to something. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/program.h"
#include "base/status.h"

enum {
    MOST_FAULTS = 32,
    MOST_CYCLES = 1 << 30,
    MOST_ROWS = 1 << 24,
    MOST_REPEATS = 1 << 22,
    MOST_DELAY = 1 << 20,
    KV_LANES = 16,
};
static const int64_t most_vectors = INT64_C(1) << 25; /* of one program, on all streams */

/* What is being judged, and where in it. */
struct judge {
    const struct lpu_chip *chip;
    const struct program *program;
    struct base_report *report;
    size_t first_fault;
    size_t instruction;
};

static bool is_within(int64_t value, int64_t low, int64_t high)
{
    return low <= value && value <= high;
}

/* Adds a fault unless `holds` or there are enough already. Returns `holds`. */
static bool expect(struct judge *j, bool holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool expect(struct judge *j, bool holds, const char *format, ...)
{
    if (holds || j->report->count - j->first_fault >= MOST_FAULTS)
        return holds;
    va_list args;
    va_start(args, format);
    char *text = base_vformat(format, args);
    va_end(args);
    base_report_add(j->report, NULL, 0, "program of chip %d: %s", j->program->chip, text);
    base_free(text);
    return holds;
}

/* The same for a field of the instruction at hand. */
static bool expect_field(struct judge *j, bool holds, const char *what)
{
    return holds ||
           expect(j, false, "instruction %zu (%s): %s", j->instruction,
                  program_opcode_name(j->program->instruction[j->instruction].opcode), what);
}

static bool check_chip(struct judge *j)
{
    const struct lpu_chip *c = j->chip;
    bool fits =
        c->mem_slices_per_hemisphere * 2 == PROGRAM_QUEUE_VXM &&
        is_within(c->streams_per_direction, 1, 64) &&
        is_within(c->vxm_alus, 1, PROGRAM_QUEUE_MXM - PROGRAM_QUEUE_VXM) &&
        is_within(c->mxm_planes, 1,
                  (PROGRAM_QUEUE_SEND - PROGRAM_QUEUE_MXM) / PROGRAM_MXM_QUEUES) &&
        c->c2c_local_links >= 0 && c->c2c_global_links >= 0 &&
        c->c2c_local_links + c->c2c_global_links <= PROGRAM_QUEUE_RECEIVE - PROGRAM_QUEUE_SEND &&
        is_within(c->banks_per_slice, 1, c->vectors_per_slice) &&
        is_within(c->vectors_per_slice, 1, MOST_ROWS) &&
        is_within(c->mxm_accumulator_rows, 1, MOST_ROWS) && c->c2c_bits_per_s > 0;
    const int64_t delay[] = {
        c->mem_read_cycles,    c->mem_write_skew_cycles,   c->mxm_load_skew_cycles,
        c->mxm_install_cycles, c->mxm_compute_skew_cycles, c->mxm_compute_cycles,
        c->vxm_skew_cycles,    c->vxm_alu_cycles,          c->sxm_skew_cycles,
        c->sxm_cycles,         c->sxm_transpose_cycles,    c->c2c_send_skew_cycles,
        c->c2c_receive_cycles, c->c2c_hop_cycles};
    for (size_t n = 0; n < sizeof delay / sizeof delay[0]; n++)
        fits = fits && is_within(delay[n], 0, MOST_DELAY);
    return expect(j, fits,
                  "the chip does not fit the layout of queues, or has delays out of range");
}

static bool is_text(const char name[24])
{
    return memchr(name, '\0', 24) != NULL;
}

static void check_tensor(struct judge *j, size_t n)
{
    const struct program_tensor *t = &j->program->tensor[n];
    bool placed = t->slice >= 0;
    bool fits = is_text(t->name) && t->kind <= PROGRAM_TENSOR_ZERO &&
                t->dtype <= PROGRAM_DTYPE_KEY && t->subs >= 1 && t->count >= 0 &&
                is_within(t->valid, 0, t->count) && t->slice >= -1 &&
                (t->kind == PROGRAM_TENSOR_KV ? t->caches > 0 && t->count % t->caches == 0
                                              : t->caches == 0) &&
                (t->kind == PROGRAM_TENSOR_ZERO) == (n == 0);
    if (placed)
        fits = fits && (size_t)t->slice + t->subs <= j->program->slices && t->count <= MOST_ROWS &&
               is_within(t->address, -MOST_ROWS, MOST_ROWS);
    expect(j, fits, "tensor %zu: name, kind, subs, count, place or number out of range", n);
}

static bool check_tables(struct judge *j)
{
    const struct program *p = j->program;
    size_t before = j->report->count;
    bool empty = p->tensors == 0 && p->instructions == 0;
    expect(j,
           (empty || p->tensors >= 1) && p->tensors < INT32_MAX && p->ops < INT32_MAX &&
               p->instructions < UINT32_MAX && p->operands < UINT32_MAX,
           "no zero tensor, or too many of anything");
    expect(j,
           is_within(p->rows, empty ? 0 : 1, MOST_ROWS) &&
               is_within(p->sequences, empty ? 0 : 1, PROGRAM_SEQUENCES) &&
               (!p->sequences || p->rows % p->sequences == 0) &&
               is_within(p->length_cycles, 0, MOST_CYCLES),
           "rows, sequences or length out of range");
    for (size_t n = 0; n < p->slices; n++)
        expect(j,
               is_within(p->slice[n], 0, PROGRAM_QUEUE_VXM - 1) &&
                   (!p->row || is_within(p->row[n], -MOST_ROWS, MOST_ROWS)),
               "slice entry %zu is no slice, or its row is out of range", n);
    for (size_t n = 0; n < p->ops; n++)
        expect(j, is_text(p->op[n].name), "op %zu has an unending name", n);
    for (size_t n = 0; n < p->tensors; n++)
        check_tensor(j, n);
    return j->report->count == before;
}

/* Queues of an opcode: first, number, and how far apart; operands: least and most. */
struct opcode_shape {
    int32_t queue, queues, spacing;
    int32_t inputs[2], outputs[2];
};

static struct opcode_shape shape_of(const struct lpu_chip *c, int32_t opcode)
{
    const int32_t links = c->c2c_local_links + c->c2c_global_links, planes = c->mxm_planes;
    const int32_t mxm = PROGRAM_QUEUE_MXM, sxm = PROGRAM_QUEUE_SXM;
    const struct opcode_shape shape[PROGRAM_OPCODES] = {
        [PROGRAM_MEM_READ] = {0, PROGRAM_QUEUE_VXM, 1, {0, 0}, {1, 3}},
        [PROGRAM_MEM_WRITE] = {0, PROGRAM_QUEUE_VXM, 1, {1, 1}, {0, 1}},
        [PROGRAM_MXM_LOAD] = {mxm, planes, PROGRAM_MXM_QUEUES, {1, 1}, {0, 0}},
        [PROGRAM_MXM_INSTALL] = {mxm + 1, planes, PROGRAM_MXM_QUEUES, {1, 1}, {0, 0}},
        [PROGRAM_MXM_COMPUTE] = {mxm + 2, planes, PROGRAM_MXM_QUEUES, {2, 2}, {0, 1}},
        [PROGRAM_VXM] = {PROGRAM_QUEUE_VXM, c->vxm_alus, 1, {1, 3}, {0, 2}},
        [PROGRAM_SXM_PERMUTE] = {sxm, 2 * PROGRAM_SXM_QUEUES, 1, {1, 16}, {1, 16}},
        [PROGRAM_SXM_TRANSPOSE] = {sxm, 2 * PROGRAM_SXM_QUEUES, 1, {1, 16}, {1, 16}},
        [PROGRAM_C2C_SEND] = {PROGRAM_QUEUE_SEND, links, 1, {1, 1}, {0, 0}},
        [PROGRAM_C2C_RECEIVE] = {PROGRAM_QUEUE_RECEIVE, links, 1, {0, 0}, {1, 2}},
    };
    return shape[opcode];
}

static bool check_shape(struct judge *j, const struct program_instruction *i)
{
    if (!expect_field(j, i->opcode < PROGRAM_OPCODES, "unknown opcode"))
        return false;
    struct opcode_shape s = shape_of(j->chip, i->opcode);
    int32_t away = i->queue - s.queue;
    bool here = away >= 0 && away % s.spacing == 0 && away / s.spacing < s.queues;
    return expect_field(j, here, "on a queue of another unit") &&
           expect_field(j,
                        is_within(i->inputs, s.inputs[0], s.inputs[1]) &&
                            is_within(i->outputs, s.outputs[0], s.outputs[1]),
                        "number of operands") &&
           expect_field(j, (size_t)i->operand + i->inputs + i->outputs <= j->program->operands,
                        "operands beyond the table") &&
           expect_field(j, i->op >= 0 && (size_t)i->op < j->program->ops, "op beyond the table");
}

static bool is_nested(const struct program_instruction *i)
{
    if (i->count[0] == 1 || i->count[1] == 1)
        return true;
    return i->interval[1] > (int64_t)(i->count[0] - 1) * i->interval[0] ||
           i->interval[0] > (int64_t)(i->count[1] - 1) * i->interval[1];
}

static bool check_times(struct judge *j, const struct program_instruction *i)
{
    bool fits = is_within(i->cycle, 0, MOST_CYCLES);
    int64_t last = fits ? i->cycle : 0, repeats = 1;
    for (int level = 0; level < 2; level++) {
        fits = fits && is_within(i->count[level], 1, MOST_REPEATS) &&
               is_within(i->interval[level], i->count[level] > 1 ? 1 : 0, MOST_CYCLES);
        last += fits ? (int64_t)(i->count[level] - 1) * i->interval[level] : 0;
        repeats *= fits ? i->count[level] : 1;
    }
    return expect_field(j, fits && last <= MOST_CYCLES && repeats <= MOST_REPEATS,
                        "cycle, counts or intervals out of range") &&
           expect_field(j, is_nested(i), "repeats that do not nest");
}

static bool check_order(struct judge *j, const struct program_instruction *i)
{
    if (j->instruction == 0)
        return true;
    const struct program_instruction *before = i - 1;
    return expect_field(
        j, before->queue < i->queue || (before->queue == i->queue && before->cycle <= i->cycle),
        "out of order by queue and cycle");
}

static bool has_runtime_address(const struct program_instruction *i)
{
    return i->address_mode != PROGRAM_ADDRESS_STATIC;
}

static bool is_memory(const struct program_instruction *i)
{
    return i->opcode == PROGRAM_MEM_READ || i->opcode == PROGRAM_MEM_WRITE;
}

/* Whether the address lies in the cache of a sequence. */
static bool is_cached(const struct program_instruction *i)
{
    return i->address_mode == PROGRAM_ADDRESS_KV || i->address_mode == PROGRAM_ADDRESS_CACHE;
}

/* A read names its stream, the ids that complete its address, and the table that it reads. */
static bool has_outputs_of_read(const struct program_instruction *i)
{
    if (i->address_mode == PROGRAM_ADDRESS_STATIC)
        return i->outputs <= 2;
    return i->outputs == (i->address_mode == PROGRAM_ADDRESS_EXPERT ? 3 : 2);
}

/* Whether each slot that the address takes is one of the step's. */
static bool has_slots(const struct program *p, const struct program_instruction *i)
{
    return p->experts > 0 && i->limit > 0 && i->width > 0 && i->low >= 0 &&
           is_within((int64_t)i->low + (i->count[1] - 1) / i->width, 0, p->expert_slots - 1) &&
           is_within((int64_t)p->experts * i->limit, 1, MOST_ROWS);
}

static bool check_address(struct judge *j, const struct program_instruction *i)
{
    const struct program *p = j->program;
    bool fits = is_within(i->address, 0, MOST_ROWS) && is_within(i->limit, 0, MOST_ROWS) &&
                is_within(i->argument, -MOST_ROWS, MOST_ROWS) &&
                is_within(i->stride[0], -MOST_ROWS, MOST_ROWS) &&
                is_within(i->stride[1], -MOST_ROWS, MOST_ROWS) &&
                i->address_mode <= PROGRAM_ADDRESS_EXPERT;
    if (has_runtime_address(i))
        fits = fits && is_memory(i) &&
               (i->opcode == PROGRAM_MEM_READ ||
                (i->outputs == 1 && i->address_mode == PROGRAM_ADDRESS_KV));
    if (i->opcode == PROGRAM_MEM_READ)
        fits = fits && has_outputs_of_read(i);
    if (i->address_mode == PROGRAM_ADDRESS_EXPERT)
        fits = fits && has_slots(p, i);
    if (i->address_mode == PROGRAM_ADDRESS_KV)
        fits = fits && p->kv_tile_positions > 0 && p->kv_tile_positions <= MOST_ROWS &&
               p->kv_tile_positions % KV_LANES == 0 && is_within(i->low, 0, KV_LANES - 1) &&
               !i->stride[0] && !i->stride[1];
    if (is_cached(i))
        fits = fits && is_within(i->width, 0, MOST_ROWS);
    if (i->address_mode == PROGRAM_ADDRESS_TOKEN)
        fits =
            fits && p->embedding_groups > 0 && p->vocabulary_first >= 0 && p->vocabulary_count >= 0;
    return expect_field(j, fits, "address, mode or their parameters");
}

/* What a function of the VXM takes. */
struct vxm_shape {
    int32_t inputs[2];
    bool folds, immediate, argument;
};

static const struct vxm_shape vxm_shapes[PROGRAM_VXM_FUNCTIONS] = {
    [PROGRAM_VXM_COPY] = {{1, 1}, false, false, false},
    [PROGRAM_VXM_ADD] = {{1, 3}, true, false, false},
    [PROGRAM_VXM_SUB] = {{2, 2}, false, false, false},
    [PROGRAM_VXM_MUL] = {{2, 3}, false, true, false},
    [PROGRAM_VXM_MAX] = {{1, 3}, true, false, false},
    [PROGRAM_VXM_MAXABS] = {{1, 3}, true, false, false},
    [PROGRAM_VXM_EXP] = {{1, 1}, false, false, false},
    [PROGRAM_VXM_RSQRT] = {{1, 1}, false, false, false},
    [PROGRAM_VXM_TANH] = {{1, 1}, false, true, false},
    [PROGRAM_VXM_SCALE] = {{1, 1}, false, true, false},
    [PROGRAM_VXM_OFFSET] = {{1, 1}, false, true, false},
    [PROGRAM_VXM_QUANTISE] = {{2, 2}, false, true, false},
    [PROGRAM_VXM_KEY] = {{2, 2}, false, true, true},
};

static bool check_function(struct judge *j, const struct program_instruction *i)
{
    int32_t functions = i->opcode == PROGRAM_VXM           ? PROGRAM_VXM_FUNCTIONS
                        : i->opcode == PROGRAM_SXM_PERMUTE ? PROGRAM_SXM_FUNCTIONS
                                                           : 1;
    if (!expect_field(j, i->function < functions, "unknown function"))
        return false;
    if (i->opcode != PROGRAM_VXM)
        return expect_field(j, i->immediate == 0.0f, "an immediate outside of the VXM");
    const struct vxm_shape *f = &vxm_shapes[i->function];
    bool reduces = i->flags & PROGRAM_REDUCE;
    bool fast = i->count[0] == 1 || i->count[1] == 1 || i->interval[1] > i->interval[0];
    return expect_field(j, is_within(i->inputs, f->inputs[0], f->inputs[1]),
                        "number of inputs of the function") &&
           expect_field(j, (f->immediate || i->immediate == 0.0f) && (f->argument || !i->argument),
                        "an immediate or argument that the function does not use") &&
           expect_field(j, !reduces || (f->folds && fast),
                        "a reduction by a function that does not fold, or over slow repeats");
}

/* Keys come from KEY, and only their maximum or a copy can be taken. */
static bool may_be_key(const struct program_instruction *i, int32_t k, bool first_is_key)
{
    bool whole = i->function == PROGRAM_VXM_MAX || i->function == PROGRAM_VXM_COPY;
    return i->function == PROGRAM_VXM_KEY ? k >= i->inputs : whole && first_is_key;
}

/* Whether the types of an instruction's operands go together. */
static bool check_types(struct judge *j, const struct program_instruction *i)
{
    const struct program_operand *o = &j->program->operand[i->operand];
    bool fp16 = i->flags & PROGRAM_FP16, fits = true;
    for (int32_t k = 0; k < i->inputs + i->outputs; k++) {
        bool key = o[k].dtype == PROGRAM_DTYPE_KEY;
        if (i->opcode == PROGRAM_VXM)
            fits = fits && key == may_be_key(i, k, o[0].dtype == PROGRAM_DTYPE_KEY) &&
                   (o[k].kind != PROGRAM_ALU || key || o[k].dtype == PROGRAM_DTYPE_FP32);
        else if (i->opcode == PROGRAM_MXM_LOAD || i->opcode == PROGRAM_MXM_COMPUTE)
            fits = fits &&
                   o[k].dtype == (k < i->inputs ? fp16 ? PROGRAM_DTYPE_FP16 : PROGRAM_DTYPE_INT8
                                  : fp16        ? PROGRAM_DTYPE_FP32
                                                : PROGRAM_DTYPE_INT32);
    }
    return expect_field(j, fits, "types of operands that do not go together");
}

static int32_t streams_of(const struct program_operand *operand, int32_t operands)
{
    int32_t streams = 0;
    for (int32_t k = 0; k < operands; k++)
        streams += operand[k].streams;
    return streams;
}

/* A permutation makes a stream of each one; a transposition does so with sixteen vectors, or makes
 * sixteen of one. */
static bool check_switch(struct judge *j, const struct program_instruction *i)
{
    const struct program_operand *o = &j->program->operand[i->operand];
    int32_t in = streams_of(o, i->inputs), out = streams_of(o + i->inputs, i->outputs);
    int32_t rows = j->chip->lanes_per_superlane;
    if (i->opcode == PROGRAM_SXM_PERMUTE)
        return expect_field(j, in == out, "a permutation of other streams than it drives");
    return expect_field(
        j, i->opcode != PROGRAM_SXM_TRANSPOSE || in * rows == out || (in == out && in % rows == 0),
        "a transposition of other streams than it drives");
}

/* Numbers of a permutation that its function does not use are 0. */
static bool check_permutation(struct judge *j, const struct program_instruction *i)
{
    bool permutes = i->opcode == PROGRAM_SXM_PERMUTE;
    bool window = permutes && i->function == PROGRAM_SXM_WINDOW;
    bool moves = window || (permutes && i->function == PROGRAM_SXM_ROTATE);
    bool swap = permutes && i->function == PROGRAM_SXM_SWAP_HALVES;
    return expect_field(
        j,
        (!permutes || window || (!i->low && (moves || !i->argument))) &&
            (moves || !i->argument_stride) &&
            (window || swap || is_cached(i) || i->address_mode == PROGRAM_ADDRESS_EXPERT ||
             !i->width) &&
            (!swap || (is_within(i->width, 2, j->chip->lanes) && i->width % 2 == 0)),
        "shift, window or width of a permutation");
}

/* Fields that an opcode does not use are 0. */
static bool check_unused(struct judge *j, const struct program_instruction *i)
{
    static const uint8_t used[PROGRAM_OPCODES] = {
        [PROGRAM_MXM_LOAD] = PROGRAM_FP16 | PROGRAM_ROWS,
        [PROGRAM_MXM_INSTALL] = PROGRAM_FP16 | PROGRAM_ROWS,
        [PROGRAM_MXM_COMPUTE] = PROGRAM_FIRST | PROGRAM_LAST | PROGRAM_FP16 | PROGRAM_EVERY,
        [PROGRAM_VXM] = PROGRAM_REDUCE};
    bool addressed = is_memory(i) || i->opcode == PROGRAM_MXM_COMPUTE;
    bool rows = addressed || (!i->address && !i->stride[0] && !i->stride[1]);
    int32_t mode = is_memory(i) ? i->address_mode : PROGRAM_ADDRESS_STATIC;
    bool owner = mode == PROGRAM_ADDRESS_KV || mode == PROGRAM_ADDRESS_TOKEN ||
                 mode == PROGRAM_ADDRESS_EXPERT;
    bool shift = mode == PROGRAM_ADDRESS_KV || mode == PROGRAM_ADDRESS_CLAMP;
    bool sequenced = mode != PROGRAM_ADDRESS_STATIC && mode != PROGRAM_ADDRESS_TOKEN;
    bool permutes = i->opcode == PROGRAM_SXM_PERMUTE;
    bool half = i->opcode == PROGRAM_MXM_COMPUTE && i->flags & PROGRAM_FP16;
    return expect_field(j, !half || is_within(i->low, 0, j->chip->lanes - 1),
                        "first lane of the activations") &&
           expect_field(j,
                        !(i->flags & ~used[i->opcode]) && rows &&
                            (owner || mode == PROGRAM_ADDRESS_CLAMP || !i->limit) &&
                            (shift || permutes || i->opcode == PROGRAM_VXM || !i->argument) &&
                            (owner || permutes || half || !i->low) &&
                            i->sequence < (sequenced ? j->program->sequences : 1) &&
                            (i->opcode == PROGRAM_VXM || !i->mark),
                        "a field that the opcode does not use");
}

static bool check_flags(struct judge *j, const struct program_instruction *i)
{
    bool mxm = i->queue >= PROGRAM_QUEUE_MXM && i->queue < PROGRAM_QUEUE_SEND;
    bool emits = i->flags & (PROGRAM_LAST | PROGRAM_EVERY);
    if (!mxm)
        return true;
    return expect_field(j,
                        !(i->flags & PROGRAM_FP16) ||
                            (program_mxm_plane(i->queue) % 2 == 0 &&
                             program_mxm_plane(i->queue) + 1 < j->chip->mxm_planes),
                        "fp16 belongs on the queues of an even plane") &&
           expect_field(j, i->opcode != PROGRAM_MXM_COMPUTE || !emits || i->outputs == 1,
                        "emits rows without an output");
}

/* Kind that operand k must have; a VXM input may be an ALU instead of a stream. */
static int32_t kind_of(const struct program_instruction *i, int32_t k)
{
    bool output = k >= i->inputs;
    int32_t n = output ? k - i->inputs : k;
    switch (i->opcode) {
    case PROGRAM_MXM_INSTALL:
        return PROGRAM_EXPECT;
    case PROGRAM_MXM_COMPUTE:
        return !output && n == 1 ? PROGRAM_EXPECT : PROGRAM_STREAM;
    case PROGRAM_MEM_READ:
    case PROGRAM_C2C_RECEIVE:
        return n > 0 ? PROGRAM_EXPECT : PROGRAM_STREAM;
    case PROGRAM_MEM_WRITE:
        return output ? PROGRAM_EXPECT : PROGRAM_STREAM;
    default:
        return PROGRAM_STREAM;
    }
}

static bool has_one_stream(const struct program_instruction *i)
{
    return is_memory(i) || i->opcode == PROGRAM_C2C_SEND || i->opcode == PROGRAM_C2C_RECEIVE;
}

/* Units that calculate take whole numbers, one plane a stream. */
static bool has_whole_numbers(const struct program_instruction *i, const struct program_operand *o)
{
    if (i->opcode == PROGRAM_VXM || i->opcode == PROGRAM_MXM_COMPUTE)
        return o->streams == program_dtype_planes(o->dtype);
    return i->opcode != PROGRAM_MXM_LOAD || o->streams % program_dtype_planes(o->dtype) == 0;
}

static bool check_stream(struct judge *j, const struct program_instruction *i,
                         const struct program_operand *o)
{
    return expect_field(j,
                        o->direction <= PROGRAM_WEST && o->streams >= 1 &&
                            o->stream + o->streams <= j->chip->streams_per_direction &&
                            (!has_one_stream(i) || o->streams == 1) &&
                            o->index_mode == PROGRAM_ADDRESS_STATIC,
                        "operand names no stream") &&
           expect_field(j, has_whole_numbers(i, o), "operand takes parts of numbers");
}

/* Every vector that the operand names exists; rows that run-time values choose are seen then. */
static bool check_identity(struct judge *j, const struct program_instruction *i,
                           const struct program_operand *o)
{
    if (!expect_field(j, o->tensor >= 0 && (size_t)o->tensor < j->program->tensors,
                      "operand names no tensor"))
        return false;
    const struct program_tensor *t = &j->program->tensor[o->tensor];
    int64_t low = o->index, high = o->index;
    for (int level = 0; level < 2; level++) {
        int64_t span = (int64_t)(i->count[level] - 1) * o->stride[level];
        low += span < 0 ? span : 0;
        high += span > 0 ? span : 0;
    }
    bool zero = t->kind == PROGRAM_TENSOR_ZERO;
    bool chosen = o->kind == PROGRAM_EXPECT && has_runtime_address(i);
    int64_t end = zero || chosen ? INT32_MAX : t->count - 1;
    int32_t subs = o->sub + (o->kind == PROGRAM_STREAM ? o->streams : 1);
    return expect_field(j, zero || o->dtype == t->dtype,
                        "operand reads its tensor as another type") &&
           expect_field(j, !zero || !chosen, "run-time values choose in no table") &&
           expect_field(j, zero || subs <= t->subs, "operand names subs that its tensor lacks") &&
           expect_field(j, low >= (zero || chosen ? INT32_MIN : 0) && high <= end,
                        "operand names vectors that its tensor lacks") &&
           expect_field(j, o->index_mode == (chosen ? i->address_mode : PROGRAM_ADDRESS_STATIC),
                        "index mode of an operand") &&
           expect_field(j, !chosen || is_cached(i) == (t->kind == PROGRAM_TENSOR_KV),
                        "cache addresses are for KV tensors");
}

/* Returns the vectors that the operand moves. */
static int64_t check_operand(struct judge *j, const struct program_instruction *i, int32_t k)
{
    const struct program_operand *o = &j->program->operand[i->operand + (uint32_t)k];
    if (!expect_field(j, o->dtype <= PROGRAM_DTYPE_KEY, "operand of unknown type"))
        return 0;
    if (o->kind == PROGRAM_ALU && i->opcode == PROGRAM_VXM && k < i->inputs) {
        expect_field(j, o->stream < j->chip->vxm_alus, "operand names no ALU");
        return 0;
    }
    expect_field(j, !o->mark, "mark of what no ALU hands on");
    bool stream = o->kind == PROGRAM_STREAM;
    if (!expect_field(j, o->kind == kind_of(i, k), "operand of another kind") ||
        (stream && !check_stream(j, i, o)) || !check_identity(j, i, o) || !stream)
        return 0;
    return (int64_t)o->streams * i->count[0] * i->count[1];
}

static int64_t check_instruction(struct judge *j)
{
    const struct program_instruction *i = &j->program->instruction[j->instruction];
    if (!check_shape(j, i) || !check_times(j, i) || !check_order(j, i) || !check_address(j, i) ||
        !check_unused(j, i) || !check_function(j, i) || !check_permutation(j, i) ||
        !check_switch(j, i) || !check_flags(j, i))
        return 0;
    int64_t vectors = (int64_t)i->count[0] * i->count[1];
    for (int32_t k = 0; k < i->inputs + i->outputs; k++)
        vectors += check_operand(j, i, k);
    check_types(j, i);
    return vectors;
}

/* Each operand belongs to one instruction: none is taken from another or left over. */
static void check_ownership(struct judge *j)
{
    const struct program *p = j->program;
    uint8_t *owners = base_alloc(p->operands, sizeof *owners);
    size_t single = 0, taken = 0;
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        for (size_t k = i->operand; k < (size_t)i->operand + i->inputs + i->outputs; k++) {
            if (k < p->operands && !owners[k]) {
                owners[k] = 1;
                single++;
            }
            taken++;
        }
    }
    base_free(owners);
    expect(j, single == p->operands && taken == p->operands,
           "%zu operands, of which %zu belong to instructions that take %zu", p->operands, single,
           taken);
}

bool program_is_valid(const struct lpu_chip *chip, const struct program *program,
                      struct base_report *report)
{
    struct judge j = {chip, program, report, report->count, 0};
    int64_t vectors = 0;
    if (!check_chip(&j) || !check_tables(&j))
        return false;
    for (; j.instruction < program->instructions; j.instruction++)
        vectors += check_instruction(&j);
    check_ownership(&j);
    expect(&j, vectors <= most_vectors, "%lld vectors; at most %lld can be executed",
           (long long)vectors, (long long)most_vectors);
    return report->count == j.first_fault;
}
