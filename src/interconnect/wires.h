/* SPDX-License-Identifier: BSD-3-Clause */
/* Wires: the one description of links that the scheduled timetable and the contended queues both
 * start from. */
#ifndef INTERCONNECT_WIRES_H
#define INTERCONNECT_WIRES_H

#include <stddef.h>
#include <stdint.h>

/* One directed wire. Endpoints are numbered by whoever lays the wires; parallel wires are separate
 * entries. */
struct wire {
    int32_t from, to;
    int64_t latency; /* head in to head out: picoseconds (GPU clusters) or cycles (LPU racks) */
    int64_t bytes_per_s;
    int64_t message_ps; /* contended: what a chunk costs beside its bytes */
};

/* All wires of a machine; the index of a wire is its id. */
struct wires {
    struct wire *wire;
    int32_t count;
};

/* Time that `bytes` occupy a wire, rounded to the nearest picosecond. */
static inline int64_t wire_transfer_ps(const struct wire *wire, int64_t bytes)
{
    const int64_t ps_per_s = INT64_C(1000000000000);
    if (bytes < INT64_MAX / ps_per_s) {
        return (bytes * ps_per_s + wire->bytes_per_s / 2) / wire->bytes_per_s;
    }
    int64_t whole = bytes / wire->bytes_per_s, rest = bytes % wire->bytes_per_s;
    return whole * ps_per_s + (int64_t)((double)rest * 1e12 / (double)wire->bytes_per_s + 0.5);
}

#endif
