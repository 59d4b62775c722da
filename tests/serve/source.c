/* SPDX-License-Identifier: BSD-3-Clause */
/* The requests of a run: slices of a trace, stretched to a rate, dealt to tenants; and what is
 * refused. */
#include "serve/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "test.h"

static const int64_t SECOND = INT64_C(1000000000000);
static char trace_path[] = "/tmp/lpusim_source_XXXXXX";

static void trace_remove(void)
{
    unlink(trace_path);
}

static const char ten[] = "arrival_s,prompt_tokens,output_tokens\n"
                          "10,1,1\n12,2,1\n13,3,1\n17,4,1\n18,5,1\n19,6,1\n23,7,1\n23,8,1\n24,9,1\n"
                          "28,10,1\n";

/* A source of the trace `text`. */
static struct serve_source source_of(const char *text)
{
    struct serve_source source = {.tenants = 1};
    static bool made;
    if (!made) {
        int descriptor = mkstemp(trace_path);
        if (descriptor < 0)
            abort();
        close(descriptor);
        atexit(trace_remove);
        made = true;
    }
    FILE *file = fopen(trace_path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
    snprintf(source.trace, sizeof source.trace, "%s", trace_path);
    return source;
}

/* The requests, or what is said where there are none. */
static struct serve_requests take(const struct serve_source *source, const char *fault)
{
    struct serve_requests requests;
    struct base_report report = {0};
    bool good = serve_source_take(source, 1, &requests, &report);
    char *text = base_report_text(&report);
    CU_ASSERT_EQUAL(good, !fault);
    if (!strstr(text, fault ? fault : ""))
        fprintf(stderr, "not said: %s\nbut: %s\n", fault, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, fault ? fault : ""));
    base_free(text);
    base_report_release(&report);
    return requests;
}

static void refuses(const struct serve_source *source, const char *fault)
{
    struct serve_requests requests = take(source, fault);
    serve_requests_release(&requests);
}

static void a_slice_begins_at_its_first_request(void)
{
    struct serve_source source = source_of(ten);
    source.first = 3;
    source.requests = 4;
    struct serve_requests requests = take(&source, NULL);
    static const int64_t arrival_s[] = {0, 1, 2, 6};
    CU_ASSERT_EQUAL_FATAL(requests.count, 4);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(requests.request[i].arrival_ps, arrival_s[i] * SECOND);
        CU_ASSERT_EQUAL(requests.request[i].prompt_tokens, (int32_t)i + 4);
    }
    serve_requests_release(&requests);
    source.requests = 0;
    requests = take(&source, NULL);
    CU_ASSERT_EQUAL(requests.count, 7);
    serve_requests_release(&requests);
}

static void a_slice_beyond_the_end_is_refused(void)
{
    struct serve_source source = source_of(ten);
    source.first = 10;
    refuses(&source, "serve.first = 10 and serve.requests = 0 want more than the 10 requests");
    source.first = 7;
    source.requests = 4;
    refuses(&source, "serve.first = 7 and serve.requests = 4 want more than the 10 requests");
    source.requests = 3;
    refuses(&source, NULL);
}

static void time_is_stretched_to_the_rate(void)
{
    static const double rate[] = {0.001, 0.5, 1, 3, 1e6};
    struct serve_source source = source_of(ten);
    for (size_t n = 0; n < sizeof rate / sizeof rate[0]; n++) {
        source.rate = rate[n];
        struct serve_requests requests = take(&source, NULL);
        double factor = 9 / (18 * rate[n]);
        CU_ASSERT_DOUBLE_EQUAL(serve_requests_rate(&requests) / rate[n], 1, 1e-6);
        CU_ASSERT_DOUBLE_EQUAL((double)requests.request[3].arrival_ps, 7e12 * factor, 0.51);
        CU_ASSERT_EQUAL(requests.request[6].arrival_ps, requests.request[7].arrival_ps);
        serve_requests_release(&requests);
    }
}

static void a_rate_that_no_stretch_gives_is_refused(void)
{
    struct serve_source source = source_of(ten);
    source.rate = 1e-6;
    refuses(&source, "serve.rate = 1e-06: the 10 requests of the slice would last longer than 30");
    source.rate = 1;
    source.first = 6;
    source.requests = 2;
    refuses(&source, "serve.rate = 1: the 2 requests of the slice arrive all at once");
    source.requests = 1;
    refuses(&source, NULL);
}

/* A slice deals as the whole trace does. */
static void tenants_are_dealt_in_turn(void)
{
    struct serve_source source = source_of(ten);
    source.tenants = 3;
    source.first = 2;
    struct serve_requests requests = take(&source, NULL);
    for (size_t i = 0; i < requests.count; i++)
        CU_ASSERT_EQUAL(requests.request[i].tenant, (int32_t)(i + 2) % 3);
    serve_requests_release(&requests);
    source = source_of("arrival_s,prompt_tokens,output_tokens,tenant\n0,1,1,7\n1,1,1,0\n");
    source.tenants = 3;
    requests = take(&source, NULL);
    CU_ASSERT_EQUAL(requests.request[0].tenant, 7);
    CU_ASSERT_EQUAL(requests.request[1].tenant, 0);
    serve_requests_release(&requests);
}

static void draws_want_a_rate_and_a_number(void)
{
    struct serve_source source = {.tenants = 2, .first = 1, .prompt_mean = 4, .output_mean = 2};
    refuses(&source, "serve.rate: 0 is the rate of a trace, and serve.trace names none");
    refuses(&source, "serve.requests: 0 is all of a trace, and serve.trace names none");
    refuses(&source, "serve.first: 1 requests of a trace, and serve.trace names none: 0");
    source.first = 0;
    source.rate = 1e-9;
    source.requests = 1000;
    refuses(&source, "serve.rate = 1e-09: 1000 requests would arrive for longer than 30 days");
    source.rate = 2;
    struct serve_requests requests = take(&source, NULL);
    CU_ASSERT_EQUAL_FATAL(requests.count, 1000);
    CU_ASSERT_EQUAL(requests.request[999].tenant, 1);
    CU_ASSERT_EQUAL(requests.request[999].prompt_tokens, 4);
    CU_ASSERT_DOUBLE_EQUAL(serve_requests_rate(&requests), 2, 0.2);
    serve_requests_release(&requests);
}

static void faults_of_a_trace_are_its_own(void)
{
    struct serve_source source = source_of("arrival_s,prompt_tokens,output_tokens\n0,1\n");
    source.rate = 1;
    source.first = 99;
    refuses(&source, ":2: 2 fields; 3 are wanted");
}

TEST_MAIN("sources", TEST(a_slice_begins_at_its_first_request),
          TEST(a_slice_beyond_the_end_is_refused), TEST(time_is_stretched_to_the_rate),
          TEST(a_rate_that_no_stretch_gives_is_refused), TEST(tenants_are_dealt_in_turn),
          TEST(draws_want_a_rate_and_a_number), TEST(faults_of_a_trace_are_its_own))
