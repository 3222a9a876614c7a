#include "train/evaluate.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "graph/model.h"
#include "train/artefacts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CONFUSION_CLASSES 1000 /* at most; the matrix grows with their square */

#define MISTAKES 40 /* that are kept of a head */

/* What belongs to one head. */
typedef struct head_state {
    int64_t *confusion; /* NULL where there is none */
    mica_mistake *mistakes;
    size_t n_mistakes;
    mica_artefacts artefacts;
} head_state;

struct mica_evaluator {
    const mica_network *network;
    mica_model *model;
    mica_program *program;
    int64_t batch;
    bool replace;          /* lost pictures */
    float *numbers;        /* (batch): losses or errors */
    int64_t labels;        /* of a sample */
    int32_t *predictions;  /* (batch, labels) */
    float *given;          /* (batch, target...): what should be the target's numbers */
    float *reconstruction; /* (batch, sample...) */
    float **states_kept;   /* by parameter: what is carried, while another set is looked at */
    head_state *states;    /* by head */
    mica_evaluation *heads;
};

static bool is_classifier(const mica_network_head *head) {
    return head->prediction;
}

static bool is_sequence(const mica_network_head *head) {
    return head->prediction && mica_value_shape(head->prediction).rank > 1;
}

static bool is_number(const mica_network_head *head) {
    return head->number;
}

static bool is_reconstruction(const mica_network_head *head) {
    return head->reconstruction_error;
}

static bool has_artefacts(const mica_network_head *head) {
    return head->artefacts;
}

#define AT(member) offsetof(mica_evaluation, member)

const mica_measure mica_measures[MICA_MEASURES + 1] = {
    {"accuracy", AT(accuracy), is_classifier},
    {"perplexity", AT(perplexity), is_sequence},
    {"bits_per_character", AT(bits_per_character), is_sequence},
    {"rmse", AT(rmse), is_number},
    {"mae", AT(mae), is_number},
    {"reconstruction_error", AT(reconstruction_error), is_reconstruction},
    {"checkerboard", AT(checkerboard), has_artefacts},
    {"border", AT(border), has_artefacts},
    {NULL, 0, NULL},
};

double mica_measure_get(const mica_measure *measure, const mica_evaluation *evaluation) {
    return *(const double *)((const char *)evaluation + measure->offset);
}

double mica_total_loss(const mica_evaluation *heads, size_t n_heads) {
    double total = 0;
    for (size_t i = 0; i < n_heads; i++)
        total += heads[i].weight * heads[i].loss;
    return total;
}

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
    int64_t classes = is_sequence(head) ? 0 : head_classes(head);
    return classes <= CONFUSION_CLASSES ? (size_t)(classes * classes) : 0;
}

void mica_evaluator_destroy(mica_evaluator **owner) {
    mica_evaluator *evaluator = *owner;
    if (!evaluator)
        return;
    *owner = NULL;
    mica_program_destroy(&evaluator->program);
    for (size_t i = 0; evaluator->states && i < evaluator->network->n_heads; i++) {
        free(evaluator->states[i].confusion);
        free(evaluator->states[i].mistakes);
    }
    for (size_t i = 0; evaluator->states_kept && i < mica_model_count(evaluator->model); i++)
        free(evaluator->states_kept[i]);
    free(evaluator->states_kept);
    free(evaluator->states);
    free(evaluator->given);
    free(evaluator->numbers);
    free(evaluator->predictions);
    free(evaluator->reconstruction);
    free(evaluator->heads);
    free(evaluator);
}

static mica_status compile(mica_evaluator *evaluator) {
    const mica_network *network = evaluator->network;
    mica_value **outputs = mica_alloc(network->n_heads * 5, sizeof(mica_value *));
    if (!outputs)
        return MICA_E_MEMORY;
    size_t n = 0;
    for (size_t i = 0; i < network->n_heads; i++) {
        const mica_network_head *head = &network->heads[i];
        outputs[n++] = head->sample_loss;
        if (head->prediction)
            outputs[n++] = head->prediction;
        if (head->number)
            outputs[n++] = head->number;
        if (head->reconstruction_error)
            outputs[n++] = head->reconstruction_error;
        if (head->artefacts)
            outputs[n++] = head->reconstruction;
    }
    mica_status status = mica_program_create(evaluator->model,
        &(mica_program_options){.outputs = outputs, .n_outputs = n}, &evaluator->program);
    free(outputs);
    return status;
}

