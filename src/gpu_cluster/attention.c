/* SPDX-License-Identifier: BSD-3-Clause */
/* Attention calls as the flash-attention kernels of serving engines make them: version 2 up to
 * Ampere, version 3 for Hopper, tiles twice as high for Blackwell. */
#include <math.h>
#include <stddef.h>

#include "gpu_cluster/kernel.h"

/* That shared memory hands out. */
enum { SHARED_BYTES_PER_CYCLE = 128 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How a generation of the kernel cuts its work. */
struct cut {
    int64_t rows, keys;    /* of a tile and of a step of its main loop */
    int32_t groups, pipes; /* that issue matrix instructions, and tensor pipes of an SM */
    int32_t stages, blocks_per_sm;
    bool packs; /* query heads of a KV head share tiles, in prefill too */
    int64_t most_splits;
};

static bool is_fp8(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    return shape->kv_bytes == 1 && chip->fp8_flops > 0;
}

/* Keys of a step of version 3, as its table of tiles has them for caches in pages that are shorter
 * than a step: what registers and shared memory leave room for. */
static int64_t step_keys(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    bool windowed = shape->window > 0, causal = shape->queries > 1 && !windowed;
    int64_t width = shape->head_dim;
    if (is_fp8(chip, shape)) {
        if (width <= 128)
            return width <= 64 || width > 96 ? 160 : 128;
        return width <= 192 ? (windowed ? 128 : 160) : (windowed ? 64 : 128);
    }
    if (width <= 128)
        return width <= 64 && !causal ? 160 : 128;
    return width <= 192 ? 96 : windowed ? 64 : 80;
}

/* Version 3: tiles are as high as registers allow; half of that where a sequence has few rows. */
static struct cut hopper_cut(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    int64_t width = shape->head_dim, keys = step_keys(chip, shape);
    int64_t rows = shape->queries * (shape->heads / shape->kv_heads);
    bool low = width > 64 || (shape->queries == 1 && shape->window == 0);
    if (low && width <= 128 && rows <= 64)
        return (struct cut){64, keys, 1, 1, 2, 1, true, 32};
    return (struct cut){width <= 96 ? 192 : 128, keys, width <= 96 ? 3 : 2, 1, 2, 1, true, 32};
}

/* Kernels for Blackwell: results are in the tensor cores' own memory, which has room for two tiles
 * of 128 rows; as version 3 where a sequence has few rows. */
static struct cut blackwell_cut(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    int64_t rows = shape->queries * (shape->heads / shape->kv_heads);
    if (rows <= 64 || shape->head_dim > 128)
        return hopper_cut(chip, shape);
    return (struct cut){256, 128, 2, 1, 2, 1, true, 32};
}

static struct cut cut_of(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    int64_t width = shape->head_dim;
    if (chip->sm_version >= 100)
        return blackwell_cut(chip, shape);
    if (chip->sm_version >= 90)
        return hopper_cut(chip, shape);
    return (struct cut){
        64, width <= 64 ? 256 : width <= 128 ? 128 : 64, 4, 4, 2, width <= 128 ? 2 : 1, false, 128};
}

/* Query heads that are rows of one tile. */
static int64_t packed(const struct cut *cut, const struct gpu_attention *shape)
{
    return cut->packs || shape->queries == 1 ? shape->heads / shape->kv_heads : 1;
}

/* Keys that any query of a sequence sees. */
static int64_t keys_in_sight(const struct gpu_attention *shape)
{
    return shape->window > 0 ? min_of(shape->window + shape->queries - 1, shape->keys)
                             : shape->keys;
}

/* Steps that a tile of query rows works through: from the first key that its first row sees to the
 * last that its last row does. */
static int64_t steps_of_tile(const struct cut *cut, const struct gpu_attention *shape,
                             int64_t heads, int64_t tile)
{
    int64_t before = shape->keys - shape->queries, first = tile * cut->rows / heads;
    int64_t last = min_of(((tile + 1) * cut->rows - 1) / heads, shape->queries - 1);
    int64_t from = shape->window > 0 ? before + first - shape->window + 1 : 0;
    return ceil_div(before + last + 1, cut->keys) - (from > 0 ? from : 0) / cut->keys;
}

/* Over all tiles of a sequence and a group of `heads` that share them. */
struct reach {
    double mean, most;
};

static struct reach reach_of(const struct cut *cut, const struct gpu_attention *shape,
                             int64_t heads, int64_t row_tiles)
{
    int64_t sum = 0, most = 0;
    for (int64_t tile = 0; tile < row_tiles; tile++) {
        int64_t steps = steps_of_tile(cut, shape, heads, tile);
        sum += steps;
        most = steps > most ? steps : most;
    }
    return (struct reach){(double)sum / (double)row_tiles, (double)most};
}

/* Chosen by the length of the cache, a window or not: where a window leaves splits without work,
 * their results are added up all the same. Version 3 gives every SM the same number of steps;
 * version 2 takes the fewest splits that keep 85 % of the SMs busy that any number would, and
 * splits only where query heads share KV heads. */
static int64_t splits_of(const struct gpu_chip *chip, const struct cut *cut,
                         const struct gpu_attention *shape, int64_t grid, int64_t steps)
{
    int64_t most = min_of(min_of(cut->most_splits, chip->sms), steps);
    if (chip->sm_version >= 90) {
        int64_t each = ceil_div(grid * steps * 11, chip->sms * 10);
        return min_of(most, ceil_div(steps, each));
    }
    if (shape->queries > 1 || shape->heads == shape->kv_heads || grid * 10 >= chip->sms * 8)
        return 1;
    double best = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t split = 1; split <= most; split++) {
            double waves = (double)(grid * split) / chip->sms / 2;
            double busy = waves / ceil(waves);
            if (pass == 1 && busy >= 0.85 * best)
                return split;
            best = busy > best ? busy : best;
        }
    return 1;
}

