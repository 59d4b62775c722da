/* SPDX-License-Identifier: BSD-3-Clause */
/* Weights in every storage type, and the fault for every way in which a file can be wrong. */
#include "test.h"

#include <string.h>

#include "base/memory.h"
#include "checkpoint.h"
#include "sample.h"
#include "weight_names.h"

enum { MOST_COLUMNS = 16 };

static const char single[] = "model.safetensors";
static const char index_file[] = "model.safetensors.index.json";

static struct model model_of(const char *family, const char *extra)
{
    struct model model;
    char *keys = base_format("%s%s", CHECKPOINT_SHAPES, extra);
    CU_ASSERT_TRUE_FATAL(sample_read(family, keys, &model, NULL));
    base_free(keys);
    return model;
}

/* Writes header and data as FOLDER/NAME. */
static void write_parts(const char *folder, const char *name, const char *header,
                        const unsigned char *data, size_t data_bytes)
{
    size_t bytes;
    unsigned char *file = checkpoint_file(header, data, data_bytes, &bytes);
    checkpoint_write(folder, name, file, bytes);
    base_free(file);
}

static void write_checkpoint(const char *folder, const char *name,
                             const struct checkpoint *checkpoint, const char *dtype)
{
    size_t bytes;
    char *header = checkpoint_header(checkpoint, dtype);
    unsigned char *data = checkpoint_data(checkpoint, dtype, &bytes);
    write_parts(folder, name, header, data, bytes);
    base_free(data);
    base_free(header);
}

/* TEXT with the first FIND replaced; free with base_free. NULL: TEXT lacks it. */
static char *replaced(const char *text, const char *find, const char *replace)
{
    const char *at = strstr(text, find);
    if (!at)
        return NULL;
    return base_format("%.*s%s%s", (int)(at - text), text, replace, at + strlen(find));
}

static int index_of(const struct checkpoint *checkpoint, const char *name)
{
    for (int i = 0; i < checkpoint->count; i++)
        if (strcmp(checkpoint->tensor[i].name, name) == 0)
            return i;
    return -1;
}

/* Rows of one weight that differ from those written as tensor NAME. */
static int wrong_rows(const struct model_weights *weights, const struct model *model,
                      enum model_weight what, int64_t layer, int tensor)
{
    struct model_weight_shape shape = model_weight_shape(model, what);
    int wrong = tensor < 0 || shape.columns > MOST_COLUMNS;
    for (int64_t row = 0; row < shape.rows && !wrong; row++) {
        float out[MOST_COLUMNS];
        model_weights_row(weights, what, layer, row, out);
        for (int64_t i = 0; i < shape.columns; i++)
            wrong += out[i] != checkpoint_value(tensor, row * shape.columns + i);
    }
    return wrong;
}

/* Whether all rows of all weights are those of the checkpoint. */
static void check_rows(const struct model_weights *weights, const struct model *model)
{
    struct checkpoint checkpoint = checkpoint_of(model);
    const char *head = model->tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
    CU_ASSERT_EQUAL(wrong_rows(weights, model, MODEL_WEIGHT_HEAD, -7, index_of(&checkpoint, head)),
                    0);
    CU_ASSERT_EQUAL(wrong_rows(weights, model, MODEL_WEIGHT_EMBEDDING, 99,
                               index_of(&checkpoint, "model.embed_tokens.weight")),
                    0);
    CU_ASSERT_EQUAL(wrong_rows(weights, model, MODEL_WEIGHT_FINAL_NORM, 1,
                               index_of(&checkpoint, "model.norm.weight")),
                    0);
    for (int64_t layer = 0; layer < model->layers; layer++)
        for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++) {
            if (!weight_names[what].is_layered || model_weight_shape(model, what).rows == 0)
                continue;
            char *name = base_format("model.layers.%d.%s", (int)layer, weight_names[what].name);
            int tensor = index_of(&checkpoint, name);
            CU_ASSERT_EQUAL(wrong_rows(weights, model, what, layer, tensor), 0);
            base_free(name);
        }
}

/* Opens the weights in FOLDER, which must be good, and compares all of them. */
static void check_folder(const char *folder, const struct model *model)
{
    struct base_report report = {0};
    struct model_weights *weights = model_weights_open(folder, model, &report);
    CU_ASSERT_PTR_NOT_NULL(weights);
    CU_ASSERT_TRUE(base_report_is_clean(&report));
    base_report_print(&report, stderr);
    if (weights)
        check_rows(weights, model);
    model_weights_close(weights);
    base_report_release(&report);
}

