/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes programs apart into bodies and where they are placed. */
#include "record/programs.h"

#include <string.h>

#include "base/memory.h"
#include "record/program_tables.h"

enum { FIRST_SLOTS = 1024 };

/* Rows of a table, as they grow. */
struct rows {
    char *row;
    size_t count, capacity;
};

struct record_programs_writer {
    struct rows table[RECORD_PROGRAM_TABLES];
    uint64_t *hash;                   /* of each body */
    size_t *instruction, *operand;    /* where each body begins */
    size_t bodies, capacity[3];       /* of the three arrays above */
    uint32_t *slot;                   /* open addressing: body + 1, 0: free */
    size_t slots, next_name;          /* next_name: names follow each other as they did before */
    int32_t *local, *use;             /* of one program: local number of a tensor; tensors used */
    size_t uses, use_capacity;        /* of the body at hand */
    struct record_program_place last; /* of the program at hand */
    int32_t last_op, last_use;
    int64_t last_start;
};

struct record_programs_writer *record_programs_begin(void)
{
    struct record_programs_writer *w = base_alloc(1, sizeof *w);
    w->slots = FIRST_SLOTS;
    w->slot = base_alloc(w->slots, sizeof *w->slot);
    return w;
}

/* A new row, all zero. */
static void *row_add(struct record_programs_writer *w, enum record_program_table table)
{
    struct rows *rows = &w->table[table];
    size_t bytes = record_program_schema(table)->row_bytes;
    rows->row = base_grow(rows->row, &rows->capacity, rows->count + 1, bytes);
    void *row = rows->row + bytes * rows->count++;
    memset(row, 0, bytes);
    return row;
}

static int32_t name_of(struct record_programs_writer *w, const char *name)
{
    const struct record_program_name *known = (void *)w->table[RECORD_PROGRAM_NAMES].row;
    size_t names = w->table[RECORD_PROGRAM_NAMES].count;
    for (size_t i = 0; i < names; i++) {
        size_t n = (w->next_name + i) % names;
        if (!strncmp(known[n].name, name, sizeof known->name)) {
            w->next_name = n + 1;
            return (int32_t)n;
        }
    }
    struct record_program_name *fresh = row_add(w, RECORD_PROGRAM_NAMES);
    memcpy(fresh->name, name, strnlen(name, sizeof fresh->name - 1));
    w->next_name = 0;
    return (int32_t)names;
}

static void add_ops(struct record_programs_writer *w, const struct program *p)
{
    int64_t before = 0;
    for (size_t n = 0; n < p->ops; n++) {
        int32_t name = name_of(w, p->op[n].name);
        struct record_program_op *row = row_add(w, RECORD_PROGRAM_OPS);
        row->name = name;
        row->layer = p->op[n].layer;
        row->start_cycle = record_program_sub64(p->op[n].start_cycle, before);
        row->cycles = record_program_sub64(p->op[n].end_cycle, p->op[n].start_cycle);
        before = p->op[n].start_cycle;
    }
}

static void add_places(struct record_programs_writer *w, const struct program *p,
                       const struct program_tensor *t)
{
    for (int32_t j = 0; j < t->subs; j++) {
        struct record_program_place *row = row_add(w, RECORD_PROGRAM_PLACES);
        int32_t place = p->row ? p->row[t->slice + j] : 0;
        row->slice = (uint8_t)p->slice[t->slice + j];
        row->row = record_program_sub32(place, w->last.row);
        w->last.row = place;
    }
}

static void add_tensors(struct record_programs_writer *w, const struct program *p)
{
    w->last = (struct record_program_place){0};
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        int32_t name = name_of(w, t->name);
        *(struct record_program_tensor *)row_add(w, RECORD_PROGRAM_TENSORS) =
            (struct record_program_tensor){.name = name,
                                           .layer = t->layer,
                                           .address = t->address,
                                           .count = t->count,
                                           .valid = t->valid,
                                           .kind = t->kind,
                                           .dtype = t->dtype,
                                           .subs = t->subs,
                                           .caches = t->caches,
                                           .placed = t->slice >= 0,
                                           .live_from = t->live_from,
                                           .live_to = t->live_to};
        if (t->slice >= 0)
            add_places(w, p, t);
    }
}

/* The number that the body at hand has for a tensor. */
static int32_t local_number(struct record_programs_writer *w, int32_t tensor)
{
    if (tensor < 0)
        return -1;
    if (w->local[tensor] < 0) {
        w->use = base_grow(w->use, &w->use_capacity, w->uses + 1, sizeof *w->use);
        w->local[tensor] = (int32_t)w->uses;
        w->use[w->uses++] = tensor;
    }
    return w->local[tensor];
}

