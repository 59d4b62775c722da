/* SPDX-License-Identifier: BSD-3-Clause */
/* Name, type, unit and meaning of every column of the file. */
#include "record/layout.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define FIELD_BYTES(row, field) sizeof(((struct row *)0)->field)
#define FIELD(row, field, type, units, description, labels)                                        \
    {                                                                                              \
#field, type, offsetof(struct row, field), FIELD_BYTES(row, field), units, description,    \
            labels                                                                                 \
    }
#define TIME(row, field, units, description) FIELD(row, field, RECORD_I64, units, description, NULL)
#define WIDE(row, field, units, description) FIELD(row, field, RECORD_I64, units, description, NULL)
#define INDEX(row, field, description) FIELD(row, field, RECORD_I32, "1", description, NULL)
#define COUNT(row, field, units, description)                                                      \
    FIELD(row, field, RECORD_I32, units, description, NULL)
#define REAL(row, field, units, description) FIELD(row, field, RECORD_F64, units, description, NULL)
#define CODE(row, field, labels, description) FIELD(row, field, RECORD_U8, "1", description, labels)
#define TEXT(row, field, description) FIELD(row, field, RECORD_TEXT, "1", description, NULL)

static const char *const phase_label[] = {"prefill", "decode", NULL};
static const char *const machine_label[] = {"lpu", "gpu", NULL};
static const char *const when_label[] = {"compile", "run", NULL};
static const char *const yes_label[] = {"no", "yes", NULL};
/* In the order of enum serve_fate. */
static const char *const fate_label[] = {"waiting",  "finished",    "too_long",
                                         "too_late", "over_budget", NULL};
/* In the order of enum serve_verdict. */
static const char *const verdict_label[] = {"none", "ttft", "tpot", "refusals", NULL};
/* In the order of enum serve_event_kind, serve_gate and serve_version. */
static const char *const event_label[] = {"start",     "emptied", "loaded", "go_on", "promote",
                                          "roll_back", "done",    "keep",   "end",   NULL};
static const char *const gate_label[] = {"none",       "ttft_limit", "tpot_limit", "ttft_ratio",
                                         "tpot_ratio", "refusals",   "contract",   NULL};
static const char *const version_label[] = {"stable", "canary", NULL};
static const char *const executed_label[] = {"replayed", "executed", NULL};

/* In the order of enum program_opcode, with program_opcode_name's names. */
static const char *const opcode_label[] = {"read",    "write",   "load",    "install",
                                           "compute", "alu",     "permute", "transpose",
                                           "send",    "receive", NULL};

/* In the order of enum program_tensor_kind and enum program_dtype. */
static const char *const tensor_kind_label[] = {"weight",     "constant",  "kv",   "embedding",
                                                "activation", "transient", "zero", NULL};
static const char *const part_label[] = {"step", "stage", "move", "block", "op", NULL};
static const char *const block_label[] = {"embedding", "attention", "mlp", "head", "none", NULL};
static const char *const limit_label[] = {"install", "compute", "vxm",  "sxm",
                                          "links",   "latency", "none", NULL};
static const char *const dtype_label[] = {"int8", "fp16", "fp32", "int32", "key", NULL};

/* In the order of enum gpu_op and enum gpu_bound, with gpu_op_name's and gpu_bound_name's names. */
static const char *const gpu_op_label[] = {"embed",
                                           "norm",
                                           "qkv",
                                           "rope_kv",
                                           "attention",
                                           "o",
                                           "gate_up",
                                           "activate",
                                           "down",
                                           "router",
                                           "choose",
                                           "experts_gate_up",
                                           "experts_down",
                                           "combine",
                                           "head",
                                           "sample",
                                           "quantize",
                                           "all_reduce",
                                           "all_gather",
                                           "send",
                                           "receive",
                                           "reduce_scatter",
                                           "all_to_all",
                                           "broadcast",
                                           NULL};
static const char *const gpu_bound_label[] = {"tensor", "hbm", "l2", "latency", "launch", NULL};

/* In the order of enum gpu_decision, with gpu_decision_name's names. */
static const char *const gpu_decision_label[] = {
    "launches",     "block dispatches",  "waves",   "warp picks", "L2 hits", "L2 misses",
    "arbitrations", "collective chunks", "batches", NULL};

static const struct record_column model_ops[] = {
    CODE(record_model_op, phase, phase_label, "kind of step"),
    INDEX(record_model_op, op, "place in the graph; an op needs only ops before it"),
    INDEX(record_model_op, layer, "transformer layer, -1 outside the layers"),
    TEXT(record_model_op, name, "what the op does"),
    WIDE(record_model_op, rows, "tokens", "tokens that pass through"),
    WIDE(record_model_op, k, "elements", "length of the contraction of a matrix product"),
    WIDE(record_model_op, n, "elements", "output elements a row"),
    WIDE(record_model_op, kv_positions, "tokens", "keys that a query may see"),
    WIDE(record_model_op, weight_elements, "elements",
         "parameters read, each once; of experts the most there can be"),
    WIDE(record_model_op, expected_elements, "elements",
         "the same, but of experts the mean if all are as likely"),
    WIDE(record_model_op, multiply_adds, "1", "multiplications with their additions"),
};

