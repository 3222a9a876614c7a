/* How a model of ratings does beside models that know nothing of tastes. */
#ifndef MICA_TRAIN_COMPARE_H
#define MICA_TRAIN_COMPARE_H

#include "recipe/recipe.h"

#include <mica/ratings.h>
#include <mica/train.h>

enum { MICA_COMPARISON_METRICS = 12, MICA_COMPARISON_FIRST = 10 };

typedef struct mica_comparison {
    mica_metric metrics[MICA_COMPARISON_METRICS]; /* names of static storage */
    size_t count;
} mica_comparison;

/* Measures on the recipe's test ratings. Where values count: the errors of the baselines,
 * `baseline_mean_rmse`, `baseline_biases_rmse` and the same _mae. Where the recipe has `relevant`
 * ratings: `test_precision_at_10`, recall, ndcg and coverage of the scorer, and the same of
 * `baseline_popularity`. Nothing where there is no test part; data that are no ratings are
 * MICA_E_UNSUPPORTED. folder as for mica_recipe_open_data. */
mica_status mica_compare(const mica_recipe *recipe, const char *folder, mica_scorer scorer,
    void *context, mica_comparison *comparison);

/* The same of the network that the recipe describes, with the model's weights; of data that are no
 * ratings, nothing. */
mica_status mica_compare_network(
    const mica_recipe *recipe, const char *folder, mica_model *model, mica_comparison *comparison);

/* Would there be something to rank? Asked before training. */
mica_status mica_compare_check(const mica_recipe *recipe, const char *folder);

#endif
