/* The representation of ratings, shared by what reads and what splits them. */
#ifndef MICA_DATA_RATINGS_H
#define MICA_DATA_RATINGS_H

#include "base/ids.h"

#include <mica/ratings.h>

/* What the parts of a split share. */
typedef struct mica_rating_names {
    mica_ids users, items;
    char **titles; /* by item; NULL: there are none */
    char *note;    /* see mica_ratings_info */
} mica_rating_names;

/* Ratings in the file's order, each array made by malloc. */
typedef struct mica_rating_list {
    int64_t count;
    int32_t *user, *item;
    float *value;
    int64_t *time; /* NULL: none */
} mica_rating_list;

void mica_rating_names_free(mica_rating_names *names);
void mica_rating_list_free(mica_rating_list *list);

/* An empty list with room for `count`. */
mica_status mica_rating_list_make(int64_t count, bool time, mica_rating_list *list);

/* list[list->count++] = from[at]; there must be room. */
void mica_rating_list_copy(mica_rating_list *list, const mica_rating_list *from, int64_t at);

/* Finds the first rating whose user and item came before: *again, and the one before in *first; -1
 * if there is none. With `drop`, such ratings are left out instead. */
mica_status mica_rating_list_repeated(mica_rating_list *list, const mica_rating_names *names,
    bool drop, int64_t *first, int64_t *again);

/* Makes ratings of a list without repetitions, taking over the list's arrays, and the names'. The
 * range where both ends are 0 is that of the values. On failure all stays the caller's. */
mica_status mica_ratings_adopt(const mica_rating_list *list, const mica_rating_names *names,
    const mica_ratings_options *options, mica_ratings **ratings);

/* The same of a part, with the names and the range of the whole. */
mica_status mica_ratings_part(
    const mica_ratings *whole, const mica_rating_list *list, mica_ratings **ratings);

/* Checks what is common to all readers. */
mica_status mica_ratings_options_check(const mica_ratings_options *options);

/* Adds titles from the file (mica_ratings_options) to the names. */
mica_status mica_rating_titles_read(const char *path, mica_rating_names *names);

#endif
