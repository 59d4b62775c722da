/* SPDX-License-Identifier: BSD-3-Clause */
/* Fills tables that hold no matrix: rotary angles, masks, ids, and constants of attention and
 * router. */
#include "base/memory.h"
#include "model/rotary.h"
#include "partition/image_room.h"

/* Beyond all ids, and exact in fp32. */
static const float no_id = 16777216.0f;

/* Below all logits, and within fp16. */
static const float no_expert = -60000.0f;

/* The router's bias; lanes without an expert are far below all others. */
void image_put_router_bias(const struct image *m, int32_t tensor, const void *what)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    (void)what;
    if (m->shape.model->router_bias)
        model_weights_row(m->in->weights, MODEL_WEIGHT_ROUTER_BIAS, t->layer, 0, m->row);
    for (int32_t l = 0; l < m->shape.chip->lanes; l++)
        m->lane[l] = l >= m->shape.experts         ? no_expert
                     : m->shape.model->router_bias ? m->row[l]
                                                   : 0.0f;
    image_put_lanes(m, tensor, 0, 0);
}

/* Vector j lies between rank j and the next. */
void image_put_router_slots(const struct image *m, int32_t tensor, const void *what)
{
    (void)what;
    for (int32_t j = 0; j < m->program->tensor[tensor].count; j++) {
        for (int32_t l = 0; l < m->shape.chip->lanes; l++)
            m->lane[l] = (float)j + 0.5f;
        image_put_lanes(m, tensor, 0, j);
    }
}

/* A lane's own number, in every column. */
void image_put_expert_ids(const struct image *m, int32_t tensor, const void *what)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    (void)what;
    for (int32_t l = 0; l < m->shape.chip->lanes; l++)
        m->lane[l] = (float)l;
    for (int32_t sub = 0; sub < t->subs; sub += program_dtype_planes(t->dtype))
        image_put_lanes(m, tensor, sub, 0);
}

void image_put_gate_limit(const struct image *m, int32_t tensor, const void *what)
{
    (void)what;
    for (int32_t l = 0; l < m->shape.chip->lanes; l++)
        m->lane[l] = (float)-m->shape.model->gate_limit;
    image_put_lanes(m, tensor, 0, 0);
}

/* Gains of the norms of heads: queries' tiles, then keys'. */
void image_put_head_gain(const struct image *m, int32_t tensor, const void *what)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    (void)what;
    for (int32_t u = 0; u < t->count; u++) {
        bool query = SHAPE_QUADS * u + image_quad_of(t) < m->shape.heads;
        double factor = query ? image_query_factor(&m->shape) : 1.0;
        model_weights_row(m->in->weights, query ? MODEL_WEIGHT_Q_NORM : MODEL_WEIGHT_K_NORM,
                          t->layer, 0, m->row);
        image_clear_lanes(m);
        for (int32_t l = 0; l < m->shape.head_dim; l++)
            m->lane[l] = (float)((double)m->row[l] * factor);
        image_put_lanes(m, tensor, 0, u);
    }
}

/* Logits of the sinks of this chip's heads: in all lanes, or in those of the head's place in a
 * packed row and -inf elsewhere (what: placed). */
void image_put_sinks(const struct image *m, int32_t tensor, const void *what)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    const struct shape *s = &m->shape;
    model_weights_row(m->in->weights, MODEL_WEIGHT_SINKS, t->layer, 0, m->row);
    for (int32_t head = 0; head < t->count; head++) {
        int32_t place = head % s->heads_per_kv % s->heads_per_tile;
        for (int32_t l = 0; l < s->chip->lanes; l++) {
            bool here = !*(const bool *)what || l / s->head_dim == place;
            m->lane[l] = here ? m->row[m->in->rank * s->heads + head] : -INFINITY;
        }
        image_put_lanes(m, tensor, 0, head);
    }
}

/* Cosines, or sines with the sign of the half that they meet (what: sine). */
void image_put_rotary(const struct image *m, int32_t tensor, const void *what)
{
    int32_t half = m->shape.head_dim / 2;
    double *frequency = base_alloc((size_t)half, sizeof *frequency);
    double gain = model_rotary_gain(m->shape.model);
    model_rotary_frequencies(m->shape.model, frequency);
    for (int32_t position = 0; position < m->program->tensor[tensor].count; position++) {
        image_clear_lanes(m);
        for (int32_t l = 0; l < 2 * half; l++) {
            double angle = position * frequency[l % half];
            double sine = l < half ? -sin(angle) : sin(angle);
            m->lane[l] = (float)((*(const bool *)what ? sine : cos(angle)) * gain);
        }
        image_put_lanes(m, tensor, 0, position);
    }
    base_free(frequency);
}

/* Row e lets the first e lanes pass, or all but those (what: lower). */
void image_put_mask(const struct image *m, int32_t tensor, const void *what)
{
    bool lower = *(const bool *)what;
    for (int32_t e = 0; e < m->program->tensor[tensor].count; e++) {
        for (int32_t l = 0; l < m->shape.chip->lanes; l++)
            m->lane[l] = (l < e) != lower ? 0.0f : -INFINITY;
        image_put_lanes(m, tensor, 0, e);
    }
}

/* Ones in the upper lanes of values, where they add up to the denominator. */
void image_put_value_ones(const struct image *m, int32_t tensor, const void *what)
{
    (void)what;
    image_clear_lanes(m);
    for (int32_t l = m->shape.chip->mxm_fp16_rows; l < m->shape.chip->lanes; l++)
        m->lane[l] = 1.0f;
    image_put_lanes(m, tensor, 0, 0);
}

void image_put_ones(const struct image *m, int32_t tensor, const void *what)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    (void)what;
    for (int32_t l = 0; l < m->shape.chip->lanes; l++)
        m->lane[l] = 1.0f;
    for (int32_t sub = 0; sub < t->subs; sub += program_dtype_planes(t->dtype))
        image_put_lanes(m, tensor, sub, 0);
}

/* Vector t: ids of tile 4 t, from the share's first; lanes without a column have none. */
void image_put_ids(const struct image *m, int32_t tensor, const void *what)
{
    int32_t columns = m->shape.head.columns;
    (void)what;
    for (int32_t t = 0; t < m->program->tensor[tensor].count; t++) {
        for (int32_t l = 0; l < m->shape.chip->lanes; l++)
            m->lane[l] = l < columns ? (float)(SHAPE_QUADS * t * columns + l) : no_id;
        image_put_lanes(m, tensor, 0, t);
    }
}
