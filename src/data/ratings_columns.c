#include "data/ratings_columns.h"

#include "base/error.h"
#include "data/number.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TITLE = MICA_COLUMNS, KINDS };

static const char *const kinds[KINDS] = {"user", "item", "rating", "time", "title"};

/* How columns are usually called, in small letters and figures alone. */
static const char *const spellings[KINDS][32] = {
    {"user", "userid", "uid", "userno", "username", "customer", "customerid", "reviewer",
        "reviewerid", "member", "memberid", "visitorid", "useridx"},
    {"item", "itemid", "iid", "itemno", "itemidx", "movie", "movieid", "film", "filmid", "book",
        "bookid", "isbn", "product", "productid", "asin", "song", "songid", "track", "trackid",
        "artist", "artistid", "anime", "animeid", "game", "gameid", "joke", "jokeid", "business",
        "businessid", "article", "articleid"},
    {"rating", "ratings", "rate", "score", "scores", "stars", "star", "value", "overall", "grade",
        "bookrating", "userrating", "preference", "plays", "playcount", "count", "weight"},
    {"timestamp", "time", "date", "datetime", "ts", "unixtime", "unixreviewtime", "unixtimestamp"},
    {"title", "name", "movietitle", "booktitle", "itemtitle", "producttitle", "itemname",
        "moviename", "bookname", "productname", "artistname"},
};

/* What a column of that name holds; -1: it is not known. */
static int kind_of(const char *name) {
    char plain[32];
    size_t size = 0;
    for (; *name; name++)
        if (isalnum((unsigned char)*name) && size + 1 < sizeof plain)
            plain[size++] = (char)tolower((unsigned char)*name);
    plain[size] = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < 32 && spellings[kind][i]; i++)
            if (!strcmp(plain, spellings[kind][i]))
                return kind;
    return -1;
}

/* Ratings have numbers in them, so a line that has none is one of names. Where each line is but a
 * user and an item, which may both be words, it is one if it names the user. */
static bool is_header(char *const *fields, int count) {
    bool user = false;
    for (int i = 0; i < count; i++) {
        if (!mica_number_is_name(fields[i]))
            return false;
        user = user || kind_of(fields[i]) == MICA_COLUMN_USER;
    }
    return count > 2 || user;
}

static mica_status by_header(char *const *fields, int count, int place[MICA_COLUMNS]) {
    for (int i = 0; i < count; i++) {
        const int kind = kind_of(fields[i]);
        if (kind < 0 || kind >= MICA_COLUMNS)
            continue;
        if (place[kind] >= 0)
            return mica_fail(MICA_E_FORMAT,
                "which column is the %s, \"%.40s\" or \"%.40s\"? name them: data.columns: [USER, "
                "ITEM, RATING, TIME]",
                kinds[kind], fields[place[kind]], fields[i]);
        place[kind] = i;
    }
    for (int kind = 0; kind <= MICA_COLUMN_ITEM; kind++)
        if (place[kind] < 0)
            return mica_fail(MICA_E_FORMAT,
                "none of the column names is known as the %s's: name the columns: data.columns: "
                "[USER, ITEM, RATING, TIME], by these names or numbers from 1",
                kinds[kind]);
    return MICA_OK;
}

static int find_name(char *const *fields, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (!strcmp(fields[i], name))
            return i;
    return -1;
}

static mica_status by_options(char *const *fields, int count, bool header,
    const mica_ratings_options *options, int place[MICA_COLUMNS]) {
    for (size_t i = 0; i < options->n_columns; i++) {
        const char *wanted = options->columns[i];
        char *end;
        const unsigned long number = strtoul(wanted, &end, 10);
        place[i] = header ? find_name(fields, count, wanted) : -1;
        if (place[i] < 0 && *wanted && !*end && number >= 1 && number <= (unsigned long)count)
            place[i] = (int)number - 1;
        if (place[i] < 0)
            return mica_fail(MICA_E_INVALID,
                "no column is called %.40s: wanted a name of the first line or a number from 1 to "
                "%d",
                wanted, count);
        for (size_t j = 0; j < i; j++)
            if (place[j] == place[i])
                return mica_fail(MICA_E_INVALID, "column %.40s is named for the %s and the %s",
                    wanted, kinds[j], kinds[i]);
    }
    return MICA_OK;
}

