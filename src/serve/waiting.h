/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is next at the static machine's door. */
#ifndef SERVE_WAITING_H
#define SERVE_WAITING_H

#include "base/serve_spec.h"
#include "serve/requests.h"

struct serve_waiting; /* opaque */

/* For requests of a list that outlives it. Tenants' budgets are `share` times what the
 * specification says. */
struct serve_waiting *serve_waiting_create(const struct serve_spec *spec,
                                           const struct serve_request *request, size_t count,
                                           double share);
void serve_waiting_release(struct serve_waiting *waiting);

void serve_waiting_push(struct serve_waiting *waiting, size_t number);

/* The earliest moment from `from_ps` on at which one of those that wait may be taken; INT64_MAX:
 * none ever. Whoever is next of a tenant without tokens at `from_ps` counts as held up. */
int64_t serve_waiting_ready_ps(struct serve_waiting *waiting, int64_t from_ps);

/* Takes the one that is next at such a moment. */
size_t serve_waiting_take(struct serve_waiting *waiting, int64_t at_ps);

/* Whether its tenant's budget has kept a request waiting while a seat was free. */
bool serve_waiting_was_held(const struct serve_waiting *waiting, size_t number);

/* A request that was taken at `at_ps` is let in: its tenant pays prompt and output. */
void serve_waiting_charge(struct serve_waiting *waiting, size_t number, int64_t at_ps);

#endif
