/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold of the reference for any weights, and small models whose logits have a formula. */
#include "test.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#include "model/reference.h"
#include "small_model.h"

enum { MOST_VOCABULARY = 128, HIDDEN = 64, HEAD_DIM = 16, PAIRS = HEAD_DIM / 2 };

/* Of the attention model: a token each. */
enum { POSITIONS = HEAD_DIM };

static const int32_t text[] = {3, 14, 15, 92, 65, 35, 89};

/* A place that is never filled: who looks ahead finds zeros there. */
enum { TOKENS = sizeof text / sizeof text[0], SPARE = 1 };

struct logits {
    float of[MOST_VOCABULARY];
};

/* What follows the first `tokens` of the text. */
static struct logits after(const struct small_model *small, int tokens)
{
    struct logits logits = {0};
    struct model_weights *weights = small_model_open(small);
    struct model_reference *reference =
        model_reference_create(&small->model, weights, tokens + SPARE);
    for (int i = 0; i < tokens; i++)
        memcpy(logits.of, model_reference_step(reference, text[i]),
               (size_t)small->model.vocabulary * sizeof(float));
    model_reference_release(reference);
    model_weights_close(weights);
    return logits;
}

static bool equal(struct logits a, struct logits b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void scale(float *weight, int64_t count, float factor)
{
    for (int64_t i = 0; i < count; i++)
        weight[i] *= factor;
}

/* Head h of `out` is head h / shared of `in`; a head has `elements` weights. */
static void repeat_heads(float *out, const float *in, int64_t heads, int64_t shared,
                         int64_t elements)
{
    for (int64_t h = 0; h < heads; h++)
        memcpy(out + h * elements, in + h / shared * elements, (size_t)elements * sizeof *out);
}

static void group_shares_what_its_heads_would_repeat(void)
{
    struct small_model grouped = small_model_create("qwen2", "");
    struct small_model full = small_model_create("qwen2", "\"num_key_value_heads\": 4");
    int64_t heads = full.model.heads, shared = heads / grouped.model.kv_heads;
    for (int layer = 0; layer < grouped.model.layers; layer++)
        for (enum model_weight what = MODEL_WEIGHT_K; what <= MODEL_WEIGHT_V_BIAS; what++) {
            struct model_weight_shape wide = model_weight_shape(&full.model, what);
            struct model_weight_shape narrow = model_weight_shape(&grouped.model, what);
            int64_t elements = wide.rows * wide.columns / heads;
            if (wide.rows != narrow.rows || wide.columns != narrow.columns)
                repeat_heads(full.weight[layer][what], grouped.weight[layer][what], heads, shared,
                             elements);
        }
    CU_ASSERT_EQUAL(shared, 2);
    CU_ASSERT_TRUE(equal(after(&grouped, TOKENS), after(&full, TOKENS)));
    small_model_release(&grouped);
    small_model_release(&full);
}

/* Layer `idle` of two adds nothing; the other one is alone in a model of its own. */
static void check_idle_layer(int idle)
{
    struct small_model two = small_model_create("qwen2", "");
    struct small_model one = small_model_create("qwen2", "\"num_hidden_layers\": 1");
    small_model_zero(&two, MODEL_WEIGHT_O, idle);
    small_model_zero(&two, MODEL_WEIGHT_DOWN, idle);
    for (enum model_weight what = MODEL_WEIGHT_ATTENTION_NORM; what <= MODEL_WEIGHT_DOWN; what++) {
        struct model_weight_shape shape = model_weight_shape(&one.model, what);
        memcpy(one.weight[0][what], two.weight[1 - idle][what],
               (size_t)(shape.rows * shape.columns) * sizeof(float));
    }
    CU_ASSERT_TRUE(equal(after(&two, TOKENS), after(&one, TOKENS)));
    small_model_release(&two);
    small_model_release(&one);
}

static void layer_without_outputs_is_the_identity(void)
{
    check_idle_layer(0);
    check_idle_layer(1);
}

static void doubled_final_norm_doubles_logits(void)
{
    struct small_model small = small_model_create("llama", "");
    struct logits once = after(&small, TOKENS);
    scale(small.weight[0][MODEL_WEIGHT_FINAL_NORM], small.model.hidden, 2);
    struct logits twice = after(&small, TOKENS);
    scale(once.of, MOST_VOCABULARY, 2);
    CU_ASSERT_TRUE(equal(once, twice));
    small_model_release(&small);
}

static void tied_head_is_the_embedding(void)
{
    struct small_model untied = small_model_create("llama", "");
    struct small_model tied = small_model_create("llama", "\"tie_word_embeddings\": true");
    CU_ASSERT_FALSE(equal(after(&tied, TOKENS), after(&untied, TOKENS)));
    memcpy(untied.weight[0][MODEL_WEIGHT_HEAD], untied.weight[0][MODEL_WEIGHT_EMBEDDING],
           (size_t)(untied.model.vocabulary * untied.model.hidden) * sizeof(float));
    CU_ASSERT_TRUE(equal(after(&tied, TOKENS), after(&untied, TOKENS)));
    small_model_release(&untied);
    small_model_release(&tied);
}

/* Queries decide nothing where there is one key. */
static void first_token_attends_to_itself_alone(void)
{
    struct small_model small = small_model_create("llama", "");
    struct logits first = after(&small, 1), second = after(&small, 2);
    for (int layer = 0; layer < small.model.layers; layer++)
        small_model_zero(&small, MODEL_WEIGHT_Q, layer);
    CU_ASSERT_TRUE(equal(after(&small, 1), first));
    CU_ASSERT_FALSE(equal(after(&small, 2), second));
    small_model_release(&small);
}

static void keep_biases(struct small_model *small)
{
    for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++)
        if (what < MODEL_WEIGHT_Q_BIAS || what > MODEL_WEIGHT_V_BIAS)
            small_model_zero(small, what, 0);
}

