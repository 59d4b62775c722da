/* SPDX-License-Identifier: BSD-3-Clause */
/* diff: first how long steps take, then which ops, then what moved. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/artifact_compare.h"
#include "app/artifact_tally.h"
#include "app/reference.h"
#include "app/text.h"
#include "base/memory.h"
#include "parallel/parallel.h"

enum { LABEL = 15, MOST_OPS = 12, MOST_GROUPS = 6 };

/* Both artifacts, with what their programs add up to. */
struct both {
    struct app_artifact *x, *y;
    struct app_artifact_tally tally[2];
    struct app_artifact_comparison comparison;
};

static void print_change(int64_t before, int64_t after)
{
    int64_t change = after - before;
    char sign = change < 0 ? '-' : '+';
    printf(" %12s -> %12s", app_text_count(before).text, app_text_count(after).text);
    if (change == 0)
        printf("  the same");
    else
        printf("  %c%s", sign, app_text_count(change < 0 ? -change : change).text);
    if (change != 0 && before > 0)
        printf(", %+.1f %%", 100.0 * (double)change / (double)before);
    puts("");
}

static void print_heads(const struct both *b)
{
    const struct app_artifact *side[] = {b->x, b->y};
    for (int n = 0; n < 2; n++) {
        const struct app_lpu_outline *o = &side[n]->outline;
        printf("%c  %s: %s, %" PRId32 " stage%s x %" PRId32 ", sha256 %.16s...\n", "XY"[n],
               record_artifact_path(side[n]->file), side[n] -> model.name, o->stages,
               o->stages == 1 ? "" : "s", o->group, record_artifact_digest(side[n]->file));
    }
}

/* The value of `wanted`'s key among `kept`, or NULL. */
static const char *value_of(const struct app_artifact *a, const char *wanted)
{
    size_t length = strcspn(wanted, "=");
    for (size_t i = 0; i < a->kept_count; i++)
        if (strcspn(a->kept[i], "=") == length && !strncmp(a->kept[i], wanted, length))
            return a->kept[i] + length + 1;
    return NULL;
}

/* Values in only one of both, and those that differ. */
static void print_causes(const struct both *b)
{
    for (size_t i = 0; i < b->x->kept_count; i++) {
        const char *kept = b->x->kept[i], *other = value_of(b->y, kept);
        size_t length = strcspn(kept, "=");
        if (!other || strcmp(other, kept + length + 1))
            printf("%-*s%.*s: %s -> %s\n", LABEL, "compiled from", (int)length, kept,
                   kept + length + 1, other ? other : "not said");
    }
    for (size_t i = 0; i < b->y->kept_count; i++)
        if (!value_of(b->x, b->y->kept[i]))
            printf("%-*s%s, not said in X\n", LABEL, "compiled from", b->y->kept[i]);
}

static void print_steps(const struct both *b)
{
    puts("\nstep, cycles");
    for (int n = 0; n < PARTITION_PHASES; n++) {
        if (b->x->outline.length_cycles[n] + b->y->outline.length_cycles[n] == 0)
            continue;
        printf("  %-20s", app_artifact_phase_name((enum partition_phase)n));
        print_change(b->x->outline.length_cycles[n], b->y->outline.length_cycles[n]);
    }
}

/* An op in both, by its name. */
struct op_change {
    const char *name;
    int64_t before, after;
};

static int by_change(const void *a, const void *b)
{
    const struct op_change *x = a, *y = b;
    int64_t p = llabs(x->after - x->before), q = llabs(y->after - y->before);
    if (p != q)
        return p > q ? -1 : 1;
    return strcmp(x->name, y->name);
}

static const struct app_artifact_op *op_find(const struct app_artifact_tally *tally,
                                             const char *name)
{
    for (size_t n = 0; n < tally->ops; n++)
        if (!strcmp(tally->op[n].name, name))
            return &tally->op[n];
    return NULL;
}

/* Ops of either, those that changed most first; base_free. */
static struct op_change *op_changes(const struct both *b, enum partition_phase phase, size_t *count)
{
    const struct app_artifact_tally *x = &b->tally[0], *y = &b->tally[1];
    struct op_change *change = base_alloc(x->ops + y->ops, sizeof *change);
    *count = 0;
    for (size_t n = 0; n < x->ops; n++) {
        const struct app_artifact_op *other = op_find(y, x->op[n].name);
        change[(*count)++] = (struct op_change){x->op[n].name, x->op[n].cycles[phase],
                                                other ? other->cycles[phase] : 0};
    }
    for (size_t n = 0; n < y->ops; n++)
        if (!op_find(x, y->op[n].name))
            change[(*count)++] = (struct op_change){y->op[n].name, 0, y->op[n].cycles[phase]};
    qsort(change, *count, sizeof *change, by_change);
    return change;
}

static void print_ops(const struct both *b, enum partition_phase phase)
{
    size_t count, shown = 0;
    struct op_change *change = op_changes(b, phase, &count);
    while (shown < count && shown < MOST_OPS && change[shown].before != change[shown].after) {
        if (shown == 0)
            printf("\nop in %s, cycles of the slowest chip, over layers\n",
                   app_artifact_phase_name(phase));
        printf("  %-20s", change[shown].name);
        print_change(change[shown].before, change[shown].after);
        shown++;
    }
    size_t left = shown;
    while (left < count && change[left].before != change[left].after)
        left++;
    if (left > shown)
        printf("  and %zu more\n", left - shown);
    base_free(change);
}

