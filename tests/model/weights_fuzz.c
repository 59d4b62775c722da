/* SPDX-License-Identifier: BSD-3-Clause */
/* Damaged safetensors files are refused with a reason or can be read to the last row. The file
 * fills whole pages, so that a read beyond its end meets an unmapped page. */
#include "test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "checkpoint.h"
#include "model/weights.h"
#include "sample.h"

enum { PAGE_BYTES = 4096, LENGTH_BYTES = 8, MOST_COLUMNS = 16 };
enum { FILE_TRIALS = 24000, INDEX_TRIALS = 3000, SHAPE_TRIALS = 3000, SPARE_BYTES = 256 };

/* A file in memory that is being damaged; `text` is its JSON, which starts at `text`. */
struct victim {
    unsigned char *byte;
    size_t count, text, text_end;
    uint64_t trial, draws;
};

static uint64_t draw(struct victim *victim, uint64_t below)
{
    return base_random_u64(7, BASE_RANDOM_KERNEL, victim->trial, victim->draws++) % below;
}

static size_t place_in_text(struct victim *victim)
{
    return victim->text + draw(victim, victim->text_end - victim->text);
}

static void store_length(struct victim *victim, uint64_t length)
{
    memcpy(victim->byte, &length, sizeof length);
}

static void change_bytes(struct victim *victim)
{
    for (uint64_t i = 0, changes = 1 + draw(victim, 2); i < changes; i++)
        victim->byte[draw(victim, victim->count)] = (unsigned char)draw(victim, 256);
}

static void change_text(struct victim *victim)
{
    static const char likely[] = "0123456789-.e,:[]{}\"\\ntFB ";
    for (uint64_t i = 0, changes = 1 + draw(victim, 2); i < changes; i++)
        victim->byte[place_in_text(victim)] = (unsigned char)likely[draw(victim, 26)];
}

static void truncate(struct victim *victim)
{
    victim->count = draw(victim, victim->count);
}

static void extend(struct victim *victim)
{
    victim->count += 1 + draw(victim, SPARE_BYTES);
}

static void change_length(struct victim *victim)
{
    uint64_t shift = draw(victim, 64), any = draw(victim, UINT64_MAX);
    store_length(victim, draw(victim, 2) ? any >> shift : victim->text_end - 16 + shift);
}

/* Replaces `removed` bytes of the text by others; the length of a header follows. */
static void splice(struct victim *victim, size_t at, size_t removed, const char *added)
{
    size_t length = strlen(added);
    memmove(victim->byte + at + length, victim->byte + at + removed, victim->count - at - removed);
    memcpy(victim->byte + at, added, length);
    victim->count = victim->count + length - removed;
    if (victim->text > 0)
        store_length(victim, victim->text_end + length - removed - victim->text);
}

static void replace_number(struct victim *victim)
{
    static const char *const nasty[] = {
        "0",
        "-1",
        "1",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "8",
        "1e300",
        "",
        "4294967296",
        "11",
        "null",
        "[]",
        "\"8\"",
        "true",
        "8.0",
        "352",
        "704",
    };
    size_t at = place_in_text(victim), digits = 0;
    while (at < victim->text_end && !strchr("0123456789", victim->byte[at]))
        at++;
    while (at + digits < victim->text_end && strchr("0123456789", victim->byte[at + digits]))
        digits++;
    splice(victim, at, digits, nasty[draw(victim, sizeof nasty / sizeof nasty[0])]);
}

/* Moves data of one tensor, length kept. */
static void shift_offsets(struct victim *victim)
{
    static const int64_t shift[] = {-352, -4, 4, 352, 1 << 13, INT64_C(1) << 40};
    char text[64];
    int64_t begin, end;
    int used;
    const char *place = (const char *)victim->byte + place_in_text(victim);
    const char *found = strstr(place, "s\":[");
    if (!found || sscanf(found, "s\":[%" SCNd64 ",%" SCNd64 "]%n", &begin, &end, &used) != 2)
        return;
    int64_t by = shift[draw(victim, sizeof shift / sizeof shift[0])];
    snprintf(text, sizeof text, "s\":[%" PRId64 ",%" PRId64 "]", begin + by, end + by);
    splice(victim, (size_t)((const unsigned char *)found - victim->byte), (size_t)used, text);
}

static void remove_text(struct victim *victim)
{
    size_t at = place_in_text(victim), most = victim->text_end - at;
    splice(victim, at, draw(victim, most < 60 ? most : 60), "");
}

