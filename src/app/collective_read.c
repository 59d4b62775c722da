/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of lpusim-mp collective, from a table of options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/collective.h"
#include "base/memory.h"
#include "base/units.h"
#include "config/config.h"

struct reading {
    struct app_collective *asked;
    struct base_report *report;
};

struct option {
    const char *name, *argument, *help;
    void (*take)(struct reading *r, const char *name, const char *value);
};

static void set_add(struct reading *r, const char *text)
{
    if (r->asked->sets < APP_COLLECTIVE_SETS)
        r->asked->set[r->asked->sets++] = text;
    else
        base_report_add(r->report, NULL, 0, "--set %s: %d values are the most", text,
                        APP_COLLECTIVE_SETS);
}

static void gpu_take(struct reading *r, const char *name, const char *value)
{
    (void)name;
    r->asked->gpu = value;
}

static void machine_take(struct reading *r, const char *name, const char *value)
{
    (void)name;
    r->asked->machine = value;
}

static void op_take(struct reading *r, const char *name, const char *value)
{
    (void)name;
    r->asked->question.op = gpu_collective_op_of(value);
    if (r->asked->question.op == GPU_OP_COUNT)
        base_report_add(r->report, NULL, 0,
                        "--op %s: all_reduce, all_gather, reduce_scatter, all_to_all, broadcast or "
                        "send is wanted",
                        value);
}

static void ranks_take(struct reading *r, const char *name, const char *value)
{
    char *end;
    long ranks = strtol(value, &end, 10);
    bool good = *value && !*end && ranks >= 2 && ranks <= 65536;
    r->asked->question.ranks = good ? (int32_t)ranks : 2;
    if (!good)
        base_report_add(r->report, NULL, 0,
                        "--%s %s: a whole number of GPUs, 2 to 65536, is wanted", name, value);
}

/* "1M" as nccl-tests write it, or with a unit. */
static int64_t bytes_of(const char *text, char **error)
{
    static const char letters[] = "KMG";
    size_t length = strlen(text);
    const char *letter = length > 1 ? strchr(letters, text[length - 1]) : NULL;
    char *spelled = letter && *letter ? base_format("%.*s %ciB", (int)(length - 1), text, *letter)
                                      : base_strdup(text);
    int64_t bytes = 0;
    base_units_parse_integer(BASE_UNITS_BYTES, spelled, &bytes, error);
    base_free(spelled);
    return bytes;
}

static void bytes_take(struct reading *r, const char *name, const char *value)
{
    const int64_t most = INT64_C(64) << 30;
    char *error = NULL;
    int64_t bytes = bytes_of(value, &error);
    if (error)
        base_report_add(r->report, NULL, 0, "--%s %s: %s", name, value, error);
    else if (bytes < 1 || bytes > most)
        base_report_add(r->report, NULL, 0, "--%s %s: 1 B to 64 GiB is wanted", name, value);
    else
        r->asked->question.bytes = bytes;
    base_free(error);
}

static const char *choice_of(const char *name)
{
    return strcmp(name, "library") == 0 ? "all_reduce" : name;
}

/* Those that stand for a key of the configuration; the table there knows what is right. */
static void key_take(struct reading *r, const char *name, const char *value)
{
    bool own = strcmp(name, "library") == 0 || strcmp(name, "seed") == 0;
    const char *group = strcmp(name, "seed") == 0 ? "run." : own ? "gpu." : "gpu.collective_";
    set_add(r, base_format("%s%s=%s", group, choice_of(name), value));
}

static void set_take(struct reading *r, const char *name, const char *value)
{
    (void)name;
    set_add(r, base_strdup(value));
}

static const struct option options[] = {
    {"gpu", "NAME", "GPU type: configs/gpus/NAME.cfg, or a path (h100-sxm)", gpu_take},
    {"op", "NAME", "all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, send", op_take},
    {"bytes", "N", "as nccl-tests count them: 512, 64K, 1M, \"2.5 MiB\" (1M)", bytes_take},
    {"ranks", "N", "GPUs that take part (8)", ranks_take},
    {"machine", "NAME", "nodes and network: configs/topologies/NAME.cfg, or a path", machine_take},
    {"library", "NAME", "engine: the serving engine's all-reduce where it applies; nccl (nccl)",
     key_take},
    {"algorithm", "NAME", "auto, ring, tree, nvls, one_shot, two_shot (auto)", key_take},
    {"protocol", "NAME", "auto, ll, ll128, simple (auto)", key_take},
    {"channels", "N", "blocks, one SM each; 0: as the library has it (0)", key_take},
    {"chunk", "BYTES", "what a channel hands on at once; 0 B: the protocol's (0 B)", key_take},
    {"set", "KEY=VALUE", "any key of groups gpu, gpu.chip, gpu.cluster; repeatable", set_take},
};
enum { OPTIONS = sizeof options / sizeof options[0] };

/* Returns how many further words the option took. */
static int option_read(struct reading *r, const char *word, const char *next)
{
    const char *name = word + strspn(word, "-"), *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    if (strcmp(word, "--help") == 0) {
        r->asked->help = true;
        return 0;
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *o = &options[i];
        if (strlen(o->name) != length || strncmp(o->name, name, length) != 0)
            continue;
        const char *value = equals ? equals + 1 : next;
        if (value)
            o->take(r, o->name, value);
        else
            base_report_add(r->report, NULL, 0, "--%s needs %s", o->name, o->argument);
        return !equals && next;
    }
    base_report_add(r->report, NULL, 0, "%s: no such option; see lpusim-mp collective --help",
                    word);
    return 0;
}

