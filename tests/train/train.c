/* Training on the device that the first argument names: it learns, the same seed gives the same
 * run, a run that was stopped anywhere and continued equals one that never stopped, NaN is found.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/philox.h"
#include "base/text.h"
#include "tests/io/temp.h"
#include "train/folder.h"

#include <math.h>
#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *device;

static const char recipe[] = "name: blobs\n"
                             "input: [6]\n"
                             "data: {set: csv, files: [blobs.csv], classes: 3, validation: 0.2}\n"
                             "layers:\n"
                             "  - {type: dense, name: fc1, units: 16, activation: relu}\n"
                             "  - {type: dropout, name: drop, keep_prob: 0.9}\n"
                             "  - {type: dense, name: fc2, units: 3}\n"
                             "loss: softmax_cross_entropy\n"
                             "l2: 0.001\n"
                             "optimizer: {kind: adam, learning_rate: 0.02}\n"
                             "batch: 16\n"
                             "epochs: 4\n"
                             "gradient_norms: true\n";

/* 400 points around three centres; `bad` puts a huge number into one of them. */
static void write_data(bool bad) {
    mica_rng rng = {.seed = 5};
    mica_text csv = {0};
    for (int i = 0; i < 400; i++) {
        int label = i % 3;
        for (int k = 0; k < 6; k++)
            mica_text_add(&csv, "%g,",
                bad && i == 77 && k == 0 ? 3e38
                                         : (k % 3 == label) + 0.3 * (double)mica_rng_normal(&rng));
        mica_text_add(&csv, "%d\n", label);
    }
    temp_write("blobs.csv", csv.data, csv.size);
    free(csv.data);
}

static void setup(void) {
    temp_make();
    write_data(false);
    temp_write("blobs.yaml", recipe, strlen(recipe));
}

/* Sets the flag after so many steps of all sessions of a run. */
typedef struct stopper {
    int stop_at, steps, stop;
} stopper;

static void count_steps(void *user, const mica_train_progress *progress) {
    stopper *s = user;
    s->steps += progress->event == MICA_TRAIN_STEP;
    s->stop = s->steps == s->stop_at;
}

static char *content(const char *run, const char *name) {
    char *file = mica_path_join(run, name), *data;
    size_t size;
    ck_ok(mica_file_read(temp_path(file), 1 << 24, &data, &size));
    free(file);
    return data;
}

/* metrics.csv without its last column, the time. */
static char *curve(const char *run) {
    char *csv = content(run, "metrics.csv"), *to = csv;
    for (char *line = csv; *line;) {
        char *end = strchr(line, '\n'), *comma = end;
        while (*comma != ',')
            comma--;
        memmove(to, line, (size_t)(comma - line));
        to += comma - line;
        *to++ = '\n';
        line = end + 1;
    }
    *to = 0;
    return csv;
}

static bool same_file(const char *a, const char *b, const char *name) {
    char *one, *two, *one_name = mica_path_join(a, name), *two_name = mica_path_join(b, name);
    size_t n, m;
    ck_ok(mica_file_read(temp_path(one_name), 1 << 24, &one, &n));
    ck_ok(mica_file_read(temp_path(two_name), 1 << 24, &two, &m));
    bool same = n == m && !memcmp(one, two, n);
    free(one);
    free(two);
    free(one_name);
    free(two_name);
    return same;
}

static mica_status train(const char *run, mica_train_options options, mica_train_result **result) {
    if (!options.device)
        options.device = device;
    options.out = temp_path(run);
    options.data = temp_path("");
    return mica_train(temp_path("blobs.yaml"), &options, result);
}

static double metric(const mica_train_result *result, const char *name) {
    for (size_t i = 0; i < result->n_metrics; i++)
        if (!strcmp(result->metrics[i].name, name))
            return result->metrics[i].value;
    ck_abort_msg("no metric %s", name);
}

static bool has(const char *folder, const char *name) {
    bool there;
    ck_ok(mica_folder_has(temp_path(folder), name, &there));
    return there;
}

