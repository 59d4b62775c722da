/* SPDX-License-Identifier: BSD-3-Clause */
/* Many frames are judged by a rough count of what bounds them, the best of these by planning a
 * sample of the requests through the door itself. */
#include "serve/frame_choice.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "serve/carousel.h"

enum {
    SAMPLES_PER_LANE = 16, /* requests of a sample, at least SAMPLES */
    SAMPLES = 256,
    PLANNED = 40000,  /* requests that are planned for all samples together, about */
    FINALISTS = 16,   /* at least */
    MOST_ROUNDS = 48, /* decode steps of one sequence in a frame, at most */
    TOLERANCE = 2     /* per cent of capacity that an earlier first token is worth */
};

/* Passes of a window that are tried. */
static const int32_t trains[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96};
enum { TRAINS = sizeof trains / sizeof trains[0] };

/* What the requests ask for in the mean. */
struct mix {
    double passes, outputs;
    int32_t prompt, output;
};

struct candidate {
    int64_t slot_cycles;
    int32_t passes, window, open;
    double rough; /* requests a second */
    bool roughly; /* seems to keep limits */
    struct serve_capacity capacity;
    bool meets;
};

struct choice {
    const struct serve_machine *machine;
    const struct serve_spec *spec;
    const struct serve_request *request;
    size_t count;
    struct mix mix;
    struct candidate *candidate;
    size_t candidates, capacity;
};

static bool fits(const struct serve_machine *m, const struct serve_request *r)
{
    return serve_machine_holds(m, (int64_t)r->prompt_tokens + r->output_tokens);
}

/* Of the requests that fit; one token in and one out where none does. */
static struct mix mix_of(const struct serve_machine *m, const struct serve_request *request,
                         size_t count)
{
    int64_t fitting = 0, prompts = 0, outputs = 0, passes = 0;
    for (size_t n = 0; n < count; n++) {
        if (!fits(m, &request[n]))
            continue;
        fitting++;
        prompts += request[n].prompt_tokens;
        outputs += request[n].output_tokens;
        passes += serve_machine_passes(m, request[n].prompt_tokens);
    }
    if (fitting == 0)
        return (struct mix){.outputs = 1, .prompt = 1, .output = 1};
    return (struct mix){.passes = (double)passes / (double)fitting,
                        .outputs = (double)outputs / (double)fitting,
                        .prompt = (int32_t)((prompts + fitting / 2) / fitting),
                        .output = (int32_t)((outputs + fitting / 2) / fitting)};
}

/* Requests that fit, spread over the list, or the list again and again, all there at once. NULL:
 * none fits. */
static struct serve_request *sample_of(const struct serve_machine *m,
                                       const struct serve_request *request, size_t count,
                                       size_t samples)
{
    struct serve_request *fitting = base_alloc(count, sizeof *fitting), *sample = NULL;
    size_t found = 0;
    for (size_t n = 0; n < count; n++)
        if (fits(m, &request[n]))
            fitting[found++] = request[n];
    if (found > 0)
        sample = base_alloc(samples, sizeof *sample);
    for (size_t n = 0; sample && n < samples; n++) {
        sample[n] = fitting[found > samples ? n * found / samples : n % found];
        sample[n].arrival_ps = 0;
    }
    base_free(fitting);
    return sample;
}

/* Serves requests first come, first served, on one replica. */
static void serve(const struct serve_machine *machine, const struct serve_frame *frame,
                  const struct serve_request *request, size_t count, struct serve_outcome *outcome)
{
    const struct serve_spec plain = {.policy = SERVE_FIRST_COME, .lpu_replicas = 1};
    struct serve_door door = {.machine = machine, .frame = frame, .spec = &plain};
    serve_carousel_run(&door, request, count, outcome);
}

