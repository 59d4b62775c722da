/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands killed at any moment, several at once, leave every name at a whole artifact, and nothing
 * that the next collection does not clear away. LPUSIM_LONG: more kills. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "little_store.h"
#include "mutate.h"
#include "test.h"

enum { AT_ONCE = 3, KILLS = 150, KILLS_LONG = 1000, MOST_WAIT_NS = 25000000, BETWEEN_NS = 3000000 };
enum { NUMBERS = 6, BYTES = 400000, DAMAGED = 3 };

static const char *const names[] = {"m/canary", "m/stable", "other"};
enum { NAMES = sizeof names / sizeof *names };

/* Whether a report tells of something torn, altered or gone. */
static bool tells_of_damage(const struct base_report *report)
{
    static const char *const words[] = {"torn",      "altered",   "missing",     "differs",
                                        "truncated", "not whole", "sealed, but", "not there whole"};
    for (size_t i = 0; i < report->count; i++)
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (strstr(report->message[i], words[k]))
                return true;
    return false;
}

/* One command at random; a character that stands for it. */
static char command_run(const char *folder, uint64_t *draw, struct base_report *report)
{
    const char *name = names[mutate_draw(draw, NAMES)], *from = names[mutate_draw(draw, NAMES)];
    switch (mutate_draw(draw, 8)) {
    case 0:
    case 1:
    case 2:
        little_add(folder, name, (int)mutate_draw(draw, NUMBERS), BYTES, report);
        return 'a';
    case 3:
    case 4:
        little_promote(folder, from, name, report);
        return 'p';
    case 5:
        little_rollback(folder, name, report);
        return 'r';
    case 6:
        little_collect(folder, 2 + mutate_draw(draw, 2), NULL, report);
        return 'g';
    default:
        little_remove(folder, name, report);
        return 'x';
    }
}

/* Refusals are part of the game: nothing to roll back, no such name. A rollback to what was
 * collected is one, too, and names damage in passing. */
static bool is_damage(char command, const struct base_report *report)
{
    return tells_of_damage(report) && command != 'r';
}

static void wait_some(uint64_t *draw, uint64_t most_ns)
{
    struct timespec pause = {.tv_nsec = (long)mutate_draw(draw, most_ns)};
    nanosleep(&pause, NULL);
}

/* The process of one who runs commands until killed, or until one meets damage. */
static void commands_run(const char *folder, uint64_t draw, int done)
{
    for (;;) {
        struct base_report report = {0};
        char command = command_run(folder, &draw, &report);
        if (is_damage(command, &report)) {
            base_report_print(&report, stderr);
            _exit(DAMAGED);
        }
        base_report_release(&report);
        if (write(done, &command, 1) != 1)
            _exit(1);
        wait_some(&draw, BETWEEN_NS);
    }
}

static pid_t start(const char *folder, uint64_t draw, int done)
{
    fflush(NULL);
    pid_t process = fork();
    if (process == 0)
        commands_run(folder, draw, done);
    return process;
}

/* Ends a process; whether it was alive until then. */
static bool end(pid_t process)
{
    int status = 0;
    kill(process, SIGKILL);
    waitpid(process, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* Whether the store is in order; counts leftovers. */
static bool is_whole(const char *folder, size_t *leftovers)
{
    struct base_report report = {0};
    struct store_check found = {0};
    bool whole = little_verify(folder, &found, &report);
    base_report_print(&report, stderr);
    base_report_release(&report);
    *leftovers = found.leftovers;
    return whole;
}

static bool collection_clears(const char *folder)
{
    size_t leftovers = 1;
    return little_collect(folder, 2, NULL, NULL) && is_whole(folder, &leftovers) && leftovers == 0;
}

static size_t commands_done(int done)
{
    char bytes[4096];
    size_t commands = 0;
    for (ssize_t got; (got = read(done, bytes, sizeof bytes)) > 0;)
        commands += (size_t)got;
    return commands;
}

static void kills_leave_names_at_whole_artifacts(void)
{
    char *folder = little_store_folder();
    uint64_t draw = 2026;
    pid_t process[AT_ONCE];
    int done[2], kills = test_is_long() ? KILLS_LONG : KILLS;
    size_t left = 0, commands = 0, leftovers = 0;
    CU_ASSERT_EQUAL_FATAL(pipe(done), 0);
    fcntl(done[0], F_SETFL, O_NONBLOCK);
    CU_ASSERT_TRUE(little_add(folder, names[0], 0, BYTES, NULL));
    for (int n = 0; n < AT_ONCE; n++)
        process[n] = start(folder, draw + (uint64_t)n, done[1]);
    for (int n = 0; n < kills; n++) {
        wait_some(&draw, MOST_WAIT_NS);
        CU_ASSERT_TRUE(end(process[n % AT_ONCE]));
        CU_ASSERT_TRUE(is_whole(folder, &leftovers));
        left += leftovers > 0;
        CU_ASSERT_TRUE(n % 5 || collection_clears(folder));
        commands += commands_done(done[0]);
        process[n % AT_ONCE] = start(folder, draw, done[1]);
    }
    for (int n = 0; n < AT_ONCE; n++)
        CU_ASSERT_TRUE(end(process[n]));
    CU_ASSERT_TRUE(collection_clears(folder));
    CU_ASSERT_TRUE(left > 0 && commands > 0);
    printf("       %d kills among %d at once, %zu commands in between; after %zu kills a file was "
           "left\n",
           kills, AT_ONCE, commands, left);
    close(done[0]);
    close(done[1]);
    little_store_remove(folder);
}

TEST_MAIN("killed", TEST(kills_leave_names_at_whole_artifacts))
