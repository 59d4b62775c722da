/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs of collectives: every chunk is waited for, bytes are conserved, times without contention
 * are closed forms, any partitioning gives the same. */
#include "base/memory.h"
#include "base/random.h"
#include "cluster_fixture.h"
#include "gpu_cluster/predict.h"
#include "test.h"

enum { CALLS = 60, SEED = 7 };

static const enum gpu_op ops[] = {GPU_OP_ALL_REDUCE, GPU_OP_ALL_GATHER, GPU_OP_REDUCE_SCATTER,
                                  GPU_OP_ALL_TO_ALL, GPU_OP_BROADCAST,  GPU_OP_SEND};

static int64_t draw(int32_t call, int32_t which, int64_t values)
{
    double u = base_random_uniform(SEED, BASE_RANDOM_KERNEL, (uint64_t)call, (uint64_t)which);
    return (int64_t)(u * (double)values);
}

static struct gpu_cluster_spec nodes_of(int32_t nodes, int32_t gpus_per_node)
{
    struct gpu_cluster_spec spec = fixture_job().cluster;
    spec.nodes = nodes;
    spec.gpus_per_node = gpus_per_node;
    spec.neighbour = false;
    return spec;
}

static bool goes_with(enum gpu_op op, enum gpu_algorithm algorithm, int32_t nodes)
{
    if (algorithm == GPU_ALGORITHM_NVLS && nodes == 1 && op != GPU_OP_BROADCAST)
        return true;
    bool adds = algorithm != GPU_ALGORITHM_AUTO && algorithm != GPU_ALGORITHM_RING;
    return adds ? op == GPU_OP_ALL_REDUCE : true;
}

/* A call of random size on 2 to 24 GPUs in 1 to 3 nodes; algorithms by turns. */
static struct gpu_question question_of(int32_t call, struct gpu_cluster_spec *spec)
{
    int32_t nodes = 1 + (int32_t)draw(call, 0, 3), each = 1 + (int32_t)draw(call, 1, 8);
    each = nodes == 1 && each == 1 ? 2 : each;
    *spec = nodes_of(nodes, each);
    enum gpu_op op = ops[draw(call, 2, sizeof ops / sizeof ops[0])];
    unsigned algorithm = (unsigned)draw(call, 3, GPU_ALGORITHM_DIRECT);
    bool known = goes_with(op, (enum gpu_algorithm)algorithm, nodes) && op != GPU_OP_ALL_TO_ALL &&
                 op != GPU_OP_SEND;
    return (struct gpu_question){.op = op,
                                 .ranks = op == GPU_OP_SEND ? 2 : nodes * each,
                                 .bytes = 1 + draw(call, 4, INT64_C(1) << draw(call, 5, 25)),
                                 .wish = {.algorithm = known ? algorithm : GPU_ALGORITHM_AUTO,
                                          .protocol = (unsigned)draw(call, 6, GPU_PROTOCOLS),
                                          .channels = (int32_t)draw(call, 7, 9)}};
}

static struct gpu_call call_of(const struct gpu_question *q, const struct gpu_cluster_spec *spec)
{
    struct gpu_chip chip = fixture_job().chip;
    if (q->op == GPU_OP_SEND && spec->gpus_per_node < 2)
        return gpu_call_make(&chip, spec, &q->wish, GPU_OP_BROADCAST, 0, 2, q->bytes);
    return gpu_call_make(&chip, spec, &q->wish, q->op, 0, q->ranks, q->bytes);
}

/* Where the moves of a lane begin in one array over all members. */
static int32_t *starts_of(const struct gpu_call *call, int32_t *total)
{
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(call);
    int32_t lanes = rules->lanes(call);
    int32_t *start = base_alloc((size_t)(call->ranks * lanes), sizeof *start);
    *total = 0;
    for (int32_t r = 0; r < call->ranks; r++)
        for (int32_t l = 0; l < lanes; l++) {
            start[r * lanes + l] = *total;
            *total += rules->moves(call, r, l);
        }
    return start;
}

static void aim_all(const struct gpu_call *call, const int32_t *start, int32_t *due)
{
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(call);
    int32_t lanes = rules->lanes(call);
    for (int32_t r = 0; r < call->ranks; r++)
        for (int32_t l = 0; l < lanes; l++)
            for (int32_t m = 0; m < rules->moves(call, r, l); m++) {
                struct gpu_move move = rules->move(call, r, l, m);
                for (int32_t k = 0; k < move.sends; k++) {
                    struct gpu_aim aim = rules->aim(call, r, l, m, &move, k);
                    CU_ASSERT_TRUE_FATAL(aim.rank >= 0 && aim.rank < call->ranks &&
                                         aim.lane < lanes &&
                                         aim.move < rules->moves(call, aim.rank, aim.lane));
                    due[start[aim.rank * lanes + aim.lane] + aim.move]++;
                }
            }
}

