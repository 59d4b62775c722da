/* SPDX-License-Identifier: BSD-3-Clause */
/* Weights, keys, values and the rows between operations are float. Within an operation all is
 * double, rounded once at its end, and a sum's order depends on its length alone. It is plain
 * rather than fast: every step reads all weights, and prompts go token by token. */
#include <assert.h>
#include <math.h>

#include "base/memory.h"
#include "model/reference_parts.h"
#include "model/rotary.h"

/* Sums that a dot product keeps side by side: a single one would wait for every addition. */
enum { PARTIAL_SUMS = 8 };

static double *doubles(int64_t count)
{
    return base_alloc((size_t)count, sizeof(double));
}

static float *floats(int64_t count)
{
    return base_alloc((size_t)count, sizeof(float));
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t widest_row(const struct model *model)
{
    int64_t widest = 0;
    for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++) {
        int64_t columns = model_weight_shape(model, what).columns;
        widest = greater(columns, widest);
    }
    return widest;
}

static void create_rows(struct model_reference *r)
{
    int64_t hidden = r->model.hidden, width = r->model.heads * r->model.head_dim;
    r->row = floats(hidden);
    r->normed = floats(hidden);
    r->update = floats(hidden);
    r->query = floats(width);
    r->mixed = floats(width);
    int64_t widest = greater(r->model.ffn, greater(r->model.expert_ffn, r->model.shared_ffn));
    r->gate = floats(widest);
    r->up = floats(widest);
    r->route = floats(r->model.experts);
    r->expert = base_alloc((size_t)r->model.experts_per_token, sizeof *r->expert);
    r->share = floats(r->model.experts_per_token);
    r->total = doubles(hidden);
    r->logit = floats(r->model.vocabulary);
    r->weight = floats(widest_row(&r->model));
    r->score = doubles(greater(r->positions, r->model.experts));
    r->sum = doubles(r->model.head_dim);
}

struct model_reference *model_reference_create(const struct model *model,
                                               const struct model_weights *weights,
                                               int32_t positions)
{
    assert(0 < positions && positions <= MODEL_MOST_POSITIONS);
    struct model_reference *r = base_alloc(1, sizeof *r);
    r->model = *model;
    r->weights = weights;
    r->positions = positions;
    int64_t cached = model->layers * r->positions * model->kv_heads * model->head_dim;
    r->keys = floats(cached);
    r->values = floats(cached);
    r->frequency = doubles(model->head_dim / 2);
    r->cosine = doubles(model->head_dim / 2);
    r->sine = doubles(model->head_dim / 2);
    model_rotary_frequencies(model, r->frequency);
    create_rows(r);
    return r;
}

void model_reference_release(struct model_reference *r)
{
    if (!r)
        return;
    void *const held[] = {r->frequency, r->cosine, r->sine,   r->keys,   r->values,
                          r->row,       r->normed, r->update, r->query,  r->mixed,
                          r->gate,      r->up,     r->route,  r->expert, r->share,
                          r->total,     r->logit,  r->weight, r->score,  r->sum};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        base_free(held[i]);
    base_free(r);
}

double reference_dot(const float *a, const float *b, int64_t count)
{
    double sum[PARTIAL_SUMS] = {0};
    int64_t whole = count - count % PARTIAL_SUMS;
    for (int64_t i = 0; i < whole; i += PARTIAL_SUMS)
        for (int j = 0; j < PARTIAL_SUMS; j++)
            sum[j] += (double)a[i + j] * (double)b[i + j];
    for (int64_t i = whole; i < count; i++)
        sum[i - whole] += (double)a[i] * (double)b[i];
    for (int step = PARTIAL_SUMS / 2; step > 0; step /= 2)
        for (int j = 0; j < step; j++)
            sum[j] += sum[j + step];
    return sum[0];
}

static void add(float *out, const float *in, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] += in[i];
}

