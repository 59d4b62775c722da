/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses slots and windows for what a trace asks for, before any request is served. */
#ifndef SERVE_FRAME_CHOICE_H
#define SERVE_FRAME_CHOICE_H

#include "base/serve_spec.h"
#include "serve/frame.h"
#include "serve/requests.h"

/* What a frame comes to for the requests it was chosen for. The mean request has the mean numbers
 * of prompt and output tokens, rounded. */
struct serve_capacity {
    double requests_per_s, tokens_per_s; /* of one replica, with requests always waiting */
    int64_t full_tpot_ps;                /* a token then: what 99 % of the requests do not exceed */
    int64_t alone_ttft_ps, alone_tpot_ps; /* of the mean request on an empty machine, at the worst
                                             moment to come: it has just missed a pass */
    int64_t bare_tpot_ps;                 /* its time a token without windows */
    int32_t mean_prompt, mean_output;
};

/* The frame of the greatest capacity, or, of those that come within 2 % of it, the one in which the
 * mean request's first token is there soonest at worst. If any keep the limits, it is one of those:
 * TTFT of the mean request alone, TPOT of 99 % of the requests. A share of the slots closed by
 * windows may be given (spec->prefill_share > 0). Capacity is measured by planning a sample of the
 * requests that are all there at the start. */
struct serve_frame serve_frame_choose(const struct serve_machine *machine,
                                      const struct serve_spec *spec,
                                      const struct serve_request *request, size_t count,
                                      struct serve_capacity *capacity);

/* Measures any frame. */
struct serve_capacity serve_frame_capacity(const struct serve_machine *machine,
                                           const struct serve_frame *frame,
                                           const struct serve_request *request, size_t count);

#endif
