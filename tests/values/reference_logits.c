/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a model plainly, its tokens given, and writes the logits behind each of them:
 *
 *   reference_logits FOLDER FILE IDS
 *
 * IDS is 1,403,407. FILE gets float32 [ids, vocabulary] in this machine's order of bytes. Status 2:
 * the model cannot be read, for the reasons on standard error. */
#include <stdio.h>

#include "base/memory.h"
#include "config/ids.h"
#include "model/reference.h"

enum { FOLDER = 1, FILE_NAME, IDS, WORDS };

static int write_logits(const struct model *model, const struct model_weights *weights,
                        const int32_t *token, int32_t tokens, FILE *file)
{
    struct model_reference *reference = model_reference_create(model, weights, tokens);
    size_t vocabulary = (size_t)model->vocabulary, written = 0;
    for (int32_t p = 0; p < tokens; p++) {
        const float *logit = model_reference_step(reference, token[p]);
        written += fwrite(logit, sizeof *logit, vocabulary, file);
    }
    model_reference_release(reference);
    return written == (size_t)tokens * vocabulary ? 0 : 1;
}

int main(int count, char **word)
{
    struct model model;
    struct base_report report = {0};
    struct model_weights *weights = NULL;
    int32_t *token = NULL, tokens;
    if (count != WORDS) {
        fputs("usage: reference_logits FOLDER FILE IDS\n", stderr);
        return 2;
    }
    int status = 2;
    FILE *file = fopen(word[FILE_NAME], "wb");
    if (file && config_ids_parse("IDS", word[IDS], &token, &tokens, &report) &&
        model_read(word[FOLDER], &model, &report))
        weights = model_weights_open(word[FOLDER], &model, &report);
    if (weights)
        status = write_logits(&model, weights, token, tokens, file);
    if (file && fclose(file) != 0)
        status = 1;
    base_report_print(&report, stderr);
    base_report_release(&report);
    model_weights_close(weights);
    base_free(token);
    return status;
}