static mica_status state_create(const mica_network_head *head, head_state *state) {
    size_t size = confusion_size(head);
    if (size && !(state->confusion = mica_alloc(size, sizeof *state->confusion)))
        return MICA_E_MEMORY;
    if (head->prediction && !is_sequence(head) &&
        !(state->mistakes = mica_alloc(MISTAKES, sizeof *state->mistakes)))
        return MICA_E_MEMORY;
    return MICA_OK;
}

static mica_status evaluator_prepare(mica_evaluator *evaluator) {
    const mica_network *network = evaluator->network;
    size_t batch = (size_t)evaluator->batch;
    size_t input = (size_t)mica_shape_count(mica_value_shape(network->input));
    evaluator->numbers = mica_alloc(batch, sizeof *evaluator->numbers);
    if (network->label) {
        mica_shape target = mica_value_shape(network->label);
        evaluator->labels = mica_shape_count(target) / target.dim[0];
    }
    evaluator->predictions =
        mica_alloc(batch * (size_t)evaluator->labels, sizeof *evaluator->predictions);
    evaluator->given = mica_alloc(batch * (size_t)evaluator->labels, sizeof *evaluator->given);
    evaluator->states_kept =
        mica_alloc(mica_model_count(evaluator->model), sizeof *evaluator->states_kept);
    evaluator->reconstruction = mica_alloc(input, sizeof *evaluator->reconstruction);
    evaluator->states = mica_alloc(network->n_heads, sizeof *evaluator->states);
    evaluator->heads = mica_alloc(network->n_heads, sizeof *evaluator->heads);
    if (!evaluator->numbers || !evaluator->predictions || !evaluator->given ||
        !evaluator->reconstruction || !evaluator->states || !evaluator->states_kept ||
        !evaluator->heads)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < network->n_heads; i++)
        MICA_TRY(state_create(&network->heads[i], &evaluator->states[i]));
    return compile(evaluator);
}

