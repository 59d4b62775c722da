/* SPDX-License-Identifier: BSD-3-Clause */
/* Models and racks small enough for a test: compiled, and executed chip by chip in one process. */
#ifndef TESTS_PARTITION_RACK_H
#define TESTS_PARTITION_RACK_H

#include <stdbool.h>

#include "chip/chip.h"
#include "chip/chip_values.h"
#include "partition/image.h"
#include "partition/partition.h"

/* The shipped first-generation chip, read once. */
const struct lpu_chip *rack_chip(void);

/* configs/models/NAME. */
struct model rack_shipped_model(const char *name);

/* Two layers with what Qwen2 has: qkv bias, tied embeddings, head_dim 64, seven heads a KV head. */
extern const struct model rack_qwen;

/* Two layers, hidden 1536: more than four tiles of lanes, and not a whole number of them. */
extern const struct model rack_wide;

/* One layer whose sizes are multiples of nothing: hidden 1300, head_dim 52, FFN 1100. */
extern const struct model rack_odd;

/* Two layers with norms of queries and keys, four query heads a KV head. */
extern const struct model rack_normed;

/* Three layers with all that attention and a dense MLP can have: biases everywhere, norms of
 * queries and keys, sinks, and windows of 72 positions but in the second layer. */
extern const struct model rack_varied;

/* Two layers of twelve narrow experts, five a token, weighed by the softmax of all logits, and a
 * shared one; five tiles of hidden elements. */
extern const struct model rack_mixture;

/* Two layers of five experts, four a token, with biases, clamped gates, sinks and a window. */
extern const struct model rack_biased_mixture;

/* What to compile. Zeros: one node of four chips, the compiler's choice of stages and group, a
 * bucket of 256 positions in chunks of 32, a prompt of one token. */
struct rack_case {
    const char *name;
    const struct model *model; /* NULL: configs/models/tiny */
    int32_t stages, group, nodes, chips_per_node;
    int32_t racks, cables; /* of a node pair; 0: one rack, as many as there are */
    int32_t max_sequence, chunk, prompt;
    int32_t decode;            /* tokens of the request; 0: 3 */
    int32_t rung[2];           /* smaller buckets; 0: none */
    int32_t batch;             /* 0: 1 */
    int32_t seats;             /* 0: 1 */
    int32_t chips_used;        /* 0: all */
    int32_t vectors_per_slice; /* 0: the chip's */
    enum lpu_split split_o, split_down;
};

/* A compiled case: plan NULL where it was refused, with the reasons in `report`. */
struct rack {
    struct lpu_chip machine;
    struct lpu_rack layout;
    struct lpu_topology topology;
    struct model model;
    struct bucket bucket;
    struct workload workload;
    struct base_report report;
    enum base_status status;
    struct plan *plan;
    struct program (*program)[PARTITION_PHASES]; /* [topology.chips]; empty: no such phase */
    struct chip **chip;                          /* NULL where a chip has no instructions */
    bool computes;
    int32_t loading; /* the chip whose memory is being filled */
    int32_t *expert; /* of the step: [layers][rows][experts a row] */
    size_t expert_capacity;
};

/* Compiles, and takes the programs of all chips. */
void rack_compile(struct rack *rack, const struct rack_case *c);
void rack_release(struct rack *rack);

/* Loads the programs into new chips. */
void rack_start(struct rack *rack);

/* Forgets the chips; rack_start makes new ones. */
void rack_stop(struct rack *rack);

/* After rack_start: chips compute numbers, with the weights of the model in `folder`. */
void rack_compute(struct rack *rack, enum chip_numerics numerics, const char *folder);

/* Executes one step on all chips, each message delivered as it is sent; a receive that nobody
 * serves is given up. All sequences are at `position`, each in the cache of its number. Returns the
 * executed length. Tokens are a function of `first_token`. */
int64_t rack_step(struct rack *rack, enum partition_phase phase, int32_t position,
                  int32_t first_token);

/* The same with the tokens given: one a sequence, or as many as a prefill step has rows. */
int64_t rack_step_tokens(struct rack *rack, enum partition_phase phase, int32_t position,
                         const int32_t *token);

/* The same; false where a chip refuses to begin, after which the chips can only be stopped. */
bool rack_try_step(struct rack *rack, enum partition_phase phase, int32_t position,
                   const int32_t *token);

/* The same with every sequence of a decode step, or the one of a prefill step, where it stands. */
int64_t rack_step_sequences(struct rack *rack, enum partition_phase phase,
                            const struct program_sequence *sequence, const int32_t *token);

/* A step among others: its kind, when it begins, and the cache and position of its sequence, or of
 * the first of its batch: the others have the caches that follow, and stand at the same position
 * unless `positions` says where. */
struct rack_start {
    int64_t cycle;
    enum partition_phase phase;
    int32_t cache, position;
    const int32_t *positions;         /* one a sequence of a batch; NULL: all at `position` */
    const int32_t *token;             /* one a row; NULL: drawn from the position */
    int32_t gives[PROGRAM_SEQUENCES]; /* set where chips compute and it is a decode step: the next
                                         tokens */
};

/* Cycles from the start of a step to where what it wrote last stands in SRAM. */
int64_t rack_latency(const struct rack *rack, enum partition_phase phase);

/* Executes steps, sorted by cycle, that overlap as their cycles say. Chips wait for each other at
 * every cycle at which a step begins or what it wrote is in. */
void rack_overlap(struct rack *rack, struct rack_start *start, int32_t count);

/* The token that the last decode step ended with, of its first sequence or of any. */
int32_t rack_token(const struct rack *rack);
int32_t rack_token_of(const struct rack *rack, int32_t sequence);

/* Executes the prompt of the case for every sequence: its prefill steps (all tokens but the last).
 * Returns how many. */
int32_t rack_prompt(struct rack *rack);

/* Steps that count as executed; cache rows before `position` count as written. */
void rack_replayed(struct rack *rack, int32_t steps, int32_t position);

/* Loads the programs anew and executes steps as rack_overlap does; the violations of all chips. */
int64_t rack_overlap_violations(struct rack *rack, struct rack_start *start, int32_t count);

/* Violations of all chips, and the same with the first ones that are kept printed. */
int64_t rack_count_violations(const struct rack *rack);
int64_t rack_violations(const struct rack *rack);

/* Whether a chip reported the rule; prints what was found instead where none did. */
bool rack_reported(const struct rack *rack, enum chip_rule rule);

#endif
