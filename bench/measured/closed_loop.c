/* SPDX-License-Identifier: BSD-3-Clause */
/* Iteration by iteration: who generates, who is let in, which prompts go into the step. */
#include "closed_loop.h"

#include <assert.h>
#include <math.h>

#include "base/memory.h"
#include "base/random.h"

/* One request of a client; `come_ps` may be in the future. */
struct request {
    int64_t sent_ps, come_ps, first_ps; /* come: is through the front end */
    int64_t prompt, output;
    int64_t done;      /* positions of the prompt that have passed */
    int64_t generated; /* tokens */
    int64_t taken;     /* of its prompt or token by the step at hand */
    int64_t rounds;    /* of the client, this one included; 0: none left */
    bool is_in;        /* has its share of the KV cache */
};

struct state {
    const struct closed_loop *loop;
    struct request *request; /* [clients] */
    int64_t *order;          /* clients in the order in which their requests came */
    int64_t now_ps, front_ps, kv_left, finished; /* front: when the front end is through */
    struct closed_loop_times times;
};

static bool is_generating(const struct request *request)
{
    return request->rounds > 0 && request->generated > 0;
}

static bool is_waiting(const struct state *s, const struct request *request)
{
    return request->rounds > 0 && request->generated == 0 && request->come_ps <= s->now_ps;
}

static bool let_in(struct state *s, struct request *request)
{
    int64_t need = request->prompt + request->output;
    if (!request->is_in && s->kv_left >= need) {
        request->is_in = true;
        s->kv_left -= need;
    }
    return request->is_in;
}

/* Prompts of the step, first come first served. Returns what is left of the budget. */
static int64_t take_prompts(struct state *s, int64_t budget)
{
    const struct closed_loop *loop = s->loop;
    for (int64_t i = 0; i < loop->clients && budget > 0; i++) {
        struct request *request = &s->request[s->order[i]];
        if (!is_waiting(s, request))
            continue;
        int64_t rest = request->prompt - request->done;
        bool fits = rest <= budget || loop->batching.splits_prompts;
        if (!fits || !let_in(s, request))
            break;
        request->taken = rest < budget ? rest : budget;
        budget -= request->taken;
    }
    return budget;
}

static int64_t take_generating(struct state *s, int64_t budget)
{
    for (int64_t i = 0; i < s->loop->clients; i++)
        if (is_generating(&s->request[i])) {
            s->request[i].taken = 1;
            budget--;
        }
    return budget;
}

static void take(struct state *s)
{
    int64_t budget = s->loop->batching.budget;
    for (int64_t i = 0; i < s->loop->clients; i++)
        s->request[i].taken = 0;
    if (!s->loop->batching.prompts_first)
        take_prompts(s, take_generating(s, budget));
    else if (take_prompts(s, budget) == budget)
        take_generating(s, budget);
}

/* Whole prompts go together, of their mean length; parts that are alike too. */
static void add_prompt(struct gpu_batch *batch, struct gpu_group group)
{
    bool is_whole = group.tokens == group.keys && group.samples;
    for (int32_t i = 0; i < batch->groups; i++) {
        struct gpu_group *old = &batch->group[i];
        bool old_whole = old->tokens == old->keys && old->samples;
        bool is_same = old->tokens == group.tokens && old->keys == group.keys;
        if (is_whole ? old_whole : is_same && !old_whole) {
            int64_t tokens = old->sequences * old->tokens + group.tokens;
            old->sequences++;
            old->tokens = (tokens + old->sequences / 2) / old->sequences;
            old->keys = is_whole ? old->tokens : old->keys;
            return;
        }
    }
    gpu_batch_add(batch, group);
}

static struct gpu_batch batch_of(const struct state *s)
{
    struct gpu_batch batch = {0};
    struct gpu_group decode = {.tokens = 1, .samples = true};
    for (int64_t i = 0; i < s->loop->clients; i++) {
        const struct request *request = &s->request[i];
        int64_t end = request->done + request->taken;
        if (is_generating(request) && request->taken > 0) {
            decode.sequences++;
            decode.keys += request->prompt + request->generated;
        } else if (request->taken > 0) {
            add_prompt(&batch,
                       (struct gpu_group){1, request->taken, end, true, end == request->prompt});
        }
    }
    decode.keys = decode.sequences > 0 ? decode.keys / decode.sequences : 0;
    gpu_batch_add(&batch, decode);
    return batch;
}

