/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of mixtures of experts: sorting by expert, gate and up, activation, down and sum as one
 * call on the busiest GPU; times in milliseconds. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "gpu_cluster/kernel.h"
#include "kinds.h"

enum { MOST_EXPERTS = 65536 };

/* A call: experts of all GPUs, and of each. */
struct call {
    int64_t tokens, chosen, experts, gpus; /* gpus: that share the experts */
    int64_t hidden, width;                 /* width: on one GPU */
    double skew;                           /* exponent of the power law; 0: all as likely */
    enum gpu_number number;                /* of the experts' operands */
    bool early;                            /* an engine and a benchmark of 2025 */
};

/* Popularity of an expert, as the benchmark draws it: by a power law between 1 and 80 % of the
 * tokens, or where choices are fewer than experts between 0.01 and 2. Experts that are all on one
 * GPU take each quantile once. */
static double popularity(const struct call *call, int64_t expert, uint64_t draw)
{
    bool many = call->tokens * call->chosen > call->experts;
    double least = many ? 1 : 0.01, most = many ? 0.8 * (double)call->tokens : 2;
    double power = 1 - call->skew, low = pow(least, power), high = pow(fmax(2, most), power);
    double u = call->gpus > 1 ? base_random_uniform(draw, BASE_RANDOM_EXPERT,
                                                    (uint64_t)call->experts, (uint64_t)expert)
                              : ((double)expert + 0.5) / (double)call->experts;
    if (power == 0)
        return least * pow(fmax(2, most) / least, u);
    return call->skew > 0 ? pow((high - low) * u + low, 1 / power) : 1;
}

/* The expert with the fewest rows (or most) of those from `first` on that has room for one more (or
 * one less); the last (or first) of equals; -1: none. */
static int64_t extreme(const struct call *call, const int32_t *rows, int64_t first, int64_t count,
                       bool gives)
{
    int64_t best = -1;
    for (int64_t i = 0; i < count; i++) {
        int64_t e = first + i;
        bool has_room = gives ? rows[e] < call->tokens : rows[e] > 0;
        bool is_better = best < 0 || (gives ? rows[e] < rows[best] : rows[e] > rows[best]) ||
                         (call->early && rows[e] == rows[best]);
        if (has_room && is_better)
            best = e;
    }
    return best;
}

/* Settles what rounding has left as the benchmark does: gives one to each of those with fewest
 * rows, or takes from those with most. Early ones did so over all experts, so that neighbours got
 * what was left; today's go from GPU to GPU. */
static void rows_settle(const struct call *call, int32_t *rows, int64_t left)
{
    bool gives = left > 0;
    int64_t parts = call->early ? 1 : call->gpus, each = call->experts / parts;
    for (int64_t part = 0; left != 0; part = (part + 1) % parts) {
        int64_t e = extreme(call, rows, part * each, each, gives);
        if (e < 0)
            continue;
        rows[e] += gives ? 1 : -1;
        left -= gives ? 1 : -1;
    }
}

/* Tokens of each expert: rounded shares of all choices, none more than the tokens there are. */
static void rows_draw(const struct call *call, uint64_t draw, int32_t *rows)
{
    double sum = 0;
    int64_t left = call->tokens * call->chosen;
    for (int64_t e = 0; e < call->experts; e++)
        sum += popularity(call, e, draw);
    double scale = (double)left / sum;
    for (int64_t e = 0; e < call->experts; e++) {
        double share = round(popularity(call, e, draw) * scale);
        rows[e] = (int32_t)fmin(share, (double)call->tokens);
        left -= rows[e];
    }
    rows_settle(call, rows, left);
}

/* Moves the experts of the busiest GPU to the front. */
static void busiest_first(const struct call *call, int32_t *rows)
{
    int64_t each = call->experts / call->gpus, best = 0, most = -1;
    for (int64_t g = 0; g < call->gpus; g++) {
        int64_t sum = 0;
        for (int64_t e = g * each; e < (g + 1) * each; e++)
            sum += rows[e];
        best = sum > most ? g : best;
        most = sum > most ? sum : most;
    }
    memmove(rows, rows + best * each, (size_t)each * sizeof *rows);
}

/* Products of the experts and the streams beside them, which handle rows of experts elsewhere too;
 * operands of 8 bits are made so by two more. */
