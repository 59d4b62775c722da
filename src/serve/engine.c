/* SPDX-License-Identifier: BSD-3-Clause */
/* An engine from iteration to iteration: who comes, what a batch is made of, who gets a token. */
#include "serve/engine.h"

#include <assert.h>

#include "base/memory.h"
#include "serve/engine_state.h"

/* A sequence that was preempted passes whole with what it has generated. */
bool serve_rules_can_hold(const struct serve_rules *rules, const struct serve_request *request)
{
    int64_t all = (int64_t)request->prompt_tokens + request->output_tokens;
    bool is_continuous = rules->batching == SERVE_CONTINUOUS;
    int64_t whole = rules->preempts && is_continuous ? all : request->prompt_tokens;
    return (rules->splits_prompts || whole <= rules->budget_tokens) &&
           serve_blocks_of(rules, all) <= rules->blocks;
}

struct serve_engine *serve_engine_create(int32_t replica, const struct serve_rules *rules,
                                         const struct serve_clock *clock)
{
    assert(rules->max_sequences > 0 && rules->max_sequences <= rules->budget_tokens &&
           rules->block_tokens > 0);
    struct serve_engine *engine = base_alloc(1, sizeof *engine);
    *engine = (struct serve_engine){
        .rules = *rules, .clock = *clock, .replica = replica, .free_blocks = rules->blocks};
    return engine;
}

void serve_engine_free(struct serve_engine *engine)
{
    if (!engine)
        return;
    serve_queue_release(&engine->queue);
    base_free(engine->in);
    base_free(engine->finished);
    base_free(engine);
}

void serve_engine_push(struct serve_engine *engine, size_t number,
                       const struct serve_request *request, int64_t now_ps,
                       struct serve_outcome *outcome)
{
    assert(serve_rules_can_hold(&engine->rules, request));
    int64_t begin_ps = engine->front_ps > now_ps ? engine->front_ps : now_ps;
    engine->front_ps = begin_ps + engine->rules.front_ps;
    engine->outstanding += request->prompt_tokens + request->output_tokens;
    *outcome = (struct serve_outcome){.replica = engine->replica,
                                      .admitted_ps = -1,
                                      .first_token_ps = -1,
                                      .finished_ps = -1,
                                      .promised_ps = -1};
    serve_queue_append(&engine->queue, (struct serve_sequence){.number = number,
                                                               .outcome = outcome,
                                                               .come_ps = engine->front_ps,
                                                               .prompt = request->prompt_tokens,
                                                               .output = request->output_tokens});
}

void serve_engine_admit(struct serve_engine *engine, int32_t left, int64_t blocks)
{
    struct serve_sequence sequence = serve_queue_take(&engine->queue);
    if (sequence.outcome->admitted_ps < 0)
        sequence.outcome->admitted_ps = engine->now_ps;
    sequence.left = left;
    sequence.blocks = blocks;
    engine->free_blocks -= blocks;
    engine->in =
        base_grow(engine->in, &engine->in_capacity, (size_t)engine->ins + 1, sizeof *engine->in);
    engine->in[engine->ins++] = sequence;
}

bool serve_engine_is_running(const struct serve_engine *engine)
{
    return engine->running;
}

int64_t serve_engine_next_ps(const struct serve_engine *engine)
{
    if (engine->running)
        return engine->end_ps;
    if (engine->ins > 0)
        return engine->now_ps;
    if (engine->rules.batching == SERVE_DYNAMIC)
        return serve_dynamic_next_ps(engine);
    if (engine->queue.count == 0)
        return SERVE_NEVER;
    int64_t come_ps = serve_queue_at(&engine->queue, 0)->come_ps;
    return come_ps > engine->now_ps ? come_ps : engine->now_ps;
}

static void add_up(struct serve_engine *engine)
{
    struct serve_tally *tally = &engine->tally;
    int64_t blocks = engine->rules.blocks - engine->free_blocks;
    tally->iterations++;
    tally->prompt_iterations += gpu_batch_has_prompt(&engine->batch);
    tally->busy_ps += engine->end_ps - engine->now_ps;
    tally->most_blocks = blocks > tally->most_blocks ? blocks : tally->most_blocks;
    tally->most_sequences =
        engine->ins > tally->most_sequences ? engine->ins : tally->most_sequences;
}

