/* SPDX-License-Identifier: BSD-3-Clause */
/* The best ladder by dynamic programming over its second largest bucket, and so on. */
#include "serve/ladder.h"

#include <assert.h>

#include "base/memory.h"

struct serve_demand serve_demand_of(const struct serve_request *request, size_t count, int32_t most,
                                    bool prompts)
{
    struct serve_demand d = {.most = most, .requests = (int64_t)count};
    assert(most > 0);
    d.up_to = base_alloc((size_t)most + 2, sizeof *d.up_to);
    for (size_t i = 0; i < count; i++) {
        int64_t whole = (int64_t)request[i].prompt_tokens + request[i].output_tokens;
        if (whole > most) {
            d.refused++;
            continue;
        }
        d.up_to[prompts ? 1 : request[i].prompt_tokens]++;
        d.up_to[whole]--;
    }
    /* From steps that begin and end to steps at each number, and to steps up to it. */
    for (int32_t p = 1, open = 0; p <= most; p++) {
        open += (int32_t)d.up_to[p];
        d.attended += (int64_t)open * p;
        d.up_to[p] = d.up_to[p - 1] + open;
    }
    d.steps = d.up_to[most];
    return d;
}

void serve_demand_release(struct serve_demand *demand)
{
    base_free(demand->up_to);
    demand->up_to = NULL;
}

struct serve_price serve_ladder_price(const struct serve_demand *demand,
                                      const struct serve_ladder *ladder)
{
    struct serve_price price = {0};
    for (int32_t b = 0, before = 0; b < ladder->buckets; b++) {
        const struct serve_rung *rung = &ladder->rung[b];
        int64_t steps = demand->up_to[rung->positions] - demand->up_to[before];
        price.cycles += steps * rung->cycles;
        price.positions += steps * rung->positions;
        before = rung->positions;
    }
    return price;
}

/* The best ladders of so many buckets that end with each size: cycles of the steps that they hold,
 * and the size before the last one; -1 where there is none. */
struct column {
    int64_t *cycles;
    int32_t *before;
};

static struct column column_open(int32_t sizes)
{
    return (struct column){base_alloc((size_t)sizes, sizeof(int64_t)),
                           base_alloc((size_t)sizes, sizeof(int32_t))};
}

static int64_t steps_between(const struct serve_demand *demand, int32_t above, int32_t positions)
{
    return demand->up_to[positions] - demand->up_to[above];
}

/* Ladders of one bucket: all that it holds. */
static void fill_first(const struct serve_demand *demand, const struct serve_rung *size,
                       int32_t sizes, struct column *column)
{
    for (int32_t n = 0; n < sizes; n++) {
        column->cycles[n] = steps_between(demand, 0, size[n].positions) * size[n].cycles;
        column->before[n] = -1;
    }
}

/* Ladders of `buckets` from those of one bucket less. */
static void fill_next(const struct serve_demand *demand, const struct serve_rung *size,
                      int32_t sizes, int32_t buckets, const struct column *less,
                      struct column *column)
{
    for (int32_t n = buckets - 1; n < sizes; n++)
        for (int32_t k = buckets - 2; k < n; k++) {
            int64_t steps = steps_between(demand, size[k].positions, size[n].positions);
            int64_t cycles = less->cycles[k] + steps * size[n].cycles;
            if (k == buckets - 2 || cycles < column->cycles[n]) {
                column->cycles[n] = cycles;
                column->before[n] = k;
            }
        }
}

bool serve_ladder_best(const struct serve_demand *demand, const struct serve_rung *size,
                       int32_t sizes, int32_t buckets, struct serve_ladder *best)
{
    struct column column[SERVE_BUCKETS];
    if (buckets < 1 || buckets > SERVE_BUCKETS || sizes < buckets)
        return false;
    assert(size[sizes - 1].positions == demand->most);
    for (int32_t b = 0; b < buckets; b++) {
        column[b] = column_open(sizes);
        if (b == 0)
            fill_first(demand, size, sizes, &column[b]);
        else
            fill_next(demand, size, sizes, b + 1, &column[b - 1], &column[b]);
    }
    best->buckets = buckets;
    for (int32_t b = buckets - 1, n = sizes - 1; b >= 0; n = column[b--].before[n])
        best->rung[b] = size[n];
    for (int32_t b = 0; b < buckets; b++) {
        base_free(column[b].cycles);
        base_free(column[b].before);
    }
    return true;
}

int64_t serve_rung_between(const struct serve_rung *known, size_t count, int32_t positions)
{
    size_t n = 1;
    if (count == 1)
        return known[0].cycles;
    while (n + 1 < count && known[n].positions < positions)
        n++;
    const struct serve_rung *low = &known[n - 1], *high = &known[n];
    int64_t span = high->positions - low->positions;
    int64_t rise = (high->cycles - low->cycles) * (positions - low->positions);
    int64_t half = rise < 0 ? -span / 2 : span / 2;
    return low->cycles + (rise + half) / span;
}
