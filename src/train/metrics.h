/* The table of a run's metrics, a row an epoch, and its files. Knows nothing of how they came. */
#ifndef MICA_TRAIN_METRICS_H
#define MICA_TRAIN_METRICS_H

#include "base/text.h"

#include <mica/status.h>
#include <stdint.h>

/* Zero-initialize. Columns are added before rows. */
typedef struct mica_metrics {
    char **names;
    size_t n_columns, names_capacity;
    double *values; /* (n_rows, n_columns) */
    size_t n_rows;
} mica_metrics;

void mica_metrics_clear(mica_metrics *metrics);

/* *column is the new column's number. */
mica_status mica_metrics_column(mica_metrics *metrics, int *column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A new row of NaN, valid until the next call; NULL when memory runs out. */
double *mica_metrics_row(mica_metrics *metrics);

/* Writes metrics.csv and metrics.jsonl into the folder. What is NaN is empty or null there. */
mica_status mica_metrics_save(const mica_metrics *metrics, const char *folder);

/* Column names, one a line, and a few values as they are in memory, for checkpoints. */
void mica_metrics_names(const mica_metrics *metrics, mica_text *text);
void mica_doubles_pack(const double *values, size_t count, mica_text *text);

/* `count` values from packed text; false if that is not what it holds. */
bool mica_doubles_unpack(const char *text, double *values, size_t count);

#endif
