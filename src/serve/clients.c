/* SPDX-License-Identifier: BSD-3-Clause */
/* Whoever has its last token sends again. */
#include "serve/clients.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

struct crowd {
    const struct serve_clients *clients;
    int32_t *sender; /* of a request */
    int32_t *rounds; /* of a client, that are left */
    int32_t *ended;  /* clients whose request ended with an iteration */
    struct serve_clients_times times;
};

/* A length between the shortest and the longest there are, one of a few, so that steps come again.
 */
static int32_t drawn(const struct serve_clients *clients, int32_t longest, uint64_t entity,
                     int32_t rounds)
{
    const double lengths = 16;
    double u = floor(lengths * base_random_uniform(1, BASE_RANDOM_PLAY, entity, (uint64_t)rounds));
    u = (u + 0.5) / lengths;
    return (int32_t)lround((double)longest * (clients->shortest + (1 - clients->shortest) * u));
}

/* The client's next request, drawn by how many are left, this one included. */
static void send_request(struct crowd *crowd, struct serve_load *load, int32_t client,
                         int64_t at_ps)
{
    int32_t rounds = crowd->rounds[client]--;
    uint64_t entity = 2 * (uint64_t)client;
    assert(load->count < load->capacity);
    crowd->sender[load->count] = client;
    load->request[load->count++] = (struct serve_request){
        .arrival_ps = at_ps,
        .prompt_tokens = drawn(crowd->clients, crowd->clients->prompt, entity, rounds),
        .output_tokens = drawn(crowd->clients, crowd->clients->output, entity + 1, rounds)};
}

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void ended(void *context, struct serve_load *load, int64_t now_ps, const size_t *finished,
                  size_t count)
{
    struct crowd *crowd = context;
    for (size_t i = 0; i < count; i++)
        crowd->ended[i] = crowd->sender[finished[i]];
    qsort(crowd->ended, count, sizeof *crowd->ended, by_number);
    for (size_t i = 0; i < count; i++)
        if (crowd->rounds[crowd->ended[i]] > 0)
            send_request(crowd, load, crowd->ended[i], now_ps + crowd->clients->client_ps);
}

static void add_up(struct serve_clients_times *times, const struct serve_load *load)
{
    for (size_t i = 0; i < load->count; i++) {
        const struct serve_request *request = &load->request[i];
        const struct serve_outcome *outcome = &load->outcome[i];
        double rest = request->output_tokens > 1 ? request->output_tokens - 1 : 1;
        int64_t first_ps = outcome->first_token_ps;
        assert(outcome->fate == SERVE_FINISHED);
        times->ttft_ps += (double)(first_ps - request->arrival_ps);
        times->tpot_ps += (double)(outcome->finished_ps - first_ps) / rest;
        times->last_first_ps = first_ps > times->last_first_ps ? first_ps : times->last_first_ps;
    }
    times->ttft_ps /= (double)load->count;
    times->tpot_ps /= (double)load->count;
}

static void play(struct crowd *crowd, const struct serve_replicas *one)
{
    size_t clients = (size_t)crowd->clients->clients,
           all = clients * (size_t)crowd->clients->rounds;
    struct serve_load load = {.capacity = all, .ended = ended, .context = crowd};
    load.request = base_alloc(all, sizeof *load.request);
    load.outcome = base_alloc(all, sizeof *load.outcome);
    crowd->sender = base_alloc(all, sizeof *crowd->sender);
    crowd->rounds = base_alloc(clients, sizeof *crowd->rounds);
    crowd->ended = base_alloc(clients, sizeof *crowd->ended);
    for (size_t i = 0; i < clients; i++) {
        crowd->rounds[i] = crowd->clients->rounds;
        send_request(crowd, &load, (int32_t)i, 0);
    }
    serve_replicas_run(one, &load, &crowd->times.tally);
    add_up(&crowd->times, &load);
    base_free(crowd->ended);
    base_free(crowd->rounds);
    base_free(crowd->sender);
    base_free(load.outcome);
    base_free(load.request);
}

struct serve_clients_times serve_clients_run(const struct serve_clients *clients,
                                             const struct serve_rules *rules,
                                             const struct serve_clock *clock)
{
    struct crowd crowd = {.clients = clients};
    const struct serve_replicas one = {.count = 1, .rules = *rules, .clock = *clock};
    play(&crowd, &one);
    return crowd.times;
}
