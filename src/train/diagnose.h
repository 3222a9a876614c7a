/* Finding where a number stopped being finite. Knows no files. */
#ifndef MICA_TRAIN_DIAGNOSE_H
#define MICA_TRAIN_DIAGNOSE_H

#include "recipe/recipe.h"

/* Repeats update number `step` (from 0) on its batch, with every value kept, and fails with
 * MICA_E_NUMERIC and the first value that is not finite. The model's parameters are those before
 * the step, or, if only its update overflowed, what came out of it. `when` names the step for the
 * reader; loss and norm are what the step gave. */
mica_status mica_diagnose(mica_model *model, const mica_network *network, const mica_batch *batch,
    uint64_t step, const char *when, float loss, float norm);

#endif
