/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels as grids of equal blocks: tile choice and the time of a wave; see docs/gpu_model.md. */
#include "gpu_cluster/kernel.h"

#include <math.h>
#include <stddef.h>

static const double ps_per_s = 1e12;

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static double min2(double a, double b)
{
    return a < b ? a : b;
}

int32_t gpu_kernel_slots(const struct gpu_kernel *kernel, int32_t sms)
{
    return sms * kernel->blocks_per_sm;
}

/* Each part of a wave's time; blocks share an SM's tensor cores, SMs share L2 and HBM. */
static void wave_parts(const struct gpu_chip *chip, const struct gpu_kernel *kernel, int32_t blocks,
                       int32_t sms, double part[GPU_BOUND_COUNT])
{
    int32_t active = blocks < sms ? blocks : sms;
    double per_sm = (double)ceil_div(blocks, sms);
    double reach = active * chip->sm_bytes_per_s;
    double hbm = min2(chip->hbm_bytes_per_s * chip->hbm_efficiency, reach);
    part[GPU_BOUND_TENSOR] = per_sm * kernel->block_tensor_s;
    part[GPU_BOUND_L2] = blocks * kernel->block_l2_bytes / min2(chip->l2_bytes_per_s, reach);
    part[GPU_BOUND_HBM] = blocks * kernel->block_hbm_bytes / hbm;
}

int64_t gpu_kernel_wave_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                           int32_t blocks, int32_t sms, bool first, enum gpu_bound *bound)
{
    double part[GPU_BOUND_COUNT] = {0};
    wave_parts(chip, kernel, blocks, sms, part);
    enum gpu_bound largest = GPU_BOUND_TENSOR;
    for (int i = 0; i < GPU_BOUND_COUNT; i++) {
        largest = part[i] > part[largest] ? (enum gpu_bound)i : largest;
    }
    int64_t work = llround(part[largest] * ps_per_s);
    int64_t latency = first ? kernel->wave_latency_ps : 0;
    if (bound != NULL) {
        *bound = work > latency + kernel->floor_ps ? largest : GPU_BOUND_LATENCY;
    }
    return work + latency;
}

int64_t gpu_kernel_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel, int32_t sms)
{
    int32_t slots = gpu_kernel_slots(kernel, sms);
    int32_t full = kernel->blocks / slots, tail = kernel->blocks % slots;
    int64_t total = kernel->floor_ps;
    if (full > 0) {
        total += gpu_kernel_wave_ps(chip, kernel, slots, sms, true, NULL);
        total += (full - 1) * gpu_kernel_wave_ps(chip, kernel, slots, sms, false, NULL);
    }
    return total + (tail > 0 ? gpu_kernel_wave_ps(chip, kernel, tail, sms, full == 0, NULL) : 0);
}

/* Tiles of the usual libraries; efficiency: share of the best measured rate that the main loop
 * reaches. */
struct tile {
    int32_t m, n, blocks_per_sm;
    double efficiency;
};
static const struct tile tiles[] = {
    {16, 64, 4, 0.10},   {64, 64, 3, 0.45},   {64, 128, 2, 0.65},
    {128, 128, 2, 0.85}, {128, 256, 1, 1.00},
};
static const int32_t splits[] = {1, 2, 4, 8, 16};

/* Main-loop step of every tile, elements of k; a split has at least this much. */
static const int64_t k_step = 64;

/* Rows of a product over one tile's height: how many tiles, rows in a tile (their mean), and what
 * crosses HBM once. */
struct strips {
    int64_t tiles;
    double rows, once_bytes;
};

static struct strips strips_of(int64_t m, int64_t n, int64_t k, int32_t bytes,
                               const struct tile *tile)
{
    return (struct strips){.tiles = ceil_div(m, tile->m),
                           .rows = (double)(m < tile->m ? m : tile->m),
                           .once_bytes = (double)(m * k + n * k) * bytes + (double)(m * n) * 2.0};
}

