/* SPDX-License-Identifier: BSD-3-Clause */
/* Fills persistent tensors by name: the reverse of how the compilers of ops lay them out.
 *
 * A matrix is cut into tiles of output columns, dealt out over the quads, and tiles of contraction
 * lanes; a vector of a weight tensor is one column of one such tile. Int8 weights have a scale for
 * each output column, the least fp16 number with which no weight exceeds 127. */
#include "partition/image_room.h"

#include "base/half.h"
#include "base/memory.h"

enum { NO_INPUT = -1 };

/* A weight's row: an output of the model, multiplied by `factor`; rows that do not exist are 0. */
struct output {
    bool exists;
    enum model_weight weight;
    int64_t row;
    double factor;
};

/* How a product's tiles map to the model. Of an MLP's share, tiles count from the first of the
 * whole: `out` (gate and up) or `in` (down) for each inner tile. */
struct matrix {
    struct linear_shape (*shape)(const struct shape *s, enum shape_share share);
    struct output (*output)(const struct image *m, int32_t tile, int32_t column);
    /* Of the inputs of a rank; or NO_INPUT. */
    int64_t (*input)(const struct image *m, int32_t rank, int32_t tile, int32_t lane);
    int64_t (*rows)(const struct model *model); /* of each expert's weights; NULL: no experts */
    enum shape_share share;
    int32_t out, in;
};

/* Hidden element of a lane, or NO_INPUT. */
static int64_t hidden_of(const struct image *m, int32_t tile, int32_t lane)
{
    int64_t n = (int64_t)tile * m->shape.hidden_columns + lane;
    return lane < m->shape.hidden_columns && n < m->shape.model->hidden ? n : NO_INPUT;
}

static int64_t hidden_input(const struct image *m, int32_t rank, int32_t tile, int32_t lane)
{
    (void)rank;
    return hidden_of(m, tile, lane);
}

/* Of the dense MLP, or of each expert. */
static int64_t ffn_of(const struct image *m, int32_t rank, int32_t tile, int32_t lane)
{
    const struct model *model = m->shape.model;
    int64_t share = (model->experts ? model->expert_ffn : model->ffn) / m->shape.group;
    int64_t n = (int64_t)tile * m->shape.ffn_columns + lane;
    return lane < m->shape.ffn_columns && n < share ? rank * share + n : NO_INPUT;
}

/* Attention rows are packed: heads of a KV head side by side. */
static int64_t packed_of(const struct image *m, int32_t rank, int32_t tile, int32_t lane)
{
    const struct shape *s = &m->shape;
    int32_t kv = tile / s->tiles_per_kv, place = tile % s->tiles_per_kv, slot = lane / s->head_dim;
    if (slot >= s->heads_per_tile)
        return NO_INPUT;
    int64_t head =
        (int64_t)rank * s->heads + kv * s->heads_per_kv + place * s->heads_per_tile + slot;
    return head * s->head_dim + lane % s->head_dim;
}

static struct output element(enum model_weight weight, int64_t row)
{
    return (struct output){row >= 0, weight, row, 1.0};
}

static struct output of_head(const struct image *m, enum model_weight weight, int64_t head,
                             int32_t column)
{
    bool exists = column < m->shape.head_dim;
    return element(weight, exists ? head * m->shape.head_dim + column : NO_INPUT);
}

/* Which of `q`, `k`, `v` a tile of the product belongs to. */
static struct output of_qkv(const struct image *m, int32_t tile, int32_t column,
                            const enum model_weight weight[3])
{
    const struct shape *s = &m->shape;
    int64_t first_kv = (int64_t)m->in->rank * s->model->kv_heads / s->group;
    int32_t kv = tile - s->heads;
    if (kv >= 0)
        return of_head(m, weight[kv < s->kv_heads ? 1 : 2], first_kv + kv % s->kv_heads, column);
    struct output o = of_head(m, weight[0], (int64_t)m->in->rank * s->heads + tile, column);
    o.factor = s->model->qk_norm ? 1.0 : image_query_factor(s);
    return o;
}

