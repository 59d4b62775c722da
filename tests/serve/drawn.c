/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws what drawn.h promises. */
#include "drawn.h"

#include "base/memory.h"
#include "base/random.h"

int32_t drawn_below(struct drawn *d, int32_t count)
{
    uint64_t drawn = base_random_u64(23, BASE_RANDOM_PLAY, d->entity, d->next++);
    return (int32_t)(drawn % (uint64_t)count);
}

static void forbid(struct drawn *d, int first, int second, int64_t from, int64_t to)
{
    d->apart[d->machine.aparts++] = (struct serve_apart){(uint8_t)first, (uint8_t)second, from, to};
}

/* The first distances are forbidden, and now and then some later ones. */
static void draw_pair(struct drawn *d, int first, int second)
{
    int64_t length = d->machine.length_cycles[first], near = 20 + drawn_below(d, 60);
    near = near < length ? near : length;
    forbid(d, first, second, 0, near);
    for (int32_t more = drawn_below(d, 3); more > 0; more--) {
        int64_t from = near + 1 + drawn_below(d, (int32_t)length);
        int64_t to = from + 1 + drawn_below(d, 30);
        if (to > length)
            return;
        forbid(d, first, second, from, to);
        near = to;
    }
}

static bool has_kind(const struct serve_machine *m, int kind)
{
    return kind == SERVE_PASS ? m->pass_rows > 0 : kind < m->buckets;
}

void drawn_machine(struct drawn *d, uint64_t entity)
{
    *d = (struct drawn){.entity = entity};
    d->chip = (struct lpu_chip){.clock_hz = 1000000000,
                                .pcie_latency_ps = 100 * drawn_below(d, 1000),
                                .pcie_bytes_per_s = 1000000000};
    struct serve_machine *m = &d->machine;
    *m = (struct serve_machine){.chip = &d->chip,
                                .buckets = 1 + drawn_below(d, 3),
                                .settle_cycles = drawn_below(d, 4),
                                .pass_rows = drawn_below(d, 4) ? 4 << drawn_below(d, 3) : 0,
                                .seats = 1 + drawn_below(d, 4),
                                .lanes = drawn_below(d, 2) ? 1 : 1 + drawn_below(d, 3),
                                .apart = d->apart};
    for (int n = 0; n < m->buckets; n++) {
        m->positions[n] = 32 << n;
        m->length_cycles[n] = 300 + 40 * n + drawn_below(d, 30);
    }
    m->length_cycles[SERVE_PASS] = m->pass_rows ? 400 + drawn_below(d, 800) : 0;
    for (int a = 0; a < SERVE_KINDS; a++)
        for (int b = 0; b < SERVE_KINDS; b++)
            if (has_kind(m, a) && has_kind(m, b))
                draw_pair(d, a, b);
}

struct serve_request *drawn_requests(struct drawn *d, size_t count, int64_t mean_gap_ps)
{
    struct serve_request *request = base_alloc(count, sizeof *request);
    int32_t most = d->machine.positions[d->machine.buckets - 1];
    int64_t now = 0;
    for (size_t n = 0; n < count; n++) {
        now += drawn_below(d, 4) ? drawn_below(d, (int32_t)(2 * mean_gap_ps)) : 0;
        int32_t prompt = 1 + drawn_below(d, most - 1);
        int32_t output = 1 + drawn_below(d, most - prompt);
        request[n] = (struct serve_request){.arrival_ps = now,
                                            .prompt_tokens = prompt,
                                            .output_tokens = output,
                                            .tenant = drawn_below(d, DRAWN_TENANTS)};
        if (drawn_below(d, 16) == 0)
            request[n].output_tokens += most;
    }
    return request;
}
