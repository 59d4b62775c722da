/* SPDX-License-Identifier: BSD-3-Clause */
/* Executed times of collectives beside their published models. See docs/collectives.md.
 * usage: collectives [CONFIG [quick]]   (from the project's root; configs/rack.cfg by default) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "play.h"

enum { GROUP = 8, PLANES = 2 };

static double nanoseconds(const struct lpu_chip *chip, int64_t cycles)
{
    return (double)machine_cycles_to_ps(chip, cycles) / 1000.0;
}

static struct play_result execute(const struct collective *c)
{
    struct play play;
    cases_collective(&play, c);
    play_start(&play, false);
    struct play_result r = play_step(&play);
    play_close(&play);
    return r;
}

/* 2 hops + 2 (S / n) / link rate; with both, the ratio of executed to model. */
static void print_reduce(const struct lpu_chip *chip, int32_t rows, int64_t *violations)
{
    struct collective c = {chip, COLLECTIVE_ALL_REDUCE, GROUP, rows};
    c.kind = collective_best_reduce(&c);
    struct play_result r = execute(&c);
    double bytes = (double)rows * PLANES * chip->lanes, ns = nanoseconds(chip, r.length_cycles);
    double link = (double)chip->c2c_bits_per_s / 8e9 * chip->lanes / chip->c2c_vector_wire_bytes;
    double model = 2 * nanoseconds(chip, chip->c2c_hop_cycles) + 2 * bytes / GROUP / link;
    printf("%12.0f  %-9s %12.0f %12.1f %12.0f %8.2f\n", bytes,
           c.kind == COLLECTIVE_ONE_SHOT ? "one-shot" : "two-phase", ns,
           bytes / ns * 2 * (GROUP - 1) / GROUP, model, ns / model);
    *violations += r.violations;
}

static void print_kinds(const struct lpu_chip *chip, int32_t rows, int64_t *violations)
{
    int64_t cycles[4];
    for (enum collective_kind kind = 0; kind <= COLLECTIVE_ONE_SHOT; kind++) {
        struct collective c = {chip, kind, GROUP, rows};
        struct play_result r = execute(&c);
        cycles[kind] = r.length_cycles;
        *violations += r.violations;
    }
    printf("%8d %12" PRId64 " %16" PRId64 " %12" PRId64 " %12" PRId64 "\n", (int)rows,
           cycles[COLLECTIVE_ALL_GATHER], cycles[COLLECTIVE_REDUCE_SCATTER],
           cycles[COLLECTIVE_ALL_REDUCE], cycles[COLLECTIVE_ONE_SHOT]);
}

/* The second of two matrices by rows or by columns: a model's MLP, middle = FFN, width = hidden. */
static void print_splits(const struct lpu_chip *chip)
{
    static const struct {
        int64_t middle, width;
    } mlp[] = {{5632, 2048}, {14336, 4096}, {28672, 8192}};
    printf("\nSecond of two matrices split by rows (one all-reduce) or columns (two all-gathers), "
           "cycles\n%8s %8s %8s %12s %12s\n",
           "tokens", "middle", "width", "by rows", "by columns");
    for (int32_t tokens = 1; tokens <= 128; tokens *= 128)
        for (size_t n = 0; n < sizeof mlp / sizeof *mlp; n++) {
            struct collective_split c =
                collective_split_cost(chip, GROUP, tokens, mlp[n].middle, mlp[n].width);
            printf("%8d %8d %8d %12" PRId64 " %12" PRId64 "\n", (int)tokens, (int)mlp[n].middle,
                   (int)mlp[n].width, c.by_rows, c.by_columns);
        }
}

/* What a row's way consists of, in cycles. */
static void print_parts(const struct hierarchy *h, int64_t cycles)
{
    const struct lpu_chip *chip = h->chip;
    int64_t hops = HIERARCHY_STAGES * (int64_t)chip->c2c_hop_cycles;
    int64_t planes = 0, adding = 0;
    for (int32_t s = 0; s < HIERARCHY_STAGES; s++) {
        planes += h->stage[s].levels ? machine_link_slot_cycles(chip) : 0;
        adding += h->stage[s].levels * (chip->vxm_alu_cycles - chip->vxm_skew_cycles);
    }
    int64_t more = hierarchy_departure(h, h->rows - 1) - h->start;
    printf(" %8" PRId64 " %8" PRId64 " %8" PRId64 " %8" PRId64 " %8" PRId64 "\n", hops, planes,
           adding, more, cycles - hops - planes - adding - more);
}

/* Executed time beside three hops and nothing else. */
static void print_rack(const struct lpu_chip *chip, int32_t nodes, int32_t rows,
                       int64_t *violations)
{
    struct play play;
    struct hierarchy h;
    const char *why = cases_hierarchy(&play, &h, chip, nodes, rows);
    if (why) {
        printf("%d nodes: %s\n", (int)nodes, why);
        return;
    }
    play_start(&play, false);
    struct play_result r = play_step(&play);
    double ns = nanoseconds(chip, r.length_cycles),
           hops = HIERARCHY_STAGES * nanoseconds(chip, chip->c2c_hop_cycles);
    printf("%6d %12d %12.0f %12.0f %8.2f %8" PRId64, (int)play.chips,
           (int)(rows * PLANES * chip->lanes), ns, hops, ns / hops, r.length_cycles);
    print_parts(&h, r.length_cycles);
    *violations += r.violations;
    play_close(&play);
}

static void print_racks(const struct lpu_chip *chip, bool quick, int64_t *violations)
{
    static const int32_t nodes[] = {8, 9, 16, 32, 33};
    printf("\nAll-reduce over nodes of %d chips in three hops; cycles, and what they consist of\n"
           "%6s %12s %12s %12s %8s %8s %8s %8s %8s %8s %8s\n",
           GROUP, "chips", "bytes", "executed/ns", "3 hops/ns", "ratio", "cycles", "hops", "planes",
           "adding", "rows", "ways");
    for (int32_t rows = 1; rows <= (quick ? 1 : 16); rows *= 4)
        for (size_t n = 0; n < sizeof nodes / sizeof *nodes; n++)
            print_rack(chip, nodes[n], rows, violations);
}

int main(int argc, char **argv)
{
    const char *file = argc > 1 ? argv[1] : "configs/rack.cfg";
    bool quick = argc > 2 && strcmp(argv[2], "quick") == 0;
    struct lpu_chip chip = play_machine(file);
    int64_t violations = 0;
    printf("All-reduce, %d chips of a node (%s): executed under the contract\n", GROUP, chip.name);
    printf("%12s  %-9s %12s %12s %12s %8s\n", "bytes", "schedule", "executed/ns", "bus GB/s",
           "model/ns", "ratio");
    for (int32_t rows = 1; rows <= (quick ? 64 : 32768); rows *= rows < 8 ? 2 : 4)
        print_reduce(&chip, rows, &violations);
    printf("\nAll kinds in cycles, rows of %d numbers over the group\n%8s %12s %16s %12s %12s\n",
           (int)chip.lanes, "rows", "all-gather", "reduce-scatter", "all-reduce", "one-shot");
    for (int32_t rows = 8; rows <= (quick ? 32 : 4096); rows *= 4)
        print_kinds(&chip, rows, &violations);
    print_splits(&chip);
    print_racks(&chip, quick, &violations);
    printf("violations: %" PRId64 "\n", violations);
    return violations ? 1 : 0;
}
