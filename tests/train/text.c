/* Language models on the device that the first argument names: a run that was stopped and continued
 * keeps its carried state and equals one that never stopped; what a run writes. */
#include "base/text.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "tests/io/temp.h"

#include <math.h>
#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>

static const char *device;

static const char recipe[] =
    "name: verse\n"
    "input: [6]\n"
    "data: {set: text, files: [verse.txt], validation: 0.2, test: 0.1}\n"
    "layers:\n"
    "  - {type: %s, name: cell, units: 12, layers: 2, keep_prob: 0.9, classes: classes,\n"
    "     stateful: %s}\n"
    "  - {type: dense, name: scores, units: classes}\n"
    "loss: softmax_cross_entropy\n"
    "l2: 0.001\n"
    "optimizer: {kind: adam, learning_rate: 0.02, clip_norm: 1}\n"
    "batch: 4\n"
    "epochs: 3\n";

static void write_recipe(const char *name, const char *cell, const char *stateful) {
    char *text = mica_format(recipe, cell, stateful);
    temp_write(name, text, strlen(text));
    free(text);
}

static void setup(void) {
    mica_text verse = {0};
    temp_make();
    for (int i = 0; i < 12; i++)
        mica_text_add(&verse, "%d \xc3\xa9t\xc3\xa9, %s\n", i * 7 % 10,
            i % 3 ? "row, row your boat" : "gently down the stream");
    temp_write("verse.txt", verse.data, verse.size);
    free(verse.data);
    write_recipe("lstm.yaml", "lstm", "true");
    write_recipe("gru.yaml", "gru", "true");
    write_recipe("rnn.yaml", "rnn", "true");
    write_recipe("forgets.yaml", "lstm", "false");
}

/* Sets the flag after so many steps; 0: never. */
typedef struct stopper {
    int stop_at, steps, stop;
} stopper;

static void count_steps(void *user, const mica_train_progress *progress) {
    stopper *s = user;
    s->steps += progress->event == MICA_TRAIN_STEP;
    s->stop = s->stop_at && s->steps == s->stop_at;
}

/* stop_at 0: to the end. */
static mica_status train(const char *name, const char *run, int stop_at, bool resume) {
    stopper s = {.stop_at = stop_at};
    const mica_train_options options = {.device = device,
        .out = temp_path(run),
        .data = temp_path(""),
        .resume = resume,
        .progress = count_steps,
        .user = &s,
        .stop = &s.stop};
    return mica_train(temp_path(name), &options, NULL);
}

static void same_file(const char *a, const char *b, const char *name) {
    char *one, *two, *one_name = mica_path_join(a, name), *two_name = mica_path_join(b, name);
    size_t n, m;
    ck_ok(mica_file_read(temp_path(one_name), 1 << 24, &one, &n));
    ck_ok(mica_file_read(temp_path(two_name), 1 << 24, &two, &m));
    ck_assert_msg(n == m && !memcmp(one, two, n), "%s of %s and %s differ", name, a, b);
    free(one);
    free(two);
    free(one_name);
    free(two_name);
}

static const char *const cells[] = {"lstm.yaml", "gru.yaml", "rnn.yaml"};

/* Stopped after the first step, inside the first epoch and inside the second. */
START_TEST(continued) {
    ck_ok(train(cells[_i], "whole", 0, false));
    const int steps[] = {1, 6, 9};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(train(cells[_i], "pieces", steps[i], i > 0), MICA_E_INTERRUPTED);
    ck_ok(train(cells[_i], "pieces", 0, true));
    same_file("whole", "pieces", "model.safetensors");
    same_file("whole", "pieces", "recipe.yaml");
}
END_TEST

/* ---- writing ---- */

typedef struct page {
    mica_text text;
    int left; /* characters until it is full */
} page;

static bool put(void *user, const char *character) {
    page *p = user;
    const char *why;
    int32_t point;
    ck_assert_int_eq(
        mica_utf8_read(character, strlen(character), &point, &why), (int)strlen(character));
    mica_text_add(&p->text, "%s", character);
    return --p->left != 0;
}

/* The text is to be freed. */
static char *written(mica_run *run, mica_text_sampling options) {
    page p = {.left = -1};
    ck_ok(mica_run_sample_text(run, &options, put, &p));
    return p.text.data;
}