static struct output qkv_output(const struct image *m, int32_t tile, int32_t column)
{
    static const enum model_weight weight[3] = {MODEL_WEIGHT_Q, MODEL_WEIGHT_K, MODEL_WEIGHT_V};
    return of_qkv(m, tile, column, weight);
}

static struct output o_output(const struct image *m, int32_t tile, int32_t column)
{
    return element(MODEL_WEIGHT_O, hidden_of(m, tile, column));
}

static struct output gate_output(const struct image *m, int32_t tile, int32_t column)
{
    return element(tile % 2 ? MODEL_WEIGHT_UP : MODEL_WEIGHT_GATE,
                   ffn_of(m, m->in->rank, tile / 2, column));
}

static struct output down_output(const struct image *m, int32_t tile, int32_t column)
{
    return element(MODEL_WEIGHT_DOWN, hidden_of(m, tile, column));
}

static struct output expert_gate_output(const struct image *m, int32_t tile, int32_t column)
{
    return element(tile % 2 ? MODEL_WEIGHT_EXPERT_UP : MODEL_WEIGHT_EXPERT_GATE,
                   ffn_of(m, m->in->rank, tile / 2, column));
}

static struct output expert_down_output(const struct image *m, int32_t tile, int32_t column)
{
    return element(MODEL_WEIGHT_EXPERT_DOWN, hidden_of(m, tile, column));
}

/* Behind the experts' logits comes that of the shared one. */
static struct output router_output(const struct image *m, int32_t tile, int32_t column)
{
    (void)tile;
    if (column == m->shape.experts && m->shape.model->shared_ffn)
        return element(MODEL_WEIGHT_SHARED_ROUTER, 0);
    return element(MODEL_WEIGHT_ROUTER, column < m->shape.experts ? column : NO_INPUT);
}

/* Inner element of the shared expert. */
static int64_t shared_of(const struct image *m, int32_t rank, int32_t tile, int32_t lane)
{
    int64_t share = m->shape.model->shared_ffn / m->shape.group;
    int64_t n = (int64_t)tile * m->shape.shared_gate_up.columns + lane;
    return lane < m->shape.shared_gate_up.columns && n < share ? rank * share + n : NO_INPUT;
}

static struct output shared_gate_output(const struct image *m, int32_t tile, int32_t column)
{
    return element(tile % 2 ? MODEL_WEIGHT_SHARED_UP : MODEL_WEIGHT_SHARED_GATE,
                   shared_of(m, m->in->rank, tile / 2, column));
}

static struct output shared_down_output(const struct image *m, int32_t tile, int32_t column)
{
    return element(MODEL_WEIGHT_SHARED_DOWN, hidden_of(m, tile, column));
}

static struct linear_shape shared_gate_shape(const struct shape *s, enum shape_share share)
{
    (void)share;
    return s->shared_gate_up;
}

static struct linear_shape shared_down_shape(const struct shape *s, enum shape_share share)
{
    (void)share;
    return s->shared_down;
}

static int64_t expert_width(const struct model *model)
{
    return model->expert_ffn;
}

static int64_t hidden_width(const struct model *model)
{
    return model->hidden;
}

static struct output head_output(const struct image *m, int32_t tile, int32_t column)
{
    int64_t share = m->shape.vocabulary, n = (int64_t)tile * m->shape.head.columns + column;
    bool exists = n < share && m->in->rank * share + n < m->shape.model->vocabulary;
    return element(MODEL_WEIGHT_HEAD, exists ? m->in->rank * share + n : NO_INPUT);
}

static struct linear_shape qkv_shape(const struct shape *s, enum shape_share share)
{
    (void)share;
    return s->qkv;
}

static struct linear_shape o_shape(const struct shape *s, enum shape_share share)
{
    (void)share;
    return s->output;
}

static struct linear_shape head_shape(const struct shape *s, enum shape_share share)
{
    (void)share;
    return s->head;
}