static const struct record_column plan_candidates[] = {
    COUNT(record_plan_candidate, stages, "1", "pipeline stages"),
    COUNT(record_plan_candidate, group, "1", "chips that share a layer"),
    CODE(record_plan_candidate, fits, yes_label, "whether the model fits"),
    CODE(record_plan_candidate, chosen, yes_label, "whether this split was taken"),
    CODE(record_plan_candidate, o_by_columns, yes_label,
         "whether it was taken with o cut by output columns"),
    CODE(record_plan_candidate, down_by_columns, yes_label,
         "whether it was taken with down cut by output columns"),
    TIME(record_plan_candidate, decode_cycles, "cycles",
         "compiled decode step, 0 if it does not fit"),
    WIDE(record_plan_candidate, missing_bytes, "bytes", "SRAM that the fullest chip lacks"),
    TEXT(record_plan_candidate, reason, "why it does not fit"),
};

static const struct record_column plan_stages[] = {
    INDEX(record_plan_stage, stage, "pipeline stage"),
    INDEX(record_plan_stage, first_chip, "first chip of the stage's tensor group"),
    COUNT(record_plan_stage, chips, "1", "chips of the stage"),
    COUNT(record_plan_stage, layers, "1", "transformer layers of the stage"),
    WIDE(record_plan_stage, weight_bytes, "bytes", "weights in the stage, over its chips"),
    WIDE(record_plan_stage, kv_bytes, "bytes", "KV cache in the stage, over its chips"),
};

static const struct record_column plan_tensors[] = {
    CODE(record_plan_tensor, phase, phase_label, "program that uses the tensor"),
    INDEX(record_plan_tensor, chip, "chip that holds it"),
    INDEX(record_plan_tensor, tensor, "number within the chip's program"),
    INDEX(record_plan_tensor, layer, "transformer layer, -1 outside the layers"),
    TEXT(record_plan_tensor, name, "name"),
    CODE(record_plan_tensor, kind, tensor_kind_label, "who writes it and how long it lives"),
    CODE(record_plan_tensor, dtype, dtype_label, "type of an element"),
    INDEX(record_plan_tensor, first_slice, "first SRAM slice, -1 where it has no placement"),
    COUNT(record_plan_tensor, slices, "1", "SRAM slices it is spread over: see /plan/places"),
    INDEX(record_plan_tensor, address, "first row in its first slice"),
    COUNT(record_plan_tensor, vectors, "vectors", "vectors in each slice"),
    TIME(record_plan_tensor, live_from_cycle, "cycles", "start of residency within the step"),
    TIME(record_plan_tensor, live_to_cycle, "cycles", "end of residency within the step"),
};

static const struct record_column plan_places[] = {
    CODE(record_plan_place, phase, phase_label, "program that uses the tensor"),
    INDEX(record_plan_place, chip, "chip that holds it"),
    INDEX(record_plan_place, tensor, "number within the chip's program"),
    INDEX(record_plan_place, sub, "byte plane of the tensor"),
    INDEX(record_plan_place, slice, "SRAM slice of the byte plane"),
    INDEX(record_plan_place, row, "its first row in the slice; its vectors follow"),
};

static const struct record_column plan_bounds[] = {
    CODE(record_plan_bound, phase, phase_label, "kind of step"),
    CODE(record_plan_bound, part, part_label, "what is bounded"),
    INDEX(record_plan_bound, stage, "stage, or stage that a move leaves; -1: all that are equal"),
    CODE(record_plan_bound, block, block_label, "block, or that of the op"),
    TEXT(record_plan_bound, name, "op, or kind of part"),
    TIME(record_plan_bound, cycles, "cycles",
         "as compiled; op: by which it ends after those before"),
    TIME(record_plan_bound, bound_cycles, "cycles",
         "at least; op: what it adds to its block's; move: 0, it has none of its own"),
    TIME(record_plan_bound, span_cycles, "cycles", "op: first issue to last result, as compiled"),
    TIME(record_plan_bound, alone_cycles, "cycles", "op: first issue to last result, at least"),
    TIME(record_plan_bound, install_cycles, "cycles", "op: weights and cache into the MXM"),
    TIME(record_plan_bound, compute_cycles, "cycles", "op: rows through its planes"),
    TIME(record_plan_bound, vxm_cycles, "cycles", "op: functions on all ALUs"),
    TIME(record_plan_bound, sxm_cycles, "cycles", "op: vectors that change lanes"),
    TIME(record_plan_bound, link_cycles, "cycles", "op: vectors over links, with their hops"),
    TIME(record_plan_bound, latency_cycles, "cycles", "op: the way of one value"),
    CODE(record_plan_bound, limit, limit_label, "op: which of these decides"),
};

