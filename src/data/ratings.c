/* Ratings in memory: both sides' views, ids, and ratings from arrays. */
#include "data/ratings.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shared_names {
    atomic_int owners;
    mica_rating_names names;
};

struct mica_ratings {
    mica_ratings_info info;
    struct shared_names *shared;
    mica_rating_list list;
    int64_t *user_start, *item_start;
    int32_t *user_other, *item_other;
    float *user_value, *item_value;
};

/* ---- lists ---- */

void mica_rating_names_free(mica_rating_names *names) {
    for (int32_t i = 0; i < names->items.count && names->titles; i++)
        free(names->titles[i]);
    free(names->titles);
    free(names->note);
    mica_ids_free(&names->users);
    mica_ids_free(&names->items);
    *names = (mica_rating_names){0};
}

void mica_rating_list_free(mica_rating_list *list) {
    free(list->user);
    free(list->item);
    free(list->value);
    free(list->time);
    *list = (mica_rating_list){0};
}

mica_status mica_rating_list_make(int64_t count, bool time, mica_rating_list *out) {
    mica_rating_list list = {0};
    size_t n = (size_t)count;
    list.user = mica_alloc(n, sizeof *list.user);
    list.item = mica_alloc(n, sizeof *list.item);
    list.value = mica_alloc(n, sizeof *list.value);
    list.time = time ? mica_alloc(n, sizeof *list.time) : NULL;
    if (!list.user || !list.item || !list.value || (time && !list.time)) {
        mica_rating_list_free(&list);
        return MICA_E_MEMORY;
    }
    *out = list;
    return MICA_OK;
}

void mica_rating_list_copy(mica_rating_list *list, const mica_rating_list *from, int64_t at) {
    int64_t to = list->count++;
    list->user[to] = from->user[at];
    list->item[to] = from->item[at];
    list->value[to] = from->value[at];
    if (list->time)
        list->time[to] = from->time[at];
}

/* Sorts the numbers in `from` (NULL: 0 .. count - 1) by their row, equal ones in the order in which
 * they stand; start (rows + 1) gets where each row begins. */
static void sort_by(const int32_t *row, int32_t rows, const int64_t *from, int64_t count,
    int64_t *start, int64_t *to) {
    memset(start, 0, ((size_t)rows + 1) * sizeof *start);
    for (int64_t i = 0; i < count; i++)
        start[row[i] + 1]++;
    for (int32_t r = 0; r < rows; r++)
        start[r + 1] += start[r];
    for (int64_t i = 0; i < count; i++) {
        int64_t at = from ? from[i] : i;
        to[start[row[at]]++] = at;
    }
    for (int32_t r = rows; r > 0; r--) /* each stands at its end now, where the next begins */
        start[r] = start[r - 1];
    start[0] = 0;
}

/* The numbers of the ratings, by row and in it by column; start and order are made anew. */
static mica_status order_make(const int32_t *row, int32_t rows, const int32_t *column,
    int32_t columns, int64_t count, int64_t **start_out, int64_t **order_out) {
    int64_t *column_start = mica_alloc((size_t)columns + 1, sizeof *column_start);
    int64_t *by_column = mica_alloc((size_t)count, sizeof *by_column);
    int64_t *start = mica_alloc((size_t)rows + 1, sizeof *start);
    int64_t *order = mica_alloc((size_t)count, sizeof *order);
    mica_status status = column_start && by_column && start && order ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        sort_by(column, columns, NULL, count, column_start, by_column);
        sort_by(row, rows, by_column, count, start, order);
        *start_out = start;
        *order_out = order;
    } else {
        free(start);
        free(order);
    }
    free(column_start);
    free(by_column);
    return status;
}

mica_status mica_rating_list_repeated(mica_rating_list *list, const mica_rating_names *names,
    bool drop, int64_t *first, int64_t *again) {
    int64_t *start, *order;
    bool *repeated = mica_alloc((size_t)list->count, sizeof *repeated);
    mica_status status = repeated ? order_make(list->user, names->users.count, list->item,
                                        names->items.count, list->count, &start, &order)
                                  : MICA_E_MEMORY;
    if (status != MICA_OK) {
        free(repeated);
        return status;
    }
    *first = *again = -1;
    for (int64_t i = 1; i < list->count; i++) {
        int64_t a = order[i - 1], b = order[i];
        if (list->user[a] != list->user[b] || list->item[a] != list->item[b])
            continue;
        repeated[b] = true;
        if (*again < 0 || b < *again) {
            *first = a;
            *again = b;
        }
    }
    if (drop) {
        int64_t count = list->count;
        list->count = 0;
        for (int64_t i = 0; i < count; i++)
            if (!repeated[i])
                mica_rating_list_copy(list, list, i);
        *first = *again = -1;
    }
    free(repeated);
    free(start);
    free(order);
    return MICA_OK;
}