/* Opens what must be refused; each of up to 2 TEXTS must be in the faults. */
static void check_refused(const char *folder, const struct model *model, const char *first,
                          const char *second)
{
    struct base_report report = {0};
    struct model_weights *weights = model_weights_open(folder, model, &report);
    char *faults = base_report_text(&report);
    CU_ASSERT_PTR_NULL(weights);
    bool is_named = strstr(faults, first) && (!second || strstr(faults, second));
    CU_ASSERT_TRUE(is_named);
    if (!is_named)
        fprintf(stderr, "expected \"%s\", got \"%s\"\n", first, faults);
    model_weights_close(weights);
    base_free(faults);
    base_report_release(&report);
}

static void every_row_is_converted_exactly_from_every_type(void)
{
    static const char *const dtype[] = {"F32", "F16", "BF16"};
    static const struct {
        const char *family, *extra;
    } row[] = {{"llama", ""},
               {"qwen2", ""},
               {"llama", ", \"tie_word_embeddings\": true"},
               {"llama", ", \"attention_bias\": true, \"mlp_bias\": true"},
               {"qwen3", ""}};
    enum { ROWS = sizeof row / sizeof row[0] };
    for (int i = 0; i < 3 * ROWS; i++) {
        struct model model = model_of(row[i % ROWS].family, row[i % ROWS].extra);
        struct checkpoint checkpoint = checkpoint_of(&model);
        char *folder = checkpoint_folder();
        write_checkpoint(folder, single, &checkpoint, dtype[i / ROWS]);
        check_folder(folder, &model);
        checkpoint_folder_remove(folder);
    }
}

static void data_may_lie_at_odd_addresses(void)
{
    struct model model = model_of("llama", "");
    struct checkpoint checkpoint = checkpoint_of(&model);
    for (int padding = 1; padding < 4; padding++) {
        char *folder = checkpoint_folder();
        char *header = checkpoint_header(&checkpoint, "F32");
        char *padded = base_format("%s%*s", header, padding, "");
        size_t bytes;
        unsigned char *data = checkpoint_data(&checkpoint, "F32", &bytes);
        write_parts(folder, single, padded, data, bytes);
        check_folder(folder, &model);
        base_free(data);
        base_free(padded);
        base_free(header);
        checkpoint_folder_remove(folder);
    }
}

static void the_path_may_be_the_folder_or_its_config_json(void)
{
    struct model model = model_of("llama", "");
    struct checkpoint checkpoint = checkpoint_of(&model);
    char *folder = checkpoint_folder();
    write_checkpoint(folder, single, &checkpoint, "F32");
    checkpoint_write(folder, "config.json", "{}", 2);
    char *config = base_format("%s/config.json", folder);
    check_folder(config, &model);
    base_free(config);
    checkpoint_folder_remove(folder);
}

