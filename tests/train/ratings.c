/* Models of the ratings that come with Mica, whose structure is known, on the device that the first
 * argument names: it is found, beats what knows no tastes, and a run says the same as its training
 * did. Usage: ratings DEVICE RECIPES. */
#include "base/mem.h"
#include "tests/io/temp.h"
#include "train/run.h"

#include <math.h>
#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { GENRES = 4 };

static const char *device, *recipes;

/* What learns these few ratings fast. */
static const char *const factors[] = {"data.set=ratings", "batch=64", "epochs=20",
    "optimizer.weight_decay=0.004", "layers.taste.width=8", "layers.traits.width=8"};
static const char *const pairs[] = {
    "data.set=ratings", "batch=64", "epochs=10", "layers.taste.width=8", "layers.traits.width=8"};

/* Sets the flag after so many steps; 0: never. */
typedef struct stopper {
    int stop_at, steps, stop;
} stopper;

static void count_steps(void *user, const mica_train_progress *progress) {
    stopper *s = user;
    s->steps += progress->event == MICA_TRAIN_STEP;
    s->stop = s->stop_at && s->steps == s->stop_at;
}

static mica_status train(const char *recipe, const char *out, const char *const *overrides,
    size_t n_overrides, int stop_at, bool resume, mica_train_result **result) {
    stopper s = {.stop_at = stop_at};
    char *path = mica_format("%s/%s.yaml", recipes, recipe);
    mica_train_options options = {.device = device,
        .out = temp_path(out),
        .overrides = overrides,
        .n_overrides = n_overrides,
        .resume = resume,
        .progress = count_steps,
        .user = &s,
        .stop = &s.stop};
    mica_status status = mica_train(path, &options, result);
    free(path);
    return status;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static double metric(const mica_metric *metrics, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(metrics[i].name, name))
            return metrics[i].value;
    ck_abort_msg("there is no %s", name);
    return NAN;
}

static double of(const mica_train_result *result, const char *name) {
    return metric(result->metrics, result->n_metrics, name);
}

/* As make_ratings.py deals them out: of "N103" the third, of "jazz-07" too. */
static int item_genre(const char *id) {
    return (atoi(id + 1) - 100) % GENRES;
}

static int user_genre(const char *id) {
    static const char *const names[] = {"western", "comedy", "thriller", "jazz"};
    for (int g = 0; g < GENRES; g++)
        if (!strncmp(id, names[g], strlen(names[g])))
            return g;
    ck_abort_msg("whose group is %s?", id);
    return -1;
}

static mica_status run_predict(
    void *run, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    return mica_run_score(run, user, item, count, value);
}

/* How many users have the highest mean score for items of their own genre. */
static int genres_found(mica_run *run, const mica_ratings_info *info) {
    int32_t *user = mica_alloc((size_t)info->items, sizeof *user);
    int32_t *item = mica_alloc((size_t)info->items, sizeof *item);
    float *score = mica_alloc((size_t)info->items, sizeof *score);
    int found = 0;
    for (int32_t u = 0; u < info->users; u++) {
        double sum[GENRES] = {0};
        int best = 0;
        for (int32_t i = 0; i < info->items; i++) {
            user[i] = u;
            item[i] = i;
        }
        ck_ok(mica_run_score(run, user, item, info->items, score));
        for (int32_t i = 0; i < info->items; i++)
            sum[item_genre(info->item_ids[i])] += (double)score[i];
        for (int g = 1; g < GENRES; g++)
            best = sum[g] > sum[best] ? g : best;
        found += best == user_genre(info->user_ids[u]);
    }
    free(user);
    free(item);
    free(score);
    return found;
}

