/* SPDX-License-Identifier: BSD-3-Clause */
/* A block under construction: instructions in rigid groups, and the tensors they name.
 *
 * The compilers of single ops write a group with cycles relative to a time 0 of their own choice,
 * deriving each issue cycle from where operands stand and when they are needed; place.h then finds
 * the earliest start at which the whole group fits between everything placed before. */
#ifndef PARTITION_EMIT_H
#define PARTITION_EMIT_H

#include "base/program.h"
#include "partition/shape.h"

/* When repeats happen: count and interval of the inner [0] and outer [1] level. */
struct pattern {
    int32_t n[2], d[2];
};

/* Which vector each repeat concerns. */
struct walk {
    int32_t index, stride[2];
};

struct tensor_meta {
    bool
        persistent; /* its addresses move with the rows of the layer that the block is placed for */
    bool shared;    /* one tensor of that name and layer in a whole program */
    int8_t layer_step; /* -1: outside layers; else layer of the block + this */
    int64_t ready;     /* cycle from which all its vectors can be read */
    int64_t
        *row_ready; /* the same vector by vector, owned; NULL: not followed (emit_follow_rows) */
};

/* Rows of each slice: what stays in SRAM grows upward from 0, activations of the block downward
 * from top. */
struct sram {
    int32_t grow[PROGRAM_QUEUE_VXM];
    int32_t top[PROGRAM_QUEUE_VXM];
};

struct reservations;

struct block {
    const struct shape *shape;
    const struct lpu_chip *chip;
    int32_t rank;     /* place in the tensor group */
    int32_t rotation; /* variant of the block: which set of slices its first op leaves free */
    int32_t window;   /* positions that attention sees, 0: all; also part of the variant */
    int32_t set;      /* the set that the op being emitted leaves free for its rows */
    struct program code;
    struct tensor_meta *meta; /* one a tensor */
    size_t meta_capacity;
    struct sram sram;
    struct reservations *busy;
    size_t group_first;                                  /* first instruction of the open group */
    uint8_t marks;                                       /* given to results */
    uint8_t mark[PROGRAM_QUEUE_MXM - PROGRAM_QUEUE_VXM]; /* of each ALU's latest result */
    int64_t end;                                         /* completion of everything placed */
};

/* Position of the VXM, the edge of hemisphere `east`, the MXM there, and the way outward or inward.
 */
int32_t emit_vxm_x(const struct block *b);
int32_t emit_mxm_x(const struct block *b, bool east);
int32_t emit_sxm_x(const struct block *b, bool east);
static inline uint8_t emit_outward(bool east)
{
    return east ? PROGRAM_EAST : PROGRAM_WEST;
}
static inline uint8_t emit_inward(bool east)
{
    return east ? PROGRAM_WEST : PROGRAM_EAST;
}

/* Slices of a hemisphere, from the VXM outward: 4 that never hold weights, then 5 sets of 8. A
 * matrix product streams weights from the 32 slices of four sets; the fifth holds what the product
 * reads beside them. Results go to the first 4: outward of them all 32 streams may carry weights.
 * Ops, and layers by rotation, take turns in which set is left free, so that weights fill all sets
 * alike. Slot 0..11: OPS_SLOT_* of ops.h; outer k: the k-th slice from the edge that streams
 * weights. */
enum { EMIT_FREE_SLICES = 4, EMIT_SETS = 5, EMIT_SET_SLICES = 8, EMIT_OUTER_SLICES = 32 };
void emit_use_set(struct block *b, int32_t op);
int32_t emit_inner_slice(const struct block *b, bool east, int32_t slot);
int32_t emit_outer_slice(const struct block *b, bool east, int32_t k);

struct pattern emit_pattern(int32_t n0, int32_t d0, int32_t n1, int32_t d1);
struct walk emit_walk(int32_t index, int32_t stride0, int32_t stride1);

/* Opens an op: instructions emitted from now on belong to it. */
void emit_op(struct block *b, const char *name, bool in_layer);

/* What a new tensor is. `slice` lists `subs` slices, or is NULL for a tensor without a place. */
struct tensor_spec {
    const char *name;
    enum program_tensor_kind kind;
    enum program_dtype dtype;
    int32_t subs, count, valid;
    const int32_t *slice;
    bool shared;
    int8_t layer_step;
};

/* Adds a tensor; each of its subs gets rows of its own slice: what stays from below, activations
 * and shared tables from the top. `address` >= 0 is used for all subs as it is. */
int32_t emit_tensor(struct block *b, const struct tensor_spec *spec, int32_t address);

