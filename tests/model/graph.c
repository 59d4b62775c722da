/* SPDX-License-Identifier: BSD-3-Clause */
/* The ops of a step: order, dependences, shapes, and what makes a graph invalid. */
#include "test.h"

#include <string.h>

#include "base/memory.h"
#include "model/graph.h"
#include "sample.h"

static struct model model_of(const char *family, const char *extra)
{
    struct model model;
    CU_ASSERT_TRUE_FATAL(sample_read(family, extra, &model, NULL));
    return model;
}

/* Names of all ops, joined by spaces; free with base_free. */
static char *names_of(const struct model_graph *graph)
{
    char *text = base_strdup("");
    for (size_t i = 0; i < graph->count; i++) {
        char *longer = base_format("%s%s%s", text, i ? " " : "", model_op_name(&graph->op[i]));
        base_free(text);
        text = longer;
    }
    return text;
}

static const char mixtral[] = "\"num_local_experts\": 8, \"num_experts_per_tok\": 2";
static const char qwen2_moe[] = "\"num_experts\": 8, \"num_experts_per_tok\": 2, "
                                "\"moe_intermediate_size\": 24, "
                                "\"shared_expert_intermediate_size\": 40";
static const char gpt_oss[] = "\"num_local_experts\": 8, \"num_experts_per_tok\": 2, "
                              "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 32}";

static void check_names(const char *family, const char *extra, int64_t head_rows,
                        const char *expected)
{
    struct model model = model_of(family, extra);
    model.layers = 1;
    struct model_graph graph = model_graph_build(&model, 4, 64, true, head_rows);
    char *names = names_of(&graph);
    CU_ASSERT_STRING_EQUAL(names, expected);
    CU_ASSERT_TRUE(model_graph_is_valid(&graph));
    base_free(names);
    model_graph_release(&graph);
}

static void ops_come_in_the_documented_order(void)
{
    check_names("llama", "", 1,
                "embed norm q k v rope kv_write attention o add norm gate up activate down add "
                "norm head sample");
    check_names("llama", "", 0,
                "embed norm q k v rope kv_write attention o add norm gate up activate down add");
    check_names("qwen3", "", 1,
                "embed norm q k v norm norm rope kv_write attention o add norm gate up activate "
                "down add norm head sample");
    check_names("mixtral", mixtral, 0,
                "embed norm q k v rope kv_write attention o add norm router choose gate up "
                "activate down combine add");
    check_names("qwen2_moe", qwen2_moe, 0,
                "embed norm q k v rope kv_write attention o add norm router choose gate up "
                "activate down combine gate up activate down shared_gate scale add add");
}

static const struct model_op *find_op(const struct model_graph *graph, const char *name,
                                      int32_t layer)
{
    for (size_t i = 0; i < graph->count; i++)
        if (graph->op[i].layer == layer && strcmp(model_op_name(&graph->op[i]), name) == 0)
            return &graph->op[i];
    return NULL;
}

static void shapes_follow_the_model(void)
{
    struct model model = model_of("llama", "");
    struct model_graph graph = model_graph_build(&model, 3, 500, false, 2);
    const struct model_op *k = find_op(&graph, "k", 1);
    CU_ASSERT_TRUE(k->rows == 3 && k->k == 64 && k->n == 32);
    CU_ASSERT_TRUE(k->weight_elements == 64 * 32 && k->multiply_adds == 3 * 64 * 32);
    const struct model_op *attention = find_op(&graph, "attention", 0);
    CU_ASSERT_TRUE(attention->n == 64 && attention->k == 16 && attention->kv_positions == 500);
    CU_ASSERT_EQUAL(attention->multiply_adds, 2 * 3 * 64 * 500);
    const struct model_op *head = find_op(&graph, "head", -1);
    CU_ASSERT_TRUE(head->rows == 2 && head->k == 64 && head->n == 100);
    CU_ASSERT_EQUAL(find_op(&graph, "kv_write", 1)->n, 64);
    CU_ASSERT_EQUAL(find_op(&graph, "embed", -1)->weight_elements, 3 * 64);
    model_graph_release(&graph);
}

static void biases_add_weights_but_no_multiply_adds(void)
{
    struct model model = model_of("qwen2", "");
    struct model_graph graph = model_graph_build(&model, 1, 16, false, 1);
    const struct model_op *q = find_op(&graph, "q", 0);
    CU_ASSERT_TRUE(q->weight_elements == 64 * 64 + 64 && q->multiply_adds == 64 * 64);
    CU_ASSERT_EQUAL(find_op(&graph, "o", 0)->weight_elements, 64 * 64);
    model_graph_release(&graph);
}

static void a_window_bounds_the_keys_of_attention(void)
{
    struct model model = model_of("mistral", "\"sliding_window\": 32");
    struct model_graph graph = model_graph_build(&model, 1, 500, false, 1);
    CU_ASSERT_EQUAL(find_op(&graph, "attention", 0)->kv_positions, 32);
    CU_ASSERT_TRUE(model_graph_is_valid(&graph));
    model_graph_release(&graph);
}

static void only_layers_with_a_window_have_it(void)
{
    struct model model = model_of("gpt_oss", gpt_oss);
    struct model_graph graph = model_graph_build(&model, 1, 500, false, 1);
    CU_ASSERT_EQUAL(find_op(&graph, "attention", 0)->kv_positions, 128);
    CU_ASSERT_EQUAL(find_op(&graph, "attention", 1)->kv_positions, 500);
    CU_ASSERT_EQUAL(find_op(&graph, "attention", 1)->weight_elements, 4); /* sinks */
    CU_ASSERT_TRUE(model_graph_is_valid(&graph));
    model_graph_release(&graph);
}

