/* SPDX-License-Identifier: BSD-3-Clause */
/* Scheduled transfers between pipeline stages: rows of the residual stream, and the token's way
 * back. */
#ifndef PARTITION_TRANSFER_H
#define PARTITION_TRANSFER_H

#include "interconnect/lpu_topology.h"
#include "partition/stages.h"

/* Instructions of one chip that takes part, as a block with physical link numbers. */
struct transfer_part {
    int32_t chip;
    struct block block;
};

struct transfer {
    struct transfer_part *part;
    size_t parts, capacity;
    int64_t length; /* cycles from the end of the sender's blocks to the last arrival */
};

/* What moves: residual rows (inside an MLP those that it began with, too), or the token. */
enum transfer_what {
    TRANSFER_AFTER_MLP,
    TRANSFER_AFTER_ATTENTION,
    TRANSFER_INSIDE_MLP,
    TRANSFER_TOKEN
};

struct transfer_request {
    enum partition_phase phase;
    int32_t from_first, to_first; /* first chips of both groups */
    struct stages_unit from;      /* the sender's last */
    enum transfer_what what;
    bool straight; /* no detours: chips of other stages may be at work on other steps */
};

/* False where no path joins the groups. Release with transfer_release in either case. */
bool transfer_build(struct transfer *transfer, const struct templates *templates,
                    const struct lpu_topology *topology, const struct transfer_request *request);
void transfer_release(struct transfer *transfer);

#endif