void reference_linear(struct model_reference *r, enum model_weight what, int64_t layer,
                      int64_t first, int64_t rows, const float *in, float *out)
{
    struct model_weight_shape shape = model_weight_shape(&r->model, what);
    for (int64_t row = 0; row < rows; row++) {
        model_weights_row(r->weights, what, layer, first + row, r->weight);
        out[row] = (float)reference_dot(r->weight, in, shape.columns);
    }
}

/* All rows of a matrix, with the bias. */
static void linear(struct model_reference *r, enum model_weight what, enum model_weight bias,
                   int64_t layer, const float *in, float *out)
{
    int64_t rows = model_weight_shape(&r->model, what).rows;
    reference_linear(r, what, layer, 0, rows, in, out);
    reference_add_bias(r, bias, layer, 0, out);
}

void reference_add_bias(struct model_reference *r, enum model_weight what, int64_t layer,
                        int64_t row, float *out)
{
    struct model_weight_shape shape = model_weight_shape(&r->model, what);
    if (shape.rows == 0)
        return;
    model_weights_row(r->weights, what, layer, row, r->weight);
    add(out, r->weight, shape.columns);
}

void reference_norm(struct model_reference *r, enum model_weight what, int64_t layer,
                    const float *in, int64_t count, float *out)
{
    double mean_square = reference_dot(in, in, count) / (double)count;
    double scale = 1 / sqrt(mean_square + r->model.norm_epsilon);
    model_weights_row(r->weights, what, layer, 0, r->weight);
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)((double)in[i] * scale * (double)r->weight[i]);
}

/* r->normed: the residual stream, normed. */
static void norm_row(struct model_reference *r, enum model_weight what, int64_t layer)
{
    reference_norm(r, what, layer, r->row, r->model.hidden, r->normed);
}

/* Each head by itself. */
static void norm_heads(struct model_reference *r, enum model_weight what, int64_t layer,
                       int64_t heads, float *head)
{
    int64_t dim = r->model.head_dim;
    for (int64_t h = 0; h < heads && r->model.qk_norm; h++)
        reference_norm(r, what, layer, head + h * dim, dim, head + h * dim);
}

static void set_angles(struct model_reference *r)
{
    double gain = model_rotary_gain(&r->model);
    for (int64_t i = 0; i < r->model.head_dim / 2; i++) {
        double angle = (double)r->position * r->frequency[i];
        r->cosine[i] = gain * cos(angle);
        r->sine[i] = gain * sin(angle);
    }
}

/* Turns the pairs i, i + head_dim / 2 of each head by the angles of this position. */
static void turn(const struct model_reference *r, float *head, int64_t heads)
{
    int64_t half = r->model.head_dim / 2;
    for (int64_t h = 0; h < heads; h++, head += r->model.head_dim)
        for (int64_t i = 0; i < half; i++) {
            double low = head[i], high = head[i + half];
            head[i] = (float)(low * r->cosine[i] - high * r->sine[i]);
            head[i + half] = (float)(high * r->cosine[i] + low * r->sine[i]);
        }
}

/* Offset in keys and values. */
static int64_t cached_at(const struct model_reference *r, int64_t layer, int64_t position)
{
    return (layer * r->positions + position) * r->model.kv_heads * r->model.head_dim;
}

/* First position that this one sees. */
static int64_t first_seen(const struct model_reference *r, int64_t layer)
{
    int64_t window = model_window(&r->model, layer);
    return window && r->position >= window ? r->position - window + 1 : 0;
}

void reference_softmax(double *score, int64_t count, double sink)
{
    double peak = sink, total = 0;
    for (int64_t i = 0; i < count; i++)
        peak = fmax(peak, score[i]);
    for (int64_t i = 0; i < count; i++) {
        score[i] = exp(score[i] - peak);
        total += score[i];
    }
    total += exp(sink - peak);
    for (int64_t i = 0; i < count; i++)
        score[i] /= total;
}

/* r->mixed of a head: the values of its KV head, weighted by how well their keys fit the query.
 */
