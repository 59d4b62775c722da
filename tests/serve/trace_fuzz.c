/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces that somebody damaged: whatever stands there, the reader says what is wrong or gives
 * requests that keep their promises. */
#include "serve/trace.h"

#include <stdio.h>
#include <string.h>

#include "../mutate.h"
#include "base/memory.h"
#include "test.h"

enum { ROUNDS = 60000, LONG_ROUNDS = 2000000, MOST_BYTES = 1024 };

static const char *const good[] = {
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\r\n"
    "2023-11-17T00:00:01.0000000Z,1,1000000000",
    "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, "
    "47]}\n"
    "{\"timestamp\": 30535.25, \"x\": {\"y\": [true, null, \"\\u00e9\\\\\"]}, \"input_length\": 1, "
    "\"output_length\": 2}\n",
    "arrival_s,prompt_tokens,output_tokens,tenant\n0.5,10,20,3\n86400.000000000001,12,22,65535\n",
    "arrival_s,prompt_tokens,output_tokens\n0,1,1\n",
};

/* Pieces that break readers. */
static const char *const piece[] = {
    ",",
    "\n",
    "\r\n",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\\",
    "\\u",
    "e999",
    "1e11",
    "-",
    ".",
    "0",
    "99999999999999999999",
    "2147483648",
    "1000000001",
    "\xef\xbb\xbf",
    "\xff",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "null",
    "-00:00",
    "  ",
};

static size_t overwrite(uint64_t *state, char *text, size_t bytes)
{
    text[mutate_draw(state, bytes)] = (char)mutate_draw(state, 256);
    return bytes;
}

static size_t cut(uint64_t *state, char *text, size_t bytes)
{
    size_t at = mutate_draw(state, bytes), span = 1 + mutate_draw(state, bytes - at);
    memmove(text + at, text + at + span, bytes - at - span);
    return bytes - span;
}

static size_t insert(uint64_t *state, char *text, size_t bytes)
{
    const char *what = piece[mutate_draw(state, sizeof piece / sizeof piece[0])];
    size_t at = mutate_draw(state, bytes + 1), span = strlen(what);
    if (bytes + span > MOST_BYTES)
        return bytes;
    memmove(text + at + span, text + at, bytes - at);
    memcpy(text + at, what, span);
    return bytes + span;
}

static size_t repeat(uint64_t *state, char *text, size_t bytes)
{
    size_t at = mutate_draw(state, bytes), span = 1 + mutate_draw(state, bytes - at);
    if (bytes + span > MOST_BYTES)
        return bytes;
    memmove(text + at + span, text + at, bytes - at);
    return bytes + span;
}

static size_t mutate(uint64_t *state, char *text, size_t bytes)
{
    static size_t (*const way[])(uint64_t *, char *, size_t) = {overwrite, cut, insert, repeat};
    for (uint64_t turns = mutate_draw(state, 4); turns-- > 0 && bytes > 0;)
        bytes = way[mutate_draw(state, 4)](state, text, bytes);
    return bytes;
}

static bool is_sound(const struct serve_trace *trace)
{
    int64_t before = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct serve_request *r = &trace->request[i];
        if (r->arrival_ps < before || r->prompt_tokens < 1 || r->output_tokens < 1 ||
            r->prompt_tokens > SERVE_MOST_TOKENS || r->output_tokens > SERVE_MOST_TOKENS ||
            r->tenant < 0 || r->tenant >= SERVE_MOST_TENANTS)
            return false;
        before = r->arrival_ps;
    }
    return trace->count == 0 || trace->request[0].arrival_ps == 0;
}

/* Returns whether the text passed. The copy ends where the text does, for those who look. */
static bool attempt(const char *text, size_t bytes, enum serve_format format)
{
    struct serve_trace trace;
    struct base_report report = {0};
    char *copy = base_alloc(bytes, 1);
    memcpy(copy, text, bytes);
    bool accepted = serve_trace_parse("fuzz", copy, bytes, format, &trace, &report);
    CU_ASSERT_EQUAL(accepted, base_report_is_clean(&report));
    CU_ASSERT_TRUE(report.count <= SERVE_TRACE_FAULTS + 1);
    CU_ASSERT_TRUE(is_sound(&trace));
    CU_ASSERT_TRUE(!accepted || trace.count > 0);
    serve_trace_release(&trace);
    base_report_release(&report);
    base_free(copy);
    return accepted;
}

static void a_damaged_trace_is_refused_or_sound(void)
{
    uint64_t state = 20231116;
    int passed = 0, rounds = test_is_long() ? LONG_ROUNDS : ROUNDS;
    for (int i = 0; i < rounds; i++) {
        char text[MOST_BYTES];
        const char *from = good[mutate_draw(&state, sizeof good / sizeof good[0])];
        size_t bytes = strlen(from);
        memcpy(text, from, bytes);
        bytes = mutate(&state, text, bytes);
        passed += attempt(text, bytes, (enum serve_format)mutate_draw(&state, SERVE_CSV + 1));
    }
    CU_ASSERT_TRUE(passed > rounds / 20 && passed < rounds / 2);
    printf("%d of %d damaged traces are still traces\n", passed, rounds);
}

static void what_is_not_damaged_passes(void)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(attempt(good[i], strlen(good[i]), SERVE_AUTO));
}

/* An object with a value of so many brackets, and what a request needs. */
static bool nested_passes(size_t depth)
{
    static const char rest[] = ",\"timestamp\":0,\"input_length\":1,\"output_length\":1}";
    char text[MOST_BYTES] = "{\"a\":";
    size_t bytes = strlen(text);
    memset(text + bytes, '[', depth);
    memset(text + bytes + depth, ']', depth);
    memcpy(text + bytes + 2 * depth, rest, sizeof rest);
    return attempt(text, strlen(text), SERVE_AUTO);
}

static void nesting_ends_somewhere(void)
{
    CU_ASSERT_TRUE(nested_passes(1));
    CU_ASSERT_TRUE(nested_passes(63));
    CU_ASSERT_FALSE(nested_passes(64));
    CU_ASSERT_FALSE(nested_passes(450));
}

TEST_MAIN("damaged traces", TEST(what_is_not_damaged_passes),
          TEST(a_damaged_trace_is_refused_or_sound), TEST(nesting_ends_somewhere))
