/* Ratings as the data of a recipe: what its keys ask for, which parts there are, and what is
 * refused where. */
#include "recipe/recipe.h"
#include "tests/io/temp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FACTORS                                                                                    \
    "layers:\n"                                                                                    \
    "  - {type: embedding, name: user, from: input, rows: users, width: 2, column: 0, columns: "   \
    "1}\n"                                                                                         \
    "  - {type: embedding, name: item, from: input, rows: items, width: 2, column: 1}\n"           \
    "  - {type: mul, name: match, from: [user, item]}\n"                                           \
    "  - {type: sum, name: score}\n"
#define RATES "input: [2]\n" FACTORS "loss: mean_squared_error\n"
#define RANKS "input: [3]\n" FACTORS "loss: bpr\n"

static mica_status load(const char *text, mica_recipe **recipe) {
    return mica_recipe_load(temp_write("r.yaml", text, strlen(text)), NULL, 0, recipe);
}

static mica_recipe *loaded(const char *text) {
    mica_recipe *recipe = NULL;
    ck_ok(load(text, &recipe));
    return recipe;
}

/* 6 users and 4 items, in an order that `step` gives: user u rates item i unless u + i is a
 * multiple of 3. */
static void ratings_write(int step) {
    char text[2048], *at = text;
    for (int k = 0; k < 24; k++) {
        int u = k * step % 24 % 6, i = k * step % 24 / 6;
        if ((u + i) % 3)
            at += sprintf(at, "u%d\ti%d\t%d\t%d\n", u, i, 1 + (u * i + u) % 5, 100 * i + u);
    }
    temp_write("r.tsv", text, (size_t)(at - text));
}

static void setup(void) {
    temp_make();
    ratings_write(7);
    temp_write("titles.csv", "i0,Zero\ni2,Two\n", 15);
}

static int64_t count(const mica_dataset *set) {
    return set ? mica_dataset_get_info(set)->count : 0;
}

