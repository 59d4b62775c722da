/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces in three formats: what is read, and what is said of a line that cannot be. */
#include "serve/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "test.h"

static const int64_t SECOND = INT64_C(1000000000000), MILLISECOND = INT64_C(1000000000);

struct parsed {
    struct serve_trace trace;
    struct base_report report;
    char *faults;
    bool good;
};

static struct parsed parse(enum serve_format format, const char *text)
{
    struct parsed p = {.faults = NULL};
    p.good = serve_trace_parse("t", text, strlen(text), format, &p.trace, &p.report);
    p.faults = base_report_text(&p.report);
    return p;
}

static void release(struct parsed *p)
{
    serve_trace_release(&p->trace);
    base_report_release(&p->report);
    base_free(p->faults);
}

static void is_request(const struct parsed *p, size_t i, int64_t arrival, int32_t prompt,
                       int32_t output, int32_t tenant)
{
    CU_ASSERT_TRUE_FATAL(i < p->trace.count);
    const struct serve_request *r = &p->trace.request[i];
    CU_ASSERT_EQUAL(r->arrival_ps, arrival);
    CU_ASSERT_EQUAL(r->prompt_tokens, prompt);
    CU_ASSERT_EQUAL(r->output_tokens, output);
    CU_ASSERT_EQUAL(r->tenant, tenant);
}

static void azure_times_cross_midnight_and_the_last_day_of_february(void)
{
    struct parsed p = parse(SERVE_AUTO, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                                        "2024-02-28 23:59:59.9999999,374,44\n"
                                        "2024-02-29 00:00:00.0000001,396,109\n"
                                        "2024-03-01T00:00:00Z,1,2\n"
                                        "2024-03-01 00:00:00.5+00:00,3,4");
    CU_ASSERT_TRUE(p.good);
    CU_ASSERT_EQUAL(p.trace.count, 4);
    is_request(&p, 0, 0, 374, 44, 0);
    is_request(&p, 1, 200000, 396, 109, 0);
    is_request(&p, 2, 86400 * SECOND + 100000, 1, 2, 0);
    is_request(&p, 3, 86400 * SECOND + 100000 + SECOND / 2, 3, 4, 0);
    CU_ASSERT_FALSE(p.trace.has_tenants);
    release(&p);
}

static void centuries_are_leap_years_every_four_hundred_years(void)
{
    struct parsed p = parse(SERVE_AZURE, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                                         "2100-02-28 00:00:00,1,1\n2100-03-01 00:00:00,1,1\n");
    CU_ASSERT_TRUE(p.good);
    is_request(&p, 1, 86400 * SECOND, 1, 1, 0);
    release(&p);
    p = parse(SERVE_AZURE, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                           "2000-02-28 00:00:00,1,1\n2000-02-29 00:00:00,1,1\n"
                           "2000-03-01 00:00:00,1,1\n");
    CU_ASSERT_TRUE(p.good);
    is_request(&p, 2, 2 * 86400 * SECOND, 1, 1, 0);
    release(&p);
}

static void mooncake_lines_may_have_other_keys_in_any_order(void)
{
    struct parsed p = parse(
        SERVE_AUTO,
        "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [1, "
        "[-2.5e3, \"a\\\"\\u00e9\"], {\"timestamp\": null}]}\r\n"
        "\r\n"
        "{\"output_length\":7,\"timestamp\":27482.25,\"x\":true,\"input_length\":1}\r\n");
    CU_ASSERT_TRUE(p.good);
    CU_ASSERT_EQUAL(p.trace.count, 2);
    is_request(&p, 0, 0, 6955, 52, 0);
    is_request(&p, 1, MILLISECOND / 4, 1, 7, 0);
    release(&p);
}