static void set_to_one(float *weight, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        weight[i] = 1;
}

/* One layer, one head, the same query and key at every position but for their turn. Element t of
 * the value is the bias's but at token t. Logit t shows what attention puts into element t, logit
 * HEAD_DIM + t the 1 of token t's embedding; both have the factor of the last norm. */
static struct small_model attention_model(const char *window)
{
    struct small_model small = small_model_create("qwen2", window);
    keep_biases(&small);
    set_to_one(small.weight[0][MODEL_WEIGHT_ATTENTION_NORM], HIDDEN);
    set_to_one(small.weight[0][MODEL_WEIGHT_FINAL_NORM], HIDDEN);
    for (int t = 0; t < HEAD_DIM; t++) {
        small.weight[0][MODEL_WEIGHT_EMBEDDING][t * HIDDEN + t] = 1;
        small.weight[0][MODEL_WEIGHT_V][t * HIDDEN + t] = 1;
        small.weight[0][MODEL_WEIGHT_O][(HEAD_DIM + t) * HEAD_DIM + t] = 1;
        small.weight[0][MODEL_WEIGHT_HEAD][t * HIDDEN + HEAD_DIM + t] = 1;
        small.weight[0][MODEL_WEIGHT_HEAD][(HEAD_DIM + t) * HIDDEN + t] = 1;
    }
    return small;
}

/* Of a key `distance` positions back: pairs are complex numbers that turn. */
static double score(const struct small_model *small, int distance)
{
    const float *q = small->weight[0][MODEL_WEIGHT_Q_BIAS];
    const float *k = small->weight[0][MODEL_WEIGHT_K_BIAS];
    double sum = 0;
    for (int i = 0; i < PAIRS; i++) {
        double complex query = (double)q[i] + I * (double)q[i + PAIRS];
        double complex key = (double)k[i] + I * (double)k[i + PAIRS];
        double angle = distance * pow(10000, -(double)i / PAIRS);
        sum += creal(query * conj(key) * cexp(I * angle));
    }
    return sum / sqrt(HEAD_DIM);
}

/* `logit` follows the token and position `last`, which sees tokens `first` to `last`. */
static void check_attention(const struct small_model *small, const float *logit, int first,
                            int last)
{
    const float *bias = small->weight[0][MODEL_WEIGHT_V_BIAS];
    double normed = 1 / sqrt(1. / HIDDEN + small->model.norm_epsilon), total = 0;
    for (int t = first; t <= last; t++)
        total += exp(score(small, last - t));
    for (int t = 0; t < HEAD_DIM; t++) {
        double weight = first <= t && t <= last ? exp(score(small, last - t)) / total : 0;
        double mixed = (double)logit[t] / (double)logit[HEAD_DIM + last];
        CU_ASSERT_DOUBLE_EQUAL(mixed, weight * normed + (double)bias[t], 1e-5);
    }
}

