/* Data sets from arrays and CSV files, splits, slices. */
#include "data/dataset.h"
#include "base/philox.h"
#include "tests/io/temp.h"

#include <math.h>
#include <mica/data.h>
#include <stdio.h>
#include <stdlib.h>

static mica_dataset *numbered(int64_t count) {
    uint8_t *features = calloc((size_t)count, 2);
    int32_t *labels = calloc((size_t)count, sizeof *labels);
    for (int64_t i = 0; i < count; i++) {
        features[2 * i] = (uint8_t)i;
        labels[i] = (int32_t)i;
    }
    mica_dataset *set;
    ck_ok(mica_dataset_from_bytes(features, labels, count,
        &(mica_dataset_options){.sample = MICA_SHAPE(2), .scale = 1}, &set));
    free(features);
    free(labels);
    return set;
}

START_TEST(arrays) {
    const uint8_t bytes[] = {0, 51, 102, 153, 204, 255};
    const float floats[] = {0.5f, -1, 2, 3, 4, 5};
    const int32_t labels[] = {1, 0, 2};
    const char *const names[] = {"a", "b", "c"};
    mica_dataset *set;
    ck_ok(mica_dataset_from_bytes(bytes, labels, 3,
        &(mica_dataset_options){.sample = MICA_SHAPE(2, 1), .classes = 3, .class_names = names},
        &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 3);
    ck_assert_int_eq(info->classes, 3);
    ck_assert_str_eq(info->class_names[2], "c");
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(2, 1)));
    float values[2];
    int32_t label;
    ck_ok(mica_dataset_sample(set, 2, values, &label));
    ck_assert_int_eq(label, 2);
    ck_assert_float_eq_tol(values[0], 0.8f, 1e-6f);
    ck_assert_float_eq(values[1], 1);
    ck_refused(mica_dataset_sample(set, 3, values, NULL), MICA_E_INVALID, "samples 0 to 2");
    mica_dataset_destroy(&set);
    ck_assert_ptr_null(set);
    mica_dataset_destroy(&set);

    ck_ok(mica_dataset_from_floats(
        floats, labels, 3, &(mica_dataset_options){.sample = MICA_SHAPE(2), .scale = 2}, &set));
    ck_assert_str_eq(mica_dataset_get_info(set)->class_names[1], "1");
    ck_ok(mica_dataset_sample(set, 0, values, NULL));
    ck_assert_float_eq(values[0], 1);
    ck_assert_float_eq(values[1], -2);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(arrays_refused) {
    const float floats[] = {1, 2, 3, 4}, broken[] = {1, 2, NAN, 4};
    const int32_t labels[] = {0, 1, 2, -1};
    mica_dataset *set = NULL;
    mica_dataset_options one = {.sample = MICA_SHAPE(1)}, two = {.sample = MICA_SHAPE(2)};
    ck_refused(
        mica_dataset_from_floats(floats, labels, 0, &one, &set), MICA_E_INVALID, "at least one");
    ck_refused(
        mica_dataset_from_floats(floats, labels, 2, NULL, &set), MICA_E_INVALID, "the shape");
    ck_refused(mica_dataset_from_floats(broken, labels, 2, &two, &set), MICA_E_INVALID,
        "value 0 of sample 1 is not finite");
    ck_refused(mica_dataset_from_floats(floats, labels, 4, &one, &set), MICA_E_INVALID,
        "label -1 of sample 3 is out of range");
    mica_dataset_options deep = {.sample = MICA_SHAPE(1, 1, 1, 1, 1, 1)};
    ck_refused(mica_dataset_from_floats(floats, labels, 2, &deep, &set), MICA_E_INVALID,
        "a sample of rank 6: wanted at most 5");
    one.classes = 2;
    ck_refused(mica_dataset_from_floats(floats, labels, 3, &one, &set), MICA_E_INVALID,
        "label 2 of sample 2 is out of range: wanted 0 to 1");
    ck_assert_ptr_null(set);
}
END_TEST