static const struct record_column plan_seats[] = {
    COUNT(record_plan_seats, bucket, "positions", "that a decode step attends to"),
    TIME(record_plan_seats, latency_cycles, "cycles", "L: length of such a step"),
    TIME(record_plan_seats, interval_cycles, "cycles", "P: such steps may begin so far apart"),
    TIME(record_plan_seats, mixed_cycles, "cycles",
         "decode steps of whatever buckets may begin so far apart"),
    TIME(record_plan_seats, busiest_cycles, "cycles",
         "claims of a step of the largest bucket on the busiest queue or plane: no P is less"),
    INDEX(record_plan_seats, chip,
          "where steps of the largest bucket would collide with one cycle less than P"),
    TEXT(record_plan_seats, resource, "in what"),
    TEXT(record_plan_seats, first, "op or tensor of the earlier step"),
    INDEX(record_plan_seats, first_layer, "its layer, -1: of none"),
    TEXT(record_plan_seats, second, "op or tensor of the later step"),
    INDEX(record_plan_seats, second_layer, "its layer, -1: of none"),
    COUNT(record_plan_seats, seats, "batches", "that have caches in SRAM"),
    COUNT(record_plan_seats, seats_by_time, "batches",
          "floor(L / P), of the bucket with the fewest: nobody waits"),
    COUNT(record_plan_seats, seats_by_sram, "batches", "that the fullest chip has room for"),
    COUNT(record_plan_seats, batch, "sequences", "of a seat"),
    TIME(record_plan_seats, token_cycles, "cycles",
         "from token to token of a sequence where all seats decode in this bucket: L and the last "
         "write, or seats x P"),
    TIME(record_plan_seats, prefill_interval_cycles, "cycles",
         "prefill passes may begin so far apart"),
    COUNT(record_plan_seats, prefill_starts, "1",
          "starts of decode steps, P apart, that a prefill pass takes by itself"),
};

static const struct record_column plan_distances[] = {
    CODE(record_plan_distance, first_phase, phase_label, "kind of the earlier step"),
    COUNT(record_plan_distance, first_bucket, "positions", "that it attends to"),
    CODE(record_plan_distance, second_phase, phase_label, "kind of the later step"),
    COUNT(record_plan_distance, second_bucket, "positions", "that it attends to"),
    TIME(record_plan_distance, least_cycles, "cycles",
         "least distance at which nothing of the two meets"),
};

static const struct record_column lpu_queues[] = {
    INDEX(record_lpu_queue, queue, "instruction queue"),
    INDEX(record_lpu_queue, position, "place of its unit on the chip, from west to east"),
    TEXT(record_lpu_queue, name, "unit and number"),
};

static const struct record_column lpu_ops[] = {
    CODE(record_lpu_op, phase, phase_label, "program"),
    INDEX(record_lpu_op, chip, "chip"),
    INDEX(record_lpu_op, op, "number within the chip's program"),
    INDEX(record_lpu_op, layer, "transformer layer, -1 outside the layers"),
    TEXT(record_lpu_op, name, "what the instructions compute"),
    TIME(record_lpu_op, start_cycle, "cycles", "first issue after the start of the step"),
    TIME(record_lpu_op, end_cycle, "cycles", "last result after the start of the step"),
};

static const struct record_column lpu_program[] = {
    CODE(record_lpu_instruction, phase, phase_label, "program"),
    INDEX(record_lpu_instruction, chip, "chip"),
    INDEX(record_lpu_instruction, queue, "instruction queue, see /lpu/queues"),
    CODE(record_lpu_instruction, opcode, opcode_label, "operation"),
    FIELD(record_lpu_instruction, function, RECORD_U8, "1", "variant of a VXM or SXM operation",
          NULL),
    TIME(record_lpu_instruction, issue_cycle, "cycles", "first issue after the start of the step"),
    COUNT(record_lpu_instruction, count_inner, "1", "inner repeats"),
    COUNT(record_lpu_instruction, interval_inner, "cycles", "between inner repeats"),
    COUNT(record_lpu_instruction, count_outer, "1", "outer repeats"),
    COUNT(record_lpu_instruction, interval_outer, "cycles", "between outer repeats"),
    INDEX(record_lpu_instruction, address, "SRAM vector address or accumulator row"),
    COUNT(record_lpu_instruction, stride_inner, "vectors", "address step of an inner repeat"),
    COUNT(record_lpu_instruction, stride_outer, "vectors", "address step of an outer repeat"),
    INDEX(record_lpu_instruction, tensor, "tensor of the first operand, see /plan/tensors"),
    INDEX(record_lpu_instruction, op, "what it is for, see /lpu/ops"),
    INDEX(record_lpu_instruction, layer, "transformer layer, -1 outside the layers"),
};

