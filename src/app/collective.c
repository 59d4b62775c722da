/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp collective: asks the simulation and prints what it answers. */
#include "app/collective.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/text.h"
#include "base/memory.h"
#include "base/units.h"
#include "interconnect/gpu_topology.h"

enum { LABEL = 12 };

static double microseconds(int64_t ps)
{
    return (double)ps / 1e6;
}

static void print_head(const struct app_collective *asked, const struct gpu_prediction *p)
{
    const struct gpu_question *q = &asked->question;
    const struct gpu_cluster_spec *c = &asked->cluster;
    char *bytes = base_units_print_integer(BASE_UNITS_BYTES, q->bytes);
    printf("%s of %s on %" PRId32 " x %s: %.2f us, algorithm %.2f GB/s, bus %.2f GB/s\n",
           gpu_op_name(q->op), bytes, q->ranks, asked->chip.name, microseconds(p->time_ps),
           (double)q->bytes / (double)p->time_ps * 1e3,
           gpu_collective_bus_gb_per_s(q->op, q->ranks, q->bytes, p->time_ps));
    printf("%-*s%s: %" PRId32 " node%s of %" PRId32 "; NVLink %.0f GB/s, NIC %.2f GB/s, each way\n",
           LABEL, "machine", asked->machine_path, c->nodes, c->nodes > 1 ? "s" : "",
           c->gpus_per_node, (double)c->nvlink_bytes_per_s / 1e9, (double)c->nic_bytes_per_s / 1e9);
    base_free(bytes);
}

static bool is_taken(const struct gpu_prediction *p, const struct gpu_nccl_candidate *c)
{
    return p->call.algorithm == c->algorithm && p->call.protocol == c->protocol;
}

static void print_candidates(const struct gpu_prediction *p)
{
    if (p->candidates == 0) {
        puts("\nNothing to choose: point to point, LL up to 16 KiB a message, Simple beyond");
        return;
    }
    puts("\nWhat NCCL reckons: latency + bytes / bandwidth");
    for (int32_t i = 0; i < p->candidates; i++) {
        const struct gpu_nccl_candidate *c = &p->candidate[i];
        printf("  %-6s %-7s %9.1f us %9.1f GB/s %11.1f us%s\n", gpu_algorithm_name(c->algorithm),
               gpu_protocol_name(c->protocol), c->latency_us, c->gb_per_s, c->time_us,
               is_taken(p, c) ? "   taken" : "");
    }
    if (p->call.algorithm == GPU_ALGORITHM_ONE_SHOT || p->call.algorithm == GPU_ALGORITHM_TWO_SHOT)
        puts("  not asked: the serving engine's own all-reduce is taken");
}

static void print_call(const struct app_collective *asked, const struct gpu_prediction *p)
{
    const struct gpu_call *call = &p->call;
    printf("\n%-*s%s, %s\n", LABEL, "runs", gpu_algorithm_name(call->algorithm),
           gpu_protocol_name(call->protocol));
    printf("%-*s%" PRId32 " blocks, one SM each of %" PRId32 "; %" PRId32 " lanes a GPU\n", LABEL,
           "channels", call->channels, asked->chip.sms, p->lanes);
    printf("%-*sup to %s B", LABEL, "chunks", app_text_count(call->chunk_bytes).text);
    if (call->slices > 1)
        printf(" in %" PRId32 " slices", call->slices);
    printf(" a step; a channel has %s B\n", app_text_count(call->channel_bytes).text);
    printf("%-*sbase %.2f us a call, %.3f us a step, %.1f GB/s a block\n", LABEL, "costs",
           microseconds(call->cost.base_ps), microseconds(call->cost.step_ps),
           call->cost.bytes_per_s / 1e9);
}

static void print_phase(const struct gpu_prediction *p, const char *name,
                        const struct gpu_phase *phase)
{
    printf("  %-14s %8s %14s %9.2f %9.2f %11.2f\n", name, app_text_count(phase->moves).text,
           app_text_count(phase->bytes).text, microseconds(phase->first_ps),
           microseconds(phase->last_ps),
           p->lanes > 0 ? microseconds(phase->busy_ps) / p->lanes : 0.0);
}

static void print_phases(const struct gpu_prediction *p)
{
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(&p->call);
    printf("\nTime by phase, GPU 0\n  %-14s %8s %14s %9s %9s %11s\n", "phase", "moves", "bytes",
           "from/us", "to/us", "us a lane");
    for (int32_t i = 0; i < GPU_PHASES; i++)
        if (rules->phase[i] && p->phase[i].moves > 0)
            print_phase(p, rules->phase[i], &p->phase[i]);
}

static void print_links(const struct app_collective *asked, const struct gpu_prediction *p)
{
    struct gpu_topology topology = gpu_topology_fat_tree(&asked->cluster);
    char from[32], to[32];
    gpu_topology_endpoint_name(&topology, p->busiest_from, from, sizeof from);
    gpu_topology_endpoint_name(&topology, p->busiest_to, to, sizeof to);
    gpu_topology_release(&topology);
    printf("\n%-*s%s chunks, %s arbitrations; queueing %.2f us a chunk\n", LABEL, "links",
           app_text_count(p->chunks).text, app_text_count(p->arbitrations).text,
           p->chunks > 0 ? microseconds(p->queue_ps) / (double)p->chunks : 0.0);
    printf("%-*s%s -> %s, %s B on the wire, busy %.0f %% of the time\n", LABEL, "busiest", from, to,
           app_text_count(p->busiest_bytes).text, 100 * (double)p->busiest_ps / (double)p->time_ps);
}

void app_collective_show(const struct app_collective *asked)
{
    struct gpu_prediction p =
        gpu_collective_predict(&asked->chip, &asked->cluster, &asked->question);
    print_head(asked, &p);
    print_candidates(&p);
    print_call(asked, &p);
    print_phases(&p);
    print_links(asked, &p);
}

enum base_status app_collective_answer(int argc, char **argv)
{
    struct app_collective asked;
    struct base_report report = {0};
    app_collective_read(argc, argv, &asked, &report);
    bool clean = base_report_is_clean(&report);
    base_report_print(&report, stderr);
    if (clean && asked.help)
        app_collective_help();
    else if (clean)
        app_collective_show(&asked);
    app_collective_release(&asked);
    base_report_release(&report);
    return clean ? BASE_OK : BASE_USAGE;
}