/* A name stands for a shipped file, anything else for itself. */
static char *path_of(const char *folder, const char *name)
{
    bool path = strchr(name, '/') || strstr(name, ".cfg");
    return path ? base_strdup(name) : base_format("configs/%s/%s.cfg", folder, name);
}

/* As many nodes as the members need. */
static void machine_fit(struct app_collective *asked)
{
    int32_t each = asked->cluster.gpus_per_node;
    int32_t nodes = (asked->question.ranks + each - 1) / each;
    asked->cluster.nodes = nodes > asked->cluster.nodes ? nodes : asked->cluster.nodes;
}

static void descriptions_read(struct app_collective *asked, struct base_report *report)
{
    config_gpu_chip_read(asked->gpu_path, asked->set, asked->sets, &asked->chip, report);
    if (!base_report_is_clean(report))
        return;
    config_gpu_cluster_read(asked->machine_path, asked->set, asked->sets, &asked->cluster, report);
    if (!base_report_is_clean(report))
        return;
    machine_fit(asked);
    asked->question.wish = gpu_call_wish_of(&asked->cluster);
    char *why;
    const struct gpu_question *q = &asked->question;
    if (!gpu_call_is_possible(&asked->chip, &asked->cluster, &q->wish, q->op, q->ranks, q->bytes,
                              &why))
        base_report_add(report, NULL, 0, "%s", why);
    base_free(why);
}

static char *default_machine(const char *gpu)
{
    const char *name = strrchr(gpu, '/');
    name = name ? name + 1 : gpu;
    return base_format("configs/topologies/%.*s-1x8.cfg", (int)strcspn(name, "-_."), name);
}

void app_collective_read(int argc, char **argv, struct app_collective *asked,
                         struct base_report *report)
{
    *asked = (struct app_collective){
        .gpu = "h100-sxm",
        .question = {.op = GPU_OP_ALL_REDUCE, .ranks = 8, .bytes = 1 << 20, .seed = 1}};
    struct reading reading = {asked, report};
    set_add(&reading, base_strdup("gpu.all_reduce=nccl"));
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-')
            i += option_read(&reading, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        else
            base_report_add(report, NULL, 0, "%s: an option is wanted, such as --ranks 8", argv[i]);
    }
    asked->gpu_path = path_of("gpus", asked->gpu);
    asked->machine_path =
        asked->machine ? path_of("topologies", asked->machine) : default_machine(asked->gpu);
    if (base_report_is_clean(report) && !asked->help)
        descriptions_read(asked, report);
}

void app_collective_release(struct app_collective *asked)
{
    for (size_t i = 0; i < asked->sets; i++)
        base_free((char *)(uintptr_t)asked->set[i]);
    base_free(asked->gpu_path);
    base_free(asked->machine_path);
}

static void terms_print(void)
{
    fputs(
        "\nreading the answer\n"
        "  algorithm  ring: every GPU hands parts to the next, 2 (n - 1) steps of an all-reduce;\n"
        "             tree: sums up, results down two binary trees, few steps, half the rate;\n"
        "             nvls: the switch adds and copies; one_shot, two_shot: GPUs read their\n"
        "             peers' memory; direct: point to point\n"
        "  protocol   ll: a flag beside every 4 bytes, least latency, half the rate; ll128: 8\n"
        "             bytes of flags in 128; simple: a fence and a counter a slice, full rate\n"
        "  channel    one block of threads on one SM; kernels beside it have that SM less\n"
        "  candidate  what NCCL reckons: latency + bytes / bandwidth; the least is taken. It is\n"
        "             a guess before the fact: the time above is simulated chunk by chunk\n"
        "  bus        bytes that each port had to move at least / time, comparable over n\n",
        stdout);
}

void app_collective_help(void)
{
    fputs("usage: lpusim-mp collective [OPTION]...   (from the project's root)\n\n"
          "How long one collective of a GPU cluster takes, and why: what the library compares and\n"
          "takes, channels, chunks and steps, time by phase, links. Every chunk is simulated on\n"
          "links that it shares, a neighbour's or a degraded port's among them.\n\noptions\n",
          stdout);
    for (size_t i = 0; i < OPTIONS; i++) {
        int width = printf("  --%s %s", options[i].name, options[i].argument);
        printf("%*s%s\n", width < 22 ? 22 - width : 1, "", options[i].help);
    }
    terms_print();
    fputs(
        "\nexamples\n"
        "  lpusim-mp collective --gpu h100-sxm --op all_reduce --bytes 1M --ranks 8\n"
        "  lpusim-mp collective --bytes 1M --protocol simple      what LL saves\n"
        "  lpusim-mp collective --bytes 64K --library engine      vLLM's all-reduce\n"
        "  lpusim-mp collective --machine h100-p5 --ranks 16 --bytes 64M\n"
        "  lpusim-mp collective --bytes 64M --set gpu.degraded_gpu=3 --set gpu.degraded_rate=50%\n"
        "  lpusim-mp collective --bytes 64M --set gpu.neighbour=true\n",
        stdout);
}
