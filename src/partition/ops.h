/* SPDX-License-Identifier: BSD-3-Clause */
/* The compilers of single ops: each emits and places the groups that compute it on one chip.
 *
 * Vectors of a row of hidden or intermediate values are dealt out over up to four "quads": tile j
 * stands in quad j % 4, in hemisphere quad % 2, so that all planes can deliver and all hemispheres
 * can read at once. Quad q keeps row m of its tile row t at index t * rows + m. */
#ifndef PARTITION_OPS_H
#define PARTITION_OPS_H

#include "partition/emit.h"

/* Slots by their use: X and Y never hold weights, the others are in the set that an op leaves free.
 * The residual stream stands in the slots BYTES, SPARE and ROW of set 0. See docs/lpu_model.md. */
enum ops_slot {
    OPS_SLOT_X = 0,     /* rows of quads 0 and 1, rotary cosines */
    OPS_SLOT_Y = 2,     /* rows of quads 2 and 3, rotary sines, masks */
    OPS_SLOT_BYTES = 4, /* int8 activations, and the low half of fp16 ones */
    OPS_SLOT_SCALE_X = 5,
    OPS_SLOT_SCALE_Y = 7,
    OPS_SLOT_KEY = 8, /* sampling keys of the chip: not where those of the group go */
    OPS_SLOT_ROW = 9, /* one vector a row: scales, maxima */
    OPS_SLOT_SPARE = 11,
};

struct quads {
    int32_t tensor[SHAPE_QUADS];
    int32_t tiles;  /* in all; quads beyond them have tensor -1 or, in the residual stream, only
                       padding */
    int32_t mirror; /* 1: hemispheres change places, so that odd tiles weigh on both alike */
};

/* Hemisphere of quad q. */
static inline bool quads_east(const struct quads *quads, int32_t q)
{
    return (q + quads->mirror) % 2;
}

/* Activations ready for the MXM: the int8 copies in both hemispheres, and the scale of each row. */
struct quantised {
    int32_t bytes[2];
    int32_t scale;
};

/* Rows that a quantisation reads from one place: vector of (tile, row) at first + tile * per_tile +
 * row * per_row; its tiles are contraction tiles k_first + tile * k_step. */
struct row_source {
    int32_t tensor, first;
    bool east;
    int32_t tiles, padded_tiles;
    int32_t per_tile, per_row;
    int32_t k_first, k_step;
};

/* Tensors that all blocks of a chip share. */
struct common {
    int32_t zero, ones, zeros, dump_row;
    int32_t cosine[2], sine[2], mask[2], value_ones[2]; /* by hemisphere */
    int32_t window[2];                                  /* lower edges, where layers have one */
    int32_t expert_ids;                                 /* where there are experts */
    int32_t token;                                      /* key of the token that a step ends with */
};

void ops_common(struct block *b, struct common *common);

/* Rows of quads, fp16, in two slots from first_slot on for quads 0 and 1, from second_slot on for
 * the others. */
struct quads ops_quads_at(struct block *b, const char *name, int32_t tiles, int32_t rows,
                          int32_t mirror, int32_t first_slot, int32_t second_slot);

/* The same next to the VXM. */
struct quads ops_inner_quads(struct block *b, const char *name, int32_t tiles, int32_t rows,
                             int32_t mirror);

/* The residual stream at fixed addresses. Buffers 1 and 2 keep quad q where buffer 0 keeps quad
 * q ^ 2, so that one can be read while the other is written. Buffer 2 is for what the first share
 * of an MLP hands to the second. */
enum { OPS_RESIDUALS = 3 };
struct quads ops_residual(struct block *b, const char *name, int32_t buffer, int8_t layer_step,
                          const int32_t address[OPS_RESIDUALS]);
int32_t ops_residual_slice(const struct block *b, int32_t buffer, int32_t quad, int32_t sub);

/* Constants of the block, a vector a hidden tile, in quads beside the scales of linears: tensors
 * NAME.<letter><quad>, padded to equal counts. */
void ops_hidden_constants(struct block *b, const char *name, char letter,
                          int32_t tensor[SHAPE_QUADS]);

