#include "train/checkpoint.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "graph/model.h"
#include "io/stored.h"

#include <mica/io.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "mica-checkpoint-2"

/* An array of the model and the tensor of the file that holds it. */
typedef struct entry {
    char *name;
    const mica_value *parameter; /* NULL: the metrics' rows, whose numbers are doubles */
    int state;                   /* the optimizer's array; -1: the weights */
    mica_shape shape;
} entry;

typedef struct entries {
    entry *at;
    size_t count;
} entries;

static void entries_free(entries *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i].name);
    free(list->at);
    *list = (entries){0};
}

static mica_status entry_add(entries *list, entry added) {
    if (!added.name) {
        entries_free(list);
        return MICA_E_MEMORY;
    }
    list->at[list->count++] = added;
    return MICA_OK;
}

/* The weights alone under their names, or with rows of metrics everything: "metrics",
 * "model/fc1/weight", "momentum/fc1/weight". */
static mica_status entries_of(const mica_model *model, const mica_metrics *metrics, entries *list) {
    const bool everything = metrics != NULL;
    int states = everything ? mica_model_state_count(model) : 0;
    size_t parameters = mica_model_count(model);
    *list = (entries){.at = mica_alloc(parameters * (size_t)(states + 1) + 1, sizeof *list->at)};
    if (!list->at)
        return MICA_E_MEMORY;
    if (everything)
        MICA_TRY(entry_add(
            list, (entry){
                      .name = mica_strdup("metrics"),
                      .shape = {2, {(int64_t)metrics->n_rows, (int64_t)metrics->n_columns}},
                  }));
    for (int state = -1; state < states; state++)
        for (size_t i = 0; i < parameters; i++) {
            if (state >= 0 && model->offsets[i] >= model->trainable)
                continue; /* frozen parameters have no state */
            const mica_value *parameter = mica_model_parameter(model, i);
            if (!everything && mica_parameter_get(parameter)->carried)
                continue;
            const char *name = mica_value_name(parameter);
            const char *prefix = state < 0 ? "model" : mica_model_state_name(model, state);
            MICA_TRY(entry_add(list,
                (entry){
                    .name = everything ? mica_format("%s/%s", prefix, name) : mica_strdup(name),
                    .parameter = parameter,
                    .state = state,
                    .shape = mica_value_shape(parameter),
                }));
        }
    return MICA_OK;
}

static size_t entry_count(const entry *e) {
    return (size_t)mica_shape_count(e->shape);
}

static mica_status entry_write(const entry *e, mica_model *model, mica_safetensors_writer *writer) {
    size_t count = entry_count(e);
    float *data = mica_alloc(count, sizeof *data);
    if (!data)
        return MICA_E_MEMORY;
    mica_status status = e->state < 0
                             ? mica_model_read(model, e->parameter, data, count)
                             : mica_model_state_read(model, e->state, e->parameter, data, count);
    if (status == MICA_OK)
        status = mica_safetensors_write(writer, data, count * sizeof *data);
    free(data);
    return status;
}

static mica_status tensors_save(const char *path, mica_model *model, const mica_metrics *metrics,
    const entries *list, const mica_metadata *metadata, size_t metadata_count) {
    mica_stored_tensor *tensors = mica_alloc(list->count, sizeof *tensors);
    if (!tensors)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < list->count; i++)
        tensors[i] = (mica_stored_tensor){
            .name = list->at[i].name,
            .type = list->at[i].parameter ? MICA_STORED_F32 : MICA_STORED_F64,
            .rank = list->at[i].shape.rank,
            .dim = list->at[i].shape.dim,
        };
    mica_safetensors_writer *writer = NULL;
    mica_status status =
        mica_safetensors_begin(path, tensors, list->count, metadata, metadata_count, &writer);
    free(tensors);
    MICA_TRY(status);
    for (size_t i = 0; i < list->count && status == MICA_OK; i++)
        status = list->at[i].parameter
                     ? entry_write(&list->at[i], model, writer)
                     : mica_safetensors_write(writer, metrics->values,
                           metrics->n_rows * metrics->n_columns * sizeof *metrics->values);
    if (status == MICA_OK)
        return mica_safetensors_commit(&writer);
    mica_safetensors_abort(&writer);
    return status;
}

static bool same_shape(const mica_stored_tensor *tensor, mica_shape shape) {
    return tensor->rank == shape.rank &&
           !memcmp(tensor->dim, shape.dim, (size_t)shape.rank * sizeof *shape.dim);
}

