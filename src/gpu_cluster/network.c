/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks over links: virtual cut-through, one arbitration a link, buffers without limit. */
#include <assert.h>

#include "gpu_cluster/world.h"

int64_t gpu_network_bytes(const struct gpu_event *chunk, int32_t hop)
{
    if (chunk->share > 1 && hop > 0) {
        return gpu_ceil_div(chunk->bytes, chunk->share);
    }
    if (chunk->share < -1 && hop == 0) {
        return gpu_ceil_div(chunk->bytes, -chunk->share);
    }
    return chunk->bytes;
}

/* Passes one link: the head goes on a latency after its start, the tail a latency after the link is
 * through and the tail has come in. Returns when the last byte has entered the wire. */
static int64_t pass(struct gpu_world *world, const struct gpu_path *path, struct gpu_event *chunk,
                    int64_t now_ps)
{
    int32_t id = path->link[chunk->hop];
    struct contended_link *link = &world->link[id];
    struct contended_service service =
        contended_link_offer(link, now_ps, gpu_network_bytes(chunk, chunk->hop));
    int64_t through = service.end_ps > chunk->tail_ps ? service.end_ps : chunk->tail_ps;
    gpu_world_count(world, chunk->step, GPU_DECISION_ARBITRATION, 1);
    chunk->queued_ps += service.start_ps - now_ps;
    chunk->tail_ps = through + link->wire.latency;
    chunk->hop++;
    if (chunk->hop < path->links) {
        chunk->kind = GPU_EVENT_LINK;
        chunk->target = path->link[chunk->hop];
        chunk->time_ps = service.start_ps + link->wire.latency;
    } else {
        chunk->kind = GPU_EVENT_DELIVER;
        chunk->target = chunk->to;
        chunk->time_ps = chunk->tail_ps;
    }
    gpu_world_post(world, *chunk);
    return through;
}

int64_t gpu_network_send(struct gpu_world *world, struct gpu_event *chunk, int64_t offered_ps)
{
    struct gpu_path path = gpu_topology_path(&world->topology, chunk->from, chunk->to);
    assert(path.links > 0);
    chunk->hop = 0;
    return pass(world, &path, chunk, offered_ps);
}

void gpu_network_arrive(struct gpu_world *world, const struct gpu_event *chunk)
{
    struct gpu_path path = gpu_topology_path(&world->topology, chunk->from, chunk->to);
    struct gpu_event moved = *chunk;
    pass(world, &path, &moved, chunk->time_ps);
}

int64_t gpu_network_idle_ps(const struct gpu_world *world, const struct gpu_event *chunk)
{
    struct gpu_path path = gpu_topology_path(&world->topology, chunk->from, chunk->to);
    int64_t latency = 0, longest = 0;
    for (int32_t i = 0; i < path.links; i++) {
        const struct wire *wire = &world->topology.wires.wire[path.link[i]];
        int64_t transfer = wire->message_ps + wire_transfer_ps(wire, gpu_network_bytes(chunk, i));
        longest = transfer > longest ? transfer : longest;
        latency += wire->latency;
    }
    return latency + longest;
}