static mica_status by_order(int count, bool implicit, int place[MICA_COLUMNS]) {
    if (count < (implicit ? 2 : 3) || count > MICA_COLUMNS)
        return mica_fail(MICA_E_FORMAT,
            "wanted user, item%s and perhaps the time, %d to %d fields, came %d; of other files "
            "name the columns: data.columns: [USER, ITEM, RATING, TIME], by numbers from 1",
            implicit ? ", perhaps a value" : ", rating", implicit ? 2 : 3, MICA_COLUMNS, count);
    for (int kind = 0; kind < count; kind++)
        place[kind] = kind;
    return MICA_OK;
}

/* "columns: user userId (2), item movieId (1), ...; not used: genre (5)" */
static void note_add(
    char *const *fields, int count, bool header, const int place[MICA_COLUMNS], mica_text *note) {
    bool plain = count <= MICA_COLUMNS;
    for (int kind = 0; kind < count && plain; kind++)
        plain = place[kind] == kind && (!header || !strcmp(fields[kind], kinds[kind]));
    if (plain)
        return;
    const char *before = "columns: ";
    for (int kind = 0; kind < MICA_COLUMNS; kind++) {
        if (place[kind] < 0)
            continue;
        mica_text_add(note, "%s%s %d", before, kinds[kind], place[kind] + 1);
        if (header)
            mica_text_add(note, " (%.40s)", fields[place[kind]]);
        before = ", ";
    }
    before = "; not used: ";
    for (int i = 0; i < count; i++) {
        bool used = false;
        for (int kind = 0; kind < MICA_COLUMNS; kind++)
            used = used || place[kind] == i;
        if (used)
            continue;
        mica_text_add(note, "%s%d", before, i + 1);
        if (header)
            mica_text_add(note, " (%.40s)", fields[i]);
        before = ", ";
    }
}

mica_status mica_rating_columns_find(char *const *fields, int count,
    const mica_ratings_options *options, int place[MICA_COLUMNS], bool *header, mica_text *note) {
    for (int kind = 0; kind < MICA_COLUMNS; kind++)
        place[kind] = -1;
    if (count > MICA_COLUMNS_MOST)
        return mica_fail(MICA_E_FORMAT, "more columns than the limit of %d", MICA_COLUMNS_MOST);
    *header = is_header(fields, count);
    for (size_t i = 0; i < options->n_columns; i++) /* two words, which the options say are names */
        *header = *header || (mica_number_is_name(options->columns[i]) &&
                                 find_name(fields, count, options->columns[i]) >= 0);
    if (options->n_columns)
        MICA_TRY(by_options(fields, count, *header, options, place));
    else if (*header)
        MICA_TRY(by_header(fields, count, place));
    else
        MICA_TRY(by_order(count, options->implicit, place));
    if (place[MICA_COLUMN_VALUE] < 0 && !options->implicit)
        return mica_fail(MICA_E_FORMAT,
            "no column of ratings: wanted one called rating or score, or data.columns: [USER, ITEM, "
            "RATING]; data.implicit: true needs none");
    note_add(fields, count, *header, place, note);
    return MICA_OK;
}

bool mica_title_columns(char *const *fields, int count, int place[2]) {
    int found[2] = {-1, -1};
    for (int i = 0; i < count; i++) {
        const int kind = kind_of(fields[i]);
        const bool id = kind == MICA_COLUMN_ITEM || !strcasecmp(fields[i], "id");
        if (id && found[0] < 0)
            found[0] = i;
        if (kind == TITLE && found[1] < 0)
            found[1] = i;
    }
    if (found[0] < 0 || found[1] < 0)
        return false;
    memcpy(place, found, sizeof found);
    return true;
}