static void check_aims(const struct gpu_call *call)
{
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(call);
    int32_t total, lanes = rules->lanes(call), strays = 0;
    int32_t *start = starts_of(call, &total);
    int32_t *due = base_alloc((size_t)total + 1, sizeof *due);
    aim_all(call, start, due);
    for (int32_t r = 0; r < call->ranks; r++)
        for (int32_t l = 0; l < lanes; l++)
            for (int32_t m = 0; m < rules->moves(call, r, l); m++)
                strays += rules->move(call, r, l, m).waits != due[start[r * lanes + l] + m];
    CU_ASSERT_EQUAL(strays, 0);
    base_free(due);
    base_free(start);
}

static void every_move_waits_for_what_is_sent_to_it(void)
{
    for (int32_t c = 0; c < 4 * CALLS; c++) {
        struct gpu_cluster_spec spec;
        struct gpu_question q = question_of(c, &spec);
        struct gpu_call call = call_of(&q, &spec);
        check_aims(&call);
    }
}

static void all_to_all_reaches_every_peer_with_its_part(void)
{
    struct gpu_cluster_spec spec = nodes_of(1, 6);
    struct gpu_question q = {.op = GPU_OP_ALL_TO_ALL, .ranks = 6, .bytes = 6 << 20};
    struct gpu_call call = call_of(&q, &spec);
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(&call);
    int64_t got[6] = {0};
    for (int32_t l = 0; l < rules->lanes(&call); l++)
        for (int32_t m = 0; m < rules->moves(&call, 2, l); m++) {
            struct gpu_move move = rules->move(&call, 2, l, m);
            if (move.sends > 0) {
                struct gpu_aim aim = rules->aim(&call, 2, l, m, &move, 0);
                got[aim.rank] += aim.bytes;
            }
        }
    for (int32_t r = 0; r < 6; r++)
        CU_ASSERT_EQUAL(got[r], r == 2 ? 0 : 1 << 20);
}

static int64_t sent_bytes(const struct gpu_call *call)
{
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(call);
    int64_t bytes = 0;
    for (int32_t r = 0; r < call->ranks; r++)
        for (int32_t l = 0; l < rules->lanes(call); l++)
            for (int32_t m = 0; m < rules->moves(call, r, l); m++) {
                struct gpu_move move = rules->move(call, r, l, m);
                for (int32_t k = 0; k < move.sends; k++)
                    bytes += rules->aim(call, r, l, m, &move, k).bytes;
            }
    return bytes;
}

/* Through the switch of a node everybody scatters the whole vector, or writes its part to all: the
 * links of a reduce-scatter and an all-gather carry n x n parts, an all-reduce twice that. */
static void the_switch_adds_or_copies_parts(void)
{
    static const enum gpu_op op[] = {GPU_OP_ALL_GATHER, GPU_OP_REDUCE_SCATTER, GPU_OP_ALL_REDUCE};
    struct gpu_job job = fixture_job();
    struct gpu_cluster_spec spec = nodes_of(1, 8), two = nodes_of(2, 8);
    int64_t parts[3];
    for (size_t i = 0; i < 3; i++) {
        struct gpu_call_wish wish = {.algorithm = GPU_ALGORITHM_NVLS};
        struct gpu_call call = gpu_call_make(&job.chip, &spec, &wish, op[i], 0, 8, 8 << 20);
        CU_ASSERT_EQUAL(call.algorithm, GPU_ALGORITHM_NVLS);
        parts[i] = sent_bytes(&call);
        call = gpu_call_make(&job.chip, &two, &wish, op[i], 0, 16, 8 << 20);
        CU_ASSERT_EQUAL(call.algorithm == GPU_ALGORITHM_NVLS, op[i] == GPU_OP_ALL_REDUCE);
        char *why;
        bool possible = gpu_call_is_possible(&job.chip, &two, &wish, op[i], 16, 8 << 20, &why);
        CU_ASSERT_EQUAL(possible, op[i] == GPU_OP_ALL_REDUCE);
        base_free(why);
    }
    CU_ASSERT_EQUAL(parts[0], 8 * (8 << 20));
    CU_ASSERT_EQUAL(parts[1], parts[0]);
    CU_ASSERT_EQUAL(parts[2], 2 * parts[0]);
}