static const struct record_column lpu_timetable[] = {
    CODE(record_lpu_slot, phase, phase_label, "program"),
    COUNT(record_lpu_slot, bucket, "positions", "that its step attends to"),
    INDEX(record_lpu_slot, from_chip, "sender"),
    INDEX(record_lpu_slot, to_chip, "receiver"),
    INDEX(record_lpu_slot, link, "the sender's link"),
    INDEX(record_lpu_slot, tensor, "tensor that travels, numbered by the sender"),
    TIME(record_lpu_slot, departure_cycle, "cycles", "first vector leaves, within the step"),
    TIME(record_lpu_slot, arrival_cycle, "cycles", "first vector arrives, within the step"),
    WIDE(record_lpu_slot, vectors, "vectors", "vectors of the group"),
    TIME(record_lpu_slot, interval_cycles, "cycles", "between vectors"),
};

static const struct record_column lpu_steps[] = {
    INDEX(record_lpu_step, step, "prompt chunks first, then decode steps"),
    CODE(record_lpu_step, phase, phase_label,
         "kind of step; with lpu.prefill = off the prompt takes decode steps, too"),
    INDEX(record_lpu_step, sequence,
          "whose prompt a pass takes; of a decode step the first of its batch"),
    INDEX(record_lpu_step, position,
          "KV position of the step's first token, of that sequence or 0"),
    INDEX(record_lpu_step, seat, "cache of that sequence; those of its batch follow"),
    INDEX(record_lpu_step, round,
          "steps of the batch behind its prompts before this one; < 0: it is of the prompts"),
    COUNT(record_lpu_step, bucket, "positions",
          "that each of its tokens attends to, masked or not"),
    TIME(record_lpu_step, start_cycle, "cycles", "start after the start of the run"),
    TIME(record_lpu_step, end_cycle, "cycles", "end after the start of the run"),
    CODE(record_lpu_step, executed, executed_label, "instruction by instruction, or closed form"),
    WIDE(record_lpu_step, instructions_checked, "1", "instructions executed under the contract"),
    WIDE(record_lpu_step, vectors_checked, "vectors", "vectors whose promise was checked"),
    WIDE(record_lpu_step, violations, "1", "broken promises"),
};

static const struct record_column lpu_tokens[] = {
    INDEX(record_lpu_token, step, "decode step that computed it, see /lpu/steps"),
    INDEX(record_lpu_token, sequence, "sequence of the batch"),
    INDEX(record_lpu_token, position, "KV position that the step filled"),
    INDEX(record_lpu_token, token, "id of the token that the chips chose"),
    INDEX(record_lpu_token, reference,
          "id that a plain fp32 computation chooses; -1: not computed, or it overflows"),
    REAL(record_lpu_token, worst_error, "1",
         "largest difference of a logit from that computation; -1: not computed"),
    REAL(record_lpu_token, rms_error, "1",
         "root mean square difference of the logits; -1: not computed"),
};

static const struct record_column lpu_transfers[] = {
    INDEX(record_lpu_transfer, step, "step, see /lpu/steps"),
    INDEX(record_lpu_transfer, from_chip, "sender"),
    INDEX(record_lpu_transfer, to_chip, "receiver"),
    WIDE(record_lpu_transfer, messages, "1", "vector groups"),
    WIDE(record_lpu_transfer, vectors, "vectors", "vectors in them"),
    WIDE(record_lpu_transfer, wire_bytes, "bytes", "bytes on the wire, coding included"),
};

static const struct record_column lpu_violations[] = {
    INDEX(record_lpu_violation, step, "step, see /lpu/steps"),
    INDEX(record_lpu_violation, rule, "rule of the contract, 1 to 10"),
    INDEX(record_lpu_violation, chip, "chip"),
    INDEX(record_lpu_violation, queue, "instruction queue, see /lpu/queues"),
    TIME(record_lpu_violation, cycle, "cycles", "when, within the step"),
    INDEX(record_lpu_violation, op, "what the instruction was for, see /lpu/ops"),
    INDEX(record_lpu_violation, layer, "transformer layer, -1 outside the layers"),
    TEXT(record_lpu_violation, message, "what was expected and what was found"),
};

static const struct record_column gpu_steps[] = {
    INDEX(record_gpu_step, repeat, "simulation of the request, from 0"),
    INDEX(record_gpu_step, step, "prompt chunks first, then decode steps"),
    INDEX(record_gpu_step, gpu, "GPU"),
    CODE(record_gpu_step, phase, phase_label, "kind of step"),
    COUNT(record_gpu_step, tokens, "tokens", "tokens that pass through"),
    COUNT(record_gpu_step, kv_positions, "tokens", "keys that the last query sees"),
    TIME(record_gpu_step, start_ps, "ps", "the host begins the step"),
    TIME(record_gpu_step, end_ps, "ps", "the host has the result"),
    TIME(record_gpu_step, host_ps, "ps", "waiting for the host"),
    TIME(record_gpu_step, compute_ps, "ps", "in kernels"),
    TIME(record_gpu_step, collective_ps, "ps", "in collectives, waiting for peers included"),
    TIME(record_gpu_step, idle_ps, "ps", "the rest"),
};

