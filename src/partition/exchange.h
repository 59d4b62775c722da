/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of fp16 numbers between chips that are joined by links, and their sums: what collectives are
 * made of. All functions emit into the open group.
 *
 * A link carries one vector a slot. A train of n rows goes as its low planes, n slots, and its high
 * planes behind them, n slots. Its departure is that of the first low plane. What must wait for
 * something (a low plane for the high one, a sum's high plane for the link) waits in SRAM; what
 * need not goes from the link straight to the VXM, and from the VXM straight to the link. */
#ifndef PARTITION_EXCHANGE_H
#define PARTITION_EXCHANGE_H

#include "partition/emit.h"

enum { EXCHANGE_PLANES = 2 };

/* `rows` rows of `tensor` from `first` on. */
struct exchange_rows {
    int32_t tensor, first, rows;
};

/* Rows that pass through: their name on streams, and where each plane waits if it has to. */
struct exchange_passage {
    int32_t label, wait[EXCHANGE_PLANES];
};

/* A passage of at most `count` rows, whose planes wait in `slice`. */
struct exchange_passage exchange_passage_open(struct block *b, const char *name, int32_t count,
                                              const int32_t slice[EXCHANGE_PLANES]);

/* An fp16 tensor of `count` rows whose planes stand in two slices. */
int32_t exchange_tensor(struct block *b, enum program_tensor_kind kind, const char *name,
                        int32_t low, int32_t high, int32_t count);

/* Cycles: between the planes of a train, from a train to the next, from a link to the VXM. */
int64_t exchange_plane_cycles(const struct block *b, int32_t rows);
int64_t exchange_train_cycles(const struct block *b, int32_t rows);
int32_t exchange_crossing(const struct block *b);

/* First cycle in which both planes of what departs over a link in `departure` can be at the VXM. */
int64_t exchange_meeting(const struct block *b, int32_t rows, int64_t departure);

/* Reads rows so that they are at the links when they depart: plane 0 in cycle `departure`, plane 1
 * behind it, on the westward streams `stream` and the next. */
void exchange_read(struct block *b, struct exchange_rows what, int32_t stream, int64_t departure);

/* Sends what is at the links on the streams `stream` and the next of `direction`. */
void exchange_send(struct block *b, int32_t link, struct exchange_rows what, uint8_t direction,
                   int32_t stream, int64_t departure);

/* What the far end of `link` sends as `sent` into `into`, on the eastward stream `stream`. */
void exchange_keep(struct block *b, int32_t link, struct exchange_rows sent, int64_t departure,
                   struct exchange_rows into, int32_t stream);

/* What the far end of `link` sends as `sent` becomes rows `first` and so on of a passage and is at
 * the VXM in `meeting`, on the eastward streams `stream` and the next. */
struct program_operand exchange_bring(struct block *b, int32_t link, struct exchange_rows sent,
                                      int64_t departure, const struct exchange_passage *as,
                                      int32_t first, int32_t stream, int64_t meeting);

/* Rows from SRAM at the VXM in `meeting`, on `stream` and the next. */
struct program_operand exchange_fetch(struct block *b, struct exchange_rows what, int32_t stream,
                                      int64_t meeting);

/* What the VXM drives in `cycle` as rows of a passage on the westward streams `stream` and the
 * next: each plane is at the links when it departs. */
void exchange_lead(struct block *b, const struct exchange_passage *as, struct exchange_rows rows,
                   int32_t stream, int64_t cycle, int64_t departure);

/* Levels of a tree of `terms`, one at the least. */
int32_t exchange_levels(int32_t terms);

/* Cycles from the VXM's sampling of terms to the sum of `levels` levels. */
int64_t exchange_adding(const struct block *b, int32_t levels);

/* Terms that stand at the VXM in `cycle`, added neighbour by neighbour in ALUs from `unit` on, in
 * so many levels; the last ALU drives `out`. Returns the cycle in which it does. */
struct exchange_sum {
    int32_t unit, levels;
    struct pattern p;
    int64_t cycle;
};
int64_t exchange_add(struct block *b, struct exchange_sum s, struct program_operand *term,
                     int32_t terms, const struct program_operand *out, int32_t outputs);

/* When what rows vectors of a train repeat: a slot apart. */
struct pattern exchange_slots(const struct block *b, int32_t rows);

#endif
