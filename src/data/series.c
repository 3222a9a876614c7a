/* Time series: columns of a text file of comma-separated values, as windows with what follows them.
 */
#include "base/error.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/lines.h"
#include "data/number.h"
#include "data/sequences.h"

#include <mica/sequence.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MOST = 4096 };

struct series {
    const char *path;
    const mica_series_options *options;
    long long line;            /* being read, from 1 */
    char *cells[COLUMNS_MOST]; /* n_cells, of that line */
    size_t n_cells;
    const char *hint; /* mica_fields_hint of that line */
    char **names;     /* n_names, of the first line; NULL: it had none */
    size_t n_names;
    size_t *column; /* `channels` places in a line */
    size_t channels;
    float *values; /* (steps, channels) */
    size_t n_values, values_capacity;
    int64_t steps;
};

static void series_clear(struct series *series) {
    for (size_t i = 0; i < series->n_names; i++)
        free(series->names[i]);
    free(series->names);
    free(series->column);
    free(series->values);
}

/* ---- lines ---- */

static mica_status names_read(struct series *series) {
    size_t named = 0;
    for (size_t i = 0; i < series->n_cells; i++) {
        if (!mica_number_is_name(series->cells[i]))
            return MICA_OK;
        named += *series->cells[i] != 0;
    }
    if (!named)
        return MICA_OK;
    if (!(series->names = mica_alloc(series->n_cells, sizeof *series->names)))
        return MICA_E_MEMORY;
    for (; series->n_names < series->n_cells; series->n_names++)
        if (!(series->names[series->n_names] = mica_strdup(series->cells[series->n_names])))
            return MICA_E_MEMORY;
    return MICA_OK;
}

/* The place of the column that is called so, or has that number. */
static mica_status column_find(const struct series *series, const char *wanted, size_t *place) {
    size_t found = series->n_names;
    for (size_t i = 0; i < series->n_names; i++) {
        if (strcmp(series->names[i], wanted) != 0)
            continue;
        if (found < series->n_names)
            return mica_fail(MICA_E_INVALID,
                "%s: columns %zu and %zu are both called %.40s: wanted one of these numbers",
                series->path, found + 1, i + 1, wanted);
        found = i;
    }
    if (found < series->n_names) {
        *place = found;
        return MICA_OK;
    }
    char *end;
    const unsigned long number = strtoul(wanted, &end, 10);
    if (*wanted && !*end && number >= 1 && number <= series->n_cells) {
        *place = number - 1;
        return MICA_OK;
    }
    mica_fail(MICA_E_INVALID,
        "%s: no column is called %s: wanted a name of the first line or a number from 1 to %zu%s",
        series->path, wanted, series->n_cells, series->hint);
    return MICA_E_INVALID;
}

/* Chooses the columns once the first line has been split. */
static mica_status columns_choose(struct series *series) {
    const mica_series_options *options = series->options;
    series->channels = options->columns ? options->n_columns : series->n_cells;
    if (!(series->column = mica_alloc(series->channels, sizeof *series->column)))
        return MICA_E_MEMORY;
    for (size_t i = 0; i < series->channels; i++) {
        series->column[i] = i;
        if (options->columns)
            MICA_TRY(column_find(series, options->columns[i], &series->column[i]));
    }
    return MICA_OK;
}

static mica_status cell_fail(const struct series *series, size_t place) {
    const char *cell = series->cells[place];
    const char *name = place < series->n_names ? series->names[place] : "";
    const char *quote = *cell ? "\"" : "";
    return mica_fail(MICA_E_FORMAT, "%s:%lld: column %zu%s%s%s: wanted a number, came %s%.20s%s%s",
        series->path, series->line, place + 1, *name ? " (" : "", name, *name ? ")" : "", quote,
        *cell ? cell : "an empty cell", quote, series->hint);
}

static mica_status step_read(struct series *series, size_t cells) {
    if (series->n_cells != cells)
        return mica_fail(MICA_E_FORMAT,
            "%s:%lld: wanted %zu columns as in the lines before, came %zu", series->path,
            series->line, cells, series->n_cells);
    for (size_t i = 0; i < series->channels; i++) {
        double value;
        if (!mica_number_read(series->cells[series->column[i]], &value) || !isfinite((float)value))
            return cell_fail(series, series->column[i]);
        float *values =
            mica_grow(series->values, series->n_values, &series->values_capacity, sizeof *values);
        if (!values)
            return MICA_E_MEMORY;
        series->values = values;
        values[series->n_values++] = (float)value;
    }
    series->steps++;
    return MICA_OK;
}

static mica_status line_split(struct series *series, char *line) {
    series->hint = mica_fields_hint(line);
    const int count = mica_fields(line, ",", true, series->cells, COLUMNS_MOST);
    if (count < 0 || count > COLUMNS_MOST)
        return mica_fail(MICA_E_FORMAT,
            count < 0 ? "%s:%lld: a quote that is not closed, or something behind one"
                      : "%s:%lld: more columns than the limit of %d",
            series->path, series->line, COLUMNS_MOST);
    series->n_cells = (size_t)count;
    return MICA_OK;
}

