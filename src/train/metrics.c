#include "train/metrics.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mica_metrics_clear(mica_metrics *metrics) {
    for (size_t i = 0; i < metrics->n_columns; i++)
        free(metrics->names[i]);
    free(metrics->names);
    free(metrics->values);
    *metrics = (mica_metrics){0};
}

mica_status mica_metrics_column(mica_metrics *metrics, int *column, const char *format, ...) {
    char name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    char **names = mica_grow(
        metrics->names, metrics->n_columns, &metrics->names_capacity, sizeof *metrics->names);
    if (!names)
        return MICA_E_MEMORY;
    metrics->names = names;
    if (!(names[metrics->n_columns] = mica_strdup(name)))
        return MICA_E_MEMORY;
    *column = (int)metrics->n_columns++;
    return MICA_OK;
}

double *mica_metrics_row(mica_metrics *metrics) {
    size_t n = metrics->n_columns;
    double *values = realloc(metrics->values, (metrics->n_rows + 1) * n * sizeof *values);
    if (!values) {
        mica_fail(MICA_E_MEMORY, "out of host memory: the metrics of %zu epochs", metrics->n_rows);
        return NULL;
    }
    metrics->values = values;
    double *row = values + metrics->n_rows++ * n;
    for (size_t i = 0; i < n; i++)
        row[i] = NAN;
    return row;
}

/* Seven digits are what float32 is good for; whole numbers (epochs, steps) are written in full. */
static void add_number(mica_text *text, double value, const char *missing) {
    char number[40];
    if (!isfinite(value))
        snprintf(number, sizeof number, "%s", missing);
    else if (value == floor(value) && fabs(value) < 1e15)
        snprintf(number, sizeof number, "%.0f", value);
    else
        snprintf(number, sizeof number, "%.7g", value);
    char *comma = strchr(number, ','); /* the host program's locale may have set it */
    if (comma)
        *comma = '.';
    mica_text_add(text, "%s", number);
}

static mica_status text_save(mica_text *text, const char *folder, const char *name) {
    char *path = mica_path_join(folder, name);
    mica_status status =
        !path || text->failed ? MICA_E_MEMORY : mica_file_replace(path, text->data, text->size);
    free(path);
    free(text->data);
    return status;
}

mica_status mica_metrics_save(const mica_metrics *metrics, const char *folder) {
    size_t n = metrics->n_columns;
    mica_text csv = {0}, lines = {0};
    for (size_t j = 0; j < n; j++)
        mica_text_add(&csv, "%s%s", j ? "," : "", metrics->names[j]);
    mica_text_add(&csv, "\n");
    for (size_t i = 0; i < metrics->n_rows; i++) {
        for (size_t j = 0; j < n; j++) {
            double value = metrics->values[i * n + j];
            mica_text_add(&csv, "%s", j ? "," : "");
            add_number(&csv, value, "");
            mica_text_add(&lines, "%s\"%s\": ", j ? ", " : "{", metrics->names[j]);
            add_number(&lines, value, "null");
        }
        mica_text_add(&csv, "\n");
        mica_text_add(&lines, "}\n");
    }
    mica_status first = text_save(&csv, folder, "metrics.csv");
    mica_status second = text_save(&lines, folder, "metrics.jsonl");
    return first != MICA_OK ? first : second;
}

void mica_metrics_names(const mica_metrics *metrics, mica_text *text) {
    for (size_t i = 0; i < metrics->n_columns; i++)
        mica_text_add(text, "%s\n", metrics->names[i]);
}

void mica_doubles_pack(const double *values, size_t count, mica_text *text) {
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        mica_text_add(text, "%016" PRIx64, bits);
    }
    mica_text_add(text, "%s", ""); /* no values are still a text */
}

bool mica_doubles_unpack(const char *text, double *values, size_t count) {
    if (strlen(text) != count * 16 || strspn(text, "0123456789abcdef") != count * 16)
        return false;
    for (size_t i = 0; i < count; i++) {
        char word[17] = {0};
        memcpy(word, text + i * 16, 16);
        uint64_t bits = strtoull(word, NULL, 16);
        memcpy(&values[i], &bits, sizeof bits);
    }
    return true;
}