START_TEST(parts) {
    static const struct {
        const char *keys;
        int64_t train, validation, test;
    } cases[] = {
        {"", 11, 0, 5},
        {", test: 0.5", 9, 0, 7},
        {", test: 0", 16, 0, 0},
        {", split: fold, folds: 2, fold: 2", 8, 0, 8},
        {", split: last", 10, 0, 6},
        {", validation: 0.25", 6, 5, 5},
        {", format: tsv, implicit: true, at_least: 3", 4, 0, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(
            text, sizeof text, RATES "data: {set: ratings, files: [r.tsv]%s}\n", cases[i].keys);
        mica_recipe *r = loaded(text);
        mica_dataset *train = NULL, *validation = NULL, *test = NULL;
        ck_ok(mica_recipe_open_data(r, NULL, &train, &validation, &test));
        ck_assert_int_eq(count(train), cases[i].train);
        ck_assert_int_eq(count(validation), cases[i].validation);
        ck_assert_int_eq(count(test), cases[i].test);
        mica_dataset_destroy(&train);
        mica_dataset_destroy(&validation);
        mica_dataset_destroy(&test);
        mica_recipe_destroy(&r);
    }
}
END_TEST

START_TEST(settled) {
    mica_recipe *r = loaded(RATES "data: {set: ratings, files: [r.tsv], titles: titles.csv}\n");
    mica_network *network = NULL;
    ck_refused(mica_recipe_build(r, 2, &network), MICA_E_INVALID, "rows: users, which only");
    ck_ok(mica_recipe_complete(&r, NULL));
    ck_assert_int_eq(r->data.users, 6);
    ck_assert_int_eq(r->data.items, 4);
    mica_ratings *train = NULL, *test = NULL;
    ck_ok(mica_recipe_open_ratings(r, NULL, &train, NULL, &test));
    const mica_ratings_info *info = mica_ratings_get_info(train);
    ck_assert_int_eq(r->data.channels, 1);
    ck_assert_float_eq(r->data.mean[0], (float)info->mean);
    ck_assert_str_eq(info->titles[mica_ratings_item(train, "i2")], "Two");
    ck_ok(mica_recipe_build(r, 2, &network));
    mica_network_destroy(&network);

    mica_dataset *set = NULL, *held = NULL;
    ck_ok(mica_recipe_open_data(r, NULL, &set, NULL, &held));
    int32_t ids[2];
    float target;
    ck_ok(mica_dataset_sample(held, 0, ids, &target));
    const mica_ratings_info *rest = mica_ratings_get_info(test);
    ck_assert(ids[0] == rest->user[0] && ids[1] == rest->item[0]);
    ck_assert_float_eq(target, rest->value[0] - r->data.mean[0]);
    mica_dataset_destroy(&set);
    mica_dataset_destroy(&held);
    mica_ratings_destroy(&train);
    mica_ratings_destroy(&test);

    const char *again = temp_write("run.yaml", r->text, strlen(r->text)); /* as a run's folder */
    mica_recipe *run = NULL;
    ck_ok(mica_recipe_load(again, NULL, 0, &run));
    ck_assert_float_eq(run->data.mean[0], r->data.mean[0]);
    ck_ok(mica_recipe_build(run, 2, &network));
    mica_network_destroy(&network);
    ck_ok(mica_recipe_open_ratings(run, NULL, &train, NULL, NULL));
    mica_ratings_destroy(&train);
    mica_recipe_destroy(&run);
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(pairs) {
    mica_recipe *r = loaded(RANKS "data: {set: ratings, files: [r.tsv], implicit: true}\n");
    ck_ok(mica_recipe_complete(&r, NULL));
    ck_assert(r->data.ratings.pairs && r->data.target_dtype == MICA_I32 && !r->data.channels);
    ck_assert_float_eq(r->data.ratings.relevant, 1);
    mica_dataset *set = NULL;
    ck_ok(mica_recipe_open_data(r, NULL, &set, NULL, NULL));
    ck_assert(mica_shape_equal(mica_dataset_get_info(set)->sample, MICA_SHAPE(3)));
    mica_dataset_destroy(&set);
    mica_network *network = NULL;
    ck_ok(mica_recipe_build(r, 5, &network));
    ck_assert(mica_shape_equal(mica_value_shape(network->heads[0].sample_loss), MICA_SHAPE(5)));
    ck_assert_ptr_null(network->label);
    mica_network_destroy(&network);
    mica_recipe_destroy(&r);

    r = loaded("input: [3]\nlayers:\n  - {type: embedding, rows: items, width: 1}\nloss: bpr\n"
               "data: {set: ratings, files: [r.tsv]}\n");
    ck_ok(mica_recipe_complete(&r, NULL));
    ck_refused(mica_recipe_build(r, 5, &network), MICA_E_INVALID,
        "wanted two scores a sample, of the item and the other, but layer embedding");
    mica_recipe_destroy(&r);
}
END_TEST

/* Columns that the file does not name, in an order of its own. */
START_TEST(columns) {
    temp_write("c.csv", "9,a,3,u\n9,b,4,u\n9,a,5,v\n9,b,1,w\n", 32);
    mica_recipe *r =
        loaded(RATES "data: {set: ratings, files: [c.csv], columns: [4, 2, 3], test: 0}\n");
    mica_ratings *train = NULL;
    ck_ok(mica_recipe_open_ratings(r, NULL, &train, NULL, NULL));
    ck_assert_int_eq(mica_ratings_get_info(train)->users, 3);
    ck_assert_int_eq(mica_ratings_get_info(train)->items, 2);
    ck_assert_int_eq(mica_ratings_user(train, "w"), 2);
    mica_ratings_destroy(&train);
    mica_dataset *set = NULL;
    ck_ok(mica_recipe_open_data(r, NULL, &set, NULL, NULL));
    ck_assert_ptr_nonnull(strstr(
        mica_dataset_get_info(set)->note, "c.csv: columns: user 4, item 2, rating 3; not used: 1"));
    mica_dataset_destroy(&set);
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(shipped) {
    mica_recipe *r = loaded(RATES "data: {set: ratings}\n");
    mica_ratings *train = NULL;
    ck_ok(mica_recipe_open_ratings(r, NULL, &train, NULL, NULL));
    const mica_ratings_info *info = mica_ratings_get_info(train);
    ck_assert_int_eq(info->users, 200);
    ck_assert_int_eq(info->items, 120);
    ck_assert_str_eq(info->titles[mica_ratings_item(train, "N103")], "Blue Kettle (Jazz, 1981)");
    mica_ratings_destroy(&train);
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(refused) {
    static const struct {
        const char *text, *fragment;
    } cases[] = {
        {"input: [3]\n" FACTORS "loss: mean_squared_error\ndata: {set: ratings}\n",
            "r.yaml:1:8: set ratings needs an input of [2]: a user and an item"},
        {"input: [2]\n" FACTORS "loss: bpr\ndata: {set: ratings}\n",
            "r.yaml:1:8: set ratings needs an input of [3]: a user and two items"},
        {RATES "data: {set: ratings, at_least: 3}\n", ":32: at_least belongs to implicit: true"},
        {RATES "data: {set: ratings, fold: 2}\n", "fold belongs to split: fold, and the split is"},
        {RATES "data: {set: ratings, split: last, test: 0.1}\n",
            "test belongs to split: random, and the split is last"},
        {RATES "data: {set: ratings, split: fold, fold: 6}\n", "fold 6 of 5 folds"},
        {RATES "data: {set: ratings, split: lst}\n", "did you mean last?"},
        {RATES "data: {set: ratings, titles: t.csv}\n", "without files has titles of its own"},
        {RATES "data: {set: ratings, lowest: 5, highest: 1}\n", "lowest 5 is above highest 1"},
        {RATES "data: {set: ratings, lowest: 3}\n", "lowest and highest go together"},
        {RATES "data: {set: ratings, highest: 3}\n", "lowest and highest go together"},
        {RATES "data: {set: ratings, scale: 2}\n", "set ratings has no use for scale"},
        {RATES "data: {set: ratings, mean: [1, 2]}\n", "has one mean"},
        {RATES "data: {set: ratings, files: [a, b]}\n", "set ratings needs files: [FILE], or none"},
        {RATES "data: {set: ratings, columns: [1, 2, 3]}\n",
            "without files has columns of its own"},
        {RATES "data: {set: ratings, files: [a], columns: [1, 2]}\n",
            "expected those of the user, the item, the rating and perhaps the time, got 2"},
        {RATES "data: {set: movielens-100k, files: [a]}\n", "has files of its own"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_recipe *recipe = NULL;
        ck_refused(load(cases[i].text, &recipe), MICA_E_INVALID, cases[i].fragment);
        ck_assert_ptr_null(recipe);
    }
}
END_TEST

START_TEST(not_opened) {
    static const struct {
        const char *keys;
        mica_status status;
        const char *fragment;
    } cases[] = {
        {"set: ratings, files: [none.tsv]", MICA_E_NOT_FOUND, "none.tsv is not there"},
        {"set: ratings, files: [none.tar.gz/u.data]", MICA_E_NOT_FOUND, "none.tar.gz is not there"},
        {"set: ratings, files: [r.tsv], titles: none.csv", MICA_E_NOT_FOUND, "none.csv is not"},
        {"set: ratings, files: [r.tsv], lowest: 0, highest: 4", MICA_E_FORMAT,
            "is out of range: wanted 0 to 4"},
        {"set: ratings, files: [r.tsv], users: 7", MICA_E_INVALID,
            "has 7 users and 0 items, its ratings have 6 and 4"},
        {"set: ratings, files: [r.tsv], split: last, last: 9", MICA_E_INVALID, "for the test part"},
        {"set: movielens-100k", MICA_E_NOT_FOUND, "get ml-100k from grouplens.org"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, RATES "data: {%s}\n", cases[i].keys);
        mica_recipe *r = loaded(text);
        mica_dataset *train = NULL;
        ck_refused(mica_recipe_open_data(r, temp_path(""), &train, NULL, NULL), cases[i].status,
            cases[i].fragment);
        ck_assert_ptr_null(train);
        mica_recipe_destroy(&r);
    }
    mica_recipe *r = loaded("input: [64]\nlayers:\n  - {type: dense, units: 10}\n"
                            "loss: softmax_cross_entropy\ndata: {set: digits}\n");
    mica_ratings *train = NULL;
    ck_refused(mica_recipe_open_ratings(r, NULL, &train, NULL, NULL), MICA_E_UNSUPPORTED,
        "its data are no ratings");
    mica_recipe_destroy(&r);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ratings");
    TCase *tests = tcase_create("ratings");
    tcase_add_checked_fixture(tests, setup, temp_remove);
    tcase_add_test(tests, parts);
    tcase_add_test(tests, settled);
    tcase_add_test(tests, pairs);
    tcase_add_test(tests, columns);
    tcase_add_test(tests, shipped);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, not_opened);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
