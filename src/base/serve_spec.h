/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of the serving simulation: requests, limits, and how each machine's door works.
 * Plain data, filled from the `serve` section of a .cfg file. Times in picoseconds. */
#ifndef BASE_SERVE_SPEC_H
#define BASE_SERVE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"

enum serve_format {
    SERVE_AUTO,     /* by the file's first line */
    SERVE_AZURE,    /* TIMESTAMP,ContextTokens,GeneratedTokens */
    SERVE_MOONCAKE, /* JSON lines: timestamp (ms), input_length, output_length */
    SERVE_CSV,      /* arrival_s,prompt_tokens,output_tokens[,tenant] */
};

enum serve_arrivals {
    SERVE_POISSON,
    SERVE_GAMMA,  /* intervals with a coefficient of variation of their own */
    SERVE_BURSTS, /* Poisson while on, nothing while off; both last exponential times */
    SERVE_EVEN,   /* one interval, always */
};

/* Where requests come from: a trace, or draws. */
struct serve_source {
    char trace[MACHINE_PATH_BYTES]; /* "": generated */
    enum serve_format format;
    int64_t first, requests; /* slice of the trace, or how many are drawn; requests 0: all */
    double rate;             /* requests a second; 0: as the trace has it (generated: required) */
    enum serve_arrivals arrivals;
    double arrival_cv; /* GAMMA */
    int64_t burst_on_ps, burst_off_ps;
    /* Log-normal lengths, at least 1 token; cv 0: all alike. */
    double prompt_mean, prompt_cv, output_mean, output_cv;
    int32_t tenants; /* a trace without tenants, and draws, are dealt to so many; 1: one */
};

/* Which waiting request is next at the static machine's door. */
enum serve_policy {
    SERVE_FIRST_COME,
    SERVE_EARLIEST_DEADLINE, /* arrival + ttft_limit, + tpot_limit a token */
    SERVE_TENANT_BUDGET,     /* first come among tenants that have tokens left to spend */
};

enum serve_batching {
    SERVE_CONTINUOUS, /* a new batch each iteration */
    SERVE_DYNAMIC,    /* batches of requests that begin and end together */
};

enum serve_router {
    SERVE_ROUND_ROBIN,
    SERVE_LEAST_LOADED, /* fewest tokens outstanding */
};

/* Where the time of a GPU iteration comes from. */
enum serve_fidelity {
    SERVE_CELLS, /* distributions on a grid of batches, simulated beforehand */
    SERVE_EXACT, /* the event simulation of that very batch, with draws of its own */
};

/* A new schedule goes out to the LPU racks: when, to whom, and what it must keep. */
struct serve_rollout_spec {
    int64_t start_ps;
    double share;                  /* of requests that go to the canary while it is watched */
    int64_t window_ps;             /* between two looks at the gates */
    int64_t observe_ps;            /* of clean windows before it is promoted */
    int32_t least;                 /* requests that the canary finishes before a window counts */
    double ttft_ratio, tpot_ratio; /* p99, most of the stable one's */
    double refusals;               /* share of requests, most beyond the stable one's */
};

struct serve_spec {
    struct serve_source source;
    int64_t ttft_limit_ps, tpot_limit_ps; /* what counts as good; 0: no limit */
    /* The LPU rack */
    enum serve_policy policy;
    bool refuse_late;           /* what would miss its limits is refused at once */
    double tenant_tokens_per_s; /* SERVE_TENANT_BUDGET: of each tenant */
    double prefill_share;       /* of starts that are kept for prefill passes; 0: by the trace */
    int32_t lpu_replicas;       /* racks with a router in front */
    struct serve_rollout_spec rollout;
    /* The GPU cluster */
    enum serve_batching batching;
    int64_t budget_tokens;  /* of an iteration; 0: as engines do for the GPU */
    int32_t max_sequences;  /* of an iteration, or of a dynamic batch */
    int64_t batch_delay_ps; /* SERVE_DYNAMIC: longest wait for a preferred size */
    int32_t
        preferred_sequences; /* SERVE_DYNAMIC: goes at once with a multiple of so many; 0: unset */
    bool splits_prompts;     /* chunked prefill */
    bool preempts;           /* KV blocks as they are needed, the youngest recomputed if none is
                                left; else a request waits until all its blocks are free */
    int32_t gpu_replicas;
    enum serve_router router; /* of both machines */
    enum serve_fidelity fidelity;
};

#endif
