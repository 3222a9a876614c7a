/* Batches: order, padding, positions, shutting down. */
#include "tests/io/temp.h"

#include <mica/data.h>
#include <stdlib.h>

static mica_dataset *numbered(int32_t count) {
    float *features = calloc((size_t)count * 3, sizeof *features);
    int32_t *labels = calloc((size_t)count, sizeof *labels);
    for (int32_t i = 0; i < count; i++) {
        labels[i] = i;
        for (int k = 0; k < 3; k++)
            features[3 * i + k] = (float)(10 * i + k);
    }
    mica_dataset *set;
    ck_ok(mica_dataset_from_floats(
        features, labels, count, &(mica_dataset_options){.sample = MICA_SHAPE(3)}, &set));
    free(features);
    free(labels);
    return set;
}

static mica_loader *loader_of(const mica_dataset *set, mica_loader_options options) {
    mica_loader *loader;
    ck_ok(mica_loader_create(set, &options, &loader));
    return loader;
}

static void check_rows(const mica_batch *batch, int64_t size) {
    for (int64_t i = 0; i < size; i++)
        for (int k = 0; k < 3; k++)
            ck_assert_float_eq(batch->features[3 * i + k],
                i < batch->valid ? (float)(10 * batch->labels[i] + k) : 0);
    for (int64_t i = batch->valid; i < size; i++)
        ck_assert_int_eq(batch->labels[i], 0);
}

START_TEST(in_order_padded) {
    mica_dataset *set = numbered(10);
    mica_loader *loader = loader_of(set, (mica_loader_options){.batch = 4});
    ck_assert_int_eq(mica_loader_batches(loader), 3);
    mica_batch batch;
    for (int turn = 0; turn < 30; turn++) {
        ck_ok(mica_loader_next(loader, &batch));
        ck_assert_int_eq(batch.epoch, turn / 3);
        ck_assert_int_eq(batch.index, turn % 3);
        ck_assert_int_eq(batch.valid, turn % 3 == 2 ? 2 : 4);
        for (int64_t i = 0; i < batch.valid; i++)
            ck_assert_int_eq(batch.labels[i], 4 * batch.index + i);
        check_rows(&batch, 4);
    }
    mica_loader_destroy(&loader);
    ck_assert_ptr_null(loader);
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(shuffled_epochs) {
    mica_dataset *set = numbered(103);
    mica_loader *loader =
        loader_of(set, (mica_loader_options){.batch = 8, .shuffle = true, .seed = 5});
    int32_t former[103], order[103];
    mica_batch batch;
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[103] = {0};
        for (int64_t b = 0, n = 0; b < mica_loader_batches(loader); b++) {
            ck_ok(mica_loader_next(loader, &batch));
            check_rows(&batch, 8);
            for (int64_t i = 0; i < batch.valid; i++) {
                seen[batch.labels[i]]++;
                order[n++] = batch.labels[i];
            }
        }
        for (int i = 0; i < 103; i++)
            ck_assert_int_eq(seen[i], 1);
        if (epoch)
            ck_assert_mem_ne(order, former, sizeof order);
        memcpy(former, order, sizeof order);
    }
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(drop_last) {
    mica_dataset *set = numbered(10);
    mica_loader *loader =
        loader_of(set, (mica_loader_options){.batch = 4, .shuffle = true, .drop_last = true});
    ck_assert_int_eq(mica_loader_batches(loader), 2);
    mica_batch batch;
    for (int turn = 0; turn < 6; turn++) {
        ck_ok(mica_loader_next(loader, &batch));
        ck_assert_int_eq(batch.valid, 4);
        ck_assert_int_eq(batch.epoch, turn / 2);
    }
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(seek_continues) {
    enum { TURNS = 60, BATCH = 7 };
    static float features[TURNS][BATCH * 3];
    static int32_t labels[TURNS][BATCH];
    mica_dataset *set = numbered(50);
    mica_loader_options options = {.batch = BATCH, .shuffle = true, .seed = 3};
    mica_loader *loader = loader_of(set, options);
    mica_batch batch;
    for (int turn = 0; turn < TURNS; turn++) {
        ck_ok(mica_loader_next(loader, &batch));
        memcpy(features[turn], batch.features, sizeof features[turn]);
        memcpy(labels[turn], batch.labels, sizeof labels[turn]);
    }
    mica_loader_destroy(&loader);

    int64_t batches = 8;
    for (int start = 0; start < TURNS - 3; start++) {
        mica_loader *fresh = loader_of(set, options);
        ck_assert_int_eq(mica_loader_batches(fresh), batches);
        if (start % 2)
            ck_ok(mica_loader_next(fresh, &batch));
        ck_ok(mica_loader_seek(fresh, start / batches, start % batches));
        for (int turn = start; turn < start + 3; turn++) {
            ck_ok(mica_loader_next(fresh, &batch));
            ck_assert_int_eq(batch.epoch * batches + batch.index, turn);
            ck_assert_mem_eq(batch.features, features[turn], sizeof features[turn]);
            ck_assert_mem_eq(batch.labels, labels[turn], sizeof labels[turn]);
        }
        mica_loader_destroy(&fresh);
    }
    loader = loader_of(set, options);
    ck_ok(mica_loader_seek(loader, 1, batches));
    ck_ok(mica_loader_next(loader, &batch));
    ck_assert_int_eq(batch.epoch, 2);
    ck_assert_int_eq(batch.index, 0);
    ck_assert_mem_eq(batch.labels, labels[16], sizeof labels[16]);
    ck_refused(mica_loader_seek(loader, 0, batches + 1), MICA_E_INVALID, "from 0 to 8");
    ck_refused(mica_loader_seek(loader, -1, 0), MICA_E_INVALID, "epoch -1");
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(batch_stays_valid) {
    mica_dataset *set = numbered(1000);
    mica_loader *loader = loader_of(set, (mica_loader_options){.batch = 100, .shuffle = true});
    mica_batch batch;
    for (int turn = 0; turn < 50; turn++) {
        ck_ok(mica_loader_next(loader, &batch));
        for (int again = 0; again < 20; again++)
            check_rows(&batch, 100);
    }
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(destroyed_at_any_time) {
    mica_dataset *set = numbered(1000);
    for (int turn = 0; turn < 60; turn++) {
        mica_loader *loader = loader_of(set, (mica_loader_options){.batch = 10, .shuffle = true});
        mica_batch batch;
        for (int i = 0; i < turn % 5; i++)
            ck_ok(mica_loader_next(loader, &batch));
        if (turn % 3 == 0)
            ck_ok(mica_loader_seek(loader, turn, turn));
        mica_loader_destroy(&loader);
    }
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(refused) {
    mica_dataset *set = numbered(5);
    mica_loader *loader = NULL;
    ck_refused(mica_loader_create(set, &(mica_loader_options){0}, &loader), MICA_E_INVALID,
        "batch of 0: wanted 1");
    ck_refused(
        mica_loader_create(set, &(mica_loader_options){.batch = 6, .drop_last = true}, &loader),
        MICA_E_INVALID, "only 5 samples");
    ck_assert_ptr_null(loader);
    mica_dataset_destroy(&set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("loader");
    TCase *tests = tcase_create("loader");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, in_order_padded);
    tcase_add_test(tests, shuffled_epochs);
    tcase_add_test(tests, drop_last);
    tcase_add_test(tests, seek_continues);
    tcase_add_test(tests, batch_stays_valid);
    tcase_add_test(tests, destroyed_at_any_time);
    tcase_add_test(tests, refused);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
