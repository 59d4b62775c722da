/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits the sends, receives and sums of rows over several links at once. */
#include "partition/exchange.h"

#include "partition/emit_link.h"
#include "partition/place.h"

/* Streams: westward to the links one a port, eastward from the links one a port; terms and sums
 * beside them. */
enum {
    STREAM_LINK = 0,  /* one a port, both ways */
    STREAM_ALL = 7,   /* westward: what all ports send */
    STREAM_TERM = 8,  /* eastward two a port; westward this chip's own */
    STREAM_NEAR = 10, /* westward: sums to the links' side */
    STREAM_FAR = 24,  /* eastward: sums to the east */
};

/* Slices from the VXM outward, two a place. */
enum { EAST_SOURCES = 0, EAST_RESULTS = 16, WEST_SUMS = 30 };

int32_t exchange_source_slice(const struct block *b, int32_t place, int32_t sub)
{
    return b->chip->mem_slices_per_hemisphere + EAST_SOURCES + 2 * place + sub;
}

int32_t exchange_result_slice(const struct block *b, int32_t place, int32_t sub)
{
    return b->chip->mem_slices_per_hemisphere + EAST_RESULTS + 2 * place + sub;
}

int32_t exchange_received_slice(const struct block *b, int32_t turn, int32_t port, int32_t sub)
{
    return b->chip->mem_slices_per_hemisphere - 1 -
           (2 * EXCHANGE_PORTS * (turn % 2) + 2 * port + sub);
}

int32_t exchange_sum_slice(const struct block *b, int32_t turn, int32_t sub)
{
    return b->chip->mem_slices_per_hemisphere - 1 - (WEST_SUMS + 2 * turn + sub);
}

struct exchange exchange_in_node(struct block *b, int32_t group)
{
    struct exchange e = {.b = b, .ports = group - 1};
    for (int32_t port = 0; port < e.ports; port++)
        e.link[port] = port;
    return e;
}

int32_t exchange_tensor(struct block *b, enum program_tensor_kind kind, const char *name,
                        int32_t low, int32_t high, int32_t count)
{
    int32_t slice[2] = {low, high};
    return emit_placed(b, kind, PROGRAM_DTYPE_FP16, name, slice, 2, count);
}

static struct pattern slots(const struct exchange *e, int32_t rows)
{
    return emit_pattern(rows, (int32_t)machine_link_slot_cycles(e->b->chip), 1, 0);
}

static int64_t plane_cycles(const struct exchange *e, int32_t rows)
{
    return (int64_t)rows * machine_link_slot_cycles(e->b->chip);
}

static struct program_operand read_to_links(const struct exchange *e, struct exchange_rows what,
                                            int32_t sub, int32_t stream, int64_t cycle)
{
    return emit_read(e->b, what.tensor, sub, 1, emit_walk(what.first, 1, 0), slots(e, what.rows),
                     (struct lane_group){PROGRAM_WEST, stream, emit_link_x(e->b), cycle});
}

/* Links are free again a slot after the last departure. */
static int64_t place_departures(struct exchange *e, int32_t rows, int64_t earliest)
{
    int64_t shift = place_group(e->b, earliest > e->free_cycle ? earliest : e->free_cycle);
    e->free_cycle = shift + 2 * plane_cycles(e, rows);
    return shift;
}

static struct link_target target(struct exchange_rows into, int32_t port, int32_t sub)
{
    return (struct link_target){STREAM_LINK + port, into.tensor, sub, emit_walk(into.first, 1, 0)};
}

int64_t exchange_scatter(struct exchange *e, const struct exchange_rows *to,
                         struct exchange_rows as, const struct exchange_rows *into,
                         int64_t earliest)
{
    for (int32_t sub = 0; sub < 2; sub++) {
        int64_t cycle = sub * plane_cycles(e, as.rows);
        struct pattern p = slots(e, as.rows);
        struct program_operand expected =
            emit_stream(PROGRAM_WEST, STREAM_LINK, 1, as.tensor, sub, emit_walk(as.first, 1, 0));
        for (int32_t port = 0; port < e->ports; port++) {
            struct program_operand sent =
                read_to_links(e, to[port], sub, STREAM_LINK + port, cycle);
            emit_link_send(e->b, e->link[port], sent, p, cycle);
            emit_link_receive(e->b, e->link[port], expected, p, cycle,
                              target(into[port], port, sub));
        }
    }
    return place_departures(e, as.rows, earliest);
}

