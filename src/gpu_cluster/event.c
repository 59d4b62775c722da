/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of events that happen at one moment. */
#include "gpu_cluster/event.h"

uint64_t gpu_event_key(const struct gpu_event *event)
{
    return (uint64_t)event->kind << 60 | (uint64_t)(uint32_t)event->target << 36 |
           ((uint64_t)(uint32_t)event->from & 0xFFFFFF) << 12 |
           ((uint64_t)(uint32_t)event->chunk & 0xFFF);
}