START_TEST(factorization) {
    mica_train_result *result = NULL;
    ck_ok(train("movielens-mf", "run", factors, COUNT(factors), 0, false, &result));
    double rmse = of(result, "test_rmse"), biases = of(result, "baseline_biases_rmse");
    ck_assert_double_lt(rmse, 0.58); /* the noise alone: 0.45 */
    ck_assert_double_lt(of(result, "test_mae"), 0.47);
    ck_assert_double_gt(biases, 0.75);
    ck_assert_double_gt(of(result, "baseline_mean_rmse"), biases);

    mica_run *run = NULL;
    ck_ok(mica_run_open(temp_path("run"), device, &run));
    mica_ratings *test = NULL;
    ck_ok(mica_recipe_open_ratings(run->recipe, NULL, NULL, NULL, &test));
    const mica_ratings_info *info = mica_ratings_get_info(test);
    ck_assert_int_ge(genres_found(run, info), 190); /* of 200 */

    mica_rating_errors errors;
    ck_ok(mica_ratings_errors(test, run_predict, run, &errors)); /* cut to the range */
    ck_assert_double_eq_tol(errors.rmse, rmse, 1e-5);            /* as training says, cut too */
    const mica_metric *metrics;
    size_t count;
    ck_ok(mica_run_compare(run, NULL, &metrics, &count));
    ck_assert_uint_eq(count, 4);
    ck_assert_double_eq(metric(metrics, count, "baseline_biases_rmse"), biases);

    int32_t user = info->users, item = 0;
    float score;
    ck_refused(mica_run_score(run, &user, &item, 1, &score), MICA_E_INVALID, "users below 200");
    user = 0;
    item = -1;
    ck_refused(mica_run_score(run, &user, &item, 1, &score), MICA_E_INVALID, "items below 120");
    mica_ratings_destroy(&test);
    mica_run_destroy(&run);
    mica_train_result_destroy(&result);
}
END_TEST

START_TEST(ranking) {
    mica_train_result *result = NULL;
    ck_ok(train("movielens-bpr", "run", pairs, COUNT(pairs), 0, false, &result));
    ck_assert_double_gt(
        of(result, "test_ndcg_at_10"), 1.5 * of(result, "baseline_popularity_ndcg_at_10"));
    ck_assert_double_gt(of(result, "test_precision_at_10"),
        1.2 * of(result, "baseline_popularity_precision_at_10"));
    ck_assert_double_gt(
        of(result, "test_coverage_at_10"), of(result, "baseline_popularity_coverage_at_10"));
    mica_run *run = NULL;
    ck_ok(mica_run_open(temp_path("run"), device, &run));
    const mica_metric *metrics;
    size_t count;
    ck_ok(mica_run_compare(run, NULL, &metrics, &count));
    ck_assert_double_eq(
        metric(metrics, count, "test_recall_at_10"), of(result, "test_recall_at_10"));
    mica_ratings *train_part = NULL;
    ck_ok(mica_recipe_open_ratings(run->recipe, NULL, &train_part, NULL, NULL));
    ck_assert_int_ge(genres_found(run, mica_ratings_get_info(train_part)), 180);
    mica_ratings_destroy(&train_part);
    mica_run_destroy(&run);
    mica_train_result_destroy(&result);
}
END_TEST

/* Columns up to the last are the rest, which is what a pair of a user and an item has one of. */
START_TEST(ranking_by_columns) {
    const char *set[] = {"data.set=ratings", "epochs=1", "layers.traits.columns=2"};
    mica_train_result *rest = NULL, *counted = NULL;
    ck_ok(train("movielens-bpr", "rest", set, 2, 0, false, &rest));
    ck_ok(train("movielens-bpr", "counted", set, 3, 0, false, &counted));
    ck_assert_double_eq(of(rest, "test_ndcg_at_10"), of(counted, "test_ndcg_at_10"));
    mica_run *run = NULL;
    ck_ok(mica_run_open(temp_path("counted"), device, &run));
    int32_t zero = 0;
    float score;
    ck_ok(mica_run_score(run, &zero, &zero, 1, &score));
    mica_run_destroy(&run);
    mica_train_result_destroy(&rest);
    mica_train_result_destroy(&counted);
}
END_TEST

/* What measuring will need is tried first: nothing is trained, and no folder is made. */
START_TEST(refused_before_training) {
    static const char mixed[] =
        "name: mixed\ninput: [3]\ndata: {set: ratings, implicit: true}\nlayers:\n"
        "  - {type: embedding, rows: 300, width: 2}\n  - {type: flatten}\n"
        "  - {type: dense, name: both, units: 2}\nloss: bpr\n";
    const mica_train_options options = {.device = device, .out = temp_path("run")};
    ck_refused(mica_train(temp_write("mixed.yaml", mixed, strlen(mixed)), &options, NULL),
        MICA_E_UNSUPPORTED, "both gives 2 numbers for a user and an item, wanted one score");
    ck_assert(access(temp_path("run"), F_OK));
    const char *set[] = {"data.set=ratings", "data.relevant=9"};
    ck_refused(train("movielens-bpr", "run", set, 2, 0, false, NULL), MICA_E_INVALID,
        "no test rating is at least 9");
    ck_refused(train("movielens-item-item", "run", set, 2, 0, false, NULL), MICA_E_INVALID,
        "no test rating is at least 9");
    ck_assert(access(temp_path("run"), F_OK));
}
END_TEST

