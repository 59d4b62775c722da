/* SPDX-License-Identifier: BSD-3-Clause */
/* The language between compiler and chip: all instructions of one chip for one step of a bucket.
 *
 * Geometry. Units stand on a line of positions x, west to east (44 slices a hemisphere by default):
 *   MXM planes 0,1 at 0 | SXM west and all C2C links at 1 | MEM slices 0..43 at 2..45 | VXM at 46
 *   | MEM slices 44..87 at 47..90 | SXM east at 91 | MXM planes 2,3 at 92.
 * A stream moves one position a cycle, eastward or westward, and never stalls.
 *
 * Time. Cycles count from the start of the step and are the same on all chips. An instruction of
 * queue cycle t that repeats (inner i, outer o) acts at
 *   t(i, o) = t + i * interval[0] + o * interval[1],  0 <= i < count[0], 0 <= o < count[1].
 * It samples stream operands at t(i, o) + skew and drives results at t(i, o) + delay, both of the
 * unit (struct lpu_chip). A vector driven at x at cycle c is at x' at cycle c + |x' - x|.
 * The queue is busy from t to t(last) + 1. No two repeats act in one cycle, and repeats nest: the
 * whole of one level fits into the interval of the other. Streams and ALU results of a unit at
 * (i, o) carry index(i, o); with REDUCE a result exists for i = count[0] - 1 only, without EVERY a
 * compute drives for o = count[1] - 1 only. A vector holds its stream from the position that drives
 * it to that of its farthest consumer, both included.
 *
 * MXM: an install at t swaps buffer and array; it needs t > the last cycle in which its load
 * sampled, the next load samples from t + mxm_install_cycles on, and a compute issued at t' uses
 * the newest install with t + mxm_install_cycles <= t' (none may start in between). Each outer
 * repeat of a load is one load, each repeat of an install one install; install r of a plane takes
 * what load r of that plane brought, and names its first vector. In cycle i of a load that takes n
 * vectors (of one or two streams each), vector j is column (or row) n * i + j of the array; what
 * the load does not bring is zero. C2C: a send departs at issue + c2c_send_skew_cycles; the receive
 * is issued at departure + c2c_hop_cycles on the other end of the wire and drives its stream
 * c2c_receive_cycles later.
 *
 * Identity. Each 320-byte vector is (tensor, sub, index): a tensor has `subs` parallel byte planes
 * (2 for fp16, 4 for int32/fp32, 16 or 32 for weights) of `count` vectors each. Between chips and
 * between programs a tensor is known by (name, layer), within a program by its number. MEM_READ:
 * output 0 is the stream and the identity it carries; where the address is not static, output 1
 * (EXPECT) names the table that is read and the stream carries output 0's identity as a new label.
 * The operand that names what memory holds has index = address - program_tensor_address and the
 * strides of the address; its index_mode is that of the address. CLAMP: the address is the table's
 * first, the limit its last vector, and the index is the argument. TOKEN: sub j of n holds group
 * j * embedding_groups / n. KV: vector r of the stream becomes row r of the step. CACHE and KV name
 * the vectors of cache 0. EXPERT: outputs are stream, ids (EXPECT) and table: row n of ids, a
 * number in lane 0, is the expert of slot n; `limit` vectors of the table belong to each expert,
 * and the label's vectors are those of slot after slot: low * width * stride[1] + index of the
 * table, and so on. A queue knows an id program_expert_delay_cycles after its row is written.
 * Labels on streams are STATIC. MEM_WRITE: input 0 is the stream and what it must carry; output 0
 * (EXPECT) is what the addresses hold then; a dump holds nothing. C2C_RECEIVE: output 0 is the
 * stream and its new label, output 1 (EXPECT) what the sender's message must name. All other
 * results carry the identity of their output operand; between ALUs a result goes by its mark. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/machine.h"

enum program_opcode {
    PROGRAM_MEM_READ,      /* SRAM -> stream; one output operand of one stream */
    PROGRAM_MEM_WRITE,     /* stream -> SRAM; one input operand of one stream */
    PROGRAM_MXM_LOAD,      /* streams -> weight buffer; one input operand of many streams a cycle */
    PROGRAM_MXM_INSTALL,   /* buffer -> array; one expectation operand (no stream) */
    PROGRAM_MXM_COMPUTE,   /* input 0: activations; input 1: expected weights (no stream); output:
                              results */
    PROGRAM_VXM,           /* one ALU: 1..3 inputs (streams or ALUs), 0..2 outputs (streams) */
    PROGRAM_SXM_PERMUTE,   /* lanes rearranged: `function` says how */
    PROGRAM_SXM_TRANSPOSE, /* 16x16 transpose in each superlane: 16 vectors in and out, or 1 in that
                              counts as all sixteen */
    PROGRAM_C2C_SEND,      /* stream -> link; one input operand of one stream */
    PROGRAM_C2C_RECEIVE,   /* link -> stream; one output operand of one stream */
    PROGRAM_OPCODES,
};

