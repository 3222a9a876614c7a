/* Comma-separated numbers, a sample a line, its label last unless a first line of names says
 * otherwise. */
#include "base/error.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/lines.h"
#include "data/number.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct table {
    const char *path;
    long long line; /* being read, from 1 */
    int64_t label;  /* its column, from 0; -1: the last */
    char *note;
    int64_t rows, columns;
    float *values; /* (rows, columns) */
    size_t value_count, value_capacity;
    int32_t *labels;
    size_t label_capacity;
};

/* Reads the number that fills the field up to a comma or the line's end; *next is what follows. */
static bool number_read(const char *field, double *value, const char **next) {
    const char *end;
    if (!mica_number_start(field, &end, value))
        return false;
    end += strspn(end, " \t");
    *next = *end == ',' ? end + 1 : end;
    return *end == ',' || !*end;
}

/* ---- names of columns ---- */

/* Where the field ends; its text is without blanks and quotes. */
static const char *name_read(const char *field, const char **text, size_t *size) {
    const char *end = field + strcspn(field, ",");
    *text = field + strspn(field, " \t\"");
    const char *last = end;
    while (last > *text && strchr(" \t\"", last[-1]))
        last--;
    *size = last > *text ? (size_t)(last - *text) : 0;
    return end;
}

static bool is_label(const char *text, size_t size) {
    static const char *const names[] = {"label", "labels", "class", "target", "category", "y"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && !strncasecmp(text, names[i], size))
            return true;
    return false;
}

/* A line without any number is one of names. */
static bool is_header(const char *line) {
    bool named = false;
    for (const char *at = line, *end;; at = end + 1) {
        const char *text;
        size_t size;
        end = name_read(at, &text, &size);
        if (!mica_number_is_name(at))
            return false;
        named = named || size;
        if (!*end)
            return named;
    }
}

/* The label's column is the one of its name, else the last. */
static mica_status header_read(struct table *table, const char *line) {
    int64_t column = 0, found = -1, count = 0;
    const char *text, *label = "";
    size_t size, label_size = 0;
    for (const char *at = line, *end;; at = end + 1, column++) {
        end = name_read(at, &text, &size);
        if (is_label(text, size)) {
            found = column;
            count++;
            label = text;
            label_size = size;
        }
        if (!*end)
            break;
    }
    if (count > 1 && found != column)
        return mica_fail(MICA_E_FORMAT,
            "%s:%lld: %lld columns are called like a label: wanted one, or the last", table->path,
            table->line, (long long)count);
    if (found == column)
        return MICA_OK;
    table->label = found;
    table->note = mica_format("%s: the label is column %lld (%.*s)%s", table->path,
        (long long)(found < 0 ? column : found) + 1, (int)(found < 0 ? size : label_size),
        found < 0 ? text : label,
        found < 0 ? ", the last; none is called label, class or target" : "");
    return table->note ? MICA_OK : MICA_E_MEMORY;
}

/* ---- lines ---- */

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
            "%s:%lld: the %s column is the label: wanted a whole number from 0 on, came %g",
            table->path, table->line, table->label < 0 ? "last" : "named", value);
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
    double label = -1;
    for (const char *at = line, *next;; at = next) {
        double value;
        if (!number_read(at, &value, &next) || !isfinite((float)value)) {
            size_t width = strcspn(at, ",");
            return mica_fail(MICA_E_FORMAT,
                "%s:%lld: column %lld: wanted a number, came \"%.*s\"%s", table->path, table->line,
                (long long)column + 1, (int)(width < 20 ? width : 20), at, mica_fields_hint(line));
        }
        const bool last = next[-1] != ',' && !*next;
        if (column == table->label || (last && table->label < 0))
            label = value;
        else
            MICA_TRY(value_add(table, value));
        column++;
        if (last)
            break;
    }
    if (column < 2)
        return mica_fail(MICA_E_FORMAT, "%s:%lld: wanted comma-separated numbers, came only one",
            table->path, table->line);
    if ((table->rows && column != table->columns + 1) || column <= table->label)
        return mica_fail(MICA_E_FORMAT,
            "%s:%lld: wanted %lld columns as in the lines before, came %lld", table->path,
            table->line, (long long)(table->rows ? table->columns : table->label) + 1,
            (long long)column);
    table->columns = column - 1;
    return label_add(table, label);
}

static mica_status table_read(struct table *table, mica_lines *lines) {
    for (char *line;;) {
        MICA_TRY(mica_lines_next(lines, &line));
        if (!line)
            break;
        table->line = lines->number;
        if (table->line == 1 && is_header(line))
            MICA_TRY(header_read(table, line));
        else if (line[strspn(line, " \t")])
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
    struct table table = {.path = path, .label = -1};
    mica_status status = table_read(&table, &lines);
    mica_lines_close(&lines);
    mica_samples samples = {.count = table.rows,
        .sample = MICA_SHAPE(table.columns),
        .floats = table.values,
        .labels = table.labels,
        .note = table.note};
    if (status == MICA_OK) {
        status = mica_dataset_adopt(&samples, options, dataset);
        if (status != MICA_OK)
            mica_fail_in(status, "%s", path);
    }
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}
