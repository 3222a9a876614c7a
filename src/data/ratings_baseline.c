/* Models that know nothing of tastes, for others to be measured against. */
#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <mica/ratings.h>
#include <stdlib.h>

struct mica_baseline {
    int32_t users, items;
    float mean;
    float *user_bias, *item_bias;
    float *popularity; /* by item */
};

/* The damped mean of what `others` (NULL: 0) and the mean leave of each row. */
static void biases_find(
    const mica_ratings_rows *rows, double mean, const float *others, double damping, float *bias) {
    for (int32_t r = 0; r < rows->rows; r++) {
        double sum = 0;
        for (int64_t i = rows->start[r]; i < rows->start[r + 1]; i++)
            sum += (double)rows->value[i] - mean - (others ? (double)others[rows->other[i]] : 0);
        double weight = damping + (double)(rows->start[r + 1] - rows->start[r]);
        bias[r] = weight > 0 ? (float)(sum / weight) : 0;
    }
}

mica_status mica_baseline_create(const mica_ratings *train, float damping, mica_baseline **out) {
    if (!(damping >= 0) || !isfinite(damping))
        return mica_fail(
            MICA_E_INVALID, "baseline: damping %g: wanted a number from 0 on", (double)damping);
    const mica_ratings_info *info = mica_ratings_get_info(train);
    mica_baseline *baseline = mica_alloc(1, sizeof *baseline);
    if (!baseline)
        return MICA_E_MEMORY;
    size_t users = (size_t)info->users, items = (size_t)info->items;
    *baseline = (mica_baseline){
        .users = info->users,
        .items = info->items,
        .mean = (float)info->mean,
        .user_bias = mica_alloc(users, sizeof(float)),
        .item_bias = mica_alloc(items, sizeof(float)),
        .popularity = mica_alloc(items, sizeof(float)),
    };
    if (!baseline->user_bias || !baseline->item_bias || !baseline->popularity) {
        mica_baseline_destroy(&baseline);
        return MICA_E_MEMORY;
    }
    biases_find(&info->by_item, info->mean, NULL, (double)damping, baseline->item_bias);
    biases_find(
        &info->by_user, info->mean, baseline->item_bias, (double)damping, baseline->user_bias);
    for (int32_t i = 0; i < info->items; i++)
        baseline->popularity[i] = (float)(info->by_item.start[i + 1] - info->by_item.start[i]);
    *out = baseline;
    return MICA_OK;
}

void mica_baseline_destroy(mica_baseline **baseline) {
    if (!*baseline)
        return;
    free((*baseline)->user_bias);
    free((*baseline)->item_bias);
    free((*baseline)->popularity);
    free(*baseline);
    *baseline = NULL;
}

static mica_status pair_check(const mica_baseline *b, int32_t user, int32_t item) {
    if (user >= 0 && user < b->users && item >= 0 && item < b->items)
        return MICA_OK;
    return mica_fail(MICA_E_INVALID,
        "baseline: user %d, item %d: wanted users below %d and items "
        "below %d",
        user, item, b->users, b->items);
}

mica_status mica_baseline_mean(
    void *baseline, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    const mica_baseline *b = baseline;
    for (int64_t i = 0; i < count; i++) {
        MICA_TRY(pair_check(b, user[i], item[i]));
        value[i] = b->mean;
    }
    return MICA_OK;
}

mica_status mica_baseline_biases(
    void *baseline, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    const mica_baseline *b = baseline;
    for (int64_t i = 0; i < count; i++) {
        MICA_TRY(pair_check(b, user[i], item[i]));
        value[i] = b->mean + b->user_bias[user[i]] + b->item_bias[item[i]];
    }
    return MICA_OK;
}

mica_status mica_baseline_popularity(
    void *baseline, const int32_t *user, int64_t count, float *scores) {
    const mica_baseline *b = baseline;
    for (int64_t i = 0; i < count; i++) {
        MICA_TRY(pair_check(b, user[i], 0));
        for (int32_t item = 0; item < b->items; item++)
            scores[i * b->items + item] = b->popularity[item];
    }
    return MICA_OK;
}