static void attend(struct model_reference *r, int64_t layer, int64_t head, double sink)
{
    const struct model *model = &r->model;
    int64_t dim = model->head_dim, first = first_seen(r, layer), seen = r->position + 1 - first;
    int64_t stride = model->kv_heads * dim, kv_head = head / (model->heads / model->kv_heads);
    const float *key = r->keys + cached_at(r, layer, first) + kv_head * dim;
    const float *value = r->values + cached_at(r, layer, first) + kv_head * dim;
    for (int64_t p = 0; p < seen; p++)
        r->score[p] =
            reference_dot(r->query + head * dim, key + p * stride, dim) / sqrt((double)dim);
    reference_softmax(r->score, seen, sink);
    for (int64_t i = 0; i < dim; i++)
        r->sum[i] = 0;
    for (int64_t p = 0; p < seen; p++)
        for (int64_t i = 0; i < dim; i++)
            r->sum[i] += r->score[p] * (double)value[p * stride + i];
    for (int64_t i = 0; i < dim; i++)
        r->mixed[head * dim + i] = (float)r->sum[i];
}

/* r->mixed of all heads. */
static void attend_all(struct model_reference *r, int64_t layer)
{
    bool has_sinks = r->model.attention_sinks;
    if (has_sinks)
        model_weights_row(r->weights, MODEL_WEIGHT_SINKS, layer, 0, r->weight);
    for (int64_t h = 0; h < r->model.heads; h++)
        attend(r, layer, h, has_sinks ? (double)r->weight[h] : -INFINITY);
}

static void add_attention(struct model_reference *r, int64_t layer)
{
    const struct model *model = &r->model;
    float *key = r->keys + cached_at(r, layer, r->position);
    float *value = r->values + cached_at(r, layer, r->position);
    norm_row(r, MODEL_WEIGHT_ATTENTION_NORM, layer);
    linear(r, MODEL_WEIGHT_Q, MODEL_WEIGHT_Q_BIAS, layer, r->normed, r->query);
    linear(r, MODEL_WEIGHT_K, MODEL_WEIGHT_K_BIAS, layer, r->normed, key);
    linear(r, MODEL_WEIGHT_V, MODEL_WEIGHT_V_BIAS, layer, r->normed, value);
    norm_heads(r, MODEL_WEIGHT_Q_NORM, layer, model->heads, r->query);
    norm_heads(r, MODEL_WEIGHT_K_NORM, layer, model->kv_heads, key);
    turn(r, r->query, model->heads);
    turn(r, key, model->kv_heads);
    attend_all(r, layer);
    linear(r, MODEL_WEIGHT_O, MODEL_WEIGHT_O_BIAS, layer, r->mixed, r->update);
    add(r->row, r->update, model->hidden);
}

static void add_mlp(struct model_reference *r, int64_t layer)
{
    norm_row(r, MODEL_WEIGHT_MLP_NORM, layer);
    reference_mlp(r, layer);
    add(r->row, r->update, r->model.hidden);
}

const float *model_reference_step(struct model_reference *r, int32_t token)
{
    assert(r->position < r->positions);
    assert(0 <= token && token < r->model.vocabulary);
    model_weights_row(r->weights, MODEL_WEIGHT_EMBEDDING, 0, token, r->row);
    set_angles(r);
    for (int64_t layer = 0; layer < r->model.layers; layer++) {
        add_attention(r, layer);
        add_mlp(r, layer);
    }
    r->position++;
    norm_row(r, MODEL_WEIGHT_FINAL_NORM, 0);
    reference_linear(r, MODEL_WEIGHT_HEAD, 0, 0, r->model.vocabulary, r->normed, r->logit);
    return r->logit;
}

int32_t model_reference_choice(const float *logit, int64_t count)
{
    assert(0 < count && count <= MODEL_MOST_VOCABULARY);
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++)
        if (logit[i] > logit[best])
            best = i;
    return best;
}
