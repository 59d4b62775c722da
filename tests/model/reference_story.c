/* SPDX-License-Identifier: BSD-3-Clause */
/* The reference writes the story that public implementations write with stories260K. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/reference.h"

enum { POSITIONS = 512, MOST_IDS = 300, PUBLIC_IDS = 252 };

static const int32_t prompt[] = {1, 403, 407, 261, 378};

enum { PROMPT = sizeof prompt / sizeof prompt[0] };

static int read_ids(const char *folder, int32_t *id)
{
    char *path = base_format("%s/greedy_ids.txt", folder);
    FILE *stream = fopen(path, "r");
    int count = 0;
    while (stream && count < MOST_IDS && fscanf(stream, "%d", &id[count]) == 1)
        count++;
    if (stream)
        fclose(stream);
    base_free(path);
    return count;
}

static void check_story(struct model_reference *reference, int64_t vocabulary, const int32_t *id)
{
    const float *logit = NULL;
    for (int i = 0; i < PROMPT; i++)
        logit = model_reference_step(reference, prompt[i]);
    for (int i = 0; i < PUBLIC_IDS; i++) {
        int32_t token = model_reference_choice(logit, vocabulary);
        CU_ASSERT_EQUAL_FATAL(token, id[i]);
        logit = model_reference_step(reference, token);
    }
}

static void greedy_ids_are_the_public_ones(void)
{
    char *folder = test_data_path("models/stories260K");
    struct base_report report = {0};
    struct model model;
    int32_t id[MOST_IDS];
    CU_ASSERT_EQUAL_FATAL(read_ids(folder, id), PUBLIC_IDS);
    CU_ASSERT_TRUE_FATAL(model_read(folder, &model, &report));
    struct model_weights *weights = model_weights_open(folder, &model, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(weights);
    struct model_reference *reference = model_reference_create(&model, weights, POSITIONS);
    check_story(reference, model.vocabulary, id);
    model_reference_release(reference);
    model_weights_close(weights);
    free(folder);
}

static const struct test_case cases[] = {TEST(greedy_ids_are_the_public_ones)};

int main(void)
{
    free(test_data_path("models/stories260K"));
    return test_run("reference story", cases, sizeof cases / sizeof cases[0]);
}