/* Names what the file and the model do not have in common, the first few in full. */
static mica_status check_tensors(
    const char *path, const mica_safetensors *file, const entries *list) {
    mica_text differences = {0};
    size_t found = 0, unequal = 0;
    for (size_t i = 0; i < list->count; i++) {
        const entry *e = &list->at[i];
        const mica_stored_tensor *tensor = mica_safetensors_find(file, e->name);
        found += tensor != NULL;
        if ((tensor && same_shape(tensor, e->shape)) || unequal++ >= 3)
            continue;
        char wanted[96], got[96];
        mica_shape_text(e->shape, wanted, sizeof wanted);
        if (!tensor)
            mica_text_add(&differences, "; %s %s is not in the file", e->name, wanted);
        else if (tensor->rank > MICA_MAX_RANK)
            mica_text_add(&differences, "; %s is %s here, of rank %d in the file", e->name, wanted,
                tensor->rank);
        else
            mica_text_add(&differences, "; %s is %s here, %s in the file", e->name, wanted,
                mica_shape_text(mica_shape_of(tensor->rank, tensor->dim), got, sizeof got));
    }
    size_t strange = mica_safetensors_count(file) - found;
    for (size_t i = 0; i < mica_safetensors_count(file) && strange && !unequal; i++) {
        const char *name = mica_safetensors_get(file, i)->name;
        size_t j = 0;
        while (j < list->count && strcmp(list->at[j].name, name))
            j++;
        if (j < list->count)
            continue;
        mica_text_add(&differences, "; the file has %s, the model has not", name);
        unequal += strange;
    }
    mica_status status = MICA_OK;
    if (differences.failed)
        status = MICA_E_MEMORY;
    else if (unequal)
        status = mica_fail(MICA_E_FORMAT, "%s is of another model (%zu tensor%s differ)%s", path,
            unequal, unequal == 1 ? "" : "s", differences.data);
    free(differences.data);
    return status;
}

static mica_status tensors_apply(
    const char *path, mica_safetensors *file, const entries *list, mica_model *model) {
    MICA_TRY(check_tensors(path, file, list));
    for (size_t i = 0; i < list->count; i++)
        MICA_TRY(mica_stored_widens(path, mica_safetensors_find(file, list->at[i].name)));
    for (size_t i = 0; i < list->count; i++) {
        const entry *e = &list->at[i];
        const float *data;
        if (!e->parameter)
            continue;
        MICA_TRY(mica_safetensors_view(file, mica_safetensors_find(file, e->name), &data));
        MICA_TRY(e->state < 0
                     ? mica_model_write(model, e->parameter, data, entry_count(e))
                     : mica_model_state_write(model, e->state, e->parameter, data, entry_count(e)));
    }
    return MICA_OK;
}

mica_status mica_model_save(mica_model *model, const char *path) {
    if (!model || !path)
        return mica_fail(MICA_E_INVALID, "mica_model_save: the model or the path is NULL");
    entries list;
    MICA_TRY(entries_of(model, NULL, &list));
    mica_status status =
        tensors_save(path, model, NULL, &list, &(mica_metadata){"format", "mica-model-1"}, 1);
    entries_free(&list);
    return status;
}

mica_status mica_model_load(mica_model *model, const char *path) {
    if (!model || !path)
        return mica_fail(MICA_E_INVALID, "mica_model_load: the model or the path is NULL");
    mica_safetensors *file = NULL;
    MICA_TRY(mica_safetensors_open(path, &file));
    entries list;
    mica_status status = entries_of(model, NULL, &list);
    if (status == MICA_OK) {
        status = tensors_apply(path, file, &list, model);
        entries_free(&list);
    }
    mica_safetensors_close(&file);
    return status;
}

/* ---- the position, as text in the file's metadata ---- */

#define INTEGERS 8
static const char *const integer_names[INTEGERS] = {
    "seed", "step", "epoch", "batch", "batch_size", "steps_per_epoch", "samples", "best_epoch"};

static void integers_of(mica_position *position, int64_t *at[INTEGERS]) {
    int64_t *all[INTEGERS] = {&position->seed, &position->step, &position->epoch, &position->batch,
        &position->batch_size, &position->steps_per_epoch, &position->samples,
        &position->best_epoch};
    memcpy(at, all, sizeof all);
}

mica_status mica_checkpoint_save(const char *path, mica_model *model, const mica_position *position,
    const mica_metrics *metrics, const double *sums) {
    mica_position copy = *position;
    int64_t *integers[INTEGERS];
    integers_of(&copy, integers);
    char words[INTEGERS][24];
    mica_metadata metadata[INTEGERS + 4] = {{"format", FORMAT}};
    for (size_t i = 0; i < INTEGERS; i++) {
        snprintf(words[i], sizeof words[i], "%" PRId64, *integers[i]);
        metadata[i + 1] = (mica_metadata){integer_names[i], words[i]};
    }
    mica_text reals = {0}, names = {0}, partial = {0};
    mica_doubles_pack((double[]){position->best, position->seconds}, 2, &reals);
    mica_metrics_names(metrics, &names);
    mica_doubles_pack(sums, metrics->n_columns, &partial);
    mica_metadata more[] = {{"reals", reals.data}, {"columns", names.data}, {"sums", partial.data}};
    memcpy(metadata + INTEGERS + 1, more, sizeof more);
    entries list;
    mica_status status = MICA_E_MEMORY;
    if (!reals.failed && !names.failed && !partial.failed)
        status = entries_of(model, metrics, &list);
    if (status == MICA_OK) {
        status =
            tensors_save(path, model, metrics, &list, metadata, sizeof metadata / sizeof *metadata);
        entries_free(&list);
    }
    free(reals.data);
    free(names.data);
    free(partial.data);
    return status;
}

