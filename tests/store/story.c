/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of the story. */
#include "story.h"

#include <stddef.h>

const char *const story_name[STORY_NAMES] = {"m/canary", "m/stable"};

/* A command: adds `number`, else promotes canary to stable, rolls stable back, collects, or removes
 * canary; and where both names are afterwards. */
static const struct {
    char command;
    int number, at[STORY_NAMES];
} steps[] = {
    {'a', 1, {1, -1}}, {'p', 0, {1, 1}},  {'a', 2, {2, 1}},  {'p', 0, {2, 2}}, {'a', 3, {3, 2}},
    {'r', 0, {3, 1}},  {'c', 2, {3, 1}},  {'p', 0, {3, 3}},  {'c', 1, {3, 3}}, {'a', 1, {1, 3}},
    {'c', 1, {1, 3}},  {'x', 0, {-1, 3}}, {'c', 1, {-1, 3}}, {'a', 4, {4, 3}},
};

int story_length(void)
{
    return (int)(sizeof steps / sizeof *steps);
}

bool story_tell(const char *folder, int n, struct base_report *report)
{
    switch (steps[n].command) {
    case 'a':
        return little_add(folder, story_name[0], steps[n].number, STORY_BYTES, report);
    case 'p':
        return little_promote(folder, story_name[0], story_name[1], report);
    case 'r':
        return little_rollback(folder, story_name[1], report);
    case 'c':
        return little_collect(folder, (size_t)steps[n].number, NULL, report);
    default:
        return little_remove(folder, story_name[0], report);
    }
}

int story_at(int n, int name)
{
    return n > 0 ? steps[n - 1].at[name] : -1;
}
