/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs in an artifact come back field by field; damaged ones are refused with a reason. */
#include "mutate.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "../partition/rack.h"
#include "record/artifact.h"
#include "record/layout.h"
#include "record/program_tables.h"
#include "record/programs.h"
#include "record/seal.h"

enum { FLIPS = 3000, CUTS = 300, MUTANTS = 200 };

static const struct rack_case shapes[] = {
    {.name = "tiny, 1 chip", .stages = 1, .group = 1, .chips_per_node = 1, .prompt = 33},
    {.name = "tiny, 2 stages of 2", .stages = 2, .group = 2, .prompt = 33},
    {.name = "tiny, batch of 3", .stages = 2, .group = 2, .prompt = 33, .batch = 3},
    {.name = "tiny, 9 nodes", .stages = 9, .group = 4, .nodes = 9, .prompt = 2},
    {.name = "qwen, 1 stage of 2", .model = &rack_qwen, .stages = 1, .group = 2, .prompt = 33},
    {.name = "odd, 2 stages of 2", .model = &rack_odd, .stages = 2, .group = 2, .prompt = 33},
    {.name = "biased mixture, 1 stage of 2",
     .model = &rack_biased_mixture,
     .stages = 1,
     .group = 2,
     .prompt = 33}};

static uint64_t state = 2025;

static uint64_t draw(uint64_t n)
{
    return mutate_draw(&state, n);
}

static char *artifact_of(const struct rack *rack, size_t *bytes)
{
    struct record_artifact_writer *file = record_artifact_create();
    struct record_programs_writer *programs = record_programs_begin();
    for (int32_t chip = 0; chip < rack->topology.chips; chip++)
        for (int phase = 0; phase < PARTITION_PHASES; phase++)
            record_programs_add(programs, (uint8_t)phase, &rack->program[chip][phase]);
    record_programs_end(programs, file);
    record_artifact_add_text(file, "/name", "a text\nof two lines");
    return record_artifact_seal(file, bytes);
}

static bool arrays_are_equal(const void *a, const void *b, size_t count, size_t bytes)
{
    return count == 0 || (a && b && !memcmp(a, b, count * bytes));
}

/* Every byte of every array, and every number beside them. */
static bool programs_are_equal(const struct program *a, const struct program *b)
{
    return a->chip == b->chip && a->instructions == b->instructions && a->operands == b->operands &&
           a->tensors == b->tensors && a->slices == b->slices && a->ops == b->ops &&
           a->length_cycles == b->length_cycles && a->rows == b->rows &&
           a->sequences == b->sequences && a->experts == b->experts &&
           a->expert_slots == b->expert_slots && a->kv_tile_positions == b->kv_tile_positions &&
           a->vocabulary_first == b->vocabulary_first &&
           a->vocabulary_count == b->vocabulary_count &&
           a->embedding_groups == b->embedding_groups && a->token == b->token &&
           a->key_id_bits == b->key_id_bits &&
           arrays_are_equal(a->instruction, b->instruction, a->instructions,
                            sizeof *a->instruction) &&
           arrays_are_equal(a->operand, b->operand, a->operands, sizeof *a->operand) &&
           arrays_are_equal(a->tensor, b->tensor, a->tensors, sizeof *a->tensor) &&
           arrays_are_equal(a->slice, b->slice, a->slices, sizeof *a->slice) &&
           arrays_are_equal(a->row, b->row, a->slices, sizeof *a->row) &&
           arrays_are_equal(a->op, b->op, a->ops, sizeof *a->op);
}

static void compare_programs(const struct rack *rack, const struct record_programs *programs)
{
    struct base_report report = {0};
    for (int32_t chip = 0; chip < rack->topology.chips; chip++)
        for (int phase = 0; phase < PARTITION_PHASES; phase++) {
            struct program program;
            CU_ASSERT_TRUE(record_programs_take(programs, (uint8_t)phase, chip, &program, &report));
            CU_ASSERT_TRUE(programs_are_equal(&program, &rack->program[chip][phase]));
            program_release(&program);
        }
    CU_ASSERT_TRUE(base_report_is_clean(&report));
}

