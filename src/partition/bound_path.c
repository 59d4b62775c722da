/* SPDX-License-Identifier: BSD-3-Clause */
/* Least cycles of ways through units, of crossings of lanes, and of collectives over links. */
#include "partition/bound_path.h"

#include <stdlib.h>

#include "base/memory.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int32_t apart(const struct lpu_chip *chip, int32_t queue, int32_t other)
{
    return abs(program_queue_position(chip, queue) - program_queue_position(chip, other));
}

struct bound_machine bound_machine_of(const struct lpu_chip *chip)
{
    struct bound_machine m = {.chip = chip};
    int64_t permute = least(chip->sxm_cycles, chip->sxm_transpose_cycles) - chip->sxm_skew_cycles;
    int64_t to_links = apart(chip, PROGRAM_QUEUE_VXM, PROGRAM_QUEUE_SEND);
    m.to_mxm = apart(chip, PROGRAM_QUEUE_VXM, PROGRAM_QUEUE_MXM);
    m.alu = chip->vxm_alu_cycles - chip->vxm_skew_cycles;
    m.mxm = 2 * m.to_mxm + chip->mxm_compute_cycles - chip->mxm_compute_skew_cycles;
    m.sxm = 2 * apart(chip, PROGRAM_QUEUE_VXM, PROGRAM_QUEUE_SXM) + permute;
    m.further = chip->c2c_hop_cycles + chip->c2c_receive_cycles;
    m.hop = 2 * to_links + m.further;
    m.slot = machine_link_slot_cycles(chip);
    m.read = chip->mem_read_cycles + apart(chip, 0, PROGRAM_QUEUE_MXM);
    m.load_streams = (int64_t)chip->mxm_planes * chip->mxm_load_streams;
    m.array = (int64_t)chip->mxm_planes * chip->mxm_columns;
    return m;
}

int64_t bound_crossing_way(const struct bound_machine *m)
{
    return least(m->sxm, m->mxm) + m->alu;
}

int64_t bound_crossing(const struct bound_machine *m, int64_t rows, int64_t values, int32_t planes)
{
    int64_t bytes = rows * least(values, m->chip->lanes) * planes;
    int64_t streams = 2 * m->chip->streams_per_direction;
    int64_t way = bound_crossing_way(m);
    return least(way + bound_ceil(bytes, streams) - 1, 2 * way);
}

/* Each link brings `sums` vectors that took two hops; of all others it must bring every chip's own.
 */
static int64_t two_hops(const struct bound_machine *m, int32_t group, int64_t vectors, int64_t sums)
{
    int64_t own = vectors - sums * (group - 2);
    return greatest(2 * m->hop + m->alu + (sums - 1) * m->slot,
                    m->hop + (greatest(own, 1) - 1) * m->slot);
}

/* For everybody to know a sum, 2 T - 2 one-way messages have to be sent, which are 2 / T a link. */
int64_t bound_exchange(const struct bound_machine *m, int32_t group, int64_t vectors, int64_t late)
{
    int64_t one_hop = m->hop + m->alu + (vectors - 1) * m->slot, best = one_hop;
    int64_t latest = least(one_hop, 2 * m->hop + m->alu), gossip = bound_ceil(2 * vectors, group);
    for (int64_t sums = 1; sums < vectors && 2 * m->hop + (sums - 1) * m->slot < best; sums++)
        best = least(best, two_hops(m, group, vectors, sums));
    return greatest(greatest(best - late, latest), m->hop + (gossip - 1) * m->slot);
}

static bool is_in(const struct bound_pair *p, int32_t first, int32_t chip)
{
    return chip >= first && chip < first + p->group;
}

/* Links that end at the receivers, straight from the senders or from anybody else, and at how many
 * of them. */
struct bound_joint {
    int64_t links, heads;
};