static void own_lines_may_name_tenants_and_use_exponents(void)
{
    struct parsed p = parse(SERVE_AUTO, "\xef\xbb\xbf"
                                        "arrival_s,prompt_tokens,output_tokens,tenant\n"
                                        "0.5,10,20,3\n"
                                        "5.00001e-1, 11 ,\t21,65535\n"
                                        "1.000000000001999,12,22,0\n\n");
    CU_ASSERT_TRUE(p.good);
    CU_ASSERT_TRUE(p.trace.has_tenants);
    is_request(&p, 0, 0, 10, 20, 3);
    is_request(&p, 1, 1000000, 11, 21, 65535);
    is_request(&p, 2, SECOND / 2 + 1, 12, 22, 0);
    release(&p);
    p = parse(SERVE_CSV, "arrival_s,prompt_tokens,output_tokens\r\n7,1,1\r\n");
    CU_ASSERT_TRUE(p.good);
    is_request(&p, 0, 0, 1, 1, 0);
    release(&p);
}

static void arrivals_out_of_order_are_sorted_and_counted(void)
{
    struct parsed p = parse(SERVE_CSV, "arrival_s,prompt_tokens,output_tokens\n"
                                       "3,1,1\n5,2,1\n3,3,1\n1,4,1\n5,5,1\n");
    CU_ASSERT_TRUE(p.good);
    CU_ASSERT_EQUAL(p.trace.moved, 2);
    is_request(&p, 0, 0, 4, 1, 0);
    is_request(&p, 1, 2 * SECOND, 1, 1, 0);
    is_request(&p, 2, 2 * SECOND, 3, 1, 0);
    is_request(&p, 3, 4 * SECOND, 2, 1, 0);
    is_request(&p, 4, 4 * SECOND, 5, 1, 0);
    release(&p);
}

#define AZURE "TIMESTAMP,ContextTokens,GeneratedTokens\n"
#define OWN "arrival_s,prompt_tokens,output_tokens\n"
#define TOKENS "a whole number from 1 to 1000000000 is wanted"

/* A text, and the whole of what is said. */
static const struct {
    enum serve_format format;
    const char *text, *fault;
} bad[] = {
    {SERVE_AUTO, "", "t: is empty: a trace of requests is wanted"},
    {SERVE_AUTO, "\n\r\n \n", "t: is empty: a trace of requests is wanted"},
    {SERVE_AUTO, AZURE "\n", "t: has no request behind its first line"},
    {SERVE_AUTO, "\n1,2,3\n",
     "t:2: \"1,2,3\" begins no trace: TIMESTAMP,ContextTokens,GeneratedTokens, or "
     "arrival_s,prompt_tokens,output_tokens with or without ,tenant, or a JSON object a line is "
     "wanted"},
    {SERVE_AZURE, OWN "1,1,1",
     "t:1: \"arrival_s,prompt_tokens,output_tokens\": the first line of this format is "
     "TIMESTAMP,ContextTokens,GeneratedTokens"},
    {SERVE_MOONCAKE, AZURE,
     "t:1: \"TIMESTAMP,ContextTokens,GeneratedTokens\": the first line of this format is a JSON "
     "object"},
    {SERVE_AUTO, OWN "1,2\n1,2,3,4\n\n,,\n",
     "t:2: 2 fields; 3 are wanted: arrival_s,prompt_tokens,output_tokens\n"
     "t:3: 4 fields; 3 are wanted: arrival_s,prompt_tokens,output_tokens\n"
     "t:5: arrival_s: \"\": seconds as a number, 0 or more is wanted\n"
     "t:5: prompt_tokens: \"\": " TOKENS "\n"
     "t:5: output_tokens: \"\": " TOKENS},
    {SERVE_AUTO, OWN "-1,0,1000000001\n1e12,1.5,-3\n",
     "t:2: arrival_s: \"-1\": seconds as a number, 0 or more is wanted\n"
     "t:2: prompt_tokens: \"0\": " TOKENS "\n"
     "t:2: output_tokens: \"1000000001\": " TOKENS "\n"
     "t:3: arrival_s: \"1e12\": seconds as a number, 0 or more is wanted\n"
     "t:3: prompt_tokens: \"1.5\": " TOKENS "\n"
     "t:3: output_tokens: \"-3\": " TOKENS},
    {SERVE_AUTO, OWN "0,1,99999999999999999999999\n",
     "t:2: output_tokens: \"99999999999999999999999\": " TOKENS},
    {SERVE_AUTO, OWN "0,1,1\n2592001,1,1\n",
     "t:3: arrival_s: more than 30 days from the first request of the file"},
    {SERVE_AUTO, AZURE "2023-02-29 00:00:00,1,1\n2023-11-16 24:00:00,1,1\n2023-11-16,1,1\n",
     "t:2: TIMESTAMP: \"2023-02-29 00:00:00\": a time as 2023-11-16 18:15:46.6805900 is wanted\n"
     "t:3: TIMESTAMP: \"2023-11-16 24:00:00\": a time as 2023-11-16 18:15:46.6805900 is wanted\n"
     "t:4: TIMESTAMP: \"2023-11-16\": a time as 2023-11-16 18:15:46.6805900 is wanted"},
    {SERVE_AUTO, "{\"timestamp\":1,\"input_length\":\"6\"}\n{\"timestamp\":1\n[]\n",
     "t:1: input_length: \"\"6\"\": " TOKENS "\n"
     "t:1: output_length is missing: " TOKENS "\n"
     "t:2: no JSON object at byte 15: a comma or } is wanted\n"
     "t:3: no JSON object at byte 1: { is wanted"},
    {SERVE_AUTO,
     "{\"timestamp\":1,\"timestamp\":2}\n{} {}\n{\"a\":tru}\n{a:1}\n{\"a\" 1}\n{\"\\x\":1}",
     "t:1: no JSON object at byte 29: a key stands there twice\n"
     "t:2: no JSON object at byte 4: nothing is wanted behind the object\n"
     "t:3: no JSON object at byte 6: a value is wanted: a number, a string, true, false, null, [ "
     "or {\n"
     "t:4: no JSON object at byte 2: a key in quotes is wanted\n"
     "t:5: no JSON object at byte 6: a colon is wanted\n"
     "t:6: no JSON object at byte 4: an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t "
     "\\uXXXX"},
};

