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

/* What a candidate costs, in launches; 0: it cannot be recorded. */
typedef struct work {
    int launches[4];
    mica_buffer *buffer;
    int recorded;
} work;

static mica_status record(void *user, int index, mica_commands **commands) {
    work *w = user;
    mica_launch launches[MANY];
    int n = w->launches[index];
    w->recorded++;
    if (!n)
        return mica_fail(MICA_E_UNSUPPORTED, "this candidate cannot run");
    if (!w->buffer)
        ok(mica_buffer_create(device, COUNT * 8, MICA_MEMORY_DEVICE, &w->buffer));
    for (int i = 0; i < n; i++)
        launches[i] = probe_launch(device, 2, 1, COUNT, w->buffer, 0, w->buffer, COUNT);
    return mica_commands_create(device, launches, (size_t)n, true, commands);
}

static const char *const names[] = {"one", "two", "three", "four"};

static int choose(const char *key, work *w, int n) {
    w->recorded = 0;
    int choice = mica_tune_choose(device, key, names, n, record, w);
    mica_buffer_destroy(&w->buffer);
    return choice;
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
    ck_assert_int_eq(mica_tune_choose(device, "key", others, 2, record, &reversed), 0);
    ck_assert_int_eq(reversed.recorded, 2);
    mica_buffer_destroy(&reversed.buffer);
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
    ck_assert_int_eq(mica_tune_choose(null, "key", names, 2, record, &w), 0);
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
    setenv("MICA_TUNE", "another", 1);
    ck_assert_int_eq(choose("key", &w, 2), 0);
    ck_assert_int_gt(w.recorded, 0);
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
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers start threads, which a fork loses */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
