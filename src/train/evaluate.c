#include "train/evaluate.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONFUSION_CLASSES 1000 /* at most; the matrix grows with their square */

struct mica_evaluator {
    const mica_network *network;
    mica_program *program;
    int64_t batch;
    float *losses;        /* (batch) */
    int32_t *predictions; /* (batch) */
    int64_t **confusion;  /* by head; NULL where there is none */
    mica_evaluation *heads;
};

/* 0 where the head is not a classifier. A single unit tells two classes apart. */
static int64_t head_classes(const mica_network_head *head) {
    if (!head->prediction)
        return 0;
    mica_shape shape = mica_value_shape(head->logits);
    int64_t units = shape.dim[shape.rank - 1];
    return units > 1 ? units : 2;
}

/* Elements of its confusion matrix; 0: none is kept. */
static size_t confusion_size(const mica_network_head *head) {
    int64_t classes = head_classes(head);
    return classes <= CONFUSION_CLASSES ? (size_t)(classes * classes) : 0;
}

void mica_evaluator_destroy(mica_evaluator **owner) {
    mica_evaluator *evaluator = *owner;
    if (!evaluator)
        return;
    *owner = NULL;
    mica_program_destroy(&evaluator->program);
    for (size_t i = 0; evaluator->confusion && i < evaluator->network->n_heads; i++)
        free(evaluator->confusion[i]);
    free(evaluator->confusion);
    free(evaluator->losses);
    free(evaluator->predictions);
    free(evaluator->heads);
    free(evaluator);
}

static mica_status compile(mica_evaluator *evaluator, mica_model *model) {
    const mica_network *network = evaluator->network;
    mica_value **outputs = mica_alloc(network->n_heads * 2, sizeof(mica_value *));
    if (!outputs)
        return MICA_E_MEMORY;
    size_t n = 0;
    for (size_t i = 0; i < network->n_heads; i++) {
        outputs[n++] = network->heads[i].sample_loss;
        if (network->heads[i].prediction)
            outputs[n++] = network->heads[i].prediction;
    }
    mica_status status = mica_program_create(
        model, &(mica_program_options){.outputs = outputs, .n_outputs = n}, &evaluator->program);
    free(outputs);
    return status;
}

mica_status mica_evaluator_create(
    mica_model *model, const mica_network *network, mica_evaluator **out) {
    mica_evaluator *evaluator = mica_alloc(1, sizeof *evaluator);
    if (!evaluator)
        return MICA_E_MEMORY;
    evaluator->network = network;
    evaluator->batch = mica_value_shape(network->input).dim[0];
    evaluator->losses = mica_alloc((size_t)evaluator->batch, sizeof *evaluator->losses);
    evaluator->predictions = mica_alloc((size_t)evaluator->batch, sizeof *evaluator->predictions);
    evaluator->confusion = mica_alloc(network->n_heads, sizeof *evaluator->confusion);
    evaluator->heads = mica_alloc(network->n_heads, sizeof *evaluator->heads);
    bool made =
        evaluator->losses && evaluator->predictions && evaluator->confusion && evaluator->heads;
    for (size_t i = 0; made && i < network->n_heads; i++) {
        size_t size = confusion_size(&network->heads[i]);
        made = !size || (evaluator->confusion[i] = mica_alloc(size, sizeof(int64_t)));
    }
    mica_status status = made ? compile(evaluator, model) : MICA_E_MEMORY;
    if (status != MICA_OK) {
        mica_evaluator_destroy(&evaluator);
        return status;
    }
    *out = evaluator;
    return MICA_OK;
}

