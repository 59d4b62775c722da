/* SPDX-License-Identifier: BSD-3-Clause */
/* The message mesh as a client of the engine. */
#include "mesh.h"

#include "base/memory.h"
#include "base/random.h"
#include "digest.h"
#include "engine/blocks.h"

enum { PORTS = 4 };

struct event {
    int64_t time_ps;
    uint64_t key; /* sender, and how many it has sent before */
    int64_t target;
};

struct node {
    uint64_t digest;
    uint32_t sent;
    int32_t neighbour[PORTS], owner[PORTS];
};

struct mesh {
    struct mesh_spec spec;
    struct engine *engine;
    int32_t first, count;
    struct node *node; /* [count] */
};

static void send(struct mesh *mesh, int32_t from, int32_t port, int64_t now_ps)
{
    struct node *node = &mesh->node[from - mesh->first];
    const struct event event = {now_ps + mesh->spec.latency_ps, (uint64_t)from << 32 | node->sent++,
                                node->neighbour[port]};
    if (event.time_ps < mesh->spec.end_ps) {
        engine_post(mesh->engine, node->owner[port], &event);
    }
}

static void handle(void *self, const void *what)
{
    struct mesh *mesh = self;
    const struct event *event = what;
    int32_t target = (int32_t)event->target;
    struct node *node = &mesh->node[target - mesh->first];
    node->digest = digest_event(node->digest, event->time_ps, event->key);
    uint64_t draw =
        base_random_u64(mesh->spec.seed, BASE_RANDOM_PLAY, (uint64_t)target, node->sent);
    send(mesh, target, (int32_t)(draw % PORTS), event->time_ps);
}

static void join(const struct mesh *mesh, int32_t id, int32_t partitions)
{
    int32_t width = mesh->spec.width, height = mesh->spec.height, x = id % width, y = id / width;
    struct node *node = &mesh->node[id - mesh->first];
    const int32_t neighbour[PORTS] = {
        (x + 1) % width + y * width,
        (x + width - 1) % width + y * width,
        x + (y + 1) % height * width,
        x + (y + height - 1) % height * width,
    };
    node->digest = (uint64_t)id;
    for (int32_t p = 0; p < PORTS; p++) {
        node->neighbour[p] = neighbour[p];
        node->owner[p] = engine_block_owner(width * height, partitions, neighbour[p]);
    }
}

struct mesh *mesh_create(const struct mesh_spec *spec, int32_t partition, int32_t partitions)
{
    struct mesh *mesh = base_alloc(1, sizeof *mesh);
    const struct engine_client client = {.self = mesh,
                                         .event_bytes = sizeof(struct event),
                                         .handle = handle,
                                         .lookahead_ps = spec->latency_ps};
    int32_t nodes = spec->width * spec->height;
    mesh->spec = *spec;
    mesh->engine = engine_create(&client, partition, partitions);
    mesh->first = engine_block_first(nodes, partitions, partition);
    mesh->count = engine_block_first(nodes, partitions, partition + 1) - mesh->first;
    mesh->node = base_alloc((size_t)mesh->count, sizeof *mesh->node);
    for (int32_t i = 0; i < mesh->count; i++) {
        join(mesh, mesh->first + i, partitions);
        for (int32_t port = 0; port < PORTS; port++) {
            send(mesh, mesh->first + i, port, 0);
        }
    }
    return mesh;
}

void mesh_free(struct mesh *mesh)
{
    if (mesh != NULL) {
        engine_free(mesh->engine);
        base_free(mesh->node);
        base_free(mesh);
    }
}

struct engine *mesh_engine(struct mesh *mesh)
{
    return mesh->engine;
}

uint64_t mesh_digest(const struct mesh *mesh)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < mesh->count; i++) {
        sum += mesh->node[i].digest;
    }
    return sum;
}