/* A tensor of the block alone, all of whose vectors are used: the usual case. */
int32_t emit_placed(struct block *b, enum program_tensor_kind kind, enum program_dtype dtype,
                    const char *name, const int32_t *slice, int32_t subs, int32_t count);

/* From now on each vector of `tensor` can be read once it is written, though others are still to
 * come. */
void emit_follow_rows(struct block *b, int32_t tensor);

/* First address of sub `sub` of a placed tensor. */
int32_t emit_address(const struct block *b, int32_t tensor, int32_t sub);

/* A tensor on streams and in accumulators only. */
int32_t emit_transient(struct block *b, const char *name, enum program_dtype dtype, int32_t subs);

struct program_operand emit_stream(uint8_t direction, int32_t stream, int32_t streams,
                                   int32_t tensor, int32_t sub, struct walk walk);
/* The latest result of an ALU when the operand is emitted: a number, or a key. */
struct program_operand emit_alu_operand(int32_t alu);
struct program_operand emit_alu_key(int32_t alu);
struct program_operand emit_expect(int32_t tensor, int32_t subs, struct walk walk);

/* Appends `i` to the open group. */
struct program_instruction *emit(struct block *b, struct program_instruction i,
                                 const struct program_operand *in, int32_t inputs,
                                 const struct program_operand *out, int32_t outputs);

/* Where data stands when: n streams from `stream` in `direction`, at position x in cycle `cycle`.
 */
struct lane_group {
    uint8_t direction;
    int32_t stream, x;
    int64_t cycle;
};

/* What comes inward to the VXM from hemisphere `east`. */
struct lane_group emit_at_vxm(const struct block *b, bool east, int32_t stream, int64_t cycle);

/* SRAM to streams: subs [sub, sub + n) of `tensor` reach `at`.x in cycle `at`.cycle (first repeat).
 * Returns the operand a consumer there names. */
struct program_operand emit_read(struct block *b, int32_t tensor, int32_t sub, int32_t n,
                                 struct walk walk, struct pattern p, struct lane_group at);

/* As emit_read of one sub whose vectors the streams carry under the name `carried`. */
void emit_read_as(struct block *b, int32_t tensor, int32_t sub, struct walk walk, struct pattern p,
                  struct program_operand carried, struct lane_group at);

/* As emit_read, from a table whose address follows run-time values; the streams carry `label`. */
struct table_read {
    int32_t table, sub, subs; /* subs [sub, sub + subs) become subs 0.. of the label */
    int32_t label;
    uint8_t mode;
    int32_t address_offset, stride[2], argument, limit, low, width;
    int32_t sequence;
};
struct program_operand emit_read_table(struct block *b, const struct table_read *t,
                                       struct walk walk, struct pattern p, struct lane_group at);

/* As emit_read, from a table with `per_expert` vectors of each expert. The outer repeats go from
 * slot to slot, `repeats_a_slot` each; `walk` is that of the label, whose first vector is the first
 * slot's first, and within a slot that of the table. */
struct expert_read {
    int32_t table, subs, label;
    int32_t ids; /* the tensor with an id a slot */
    int32_t per_expert, repeats_a_slot;
};
struct program_operand emit_read_expert(struct block *b, const struct expert_read *e,
                                        struct walk walk, struct pattern p, struct lane_group at);

/* Streams that stand at `from` to SRAM, as subs [sub, sub + n) of `tensor`. */
void emit_write(struct block *b, int32_t tensor, int32_t sub, int32_t n, struct walk walk,
                struct pattern p, struct lane_group from);

/* As emit_write where the streams carry another identity than the memory holds from then on. */
void emit_store(struct block *b, struct program_operand carried, int32_t tensor, int32_t sub,
                struct walk walk, struct pattern p, struct lane_group from);

/* One ALU of the VXM, sampling in cycle `cycle`. Returns the cycle in which its (first) result
 * appears, which is when a chained ALU samples it. A product whose immediate is 0 has none: it is
 * emitted with 1. */
struct alu {
    int32_t unit;
    enum program_vxm_function function;
    uint8_t flags;
    float immediate;
    int32_t argument;
    struct pattern p;
    int64_t cycle;
};
int64_t emit_alu(struct block *b, struct alu a, const struct program_operand *in, int32_t inputs,
                 const struct program_operand *out, int32_t outputs);

/* Pattern of the results of a reduction over the inner repeat. */
static inline struct pattern emit_reduced(struct pattern p)
{
    return (struct pattern){{1, p.n[1]}, {0, p.d[1]}};
}

static inline struct pattern emit_alu_results(struct alu a)
{
    return a.flags & PROGRAM_REDUCE ? emit_reduced(a.p) : a.p;
}

void block_release(struct block *b);

#endif
