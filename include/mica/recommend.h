/* Recommending: neighbourhood models of ratings, and what runs of any recommending model advise. */
#ifndef MICA_RECOMMEND_H
#define MICA_RECOMMEND_H

#include <mica/device.h>
#include <mica/ratings.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- neighbourhood models ---- */

/* Whose neighbours are looked for. */
typedef enum mica_neighbours_by {
    MICA_BY_ITEMS, /* "users who liked this item also liked": rows are items */
    MICA_BY_USERS  /* "users who are similar to you also liked": rows are users */
} mica_neighbours_by;

/* How much two rows a, b of the ratings are alike, -1 .. 1. C are the entries that both have, n
 * their number:
 *   cosine           sum_C a b / (|a| |b|): entries without a rating count as 0
 *   adjusted cosine  of items: sum_C a' b' / sqrt(sum_C a'^2 sum_C b'^2), a' = a - the mean of the
 *                    user who gave it; Sarwar, Karypis, Konstan, Riedl, "Item-based collaborative
 *                    filtering recommendation algorithms", 2001
 *   Pearson          the correlation of a and b over C, each less its mean over C; Herlocker,
 *                    Konstan, Borchers, Riedl, "An algorithmic framework for performing
 *                    collaborative filtering", 1999
 * where a sum below the root is 0 the similarity is 0. Each is then shrunk by n / (n + shrinkage),
 * for few common entries say little: Bell and Koren, "Scalable collaborative filtering with jointly
 * derived neighborhood interpolation weights", 2007. */
typedef enum mica_similarity { MICA_COSINE, MICA_ADJUSTED_COSINE, MICA_PEARSON } mica_similarity;

/* Zero means the default. */
typedef struct mica_neighbours_options {
    mica_neighbours_by by;
    mica_similarity similarity;
    float shrinkage; /* 0: none */
    int32_t k;       /* neighbours of a row, at most 1024 and one less than there are rows; 0: 50 */
    int32_t min_overlap; /* fewer common entries make no neighbours; 0: 2 */

    /* Called by the thread that creates the model, with the part that is done, 0 .. 1. */
    void (*progress)(void *user, double done);
    void *user;
    /* Creating ends with MICA_E_INTERRUPTED soon after this becomes nonzero. May be NULL. */
    const volatile int *stop;
} mica_neighbours_options;

/* The neighbours of each row of the ratings. One thread at a time. */
typedef struct mica_neighbours mica_neighbours;

/* Finds, for each row, the k most similar others, the most similar first and of equals the lower
 * number. Tiles of rows x rows are matrix products on the device over blocks of the other side,
 * from which it keeps the k best of each row, so that memory is k times the rows and some tiles,
 * never rows squared nor users times items. Ratings that are all implicit take cosine only, users
 * no adjusted cosine. MICA_E_INVALID where there are fewer than 2 rows, or no two with enough in
 * common. The ratings must outlive the model; the device need not. */
MICA_API mica_status mica_neighbours_create(const mica_ratings *ratings, mica_device *device,
    const mica_neighbours_options *options, mica_neighbours **model);
MICA_API void mica_neighbours_destroy(mica_neighbours **model);

/* Saves the neighbours as a safetensors file, and loads them for the same ratings: a file that does
 * not fit them is MICA_E_FORMAT. */
MICA_API mica_status mica_neighbours_save(const mica_neighbours *model, const char *path);
MICA_API mica_status mica_neighbours_load(
    const mica_ratings *ratings, const char *path, mica_neighbours **model);

typedef struct mica_neighbours_info {
    mica_neighbours_by by;
    mica_similarity similarity;
    float shrinkage;
    int32_t min_overlap;
    int32_t rows, k;            /* k as it was used */
    const int32_t *ids;         /* (rows, k), -1 behind a row's last neighbour */
    const float *similarity_of; /* (rows, k), 0 there */
} mica_neighbours_info;

/* Lives as long as the model. */
MICA_API const mica_neighbours_info *mica_neighbours_get_info(const mica_neighbours *model);

/* A mica_predictor whose context is the model. With b(u, i) = mean + bias of u + bias of i (damped
 * by 5: mica_baseline_create), by items
 *   b(u, i) + sum_j s(i, j) (r(u, j) - b(u, j)) / sum_j |s(i, j)|
 * over the neighbours j of i that u has rated, and by users the same over the neighbours v of u who
 * have rated i, with s(u, v) (r(v, i) - b(v, i)); b(u, i) alone where there is none. Koren, "Factor
 * in the neighbors", 2010, section 2.2. */
MICA_API mica_status mica_neighbours_predict(
    void *model, const int32_t *user, const int32_t *item, int64_t count, float *value);

/* A mica_scorer whose context is the model, for ranking: by items sum_j s(j, i) r(u, j) over the
 * items j that u has rated and whose neighbour i is; by users sum_v s(u, v) r(v, i) over the
 * neighbours v of u; similarities above 0 only. It is not divided by the sum of similarities, which
 * ranks what one odd neighbour liked first: Cremonesi, Koren, Turrin, "Performance of recommender
 * algorithms on top-N recommendation tasks", 2010. Computed on the host, in time proportional to
 * the user's ratings, or neighbours' ratings, times k. */
MICA_API mica_status mica_neighbours_score(
    void *model, const int32_t *user, int64_t count, float *scores);

/* ---- what a run recommends ---- */

/* A run on ratings, opened with them: of a neighbourhood model or of a network that scores pairs of
 * users and items (matrix factorization). One thread at a time. */
typedef struct mica_recommender mica_recommender;

/* MICA_E_UNSUPPORTED: the run is not of ratings; MICA_E_INVALID: these are not those that it was
 * trained with. run: its folder. data: where its ratings are looked for, as in mica_train_options.
 * device, as for mica_device_open, is opened for networks only: neighbours were found when the run
 * was made. */
MICA_API mica_status mica_recommender_open(
    const char *run, const char *data, const char *device, mica_recommender **recommender);
MICA_API void mica_recommender_destroy(mica_recommender **recommender);

/* What the run learned from: ids, titles and numbers of users and items. Lives as long as the
 * recommender. */
MICA_API const mica_ratings *mica_recommender_ratings(const mica_recommender *recommender);

/* The model of a neighbourhood run; NULL: it is a network. */
MICA_API mica_neighbours *mica_recommender_neighbours(const mica_recommender *recommender);

typedef struct mica_recommendation {
    int32_t item;
    float score;
} mica_recommendation;

/* The best items for a user, at most `room` of them, the best first and of equals the lower number:
 * by mica_neighbours_score, items of score 0 left out, or by what the network foresees.
 * exclude_seen leaves out all that the user has rated, in any part of the ratings. *count gets how
 * many there are. MICA_E_INVALID: there is no user, or item, of that number. */
MICA_API mica_status mica_recommend_user(mica_recommender *recommender, int32_t user,
    bool exclude_seen, mica_recommendation *items, size_t room, size_t *count);

/* The items most similar to one, the same way: of a model by items its neighbours; of a model by
 * users the cosine of the two items' ratings, shrunk and with the least overlap as the model's
 * own; of a network the cosine of the items' rows in the last embedding that has a row of two or
 * more numbers for each item (MICA_E_UNSUPPORTED where there is none). */
MICA_API mica_status mica_recommend_item(mica_recommender *recommender, int32_t item,
    mica_recommendation *items, size_t room, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