static struct linear_shape router_shape(const struct shape *s, enum shape_share share)
{
    (void)share;
    return s->router;
}

static const struct matrix
    matrix_qkv = {.shape = qkv_shape, .output = qkv_output, .input = hidden_input},
    matrix_o = {.shape = o_shape, .output = o_output, .input = packed_of},
    matrix_gate[] = {{shape_gate_up, gate_output, hidden_input, NULL, SHAPE_WHOLE, 2, 0},
                     {shape_gate_up, gate_output, hidden_input, NULL, SHAPE_FIRST, 2, 0},
                     {shape_gate_up, gate_output, hidden_input, NULL, SHAPE_SECOND, 2, 0}},
    matrix_down[] = {{shape_down, down_output, ffn_of, NULL, SHAPE_WHOLE, 0, 1},
                     {shape_down, down_output, ffn_of, NULL, SHAPE_FIRST, 0, 1},
                     {shape_down, down_output, ffn_of, NULL, SHAPE_SECOND, 0, 1}},
    matrix_shared_gate = {.shape = shared_gate_shape,
                          .output = shared_gate_output,
                          .input = hidden_input},
    matrix_shared_down = {.shape = shared_down_shape,
                          .output = shared_down_output,
                          .input = shared_of},
    matrix_router = {.shape = router_shape, .output = router_output, .input = hidden_input},
    matrix_expert_gate[] =
        {{shape_gate_up, expert_gate_output, hidden_input, expert_width, SHAPE_WHOLE, 2, 0},
         {shape_gate_up, expert_gate_output, hidden_input, expert_width, SHAPE_FIRST, 2, 0},
         {shape_gate_up, expert_gate_output, hidden_input, expert_width, SHAPE_SECOND, 2, 0}},
    matrix_expert_down[] =
        {{shape_down, expert_down_output, ffn_of, hidden_width, SHAPE_WHOLE, 0, 1},
         {shape_down, expert_down_output, ffn_of, hidden_width, SHAPE_FIRST, 0, 1},
         {shape_down, expert_down_output, ffn_of, hidden_width, SHAPE_SECOND, 0, 1}},
    matrix_head = {.shape = head_shape, .output = head_output, .input = hidden_input};

/* The least fp16 number with which `most` takes at most 127 steps; 1 for nothing. */
static float step_of(double most)
{
    double step = most / BASE_BYTE_LIMIT;
    uint16_t half = base_half_from_float((float)step);
    if ((double)base_half_to_float(half) < step)
        half++;
    return most > 0 ? base_half_to_float(half) : 1.0f;
}

/* Fills m->column with one output's weights by place, the inputs of which are in m->input; returns
 * their scale. */
static float fetch_column(const struct image *m, int32_t places, int32_t layer,
                          const struct output *o)
{
    double most = 0;
    if (!o->exists)
        return 0.0f;
    model_weights_row(m->in->weights, o->weight, layer, o->row, m->row);
    for (int32_t k = 0; k < places; k++) {
        m->value[k] = m->input[k] == NO_INPUT ? 0.0 : (double)m->row[m->input[k]] * o->factor;
        most = fabs(m->value[k]) > most ? fabs(m->value[k]) : most;
    }
    float step = m->in->int8 ? step_of(most) : 1.0f;
    for (int32_t k = 0; k < places; k++)
        m->column[k] =
            m->in->int8 ? base_round_to_byte(m->value[k] / (double)step) : (float)m->value[k];
    return step;
}

/* The tensor of the same layer whose name has this last letter before the quad's digit. */
static int32_t sibling(const struct image *m, int32_t tensor, char letter)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    char name[sizeof t->name];
    memcpy(name, t->name, sizeof name);
    name[strlen(name) - 2] = letter;
    for (size_t n = 0; n < m->program->tensors; n++)
        if (m->program->tensor[n].layer == t->layer &&
            strcmp(m->program->tensor[n].name, name) == 0)
            return (int32_t)n;
    return -1;
}

