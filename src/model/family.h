/* SPDX-License-Identifier: BSD-3-Clause */
/* From the keys of a config.json to a model, or to faults. */
#ifndef MODEL_FAMILY_H
#define MODEL_FAMILY_H

#include "model/keys.h"
#include "model/model.h"

/* Fills all of `model` but its name. Every fault goes to the report of `keys`; an unsupported
 * architecture is the only fault of its file, since its keys mean something else. */
void family_read(const struct keys *keys, struct model *model);

#endif
