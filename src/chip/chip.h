/* SPDX-License-Identifier: BSD-3-Clause */
/* One LPU chip that executes its programs under the contract and reports what breaks it.
 *
 * The chip never repairs, waits or arbitrates: a program says when everything happens, the chip
 * finds out whether it does. A life is
 *   chip_create, chip_load (each program), then for each step of the job
 *   chip_begin, { chip_run, chip_outbox, chip_deliver } until CHIP_DONE, chip_finish.
 * Steps may overlap: each begins at a cycle of the chip's clock, and as long as any is open all are
 * held against each other. What is one step's is not another's: its vectors, messages, sums and
 * activations; only the cache passes from earlier steps to later ones.
 * SRAM outlives steps and programs: persistent tensors (weights, constants, KV, embedding) are
 * known by (name, layer) and keep their place whichever program runs.
 *
 * Times of rule 10. An instruction whose last repeat is issued at t ends at t + 1 + delay: the
 * delay of its result (mem_read_cycles, mxm_compute_cycles, vxm_alu_cycles, sxm_cycles,
 * sxm_transpose_cycles, c2c_receive_cycles), mxm_install_cycles for an install, 0 for a write, load
 * or send. An op starts with the first issue and ends with the last end of its instructions; the
 * executed length is the greatest end of all. */
#ifndef CHIP_CHIP_H
#define CHIP_CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/machine.h"
#include "base/program.h"
#include "base/status.h"
#include "interconnect/lpu_topology.h"

struct chip; /* opaque */

enum { CHIP_VIOLATIONS_KEPT = 64, CHIP_TEXT_BYTES = 64, CHIP_LINKS = 11 };

enum chip_rule {
    CHIP_RULE_QUEUE = 1,     /* one instruction at a time */
    CHIP_RULE_STREAM = 2,    /* two trains at one place and time */
    CHIP_RULE_SAMPLE = 3,    /* a consumer samples what its producer drives, nothing is lost */
    CHIP_RULE_BANK = 4,      /* one access a bank and cycle */
    CHIP_RULE_RESIDENCY = 5, /* reads return what was planned; live tensors do not overlap */
    CHIP_RULE_MXM = 6,       /* buffers, installs and accumulators */
    CHIP_RULE_LINK = 7,      /* one vector a slot */
    CHIP_RULE_MESSAGE = 8,   /* both ends agree on what and when */
    CHIP_RULE_CAPACITY = 9,  /* SRAM rows and instruction memory */
    CHIP_RULE_LENGTH = 10,   /* executed times equal compiled times */
    CHIP_RULES,
};

enum chip_unit {
    CHIP_MEM,
    CHIP_MXM_LOAD,
    CHIP_MXM_COMPUTE,
    CHIP_VXM,
    CHIP_SXM,
    CHIP_C2C,
    CHIP_UNITS
};

enum chip_state {
    CHIP_DONE,    /* every instruction before the cycle asked for was executed */
    CHIP_WAITING, /* at a receive whose message is not here: deliver it and run again */
};

/* One vector group on a link: what a C2C_SEND promises to the far end. Plain bytes, all defined. */
struct chip_message {
    int32_t from_chip, from_link, to_chip, to_link;
    int32_t step; /* how many steps the sender began before this one */
    int32_t layer, sub, index, stride[2], count[2], interval[2];
    int64_t departure_cycle; /* of the first vector, on the clock */
    char tensor[24];
};

/* What a chip waits for. */
struct chip_wait {
    int32_t link, layer, step;
    int64_t cycle;   /* of the step, at which the receive is issued */
    char tensor[24]; /* that the receive expects */
};

/* A broken promise. `cycle` is that of the act (sample, drive, access), not of the issue; it counts
 * from the start of the step. */
struct chip_violation {
    enum chip_rule rule;
    int32_t chip, queue; /* queue -1: the chip as a whole */
    int32_t step;        /* -1: found while loading */
    int64_t cycle;
    int32_t layer;
    char op[24];
    char expected[CHIP_TEXT_BYTES], found[CHIP_TEXT_BYTES];
};

/* Of one step; violations are those found since the statistics before. */
struct chip_statistics {
    int64_t instructions;
    int64_t vectors; /* driven onto streams */
    int64_t messages_sent, messages_received;
    int64_t busy_cycles[CHIP_UNITS]; /* issue cycles summed over queues; C2C: link slots of sends */
    int64_t executed_length_cycles;
    int64_t violations;
};

/* `machine` and `topology` must outlive the chip; chip_id is its number in the topology. */
struct chip *chip_create(const struct lpu_chip *machine, const struct lpu_topology *topology,
                         int32_t chip_id);
void chip_destroy(struct chip *chip);

/* Preloads what the program keeps in SRAM and checks placement and capacity. Persistent tensors
 * that are here already must be in the same place; their content stays. Not during a step. The
 * program must be valid (program_is_valid), unchanged and alive as long as the chip; loading it
 * again costs nothing. */
void chip_load(struct chip *chip, const struct program *program);

/* Starts a step of a loaded program at cycle `start` of the clock, which is the same on all chips
 * and not before a cycle that was executed; where no step is open the clock begins anew. `runtime`
 * is copied, its tokens and experts are not: they must live until chip_finish. A sequence that
 * starts at an earlier row than rows of its cache were written forgets those rows. False, with the
 * reason, where the run-time values do not fit the program; nothing has begun. */
bool chip_begin(struct chip *chip, const struct program *program,
                const struct program_runtime *runtime, int64_t start, struct base_report *report);

/* Executes what open steps issue before cycle `until` (INT64_MAX: all), in the order of time, or up
 * to a receive without message. */
enum chip_state chip_run(struct chip *chip, int64_t until);

/* After CHIP_WAITING. */
struct chip_wait chip_waiting_for(const struct chip *chip);

/* After CHIP_WAITING, where nobody will send: reports the receive (rule 8) and steps over it. */
void chip_give_up(struct chip *chip);

/* A message arrives (on link message->to_link); copied. May come long before its receive, also
 * before its step. Messages of one link keep their order. */
void chip_deliver(struct chip *chip, const struct chip_message *message);

/* Messages sent since the last clear; valid until the next call of chip_run or chip_outbox_clear.
 */
const struct chip_message *chip_outbox(const struct chip *chip, size_t *count);
void chip_outbox_clear(struct chip *chip);

/* Ends the open step that is to end first (start + compiled length, then number), after CHIP_DONE
 * for that cycle or later (what it wrote last stands in SRAM mem_write_skew_cycles later): messages
 * of the step that nobody received are reported, KV rows written become rows of earlier steps. What
 * reaches into later cycles is judged with the steps that are still open. */
struct chip_statistics chip_finish(struct chip *chip);

/* Steps that were replayed, not executed: KV rows before the positions of the sequences, in their
 * caches, count as written, and `steps` are added to the number of the next step. */
void chip_replayed(struct chip *chip, int32_t steps, const struct program_sequence *sequence,
                   int32_t sequences);

/* The first CHIP_VIOLATIONS_KEPT of the chip's life in the order they were found; *total counts
 * all. */
const struct chip_violation *chip_violations(const struct chip *chip, size_t *kept, int64_t *total);

/* "rule 3: chip 2, MXM 1 load, cycle 1234, op ffn_down, layer 5: expected X, found Y"; the caller
 * frees it with base_free. */
char *chip_violation_text(const struct chip_violation *violation);

const char *chip_rule_name(enum chip_rule rule);
const char *chip_unit_name(enum chip_unit unit);

#endif