static const struct record_column gpu_kernels[] = {
    INDEX(record_gpu_kernel, repeat, "simulation of the request, from 0"),
    INDEX(record_gpu_kernel, step, "step, see /gpu/steps"),
    INDEX(record_gpu_kernel, gpu, "GPU"),
    INDEX(record_gpu_kernel, sequence, "place in the step, collectives counted"),
    INDEX(record_gpu_kernel, layer, "transformer layer, -1 outside the layers"),
    CODE(record_gpu_kernel, op, gpu_op_label, "what the kernel computes"),
    CODE(record_gpu_kernel, bound, gpu_bound_label, "largest part of its time"),
    COUNT(record_gpu_kernel, blocks, "1", "thread blocks"),
    COUNT(record_gpu_kernel, waves, "1", "rounds of blocks over the SMs"),
    COUNT(record_gpu_kernel, split_k, "1", "blocks that share a contraction"),
    TIME(record_gpu_kernel, start_ps, "ps", "first block begins"),
    TIME(record_gpu_kernel, end_ps, "ps", "last block ends"),
    TIME(record_gpu_kernel, queue_ps, "ps", "idle before the start because the launch came late"),
};

static const struct record_column gpu_collectives[] = {
    INDEX(record_gpu_collective, repeat, "simulation of the request, from 0"),
    INDEX(record_gpu_collective, step, "step, see /gpu/steps"),
    INDEX(record_gpu_collective, gpu, "GPU"),
    INDEX(record_gpu_collective, sequence, "place in the step, kernels counted"),
    INDEX(record_gpu_collective, layer, "transformer layer, -1 outside the layers"),
    CODE(record_gpu_collective, op, gpu_op_label, "kind of collective"),
    WIDE(record_gpu_collective, bytes, "bytes", "of the whole collective"),
    TIME(record_gpu_collective, start_ps, "ps", "this GPU enters"),
    TIME(record_gpu_collective, end_ps, "ps", "this GPU leaves"),
    TIME(record_gpu_collective, wait_ps, "ps", "until the first chunk, beyond an idle network"),
    TIME(record_gpu_collective, queue_ps, "ps", "received chunks queueing for links, added up"),
};

static const struct record_column gpu_links[] = {
    INDEX(record_gpu_link, repeat, "simulation of the request, from 0"),
    INDEX(record_gpu_link, link, "link"),
    TEXT(record_gpu_link, from, "sending end"),
    TEXT(record_gpu_link, to, "receiving end"),
    TIME(record_gpu_link, busy_ps, "ps", "carrying this job"),
    TIME(record_gpu_link, neighbour_busy_ps, "ps", "carrying other tenants"),
    TIME(record_gpu_link, queued_ps, "ps", "this job's chunks waiting, added up"),
    TIME(record_gpu_link, longest_queue_ps, "ps", "longest wait of one chunk"),
    WIDE(record_gpu_link, bytes, "bytes", "of this job"),
    WIDE(record_gpu_link, neighbour_bytes, "bytes", "of other tenants"),
    WIDE(record_gpu_link, chunks, "1", "chunks of this job"),
    WIDE(record_gpu_link, neighbour_messages, "1", "messages of other tenants"),
};

static const struct record_column gpu_decisions[] = {
    INDEX(record_gpu_decision, step, "step, see /gpu/steps"),
    CODE(record_gpu_decision, decision, gpu_decision_label, "class of decision"),
    WIDE(record_gpu_decision, count, "1", "decisions of all GPUs and links in that step"),
};

static const struct record_column serve_requests[] = {
    CODE(record_serve_request, machine, machine_label, "machine"),
    INDEX(record_serve_request, request, "place among the requests of the run, from 0"),
    INDEX(record_serve_request, tenant, "whose it is"),
    COUNT(record_serve_request, prompt_tokens, "tokens", "tokens of the prompt"),
    COUNT(record_serve_request, output_tokens, "tokens", "tokens wanted"),
    CODE(record_serve_request, fate, fate_label, "what became of it"),
    INDEX(record_serve_request, replica, "that served it, -1: none"),
    COUNT(record_serve_request, preemptions, "1", "times it lost its cache and was computed anew"),
    TIME(record_serve_request, arrival_ps, "ps", "the request is there, from the trace's start"),
    TIME(record_serve_request, admitted_ps, "ps", "the machine takes it in; -1: never"),
    TIME(record_serve_request, first_token_ps, "ps", "the client has the first token; -1: never"),
    TIME(record_serve_request, finished_ps, "ps", "the client has the last token; -1: never"),
    TIME(record_serve_request, promised_ps, "ps",
         "finished_ps as it was told at admission; -1: nothing was promised"),
    TIME(record_serve_request, longest_gap_ps, "ps",
         "longest time between two tokens; 0 where there is one"),
};

