/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels as grids of equal blocks: what a library would launch, and the time of a wave. */
#ifndef GPU_CLUSTER_KERNEL_H
#define GPU_CLUSTER_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/gpu_machine.h"
#include "gpu_cluster/gpu_tables.h"
#include "gpu_cluster/sm_loop.h"

/* One launch. Work is the same for every block; fields that end in _bytes count what moves. */
struct gpu_kernel {
    int32_t blocks;
    int32_t blocks_per_sm;          /* resident together, limited by shared memory and registers */
    int32_t split_k;                /* 1: not split */
    int32_t tile_m, tile_n, tile_k; /* 0: not tiled */
    /* Of a block alone; how many share an SM and how fast its loads come in is the wave's. */
    struct gpu_sm_loop loop;
    double steps;             /* of the loop */
    int64_t tail_cycles;      /* around the loop: set up, results leave, the block ends */
    double tail_bytes;        /* that move outside the loop, through HBM */
    int32_t step_load_cycles; /* that loading a step takes at least; 0: what its bytes take */
    bool overlaps;            /* a block's first loads go out while the one before ends */
    bool evens_out;         /* blocks do unequal work, the longest first: the last wave is short */
    double block_l2_bytes;  /* what one block loads and stores through L2 */
    double block_hbm_bytes; /* its share of what misses L2 */
    double hbm_efficiency;  /* share of the HBM peak that its way of reading reaches */
    int64_t floor_ps;       /* paid once: launch to first block, last block to next kernel */
    int64_t
        wave_latency_ps; /* paid once, behind the first wave: work that does not divide evenly */
};

/* Numbers of a product's operands, and the library that multiplies them. */
enum gpu_number {
    GPU_NUMBER_BF16,      /* cuBLAS: the fastest of many tiles, sums split where SMs would idle */
    GPU_NUMBER_FP8,       /* CUTLASS, one scale a row and a tensor: a tile by m, no split */
    GPU_NUMBER_FP8_BLOCK, /* DeepGEMM, a scale for 128 numbers: a tile by waves, no split */
};

/* y[m, n] = x[m, k] W[k, n]; y has 2 bytes an element. */
struct gpu_kernel gpu_kernel_gemm(const struct gpu_chip *chip, int64_t m, int64_t n, int64_t k,
                                  enum gpu_number number);

/* What a linear layer launches, in order: the product, and before it what turns x into 8 bits. */
enum { GPU_LINEAR_KERNELS = 3 };
struct gpu_linear {
    struct gpu_kernel kernel[GPU_LINEAR_KERNELS];
    int32_t count; /* the last one is the product */
};
struct gpu_linear gpu_kernel_linear(const struct gpu_chip *chip, int64_t m, int64_t n, int64_t k,
                                    enum gpu_number number);

/* Products of the experts that the tokens of a step choose: [rows of an expert, k] x [k, n]. */
struct gpu_experts {
    int64_t rows, experts, chosen, n, k; /* rows: tokens of the step; each has `chosen` experts */
    int64_t width;                       /* of an expert between gate and down, on one GPU */
    int64_t everywhere; /* experts of all GPUs, where `experts` are those of one; 0: there are no
                           others */
    bool early;         /* tiles as engines had them in 2025 */
};

/* All of them in one launch; rows[e]: tokens that have chosen expert e of those on this GPU. */
struct gpu_kernel gpu_kernel_grouped(const struct gpu_chip *chip, const struct gpu_experts *shape,
                                     const int32_t *rows, enum gpu_number number);

/* Attention of `queries` positions a sequence against `keys`, causal and, with a window, none
 * further back; per GPU `heads` query and `kv_heads` KV heads. */
struct gpu_attention {
    int64_t sequences, queries, keys, window, heads, kv_heads, head_dim; /* window 0: none */
    int32_t kv_bytes;
};
struct gpu_kernel gpu_kernel_attention(const struct gpu_chip *chip,
                                       const struct gpu_attention *shape);

/* A kernel with a block a row, whose threads walk along it together: norms, RoPE, activation. */
struct gpu_row_work {
    int64_t rows, width; /* places of a row that threads share */
    int32_t passes;      /* over the row, one behind the other; later ones find it near */
    double in, out;      /* bytes of a place, read and written */
    int32_t threads;     /* of a block; 1,024 at most */
    int32_t together;    /* blocks on an SM, as threads and registers allow */
    int32_t vector;      /* places that a thread takes at a time */
};
struct gpu_kernel gpu_kernel_rows(const struct gpu_chip *chip, const struct gpu_row_work *shape);

/* As engines of today make them, 16 bytes a thread at a time: the norm of `rows` hidden states with
 * the residual added, RoPE with the writing of keys and values, the activation of gate and up. */
struct gpu_kernel gpu_kernel_norm(const struct gpu_chip *chip, int64_t rows, int64_t hidden);
struct gpu_kernel gpu_kernel_rope(const struct gpu_chip *chip, int64_t rows, int64_t width);
struct gpu_kernel gpu_kernel_activate(const struct gpu_chip *chip, int64_t rows, int64_t width);

/* Writing keys and values of `rows` tokens, `width` numbers each of both, to the cache; they become
 * `kv_bytes` wide. */
struct gpu_kernel gpu_kernel_kv_write(const struct gpu_chip *chip, int64_t rows, int64_t width,
                                      int32_t kv_bytes);

/* A kernel that streams `bytes` and computes little: copies, sums, argmax. */
struct gpu_kernel gpu_kernel_stream(const struct gpu_chip *chip, double bytes);

/* Blocks that can run at once on `sms` SMs. */
int32_t gpu_kernel_slots(const struct gpu_kernel *kernel, int32_t sms);

/* How a wave of blocks fares. */
struct gpu_wave {
    int64_t ps; /* without the kernel's floor */
    enum gpu_bound bound;
    int32_t active, resident; /* SMs with blocks; blocks on the fullest of them */
    double sm_bytes_per_s;    /* that an SM takes in */
    struct gpu_sm_time time;  /* of the main loop */
};

/* `blocks` over `sms` SMs. Later waves of a kernel that overlaps do not pay the fill again. */
struct gpu_wave gpu_kernel_wave(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                                int32_t blocks, int32_t sms, bool first);

/* The whole kernel on `sms` SMs with nothing beside it: floor and waves. */
int64_t gpu_kernel_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel, int32_t sms);

#endif