/* The items that training compares with are drawn from the position alone. */
START_TEST(continued) {
    mica_train_result *whole = NULL, *continued_one = NULL;
    ck_ok(train("movielens-bpr", "whole", pairs, 3, 0, false, &whole));
    ck_assert(train("movielens-bpr", "parts", pairs, 3, 77, false, NULL) == MICA_E_INTERRUPTED);
    ck_ok(train("movielens-bpr", "parts", pairs, 3, 0, true, &continued_one));
    ck_assert_double_eq(of(whole, "train_loss"), of(continued_one, "train_loss"));
    ck_assert_double_eq(of(whole, "test_loss"), of(continued_one, "test_loss"));
    mica_train_result_destroy(&whole);
    mica_train_result_destroy(&continued_one);
}
END_TEST

START_TEST(neural) {
    static const char *const overrides[] = {"data.set=ratings", "batch=64", "epochs=10"};
    mica_train_result *result = NULL;
    ck_ok(train("movielens-neural", "run", overrides, COUNT(overrides), 0, false, &result));
    ck_assert_double_lt(of(result, "test_rmse"), of(result, "baseline_biases_rmse") - 0.05);
    mica_train_result_destroy(&result);
}
END_TEST

START_TEST(recommends) {
    static const char *const overrides[] = {"data.set=ratings", "batch=64", "epochs=2"};
    ck_ok(train("movielens-mf", "run", overrides, COUNT(overrides), 0, false, NULL));
    mica_recommender *r = NULL;
    ck_refused(
        mica_recommender_open(temp_path("none"), NULL, device, &r), MICA_E_NOT_FOUND, "none");
    ck_assert_ptr_null(r);
    ck_ok(mica_recommender_open(temp_path("run"), NULL, device, &r));
    ck_assert_ptr_null(mica_recommender_neighbours(r));
    const mica_ratings *ratings = mica_recommender_ratings(r);
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    const int32_t user = 3;
    mica_recommendation best[200];
    size_t count = 0;
    ck_ok(mica_recommend_user(r, user, false, best, COUNT(best), &count));
    ck_assert_uint_eq(count, (size_t)info->items);
    ck_ok(mica_recommend_user(r, user, true, best, 5, &count));
    ck_assert_uint_eq(count, 5);
    for (size_t i = 0; i < count; i++) {
        ck_assert(i == 0 || best[i].score <= best[i - 1].score);
        for (int64_t k = info->by_user.start[user]; k < info->by_user.start[user + 1]; k++)
            ck_assert_int_ne(info->by_user.other[k], best[i].item);
    }
    ck_ok(mica_recommend_item(r, 7, best, 5, &count));
    ck_assert(count == 5 && best[0].item != 7 && best[0].score <= 1.0f);
    ck_refused(mica_recommend_user(r, -1, true, best, 5, &count), MICA_E_INVALID, "user -1");
    ck_refused(mica_recommend_user(r, info->users, true, best, 5, &count), MICA_E_INVALID, "user");
    ck_refused(mica_recommend_item(r, info->items, best, 5, &count), MICA_E_INVALID, "item");
    mica_recommender_destroy(&r);
}
END_TEST

START_TEST(not_ratings) {
    static const char *const overrides[] = {"epochs=1"};
    mica_run *run = NULL;
    ck_ok(train("digits-softmax", "run", overrides, 1, 0, false, NULL));
    ck_ok(mica_run_open(temp_path("run"), device, &run));
    const mica_metric *metrics;
    size_t count = 1;
    ck_ok(mica_run_compare(run, NULL, &metrics, &count));
    ck_assert_uint_eq(count, 0);
    int32_t zero = 0;
    float score;
    ck_refused(mica_run_score(run, &zero, &zero, 1, &score), MICA_E_UNSUPPORTED,
        "it was not trained with ratings");
    mica_run_destroy(&run);
}
END_TEST

int main(int argc, char **argv) {
    mica_device *there = NULL;
    device = argc > 1 ? argv[1] : "cpu";
    recipes = argc > 2 ? argv[2] : "recipes";
    if (mica_device_open(device, &there) != MICA_OK) {
        fprintf(stderr, "skipped: %s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&there);
    Suite *suite = suite_create("ratings");
    TCase *tests = tcase_create("ratings");
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, factorization);
    tcase_add_test(tests, ranking);
    tcase_add_test(tests, ranking_by_columns);
    tcase_add_test(tests, refused_before_training);
    tcase_add_test(tests, continued);
    tcase_add_test(tests, neural);
    tcase_add_test(tests, recommends);
    tcase_add_test(tests, not_ratings);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