START_TEST(learns_and_repeats) {
    mica_train_result *result;
    ck_ok(train("one", (mica_train_options){0}, &result));
    ck_assert_int_eq(result->epochs, 4);
    ck_assert_uint_eq(result->steps, 4 * (256 / 16));
    ck_assert_double_gt(metric(result, "test_accuracy"), 0.9);
    ck_assert_double_lt(metric(result, "test_loss"), 0.5);
    ck_assert_double_lt(metric(result, "train_loss"), 1);
    ck_ok(train("two", (mica_train_options){0}, NULL));
    char *one = curve("one"), *two = curve("two");
    ck_assert_str_eq(one, two);
    ck_assert(same_file("one", "two", MICA_RUN_MODEL));
    const char *files[] = {MICA_RUN_RECIPE, MICA_RUN_CHECKPOINT, MICA_RUN_CLASSES, "metrics.jsonl",
        "curves.svg", "confusion.svg", "gradients.svg"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        ck_assert_msg(has("one", files[i]), "no %s", files[i]);
    free(one);
    free(two);

    const mica_evaluation *heads;
    size_t n_heads;
    int64_t samples;
    mica_run *run;
    ck_ok(mica_run_open(temp_path("one"), device, &run));
    ck_ok(mica_run_evaluate(run, temp_path(""), &heads, &n_heads, &samples));
    ck_assert_uint_eq(n_heads, 1);
    ck_assert(samples > 48 && samples < 112); /* a fifth of 400, with 4 deviations */
    ck_assert_double_eq(heads[0].accuracy, metric(result, "test_accuracy"));
    ck_assert_double_eq(heads[0].loss, metric(result, "test_loss"));
    float p[3];
    ck_ok(mica_run_predict(run, (float[]){0, 1, 0, 0, 1, 0}, 6, p, 3));
    ck_assert_float_gt(p[1], 0.8f);
    ck_assert_float_eq_tol(p[0] + p[1] + p[2], 1, 1e-5f);
    ck_refused(mica_run_predict(run, (float[5]){0}, 5, p, 3), MICA_E_INVALID, "20 were given");
    ck_refused(mica_run_predict(run, (float[6]){0}, 6, p, 2), MICA_E_INVALID, "3 classes");
    const float wrong[] = {NAN, NAN, NAN, NAN, NAN, NAN};
    ck_refused(mica_run_predict(run, wrong, 6, p, 3), MICA_E_INVALID, "not finite");
    ck_refused(mica_run_predict_image(run, "x.png", p, 3), MICA_E_UNSUPPORTED, "(6)");
    mica_run_destroy(&run);
    mica_train_result_destroy(&result);
}
END_TEST

START_TEST(continues_bit_for_bit) {
    ck_ok(train("whole", (mica_train_options){0}, NULL));
    const int stops[] = {1, 7, 16, 17, 40, 63};
    stopper s = {0};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        s.stop_at = stops[i];
        s.stop = 0;
        mica_status status = train("parts",
            (mica_train_options){
                .progress = count_steps, .user = &s, .stop = &s.stop, .resume = i > 0},
            NULL);
        ck_assert_msg(status == MICA_E_INTERRUPTED, "%s", mica_last_error());
        ck_assert_ptr_nonnull(strstr(mica_last_error(), "continue with --resume"));
    }
    mica_train_result *result;
    ck_ok(train("parts", (mica_train_options){.resume = true}, &result));
    ck_assert_uint_eq(result->steps, 64);
    char *whole = curve("whole"), *parts = curve("parts");
    ck_assert_str_eq(whole, parts);
    ck_assert(same_file("whole", "parts", MICA_RUN_MODEL));
    free(whole);
    free(parts);

    /* Nothing is left to do; the same comes out. */
    double loss = metric(result, "test_loss");
    mica_train_result_destroy(&result);
    ck_ok(train("parts", (mica_train_options){.resume = true}, &result));
    ck_assert_double_eq(metric(result, "test_loss"), loss);
    mica_train_result_destroy(&result);

    /* More epochs than before go on from there, as if they had been asked for at once. */
    const char *more[] = {"epochs=6"};
    mica_train_options six = {.overrides = more, .n_overrides = 1};
    ck_ok(train("six", six, NULL));
    six.resume = true;
    ck_ok(train("parts", six, NULL));
    whole = curve("six"), parts = curve("parts");
    ck_assert_str_eq(whole, parts);
    free(whole);
    free(parts);
}
END_TEST

START_TEST(stops_early) {
    const char *set[] = {"patience=2", "epochs=200", "optimizer.learning_rate=0.3"};
    mica_train_result *result;
    ck_ok(train("run", (mica_train_options){.overrides = set, .n_overrides = 3}, &result));
    ck_assert_int_lt(result->epochs, 200);
    ck_assert_int_eq(result->epochs, result->best_epoch + 2);
    mica_train_result_destroy(&result);
}
END_TEST

START_TEST(finds_nan) {
    write_data(true);
    const char *set[] = {"data.validation=0", "data.test=0", "optimizer.kind=sgd"};
    mica_status status = train("run",
        (mica_train_options){.overrides = set, .n_overrides = 3, .checkpoint_seconds = 1e-9}, NULL);
    ck_assert_msg(status == MICA_E_NUMERIC, "%s", mica_last_error());
    const char *error = mica_last_error();
    ck_assert_msg(
        strstr(error, "(epoch 1, batch ") && strstr(error, "first such tensor is "), "%s", error);
    ck_assert_ptr_null(strchr(error, '\n'));
    ck_assert_msg(
        strstr(error, "; saved at epoch 1, step ") && strstr(error, ": --resume continues"), "%s",
        error);
    ck_assert(has("run", MICA_RUN_CHECKPOINT));
}
END_TEST