/* An instruction and its operands as every placement has them. */
static void add_instruction(struct record_programs_writer *w, const struct program *p,
                            const struct program_instruction *i, int64_t before)
{
    struct program_instruction *row = row_add(w, RECORD_PROGRAM_INSTRUCTIONS);
    int32_t operands = i->inputs + i->outputs;
    const struct program_operand *held = &p->operand[i->operand + (uint32_t)operands - 1];
    const size_t end = offsetof(struct program_instruction, sequence) + sizeof row->sequence;
    memcpy(row, i, end);
    row->cycle = record_program_sub64(i->cycle, before);
    row->address = record_program_sub32(i->address, record_program_base(p, i, held));
    row->op = 0;
    row->operand = 0;
    for (int32_t k = 0; k < operands; k++) {
        struct program_operand *operand = row_add(w, RECORD_PROGRAM_OPERANDS);
        *operand = p->operand[i->operand + (uint32_t)k];
        operand->tensor = local_number(w, operand->tensor);
    }
}

static uint64_t mix(uint64_t hash, const char *bytes, size_t count)
{
    for (size_t i = 0; i + sizeof hash <= count; i += sizeof hash) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash;
}

/* Rows from `first` on, in bytes. */
static size_t bytes_from(const struct record_programs_writer *w, enum record_program_table table,
                         size_t first)
{
    return (w->table[table].count - first) * record_program_schema(table)->row_bytes;
}

static const char *rows_from(const struct record_programs_writer *w,
                             enum record_program_table table, size_t first)
{
    return w->table[table].row + first * record_program_schema(table)->row_bytes;
}

static bool table_is_equal(const struct record_programs_writer *w, enum record_program_table table,
                           size_t known, size_t fresh)
{
    return !memcmp(rows_from(w, table, known), rows_from(w, table, fresh),
                   bytes_from(w, table, fresh));
}

/* Whether the rows from `instruction` and `operand` on are those of body `n`. */
static bool is_body(const struct record_programs_writer *w, size_t n, size_t instruction,
                    size_t operand)
{
    const struct record_program_body *body = (const void *)rows_from(w, RECORD_PROGRAM_BODIES, n);
    return (size_t)body->instructions ==
               w->table[RECORD_PROGRAM_INSTRUCTIONS].count - instruction &&
           (size_t)body->operands == w->table[RECORD_PROGRAM_OPERANDS].count - operand &&
           table_is_equal(w, RECORD_PROGRAM_INSTRUCTIONS, w->instruction[n], instruction) &&
           table_is_equal(w, RECORD_PROGRAM_OPERANDS, w->operand[n], operand);
}

static void slots_double(struct record_programs_writer *w)
{
    base_free(w->slot);
    w->slots *= 2;
    w->slot = base_alloc(w->slots, sizeof *w->slot);
    for (size_t n = 0; n < w->bodies; n++) {
        size_t at = (size_t)w->hash[n] % w->slots;
        while (w->slot[at])
            at = (at + 1) % w->slots;
        w->slot[at] = (uint32_t)n + 1;
    }
}

/* Makes a body of the rows from `instruction` and `operand` on. */
static size_t body_new(struct record_programs_writer *w, uint64_t hash, size_t instruction,
                       size_t operand)
{
    size_t n = w->bodies++;
    struct record_program_body *body = row_add(w, RECORD_PROGRAM_BODIES);
    body->instructions = (int32_t)(w->table[RECORD_PROGRAM_INSTRUCTIONS].count - instruction);
    body->operands = (int32_t)(w->table[RECORD_PROGRAM_OPERANDS].count - operand);
    body->tensors = (int32_t)w->uses;
    w->hash = base_grow(w->hash, &w->capacity[0], w->bodies, sizeof *w->hash);
    w->instruction = base_grow(w->instruction, &w->capacity[1], w->bodies, sizeof *w->instruction);
    w->operand = base_grow(w->operand, &w->capacity[2], w->bodies, sizeof *w->operand);
    w->hash[n] = hash;
    w->instruction[n] = instruction;
    w->operand[n] = operand;
    if (2 * w->bodies > w->slots)
        slots_double(w);
    return n;
}

/* The body that the newest rows are: a known one, whose rows they then need not be, or a new one.
 */
