/* Measured choices on a device: the fastest is taken, once; the tuning file is obeyed, and made
 * anew where it is damaged. */
#include "tune/tune.h"

#include "base/error.h"
#include "base/file.h"
#include "tests/device/probe.h"
#include "tests/io/temp.h"

#include <glob.h>

static const char *device_name;
static mica_device *device;

enum { COUNT = 4096, MANY = 32 };

/* How a candidate computes what it should not. */
typedef enum fault { RIGHT, SHIFTED, EARLY, ONE_PLACE } fault;

/* What a candidate costs, in launches; 0: it cannot be recorded. */
typedef struct work {
    int launches[4];
    fault faults[4];
    mica_buffer *in, *out;
    int recorded;
} work;

/* Of 2 x + 1. */
static mica_status record(void *user, int index, mica_commands **commands) {
    work *w = user;
    mica_launch launches[MANY + 1];
    const fault how = w->faults[index];
    int n = w->launches[index];
    w->recorded++;
    if (!n)
        return mica_fail(MICA_E_UNSUPPORTED, "this candidate cannot run");
    if (!w->in) {
        ok(mica_buffer_create(device, COUNT * 4, MICA_MEMORY_DEVICE, &w->in));
        ok(mica_buffer_create(device, COUNT * 4, MICA_MEMORY_DEVICE, &w->out));
        ok(mica_tune_fill(w->in, 0));
    }
    for (int i = 0; i < n; i++)
        launches[i] = probe_launch(device, 2, how == SHIFTED ? 1.001f : 1,
            how == EARLY ? COUNT - 600 : COUNT, w->in, 0, w->out, 0);
    if (how == ONE_PLACE)
        launches[n++] = probe_launch(device, 2, 5, 1, w->in, 0, w->out, 1024);
    return mica_commands_create(device, launches, (size_t)n, true, commands);
}

static mica_buffer *result(void *user) {
    return ((work *)user)->out;
}

static double expect(void *user, uint64_t at, double *slack) {
    (void)user;
    *slack = mica_tune_slack(2, 3);
    return 2 * (double)mica_tune_number(0, at) + 1;
}

static const char *const names[] = {"one", "two", "three", "four"};

static int choose_of(mica_device *on, const char *key, const char *const *candidates, work *w,
    int n, mica_graph *graph) {
    w->recorded = 0;
    const mica_tune_problem problem = {.record = record,
        .result = result,
        .count = COUNT,
        .terms = 2,
        .expect = expect,
        .user = w,
        .graph = graph};
    int choice = mica_tune_choose(on, key, candidates, n, &problem);
    mica_buffer_destroy(&w->in);
    mica_buffer_destroy(&w->out);
    return choice;
}

static int choose(const char *key, work *w, int n) {
    return choose_of(device, key, names, w, n, NULL);
}

static void reopen(void) {
    mica_device_destroy(&device);
    ok(mica_device_open(device_name, &device));
}

static void setup(void) {
    temp_make();
    setenv("XDG_CACHE_HOME", temp_path("cache"), 1);
    unsetenv("MICA_TUNE");
    ok(mica_device_open(device_name, &device));
}

static void teardown(void) {
    mica_device_destroy(&device);
    temp_remove();
}

/* The one tuning file, or NULL. Free it. */
static char *tuning_file(void) {
    glob_t found;
    char *path = NULL;
    if (!glob(temp_path("cache/mica/tuning/*"), 0, NULL, &found)) {
        ck_assert_uint_eq(found.gl_pathc, 1);
        path = strdup(found.gl_pathv[0]);
        globfree(&found);
    }
    return path;
}

START_TEST(takes_the_fastest_once) {
    work w = {{MANY, 1, MANY, MANY}};
    ck_assert_int_eq(choose("key", &w, 4), 1);
    ck_assert_int_eq(w.recorded, 4);
    ck_assert_int_eq(choose("key", &w, 4), 1);
    ck_assert_int_eq(w.recorded, 0);
    work last = {{MANY, MANY, 1}};
    ck_assert_int_eq(choose("other", &last, 3), 2);
}
END_TEST