/* One output's weights as a column of its tile; `first` is the tile's first vector. */
static void put_column(const struct image *m, const struct linear_shape *s, int32_t tensor,
                       int32_t first, int32_t c)
{
    int32_t per = m->shape.chip->mxm_load_streams, lanes = m->shape.chip->lanes;
    for (int32_t k = 0; k < s->k_tiles; k++) {
        memcpy(m->lane, m->column + (size_t)k * (size_t)lanes, (size_t)lanes * sizeof(float));
        image_put_lanes(m, tensor, c % per, first + k * (s->columns / per) + c / per);
    }
}

/* Rows of a tile, from m->tile: inputs that exist. */
static void put_rows(const struct image *m, const struct linear_shape *s, int32_t tensor,
                     int32_t first)
{
    int32_t per = m->shape.chip->mxm_load_streams, lanes = m->shape.chip->lanes;
    for (int32_t n = 0; n < s->k_tiles * s->rows; n++) {
        int32_t k = n / s->rows, r = n % s->rows;
        memcpy(m->lane, m->tile + (size_t)(k * lanes + r) * (size_t)lanes,
               (size_t)lanes * sizeof(float));
        if (m->input[k * lanes + r] != NO_INPUT)
            image_put_lanes(m, tensor, r % per, first + k * (s->rows / per) + r / per);
    }
}

/* Column c becomes lane c of every row of m->tile. */
static void turn_column(const struct image *m, int32_t places, int32_t c, bool exists)
{
    for (int32_t k = 0; k < places; k++)
        m->tile[(size_t)k * (size_t)m->shape.chip->lanes + (size_t)c] =
            exists ? m->column[k] : 0.0f;
}

/* Column tile `tile` of quad q, place `u` of `tiles` in its tensor: weights, and the vector of
 * their scales; `expert` is 0 where there are none. */
static void put_tile(const struct image *m, const struct matrix *matrix, int32_t tensor, int32_t q,
                     int32_t expert, int32_t u)
{
    struct linear_shape s = matrix->shape(&m->shape, matrix->share);
    int32_t tile = SHAPE_QUADS * u + q + matrix->out * shape_share_first(&m->shape, matrix->share);
    tile = s.by_columns ? tile * m->shape.group + m->in->rank : tile;
    int32_t lanes = m->shape.chip->lanes, layer = m->program->tensor[tensor].layer;
    int32_t load = (s.rows ? s.rows : s.columns) / m->shape.chip->mxm_load_streams;
    int32_t place = expert * shape_tiles_of(s.n_tiles, SHAPE_QUADS, q) + u;
    memset(m->scale, 0, (size_t)lanes * sizeof *m->scale);
    for (int32_t c = 0; c < lanes; c++) {
        struct output o = {.exists = false};
        if (c < s.columns)
            o = matrix->output(m, tile, c);
        o.row += matrix->rows ? expert * matrix->rows(m->shape.model) : 0;
        m->scale[c] = fetch_column(m, s.k_tiles * lanes, layer, &o);
        if (s.rows)
            turn_column(m, s.k_tiles * lanes, c, o.exists);
        else if (o.exists)
            put_column(m, &s, tensor, place * s.k_tiles * load, c);
    }
    if (s.rows)
        put_rows(m, &s, tensor, place * s.k_tiles * load);
    memcpy(m->lane, m->scale, (size_t)lanes * sizeof(float));
    image_put_lanes(m, sibling(m, tensor, 's'), 0, place);
}

static void put_matrix(const struct image *m, int32_t tensor, const void *what)
{
    const struct matrix *matrix = what;
    int32_t q = image_quad_of(&m->program->tensor[tensor]);
    struct linear_shape s = matrix->shape(&m->shape, matrix->share);
    int32_t first = matrix->in * shape_share_first(&m->shape, matrix->share);
    int32_t lanes = m->shape.chip->lanes, tiles = shape_tiles_of(s.n_tiles, SHAPE_QUADS, q);
    int32_t each = s.by_columns ? s.k_tiles / m->shape.group : s.k_tiles;
    for (int32_t k = 0; k < s.k_tiles * lanes; k++) {
        int32_t tile = k / lanes, rank = s.by_columns ? tile / each : m->in->rank;
        m->input[k] = matrix->input(m, rank, first + tile % each, k % lanes);
    }
    for (int32_t n = 0; n < (matrix->rows ? m->shape.experts : 1) * tiles; n++)
        put_tile(m, matrix, tensor, q, n / tiles, n % tiles);
}

