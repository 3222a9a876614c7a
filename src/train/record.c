#include "train/record.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void mica_record_clear(mica_record *record) {
    mica_metrics_clear(&record->metrics);
    free(record->sums);
    free(record->heads);
    free(record->norm_columns);
    free(record->norms);
    *record = (mica_record){0};
}

/* Where one head's columns would repeat the network's, they are left out. */
static mica_status add_head(
    mica_record *record, const mica_network_head *head, bool alone, bool validation, size_t i) {
    mica_metrics *metrics = &record->metrics;
    struct mica_head_columns *columns = &record->heads[i];
    *columns = (struct mica_head_columns){.train_loss = -1, .validation_loss = -1};
    const char *name = alone ? "" : head->name, *line = alone ? "" : "_";
    if (!alone)
        MICA_TRY(mica_metrics_column(metrics, &columns->train_loss, "%s_train_loss", name));
    if (validation && !alone)
        MICA_TRY(
            mica_metrics_column(metrics, &columns->validation_loss, "%s_validation_loss", name));
    for (int m = 0; m < MICA_MEASURES; m++) {
        columns->validation[m] = -1;
        if (validation && mica_measures[m].applies(head))
            MICA_TRY(mica_metrics_column(metrics, &columns->validation[m], "%s%svalidation_%s",
                name, line, mica_measures[m].name));
    }
    return MICA_OK;
}

/* "gradient_norm/fc1" for fc1/weight and fc1/bias: a layer's parameters share a column. */
static mica_status add_norms(mica_record *record, const mica_model *model) {
    for (size_t i = 0; i < record->n_parameters; i++) {
        const char *name = mica_value_name(mica_model_parameter(model, i));
        const char *slash = strrchr(name, '/');
        int length = (int)(slash ? (size_t)(slash - name) : strlen(name));
        char *column = mica_format("gradient_norm/%.*s", length, name);
        if (!column)
            return MICA_E_MEMORY;
        size_t j = 0;
        while (j < record->metrics.n_columns && strcmp(record->metrics.names[j], column))
            j++;
        mica_status status = MICA_OK;
        record->norm_columns[i] = (int)j;
        if (j == record->metrics.n_columns)
            status = mica_metrics_column(&record->metrics, &record->norm_columns[i], "%s", column);
        free(column);
        MICA_TRY(status);
    }
    return MICA_OK;
}

static mica_status add_columns(
    mica_record *record, const mica_network *network, const mica_model *model, bool validation) {
    mica_metrics *metrics = &record->metrics;
    record->validation_loss = -1;
    MICA_TRY(mica_metrics_column(metrics, &record->epoch, "epoch"));
    MICA_TRY(mica_metrics_column(metrics, &record->step, "step"));
    MICA_TRY(mica_metrics_column(metrics, &record->learning_rate, "learning_rate"));
    MICA_TRY(mica_metrics_column(metrics, &record->train_loss, "train_loss"));
    if (validation)
        MICA_TRY(mica_metrics_column(metrics, &record->validation_loss, "validation_loss"));
    for (size_t i = 0; i < network->n_heads; i++)
        MICA_TRY(add_head(record, &network->heads[i], network->n_heads == 1, validation, i));
    if (record->norm_every)
        MICA_TRY(add_norms(record, model));
    return mica_metrics_column(metrics, &record->seconds, "seconds");
}

mica_status mica_record_create(const mica_recipe *recipe, const mica_network *network,
    const mica_model *model, int64_t steps, bool validation, mica_record *out) {
    mica_record record = {.n_heads = network->n_heads, .n_parameters = mica_model_count(model)};
    if (recipe->gradient_norms)
        record.norm_every = steps > 16 ? steps / 16 : 1;
    record.heads = mica_alloc(network->n_heads, sizeof *record.heads);
    record.norm_columns = mica_alloc(record.n_parameters, sizeof *record.norm_columns);
    record.norms = mica_alloc(record.n_parameters, sizeof *record.norms);
    mica_status status = MICA_E_MEMORY;
    if (record.heads && record.norm_columns && record.norms)
        status = add_columns(&record, network, model, validation);
    if (status == MICA_OK &&
        !(record.sums = mica_alloc(record.metrics.n_columns, sizeof *record.sums)))
        status = MICA_E_MEMORY;
    if (status != MICA_OK) {
        mica_record_clear(&record);
        return status;
    }
    *out = record;
    return MICA_OK;
}

bool mica_record_wants_norms(const mica_record *record, int64_t batch) {
    return record->norm_every && batch % record->norm_every == 0;
}

void mica_record_norms(mica_record *record) {
    for (size_t i = 0; i < record->n_parameters; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = record->norm_columns[j] == record->norm_columns[i];
        if (seen)
            continue;
        double squares = 0;
        for (size_t j = i; j < record->n_parameters; j++)
            if (record->norm_columns[j] == record->norm_columns[i])
                squares += (double)record->norms[j] * (double)record->norms[j];
        record->sums[record->norm_columns[i]] += sqrt(squares);
    }
}

double *mica_record_epoch(mica_record *record, int64_t steps, const mica_evaluation *validation) {
    double *row = mica_metrics_row(&record->metrics);
    if (!row)
        return NULL;
    row[record->train_loss] = record->sums[record->train_loss] / (double)steps;
    for (size_t i = 0; i < record->n_heads; i++) {
        const struct mica_head_columns *columns = &record->heads[i];
        if (columns->train_loss >= 0)
            row[columns->train_loss] = record->sums[columns->train_loss] / (double)steps;
        if (validation && columns->validation_loss >= 0)
            row[columns->validation_loss] = validation[i].loss;
        for (int m = 0; m < MICA_MEASURES; m++)
            if (validation && columns->validation[m] >= 0)
                row[columns->validation[m]] = mica_measure_get(&mica_measures[m], &validation[i]);
    }
    if (validation)
        row[record->validation_loss] = mica_total_loss(validation, record->n_heads);
    for (size_t i = 0; record->norm_every && i < record->n_parameters; i++) {
        int64_t counted = (steps + record->norm_every - 1) / record->norm_every;
        row[record->norm_columns[i]] = record->sums[record->norm_columns[i]] / (double)counted;
    }
    memset(record->sums, 0, record->metrics.n_columns * sizeof *record->sums);
    return row;
}