static void print_counts(const char *label, const struct app_artifact_changes *changes)
{
    printf("  %-20s", label);
    for (int change = 0; change < APP_ARTIFACT_CHANGES; change++)
        printf(" %10s", app_text_count(changes->count[change]).text);
    puts("");
}

static void print_columns(const char *title)
{
    static const char *const name[APP_ARTIFACT_CHANGES] = {
        [APP_ARTIFACT_SAME] = "same",       [APP_ARTIFACT_SHIFTED] = "shifted",
        [APP_ARTIFACT_RETIMED] = "retimed", [APP_ARTIFACT_MOVED] = "moved",
        [APP_ARTIFACT_REWRITTEN] = "other", [APP_ARTIFACT_ADDED] = "added",
        [APP_ARTIFACT_REMOVED] = "removed"};
    printf("\n%-22s", title);
    for (int change = 0; change < APP_ARTIFACT_CHANGES; change++)
        printf(" %10s", name[change]);
    puts("");
}

static void print_things(const struct both *b)
{
    static const char *const thing[APP_ARTIFACT_THINGS] = {[APP_ARTIFACT_INSTRUCTIONS] =
                                                               "instructions",
                                                           [APP_ARTIFACT_TENSORS] = "tensors",
                                                           [APP_ARTIFACT_SLOTS] = "link slots"};
    for (int n = 0; n < PARTITION_PHASES; n++) {
        if (b->x->outline.length_cycles[n] + b->y->outline.length_cycles[n] == 0)
            continue;
        print_columns(app_artifact_phase_name((enum partition_phase)n));
        for (int k = 0; k < APP_ARTIFACT_THINGS; k++)
            print_counts(thing[k], &b->comparison.changes[n][k]);
    }
}

static int by_changed(const void *a, const void *b)
{
    const struct app_artifact_group *x = a, *y = b;
    int64_t p = app_artifact_changed(&x->changes), q = app_artifact_changed(&y->changes);
    if (p != q)
        return p > q ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Groups with the most changes of their own, those that are shifted at most left out. */
static void print_groups(const char *title, struct app_artifact_groups *groups)
{
    size_t changed = 0;
    if (groups->count > 0)
        qsort(groups->group, groups->count, sizeof *groups->group, by_changed);
    while (changed < groups->count && app_artifact_changed(&groups->group[changed].changes) > 0)
        changed++;
    if (changed == 0)
        return;
    print_columns(title);
    for (size_t n = 0; n < changed && n < MOST_GROUPS; n++)
        print_counts(groups->group[n].name, &groups->group[n].changes);
    if (changed > MOST_GROUPS)
        printf("  and %zu more\n", changed - MOST_GROUPS);
    if (groups->count > changed)
        printf("  %zu others are shifted at most\n", groups->count - changed);
}

static void print_difference(struct both *b)
{
    print_causes(b);
    print_steps(b);
    for (int n = 0; n < PARTITION_PHASES; n++)
        print_ops(b, (enum partition_phase)n);
    print_things(b);
    print_groups("instructions by op", &b->comparison.op);
    print_groups("by layer", &b->comparison.layer);
    print_groups("by chip", &b->comparison.chip);
    puts(
        "\nshifted: with its op, or its window; retimed: within its op; moved: other addresses or\n"
        "link; other: another queue, operand or size");
}

static bool tally(struct both *b, int side, struct base_report *report)
{
    const struct app_artifact *a = side ? b->y : b->x;
    struct lpu_topology topology;
    if (!lpu_topology_build(&topology, &a->scenario.lpu_rack, &a->scenario.lpu_chip, report))
        return false;
    bool made = app_artifact_tally_make(a, &topology, &b->tally[side], report);
    lpu_topology_release(&topology);
    return made;
}

static void show_difference(struct both *b, struct base_report *report)
{
    print_heads(b);
    if (!strcmp(record_artifact_digest(b->x->file), record_artifact_digest(b->y->file)))
        puts("the same, byte by byte");
    else if (tally(b, 0, report) && tally(b, 1, report) &&
             app_artifact_compare(b->x, b->y, &b->comparison, report))
        print_difference(b);
    app_artifact_tally_release(&b->tally[0]);
    app_artifact_tally_release(&b->tally[1]);
    app_artifact_comparison_release(&b->comparison);
}

/* Collective. The artifact on the first rank; NULL elsewhere, or where it is refused. */
static struct app_artifact *read_one(const struct app_command *command, const char *path,
                                     struct base_report *report)
{
    size_t count;
    char *bytes = app_reference_read(command, path, &count, report);
    struct app_artifact *a =
        bytes && parallel_is_first() ? app_artifact_read(path, bytes, count, report) : NULL;
    base_free(bytes);
    return a;
}

enum base_status app_artifact_diff(struct app_run *run)
{
    struct both b = {.x = read_one(run->command, run->command->file, &run->report),
                     .y = read_one(run->command, run->command->other, &run->report)};
    if (b.x && b.y)
        show_difference(&b, &run->report);
    app_artifact_close(b.x);
    app_artifact_close(b.y);
    return parallel_agree_report(&run->report, BASE_IO);
}