static const struct record_column serve_measures[] = {
    CODE(record_serve_measure, machine, machine_label, "machine"),
    TEXT(record_serve_measure, measure, "measure, as in the JSON summary"),
    REAL(record_serve_measure, value, "as in units", "value"),
    TEXT(record_serve_measure, units, "unit of the value"),
};

static const struct record_column serve_loads[] = {
    CODE(record_serve_load, machine, machine_label, "machine"),
    REAL(record_serve_load, rate, "1/s", "requests offered"),
    REAL(record_serve_load, of_capacity, "1", "rate over the machine's capacity"),
    WIDE(record_serve_load, finished, "1", "requests"),
    WIDE(record_serve_load, good, "1", "finished within the limits of the configuration"),
    TIME(record_serve_load, ttft_p50_ps, "ps", "time to first token, median"),
    TIME(record_serve_load, ttft_p90_ps, "ps", "the same, of 90 %"),
    TIME(record_serve_load, ttft_p99_ps, "ps", "the same, of 99 %"),
    TIME(record_serve_load, tpot_p50_ps, "ps", "time per output token, median"),
    TIME(record_serve_load, tpot_p90_ps, "ps", "the same, of 90 %"),
    TIME(record_serve_load, tpot_p99_ps, "ps", "the same, of 99 %"),
    REAL(record_serve_load, waiting, "1", "requests in the queue, mean over time"),
    REAL(record_serve_load, output_tokens_per_s, "1/s", "tokens over the whole time"),
};

static const struct record_column serve_frontier[] = {
    CODE(record_serve_frontier, machine, machine_label, "machine"),
    TIME(record_serve_frontier, ttft_limit_ps, "ps", "limit of p99 of TTFT; 0: none"),
    TIME(record_serve_frontier, tpot_limit_ps, "ps", "limit of p99 of TPOT; 0: none"),
    REAL(record_serve_frontier, rate, "1/s", "highest rate of requests that keeps both; 0: none"),
    CODE(record_serve_frontier, broken, verdict_label, "what the next higher rate breaks"),
};

static const struct record_column serve_rollout[] = {
    TIME(record_serve_event, at_ps, "ps", "when, from the trace's start"),
    CODE(record_serve_event, event, event_label, "what happened or was decided"),
    CODE(record_serve_event, gate, gate_label, "the gate that was broken"),
    CODE(record_serve_event, version, version_label, "emptied: for what; loaded: with what"),
    INDEX(record_serve_event, rack, "which one, -1: all"),
    COUNT(record_serve_event, stable_racks, "1", "racks that serve the stable schedule afterwards"),
    COUNT(record_serve_event, canary_racks, "1", "racks that serve the canary afterwards"),
    WIDE(record_serve_event, stable_finished, "1", "requests of the window that have finished"),
    WIDE(record_serve_event, canary_finished, "1", "the same of the canary"),
    WIDE(record_serve_event, stable_decided, "1", "requests let in or refused in the window"),
    WIDE(record_serve_event, canary_decided, "1", "the same of the canary"),
    WIDE(record_serve_event, stable_refused, "1", "of these refused"),
    WIDE(record_serve_event, canary_refused, "1", "the same of the canary"),
    TIME(record_serve_event, stable_ttft_p99_ps, "ps", "TTFT that 99 % do not exceed; -1: nobody"),
    TIME(record_serve_event, canary_ttft_p99_ps, "ps", "the same of the canary"),
    TIME(record_serve_event, stable_tpot_p99_ps, "ps", "TPOT that 99 % do not exceed; -1: nobody"),
    TIME(record_serve_event, canary_tpot_p99_ps, "ps", "the same of the canary"),
    WIDE(record_serve_event, violations, "1", "of the contract by the step that was found out"),
    WIDE(record_serve_event, delayed, "1",
         "requests that the decision made later than without the rollout"),
    WIDE(record_serve_event, delay_ps, "ps", "by so much, together"),
    WIDE(record_serve_event, sooner, "1", "requests that it made earlier"),
    WIDE(record_serve_event, failed, "1", "requests in service that failed, and were served again"),
    WIDE(record_serve_event, refused, "1", "requests refused that would not have been"),
};

static const struct record_column compare_decisions[] = {
    TEXT(record_compare_decision, decision, "class of decision"),
    CODE(record_compare_decision, machine, machine_label, "machine"),
    CODE(record_compare_decision, when, when_label, "decided before the run or during it"),
    WIDE(record_compare_decision, count, "1", "decisions"),
    REAL(record_compare_decision, per_token, "1/token", "decisions a generated token"),
};

static const struct record_column compare_steps[] = {
    CODE(record_compare_step, machine, machine_label, "machine"),
    INDEX(record_compare_step, repeat, "simulation of the request, from 0"),
    INDEX(record_compare_step, step, "prompt chunks first, then decode steps"),
    CODE(record_compare_step, phase, phase_label, "kind of step"),
    INDEX(record_compare_step, position, "KV position of the step's first token"),
    TIME(record_compare_step, start_ps, "ps",
         "start after the start of the request; LPU: cycles, rounded"),
    TIME(record_compare_step, end_ps, "ps",
         "end; GPU steps overlap at their edges: TPOT runs from end to end"),
};