static struct gpu_kernel tiled(const struct gpu_chip *chip, const struct strips *strips, int64_t n,
                               int64_t k, int32_t bytes, const struct tile *tile, int32_t split)
{
    double peak = bytes == 1 && chip->fp8_flops > 0 ? chip->fp8_flops : chip->fp16_flops;
    double rate = peak * chip->tensor_efficiency * tile->efficiency / chip->sms;
    double depth = (double)(ceil_div(ceil_div(k, split), k_step) * k_step);
    int64_t blocks = strips->tiles * ceil_div(n, tile->n) * split;
    double rows = strips->rows, columns = (double)(n < tile->n ? n : tile->n);
    double partial = split > 1 ? 2.0 * 4.0 * rows * columns : 0.0; /* fp32 sums out and in again */
    return (struct gpu_kernel){
        .blocks = (int32_t)blocks,
        .blocks_per_sm = tile->blocks_per_sm,
        .split_k = split,
        .block_tensor_s = 2.0 * tile->m * tile->n * depth / rate,
        .block_l2_bytes = (rows + columns) * depth * bytes + rows * columns * 2.0 + partial,
        .block_hbm_bytes = strips->once_bytes / (double)blocks,
        .floor_ps = chip->kernel_floor_ps,
        .wave_latency_ps = chip->block_latency_ps * (split > 1 ? 2 : 1),
    };
}

/* Libraries split the sum over k where the grid alone leaves SMs idle and every part keeps a main
 * loop. */
static bool may_split(const struct gpu_chip *chip, const struct gpu_kernel *whole, int64_t k,
                      int32_t split)
{
    bool idle = whole->blocks < gpu_kernel_slots(whole, chip->sms);
    return split == 1 || (idle && k / split >= 4 * k_step);
}

struct gpu_kernel gpu_kernel_gemm(const struct gpu_chip *chip, int64_t m, int64_t n, int64_t k,
                                  int32_t bytes)
{
    struct gpu_kernel best = {0};
    int64_t best_ps = INT64_MAX;
    for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++) {
        struct strips strips = strips_of(m, n, k, bytes, &tiles[t]);
        struct gpu_kernel whole = tiled(chip, &strips, n, k, bytes, &tiles[t], 1);
        for (size_t s = 0; s < sizeof splits / sizeof *splits; s++) {
            if (!may_split(chip, &whole, k, splits[s])) {
                break;
            }
            struct gpu_kernel kernel = tiled(chip, &strips, n, k, bytes, &tiles[t], splits[s]);
            int64_t ps = gpu_kernel_ps(chip, &kernel, chip->sms);
            if (ps < best_ps) {
                best = kernel;
                best_ps = ps;
            }
        }
    }
    return best;
}

/* An expert's rows begin a tile of their own; its weights are read if it has any. */
static struct strips strips_of_experts(const int32_t *rows, int64_t experts, int64_t n, int64_t k,
                                       int32_t bytes, const struct tile *tile)
{
    int64_t tiles_now = 0, all = 0, touched = 0;
    for (int64_t e = 0; e < experts; e++) {
        tiles_now += ceil_div(rows[e], tile->m);
        all += rows[e];
        touched += rows[e] > 0;
    }
    double moved = (double)(touched * n * k + all * k) * bytes + (double)(all * n) * 2.0;
    return (struct strips){tiles_now, (double)all / (double)tiles_now, moved};
}

struct gpu_kernel gpu_kernel_grouped(const struct gpu_chip *chip, const int32_t *rows,
                                     int64_t experts, int64_t n, int64_t k, int32_t bytes)
{
    struct gpu_kernel best = {0};
    int64_t best_ps = INT64_MAX;
    for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++) {
        struct strips strips = strips_of_experts(rows, experts, n, k, bytes, &tiles[t]);
        struct gpu_kernel kernel = tiled(chip, &strips, n, k, bytes, &tiles[t], 1);
        int64_t ps = gpu_kernel_ps(chip, &kernel, chip->sms);
        if (ps < best_ps) {
            best = kernel;
            best_ps = ps;
        }
    }
    return best;
}

/* Query rows of one attention block; query heads of a KV head are packed into it. */
static const int64_t attention_rows = 128;

/* Keys of one split of a decode, at the least. */
static const int64_t attention_keys = 128;

