/* Ratings of items by users, in host memory: reading, splitting, and measuring what a model of them
 * foresees. */
#ifndef MICA_RATINGS_H
#define MICA_RATINGS_H

#include <mica/data.h>
#include <mica/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A set of ratings. It never changes after it was made, so any number of threads may read it. Users
 * and items are numbered from 0 in the order in which they were first met; the parts of a split
 * share the numbers of the whole. */
typedef struct mica_ratings mica_ratings;

typedef enum mica_ratings_format {
    MICA_RATINGS_AUTO,     /* as the first line looks */
    MICA_RATINGS_CSV,      /* user,item,value[,time], "quoted" where need be */
    MICA_RATINGS_TSV,      /* the same with tabs, no quotes: MovieLens 100K's u.data */
    MICA_RATINGS_MOVIELENS /* user::item::value::time: MovieLens 1M and 10M */
} mica_ratings_format;

/* Zero means the default. */
typedef struct mica_ratings_options {
    mica_ratings_format format;
    bool implicit;         /* each line tells of an interest: it needs no value, and becomes 1; one
                              that repeats a pair tells nothing new and is left out */
    float lowest, highest; /* values must lie between; both 0: any finite number */
    float at_least;        /* implicit: lines with smaller values are left out; 0: all count */
    const char *titles;    /* file whose lines begin with an item's id and its title, or whose first
                              line names the columns that have them: CSV, TSV, MovieLens' u.item and
                              movies.dat; in UTF-8 or ISO-8859-1; NULL: none */
    const char *const *columns; /* `n_columns`, 2 to 4: which columns are user, item, value and
                                   time; by their names in the first line or their numbers from 1 */
    size_t n_columns;           /* 0: as the first line says, or in that order */
} mica_ratings_options;

/* One side's view: for row r (a user or an item) the others that it goes with stand at start[r] ..
 * start[r + 1] - 1 of `other`, ascending, with their `value`. */
typedef struct mica_ratings_rows {
    int32_t rows;
    const int64_t *start; /* rows + 1 */
    const int32_t *other;
    const float *value;
} mica_ratings_rows;

typedef struct mica_ratings_info {
    int64_t count;
    int32_t users, items;
    uint64_t ids_hash; /* of the ids in the order of their numbers, which a model relies on */
    const char *const *user_ids; /* as in the file */
    const char *const *item_ids;
    const char *const *titles;  /* by item, NULL where there is none; NULL: there are none at all */
    const int32_t *user, *item; /* `count` each, in the file's order */
    const float *value;
    const int64_t *time; /* seconds; NULL: the file has none */
    float lowest,
        highest; /* as the options say, or the values met; of a part: those of the whole */
    double mean; /* of the values; of a part: of its own */
    bool implicit;
    const char *note; /* "FILE: " and which columns were taken, where that is not plain, and how
                         many lines were left out; or NULL */
    mica_ratings_rows by_user, by_item;
} mica_ratings_info;

/* Reads a file, plain or gzip, or NAME in a tar archive (ARCHIVE.tar.gz/NAME). Ids are any texts
 * without their outer spaces; numbers are decimal, with a point. A first line of column names says
 * which column is which, in any order, by their usual spellings (userId, item_id, isbn, score,
 * date); names that are not known need options->columns. A line that is no rating, a
 * value out of range and a pair that is rated twice are MICA_E_FORMAT: "FILE:LINE: ..." says which;
 * so are ratings of one user or one item only. options may be NULL. Formats: GroupLens, "MovieLens
 * datasets". */
MICA_API mica_status mica_ratings_read(
    const char *path, const mica_ratings_options *options, mica_ratings **ratings);

/* Copies `count` ratings of users 0 .. users - 1 and items 0 .. items - 1; time may be NULL. Ids
 * are the numbers. */
MICA_API mica_status mica_ratings_from_arrays(const int32_t *user, const int32_t *item,
    const float *value, const int64_t *time, int64_t count, int32_t users, int32_t items,
    const mica_ratings_options *options, mica_ratings **ratings);

MICA_API void mica_ratings_destroy(mica_ratings **ratings);

/* Lives as long as the ratings. */
MICA_API const mica_ratings_info *mica_ratings_get_info(const mica_ratings *ratings);

/* The number of the user or item with that id; -1: there is none. */
MICA_API int32_t mica_ratings_user(const mica_ratings *ratings, const char *id);
MICA_API int32_t mica_ratings_item(const mica_ratings *ratings, const char *id);

