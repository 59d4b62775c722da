/* SPDX-License-Identifier: BSD-3-Clause */
/* One step of an LSTM cell in fp16 on one chip, batch 1:
 *   i, f, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b), c' = f c + i g, h' = o tanh(c').
 *
 * The weights of gates f and i install in the west, of g and o in the east, column tile by column
 * tile; their rows load 16 a cycle, and the activations slip into the gap between two loads. */
#ifndef BENCH_LSTM_H
#define BENCH_LSTM_H

#include "partition/emit.h"

enum lstm_gate { LSTM_F, LSTM_G, LSTM_I, LSTM_O, LSTM_GATES }; /* odd ones in the east */
enum { LSTM_MOST_HIDDEN = 640 };

/* Tensors. A vector holds 320 elements of x, h, c or a gate. By hemisphere: `input` vectors of x,
 * then of h; `weight` as lstm_weight_row says; `bias` of the first gate, then of the second. */
struct lstm {
    int32_t hidden, vectors;
    int32_t input[2], weight[2], bias[2], next_hidden[2];
    int32_t state, next_state;
};

/* The whole step as one group, into a block from lone_open. */
void lstm_emit(struct block *b, int32_t hidden, struct lstm *l);

/* Where row `k` (of x, from `hidden` on of h) of the weights of a gate's column tile stands: its
 * row and first sub in weight[gate % 2]. */
struct lstm_place {
    int32_t row, sub;
};
struct lstm_place lstm_weight_row(const struct lpu_chip *chip, const struct lstm *l, int32_t gate,
                                  int32_t tile, int32_t k);

#endif