static void check_attention_everywhere(const char *extra, int window)
{
    struct small_model small = attention_model(extra);
    struct model_weights *weights = small_model_open(&small);
    struct model_reference *reference =
        model_reference_create(&small.model, weights, POSITIONS + SPARE);
    for (int t = 0; t < POSITIONS; t++)
        check_attention(&small, model_reference_step(reference, t), t < window ? 0 : t - window + 1,
                        t);
    model_reference_release(reference);
    model_weights_close(weights);
    small_model_release(&small);
}

#define ONE_HEAD                                                                                   \
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"num_key_value_heads\": 1, "           \
    "\"head_dim\": 16"

static void attention_weights_follow_the_distance(void)
{
    check_attention_everywhere(ONE_HEAD, POSITIONS);
}

static void window_hides_tokens_further_back(void)
{
    check_attention_everywhere(ONE_HEAD ", \"use_sliding_window\": true, \"sliding_window\": 5, "
                                        "\"max_window_layers\": 0",
                               5);
}

/* One layer without attention; the token sets element 0, the last neuron of the MLP adds to
 * element 5, and logits are the elements of the last row. */
static void check_mlp(double gate, double up, double down)
{
    const double set = 3, gain = 0.5, last_gain = 2, epsilon = 0.1;
    const char *extra =
        "\"num_hidden_layers\": 1, \"intermediate_size\": 97, \"rms_norm_eps\": 0.1";
    struct small_model small = small_model_create("llama", extra);
    int64_t neuron = small.model.ffn - 1;
    for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++)
        small_model_zero(&small, what, 0);
    small.weight[0][MODEL_WEIGHT_EMBEDDING][text[0] * HIDDEN] = (float)set;
    small.weight[0][MODEL_WEIGHT_MLP_NORM][0] = (float)gain;
    small.weight[0][MODEL_WEIGHT_GATE][neuron * HIDDEN] = (float)gate;
    small.weight[0][MODEL_WEIGHT_UP][neuron * HIDDEN] = (float)up;
    small.weight[0][MODEL_WEIGHT_DOWN][5 * small.model.ffn + neuron] = (float)down;
    set_to_one(small.weight[0][MODEL_WEIGHT_FINAL_NORM], HIDDEN);
    small.weight[0][MODEL_WEIGHT_FINAL_NORM][5] = (float)last_gain;
    for (int i = 0; i < HIDDEN; i++)
        small.weight[0][MODEL_WEIGHT_HEAD][i * HIDDEN + i] = 1;
    struct logits logits = after(&small, 1);
    double x = gain * set / sqrt(set * set / HIDDEN + epsilon);
    double added = gate * x / (1 + exp(-gate * x)) * up * x * down;
    double root = sqrt((set * set + added * added) / HIDDEN + epsilon);
    CU_ASSERT_DOUBLE_EQUAL(logits.of[0], set / root, 1e-5);
    CU_ASSERT_DOUBLE_EQUAL(logits.of[5], last_gain * added / root, 1e-5);
    CU_ASSERT_EQUAL(logits.of[6], 0);
    small_model_release(&small);
}

static void mlp_is_silu_of_gate_times_up(void)
{
    check_mlp(-0.75, 2, 4);
    check_mlp(1.5, -0.5, 1);
}

static void choice_is_the_lowest_of_the_greatest(void)
{
    static const float logit[] = {-4, -1, -3, -1, -2};
    CU_ASSERT_EQUAL(model_reference_choice(logit, 5), 1);
    CU_ASSERT_EQUAL(model_reference_choice(logit + 2, 3), 1);
    CU_ASSERT_EQUAL(model_reference_choice(logit, 1), 0);
}

TEST_MAIN("reference", TEST(group_shares_what_its_heads_would_repeat),
          TEST(layer_without_outputs_is_the_identity), TEST(doubled_final_norm_doubles_logits),
          TEST(tied_head_is_the_embedding), TEST(first_token_attends_to_itself_alone),
          TEST(attention_weights_follow_the_distance), TEST(window_hides_tokens_further_back),
          TEST(mlp_is_silu_of_gate_times_up), TEST(choice_is_the_lowest_of_the_greatest))
