/* SPDX-License-Identifier: BSD-3-Clause */
/* Derives tile counts, and says why a split is impossible where it is. */
#include "partition/shape.h"

#include <stdio.h>
#include <string.h>

#include "base/program.h"

enum { WHY_BYTES = 160, BLOCK = 16, KV_STEP = 32, LEAST_ID_BITS = 16 };

static int32_t round_up(int64_t value, int32_t step)
{
    return shape_ceil_div(value, step) * step;
}

/* n outputs as equal tiles of at most `lanes` columns, whole blocks of 16; their number a multiple
 * of `step`. */
static struct linear_shape linear_tiles(int32_t k_tiles, int64_t n, int32_t lanes, int32_t step)
{
    struct linear_shape s = {.k_tiles = k_tiles,
                             .n_tiles = round_up(shape_ceil_div(n, lanes), step)};
    s.columns = round_up(shape_ceil_div(n, s.n_tiles), BLOCK);
    return s;
}

static bool refuse(char *why, const char *text, long long a, long long b)
{
    snprintf(why, WHY_BYTES, text, a, b);
    return false;
}

static bool divides_model(const struct model *m, int32_t group, char *why)
{
    if (m->heads % group)
        return refuse(why, "%lld attention heads do not divide by a tensor group of %lld", m->heads,
                      group);
    if (m->kv_heads % group && group % m->kv_heads)
        return refuse(why, "%lld KV heads neither divide nor are divided by a tensor group of %lld",
                      m->kv_heads, group);
    int64_t ffn = m->experts ? m->expert_ffn : m->ffn;
    if (m->shared_ffn % group)
        return refuse(why, "the shared expert of %lld does not divide by a tensor group of %lld",
                      m->shared_ffn, group);
    if (ffn % group)
        return refuse(why, "the FFN of %lld does not divide by a tensor group of %lld", ffn, group);
    return true;
}

/* Smaller buckets use the cache of the largest: they end where a pair of its tiles does. */
static bool ends_every_rung(const struct bucket *bucket, int32_t positions)
{
    bool ends = true;
    for (int32_t r = 0; r < bucket->rungs; r++)
        ends = ends && bucket->rung[r] % (2 * positions) == 0;
    return ends;
}

/* The fewest, even number of equal tiles of at most `lanes` positions, in steps of 32, the same for
 * all buckets of a ladder. */
static bool derive_kv_tiles(struct shape *s, const struct bucket *bucket, char *why)
{
    for (int32_t tiles = 2; tiles * KV_STEP <= bucket->max_sequence; tiles += 2) {
        int32_t positions = bucket->max_sequence / tiles;
        if (bucket->max_sequence % tiles == 0 && positions % KV_STEP == 0 &&
            positions <= s->chip->lanes && positions / 2 <= s->chip->mxm_fp16_rows &&
            ends_every_rung(bucket, positions)) {
            s->kv_tiles = tiles;
            s->kv_tile_positions = positions;
            return true;
        }
    }
    return refuse(why, "a bucket of %lld positions is no multiple of %lld", bucket->max_sequence,
                  2 * KV_STEP);
}

static void derive_heads(struct shape *s)
{
    const struct model *m = s->model;
    s->head_dim = (int32_t)m->head_dim;
    s->head_columns = round_up(m->head_dim, BLOCK);
    s->heads = (int32_t)(m->heads / s->group);
    s->kv_heads = m->kv_heads >= s->group ? (int32_t)(m->kv_heads / s->group) : 1;
    s->heads_per_kv = s->heads / s->kv_heads;
    int32_t fit = s->chip->lanes / s->head_dim;
    s->tiles_per_kv = shape_ceil_div(s->heads_per_kv, fit);
    while (s->heads_per_kv % s->tiles_per_kv)
        s->tiles_per_kv++;
    s->heads_per_tile = s->heads_per_kv / s->tiles_per_kv;
}

/* The second matrix of a pair, of so many tiles of inputs on each chip. */
static struct linear_shape second_matrix(const struct shape *s, int32_t k_tiles, bool by_columns)
{
    if (!by_columns || s->group == 1)
        return linear_tiles(k_tiles, s->model->hidden, s->chip->lanes, 1);
    return (struct linear_shape){.k_tiles = s->group * k_tiles,
                                 .n_tiles = shape_ceil_div(s->hidden_tiles, s->group),
                                 .columns = s->hidden_columns,
                                 .by_columns = true};
}