/* The header of the llama checkpoint with one change, its data grown or cut to `data_bytes`. */
static void check_change(const char *find, const char *replace, int more_bytes, const char *fault)
{
    struct model model = model_of("llama", "");
    struct checkpoint checkpoint = checkpoint_of(&model);
    char *folder = checkpoint_folder();
    char *header = checkpoint_header(&checkpoint, "F32");
    char *changed = replaced(header, find, replace);
    size_t bytes;
    unsigned char *data = checkpoint_data(&checkpoint, "F32", &bytes);
    data = base_realloc(data, bytes + 64, 1);
    memset(data + bytes, 0, 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(changed);
    write_parts(folder, single, changed, data, bytes + (size_t)more_bytes);
    if (fault)
        check_refused(folder, &model, fault, single);
    else
        check_folder(folder, &model);
    base_free(data);
    base_free(changed);
    base_free(header);
    checkpoint_folder_remove(folder);
}

/* In the llama checkpoint lm_head.weight lies at [0,352], model.embed_tokens.weight at [352,704].
 */
static void wrong_tensors_are_named_with_what_would_be_right(void)
{
    static const struct {
        const char *find, *replace;
        int more_bytes;
        const char *fault;
    } row[] = {
        {"[11,8]", "[8,11]", 0, "lm_head.weight: shape [8, 11], expected [11, 8]"},
        {"[11,8]", "[88]", 0, "lm_head.weight: shape [88], expected [11, 8]"},
        {"[11,8]", "[1,11,8]", 0, "lm_head.weight: shape [1, 11, 8], expected [11, 8]"},
        {"[8],", "[1,8],", 0, "input_layernorm.weight: shape [1, 8], expected [8]"},
        {"lm_head.weight", "lm_tail.weight", 0, "lm_head.weight: missing, expected shape [11, 8]"},
        {"layers.1.mlp.up_proj", "layers.2.mlp.up_proj", 0,
         "model.layers.1.mlp.up_proj.weight: missing, expected shape [10, 8]"},
        {"F32", "I32", 0, "lm_head.weight: dtype I32, expected F32, F16 or BF16"},
        {"F32", "F4", 0, "lm_head.weight: dtype = \"F4\": must be F32, F16, BF16 or another"},
        {"\"F32\"", "32", 0, "lm_head.weight: dtype = 32: must be F32"},
        {"\"dtype\"", "\"type\"", 0, "lm_head.weight: dtype: must be F32"},
        {"F32", "F16", 0, "data_offsets span 352 bytes, but dtype and shape need 176"},
        {"[11,8]", "[11,9]", 0, "data_offsets span 352 bytes, but dtype and shape need 396"},
        {"[11,8]", "[11,8.0]", 0, "lm_head.weight: shape = [...]: must be a list of sizes"},
        {"[11,8]", "[-11,-8]", 0, "lm_head.weight: shape = [...]: must be a list of sizes"},
        {"[11,8]", "[0,-9223372036854775808]", 0, "shape = [...]: must be a list of sizes"},
        {"[11,8]", "88", 0, "lm_head.weight: shape = 88: must be a list of sizes"},
        {"[11,8]", "[9223372036854775807,2]", 0, "shape = [...]: must be a list of sizes"},
        {"[11,8]", "[4294967296,4294967296,0]", 0, "shape = [...]: must be a list of sizes"},
        {"[0,352]", "[352]", 0, "lm_head.weight: data_offsets = [...]: must be [begin, end]"},
        {"[0,352]", "[0,352,352]", 0, "data_offsets = [...]: must be [begin, end]"},
        {"[0,352]", "[0,352.0]", 0, "data_offsets = [...]: must be [begin, end]"},
        {"[0,352]", "[352,0]", 0, "data_offsets = [...]: must be [begin, end]"},
        {"[0,352]", "[-352,0]", 0, "data_offsets = [...]: must be [begin, end]"},
        {"[0,352]", "[9223372036854775455,9223372036854775807]", 0, "must be [begin, end]"},
        {"[0,352]", "{\"a\":0}", 0, "data_offsets = {...}: must be [begin, end]"},
        {"[352,704]", "[0,352]", 0, "lap the data before, which end at 352"},
        {"[352,704]", "[348,700]", 0,
         "model.embed_tokens.weight: data begin at 348 and overlap the data before, which end at "
         "352"},
        {"[0,352]", "[4,356]", 4, "lm_head.weight: data begin at 4 and leave a hole behind"},
        {"[8],\"data", "[8],\"data", 4, "end of file: data begin at"},
        {"[8],\"data", "[8],\"data", -4, "model.norm.weight: data_offsets = [...]: must be"},
        {"{\"dtype\":\"F32\",\"shape\":[11,8],\"data_offsets\":[0,352]}", "[]", 0,
         "lm_head.weight: must be an object with dtype"},
        {"lm_head.weight", "model.norm.weight", 0, "header is not JSON: duplicate object key"},
        {"{\"format\":\"pt\"}", "{\"format\":1}", 0, "__metadata__ = {...}: must be an object of"},
        {"{\"format\":\"pt\"}", "7", 0, "__metadata__ = 7: must be an object of texts"},
        {"lm_head.weight\":{\"dtype\":\"F32", "lm_\\u001b[31m\\u00e9\":{\"dtype\":\"F31", 0,
         "lm_?[31m??: dtype = \"F31\": must be"},
        {"\"dtype\":\"F32\",\"shape\":[11,8]", "\"dtype\":\"\\u001b\",\"shape\":[11,8]", 0,
         "dtype = \"\\u001B\""},
        {"{", "[{", 0, "header is not JSON"},
        {"{", "{\"a\\u0000b\":1,", 0, "header is not JSON"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        check_change(row[i].find, row[i].replace, row[i].more_bytes, row[i].fault);
}

static void what_the_model_does_not_need_is_ignored_but_checked(void)
{
    check_change("\"__metadata__\":{\"format\":\"pt\"}",
                 "\"steps\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,0]}", 0,
                 "steps: data_offsets span 0 bytes, but dtype and shape need 8");
    check_change("\"__metadata__\":{\"format\":\"pt\"}",
                 "\"nothing\":{\"dtype\":\"I64\",\"shape\":[0,3],\"data_offsets\":[352,352]}", 0,
                 NULL);
    check_change("\"__metadata__\":{\"format\":\"pt\"},", "", 0, NULL);
}

static void files_that_are_no_safetensors_are_refused(void)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *fault;
    } row[] = {
        {"", 0, "must be a safetensors file of at least 8 bytes"},
        {"\0\0\0\0\0\0\0", 7, "must be a safetensors file of at least 8 bytes"},
        {"\0\0\0\0\0\0\0\0", 8, "header is not JSON"},
        {"\1\0\0\0\0\0\0\0", 8, "header of 1 bytes; must fit into the file of 8 bytes"},
        {"\3\0\0\0\0\0\0\0{}", 10, "header of 3 bytes; must fit"},
        {"\377\377\377\377\377\377\377\377{}", 10, "header of 18446744073709551615 bytes"},
        {"\2\0\0\0\0\0\0\200{}", 10, "header of 9223372036854775810 bytes"},
        {"\2\0\0\0\0\0\0\0[]", 10, "header must be an object of tensors"},
        {"\2\0\0\0\0\0\0\0{}", 10, "model.norm.weight: missing, expected shape [8]"},
        {"\2\0\0\0\0\0\0\0{}x", 11, "end of file: data begin at 1 and leave a hole"},
    };
    struct model model = model_of("llama", "");
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char *folder = checkpoint_folder();
        checkpoint_write(folder, single, row[i].bytes, row[i].count);
        check_refused(folder, &model, row[i].fault, single);
        checkpoint_folder_remove(folder);
    }
}