static void each_fault_names_line_column_value_and_what_would_be_right(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct parsed p = parse(bad[i].format, bad[i].text);
        CU_ASSERT_FALSE(p.good);
        CU_ASSERT_STRING_EQUAL(p.faults, bad[i].fault);
        if (strcmp(p.faults, bad[i].fault) != 0)
            fprintf(stderr, "case %zu said:\n%s\n", i, p.faults);
        release(&p);
    }
}

static void after_twenty_faults_the_rest_is_counted(void)
{
    char text[4096] = OWN;
    for (int i = 0; i < 25; i++)
        strcat(text, "x,1,1\n");
    struct parsed p = parse(SERVE_AUTO, text);
    CU_ASSERT_EQUAL(p.report.count, SERVE_TRACE_FAULTS + 1);
    CU_ASSERT_STRING_EQUAL(p.report.message[SERVE_TRACE_FAULTS],
                           "t: and 5 more faults of this kind");
    release(&p);
}

static void a_file_that_is_not_there_is_named(void)
{
    struct serve_trace trace;
    struct base_report report = {0};
    CU_ASSERT_FALSE(serve_trace_read("gone.csv", SERVE_AUTO, &trace, &report));
    CU_ASSERT_EQUAL_FATAL(report.count, 1);
    CU_ASSERT_STRING_EQUAL(report.message[0],
                           "gone.csv: cannot be read: No such file or directory");
    serve_trace_release(&trace);
    base_report_release(&report);
}

TEST_MAIN("traces", TEST(azure_times_cross_midnight_and_the_last_day_of_february),
          TEST(centuries_are_leap_years_every_four_hundred_years),
          TEST(mooncake_lines_may_have_other_keys_in_any_order),
          TEST(own_lines_may_name_tenants_and_use_exponents),
          TEST(arrivals_out_of_order_are_sorted_and_counted),
          TEST(each_fault_names_line_column_value_and_what_would_be_right),
          TEST(after_twenty_faults_the_rest_is_counted), TEST(a_file_that_is_not_there_is_named))
