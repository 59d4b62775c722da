/* SPDX-License-Identifier: BSD-3-Clause */
/* Fits keys of a GPU's description to the rows that are for the fit, one key after the other.
 * See tools/fit_gpus.sh for how the shipped values were found. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "config/option.h"
#include "evaluate.h"
#include "folder.h"

enum { MOST_GPUS = 4, MOST_KEYS = 32, ROUNDS = 40 };

/* One number of the description, changed in place. */
struct key {
    const struct option *option;
    size_t offset; /* in struct gpu_chip */
};

struct fit {
    const char *folder, *gpu, *only, *gpus_folder;
    struct gpus *gpus;
    struct gpu_chip *chip[MOST_GPUS]; /* that have the keys in common */
    size_t chips;
    struct key key[MOST_KEYS];
    size_t keys;
    struct table table[MOST_KEYS];
    size_t tables;
};

static double value_get(const struct fit *f, const struct key *key)
{
    const char *at = (const char *)f->chip[0] + key->offset;
    switch (key->option->type) {
    case OPTION_INT32:
        return *(const int32_t *)at;
    case OPTION_INT64:
        return (double)*(const int64_t *)at;
    default:
        return *(const double *)at;
    }
}

static void value_set(struct fit *f, const struct key *key, double value)
{
    for (size_t i = 0; i < f->chips; i++) {
        char *at = (char *)f->chip[i] + key->offset;
        if (key->option->type == OPTION_INT32)
            *(int32_t *)at = (int32_t)lround(value);
        else if (key->option->type == OPTION_INT64)
            *(int64_t *)at = llround(value);
        else
            *(double *)at = value;
    }
}

/* Whether `name` is one of the names in a list "a,b". */
static bool is_named(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && strchr(",", at[length]))
            return true;
    }
    return false;
}

static void table_keep(void *context, const char *path)
{
    struct fit *f = context;
    struct table *table = &f->table[f->tables];
    if (f->tables == MOST_KEYS || table_read(path, table))
        return;
    if (is_named(f->gpu, table->gpu) && kind_of(table))
        f->tables++;
    else
        table_release(table);
}

enum { MOST_GROUPS = 64 };

/* Rows for the fit of a group, and the sum of what they are off by. */
struct sum {
    const char *group;
    double off;
    size_t count;
};

static struct sum *sum_of(struct sum sum[MOST_GROUPS], const char *group)
{
    size_t i = 0;
    while (i < MOST_GROUPS - 1 && sum[i].group && strcmp(sum[i].group, group) != 0)
        i++;
    sum[i].group = group;
    return &sum[i];
}

/* Mean over groups of the mean |log(predicted / measured)|, each row's at most log 2: what lies
 * further off is another mechanism's. */
static double group_loss(const struct points *points)
{
    struct sum sum[MOST_GROUPS] = {0};
    for (size_t i = 0; i < points->count; i++) {
        const struct point *p = &points->point[i];
        struct sum *group = sum_of(sum, p->group);
        group->off += p->for_fit ? fmin(fabs(log(p->predicted_s / p->measured_s)), log(2)) : 0;
        group->count += p->for_fit;
    }
    double all = 0;
    size_t groups = 0;
    for (size_t i = 0; i < MOST_GROUPS; i++) {
        all += sum[i].count > 0 ? sum[i].off / (double)sum[i].count : 0;
        groups += sum[i].count > 0;
    }
    return groups > 0 ? all / (double)groups : 0;
}

static double loss(struct fit *f)
{
    double all = 0;
    for (size_t t = 0; t < f->tables; t++) {
        struct points points = {0};
        struct left_out left = {0};
        evaluate(kind_of(&f->table[t]), &f->table[t], f->gpus, &points, &left);
        all += group_loss(&points);
        points_release(&points);
    }
    return all / (double)f->tables;
}

/* Tries the key larger and smaller by a factor; keeps what is better. */
static bool improve(struct fit *f, const struct key *key, double factor, double *best)
{
    double start = value_get(f, key);
    for (int way = 0; way < 2; way++) {
        double next = way ? start / factor : start * factor;
        bool is_share = key->option->unit == BASE_UNITS_SHARE;
        value_set(f, key, is_share && next > 1 ? 1 : next);
        double now = loss(f);
        if (now < *best * (1 - 1e-5)) {
            *best = now;
            return true;
        }
    }
    value_set(f, key, start);
    return false;
}

static void fit(struct fit *f)
{
    double best = loss(f), factor = 1.12;
    printf("start: loss %.5f, %zu tables\n", best, f->tables);
    for (int round = 0; round < ROUNDS && factor > 1.008; round++) {
        bool better = false;
        for (size_t i = 0; i < f->keys; i++)
            better = improve(f, &f->key[i], factor, &best) || better;
        factor = better ? factor : 1 + (factor - 1) / 2;
        printf("round %d: loss %.5f, steps of %.1f %%\n", round, best, 100 * (factor - 1));
        fflush(stdout);
    }
    for (size_t i = 0; i < f->keys; i++)
        printf("%s = %.6g %s\n", f->key[i].option->key, value_get(f, &f->key[i]),
               option_unit(f->key[i].option));
}

static bool key_take(struct fit *f, const char *name)
{
    const struct option *option = option_find(name);
    size_t chip = offsetof(struct scenario, gpu_chip);
    if (!option || strncmp(name, "gpu.chip.", 9) != 0 || option->type == OPTION_TEXT) {
        fprintf(stderr,
                "fit_gpu: error: %s is no number of gpu.chip; docs/reference.md lists all\n", name);
        return false;
    }
    if (f->keys < MOST_KEYS)
        f->key[f->keys++] = (struct key){option, option->offset - chip};
    return true;
}

static bool chips_take(struct fit *f)
{
    char *list = base_strdup(f->gpu);
    for (char *name = strtok(list, ","); name && f->chips < MOST_GPUS; name = strtok(NULL, ",")) {
        f->chip[f->chips] = gpus_find_to_change(f->gpus, name);
        f->chips += f->chip[f->chips] != NULL;
    }
    base_free(list);
    return f->chips > 0;
}

int main(int argc, char **argv)
{
    struct fit f = {.gpus_folder = "configs/gpus"};
    if (argc < 5) {
        fputs(
            "usage: fit_gpu DIR GPU WORD KEY...   (from the project's root)\n"
            "Fits KEYs (gpu.chip.load_latency, ...) of GPU (h100_sxm; a100_sxm,h100_sxm: both get\n"
            "the first one's values) to the rows for the fit of the tables below DIR whose path\n"
            "holds WORD, and prints them in base units.\n",
            stderr);
        return 2;
    }
    f.folder = argv[1], f.gpu = argv[2], f.only = argv[3];
    for (int i = 4; i < argc; i++)
        if (!key_take(&f, argv[i]))
            return 2;
    f.gpus = gpus_new(f.gpus_folder, NULL, 0);
    if (!chips_take(&f) || !folder_walk(f.folder, f.only, table_keep, &f) || f.tables == 0)
        return 1;
    fit(&f);
    for (size_t i = 0; i < f.tables; i++)
        table_release(&f.table[i]);
    gpus_free(f.gpus);
    return 0;
}