/* Queues of one chip. */
enum program_queue_layout {
    PROGRAM_QUEUE_VXM = 88,      /* after 88 MEM queues, one a slice: 16 ALUs */
    PROGRAM_QUEUE_MXM = 104,     /* plane p: 104 + 3p loads, 105 + 3p installs, 106 + 3p computes */
    PROGRAM_QUEUE_SEND = 116,    /* 11 links */
    PROGRAM_QUEUE_RECEIVE = 127, /* 11 links */
    PROGRAM_QUEUE_SXM = 138,     /* west 138 and 139, east 140 and 141 */
    PROGRAM_QUEUE_HOST = 142,
    PROGRAM_QUEUE_SYNC = 143,
    PROGRAM_QUEUES = 144,
};

enum { PROGRAM_MXM_QUEUES = 3, PROGRAM_SXM_QUEUES = 2 }; /* of one plane; of one hemisphere */

/* Plane 0..3 of an MXM queue. */
static inline int32_t program_mxm_plane(int32_t queue)
{
    return (queue - PROGRAM_QUEUE_MXM) / PROGRAM_MXM_QUEUES;
}

enum program_direction { PROGRAM_EAST = 0, PROGRAM_WEST = 1 };

/* How the address of a MEM instruction follows from (i, o) and the run-time values of the step.
 * s = address + i * stride[0] + o * stride[1] throughout; `position` and `cache` are those of the
 * sequence that the instruction names, and `width` is the number of rows of one cache. */
enum program_address_mode {
    PROGRAM_ADDRESS_STATIC,   /* s */
    PROGRAM_ADDRESS_POSITION, /* s + position: row tables such as cos/sin */
    PROGRAM_ADDRESS_CLAMP,    /* address + clamp(position + i*stride[0] + o*stride[1] + argument, 0,
                               * limit):    mask tables */
    PROGRAM_ADDRESS_KV, /* Row r = position + argument + 16*i of the cache. Where this slice, which
                         * holds the rows of lane `low`, owns it (program_kv_owner), address +
                         * cache * width + its local row / 16; else `limit`, the dump */
    PROGRAM_ADDRESS_CACHE,  /* s + cache * width: what the sequence's cache holds */
    PROGRAM_ADDRESS_TOKEN,  /* address + i*stride[0] + local*stride[1], local = row of token[o] in
                             * the slices of group `low` where they own it (program_token_owner);
                             * else limit + i*stride[0], a zero row */
    PROGRAM_ADDRESS_EXPERT, /* address + i*stride[0] + (o mod width)*stride[1] + id*limit, id = the
                             * expert that the step has chosen for slot low + o / width */
};

enum program_vxm_function {
    PROGRAM_VXM_COPY,
    PROGRAM_VXM_ADD,
    PROGRAM_VXM_SUB,
    PROGRAM_VXM_MUL, /* (a * b) * immediate */
    PROGRAM_VXM_MAX,
    PROGRAM_VXM_MAXABS, /* max(|a|, |b|), or |a| with one input */
    PROGRAM_VXM_EXP,
    PROGRAM_VXM_RSQRT,    /* 1 / sqrt(a); 0 where a is 0, as padding lanes want it */
    PROGRAM_VXM_TANH,     /* tanh(a * immediate) */
    PROGRAM_VXM_SCALE,    /* a * immediate */
    PROGRAM_VXM_OFFSET,   /* a + immediate */
    PROGRAM_VXM_QUANTISE, /* (a * b) * immediate, rounded half to even and clamped to +-127 */
    PROGRAM_VXM_KEY, /* key of (value a, id b + immediate): ordered by value, then by lower id; ids
                      * from `argument` on give the least key */
    PROGRAM_VXM_FUNCTIONS,
};

enum program_sxm_function {
    PROGRAM_SXM_IDENTITY,
    PROGRAM_SXM_WINDOW,      /* out[l] = in[(l - shift) mod lanes] for lo <= l < hi, else 0; shift =
                              * argument +      i * argument_stride; lo = low + i * argument_stride; hi =
                              * lo +      width */
    PROGRAM_SXM_SWAP_HALVES, /* in each group of `width` lanes, swap the lower and the upper half */
    PROGRAM_SXM_SPREAD, /* lane l of superlane s from lane l of superlane (s + l) mod superlanes */
    PROGRAM_SXM_ROTATE, /* superlanes rotated by argument + i * argument_stride */
    PROGRAM_SXM_FUNCTIONS,
};