mica_status mica_network_accepts(
    const mica_network *network, const mica_dataset *dataset, const char *what) {
    const mica_dataset_info *info = mica_dataset_get_info(dataset);
    mica_shape shape = mica_value_shape(network->input);
    if (mica_shape_count(info->sample) * shape.dim[0] != mica_shape_count(shape)) {
        char text[64], wanted[64];
        mica_shape sample = mica_shape_of(shape.rank - 1, shape.dim + 1);
        return mica_fail(MICA_E_INVALID,
            "the %s samples are %s, the recipe's input is %s: make them agree", what,
            mica_shape_text(info->sample, text, sizeof text),
            mica_shape_text(sample, wanted, sizeof wanted));
    }
    for (size_t i = 0; i < network->n_heads; i++) {
        int64_t classes = head_classes(&network->heads[i]);
        if (classes && info->classes > classes)
            return mica_fail(MICA_E_INVALID,
                "the %s data have %d classes, the network's %s gives %lld: widen its last layer",
                what, (int)info->classes, mica_value_name(network->heads[i].logits),
                (long long)classes);
    }
    return MICA_OK;
}

mica_status mica_network_write(
    const mica_network *network, mica_program *program, const mica_batch *batch) {
    size_t features = (size_t)mica_shape_count(mica_value_shape(network->input));
    MICA_TRY(
        mica_program_write(program, network->input, batch->features, features * sizeof(float)));
    if (!network->label)
        return MICA_OK;
    size_t labels = (size_t)mica_shape_count(mica_value_shape(network->label));
    return mica_program_write(program, network->label, batch->labels, labels * sizeof(int32_t));
}

/* Adds one batch to what is known of a head. loss and accuracy are sums until the end. */
static mica_status add_batch(mica_evaluator *evaluator, size_t i, const mica_batch *batch) {
    const mica_network_head *head = &evaluator->network->heads[i];
    mica_evaluation *sum = &evaluator->heads[i];
    MICA_TRY(mica_program_read(evaluator->program, head->sample_loss, evaluator->losses,
        (size_t)evaluator->batch * sizeof(float)));
    for (int64_t s = 0; s < batch->valid; s++)
        sum->loss += (double)evaluator->losses[s];
    if (!head->prediction)
        return MICA_OK;
    MICA_TRY(mica_program_read(evaluator->program, head->prediction, evaluator->predictions,
        (size_t)evaluator->batch * sizeof(int32_t)));
    for (int64_t s = 0; s < batch->valid; s++) {
        int64_t label = batch->labels[s], taken = evaluator->predictions[s];
        sum->accuracy += label == taken;
        if (sum->confusion && label < sum->classes && taken >= 0 && taken < sum->classes)
            evaluator->confusion[i][label * sum->classes + taken]++;
    }
    return MICA_OK;
}

static mica_status run_batches(mica_evaluator *evaluator, mica_loader *loader) {
    int64_t batches = mica_loader_batches(loader);
    for (int64_t b = 0; b < batches; b++) {
        mica_batch batch;
        MICA_TRY(mica_loader_next(loader, &batch));
        MICA_TRY(mica_network_write(evaluator->network, evaluator->program, &batch));
        MICA_TRY(mica_program_run(evaluator->program));
        for (size_t i = 0; i < evaluator->network->n_heads; i++)
            MICA_TRY(add_batch(evaluator, i, &batch));
    }
    return MICA_OK;
}

mica_status mica_evaluator_run(
    mica_evaluator *evaluator, const mica_dataset *dataset, const mica_evaluation **heads) {
    const mica_network *network = evaluator->network;
    for (size_t i = 0; i < network->n_heads; i++) {
        if (evaluator->confusion[i])
            memset(
                evaluator->confusion[i], 0, confusion_size(&network->heads[i]) * sizeof(int64_t));
        evaluator->heads[i] = (mica_evaluation){
            .head = network->heads[i].name,
            .classes = head_classes(&network->heads[i]),
            .confusion = evaluator->confusion[i],
        };
    }
    mica_loader *loader = NULL;
    MICA_TRY(
        mica_loader_create(dataset, &(mica_loader_options){.batch = evaluator->batch}, &loader));
    mica_status status = run_batches(evaluator, loader);
    mica_loader_destroy(&loader);
    MICA_TRY(status);
    double count = (double)mica_dataset_get_info(dataset)->count;
    for (size_t i = 0; i < network->n_heads; i++) {
        mica_evaluation *head = &evaluator->heads[i];
        head->loss /= count;
        head->accuracy = head->classes ? head->accuracy / count : NAN;
    }
    *heads = evaluator->heads;
    return MICA_OK;
}
