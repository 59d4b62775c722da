/* SPDX-License-Identifier: BSD-3-Clause */
/* Models by the names that tables have for them; each description is read once. */
#ifndef MEASURED_MODELS_H
#define MEASURED_MODELS_H

#include "model/model.h"

/* Where to look, a folder of folders with a config.json; call before the first models_find, most
 * wanted last. At most four. */
void models_search(const char *folder);

/* configs/models, and before it hf_configs in the folder that LPUSIM_DATA names. */
void models_search_usual(void);

/* "meta-llama/Llama-3.1-8B-Instruct" is described by Meta-Llama-3.1-8B: path, punctuation, case, a
 * leading "meta", "instruct" and trailing words for tuning and format do not count. NULL: `why`
 * says so and names it; both live to the end of the program. */
const struct model *models_find(const char *name, const char **why);

#endif
