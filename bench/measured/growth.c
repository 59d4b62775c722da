/* SPDX-License-Identifier: BSD-3-Clause */
/* What a token takes beyond the sum of its isolated kernels, part by part, for groups of GPUs and
 * clients. See docs/gpu_validation.md. */
#include <stdio.h>
#include <string.h>

#include "gpu_cluster/step.h"
#include "gpus.h"
#include "models.h"
#include "serving_point.h"

enum { PROMPT = 1024, OUTPUT = 1024, ROUNDS = 10, DRAWS = 12 };

/* Lengths are drawn evenly from this share of both up to the whole. */
static const double SHORTEST = 0.8;

/* H100, Llama-3.1-70B fp8, measured TPOT over the sum of isolated kernels, at 4 and at 64 clients.
 */
static const struct {
    int32_t tensor;
    double few, many;
} published[] = {{2, 1.02, 1.27}, {4, 1.14, 1.36}, {8, 1.24, 1.54}};

/* Milliseconds of a token. */
struct parts {
    double isolated, small, host, wait, skew, prompts, whole;
};

static double ms(double ps)
{
    return ps / 1e9;
}

/* One decode step in the middle of the outputs: its kernels alone, and what stands between them. */
static void decode_parts(struct gpu_job *job, int64_t clients, struct parts *parts)
{
    struct gpu_batch batch = {0};
    int64_t keys = (int64_t)((1 + SHORTEST) / 2 * (PROMPT + OUTPUT / 2));
    gpu_batch_add(&batch, (struct gpu_group){clients, 1, keys, false, true});
    job->frozen = GPU_ALL_FROZEN;
    struct gpu_step_time still = gpu_step_simulate(job, &batch);
    parts->isolated =
        ms((double)(still.isolated_ps - still.small_ps + still.collective_ps - still.wait_ps));
    parts->small = ms((double)still.small_ps);
    parts->host = ms((double)still.host_ps);
    parts->wait = ms((double)still.wait_ps);
    double moving = 0;
    job->frozen = 0;
    for (int i = 0; i < DRAWS; i++) {
        job->seed = (uint64_t)i + 1;
        moving += (double)gpu_step_simulate(job, &batch).ps / DRAWS;
    }
    parts->skew = ms(moving - (double)still.ps);
    parts->whole = ms(moving);
}

static const char *parts_of(const struct row *row, const struct serving_point *point,
                            struct parts *parts)
{
    struct gpu_job job;
    struct serve_clients_times times;
    const char *why = serving_point_job(row, point, &job);
    why = why ? why : serving_point_predict(row, point, &times);
    if (why)
        return why;
    decode_parts(&job, point->clients, parts);
    double step = parts->whole - parts->skew;
    parts->prompts = ms(times.tpot_ps) - step;
    parts->whole += parts->prompts;
    return NULL;
}

static void line_print(const struct serving_point *point, const struct parts *p, double known)
{
    printf("%4d %8lld %9.2f %8.2f %8.2f %8.2f %8.2f %9.2f %8.2f %8.2f %8.2f", (int)point->tensor,
           (long long)point->clients, p->isolated, p->small, p->host, p->skew, p->wait, p->prompts,
           p->whole, p->whole / p->isolated, p->whole / (p->isolated + p->small));
    if (known > 0)
        printf(" %10.2f", known);
    putchar('\n');
}

static int table_print(const struct row *row, const char *model, const char *number)
{
    printf("%85s %8s\n", "over", "over all");
    printf("%4s %8s %9s %8s %8s %8s %8s %9s %8s %8s %8s %10s\n", "tp", "clients", "isolated",
           "small", "host", "skew", "waiting", "prompts", "TPOT ms", "isolated", "kernels",
           "published");
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        for (int64_t clients = 4; clients <= 64; clients *= 2) {
            struct serving_point point = {.engine = engine_kind_of("vllm", ""),
                                          .model = model,
                                          .number = number,
                                          .tensor = published[i].tensor,
                                          .clients = clients,
                                          .prompt = PROMPT,
                                          .output = OUTPUT,
                                          .rounds = ROUNDS,
                                          .slots = clients,
                                          .shortest = SHORTEST};
            struct parts parts;
            const char *why = parts_of(row, &point, &parts);
            if (why) {
                fprintf(stderr, "growth: error: %s\n", why);
                return 1;
            }
            double known = clients == 4 ? published[i].few : clients == 64 ? published[i].many : 0;
            line_print(&point, &parts, known);
        }
    return 0;
}

int main(int argc, char **argv)
{
    struct row row = {.gpu = argc > 1 ? argv[1] : "h100_sxm"};
    if (argc > 4 || (argc > 1 && argv[1][0] == '-')) {
        fputs(
            "usage: growth [GPU [MODEL [NUMBER]]]   (from the project's root)\n"
            "Prints, in milliseconds a token, the sum of a decode step's isolated kernels\n"
            "(products, attention, collectives) and what comes on top: small kernels, host, skew\n"
            "of GPUs and hosts, waiting in collectives, prompts of other clients between tokens.\n"
            "Default: h100_sxm Llama-3.1-70B fp8, the case with published ratios.\n",
            stderr);
        return 2;
    }
    row.gpus = gpus_new("configs/gpus", NULL, 0);
    row.chip = gpus_find(row.gpus, row.gpu);
    models_search_usual();
    int status = row.chip ? table_print(&row, argc > 2 ? argv[2] : "Llama-3.1-70B",
                                        argc > 3 ? argv[3] : "fp8")
                          : 1;
    gpus_free(row.gpus);
    return status;
}
