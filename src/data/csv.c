/* Comma-separated numbers, a sample a line, its label last. Numbers are written as in C, whatever
 * the locale. */
#include "base/error.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/lines.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const char *path;
    locale_t locale;
    long long line; /* being read, from 1 */
    int64_t rows, columns;
    float *values; /* (rows, columns) */
    size_t value_count, value_capacity;
    int32_t *labels;
    size_t label_capacity;
};

/* Reads the number that fills the field up to a comma or the line's end; *next is what follows. */
static bool number_read(
    const struct table *table, const char *field, double *value, const char **next) {
    char *end;
    *value = strtod_l(field, &end, table->locale);
    if (end == field)
        return false;
    end += strspn(end, " \t");
    *next = *end == ',' ? end + 1 : end;
    return *end == ',' || !*end;
}

static mica_status value_add(struct table *table, double value) {
    float *values =
        mica_grow(table->values, table->value_count, &table->value_capacity, sizeof *table->values);
    if (!values)
        return MICA_E_MEMORY;
    table->values = values;
    values[table->value_count++] = (float)value;
    return MICA_OK;
}

static mica_status label_add(struct table *table, double value) {
    if (!(value >= 0 && value < INT32_MAX) || value != floor(value))
        return mica_fail(MICA_E_FORMAT,
            "%s:%lld: the last column is the label: wanted a whole number from 0 on, came %g",
            table->path, table->line, value);
    int32_t *labels = mica_grow(
        table->labels, (size_t)table->rows, &table->label_capacity, sizeof *table->labels);
    if (!labels)
        return MICA_E_MEMORY;
    table->labels = labels;
    labels[table->rows++] = (int32_t)value;
    return MICA_OK;
}

static mica_status line_read(struct table *table, const char *line) {
    int64_t column = 0;
    for (const char *at = line, *next;; at = next) {
        double value;
        if (!number_read(table, at, &value, &next) || !isfinite((float)value)) {
            size_t width = strcspn(at, ",");
            return mica_fail(MICA_E_FORMAT, "%s:%lld: column %lld: wanted a number, came \"%.*s\"",
                table->path, table->line, (long long)column + 1, (int)(width < 20 ? width : 20),
                at);
        }
        column++;
        if (next[-1] != ',' && !*next) {
            if (column < 2 || (table->rows && column != table->columns + 1))
                break;
            table->columns = column - 1;
            return label_add(table, value);
        }
        MICA_TRY(value_add(table, value));
    }
    if (column < 2)
        return mica_fail(MICA_E_FORMAT, "%s:%lld: wanted comma-separated numbers, came only one",
            table->path, table->line);
    return mica_fail(MICA_E_FORMAT,
        "%s:%lld: wanted %lld columns as in the lines before, came %lld", table->path, table->line,
        (long long)table->columns + 1, (long long)column);
}

static mica_status table_read(struct table *table, mica_lines *lines) {
    for (char *line;;) {
        MICA_TRY(mica_lines_next(lines, &line));
        if (!line)
            break;
        table->line = lines->number;
        double value;
        const char *next;
        bool names = table->line == 1 && !number_read(table, line, &value, &next);
        if (!names && line[strspn(line, " \t")])
            MICA_TRY(line_read(table, line));
    }
    return table->rows ? MICA_OK
                       : mica_fail(MICA_E_FORMAT, "%s: empty: wanted lines of numbers, label last",
                             table->path);
}

mica_status mica_dataset_from_csv(
    const char *path, const mica_dataset_options *options, mica_dataset **dataset) {
    mica_lines lines;
    MICA_TRY(mica_lines_open(path, &lines));
    struct table table = {.path = path, .locale = newlocale(LC_ALL_MASK, "C", NULL)};
    mica_status status = table.locale ? table_read(&table, &lines)
                                      : mica_fail(MICA_E_MEMORY, "out of host memory: locale");
    mica_lines_close(&lines);
    if (table.locale)
        freelocale(table.locale);
    mica_samples samples = {.count = table.rows,
        .sample = MICA_SHAPE(table.columns),
        .floats = table.values,
        .labels = table.labels};
    if (status == MICA_OK) {
        status = mica_dataset_adopt(&samples, options, dataset);
        if (status != MICA_OK)
            mica_fail_in(status, "%s", path);
    }
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}