static void check_shape(const struct rack_case *c)
{
    struct rack rack;
    struct base_report report = {0};
    size_t bytes, again_bytes;
    rack_compile(&rack, c);
    char *whole = artifact_of(&rack, &bytes), *again = artifact_of(&rack, &again_bytes);
    CU_ASSERT_TRUE(bytes == again_bytes && !memcmp(whole, again, bytes));
    struct record_artifact *file = record_artifact_open("X", whole, bytes, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    struct record_programs *programs = record_programs_open(file, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(programs);
    compare_programs(&rack, programs);
    record_programs_close(programs);
    record_artifact_close(file);
    base_free(whole);
    base_free(again);
    rack_release(&rack);
}

static void programs_come_back_byte_by_byte(void)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_shape(&shapes[i]);
}

/* The bytes of the first shape, made once. */
static struct rack tiny;
static char *tiny_bytes;
static size_t tiny_count;

static void make_tiny(void)
{
    if (tiny_bytes)
        return;
    rack_compile(&tiny, &shapes[0]);
    tiny_bytes = artifact_of(&tiny, &tiny_count);
}

/* Whether the bytes are refused with exactly one reason, which `expected` is part of. */
static bool is_refused(const char *bytes, size_t count, const char *expected)
{
    struct base_report report = {0};
    struct record_artifact *file = record_artifact_open("X", bytes, count, &report);
    bool refused = !file && report.count == 1 && !strncmp(report.message[0], "X: ", 3) &&
                   strstr(report.message[0], expected);
    if (!refused)
        printf("%zu bytes: %s\n", count, report.count ? report.message[0] : "accepted");
    record_artifact_close(file);
    base_report_release(&report);
    return refused;
}

static void every_flipped_bit_is_noticed(void)
{
    make_tiny();
    for (int n = 0; n < FLIPS; n++) {
        size_t at = n % 3 ? (size_t)draw(tiny_count) : (size_t)draw(RECORD_SEAL_BYTES);
        char *damaged = malloc(tiny_count);
        memcpy(damaged, tiny_bytes, tiny_count);
        damaged[at] = (char)(damaged[at] ^ (1 << draw(8)));
        CU_ASSERT_TRUE(is_refused(damaged, tiny_count, at < RECORD_SEAL_BYTES ? "" : "digest"));
        free(damaged);
    }
}

static void every_cut_is_noticed(void)
{
    make_tiny();
    for (int n = 0; n < CUTS; n++) {
        size_t count = n < 3 ? (size_t)n : (size_t)draw(tiny_count);
        char *cut = malloc(count + 1);
        memcpy(cut, tiny_bytes, count);
        CU_ASSERT_TRUE(is_refused(cut, count, count < 19 ? "not an artifact" : "truncated"));
        free(cut);
    }
    char *longer = malloc(tiny_count + 1);
    memcpy(longer, tiny_bytes, tiny_count);
    longer[tiny_count] = 0;
    CU_ASSERT_TRUE(is_refused(longer, tiny_count + 1, "longer than it was written"));
    free(longer);
}

static void foreign_and_newer_files_are_called_so(void)
{
    static const char newer[] = "lpusim-mp artifact\nformat 3\nbytes 9\n", hdf5[] = "\x89HDF\r\n";
    char empty[RECORD_SEAL_BYTES + 8] = "";
    CU_ASSERT_TRUE(is_refused(hdf5, sizeof hdf5, "not an artifact of this program"));
    CU_ASSERT_TRUE(is_refused(newer, sizeof newer, "artifact of format 3, this program reads 2"));
    record_seal_write(empty, sizeof empty);
    CU_ASSERT_TRUE(is_refused(empty, sizeof empty, "not an HDF5 file"));
}

static int64_t mutated(int64_t value)
{
    switch (draw(3)) {
    case 0:
        return mutate_evil(&state);
    case 1:
        return mutate_bit(&state, value, 32);
    default:
        return mutate_near(&state, value);
    }
}

static void mutate(const struct record_schema *schema, char *rows, size_t count)
{
    const struct record_column *column = &schema->column[draw(schema->columns)];
    char *field = rows + schema->row_bytes * draw(count) + column->offset;
    int64_t value = 0;
    if (column->type == RECORD_TEXT) {
        memset(field, 'x', column->bytes);
        return;
    }
    memcpy(&value, field, column->bytes);
    value = mutated(value);
    memcpy(field, &value, column->bytes);
}

/* The tables of the tiny file, to be copied and changed. */
static struct {
    char *rows;
    size_t count;
} table_of[RECORD_PROGRAM_TABLES];

static void tables_read(const struct record_artifact *file)
{
    struct base_report report = {0};
    for (int table = 0; table < RECORD_PROGRAM_TABLES; table++) {
        table_of[table].rows =
            record_artifact_rows(file, record_program_schema((enum record_program_table)table),
                                 &table_of[table].count, &report);
        CU_ASSERT_PTR_NOT_NULL_FATAL(table_of[table].rows);
    }
}

static void tables_forget(void)
{
    for (int table = 0; table < RECORD_PROGRAM_TABLES; table++)
        base_free(table_of[table].rows);
}

/* The tables with one number of one of them changed, or one cut short, sealed anew. */
static char *sealed_mutant(size_t *bytes)
{
    struct record_artifact_writer *file = record_artifact_create();
    int chosen = (int)draw(RECORD_PROGRAM_TABLES);
    for (int table = 0; table < RECORD_PROGRAM_TABLES; table++) {
        const struct record_schema *schema =
            record_program_schema((enum record_program_table)table);
        size_t count = table_of[table].count;
        char *rows = base_alloc(count, schema->row_bytes);
        memcpy(rows, table_of[table].rows, count * schema->row_bytes);
        if (table == chosen && draw(10) > 0)
            mutate(schema, rows, count);
        else if (table == chosen)
            count = (size_t)draw(count);
        record_artifact_add(file, schema, rows, count);
        base_free(rows);
    }
    return record_artifact_seal(file, bytes);
}

/* Whether programs are refused with a reason, or such as a chip may be given. */
static void take_all(const struct record_artifact *file, int *refused)
{
    struct base_report report = {0};
    struct record_programs *programs = record_programs_open(file, &report);
    for (int32_t chip = 0; programs && chip < tiny.topology.chips; chip++)
        for (int phase = 0; phase < PARTITION_PHASES; phase++) {
            struct program program;
            size_t before = report.count;
            bool whole = record_programs_take(programs, (uint8_t)phase, chip, &program, &report);
            bool valid = whole && program_is_valid(&tiny.machine, &program, &report);
            CU_ASSERT_TRUE(valid || report.count > before);
            program_release(&program);
        }
    CU_ASSERT_TRUE(programs || report.count == 1);
    *refused += report.count > 0;
    record_programs_close(programs);
    base_report_release(&report);
}

static void sealed_nonsense_is_refused_or_valid(void)
{
    struct base_report report = {0};
    int refused = 0;
    make_tiny();
    struct record_artifact *file = record_artifact_open("X", tiny_bytes, tiny_count, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    tables_read(file);
    for (int n = 0; n < MUTANTS; n++) {
        size_t bytes;
        char *mutant = sealed_mutant(&bytes);
        struct record_artifact *other = record_artifact_open("X", mutant, bytes, &report);
        CU_ASSERT_PTR_NOT_NULL_FATAL(other);
        take_all(other, &refused);
        record_artifact_close(other);
        base_free(mutant);
    }
    printf("%d of %d sealed mutants refused\n", refused, MUTANTS);
    CU_ASSERT_TRUE(refused > MUTANTS / 2);
    tables_forget();
    record_artifact_close(file);
    base_free(tiny_bytes);
    rack_release(&tiny);
}

static void schemas_are_valid(void)
{
    for (int table = 0; table < RECORD_PROGRAM_TABLES; table++)
        CU_ASSERT_TRUE(
            record_schema_is_valid(record_program_schema((enum record_program_table)table)));
}

TEST_MAIN("programs", TEST(schemas_are_valid), TEST(programs_come_back_byte_by_byte),
          TEST(every_flipped_bit_is_noticed), TEST(every_cut_is_noticed),
          TEST(foreign_and_newer_files_are_called_so), TEST(sealed_nonsense_is_refused_or_valid))
