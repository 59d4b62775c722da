/* SPDX-License-Identifier: BSD-3-Clause */
/* Published traces read whole: how many requests, how long, how many tokens. Skipped where they are
 * not. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/source.h"
#include "test.h"

/* What a reader of another make (Python's csv, json and datetime) finds in the same files. */
static const struct {
    const char *path;
    size_t count;
    int64_t span_ps, prompt_tokens, output_tokens, most_tokens;
} published[] = {
    {"traces/azure2023_conv.csv", 19366, INT64_C(3501721937000000), 22361870, 4088665, 14089},
    {"traces/azure2023_code.csv", 8819, INT64_C(3435948056000000), 18059974, 245896, 7841},
    {"traces/mooncake_conversation.jsonl", 12031, INT64_C(3536999000000000), 144793823, 4122048,
     126527},
};

static char *path[sizeof published / sizeof published[0]];

static void every_published_trace_is_read_to_the_last_token(void)
{
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        struct serve_source source = {.requests = 0, .tenants = 1};
        struct serve_requests all;
        struct base_report report = {0};
        int64_t prompt = 0, output = 0, most = 0;
        snprintf(source.trace, sizeof source.trace, "%s", path[i]);
        CU_ASSERT_TRUE_FATAL(serve_source_take(&source, 1, &all, &report));
        for (size_t k = 0; k < all.count; k++) {
            int64_t tokens = all.request[k].prompt_tokens + all.request[k].output_tokens;
            prompt += all.request[k].prompt_tokens;
            output += all.request[k].output_tokens;
            most = tokens > most ? tokens : most;
        }
        CU_ASSERT_EQUAL(all.count, published[i].count);
        CU_ASSERT_EQUAL(all.moved, 0);
        CU_ASSERT_EQUAL(all.request[all.count - 1].arrival_ps, published[i].span_ps);
        CU_ASSERT_EQUAL(prompt, published[i].prompt_tokens);
        CU_ASSERT_EQUAL(output, published[i].output_tokens);
        CU_ASSERT_EQUAL(most, published[i].most_tokens);
        serve_requests_release(&all);
    }
}

int main(void)
{
    static const struct test_case cases[] = {TEST(every_published_trace_is_read_to_the_last_token)};
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
        path[i] = test_data_path(published[i].path);
    int failed = test_run("published traces", cases, sizeof cases / sizeof cases[0]);
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
        free(path[i]);
    return failed;
}
