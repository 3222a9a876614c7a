#include "train/result.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void mica_train_result_destroy(mica_train_result **owner) {
    mica_train_result *result = *owner;
    *owner = NULL;
    if (!result)
        return;
    for (size_t i = 0; i < result->n_metrics; i++)
        free((char *)result->metrics[i].name);
    free((mica_metric *)result->metrics);
    free((char *)result->device);
    free((char *)result->out);
    free(result);
}

/* Losses and measures, not steps, rates and norms. */
static bool is_result(const char *column) {
    size_t size = strlen(column);
    if (size > 5 && !strcmp(column + size - 5, "_loss"))
        return true;
    for (const mica_measure *m = mica_measures; m->name; m++) {
        size_t tail = strlen(m->name);
        if (size > tail && !strcmp(column + size - tail, m->name))
            return true;
    }
    return false;
}

/* Takes the name over; false if it is NULL. */
static bool add(mica_train_result *result, char *name, double value) {
    if (name)
        ((mica_metric *)result->metrics)[result->n_metrics++] = (mica_metric){name, value};
    return name;
}

static bool add_row(mica_train_result *result, const mica_metrics *metrics) {
    const double *row = metrics->values + ((size_t)result->best_epoch - 1) * metrics->n_columns;
    for (size_t j = 0; j < metrics->n_columns; j++)
        if (is_result(metrics->names[j]) && !add(result, mica_strdup(metrics->names[j]), row[j]))
            return false;
    return true;
}

static bool add_test(
    mica_train_result *result, const mica_network *network, const mica_evaluation *test) {
    size_t n_heads = network->n_heads;
    if (!add(result, mica_strdup("test_loss"), mica_total_loss(test, n_heads)))
        return false;
    for (size_t i = 0; i < n_heads; i++) {
        const char *line = *test[i].head ? "_" : "";
        if (n_heads > 1 &&
            !add(result, mica_format("%s%stest_loss", test[i].head, line), test[i].loss))
            return false;
        for (const mica_measure *m = mica_measures; m->name; m++)
            if (m->applies(&network->heads[i]) &&
                !add(result, mica_format("%s%stest_%s", test[i].head, line, m->name),
                    mica_measure_get(m, &test[i])))
                return false;
    }
    return true;
}

static bool add_comparison(mica_train_result *result, const mica_comparison *comparison) {
    for (size_t i = 0; i < comparison->count; i++)
        if (!add(result, mica_strdup(comparison->metrics[i].name), comparison->metrics[i].value))
            return false;
    return true;
}

mica_status mica_result_create(const mica_train_result *summary, const mica_record *record,
    const mica_network *network, const mica_evaluation *test, const mica_comparison *comparison,
    mica_train_result **out) {
    mica_train_result *result = mica_copy(summary, sizeof *summary);
    if (!result)
        return MICA_E_MEMORY;
    result->device = mica_strdup(summary->device);
    result->out = mica_strdup(summary->out);
    result->n_metrics = 0;
    result->metrics = mica_alloc(
        record->metrics.n_columns + 1 + (1 + MICA_MEASURES) * record->n_heads + comparison->count,
        sizeof *result->metrics);
    if (!result->device || !result->out || !result->metrics || !add_row(result, &record->metrics) ||
        (test && !add_test(result, network, test)) || !add_comparison(result, comparison)) {
        mica_train_result_destroy(&result);
        return MICA_E_MEMORY;
    }
    *out = result;
    return MICA_OK;
}