START_TEST(normalized) {
    const uint8_t bytes[] = {0, 51, 102, 153, 204, 255};
    const int32_t labels[] = {0};
    const float mean[] = {0.5f, 0.25f, 0}, deviation[] = {0.5f, 2, 4}, zero[] = {1, 0, 1};
    mica_dataset_options options = {
        .sample = MICA_SHAPE(1, 2, 3), .mean = mean, .deviation = deviation, .channels = 3};
    mica_dataset *set = NULL, *part;
    ck_ok(mica_dataset_from_bytes(bytes, labels, 1, &options, &set));
    ck_ok(mica_dataset_slice(set, 0, 1, &part));
    mica_dataset_destroy(&set);
    const mica_dataset_info *info = mica_dataset_get_info(part);
    ck_assert_int_eq(info->channels, 3);
    ck_assert(info->mean != mean && info->mean[1] == 0.25f && info->deviation[2] == 4);
    float values[6];
    ck_ok(mica_dataset_sample(part, 0, values, NULL));
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(
            values[i], ((float)bytes[i] * (1.0f / 255) - mean[i % 3]) / deviation[i % 3]);
    mica_dataset_destroy(&part);

    options.channels = 1; /* one number for all, whatever the shape */
    options.deviation = NULL;
    options.sample = MICA_SHAPE(6);
    ck_ok(mica_dataset_from_bytes(bytes, labels, 1, &options, &set));
    ck_assert_ptr_null(mica_dataset_get_info(set)->deviation);
    ck_ok(mica_dataset_sample(set, 0, values, NULL));
    ck_assert_float_eq(values[5], 0.5f);
    mica_dataset_destroy(&set);

    options.channels = 3;
    ck_refused(mica_dataset_from_bytes(bytes, labels, 1, &options, &set), MICA_E_INVALID,
        "mean and deviation of 3 channels: a sample has 6; wanted 1 or as many");
    options.sample = MICA_SHAPE(2, 3);
    options.deviation = zero;
    ck_refused(mica_dataset_from_bytes(bytes, labels, 1, &options, &set), MICA_E_INVALID,
        "deviation 0 of channel 1");
    ck_assert_ptr_null(set);
}
END_TEST

/* A sample is told from others by its label, which is its number. */
static int part_of(mica_dataset *const part[2], int32_t wanted, int *found) {
    int where = -1;
    *found = 0;
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < mica_dataset_get_info(part[p])->count; i++) {
            int32_t label;
            ck_ok(mica_dataset_sample(part[p], i, NULL, &label));
            *found += label == wanted;
            where = label == wanted ? p : where;
        }
    return where;
}

START_TEST(split) {
    mica_dataset *set = numbered(100), *part[3];
    ck_ok(mica_dataset_split(set, 7, 3, (const double[]){0, 0.15, 0.2}, part));
    mica_dataset_destroy(&set);
    int seen[100] = {0};
    for (int p = 0; p < 3; p++) {
        int32_t last = -1;
        for (int64_t i = 0; i < mica_dataset_get_info(part[p])->count; i++) {
            int32_t label;
            float values[2];
            ck_ok(mica_dataset_sample(part[p], i, values, &label));
            ck_assert_float_eq(values[0], (float)label);
            ck_assert_int_gt(label, last); /* in the set's order */
            last = label;
            seen[label]++;
        }
    }
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(seen[i], 1);

    mica_dataset *slice, *parts[2];
    ck_ok(mica_dataset_slice(part[0], 10, 40, &slice));
    int32_t a, b;
    ck_ok(mica_dataset_sample(part[0], 13, NULL, &a));
    ck_ok(mica_dataset_sample(slice, 3, NULL, &b));
    ck_assert_int_eq(a, b);
    ck_refused(mica_dataset_slice(slice, 38, 3, &set), MICA_E_INVALID, "samples 0 to 39");
    ck_ok(mica_dataset_split(slice, 0, 2, (const double[]){0.6, 0.4}, parts));
    ck_assert_int_eq(
        mica_dataset_get_info(parts[0])->count + mica_dataset_get_info(parts[1])->count, 40);
    mica_dataset_destroy(&slice);
    for (int p = 0; p < 2; p++)
        mica_dataset_destroy(&parts[p]);
    for (int p = 0; p < 3; p++)
        mica_dataset_destroy(&part[p]);
}
END_TEST

enum { ROWS = 1500, GROWN = 2000, COLUMNS = 3 };

/* Rows with random numbers, whose labels are their numbers; `order` is where each stands. */
static mica_dataset *rows(const int32_t *order, int64_t count) {
    float *features = calloc((size_t)count * COLUMNS, sizeof *features);
    int32_t *labels = calloc((size_t)count, sizeof *labels);
    for (int64_t i = 0; i < count; i++) {
        mica_rng rng = {.seed = 9, .stream = (uint32_t)order[i]};
        for (int c = 0; c < COLUMNS; c++)
            features[i * COLUMNS + c] = mica_rng_normal(&rng);
        labels[i] = order[i];
    }
    mica_dataset *set;
    ck_ok(mica_dataset_from_floats(features, labels, count,
        &(mica_dataset_options){.sample = MICA_SHAPE(COLUMNS), .classes = GROWN}, &set));
    free(features);
    free(labels);
    return set;
}