static void begin(struct serve_engine *engine)
{
    engine->decodes = false;
    if (engine->rules.batching == SERVE_DYNAMIC)
        serve_dynamic_take(engine);
    else
        serve_continuous_take(engine);
    engine->batch = serve_engine_batch_of(engine);
    assert(engine->batch.groups > 0); /* whoever is in or has come and is first can go on */
    int64_t takes_ps = engine->clock.iteration_ps(engine->clock.context, engine->replica,
                                                  engine->tally.iterations, &engine->batch);
    assert(takes_ps > 0);
    engine->end_ps = engine->now_ps + takes_ps;
    engine->running = true;
    add_up(engine);
}

static void finish(struct serve_engine *engine, const struct serve_sequence *sequence)
{
    sequence->outcome->fate = SERVE_FINISHED;
    sequence->outcome->finished_ps = engine->now_ps;
    engine->finished = base_grow(engine->finished, &engine->finished_capacity,
                                 engine->finished_count + 1, sizeof *engine->finished);
    engine->finished[engine->finished_count++] = sequence->number;
}

static void give_token(struct serve_engine *engine, struct serve_sequence *sequence)
{
    struct serve_outcome *outcome = sequence->outcome;
    int64_t gap_ps = engine->now_ps - sequence->last_token_ps;
    if (sequence->generated == 0)
        outcome->first_token_ps = engine->now_ps;
    else if (gap_ps > outcome->longest_gap_ps)
        outcome->longest_gap_ps = gap_ps;
    sequence->last_token_ps = engine->now_ps;
    sequence->generated++;
    engine->outstanding--;
    engine->tally.output_tokens++;
    if (sequence->generated == sequence->output)
        finish(engine, sequence);
}

/* What the iteration did to one that is in; a padded one goes on without tokens. */
static void deliver_to(struct serve_engine *engine, struct serve_sequence *sequence)
{
    bool generates = sequence->left == 0 && engine->decodes;
    sequence->cached += generates ? 1 : sequence->taken;
    sequence->left -= sequence->taken;
    engine->tally.prompt_tokens += sequence->taken;
    bool passed = sequence->taken > 0 && sequence->left == 0;
    if (passed)
        engine->outstanding -= sequence->prompt + sequence->generated;
    sequence->taken = 0;
    if ((generates || passed) && sequence->generated < sequence->output)
        give_token(engine, sequence);
}

static bool all_have_finished(const struct serve_engine *engine)
{
    for (int32_t i = 0; i < engine->ins; i++)
        if (engine->in[i].generated < engine->in[i].output)
            return false;
    return true;
}

/* Those that are through leave, of a dynamic batch all at once; the others close ranks. */
static void leave(struct serve_engine *engine)
{
    bool may_leave = engine->rules.batching == SERVE_CONTINUOUS || all_have_finished(engine);
    int32_t kept = 0;
    engine->generating = 0;
    engine->keys = 0;
    for (int32_t i = 0; i < engine->ins; i++) {
        struct serve_sequence *sequence = &engine->in[i];
        if (may_leave && sequence->generated == sequence->output) {
            engine->free_blocks += sequence->blocks;
            continue;
        }
        engine->generating += sequence->left == 0;
        engine->keys += sequence->left == 0 ? sequence->cached + 1 : 0;
        engine->in[kept++] = *sequence;
    }
    engine->ins = kept;
}

static void end(struct serve_engine *engine)
{
    engine->running = false;
    engine->finished_count = 0;
    for (int32_t i = 0; i < engine->ins; i++)
        deliver_to(engine, &engine->in[i]);
    leave(engine);
}

void serve_engine_step(struct serve_engine *engine)
{
    engine->now_ps = serve_engine_next_ps(engine);
    assert(engine->now_ps != SERVE_NEVER);
    if (engine->running)
        end(engine);
    else
        begin(engine);
}

const size_t *serve_engine_finished(const struct serve_engine *engine, size_t *count)
{
    *count = engine->finished_count;
    return engine->finished;
}

int64_t serve_engine_outstanding(const struct serve_engine *engine)
{
    return engine->outstanding;
}

const struct gpu_batch *serve_engine_batch(const struct serve_engine *engine)
{
    return &engine->batch;
}

const struct serve_tally *serve_engine_tally(const struct serve_engine *engine)
{
    return &engine->tally;
}
