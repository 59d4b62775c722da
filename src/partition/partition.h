/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler: from a model, a bucket and a rack to the program of every chip and the timetable of
 * every link. Deterministic: all ranks that compile the same input get the same plan. */
#ifndef PARTITION_PARTITION_H
#define PARTITION_PARTITION_H

#include "base/machine.h"
#include "base/program.h"
#include "base/status.h"
#include "interconnect/lpu_topology.h"
#include "model/model.h"

/* What a step does: `decode` takes one token and gives the next; `prefill` takes plan_prefill_rows
 * prompt tokens into the KV cache and gives none (the last prompt token goes through a decode
 * step). */
enum partition_phase {
    PARTITION_DECODE, /* against all positions of the bucket */
    PARTITION_PREFILL,
    PARTITION_RUNG, /* decode in the first of the smaller buckets of a ladder, and so on */
    PARTITION_PHASES = PARTITION_RUNG + BUCKET_RUNGS
};

/* The units that a pipeline is cut between: embedding, attention and MLP of each layer, head. Where
 * memory wants it, an MLP is cut, too: into two shares of its inner columns. */
enum partition_block {
    PARTITION_EMBED,
    PARTITION_ATTENTION,
    PARTITION_MLP,
    PARTITION_MLP_FIRST,
    PARTITION_MLP_SECOND,
    PARTITION_HEAD,
    PARTITION_BLOCKS
};

/* One pipeline stage: `group` consecutive chips, blocks [first_block, first_block + blocks) of the
 * sequence embed, attention 0, both shares of mlp 0, attention 1, ..., head. Shares that stand in
 * one stage are compiled as the whole. */
struct partition_stage {
    int32_t first_chip;
    int32_t first_block, blocks;
    int32_t layers; /* attentions */
    int32_t order;  /* in which its layers take variants of blocks */
    int64_t start_cycle[PARTITION_PHASES],
        end_cycle[PARTITION_PHASES]; /* without the transfer that follows */
    int64_t weight_bytes, embedding_bytes, kv_bytes, constant_bytes; /* a chip, padding included */
};

/* One way to cut the model, and what became of it. */
struct partition_candidate {
    int32_t stages, group;
    int32_t prefill_rows; /* of one pass; a chunk takes chunk / rows passes */
    bool shares;          /* MLPs are cut in two where that makes stages fit */
    bool fits;
    int64_t decode_cycles; /* compiled length of a decode step; 0 where it does not fit */
    int64_t missing_bytes; /* SRAM that the fullest chip lacks */
    char why_not[160];
};

/* Which second matrices of pairs are cut by output columns, not by rows. In a group of one nothing
 * is cut. */
struct partition_columns {
    bool o, down;
};

/* Seats: as many as the pipeline holds without anybody waiting, and SRAM has room for. */
enum { PARTITION_ALL_SEATS = -1 };

struct partition_input {
    const struct lpu_chip *chip;
    const struct lpu_rack *rack;
    const struct lpu_topology *topology;
    const struct model *model;
    const struct bucket *bucket;
    const struct workload *workload;
    int32_t seats; /* that share the pipeline, with caches of their own; 0: one */
};

/* The second matrices of pairs. */
enum partition_matrix { PARTITION_O, PARTITION_DOWN, PARTITION_MATRICES };

/* How one of them was cut. `block_cycles` by rows and by columns, of the block that the matrix is
 * part of, with passes of `rows` prompt rows. `request_cycles` of the whole request, by whole
 * plans; 0: not compiled, as blocks had decided, or does not fit. */
struct partition_choice {
    bool possible, asked,
        columns; /* possible: there is a choice; asked: the configuration has it */
    int32_t rows;
    int64_t block_cycles[2][2]; /* [decode, prefill][columns] */
    int64_t request_cycles[2];
};

struct interval; /* interval.h */

struct plan; /* opaque: shapes, templates of blocks, stages */

/* Chooses stages x tensor group by compiled decode length unless the rack says. NULL, with the
 * reasons in `report`: BASE_DOES_NOT_FIT as *status where memory is missing (bytes, and chips that
 * would do). */
struct plan *plan_compile(const struct partition_input *input, struct base_report *report,
                          enum base_status *status);
void plan_release(struct plan *plan);

/* Stages cover all blocks in order, within the rows of every slice, one after the other in time. */
bool plan_is_valid(const struct plan *plan);

int32_t plan_stages(const struct plan *plan);
const struct partition_stage *plan_stage(const struct plan *plan, int32_t stage);
int32_t plan_group(const struct plan *plan);
int32_t plan_chips(const struct plan *plan); /* used: stages * group */
struct partition_columns plan_columns(const struct plan *plan);
struct partition_choice plan_choice(const struct plan *plan, enum partition_matrix matrix);
int32_t plan_prefill_rows(const struct plan *plan); /* prompt positions of one prefill step */

/* Seats: each holds one batch of sequences. */
struct partition_seats {
    int32_t placed;  /* with caches in SRAM */
    int32_t by_time; /* floor(L / P), of the bucket with the fewest: nobody waits; 0: not looked at,
                      * as one seat was asked for */
    int32_t by_sram; /* that the fullest chip has room for, with this cut */
};
struct partition_seats plan_seats(const struct plan *plan);

/* How soon steps may follow each other; NULL where one seat was asked for. */
const struct interval *plan_interval(const struct plan *plan);

int64_t plan_length_cycles(const struct plan *plan, enum partition_phase phase); /* 0: none such */
/* Positions that every row of a step attends to, masked or not; 0: there is no such phase. */
int32_t plan_positions(const struct plan *plan, enum partition_phase phase);
const struct partition_candidate *plan_candidates(const struct plan *plan, size_t *count);

/* The program of one chip, all tensors, operands and addresses filled in; the caller releases it
 * with program_release. Chips that only forward messages have a program, too; unused chips, and
 * phases that are not there, an empty one. The programs of all phases keep weights and caches in
 * the same places. */
void plan_program(const struct plan *plan, enum partition_phase phase, int32_t chip,
                  struct program *program);

/* Decisions taken at compile time for one step, by class. */
struct partition_decisions {
    int64_t placements; /* tensors given addresses */
    int64_t issues;     /* instructions given cycles */
    int64_t repeats;    /* vectors driven by them */
    int64_t slots;      /* link slots given to vectors */
    int64_t routes;     /* vector groups given a path */
};
struct partition_decisions plan_decisions(const struct program *program);

#endif