static mica_status lines_read(struct series *series, mica_lines *lines) {
    size_t cells = 0;
    for (char *line;;) {
        MICA_TRY(mica_lines_next(lines, &line));
        if (!line)
            break;
        series->line = lines->number;
        if (!line[strspn(line, " \t")])
            continue;
        MICA_TRY(line_split(series, line));
        if (!cells) {
            cells = series->n_cells;
            MICA_TRY(names_read(series));
            MICA_TRY(columns_choose(series));
            if (series->names)
                continue;
        }
        MICA_TRY(step_read(series, cells));
    }
    return series->steps
               ? MICA_OK
               : mica_fail(MICA_E_FORMAT, "%s: empty: wanted lines of numbers", series->path);
}

/* ---- data sets ---- */

/* Of each channel in the first `steps`. A channel that stays the same has the deviation 1. */
static void moments(const struct series *series, int64_t steps, float *mean, float *deviation) {
    const size_t n = series->channels;
    for (size_t c = 0; c < n; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < steps; i++)
            sum += (double)series->values[(size_t)i * n + c];
        const double middle = sum / (double)steps;
        for (int64_t i = 0; i < steps; i++) {
            const double off = (double)series->values[(size_t)i * n + c] - middle;
            squares += off * off;
        }
        mean[c] = (float)middle;
        deviation[c] = squares > 0 ? (float)sqrt(squares / (double)steps) : 1;
    }
}

/* The steps first .. end - 1 are the targets; training's windows begin there too. */
static mica_status part_make(const struct series *series, int part, int64_t first, int64_t end,
    const float *mean, const float *deviation, mica_dataset **out) {
    static const char *const names[] = {"training", "validation", "test"};
    const mica_series_options *options = series->options;
    const int64_t channels = (int64_t)series->channels, window = options->window;
    const int64_t horizon = options->horizon ? options->horizon : 1;
    const int64_t from = first >= window ? first - window : 0;
    const int64_t count = end - from - window - horizon + 1;
    if (count < 1)
        return mica_fail(MICA_E_INVALID,
            "%s: the %s part has %lld steps, too few for a window of %lld and %lld to forecast",
            series->path, names[part], (long long)(end - first), (long long)window,
            (long long)horizon);
    mica_samples samples = {.count = count,
        .sample = MICA_SHAPE(window, channels),
        .target = MICA_SHAPE(horizon, channels),
        .ahead = window * channels,
        .ordered = false};
    samples.floats = mica_copy(series->values + from * channels,
        (size_t)((end - from) * channels) * sizeof *samples.floats);
    samples.starts = mica_alloc((size_t)count, sizeof *samples.starts);
    mica_status status = samples.floats && samples.starts ? MICA_OK : MICA_E_MEMORY;
    for (int64_t i = 0; i < count && status == MICA_OK; i++)
        samples.starts[i] = i * channels;
    if (status == MICA_OK)
        status = mica_dataset_adopt(&samples,
            &(mica_dataset_options){
                .mean = mean, .deviation = deviation, .channels = (int32_t)channels},
            out);
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}

static mica_status parts_make(
    const struct series *series, mica_dataset **const *outs, mica_dataset **made) {
    float *moment = mica_alloc(2 * series->channels, sizeof *moment);
    if (!moment)
        return MICA_E_MEMORY;
    int64_t first[4];
    mica_sequence_parts(series->steps, series->options->validation, series->options->test, first);
    moments(series, first[1], moment, moment + series->channels);
    mica_status status = MICA_OK;
    for (int i = 0; i < 3 && status == MICA_OK; i++)
        if (outs[i] && (!i || first[i + 1] > first[i])) /* training cannot be empty */
            status = part_make(
                series, i, first[i], first[i + 1], moment, moment + series->channels, &made[i]);
    free(moment);
    return status;
}

static mica_status options_check(const char *path, const mica_series_options *options) {
    if (!path || !options || options->window < 1 || options->horizon < 0 ||
        options->window > INT32_MAX || options->horizon > INT32_MAX ||
        (options->columns && !options->n_columns))
        return mica_fail(MICA_E_INVALID,
            "time series: wanted a path, a window of at least 1, no negative horizon and no empty "
            "list of columns");
    return mica_sequence_fractions(options->validation, options->test);
}

mica_status mica_dataset_from_series(const char *path, const mica_series_options *options,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test) {
    mica_lines lines;
    MICA_TRY(options_check(path, options));
    MICA_TRY(mica_lines_open(path, &lines));
    struct series series = {.path = path, .options = options, .hint = ""};
    mica_dataset *made[3] = {NULL, NULL, NULL}, **outs[] = {train, validation, test};
    mica_status status = lines_read(&series, &lines);
    mica_lines_close(&lines);
    if (status == MICA_OK)
        status = parts_make(&series, outs, made);
    series_clear(&series);
    for (int i = 0; i < 3; i++)
        if (status == MICA_OK && outs[i])
            *outs[i] = made[i];
        else
            mica_dataset_destroy(&made[i]);
    return status;
}
