/* SPDX-License-Identifier: BSD-3-Clause */
/* One agenda for arrivals and replicas. At one moment iterations end first, then requests come,
 * then iterations begin; replicas in the order of their numbers. */
#include "serve/replicas.h"

#include <assert.h>

#include "base/memory.h"

struct agenda {
    const struct serve_replicas *replicas;
    struct serve_load *load;
    struct serve_engine **engine; /* [count] */
    size_t next;                  /* request */
    int32_t turn;                 /* round robin */
    int64_t now_ps;
};

static int32_t least_loaded(const struct agenda *agenda)
{
    int32_t best = 0;
    for (int32_t i = 1; i < agenda->replicas->count; i++)
        if (serve_engine_outstanding(agenda->engine[i]) <
            serve_engine_outstanding(agenda->engine[best]))
            best = i;
    return best;
}

static int32_t route(struct agenda *agenda)
{
    if (agenda->replicas->router == SERVE_LEAST_LOADED)
        return least_loaded(agenda);
    int32_t replica = agenda->turn;
    agenda->turn = (replica + 1) % agenda->replicas->count;
    return replica;
}

static void arrive(struct agenda *agenda)
{
    size_t number = agenda->next++;
    const struct serve_request *request = &agenda->load->request[number];
    struct serve_outcome *outcome = &agenda->load->outcome[number];
    assert(number == 0 || request->arrival_ps >= request[-1].arrival_ps);
    agenda->now_ps = request->arrival_ps;
    if (serve_rules_can_hold(&agenda->replicas->rules, request))
        serve_engine_push(agenda->engine[route(agenda)], number, request, agenda->now_ps, outcome);
    else
        *outcome = (struct serve_outcome){SERVE_TOO_LONG, -1, 0, -1, -1, -1, -1, 0};
}

static void step(struct agenda *agenda, struct serve_engine *engine)
{
    struct serve_load *load = agenda->load;
    bool ends = serve_engine_is_running(engine);
    agenda->now_ps = serve_engine_next_ps(engine);
    serve_engine_step(engine);
    if (ends && load->ended) {
        size_t count;
        const size_t *finished = serve_engine_finished(engine, &count);
        load->ended(load->context, load, agenda->now_ps, finished, count);
    }
}

/* What happens next: an engine, or NULL for an arrival. */
static struct serve_engine *next_engine(const struct agenda *agenda, int64_t *at_ps)
{
    struct serve_engine *next = NULL;
    *at_ps = SERVE_NEVER;
    for (int32_t i = 0; i < agenda->replicas->count; i++) {
        struct serve_engine *engine = agenda->engine[i];
        int64_t its_ps = serve_engine_next_ps(engine);
        bool is_earlier =
            its_ps < *at_ps || (its_ps == *at_ps && next && serve_engine_is_running(engine) &&
                                !serve_engine_is_running(next));
        next = is_earlier ? engine : next;
        *at_ps = is_earlier ? its_ps : *at_ps;
    }
    return next;
}

static bool go_on(struct agenda *agenda)
{
    const struct serve_load *load = agenda->load;
    int64_t at_ps, come_ps = SERVE_NEVER;
    struct serve_engine *engine = next_engine(agenda, &at_ps);
    if (agenda->next < load->count)
        come_ps = load->request[agenda->next].arrival_ps;
    bool arrives =
        come_ps < at_ps || (engine && come_ps == at_ps && !serve_engine_is_running(engine));
    if (arrives)
        arrive(agenda);
    else if (engine)
        step(agenda, engine);
    return arrives || engine;
}

static void add_tally(struct serve_tally *sum, const struct serve_tally *one)
{
    sum->iterations += one->iterations;
    sum->prompt_iterations += one->prompt_iterations;
    sum->busy_ps += one->busy_ps;
    sum->prompt_tokens += one->prompt_tokens;
    sum->output_tokens += one->output_tokens;
    sum->preemptions += one->preemptions;
    sum->most_blocks = one->most_blocks > sum->most_blocks ? one->most_blocks : sum->most_blocks;
    sum->most_sequences =
        one->most_sequences > sum->most_sequences ? one->most_sequences : sum->most_sequences;
}

int64_t serve_replicas_run(const struct serve_replicas *replicas, struct serve_load *load,
                           struct serve_tally *tally)
{
    struct agenda agenda = {.replicas = replicas, .load = load};
    agenda.engine = base_alloc((size_t)replicas->count, sizeof(struct serve_engine *));
    for (int32_t i = 0; i < replicas->count; i++)
        agenda.engine[i] = serve_engine_create(i, &replicas->rules, &replicas->clock);
    while (!load->stop && go_on(&agenda))
        continue;
    for (; agenda.next < load->count; agenda.next++)
        load->outcome[agenda.next] =
            (struct serve_outcome){SERVE_WAITING, -1, 0, -1, -1, -1, -1, 0};
    for (int32_t i = 0; i < replicas->count; i++) {
        add_tally(tally, serve_engine_tally(agenda.engine[i]));
        serve_engine_free(agenda.engine[i]);
    }
    base_free(agenda.engine);
    return agenda.now_ps;
}
