/* SPDX-License-Identifier: BSD-3-Clause */
/* A closed loop: clients that each keep one request in the engine, as benchmarks do. */
#ifndef SERVE_CLIENTS_H
#define SERVE_CLIENTS_H

#include "serve/replicas.h"

/* All clients send their first request at 0, the next one `client_ps` after the last token of the
 * one before; those that get it with the same iteration in the order of their numbers. */
struct serve_clients {
    int32_t clients, rounds; /* rounds: requests of a client, one after the other */
    int32_t prompt, output;
    double shortest; /* lengths are drawn evenly from this share of prompt and output up to both; 1:
                        all alike */
    int64_t client_ps;
};

/* Means over requests; tpot: per token behind the first. */
struct serve_clients_times {
    double ttft_ps, tpot_ps;
    int64_t last_first_ps; /* when the last first token came */
    struct serve_tally tally;
};

/* The engine must be able to hold a request of full length. */
struct serve_clients_times serve_clients_run(const struct serve_clients *clients,
                                             const struct serve_rules *rules,
                                             const struct serve_clock *clock);

#endif