/* RMSNorm and quantisation of the residual rows; gamma becomes a constant of the block. */
struct quantised ops_norm_quantise(struct block *b, const struct common *c, const struct quads *h,
                                   const char *name);

/* Quantisation of rows from `sources` (at most OPS_SOURCES, all of equal padded_tiles): this chip's
 * own, at most four, each in a tensor of its own, and as many of other chips of its group, those of
 * a chip in one tensor. */
enum { OPS_SOURCES = 8 * SHAPE_QUADS };
struct quantised ops_quantise(struct block *b, const struct row_source *source, int32_t sources,
                              int32_t k_tiles, const char *name);

/* The j-th slice, from the edge inward, that streams weights into plane `local` of a hemisphere.
 * Planes alternate slice by slice, and take turns in who has the even ones: the second has fewer
 * tiles. */
int32_t ops_weight_slice(const struct block *b, bool east, int32_t local, int32_t j);

/* y = x W on the MXM, weights int8 with a scale a column, results fp16 in quads. */
struct quads ops_linear(struct block *b, const struct quantised *x, struct linear_shape shape,
                        const char *name, int32_t mirror);

/* As ops_linear, summed over the tensor group with `residual` and `bias`, as ops_reduce has them,
 * into `out` on all chips; by columns nothing is summed over chips (ops_gather_columns). Where it
 * pays, a decode step's rows leave for the other chips while the product still runs. */
void ops_linear_sum(struct block *b, const struct quantised *x, struct linear_shape shape,
                    const char *name, int32_t mirror, const struct quads *residual,
                    const int32_t *bias, const struct quads *out);

/* Half of a row's lanes, from `low` on, against ones: `squares` leave the VXM outward on
 * OPS_STREAM_RAISE in hemisphere `east` in cycle `raised`; sums in all lanes come inward on
 * OPS_STREAM_SUM and stand at the VXM in the cycle that is returned. Both repeat by the outer level
 * alone. */
enum { OPS_STREAM_SUM = 16, OPS_STREAM_RAISE = 26, OPS_ONES_LEAD = 128 };
struct lane_sum {
    int32_t ones;
    bool east;
    int32_t squares, sums; /* transient: fp16, fp32 */
    int32_t low;
    int32_t lead; /* OPS_ONES_LEAD where the group's rows come from other slices than those next to
                     the VXM; else 0 */
};
int64_t ops_lane_sum(struct block *b, const struct lane_sum *s, struct pattern p, int64_t raised);

/* RMSNorm of each head of queries and keys, the first tiles of `qkv`. */
struct quads ops_head_norm(struct block *b, const struct common *c, const struct quads *qkv,
                           const char *name);

/* What a step has chosen: slot n belongs to row n / per_row. */
struct experts {
    int32_t ids;    /* numbers, one a slot, in all lanes */
    int32_t weight; /* rows of the east, one a slot, the weight in all lanes */
    int32_t slots, per_row;
};

/* From the router's logits, one tile. */
struct experts ops_route(struct block *b, const struct common *c, const struct quads *product);

/* y = x W of each slot's expert; x has the rows of the block's shape, as many for each slot or one.
 * Rows of the result are slots. */
struct quads ops_expert_linear(struct block *b, const struct experts *e, const struct quantised *x,
                               struct linear_shape shape, const char *name, int32_t mirror);

/* Adds each slot's bias; the sums stand in the slots of the scales. */
struct quads ops_expert_bias(struct block *b, const struct experts *e, const struct quads *in,
                             const char *name);

/* What the shared expert counts by, from the same logits: a row of the east for each of the step's,
 * the sigmoid of its logit in all lanes. */
int32_t ops_shared_weight(struct block *b, const struct common *c, const struct quads *product);

/* Rows of slots by their weights into the step's rows. `in_scales`: y stands in the slots of the
 * scales, else next to the VXM; the result in the others. */
struct quads ops_combine(struct block *b, const struct experts *e, const struct quads *y,
                         bool in_scales, const char *name);

