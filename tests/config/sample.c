/* SPDX-License-Identifier: BSD-3-Clause */
/* Temporary files that are removed when the process ends. */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "test.h"

enum { MOST_FILES = 256, PATHS = 16 };

static char folder[] = "/tmp/lpusim_config_XXXXXX";
static char *made[MOST_FILES]; /* removed from the last to the first */
static size_t made_count;

static void remove_made(void)
{
    while (made_count > 0) {
        remove(made[--made_count]);
        base_free(made[made_count]);
    }
}

static void note_made(const char *path)
{
    if (made_count == MOST_FILES)
        abort();
    made[made_count++] = base_strdup(path);
}

static void folder_make(void)
{
    if (made_count > 0)
        return;
    if (!mkdtemp(folder))
        abort();
    note_made(folder);
    atexit(remove_made);
}

static void parent_make(const char *path)
{
    char *parent = base_strdup(path);
    *strrchr(parent, '/') = '\0';
    if (mkdir(parent, 0700) == 0)
        note_made(parent);
    base_free(parent);
}

const char *sample_file(const char *name, const char *text)
{
    static char path[PATHS][256];
    static int next;
    next = (next + 1) % PATHS;
    folder_make();
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    parent_make(path[next]);
    bool existed = access(path[next], F_OK) == 0;
    FILE *file = fopen(path[next], "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
    if (!existed)
        note_made(path[next]);
    return path[next];
}

struct sample sample_read(const char *path, const char *const *override)
{
    struct sample sample = {0};
    size_t count = 0;
    while (override && override[count])
        count++;
    sample.accepted = config_scenario_read(path, override, count, &sample.scenario, &sample.report);
    sample.faults = base_report_text(&sample.report);
    return sample;
}

struct sample sample_small(const char *first, const char *second, const char *third)
{
    char *path = test_source_path("configs/small.cfg");
    struct sample sample = sample_read(path, (const char *const[]){first, second, third, NULL});
    free(path);
    return sample;
}

void sample_release(struct sample *sample)
{
    config_scenario_release(&sample->scenario);
    base_report_release(&sample->report);
    base_free(sample->faults);
}

bool sample_says(const struct sample *sample, const char *fragment)
{
    bool found = strstr(sample->faults, fragment) != NULL;
    if (!found)
        fprintf(stderr, "not said: %s\nbut:\n%s\n", fragment, sample->faults);
    return found;
}
