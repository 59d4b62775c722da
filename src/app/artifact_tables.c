/* SPDX-License-Identifier: BSD-3-Clause */
/* Name, type, unit and meaning of the columns of plan and model. */
#include "app/artifact_tables.h"

#include <assert.h>

#include "app/lpu.h"
#include "model/model.h"
#include "record/layout.h"
#include "record/members.h"

#define REAL(row, member, description) MEMBER(row, member, #member, RECORD_F64, "1", description)
#define FLAG(row, member, description) MEMBER(row, member, #member, RECORD_U8, "1", description)
#define TEXT(row, member, description) MEMBER(row, member, #member, RECORD_TEXT, "1", description)
#define PHASE(row, member, name, phase, prefix, type, units, description)                          \
    MEMBER(row, member[phase], prefix name, type, units, prefix ": " description)
#define PHASES_CALLED(row, member, name, type, units, description)                                 \
    PHASE(row, member, name, PARTITION_DECODE, "decode_", type, units, description),               \
        PHASE(row, member, name, PARTITION_PREFILL, "prefill_", type, units, description),         \
        PHASE(row, member, name, PARTITION_RUNG, "rung_1_", type, units, description),             \
        PHASE(row, member, name, PARTITION_RUNG + 1, "rung_2_", type, units, description),         \
        PHASE(row, member, name, PARTITION_RUNG + 2, "rung_3_", type, units, description),         \
        PHASE(row, member, name, PARTITION_RUNG + 3, "rung_4_", type, units, description)