START_TEST(obeys_the_file) {
    work w = {{MANY, 1}}, reversed = {{1, MANY}};
    ck_assert_int_eq(choose("key", &w, 2), 1);
    for (int i = 0; i < 3; i++) {
        reopen();
        ck_assert_int_eq(choose("key", &reversed, 2), 1);
        ck_assert_int_eq(reversed.recorded, 0);
    }
    /* a choice that is not among the candidates is measured again */
    const char *const others[] = {"five", "six"};
    ck_assert_int_eq(choose_of(device, "key", others, &reversed, 2, NULL), 0);
    ck_assert_int_eq(reversed.recorded, 2);
}
END_TEST

START_TEST(makes_a_damaged_file_anew) {
    work w = {{MANY, 1}};
    ck_assert_int_eq(choose("key", &w, 2), 1);
    char *path = tuning_file(), *data, *again;
    size_t size;
    ck_assert_ptr_nonnull(path);
    ok(mica_file_read(path, 10000, &data, &size));
    ok(mica_file_replace(path, data, size - 3));
    reopen();
    ck_assert_int_eq(choose("key", &w, 2), 1);
    ck_assert_int_eq(w.recorded, 2);
    size_t size_again;
    ok(mica_file_read(path, 10000, &again, &size_again));
    ck_assert_uint_eq(size_again, size);
    ck_assert_mem_eq(again, data, size);
    free(path);
    free(data);
    free(again);
}
END_TEST

/* What another process chose in the meantime counts. */
START_TEST(goes_by_an_earlier_measurement) {
    work w = {{MANY, 1}}, reversed = {{1, MANY}};
    mica_device *first = device;
    device = NULL;
    ok(mica_device_open(device_name, &device));
    ck_assert_int_eq(choose("early", &reversed, 2), 0); /* loads the file */
    mica_device *second = device;
    device = first;
    ck_assert_int_eq(choose("key", &w, 2), 1);
    device = second;
    ck_assert_int_eq(choose("key", &reversed, 2), 1);
    ck_assert_int_eq(reversed.recorded, 2);
    mica_device_destroy(&first);
}
END_TEST

START_TEST(leaves_out_what_cannot_run) {
    work w = {{0, 1, 0, MANY}}, none = {{0, 0}};
    ck_assert_int_eq(choose("some", &w, 4), 1);
    ck_assert_int_eq(choose("none", &none, 2), 0);
    ck_assert_int_eq(choose("none", &none, 2), 0);
    ck_assert_int_eq(none.recorded, 2); /* nothing was learned */
    ck_assert_int_eq(choose("single", &w, 1), 0);
    ck_assert_int_eq(w.recorded, 0);
}
END_TEST

START_TEST(works_where_nothing_can_be_written) {
    work w = {{MANY, 1}};
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
    ck_assert_int_eq(choose("key", &w, 2), 1);
    ck_assert_int_eq(choose("key", &w, 2), 1);
    ck_assert_int_eq(w.recorded, 0);
}
END_TEST

START_TEST(can_be_turned_off) {
    work w = {{MANY, 1}};
    setenv("MICA_TUNE", "0", 1);
    ck_assert_int_eq(choose("key", &w, 2), 0);
    ck_assert_int_eq(w.recorded, 0);
    ck_assert_ptr_null(tuning_file());
    mica_device *null;
    unsetenv("MICA_TUNE");
    ok(mica_device_open("null", &null));
    ck_assert_int_eq(choose_of(null, "key", names, &w, 2, NULL), 0);
    ck_assert_int_eq(w.recorded, 0);
    mica_device_destroy(&null);
}
END_TEST