static void repeat_text(struct victim *victim)
{
    char copy[61] = "";
    size_t from = place_in_text(victim), most = victim->text_end - from;
    memcpy(copy, victim->byte + from, most < 60 ? most : 60);
    splice(victim, place_in_text(victim), 0, copy);
}

static void (*const damages[])(struct victim *victim) = {
    change_text,  replace_number, remove_text, repeat_text,   truncate,
    change_bytes, change_length,  extend,      shift_offsets,
};

enum { DAMAGES = sizeof damages / sizeof damages[0], TEXT_DAMAGES = 5 };

/* Reads every row; returns how many there were. */
static int64_t read_all(const struct model_weights *weights, const struct model *model)
{
    int64_t rows = 0;
    for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++) {
        struct model_weight_shape shape = model_weight_shape(model, what);
        for (int64_t i = 0; i < shape.rows * model->layers; i++, rows++) {
            float out[MOST_COLUMNS + 1];
            out[shape.columns] = 0.25f;
            model_weights_row(weights, what, i / shape.rows, i % shape.rows, out);
            CU_ASSERT_EQUAL(out[shape.columns], 0.25f);
        }
    }
    return rows;
}

/* Opens; 0: refused with a reason, 1: read to the last row, -1: neither. */
static int outcome(const char *folder, const struct model *model)
{
    struct base_report report = {0};
    struct model_weights *weights = model_weights_open(folder, model, &report);
    bool is_explained = !weights == (report.count > 0);
    int result = weights ? 1 : 0;
    if (weights && read_all(weights, model) == 0)
        is_explained = false;
    model_weights_close(weights);
    base_report_release(&report);
    return is_explained ? result : -1;
}

/* Damages `original` as FOLDER/NAME by each of the first `kinds` damages in turn, `trials` times in
 * all. */
static void damage_and_open(const char *folder, const char *name, const struct model *model,
                            const struct victim *original, int trials, int kinds)
{
    int count[3] = {0};
    unsigned char *copy = base_alloc(original->count + SPARE_BYTES, 1);
    for (int trial = 0; trial < trials; trial++) {
        struct victim victim = *original;
        memset(copy, 0, original->count + SPARE_BYTES);
        memcpy(copy, original->byte, original->count);
        victim.byte = copy;
        victim.trial = (uint64_t)trial;
        damages[trial % kinds](&victim);
        checkpoint_write(folder, name, victim.byte, victim.count);
        count[outcome(folder, model) + 1]++;
    }
    base_free(copy);
    CU_ASSERT_EQUAL(count[0], 0);
    CU_ASSERT_TRUE(count[1] > trials / 2);
    CU_ASSERT_TRUE(count[2] > trials / 100);
    printf("%s: %d damaged, %d refused, %d read\n", name, trials, count[1], count[2]);
}

/* HEADER with spaces up to a whole number of pages of the file; frees HEADER. */
static char *padded_header(char *header, size_t data_bytes)
{
    size_t bytes = LENGTH_BYTES + strlen(header) + data_bytes;
    int padding = (int)((PAGE_BYTES - bytes % PAGE_BYTES) % PAGE_BYTES);
    char *padded = base_format("%s%*s", header, padding, "");
    base_free(header);
    return padded;
}

/* A file of one dtype in FOLDER/NAME; the victim's bytes are to be freed with base_free. */
static struct victim write_victim(const char *folder, const char *name,
                                  const struct checkpoint *checkpoint, const char *dtype)
{
    struct victim victim = {.text = LENGTH_BYTES};
    size_t data_bytes;
    unsigned char *data = checkpoint_data(checkpoint, dtype, &data_bytes);
    char *header = checkpoint_header(checkpoint, dtype);
    victim.text_end = LENGTH_BYTES + strlen(header);
    header = padded_header(header, data_bytes);
    victim.byte = checkpoint_file(header, data, data_bytes, &victim.count);
    checkpoint_write(folder, name, victim.byte, victim.count);
    base_free(header);
    base_free(data);
    return victim;
}

static struct model small_model(void)
{
    struct model model;
    CU_ASSERT_TRUE_FATAL(
        sample_read("qwen2", CHECKPOINT_SHAPES ", \"num_hidden_layers\": 1", &model, NULL));
    return model;
}

