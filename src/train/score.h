/* What a network of ratings gives pairs of users and items. Knows no files. */
#ifndef MICA_TRAIN_SCORE_H
#define MICA_TRAIN_SCORE_H

#include "recipe/recipe.h"

#include <mica/train.h>

typedef struct mica_scores mica_scores;

/* Builds the recipe's network up to the layer that its first loss judges, for a user and one item,
 * with a copy of the model's weights. The recipe must outlive the scores; its data must be ratings
 * (else MICA_E_UNSUPPORTED). */
mica_status mica_scores_create(const mica_recipe *recipe, mica_model *model, mica_scores **scores);

/* Would that network be one? Of a recipe whose data are ratings. */
mica_status mica_scores_check(const mica_recipe *recipe);
void mica_scores_destroy(mica_scores **scores);

/* A mica_predictor: ratings, the mean added that targets are relative to; with the loss bpr, scores
 * that only compare. Users and items out of range are MICA_E_INVALID. */
mica_status mica_scores_predict(
    void *scores, const int32_t *user, const int32_t *item, int64_t count, float *value);

/* A mica_scorer. */
mica_status mica_scores_rank(void *scores, const int32_t *user, int64_t count, float *values);

/* mica_scores_predict with a run's best weights. */
mica_status mica_run_score(
    mica_run *run, const int32_t *user, const int32_t *item, int64_t count, float *values);

#endif