static double draw_s(const struct gpu_chip *chip, const struct call *call, uint64_t draw)
{
    int32_t *rows = base_alloc((size_t)call->experts, sizeof *rows);
    rows_draw(call, draw, rows);
    busiest_first(call, rows);
    double choices = (double)(call->tokens * call->chosen), tokens = (double)call->tokens;
    struct gpu_experts up = {call->tokens,  call->experts / call->gpus,
                             call->chosen,  2 * call->width,
                             call->hidden,  call->width,
                             call->experts, call->early};
    struct gpu_experts down = up;
    down.n = call->hidden, down.k = call->width;
    struct gpu_kernel kernel[] = {
        gpu_kernel_grouped(chip, &up, rows, call->number),
        gpu_kernel_grouped(chip, &down, rows, call->number),
        gpu_kernel_stream(chip, 6 * choices * (double)call->width),
        gpu_kernel_stream(chip, 2 * (choices + tokens) * (double)call->hidden),
        gpu_kernel_stream(chip, 4 * (choices + (double)call->experts)),
    };
    struct gpu_kernel narrow[] = {
        gpu_kernel_stream(chip, 3 * tokens * (double)call->hidden),
        gpu_kernel_stream(chip, 3 * choices * (double)call->width),
    };
    double ps = 0;
    for (size_t i = 0; i < sizeof kernel / sizeof kernel[0]; i++)
        ps += (double)gpu_kernel_ps(chip, &kernel[i], chip->sms);
    for (size_t i = 0; call->number != GPU_NUMBER_BF16 && i < 2; i++)
        ps += (double)gpu_kernel_ps(chip, &narrow[i], chip->sms);
    base_free(rows);
    return ps / 1e12;
}

/* Mean of some draws where a draw decides which GPU is busiest. */
static double call_s(const struct gpu_chip *chip, const struct call *call)
{
    uint64_t draws = call->gpus > 1 ? 4 : 1;
    double sum = 0;
    for (uint64_t draw = 0; draw < draws; draw++)
        sum += draw_s(chip, call, draw);
    return sum / (double)draws;
}

static double skew_of(const char *distribution)
{
    static const char law[] = "power_law_";
    return strncmp(distribution, law, sizeof law - 1) ? 0 : atof(distribution + sizeof law - 1);
}

/* vLLM before 0.17, by the second part of the file's name: GPU__vllm-0.14.0.csv. */
static bool is_early(const struct row *row)
{
    static const char engine[] = "__vllm-0.";
    const char *name = strstr(row->table->path, engine);
    return name && atoi(name + sizeof engine - 1) < 17;
}

static bool number_of(const char *type, enum gpu_number *number)
{
    bool wide = *type == '\0' || strcmp(type, "bfloat16") == 0 || strcmp(type, "float16") == 0;
    *number = wide ? GPU_NUMBER_BF16 : GPU_NUMBER_FP8;
    return wide || strcmp(type, "fp8") == 0 || strcmp(type, "fp8_block") == 0;
}

/* NULL, or why nobody can make such a call. */
static const char *call_refuse(const struct call *call)
{
    if (call->chosen > call->experts)
        return "more experts a token than there are";
    if (call->experts % call->gpus != 0 || call->experts > MOST_EXPERTS)
        return "experts that GPUs cannot share evenly, or more than 65536";
    return call->tokens > KIND_MOST / call->chosen ? "more rows than a launch has" : NULL;
}

static const char *predict(const struct row *row, struct points *points)
{
    int64_t parts = row_whole(row, "moe_tp_size", 1);
    struct call call = {.tokens = row_whole(row, "num_tokens", 1),
                        .chosen = row_whole(row, "topk", 1),
                        .experts = row_whole(row, "num_experts", 1),
                        .gpus = row_whole(row, "moe_ep_size", 1),
                        .hidden = row_whole(row, "hidden_size", 1),
                        .width = (row_whole(row, "inter_size", 1) + parts - 1) / parts,
                        .skew = skew_of(row_text(row, "distribution")),
                        .early = is_early(row)};
    if (!number_of(row_text(row, "moe_dtype"), &call.number))
        return "no model of this moe_dtype";
    const char *why = call_refuse(&call);
    if (why)
        return why;
    char group[64];
    snprintf(group, sizeof group, "%s, %s", call.gpus > 1 ? "experts shared" : "experts whole",
             call.tokens <= 256 ? "up to 256 tokens" : "more tokens");
    points_add(points, group, row_real(row, "latency", 0) / 1e3, call_s(row->chip, &call));
    return NULL;
}

const struct kind kind_moe = {
    .name = "moe",
    .needs = (const char *const[]){"num_tokens", "hidden_size", "inter_size", "topk", "num_experts",
                                   "latency", NULL},
    .without = (const char *const[]){NULL},
    .sizes = (const char *const[]){"num_tokens", "hidden_size", "inter_size", "topk", "num_experts",
                                   "moe_tp_size", "moe_ep_size", NULL},
    .measured = (const char *const[]){"latency", NULL},
    .predict = predict,
};
