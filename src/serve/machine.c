/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from a machine's description without any request. */
#include "serve/machine.h"

#include <assert.h>

enum { TOKEN_BYTES = 4 };

int64_t serve_machine_latency(const struct serve_machine *machine, int kind)
{
    return machine->length_cycles[kind] + machine->settle_cycles;
}

int serve_machine_decode(const struct serve_machine *machine, int32_t positions)
{
    int kind = machine->lanes > 1 ? machine->buckets - 1 : 0;
    while (kind + 1 < machine->buckets && machine->positions[kind] < positions)
        kind++;
    return kind;
}

bool serve_machine_holds(const struct serve_machine *machine, int64_t tokens)
{
    return tokens <= machine->positions[machine->buckets - 1];
}

int32_t serve_machine_passes(const struct serve_machine *machine, int32_t prompt_tokens)
{
    int32_t rows = machine->pass_rows > 0 ? machine->pass_rows : 1;
    assert(prompt_tokens > 0);
    return (prompt_tokens - 1 + rows - 1) / rows;
}

/* Whether a range concerns trains of passes, or of decode steps. */
static bool concerns(const struct serve_apart *apart, bool passes)
{
    return (apart->first == SERVE_PASS) == passes && (apart->second == SERVE_PASS) == passes;
}

/* The least interval from `interval` on no multiple of which is in a range. */
static int64_t clear_of(const struct serve_apart *apart, int64_t interval)
{
    for (;;) {
        int64_t times = (apart->from + interval - 1) / interval;
        times = times > 0 ? times : 1;
        if (times * interval >= apart->to)
            return interval;
        interval = (apart->to + times - 1) / times;
    }
}

int64_t serve_machine_train(const struct serve_machine *machine, bool passes, int64_t least)
{
    int64_t interval = least, before;
    assert(least > 0);
    do {
        before = interval;
        for (size_t n = 0; n < machine->aparts; n++)
            if (concerns(&machine->apart[n], passes))
                interval = clear_of(&machine->apart[n], interval);
    } while (interval != before);
    return interval;
}

bool serve_machine_allows(const struct serve_machine *machine, int first, int second,
                          int64_t cycles)
{
    for (size_t n = 0; n < machine->aparts; n++) {
        const struct serve_apart *a = &machine->apart[n];
        if (a->first == first && a->second == second && a->from <= cycles && cycles < a->to)
            return false;
    }
    return true;
}

int64_t serve_machine_load_ps(const struct lpu_chip *chip, int64_t bytes)
{
    const int64_t ps_per_us = 1000000, rate = chip->pcie_bytes_per_s / ps_per_us;
    assert(rate > 0);
    return chip->pcie_latency_ps + (bytes * ps_per_us + rate - 1) / rate;
}

int64_t serve_machine_transfer_ps(const struct lpu_chip *chip, int32_t tokens)
{
    return serve_machine_load_ps(chip, (int64_t)tokens * TOKEN_BYTES);
}
