/* base/: the random numbers against published vectors, whole-file writing, near names. */
#include "base/error.h"
#include "base/file.h"
#include "base/philox.h"
#include "base/text.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The known answers that come with the paper's library, Random123 (file kat_vectors). */
START_TEST(philox_gives_the_published_answers) {
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
            {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t got[4];
        mica_philox(cases[i].counter, cases[i].key, got);
        for (int k = 0; k < 4; k++)
            ck_assert_uint_eq(got[k], cases[i].want[k]);
    }
}
END_TEST

START_TEST(draws_have_the_right_moments) {
    mica_rng rng = {.seed = 7, .stream = 3};
    double sum = 0, squares = 0, uniform = 0;
    int counts[10] = {0}, n = 100000;
    for (int i = 0; i < n; i++) {
        double x = mica_rng_normal(&rng);
        sum += x;
        squares += x * x;
        float u = mica_rng_uniform(&rng);
        ck_assert(u >= 0 && u < 1);
        uniform += u;
        counts[mica_rng_below(&rng, 10)]++;
    }
    /* five standard errors */
    ck_assert_double_lt(fabs(sum / n), 5 / sqrt(n));
    ck_assert_double_lt(fabs(squares / n - 1), 5 * sqrt(2.0 / n));
    ck_assert_double_lt(fabs(uniform / n - 0.5), 5 * sqrt(1.0 / 12 / n));
    for (int i = 0; i < 10; i++)
        ck_assert_int_lt(abs(counts[i] - n / 10), (int)(5 * sqrt(n * 0.09)));
}
END_TEST

START_TEST(files_are_replaced_whole_or_not_at_all) {
    char folder[] = "/tmp/mica-base-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *path = mica_path_join(folder, "a/b/file");
    char *parent = mica_path_join(folder, "a/b");
    ck_assert_int_eq(mica_folder_make(parent), MICA_OK);
    ck_assert_int_eq(mica_folder_make(parent), MICA_OK);
    ck_assert_int_eq(mica_file_replace(path, "old", 3), MICA_OK);
    mica_file_writer *writer;
    ck_assert_int_eq(mica_file_begin(path, &writer), MICA_OK);
    ck_assert_int_eq(mica_file_write(writer, "new!", 4), MICA_OK);
    mica_file_abort(&writer);
    char *data;
    size_t size;
    ck_assert_int_eq(mica_file_read(path, 100, &data, &size), MICA_OK);
    ck_assert_str_eq(data, "old");
    free(data);
    ck_assert_int_eq(mica_file_read(path, 2, &data, &size), MICA_E_FORMAT);
    ck_assert_int_eq(mica_file_read(parent, 2, &data, &size), MICA_E_INVALID);
    ck_assert_int_eq(mica_file_read("/nonexistent", 2, &data, &size), MICA_E_NOT_FOUND);
    ck_assert_int_eq(mica_file_replace("/nonexistent/file", "x", 1), MICA_E_IO);
    ck_assert_int_eq(mica_folder_make(path), MICA_E_IO);
    unlink(path);
    rmdir(parent);
    free(path);
    free(parent);
    path = mica_path_join(folder, "a");
    rmdir(path);
    free(path);
    rmdir(folder);
}
END_TEST

/* Every write to /dev/full fails as on a full disk. */
START_TEST(a_full_disk_is_reported_and_changes_nothing) {
    char folder[] = "/tmp/mica-base-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *path = mica_path_join(folder, "file");
    ck_assert_int_eq(mica_file_replace(path, "old", 3), MICA_OK);
    mica_file_writer *writer;
    char temporary[256];
    snprintf(temporary, sizeof temporary, "%s.tmp%ld", path, (long)getpid());
    ck_assert_int_eq(symlink("/dev/full", temporary), 0);
    ck_assert_int_eq(mica_file_begin(path, &writer), MICA_OK);
    ck_assert_int_eq(mica_file_write(writer, "new", 3), MICA_E_IO);
    ck_assert_int_eq(mica_file_commit(&writer), MICA_E_IO);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "No space left"));
    ck_assert_int_eq(access(temporary, F_OK), -1);
    char *data;
    size_t size;
    ck_assert_int_eq(mica_file_read(path, 100, &data, &size), MICA_OK);
    ck_assert_str_eq(data, "old");
    free(data);
    unlink(path);
    free(path);
    rmdir(folder);
}
END_TEST

START_TEST(near_names_are_found) {
    static const char *const names[] = {"learning_rate", "momentum", "nesterov"};
    ck_assert_str_eq(mica_nearest("learnin_rate", names, 3), "learning_rate");
    ck_assert_str_eq(mica_nearest("momentun", names, 3), "momentum");
    ck_assert_ptr_null(mica_nearest("batch", names, 3));
}
END_TEST

START_TEST(errors_keep_their_context) {
    ck_assert_int_eq(mica_fail(MICA_E_INVALID, "size %d", 3), MICA_E_INVALID);
    ck_assert_int_eq(mica_fail_in(MICA_E_INVALID, "layer %s", "fc1"), MICA_E_INVALID);
    ck_assert_str_eq(mica_last_error(), "layer fc1: size 3");
    ck_assert_str_eq(mica_status_name(MICA_E_FORMAT), "format");
    ck_assert_str_eq(mica_status_name((mica_status)99), "unknown");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, philox_gives_the_published_answers);
    tcase_add_test(tests, draws_have_the_right_moments);
    tcase_add_test(tests, files_are_replaced_whole_or_not_at_all);
    tcase_add_test(tests, a_full_disk_is_reported_and_changes_nothing);
    tcase_add_test(tests, near_names_are_found);
    tcase_add_test(tests, errors_keep_their_context);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
