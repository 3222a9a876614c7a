/* An open run, for the files that use one. */
#ifndef MICA_TRAIN_RUN_H
#define MICA_TRAIN_RUN_H

#include "train/compare.h"
#include "train/decoder.h"
#include "train/evaluate.h"
#include "train/generate_text.h"
#include "train/manifest.h"
#include "train/score.h"

#include <mica/onnx.h>
#include <mica/train.h>

/* The network for one batch size, with the run's weights. */
typedef struct mica_stage {
    mica_network *network;
    mica_model *model;
    mica_onnx_network *onnx; /* NULL: the recipe's */
} mica_stage;

struct mica_run {
    char *folder;    /* NULL: a recipe with weights from elsewhere */
    char *weights;   /* their file */
    mica_onnx *onnx; /* where the network comes from; NULL: the recipe */
    char *device_text;
    mica_recipe *recipe;
    mica_device *device;
    mica_run_info info;
    char **class_names;
    mica_stage one; /* of batch size 1 */
    mica_program *predict;
    mica_stage many; /* of the recipe's batch size; see mica_run_many */
    mica_evaluator *evaluator;
    mica_dataset *test; /* that it measured last */
    mica_program *encode;
    const mica_network_layer *encoded; /* what `encode` gives */
    mica_decoder *decoder;
    mica_writer *writer;
    mica_scores *scores;
    mica_comparison comparison;
    mica_manifest manifest; /* of its folder */
    char *data_note;        /* what differs in data that were opened last; NULL: nothing */
};

/* Builds the recipe, the run's or a variant of it, with the run's weights. Closing accepts zeros.
 */
mica_status mica_stage_open(
    mica_run *run, const mica_recipe *recipe, int64_t batch, mica_stage *stage);
void mica_stage_close(mica_stage *stage);

/* The layer of that name; MICA_E_NOT_FOUND if there is none. */
mica_status mica_stage_find(
    const mica_stage *stage, const char *name, const mica_network_layer **layer);

/* Opens the device and run->one, and says what the run is. */
mica_status mica_run_open_parts(mica_run *run, const char *device);

/* mica_stage_open of a run whose network is an ONNX file's (run_onnx.c). */
mica_status mica_stage_open_onnx(mica_run *run, int64_t batch, mica_stage *stage);

/* Opens run->many if it is not open yet. */
mica_status mica_run_many(mica_run *run);

#endif