/* What a checkpoint says, read before anything is changed. */
typedef struct contents {
    mica_position position;
    mica_metrics metrics; /* the rows alone */
    double *sums;
} contents;

static bool integer_read(const char *text, int64_t *number) {
    char *end = NULL;
    long long value = text ? strtoll(text, &end, 10) : 0;
    *number = value;
    return text && *text && !*end;
}

/* A row an epoch. */
static mica_status rows_read(
    const char *path, mica_safetensors *file, int64_t epochs, mica_metrics *metrics) {
    const mica_stored_tensor *tensor = mica_safetensors_find(file, "metrics");
    if (!tensor || tensor->type != MICA_STORED_F64 || tensor->rank != 2 ||
        tensor->dim[0] != epochs || tensor->dim[1] != (int64_t)metrics->n_columns)
        return mica_fail(MICA_E_FORMAT, "%s: its metrics are damaged", path);
    metrics->n_rows = (size_t)epochs;
    metrics->values = mica_alloc(metrics->n_rows * metrics->n_columns, sizeof *metrics->values);
    return metrics->values ? mica_safetensors_read_bytes(file, tensor, metrics->values)
                           : MICA_E_MEMORY;
}

static mica_status contents_read(
    const char *path, mica_safetensors *file, const mica_metrics *metrics, contents *c) {
    const char *format = mica_safetensors_metadata(file, "format");
    if (!format || strcmp(format, FORMAT))
        return mica_fail(
            MICA_E_FORMAT, "%s is no checkpoint of this version of mica: wanted %s", path, FORMAT);
    int64_t *integers[INTEGERS];
    integers_of(&c->position, integers);
    bool good = true;
    for (size_t i = 0; i < INTEGERS; i++)
        good &= integer_read(mica_safetensors_metadata(file, integer_names[i]), integers[i]) &&
                (*integers[i] >= 0 || integers[i] == &c->position.seed);
    const char *reals = mica_safetensors_metadata(file, "reals");
    const char *columns = mica_safetensors_metadata(file, "columns");
    const char *sums = mica_safetensors_metadata(file, "sums");
    double pair[2];
    if (!good || !columns || !sums || !reals || !mica_doubles_unpack(reals, pair, 2))
        return mica_fail(MICA_E_FORMAT, "%s: its training position is damaged", path);
    c->position.best = pair[0];
    c->position.seconds = pair[1];

    mica_text names = {0};
    mica_metrics_names(metrics, &names);
    mica_status status = names.failed ? MICA_E_MEMORY : MICA_OK;
    if (status == MICA_OK && strcmp(names.data, columns))
        status = mica_fail(MICA_E_FORMAT,
            "%s is of another recipe: what it measures differs (its losses or gradient_norms)",
            path);
    free(names.data);
    MICA_TRY(status);
    c->metrics.n_columns = metrics->n_columns;
    c->sums = mica_alloc(metrics->n_columns, sizeof *c->sums);
    if (!c->sums)
        return MICA_E_MEMORY;
    MICA_TRY(rows_read(path, file, c->position.epoch, &c->metrics));
    if (!mica_doubles_unpack(sums, c->sums, metrics->n_columns))
        return mica_fail(MICA_E_FORMAT, "%s: its metrics are damaged", path);
    return MICA_OK;
}

mica_status mica_checkpoint_load(const char *path, mica_model *model, mica_position *position,
    mica_metrics *metrics, double *sums) {
    mica_safetensors *file = NULL;
    MICA_TRY(mica_safetensors_open(path, &file));
    contents c = {0};
    entries list = {0};
    mica_status status = contents_read(path, file, metrics, &c);
    if (status == MICA_OK)
        status = entries_of(model, &c.metrics, &list);
    if (status == MICA_OK)
        status = tensors_apply(path, file, &list, model);
    if (status == MICA_OK) {
        mica_model_set_step(model, (uint64_t)c.position.step, (uint64_t)c.position.seed);
        *position = c.position;
        memcpy(sums, c.sums, metrics->n_columns * sizeof *sums);
        free(metrics->values);
        metrics->values = c.metrics.values;
        metrics->n_rows = c.metrics.n_rows;
        c.metrics.values = NULL;
    }
    entries_free(&list);
    free(c.metrics.values);
    free(c.sums);
    mica_safetensors_close(&file);
    return status;
}