static void damaged_files_are_refused_or_read(void)
{
    static const char *const dtype[] = {"F32", "F16", "BF16"};
    struct model model = small_model();
    struct checkpoint checkpoint = checkpoint_of(&model);
    for (int i = 0; i < 3; i++) {
        char *folder = checkpoint_folder();
        struct victim victim = write_victim(folder, "model.safetensors", &checkpoint, dtype[i]);
        CU_ASSERT_EQUAL(victim.count % PAGE_BYTES, 0);
        CU_ASSERT_EQUAL(outcome(folder, &model), 1);
        damage_and_open(folder, "model.safetensors", &model, &victim, FILE_TRIALS / 3, DAMAGES);
        base_free(victim.byte);
        checkpoint_folder_remove(folder);
    }
}

static void exchange_names(struct checkpoint *checkpoint, int a, int b)
{
    struct checkpoint_tensor kept = checkpoint->tensor[a];
    memcpy(checkpoint->tensor[a].name, checkpoint->tensor[b].name, sizeof kept.name);
    memcpy(checkpoint->tensor[b].name, kept.name, sizeof kept.name);
}

/* Changes names, shapes or the number of tensors; header and data will agree all the same. */
static void change_tensors(struct victim *victim, struct checkpoint *checkpoint)
{
    int number = (int)draw(victim, (uint64_t)checkpoint->count);
    struct checkpoint_tensor *tensor = &checkpoint->tensor[number];
    int64_t rows = tensor->rows, sign = draw(victim, 2) ? 1 : -1;
    switch (draw(victim, 5)) {
    case 0:
        exchange_names(checkpoint, number, (int)draw(victim, (uint64_t)checkpoint->count));
        break;
    case 1:
        tensor->rows = rows ? rows + sign : 1;
        break;
    case 2:
        tensor->columns += sign;
        break;
    case 3:
        tensor->rows = rows ? tensor->columns : 0;
        tensor->columns = rows ? rows : tensor->columns;
        break;
    default:
        checkpoint->count -= (int)draw(victim, 3);
    }
}

/* Whether every tensor of `whole` is in `changed` with its shape. */
static bool is_complete(const struct checkpoint *changed, const struct checkpoint *whole)
{
    int found = 0;
    for (int i = 0; i < whole->count; i++)
        for (int j = 0; j < changed->count; j++)
            found += strcmp(whole->tensor[i].name, changed->tensor[j].name) == 0 &&
                     whole->tensor[i].rows == changed->tensor[j].rows &&
                     whole->tensor[i].columns == changed->tensor[j].columns;
    return found == whole->count;
}

static void well_formed_files_are_read_exactly_where_every_shape_is_right(void)
{
    struct model model = small_model();
    const struct checkpoint whole = checkpoint_of(&model);
    char *folder = checkpoint_folder();
    int wrong = 0, read = 0;
    for (int trial = 0; trial < SHAPE_TRIALS; trial++) {
        struct checkpoint changed = whole;
        struct victim victim = {.trial = (uint64_t)trial};
        change_tensors(&victim, &changed);
        base_free(write_victim(folder, "model.safetensors", &changed, "F16").byte);
        int expected = is_complete(&changed, &whole);
        wrong += outcome(folder, &model) != expected;
        read += expected;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(read > SHAPE_TRIALS / 20);
    checkpoint_folder_remove(folder);
}

/* {"weight_map": {TENSOR: FILE, ...}} with all tensors in a.safetensors; free with base_free. */
static char *index_text(const struct checkpoint *checkpoint)
{
    char *text = base_strdup("{\"metadata\": {}, \"weight_map\": {\"a\": \"a.safetensors\"");
    for (int i = 0; i < checkpoint->count; i++) {
        char *longer =
            base_format("%s, \"%s\": \"a.safetensors\"", text, checkpoint->tensor[i].name);
        base_free(text);
        text = longer;
    }
    char *whole = base_format("%s}}", text);
    base_free(text);
    return whole;
}

static void damaged_indices_are_refused_or_read(void)
{
    struct model model = small_model();
    struct checkpoint checkpoint = checkpoint_of(&model);
    char *folder = checkpoint_folder();
    base_free(write_victim(folder, "a.safetensors", &checkpoint, "F32").byte);
    char *text = index_text(&checkpoint);
    size_t bytes = strlen(text);
    struct victim victim = {.byte = (unsigned char *)text, .count = bytes, .text_end = bytes};
    damage_and_open(folder, "model.safetensors.index.json", &model, &victim, INDEX_TRIALS,
                    TEXT_DAMAGES);
    base_free(text);
    checkpoint_folder_remove(folder);
}

TEST_MAIN("weights_fuzz", TEST(damaged_files_are_refused_or_read),
          TEST(well_formed_files_are_read_exactly_where_every_shape_is_right),
          TEST(damaged_indices_are_refused_or_read))
