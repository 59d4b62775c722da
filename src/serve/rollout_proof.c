/* SPDX-License-Identifier: BSD-3-Clause */
/* Each stint is a machine of its own: one schedule, one timetable, from loading to emptying. */
#include "base/memory.h"
#include "serve/rollout.h"

/* Outcomes as the stints of one version tell them; whoever was served elsewhere has none. */
static struct serve_outcome *outcomes_of(const struct serve_played *played,
                                         enum serve_version version,
                                         const struct serve_outcome *outcome, size_t count)
{
    struct serve_outcome *own = base_alloc(count, sizeof *own);
    for (size_t n = 0; n < count; n++) {
        int32_t stint = played->course[n].stint;
        bool here = stint >= 0 && played->stint[stint].version == version;
        own[n] = here ? outcome[n] : serve_rack_refusal(SERVE_WAITING);
        if (here)
            own[n].replica = stint;
    }
    return own;
}

/* Whether a start lies in its stint. */
static bool is_within(const struct serve_machine *m, const struct serve_stint *stint,
                      const struct serve_start *s)
{
    int64_t end = s->cycle + m->length_cycles[s->kind] + m->settle_cycles;
    return machine_cycles_to_ps(m->chip, s->cycle) >= stint->from_ps &&
           machine_cycles_to_ps(m->chip, end) <= stint->to_ps;
}

/* Starts of one version; returns how many are outside of their stints. */
static int64_t note_starts(const struct serve_played *played, enum serve_version version,
                           const struct serve_machine *m, struct serve_rehearsing *rehearsing)
{
    int64_t outside = 0;
    for (size_t n = 0; n < played->starts; n++) {
        const struct serve_stint *stint = &played->stint[played->start[n].replica];
        if (stint->version != version)
            continue;
        serve_rehearsal_note(rehearsing, &played->start[n], 1, 0);
        outside += !is_within(m, stint, &played->start[n]);
    }
    return outside;
}

/* Racks that serve two stints at once. */
static int64_t overlaps(const struct serve_played *played)
{
    int64_t found = 0;
    for (size_t a = 0; a < played->stints; a++)
        for (size_t b = a + 1; b < played->stints; b++)
            found += played->stint[a].rack == played->stint[b].rack &&
                     played->stint[b].from_ps < played->stint[a].to_ps;
    return found;
}

static void add(struct serve_rehearsal *sum, const struct serve_rehearsal *found)
{
    sum->starts += found->starts;
    sum->pairs += found->pairs;
    sum->too_near += found->too_near;
    sum->out_of_order += found->out_of_order;
    sum->too_small += found->too_small;
    sum->taken += found->taken;
    sum->unkept += found->unkept;
}

struct serve_rehearsal serve_rollout_rehearse(const struct serve_rollout *rollout,
                                              const struct serve_played *played,
                                              const struct serve_request *request, size_t count,
                                              const struct serve_outcome *outcome)
{
    struct serve_rehearsal sum = {.out_of_order = overlaps(played)};
    for (int version = 0; version < SERVE_VERSIONS; version++) {
        const struct serve_machine *m = rollout->version[version].machine;
        struct serve_outcome *own =
            outcomes_of(played, (enum serve_version)version, outcome, count);
        struct serve_rehearsing *r =
            serve_rehearsal_open(m, request, count, own, (int32_t)played->stints);
        sum.out_of_order += note_starts(played, (enum serve_version)version, m, r);
        struct serve_rehearsal found = serve_rehearsal_close(r);
        add(&sum, &found);
        base_free(own);
    }
    return sum;
}
