/* Splits of ratings, metrics by hand and against brute force, baselines. */
#include "tests/io/temp.h"

#include <math.h>
#include <mica/ratings.h>
#include <stdio.h>
#include <stdlib.h>

/* Ratings of arrays, with no options. */
static mica_ratings *make(const int32_t *user, const int32_t *item, const float *value,
    const int64_t *time, int64_t count, int32_t users, int32_t items) {
    mica_ratings *ratings;
    ck_ok(mica_ratings_from_arrays(user, item, value, time, count, users, items, NULL, &ratings));
    return ratings;
}

/* A dense set: user u rates item i where (u + i) % 3 != 0, at a time that goes against the order.
 */
static mica_ratings *grid(int32_t users, int32_t items, bool timed) {
    int64_t room = (int64_t)users * items, count = 0;
    int32_t *user = calloc((size_t)room, sizeof *user), *item = calloc((size_t)room, sizeof *item);
    float *value = calloc((size_t)room, sizeof *value);
    int64_t *time = calloc((size_t)room, sizeof *time);
    for (int32_t i = 0; i < items; i++)
        for (int32_t u = 0; u < users; u++)
            if ((u + i) % 3) {
                user[count] = u;
                item[count] = i;
                value[count] = (float)((u * 7 + i * 5) % 9) / 2 + 1;
                time[count++] = i == 2 ? 1000 : -i / 2;
            }
    mica_ratings *ratings = make(user, item, value, timed ? time : NULL, count, users, items);
    free(user);
    free(item);
    free(value);
    free(time);
    return ratings;
}

/* Are the parts what the whole is, in its order, and with its names and range? */
static void check_parts(
    const mica_ratings *whole, const mica_ratings *train, const mica_ratings *test) {
    const mica_ratings_info *w = mica_ratings_get_info(whole), *a = mica_ratings_get_info(train),
                            *b = mica_ratings_get_info(test);
    ck_assert_int_eq(a->count + b->count, w->count);
    ck_assert(a->users == w->users && b->items == w->items && a->item_ids == w->item_ids);
    ck_assert(b->lowest == w->lowest && b->highest == w->highest);
    int64_t x = 0, y = 0;
    for (int64_t i = 0; i < w->count; i++) {
        bool first = x < a->count && a->user[x] == w->user[i] && a->item[x] == w->item[i];
        const mica_ratings_info *part = first ? a : b;
        int64_t at = first ? x++ : y++;
        ck_assert_int_lt(at, part->count);
        ck_assert(part->user[at] == w->user[i] && part->item[at] == w->item[i]);
        ck_assert(part->value[at] == w->value[i]);
    }
}

START_TEST(split_random) {
    mica_ratings *whole = grid(9, 10, false), *train, *test, *train2, *test2;
    mica_ratings_split_options options = {.part = 0.25, .seed = 3};
    ck_ok(mica_ratings_split(whole, &options, &train, &test));
    check_parts(whole, train, test);
    const int64_t count = mica_ratings_get_info(test)->count;
    ck_assert(count > 4 && count < 27); /* of 60, with 4 deviations */
    ck_ok(mica_ratings_split(whole, &options, &train2, &test2));
    ck_assert_int_eq(mica_ratings_get_info(test2)->count, count);
    ck_assert_mem_eq(mica_ratings_get_info(test)->item, mica_ratings_get_info(test2)->item,
        (size_t)count * sizeof(int32_t));
    mica_ratings_destroy(&train2);
    mica_ratings_destroy(&test2);
    options.seed = 4;
    ck_ok(mica_ratings_split(whole, &options, &train2, &test2));
    ck_assert(mica_ratings_get_info(test2)->count != count ||
              memcmp(mica_ratings_get_info(test)->item, mica_ratings_get_info(test2)->item,
                  (size_t)count * sizeof(int32_t)));
    mica_ratings_destroy(&train2);
    mica_ratings_destroy(&test2);
    mica_ratings_destroy(&whole); /* the parts outlive it */
    ck_assert_int_eq(mica_ratings_user(train, "8"), 8);
    mica_ratings_destroy(&train);
    ck_assert_str_eq(mica_ratings_get_info(test)->item_ids[9], "9");
    mica_ratings_destroy(&test);
}
END_TEST

