/* Ratings and titles out of text files. Numbers are written as in C, whatever the locale. */
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/lines.h"
#include "data/ratings.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { USER, ITEM, VALUE, TIME, FIELDS };

/* Formats by what stands between fields; '|' is MovieLens' u.item's, of titles only. */
static const struct {
    mica_ratings_format format;
    const char *separator;
} formats[] = {
    {MICA_RATINGS_CSV, ","}, {MICA_RATINGS_TSV, "\t"}, {MICA_RATINGS_MOVIELENS, "::"}, {0, "|"}};

#define FORMATS (sizeof formats / sizeof *formats)

/* The separator that the line has first: an id before it has none in it, unlike a title behind. */
static const char *separator_of(const char *line) {
    const char *separator = NULL, *first = NULL;
    if (line[strspn(line, " ")] == '"')
        return ",";
    for (size_t i = 0; i < FORMATS; i++) {
        const char *at = strstr(line, formats[i].separator);
        if (at && (!first || at < first)) {
            first = at;
            separator = formats[i].separator;
        }
    }
    return separator;
}

static bool is_blank(const char *line) {
    return !line[strspn(line, " \t")];
}

/* ---- ratings ---- */

struct reading {
    mica_lines lines;
    const mica_ratings_options *options;
    locale_t locale;
    const char *separator;
    int fields; /* of each line */
    mica_rating_list list;
    int64_t *line; /* of each rating */
    size_t capacity[FIELDS + 1];
    mica_rating_names names;
};

/* "FILE:LINE: " before what `mica_fail` says. */
static mica_status line_failed(const struct reading *r) {
    return mica_fail_in(MICA_E_FORMAT, "%s:%lld", r->lines.path, r->lines.number);
}

static bool number_read(const struct reading *r, const char *field, double *value) {
    char *end;
    *value = strtod_l(field, &end, r->locale);
    return end != field && !*end;
}

