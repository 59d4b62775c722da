/* SPDX-License-Identifier: BSD-3-Clause */
/* Weights and vocabulary of a published model, against what Python reads from its files. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/tokenizer.h"
#include "model/weights.h"

enum { MOST_COLUMNS = 172, MOST_IDS = 40 };

static const struct {
    enum model_weight what;
    int layer, row, columns;
    float first, last;
    double sum; /* of the row */
} known[] = {
    {MODEL_WEIGHT_EMBEDDING, 0, 0, 64, -0.294748783f, -0.402708054f, -2.0063030084129423},
    {MODEL_WEIGHT_EMBEDDING, 0, 403, 64, 0.00354371802f, -0.606729448f, -2.0409368022810668},
    {MODEL_WEIGHT_HEAD, 0, 511, 64, -0.244463071f, -0.424032599f, -2.9835682758130133},
    {MODEL_WEIGHT_Q, 0, 63, 64, 0.0753324851f, 0.0348095521f, 0.17958645793987671},
    {MODEL_WEIGHT_DOWN, 4, 63, 172, -0.162346199f, -0.00350687164f, -1.4449956870521419},
    {MODEL_WEIGHT_K, 2, 31, 64, -0.0588103272f, 0.0186693892f, 0.93202328815823421},
    {MODEL_WEIGHT_UP, 3, 171, 64, -0.0806134492f, 0.117551841f, -0.94779616640880704},
    {MODEL_WEIGHT_ATTENTION_NORM, 4, 0, 64, 1.34015048f, 1.06495595f, 77.992631435394287},
    {MODEL_WEIGHT_FINAL_NORM, 0, 0, 64, 2.45830894f, 1.7077769f, 115.95276230573654},
};

static void rows_of_a_published_model_have_its_values(void)
{
    struct model model;
    struct base_report report = {0};
    char *folder = test_data_path("models/stories260K");
    CU_ASSERT_TRUE_FATAL(model_read(folder, &model, &report));
    CU_ASSERT_TRUE(model.bos_token == 1 && model.end_tokens == 1 && model.end_token[0] == 2);
    struct model_weights *weights = model_weights_open(folder, &model, &report);
    base_report_print(&report, stderr);
    CU_ASSERT_PTR_NOT_NULL_FATAL(weights);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        float row[MOST_COLUMNS];
        double sum = 0;
        CU_ASSERT_EQUAL_FATAL(model_weight_shape(&model, known[i].what).columns, known[i].columns);
        model_weights_row(weights, known[i].what, known[i].layer, known[i].row, row);
        for (int column = 0; column < known[i].columns; column++)
            sum += (double)row[column];
        CU_ASSERT_EQUAL(row[0], known[i].first);
        CU_ASSERT_EQUAL(row[known[i].columns - 1], known[i].last);
        CU_ASSERT_TRUE(fabs(sum - known[i].sum) < 1e-12);
    }
    model_weights_close(weights);
    free(folder);
}

static const struct {
    const char *text;
    int32_t count, id[MOST_IDS];
} encoded[] = {
    {"Once upon a time", 5, {1, 403, 407, 261, 378}},
    {"", 1, {1}},
    {"The caf\u00e9\u2019s \u201cbig\u201d day \u2014 5\u20ac \u2603\n",
     24,
     {1,   291, 280, 412, 431, 485, 468, 419, 410, 465, 430, 333,
      466, 328, 410, 481, 410, 480, 503, 410, 229, 155, 134, 13}},
};

static void texts_have_the_ids_of_a_published_vocabulary(void)
{
    struct model model;
    struct base_report report = {0};
    char *folder = test_data_path("models/stories260K");
    CU_ASSERT_TRUE_FATAL(model_read(folder, &model, &report));
    struct tokenizer *tokenizer = tokenizer_open(folder, &model, &report);
    base_report_print(&report, stderr);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tokenizer);
    for (size_t i = 0; i < sizeof encoded / sizeof encoded[0]; i++) {
        int32_t *ids, count;
        CU_ASSERT_TRUE_FATAL(tokenizer_encode(tokenizer, encoded[i].text, &ids, &count, &report));
        CU_ASSERT_EQUAL_FATAL(count, encoded[i].count);
        CU_ASSERT_EQUAL(memcmp(ids, encoded[i].id, (size_t)count * sizeof *ids), 0);
        char *text = tokenizer_decode(tokenizer, ids, count);
        CU_ASSERT_STRING_EQUAL(text, encoded[i].text);
        base_free(text);
        base_free(ids);
    }
    tokenizer_close(tokenizer);
    free(folder);
}

TEST_MAIN("stories", TEST(rows_of_a_published_model_have_its_values),
          TEST(texts_have_the_ids_of_a_published_vocabulary))
