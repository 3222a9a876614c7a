/* Where a recipe's data sets are found, and how they are parted. */
#include "base/file.h"
#include "recipe/recipe.h"
#include "tests/data/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/mica-data-XXXXXX";

static void put(const char *path, const void *data, size_t size) {
    ck_assert_int_eq(mica_file_replace(path, data, size), MICA_OK);
}

static void enter(void) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mkdir("recipes", 0700), 0);
    ck_assert_int_eq(mkdir("other", 0700), 0);
}

static void leave(void) {
    const char *files[] = {"recipes/r.yaml", "recipes/a.csv", "other/a.csv", "recipes/images",
        "recipes/labels", "other/r.bin"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    rmdir("recipes");
    rmdir("other");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
}

static mica_recipe *load(const char *text) {
    mica_recipe *recipe = NULL;
    put("recipes/r.yaml", text, strlen(text));
    ck_assert_msg(
        mica_recipe_load("recipes/r.yaml", NULL, 0, &recipe) == MICA_OK, "%s", mica_last_error());
    return recipe;
}

static int64_t count(const mica_dataset *dataset) {
    return dataset ? mica_dataset_get_info(dataset)->count : 0;
}

#define NET(input, units)                                                                          \
    "input: [" input "]\nlayers:\n  - {type: flatten}\n  - {type: dense, units: " units "}\n"      \
    "loss: softmax_cross_entropy\n"

START_TEST(digits) {
    mica_recipe *r = load(NET("8, 8, 1", "10") "data: {set: digits, validation: 0.1}\n");
    mica_dataset *train = NULL, *validation = NULL, *test = NULL, *again = NULL;
    ck_assert_int_eq(mica_recipe_open_data(r, NULL, &train, &validation, &test), MICA_OK);
    ck_assert_int_eq(count(train), 1310);
    ck_assert_int_eq(count(validation), 145);
    ck_assert_int_eq(count(test), 342);
    ck_assert(mica_shape_equal(mica_dataset_get_info(test)->sample, MICA_SHAPE(8, 8, 1)));
    ck_assert_float_eq(mica_dataset_get_info(test)->scale, 1.0f / 16);
    r->seed = 2; /* another seed holds out other validation samples, and the same test samples */
    ck_assert_int_eq(mica_recipe_open_data(r, NULL, NULL, NULL, &again), MICA_OK);
    for (int64_t i = 0; i < count(test); i++) {
        float a[64], b[64];
        mica_dataset_sample(test, i, a, NULL);
        mica_dataset_sample(again, i, b, NULL);
        ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    }
    mica_dataset_destroy(&train);
    mica_dataset_destroy(&validation);
    mica_dataset_destroy(&test);
    mica_dataset_destroy(&again);
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(csv) {
    mica_recipe *r =
        load(NET("2", "2") "data: {set: csv, files: a.csv, class_names: [no, yes], test: 0.25}\n");
    mica_dataset *train = NULL, *validation = NULL, *test = NULL;
    ck_assert_int_eq(
        mica_recipe_open_data(r, "other", &train, &validation, &test), MICA_E_NOT_FOUND);
    ck_assert_str_eq(mica_last_error(),
        "a.csv is not there: looked for other/a.csv, recipes/a.csv, "
        "./a.csv; name its folder with --data");
    ck_assert_ptr_null(train);

    char forty[40 * 16] = "";
    for (int i = 0; i < 40; i++)
        sprintf(forty + strlen(forty), "%d,2,%d\n", i, i % 2);
    static const char four[] = "1,2,0\n3,4,1\n5,6,0\n7,8,1\n";
    put("recipes/a.csv", forty, strlen(forty));
    ck_assert_int_eq(mica_recipe_open_data(r, "other", &train, &validation, &test), MICA_OK);
    ck_assert_int_eq(count(train) + count(test), 40);
    ck_assert_ptr_null(validation);
    ck_assert(count(test) > 4 && count(test) < 18);
    ck_assert_str_eq(mica_dataset_get_info(test)->class_names[1], "yes");
    mica_dataset_destroy(&train);
    mica_dataset_destroy(&test);

    put("other/a.csv", four, strlen(four));
    r->data.test = 1e-6;
    ck_refused(mica_recipe_open_data(r, "other", &train, &validation, &test), MICA_E_INVALID,
        "data.test (0: no such part): split: none of the 4 samples falls into part 2");
    r->data.test = 0;
    ck_assert_int_eq(mica_recipe_open_data(r, "other", &train, &validation, &test), MICA_OK);
    ck_assert_int_eq(count(train), 4);
    ck_assert_ptr_null(test);
    mica_dataset_destroy(&train);
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(idx) {
    static const unsigned char images[] = {
        0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 255, 0, 51, 102, 0, 255};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 1};
    put("recipes/images", images, sizeof images);
    put("recipes/labels", labels, sizeof labels);
    mica_recipe *r =
        load(NET("1, 2, 1", "2") "data: {set: idx, files: [images, labels], classes: 2}\n");
    mica_dataset *train = NULL, *validation = NULL, *test = NULL;
    ck_assert_int_eq(mica_recipe_open_data(r, NULL, &train, &validation, &test), MICA_OK);
    ck_assert_int_eq(count(train), 3);
    ck_assert_ptr_null(validation);
    ck_assert_ptr_null(test);
    float sample[2];
    int32_t label;
    ck_assert_int_eq(mica_dataset_sample(train, 1, sample, &label), MICA_OK);
    ck_assert_float_eq_tol(sample[0], 0.2f, 1e-6f);
    ck_assert_float_eq_tol(sample[1], 0.4f, 1e-6f);
    ck_assert_int_eq(label, 1);
    mica_dataset_destroy(&train);
    mica_recipe_destroy(&r);
}
END_TEST

#define PICTURES(data)                                                                             \
    "input: [8, 8, 3]\nlayers:\n  - {type: flatten}\n  - {type: dense, units: 2}\n"                \
    "loss: softmax_cross_entropy\ndata: {set: images, " data "}\n"

START_TEST(images) {
    mica_dataset *train = NULL, *validation = NULL, *test = NULL;
    temp_make();
    const char *const folders[] = {"a", "a/y", "a/x", "b", "b/x", "b/y"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        ck_assert_int_eq(mkdir(temp_path(folders[i]), 0700), 0);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "a/%c/%d.jpg", i % 2 ? 'x' : 'y', i);
        jpeg_write(name, 20, 30, 3, 10 * i);
    }
    jpeg_write("b/x/1.jpg", 8, 8, 3, 77);
    jpeg_write("b/y/1.jpg", 8, 8, 3, 77);
    temp_write("b/x/2.jpg", "", 0);

    mica_recipe *r = load(PICTURES("files: a, test: 0.4, validation: 0.4"));
    ck_ok(mica_recipe_open_data(r, temp_path(""), &train, &validation, &test));
    ck_assert(count(train) && count(validation) && count(test));
    ck_assert_int_eq(count(train) + count(validation) + count(test), 10);
    mica_dataset_destroy(&train);
    mica_dataset_destroy(&validation);
    mica_dataset_destroy(&test);
    mica_recipe_destroy(&r);

    r = load(PICTURES("files: [a, b], class_names: [y, x], mean: [0.5], std: [0.25]"));
    ck_ok(mica_recipe_open_data(r, temp_path(""), &train, &validation, &test));
    ck_assert_int_eq(count(train), 10);
    ck_assert_int_eq(count(test), 2);
    const mica_dataset_info *info = mica_dataset_get_info(test);
    ck_assert_str_eq(info->class_names[0], "y");
    ck_assert_int_eq(info->n_skipped, 1);
    ck_assert_float_eq(info->mean[0], 0.5f);
    float values[8 * 8 * 3];
    ck_ok(mica_dataset_sample(test, 0, values, NULL));
    ck_assert_float_eq_tol(values[0], (77 / 255.0f - 0.5f) / 0.25f, 0.1f);
    mica_dataset_destroy(&train);
    mica_dataset_destroy(&test);
    r->data.strict = true;
    ck_refused(mica_recipe_open_data(r, temp_path(""), NULL, NULL, &test), MICA_E_FORMAT,
        "b/x/2.jpg: wanted a PNG, JPEG");
    ck_assert_ptr_null(test);
    mica_recipe_destroy(&r);
    temp_remove();
}
END_TEST

START_TEST(cifar10) {
    static unsigned char records[4 * 3073];
    for (int i = 0; i < 4; i++)
        memset(records + i * 3073, i * 3, 3073);
    put("other/r.bin", records, sizeof records);
    mica_dataset *train = NULL, *test = NULL;
    mica_recipe *r = load(NET("32, 32, 3", "10") "data: {set: cifar10, files: r.bin, test: 0.5}\n");
    ck_ok(mica_recipe_open_data(r, "other", &train, NULL, &test));
    ck_assert(count(train) && count(test) && count(train) + count(test) == 4);
    ck_assert_str_eq(mica_dataset_get_info(test)->class_names[9], "truck");
    mica_dataset_destroy(&train);
    mica_dataset_destroy(&test);
    mica_recipe_destroy(&r);
    r = load(NET("3072", "10") "data: {set: cifar10, files: [r.bin, r.bin]}\n");
    ck_ok(mica_recipe_open_data(r, "other", &train, NULL, &test));
    ck_assert_int_eq(count(train), 4);
    ck_assert_int_eq(count(test), 4);
    mica_dataset_destroy(&train);
    mica_dataset_destroy(&test);
    mica_recipe_destroy(&r);
    r = load(NET("3072", "10") "data: {set: cifar10}\n");
    ck_refused(mica_recipe_open_data(r, "other", &train, NULL, &test), MICA_E_NOT_FOUND,
        "cifar10: no data_batch_1.bin and no cifar-10-binary.tar.gz in other/cifar10");
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(none) {
    mica_recipe *r = load(NET("2", "2"));
    mica_dataset *train = NULL;
    ck_assert_int_eq(mica_recipe_open_data(r, NULL, &train, NULL, NULL), MICA_E_INVALID);
    ck_assert_str_eq(mica_last_error(), "recipes/r.yaml: the recipe has no data: block");
    ck_assert_ptr_null(train);
    mica_recipe_destroy(&r);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("recipe data");
    TCase *open = tcase_create("open");
    tcase_add_unchecked_fixture(open, enter, leave);
    tcase_add_test(open, digits);
    tcase_add_test(open, csv);
    tcase_add_test(open, idx);
    tcase_add_test(open, images);
    tcase_add_test(open, cifar10);
    tcase_add_test(open, none);
    suite_add_tcase(suite, open);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