static size_t body_find(struct record_programs_writer *w, size_t instruction, size_t operand)
{
    uint64_t hash = mix(0, rows_from(w, RECORD_PROGRAM_INSTRUCTIONS, instruction),
                        bytes_from(w, RECORD_PROGRAM_INSTRUCTIONS, instruction));
    hash = mix(hash, rows_from(w, RECORD_PROGRAM_OPERANDS, operand),
               bytes_from(w, RECORD_PROGRAM_OPERANDS, operand));
    size_t at = (size_t)hash % w->slots;
    for (; w->slot[at]; at = (at + 1) % w->slots) {
        size_t n = w->slot[at] - 1;
        if (w->hash[n] != hash || !is_body(w, n, instruction, operand))
            continue;
        w->table[RECORD_PROGRAM_INSTRUCTIONS].count = instruction;
        w->table[RECORD_PROGRAM_OPERANDS].count = operand;
        return n;
    }
    w->slot[at] = (uint32_t)w->bodies + 1;
    return body_new(w, hash, instruction, operand);
}

static void add_uses(struct record_programs_writer *w)
{
    for (size_t n = 0; n < w->uses; n++) {
        struct record_program_use *row = row_add(w, RECORD_PROGRAM_USES);
        row->tensor = record_program_sub32(w->use[n], w->last_use);
        w->last_use = w->use[n];
        w->local[w->use[n]] = -1;
    }
    w->uses = 0;
}

/* `count` instructions of one op. */
static void add_body(struct record_programs_writer *w, const struct program *p,
                     const uint32_t *order, size_t count)
{
    size_t instruction = w->table[RECORD_PROGRAM_INSTRUCTIONS].count;
    size_t operand = w->table[RECORD_PROGRAM_OPERANDS].count;
    int32_t op = p->instruction[order[0]].op;
    int64_t before = p->op[op].start_cycle;
    for (size_t n = 0; n < count; n++) {
        add_instruction(w, p, &p->instruction[order[n]], before);
        before = p->instruction[order[n]].cycle;
    }
    int32_t body = (int32_t)body_find(w, instruction, operand);
    struct record_program_placement *row = row_add(w, RECORD_PROGRAM_PLACEMENTS);
    row->op = record_program_sub32(op, w->last_op);
    row->body = body;
    w->last_op = op;
    add_uses(w);
}

/* The instructions in the order of their operands, of which each has some; base_free. */
static uint32_t *order_of(const struct program *p)
{
    uint32_t *owner = base_alloc(p->operands, sizeof *owner);
    size_t instructions = 0;
    for (size_t n = 0; n < p->instructions; n++)
        owner[p->instruction[n].operand] = (uint32_t)n + 1;
    for (size_t k = 0; k < p->operands; k++)
        if (owner[k])
            owner[instructions++] = owner[k] - 1;
    return owner;
}

static void add_bodies(struct record_programs_writer *w, const struct program *p)
{
    uint32_t *order = order_of(p);
    w->last_op = w->last_use = 0;
    w->local = base_alloc(p->tensors, sizeof *w->local);
    for (size_t n = 0; n < p->tensors; n++)
        w->local[n] = -1;
    for (size_t first = 0, n = 1; n <= p->instructions; n++)
        if (n == p->instructions ||
            p->instruction[order[n]].op != p->instruction[order[first]].op) {
            add_body(w, p, order + first, n - first);
            first = n;
        }
    base_free(w->local);
    base_free(order);
}

void record_programs_add(struct record_programs_writer *w, uint8_t phase, const struct program *p)
{
    size_t placements = w->table[RECORD_PROGRAM_PLACEMENTS].count;
    add_ops(w, p);
    add_tensors(w, p);
    add_bodies(w, p);
    placements = w->table[RECORD_PROGRAM_PLACEMENTS].count - placements;
    *(struct record_program_row *)row_add(w, RECORD_PROGRAMS) =
        (struct record_program_row){.chip = p->chip,
                                    .phase = phase,
                                    .ops = (int32_t)p->ops,
                                    .tensors = (int32_t)p->tensors,
                                    .slices = (int32_t)p->slices,
                                    .has_rows = p->row != NULL,
                                    .placements = (int32_t)placements,
                                    .rows = p->rows,
                                    .sequences = p->sequences,
                                    .experts = p->experts,
                                    .expert_slots = p->expert_slots,
                                    .length_cycles = p->length_cycles,
                                    .kv_tile_positions = p->kv_tile_positions,
                                    .vocabulary_first = p->vocabulary_first,
                                    .vocabulary_count = p->vocabulary_count,
                                    .embedding_groups = p->embedding_groups,
                                    .token = p->token,
                                    .key_id_bits = p->key_id_bits};
}

void record_programs_end(struct record_programs_writer *w, struct record_artifact_writer *artifact)
{
    for (int table = 0; table < RECORD_PROGRAM_TABLES; table++) {
        record_artifact_add(artifact, record_program_schema((enum record_program_table)table),
                            w->table[table].row, w->table[table].count);
        base_free(w->table[table].row);
    }
    base_free(w->hash);
    base_free(w->instruction);
    base_free(w->operand);
    base_free(w->slot);
    base_free(w->use);
    base_free(w);
}