static const struct record_column compare_shares[] = {
    CODE(record_compare_share, machine, machine_label, "machine"),
    CODE(record_compare_share, phase, phase_label, "kind of step"),
    TEXT(record_compare_share, share, "what the time goes to"),
    TIME(record_compare_share, time_ps, "ps", "time of a step that it accounts for"),
};

static const struct record_column compare_metrics[] = {
    TEXT(record_compare_metric, metric, "name of the figure"),
    CODE(record_compare_metric, machine, machine_label, "machine"),
    REAL(record_compare_metric, value, "as in units", "value"),
    TEXT(record_compare_metric, units, "unit of the value"),
};

static const struct record_column compare_attribution[] = {
    TEXT(record_compare_attribution, frozen, "what stood still; the last row: interactions"),
    REAL(record_compare_attribution, mean_ps, "ps", "mean time between tokens"),
    TIME(record_compare_attribution, p50_ps, "ps", "its median"),
    TIME(record_compare_attribution, p99_ps, "ps", "its 99th percentile, nearest rank"),
    REAL(record_compare_attribution, deviation_ps, "ps", "its standard deviation"),
    REAL(record_compare_attribution, variance_share, "1", "share of the variance that went away"),
    REAL(record_compare_attribution, variance_error, "1", "standard error of that share"),
    REAL(record_compare_attribution, tail_share, "1", "share of p99 - p50 that went away"),
};

static const struct record_column compare_intervals[] = {
    TEXT(record_compare_interval, frozen, "what stood still, see /compare/attribution"),
    INDEX(record_compare_interval, repeat, "simulation of the request, from 0"),
    INDEX(record_compare_interval, step,
          "decode step that ends the interval, prompt chunks counted"),
    TIME(record_compare_interval, interval_ps, "ps", "time from token to token"),
};

#define TABLE(group, description, row, columns)                                                    \
    {                                                                                              \
        group, description, sizeof(struct row), columns, sizeof(columns) / sizeof(columns[0])      \
    }

static const struct record_schema schema[RECORD_TABLES] = {
    [RECORD_MODEL_OPS] =
        TABLE("/model/ops", "ops of a step, in a valid order", record_model_op, model_ops),
    [RECORD_PLAN_CANDIDATES] =
        TABLE("/plan/candidates", "splits that were compiled, to choose from",
              record_plan_candidate, plan_candidates),
    [RECORD_PLAN_STAGES] =
        TABLE("/plan/stages", "which chips hold which layers", record_plan_stage, plan_stages),
    [RECORD_PLAN_TENSORS] = TABLE("/plan/tensors", "where every tensor lives, and when",
                                  record_plan_tensor, plan_tensors),
    [RECORD_PLAN_PLACES] =
        TABLE("/plan/places", "the SRAM map: rows of every tensor in every slice",
              record_plan_place, plan_places),
    [RECORD_PLAN_SEATS] =
        TABLE("/plan/seats", "how sequences share the pipeline, by bucket; empty for one seat",
              record_plan_seats, plan_seats),
    [RECORD_PLAN_DISTANCES] =
        TABLE("/plan/distances", "how near steps may begin to each other; empty for one seat",
              record_plan_distance, plan_distances),
    [RECORD_PLAN_BOUNDS] =
        TABLE("/plan/bounds", "how good the schedule is: lower bounds beside what was compiled",
              record_plan_bound, plan_bounds),
    [RECORD_LPU_QUEUES] =
        TABLE("/lpu/queues", "instruction queues of a chip", record_lpu_queue, lpu_queues),
    [RECORD_LPU_OPS] =
        TABLE("/lpu/ops", "groups of instructions with one purpose", record_lpu_op, lpu_ops),
    [RECORD_LPU_PROGRAM] = TABLE("/lpu/program", "every instruction of every chip, for one step",
                                 record_lpu_instruction, lpu_program),
    [RECORD_LPU_TIMETABLE] = TABLE("/lpu/timetable", "every slot of every link, for one step",
                                   record_lpu_slot, lpu_timetable),
    [RECORD_LPU_STEPS] = TABLE("/lpu/steps", "steps of the run", record_lpu_step, lpu_steps),
    [RECORD_LPU_TOKENS] =
        TABLE("/lpu/tokens", "tokens of a run with values = on", record_lpu_token, lpu_tokens),
    [RECORD_LPU_TRANSFERS] =
        TABLE("/lpu/transfers", "what travelled between chips in executed steps",
              record_lpu_transfer, lpu_transfers),
    [RECORD_LPU_VIOLATIONS] = TABLE("/lpu/violations", "promises of the schedule that were broken",
                                    record_lpu_violation, lpu_violations),
    [RECORD_GPU_STEPS] =
        TABLE("/gpu/steps", "steps as each GPU saw them", record_gpu_step, gpu_steps),
    [RECORD_GPU_KERNELS] =
        TABLE("/gpu/kernels", "kernels of the first simulation", record_gpu_kernel, gpu_kernels),
    [RECORD_GPU_COLLECTIVES] =
        TABLE("/gpu/collectives", "collectives of the first simulation, as each GPU saw them",
              record_gpu_collective, gpu_collectives),
    [RECORD_GPU_LINKS] =
        TABLE("/gpu/links", "links over the whole first simulation", record_gpu_link, gpu_links),
    [RECORD_GPU_DECISIONS] = TABLE(
        "/gpu/decisions", "the ledger of the first simulation: run-time decisions of each step",
        record_gpu_decision, gpu_decisions),
    [RECORD_SERVE_REQUESTS] = TABLE("/serve/requests", "requests at each machine's door",
                                    record_serve_request, serve_requests),
    [RECORD_SERVE_MEASURES] =
        TABLE("/serve/measures", "the figures of the summary of serve, for each machine",
              record_serve_measure, serve_measures),
    [RECORD_SERVE_LOADS] = TABLE("/serve/loads", "rates of requests that frontier looked at",
                                 record_serve_load, serve_loads),
    [RECORD_SERVE_FRONTIER] = TABLE("/serve/frontier", "rates that keep limits (frontier)",
                                    record_serve_frontier, serve_frontier),
    [RECORD_SERVE_ROLLOUT] =
        TABLE("/serve/rollout", "a new schedule on its way to the racks (rollout)",
              record_serve_event, serve_rollout),
    [RECORD_COMPARE_DECISIONS] = TABLE("/compare/decisions", "where decisions are made",
                                       record_compare_decision, compare_decisions),
    [RECORD_COMPARE_STEPS] = TABLE("/compare/steps", "steps of both machines on one clock",
                                   record_compare_step, compare_steps),
    [RECORD_COMPARE_SHARES] = TABLE("/compare/shares", "where the time of a step goes",
                                    record_compare_share, compare_shares),
    [RECORD_COMPARE_METRICS] = TABLE("/compare/metrics", "the figures of the summary",
                                     record_compare_metric, compare_metrics),
    [RECORD_COMPARE_ATTRIBUTION] =
        TABLE("/compare/attribution", "sources of variability, frozen one by one (attribute)",
              record_compare_attribution, compare_attribution),
    [RECORD_COMPARE_INTERVALS] =
        TABLE("/compare/intervals", "what the attribution was made from (attribute)",
              record_compare_interval, compare_intervals),
};

