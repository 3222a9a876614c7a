/* Samples of ids, windows into longer rows of numbers, and targets that are not one label. */
#include "data/dataset.h"
#include "tests/io/temp.h"

#include <stdlib.h>
#include <string.h>

static void *copy_of(const void *data, size_t size) {
    void *copy = malloc(size);
    memcpy(copy, data, size);
    return copy;
}
#define COPY(array) copy_of(array, sizeof(array))

static mica_dataset *adopted(mica_samples samples, const mica_dataset_options *options) {
    mica_dataset *set;
    ck_ok(mica_dataset_adopt(&samples, options, &set));
    return set;
}

/* The numbers 1 to 7 and what follows each, in two windows that come in the other order. */
START_TEST(windows_of_ids) {
    const int32_t numbers[] = {1, 2, 3, 4, 5, 6, 7};
    const int64_t starts[] = {3, 0};
    mica_dataset *set = adopted((mica_samples){.count = 2,
                                    .sample = MICA_SHAPE(3),
                                    .ids = COPY(numbers),
                                    .starts = COPY(starts),
                                    .ahead = 1,
                                    .target = MICA_SHAPE(3),
                                    .ordered = true},
        &(mica_dataset_options){.classes = 8});
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->dtype, MICA_I32);
    ck_assert_int_eq(info->target_dtype, MICA_I32);
    ck_assert(mica_shape_equal(info->target, MICA_SHAPE(3)));
    ck_assert_int_eq(info->classes, 8);
    int32_t ids[3], next[3];
    ck_ok(mica_dataset_sample(set, 1, ids, next));
    ck_assert_mem_eq(ids, ((int32_t[]){1, 2, 3}), sizeof ids);
    ck_assert_mem_eq(next, ((int32_t[]){2, 3, 4}), sizeof next);

    mica_loader *loader;
    mica_loader_options options = {.batch = 2, .shuffle = true, .seed = 5};
    ck_ok(mica_loader_create(set, &options, &loader));
    for (int turn = 0; turn < 20; turn++) { /* ordered: never shuffled */
        mica_batch batch;
        ck_ok(mica_loader_next(loader, &batch));
        ck_assert_ptr_null(batch.features);
        ck_assert_ptr_null(batch.targets);
        ck_assert_mem_eq(batch.ids, ((int32_t[]){4, 5, 6, 1, 2, 3}), 6 * sizeof *batch.ids);
        ck_assert_mem_eq(batch.labels, ((int32_t[]){5, 6, 7, 2, 3, 4}), 6 * sizeof *batch.labels);
    }
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

/* Two steps of two channels, and the step behind them: normalized alike. */
START_TEST(windows_of_numbers) {
    const float numbers[] = {0, 10, 1, 20, 2, 30, 3, 40};
    const int64_t starts[] = {0, 2};
    const float mean[] = {1, 20}, deviation[] = {2, 10};
    mica_samples samples = {.count = 2,
        .sample = MICA_SHAPE(2, 2),
        .floats = COPY(numbers),
        .starts = COPY(starts),
        .ahead = 4,
        .target = MICA_SHAPE(1, 2)};
    mica_dataset *set = adopted(
        samples, &(mica_dataset_options){.mean = mean, .deviation = deviation, .channels = 2});
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->dtype, MICA_F32);
    ck_assert_int_eq(info->target_dtype, MICA_F32);
    ck_assert_int_eq(info->classes, 0);
    ck_assert_float_eq(info->target_unit, 1);
    float window[4], next[2];
    ck_ok(mica_dataset_sample(set, 1, window, next));
    ck_assert_mem_eq(window, ((float[]){0, 0, 0.5f, 1}), sizeof window);
    ck_assert_mem_eq(next, ((float[]){1, 2}), sizeof next);
    mica_dataset_destroy(&set);

    samples.floats = COPY(numbers);
    samples.starts = COPY(starts);
    set = adopted(samples, &(mica_dataset_options){.deviation = deviation, .channels = 1});
    ck_assert_float_eq(mica_dataset_get_info(set)->target_unit, 2);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(numbers_as_targets) {
    const int32_t pairs[] = {0, 1, 2, 0, 1, 1};
    const float ratings[] = {4, 5, 1};
    mica_dataset *set = adopted((mica_samples){.count = 3,
                                    .sample = MICA_SHAPE(2),
                                    .ids = COPY(pairs),
                                    .targets = COPY(ratings),
                                    .target = MICA_SHAPE(1),
                                    .users = 3,
                                    .items = 2},
        NULL);
    ck_assert_int_eq(mica_dataset_get_info(set)->users, 3);
    mica_loader *loader;
    mica_batch batch;
    ck_ok(mica_loader_create(set, &(mica_loader_options){.batch = 2}, &loader));
    ck_ok(mica_loader_next(loader, &batch));
    ck_ok(mica_loader_next(loader, &batch));
    ck_assert_int_eq(batch.valid, 1);
    ck_assert_ptr_null(batch.labels);
    ck_assert_mem_eq(batch.targets, ((float[]){1, 0}), 2 * sizeof(float));
    ck_assert_mem_eq(batch.ids, ((int32_t[]){1, 1, 0, 0}), 4 * sizeof(int32_t));
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

/* User 0 has seen items 0, 2 and 5 of 6; user 1 all but 3. */
START_TEST(unseen_items_are_drawn) {
    const int32_t pairs[] = {0, 2, 1, 5}, seen[] = {0, 2, 5, 0, 1, 2, 4, 5}, none[] = {0, 0};
    const int64_t start[] = {0, 3, 8};
    mica_dataset *set = adopted((mica_samples){.count = 2,
                                    .sample = MICA_SHAPE(2),
                                    .ids = COPY(pairs),
                                    .labels = COPY(none),
                                    .users = 2,
                                    .items = 6,
                                    .seen = {COPY(start), COPY(seen)}},
        NULL);
    ck_assert(mica_shape_equal(mica_dataset_get_info(set)->sample, MICA_SHAPE(3)));
    mica_loader *loader[2];
    for (int i = 0; i < 2; i++)
        ck_ok(mica_loader_create(set,
            &(mica_loader_options){.batch = 2, .shuffle = true, .seed = 3, .threads = i ? 3 : 1},
            &loader[i]));
    int times[6] = {0};
    for (int epoch = 0; epoch < 600; epoch++) {
        mica_batch a, b;
        ck_ok(mica_loader_next(loader[0], &a));
        ck_ok(mica_loader_next(loader[1], &b));
        ck_assert_mem_eq(a.ids, b.ids, 6 * sizeof *a.ids);
        for (int i = 0; i < 2; i++) {
            const int32_t *sample = a.ids + 3 * i;
            ck_assert_int_eq(sample[1], sample[0] ? 5 : 2);
            if (sample[0])
                ck_assert_int_eq(sample[2], 3);
            else
                times[sample[2]]++;
        }
    }
    for (int item = 0; item < 6; item++) /* 200 each, +-4 deviations */
        if (item == 1 || item == 3 || item == 4)
            ck_assert_int_le(abs(times[item] - 200), 47);
        else
            ck_assert_int_eq(times[item], 0);
    for (int i = 0; i < 2; i++)
        mica_loader_destroy(&loader[i]);
    mica_dataset_destroy(&set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("targets");
    TCase *tests = tcase_create("targets");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, windows_of_ids);
    tcase_add_test(tests, windows_of_numbers);
    tcase_add_test(tests, numbers_as_targets);
    tcase_add_test(tests, unseen_items_are_drawn);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
