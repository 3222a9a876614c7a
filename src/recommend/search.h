/* The neighbour search on a device. Knows rows of numbers; not what they rate, nor files. */
#ifndef MICA_RECOMMEND_SEARCH_H
#define MICA_RECOMMEND_SEARCH_H

#include <mica/recommend.h>

/* Which rows are compared, and how. */
typedef struct mica_search {
    mica_ratings_rows rows; /* `value` prepared as the similarity wants it: search_values */
    int32_t others;         /* numbers on the other side */
    mica_similarity similarity;
    float shrinkage;
    int32_t k, min_overlap; /* k from 1 to rows - 1 */

    /* The most rows of a tile, and entries of a block of the other side; 0: the default. */
    int32_t tile, block;

    void (*progress)(void *user, double done);
    void *user;
    const volatile int *stop;
} mica_search;

/* ids and similarities (rows, k), sorted; -1 and 0 behind a row's last neighbour. */
mica_status mica_search_run(
    const mica_search *search, mica_device *device, int32_t *ids, float *similarities);

/* The values that a similarity is computed from, one a rating of `rows`: cosine divides a row by
 * its length; adjusted cosine takes off the mean of the other side's line, Pearson the row's own
 * mean (which changes nothing but keeps sums in float32 exact), and both divide by `range`, above
 * 0, so that what is next to nothing can be told and becomes 0. lines: the other side's view of the
 * same ratings. */
mica_status mica_search_values(const mica_ratings_rows *rows, const mica_ratings_rows *lines,
    mica_similarity similarity, double range, float **values);

#endif
