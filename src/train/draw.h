/* Pictures of a run's metrics in its folder. Knows the names of columns, nothing of how they came.
 */
#ifndef MICA_TRAIN_DRAW_H
#define MICA_TRAIN_DRAW_H

#include "recipe/recipe.h"
#include "train/metrics.h"

#include <mica/train.h>

/* curves.svg (losses and measures) and, where they were logged, gradients.svg: a panel a head if
 * the names of all layers begin with a head's. */
mica_status mica_draw_metrics(const mica_metrics *metrics, const mica_network *network,
    const char *title, const char *folder);

/* confusion.svg and confusion.png of a network with one head, confusion-<head>.* of each where
 * there are several. `set` names the data: "test". */
mica_status mica_draw_confusion(const mica_evaluation *heads, size_t n_heads,
    const mica_dataset_info *data, const char *set, const char *folder);

/* comparison.svg of a model of ratings from its metrics and those of the baselines (compare.h);
 * nothing where there are none. */
mica_status mica_draw_comparison(
    const mica_metric *metrics, size_t count, const char *model, const char *folder);

#endif
