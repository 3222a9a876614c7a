/* Sequences: the course's mini-batches, texts and time series as data sets. */
#include "tests/io/temp.h"

#include <math.h>
#include <mica/sequence.h>
#include <stdint.h>
#include <stdio.h>

/* ---- mini-batches ---- */

/* The course's example. */
START_TEST(batches) {
    const int32_t numbers[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const int32_t first[] = {1, 2, 3, 7, 8, 9}, second[] = {4, 5, 6, 10, 11, 12};
    int32_t out[6];
    ck_assert_int_eq(mica_sequence_batches(12, 2, 3), 2);
    ck_ok(mica_sequence_batch(numbers, 12, 2, 3, 0, out));
    ck_assert_mem_eq(out, first, sizeof first);
    ck_ok(mica_sequence_batch(numbers, 12, 2, 3, 1, out));
    ck_assert_mem_eq(out, second, sizeof second);
}
END_TEST

START_TEST(batches_edges) {
    int32_t numbers[20], out[9];
    for (int i = 0; i < 20; i++)
        numbers[i] = i;
    ck_assert_int_eq(mica_sequence_batches(17, 2, 3), 2); /* 5 are left over */
    ck_ok(mica_sequence_batch(numbers, 17, 2, 3, 1, out));
    const int32_t wanted[] = {3, 4, 5, 9, 10, 11};
    ck_assert_mem_eq(out, wanted, sizeof wanted);
    ck_assert_int_eq(mica_sequence_batches(1, 1, 1), 1);
    ck_assert_int_eq(mica_sequence_batches(5, 2, 3), 0);
    ck_assert_int_eq(mica_sequence_batches(0, 2, 3), 0);
    ck_assert_int_eq(mica_sequence_batches(-5, 2, 3), 0);
    ck_assert_int_eq(mica_sequence_batches(12, 0, 3), 0);
    ck_assert_int_eq(mica_sequence_batches(12, 2, -3), 0);
    ck_assert_int_eq(mica_sequence_batches(INT64_MAX, INT64_MAX, 2), 0);
    ck_assert_int_eq(mica_sequence_batches(INT64_MAX, INT64_MAX, 1), 1);
    memset(out, 7, sizeof out);
    ck_refused(
        mica_sequence_batch(numbers, 12, 2, 3, 2, out), MICA_E_INVALID, "make batches 0 to 1");
    ck_refused(mica_sequence_batch(numbers, 12, 2, 3, -1, out), MICA_E_INVALID, "batch -1");
    ck_refused(mica_sequence_batch(numbers, 5, 2, 3, 0, out), MICA_E_INVALID, "at least 2 x 3");
    ck_refused(mica_sequence_batch(NULL, 12, 2, 3, 0, out), MICA_E_INVALID, "NULL");
    ck_refused(mica_sequence_batch(numbers, 12, INT64_MAX, 2, 0, out), MICA_E_INVALID, "x 2");
    ck_assert_int_eq(out[0], 0x07070707);
}
END_TEST

/* ---- text ---- */

static const char *text_path(const char *text, size_t size) {
    return temp_write("t.txt", text, size);
}

static mica_status text_set(
    const char *text, const mica_text_options *options, mica_dataset **set) {
    return mica_dataset_from_text(text_path(text, strlen(text)), options, set, NULL, NULL);
}

START_TEST(text_read) {
    const mica_text_options options = {.sequences = 2, .length = 3};
    mica_dataset *set;
    ck_ok(text_set("abcdefghijkla", &options, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 4);
    ck_assert_int_eq(info->classes, 12);
    ck_assert(info->ordered && info->dtype == MICA_I32 && info->target_dtype == MICA_I32);
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(3)));
    ck_assert(mica_shape_equal(info->target, MICA_SHAPE(3)));
    ck_assert_str_eq(info->class_names[3], "d");
    /* as 1 to 12 above, from 0; each target is the character that follows */
    const int32_t wanted[4][3] = {{0, 1, 2}, {6, 7, 8}, {3, 4, 5}, {9, 10, 11}};
    for (int i = 0; i < 4; i++) {
        int32_t sample[3], target[3];
        ck_ok(mica_dataset_sample(set, i, sample, target));
        ck_assert_mem_eq(sample, wanted[i], sizeof sample);
        for (int k = 0; k < 3; k++)
            ck_assert_int_eq(target[k], (wanted[i][k] + 1) % 12);
    }
    mica_dataset_destroy(&set);
}
END_TEST