/* Splits that fill the SMs once, as flash-decoding chooses them. */
static int64_t attention_splits(const struct gpu_chip *chip, int64_t tiles_now, int64_t keys)
{
    int64_t fill = chip->sms / tiles_now, most = ceil_div(keys, attention_keys);
    int64_t want = fill < most ? fill : most;
    return want > 1 ? want : 1;
}

/* Exponentials take tensor-core time worth this many elements of head_dim. */
static const double softmax_width = 32.0;

/* Times that a prefill call moves queries and results: the engine's copies around the kernel
 * included. */
static const double prefill_passes = 2.0;

/* Keys that a tile of query rows works through, in whole steps: causal, so later tiles have more.
 */
struct reach {
    double mean, most;
};

static struct reach keys_of_tile(const struct gpu_attention *shape, int64_t row_tiles)
{
    int64_t most = ceil_div(shape->keys, attention_keys) * attention_keys;
    double spread = (double)shape->queries - (double)shape->queries / (double)row_tiles;
    double mean = (double)most - spread / 2.0;
    if (shape->window > 0) {
        int64_t tile_queries = ceil_div(shape->queries, row_tiles);
        int64_t wide = ceil_div(shape->window + tile_queries - 1, attention_keys) * attention_keys;
        most = wide < most ? wide : most;
        mean = min2(mean, (double)most);
    }
    return (struct reach){mean, (double)most};
}

/* Keys that any query of a sequence sees. */
static int64_t keys_in_sight(const struct gpu_attention *shape)
{
    int64_t seen = shape->window + shape->queries - 1;
    return shape->window > 0 && seen < shape->keys ? seen : shape->keys;
}

/* Tiles do unequal work: the longest sets the time of a grid of one wave, the mean that of many. A
 * tile fills and drains its pipeline by itself, so every wave pays for that. */
struct gpu_kernel gpu_kernel_attention(const struct gpu_chip *chip,
                                       const struct gpu_attention *shape)
{
    int64_t group = shape->heads / shape->kv_heads;
    int64_t row_tiles = ceil_div(shape->queries * group, attention_rows);
    int64_t grid = shape->sequences * shape->kv_heads * row_tiles;
    int64_t keys = keys_in_sight(shape), split = attention_splits(chip, grid, keys);
    struct reach seen = keys_of_tile(shape, row_tiles);
    double blocks = (double)(grid * split), width = (double)shape->head_dim;
    double rate = chip->fp16_flops * chip->attention_efficiency / chip->sms;
    double key_s = 4.0 * (double)attention_rows * (width + softmax_width) / (double)split / rate;
    double tile_s = (double)chip->block_latency_ps / ps_per_s;
    double kv = 2.0 * (double)(shape->sequences * shape->kv_heads * keys) * width * shape->kv_bytes;
    double passes = shape->queries > 1 ? prefill_passes : 1.0;
    double io = 4.0 * passes * (double)(shape->sequences * shape->heads * shape->queries) * width;
    return (struct gpu_kernel){
        .blocks = (int32_t)blocks,
        .blocks_per_sm = 1,
        .split_k = (int32_t)split,
        .block_tensor_s = seen.mean * key_s + tile_s,
        .block_l2_bytes = 2.0 * seen.mean * width * shape->kv_bytes / (double)split + io / blocks,
        .block_hbm_bytes = (kv + io) / blocks,
        .floor_ps = chip->attention_floor_ps,
        .wave_latency_ps = llround((seen.most - seen.mean) * key_s * ps_per_s),
    };
}

/* Bytes that one block of a streaming kernel handles. */
static const double stream_block_bytes = 16384.0;

struct gpu_kernel gpu_kernel_stream(const struct gpu_chip *chip, double bytes)
{
    double blocks = ceil(bytes / stream_block_bytes);
    blocks = blocks < 1.0 ? 1.0 : blocks;
    return (struct gpu_kernel){
        .blocks = (int32_t)blocks,
        .blocks_per_sm = 8,
        .split_k = 1,
        .block_l2_bytes = bytes / blocks,
        .block_hbm_bytes = bytes / blocks,
        .floor_ps = chip->kernel_floor_ps,
    };
}