enum program_flags {
    PROGRAM_FIRST = 1, /* MXM_COMPUTE: outer 0 overwrites its accumulators (else all add) */
    PROGRAM_LAST =
        2, /* MXM_COMPUTE: the last outer repeat emits its rows; without it, nothing is emitted */
    PROGRAM_FP16 =
        4, /* MXM: both planes of the hemisphere work as one fp16 array (even plane's queue) */
    PROGRAM_ROWS = 8, /* MXM_LOAD: vectors are rows (contraction index), not columns, of the array;
                         MXM_INSTALL: they were loaded so */
    PROGRAM_REDUCE = 16, /* VXM: the function folds over all inputs of all inner repeats, in order;
                          * one result an outer repeat, after the last; the inner repeat is fast */
    PROGRAM_EVERY = 32, /* MXM_COMPUTE: every outer repeat overwrites and emits (no accumulation) */
};

enum program_operand_kind {
    PROGRAM_STREAM, /* `streams` streams from `stream`, carrying subs from `sub` */
    PROGRAM_ALU,    /* result of ALU `stream`, driven in the very cycle it is sampled */
    PROGRAM_EXPECT, /* no data path: weights that must be loaded or installed */
};

/* One operand; its vector at (i, o) is index + i * stride[0] + o * stride[1]. A negative stride is
 * fine. `index_mode` KV: the index follows the cache row as the address does; TOKEN and EXPERT
 * likewise. */
struct program_operand {
    uint8_t kind, direction, stream, streams;
    uint8_t sub, index_mode;
    uint8_t dtype; /* enum program_dtype: how the unit reads the lanes; ALUs hand on FP32 or KEY */
    uint8_t mark;  /* ALU: that of the instruction whose result is meant */
    int32_t tensor;
    int32_t index, stride[2];
};

/* One instruction. Fields that an opcode does not use are 0. */
struct program_instruction {
    int64_t cycle;
    uint8_t queue, opcode, function, flags;
    uint8_t address_mode, inputs, outputs;
    uint8_t mark; /* VXM: what ALUs call its result by, one of few under way at a time */
    int32_t count[2], interval[2];
    int32_t op;       /* index into program.op: what this is for */
    uint32_t operand; /* first operand in program.operand: inputs, then outputs */
    int32_t address, stride[2],
        limit; /* MEM; MXM_COMPUTE: accumulator row = address + i * stride[0] */
    int32_t argument, argument_stride;
    int32_t low,
        width; /* SXM window; KV lane and rows of a cache; TOKEN group; EXPERT slot and outer
                  repeats a slot; fp16 compute: low = first activation lane of its half */
    float immediate;
    uint8_t sequence; /* MEM: whose position and cache the address follows */
};

enum program_tensor_kind {
    PROGRAM_TENSOR_WEIGHT,
    PROGRAM_TENSOR_CONSTANT,
    PROGRAM_TENSOR_KV,
    PROGRAM_TENSOR_EMBEDDING,
    PROGRAM_TENSOR_ACTIVATION, /* written by the program, each row once where it is read, and read
                                * within its residency window */
    PROGRAM_TENSOR_TRANSIENT,  /* lives on streams and in accumulators only */
    PROGRAM_TENSOR_ZERO,       /* tensor 0 of every program: the zero vector, any sub, any index */
};

enum program_dtype {
    PROGRAM_DTYPE_INT8,
    PROGRAM_DTYPE_FP16,
    PROGRAM_DTYPE_FP32,
    PROGRAM_DTYPE_INT32,
    PROGRAM_DTYPE_KEY,
};

/* Streams (and slices) that a number of the type takes: its byte planes, low first. */
static inline int32_t program_dtype_planes(int32_t dtype)
{
    return dtype == PROGRAM_DTYPE_INT8 ? 1 : dtype == PROGRAM_DTYPE_FP16 ? 2 : 4;
}

/* Where a tensor lives: sub j of vector v at slice program.slice[slice + j], row
 * program_tensor_address(j) + v. Vectors valid <= v < count are zero padding: their addresses hold
 * the zero tensor, preloaded. Weights, constants, KV and embedding are preloaded and live for ever
 * (live_from = INT64_MIN). */
struct program_tensor {
    char name[24];
    uint8_t kind, dtype;
    uint8_t subs;
    uint8_t caches; /* KV: caches of count / caches vectors each, one behind the other; else 0 */
    int16_t layer;
    int32_t slice;   /* first entry in program.slice; -1: no placement */
    int32_t address; /* of every sub, plus program.row[slice + j] where there is one */
    int32_t count, valid;
    int64_t live_from, live_to; /* cycles [from, to) in which its addresses are its own */
};

/* What a group of instructions computes, for messages and timelines. */
struct program_op {
    char name[24];
    int16_t layer;
    int64_t start_cycle, end_cycle; /* as compiled */
};