START_TEST(can_be_asked_for_by_name) {
    work w = {{1, MANY}};
    setenv("MICA_TUNE", names[1], 1);
    ck_assert_int_eq(choose("key", &w, 2), 1);
    ck_assert_int_eq(w.recorded, 0);
    ck_assert_ptr_null(tuning_file());
    setenv("MICA_TUNE", "another", 1); /* the first, where there is none of that name */
    w = (work){{MANY, 1}};
    ck_assert_int_eq(choose("key", &w, 2), 0);
    ck_assert_int_eq(w.recorded, 0);
    ck_assert_ptr_null(tuning_file());
}
END_TEST

/* However fast it is, and whatever is wrong with it. */
START_TEST(never_takes_a_wrong_one) {
    static const fault faults[] = {SHIFTED, EARLY, ONE_PLACE};
    for (int i = 0; i < 3; i++) {
        mica_graph *graph;
        ok(mica_graph_create(&graph));
        const char *key = (const char *const[]){"shifted", "early", "one place"}[i];
        work w = {{MANY, 1, 2}, {RIGHT, faults[i], RIGHT}};
        ck_assert_int_eq(choose_of(device, key, names, &w, 3, graph), 2);
        ck_assert_int_eq(w.recorded, 3);
        const char *warning = mica_graph_warning(graph, 0);
        ck_assert_msg(warning && strstr(warning, "wrong numbers with the kernel two"), "%s",
            warning ? warning : "no warning");
        ck_assert_ptr_null(mica_graph_warning(graph, 1));
        /* what is stored is the right one */
        reopen();
        ck_assert_int_eq(choose(key, &w, 3), 2);
        ck_assert_int_eq(w.recorded, 0);
        /* the one expected best may be the wrong one */
        work first = {{1, MANY, MANY}, {faults[i], RIGHT, RIGHT}};
        ck_assert_int_gt(choose_of(device, "first", names, &first, 3, NULL), 0);
        mica_graph_destroy(&graph);
        reopen();
    }
}
END_TEST

START_TEST(fails_where_all_are_wrong) {
    work w = {{1, 2}, {SHIFTED, EARLY}};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(choose("key", &w, 2), -1);
        ck_assert_ptr_nonnull(strstr(mica_last_error(), "wrong numbers with each of the 2"));
        ck_assert_int_eq(w.recorded, 2); /* nothing is kept */
        ck_assert_ptr_null(tuning_file());
        reopen();
    }
}
END_TEST

/* The file of a build that did not check its candidates. */
START_TEST(does_not_trust_files_of_before) {
    work w = {{1, MANY}};
    ck_assert_int_eq(choose("key", &w, 2), 0);
    char *path = tuning_file(), *data;
    size_t size;
    ok(mica_file_read(path, 10000, &data, &size));
    ck_assert_int_eq(strncmp(data, "mica tuning 2\n", 14), 0);
    data[12] = '1';
    ok(mica_file_replace(path, data, size));
    reopen();
    ck_assert_int_eq(choose("key", &w, 2), 0);
    ck_assert_int_eq(w.recorded, 2);
    free(path);
    free(data);
}
END_TEST

int main(int argc, char **argv) {
    device_name = argc > 1 ? argv[1] : "auto";
    if (mica_device_open(device_name, &device) != MICA_OK)
        return 77; /* skipped */
    mica_device_destroy(&device);
    Suite *suite = suite_create("choose");
    TCase *tests = tcase_create(device_name);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, takes_the_fastest_once);
    tcase_add_test(tests, obeys_the_file);
    tcase_add_test(tests, makes_a_damaged_file_anew);
    tcase_add_test(tests, goes_by_an_earlier_measurement);
    tcase_add_test(tests, leaves_out_what_cannot_run);
    tcase_add_test(tests, works_where_nothing_can_be_written);
    tcase_add_test(tests, can_be_turned_off);
    tcase_add_test(tests, can_be_asked_for_by_name);
    tcase_add_test(tests, never_takes_a_wrong_one);
    tcase_add_test(tests, fails_where_all_are_wrong);
    tcase_add_test(tests, does_not_trust_files_of_before);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers start threads, which a fork loses */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