mica_status mica_evaluator_create(
    mica_model *model, const mica_network *network, bool replace, mica_evaluator **out) {
    mica_evaluator *evaluator = mica_alloc(1, sizeof *evaluator);
    if (!evaluator)
        return MICA_E_MEMORY;
    evaluator->replace = replace;
    evaluator->network = network;
    evaluator->model = model;
    evaluator->batch = mica_value_shape(network->input).dim[0];
    mica_status status = evaluator_prepare(evaluator);
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
    bool ids = mica_value_dtype(network->input) == MICA_I32;
    if (ids != (info->dtype == MICA_I32))
        return mica_fail(MICA_E_INVALID, "the %s samples are %s, the recipe's input is %s", what,
            ids ? "numbers" : "ids", ids ? "ids" : "numbers");
    shape = network->label ? mica_value_shape(network->label) : MICA_SHAPE(1);
    if (network->label &&
        (info->target_dtype != mica_value_dtype(network->label) ||
            mica_shape_count(info->target) * shape.dim[0] != mica_shape_count(shape))) {
        char text[64];
        return mica_fail(MICA_E_INVALID,
            "the targets of the %s data are %s %s: the network's loss "
            "takes others",
            what, info->target_dtype == MICA_F32 ? "numbers" : "classes",
            mica_shape_text(info->target, text, sizeof text));
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
    const void *samples = batch->features ? (const void *)batch->features : batch->ids;
    MICA_TRY(mica_program_write(program, network->input, samples, features * 4));
    if (!network->label)
        return MICA_OK;
    size_t labels = (size_t)mica_shape_count(mica_value_shape(network->label));
    const void *targets = batch->labels ? (const void *)batch->labels : batch->targets;
    return mica_program_write(program, network->label, targets, labels * 4);
}

/* Keeps it if it is among the gravest, in order. */
static void keep_mistake(head_state *state, mica_mistake mistake) {
    size_t at = state->n_mistakes;
    if (at == MISTAKES && !(mistake.loss > state->mistakes[at - 1].loss))
        return;
    if (at < MISTAKES)
        state->n_mistakes++;
    else
        at--;
    for (; at && mistake.loss > state->mistakes[at - 1].loss; at--)
        state->mistakes[at] = state->mistakes[at - 1];
    state->mistakes[at] = mistake;
}

static mica_status add_predictions(mica_evaluator *evaluator, size_t i, const mica_batch *batch) {
    const mica_network_head *head = &evaluator->network->heads[i];
    mica_evaluation *sum = &evaluator->heads[i];
    head_state *state = &evaluator->states[i];
    MICA_TRY(mica_program_read(evaluator->program, head->prediction, evaluator->predictions,
        (size_t)(evaluator->batch * evaluator->labels) * sizeof(int32_t)));
    for (int64_t s = 0; s < batch->valid * evaluator->labels; s++) {
        int32_t label = batch->labels[s], taken = evaluator->predictions[s];
        sum->accuracy += label == taken;
        if (sum->confusion && label < sum->classes && taken >= 0 && taken < sum->classes)
            state->confusion[label * sum->classes + taken]++;
        if (label != taken && state->mistakes)
            keep_mistake(state, (mica_mistake){.sample = batch->index * evaluator->batch + s,
                                    .label = label,
                                    .taken = taken,
                                    .loss = evaluator->numbers[s]});
    }
    return MICA_OK;
}

/* Squares and distances; their means are made in the end. */
static mica_status add_numbers(
    mica_evaluator *evaluator, size_t i, const mica_dataset_info *info, const mica_batch *batch) {
    const bool ranged = info->target_lowest < info->target_highest;
    mica_evaluation *sum = &evaluator->heads[i];
    MICA_TRY(mica_program_read(evaluator->program, evaluator->network->heads[i].number,
        evaluator->given, (size_t)(evaluator->batch * evaluator->labels) * sizeof(float)));
    for (int64_t s = 0; s < batch->valid * evaluator->labels; s++) {
        double given = (double)evaluator->given[s];
        if (ranged)
            given = given < (double)info->target_lowest    ? (double)info->target_lowest
                    : given > (double)info->target_highest ? (double)info->target_highest
                                                           : given;
        double error = given - (double)batch->targets[s];
        sum->rmse += error * error;
        sum->mae += fabs(error);
    }
    return MICA_OK;
}

static mica_status add_reconstructions(
    mica_evaluator *evaluator, size_t i, const mica_batch *batch) {
    const mica_network_head *head = &evaluator->network->heads[i];
    mica_shape shape = mica_value_shape(evaluator->network->input);
    MICA_TRY(mica_program_read(evaluator->program, head->reconstruction_error, evaluator->numbers,
        (size_t)evaluator->batch * sizeof(float)));
    for (int64_t s = 0; s < batch->valid; s++)
        evaluator->heads[i].reconstruction_error += (double)evaluator->numbers[s];
    if (!head->artefacts)
        return MICA_OK;
    MICA_TRY(mica_program_read(evaluator->program, head->reconstruction, evaluator->reconstruction,
        (size_t)mica_shape_count(shape) * sizeof(float)));
    shape.dim[0] = batch->valid;
    mica_artefacts_add(
        &evaluator->states[i].artefacts, evaluator->reconstruction, batch->features, shape);
    return MICA_OK;
}

/* Adds one batch to what is known of a head. What is a mean in the end is a sum until then. */
static mica_status add_batch(
    mica_evaluator *evaluator, size_t i, const mica_dataset_info *info, const mica_batch *batch) {
    const mica_network_head *head = &evaluator->network->heads[i];
    mica_evaluation *sum = &evaluator->heads[i];
    MICA_TRY(mica_program_read(evaluator->program, head->sample_loss, evaluator->numbers,
        (size_t)evaluator->batch * sizeof(float)));
    for (int64_t s = 0; s < batch->valid; s++)
        sum->loss += (double)evaluator->numbers[s];
    if (head->prediction)
        MICA_TRY(add_predictions(evaluator, i, batch));
    if (head->number)
        MICA_TRY(add_numbers(evaluator, i, info, batch));
    return head->reconstruction_error ? add_reconstructions(evaluator, i, batch) : MICA_OK;
}

static mica_status run_batches(
    mica_evaluator *evaluator, const mica_dataset_info *info, mica_loader *loader) {
    int64_t batches = mica_loader_batches(loader);
    for (int64_t b = 0; b < batches; b++) {
        mica_batch batch;
        MICA_TRY(mica_loader_next(loader, &batch));
        MICA_TRY(mica_network_write(evaluator->network, evaluator->program, &batch));
        mica_model_set_step(evaluator->model, (uint64_t)b, mica_model_seed(evaluator->model));
        MICA_TRY(mica_program_run(evaluator->program));
        for (size_t i = 0; i < evaluator->network->n_heads; i++)
            MICA_TRY(add_batch(evaluator, i, info, &batch));
    }
    return MICA_OK;
}

static void begin(mica_evaluator *evaluator) {
    for (size_t i = 0; i < evaluator->network->n_heads; i++) {
        const mica_network_head *head = &evaluator->network->heads[i];
        head_state *state = &evaluator->states[i];
        if (state->confusion)
            memset(state->confusion, 0, confusion_size(head) * sizeof *state->confusion);
        state->n_mistakes = 0;
        state->artefacts = (mica_artefacts){.stride = head->artefacts};
        evaluator->heads[i] = (mica_evaluation){
            .head = head->name,
            .weight = head->weight,
            .classes = head_classes(head),
            .confusion = state->confusion,
        };
    }
}

/* What is carried from run to run starts anew for each set, and training goes on with its own. */
static mica_status states_keep(mica_evaluator *evaluator) {
    for (size_t i = 0; i < mica_model_count(evaluator->model); i++) {
        const mica_value *parameter = mica_model_parameter(evaluator->model, i);
        size_t count = (size_t)mica_shape_count(mica_value_shape(parameter));
        if (!mica_parameter_get(parameter)->carried)
            continue;
        float **kept = &evaluator->states_kept[i];
        if (!*kept && !(*kept = mica_alloc(count, sizeof **kept)))
            return MICA_E_MEMORY;
        MICA_TRY(mica_model_read(evaluator->model, parameter, *kept, count));
    }
    return mica_model_reset(evaluator->model);
}

static mica_status states_restore(mica_evaluator *evaluator) {
    for (size_t i = 0; i < mica_model_count(evaluator->model); i++) {
        const mica_value *parameter = mica_model_parameter(evaluator->model, i);
        if (evaluator->states_kept[i])
            MICA_TRY(mica_model_write(evaluator->model, parameter, evaluator->states_kept[i],
                (size_t)mica_shape_count(mica_value_shape(parameter))));
    }
    return MICA_OK;
}

mica_status mica_evaluator_run(
    mica_evaluator *evaluator, const mica_dataset *dataset, const mica_evaluation **heads) {
    begin(evaluator);
    const mica_dataset_info *info = mica_dataset_get_info(dataset);
    mica_loader *loader = NULL;
    MICA_TRY(mica_loader_create(dataset,
        &(mica_loader_options){.batch = evaluator->batch, .replace = evaluator->replace}, &loader));
    uint64_t step = mica_model_step(evaluator->model);
    mica_status status = states_keep(evaluator);
    if (status == MICA_OK) {
        status = run_batches(evaluator, info, loader);
        mica_status restored = states_restore(evaluator);
        status = status == MICA_OK ? restored : status;
    }
    mica_model_set_step(evaluator->model, step, mica_model_seed(evaluator->model));
    mica_loader_destroy(&loader);
    MICA_TRY(status);
    double count = (double)info->count;
    for (size_t i = 0; i < evaluator->network->n_heads; i++) {
        mica_evaluation *head = &evaluator->heads[i];
        const mica_artefacts *artefacts = &evaluator->states[i].artefacts;
        const mica_network_head *of = &evaluator->network->heads[i];
        double targets = count * (double)evaluator->labels, unit = info->target_unit;
        head->loss /= count;
        head->accuracy = head->classes ? head->accuracy / targets : NAN;
        head->perplexity = is_sequence(of) ? exp(head->loss) : NAN;
        head->bits_per_character = is_sequence(of) ? head->loss / log(2) : NAN;
        head->rmse = of->number ? unit * sqrt(head->rmse / targets) : NAN;
        head->mae = of->number ? unit * head->mae / targets : NAN;
        head->reconstruction_error =
            of->reconstruction_error ? head->reconstruction_error / count : NAN;
        head->checkerboard = mica_artefacts_checkerboard(artefacts);
        head->border = mica_artefacts_border(artefacts);
    }
    *heads = evaluator->heads;
    return MICA_OK;
}

const mica_mistake *mica_evaluator_mistakes(
    const mica_evaluator *evaluator, size_t head, size_t *count) {
    *count = evaluator->states[head].n_mistakes;
    return evaluator->states[head].mistakes;
}
