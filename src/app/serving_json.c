/* SPDX-License-Identifier: BSD-3-Clause */
/* The measures of serve as one JSON object. */
#include <inttypes.h>

#include "app/json.h"
#include "app/serving.h"
#include "base/memory.h"
#include "base/version.h"

/* The measures of one machine as an object: name to value and unit. */
static void write_machine(FILE *out, const struct app_run *run, enum record_machine machine,
                          const char *name)
{
    struct record_serve_measure *row;
    if (!run->serving->outcome[machine])
        return;
    size_t count = app_serving_rows(run, machine, &row);
    fprintf(out, "  \"%s\": {", name);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\n    \"%s\": {\"value\": %.17g, \"units\": \"%s\"}", i ? "," : "",
                row[i].measure, row[i].value, row[i].units);
    fputs("\n  },\n", out);
    base_free(row);
}

void app_serving_json(FILE *out, const struct app_run *run)
{
    const struct app_serving *serving = run->serving;
    fprintf(out, "{\n  \"program\": \"lpusim-mp %s\",\n  \"model\": ", base_version());
    app_json_text(out, run->model.name);
    fputs(",\n  \"trace\": ", out);
    app_json_text(out, run->scenario.serve.source.trace);
    fprintf(out,
            ",\n  \"requests\": %zu,\n  \"requests_per_second\": %.17g,\n  \"seed\": %" PRId64
            ",\n",
            serving->requests.count, serve_requests_rate(&serving->requests), run->scenario.seed);
    write_machine(out, run, RECORD_LPU, "lpu");
    write_machine(out, run, RECORD_GPU, "gpu");
    fputs("  \"file\": ", out);
    app_json_text(out, run->scenario.output_path);
    fputs("\n}\n", out);
}
