/* An open run, for the files that use one. */
#ifndef MICA_TRAIN_RUN_H
#define MICA_TRAIN_RUN_H

#include "train/decoder.h"
#include "train/evaluate.h"

#include <mica/train.h>

/* The network for one batch size, with the run's weights. */
typedef struct mica_stage {
    mica_network *network;
    mica_model *model;
} mica_stage;

struct mica_run {
    char *folder;  /* NULL: a recipe with weights from elsewhere */
    char *weights; /* their file */
    char *device_text;
    mica_recipe *recipe;
    mica_device *device;
    mica_run_info info;
    char **class_names;
    mica_stage one; /* of batch size 1 */
    mica_program *predict;
    mica_stage many; /* of the recipe's batch size; see mica_run_many */
    mica_evaluator *evaluator;
    mica_program *encode;
    const mica_network_layer *encoded; /* what `encode` gives */
    mica_decoder *decoder;
};

/* Opens run->many if it is not open yet. */
mica_status mica_run_many(mica_run *run);

#endif
