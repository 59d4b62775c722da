/* SPDX-License-Identifier: BSD-3-Clause */
/* Random models on random racks, with batches and ladders: whatever distances the compiler allows,
 * the chips find nothing against; an interval less a cycle they do. */
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "partition/interval.h"
#include "rack.h"
#include "test.h"

enum { CASES = 12, TRIES = 60, PAIRS = 8, TRAIN = 10, POSITIONS = 64 };

struct draw {
    uint64_t entity, next;
};

/* One of 0 to `count` - 1. */
static int32_t draw(struct draw *d, int32_t count)
{
    uint64_t drawn = base_random_u64(11, BASE_RANDOM_TOKEN, d->entity, d->next++);
    return (int32_t)(drawn % (uint64_t)count);
}

static int32_t draw_of(struct draw *d, const int32_t *value, int32_t count)
{
    return value[draw(d, count)];
}

static struct model draw_model(struct draw *d)
{
    static const int32_t dim[] = {32, 48, 64, 80}, kv[] = {1, 2, 4};
    int32_t kv_heads = draw_of(d, kv, 3);
    struct model m = {.name = "random",
                      .architecture = "LlamaForCausalLM",
                      .model_type = "llama",
                      .layers = 1 + draw(d, 4),
                      .hidden = 64 + 4 * draw(d, 150),
                      .heads = kv_heads * (1 + draw(d, 4)),
                      .kv_heads = kv_heads,
                      .head_dim = draw_of(d, dim, 4),
                      .ffn = 96 + 4 * draw(d, 200),
                      .vocabulary = 200 + draw(d, 900),
                      .max_positions = 512,
                      .qkv_bias = draw(d, 2),
                      .qk_norm = draw(d, 2),
                      .norm_epsilon = 1e-5,
                      .rope_theta = 1e4};
    m.sliding_window = draw(d, 3) ? 0 : 40;
    m.attention_sinks = draw(d, 3) == 0;
    return m;
}

static struct rack_case draw_case(struct draw *d, const struct model *model)
{
    static const int32_t ladder[][2] = {{0, 0}, {64, 0}, {64, 128}, {128, 0}};
    int32_t rungs = draw(d, 4), stages = 1 + draw(d, 3);
    struct rack_case c = {.name = "random",
                          .model = model,
                          .stages = stages,
                          .group = 1 << draw(d, 3),
                          .nodes = 1 + draw(d, 2),
                          .rung = {ladder[rungs][0], ladder[rungs][1]},
                          .batch = 1 + draw(d, 3),
                          .seats = 2 + draw(d, 3),
                          .prompt = 65};
    return c;
}

static bool exists(const struct rack *rack, enum partition_phase phase)
{
    return plan_length_cycles(rack->plan, phase) > 0;
}

static enum partition_phase draw_phase(struct draw *d, const struct rack *rack)
{
    enum partition_phase phase;
    do
        phase = (enum partition_phase)draw(d, PARTITION_PHASES);
    while (!exists(rack, phase));
    return phase;
}

static int64_t violations_at(struct rack *rack, enum partition_phase first,
                             enum partition_phase second, int64_t distance)
{
    struct rack_start pair[2] = {{.phase = first},
                                 {.phase = second, .cycle = distance, .cache = rack->bucket.batch}};
    return rack_overlap_violations(rack, pair, 2);
}

static void pairs_at_allowed_distances_bear(struct draw *d, struct rack *rack)
{
    const struct distances *distances = interval_distances(plan_interval(rack->plan));
    for (int32_t n = 0; n < PAIRS; n++) {
        enum partition_phase a = draw_phase(d, rack), b = draw_phase(d, rack);
        int64_t from = 1 + draw(d, (int32_t)plan_length_cycles(rack->plan, a));
        int64_t at = distances_next(distances, a, b, n % 2 ? from : 1);
        int64_t found = violations_at(rack, a, b, at);
        if (found)
            fprintf(stderr, "%d then %d, %lld apart: %lld violations\n", a, b, (long long)at,
                    (long long)found);
        CU_ASSERT_EQUAL(found, 0);
    }
}