/* Rows `y`, next to the VXM, by their weights, added to `sum` in the slots of the scales. */
struct quads ops_add_shared(struct block *b, int32_t weight, const struct quads *y,
                            const struct quads *sum, const char *name);

/* Adds a constant row to quads; the sums stand in the slots of the scales. */
struct quads ops_bias(struct block *b, const struct quads *in, const char *name);

/* silu(gate) * up, or the model's clamped gate, over the rows of one product whose tiles alternate
 * gate, up, gate, up; into two slots of the east from `slot` on, in which the product does not
 * stand. */
struct row_source ops_gate(struct block *b, const struct quads *both, int32_t slot);

/* Rotary embedding, KV write, scores, softmax, weighted sum: from rows of queries and keys (`qk`)
 * and of values (`qkv`, which also has place for the others) to packed attention rows, one
 * row_source a KV head. Returns their number. */
int32_t ops_attention(struct block *b, const struct common *c, const struct quads *qk,
                      const struct quads *qkv, struct row_source out[SHAPE_QUADS]);

/* Largest lane of each row, in all lanes: appends the trees to the open group. `source` is the ALU
 * that produces the rows (its outer repeats); returns the last comparison, ready to be emitted by
 * the caller with the two operands in `in`. */
struct alu ops_lane_max(struct block *b, struct alu source, const struct program_operand *in,
                        int32_t inputs, struct program_operand last[2]);

/* Rows of a group of trees that do not run into the next one. */
int32_t ops_lane_max_rows(int32_t interval);

/* Sum of the tensor group's partial rows, of the residual (NULL: none) and of a constant row with
 * it (`bias`, tensors by quad; NULL: none): all chips end with all rows of `out`. Sends and
 * receives name their peer by its rank: queue SEND + rank, RECEIVE + rank. `interval` > 0, for a
 * single row: its vectors leave so many cycles apart as soon as they exist; 0: they leave at the
 * rate of the links once all that was placed before has ended. */
void ops_reduce(struct block *b, const struct quads *partial, const struct quads *residual,
                const int32_t *bias, const struct quads *out, const char *name, int32_t interval);

/* Slices of hemisphere `east` for what the others of the group send, two for each by its place:
 * those of the second plane's weights, but for four where the residual stream may stand. */
void ops_receive_slices(const struct block *b, bool east, int32_t slice[]);

/* Number of a peer among the peers. An exchange starts in the same cycle on all chips of the group,
 * so what they use of themselves must not depend on their rank: everything goes by this number. */
static inline int32_t ops_place_of_peer(const struct block *b, int32_t peer)
{
    return peer < b->rank ? peer : peer - 1;
}

/* What is added to a sum: vectors of a residual row and of a constant one (NULL: none), where tiles
 * of quad q stand. */
struct addends {
    const struct quads *residual;
    const int32_t *bias;
    int32_t q;
    struct walk rows, constants;
    struct pattern p;
};

/* They stand at the VXM in `cycle` as term[1] and so on; returns the number of terms. */
int32_t ops_read_addends(struct block *b, const struct addends *a, int64_t cycle,
                         struct program_operand *term);

/* Rows of all chips of the group: `sources` of this one, each without gaps, become as many times
 * the group's size in `all`, this chip's own first. */
int32_t ops_gather_rows(struct block *b, const struct row_source *own, int32_t sources,
                        const char *name, struct row_source *all);

/* Column tile j of a product of this rank is hidden tile j * group + rank: adds the residual and a
 * constant row (NULL: none), and brings all tiles of `out` to all chips. */
void ops_gather_columns(struct block *b, const struct quads *product, const struct quads *residual,
                        const int32_t *bias, const struct quads *out, const char *name);

/* Token ids to hidden rows in `out`: each chip contributes the rows that it holds. */
void ops_embed(struct block *b, const struct common *c, const struct quads *out);

/* Greedy choice over the group's logits: the key of the winning token, on every chip of the group.
 */
void ops_argmax(struct block *b, const struct common *c, const struct quads *logits);

/* The greatest of the group's keys, into `token` on every chip. */
void ops_greatest_key(struct block *b, int32_t key, int32_t token);

#endif
