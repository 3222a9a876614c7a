/* How far predictions are off, and how well items are ranked. Knows models only by their answers.
 */
#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <mica/ratings.h>
#include <stdlib.h>
#include <string.h>

#define PREDICTIONS 4096               /* asked for at once */
#define SCORES      ((int64_t)1 << 20) /* the same, at least one user's */

/* ---- errors ---- */

mica_status mica_ratings_errors(
    const mica_ratings *test, mica_predictor predictor, void *context, mica_rating_errors *errors) {
    const mica_ratings_info *info = mica_ratings_get_info(test);
    float *predicted = mica_alloc(PREDICTIONS, sizeof *predicted);
    if (!predicted)
        return MICA_E_MEMORY;
    mica_status status = MICA_OK;
    double squares = 0, sizes = 0;
    for (int64_t first = 0; first < info->count && status == MICA_OK; first += PREDICTIONS) {
        int64_t left = info->count - first, count = left < PREDICTIONS ? left : PREDICTIONS;
        status = predictor(context, info->user + first, info->item + first, count, predicted);
        for (int64_t i = 0; i < count && status == MICA_OK; i++) {
            float value = predicted[i];
            if (!isfinite(value))
                status = mica_fail(MICA_E_NUMERIC, "user %s, item %s: the prediction is %g",
                    info->user_ids[info->user[first + i]], info->item_ids[info->item[first + i]],
                    (double)value);
            value = value < info->lowest ? info->lowest : value;
            value = value > info->highest ? info->highest : value;
            double error = (double)value - (double)info->value[first + i];
            squares += error * error;
            sizes += fabs(error);
        }
    }
    free(predicted);
    if (status == MICA_OK)
        *errors =
            (mica_rating_errors){sqrt(squares / (double)info->count), sizes / (double)info->count};
    return status;
}

/* ---- ranking ---- */

struct ranker {
    const mica_ratings_info *train, *test;
    float relevant;
    int32_t k;
    int32_t *best; /* (k): the items that are ranked first */
    bool *listed;  /* (items): in someone's first k */
    mica_ranking sums;
};

/* How many items of the user's test ratings are a hit to find. */
static int64_t hits_wanted(const struct ranker *r, int32_t user) {
    const mica_ratings_rows *rows = &r->test->by_user;
    int64_t count = 0;
    for (int64_t i = rows->start[user]; i < rows->start[user + 1]; i++)
        count += rows->value[i] >= r->relevant;
    return count;
}

static bool is_hit(const struct ranker *r, int32_t user, int32_t item) {
    const mica_ratings_rows *rows = &r->test->by_user;
    int64_t first = rows->start[user], end = rows->start[user + 1];
    while (first < end) {
        int64_t middle = first + (end - first) / 2;
        if (rows->other[middle] < item)
            first = middle + 1;
        else
            end = middle;
    }
    return first < rows->start[user + 1] && rows->other[first] == item &&
           rows->value[first] >= r->relevant;
}

/* Puts the k best-scored items that the user has not in the training part into best; returns how
 * many there are. Items come in ascending order, so that equal scores stay in that of the items. */
static int32_t best_find(const struct ranker *r, int32_t user, const float *scores) {
    const mica_ratings_rows *seen = &r->train->by_user;
    int64_t next = seen->start[user], end = seen->start[user + 1];
    int32_t count = 0;
    for (int32_t item = 0; item < r->train->items; item++) {
        if (next < end && seen->other[next] == item) {
            next++;
            continue;
        }
        if (count == r->k && !(scores[item] > scores[r->best[count - 1]]))
            continue;
        int32_t at = count < r->k ? count++ : count - 1;
        for (; at > 0 && scores[item] > scores[r->best[at - 1]]; at--)
            r->best[at] = r->best[at - 1];
        r->best[at] = item;
    }
    return count;
}