static int32_t inner_tiles_of_o(const struct shape *s)
{
    return s->kv_heads * s->tiles_per_kv;
}

static void derive_linears(struct shape *s)
{
    const struct model *m = s->model;
    const int32_t lanes = s->chip->lanes;
    s->hidden_tiles = shape_ceil_div(m->hidden, lanes);
    s->hidden_columns = round_up(shape_ceil_div(m->hidden, s->hidden_tiles), BLOCK);
    s->qkv = (struct linear_shape){.k_tiles = s->hidden_tiles,
                                   .n_tiles = s->heads + 2 * s->kv_heads,
                                   .columns = s->head_columns};
    s->output = second_matrix(s, inner_tiles_of_o(s), false);
    s->vocabulary = shape_ceil_div(m->vocabulary, s->group);
    for (s->key_id_bits = LEAST_ID_BITS; m->vocabulary > INT64_C(1) << s->key_id_bits;)
        s->key_id_bits++;
    s->head = linear_tiles(s->hidden_tiles, s->vocabulary, lanes, SHAPE_QUADS);
}

/* Gate and up of an expert take as many planes as a dense MLP's: an even number of tiles each, so
 * that both are in the same place whatever slot the expert is chosen for. They are narrow, and so
 * the weights of down install row by row: vectors hold outputs, not the few inputs. */
static void derive_mlp(struct shape *s)
{
    const struct model *m = s->model;
    const int32_t lanes = s->chip->lanes, step = m->experts ? 2 : 1;
    int64_t ffn = m->experts ? m->expert_ffn : m->ffn;
    s->experts = (int32_t)m->experts;
    s->experts_per_row = (int32_t)m->experts_per_token;
    s->gate = linear_tiles(s->hidden_tiles, ffn / s->group, lanes, step);
    s->ffn_tiles = s->gate.n_tiles;
    s->ffn_columns = s->gate.columns;
    s->down = linear_tiles(s->ffn_tiles, m->hidden, lanes, 1);
    s->down.rows = m->experts ? s->ffn_columns : 0;
    if (m->experts)
        s->router = linear_tiles(s->hidden_tiles, m->experts + (m->shared_ffn > 0), lanes, 1);
    if (!m->shared_ffn)
        return;
    s->shared_gate_up = linear_tiles(s->hidden_tiles, m->shared_ffn / s->group, lanes, 1);
    s->shared_down = linear_tiles(s->shared_gate_up.n_tiles, m->hidden, lanes, 1);
    s->shared_gate_up.n_tiles *= 2;
}

bool shape_derive(struct shape *s, const struct lpu_chip *chip, const struct model *model,
                  const struct bucket *bucket, int32_t group, int32_t sequences, int32_t rows,
                  int32_t attend_positions, char *why)
{
    *s = (struct shape){.chip = chip,
                        .model = model,
                        .group = group,
                        .rows = sequences * rows,
                        .sequences = sequences,
                        .caches = bucket->batch};
    if (!divides_model(model, group, why))
        return false;
    if (model->head_dim >= chip->mxm_fp16_rows)
        return refuse(why, "a head of %lld needs more than the %lld rows of an fp16 pass, less one",
                      model->head_dim, chip->mxm_fp16_rows);
    derive_heads(s);
    derive_linears(s);
    derive_mlp(s);
    if (!derive_kv_tiles(s, bucket, why))
        return false;
    if (s->kv_heads > SHAPE_QUADS)
        return refuse(why, "%lld KV heads on one chip; the compiler places up to %lld", s->kv_heads,
                      SHAPE_QUADS);
    if (model->sliding_window < bucket->max_sequence)
        s->window = (int32_t)model->sliding_window;
    s->attend_tiles = shape_attend_extent(s, attend_positions) / (2 * s->kv_tile_positions);
    if (rows > 1 && group > 1 && rows % group)
        return refuse(why, "a prefill chunk of %lld rows does not divide by a tensor group of %lld",
                      rows, group);
    if (rows > 1 && !shape_is_pass(bucket, rows))
        return refuse(why,
                      "a prefill chunk of %lld rows is no multiple of 16 that divides a bucket of "
                      "%lld positions",
                      rows, bucket->max_sequence);
    return true;
}