int64_t exchange_share(struct exchange *e, struct exchange_rows what,
                       const struct exchange_rows *into, int64_t earliest)
{
    for (int32_t sub = 0; sub < 2; sub++) {
        int64_t cycle = sub * plane_cycles(e, what.rows);
        struct pattern p = slots(e, what.rows);
        struct program_operand sent = read_to_links(e, what, sub, STREAM_ALL, cycle);
        for (int32_t port = 0; port < e->ports; port++) {
            emit_link_send(e->b, e->link[port], sent, p, cycle);
            emit_link_receive(e->b, e->link[port], sent, p, cycle, target(into[port], port, sub));
        }
    }
    return place_departures(e, what.rows, earliest);
}

/* Terms at the VXM in cycle 0: what came over links from the west, this chip's own from where it
 * stands. */
static struct program_operand term_at_vxm(const struct exchange *e, struct exchange_rows term,
                                          int32_t place, struct pattern p)
{
    const struct program *code = &e->b->code;
    bool east = program_is_east(code->slice[code->tensor[term.tensor].slice]);
    int32_t stream = STREAM_TERM + (east ? 0 : 2 * place);
    return emit_read(e->b, term.tensor, 0, 2, emit_walk(term.first, 1, 0), p,
                     emit_at_vxm(e->b, east, stream, 0));
}

int64_t exchange_add(struct block *b, int32_t unit, struct program_operand *term, int32_t terms,
                     struct pattern p, const struct program_operand *out, int32_t outputs)
{
    struct alu a = {.unit = unit, .p = p};
    int64_t next = 0;
    do {
        int32_t sums = (terms + 1) / 2;
        for (int32_t k = 0; k < sums; k++, a.unit++) {
            int32_t n = 2 * k + 1 < terms ? 2 : 1;
            a.function = n == 2 ? PROGRAM_VXM_ADD : PROGRAM_VXM_COPY;
            next = emit_alu(b, a, term + 2 * k, n, out, sums == 1 ? outputs : 0);
            term[k] = emit_alu_operand(a.unit);
        }
        terms = sums;
        a.cycle = next;
    } while (terms > 1);
    return next;
}

int64_t exchange_sum(const struct exchange *e, const struct exchange_rows *term, int32_t terms,
                     struct exchange_rows near, struct exchange_rows far, int64_t earliest)
{
    struct block *b = e->b;
    struct pattern p = emit_pattern(term[0].rows, 1, 1, 0);
    struct program_operand in[EXCHANGE_PLACES], out[2];
    const struct exchange_rows *to[2] = {&near, &far};
    struct lane_group from[2] = {{PROGRAM_WEST, STREAM_NEAR, emit_vxm_x(b), 0},
                                 {PROGRAM_EAST, STREAM_FAR, emit_vxm_x(b), 0}};
    int32_t outputs = 0;
    for (int32_t k = 0; k < terms; k++)
        in[k] = term_at_vxm(e, term[k], k, p);
    for (int32_t k = 0; k < 2; k++)
        if (to[k]->tensor >= 0)
            out[outputs++] = emit_stream(from[k].direction, from[k].stream, 2, to[k]->tensor, 0,
                                         emit_walk(to[k]->first, 1, 0));
    int64_t cycle = exchange_add(b, 0, in, terms, p, out, outputs);
    for (int32_t k = 0; k < 2; k++) {
        from[k].cycle = cycle;
        if (to[k]->tensor >= 0)
            emit_write(b, to[k]->tensor, 0, 2, emit_walk(to[k]->first, 1, 0), p, from[k]);
    }
    return place_group(b, earliest);
}
