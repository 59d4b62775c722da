/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the description file of a GPU when a table first names it. */
#include "gpus.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/config.h"

struct entry {
    char *name;
    struct gpu_chip *chip; /* NULL: there is none */
};

struct machine {
    char *path;
    struct gpu_cluster_spec *cluster; /* NULL: there is none */
};

struct gpus {
    const char *folder;
    const char *const *set;
    size_t sets;
    struct entry *entry;
    size_t count, capacity;
    struct machine *machine;
    size_t machines, machine_capacity;
};

struct gpus *gpus_new(const char *folder, const char *const *set, size_t sets)
{
    struct gpus *gpus = base_alloc(1, sizeof *gpus);
    *gpus = (struct gpus){.folder = folder, .set = set, .sets = sets};
    return gpus;
}

void gpus_free(struct gpus *gpus)
{
    for (size_t i = 0; i < gpus->count; i++) {
        base_free(gpus->entry[i].name);
        base_free(gpus->entry[i].chip);
    }
    for (size_t i = 0; i < gpus->machines; i++) {
        base_free(gpus->machine[i].path);
        base_free(gpus->machine[i].cluster);
    }
    base_free(gpus->machine);
    base_free(gpus->entry);
    base_free(gpus);
}

/* Free with base_free; NULL where neither spelling is there. */
static char *path_of(const struct gpus *gpus, const char *name)
{
    char *path = base_format("%s/%s.cfg", gpus->folder, name);
    size_t folder = strlen(gpus->folder);
    if (access(path, R_OK) != 0)
        for (char *at = strchr(path + folder, '_'); at; at = strchr(at, '_'))
            *at = '-';
    if (access(path, R_OK) == 0)
        return path;
    fprintf(stderr,
            "measured: error: no description of GPU \"%s\": %s is not there. Its rows are left "
            "out.\n",
            name, path);
    base_free(path);
    return NULL;
}

static struct gpu_chip *chip_read(const struct gpus *gpus, const char *path)
{
    struct base_report report = {0};
    struct gpu_chip *chip = base_alloc(1, sizeof *chip);
    bool good = config_gpu_chip_read(path, gpus->set, gpus->sets, chip, &report);
    base_report_print(&report, stderr);
    base_report_release(&report);
    if (good)
        return chip;
    base_free(chip);
    return NULL;
}

struct gpu_chip *gpus_find_to_change(struct gpus *gpus, const char *name)
{
    for (size_t i = 0; i < gpus->count; i++)
        if (strcmp(gpus->entry[i].name, name) == 0)
            return gpus->entry[i].chip;
    char *path = path_of(gpus, name);
    gpus->entry = base_grow(gpus->entry, &gpus->capacity, gpus->count + 1, sizeof *gpus->entry);
    struct entry *entry = &gpus->entry[gpus->count++];
    *entry = (struct entry){base_strdup(name), path ? chip_read(gpus, path) : NULL};
    base_free(path);
    return entry->chip;
}

const struct gpu_chip *gpus_find(struct gpus *gpus, const char *name)
{
    return gpus_find_to_change(gpus, name);
}

static struct gpu_cluster_spec *cluster_read(const char *path)
{
    struct base_report report = {0};
    struct gpu_cluster_spec *cluster = base_alloc(1, sizeof *cluster);
    bool good = config_gpu_cluster_read(path, NULL, 0, cluster, &report);
    base_report_print(&report, stderr);
    base_report_release(&report);
    if (good)
        return cluster;
    base_free(cluster);
    return NULL;
}

const struct gpu_cluster_spec *gpus_cluster(struct gpus *gpus, const char *name,
                                            const char *machine)
{
    char *path = base_format("%s/../topologies/%.*s-%s.cfg", gpus->folder, (int)strcspn(name, "_-"),
                             name, machine);
    for (size_t i = 0; i < gpus->machines; i++)
        if (strcmp(gpus->machine[i].path, path) == 0) {
            base_free(path);
            return gpus->machine[i].cluster;
        }
    gpus->machine = base_grow(gpus->machine, &gpus->machine_capacity, gpus->machines + 1,
                              sizeof *gpus->machine);
    gpus->machine[gpus->machines] = (struct machine){path, cluster_read(path)};
    return gpus->machine[gpus->machines++].cluster;
}