/* Cycles that a group keeps what an SM has only once: units for exponentials and fp32 operations
 * (a few a score, one for each number of the result that a new maximum scales). Warps of version 2
 * read all keys and values of a step from shared memory, each for its own rows; the matrix
 * instructions of version 3 read it themselves. */
static int32_t softmax_cycles(const struct gpu_chip *chip, const struct cut *cut,
                              const struct gpu_attention *shape)
{
    double rows = (double)cut->rows / cut->groups, scores = rows * (double)cut->keys;
    double results = rows * (double)shape->head_dim;
    double fragments = 2.0 * (double)(cut->keys * shape->head_dim * shape->kv_bytes);
    double read = cut->pipes > 1 ? fragments / SHARED_BYTES_PER_CYCLE : 0;
    double ops = scores * chip->softmax_ops + results;
    return (int32_t)ceil(scores / chip->exp_lanes + ops / chip->fp32_lanes + read);
}

static struct gpu_sm_loop loop_of(const struct gpu_chip *chip, const struct cut *cut,
                                  const struct gpu_attention *shape)
{
    double peak = is_fp8(chip, shape) ? chip->fp8_flops : chip->fp16_flops;
    double per_cycle = peak * chip->tensor_sustained / chip->sms / (double)chip->clock_hz;
    double elements = (double)(cut->rows * cut->keys) / cut->groups;
    int32_t product =
        (int32_t)ceil(2.0 * elements * (double)shape->head_dim * cut->pipes / per_cycle);
    return (struct gpu_sm_loop){
        .groups = cut->groups,
        .pipes = cut->pipes,
        .stages = cut->stages,
        .issue_cycles = chip->attention_issue_cycles,
        .tensor_cycles = product,
        .special_cycles = softmax_cycles(chip, cut, shape),
        .second_cycles = product,
        .step_bytes = (int32_t)(2 * cut->keys * shape->head_dim * shape->kv_bytes),
        .latency_cycles = chip->load_latency_cycles,
    };
}

/* Cycles of a tile beside its main loop: half of them are the same for all, half go with the width
 * of queries and results; the description has those of a width of 128. */
static int64_t tile_cycles(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    return llround(chip->attention_tile_cycles * (0.5 + (double)shape->head_dim / 256));
}

/* Values of 8 bits are turned round on their way to the tensor cores, by warps that load them;
 * Blackwell's tensor cores take them as they are. */
static int32_t transposing_cycles(const struct gpu_chip *chip, const struct cut *cut,
                                  const struct gpu_attention *shape)
{
    double elements = (double)(cut->keys * shape->head_dim);
    bool turns = is_fp8(chip, shape) && chip->sm_version < 100;
    return turns ? (int32_t)ceil(elements / chip->transpose_per_cycle) : 0;
}

/* Results of split keys are added up by a kernel of their own: four rows a block, one part behind
 * the other. */
static int64_t combine_ps(const struct gpu_chip *chip, double rows, double width, int64_t split)
{
    enum { ROWS = 4, RESIDENT = 4 };
    double part = ROWS * width * 4.0;
    struct gpu_kernel combine = {.blocks = (int32_t)ceil(rows / ROWS),
                                 .blocks_per_sm = RESIDENT,
                                 .split_k = 1,
                                 .loop = {.groups = 1,
                                          .pipes = 1,
                                          .stages = chip->sm_version >= 90 ? 8 : 2,
                                          .issue_cycles = chip->loop_issue_cycles,
                                          .step_bytes = (int32_t)part,
                                          .latency_cycles = chip->load_latency_cycles},
                                 .steps = (double)split,
                                 .overlaps = true,
                                 .block_l2_bytes = part * (double)split,
                                 .floor_ps = chip->kernel_floor_ps + chip->attention_combine_ps};
    return split > 1 ? gpu_kernel_ps(chip, &combine, chip->sms) : 0;
}