static mica_ratings *written(const char *text) {
    mica_ratings *ratings;
    ck_ok(mica_ratings_read(temp_write("r.csv", text, strlen(text)), NULL, &ratings));
    return ratings;
}

/* A rating is where its ids put it, whatever stands around it and what their numbers are. */
START_TEST(split_keeps_everyone) {
    enum { USERS = 40, ITEMS = 12, MORE = 20 };
    char before[USERS * ITEMS * 24] = "", after[USERS * (ITEMS + MORE) * 24] = "";
    char *at = before, *to = after;
    for (int u = 0; u < USERS; u++)
        for (int i = 0; i < ITEMS; i++)
            at += sprintf(at, "u%d,i%d,%d\n", u, i, 1 + (u + i) % 5);
    for (int i = ITEMS + MORE; i-- > 0;)
        for (int u = 0; u < USERS; u++)
            to += sprintf(to, "u%d,i%d,%d\n", u * 7 % USERS, i, 1 + (u * 7 % USERS + i) % 5);
    mica_ratings *small = written(before), *large = written(after), *train[2], *test[2];
    const mica_ratings_split_options options = {.part = 0.3, .seed = 5};
    ck_ok(mica_ratings_split(small, &options, &train[0], &test[0]));
    ck_ok(mica_ratings_split(large, &options, &train[1], &test[1]));
    const mica_ratings_info *a = mica_ratings_get_info(test[0]);
    bool held[USERS * ITEMS] = {0}, now[USERS * ITEMS] = {0};
    for (int64_t k = 0; k < a->count; k++)
        held[atoi(a->user_ids[a->user[k]] + 1) * ITEMS + atoi(a->item_ids[a->item[k]] + 1)] = true;
    a = mica_ratings_get_info(test[1]);
    for (int64_t k = 0; k < a->count; k++) {
        int i = atoi(a->item_ids[a->item[k]] + 1);
        if (i < ITEMS)
            now[atoi(a->user_ids[a->user[k]] + 1) * ITEMS + i] = true;
    }
    ck_assert_mem_eq(held, now, sizeof held);
    const double n = USERS * (ITEMS + MORE);
    ck_assert_double_lt(fabs((double)a->count - 0.3 * n), 4 * sqrt(n * 0.3 * 0.7));
    mica_ratings_destroy(&small);
    mica_ratings_destroy(&large);
    for (int k = 0; k < 2; k++) {
        mica_ratings_destroy(&train[k]);
        mica_ratings_destroy(&test[k]);
    }
}
END_TEST

START_TEST(split_last) {
    /* user 0: items 1 and 2 at the same time; user 1 too few; user 2 out of order */
    static const int32_t user[] = {0, 2, 0, 1, 0, 2, 2}, item[] = {0, 0, 1, 0, 2, 1, 2};
    static const int64_t time[] = {1, 9, 5, 1, 5, -7, 3};
    static const float value[] = {1, 2, 3, 4, 5, 4, 3};
    mica_ratings *whole = make(user, item, value, time, 7, 3, 3), *train = NULL, *test = NULL;
    mica_ratings_split_options options = {.kind = MICA_SPLIT_LAST};
    ck_ok(mica_ratings_split(whole, &options, &train, &test));
    check_parts(whole, train, test);
    const mica_ratings_info *info = mica_ratings_get_info(test);
    ck_assert_int_eq(info->count, 2);
    ck_assert(info->user[0] == 2 && info->item[0] == 0 && info->time[0] == 9);
    ck_assert(info->user[1] == 0 && info->item[1] == 2);
    ck_assert_int_eq(mica_ratings_get_info(train)->count, 5);
    mica_ratings_destroy(&train);
    mica_ratings_destroy(&test);
    options.last = 2;
    ck_ok(mica_ratings_split(whole, &options, &train, &test));
    info = mica_ratings_get_info(test);
    ck_assert_int_eq(info->count, 4);
    ck_assert(info->user[0] == 2 && info->item[1] == 1 && info->item[2] == 2 && info->item[3] == 2);
    mica_ratings_destroy(&train);
    mica_ratings_destroy(&test);
    options.last = 3;
    ck_refused(mica_ratings_split(whole, &options, &train, &test), MICA_E_INVALID,
        "nothing of 7 ratings is for the test part");
    options.last = -1;
    ck_refused(mica_ratings_split(whole, &options, &train, &test), MICA_E_INVALID, "last -1");
    mica_ratings_destroy(&whole);
    whole = grid(4, 4, false);
    ck_refused(mica_ratings_split(
                   whole, &(mica_ratings_split_options){.kind = MICA_SPLIT_LAST}, &train, &test),
        MICA_E_INVALID, "the ratings have no times");
    ck_assert(!train && !test);
    mica_ratings_destroy(&whole);
}
END_TEST