/* Scales go with their weights. */
static void put_nothing(const struct image *m, int32_t tensor, const void *what)
{
    (void)m, (void)tensor, (void)what;
}

static void put_gain(const struct image *m, int32_t tensor, const void *what)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    model_weights_row(m->in->weights, *(const enum model_weight *)what, t->layer, 0, m->row);
    for (int32_t u = 0; u < t->valid; u++) {
        image_clear_lanes(m);
        for (int32_t l = 0; l < m->shape.chip->lanes; l++) {
            int64_t n = hidden_of(m, SHAPE_QUADS * u + image_quad_of(t), l);
            m->lane[l] = n == NO_INPUT ? 0.0f : m->row[n];
        }
        image_put_lanes(m, tensor, 0, u);
    }
}

static struct output qkv_bias(const struct image *m, int32_t tile, int32_t column)
{
    static const enum model_weight weight[3] = {MODEL_WEIGHT_Q_BIAS, MODEL_WEIGHT_K_BIAS,
                                                MODEL_WEIGHT_V_BIAS};
    return of_qkv(m, tile, column, weight);
}

static struct output gate_bias(const struct image *m, int32_t tile, int32_t column)
{
    return element(tile % 2 ? MODEL_WEIGHT_UP_BIAS : MODEL_WEIGHT_GATE_BIAS,
                   ffn_of(m, m->in->rank, tile / 2, column));
}

static struct output expert_gate_bias(const struct image *m, int32_t tile, int32_t column)
{
    return element(tile % 2 ? MODEL_WEIGHT_EXPERT_UP_BIAS : MODEL_WEIGHT_EXPERT_GATE_BIAS,
                   ffn_of(m, m->in->rank, tile / 2, column));
}

/* Each chip adds a whole bias to its part of the sum, and so only the first one has any. */
static struct output expert_down_bias(const struct image *m, int32_t tile, int32_t column)
{
    return element(MODEL_WEIGHT_EXPERT_DOWN_BIAS,
                   m->in->rank ? NO_INPUT : hidden_of(m, tile, column));
}

/* Biases of a product's outputs (what: struct bias); `row` of an output is its place in them. */
struct bias {
    struct output (*output)(const struct image *m, int32_t tile, int32_t column);
    struct linear_shape (*shape)(const struct shape *s,
                                 enum shape_share share); /* of each expert; NULL: no experts */
};
static const struct bias bias_qkv = {qkv_bias, NULL}, bias_gate = {gate_bias, NULL},
                         bias_expert_gate = {expert_gate_bias, shape_gate_up},
                         bias_expert_down = {expert_down_bias, shape_down};

static void put_bias(const struct image *m, int32_t tensor, const void *what)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    const struct bias *bias = what;
    int32_t tiles = t->count;
    if (bias->shape)
        tiles = shape_tiles_of(bias->shape(&m->shape, SHAPE_WHOLE).n_tiles, SHAPE_QUADS,
                               image_quad_of(t));
    for (int32_t u = 0; u < t->count; u++) {
        image_clear_lanes(m);
        for (int32_t l = 0; l < m->shape.chip->lanes; l++) {
            struct output o = bias->output(m, SHAPE_QUADS * (u % tiles) + image_quad_of(t), l);
            if (!o.exists)
                continue;
            model_weights_row(m->in->weights, o.weight, t->layer, u / tiles, m->row);
            m->lane[l] = (float)((double)m->row[o.row] * o.factor);
        }
        image_put_lanes(m, tensor, 0, u);
    }
}

