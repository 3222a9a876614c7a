/* Making a run of a recipe that describes a neighbourhood model, and measuring it. */
#ifndef MICA_TRAIN_NEIGHBOURS_H
#define MICA_TRAIN_NEIGHBOURS_H

#include "recipe/recipe.h"

#include <mica/recommend.h>
#include <mica/train.h>

/* mica_train for such a recipe, which is read anew with the sizes that its data tell. With resume,
 * a run that has its neighbours is only measured again. */
mica_status mica_train_neighbours(
    mica_recipe **recipe, const mica_train_options *options, mica_train_result **result);

/* Is it the folder of a run of a neighbourhood model? Fails as the run's recipe does. */
mica_status mica_run_is_neighbours(const char *folder, bool *is);

/* The metrics of a model on the recipe's test ratings, with those of the baselines: test_rmse,
 * test_mae unless ratings are implicit, and what mica_compare gives. Names are of static storage;
 * room for MICA_NEIGHBOURS_METRICS. */
enum { MICA_NEIGHBOURS_METRICS = 16 };
mica_status mica_neighbours_measure(const mica_recipe *recipe, const char *data,
    mica_neighbours *model, mica_metric *metrics, size_t *count);

#endif
