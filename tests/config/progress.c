/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress keeps its pace: ten redraws a second on a terminal, a line every five seconds, or
 * silence. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/progress.h"

static double clock_s;

static double test_clock(void)
{
    return clock_s;
}

/* Runs a loop of `steps` steps of `step_s` seconds; returns what was shown (free with free). */
static char *shown_by(bool terminal, bool colour, bool quiet, int steps, double step_s)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    struct base_progress progress;
    base_progress_begin(&progress, "decode", "steps", steps, quiet);
    if (!quiet)
        progress.stream = stream;
    progress.terminal = terminal;
    progress.colour = colour;
    progress.now = test_clock;
    progress.begun_s = progress.shown_s = clock_s = 100;
    for (int i = 0; i < steps; i++, clock_s += step_s)
        base_progress_update(&progress, i);
    base_progress_end(&progress, steps);
    fclose(stream);
    return text;
}

static int count_of(const char *text, char c)
{
    int count = 0;
    for (; *text; text++)
        count += *text == c;
    return count;
}

static void a_log_gets_a_line_every_five_seconds(void)
{
    char *text = shown_by(false, false, false, 2048, 0.015625);
    CU_ASSERT_EQUAL(count_of(text, '\n'), 7);
    CU_ASSERT_EQUAL(count_of(text, '\r'), 0);
    CU_ASSERT_EQUAL(count_of(text, '\033'), 0);
    free(text);
}

static void a_terminal_gets_ten_redraws_a_second_at_most(void)
{
    char *text = shown_by(true, true, false, 2048, 0.00390625);
    CU_ASSERT_TRUE(count_of(text, '\r') <= 81);
    CU_ASSERT_TRUE(count_of(text, '\r') > 40);
    CU_ASSERT_EQUAL(count_of(text, '\n'), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "########################"));
    CU_ASSERT_TRUE(count_of(text, '\033') > 0);
    free(text);
}

static void without_colour_no_escape_is_written(void)
{
    char *text = shown_by(true, false, false, 100, 0.1);
    CU_ASSERT_EQUAL(count_of(text, '\033'), 0);
    CU_ASSERT_TRUE(count_of(text, '\r') > 0);
    free(text);
}

static void no_color_in_the_environment_turns_colour_off(void)
{
    struct base_progress progress;
    setenv("NO_COLOR", "1", 1);
    base_progress_begin(&progress, "decode", "steps", 1, false);
    CU_ASSERT_FALSE(progress.colour);
    unsetenv("NO_COLOR");
    base_progress_begin(&progress, "decode", "steps", 1, false);
    CU_ASSERT_EQUAL(progress.colour, progress.terminal);
}

static void quiet_is_silent(void)
{
    char *text = shown_by(true, true, true, 1000, 1);
    CU_ASSERT_STRING_EQUAL(text, "");
    free(text);
    struct base_progress progress;
    base_progress_begin(&progress, "decode", "steps", 1, true);
    CU_ASSERT_PTR_NULL(progress.stream);
}

static void text_is(const char *expected, int64_t total, int64_t done, double elapsed_s)
{
    struct base_progress progress = {.what = "decode", .unit = "steps", .total = total};
    char *text = base_progress_text(&progress, done, elapsed_s);
    CU_ASSERT_STRING_EQUAL(text, expected);
    base_free(text);
}

static void the_text_has_rate_and_time_left(void)
{
    text_is("decode  1200/4096 steps  29 %  300 steps/s  10 s left", 4096, 1200, 4);
    text_is("decode  1/100000 steps  0 %  1.0 steps/s  27.8 h left", 100000, 1, 1);
    text_is("decode  1/1201 steps  0 %  1.0 steps/s  20 min left", 1201, 1, 1);
    text_is("decode  64/64 steps  100 %  8.0 steps/s", 64, 64, 8);
    text_is("decode  64 steps  8.0 steps/s", 0, 64, 8);
    text_is("decode  0/64 steps  0 %  0.0 steps/s", 64, 0, 0);
}

TEST_MAIN("progress", TEST(a_log_gets_a_line_every_five_seconds),
          TEST(a_terminal_gets_ten_redraws_a_second_at_most),
          TEST(without_colour_no_escape_is_written),
          TEST(no_color_in_the_environment_turns_colour_off), TEST(quiet_is_silent),
          TEST(the_text_has_rate_and_time_left))