/* What finishes between the admission of a quarter of the sample and that of its last. */
static void measure_rate(const struct serve_request *sample, const struct serve_outcome *outcome,
                         size_t samples, struct serve_capacity *capacity)
{
    int64_t from = outcome[samples / 4].admitted_ps, to = outcome[samples - 1].admitted_ps;
    int64_t requests = 0, tokens = 0;
    for (size_t n = 0; n < samples; n++) {
        bool inside = outcome[n].finished_ps > from && outcome[n].finished_ps <= to;
        requests += inside;
        tokens += inside ? sample[n].output_tokens : 0;
    }
    capacity->requests_per_s = to > from ? (double)requests * 1e12 / (double)(to - from) : 0;
    capacity->tokens_per_s = to > from ? (double)tokens * 1e12 / (double)(to - from) : 0;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The nearest rank of 99 % among requests of several tokens. */
static void measure_tpot(const struct serve_request *sample, const struct serve_outcome *outcome,
                         size_t samples, struct serve_capacity *capacity)
{
    int64_t *tpot = base_alloc(samples, sizeof *tpot);
    size_t count = 0;
    for (size_t n = 0; n < samples; n++)
        if (sample[n].output_tokens > 1)
            tpot[count++] = (outcome[n].finished_ps - outcome[n].first_token_ps) /
                            (sample[n].output_tokens - 1);
    qsort(tpot, count, sizeof *tpot, by_size);
    capacity->full_tpot_ps = count > 0 ? tpot[(count * 99 + 99) / 100 - 1] : 0;
    base_free(tpot);
}

static size_t samples_of(const struct serve_machine *machine)
{
    size_t samples = (size_t)(machine->seats * machine->lanes) * SAMPLES_PER_LANE;
    return samples > SAMPLES ? samples : SAMPLES;
}

static void measure_capacity(const struct serve_machine *machine, const struct serve_frame *frame,
                             const struct serve_request *request, size_t count,
                             struct serve_capacity *capacity)
{
    size_t samples = samples_of(machine);
    struct serve_request *sample = sample_of(machine, request, count, samples);
    if (!sample)
        return;
    struct serve_outcome *outcome = base_alloc(samples, sizeof *outcome);
    serve(machine, frame, sample, samples, outcome);
    measure_rate(sample, outcome, samples, capacity);
    measure_tpot(sample, outcome, samples, capacity);
    base_free(outcome);
    base_free(sample);
}

/* Of a sequence alone among decode steps only, of which each begins in the next slot. */
static int64_t bare_tpot_ps(const struct serve_machine *m, int64_t slot_cycles,
                            const struct mix *mix)
{
    int64_t cycles = 0, gaps = mix->output > 1 ? mix->output - 1 : 1;
    for (int32_t n = 0; n < gaps; n++) {
        int kind = serve_machine_decode(m, mix->prompt + n);
        int64_t turn = (serve_machine_latency(m, kind) + slot_cycles - 1) / slot_cycles;
        cycles += turn * slot_cycles;
    }
    return machine_cycles_to_ps(m->chip, cycles) / gaps;
}

/* The mean request alone, its prompt there a cycle after pass `pass` of a window began. */
static void measure_alone(const struct serve_machine *machine, const struct serve_frame *frame,
                          const struct mix *mix, int32_t pass, struct serve_capacity *capacity)
{
    int64_t cycle = serve_frame_cycles(frame) + frame->first_cycles + pass * frame->apart_cycles;
    int64_t in = serve_machine_transfer_ps(machine->chip, mix->prompt);
    int64_t there = machine_cycles_to_ps(machine->chip, cycle + 1), gaps = mix->output - 1;
    struct serve_request mean = {.arrival_ps = there > in ? there - in : 0,
                                 .prompt_tokens = mix->prompt,
                                 .output_tokens = mix->output};
    struct serve_outcome o;
    serve(machine, frame, &mean, 1, &o);
    int64_t ttft = o.first_token_ps - mean.arrival_ps;
    int64_t tpot = (o.finished_ps - o.first_token_ps) / (gaps > 0 ? gaps : 1);
    capacity->alone_ttft_ps = ttft > capacity->alone_ttft_ps ? ttft : capacity->alone_ttft_ps;
    capacity->alone_tpot_ps = tpot > capacity->alone_tpot_ps ? tpot : capacity->alone_tpot_ps;
}

struct serve_capacity serve_frame_capacity(const struct serve_machine *machine,
                                           const struct serve_frame *frame,
                                           const struct serve_request *request, size_t count)
{
    struct serve_capacity capacity = {0};
    struct mix mix = mix_of(machine, request, count);
    measure_capacity(machine, frame, request, count, &capacity);
    capacity.mean_prompt = mix.prompt;
    capacity.mean_output = mix.output;
    capacity.bare_tpot_ps = bare_tpot_ps(machine, frame->slot_cycles, &mix);
    for (int32_t pass = 0; pass == 0 || pass < frame->passes; pass++)
        measure_alone(machine, frame, &mix, pass, &capacity);
    return capacity;
}

static int64_t turn_of(const struct serve_machine *m, int64_t slot_cycles)
{
    return (serve_machine_latency(m, m->buckets - 1) + slot_cycles - 1) / slot_cycles;
}

/* Requests a second as the scarcest of passes, slots and seats allows, everything smooth: a
 * sequence has its seat for the frames that its passes take and those of its decode steps. */
static double rough_rate(const struct choice *c, const struct candidate *k)
{
    const struct serve_machine *m = c->machine;
    double frame = (double)(k->window + k->open) * (double)k->slot_cycles;
    double rounds = (double)((k->open - 1) / turn_of(m, k->slot_cycles) + 1);
    double passes = k->passes ? c->mix.passes / k->passes : 0;
    double stay = fmax(passes, 1) + c->mix.outputs / rounds;
    double rate = m->seats * m->lanes / stay;
    rate = fmin(rate, k->open * m->lanes / c->mix.outputs);
    if (passes > 0)
        rate = fmin(rate, 1 / passes);
    return rate / frame;
}

/* A first token waits for a frame and for those that its passes take, the tokens of a frame share
 * its time. */
static bool roughly_meets(const struct choice *c, const struct candidate *k)
{
    const struct serve_spec *spec = c->spec;
    int64_t slots = k->window + k->open, turn = turn_of(c->machine, k->slot_cycles);
    double frame_ps = (double)machine_cycles_to_ps(c->machine->chip, slots * k->slot_cycles);
    double frames = k->passes ? 1 + c->mix.passes / k->passes : 1;
    double rounds = (double)((k->open - 1) / turn + 1);
    return (spec->ttft_limit_ps == 0 || frames * frame_ps <= (double)spec->ttft_limit_ps) &&
           (spec->tpot_limit_ps == 0 || frame_ps / rounds <= (double)spec->tpot_limit_ps);
}

static void add(struct choice *c, struct candidate k)
{
    k.rough = rough_rate(c, &k);
    k.roughly = roughly_meets(c, &k);
    c->candidate = base_grow(c->candidate, &c->capacity, c->candidates + 1, sizeof *c->candidate);
    c->candidate[c->candidates++] = k;
}

/* Windows of one length: as many open slots as whole rounds of all seats take, or as the share that
 * was asked for leaves. */
static void add_train(struct choice *c, int64_t slot_cycles, int32_t passes)
{
    struct candidate k = {.slot_cycles = slot_cycles, .passes = passes};
    int32_t turn = (int32_t)turn_of(c->machine, slot_cycles), seats = c->machine->seats;
    k.window = serve_frame_window(c->machine, slot_cycles, passes);
    if (c->spec->prefill_share > 0) {
        k.open = (int32_t)lround(k.window / c->spec->prefill_share) - k.window;
        k.open = k.open > 0 ? k.open : 1;
        add(c, k);
        return;
    }
    for (int32_t rounds = 1; rounds <= MOST_ROUNDS; rounds++) {
        k.open = (rounds - 1) * turn + (seats < turn ? seats : turn);
        add(c, k);
    }
}

static void add_slots(struct choice *c, int64_t slot_cycles)
{
    if (c->machine->pass_rows == 0 || c->mix.passes <= 0) {
        add(c, (struct candidate){.slot_cycles = slot_cycles, .open = 1});
        return;
    }
    for (size_t n = 0; n < TRAINS; n++)
        add_train(c, slot_cycles, trains[n]);
}

/* The least interval, and one of which as many fit into a decode step without a rest. */
static void list_candidates(struct choice *c)
{
    int64_t least = serve_machine_train(c->machine, false, 1);
    int64_t latency = serve_machine_latency(c->machine, c->machine->buckets - 1);
    int64_t fitting = latency / least > 0 ? latency / least : 1;
    int64_t even = serve_machine_train(c->machine, false, (latency + fitting - 1) / fitting);
    add_slots(c, least);
    if (even != least)
        add_slots(c, even);
}

static int by_rough(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->roughly != y->roughly)
        return x->roughly ? -1 : 1;
    if (x->rough != y->rough)
        return x->rough > y->rough ? -1 : 1;
    if (x->slot_cycles != y->slot_cycles)
        return x->slot_cycles < y->slot_cycles ? -1 : 1;
    int64_t first = x->passes * (int64_t)INT32_MAX + x->open;
    int64_t second = y->passes * (int64_t)INT32_MAX + y->open;
    return (first > second) - (first < second);
}

