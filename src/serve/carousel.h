/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests at the door of the static machine: seats are known, so is every time, at admission.
 *
 * A compiled bucket has two exact numbers: the step latency L and the initiation interval P. A
 * sequence that is in gets one token each L; floor(L / P) sequences are in at once. What varies is
 * outside: arrivals and the queue. Chunks of a prompt are taken to hold the seat of their own
 * sequence only, which is exact for one seat. */
#ifndef SERVE_CAROUSEL_H
#define SERVE_CAROUSEL_H

#include <stddef.h>
#include <stdint.h>

#include "serve/requests.h"

/* What becomes of a request. first_token_ps and finished_ps are when the client has the token. */
struct serve_times {
    int64_t admitted_ps, first_token_ps, finished_ps;
};

/* The static machine as its schedules describe it. */
struct serve_carousel {
    int64_t latency_ps;  /* L: of a decode step */
    int64_t interval_ps; /* P: between two decode steps, 0 < P <= L */
    int64_t chunk_ps;    /* of a prefill step */
    int32_t chunk_tokens;
    int64_t pcie_latency_ps, pcie_bytes_per_s; /* host to chip and back */
};

/* Sequences that are in at once: floor(L / P). */
int32_t serve_carousel_seats(const struct serve_carousel *carousel);

/* Prefill steps of a prompt: its last token goes through a decode step. */
int64_t serve_carousel_chunks(const struct serve_carousel *carousel, int32_t prompt_tokens);

/* Host to chip or back for `tokens` ids of 4 bytes, rounded up to a picosecond. */
int64_t serve_carousel_transfer_ps(const struct serve_carousel *carousel, int32_t tokens);

/* From admission to the first token at the client. */
int64_t serve_carousel_first_token_ps(const struct serve_carousel *carousel, int32_t prompt_tokens);

/* Admits `count` requests, sorted by arrival, first come first served, each as soon as it is there
 * and a seat is free. Exact: a seat is free when its sequence has left the machine. */
void serve_carousel_admit(const struct serve_carousel *carousel,
                          const struct serve_request *request, size_t count,
                          struct serve_times *times);

#endif