START_TEST(split_fold) {
    mica_ratings *whole = grid(7, 11, true), *train = NULL, *test = NULL;
    const mica_ratings_info *info = mica_ratings_get_info(whole);
    int64_t first = 0;
    for (int32_t fold = 1; fold <= 4; fold++) {
        mica_ratings_split_options options = {.kind = MICA_SPLIT_FOLD, .folds = 4, .fold = fold};
        ck_ok(mica_ratings_split(whole, &options, &train, &test));
        check_parts(whole, train, test);
        const mica_ratings_info *part = mica_ratings_get_info(test);
        ck_assert(part->count == info->count / 4 || part->count == info->count / 4 + 1);
        ck_assert(part->user[0] == info->user[first] && part->item[0] == info->item[first]);
        first += part->count;
        mica_ratings_destroy(&train);
        mica_ratings_destroy(&test);
    }
    ck_assert_int_eq(first, info->count);
    static const mica_ratings_split_options bad[] = {
        {.kind = MICA_SPLIT_FOLD, .fold = 6},
        {.kind = MICA_SPLIT_FOLD, .fold = -1},
        {.kind = MICA_SPLIT_FOLD, .folds = 1},
        {.part = 1},
        {.part = NAN},
        {.part = 1e-9},
        {.kind = (mica_ratings_split_kind)7},
    };
    static const char *const fragments[] = {"fold 6 of 5", "fold -1 of 5", "fold 1 of 1",
        "part 1:", "part nan", "for the test part", "no kind 7"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_refused(mica_ratings_split(whole, &bad[i], &train, &test), MICA_E_INVALID, fragments[i]);
    mica_ratings_destroy(&whole);

    static const int32_t user[] = {0, 0, 1, 1}, item[] = {0, 1, 1, 0}, apart[] = {0, 1, 0, 1},
                         together[] = {0, 0, 1, 1};
    static const float value[] = {1, 2, 3, 4};
    mica_ratings_split_options halves = {.kind = MICA_SPLIT_FOLD, .folds = 2};
    whole = make(user, item, value, NULL, 4, 2, 2);
    ck_refused(mica_ratings_split(whole, &halves, &train, &test), MICA_E_INVALID,
        "no overlap: no user has ratings in both parts");
    mica_ratings_destroy(&whole);
    whole = make(apart, together, value, NULL, 4, 2, 2);
    ck_refused(mica_ratings_split(whole, &halves, &train, &test), MICA_E_INVALID,
        "no overlap: no item has ratings in both parts");
    mica_ratings_destroy(&whole);
    ck_assert(!train && !test);
}
END_TEST

/* A table of (users, items) numbers as a model. */
struct table {
    int32_t items;
    const float *values;
    int calls;
};

static mica_status table_predict(
    void *context, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    struct table *table = context;
    table->calls++;
    for (int64_t i = 0; i < count; i++)
        value[i] = table->values[user[i] * table->items + item[i]];
    return MICA_OK;
}

static mica_status table_score(void *context, const int32_t *user, int64_t count, float *scores) {
    struct table *table = context;
    table->calls++;
    for (int64_t i = 0; i < count; i++)
        memcpy(scores + i * table->items, table->values + user[i] * table->items,
            (size_t)table->items * sizeof *scores);
    return MICA_OK;
}

static mica_status no_answer(
    void *context, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    (void)context, (void)user, (void)item, (void)count, (void)value;
    return MICA_E_LOST;
}

START_TEST(rating_errors) {
    static const int32_t user[] = {0, 0, 1}, item[] = {0, 1, 1};
    static const float value[] = {1, 5, 3}, table[] = {-7, 4, 0, 3.5f}, broken[] = {1, NAN, 1, 1};
    mica_ratings *test = make(user, item, value, NULL, 3, 2, 2);
    struct table model = {2, table, 0};
    mica_rating_errors errors;
    ck_ok(mica_ratings_errors(test, table_predict, &model, &errors));
    /* -7 is cut to 1: errors 0, -1, 0.5 */
    ck_assert_double_eq_tol(errors.rmse, sqrt(1.25 / 3), 1e-12);
    ck_assert_double_eq_tol(errors.mae, 0.5, 1e-12);
    model.values = broken;
    ck_refused(mica_ratings_errors(test, table_predict, &model, &errors), MICA_E_NUMERIC,
        "user 0, item 1: the prediction is");
    ck_assert(mica_ratings_errors(test, no_answer, NULL, &errors) == MICA_E_LOST);
    mica_ratings_destroy(&test);

    test = grid(100, 90, false); /* more than are asked for at once */
    float *zeros = calloc(9000, sizeof *zeros);
    model = (struct table){90, zeros, 0};
    ck_ok(mica_ratings_errors(test, table_predict, &model, &errors));
    ck_assert_int_gt(model.calls, 1);
    const mica_ratings_info *info = mica_ratings_get_info(test);
    double squares = 0, sum = 0;
    for (int64_t i = 0; i < info->count; i++) {
        squares += (info->value[i] - 1.0) * (info->value[i] - 1.0); /* 0 is cut to 1 */
        sum += info->value[i] - 1.0;
    }
    ck_assert_double_eq_tol(errors.rmse, sqrt(squares / (double)info->count), 1e-9);
    ck_assert_double_eq_tol(errors.mae, sum / (double)info->count, 1e-9);
    free(zeros);
    mica_ratings_destroy(&test);
}
END_TEST

START_TEST(ranking) {
    /* Of 6 items, user 0 has 0 in training and 2, 3, 5 in test (5 disliked); user 1 has 1 in
     * training and 4 in test; user 2 has nothing that they like in test. */
    static const int32_t train_user[] = {0, 1, 2}, train_item[] = {0, 1, 2};
    static const int32_t test_user[] = {0, 0, 0, 1, 2}, test_item[] = {2, 3, 5, 4, 3};
    static const float train_value[] = {5, 5, 5}, test_value[] = {4, 5, 1, 4, 3};
    static const float scores[] = {
        9, 1, 7, 3, 3, 8, /* 5, 2, then 3 before 4: hits at ranks 2 and 3 */
        1, 9, 1, 1, 1, 1, /* ties: 0, 2, 3: no hit */
        6, 5, 4, 3, 2, 1, /* not counted */
    };
    mica_ratings *train = make(train_user, train_item, train_value, NULL, 3, 3, 6);
    mica_ratings *test = make(test_user, test_item, test_value, NULL, 5, 3, 6);
    struct table model = {6, scores, 0};
    mica_ranking r;
    ck_ok(mica_ratings_ranking(train, test, 4, 3, table_score, &model, &r));
    ck_assert_int_eq(r.users, 2);
    ck_assert_double_eq_tol(r.precision, (2.0 / 3 + 0) / 2, 1e-12);
    ck_assert_double_eq_tol(r.recall, (1.0 + 0) / 2, 1e-12);
    double ideal = 1 + 1 / log2(3);
    ck_assert_double_eq_tol(r.ndcg, (1 / log2(3) + 0.5) / ideal / 2, 1e-12);
    ck_assert_double_eq_tol(r.coverage, 4.0 / 6, 1e-12); /* 0, 2, 3, 5 */
    /* k above what is left for a user: all 5, precision still by k */
    ck_ok(mica_ratings_ranking(train, test, 4, 6, table_score, &model, &r));
    ck_assert_double_eq_tol(r.precision, (2.0 / 6 + 1.0 / 6) / 2, 1e-12);
    ck_assert_double_eq_tol(r.recall, 1, 1e-12);
    ck_assert_double_eq_tol(r.coverage, 1, 1e-12);
    ck_refused(mica_ratings_ranking(train, test, 6, 3, table_score, &model, &r), MICA_E_INVALID,
        "no test rating is at least 6");
    ck_refused(mica_ratings_ranking(train, test, 4, 0, table_score, &model, &r), MICA_E_INVALID,
        "the first 0 of 6 items");
    ck_refused(mica_ratings_ranking(train, test, 4, 7, table_score, &model, &r), MICA_E_INVALID,
        "the first 7 of 6 items");
    static const float broken[18] = {[4] = NAN};
    model.values = broken;
    ck_refused(mica_ratings_ranking(train, test, 4, 3, table_score, &model, &r), MICA_E_NUMERIC,
        "user 0, item 4: the score is no number");
    mica_ratings *other = grid(3, 5, false);
    ck_refused(mica_ratings_ranking(train, other, 4, 3, table_score, &model, &r), MICA_E_INVALID,
        "wanted parts of one split");
    mica_ratings_destroy(&other);
    mica_ratings_destroy(&train);
    mica_ratings_destroy(&test);
}
END_TEST

/* The same from the definitions, by counting for each item how many come before it. */
static mica_ranking brute(const mica_ratings *train, const mica_ratings *test, float relevant,
    int32_t k, const float *scores) {
    const mica_ratings_info *a = mica_ratings_get_info(train), *b = mica_ratings_get_info(test);
    int32_t users = a->users, items = a->items;
    char *state = calloc((size_t)users * (size_t)items, 1), *listed = calloc((size_t)items, 1);
    for (int64_t i = 0; i < a->count; i++)
        state[a->user[i] * items + a->item[i]] = 1;
    for (int64_t i = 0; i < b->count; i++)
        if (b->value[i] >= relevant)
            state[b->user[i] * items + b->item[i]] = 2;
    mica_ranking r = {0};
    for (int32_t u = 0; u < users; u++) {
        const float *score = scores + u * items;
        const char *kind = state + u * items;
        int wanted = 0, hits = 0;
        for (int32_t i = 0; i < items; i++)
            wanted += kind[i] == 2;
        if (!wanted)
            continue;
        double gain = 0, ideal = 0;
        for (int32_t i = 0; i < items; i++) {
            int rank = 1;
            for (int32_t j = 0; j < items; j++)
                rank += kind[j] != 1 && (score[j] > score[i] || (score[j] == score[i] && j < i));
            if (kind[i] == 1 || rank > k)
                continue;
            listed[i] = 1;
            hits += kind[i] == 2;
            gain += kind[i] == 2 ? log(2) / log(rank + 1) : 0;
        }
        for (int rank = 1; rank <= k && rank <= wanted; rank++)
            ideal += log(2) / log(rank + 1);
        r.users++;
        r.precision += (double)hits / k;
        r.recall += (double)hits / wanted;
        r.ndcg += gain / ideal;
    }
    for (int32_t i = 0; i < items; i++)
        r.coverage += listed[i];
    r.precision /= (double)r.users;
    r.recall /= (double)r.users;
    r.ndcg /= (double)r.users;
    r.coverage /= items;
    free(state);
    free(listed);
    return r;
}

START_TEST(ranking_brute) {
    mica_ratings *whole = grid(41, 53, true), *train, *test;
    float *scores = calloc(41 * 53, sizeof *scores);
    uint32_t random = 12345;
    for (int i = 0; i < 41 * 53; i++) {
        random = random * 1664525u + 1013904223u;
        scores[i] = (float)(random >> 28); /* few numbers: many ties */
    }
    struct table model = {53, scores, 0};
    for (int32_t k = 1; k <= 53; k += 13) {
        ck_ok(mica_ratings_split(
            whole, &(mica_ratings_split_options){.part = 0.3, .seed = (uint64_t)k}, &train, &test));
        mica_ranking r, wanted = brute(train, test, 4, k, scores);
        ck_ok(mica_ratings_ranking(train, test, 4, k, table_score, &model, &r));
        ck_assert_int_eq(r.users, wanted.users);
        ck_assert_double_eq_tol(r.precision, wanted.precision, 1e-12);
        ck_assert_double_eq_tol(r.recall, wanted.recall, 1e-12);
        ck_assert_double_eq_tol(r.ndcg, wanted.ndcg, 1e-12);
        ck_assert_double_eq_tol(r.coverage, wanted.coverage, 1e-12);
        mica_ratings_destroy(&train);
        mica_ratings_destroy(&test);
    }
    free(scores);
    mica_ratings_destroy(&whole);
}
END_TEST

START_TEST(baselines) {
    /* item 0: 5, 3; item 1: 2; item 2: none; user 2: none; mean 10/3 */
    static const int32_t user[] = {0, 1, 0}, item[] = {0, 0, 1}, users[] = {0, 1, 2, 0},
                         items[] = {0, 1, 2, 2};
    static const float value[] = {5, 3, 2};
    mica_ratings *train = make(user, item, value, NULL, 3, 3, 3);
    mica_baseline *baseline = NULL;
    ck_ok(mica_baseline_create(train, 1, &baseline));
    float got[9];
    ck_ok(mica_baseline_mean(baseline, users, items, 4, got));
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq_tol(got[i], 10.0f / 3, 1e-6f);
    ck_ok(mica_baseline_biases(baseline, users, items, 4, got));
    double mean = 10.0 / 3, item0 = (8 - 2 * mean) / 3, item1 = (2 - mean) / 2;
    double user0 = (7 - 2 * mean - item0 - item1) / 3, user1 = (3 - mean - item0) / 2;
    ck_assert_double_eq_tol((double)got[0], mean + item0 + user0, 1e-6);
    ck_assert_double_eq_tol((double)got[1], mean + item1 + user1, 1e-6);
    ck_assert_double_eq_tol((double)got[2], mean, 1e-6);
    ck_assert_double_eq_tol((double)got[3], mean + user0, 1e-6);
    ck_ok(mica_baseline_popularity(baseline, users, 3, got));
    static const float popularity[] = {2, 1, 0, 2, 1, 0, 2, 1, 0};
    ck_assert_mem_eq(got, popularity, sizeof popularity);
    static const int32_t far[] = {3}, near[] = {0};
    ck_refused(mica_baseline_biases(baseline, far, near, 1, got), MICA_E_INVALID, "user 3");
    ck_refused(mica_baseline_mean(baseline, near, far, 1, got), MICA_E_INVALID, "item 3");
    ck_refused(mica_baseline_popularity(baseline, far, 1, got), MICA_E_INVALID, "user 3");
    mica_baseline_destroy(&baseline);
    mica_baseline_destroy(&baseline);
    ck_ok(mica_baseline_create(train, 0, &baseline)); /* without damping nobody divides by 0 */
    ck_ok(mica_baseline_biases(baseline, users, items, 4, got));
    ck_assert_float_eq_tol(got[2], 10.0f / 3, 1e-6f);
    mica_baseline_destroy(&baseline);
    ck_refused(mica_baseline_create(train, -1, &baseline), MICA_E_INVALID, "damping -1");
    mica_ratings_destroy(&train);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ratings_metrics");
    TCase *cases = tcase_create("ratings_metrics");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, split_random);
    tcase_add_test(cases, split_keeps_everyone);
    tcase_add_test(cases, split_last);
    tcase_add_test(cases, split_fold);
    tcase_add_test(cases, rating_errors);
    tcase_add_test(cases, ranking);
    tcase_add_test(cases, ranking_brute);
    tcase_add_test(cases, baselines);
    suite_add_tcase(suite, cases);
    return temp_run(suite);
}