/* What must cross links at least, over all members; 0: no such law. */
static int64_t lawful_bytes(const struct gpu_call *call)
{
    int64_t n = call->ranks, b = call->bytes;
    switch (call->algorithm) {
    case GPU_ALGORITHM_RING:
        return call->op == GPU_OP_ALL_REDUCE ? 2 * (n - 1) * b : (n - 1) * b;
    case GPU_ALGORITHM_TREE:
        return 2 * (n - 1) * b;
    case GPU_ALGORITHM_ONE_SHOT:
        return n * (n - 1) * b;
    case GPU_ALGORITHM_TWO_SHOT:
        return 2 * (n - 1) * b;
    case GPU_ALGORITHM_DIRECT:
        return call->op == GPU_OP_SEND ? b : (n - 1) * b;
    default:
        return 0;
    }
}

/* Parts are rounded up: to a pack a channel, to a byte a chunk and member; flags come on top. */
static void bytes_are_conserved(void)
{
    for (int32_t c = 0; c < 4 * CALLS; c++) {
        struct gpu_cluster_spec spec;
        struct gpu_question q = question_of(c, &spec);
        struct gpu_call call = call_of(&q, &spec);
        int64_t least = lawful_bytes(&call), sent = sent_bytes(&call);
        int64_t slack = INT64_C(80) * call.ranks * call.ranks * (call.channels + 1);
        CU_ASSERT_TRUE(least == 0 || (sent >= least && sent <= least + least / 50 + slack));
    }
}

/* What leaves GPUs comes to GPUs, on the wires too. */
static void links_out_and_in_carry_the_same(void)
{
    struct gpu_job job = fixture_job();
    for (int32_t c = 0; c < CALLS; c++) {
        struct gpu_cluster_spec spec;
        struct gpu_question q = question_of(c, &spec);
        if (q.op == GPU_OP_SEND)
            continue;
        struct gpu_prediction p = gpu_collective_predict(&job.chip, &spec, &q);
        bool alone = p.chunks == 0;
        CU_ASSERT_TRUE(p.time_ps > 0 && (alone || p.arbitrations >= 2 * p.chunks));
        CU_ASSERT_TRUE(p.busiest_ps <= p.time_ps);
    }
}

static struct gpu_chip plain_chip(int64_t base_ps, int64_t step_ps)
{
    struct gpu_chip chip = fixture_job().chip;
    struct gpu_block_cost cost = {.base_ps = base_ps, .step_ps = step_ps};
    struct gpu_collectives *c = &chip.collectives;
    c->ll = c->ll128 = c->simple = c->direct = c->nvls = c->shot = cost;
    c->warp_ps = 0;
    c->one_way_link = 0;
    return chip;
}

static int64_t plain_ps(enum gpu_op op, enum gpu_algorithm algorithm, int32_t ranks, int64_t bytes)
{
    struct gpu_chip chip = plain_chip(1000000, 10000);
    struct gpu_cluster_spec spec = nodes_of(1, ranks);
    struct gpu_question q = {
        .op = op,
        .ranks = ranks,
        .bytes = bytes,
        .wish = {.algorithm = (unsigned)algorithm, .protocol = GPU_PROTOCOL_SIMPLE, .channels = 1}};
    return gpu_collective_predict(&chip, &spec, &q).time_ps;
}

/* base, then hops of step + latency + transfer, then the last step. 450 GB/s, 500 ns. */
static int64_t hops_ps(int32_t hops, int64_t bytes)
{
    const int64_t base = 1000000, step = 10000, latency = 500000, rate = INT64_C(450000000000);
    int64_t transfer = (bytes * INT64_C(1000000000000) + rate / 2) / rate;
    return base + hops * (step + latency + transfer) + step;
}

static void one_chunk_takes_the_closed_form(void)
{
    static const int32_t ranks[] = {2, 3, 5, 8};
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        int32_t n = ranks[i];
        const int64_t bytes = 4500;
        CU_ASSERT_EQUAL(plain_ps(GPU_OP_ALL_REDUCE, GPU_ALGORITHM_TREE, n, bytes),
                        hops_ps(2 * (n - 1), bytes));
        CU_ASSERT_EQUAL(plain_ps(GPU_OP_BROADCAST, GPU_ALGORITHM_RING, n, bytes),
                        hops_ps(n - 1, bytes));
    }
    CU_ASSERT_EQUAL(plain_ps(GPU_OP_SEND, GPU_ALGORITHM_AUTO, 2, 4500), hops_ps(1, 4500));
}