void shape_cut(struct shape *s, struct partition_columns columns)
{
    s->output = second_matrix(s, inner_tiles_of_o(s), columns.o);
    if (!s->experts)
        s->down = second_matrix(s, s->ffn_tiles, columns.down);
}

bool shape_derive_decode(struct shape *s, const struct lpu_chip *chip, const struct model *model,
                         const struct bucket *bucket, int32_t group, char *why)
{
    return shape_derive(s, chip, model, bucket, group, bucket->batch, 1, bucket->max_sequence, why);
}

int32_t shape_share_first(const struct shape *s, enum shape_share share)
{
    return share == SHAPE_SECOND ? shape_ceil_div(s->ffn_tiles, 2) : 0;
}

int32_t shape_share_tiles(const struct shape *s, enum shape_share share)
{
    int32_t half = shape_ceil_div(s->ffn_tiles, 2);
    return share == SHAPE_WHOLE ? s->ffn_tiles : share == SHAPE_FIRST ? half : s->ffn_tiles - half;
}

struct linear_shape shape_gate_up(const struct shape *s, enum shape_share share)
{
    struct linear_shape both = s->gate;
    both.n_tiles = 2 * shape_share_tiles(s, share);
    return both;
}

struct linear_shape shape_down(const struct shape *s, enum shape_share share)
{
    struct linear_shape down = s->down;
    down.k_tiles = shape_share_tiles(s, share) * (down.by_columns ? s->group : 1);
    return down;
}

int32_t shape_attend_extent(const struct shape *s, int32_t positions)
{
    return round_up(positions, 2 * s->kv_tile_positions);
}

bool shape_is_pass(const struct bucket *bucket, int32_t rows)
{
    return rows % BLOCK == 0 && bucket->max_sequence % rows == 0;
}

/* The floor plan that base/program.h fixes: queues, positions and streams are numbered after it. */
static void check_floor_plan(const struct lpu_chip *chip, struct base_report *report)
{
    const struct {
        const char *key;
        int32_t has, known;
    } part[] = {{"mem_slices_per_hemisphere", chip->mem_slices_per_hemisphere, 44},
                {"streams_per_direction", chip->streams_per_direction, 32},
                {"mxm_planes", chip->mxm_planes, 4},
                {"mxm_load_streams", chip->mxm_load_streams, 16},
                {"vxm_alus", chip->vxm_alus, 16},
                {"c2c_local_links", chip->c2c_local_links, 7},
                {"c2c_global_links", chip->c2c_global_links, 4}};
    for (size_t n = 0; n < sizeof part / sizeof part[0]; n++)
        if (part[n].has != part[n].known)
            base_report_add(report, NULL, 0,
                            "lpu.chip.%s = %d: the compiler knows floor plans with %d only",
                            part[n].key, part[n].has, part[n].known);
}

static void check_rungs(const struct bucket *bucket, struct base_report *report)
{
    for (int32_t r = 0; r < bucket->rungs; r++)
        if (bucket->rung[r] % (2 * KV_STEP))
            base_report_add(report, NULL, 0,
                            "bucket.max_sequence: a bucket of %d positions is no multiple of %d",
                            bucket->rung[r], 2 * KV_STEP);
}

static void check_mixture(const struct lpu_chip *chip, const struct model *model,
                          struct base_report *report)
{
    if (!model->experts)
        return;
    int64_t logits = model->experts + (model->shared_ffn > 0);
    if (logits > chip->mxm_fp16_rows || model->experts_per_token >= model->experts)
        base_report_add(report, NULL, 0,
                        "%s: %lld of %lld experts a token; the LPU compiler ranks up to %d, the "
                        "shared one counted, of which some are left out",
                        model->name, (long long)model->experts_per_token, (long long)model->experts,
                        chip->mxm_fp16_rows);
}

bool shape_supports(const struct lpu_chip *chip, const struct model *model,
                    const struct bucket *bucket, struct base_report *report)
{
    size_t before = report->count;
    check_floor_plan(chip, report);
    check_rungs(bucket, report);
    check_mixture(chip, model, report);
    if (bucket->batch > PROGRAM_SEQUENCES)
        base_report_add(report, NULL, 0,
                        "bucket.batch = %d: the LPU compiler schedules up to %d sequences a step",
                        bucket->batch, PROGRAM_SEQUENCES);
    return report->count == before;
}