typedef enum mica_ratings_split_kind {
    MICA_SPLIT_RANDOM, /* about `part` of all ratings: whether one belongs to it is drawn from the
                          seed and a hash of the ids of its user and item, so that others that are
                          added or sorted change nothing */
    MICA_SPLIT_LAST,   /* each user's `last` latest ratings by time, of those with more; among equal
                          times the later in the file */
    MICA_SPLIT_FOLD    /* the fold-th of `folds` equal runs of the file's lines */
} mica_ratings_split_kind;

/* Zero means the default. */
typedef struct mica_ratings_split_options {
    mica_ratings_split_kind kind;
    uint64_t seed;
    double part;   /* below 1; 0: 0.2 */
    int32_t last;  /* 0: 1 */
    int32_t folds; /* 0: 5 */
    int32_t fold;  /* from 1; 0: 1 */
} mica_ratings_split_options;

/* Both parts number users and items as the whole does, keep its order and may outlive it. A part
 * without ratings is refused, and so are parts without a user or without an item in common (a file
 * sorted by users, in folds): what is learned from one would say nothing about the other. */
MICA_API mica_status mica_ratings_split(const mica_ratings *ratings,
    const mica_ratings_split_options *options, mica_ratings **train, mica_ratings **test);

/* Makes a data set of int32 samples (user, item). With `seen` NULL the target is one float32, the
 * value minus `middle` (such as the training ratings' mean, which a network need not learn then).
 * With `seen`, ratings of the same users and items, samples are (user, item, another item): an item
 * that the user has not rated in `seen`, drawn anew for each epoch; there is no target to speak of
 * (class 0 of 1). That is what BPR learns from. The data set keeps what it needs of both. */
MICA_API mica_status mica_dataset_from_ratings(
    const mica_ratings *ratings, const mica_ratings *seen, float middle, mica_dataset **dataset);

/* ---- how good is a model? ---- */

/* Predicts `count` ratings. */
typedef mica_status (*mica_predictor)(
    void *context, const int32_t *user, const int32_t *item, int64_t count, float *value);

/* Scores all items for each of `count` users: scores (count, items); the higher the better. */
typedef mica_status (*mica_scorer)(
    void *context, const int32_t *user, int64_t count, float *scores);

typedef struct mica_rating_errors {
    double rmse, mae; /* after the predictions were cut to lowest .. highest */
} mica_rating_errors;

/* A prediction that is not finite is MICA_E_NUMERIC. */
MICA_API mica_status mica_ratings_errors(
    const mica_ratings *test, mica_predictor predictor, void *context, mica_rating_errors *errors);

typedef struct mica_ranking {
    double precision, recall; /* at k, means over the users with a hit to find in `test` */
    double ndcg;              /* at k: gain 1, discount log2(rank + 1); Jaervelin and Kekaelaeinen,
                                 "Cumulated gain-based evaluation of IR techniques", 2002 */
    double coverage;          /* the part of all items that is in some of these users' first k */
    int64_t users;            /* that were counted */
} mica_ranking;

/* Ranks, for each user, the items that are not in `train`; a test rating of at least `relevant` is
 * a hit to find. Ties go to the lower item number. No hit to find at all is MICA_E_INVALID, a score
 * that is NaN MICA_E_NUMERIC. */
MICA_API mica_status mica_ratings_ranking(const mica_ratings *train, const mica_ratings *test,
    float relevant, int32_t k, mica_scorer scorer, void *context, mica_ranking *ranking);

/* Baselines made of the training ratings: the context is the mica_baseline. */
typedef struct mica_baseline mica_baseline;

/* mean + user's bias + item's bias, by damped means: the bias of an item is sum(value - mean) /
 * (damping + n), that of a user the same of what is then left. Who has no ratings has bias 0. */
MICA_API mica_status mica_baseline_create(
    const mica_ratings *train, float damping, mica_baseline **baseline);
MICA_API void mica_baseline_destroy(mica_baseline **baseline);
MICA_API mica_status mica_baseline_mean(void *baseline, const int32_t *user, const int32_t *item,
    int64_t count, float *value); /* the mean of all, always */
MICA_API mica_status mica_baseline_biases(
    void *baseline, const int32_t *user, const int32_t *item, int64_t count, float *value);
MICA_API mica_status mica_baseline_popularity(
    void *baseline, const int32_t *user, int64_t count, float *scores); /* ratings of each item */

#ifdef __cplusplus
}
#endif
#endif