/* Whether each row is in the second part. */
static void membership(mica_dataset *set, uint64_t seed, double size, bool *second) {
    mica_dataset *part[2];
    ck_ok(mica_dataset_split(set, seed, 2, (const double[]){0, size}, part));
    for (int p = 0; p < 2; p++) {
        for (int64_t i = 0; i < mica_dataset_get_info(part[p])->count; i++) {
            int32_t label;
            ck_ok(mica_dataset_sample(part[p], i, NULL, &label));
            second[label] = p;
        }
        mica_dataset_destroy(&part[p]);
    }
    mica_dataset_destroy(&set);
}

START_TEST(split_keeps_everyone) {
    static const double sizes[] = {0.05, 0.2, 0.5, 0.8};
    int32_t order[GROWN];
    int changed = 0;
    for (uint64_t seed = 0; seed < 8; seed++) {
        const double size = sizes[seed % 4];
        bool before[GROWN] = {0}, after[GROWN] = {0};
        for (int32_t i = 0; i < GROWN; i++)
            order[i] = i;
        membership(rows(order, ROWS), seed, size, before);
        mica_permute(seed, 5, order, GROWN); /* grown, and in another order */
        membership(rows(order, GROWN), seed, size, after);
        int64_t count = 0;
        for (int32_t i = 0; i < ROWS; i++)
            ck_assert_msg(before[i] == after[i], "row %d moved, seed %d", i, (int)seed);
        for (int32_t i = 0; i < GROWN; i++)
            count += after[i];
        double deviation = sqrt(GROWN * size * (1 - size));
        ck_assert_double_lt(fabs((double)count - GROWN * size), 4 * deviation);
        membership(rows(order, GROWN), seed + 1, size, before);
        for (int32_t i = 0; i < GROWN; i++)
            changed += before[i] != after[i];
    }
    ck_assert_int_gt(changed, GROWN); /* the seed draws */
}
END_TEST

START_TEST(split_keeps_equals_together) {
    float features[400];
    int32_t labels[400];
    for (int i = 0; i < 400; i++) {
        features[i] = i % 80 == 40 ? -0.0f : (float)(i % 40);
        labels[i] = i % 40;
    }
    mica_dataset *set, *part[2];
    ck_ok(mica_dataset_from_floats(features, labels, 400,
        &(mica_dataset_options){.sample = MICA_SHAPE(1), .classes = 40}, &set));
    ck_ok(mica_dataset_split(set, 1, 2, (const double[]){0, 0.3}, part));
    for (int32_t label = 0; label < 40; label++) { /* 0: zeros of both signs */
        int found, where = part_of(part, label, &found);
        ck_assert_int_eq(found, 10);
        for (int64_t i = 0; i < mica_dataset_get_info(part[!where])->count; i++) {
            int32_t other;
            ck_ok(mica_dataset_sample(part[!where], i, NULL, &other));
            ck_assert_int_ne(other, label);
        }
    }
    mica_dataset_destroy(&part[0]);
    mica_dataset_destroy(&part[1]);
    mica_dataset_destroy(&set);
}
END_TEST