/* The first cycle from `cycle` on at which a step may begin behind those before it. */
static int64_t earliest(const struct distances *distances, const struct rack_start *start,
                        int32_t count, enum partition_phase phase, int64_t cycle)
{
    int64_t before;
    do {
        before = cycle;
        for (int32_t n = 0; n < count; n++)
            cycle = start[n].cycle +
                    distances_next(distances, start[n].phase, phase, cycle - start[n].cycle);
    } while (cycle != before);
    return cycle;
}

/* Steps of any kinds, each as early as the pairs allow; no cache is used by two that overlap. */
static void trains_of_any_kinds_bear(struct draw *d, struct rack *rack)
{
    const struct distances *distances = interval_distances(plan_interval(rack->plan));
    struct rack_start start[TRAIN] = {{0}};
    int64_t free_at[PROGRAM_CACHES] = {0}, cycle = 0;
    int32_t seats = plan_seats(rack->plan).placed;
    for (int32_t n = 0; n < TRAIN; n++) {
        enum partition_phase phase = draw_phase(d, rack);
        int32_t seat = n % seats;
        cycle = free_at[seat] > cycle ? free_at[seat] : cycle + 1;
        cycle = earliest(distances, start, n, phase, cycle);
        start[n] =
            (struct rack_start){.cycle = cycle, .phase = phase, .cache = seat * rack->bucket.batch};
        free_at[seat] = cycle + rack_latency(rack, phase);
    }
    int64_t found = rack_overlap_violations(rack, start, TRAIN);
    CU_ASSERT_EQUAL(found, 0);
    rack_violations(rack);
}

/* Decode steps of drawn buckets at the interval that holds for all of them. */
static void mixtures_at_one_interval_bear(struct draw *d, struct rack *rack)
{
    struct interval_found f = interval_of(plan_interval(rack->plan));
    struct rack_start start[TRAIN] = {{0}};
    int32_t seats = plan_seats(rack->plan).placed;
    int64_t latency = rack_latency(rack, PARTITION_DECODE), cycle = 0;
    for (int32_t n = 0; n < TRAIN; n++) {
        enum partition_phase phase = draw_phase(d, rack);
        phase = phase == PARTITION_PREFILL ? PARTITION_DECODE : phase;
        while (n >= seats && cycle < start[n - seats].cycle + latency)
            cycle += f.mixed_cycles;
        start[n] = (struct rack_start){
            .cycle = cycle, .phase = phase, .cache = n % seats * rack->bucket.batch};
        cycle += f.mixed_cycles;
    }
    CU_ASSERT_EQUAL(rack_overlap_violations(rack, start, TRAIN), 0);
    rack_violations(rack);
}

/* Where P - 1 fails: the least of its multiples that is forbidden. Returns whether chips find it.
 */
static bool less_is_found(struct rack *rack, enum partition_phase kind)
{
    const struct interval *interval = plan_interval(rack->plan);
    int64_t less = interval_of(interval).cycles[kind] - 1, at = less;
    while (less > 0 && distances_allow(interval_distances(interval), kind, kind, at))
        at += less;
    return violations_at(rack, kind, kind, at) > 0;
}

static void random_racks_fly_as_promised(void)
{
    int32_t compiled = 0, asked = 0, found = 0;
    for (uint64_t n = 0; n < TRIES && compiled < CASES; n++) {
        struct draw d = {.entity = n};
        struct model model = draw_model(&d);
        struct rack_case c = draw_case(&d, &model);
        struct rack rack;
        rack_compile(&rack, &c);
        if (rack.plan) {
            compiled++;
            rack_start(&rack);
            pairs_at_allowed_distances_bear(&d, &rack);
            trains_of_any_kinds_bear(&d, &rack);
            mixtures_at_one_interval_bear(&d, &rack);
            for (enum partition_phase kind = 0; kind < PARTITION_PHASES; kind++)
                if (exists(&rack, kind)) {
                    asked++;
                    found += less_is_found(&rack, kind);
                }
        }
        rack_release(&rack);
    }
    fprintf(stderr, "%d racks; P - 1 found %d of %d times\n", compiled, found, asked);
    CU_ASSERT_EQUAL(compiled, CASES);
    CU_ASSERT_TRUE(found * 2 > asked);
}

TEST_MAIN("mixed flight", TEST(random_racks_fly_as_promised))