static bool is_user_column(const char *field) {
    static const char *const names[] = {"user", "userid", "user_id", "user id", "uid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcasecmp(field, names[i]))
            return true;
    return false;
}

/* Is the first line one of column names? Where lines have values, one is where the value and the
 * item have no number. */
static bool is_header(const struct reading *r, char *const *fields) {
    if (r->fields <= VALUE)
        return is_user_column(fields[USER]);
    char *end;
    double item;
    strtod_l(fields[VALUE], &end, r->locale);
    return end == fields[VALUE] && !number_read(r, fields[ITEM], &item);
}

static mica_status value_parse(const struct reading *r, const char *field, float *out) {
    const mica_ratings_options *options = r->options;
    double value;
    if (!number_read(r, field, &value))
        return mica_fail(
            MICA_E_FORMAT, "field 3 is the rating: wanted a number, came \"%.40s\"", field);
    if (!isfinite((float)value))
        return mica_fail(MICA_E_FORMAT, "the rating \"%.40s\" is too large or no number", field);
    bool open = options->lowest == 0 && options->highest == 0;
    if (!open && ((float)value < options->lowest || (float)value > options->highest))
        return mica_fail(MICA_E_FORMAT, "the rating %g is out of range: wanted %g to %g", value,
            (double)options->lowest, (double)options->highest);
    *out = (float)value;
    return MICA_OK;
}

static mica_status time_parse(const struct reading *r, const char *field, int64_t *out) {
    double time;
    if (!number_read(r, field, &time) || !(fabs(time) < 9e18))
        return mica_fail(MICA_E_FORMAT,
            "field 4 is the time: wanted a number of seconds, came \"%.40s\"", field);
    *out = (int64_t)time;
    return MICA_OK;
}

static mica_status rating_add(
    struct reading *r, int32_t user, int32_t item, float value, const int64_t *time) {
    mica_rating_list *list = &r->list;
    size_t count = (size_t)list->count;
    int32_t *users = mica_grow(list->user, count, &r->capacity[USER], sizeof *users);
    list->user = users ? users : list->user;
    int32_t *items = mica_grow(list->item, count, &r->capacity[ITEM], sizeof *items);
    list->item = items ? items : list->item;
    float *values = mica_grow(list->value, count, &r->capacity[VALUE], sizeof *values);
    list->value = values ? values : list->value;
    int64_t *lines = mica_grow(r->line, count, &r->capacity[FIELDS], sizeof *lines);
    r->line = lines ? lines : r->line;
    int64_t *times = time ? mica_grow(list->time, count, &r->capacity[TIME], sizeof *times) : NULL;
    list->time = times ? times : list->time;
    if (!users || !items || !values || !lines || (time && !times))
        return MICA_E_MEMORY;
    users[count] = user;
    items[count] = item;
    values[count] = value;
    lines[count] = r->lines.number;
    if (time)
        times[count] = *time;
    list->count++;
    return MICA_OK;
}

static mica_status separator_find(struct reading *r, const char *line) {
    mica_ratings_format wanted = r->options->format;
    r->separator = separator_of(line);
    for (size_t i = 0; i < FORMATS && wanted; i++)
        if (formats[i].format == wanted)
            r->separator = formats[i].separator;
    return r->separator && strcmp(r->separator, "|")
               ? MICA_OK
               : mica_fail(MICA_E_FORMAT,
                     "wanted a user, an item and a rating with commas, tabs or :: between them");
}

/* Checks the number of fields; the first line sets it. */
static mica_status fields_check(struct reading *r, int count) {
    int least = r->options->implicit ? 2 : 3;
    if (count < 0)
        return mica_fail(MICA_E_FORMAT, "a quote that is not closed, or text behind one");
    if (!r->fields && (count < least || count > FIELDS))
        return mica_fail(MICA_E_FORMAT,
            "wanted user, item%s and perhaps the time, %d to %d fields, came %d",
            r->options->implicit ? ", perhaps a value" : ", rating", least, FIELDS, count);
    if (r->fields && count != r->fields)
        return mica_fail(
            MICA_E_FORMAT, "wanted %d fields as in the lines before, came %d", r->fields, count);
    r->fields = count;
    return MICA_OK;
}

/* Ids are printed: they must be text. */
static mica_status text_check(const char *line) {
    int32_t point;
    const char *why;
    for (size_t size = strlen(line); size;) {
        int width = mica_utf8_read(line, size, &point, &why);
        if (!width)
            return mica_fail(MICA_E_FORMAT, "not UTF-8: %s", why);
        line += width;
        size -= (size_t)width;
    }
    return MICA_OK;
}

static mica_status line_read(struct reading *r, char *line) {
    MICA_TRY(text_check(line));
    bool start = !r->separator;
    if (start)
        MICA_TRY(separator_find(r, line));
    char *fields[FIELDS];
    MICA_TRY(
        fields_check(r, mica_fields(line, r->separator, *r->separator == ',', fields, FIELDS)));
    if (start && is_header(r, fields))
        return MICA_OK;
    const mica_ratings_options *options = r->options;
    float value = 1;
    int64_t time;
    if (!*fields[USER] || !*fields[ITEM])
        return mica_fail(MICA_E_FORMAT, "the %s's id is empty", *fields[USER] ? "item" : "user");
    if (r->fields > VALUE)
        MICA_TRY(value_parse(r, fields[VALUE], &value));
    if (r->fields > TIME)
        MICA_TRY(time_parse(r, fields[TIME], &time));
    if (options->implicit) {
        if (options->at_least != 0 && value < options->at_least)
            return MICA_OK;
        value = 1;
    }
    int32_t user, item;
    MICA_TRY(mica_ids_number(&r->names.users, fields[USER], &user));
    MICA_TRY(mica_ids_number(&r->names.items, fields[ITEM], &item));
    return rating_add(r, user, item, value, r->fields > TIME ? &time : NULL);
}

static mica_status lines_read(struct reading *r) {
    char *line;
    for (;;) {
        MICA_TRY(mica_lines_next(&r->lines, &line));
        if (!line)
            return MICA_OK;
        mica_status status = is_blank(line) ? MICA_OK : line_read(r, line);
        if (status != MICA_OK)
            return status == MICA_E_FORMAT ? line_failed(r) : status;
    }
}

/* Checks all lines together. */
static mica_status whole_check(struct reading *r) {
    const char *path = r->lines.path;
    const mica_rating_names *names = &r->names;
    if (!r->list.count && r->options->at_least != 0 && r->fields)
        return mica_fail(
            MICA_E_FORMAT, "%s: no value is at least %g", path, (double)r->options->at_least);
    if (!r->list.count)
        return mica_fail(MICA_E_FORMAT, "%s: empty: wanted lines of user, item and rating", path);
    int64_t first, again;
    MICA_TRY(mica_rating_list_repeated(&r->list, names, r->options->implicit, &first, &again));
    if (again >= 0)
        return mica_fail(MICA_E_FORMAT,
            "%s:%lld: user \"%.40s\" rates item \"%.40s\" again, after line %lld", path,
            (long long)r->line[again], names->users.texts[r->list.user[again]],
            names->items.texts[r->list.item[again]], (long long)r->line[first]);
    if (names->users.count < 2 || names->items.count < 2)
        return mica_fail(MICA_E_FORMAT,
            "%s: ratings of %d items by %d users: wanted at least two of each", path,
            names->items.count, names->users.count);
    return MICA_OK;
}

mica_status mica_ratings_read(
    const char *path, const mica_ratings_options *options, mica_ratings **ratings) {
    static const mica_ratings_options defaults;
    struct reading r = {.options = options ? options : &defaults};
    MICA_TRY(mica_ratings_options_check(r.options));
    if (r.options->format > MICA_RATINGS_MOVIELENS)
        return mica_fail(MICA_E_INVALID, "ratings: there is no format %d", (int)r.options->format);
    MICA_TRY(mica_lines_open(path, &r.lines));
    r.locale = newlocale(LC_ALL_MASK, "C", NULL);
    mica_status status =
        r.locale ? lines_read(&r) : mica_fail(MICA_E_MEMORY, "out of host memory: locale");
    if (status == MICA_OK)
        status = whole_check(&r);
    if (status == MICA_OK && r.options->titles)
        status = mica_rating_titles_read(r.options->titles, &r.names);
    if (status == MICA_OK)
        status = mica_ratings_adopt(&r.list, &r.names, r.options, ratings);
    if (status != MICA_OK) {
        mica_rating_list_free(&r.list);
        mica_rating_names_free(&r.names);
    }
    if (r.locale)
        freelocale(r.locale);
    mica_lines_close(&r.lines);
    free(r.line);
    return status;
}

/* ---- titles ---- */

static mica_status title_read(const mica_lines *lines, char *line, const char *separator,
    const mica_rating_names *names, char **titles, int64_t *found) {
    char *fields[2];
    int count = mica_fields(line, separator, *separator == ',', fields, 2);
    if (count < 2)
        return mica_fail(MICA_E_FORMAT, "%s:%lld: wanted an item's id and its title, came %s",
            lines->path, lines->number, count < 0 ? "a quote that is not closed" : "one field");
    int32_t item = mica_ids_find(&names->items, fields[0]);
    if (item < 0)
        return MICA_OK;
    if (titles[item])
        return mica_fail(MICA_E_FORMAT, "%s:%lld: item \"%.40s\" has a title already: \"%.40s\"",
            lines->path, lines->number, fields[0], titles[item]);
    titles[item] = mica_strdup(fields[1]);
    ++*found;
    return titles[item] ? MICA_OK : MICA_E_MEMORY;
}

static mica_status titles_read(mica_lines *lines, const mica_rating_names *names, char **titles) {
    const char *separator = NULL;
    int64_t found = 0;
    char *line;
    if (!mica_lines_utf8(lines))
        MICA_TRY(mica_lines_from_latin1(lines));
    for (;;) {
        MICA_TRY(mica_lines_next(lines, &line));
        if (!line)
            break;
        if (is_blank(line))
            continue;
        if (!separator)
            separator = separator_of(line);
        if (!separator)
            return mica_fail(MICA_E_FORMAT,
                "%s:%lld: wanted an item's id and its title with a comma, tab, :: or | between "
                "them",
                lines->path, lines->number);
        MICA_TRY(title_read(lines, line, separator, names, titles, &found));
    }
    return found ? MICA_OK
                 : mica_fail(MICA_E_FORMAT, "%s: none of its titles is of an item that was rated",
                       lines->path);
}

mica_status mica_rating_titles_read(const char *path, mica_rating_names *names) {
    mica_lines lines;
    MICA_TRY(mica_lines_open(path, &lines));
    char **titles = mica_alloc((size_t)names->items.count, sizeof *titles);
    mica_status status = titles ? titles_read(&lines, names, titles) : MICA_E_MEMORY;
    mica_lines_close(&lines);
    if (status == MICA_OK) {
        names->titles = titles;
        return MICA_OK;
    }
    for (int32_t i = 0; i < names->items.count && titles; i++)
        free(titles[i]);
    free(titles);
    return status;
}