/* Two slices a chunk, the second of them empty: a step more behind the first. */
static void a_ring_takes_the_closed_form(void)
{
    for (int32_t n = 2; n <= 8; n *= 2) {
        int64_t bytes = 4800 * n, step = 10000;
        CU_ASSERT_EQUAL(plain_ps(GPU_OP_ALL_GATHER, GPU_ALGORITHM_RING, n, bytes),
                        hops_ps(n - 1, bytes / n) + step);
        CU_ASSERT_EQUAL(plain_ps(GPU_OP_ALL_REDUCE, GPU_ALGORITHM_RING, n, bytes),
                        hops_ps(2 * (n - 1), bytes / n) + step);
    }
}

static void more_bytes_take_longer_and_slow_ports_too(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_cluster_spec spec = nodes_of(1, 8), slow = spec;
    slow.degraded_gpu = 3;
    slow.degraded_share = 0.5;
    int64_t before = 0;
    for (int64_t bytes = 1 << 20; bytes <= 1 << 28; bytes *= 4) {
        struct gpu_question q = {.op = GPU_OP_ALL_GATHER,
                                 .ranks = 8,
                                 .bytes = bytes,
                                 .wish = {GPU_ALGORITHM_RING, GPU_PROTOCOL_SIMPLE, 0, 0, 0}};
        int64_t ps = gpu_collective_predict(&job.chip, &spec, &q).time_ps;
        int64_t slow_ps = gpu_collective_predict(&job.chip, &slow, &q).time_ps;
        CU_ASSERT_TRUE(ps > before);
        CU_ASSERT_TRUE(slow_ps > ps);
        CU_ASSERT_TRUE(bytes < 1 << 28 || slow_ps > ps * 17 / 10);
        before = ps;
    }
}

/* All algorithms one after the other on 2 nodes of 4, with a neighbour on the links. */
static struct gpu_world *world_of_all(int32_t partition, int32_t partitions)
{
    struct gpu_job job = fixture_job();
    job.workload.decode_tokens = 1;
    job.workload.prompt_tokens = 0;
    struct gpu_plan plan = gpu_plan_by_hand(1, 8);
    for (unsigned a = GPU_ALGORITHM_RING; a <= GPU_ALGORITHM_DIRECT; a++) {
        enum gpu_op op = a == GPU_ALGORITHM_DIRECT ? GPU_OP_ALL_TO_ALL : GPU_OP_ALL_REDUCE;
        struct gpu_call_wish wish = {.algorithm = a};
        struct gpu_plan_op entry = {.action = GPU_ACTION_COLLECTIVE, .op = op, .layer = -1};
        entry.call = gpu_call_make(&job.chip, &job.cluster, &wish, op, 0, 8, 300000);
        gpu_plan_append(&plan.step[0], entry);
    }
    gpu_plan_bound(&plan);
    return gpu_world_create_from(&job, plan, gpu_topology_fat_tree(&job.cluster), partition,
                                 partitions);
}

static uint64_t digest_of(int32_t partitions)
{
    struct gpu_world *world[8];
    for (int32_t p = 0; p < partitions; p++)
        world[p] = world_of_all(p, partitions);
    fixture_run(world, partitions);
    uint64_t digest = fixture_digest(world, partitions);
    for (int32_t p = 0; p < partitions; p++) {
        CU_ASSERT_TRUE(gpu_world_finished(world[p]));
        gpu_world_free(world[p]);
    }
    return digest;
}

static void all_algorithms_are_blind_to_partitions(void)
{
    uint64_t alone = digest_of(1);
    for (int32_t partitions = 2; partitions <= 8; partitions++)
        CU_ASSERT_EQUAL(digest_of(partitions), alone);
}

TEST_MAIN("collective", TEST(every_move_waits_for_what_is_sent_to_it), TEST(bytes_are_conserved),
          TEST(all_to_all_reaches_every_peer_with_its_part), TEST(links_out_and_in_carry_the_same),
          TEST(the_switch_adds_or_copies_parts), TEST(one_chunk_takes_the_closed_form),
          TEST(a_ring_takes_the_closed_form), TEST(more_bytes_take_longer_and_slow_ports_too),
          TEST(all_algorithms_are_blind_to_partitions))