static mica_status user_rank(struct ranker *r, int32_t user, const float *scores) {
    for (int32_t item = 0; item < r->train->items; item++)
        if (isnan(scores[item]))
            return mica_fail(MICA_E_NUMERIC, "user %s, item %s: the score is no number",
                r->train->user_ids[user], r->train->item_ids[item]);
    int64_t wanted = hits_wanted(r, user), hits = 0;
    int32_t count = best_find(r, user, scores);
    double gain = 0, ideal = 0;
    for (int32_t i = 0; i < count; i++) {
        r->listed[r->best[i]] = true;
        if (is_hit(r, user, r->best[i])) {
            hits++;
            gain += 1 / log2(i + 2.0);
        }
    }
    for (int32_t i = 0; i < r->k && i < wanted; i++)
        ideal += 1 / log2(i + 2.0);
    r->sums.precision += (double)hits / r->k;
    r->sums.recall += (double)hits / (double)wanted;
    r->sums.ndcg += gain / ideal;
    r->sums.users++;
    return MICA_OK;
}

/* Asks for the scores of `count` users and ranks by them. */
static mica_status users_rank(struct ranker *r, mica_scorer scorer, void *context,
    const int32_t *users, int64_t count, float *scores) {
    if (count)
        MICA_TRY(scorer(context, users, count, scores));
    for (int64_t i = 0; i < count; i++)
        MICA_TRY(user_rank(r, users[i], scores + i * r->train->items));
    return MICA_OK;
}

static mica_status all_rank(struct ranker *r, mica_scorer scorer, void *context) {
    int64_t items = r->train->items, most = SCORES / items ? SCORES / items : 1, count = 0;
    most = most < r->train->users ? most : r->train->users;
    int32_t *users = mica_alloc((size_t)most, sizeof *users);
    float *scores = mica_alloc((size_t)(most * items), sizeof *scores);
    mica_status status = users && scores ? MICA_OK : MICA_E_MEMORY;
    for (int32_t user = 0; user < r->train->users && status == MICA_OK; user++) {
        if (!hits_wanted(r, user))
            continue;
        users[count++] = user;
        if (count == most) {
            status = users_rank(r, scorer, context, users, count, scores);
            count = 0;
        }
    }
    if (status == MICA_OK)
        status = users_rank(r, scorer, context, users, count, scores);
    free(users);
    free(scores);
    return status;
}

mica_status mica_ratings_ranking(const mica_ratings *train, const mica_ratings *test,
    float relevant, int32_t k, mica_scorer scorer, void *context, mica_ranking *ranking) {
    struct ranker r = {.train = mica_ratings_get_info(train),
        .test = mica_ratings_get_info(test),
        .relevant = relevant,
        .k = k};
    if (r.train->users != r.test->users || r.train->items != r.test->items)
        return mica_fail(MICA_E_INVALID,
            "ranking: %d users and %d items in training, %d and %d in test: wanted parts of one "
            "split",
            r.train->users, r.train->items, r.test->users, r.test->items);
    if (k < 1 || k > r.train->items)
        return mica_fail(MICA_E_INVALID, "ranking: the first %d of %d items: wanted 1 to %d", k,
            r.train->items, r.train->items);
    r.best = mica_alloc((size_t)k, sizeof *r.best);
    r.listed = mica_alloc((size_t)r.train->items, sizeof *r.listed);
    mica_status status = r.best && r.listed ? all_rank(&r, scorer, context) : MICA_E_MEMORY;
    if (status == MICA_OK && !r.sums.users)
        status = mica_fail(MICA_E_INVALID,
            "ranking: no test rating is at least %g, so no hit is "
            "there to find",
            (double)relevant);
    if (status == MICA_OK) {
        double users = (double)r.sums.users;
        int64_t listed = 0;
        for (int32_t i = 0; i < r.train->items; i++)
            listed += r.listed[i];
        *ranking = (mica_ranking){.precision = r.sums.precision / users,
            .recall = r.sums.recall / users,
            .ndcg = r.sums.ndcg / users,
            .coverage = (double)listed / r.train->items,
            .users = r.sums.users};
    }
    free(r.best);
    free(r.listed);
    return status;
}