static void count_links(const struct bound_pair *p, int32_t chip, struct bound_joint *straight,
                        struct bound_joint *other)
{
    int64_t direct = 0, rest = 0;
    for (int32_t link = 0; link < p->topology->links; link++) {
        int32_t peer = lpu_topology_peer(p->topology, chip, link).chip;
        direct += peer >= 0 && is_in(p, p->from, peer);
        rest += peer >= 0 && !is_in(p, p->from, peer) && !is_in(p, p->to, peer);
    }
    straight->links += direct, straight->heads += direct > 0;
    other->links += rest, other->heads += rest > 0;
}

/* Whether a sender has a link to a receiver. */
static bool is_joined(const struct bound_pair *p, int32_t chip)
{
    for (int32_t link = 0; link < p->topology->links; link++)
        if (is_in(p, p->to, lpu_topology_peer(p->topology, chip, link).chip))
            return true;
    return false;
}

static int64_t count_tails(const struct bound_pair *p)
{
    int64_t tails = 0;
    for (int32_t chip = p->from; chip < p->from + p->group; chip++)
        tails += is_joined(p, chip);
    return tails;
}

/* Hops from `chip` of the senders to the nearest receiver, by no link that joins both groups. */
static int32_t detour(const struct bound_pair *p, int32_t chip, int32_t *hops, int32_t *queue)
{
    int32_t count = 1;
    for (int32_t c = 0; c < p->topology->chips; c++)
        hops[c] = -1;
    hops[chip] = 0, queue[0] = chip;
    for (int32_t n = 0; n < count; n++)
        for (int32_t link = 0; link < p->topology->links; link++) {
            int32_t peer = lpu_topology_peer(p->topology, queue[n], link).chip;
            bool ends = peer >= 0 && is_in(p, p->to, peer);
            if (peer < 0 || hops[peer] >= 0 || (ends && is_in(p, p->from, queue[n])))
                continue;
            hops[peer] = hops[queue[n]] + 1, queue[count++] = peer;
            if (ends)
                return hops[peer];
        }
    return -1;
}

/* The least such way of any sender, or, of parts of sums, of the sender that has the longest, apart
 * from those that need none where others do; -1: there is none. */
static int64_t shortest_detour(const struct bound_pair *p)
{
    bool skips = p->sums && count_tails(p) < p->group;
    size_t chips = (size_t)p->topology->chips;
    int32_t *hops = base_alloc(chips, sizeof *hops), *queue = base_alloc(chips, sizeof *queue);
    int64_t best = -1;
    for (int32_t chip = p->from; chip < p->from + p->group; chip++) {
        int64_t way = skips && is_joined(p, chip) ? -1 : detour(p, chip, hops, queue);
        if (best < 0 || (p->sums ? way > best : way >= 0 && way < best))
            best = way;
    }
    base_free(hops);
    base_free(queue);
    return best;
}

int64_t bound_move(const struct bound_machine *m, const struct bound_pair *p, int64_t vectors)
{
    struct bound_joint straight = {0}, other = {0};
    int64_t best = INT64_MAX, adds = p->sums ? m->alu : 0, around = shortest_detour(p);
    for (int32_t chip = p->to; chip < p->to + p->group; chip++)
        count_links(p, chip, &straight, &other);
    int64_t near = (p->sums && p->group > count_tails(p)) + (p->group > straight.heads);
    int64_t far = around - 1 + (p->group > other.heads);
    int64_t most = around < 0 ? 0 : vectors;
    for (int64_t x = straight.links ? 0 : most; x <= most; x++) {
        int64_t direct = x == vectors ? 0
                                      : m->hop + near * m->further +
                                            (bound_ceil(vectors - x, straight.links) - 1) * m->slot;
        int64_t rest =
            x == 0 ? 0 : m->hop + far * m->further + (bound_ceil(x, other.links) - 1) * m->slot;
        best = least(best, greatest(direct, rest));
    }
    return best == INT64_MAX ? 0 : best + adds;
}