/* Blocks of version 3 find their tiles by walking along the sequences, a warp's worth at a time. */
static int64_t walk_ps(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    enum { WARP = 31, TRIPS = 3, MOST = 992 };
    int64_t groups = shape->sequences > MOST ? 0 : ceil_div(shape->sequences, WARP) - 1;
    return groups * TRIPS * chip->load_latency_cycles * 1000000 / (chip->clock_hz / 1000000);
}

/* What stands around the kernel. Version 2 turns query heads that share a KV head into rows, and
 * back: four copies where both sequences and KV heads are several, else one. Version 3
 * takes longer to begin where positions and query heads share tiles. */
static int64_t around_ps(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    double rows = (double)(shape->sequences * shape->queries * shape->heads);
    struct gpu_kernel copy = gpu_kernel_stream(chip, 4.0 * rows * (double)shape->head_dim);
    int64_t once = gpu_kernel_ps(chip, &copy, chip->sms), count = 0;
    bool shares = shape->heads > shape->kv_heads, newer = chip->sm_version >= 90;
    if (!newer && shares && shape->queries == 1)
        count = shape->kv_heads > 1 && shape->sequences > 1 ? 4 : 1;
    bool walks = newer && chip->sm_version < 100, packs = walks && shares && shape->queries > 1;
    return count * once + (packs ? chip->attention_pack_ps : 0) +
           (walks ? walk_ps(chip, shape) : 0);
}

/* Tiles come in the order of their rows, not the longest first: one of the last is longer than the
 * mean by so many steps. */
static int64_t excess_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel, double steps)
{
    struct gpu_wave wave = gpu_kernel_wave(chip, kernel, chip->sms, chip->sms, true);
    return llround(steps * wave.time.step_cycles * 1e12 / (double)chip->clock_hz);
}

/* A grid of one wave takes as long as its longest tile; of a larger one the last tiles may be long.
 */
static void longest_wait(const struct gpu_chip *chip, struct gpu_kernel *kernel,
                         const struct reach *reach)
{
    double split = kernel->split_k;
    if (kernel->blocks < gpu_kernel_slots(kernel, chip->sms))
        kernel->steps = fmax(1, reach->most / split);
    else
        kernel->wave_latency_ps = excess_ps(chip, kernel, (reach->most - reach->mean) / split);
}

static struct gpu_kernel kernel_of(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    struct cut cut = cut_of(chip, shape);
    int64_t heads = packed(&cut, shape), row_tiles = ceil_div(shape->queries * heads, cut.rows);
    int64_t grid = shape->sequences * (shape->heads / heads) * row_tiles;
    int64_t keys = keys_in_sight(shape), steps = ceil_div(keys, cut.keys);
    int64_t wanted = splits_of(chip, &cut, shape, grid, ceil_div(shape->keys, cut.keys));
    int64_t split = min_of(wanted, steps);
    struct reach reach = reach_of(&cut, shape, heads, row_tiles);
    double blocks = (double)(grid * split), width = (double)shape->head_dim;
    double rows = (double)(shape->sequences * shape->heads * shape->queries);
    double kv = 2.0 * (double)(shape->sequences * shape->kv_heads * keys) * width * shape->kv_bytes;
    struct gpu_kernel kernel = {
        .blocks = (int32_t)blocks,
        .blocks_per_sm = cut.blocks_per_sm,
        .split_k = (int32_t)split,
        .tile_m = (int32_t)cut.rows,
        .tile_n = (int32_t)cut.keys,
        .tile_k = (int32_t)shape->head_dim,
        .loop = loop_of(chip, &cut, shape),
        .steps = fmax(1, reach.mean / (double)split),
        .tail_cycles =
            tile_cycles(chip, shape) + llround(rows / (double)grid * chip->row_scatter_cycles),
        .tail_bytes = rows * width * (2.0 + (split > 1 ? 4.0 * (double)split : 2.0)) / blocks,
        .step_load_cycles = transposing_cycles(chip, &cut, shape),
        .overlaps = chip->sm_version >= 90,
        .evens_out = shape->queries > 1,
        .block_hbm_bytes = kv / blocks,
        .hbm_efficiency = chip->hbm_stream_efficiency,
        .floor_ps = chip->attention_floor_ps + around_ps(chip, shape) +
                    combine_ps(chip, rows, width, wanted),
    };
    kernel.block_l2_bytes = kernel.steps * kernel.loop.step_bytes;
    longest_wait(chip, &kernel, &reach);
    return kernel;
}

/* A window that holds all keys is none. */
struct gpu_kernel gpu_kernel_attention(const struct gpu_chip *chip,
                                       const struct gpu_attention *shape)
{
    struct gpu_attention seen = *shape;
    seen.window = shape->window < shape->keys ? shape->window : 0;
    return kernel_of(chip, &seen);
}