/* A length between the shortest and the longest there are, one of a few, so that steps come again.
 */
static int64_t drawn(const struct state *s, int64_t longest, uint64_t entity, int64_t rounds)
{
    const double lengths = 16;
    double u = floor(lengths * base_random_uniform(1, BASE_RANDOM_PLAY, entity, (uint64_t)rounds));
    u = (u + 0.5) / lengths;
    return llround((double)longest * (s->loop->shortest + (1 - s->loop->shortest) * u));
}

/* The client's request with `rounds` to come, this one included. */
static void send_request(struct state *s, int64_t client, int64_t at_ps, int64_t rounds)
{
    s->front_ps = (s->front_ps > at_ps ? s->front_ps : at_ps) + s->loop->front_ps;
    uint64_t entity = 2 * (uint64_t)client;
    s->request[client] = (struct request){.sent_ps = at_ps,
                                          .come_ps = s->front_ps,
                                          .prompt = drawn(s, s->loop->prompt, entity, rounds),
                                          .output = drawn(s, s->loop->output, entity + 1, rounds),
                                          .rounds = rounds};
}

/* The client's next request goes to the end of the order. */
static void finish(struct state *s, int64_t client)
{
    const struct closed_loop *loop = s->loop;
    struct request *request = &s->request[client];
    double rest = request->output > 1 ? (double)(request->output - 1) : 1;
    s->times.ttft_ps += (double)(request->first_ps - request->sent_ps);
    s->times.tpot_ps += (double)(s->now_ps - request->first_ps) / rest;
    s->kv_left += request->prompt + request->output;
    s->finished++;
    send_request(s, client, s->now_ps + loop->client_ps, request->rounds - 1);
    int64_t at = 0;
    while (s->order[at] != client)
        at++;
    for (; at + 1 < loop->clients; at++)
        s->order[at] = s->order[at + 1];
    s->order[at] = client;
}

static void give_token(struct state *s, int64_t client)
{
    struct request *request = &s->request[client];
    if (request->generated == 0)
        request->first_ps = s->times.last_first_ps = s->now_ps;
    request->generated++;
    if (request->generated == request->output)
        finish(s, client);
}

/* Results of the step go to their requests. */
static void deliver(struct state *s)
{
    for (int64_t i = 0; i < s->loop->clients; i++) {
        struct request *request = &s->request[i];
        int64_t taken = request->taken;
        request->taken = 0;
        if (taken > 0 && request->generated == 0)
            request->done += taken;
        if (taken > 0 && request->done == request->prompt)
            give_token(s, i);
    }
}

/* Nothing to do: until the next request comes. */
static void wait_for_request(struct state *s)
{
    int64_t next = INT64_MAX;
    for (int64_t i = 0; i < s->loop->clients; i++)
        if (s->request[i].rounds > 0 && s->request[i].come_ps > s->now_ps &&
            s->request[i].come_ps < next)
            next = s->request[i].come_ps;
    assert(next < INT64_MAX); /* else somebody waits for room that never comes */
    s->now_ps = next;
}

static void step(struct state *s)
{
    take(s);
    struct gpu_batch batch = batch_of(s);
    if (batch.groups == 0) {
        wait_for_request(s);
        return;
    }
    s->times.steps++;
    s->times.prompt_steps += gpu_batch_has_prompt(&batch);
    s->now_ps += s->loop->step_ps(s->loop->context, &batch);
    deliver(s);
}

struct closed_loop_times closed_loop_run(const struct closed_loop *loop)
{
    struct state s = {.loop = loop, .kv_left = loop->batching.kv_positions};
    s.request = base_alloc((size_t)loop->clients, sizeof *s.request);
    s.order = base_alloc((size_t)loop->clients, sizeof *s.order);
    for (int64_t i = 0; i < loop->clients; i++) {
        send_request(&s, i, 0, loop->rounds);
        s.order[i] = i;
    }
    int64_t all = loop->clients * loop->rounds;
    while (s.finished < all)
        step(&s);
    s.times.ttft_ps /= (double)all;
    s.times.tpot_ps /= (double)all;
    base_free(s.order);
    base_free(s.request);
    return s.times;
}
