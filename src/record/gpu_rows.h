/* SPDX-License-Identifier: BSD-3-Clause */
/* One row of each table about the GPU cluster and about both machines; units are in layout.c. */
#ifndef RECORD_GPU_ROWS_H
#define RECORD_GPU_ROWS_H

#include <stdint.h>

#include "record/lpu_rows.h"

struct record_gpu_step {
    int32_t repeat, step, gpu;
    uint8_t phase;
    int32_t tokens, kv_positions;
    int64_t start_ps, end_ps, host_ps, compute_ps, collective_ps, idle_ps;
};

struct record_gpu_kernel {
    int32_t repeat, step, gpu, sequence, layer;
    uint8_t op, bound; /* enum gpu_op, enum gpu_bound */
    int32_t blocks, waves, split_k;
    int64_t start_ps, end_ps, queue_ps;
};

struct record_gpu_collective {
    int32_t repeat, step, gpu, sequence, layer;
    uint8_t op; /* enum gpu_op */
    int64_t bytes, start_ps, end_ps, wait_ps, queue_ps;
};

struct record_gpu_link {
    int32_t repeat, link;
    char from[RECORD_NAME_BYTES], to[RECORD_NAME_BYTES];
    int64_t busy_ps, neighbour_busy_ps, queued_ps, longest_queue_ps;
    int64_t bytes, neighbour_bytes, chunks, neighbour_messages;
};

struct record_gpu_decision {
    int32_t step;
    uint8_t decision; /* enum gpu_decision */
    int64_t count;
};

struct record_serve_request {
    uint8_t machine;
    int32_t request, tenant, prompt_tokens, output_tokens;
    uint8_t fate; /* enum serve_fate */
    int32_t replica, preemptions;
    int64_t arrival_ps, admitted_ps, first_token_ps, finished_ps, promised_ps, longest_gap_ps;
};

struct record_serve_measure {
    uint8_t machine;
    char measure[2 * RECORD_NAME_BYTES];
    double value;
    char units[RECORD_NAME_BYTES];
};

struct record_serve_event {
    int64_t at_ps;
    uint8_t event, gate, version; /* enum serve_event_kind, serve_gate, serve_version */
    int32_t rack, stable_racks, canary_racks;
    int64_t stable_finished, canary_finished, stable_decided, canary_decided;
    int64_t stable_refused, canary_refused;
    int64_t stable_ttft_p99_ps, canary_ttft_p99_ps, stable_tpot_p99_ps, canary_tpot_p99_ps;
    int64_t violations, delayed, delay_ps, sooner, failed, refused;
};

struct record_serve_load {
    uint8_t machine;
    double rate, of_capacity;
    int64_t finished, good;
    int64_t ttft_p50_ps, ttft_p90_ps, ttft_p99_ps, tpot_p50_ps, tpot_p90_ps, tpot_p99_ps;
    double waiting, output_tokens_per_s;
};

struct record_serve_frontier {
    uint8_t machine;
    int64_t ttft_limit_ps, tpot_limit_ps;
    double rate;
    uint8_t broken; /* enum serve_verdict */
};

struct record_compare_decision {
    char decision[RECORD_NAME_BYTES];
    uint8_t machine, when;
    int64_t count;
    double per_token;
};

struct record_compare_step {
    uint8_t machine;
    int32_t repeat, step;
    uint8_t phase;
    int32_t position;
    int64_t start_ps, end_ps;
};

struct record_compare_share {
    uint8_t machine, phase;
    char share[RECORD_NAME_BYTES];
    int64_t time_ps;
};

struct record_compare_attribution {
    char frozen[2 * RECORD_NAME_BYTES];
    double mean_ps;
    int64_t p50_ps, p99_ps;
    double deviation_ps, variance_share, variance_error, tail_share;
};

struct record_compare_interval {
    char frozen[2 * RECORD_NAME_BYTES];
    int32_t repeat, step;
    int64_t interval_ps;
};

struct record_compare_metric {
    char metric[2 * RECORD_NAME_BYTES];
    uint8_t machine;
    double value;
    char units[RECORD_NAME_BYTES];
};

#endif
