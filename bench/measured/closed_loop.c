/* SPDX-License-Identifier: BSD-3-Clause */
/* Iteration by iteration: who generates, who is let in, which prompts go into the step. */
#include "closed_loop.h"

#include <assert.h>

#include "base/memory.h"

/* One request of a client; `sent_ps` may be in the future. */
struct request {
    int64_t sent_ps, first_ps;
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
    int64_t now_ps, kv_left, finished;
    struct closed_loop_times times;
};

static bool is_generating(const struct request *request)
{
    return request->rounds > 0 && request->generated > 0;
}

static bool is_waiting(const struct state *s, const struct request *request)
{
    return request->rounds > 0 && request->generated == 0 && request->sent_ps <= s->now_ps;
}

static bool let_in(struct state *s, struct request *request)
{
    int64_t need = s->loop->prompt + s->loop->output;
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
        int64_t rest = loop->prompt - request->done;
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

/* Puts a prompt to those that are alike. */
static void add_prompt(struct gpu_batch *batch, struct gpu_group group)
{
    for (int32_t i = 0; i < batch->groups; i++) {
        struct gpu_group *same = &batch->group[i];
        if (same->tokens == group.tokens && same->keys == group.keys && same->prompt) {
            same->sequences++;
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
            decode.keys += s->loop->prompt + request->generated;
        } else if (request->taken > 0) {
            add_prompt(&batch,
                       (struct gpu_group){1, request->taken, end, true, end == s->loop->prompt});
        }
    }
    decode.keys = decode.sequences > 0 ? decode.keys / decode.sequences : 0;
    gpu_batch_add(&batch, decode);
    return batch;
}

/* The client's next request goes to the end of the order. */
static void finish(struct state *s, int64_t client)
{
    const struct closed_loop *loop = s->loop;
    struct request *request = &s->request[client];
    double rest = loop->output > 1 ? (double)(loop->output - 1) : 1;
    s->times.ttft_ps += (double)(request->first_ps - request->sent_ps);
    s->times.tpot_ps += (double)(s->now_ps - request->first_ps) / rest;
    s->kv_left += loop->prompt + loop->output;
    s->finished++;
    *request =
        (struct request){.sent_ps = s->now_ps + loop->client_ps, .rounds = request->rounds - 1};
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
    if (request->generated == s->loop->output)
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
        if (taken > 0 && request->done == s->loop->prompt)
            give_token(s, i);
    }
}

/* Nothing to do: until the next request comes. */
static void wait_for_request(struct state *s)
{
    int64_t next = INT64_MAX;
    for (int64_t i = 0; i < s->loop->clients; i++)
        if (s->request[i].rounds > 0 && s->request[i].sent_ps > s->now_ps &&
            s->request[i].sent_ps < next)
            next = s->request[i].sent_ps;
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
        s.request[i] = (struct request){.rounds = loop->rounds};
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