const struct record_schema *record_layout(enum record_table table)
{
    assert(table >= 0 && table < RECORD_TABLES);
    return &schema[table];
}

static bool field_width_is_right(const struct record_column *column)
{
    static const size_t width[] = {[RECORD_I64] = 8, [RECORD_I32] = 4, [RECORD_I16] = 2,
                                   [RECORD_U8] = 1,  [RECORD_F64] = 8, [RECORD_F32] = 4};
    return column->type == RECORD_TEXT ? column->bytes > 0 : column->bytes == width[column->type];
}

bool record_schema_is_valid(const struct record_schema *table)
{
    for (size_t i = 0; i < table->columns; i++) {
        const struct record_column *column = &table->column[i];
        if (!column->units[0] || !column->description[0] || !field_width_is_right(column) ||
            column->offset + column->bytes > table->row_bytes)
            return false;
        for (size_t j = 0; j < i; j++)
            if (!strcmp(table->column[j].name, column->name))
                return false;
    }
    return table->group[0] == '/' && table->columns > 0;
}

static void print_type(FILE *stream, const struct record_column *column)
{
    static const char *const name[] = {
        [RECORD_I64] = "int64", [RECORD_I32] = "int32",   [RECORD_I16] = "int16",
        [RECORD_U8] = "uint8",  [RECORD_F64] = "float64", [RECORD_F32] = "float32"};
    if (column->type == RECORD_TEXT)
        fprintf(stream, "text(%zu)", column->bytes);
    else
        fputs(name[column->type], stream);
}

static void print_column(FILE *stream, const struct record_column *column)
{
    fprintf(stream, "| `%s` | ", column->name);
    print_type(stream, column);
    fprintf(stream, " | %s | %s", column->units, column->description);
    for (size_t i = 0; column->labels && column->labels[i]; i++)
        fprintf(stream, "%s %zu %s", i ? "," : ":", i, column->labels[i]);
    fputs(" |\n", stream);
}

void record_layout_print(FILE *stream)
{
    for (size_t i = 0; i < RECORD_TABLES; i++) {
        fprintf(stream, "%s### `%s`: %s\n\n", i ? "\n" : "", schema[i].group,
                schema[i].description);
        fputs("| column | type | unit | meaning |\n|---|---|---|---|\n", stream);
        for (size_t j = 0; j < schema[i].columns; j++)
            print_column(stream, &schema[i].column[j]);
    }
}
