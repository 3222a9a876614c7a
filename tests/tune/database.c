/* The tuning file: what is written is read; what is missing, damaged or of another build is as if
 * empty. */
#include "tune/database.h"

#include "base/file.h"
#include "tests/io/temp.h"

#include <stdio.h>
#include <stdlib.h>

static mica_tune_database database, other;
static const char *path;

static void setup(void) {
    temp_make();
    database = other = (mica_tune_database){.scope = "a device, kernels 1"};
    path = temp_path("tuning/file");
}

static void teardown(void) {
    mica_tune_clear(&database);
    mica_tune_clear(&other);
    temp_remove();
}

START_TEST(keeps_choices) {
    ck_assert_ptr_null(mica_tune_find(&database, "matmul nn"));
    ck_ok(mica_tune_set(&database, "matmul nn", "tile64"));
    ck_ok(mica_tune_set(&database, "matmul nt", "panel"));
    ck_ok(mica_tune_set(&database, "matmul nn", "tile32"));
    ck_assert_uint_eq(database.count, 2);
    ck_assert_str_eq(mica_tune_find(&database, "matmul nn"), "tile32");
    ck_assert_ptr_null(mica_tune_find(&database, "matmul"));
}
END_TEST

START_TEST(reads_what_it_wrote) {
    for (int i = 0; i < 100; i++) {
        char key[16], choice[16];
        snprintf(key, sizeof key, "key %d", i);
        snprintf(choice, sizeof choice, "choice %d", i * i);
        ck_ok(mica_tune_set(&database, key, choice));
    }
    ck_ok(mica_tune_save(&database, path));
    ck_ok(mica_tune_load(&other, path));
    ck_assert_uint_eq(other.count, 100);
    ck_assert_str_eq(mica_tune_find(&other, "key 99"), "choice 9801");
    ck_ok(mica_tune_load(&other, path));
    ck_assert_uint_eq(other.count, 100);
    mica_tune_clear(&other);
    ck_ok(mica_tune_save(&other, path)); /* none is fine too */
    ck_ok(mica_tune_load(&other, path));
    ck_assert_uint_eq(other.count, 0);
}
END_TEST

START_TEST(known_choices_stay) {
    ck_ok(mica_tune_set(&database, "a", "theirs"));
    ck_ok(mica_tune_set(&database, "b", "theirs"));
    ck_ok(mica_tune_save(&database, path));
    ck_ok(mica_tune_set(&other, "a", "ours"));
    ck_ok(mica_tune_load(&other, path));
    ck_assert_str_eq(mica_tune_find(&other, "a"), "ours");
    ck_assert_str_eq(mica_tune_find(&other, "b"), "theirs");
}
END_TEST

START_TEST(sees_every_damage) {
    ck_refused(mica_tune_load(&other, path), MICA_E_NOT_FOUND, "tuning/file");
    ck_ok(mica_tune_set(&database, "a", "one"));
    ck_ok(mica_tune_set(&database, "b", "two"));
    ck_ok(mica_tune_save(&database, path));
    char *data;
    size_t size;
    ck_ok(mica_file_read(path, 10000, &data, &size));
    for (size_t i = 0; i < size; i++) {
        ck_ok(mica_file_replace(path, data, i));
        ck_refused(mica_tune_load(&other, path), MICA_E_FORMAT, "tuning/file");
        data[i] ^= 0x10;
        ck_ok(mica_file_replace(path, data, size));
        ck_refused(mica_tune_load(&other, path), MICA_E_FORMAT, "tuning/file");
        data[i] ^= 0x10;
    }
    ck_assert_uint_eq(other.count, 0);
    free(data);
    ck_ok(mica_tune_save(&database, path));
    ck_ok(mica_tune_load(&other, path));
    ck_assert_uint_eq(other.count, 2);
}
END_TEST

START_TEST(another_build_is_as_if_empty) {
    ck_ok(mica_tune_set(&database, "a", "one"));
    ck_ok(mica_tune_save(&database, path));
    other.scope = "a device, kernels 2";
    ck_refused(mica_tune_load(&other, path), MICA_E_NOT_FOUND, "build");
    ck_assert_uint_eq(other.count, 0);
}
END_TEST

START_TEST(a_folder_that_cannot_be_is_an_error) {
    temp_write("tuning", "in the way", 10);
    ck_refused(mica_tune_save(&database, path), MICA_E_IO, "tuning");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("database");
    TCase *tests = tcase_create("database");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, keeps_choices);
    tcase_add_test(tests, reads_what_it_wrote);
    tcase_add_test(tests, known_choices_stay);
    tcase_add_test(tests, sees_every_damage);
    tcase_add_test(tests, another_build_is_as_if_empty);
    tcase_add_test(tests, a_folder_that_cannot_be_is_an_error);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