/* The scale of each hidden element over the whole vocabulary. */
static float *embedding_steps(const struct image *m)
{
    const struct model *model = m->shape.model;
    float *step = base_alloc((size_t)model->hidden, sizeof *step);
    for (int64_t token = 0; m->in->int8 && token < model->vocabulary; token++) {
        model_weights_row(m->in->weights, MODEL_WEIGHT_EMBEDDING, 0, token, m->row);
        for (int64_t n = 0; n < model->hidden; n++)
            step[n] = fmaxf(step[n], fabsf(m->row[n]));
    }
    for (int64_t n = 0; n < model->hidden; n++)
        step[n] = m->in->int8 ? step_of((double)step[n]) : 1.0f;
    return step;
}

/* A quad's rows of all tokens of this chip. */
static void put_tokens(const struct image *m, int32_t tensor, int32_t q)
{
    const struct program *p = m->program;
    int32_t tiles = shape_tiles_of(m->shape.hidden_tiles, SHAPE_QUADS, q);
    for (int32_t token = 0; token < p->vocabulary_count; token++) {
        model_weights_row(m->in->weights, MODEL_WEIGHT_EMBEDDING, 0, p->vocabulary_first + token,
                          m->row);
        for (int32_t u = 0; u < tiles; u++) {
            for (int32_t l = 0; l < m->shape.chip->lanes; l++) {
                int64_t n = hidden_of(m, SHAPE_QUADS * u + q, l);
                float value = n == NO_INPUT ? 0.0f : m->row[n];
                bool rounds = n != NO_INPUT && m->in->int8;
                m->lane[l] =
                    rounds ? base_round_to_byte((double)value / (double)m->step[n]) : value;
            }
            image_put_lanes(m, tensor, token % p->embedding_groups,
                            token / p->embedding_groups * tiles + u);
        }
    }
}

static void put_embedding(const struct image *m, int32_t tensor, const void *what)
{
    int32_t q = image_quad_of(&m->program->tensor[tensor]), scales = sibling(m, tensor, 's');
    (void)what;
    put_tokens(m, tensor, q);
    for (int32_t u = 0; u < m->program->tensor[scales].count; u++) {
        for (int32_t l = 0; l < m->shape.chip->lanes; l++) {
            int64_t n = hidden_of(m, SHAPE_QUADS * u + q, l);
            m->lane[l] = n == NO_INPUT || !m->step ? 0.0f : m->step[n];
        }
        image_put_lanes(m, scales, 0, u);
    }
}

static const enum model_weight attention_norm = MODEL_WEIGHT_ATTENTION_NORM,
                               mlp_norm = MODEL_WEIGHT_MLP_NORM,
                               final_norm = MODEL_WEIGHT_FINAL_NORM,
                               output_bias = MODEL_WEIGHT_O_BIAS,
                               down_bias = MODEL_WEIGHT_DOWN_BIAS;
static const bool is_sine = true, is_cosine = false, is_lower = true, is_upper = false,
                  is_placed = true, is_everywhere = false;