static void all_faults_of_the_tensors_come_at_once(void)
{
    struct model model = model_of("llama", "");
    struct checkpoint checkpoint = checkpoint_of(&model);
    char *folder = checkpoint_folder();
    write_checkpoint(folder, single, &checkpoint, "F16");
    model.ffn = 9;
    check_refused(folder, &model,
                  "model.layers.0.mlp.up_proj.weight: shape [10, 8], expected [9, 8]",
                  "model.layers.1.mlp.down_proj.weight: shape [8, 10], expected [8, 9]");
    checkpoint_folder_remove(folder);
}

static void a_tied_head_needs_no_tensor_of_its_own(void)
{
    struct model model = model_of("llama", ", \"tie_word_embeddings\": true");
    struct checkpoint checkpoint = checkpoint_of(&model);
    strcpy(checkpoint.tensor[0].name, "unknown");
    char *folder = checkpoint_folder();
    write_checkpoint(folder, single, &checkpoint, "F32");
    check_folder(folder, &model);
    model.tied_embeddings = false;
    check_refused(folder, &model, "lm_head.weight: missing", NULL);
    checkpoint_folder_remove(folder);
}

/* An index that puts tensors of even number into a.safetensors, the others into b.safetensors. */
static void write_index(const char *folder, const struct checkpoint *checkpoint)
{
    char *map = base_strdup("");
    for (int i = 0; i < checkpoint->count; i++) {
        char *longer = base_format("%s%s\"%s\": \"%c.safetensors\"", map, i ? ", " : "",
                                   checkpoint->tensor[i].name, i % 2 ? 'b' : 'a');
        base_free(map);
        map = longer;
    }
    char *text = base_format("{\"metadata\": {}, \"weight_map\": {%s}}", map);
    checkpoint_write(folder, index_file, text, strlen(text));
    base_free(text);
    base_free(map);
}

/* A copy of the same layout in which only the tensors of even (odd) number keep their names. */
static struct checkpoint half_of(const struct checkpoint *checkpoint, int odd)
{
    struct checkpoint half = *checkpoint;
    for (int i = 1 - odd; i < half.count; i += 2)
        half.tensor[i].name[0] = 'x';
    return half;
}

/* A folder with an index and its two files. */
static char *sharded_folder(const struct checkpoint *checkpoint)
{
    char *folder = checkpoint_folder();
    struct checkpoint a = half_of(checkpoint, 0), b = half_of(checkpoint, 1);
    write_checkpoint(folder, "a.safetensors", &a, "BF16");
    write_checkpoint(folder, "b.safetensors", &b, "F32");
    write_index(folder, checkpoint);
    return folder;
}