#define PHASES(row, member, type, units, description)                                              \
    PHASES_CALLED(row, member, #member, type, units, description)
#define SHARE(phase, prefix, of, name)                                                             \
    MEMBER(app_lpu_outline, share_cycles[phase][of], prefix name, RECORD_I64, "cycles",            \
           "of the length of a step")
#define SHARES(phase, prefix)                                                                      \
    SHARE(phase, prefix, BOUND_PRODUCTS, "products"),                                              \
        SHARE(phase, prefix, BOUND_ATTENTION, "attention"),                                        \
        SHARE(phase, prefix, BOUND_VECTORS, "vectors"), SHARE(phase, prefix, BOUND_SUMS, "sums")
#define END_TOKEN(n)                                                                               \
    MEMBER(model, end_token[n], "end_token_" #n, RECORD_I64, "1", "token that ends a text")

static const struct record_column model[] = {
    TEXT(model, name, "of the model"),
    TEXT(model, architecture, "as config.json has it"),
    TEXT(model, model_type, "as config.json has it"),
    WIDE(model, layers, "1", "transformer layers"),
    WIDE(model, hidden, "elements", "of the residual stream"),
    WIDE(model, heads, "1", "query heads"),
    WIDE(model, kv_heads, "1", "key and value heads"),
    WIDE(model, head_dim, "elements", "of a head"),
    WIDE(model, ffn, "elements", "of the inner layer of an MLP"),
    WIDE(model, vocabulary, "1", "tokens"),
    WIDE(model, max_positions, "tokens", "that the model was made for"),
    FLAG(model, qkv_bias, "whether q, k, v have biases"),
    FLAG(model, output_bias, "whether o has a bias"),
    FLAG(model, mlp_bias, "whether the MLP has biases"),
    FLAG(model, tied_embeddings, "whether the head is the embedding"),
    FLAG(model, qk_norm, "whether q and k are normalised"),
    REAL(model, norm_epsilon, "of the norms"),
    REAL(model, rope_theta, "base of the rotary embedding"),
    TEXT(model, rope_scaling, "kind of scaling of the rotary embedding"),
    REAL(model, rope_factor, "of that scaling"),
    REAL(model, rope_low_frequency_factor, "of that scaling"),
    REAL(model, rope_high_frequency_factor, "of that scaling"),
    REAL(model, rope_beta_fast, "of that scaling"),
    REAL(model, rope_beta_slow, "of that scaling"),
    REAL(model, rope_attention_factor, "of that scaling"),
    FLAG(model, rope_truncate, "of that scaling"),
    WIDE(model, rope_original_positions, "tokens", "before that scaling"),
    WIDE(model, sliding_window, "tokens", "that a query sees; 0: all"),
    FLAG(model, attention_sinks, "whether heads have a logit of their own"),
    WIDE(model, experts, "1", "routed experts of a layer; 0: dense"),
    WIDE(model, experts_per_token, "1", "that a token passes through"),
    WIDE(model, expert_ffn, "elements", "width of a routed expert"),
    WIDE(model, shared_ffn, "elements", "width of the shared expert; 0: none"),
    FLAG(model, router_bias, "whether the router has a bias"),
    FLAG(model, expert_bias, "whether experts have biases"),
    FLAG(model, normalise_experts, "whether weights are of the chosen alone"),
    FLAG(model, clamped_gate, "whether gate and up are clamped"),
    REAL(model, gate_limit, "of clamped gates"),
    REAL(model, gate_alpha, "of clamped gates"),
    WIDE(model, bos_token, "1", "token that begins a text; -1: none"),
    END_TOKEN(0),
    END_TOKEN(1),
    END_TOKEN(2),
    END_TOKEN(3),
    END_TOKEN(4),
    END_TOKEN(5),
    END_TOKEN(6),
    END_TOKEN(7),
    COUNT(model, end_tokens, "1", "how many end a text"),
};

static const struct record_column layers[] = {
    FLAG(app_artifact_layer, full, "whether queries see all positions where others see a window"),
};

static const struct record_column outline[] = {
    COUNT(app_lpu_outline, stages, "1", "pipeline stages"),
    COUNT(app_lpu_outline, group, "1", "chips that share a layer"),
    COUNT(app_lpu_outline, chips, "1", "chips in use"),
    COUNT(app_lpu_outline, prefill_rows, "tokens", "prompt positions of a prefill step"),
    MEMBER(app_lpu_outline, columns.o, "o_by_columns", RECORD_U8, "1",
           "whether o is cut by output columns, not by rows"),
    MEMBER(app_lpu_outline, columns.down, "down_by_columns", RECORD_U8, "1",
           "whether down is cut by output columns, not by rows"),
    PHASES(app_lpu_outline, length_cycles, RECORD_I64, "cycles", "length of a step; 0: none such"),
    PHASES(app_lpu_outline, positions, RECORD_I32, "tokens", "that each row attends to"),
    PHASES(app_lpu_outline, bound_cycles, RECORD_I64, "cycles", "bound of the length"),
    SHARES(PARTITION_DECODE, "decode_"),
    SHARES(PARTITION_PREFILL, "prefill_"),
    SHARES(PARTITION_RUNG, "rung_1_"),
    SHARES(PARTITION_RUNG + 1, "rung_2_"),
    SHARES(PARTITION_RUNG + 2, "rung_3_"),
    SHARES(PARTITION_RUNG + 3, "rung_4_"),
};

#define SEATS(member, description)                                                                 \
    MEMBER(app_lpu_sharing, seats.member, "seats_" #member, RECORD_I32, "1", description)
#define FOUND(member, name, type, units, description)                                              \
    MEMBER(app_lpu_sharing, interval.member, name, type, units, description)

static const struct record_column sharing[] = {
    SEATS(placed, "that have caches in SRAM"),
    SEATS(by_time, "of which nobody waits; 0: one was asked for"),
    SEATS(by_sram, "that the fullest chip has room for"),
    PHASES_CALLED(app_lpu_sharing, interval.cycles, "interval_cycles", RECORD_I64, "cycles",
                  "steps may begin so far apart; 0: none such, or one seat"),
    FOUND(mixed_cycles, "mixed_cycles", RECORD_I64, "cycles",
          "decode steps of whatever buckets may begin so far apart"),
    FOUND(busiest_cycles, "busiest_cycles", RECORD_I64, "cycles", "of the busiest queue or plane"),
    FOUND(chip, "chip", RECORD_I32, "1", "where one cycle less would collide"),
    FOUND(thing, "resource", RECORD_TEXT, "1", "in what"),
    FOUND(first.name, "first", RECORD_TEXT, "1", "op or tensor of the earlier step"),
    FOUND(first.layer, "first_layer", RECORD_I32, "1", "its layer"),
    FOUND(second.name, "second", RECORD_TEXT, "1", "op or tensor of the later step"),
    FOUND(second.layer, "second_layer", RECORD_I32, "1", "its layer"),
    PHASES_CALLED(app_lpu_sharing, interval.prefill_starts, "prefill_starts", RECORD_I32, "1",
                  "starts of such steps that a prefill pass takes"),
};

static const struct record_column distances[] = {
    FLAG(distances_range, first, "kind of the earlier step: 0 decode, 1 prefill, 2 to 5 rungs"),
    FLAG(distances_range, second, "kind of the later step"),
    WIDE(distances_range, from, "cycles", "least distance of a range that is forbidden"),
    WIDE(distances_range, to, "cycles", "the distance behind that range"),
};

static const struct record_column stages[] = {
    COUNT(partition_stage, first_chip, "1", "of the stage's group"),
    COUNT(partition_stage, first_block, "1",
          "of embed, attention 0, two shares of mlp 0, attention 1, ..., head"),
    COUNT(partition_stage, blocks, "1", "how many"),
    COUNT(partition_stage, layers, "1", "attentions"),
    COUNT(partition_stage, order, "1", "in which its layers take variants of blocks"),
    PHASES(partition_stage, start_cycle, RECORD_I64, "cycles", "start of the stage"),
    PHASES(partition_stage, end_cycle, RECORD_I64, "cycles",
           "end, without the transfer that follows"),
    WIDE(partition_stage, weight_bytes, "bytes", "weights of a chip"),
    WIDE(partition_stage, embedding_bytes, "bytes", "embedding of a chip"),
    WIDE(partition_stage, kv_bytes, "bytes", "KV cache of a chip"),
    WIDE(partition_stage, constant_bytes, "bytes", "constants of a chip"),
};

static const struct record_column candidates[] = {
    COUNT(partition_candidate, stages, "1", "pipeline stages"),
    COUNT(partition_candidate, group, "1", "chips that share a layer"),
    COUNT(partition_candidate, prefill_rows, "tokens", "prompt positions of a pass"),
    FLAG(partition_candidate, shares, "whether MLPs are cut in two where that makes stages fit"),
    FLAG(partition_candidate, fits, "whether the model fits"),
    WIDE(partition_candidate, decode_cycles, "cycles", "compiled decode step; 0: does not fit"),
    WIDE(partition_candidate, missing_bytes, "bytes", "SRAM that the fullest chip lacks"),
    TEXT(partition_candidate, why_not, "why it does not fit"),
};

/* A field that is added to one of these needs a column. */
_Static_assert(BUCKET_RUNGS == 4, "columns of rungs");
_Static_assert(sizeof(struct model) == 1072, "columns of the model");
_Static_assert(sizeof(struct app_lpu_outline) == 336, "columns of the outline");
_Static_assert(sizeof(struct app_lpu_sharing) == 192, "columns of sharing");
_Static_assert(sizeof(struct distances_range) == 24, "columns of distances");
_Static_assert(sizeof(struct partition_stage) == 152, "columns of stages");
_Static_assert(sizeof(struct partition_candidate) == 192, "columns of candidates");

#define SCHEMA(group, description, row, column)                                                    \
    {                                                                                              \
        group, description, sizeof(struct row), column, sizeof(column) / sizeof(column[0])         \
    }

static const struct record_schema schemas[] = {
    [APP_ARTIFACT_MODEL] = SCHEMA("/model/shapes", "shapes of the model", model, model),
    [APP_ARTIFACT_LAYERS] =
        SCHEMA("/model/layers", "layers of the model", app_artifact_layer, layers),
    [APP_ARTIFACT_OUTLINE] =
        SCHEMA("/plan/outline", "the split that was taken", app_lpu_outline, outline),
    [APP_ARTIFACT_SHARING] =
        SCHEMA("/plan/sharing", "how seats share the pipeline", app_lpu_sharing, sharing),
    [APP_ARTIFACT_DISTANCES] =
        SCHEMA("/plan/distances", "distances between steps that are forbidden", distances_range,
               distances),
    [APP_ARTIFACT_STAGES] = SCHEMA("/plan/stages", "pipeline stages", partition_stage, stages),
    [APP_ARTIFACT_CANDIDATES] =
        SCHEMA("/plan/candidates", "splits that were compiled", partition_candidate, candidates),
};

const struct record_schema *app_artifact_schema(enum app_artifact_table table)
{
    assert(table >= 0 && table < APP_ARTIFACT_TABLES);
    if (table == APP_ARTIFACT_BOUNDS)
        return record_layout(RECORD_PLAN_BOUNDS);
    return table == APP_ARTIFACT_TIMETABLE ? record_layout(RECORD_LPU_TIMETABLE) : &schemas[table];
}