START_TEST(writes) {
    mica_run *run;
    ck_ok(train("lstm.yaml", "run", 0, false));
    ck_ok(mica_run_open(temp_path("run"), device, &run));
    const mica_run_info *info = mica_run_get_info(run);
    ck_assert(info->text);
    ck_assert_str_eq(info->class_names[0], "\n");

    mica_text_sampling options = {.prime = "3 \xc3\xa9t\xc3\xa9", .length = 60, .seed = 5};
    char *one = written(run, options), *same = written(run, options);
    ck_assert_str_eq(one, same); /* the state was reset, and the seed is all that counts */
    options.length = 20;
    char *start = written(run, options);
    ck_assert(!strncmp(one, start, strlen(start)));
    options.seed = 6;
    char *other = written(run, options);
    ck_assert_str_ne(start, other);
    free(other);

    options.top_k = 1; /* the likeliest, whatever the seed and the temperature */
    char *greedy = written(run, options);
    options.seed = 7;
    options.temperature = 3;
    other = written(run, options);
    ck_assert_str_eq(greedy, other);
    free(other);
    options.top_k = 0;
    options.temperature = 1e-6;
    other = written(run, options);
    ck_assert_str_eq(greedy, other);
    free(one);
    free(same);
    free(start);
    free(other);
    free(greedy);
    mica_run_destroy(&run);
}
END_TEST

START_TEST(writes_refused) {
    mica_run *run;
    page p = {.left = -1};
    ck_ok(train("gru.yaml", "run", 0, false));
    ck_ok(mica_run_open(temp_path("run"), device, &run));
    mica_text_sampling options = {.length = 5};
    free(written(run, options)); /* with no prime: from a new line */
    options.length = 0;
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_INVALID, "length 0");
    options = (mica_text_sampling){.length = 5, .temperature = -1};
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_INVALID, "temperature -1");
    options.temperature = NAN;
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_INVALID, "temperature nan");
    options = (mica_text_sampling){.length = 5, .top_k = -1};
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_INVALID, "top_k -1");
    options = (mica_text_sampling){.length = 5, .prime = "row \xe2\x82\xac"};
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_INVALID,
        "prime: the text:1: the character \xe2\x82\xac (U+20AC) is not among the");
    options.prime = "row \xff";
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_FORMAT, "not UTF-8");
    ck_assert_ptr_null(p.text.data);
    options = (mica_text_sampling){.length = 50};
    p.left = 3;
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_INTERRUPTED, "3 characters");
    free(p.text.data);
    mica_run_destroy(&run);

    p = (page){.left = -1};
    ck_ok(train("forgets.yaml", "forgets", 0, false));
    ck_ok(mica_run_open(temp_path("forgets"), device, &run));
    options = (mica_text_sampling){.length = 5};
    ck_refused(mica_run_sample_text(run, &options, put, &p), MICA_E_UNSUPPORTED,
        "none of its layers keeps a state");
    mica_run_destroy(&run);
}
END_TEST

/* The state of one evaluation does not reach the next. */
START_TEST(evaluates) {
    mica_run *run;
    const mica_evaluation *heads;
    size_t n_heads;
    int64_t samples;
    ck_ok(train("lstm.yaml", "run", 0, false));
    ck_ok(mica_run_open(temp_path("run"), device, &run));
    double loss = 0;
    for (int i = 0; i < 3; i++) {
        ck_ok(mica_run_evaluate(run, temp_path(""), &heads, &n_heads, &samples));
        ck_assert_uint_eq(n_heads, 1);
        ck_assert_double_eq_tol(heads->perplexity, exp(heads->loss), 1e-6 * heads->perplexity);
        ck_assert_double_eq_tol(heads->bits_per_character, heads->loss / log(2), 1e-6);
        if (i)
            ck_assert_double_eq(heads->loss, loss);
        loss = heads->loss;
    }
    mica_run_destroy(&run);
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
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_checked_fixture(tests, setup, temp_remove);
    tcase_add_loop_test(tests, continued, 0, 3);
    tcase_add_test(tests, writes);
    tcase_add_test(tests, writes_refused);
    tcase_add_test(tests, evaluates);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