struct program {
    int32_t chip;
    struct program_instruction *instruction; /* sorted by (queue, cycle) */
    size_t instructions, instruction_capacity;
    struct program_operand *operand;
    size_t operands, operand_capacity;
    struct program_tensor *tensor;
    size_t tensors, tensor_capacity;
    int32_t *slice; /* of each sub of each placed tensor */
    int32_t *row;   /* as long as slice, added to tensor.address; NULL: all 0 */
    size_t slices, slice_capacity;
    struct program_op *op;
    size_t ops, op_capacity;
    int64_t length_cycles; /* compiled length of the step, the same on all chips */
    int32_t rows;          /* tokens of the step: one a sequence in decode, the chunk in prefill */
    int32_t sequences;     /* of the step, each with rows / sequences tokens one behind the other */
    /* Layout of the KV cache and of the embedding, for the run-time address modes. */
    int32_t kv_tile_positions; /* positions of one tile; tile t is in hemisphere t mod 2 */
    int32_t vocabulary_first, vocabulary_count; /* tokens whose embedding this chip holds */
    int32_t embedding_groups; /* token local/groups is the row, local%groups the group of slices */
    int32_t experts;          /* ids of EXPERT addresses are 0 to experts - 1 */
    int32_t expert_slots;     /* choices of a layer in a step: rows x experts a row */
    int32_t token; /* tensor of the keys that a step ends with, one a row; -1: none on this chip */
    int32_t key_id_bits; /* low bits of a key, which hold its id; the rest is its value */
};

enum {
    PROGRAM_SEQUENCES = 32, /* at most, of a step */
    PROGRAM_CACHES = 255,   /* at most, of a chip */
};

/* Where a sequence of a step stands: the row of its first token in the cache that it has. */
struct program_sequence {
    int32_t position, cache;
};

/* The values that are known only at run time. */
struct program_runtime {
    struct program_sequence sequence[PROGRAM_SEQUENCES]; /* as many as the program has */
    const int32_t *token;                                /* rows tokens; used by TOKEN addresses */
    int32_t tokens;
    const int32_t *expert; /* [expert_layers][expert_slots] ids; used by EXPERT addresses where no
                              numbers are computed: a chip that computes finds them in its memory */
    int32_t expert_layers;
};

/* Vectors of one of a KV tensor's caches. */
static inline int32_t program_cache_rows(const struct program_tensor *t)
{
    return t->caches ? t->count / t->caches : t->count;
}

/* First row of sub `sub` of a placed tensor. */
static inline int32_t program_tensor_address(const struct program *p,
                                             const struct program_tensor *t, int32_t sub)
{
    return t->address + (p->row ? p->row[t->slice + sub] : 0);
}

static inline bool program_is_east(int32_t slice)
{
    return slice >= 44;
}

/* KV row r: tile r / T in hemisphere tile % 2; local row (tile / 2) * T + r % T; slices by r % 16.
 * Sub j of a KV tensor of n subs holds lane j * 16 / n.
 * Returns the local row where the slices of (east, lane) hold r, else -1. */
static inline int32_t program_kv_owner(int32_t tile_positions, bool east, int32_t lane, int32_t row)
{
    int32_t tile = row / tile_positions;
    if ((tile % 2 == 1) != east || row % 16 != lane)
        return -1;
    return tile / 2 * tile_positions + row % tile_positions;
}

/* Row of `token` in the embedding slices of `group`, or -1 where they do not hold it. */
static inline int32_t program_token_owner(const struct program *p, int32_t group, int32_t token)
{
    int32_t local = token - p->vocabulary_first;
    if (local < 0 || local >= p->vocabulary_count || local % p->embedding_groups != group)
        return -1;
    return local / p->embedding_groups;
}

/* Cycles from the write of an expert's id to the first issue whose address it may complete: it is
 * read and reaches the farthest slice of the chip. */
static inline int32_t program_expert_delay_cycles(const struct lpu_chip *chip)
{
    return chip->mem_read_cycles + 2 * chip->mem_slices_per_hemisphere + 4;
}

/* Position x of the unit that a queue belongs to. */
int32_t program_queue_position(const struct lpu_chip *chip, int32_t queue);

const char *program_opcode_name(enum program_opcode opcode);

/* "MEM 17", "VXM 3", "MXM 2 load", "C2C send 4", ... into text (at least 24 bytes). */
void program_queue_name(int32_t queue, char *text);

void program_release(struct program *program);

struct base_report;

/* Whether every field is in range, instructions are sorted by (queue, cycle) and operands, tensors
 * and slices exist, so that a chip can execute the program and judge it by the contract. Faults go
 * into `report`, at most a few dozen. */
bool program_is_valid(const struct lpu_chip *chip, const struct program *program,
                      struct base_report *report);

#endif