/* The draw is part of what a run promises: it must not change between versions. */
START_TEST(split_is_pinned) {
    mica_dataset *set = numbered(30), *part;
    ck_ok(mica_dataset_split(set, 1, 1, (const double[]){0.3}, &part));
    const int32_t wanted[] = {0, 3, 7, 13, 18, 19, 29};
    ck_assert_int_eq(mica_dataset_get_info(part)->count, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int32_t label;
        ck_ok(mica_dataset_sample(part, (int64_t)i, NULL, &label));
        ck_assert_int_eq(label, wanted[i]);
    }
    mica_dataset_destroy(&part);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(split_refused) {
    mica_dataset *set = numbered(10), *part[2] = {NULL, NULL};
    ck_refused(mica_dataset_split(set, 0, 2, (const double[]){0.8, 0.3}, part), MICA_E_INVALID,
        "add up to 1.1");
    ck_refused(mica_dataset_split(set, 0, 2, (const double[]){0, 0}, part), MICA_E_INVALID, "once");
    ck_refused(mica_dataset_split(set, 0, 2, (const double[]){1e-9, 0}, part), MICA_E_INVALID,
        "none of the 10 samples falls into part 1, 1e-09 of them");
    ck_refused(mica_dataset_split(set, 0, 1, (const double[]){3}, part), MICA_E_INVALID, "size 3");
    ck_refused(
        mica_dataset_split(set, 0, 1, (const double[]){NAN}, part), MICA_E_INVALID, "size nan");
    ck_assert_ptr_null(part[0]);
    mica_dataset_destroy(&set);
}
END_TEST

static mica_status csv(const char *text, const mica_dataset_options *options, mica_dataset **set) {
    return mica_dataset_from_csv(temp_write("t.csv", text, strlen(text)), options, set);
}

START_TEST(csv_read) {
    mica_dataset *set;
    ck_ok(csv("width, height, class\r\n1, 2.5, 0\r\n-3e1 ,4,2\r\n\r\n", NULL, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 2);
    ck_assert_int_eq(info->classes, 3);
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(2)));
    float values[2];
    int32_t label;
    ck_ok(mica_dataset_sample(set, 1, values, &label));
    ck_assert_float_eq(values[0], -30);
    ck_assert_float_eq(values[1], 4);
    ck_assert_int_eq(label, 2);
    mica_dataset_destroy(&set);

    ck_ok(csv("1,2,3,4,5", &(mica_dataset_options){.sample = MICA_SHAPE(2, 2)}, &set));
    ck_assert(mica_shape_equal(mica_dataset_get_info(set)->sample, MICA_SHAPE(2, 2)));
    mica_dataset_destroy(&set);
}
END_TEST

