/* An open recommender's parts. */
#ifndef MICA_TRAIN_RECOMMEND_H
#define MICA_TRAIN_RECOMMEND_H

#include "recipe/recipe.h"

#include <mica/recommend.h>

const mica_recipe *mica_recommender_recipe(const mica_recommender *recommender);

/* See mica_run_info; "" also where no device was opened. */
const char *mica_recommender_device_note(const mica_recommender *recommender);

/* What differs in the ratings from those that the run was trained with, or NULL. */
const char *mica_recommender_note(const mica_recommender *recommender);

/* MICA_E_INVALID where the run may have been trained on test ratings. */
mica_status mica_recommender_measures(const mica_recommender *recommender);

#endif