/* How tensors are filled, by the beginning of their names; those of products before others. */
static const struct filler {
    const char *prefix;
    void (*put)(const struct image *m, int32_t tensor, const void *what);
    const void *what;
} fillers[] = {
    {"qkv.w", put_matrix, &matrix_qkv},
    {"qkv.s", put_nothing, NULL},
    {"qkv.bias.b", put_bias, &bias_qkv},
    {"qk.norm.g", image_put_head_gain, NULL},
    {"o.bias.b", put_gain, &output_bias},
    {"gateup.bias.b", put_bias, &bias_gate},
    {"down.bias.b", put_gain, &down_bias},
    {"sink.all", image_put_sinks, &is_everywhere},
    {"sink.placed", image_put_sinks, &is_placed},
    {"o.w", put_matrix, &matrix_o},
    {"o.s", put_nothing, NULL},
    {"gateup.w", put_matrix, &matrix_gate[SHAPE_WHOLE]},
    {"gateup.s", put_nothing, NULL},
    {"gateup.1.w", put_matrix, &matrix_gate[SHAPE_FIRST]},
    {"gateup.1.s", put_nothing, NULL},
    {"gateup.2.w", put_matrix, &matrix_gate[SHAPE_SECOND]},
    {"gateup.2.s", put_nothing, NULL},
    {"router.w", put_matrix, &matrix_router},
    {"router.s0", put_nothing, NULL},
    {"router.bias", image_put_router_bias, NULL},
    {"router.shared", image_put_router_shared, NULL},
    {"shared.g.w", put_matrix, &matrix_shared_gate},
    {"shared.g.s", put_nothing, NULL},
    {"shared.d.w", put_matrix, &matrix_shared_down},
    {"shared.d.s", put_nothing, NULL},
    {"router.slots", image_put_router_slots, NULL},
    {"expert.ids", image_put_expert_ids, NULL},
    {"expert.g.w", put_matrix, &matrix_expert_gate[SHAPE_WHOLE]},
    {"expert.g.1.w", put_matrix, &matrix_expert_gate[SHAPE_FIRST]},
    {"expert.g.1.s", put_nothing, NULL},
    {"expert.g.2.w", put_matrix, &matrix_expert_gate[SHAPE_SECOND]},
    {"expert.g.2.s", put_nothing, NULL},
    {"expert.g.s", put_nothing, NULL},
    {"expert.gb.b", put_bias, &bias_expert_gate},
    {"expert.d.w", put_matrix, &matrix_expert_down[SHAPE_WHOLE]},
    {"expert.d.1.w", put_matrix, &matrix_expert_down[SHAPE_FIRST]},
    {"expert.d.1.s", put_nothing, NULL},
    {"expert.d.2.w", put_matrix, &matrix_expert_down[SHAPE_SECOND]},
    {"expert.d.2.s", put_nothing, NULL},
    {"expert.d.s", put_nothing, NULL},
    {"expert.db.b", put_bias, &bias_expert_down},
    {"gate.limit", image_put_gate_limit, NULL},
    {"down.w", put_matrix, &matrix_down[SHAPE_WHOLE]},
    {"down.s", put_nothing, NULL},
    {"down.1.w", put_matrix, &matrix_down[SHAPE_FIRST]},
    {"down.1.s", put_nothing, NULL},
    {"down.2.w", put_matrix, &matrix_down[SHAPE_SECOND]},
    {"down.2.s", put_nothing, NULL},
    {"head.w", put_matrix, &matrix_head},
    {"head.s", put_nothing, NULL},
    {"attn.norm.g", put_gain, &attention_norm},
    {"mlp.norm.g", put_gain, &mlp_norm},
    {"head.norm.g", put_gain, &final_norm},
    {"embedding.q", put_embedding, NULL},
    {"embedding.s", put_nothing, NULL},
    {"cos.", image_put_rotary, &is_cosine},
    {"sin.", image_put_rotary, &is_sine},
    {"mask.", image_put_mask, &is_upper},
    {"window.", image_put_mask, &is_lower},
    {"value.ones.", image_put_value_ones, NULL},
    {"ones", image_put_ones, NULL},
    {"ids", image_put_ids, NULL},
    {"zeros", put_nothing, NULL},
    {"dump", put_nothing, NULL},
};

static const struct filler *filler_of(const char *name)
{
    for (size_t n = 0; n < sizeof fillers / sizeof fillers[0]; n++)
        if (strncmp(name, fillers[n].prefix, strlen(fillers[n].prefix)) == 0)
            return &fillers[n];
    return NULL;
}

static bool is_loaded(const struct program_tensor *t)
{
    return t->slice >= 0 &&
           (t->kind == PROGRAM_TENSOR_WEIGHT || t->kind == PROGRAM_TENSOR_CONSTANT ||
            t->kind == PROGRAM_TENSOR_EMBEDDING);
}