/* ---- making ---- */

static mica_status rows_make(const int32_t *row, int32_t rows, const int32_t *column,
    int32_t columns, const mica_rating_list *list, int64_t **start, int32_t **other,
    float **value) {
    int64_t *order;
    MICA_TRY(order_make(row, rows, column, columns, list->count, start, &order));
    *other = mica_alloc((size_t)list->count, sizeof **other);
    *value = mica_alloc((size_t)list->count, sizeof **value);
    mica_status status = *other && *value ? MICA_OK : MICA_E_MEMORY;
    for (int64_t i = 0; i < list->count && status == MICA_OK; i++) {
        (*other)[i] = column[order[i]];
        (*value)[i] = list->value[order[i]];
    }
    free(order);
    return status;
}

static uint64_t ids_hash(const mica_ids *ids, uint64_t hash) {
    for (int32_t i = 0; i < ids->count; i++)
        hash = mica_hash_text(hash, ids->texts[i]);
    return mica_hash_text(hash, "");
}

/* Makes ratings of the list; on failure that, and one of the names' owners, stay the caller's. */
static mica_status ratings_make(const mica_rating_list *list, struct shared_names *shared,
    const mica_ratings_options *options, mica_ratings **out) {
    if (!list->count)
        return mica_fail(MICA_E_INVALID, "no ratings: wanted at least one");
    const mica_rating_names *names = &shared->names;
    int32_t users = names->users.count, items = names->items.count;
    mica_ratings *ratings = mica_alloc(1, sizeof *ratings);
    if (!ratings)
        return MICA_E_MEMORY;
    mica_status status = rows_make(list->user, users, list->item, items, list, &ratings->user_start,
        &ratings->user_other, &ratings->user_value);
    if (status == MICA_OK)
        status = rows_make(list->item, items, list->user, users, list, &ratings->item_start,
            &ratings->item_other, &ratings->item_value);
    if (status != MICA_OK) {
        mica_ratings_destroy(&ratings);
        return status;
    }
    float lowest = options->lowest, highest = options->highest;
    double sum = 0;
    bool open = lowest == 0 && highest == 0;
    for (int64_t i = 0; i < list->count; i++) {
        float value = list->value[i];
        sum += (double)value;
        lowest = open && (i == 0 || value < lowest) ? value : lowest;
        highest = open && (i == 0 || value > highest) ? value : highest;
    }
    ratings->list = *list;
    ratings->shared = shared;
    ratings->info = (mica_ratings_info){
        .count = list->count,
        .users = users,
        .items = items,
        .ids_hash = ids_hash(&names->items, ids_hash(&names->users, MICA_HASH_START)),
        .user_ids = (const char *const *)names->users.texts,
        .item_ids = (const char *const *)names->items.texts,
        .titles = (const char *const *)names->titles,
        .note = names->note,
        .user = list->user,
        .item = list->item,
        .value = list->value,
        .time = list->time,
        .lowest = lowest,
        .highest = highest,
        .mean = sum / (double)list->count,
        .implicit = options->implicit,
        .by_user = {users, ratings->user_start, ratings->user_other, ratings->user_value},
        .by_item = {items, ratings->item_start, ratings->item_other, ratings->item_value},
    };
    *out = ratings;
    return MICA_OK;
}

mica_status mica_ratings_adopt(const mica_rating_list *list, const mica_rating_names *names,
    const mica_ratings_options *options, mica_ratings **ratings) {
    struct shared_names *shared = mica_alloc(1, sizeof *shared);
    if (!shared)
        return MICA_E_MEMORY;
    atomic_init(&shared->owners, 1);
    shared->names = *names;
    mica_ratings_options of_ones = *options;
    if (options->implicit) /* the range was that of the values that the ones stand for */
        of_ones.lowest = of_ones.highest = 0;
    mica_status status = ratings_make(list, shared, &of_ones, ratings);
    if (status != MICA_OK)
        free(shared);
    return status;
}

mica_status mica_ratings_part(
    const mica_ratings *whole, const mica_rating_list *list, mica_ratings **ratings) {
    const mica_ratings_info *info = &whole->info;
    mica_ratings *part;
    MICA_TRY(ratings_make(
        list, whole->shared, &(mica_ratings_options){.implicit = info->implicit}, &part));
    part->info.lowest = info->lowest;
    part->info.highest = info->highest;
    atomic_fetch_add(&whole->shared->owners, 1);
    *ratings = part;
    return MICA_OK;
}

void mica_ratings_destroy(mica_ratings **owner) {
    mica_ratings *ratings = *owner;
    *owner = NULL;
    if (!ratings)
        return;
    if (ratings->shared && atomic_fetch_sub(&ratings->shared->owners, 1) == 1) {
        mica_rating_names_free(&ratings->shared->names);
        free(ratings->shared);
    }
    mica_rating_list_free(&ratings->list);
    free(ratings->user_start);
    free(ratings->user_other);
    free(ratings->user_value);
    free(ratings->item_start);
    free(ratings->item_other);
    free(ratings->item_value);
    free(ratings);
}

