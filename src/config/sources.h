/* SPDX-License-Identifier: BSD-3-Clause */
/* Where each option's value came from, so that every fault and every echo can name it. */
#ifndef CONFIG_SOURCES_H
#define CONFIG_SOURCES_H

#include <stddef.h>

#include "config/option.h"

enum config_origin {
    CONFIG_ABSENT, /* no value: the side that the mode leaves out */
    CONFIG_FAULTY, /* a value was given, and refused */
    CONFIG_DEFAULT,
    CONFIG_FILE,
    CONFIG_KEPT,    /* from an artifact, as a file with lines */
    CONFIG_SET,     /* --set */
    CONFIG_COUNTED, /* found out after reading */
};

struct config_source {
    enum config_origin origin;
    char *file; /* owned; NULL unless CONFIG_FILE or CONFIG_KEPT */
    int line;
};

/* Indexed like option_table. */
struct config_sources {
    struct config_source *source;
};

struct config_sources *config_sources_new(void);
void config_sources_free(struct config_sources *sources);

struct config_source *config_source_of(const struct config_sources *sources,
                                       const struct option *option);

/* Replaces what was noted for `option`; `file` is copied and may be NULL. */
void config_source_note(struct config_sources *sources, const struct option *option,
                        enum config_origin origin, const char *file, int line);

/* The options of a group have no value: what is read next gives all that there are. */
void config_sources_forget(struct config_sources *sources, const char *group);

/* "default", "configs/rack.cfg:12" or "--set"; free with base_free. */
char *config_source_text(const struct config_source *source);

#endif
