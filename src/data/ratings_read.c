/* Ratings and titles out of text files. */
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/lines.h"
#include "data/number.h"
#include "data/ratings.h"
#include "data/ratings_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    USER = MICA_COLUMN_USER,
    ITEM = MICA_COLUMN_ITEM,
    VALUE = MICA_COLUMN_VALUE,
    TIME = MICA_COLUMN_TIME
};

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
    const char *separator;
    int fields;              /* of each line; 0: none was read yet */
    int place[MICA_COLUMNS]; /* in a line; -1: there is none */
    mica_rating_list list;
    int64_t *line; /* of each rating */
    size_t capacity[MICA_COLUMNS + 1];
    int64_t small; /* lines below the least value */
    mica_text note;
    mica_rating_names names;
};

/* "FILE:LINE: " before what `mica_fail` says. */
static mica_status line_failed(const struct reading *r, mica_status status) {
    return mica_fail_in(status, "%s:%lld", r->lines.path, r->lines.number);
}

static mica_status value_parse(const struct reading *r, const char *field, float *out) {
    const mica_ratings_options *options = r->options;
    double value;
    if (!mica_number_read(field, &value))
        return mica_fail(MICA_E_FORMAT, "field %d is the rating: wanted a number, came \"%.40s\"",
            r->place[VALUE] + 1, field);
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
    if (!mica_number_read(field, &time) || !(fabs(time) < 9e18))
        return mica_fail(MICA_E_FORMAT,
            "field %d is the time: wanted a number of seconds, came \"%.40s\"; "
            "data.columns: [USER, ITEM, RATING] leaves it out",
            r->place[TIME] + 1, field);
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
    int64_t *lines = mica_grow(r->line, count, &r->capacity[MICA_COLUMNS], sizeof *lines);
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

/* Splits a line; the first says how many fields each has and what they hold. */
static mica_status line_split(struct reading *r, char *line, char **fields, bool *header) {
    const bool first = !r->fields;
    if (first)
        MICA_TRY(separator_find(r, line));
    const int count =
        mica_fields(line, r->separator, *r->separator == ',', fields, MICA_COLUMNS_MOST);
    if (count < 0)
        return mica_fail(MICA_E_FORMAT, "a quote that is not closed, or text behind one");
    if (!first && count != r->fields)
        return mica_fail(
            MICA_E_FORMAT, "wanted %d fields as in the lines before, came %d", r->fields, count);
    *header = false;
    if (first)
        MICA_TRY(mica_rating_columns_find(fields, count, r->options, r->place, header, &r->note));
    r->fields = count;
    return MICA_OK;
}

static mica_status line_read(struct reading *r, char *line) {
    MICA_TRY(text_check(line));
    char *fields[MICA_COLUMNS_MOST];
    bool header;
    MICA_TRY(line_split(r, line, fields, &header));
    if (header)
        return MICA_OK;
    const mica_ratings_options *options = r->options;
    const char *user_id = fields[r->place[USER]], *item_id = fields[r->place[ITEM]];
    const bool timed = r->place[TIME] >= 0;
    float value = 1;
    int64_t time;
    if (!*user_id || !*item_id)
        return mica_fail(MICA_E_FORMAT, "the %s's id is empty", *user_id ? "item" : "user");
    if (r->place[VALUE] >= 0)
        MICA_TRY(value_parse(r, fields[r->place[VALUE]], &value));
    if (timed)
        MICA_TRY(time_parse(r, fields[r->place[TIME]], &time));
    if (options->implicit) {
        if (options->at_least != 0 && value < options->at_least) {
            r->small++;
            return MICA_OK;
        }
        value = 1;
    }
    int32_t user, item;
    MICA_TRY(mica_ids_number(&r->names.users, user_id, &user));
    MICA_TRY(mica_ids_number(&r->names.items, item_id, &item));
    return rating_add(r, user, item, value, timed ? &time : NULL);
}

static mica_status lines_read(struct reading *r) {
    char *line;
    for (;;) {
        MICA_TRY(mica_lines_next(&r->lines, &line));
        if (!line)
            return MICA_OK;
        mica_status status = is_blank(line) ? MICA_OK : line_read(r, line);
        if (status != MICA_OK)
            return status == MICA_E_MEMORY ? status : line_failed(r, status);
    }
}

static void note_lines(struct reading *r, int64_t lines, const char *what) {
    if (lines)
        mica_text_add(&r->note, "%s%lld line%s %s", r->note.size ? "; " : "", (long long)lines,
            lines > 1 ? "s" : "", what);
}

static void note_titles(struct reading *r) {
    const int32_t items = r->names.items.count;
    int32_t titled = 0;
    for (int32_t i = 0; i < items; i++)
        titled += r->names.titles[i] != NULL;
    if (titled < items)
        mica_text_add(&r->note, "%s%d of %d items have a title in %s", r->note.size ? "; " : "",
            titled, items, r->options->titles);
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
    int64_t first, again, count = r->list.count;
    MICA_TRY(mica_rating_list_repeated(&r->list, names, r->options->implicit, &first, &again));
    note_lines(r, r->small, "left out: below at_least");
    note_lines(r, count - r->list.count, "left out: a user and an item that came before");
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
    mica_status status = lines_read(&r);
    if (status == MICA_OK)
        status = whole_check(&r);
    if (status == MICA_OK && r.options->titles)
        status = mica_rating_titles_read(r.options->titles, &r.names);
    if (status == MICA_OK && r.names.titles)
        note_titles(&r);
    if (status == MICA_OK && r.note.size &&
        !(r.names.note = mica_format("%s: %s", path, r.note.data)))
        status = MICA_E_MEMORY;
    if (status == MICA_OK)
        status = mica_ratings_adopt(&r.list, &r.names, r.options, ratings);
    if (status != MICA_OK) {
        mica_rating_list_free(&r.list);
        mica_rating_names_free(&r.names);
    }
    free(r.note.data);
    mica_lines_close(&r.lines);
    free(r.line);
    return status;
}

/* ---- titles ---- */

/* Where the lines have an item's id and its title. */
struct title_places {
    int place[2];
    bool known;
};

static mica_status title_read(const mica_lines *lines, char *line, const char *separator,
    const mica_rating_names *names, struct title_places *where, char **titles, int64_t *found) {
    char *fields[MICA_COLUMNS_MOST];
    int count = mica_fields(line, separator, *separator == ',', fields, MICA_COLUMNS_MOST);
    if (!where->known) {
        where->known = true;
        where->place[1] = 1;
        if (count > 1 && count <= MICA_COLUMNS_MOST &&
            mica_title_columns(fields, count, where->place))
            return MICA_OK;
    }
    const int id = where->place[0], title = where->place[1];
    if (count <= (id > title ? id : title) || count > MICA_COLUMNS_MOST)
        return mica_fail(MICA_E_FORMAT, "%s:%lld: wanted an item's id and its title, came %s",
            lines->path, lines->number,
            count < 0    ? "a quote that is not closed"
            : count == 1 ? "one field"
                         : "other fields than in the first line");
    int32_t item = mica_ids_find(&names->items, fields[id]);
    if (item < 0)
        return MICA_OK;
    if (titles[item])
        return mica_fail(MICA_E_FORMAT, "%s:%lld: item \"%.40s\" has a title already: \"%.40s\"",
            lines->path, lines->number, fields[id], titles[item]);
    titles[item] = mica_strdup(fields[title]);
    ++*found;
    return titles[item] ? MICA_OK : MICA_E_MEMORY;
}

static mica_status titles_read(mica_lines *lines, const mica_rating_names *names, char **titles) {
    const char *separator = NULL;
    struct title_places where = {0};
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
        MICA_TRY(title_read(lines, line, separator, names, &where, titles, &found));
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
