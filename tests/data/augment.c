/* Random changes of pictures: what each does, how it is spread, and that it depends on nothing but
 * the seed, the epoch and the sample. */
#include "tests/io/temp.h"

#include <math.h>
#include <mica/data.h>
#include <stdlib.h>

enum { HEIGHT = 6, WIDTH = 9, COUNT = 64, SIZE = HEIGHT * WIDTH * 2 };

/* Value of a pixel: all are different, none is 0. Channel 1 has 100 more. */
static float stored(int64_t y, int64_t x, int c) {
    return (float)(1 + y * WIDTH + x + 100 * c);
}

/* 64 times the same picture, labelled by its number. */
static mica_dataset *pictures(mica_dataset_options options) {
    uint8_t *bytes = malloc((size_t)COUNT * SIZE), *out = bytes;
    int32_t labels[COUNT];
    for (int n = 0; n < COUNT; n++) {
        labels[n] = n;
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                for (int c = 0; c < 2; c++)
                    *out++ = (uint8_t)stored(y, x, c);
    }
    mica_dataset *set;
    options.sample = MICA_SHAPE(HEIGHT, WIDTH, 2);
    if (options.scale == 0)
        options.scale = 1;
    ck_ok(mica_dataset_from_bytes(bytes, labels, COUNT, &options, &set));
    free(bytes);
    return set;
}

/* The pictures of `epochs` epochs, one after the other: (epochs, COUNT, SIZE) by label. */
static float *changed(const mica_dataset *set, mica_augment augment, uint64_t seed, int epochs,
    int64_t batch, int threads) {
    mica_loader *loader;
    mica_loader_options options = {
        .batch = batch, .shuffle = true, .seed = seed, .augment = augment, .threads = threads};
    ck_ok(mica_loader_create(set, &options, &loader));
    float *all = malloc((size_t)epochs * COUNT * SIZE * sizeof *all);
    for (int64_t i = 0; i < epochs * mica_loader_batches(loader); i++) {
        mica_batch got;
        ck_ok(mica_loader_next(loader, &got));
        for (int64_t k = 0; k < got.valid; k++)
            memcpy(all + (got.epoch * COUNT + got.labels[k]) * SIZE, got.features + k * SIZE,
                SIZE * sizeof *all);
    }
    mica_loader_destroy(&loader);
    return all;
}

/* chi-square of counts that should be equal, in standard deviations */
static double unevenness(const int *counts, int n) {
    double total = 0, sum = 0;
    for (int i = 0; i < n; i++)
        total += counts[i];
    for (int i = 0; i < n; i++)
        sum += (counts[i] - total / n) * (counts[i] - total / n) / (total / n);
    return (sum - (n - 1)) / sqrt(2.0 * (n - 1));
}

