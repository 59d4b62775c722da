/* SPDX-License-Identifier: BSD-3-Clause */
/* Simulates the first steps of a main loop event by event and extrapolates the steady state. */
#include "gpu_cluster/sm_loop.h"

#include <stdbool.h>
#include <string.h>

enum { STEPS = 40, WINDOW = 12, MEMO = 1 << 13, MOST_PIPES = 4 };

/* What a loop comes to: end of each step, over all groups of all blocks. */
struct course {
    struct gpu_sm_loop loop;
    int32_t fill, picks;
    int32_t end[STEPS];
};

enum phase { ISSUE, TENSOR, SPECIAL, SECOND };

/* A group of warps: its step and what it does next, not before `ready`. */
struct group {
    int32_t step, ready;
    enum phase phase;
};

struct sm {
    const struct gpu_sm_loop *loop;
    struct group group[GPU_SM_GROUPS];
    int32_t arrival[GPU_SM_GROUPS][STEPS]; /* of a block's step */
    int32_t pending[GPU_SM_GROUPS][STEPS]; /* groups of a block that have yet to finish a step */
    int32_t pipe_free[MOST_PIPES], special_free;
    int64_t channel_free; /* in 1/1024 cycles */
    int32_t fill;
};

/* A load of a step goes out at `now`; steps of all blocks share the SM's way in. */
static void load(struct sm *sm, int32_t block, int32_t step, int32_t now)
{
    const struct gpu_sm_loop *loop = sm->loop;
    int64_t from = (int64_t)now * 1024;
    from = sm->channel_free > from ? sm->channel_free : from;
    int64_t takes = (int64_t)loop->step_bytes * 1024 * 1024 / loop->bytes_per_kcycle;
    sm->channel_free = from + takes;
    sm->arrival[block][step] = (int32_t)((sm->channel_free + 1023) / 1024) + loop->latency_cycles;
}

static void start(struct sm *sm, const struct gpu_sm_loop *loop)
{
    memset(sm, 0, sizeof *sm);
    sm->loop = loop;
    sm->fill = -1;
    for (int32_t s = 0; s < loop->stages && s < STEPS; s++)
        for (int32_t b = 0; b < loop->blocks; b++)
            load(sm, b, s, 0);
    for (int32_t b = 0; b < loop->blocks; b++)
        for (int32_t s = 0; s < STEPS; s++)
            sm->pending[b][s] = loop->groups;
    for (int32_t g = 0; g < loop->blocks * loop->groups; g++)
        sm->group[g].ready = sm->arrival[g / loop->groups][0];
}

/* The unit that a group's next phase needs; NULL: none but itself. */
static int32_t *unit_of(struct sm *sm, int32_t g)
{
    switch (sm->group[g].phase) {
    case TENSOR:
    case SECOND:
        return &sm->pipe_free[g % sm->loop->pipes];
    case SPECIAL:
        return &sm->special_free;
    case ISSUE:
        break;
    }
    return NULL;
}

static int32_t start_of(struct sm *sm, int32_t g)
{
    const int32_t *unit = unit_of(sm, g);
    int32_t ready = sm->group[g].ready;
    return unit && *unit > ready ? *unit : ready;
}

/* The scheduler's pick: the group that can go first, among those the one that is furthest behind.
 */
static int32_t pick(struct sm *sm)
{
    int32_t best = -1, best_at = 0;
    for (int32_t g = 0; g < sm->loop->blocks * sm->loop->groups; g++) {
        const struct group *group = &sm->group[g];
        if (group->step == STEPS)
            continue;
        int32_t at = start_of(sm, g);
        if (best < 0 || at < best_at || (at == best_at && group->step < sm->group[best].step)) {
            best = g;
            best_at = at;
        }
    }
    return best;
}

static int32_t cycles_of(const struct gpu_sm_loop *loop, enum phase phase)
{
    const int32_t cycles[] = {[ISSUE] = loop->issue_cycles,
                              [TENSOR] = loop->tensor_cycles,
                              [SPECIAL] = loop->special_cycles,
                              [SECOND] = loop->second_cycles};
    return cycles[phase];
}

/* The group is through with its step: staging that nobody reads any more is loaded anew. */
static void step_end(struct sm *sm, int32_t g, int32_t now, struct course *course)
{
    struct group *group = &sm->group[g];
    int32_t block = g / sm->loop->groups, next = group->step + sm->loop->stages;
    if (--sm->pending[block][group->step] == 0 && next < STEPS)
        load(sm, block, next, now);
    if (now > course->end[group->step])
        course->end[group->step] = now;
    group->step++;
    group->phase = ISSUE;
    group->ready = now;
    if (group->step < STEPS && sm->arrival[block][group->step] > now)
        group->ready = sm->arrival[block][group->step];
}

static void advance(struct sm *sm, int32_t g, struct course *course)
{
    struct group *group = &sm->group[g];
    int32_t *unit = unit_of(sm, g), at = start_of(sm, g);
    int32_t end = at + cycles_of(sm->loop, group->phase);
    if (group->phase == TENSOR && sm->fill < 0)
        sm->fill = at;
    if (unit)
        *unit = end;
    group->ready = end;
    bool last = group->phase == SECOND || (group->phase == TENSOR && sm->loop->special_cycles == 0);
    if (last)
        step_end(sm, g, end, course);
    else
        group->phase++;
}

static void simulate(struct course *course, const struct gpu_sm_loop *loop)
{
    struct sm sm;
    memset(course, 0, sizeof *course);
    course->loop = *loop;
    start(&sm, loop);
    for (int32_t g = pick(&sm); g >= 0; g = pick(&sm)) {
        advance(&sm, g, course);
        course->picks++;
    }
    course->fill = sm.fill;
}

/* Of a steady loop: mean over the last steps but those at the very end, where loads have ceased. */
static double steady(const struct course *course)
{
    int32_t last = STEPS - 1;
    return (double)(course->end[last] - course->end[last - WINDOW]) / WINDOW;
}

static uint64_t hash_of(const struct gpu_sm_loop *loop)
{
    const int32_t field[] = {loop->blocks,           loop->groups,        loop->pipes,
                             loop->stages,           loop->issue_cycles,  loop->tensor_cycles,
                             loop->special_cycles,   loop->second_cycles, loop->step_bytes,
                             loop->bytes_per_kcycle, loop->latency_cycles};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        hash = (hash ^ (uint64_t)field[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

/* 6 binary digits: 1.6 % at most, so that loops which differ by nothing else are one. */
static int32_t rounded(int32_t value)
{
    int32_t shift = 0;
    while (value >> shift >= 64)
        shift++;
    return shift ? (value + (1 << (shift - 1))) >> shift << shift : value < 1 ? 1 : value;
}

struct gpu_sm_time gpu_sm_loop_run(const struct gpu_sm_loop *loop, double steps)
{
    static _Thread_local struct course memo[MEMO];
    struct gpu_sm_loop key = *loop;
    key.bytes_per_kcycle = rounded(loop->bytes_per_kcycle);
    struct course *course = &memo[hash_of(&key) % MEMO];
    if (memcmp(&course->loop, &key, sizeof key) != 0)
        simulate(course, &key);
    double step = steady(course);
    int32_t known = steps < STEPS ? (int32_t)steps : STEPS;
    double end =
        (known > 0 ? course->end[known - 1] : course->end[0] - step) + (steps - known) * step;
    return (struct gpu_sm_time){course->fill, (int64_t)end, step,
                                (int64_t)(steps * course->picks / STEPS)};
}
