#include "train/compare.h"

#include "base/error.h"
#include "train/run.h"
#include "train/score.h"

/* Ratings that an item's or a user's bias is held against: it is halved where there are as many. */
#define DAMPING 10.0f

static void add(mica_comparison *comparison, const char *name, double value) {
    comparison->metrics[comparison->count++] = (mica_metric){name, value};
}

static mica_status errors_compare(
    mica_baseline *baseline, const mica_ratings *test, mica_comparison *comparison) {
    mica_rating_errors mean, biases;
    MICA_TRY(mica_ratings_errors(test, mica_baseline_mean, baseline, &mean));
    MICA_TRY(mica_ratings_errors(test, mica_baseline_biases, baseline, &biases));
    add(comparison, "baseline_mean_rmse", mean.rmse);
    add(comparison, "baseline_mean_mae", mean.mae);
    add(comparison, "baseline_biases_rmse", biases.rmse);
    add(comparison, "baseline_biases_mae", biases.mae);
    return MICA_OK;
}

static mica_status rankings_compare(const mica_recipe *recipe, const mica_ratings *train,
    const mica_ratings *test, mica_baseline *baseline, mica_scorer scorer, void *context,
    mica_comparison *comparison) {
    float relevant = recipe->data.ratings.relevant;
    int32_t items = mica_ratings_get_info(train)->items;
    int32_t first = items < MICA_COMPARISON_FIRST ? items : MICA_COMPARISON_FIRST;
    mica_ranking own, popularity;
    MICA_TRY(mica_ratings_ranking(train, test, relevant, first, scorer, context, &own));
    MICA_TRY(mica_ratings_ranking(
        train, test, relevant, first, mica_baseline_popularity, baseline, &popularity));
    add(comparison, "test_precision_at_10", own.precision);
    add(comparison, "test_recall_at_10", own.recall);
    add(comparison, "test_ndcg_at_10", own.ndcg);
    add(comparison, "test_coverage_at_10", own.coverage);
    add(comparison, "baseline_popularity_precision_at_10", popularity.precision);
    add(comparison, "baseline_popularity_recall_at_10", popularity.recall);
    add(comparison, "baseline_popularity_ndcg_at_10", popularity.ndcg);
    add(comparison, "baseline_popularity_coverage_at_10", popularity.coverage);
    return MICA_OK;
}

static mica_status parts_compare(const mica_recipe *recipe, const mica_ratings *train,
    const mica_ratings *test, mica_scorer scorer, void *context, mica_comparison *comparison) {
    const mica_recipe_ratings *ratings = &recipe->data.ratings;
    mica_baseline *baseline = NULL;
    MICA_TRY(mica_baseline_create(train, DAMPING, &baseline));
    mica_status status = MICA_OK;
    if (!ratings->implicit && !ratings->pairs)
        status = errors_compare(baseline, test, comparison);
    if (status == MICA_OK && ratings->relevant != 0)
        status = rankings_compare(recipe, train, test, baseline, scorer, context, comparison);
    mica_baseline_destroy(&baseline);
    return status;
}

mica_status mica_compare(const mica_recipe *recipe, const char *folder, mica_scorer scorer,
    void *context, mica_comparison *out) {
    mica_comparison comparison = {0};
    mica_ratings *train = NULL, *test = NULL;
    mica_status status = mica_recipe_open_ratings(recipe, folder, &train, NULL, &test);
    if (status == MICA_OK && test)
        status = parts_compare(recipe, train, test, scorer, context, &comparison);
    mica_ratings_destroy(&train);
    mica_ratings_destroy(&test);
    if (status == MICA_OK)
        *out = comparison;
    return status;
}

mica_status mica_compare_check(const mica_recipe *recipe, const char *folder) {
    const float relevant = recipe->data.ratings.relevant;
    mica_ratings *test = NULL;
    if (!recipe->data.ids || !recipe->data.users || relevant == 0)
        return MICA_OK;
    MICA_TRY(mica_recipe_open_ratings(recipe, folder, NULL, NULL, &test));
    const mica_ratings_info *info = test ? mica_ratings_get_info(test) : NULL;
    bool any = !info;
    for (int64_t i = 0; info && i < info->count && !any; i++)
        any = info->value[i] >= relevant;
    const float highest = info ? info->highest : 0;
    mica_ratings_destroy(&test);
    return any ? MICA_OK
               : mica_fail(MICA_E_INVALID,
                     "%s: no test rating is at least %g, from which on data.relevant counts them: "
                     "there would be no hit to find (the highest rating is %g)",
                     recipe->path, (double)relevant, (double)highest);
}

mica_status mica_compare_network(
    const mica_recipe *recipe, const char *folder, mica_model *model, mica_comparison *comparison) {
    mica_scores *scores = NULL;
    comparison->count = 0;
    if (!recipe->data.ids || !recipe->data.users)
        return MICA_OK;
    if (recipe->data.ratings.relevant != 0)
        MICA_TRY(mica_scores_create(recipe, model, &scores));
    mica_status status = mica_compare(recipe, folder, mica_scores_rank, scores, comparison);
    mica_scores_destroy(&scores);
    return status;
}
