/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits sends, receives and sums of rows, and the ways between links and VXM. */
#include "partition/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#include "partition/emit_link.h"

struct pattern exchange_slots(const struct block *b, int32_t rows)
{
    return emit_pattern(rows, (int32_t)machine_link_slot_cycles(b->chip), 1, 0);
}

/* A slice does one instruction at a time: a row that waits is written and three cycles later read
 * at the least. What a slot is short of that separates the planes. */
static int64_t gap(const struct block *b)
{
    int64_t wait = b->chip->mem_read_cycles + 3 - b->chip->mem_write_skew_cycles,
            slot = machine_link_slot_cycles(b->chip);
    return wait > slot ? wait - slot : 0;
}

int64_t exchange_plane_cycles(const struct block *b, int32_t rows)
{
    return (int64_t)rows * machine_link_slot_cycles(b->chip) + gap(b);
}

int64_t exchange_train_cycles(const struct block *b, int32_t rows)
{
    return exchange_plane_cycles(b, rows) + (int64_t)rows * machine_link_slot_cycles(b->chip);
}

int32_t exchange_crossing(const struct block *b)
{
    return emit_vxm_x(b) - emit_link_x(b);
}

struct exchange_passage exchange_passage_open(struct block *b, const char *name, int32_t count,
                                              const int32_t slice[EXCHANGE_PLANES])
{
    struct exchange_passage p = {.label =
                                     emit_transient(b, name, PROGRAM_DTYPE_FP16, EXCHANGE_PLANES)};
    for (int32_t sub = 0; sub < EXCHANGE_PLANES; sub++) {
        char full[24];
        snprintf(full, sizeof full, "%.20s.%c", name, sub ? 'h' : 'l');
        p.wait[sub] = emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_INT8, full,
                                  &slice[sub], 1, count);
    }
    return p;
}

int32_t exchange_tensor(struct block *b, enum program_tensor_kind kind, const char *name,
                        int32_t low, int32_t high, int32_t count)
{
    int32_t slice[EXCHANGE_PLANES] = {low, high};
    return emit_placed(b, kind, PROGRAM_DTYPE_FP16, name, slice, EXCHANGE_PLANES, count);
}

int64_t exchange_meeting(const struct block *b, int32_t rows, int64_t departure)
{
    return departure + exchange_plane_cycles(b, rows) + b->chip->c2c_hop_cycles +
           b->chip->c2c_receive_cycles + exchange_crossing(b);
}

static struct program_operand plane_of(struct exchange_rows what, uint8_t direction, int32_t stream,
                                       int32_t sub)
{
    return emit_stream(direction, stream, 1, what.tensor, sub, emit_walk(what.first, 1, 0));
}

void exchange_read(struct block *b, struct exchange_rows what, int32_t stream, int64_t departure)
{
    for (int32_t sub = 0; sub < EXCHANGE_PLANES; sub++)
        emit_read(b, what.tensor, sub, 1, emit_walk(what.first, 1, 0), exchange_slots(b, what.rows),
                  (struct lane_group){PROGRAM_WEST, stream + sub, emit_link_x(b),
                                      departure + sub * exchange_plane_cycles(b, what.rows)});
}

void exchange_send(struct block *b, int32_t link, struct exchange_rows what, uint8_t direction,
                   int32_t stream, int64_t departure)
{
    for (int32_t sub = 0; sub < EXCHANGE_PLANES; sub++)
        emit_link_send(b, link, plane_of(what, direction, stream + sub, sub),
                       exchange_slots(b, what.rows),
                       departure + sub * exchange_plane_cycles(b, what.rows));
}

void exchange_keep(struct block *b, int32_t link, struct exchange_rows sent, int64_t departure,
                   struct exchange_rows into, int32_t stream)
{
    for (int32_t sub = 0; sub < EXCHANGE_PLANES; sub++)
        emit_link_receive(
            b, link, plane_of(sent, PROGRAM_EAST, stream, sub), exchange_slots(b, sent.rows),
            departure + sub * exchange_plane_cycles(b, sent.rows),
            (struct link_target){stream, into.tensor, sub, emit_walk(into.first, 1, 0)});
}