/* Eight experts, two a row: after r rows an expert is untouched with probability (3/4)^r. */
static void experts_are_read_as_often_as_rows_touch_them(void)
{
    static const struct {
        int64_t rows, most;
        double expected;
    } row[] = {{1, 2, 2}, {2, 4, 3.5}, {3, 6, 4.625}, {4, 8, 5.46875}, {100, 8, 8}};
    struct model model = model_of("gpt_oss", gpt_oss);
    int64_t gate = 64 * 96 + 96, down = 96 * 64 + 64;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model_graph graph = model_graph_build(&model, row[i].rows, 64, false, 1);
        const struct model_op *op = find_op(&graph, "gate", 0);
        CU_ASSERT_EQUAL(op->weight_elements, row[i].most * gate);
        CU_ASSERT_DOUBLE_EQUAL((double)op->expected_elements, row[i].expected * (double)gate, 0.5);
        CU_ASSERT_EQUAL(op->multiply_adds, row[i].rows * 2 * 64 * 96);
        op = find_op(&graph, "down", 0);
        CU_ASSERT_EQUAL(op->weight_elements, row[i].most * down);
        CU_ASSERT_TRUE(op->n == 2 * 64 && op->k == 96 && op->chosen == 2);
        CU_ASSERT_EQUAL(find_op(&graph, "router", 0)->weight_elements, 8 * 64 + 8);
        CU_ASSERT_TRUE(model_graph_is_valid(&graph));
        model_graph_release(&graph);
    }
}

/* One change to one op of a valid graph. */
struct damage {
    const char *name; /* op of layer 0, or "embed" */
    void (*apply)(struct model_op *op);
};

static void need_oneself(struct model_op *op)
{
    op->input[0] += 1;
}

static void need_nothing(struct model_op *op)
{
    op->input[0] = op->input[1] = -1;
}

static void leave_a_gap(struct model_op *op)
{
    op->input[2] = op->input[0];
    op->input[0] = -1;
}

static void widen(struct model_op *op)
{
    op->n += 1;
}

static void lose_rows(struct model_op *op)
{
    op->rows = 0;
}

static void gain_rows(struct model_op *op)
{
    op->rows += 1;
}

static void lose_keys(struct model_op *op)
{
    op->kv_positions = 0;
}

static void count_wrongly(struct model_op *op)
{
    op->multiply_adds += 1;
}

static void lose_weights(struct model_op *op)
{
    op->weight_elements -= 1;
}

static void lose_name(struct model_op *op)
{
    op->linear = MODEL_LINEAR_NONE;
}

static void become_unknown(struct model_op *op)
{
    op->kind = (enum model_op_kind)99;
}

static void bypass(struct model_op *op)
{
    op->input[1] = op->input[0];
}

static void forget_the_choice(struct model_op *op)
{
    op->input[1] = -1;
}

static void choose_more(struct model_op *op)
{
    op->chosen += 1;
}

static void expect_more(struct model_op *op)
{
    op->expected_elements = op->weight_elements + 1;
}

static void check_damage(const struct model *model, const struct damage *damage, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct model_graph graph = model_graph_build(model, 2, 64, false, 2);
        damage[i].apply((struct model_op *)find_op(&graph, damage[i].name, 0));
        CU_ASSERT_FALSE(model_graph_is_valid(&graph));
        if (model_graph_is_valid(&graph))
            fprintf(stderr, "damage %zu to %s is not seen\n", i, damage[i].name);
        model_graph_release(&graph);
    }
}

static void damage_to_a_mixture_makes_a_graph_invalid(void)
{
    static const struct damage damage[] = {
        {"router", widen},        {"choose", widen},
        {"choose", choose_more},  {"choose", count_wrongly},
        {"gate", widen},          {"gate", forget_the_choice},
        {"up", choose_more},      {"down", bypass},
        {"down", count_wrongly},  {"down", expect_more},
        {"combine", widen},       {"combine", forget_the_choice},
        {"combine", choose_more}, {"activate", widen},
        {"shared_gate", widen},   {"scale", forget_the_choice},
        {"scale", widen},         {"gate", lose_name},
    };
    struct model model = model_of("qwen2_moe", qwen2_moe);
    check_damage(&model, damage, sizeof damage / sizeof damage[0]);
}

static void every_damage_makes_a_graph_invalid(void)
{
    static const struct damage damage[] = {
        {"q", need_oneself},
        {"q", need_nothing},
        {"add", leave_a_gap},
        {"q", widen},
        {"o", widen},
        {"rope", widen},
        {"activate", widen},
        {"norm", widen},
        {"v", lose_rows},
        {"v", gain_rows},
        {"attention", lose_keys},
        {"attention", count_wrongly},
        {"down", count_wrongly},
        {"add", count_wrongly},
        {"up", lose_weights},
        {"gate", lose_name},
        {"k", become_unknown},
        {"add", bypass},
    };
    struct model model = model_of("llama", "");
    check_damage(&model, damage, sizeof damage / sizeof damage[0]);
}

static void an_empty_graph_is_invalid(void)
{
    struct model_graph graph = {0};
    CU_ASSERT_FALSE(model_graph_is_valid(&graph));
}

TEST_MAIN("graph", TEST(ops_come_in_the_documented_order), TEST(shapes_follow_the_model),
          TEST(biases_add_weights_but_no_multiply_adds),
          TEST(a_window_bounds_the_keys_of_attention), TEST(only_layers_with_a_window_have_it),
          TEST(experts_are_read_as_often_as_rows_touch_them),
          TEST(damage_to_a_mixture_makes_a_graph_invalid), TEST(every_damage_makes_a_graph_invalid),
          TEST(an_empty_graph_is_invalid))
