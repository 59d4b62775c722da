/* SPDX-License-Identifier: BSD-3-Clause */
/* One note per row of the option table. */
#include "config/sources.h"

#include "base/memory.h"

struct config_sources *config_sources_new(void)
{
    struct config_sources *sources = base_alloc(1, sizeof *sources);
    sources->source = base_alloc(option_count, sizeof *sources->source);
    return sources;
}

void config_sources_free(struct config_sources *sources)
{
    if (!sources)
        return;
    for (size_t i = 0; i < option_count; i++)
        base_free(sources->source[i].file);
    base_free(sources->source);
    base_free(sources);
}

struct config_source *config_source_of(const struct config_sources *sources,
                                       const struct option *option)
{
    return &sources->source[option - option_table];
}

void config_source_note(struct config_sources *sources, const struct option *option,
                        enum config_origin origin, const char *file, int line)
{
    struct config_source *source = config_source_of(sources, option);
    char *copy = file ? base_strdup(file) : NULL;
    base_free(source->file);
    *source = (struct config_source){origin, copy, line};
}

void config_sources_forget(struct config_sources *sources, const char *group)
{
    for (const struct option *o = option_table; o < option_table + option_count; o++)
        if (option_is_of_group(o, group))
            config_source_note(sources, o, CONFIG_ABSENT, NULL, 0);
}

char *config_source_text(const struct config_source *source)
{
    switch (source->origin) {
    case CONFIG_FILE:
    case CONFIG_KEPT:
        return base_format("%s:%d", source->file, source->line);
    case CONFIG_SET:
        return base_strdup("--set");
    case CONFIG_DEFAULT:
        return base_strdup("default");
    case CONFIG_COUNTED:
        return base_strdup("counted");
    case CONFIG_ABSENT:
    case CONFIG_FAULTY:
        break;
    }
    return base_strdup("");
}
