/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes one JSON object; numbers print so that they read back to the same double. */
#include "app/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/compare.h"
#include "app/lpu.h"
#include "app/values.h"
#include "base/memory.h"
#include "base/version.h"
#include "model/utf8.h"

static const char *const machine_name[] = {"lpu", "gpu"};
static const char *const phase_name[] = {"prefill", "decode"};
static const char *const when_name[] = {"compile", "run"};

/* One character; a byte that is no UTF-8 becomes U+FFFD. Returns the bytes taken. */
static size_t write_character(FILE *out, const char *text)
{
    uint32_t code;
    size_t bytes = utf8_character(text, &code);
    if (bytes == 0)
        fputs("\\ufffd", out);
    else if (code < 0x20)
        fprintf(out, "\\u%04x", (unsigned)code);
    else if (code == '"' || code == '\\')
        fprintf(out, "\\%c", *text);
    else
        fwrite(text, 1, bytes, out);
    return bytes ? bytes : 1;
}

void app_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    while (*text)
        text += write_character(out, text);
    fputc('"', out);
}

/* A member; null where the number is none. */
static void write_error(FILE *out, const char *name, double error)
{
    fprintf(out, ",\n    \"%s\": ", name);
    if (isfinite(error))
        fprintf(out, "%.17g", error);
    else
        fputs("null", out);
}

static void write_head(FILE *out, const struct app_run *run)
{
    fprintf(out, "{\n  \"program\": \"lpusim-mp %s\",\n  \"model\": ", base_version());
    app_json_text(out, run->model.name);
    fprintf(out, ",\n  \"parameters\": %" PRId64 ",\n", model_parameter_count(&run->model));
    fprintf(out, "  \"active_parameters\": %" PRId64 ",\n",
            model_active_parameter_count(&run->model));
    fprintf(out, "  \"prompt_tokens\": %" PRId32 ",\n  \"output_tokens\": %" PRId32 ",\n",
            run->scenario.workload.prompt_tokens, run->scenario.workload.decode_tokens);
    fprintf(out, "  \"seed\": %" PRId64 ",\n", run->scenario.seed);
}

/* The metrics of one machine as an object: name to value and unit. */
static void write_metrics(FILE *out, const struct app_compare *compare, enum record_machine machine)
{
    const char *comma = "";
    fprintf(out, "  \"%s\": {", machine_name[machine]);
    for (size_t i = 0; i < compare->metrics; i++) {
        const struct record_compare_metric *m = &compare->metric[i];
        if (m->machine != machine)
            continue;
        fprintf(out, "%s\n    \"%s\": {\"value\": %.17g, \"units\": \"%s\"}", comma, m->metric,
                m->value, m->units);
        comma = ",";
    }
    fputs("\n  },\n", out);
}

static void write_decisions(FILE *out, const struct app_compare *compare)
{
    fputs("  \"decisions\": [", out);
    for (size_t i = 0; i < compare->decisions; i++) {
        const struct record_compare_decision *d = &compare->decision[i];
        fprintf(out,
                "%s\n    {\"machine\": \"%s\", \"when\": \"%s\", \"decision\": \"%s\", "
                "\"count\": %" PRId64 ", \"per_token\": %.17g}",
                i ? "," : "", machine_name[d->machine], when_name[d->when], d->decision, d->count,
                d->per_token);
    }
    fputs("\n  ],\n", out);
}

static void write_shares(FILE *out, const struct app_compare *compare)
{
    fputs("  \"shares\": [", out);
    for (size_t i = 0; i < compare->shares; i++) {
        const struct record_compare_share *s = &compare->share[i];
        fprintf(out,
                "%s\n    {\"machine\": \"%s\", \"phase\": \"%s\", \"share\": \"%s\", "
                "\"time_ps\": %" PRId64 "}",
                i ? "," : "", machine_name[s->machine], phase_name[s->phase], s->share, s->time_ps);
    }
    fputs("\n  ],\n", out);
}

static void write_candidates(FILE *out, const struct app_lpu *lpu)
{
    size_t count = lpu ? lpu->candidates : 0;
    const struct partition_candidate *c = lpu ? lpu->candidate : NULL;
    fputs("  \"splits\": [", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out,
                "%s\n    {\"stages\": %" PRId32 ", \"group\": %" PRId32 ", \"fits\": %s, "
                "\"decode_cycles\": %" PRId64 ", \"missing_bytes\": %" PRId64 "}",
                i ? "," : "", c[i].stages, c[i].group, c[i].fits ? "true" : "false",
                c[i].decode_cycles, c[i].missing_bytes);
    fputs("\n  ],\n", out);
}

/* What the chips computed, and how it compares; the comparison only where one was made. */
static void write_values(FILE *out, const struct app_run *run)
{
    const struct app_values *v = run->values;
    const struct app_agreement *a = &v->agreement;
    bool fp32 = run->scenario.lpu_numerics == SCENARIO_FP32;
    char *text = app_values_texts(run);
    fprintf(out, "  \"values\": {\n    \"numerics\": \"%s\",\n    \"tokens\": [",
            fp32 ? "fp32" : "int8");
    const char *comma = "";
    for (int32_t s = 0; s < v->sequences; s++)
        for (int32_t n = 0; n < v->sequence[s].tokens; n++, comma = ", ")
            fprintf(out, "%s%" PRId32, comma, v->sequence[s].token[n]);
    fputs("],\n    \"text\": ", out);
    app_json_text(out, text);
    if (a->compared > 0) {
        fprintf(out, ",\n    \"compared\": %" PRId64 ",\n    \"equal\": %" PRId64, a->compared,
                a->equal);
    }
    if (a->logits > 0) {
        write_error(out, "worst_logit_error", a->worst_error);
        write_error(out, "rms_logit_error", app_values_rms_error(v));
    }
    fputs("\n  },\n", out);
    base_free(text);
}

void app_json_run(FILE *out, const struct app_run *run)
{
    write_head(out, run);
    if (run->lpu)
        write_metrics(out, run->compare, RECORD_LPU);
    if (run->gpu)
        write_metrics(out, run->compare, RECORD_GPU);
    write_decisions(out, run->compare);
    write_shares(out, run->compare);
    write_candidates(out, run->lpu);
    if (run->lpu)
        fprintf(out, "  \"lpu_steps_equal\": %s,\n",
                run->compare->lpu_steps_equal ? "true" : "false");
    if (run->values)
        write_values(out, run);
    fputs("  \"file\": ", out);
    app_json_text(out, run->scenario.output_path);
    fputs("\n}\n", out);
}

bool app_json_write(const struct app_run *run, app_json_writer *write, const char *path,
                    struct base_report *report)
{
    if (!strcmp(path, "-")) {
        write(stdout, run);
        return true;
    }
    FILE *out = fopen(path, "w");
    bool written = out != NULL;
    if (out)
        write(out, run);
    if (out && fclose(out) != 0)
        written = false;
    if (!written)
        base_report_add(report, path, 0, "cannot be written: %s", strerror(errno));
    return written;
}
