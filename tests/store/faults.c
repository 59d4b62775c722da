/* SPDX-License-Identifier: BSD-3-Clause */
/* Whichever call fails, of whichever command, for lack of space or for good: the command says so,
 * names are where they were or where they were going, and artifacts are whole. */
#include <errno.h>
#include <stdio.h>

#include "interpose.h"
#include "story.h"
#include "test.h"

static int calls, first, last; /* calls [first, last) of a command fail */
static int reason;

static int fail_some(enum interpose_kind kind)
{
    (void)kind;
    int number = calls++;
    return number >= first && number < last ? reason : 0;
}

static const struct interpose_hooks failing = {.before = fail_some, .keep_off_disk = true};

/* Runs command n with calls [from, to) failing; whether it was done. */
static bool tell_failing(const char *folder, int n, int from, int to, struct base_report *report)
{
    calls = 0;
    first = from;
    last = to;
    interpose_begin(&failing);
    bool done = story_tell(folder, n, report);
    first = last = 0;
    return done;
}

/* Whether all names are where command n left them, or where it found them. */
static bool names_are(const char *folder, int n, bool may_be_before)
{
    bool right = true, before = true;
    for (int name = 0; name < STORY_NAMES; name++) {
        int at = little_current(folder, story_name[name], STORY_NUMBERS, STORY_BYTES);
        right = right && at == story_at(n + 1, name);
        before = before && at == story_at(n, name);
    }
    return right || (may_be_before && before);
}

static bool is_whole(const char *folder, struct store_check *found)
{
    struct base_report report = {0};
    bool whole = little_verify(folder, found, &report);
    base_report_print(&report, stderr);
    base_report_release(&report);
    return whole;
}

/* Command n with calls failing from number `call` on, `width` of them. False where it has no such
 * call. The first command may leave no store behind. */
static bool command_fails(int n, int call, int width)
{
    char *folder = little_store_folder();
    struct base_report report = {0};
    struct store_check found = {0};
    for (int i = 0; i < n; i++)
        CU_ASSERT_TRUE_FATAL(tell_failing(folder, i, 0, 0, NULL));
    bool done = tell_failing(folder, n, call, call + width, &report);
    bool failed = calls > call;
    CU_ASSERT_TRUE(done == (report.count == 0));
    CU_ASSERT_TRUE(done || failed);
    CU_ASSERT_TRUE(names_are(folder, n, !done));
    CU_ASSERT_TRUE((n == 0 && !done) || is_whole(folder, &found));
    CU_ASSERT_TRUE(width > 1 || found.leftovers == 0);
    CU_ASSERT_TRUE(tell_failing(folder, n, 0, 0, NULL) || names_are(folder, n, false));
    CU_ASSERT_TRUE(little_collect(folder, 1, NULL, NULL) && is_whole(folder, &found));
    CU_ASSERT_EQUAL(found.leftovers, 0);
    base_report_release(&report);
    interpose_begin(NULL);
    little_store_remove(folder);
    return failed;
}

static void any_call_may_fail(int width)
{
    int tried = 0;
    for (int n = 0; n < story_length(); n++)
        for (int call = 0; command_fails(n, call, width); call++)
            tried++;
    CU_ASSERT_TRUE(tried > 80);
    printf("       %d calls of %d commands\n", tried, story_length());
}

static void a_call_fails_for_lack_of_space(void)
{
    reason = ENOSPC;
    any_call_may_fail(1);
}

static void all_calls_fail_from_one_on(void)
{
    reason = EIO;
    any_call_may_fail(1000000);
}

TEST_MAIN("faults", TEST(a_call_fails_for_lack_of_space), TEST(all_calls_fail_from_one_on))