/* The label is the column of that name, wherever it stands. */
START_TEST(csv_label) {
    static const struct {
        const char *names, *note;
        int label;
    } cases[] = {{"label,a,b", "t.csv: the label is column 1 (label)", 0},
        {"a, \"Class\" ,b", "t.csv: the label is column 2 (Class)", 1}, {"a,b,target", NULL, 2},
        {"label,a,y", NULL, 2}, {"label,1x1,28x28", "t.csv: the label is column 1 (label)", 0},
        {"a,b,c",
            "t.csv: the label is column 3 (c), the last; none is called label, class or target",
            2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        mica_dataset *set;
        snprintf(text, sizeof text, "%s\n5,6,7\n8,9,4\n", cases[i].names);
        ck_ok(csv(text, NULL, &set));
        const mica_dataset_info *info = mica_dataset_get_info(set);
        static const int rows[2][3] = {{5, 6, 7}, {8, 9, 4}};
        for (int row = 0; row < 2; row++) {
            float values[2];
            int32_t label;
            ck_ok(mica_dataset_sample(set, row, values, &label));
            ck_assert_int_eq(label, rows[row][cases[i].label]);
            ck_assert_float_eq(values[0], (float)rows[row][cases[i].label == 0]);
            ck_assert_float_eq(values[1], (float)rows[row][2 - (cases[i].label == 2)]);
        }
        if (cases[i].note)
            ck_assert_str_eq(strrchr(info->note, '/') + 1, cases[i].note);
        else
            ck_assert_ptr_null(info->note);
        mica_dataset_destroy(&set);
    }
}
END_TEST

START_TEST(csv_refused) {
    mica_dataset *set = NULL;
    ck_refused(csv("", NULL, &set), MICA_E_FORMAT, "empty");
    ck_refused(csv("a,b,c\n", NULL, &set), MICA_E_FORMAT, "empty");
    ck_refused(csv("1,2,0\n1,0\n", NULL, &set), MICA_E_FORMAT, "t.csv:2: wanted 3 columns");
    ck_refused(csv("1,2,0\n1,2,3,0\n", NULL, &set), MICA_E_FORMAT, "came 4");
    ck_refused(csv("1,2,0\n1,,0\n", NULL, &set), MICA_E_FORMAT, "column 2: wanted a number");
    ck_refused(csv("1,2,0\n1,2,\n3", NULL, &set), MICA_E_FORMAT, "column 3: wanted a number");
    ck_refused(csv("1,2,0\n1,x2,0\n", NULL, &set), MICA_E_FORMAT, "came \"x2\"");
    ck_refused(csv("1,2,0\n1,nan,0\n", NULL, &set), MICA_E_FORMAT, "came \"nan\"");
    ck_refused(csv("1,2,0\n1,1e60,0\n", NULL, &set), MICA_E_FORMAT, "came \"1e60\"");
    ck_refused(csv("1,2,0\n1,0x10,0\n", NULL, &set), MICA_E_FORMAT, "t.csv:2: column 2: wanted a");
    ck_refused(csv("1,2,0\n1,2e,0\n", NULL, &set), MICA_E_FORMAT, "came \"2e\"");
    /* the first line is one of names only if it has no number */
    ck_refused(csv("x,2,0\n1,2,0\n", NULL, &set), MICA_E_FORMAT, "t.csv:1: column 1: wanted a");
    ck_refused(csv("0x1,0x2,0x0\n1,2,0\n", NULL, &set), MICA_E_FORMAT, "t.csv:1: column 1: wanted");
    ck_refused(csv("nan,NA,null\n1,2,0\n", NULL, &set), MICA_E_FORMAT, "t.csv:1: column 1: wanted");
    ck_refused(csv("2020-01-01,1;5,0x1F\n1,2,0\n", NULL, &set), MICA_E_FORMAT, "t.csv:1: column 1");
    ck_refused(csv(",,\n1,2,0\n", NULL, &set), MICA_E_FORMAT, "t.csv:1: column 1: wanted a number");
    ck_refused(csv("a;b;class\n1;2;0\n", NULL, &set), MICA_E_FORMAT,
        "t.csv:2: column 1: wanted a number, came \"1;2;0\"; fields are separated by commas, and "
        "this line has semicolons");
    ck_refused(csv("1\t2\t0\n", NULL, &set), MICA_E_FORMAT, "and this line has tabs");
    ck_refused(csv("1,2,0\r3,4,1\r", NULL, &set), MICA_E_FORMAT, "t.csv:1: a carriage return");
    ck_refused(csv("label,x,class,y2\n1,2,0,0\n", NULL, &set), MICA_E_FORMAT,
        "t.csv:1: 2 columns are called like a label");
    ck_refused(csv("a,b,label,c\n1,2\n", NULL, &set), MICA_E_FORMAT,
        "t.csv:2: wanted 3 columns as in the lines before, came 2");
    ck_refused(csv("1,2,0.5\n", NULL, &set), MICA_E_FORMAT, "came 0.5");
    ck_refused(csv("1,2,-1\n", NULL, &set), MICA_E_FORMAT, "came -1");
    ck_refused(csv("1,2,3e9\n", NULL, &set), MICA_E_FORMAT, "came 3e+09");
    ck_refused(csv("1\n2\n", NULL, &set), MICA_E_FORMAT, "came only one");
    ck_refused(csv("1,2,10\n", &(mica_dataset_options){.classes = 10}, &set), MICA_E_INVALID,
        "label 10 of sample 0 is out of range: wanted 0 to 9");
    ck_refused(csv("1,2,0\n", &(mica_dataset_options){.sample = MICA_SHAPE(8, 8, 1)}, &set),
        MICA_E_INVALID, "t.csv: a sample has 2 values");
    ck_refused(mica_dataset_from_csv(temp_write("z.csv", "1,2,0\n1,\0002,0\n", 14), NULL, &set),
        MICA_E_FORMAT, "z.csv:2: a zero byte");
    ck_refused(mica_dataset_from_csv(temp_path("none.csv"), NULL, &set), MICA_E_NOT_FOUND,
        "none.csv: No such file");
    ck_refused(
        mica_dataset_from_csv(temp_path(""), NULL, &set), MICA_E_INVALID, "not a regular file");
    ck_assert_ptr_null(set);
}
END_TEST

START_TEST(digits) {
    mica_dataset *set;
    ck_ok(mica_dataset_from_csv(DIGITS,
        &(mica_dataset_options){.sample = MICA_SHAPE(8, 8, 1), .classes = 10, .scale = 1.0f / 16},
        &set));
    ck_assert_int_eq(mica_dataset_get_info(set)->count, 1797);
    const int per_class[] = {178, 182, 177, 183, 181, 182, 181, 179, 174, 180};
    int count[10] = {0};
    for (int64_t i = 0; i < 1797; i++) {
        float values[64];
        int32_t label;
        ck_ok(mica_dataset_sample(set, i, values, &label));
        for (int k = 0; k < 64; k++)
            ck_assert(values[k] >= 0 && values[k] <= 1);
        count[label]++;
    }
    ck_assert_mem_eq(count, per_class, sizeof count);
    mica_dataset_destroy(&set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, arrays);
    tcase_add_test(tests, arrays_refused);
    tcase_add_test(tests, normalized);
    tcase_add_test(tests, split);
    tcase_add_test(tests, split_keeps_everyone);
    tcase_add_test(tests, split_keeps_equals_together);
    tcase_add_test(tests, split_is_pinned);
    tcase_add_test(tests, split_refused);
    tcase_add_test(tests, csv_read);
    tcase_add_test(tests, csv_label);
    tcase_add_test(tests, csv_refused);
    tcase_add_test(tests, digits);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