static void an_index_leads_to_several_files(void)
{
    struct model model = model_of("llama", "");
    struct checkpoint checkpoint = checkpoint_of(&model);
    char *folder = sharded_folder(&checkpoint);
    check_folder(folder, &model);
    struct checkpoint swapped = half_of(&checkpoint, 1);
    write_checkpoint(folder, "a.safetensors", &swapped, "BF16");
    check_refused(folder, &model, "a.safetensors: lm_head.weight: missing",
                  "a.safetensors: model.norm.weight: missing");
    checkpoint_write(folder, "b.safetensors", "x", 1);
    check_refused(folder, &model, "b.safetensors: must be a safetensors file", NULL);
    checkpoint_folder_remove(folder);
}

static void a_file_of_many_tensors_is_opened_once(void)
{
    enum { TENSORS = 5000 };
    struct model model = model_of("llama", "");
    struct checkpoint checkpoint = checkpoint_of(&model);
    char *folder = checkpoint_folder();
    char *text = base_alloc(TENSORS, 64), *end = text;
    end += sprintf(end, "{\"weight_map\": {");
    for (int i = 0; i < TENSORS; i++)
        end += sprintf(end, "\"%d\": \"a.safetensors\", ", i);
    for (int i = 0; i < checkpoint.count; i++)
        end +=
            sprintf(end, "%s\"%s\": \"a.safetensors\"", i ? ", " : "", checkpoint.tensor[i].name);
    end += sprintf(end, "}}");
    checkpoint_write(folder, index_file, text, (size_t)(end - text));
    write_checkpoint(folder, "a.safetensors", &checkpoint, "F32");
    check_folder(folder, &model);
    base_free(text);
    checkpoint_folder_remove(folder);
}

static void a_single_file_wins_over_an_index(void)
{
    struct model model = model_of("llama", "");
    struct checkpoint checkpoint = checkpoint_of(&model);
    char *folder = checkpoint_folder();
    checkpoint_write(folder, index_file, "nonsense", 8);
    check_refused(folder, &model, "index.json:1: not JSON", NULL);
    write_checkpoint(folder, single, &checkpoint, "F16");
    check_folder(folder, &model);
    checkpoint_folder_remove(folder);
}

static void wrong_indices_are_refused(void)
{
    static const struct {
        const char *text, *fault;
    } row[] = {
        {"[]", "must hold an object with weight_map"},
        {"{}", "weight_map: must be an object"},
        {"{\"weight_map\": [1]}", "weight_map = [...]: must be an object"},
        {"{\"weight_map\": {}}", "index.json: lm_head.weight: missing, expected shape [11, 8]"},
        {"{\"weight_map\": {\"a\": 1}}", "weight_map: must map tensors to names of at most 4096"},
        {"{\"weight_map\": {\"a\": \"\"}}", "weight_map: must map tensors to names"},
        {"{\"weight_map\": {\"a\": \"../a.safetensors\"}}", "weight_map: must map tensors"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "weight_map: must map tensors to names"},
        {"{\"weight_map\": {\"a\": \"\\u001b\"}}", "weight_map: must map tensors to names"},
        {"{\"weight_map\": {\"a\": \"c.safetensors\"}}", "/c.safetensors: cannot be read: No such"},
    };
    struct model model = model_of("llama", "");
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char *folder = checkpoint_folder();
        checkpoint_write(folder, index_file, row[i].text, strlen(row[i].text));
        check_refused(folder, &model, row[i].fault, NULL);
        checkpoint_folder_remove(folder);
    }
}

static void absent_weights_are_said_to_be_absent(void)
{
    struct model model = model_of("llama", "");
    char *folder = checkpoint_folder();
    check_refused(folder, &model,
                  "no weights: neither model.safetensors nor model.safetensors.index.json lies",
                  folder);
    checkpoint_folder_remove(folder);
}

TEST_MAIN("weights", TEST(every_row_is_converted_exactly_from_every_type),
          TEST(data_may_lie_at_odd_addresses), TEST(the_path_may_be_the_folder_or_its_config_json),
          TEST(wrong_tensors_are_named_with_what_would_be_right),
          TEST(what_the_model_does_not_need_is_ignored_but_checked),
          TEST(files_that_are_no_safetensors_are_refused),
          TEST(all_faults_of_the_tensors_come_at_once),
          TEST(a_tied_head_needs_no_tensor_of_its_own), TEST(an_index_leads_to_several_files),
          TEST(a_file_of_many_tensors_is_opened_once), TEST(a_single_file_wins_over_an_index),
          TEST(wrong_indices_are_refused), TEST(absent_weights_are_said_to_be_absent))