START_TEST(refuses) {
    ck_refused(mica_train(NULL, NULL, NULL), MICA_E_INVALID, "NULL");
    ck_refused(train("run", (mica_train_options){.device = "nothing:9"}, NULL), MICA_E_NOT_FOUND,
        "nothing:9");
    ck_assert(access(temp_path("run"), F_OK)); /* nothing was made */
    const char *one[] = {"epochs=1"};
    mica_train_options options = {.overrides = one, .n_overrides = 1};
    ck_ok(train("run", options, NULL));
    ck_refused(train("run", options, NULL), MICA_E_INVALID, "--resume");
    options.resume = true;
    one[0] = "seed=2";
    ck_refused(train("run", options, NULL), MICA_E_INVALID, "seed was 1 and is 2");
    one[0] = "batch=8";
    ck_refused(train("run", options, NULL), MICA_E_INVALID, "batch was 16 and is ");
    one[0] = "layers.fc1.units=8";
    ck_refused(train("run", options, NULL), MICA_E_INVALID, "layers.fc1.units was ");
    one[0] = "optimizer.kind=sgd";
    ck_refused(train("run", options, NULL), MICA_E_INVALID, "optimizer.kind was adam and is sgd");
    one[0] = "gradient_norms=false";
    ck_refused(train("run", options, NULL), MICA_E_INVALID, "gradient_norms was true and is false");
    temp_write("run/" MICA_RUN_MODEL, "1234567", 7);
    mica_run *run;
    ck_refused(mica_run_open(temp_path("run"), device, &run), MICA_E_FORMAT, MICA_RUN_MODEL);
    ck_refused(mica_run_open(temp_path("no"), device, &run), MICA_E_NOT_FOUND, "not the folder");
}
END_TEST

START_TEST(measures_heads) {
    const char two[] = "name: two\n"
                       "input: [6]\n"
                       "data: {set: csv, files: [blobs.csv], classes: 3, validation: 0.2}\n"
                       "layers:\n"
                       "  - {type: dense, name: a1, units: 16, activation: sigmoid, from: input}\n"
                       "  - {type: dense, name: a2, units: 3}\n"
                       "  - {type: dense, name: b1, units: 16, activation: relu, from: input}\n"
                       "  - {type: dense, name: b2, units: 3}\n"
                       "loss:\n"
                       "  - {kind: softmax_cross_entropy, name: a, from: a2}\n"
                       "  - {kind: softmax_cross_entropy, name: b, from: b2, weight: 0.5}\n"
                       "optimizer: {kind: adam, learning_rate: 0.02}\n"
                       "epochs: 2\n"
                       "gradient_norms: true\n";
    temp_write("blobs.yaml", two, strlen(two));
    mica_train_result *result;
    ck_ok(train("run", (mica_train_options){0}, &result));
    ck_assert_double_eq_tol(metric(result, "train_loss"),
        metric(result, "a_train_loss") + 0.5 * metric(result, "b_train_loss"), 1e-5);
    ck_assert_double_eq_tol(metric(result, "test_loss"),
        metric(result, "a_test_loss") + 0.5 * metric(result, "b_test_loss"), 1e-9);
    ck_assert_double_gt(metric(result, "b_test_accuracy"), 0.3);
    mica_train_result_destroy(&result);
    char *csv = content("run", "metrics.csv");
    csv[strcspn(csv, "\n")] = 0;
    ck_assert_str_eq(csv, "epoch,step,learning_rate,train_loss,validation_loss,a_train_loss,"
                          "a_validation_loss,a_validation_accuracy,b_train_loss,b_validation_loss,"
                          "b_validation_accuracy,gradient_norm/a1,gradient_norm/a2,"
                          "gradient_norm/b1,gradient_norm/b2,seconds");
    free(csv);
    ck_assert(has("run", "confusion-a.svg"));
}
END_TEST

int main(int argc, char **argv) {
    mica_device *there = NULL;
    device = argc > 1 ? argv[1] : "cpu";
    if (mica_device_open(device, &there) != MICA_OK) {
        fprintf(stderr, "skipped: %s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&there);
    Suite *suite = suite_create("train");
    TCase *tests = tcase_create("train");
    tcase_add_checked_fixture(tests, setup, temp_remove);
    tcase_add_test(tests, learns_and_repeats);
    tcase_add_test(tests, continues_bit_for_bit);
    tcase_add_test(tests, finds_nan);
    tcase_add_test(tests, stops_early);
    tcase_add_test(tests, refuses);
    tcase_add_test(tests, measures_heads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
