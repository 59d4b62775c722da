/* SPDX-License-Identifier: BSD-3-Clause */
/* Admission to the static machine, in closed form for each request. */
#include "serve/carousel.h"

#include <assert.h>

#include "base/memory.h"

enum { TOKEN_BYTES = 4 };

int32_t serve_carousel_seats(const struct serve_carousel *carousel)
{
    assert(carousel->interval_ps > 0 && carousel->interval_ps <= carousel->latency_ps);
    return (int32_t)(carousel->latency_ps / carousel->interval_ps);
}

int64_t serve_carousel_chunks(const struct serve_carousel *carousel, int32_t prompt_tokens)
{
    assert(prompt_tokens > 0 && carousel->chunk_tokens > 0);
    return (prompt_tokens - 1 + carousel->chunk_tokens - 1) / carousel->chunk_tokens;
}

int64_t serve_carousel_transfer_ps(const struct serve_carousel *carousel, int32_t tokens)
{
    const int64_t ps_per_us = 1000000, rate = carousel->pcie_bytes_per_s / ps_per_us;
    assert(rate > 0);
    int64_t bytes_us = (int64_t)tokens * TOKEN_BYTES * ps_per_us;
    return carousel->pcie_latency_ps + (bytes_us + rate - 1) / rate;
}

/* From admission until the machine has the first token. */
static int64_t first_step_ps(const struct serve_carousel *carousel, int32_t prompt_tokens)
{
    return serve_carousel_transfer_ps(carousel, prompt_tokens) +
           serve_carousel_chunks(carousel, prompt_tokens) * carousel->chunk_ps +
           carousel->latency_ps;
}

int64_t serve_carousel_first_token_ps(const struct serve_carousel *carousel, int32_t prompt_tokens)
{
    return first_step_ps(carousel, prompt_tokens) + serve_carousel_transfer_ps(carousel, 1);
}

static size_t earliest(const int64_t *free_ps, size_t seats)
{
    size_t best = 0;
    for (size_t i = 1; i < seats; i++)
        if (free_ps[i] < free_ps[best])
            best = i;
    return best;
}

/* Returns when the sequence leaves its seat. */
static int64_t admit(const struct serve_carousel *carousel, const struct serve_request *request,
                     int64_t free_ps, struct serve_times *times)
{
    assert(request->output_tokens > 0);
    int64_t start = request->arrival_ps > free_ps ? request->arrival_ps : free_ps;
    int64_t first = start + first_step_ps(carousel, request->prompt_tokens);
    int64_t left = first + (request->output_tokens - 1) * carousel->latency_ps;
    int64_t back = serve_carousel_transfer_ps(carousel, 1);
    *times = (struct serve_times){start, first + back, left + back};
    return left;
}

void serve_carousel_admit(const struct serve_carousel *carousel,
                          const struct serve_request *request, size_t count,
                          struct serve_times *times)
{
    size_t seats = (size_t)serve_carousel_seats(carousel);
    int64_t *free_ps = base_alloc(seats, sizeof *free_ps);
    for (size_t i = 0; i < count; i++) {
        assert(i == 0 || request[i].arrival_ps >= request[i - 1].arrival_ps);
        size_t seat = earliest(free_ps, seats);
        free_ps[seat] = admit(carousel, &request[i], free_ps[seat], &times[i]);
    }
    base_free(free_ps);
}