/* Code points of each length in their order, a byte order mark, and line ends as they are. */
START_TEST(text_characters) {
    const char text[] = "\xef\xbb\xbf"
                        "z\r\n\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa4z\xef\xbb\xbf";
    const char *const names[] = {
        "\n", "\r", "z", "\xc3\xa4", "\xe2\x82\xac", "\xef\xbb\xbf", "\xf0\x9f\x98\x80"};
    const int32_t wanted[] = {2, 1, 0, 6, 4, 3, 2};
    const mica_text_options options = {.sequences = 1, .length = 7};
    mica_dataset *set;
    ck_ok(text_set(text, &options, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->classes, 7);
    for (int i = 0; i < 7; i++)
        ck_assert_str_eq(info->class_names[i], names[i]);
    int32_t sample[7], target[7], numbers[16];
    ck_ok(mica_dataset_sample(set, 0, sample, target));
    ck_assert_mem_eq(sample, wanted, sizeof wanted);
    ck_assert_int_eq(target[6], 5);

    int64_t count = 0;
    ck_ok(mica_text_encode(info->class_names, 7, "z\xc3\xa4z", 4, numbers, &count));
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(numbers[1], 3);
    ck_ok(mica_text_encode(info->class_names, 7, "", 0, numbers, &count));
    ck_assert_int_eq(count, 0);
    ck_refused(mica_text_encode(info->class_names, 7, "z\n\xc3\xb6", 4, numbers, &count),
        MICA_E_INVALID, "the text:2: the character \xc3\xb6 (U+00F6) is not among the 7");
    ck_refused(mica_text_encode(info->class_names, 7, "\t", 1, numbers, &count), MICA_E_INVALID,
        "(U+0009)");
    ck_refused(mica_text_encode(info->class_names, 7, "z\xff", 2, numbers, &count), MICA_E_FORMAT,
        "byte 1 (0xff)");
    const char *const pairs[] = {"ab"};
    ck_refused(mica_text_encode(pairs, 1, "a", 1, numbers, &count), MICA_E_INVALID,
        "wanted one character");

    mica_text_options given = options; /* a vocabulary that is given */
    given.characters = names;
    given.classes = 7;
    mica_dataset *again = NULL;
    ck_ok(text_set("zzzzzzz\xe2\x82\xac", &given, &again));
    ck_assert_int_eq(mica_dataset_get_info(again)->classes, 7);
    ck_ok(mica_dataset_sample(again, 0, sample, target));
    ck_assert_int_eq(target[6], 4);
    mica_dataset_destroy(&again);
    ck_refused(text_set("zzzz\nzza", &given, &again), MICA_E_INVALID,
        "t.txt:2: the character a (U+0061) is not among the 7");
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(text_parts) {
    char text[101];
    for (int i = 0; i < 100; i++)
        text[i] = (char)('!' + i % 90);
    const mica_text_options options = {.sequences = 2, .length = 4, .validation = 0.2, .test = 0.1};
    mica_dataset *part[3];
    int32_t sample[4];
    ck_ok(mica_dataset_from_text(
        temp_gzip("t.txt.gz", text, 100), &options, &part[0], &part[1], &part[2]));
    const int64_t counts[] = {16, 4, 2};
    const int32_t first[] = {0, 70, 0}; /* the last part begins at 90: the characters repeat */
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(mica_dataset_get_info(part[i])->count, counts[i]);
        ck_assert_int_eq(mica_dataset_get_info(part[i])->classes, 90);
        ck_ok(mica_dataset_sample(part[i], 0, sample, NULL));
        ck_assert_int_eq(sample[0], first[i]);
        mica_dataset_destroy(&part[i]);
    }
    const mica_text_options whole = {.sequences = 2, .length = 4};
    ck_ok(mica_dataset_from_text(text_path(text, 100), &whole, NULL, &part[1], &part[2]));
    ck_assert(!part[1] && !part[2]);
}
END_TEST

/* What is no UTF-8, each with what the error says. */
static const struct {
    const char *text, *error;
} broken[] = {
    {"ab\ncd\x80", "t.txt:2: byte 5 (0x80) is not UTF-8: no character begins so"},
    {"a\xf8\x88\x80\x80\x80", "byte 1 (0xf8) is not UTF-8: no character begins so"},
    {"a\xfe", "no character begins so"},
    {"a\xc0\x80", "longer than it must be"},
    {"\xe0\x9f\xbf", "longer than it must be"},
    {"\xf0\x8f\xbf\xbf", "longer than it must be"},
    {"\xed\xa0\x80", "half of a surrogate pair"},
    {"\xed\xbf\xbf", "half of a surrogate pair"},
    {"\xf4\x90\x80\x80", "characters end at U+10FFFF"},
    {"\xf7\xbf\xbf\xbf", "characters end at U+10FFFF"},
    {"abc\xc3", "byte 3 (0xc3) is not UTF-8: the character is cut off"},
    {"\xe2\x82z", "the character is cut off"},
    {"\xf0\x9f\x98", "the character is cut off"},
    {"\xef\xbb\xbfz\xff", "byte 4 (0xff)"},
};

START_TEST(text_broken) {
    mica_dataset *set = NULL;
    const mica_text_options options = {.sequences = 1, .length = 1};
    ck_refused(text_set(broken[_i].text, &options, &set), MICA_E_FORMAT, broken[_i].error);
    ck_assert_ptr_null(set);
}
END_TEST

START_TEST(text_refused) {
    mica_dataset *set = NULL;
    mica_text_options options = {.sequences = 2, .length = 3};
    ck_refused(text_set("", &options, &set), MICA_E_FORMAT, "t.txt: the text is empty");
    ck_refused(text_set("\xef\xbb\xbf", &options, &set), MICA_E_FORMAT, "the text is empty");
    ck_refused(text_set("abcdef", &options, &set), MICA_E_INVALID,
        "t.txt: the training part has 6 characters, too few for one batch of 2 sequences of 3");
    ck_refused(mica_dataset_from_text(text_path("a\0b", 3), &options, &set, NULL, NULL),
        MICA_E_FORMAT, "byte 1 (0x00)");
    ck_refused(mica_dataset_from_text(temp_path("none.txt"), &options, &set, NULL, NULL),
        MICA_E_NOT_FOUND, "none.txt: No such file");
    options.validation = 0.1;
    mica_dataset *validation = NULL;
    const char *path = text_path("abcdefghijklmnopqrstuvwxyz", 26);
    ck_refused(mica_dataset_from_text(path, &options, &set, &validation, NULL), MICA_E_INVALID,
        "the validation part has 3 characters");
    options.test = 0.9;
    ck_refused(text_set("abcdefgh", &options, &set), MICA_E_INVALID, "leave something");
    options = (mica_text_options){.sequences = 1, .length = 4, .test = 0.99};
    ck_refused(mica_dataset_from_text(path, &options, &set, NULL, &validation), MICA_E_INVALID,
        "the training part has 0 characters");
    options = (mica_text_options){.sequences = 2, .length = 3};
    options.test = NAN;
    ck_refused(text_set("abcdefgh", &options, &set), MICA_E_INVALID, "fractions");
    options = (mica_text_options){.sequences = 2};
    ck_refused(text_set("abcdefgh", &options, &set), MICA_E_INVALID, "length of at least 1");
    options = (mica_text_options){.sequences = INT32_MAX, .length = INT32_MAX};
    ck_refused(text_set("abcdefgh", &options, &set), MICA_E_INVALID, "too few");
    options = (mica_text_options){.sequences = 1, .length = 1, .classes = 3};
    ck_refused(text_set("abcd", &options, &set), MICA_E_INVALID, "has 4 different characters");
    ck_assert(!set && !validation);
}
END_TEST

/* ---- time series ---- */

static mica_status series_set(
    const char *text, const mica_series_options *options, mica_dataset **set) {
    return mica_dataset_from_series(text_path(text, strlen(text)), options, set, NULL, NULL);
}

START_TEST(series_read) {
    const char *const columns[] = {"heat", "2"};
    mica_series_options options = {.columns = columns, .n_columns = 2, .window = 2, .horizon = 2};
    mica_dataset *set;
    ck_ok(series_set("\"day\", \"wind, west\", heat\r\n"
                     "mon, 1, \"10\"\r\ntue,2,20\n\nwed, 3 ,30\nthu,4,40\nfri,5,50\n",
        &options, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 2);
    ck_assert(info->dtype == MICA_F32 && info->target_dtype == MICA_F32 && !info->ordered);
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(2, 2)));
    ck_assert(mica_shape_equal(info->target, MICA_SHAPE(2, 2)));
    ck_assert_float_eq(info->mean[0], 30);
    ck_assert_float_eq(info->mean[1], 3);
    ck_assert_float_eq_tol(info->deviation[0], sqrtf(200), 1e-5f);
    float sample[4], target[4];
    ck_ok(mica_dataset_sample(set, 1, sample, target));
    for (int i = 0; i < 4; i++) {
        const float s = i % 2 ? 1 : 10; /* Wednesday's column 2 is 3, the mean */
        const float mean = info->mean[i % 2], deviation = info->deviation[i % 2];
        ck_assert_float_eq_tol(sample[i], ((float)(2 + i / 2) * s - mean) / deviation, 1e-6f);
        ck_assert_float_eq_tol(target[i], ((float)(4 + i / 2) * s - mean) / deviation, 1e-6f);
    }
    mica_dataset_destroy(&set);

    options = (mica_series_options){.window = 1};
    ck_ok(series_set("5\n5\n5", &options, &set)); /* never changes: no division by 0 */
    ck_ok(mica_dataset_sample(set, 1, sample, target));
    ck_assert_float_eq(sample[0], 0);
    ck_assert_float_eq(target[0], 0);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(series_parts) {
    char text[1024] = "";
    for (int i = 0; i < 100; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d\n", i);
    const mica_series_options options = {
        .window = 10, .horizon = 3, .validation = 0.2, .test = 0.1};
    mica_dataset *part[3];
    ck_ok(mica_dataset_from_series(
        text_path(text, strlen(text)), &options, &part[0], &part[1], &part[2]));
    /* the training part is 0 .. 69; first and last targets of the others are 70 .. 89, 90 .. 99 */
    const int64_t counts[] = {58, 18, 8};
    const float first[] = {10, 70, 90};
    for (int i = 0; i < 3; i++) {
        const mica_dataset_info *info = mica_dataset_get_info(part[i]);
        float sample[10], target[3];
        ck_assert_int_eq(info->count, counts[i]);
        ck_assert_float_eq_tol(info->mean[0], 34.5f, 1e-5f);
        ck_ok(mica_dataset_sample(part[i], 0, sample, target));
        ck_assert_float_eq_tol(target[0] * info->deviation[0] + info->mean[0], first[i], 1e-4f);
        ck_assert_float_eq_tol(sample[9] * info->deviation[0] + info->mean[0], first[i] - 1, 1e-4f);
        mica_dataset_destroy(&part[i]);
    }
}
END_TEST

START_TEST(series_refused) {
    mica_dataset *set = NULL;
    const char *const columns[] = {"b"};
    mica_series_options options = {.window = 2};
    ck_refused(series_set("", &options, &set), MICA_E_FORMAT, "empty");
    ck_refused(series_set("a,b\n", &options, &set), MICA_E_FORMAT, "empty");
    ck_refused(series_set("a,b\n1,2\n3,\n", &options, &set), MICA_E_FORMAT,
        "t.txt:3: column 2 (b): wanted a number, came an empty cell");
    ck_refused(series_set("1,2\n3,nan\n", &options, &set), MICA_E_FORMAT,
        "t.txt:2: column 2: wanted a number, came \"nan\"");
    ck_refused(series_set("1,2\n3,0x4\n", &options, &set), MICA_E_FORMAT, "came \"0x4\"");
    ck_refused(series_set("nan,inf\n3,4\n", &options, &set), MICA_E_FORMAT, ":1: column 1: wanted");
    ck_refused(series_set("0x1,0x2\n3,4\n", &options, &set), MICA_E_FORMAT, ":1: column 1: wanted");
    ck_refused(series_set(",\n3,4\n", &options, &set), MICA_E_FORMAT, ":1: column 1: wanted");
    ck_refused(series_set("1;2\n3;4\n", &options, &set), MICA_E_FORMAT,
        "came \"1;2\"; fields are separated by commas, and this line has semicolons");
    ck_refused(series_set("1\n1e60\n", &options, &set), MICA_E_FORMAT, "came \"1e60\"");
    ck_refused(series_set("a\n1\n2x\n", &options, &set), MICA_E_FORMAT, "came \"2x\"");
    ck_refused(series_set("1,2\n3\n", &options, &set), MICA_E_FORMAT,
        "t.txt:2: wanted 2 columns as in the lines before, came 1");
    ck_refused(series_set("1\n2\n", &options, &set), MICA_E_INVALID,
        "the training part has 2 steps, too few for a window of 2 and 1 to forecast");
    options.test = 0.99;
    ck_refused(
        series_set("1\n2\n3\n", &options, &set), MICA_E_INVALID, "the training part has 0 steps");
    ck_refused(mica_dataset_from_series(text_path("1\n\0002\n", 5), &options, &set, NULL, NULL),
        MICA_E_FORMAT, "t.txt:2: a zero byte");
    options.columns = columns;
    options.n_columns = 1;
    ck_refused(series_set("a,c\n1,2\n", &options, &set), MICA_E_INVALID,
        "no column is called b: wanted a name of the first line or a number from 1 to 2");
    ck_refused(series_set("a;c\n1;2\n", &options, &set), MICA_E_INVALID,
        "number from 1 to 1; fields are separated by commas, and this line has semicolons");
    const char *const twice[] = {"a"};
    options = (mica_series_options){.window = 1, .columns = twice, .n_columns = 1};
    ck_refused(series_set("a,b,a\n1,2,3\n4,5,6\n", &options, &set), MICA_E_INVALID,
        "columns 1 and 3 are both called a: wanted one of these numbers");
    options = (mica_series_options){.window = 0};
    ck_refused(series_set("1\n2\n", &options, &set), MICA_E_INVALID, "window of at least 1");
    options = (mica_series_options){.window = INT32_MAX, .horizon = INT32_MAX};
    ck_refused(series_set("1\n2\n", &options, &set), MICA_E_INVALID, "too few");
    ck_assert_ptr_null(set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sequences");
    TCase *tests = tcase_create("sequences");
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, batches);
    tcase_add_test(tests, batches_edges);
    tcase_add_test(tests, text_read);
    tcase_add_test(tests, text_characters);
    tcase_add_test(tests, text_parts);
    tcase_add_loop_test(tests, text_broken, 0, sizeof broken / sizeof *broken);
    tcase_add_test(tests, text_refused);
    tcase_add_test(tests, series_read);
    tcase_add_test(tests, series_parts);
    tcase_add_test(tests, series_refused);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