static size_t longest_row(const struct model *m)
{
    int64_t wide = m->heads * m->head_dim, longest = m->hidden > m->ffn ? m->hidden : m->ffn;
    longest = m->expert_ffn > longest ? m->expert_ffn : longest;
    longest = m->shared_ffn > longest ? m->shared_ffn : longest;
    longest = m->experts > longest ? m->experts : longest;
    return (size_t)(wide > longest ? wide : longest);
}

static size_t most_k_tiles(const struct shape *s)
{
    int32_t most = s->hidden_tiles > s->down.k_tiles ? s->hidden_tiles : s->down.k_tiles;
    most = s->shared_down.k_tiles > most ? s->shared_down.k_tiles : most;
    return (size_t)(s->output.k_tiles > most ? s->output.k_tiles : most);
}

static void take_memory(struct image *m)
{
    size_t lanes = (size_t)m->shape.chip->lanes, places = most_k_tiles(&m->shape) * lanes;
    m->lane = base_alloc(lanes, sizeof *m->lane);
    m->scale = base_alloc(lanes, sizeof *m->scale);
    m->row = base_alloc(longest_row(m->shape.model), sizeof *m->row);
    m->input = base_alloc(places, sizeof *m->input);
    m->value = base_alloc(places, sizeof *m->value);
    m->column = base_alloc(places, sizeof *m->column);
    m->tile = m->shape.experts ? base_alloc(places * lanes, sizeof *m->tile) : NULL;
    m->step = m->program->vocabulary_count > 0 ? embedding_steps(m) : NULL;
}

static void give_memory(struct image *m)
{
    base_free(m->lane);
    base_free(m->scale);
    base_free(m->row);
    base_free(m->input);
    base_free(m->value);
    base_free(m->column);
    base_free(m->tile);
    base_free(m->step);
}

static void fill(const struct image *m, int32_t tensor, struct base_report *report)
{
    const struct program_tensor *t = &m->program->tensor[tensor];
    const struct filler *filler = filler_of(t->name);
    if (filler)
        filler->put(m, tensor, filler->what);
    else
        base_report_add(report, NULL, 0, "nobody knows what tensor %s of chip %d holds", t->name,
                        m->program->chip);
}

bool image_write(const struct image_input *input, const struct program *program, image_put *put_one,
                 void *context, struct base_report *report)
{
    struct image m = {.in = input, .program = program, .put = put_one, .context = context};
    size_t before = report->count;
    char why[160];
    if (!shape_derive_decode(&m.shape, input->chip, input->model, input->bucket, input->group,
                             why)) {
        base_report_add(report, NULL, 0, "%s", why);
        return false;
    }
    shape_cut(&m.shape, input->columns);
    take_memory(&m);
    for (size_t n = 0; n < program->tensors; n++)
        if (is_loaded(&program->tensor[n]))
            fill(&m, (int32_t)n, report);
    give_memory(&m);
    return report->count == before;
}

/* The logits of quad q, or -1. */
static int32_t logits_of(const struct program *p, int32_t q)
{
    char name[8] = "head.q?";
    name[6] = (char)('0' + q);
    for (size_t n = 0; n < p->tensors; n++)
        if (strcmp(p->tensor[n].name, name) == 0)
            return (int32_t)n;
    return -1;
}

int32_t image_read_logits(const struct image_input *input, const struct program *program,
                          image_get *get, void *context, int32_t row, float *logit)
{
    struct shape s;
    char why[160];
    if (logits_of(program, 0) < 0 ||
        !shape_derive_decode(&s, input->chip, input->model, input->bucket, input->group, why))
        return 0;
    float *lanes = base_alloc((size_t)input->chip->lanes, sizeof *lanes);
    for (int32_t tile = 0; logit && tile < s.head.n_tiles; tile++) {
        get(context, logits_of(program, tile % SHAPE_QUADS), 0, tile / SHAPE_QUADS * s.rows + row,
            lanes);
        for (int32_t c = 0; c < s.head.columns && tile * s.head.columns + c < s.vocabulary; c++)
            logit[tile * s.head.columns + c] = lanes[c];
    }
    base_free(lanes);
    return s.vocabulary;
}