/* What is called `carried` at `from` is at `to` in time: straight, or out of slice `wait`. */
static void pass(struct block *b, struct program_operand carried, int32_t wait, struct pattern p,
                 struct lane_group from, struct lane_group to)
{
    struct walk walk = {carried.index, {carried.stride[0], carried.stride[1]}};
    if (to.cycle == from.cycle + abs(to.x - from.x))
        return;
    emit_store(b, carried, wait, 0, walk, p, from);
    emit_read_as(b, wait, 0, walk, p, carried, to);
}

struct program_operand exchange_bring(struct block *b, int32_t link, struct exchange_rows sent,
                                      int64_t departure, const struct exchange_passage *as,
                                      int32_t first, int32_t stream, int64_t meeting)
{
    struct pattern p = exchange_slots(b, sent.rows);
    struct exchange_rows here = {as->label, first, sent.rows};
    for (int32_t sub = 0; sub < EXCHANGE_PLANES; sub++) {
        struct program_operand carried = plane_of(here, PROGRAM_EAST, stream + sub, sub);
        struct lane_group from =
            emit_link_arrive(b, link, plane_of(sent, PROGRAM_EAST, stream, sub), p,
                             departure + sub * exchange_plane_cycles(b, sent.rows), carried);
        pass(b, carried, as->wait[sub], p, from, emit_at_vxm(b, false, stream + sub, meeting));
    }
    return emit_stream(PROGRAM_EAST, stream, EXCHANGE_PLANES, as->label, 0, emit_walk(first, 1, 0));
}

struct program_operand exchange_fetch(struct block *b, struct exchange_rows what, int32_t stream,
                                      int64_t meeting)
{
    const struct program *code = &b->code;
    bool east = program_is_east(code->slice[code->tensor[what.tensor].slice]);
    return emit_read(b, what.tensor, 0, EXCHANGE_PLANES, emit_walk(what.first, 1, 0),
                     exchange_slots(b, what.rows), emit_at_vxm(b, east, stream, meeting));
}

void exchange_lead(struct block *b, const struct exchange_passage *as, struct exchange_rows rows,
                   int32_t stream, int64_t cycle, int64_t departure)
{
    rows.tensor = as->label;
    for (int32_t sub = 0; sub < EXCHANGE_PLANES; sub++)
        pass(b, plane_of(rows, PROGRAM_WEST, stream + sub, sub), as->wait[sub],
             exchange_slots(b, rows.rows),
             (struct lane_group){PROGRAM_WEST, stream + sub, emit_vxm_x(b), cycle},
             (struct lane_group){PROGRAM_WEST, stream + sub, emit_link_x(b),
                                 departure + sub * exchange_plane_cycles(b, rows.rows)});
}

int32_t exchange_levels(int32_t terms)
{
    int32_t levels = 1;
    while (1 << levels < terms)
        levels++;
    return levels;
}

int64_t exchange_adding(const struct block *b, int32_t levels)
{
    return (int64_t)levels * (b->chip->vxm_alu_cycles - b->chip->vxm_skew_cycles);
}

int64_t exchange_add(struct block *b, struct exchange_sum s, struct program_operand *term,
                     int32_t terms, const struct program_operand *out, int32_t outputs)
{
    struct alu a = {.unit = s.unit, .p = s.p, .cycle = s.cycle};
    for (int32_t level = s.levels; level > 0; level--) {
        int32_t sums = (terms + 1) / 2;
        int64_t next = a.cycle;
        for (int32_t k = 0; k < sums; k++, a.unit++) {
            int32_t n = 2 * k + 1 < terms ? 2 : 1;
            a.function = n == 2 ? PROGRAM_VXM_ADD : PROGRAM_VXM_COPY;
            next = emit_alu(b, a, term + 2 * k, n, out, level == 1 ? outputs : 0);
            term[k] = emit_alu_operand(a.unit);
        }
        terms = sums;
        a.cycle = next;
    }
    return a.cycle;
}
