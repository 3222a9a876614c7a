/* Training and test parts of ratings. */
#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/ratings.h"

#include <stdlib.h>
#include <string.h>

/* Each marks the ratings of the test part in `test`, one flag a rating. */

static mica_status random_mark(
    const mica_ratings_info *info, const mica_ratings_split_options *options, bool *test) {
    double part = options->part != 0 ? options->part : 0.2;
    if (!(part > 0 && part < 1))
        return mica_fail(MICA_E_INVALID, "split: part %g: wanted one between 0 and 1", part);
    for (int64_t i = 0; i < info->count; i++) {
        uint64_t hash = mica_hash_text(MICA_HASH_START, info->user_ids[info->user[i]]);
        hash = mica_hash_text(hash, info->item_ids[info->item[i]]);
        test[i] = mica_hash_unit(options->seed, hash) < part;
    }
    return MICA_OK;
}

struct moment {
    int32_t user;
    int64_t time, at; /* `at`: the rating's number */
};

static int moment_compare(const void *a, const void *b) {
    const struct moment *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

static mica_status last_mark(
    const mica_ratings_info *info, const mica_ratings_split_options *options, bool *test) {
    int32_t last = options->last ? options->last : 1;
    if (last < 1)
        return mica_fail(MICA_E_INVALID, "split: last %d: wanted at least 1", last);
    if (!info->time)
        return mica_fail(MICA_E_INVALID,
            "split: each user's last ratings: the ratings have no times; split at random instead");
    struct moment *moments = mica_alloc((size_t)info->count, sizeof *moments);
    if (!moments)
        return MICA_E_MEMORY;
    for (int64_t i = 0; i < info->count; i++)
        moments[i] = (struct moment){info->user[i], info->time[i], i};
    qsort(moments, (size_t)info->count, sizeof *moments, moment_compare);
    for (int32_t u = 0; u < info->users; u++) {
        int64_t first = info->by_user.start[u], end = info->by_user.start[u + 1];
        for (int64_t i = end - last; i < end && end - first > last; i++)
            test[moments[i].at] = true;
    }
    free(moments);
    return MICA_OK;
}

static mica_status fold_mark(
    const mica_ratings_info *info, const mica_ratings_split_options *options, bool *test) {
    int32_t folds = options->folds ? options->folds : 5, fold = options->fold ? options->fold : 1;
    if (folds < 2 || fold < 1 || fold > folds)
        return mica_fail(MICA_E_INVALID,
            "split: fold %d of %d: wanted one from 1 on, of at least 2", fold, folds);
    /* no product of counts that could overflow */
    int64_t whole = info->count / folds, more = info->count % folds;
    int64_t first = whole * (fold - 1) + more * (fold - 1) / folds;
    int64_t end = whole * fold + more * fold / folds;
    for (int64_t i = first; i < end; i++)
        test[i] = true;
    return MICA_OK;
}

/* Has some row ratings in both? */
static bool overlap(const mica_ratings_rows *a, const mica_ratings_rows *b) {
    for (int32_t r = 0; r < a->rows; r++)
        if (a->start[r] < a->start[r + 1] && b->start[r] < b->start[r + 1])
            return true;
    return false;
}

static mica_status parts_check(const mica_ratings *train, const mica_ratings *test) {
    const mica_ratings_info *a = mica_ratings_get_info(train), *b = mica_ratings_get_info(test);
    const char *none = !overlap(&a->by_user, &b->by_user)   ? "user"
                       : !overlap(&a->by_item, &b->by_item) ? "item"
                                                            : NULL;
    return none ? mica_fail(MICA_E_INVALID,
                      "split: no overlap: no %s has ratings in both parts; split at random instead",
                      none)
                : MICA_OK;
}

/* Makes the part of the ratings whose flag is `wanted`. */
static mica_status part_make(
    const mica_ratings *whole, const bool *test, bool wanted, mica_ratings **part) {
    const mica_ratings_info *info = mica_ratings_get_info(whole);
    mica_rating_list list, from = {info->count, (int32_t *)info->user, (int32_t *)info->item,
                               (float *)info->value, (int64_t *)info->time};
    int64_t count = 0;
    for (int64_t i = 0; i < info->count; i++)
        count += test[i] == wanted;
    if (!count)
        return mica_fail(MICA_E_INVALID,
            "split: nothing of %lld ratings is for the %s part: give more ratings, or another part",
            (long long)info->count, wanted ? "test" : "training");
    MICA_TRY(mica_rating_list_make(count, info->time, &list));
    for (int64_t i = 0; i < info->count; i++)
        if (test[i] == wanted)
            mica_rating_list_copy(&list, &from, i);
    mica_status status = mica_ratings_part(whole, &list, part);
    if (status != MICA_OK)
        mica_rating_list_free(&list);
    return status;
}

mica_status mica_ratings_split(const mica_ratings *ratings,
    const mica_ratings_split_options *options, mica_ratings **train, mica_ratings **test) {
    static const mica_ratings_split_options defaults;
    static mica_status (*const marks[])(
        const mica_ratings_info *, const mica_ratings_split_options *, bool *) = {
        [MICA_SPLIT_RANDOM] = random_mark,
        [MICA_SPLIT_LAST] = last_mark,
        [MICA_SPLIT_FOLD] = fold_mark,
    };
    if (!options)
        options = &defaults;
    if ((size_t)options->kind >= sizeof marks / sizeof *marks)
        return mica_fail(MICA_E_INVALID, "split: there is no kind %d", (int)options->kind);
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    bool *flags = mica_alloc((size_t)info->count, sizeof *flags);
    if (!flags)
        return MICA_E_MEMORY;
    mica_ratings *a = NULL, *b = NULL;
    mica_status status = marks[options->kind](info, options, flags);
    if (status == MICA_OK)
        status = part_make(ratings, flags, false, &a);
    if (status == MICA_OK)
        status = part_make(ratings, flags, true, &b);
    if (status == MICA_OK)
        status = parts_check(a, b);
    free(flags);
    if (status != MICA_OK) {
        mica_ratings_destroy(&a);
        mica_ratings_destroy(&b);
        return status;
    }
    *train = a;
    *test = b;
    return MICA_OK;
}