START_TEST(flip) {
    mica_dataset *set = pictures((mica_dataset_options){0});
    float *all = changed(set, (mica_augment){.flip = true}, 1, 30, 10, 0);
    int mirrored = 0;
    for (int n = 0; n < 30 * COUNT; n++) {
        const float *p = all + n * SIZE;
        bool is = p[0] == stored(0, WIDTH - 1, 0);
        mirrored += is;
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                for (int c = 0; c < 2; c++)
                    ck_assert_float_eq(
                        p[(y * WIDTH + x) * 2 + c], stored(y, is ? WIDTH - 1 - x : x, c));
    }
    ck_assert_int_lt(abs(mirrored - 15 * COUNT), 90); /* 4 deviations */
    free(all);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(crop) {
    enum { PAD = 2, SIDES = 2 * PAD + 1, EPOCHS = 40 };
    mica_dataset *set = pictures((mica_dataset_options){0});
    float *all = changed(set, (mica_augment){.crop_padding = PAD}, 2, EPOCHS, 10, 0);
    int counts[SIDES * SIDES] = {0};
    for (int n = 0; n < EPOCHS * COUNT; n++) {
        const float *p = all + n * SIZE;
        /* the middle tells the shift, and the rest must agree with it */
        int middle = (int)p[(HEIGHT / 2 * WIDTH + WIDTH / 2) * 2] - 1;
        int down = HEIGHT / 2 - middle / WIDTH, right = WIDTH / 2 - middle % WIDTH;
        ck_assert(abs(down) <= PAD && abs(right) <= PAD);
        counts[(down + PAD) * SIDES + right + PAD]++;
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                for (int c = 0; c < 2; c++) {
                    int in_y = y - down, in_x = x - right;
                    bool inside = in_y >= 0 && in_y < HEIGHT && in_x >= 0 && in_x < WIDTH;
                    ck_assert_float_eq(
                        p[(y * WIDTH + x) * 2 + c], inside ? stored(in_y, in_x, c) : 0);
                }
    }
    ck_assert_double_lt(fabs(unevenness(counts, SIDES * SIDES)), 4);
    free(all);
    mica_dataset_destroy(&set);
}
END_TEST

/* A square of 3, whose middle is anywhere in the picture, cut at the edges. */
START_TEST(cutout) {
    enum { EPOCHS = 40 };
    const float mean[] = {7}, deviation[] = {2};
    mica_dataset *set =
        pictures((mica_dataset_options){.mean = mean, .deviation = deviation, .channels = 1});
    float *all = changed(set, (mica_augment){.cutout = 3}, 3, EPOCHS, 10, 0);
    int counts[HEIGHT * WIDTH] = {0};
    for (int n = 0; n < EPOCHS * COUNT; n++) {
        const float *p = all + n * SIZE;
        int top = HEIGHT, left = WIDTH, bottom = -1, right = -1, holes = 0;
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                float wanted = (stored(y, x, 1) - 7) / 2, got = p[(y * WIDTH + x) * 2 + 1];
                ck_assert(got == wanted || got == 0);
                if (got != 0)
                    continue;
                top = y < top ? y : top, left = x < left ? x : left;
                bottom = y > bottom ? y : bottom, right = x > right ? x : right;
                holes++;
            }
        ck_assert_int_eq(holes, (bottom - top + 1) * (right - left + 1));
        ck_assert(bottom - top == 2 || top == 0 || bottom == HEIGHT - 1);
        ck_assert(right - left == 2 || left == 0 || right == WIDTH - 1);
        ck_assert(holes >= 4 && holes <= 9);
        int y = top ? top + 1 : bottom - 1, x = left ? left + 1 : right - 1;
        counts[y * WIDTH + x]++;
    }
    ck_assert_double_lt(fabs(unevenness(counts, HEIGHT * WIDTH)), 4);
    free(all);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(light) {
    enum { EPOCHS = 40, N = EPOCHS * COUNT };
    mica_dataset *set = pictures((mica_dataset_options){0});
    double mean = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 2; c++)
                mean += (double)stored(y, x, c) / SIZE;

    float *all = changed(set, (mica_augment){.brightness = 0.4f}, 4, EPOCHS, 10, 0);
    double sum = 0, squares = 0;
    for (int n = 0; n < N; n++) {
        double factor = (double)all[n * SIZE]; /* stored as 1 */
        ck_assert(factor >= 0.6 - 1e-6 && factor <= 1.4 + 1e-6);
        for (int i = 0; i < SIZE; i++)
            ck_assert_float_eq_tol(
                all[n * SIZE + i], (float)factor * stored(0, i / 2, i % 2), 1e-3f);
        sum += factor - 1, squares += (factor - 1) * (factor - 1);
    }
    ck_assert_double_lt(
        fabs(sum / N), 4 * 0.4 / sqrt(3.0 * N)); /* uniform: deviation 0.4 / sqrt 3 */
    ck_assert_double_eq_tol(squares / N, 0.16 / 3, 0.004);
    free(all);

    all = changed(set, (mica_augment){.contrast = 0.5f}, 5, EPOCHS, 10, 0);
    sum = squares = 0;
    for (int n = 0; n < N; n++) {
        const float *p = all + n * SIZE; /* value 155 is never cut off: its factor is told by it */
        double factor =
            ((double)p[SIZE - 1] - mean) / ((double)stored(HEIGHT - 1, WIDTH - 1, 1) - mean);
        ck_assert(factor >= 0.5 - 1e-5 && factor <= 1.5 + 1e-5);
        for (int i = 0; i < SIZE; i++) {
            double wanted = ((double)stored(0, i / 2, i % 2) - mean) * factor + mean;
            ck_assert_float_eq_tol(p[i], (float)fmax(wanted, 0), 1e-3f);
        }
        sum += factor - 1, squares += (factor - 1) * (factor - 1);
    }
    ck_assert_double_lt(fabs(sum / N), 4 * 0.5 / sqrt(3.0 * N));
    ck_assert_double_eq_tol(squares / N, 0.25 / 3, 0.006);
    free(all);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(white_is_the_end) {
    mica_dataset *set = pictures((mica_dataset_options){.scale = 1.0f / 100});
    float *all = changed(set, (mica_augment){.brightness = 1, .contrast = 1}, 6, 5, 10, 0);
    float most = 0, least = 1;
    for (int i = 0; i < 5 * COUNT * SIZE; i++) {
        most = fmaxf(most, all[i]);
        least = fminf(least, all[i]);
    }
    ck_assert_float_eq(most, 2.55f);
    ck_assert_float_eq(least, 0);
    free(all);
    mica_dataset_destroy(&set);
}
END_TEST

static const mica_augment everything = {
    .crop_padding = 2, .flip = true, .brightness = 0.3f, .contrast = 0.3f, .cutout = 2};

/* Neither the batch size nor the threads change what becomes of a sample in an epoch; a seed and an
 * epoch do. */
START_TEST(depends_on_nothing_else) {
    mica_dataset *set = pictures((mica_dataset_options){0});
    float *one = changed(set, everything, 7, 3, 10, 1), *two = changed(set, everything, 7, 3, 7, 4);
    float *other = changed(set, everything, 8, 3, 10, 1);
    size_t epoch = (size_t)COUNT * SIZE;
    ck_assert_mem_eq(one, two, 3 * epoch * sizeof *one);
    ck_assert_mem_ne(one, other, SIZE * sizeof *one);
    ck_assert_mem_ne(one, one + epoch, SIZE * sizeof *one);
    ck_assert_mem_ne(one, one + SIZE, SIZE * sizeof *one);
    free(one);
    free(two);
    free(other);
    mica_dataset_destroy(&set);
}
END_TEST

/* As after a kill: a loader set to a position goes on bit for bit. */
START_TEST(resumes) {
    enum { BATCH = 9, TURNS = 24 };
    static float features[TURNS][BATCH * SIZE];
    mica_dataset *set = pictures((mica_dataset_options){0});
    mica_loader_options options = {
        .batch = BATCH, .shuffle = true, .drop_last = true, .seed = 11, .augment = everything};
    mica_loader *loader;
    mica_batch batch;
    ck_ok(mica_loader_create(set, &options, &loader));
    int64_t batches = mica_loader_batches(loader);
    for (int turn = 0; turn < TURNS; turn++) {
        ck_ok(mica_loader_next(loader, &batch));
        memcpy(features[turn], batch.features, sizeof features[turn]);
    }
    mica_loader_destroy(&loader);
    for (int start = 0; start < TURNS; start++) {
        options.threads = start % 5;
        ck_ok(mica_loader_create(set, &options, &loader));
        if (start % 2)
            ck_ok(mica_loader_next(loader, &batch));
        ck_ok(mica_loader_seek(loader, start / batches, start % batches));
        for (int turn = start; turn < TURNS && turn < start + 4; turn++) {
            ck_ok(mica_loader_next(loader, &batch));
            ck_assert_mem_eq(batch.features, features[turn], sizeof features[turn]);
        }
        mica_loader_destroy(&loader);
    }
    mica_dataset_destroy(&set);
}
END_TEST

/* What a seed gives is a promise: it must not change between versions. */
START_TEST(is_pinned) {
    mica_dataset *set = pictures((mica_dataset_options){0});
    float *all = changed(set, everything, 1, 1, 10, 0);
    double sum = 0;
    for (int i = 0; i < COUNT * SIZE; i++)
        sum += (double)all[i] * (1 + i % 7);
    ck_assert_double_eq_tol(sum, 1431897.13, 0.1);
    free(all);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(refused) {
    const uint8_t bytes[4] = {0};
    const int32_t labels[1] = {0};
    mica_dataset *set;
    mica_loader *loader = NULL;
    ck_ok(mica_dataset_from_bytes(
        bytes, labels, 1, &(mica_dataset_options){.sample = MICA_SHAPE(4)}, &set));
    mica_loader_options options = {.batch = 1, .augment = {.flip = true}};
    ck_refused(mica_loader_create(set, &options, &loader), MICA_E_INVALID,
        "augment: samples are (4), wanted pictures");
    mica_dataset_destroy(&set);
    set = pictures((mica_dataset_options){0});
    options.augment.crop_padding = -1;
    ck_refused(mica_loader_create(set, &options, &loader), MICA_E_INVALID, "crop_padding -1");
    options.augment = (mica_augment){.cutout = 1 << 20};
    ck_refused(mica_loader_create(set, &options, &loader), MICA_E_INVALID, "cutout 1048576");
    options.augment = (mica_augment){.contrast = 1.5f};
    ck_refused(mica_loader_create(set, &options, &loader), MICA_E_INVALID, "contrast 1.5");
    options.augment = (mica_augment){.brightness = NAN};
    ck_refused(mica_loader_create(set, &options, &loader), MICA_E_INVALID, "brightness nan");
    options = (mica_loader_options){.batch = 1, .threads = 65};
    ck_refused(mica_loader_create(set, &options, &loader), MICA_E_INVALID, "65 threads");
    ck_assert_ptr_null(loader);
    mica_dataset_destroy(&set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("augment");
    TCase *tests = tcase_create("augment");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, flip);
    tcase_add_test(tests, crop);
    tcase_add_test(tests, cutout);
    tcase_add_test(tests, light);
    tcase_add_test(tests, white_is_the_end);
    tcase_add_test(tests, depends_on_nothing_else);
    tcase_add_test(tests, resumes);
    tcase_add_test(tests, is_pinned);
    tcase_add_test(tests, refused);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
