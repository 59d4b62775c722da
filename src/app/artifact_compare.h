/* SPDX-License-Identifier: BSD-3-Clause */
/* What became of the instructions, tensors and link slots of one schedule in another. */
#ifndef APP_ARTIFACT_COMPARE_H
#define APP_ARTIFACT_COMPARE_H

#include "app/artifact.h"

/* An instruction is looked for at its place in its op (chip, name, layer); a tensor by its name and
 * layer; a slot at its place among those that bring the tensor to the same chip. */
enum app_artifact_change {
    APP_ARTIFACT_SAME,
    APP_ARTIFACT_SHIFTED,   /* at another cycle: an instruction with its op; a residency window */
    APP_ARTIFACT_RETIMED,   /* an instruction, at another cycle within its op */
    APP_ARTIFACT_MOVED,     /* to other addresses, or to another link */
    APP_ARTIFACT_REWRITTEN, /* another queue, operand or number; a tensor of another size */
    APP_ARTIFACT_ADDED,
    APP_ARTIFACT_REMOVED,
    APP_ARTIFACT_CHANGES
};

struct app_artifact_changes {
    int64_t count[APP_ARTIFACT_CHANGES];
};

/* Changes of instructions by what they have in common. */
struct app_artifact_group {
    char name[32]; /* of the op, "layer 3", "chip 5" */
    struct app_artifact_changes changes;
};

struct app_artifact_groups {
    struct app_artifact_group *group;
    size_t count, capacity;
};

enum app_artifact_thing {
    APP_ARTIFACT_INSTRUCTIONS,
    APP_ARTIFACT_TENSORS,
    APP_ARTIFACT_SLOTS,
    APP_ARTIFACT_THINGS
};

struct app_artifact_comparison {
    struct app_artifact_changes changes[PARTITION_PHASES][APP_ARTIFACT_THINGS];
    struct app_artifact_groups op, layer, chip; /* of instructions, both phases */
};

/* False and the faults where programs are refused; released by the caller in any case. */
bool app_artifact_compare(const struct app_artifact *x, const struct app_artifact *y,
                          struct app_artifact_comparison *comparison, struct base_report *report);
void app_artifact_comparison_release(struct app_artifact_comparison *comparison);

/* How many are neither the same nor merely at another cycle because something before them is. */
int64_t app_artifact_changed(const struct app_artifact_changes *changes);

#endif
