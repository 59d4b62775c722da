/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptions of machines, buckets and work: plain numbers in one unit system, filled from .cfg
 * files. LPU time is in cycles of the chip's clock, everything else in picoseconds; bandwidths in
 * bytes a second. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

enum { MACHINE_NAME_BYTES = 64, MACHINE_PATH_BYTES = 1024 };

/* One LPU chip type. Delays marked [u] are unpublished and calibrated; the .cfg file holds sources.
 */
struct lpu_chip {
    char name[MACHINE_NAME_BYTES];
    int64_t clock_hz;
    int32_t lanes; /* bytes of a vector */
    int32_t lanes_per_superlane;
    int32_t streams_per_direction;
    int32_t mem_slices_per_hemisphere;
    int32_t vectors_per_slice;
    int32_t banks_per_slice;
    int32_t mxm_planes;            /* in all; half in each hemisphere */
    int32_t mxm_rows, mxm_columns; /* int8 array of one plane */
    int32_t
        mxm_fp16_rows; /* contraction length of an fp16 pass over the two planes of a hemisphere */
    int32_t mxm_load_streams;     /* streams into one plane's weight buffer */
    int32_t mxm_accumulator_rows; /* [u] */
    int32_t vxm_alus;
    int32_t c2c_local_links, c2c_global_links;
    int64_t c2c_bits_per_s;              /* each way, each link */
    int32_t c2c_vector_wire_bytes;       /* bytes on the wire for one vector */
    int64_t c2c_hop_cycles;              /* departure to arrival */
    int32_t queue_capacity_instructions; /* instruction memory of one queue, [u] */
    /* d_func: issue to result on the stream register; d_skew: issue to operand sampled. [u] */
    int32_t mem_read_cycles, mem_write_skew_cycles;
    int32_t mxm_load_skew_cycles, mxm_install_cycles, mxm_compute_skew_cycles, mxm_compute_cycles;
    int32_t vxm_skew_cycles, vxm_alu_cycles;
    int32_t sxm_skew_cycles, sxm_cycles, sxm_transpose_cycles;
    int32_t c2c_send_skew_cycles, c2c_receive_cycles;
    int32_t sync_cycles;  /* the one barrier at program start [u] */
    int32_t epoch_cycles; /* clock alignment between chips [u] */
    double power_average_w, power_max_w;
    int64_t pcie_latency_ps;
    int64_t pcie_bytes_per_s;
};

/* How the second matrix of a pair (v and o, up and down) is cut over the chips that share a layer.
 */
enum lpu_split {
    LPU_SPLIT_AUTO, /* the compiler chooses */
    LPU_SPLIT_ROWS,
    LPU_SPLIT_COLUMNS
};

/* Racks of LPU chips: nodes of fully meshed chips, node pairs of a rack and racks joined by cables.
 */
struct lpu_rack {
    int32_t racks;                 /* at most 1: there is one */
    int32_t nodes, chips_per_node; /* nodes of one rack */
    int32_t cables_per_node_pair;  /* 0: floor(32 / (nodes - 1)) */
    int32_t chips_used;            /* 0: all */
    int32_t pipeline_stages;       /* 0: the compiler chooses */
    int32_t tensor_group;          /* chips that share a layer; 0: the compiler chooses */
    enum lpu_split split_o, split_down;
};

enum { BUCKET_RUNGS = 4 }; /* smaller buckets beside the one of max_sequence */

/* The shape a schedule is compiled for. */
struct bucket {
    int32_t batch;         /* sequences of a decode step */
    int32_t prefill_chunk; /* prompt positions of a prefill step */
    int32_t max_sequence;  /* KV positions */
    /* Positions of smaller buckets, ascending, that decode steps use as long as these suffice. */
    int32_t rungs, rung[BUCKET_RUNGS];
};

/* One request class of the main job. */
struct workload {
    int32_t prompt_tokens, decode_tokens;
    int32_t sequences; /* of this shape, where LPU seats are shared; 0: one for each seat */
};

static inline int64_t machine_link_slot_cycles(const struct lpu_chip *chip)
{
    int64_t bits = (int64_t)chip->c2c_vector_wire_bytes * 8 * chip->clock_hz;
    return (bits + chip->c2c_bits_per_s - 1) / chip->c2c_bits_per_s;
}

/* Cycles to picoseconds, rounded to nearest; exact to 1 ps for up to 2^53 cycles at 900 MHz
 * (10000/9 ps each). */
static inline int64_t machine_cycles_to_ps(const struct lpu_chip *chip, int64_t cycles)
{
    int64_t whole = cycles / chip->clock_hz, rest = cycles % chip->clock_hz;
    int64_t khz = chip->clock_hz / 1000;
    return whole * INT64_C(1000000000000) + (rest * INT64_C(1000000000) + khz / 2) / khz;
}

/* The first cycle that is not before `ps` >= 0. */
static inline int64_t machine_ps_to_cycle(const struct lpu_chip *chip, int64_t ps)
{
    const int64_t second = INT64_C(1000000000000);
    int64_t khz = chip->clock_hz / 1000;
    int64_t cycle = ps / second * chip->clock_hz + ps % second / 1000 * khz / 1000000;
    while (machine_cycles_to_ps(chip, cycle) < ps)
        cycle++;
    while (cycle > 0 && machine_cycles_to_ps(chip, cycle - 1) >= ps)
        cycle--;
    return cycle;
}

#endif
