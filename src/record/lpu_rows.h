/* SPDX-License-Identifier: BSD-3-Clause */
/* One row of each table about the model, the plan and the LPU; units and meaning are in layout.c.
 */
#ifndef RECORD_LPU_ROWS_H
#define RECORD_LPU_ROWS_H

#include <stdint.h>

enum { RECORD_NAME_BYTES = 24 };

/* Values of the columns `phase`, `machine` and `when`. */
enum record_phase { RECORD_PREFILL, RECORD_DECODE };
enum record_machine { RECORD_LPU, RECORD_GPU };
enum record_when { RECORD_COMPILE_TIME, RECORD_RUN_TIME };

struct record_model_op {
    uint8_t phase;
    int32_t op, layer;
    char name[RECORD_NAME_BYTES];
    int64_t rows, k, n, kv_positions, weight_elements, expected_elements, multiply_adds;
};

struct record_plan_candidate {
    int32_t stages, group;
    uint8_t fits, chosen, o_by_columns, down_by_columns;
    int64_t decode_cycles, missing_bytes;
    char reason[160];
};

struct record_plan_stage {
    int32_t stage, first_chip, chips, layers;
    int64_t weight_bytes, kv_bytes;
};

struct record_plan_tensor {
    uint8_t phase;
    int32_t chip, tensor, layer;
    char name[RECORD_NAME_BYTES];
    uint8_t kind, dtype; /* enum program_tensor_kind, enum program_dtype */
    int32_t first_slice, slices, address, vectors;
    int64_t live_from_cycle, live_to_cycle;
};

struct record_plan_place {
    uint8_t phase;
    int32_t chip, tensor, sub, slice, row;
};

struct record_plan_bound {
    uint8_t phase;
    uint8_t part; /* step, stage, move, block, op */
    int32_t stage;
    uint8_t block; /* enum partition_block; behind its last: none */
    char name[RECORD_NAME_BYTES];
    int64_t cycles, bound_cycles, span_cycles, alone_cycles;
    int64_t install_cycles, compute_cycles, vxm_cycles, sxm_cycles, link_cycles, latency_cycles;
    uint8_t limit; /* enum bound_limit; behind its last: none */
};

struct record_plan_seats {
    int32_t bucket;
    int64_t latency_cycles, interval_cycles, mixed_cycles, busiest_cycles;
    int32_t chip;
    char resource[RECORD_NAME_BYTES], first[RECORD_NAME_BYTES], second[RECORD_NAME_BYTES];
    int32_t first_layer, second_layer;
    int32_t seats, seats_by_time, seats_by_sram;
    int32_t batch;
    int64_t token_cycles, prefill_interval_cycles;
    int32_t prefill_starts;
};

struct record_plan_distance {
    uint8_t first_phase, second_phase;
    int32_t first_bucket, second_bucket;
    int64_t least_cycles;
};

struct record_lpu_queue {
    int32_t queue, position;
    char name[RECORD_NAME_BYTES];
};

struct record_lpu_op {
    uint8_t phase;
    int32_t chip, op, layer;
    char name[RECORD_NAME_BYTES];
    int64_t start_cycle, end_cycle;
};

struct record_lpu_instruction {
    uint8_t phase;
    int32_t chip, queue;
    uint8_t opcode, function; /* enum program_opcode; what its unit does, by opcode */
    int64_t issue_cycle;
    int32_t count_inner, interval_inner, count_outer, interval_outer;
    int32_t address, stride_inner, stride_outer;
    int32_t tensor, op, layer;
};

struct record_lpu_slot {
    uint8_t phase;
    int32_t bucket;
    int32_t from_chip, to_chip, link, tensor;
    int64_t departure_cycle, arrival_cycle, vectors, interval_cycles;
};

struct record_lpu_step {
    int32_t step;
    uint8_t phase;
    int32_t sequence, position; /* of its only sequence, or the first of its batch */
    int32_t seat;               /* cache of that sequence */
    int32_t round;              /* steps of the batch behind its prompts before this one; < 0: it is
                                   of the prompts */
    int32_t bucket;
    int64_t start_cycle, end_cycle;
    uint8_t executed; /* 1: instruction by instruction; 0: replayed */
    int64_t instructions_checked, vectors_checked, violations;
};

struct record_lpu_token {
    int32_t step, sequence, position, token, reference; /* reference: -1: not computed */
    double worst_error, rms_error;
};

struct record_lpu_transfer {
    int32_t step, from_chip, to_chip;
    int64_t messages, vectors, wire_bytes;
};

struct record_lpu_violation {
    int32_t step, rule, chip, queue;
    int64_t cycle;
    int32_t op, layer;
    char message[128];
};

#endif
