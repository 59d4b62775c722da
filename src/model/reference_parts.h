/* SPDX-License-Identifier: BSD-3-Clause */
/* State of the plain forward pass, and what its attention and its MLP share. */
#ifndef MODEL_REFERENCE_PARTS_H
#define MODEL_REFERENCE_PARTS_H

#include "model/reference.h"

struct model_reference {
    struct model model;
    const struct model_weights *weights;
    int64_t positions, position; /* most tokens; tokens so far */
    double *frequency;           /* [head_dim / 2] radians a position */
    double *cosine, *sine;       /* [head_dim / 2] at this position, with the rotary gain */
    float *keys, *values;        /* [layers][positions][kv_heads][head_dim], keys turned */
    float *row;                  /* [hidden] the residual stream */
    float *normed, *update;      /* [hidden] */
    float *query, *mixed;        /* [heads][head_dim] */
    float *gate, *up;            /* [the widest MLP or expert] */
    float *route;                /* [experts] logits of the router */
    int64_t *expert;             /* [experts_per_token] the chosen ones */
    float *share;                /* [experts_per_token] their weights */
    double *total;               /* [hidden] sum over the chosen experts */
    float *logit;                /* [vocabulary] */
    float *weight;               /* [widest row of a weight] */
    double *score;               /* [positions or experts] */
    double *sum;                 /* [head_dim] */
};

/* Products of floats are exact in double: contraction changes nothing. */
double reference_dot(const float *a, const float *b, int64_t count);

/* out[rows]: rows first, ... of a matrix times in. */
void reference_linear(struct model_reference *r, enum model_weight what, int64_t layer,
                      int64_t first, int64_t rows, const float *in, float *out);

/* Adds row `row` of a bias; nothing where the model has none. */
void reference_add_bias(struct model_reference *r, enum model_weight what, int64_t layer,
                        int64_t row, float *out);

/* out = in over its root mean square, times the weights of `what`; may be in place. */
void reference_norm(struct model_reference *r, enum model_weight what, int64_t layer,
                    const float *in, int64_t count, float *out);

/* Replaces count >= 1 scores by weights that, with exp(sink), add up to 1; -INFINITY: no sink. */
void reference_softmax(double *score, int64_t count, double sink);

/* r->update: what the MLP of a layer, dense or a mixture, makes of r->normed. */
void reference_mlp(struct model_reference *r, int64_t layer);

#endif
