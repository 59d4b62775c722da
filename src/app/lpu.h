/* SPDX-License-Identifier: BSD-3-Clause */
/* What compiling for the LPU rack and executing on it found out. */
#ifndef APP_LPU_H
#define APP_LPU_H

#include "app/app.h"
#include "chip/chip.h"
#include "interconnect/lpu_topology.h"
#include "parallel/parallel.h"
#include "partition/bound.h"
#include "partition/interval.h"
#include "partition/partition.h"
#include "record/layout.h"

/* What every rank knows of the plan. */
struct app_lpu_outline {
    int32_t stages, group, chips; /* chips: used, stages * group */
    int32_t prefill_rows;         /* prompt positions of a prefill step */
    struct partition_columns columns;
    int64_t length_cycles[PARTITION_PHASES]; /* 0: there is no such phase */
    int32_t positions[PARTITION_PHASES];     /* that each row of a step attends to */
    int64_t bound_cycles[PARTITION_PHASES];
    int64_t share_cycles[PARTITION_PHASES]
                        [BOUND_CLASSES]; /* of length_cycles; the rest is the barrier */
};

/* How sequences share the pipeline, as every rank knows it. */
struct app_lpu_sharing {
    struct partition_seats seats;
    struct interval_found interval; /* all 0 where one seat was asked for */
};

/* A chip of this rank with its programs, by enum partition_phase. */
struct app_lpu_chip {
    int32_t id;
    struct program program[PARTITION_PHASES];
    struct chip *chip; /* NULL: nothing to do in either phase */
};

/* Sums over all chips for one phase of the plan; the same on all ranks. */
struct app_lpu_program {
    struct partition_decisions decisions;
    int64_t instructions, tensors;
    int64_t load_stream_cycles; /* streams x cycles into MXM buffers */
    int64_t link_cycles;        /* slots in use x cycles of a slot */
    int64_t busiest_link_cycles;
};

/* Over all executed steps and chips. */
struct app_lpu_totals {
    int64_t steps, instructions, vectors, violations, messages, messages_between_ranks;
    int64_t message_bytes, rounds;
};

/* Filled by app_lpu_compile, or from an artifact, as far as `sums`, the rest by app_lpu_execute.
 * Sums, steps and totals are the same on all ranks. */
struct app_lpu {
    struct lpu_topology topology;
    struct plan *plan; /* first rank of a compilation; NULL elsewhere */
    struct app_lpu_outline outline;
    struct app_lpu_sharing sharing;
    const struct distances *distances; /* first rank, where seats are shared; else NULL */
    /* First rank: of the plan or the artifact. */
    const struct partition_stage *stage; /* [outline.stages] */
    const struct partition_candidate *candidate;
    size_t candidates;
    double compile_seconds, load_seconds, execute_seconds; /* load: numbers into SRAM */
    struct parallel_block block;                           /* chips of this rank */
    struct app_lpu_chip *own;
    struct app_lpu_program sums[PARTITION_PHASES];
    int32_t steps, prompt_steps;
    int32_t sequences;            /* that the steps are of; with one seat the batch counts as one */
    struct record_lpu_step *step; /* by start */
    bool *executes;               /* [steps]: false: may be replayed where those before it hold */
    struct app_lpu_totals totals;
    char *violations;   /* the first few of the chips, a line each; "" for none */
    char *length_fault; /* the first step of another length than compiled; NULL: none */
};

/* From the start of a decode step of a kind to where its token stands in SRAM, for seats that are
 * shared. */
int64_t app_lpu_latency_cycles(const struct app_run *run, enum partition_phase kind);

/* From token to token of a sequence where all seats decode in one bucket: nobody's next step begins
 * before its token is there, and steps begin no closer than the interval. */
int64_t app_lpu_token_cycles(const struct app_run *run, enum partition_phase kind);

struct app_lpu *app_lpu_create(void);
void app_lpu_free(struct app_lpu *lpu);

/* ", o by columns", or nothing where all matrices are cut by rows. */
static inline const char *app_lpu_columns(const struct app_lpu_outline *o)
{
    static const char *const text[2][2] = {{"", ", down by columns"},
                                           {", o by columns", ", o and down by columns"}};
    return text[o->columns.o][o->columns.down];
}

static inline bool app_lpu_has_phase(const struct app_lpu *lpu, enum partition_phase phase)
{
    return lpu->outline.length_cycles[phase] > 0;
}

/* The phase of a step: a decode step is known by the positions that it attends to. */
enum partition_phase app_lpu_phase_of(const struct app_lpu *lpu,
                                      const struct record_lpu_step *step);

static inline enum record_phase app_lpu_record_phase(enum partition_phase phase)
{
    return phase == PARTITION_PREFILL ? RECORD_PREFILL : RECORD_DECODE;
}

/* Where a sequence stands in a decode step of its batch. */
int32_t app_lpu_position(const struct app_run *run, int32_t sequence,
                         const struct record_lpu_step *step);

/* The kinds of decode steps by their buckets, the smallest first: number `n` of them, n from 0 to
 * the rungs of the ladder. */
enum partition_phase app_lpu_bucket(const struct app_run *run, int32_t n);

/* Collective. /plan and the programs under /lpu. */
enum base_status app_lpu_record(struct app_run *run);

/* Rows of /plan/bounds; base_free. */
struct record_plan_bound *app_lpu_bounds(const struct plan *plan, size_t *count);

/* Collective. /plan/bounds. */
void app_lpu_record_bounds(struct app_run *run);

/* Collective. Fills lpu->sums from the programs of all chips. */
void app_lpu_sum(struct app_lpu *lpu, const struct lpu_chip *machine);

/* Collective. Rows of the violations of own chips, and the first few as text. */
void app_lpu_tell_violations(struct app_run *run);

/* Token of a sequence at a position where no numbers are computed: drawn by key. */
int32_t app_lpu_drawn_token(const struct app_run *run, int32_t sequence, int32_t position);

/* Cycles of one link for one vector. */
int64_t app_lpu_send_cycles(const struct lpu_chip *machine, const struct program_instruction *send);

#endif