static struct serve_frame build(const struct choice *c, const struct candidate *k)
{
    return serve_frame_build(c->machine, k->slot_cycles, k->passes, k->open);
}

static void judge(const struct choice *c, struct candidate *k)
{
    struct serve_frame frame = build(c, k);
    int64_t ttft = c->spec->ttft_limit_ps, tpot = c->spec->tpot_limit_ps;
    k->capacity = serve_frame_capacity(c->machine, &frame, c->request, c->count);
    k->meets = (ttft == 0 || k->capacity.alone_ttft_ps <= ttft) &&
               (tpot == 0 || k->capacity.full_tpot_ps <= tpot);
    serve_frame_release(&frame);
}

static size_t judge_best(struct choice *c)
{
    size_t finalists = PLANNED / samples_of(c->machine);
    finalists = finalists > FINALISTS ? finalists : FINALISTS;
    finalists = finalists < c->candidates ? finalists : c->candidates;
    qsort(c->candidate, c->candidates, sizeof *c->candidate, by_rough);
    for (size_t n = 0; n < finalists; n++)
        judge(c, &c->candidate[n]);
    return finalists;
}

/* The greatest capacity of those that meet limits, or of those that do not. */
static double best_rate(const struct choice *c, size_t finalists, bool meets)
{
    double best = -1;
    for (size_t n = 0; n < finalists; n++)
        if (c->candidate[n].meets == meets)
            best = fmax(best, c->candidate[n].capacity.requests_per_s);
    return best;
}

static struct candidate *pick(const struct choice *c, size_t finalists)
{
    bool meets = best_rate(c, finalists, true) >= 0;
    double enough = best_rate(c, finalists, meets) * (100 - TOLERANCE) / 100;
    struct candidate *picked = NULL;
    for (size_t n = 0; n < finalists; n++) {
        struct candidate *k = &c->candidate[n];
        if (k->meets == meets && k->capacity.requests_per_s >= enough &&
            (!picked || k->capacity.alone_ttft_ps < picked->capacity.alone_ttft_ps))
            picked = k;
    }
    return picked;
}

struct serve_frame serve_frame_choose(const struct serve_machine *machine,
                                      const struct serve_spec *spec,
                                      const struct serve_request *request, size_t count,
                                      struct serve_capacity *capacity)
{
    struct choice c = {.machine = machine,
                       .spec = spec,
                       .request = request,
                       .count = count,
                       .mix = mix_of(machine, request, count)};
    list_candidates(&c);
    const struct candidate *picked = pick(&c, judge_best(&c));
    struct serve_frame frame = build(&c, picked);
    *capacity = picked->capacity;
    base_free(c.candidate);
    return frame;
}
