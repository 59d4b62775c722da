/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that are drawn: request i is a function of the seed, the source and i, whatever is drawn
 * behind it. */
#ifndef SERVE_DRAWS_H
#define SERVE_DRAWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/serve_spec.h"
#include "serve/requests.h"

/* Fills `count` requests of tenant 0, the first one interval after 0. source->rate is more than 0.
 * false where their arrivals would not end within 30 days of simulated time; what is filled then is
 * of no use. */
bool serve_draws_take(const struct serve_source *source, uint64_t seed, size_t count,
                      struct serve_request *request);

#endif