const mica_ratings_info *mica_ratings_get_info(const mica_ratings *ratings) {
    return &ratings->info;
}

int32_t mica_ratings_user(const mica_ratings *ratings, const char *id) {
    return mica_ids_find(&ratings->shared->names.users, id);
}

int32_t mica_ratings_item(const mica_ratings *ratings, const char *id) {
    return mica_ids_find(&ratings->shared->names.items, id);
}

/* ---- from arrays ---- */

mica_status mica_ratings_options_check(const mica_ratings_options *options) {
    if (!isfinite(options->lowest) || !isfinite(options->highest) || !isfinite(options->at_least) ||
        options->lowest > options->highest)
        return mica_fail(MICA_E_INVALID,
            "ratings: lowest %g, highest %g, at_least %g: wanted finite numbers, the lowest not "
            "above the highest",
            (double)options->lowest, (double)options->highest, (double)options->at_least);
    if (options->at_least != 0 && !options->implicit)
        return mica_fail(MICA_E_INVALID,
            "ratings: at_least %g is for implicit ratings: explicit ones all count",
            (double)options->at_least);
    return MICA_OK;
}

/* The ids "0", "1", ... */
static mica_status ids_number(mica_ids *ids, int32_t count) {
    for (int32_t i = 0, number; i < count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        MICA_TRY(mica_ids_number(ids, text, &number));
    }
    return MICA_OK;
}

static mica_status arrays_check(const mica_rating_list *from, int32_t users, int32_t items,
    const mica_ratings_options *options) {
    bool open = options->lowest == 0 && options->highest == 0;
    for (int64_t i = 0; i < from->count; i++) {
        float value = from->value[i];
        if (from->user[i] < 0 || from->user[i] >= users || from->item[i] < 0 ||
            from->item[i] >= items)
            return mica_fail(MICA_E_INVALID,
                "rating %lld: user %d, item %d: wanted users below %d and items below %d",
                (long long)i, from->user[i], from->item[i], users, items);
        if (!isfinite(value) || (!open && (value < options->lowest || value > options->highest)))
            return mica_fail(MICA_E_INVALID, "rating %lld: value %g: wanted %g to %g", (long long)i,
                (double)value, open ? -(double)INFINITY : (double)options->lowest,
                open ? (double)INFINITY : (double)options->highest);
    }
    return MICA_OK;
}

mica_status mica_ratings_from_arrays(const int32_t *user, const int32_t *item, const float *value,
    const int64_t *time, int64_t count, int32_t users, int32_t items,
    const mica_ratings_options *options, mica_ratings **ratings) {
    static const mica_ratings_options defaults;
    if (!options)
        options = &defaults;
    MICA_TRY(mica_ratings_options_check(options));
    if (!user || !item || !value || count < 1 || users < 1 || items < 1)
        return mica_fail(MICA_E_INVALID,
            "ratings from arrays: wanted users, items, values, and at least one of each; came %lld "
            "ratings of %d items by %d users%s",
            (long long)count, items, users, user && item && value ? "" : " and a NULL array");
    /* Only read from, whatever the type says. */
    mica_rating_list from = {
        count, (int32_t *)user, (int32_t *)item, (float *)value, (int64_t *)time};
    MICA_TRY(arrays_check(&from, users, items, options));
    mica_rating_list list = {0};
    mica_rating_names names = {0};
    mica_status status = mica_rating_list_make(count, time, &list);
    for (int64_t i = 0; i < count && status == MICA_OK; i++) {
        if (options->implicit && options->at_least != 0 && value[i] < options->at_least)
            continue;
        mica_rating_list_copy(&list, &from, i);
        if (options->implicit)
            list.value[list.count - 1] = 1;
    }
    if (status == MICA_OK)
        status = ids_number(&names.users, users);
    if (status == MICA_OK)
        status = ids_number(&names.items, items);
    if (status == MICA_OK && options->titles)
        status = mica_rating_titles_read(options->titles, &names);
    int64_t first = -1, again = -1;
    if (status == MICA_OK)
        status = mica_rating_list_repeated(&list, &names, options->implicit, &first, &again);
    if (status == MICA_OK && again >= 0)
        status =
            mica_fail(MICA_E_INVALID, "rating %lld: user %d rates item %d again, after rating %lld",
                (long long)again, user[again], item[again], (long long)first);
    if (status == MICA_OK)
        status = mica_ratings_adopt(&list, &names, options, ratings);
    if (status != MICA_OK) {
        mica_rating_list_free(&list);
        mica_rating_names_free(&names);
    }
    return status;
}
