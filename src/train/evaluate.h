/* Measuring a network on a data set: loss, accuracy and confusion of each head. Knows no recipes'
 * files and no run folders. */
#ifndef MICA_TRAIN_EVALUATE_H
#define MICA_TRAIN_EVALUATE_H

#include "recipe/recipe.h"

#include <mica/train.h>

typedef struct mica_evaluator mica_evaluator;

/* Compiles the network's evaluation for its batch size. The model and the network must outlive the
 * evaluator. `replace` as in mica_loader_options. */
mica_status mica_evaluator_create(
    mica_model *model, const mica_network *network, bool replace, mica_evaluator **evaluator);
void mica_evaluator_destroy(mica_evaluator **evaluator);

/* Evaluates on every sample once; a last batch that is not full counts only what it holds. *heads
 * has network->n_heads entries that live until the next call or the evaluator's end. Random numbers
 * depend on the model's seed and the batch alone, so that epochs compare. */
mica_status mica_evaluator_run(
    mica_evaluator *evaluator, const mica_dataset *dataset, const mica_evaluation **heads);

/* A sample that was taken for another class. */
typedef struct mica_mistake {
    int64_t sample;
    int32_t label, taken;
    float loss;
} mica_mistake;

/* The gravest mistakes of a head in the last evaluation, the largest loss first. */
const mica_mistake *mica_evaluator_mistakes(
    const mica_evaluator *evaluator, size_t head, size_t *count);

/* What is measured of a head beside its loss: the name of the metric, behind "test_" and the like.
 * The table ends with the name NULL. */
typedef struct mica_measure {
    const char *name;
    size_t offset; /* of the double in mica_evaluation */
    bool (*applies)(const mica_network_head *head);
} mica_measure;
extern const mica_measure mica_measures[];
enum { MICA_MEASURES = 8 };

double mica_measure_get(const mica_measure *measure, const mica_evaluation *evaluation);

/* The weighted losses of all heads: what is minimized, without the penalty. */
double mica_total_loss(const mica_evaluation *heads, size_t n_heads);

/* MICA_OK if the data set's samples and classes are what the network takes. `what` names the set in
 * the error. */
mica_status mica_network_accepts(
    const mica_network *network, const mica_dataset *dataset, const char *what);

/* Writes a batch's features and labels into a program of the network. */
mica_status mica_network_write(
    const mica_network *network, mica_program *program, const mica_batch *batch);

#endif
