/* base/: the random numbers against published vectors, whole-file writing, near names. */
#include "base/error.h"
#include "base/file.h"
#include "base/philox.h"
#include "base/text.h"

#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
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

/* A fresh folder; the paths of `file` and `other` in it. */
static char folder[64], file[96], other[96];

static void folder_open(void) {
    strcpy(folder, "/tmp/mica-base-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
}

/* Fails where anything but the two files was left. */
static void folder_close(void) {
    unlink(file);
    unlink(other);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void ck_holds(const char *path, const char *wanted) {
    char *data;
    size_t size;
    ck_assert_int_eq(mica_file_read(path, 100, &data, &size), MICA_OK);
    ck_assert_str_eq(data, wanted);
    free(data);
}

/* A limit of the size of files stands for a full disk. */
START_TEST(a_full_disk_is_reported_and_changes_nothing) {
    folder_open();
    ck_assert_int_eq(mica_file_replace(file, "old", 3), MICA_OK);
    mica_file_writer *writer;
    const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(mica_file_begin(file, &writer), MICA_OK);
    setrlimit(RLIMIT_FSIZE, &none);
    ck_assert_int_eq(mica_file_write(writer, "new", 3), MICA_E_IO);
    ck_assert_int_eq(mica_file_commit(&writer), MICA_E_IO);
    setrlimit(RLIMIT_FSIZE, &all);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "File too large"));
    ck_holds(file, "old");
    folder_close();
}
END_TEST

/* Links lie where a temporary file's name could be guessed; two writers have the same file. */
START_TEST(temporary_names_cannot_be_guessed) {
    folder_open();
    ck_assert_int_eq(mica_file_replace(other, "precious", 8), MICA_OK);
    char guess[128];
    snprintf(guess, sizeof guess, "%s.tmp%ld", file, (long)getpid());
    ck_assert_int_eq(symlink(other, guess), 0);
    mica_file_writer *one, *two;
    ck_assert_int_eq(mica_file_begin(file, &one), MICA_OK);
    ck_assert_int_eq(mica_file_begin(file, &two), MICA_OK);
    ck_assert_int_eq(mica_file_write(one, "one", 3), MICA_OK);
    ck_assert_int_eq(mica_file_write(two, "two", 3), MICA_OK);
    ck_assert_int_eq(mica_file_commit(&one), MICA_OK);
    ck_holds(file, "one");
    ck_assert_int_eq(mica_file_commit(&two), MICA_OK);
    ck_holds(file, "two");
    ck_holds(other, "precious");
    ck_assert_int_eq(unlink(guess), 0);
    ck_assert(mica_file_is_temporary(".mica-tmp-0123456789abcdef"));
    ck_assert(!mica_file_is_temporary(".mica-tmp-0123456789abcdef0"));
    ck_assert(!mica_file_is_temporary("notes.tmp2024"));
    folder_close();
}
END_TEST

START_TEST(only_regular_files_are_replaced) {
    folder_open();
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    ck_assert_int_eq(mica_file_replace(file, "x", 1), MICA_E_IO);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "not a regular file"));
    struct stat info;
    ck_assert(!stat(file, &info) && S_ISFIFO(info.st_mode));
    folder_close();
}
END_TEST

static mica_status private_read(const char *path) {
    char *data;
    size_t size;
    mica_status status = mica_private_read(path, 100, &data, &size);
    if (status == MICA_OK)
        free(data);
    return status;
}

START_TEST(what_others_can_write_is_not_loaded) {
    folder_open();
    char deep[128];
    snprintf(deep, sizeof deep, "%s/a/b/entry", folder);
    const mode_t mask = umask(0);
    mica_file_writer *writer;
    ck_assert_int_eq(mica_private_begin(deep, &writer), MICA_OK);
    ck_assert_int_eq(mica_file_commit(&writer), MICA_OK);
    umask(mask);
    struct stat info;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(stat(deep, &info), 0);
        ck_assert_uint_eq(info.st_mode & 07777, i ? 0700 : 0600);
        ck_assert_int_eq(i ? rmdir(deep) : rename(deep, file), 0);
        *strrchr(deep, '/') = 0;
    }
    ck_assert_int_eq(private_read(file), MICA_OK);
    ck_assert_int_eq(symlink(file, other), 0);
    ck_assert_int_ne(private_read(other), MICA_OK);
    const mode_t bad[] = {0620, 0602, 0666};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(chmod(file, bad[i]), 0);
        ck_assert_int_eq(private_read(file), MICA_E_INVALID);
    }
    ck_assert_int_eq(chmod(file, 0644), 0);
    ck_assert_int_eq(private_read(file), MICA_OK);
    if (!geteuid()) {
        ck_assert_int_eq(chown(file, 65534, 65534), 0);
        ck_assert_int_eq(private_read(file), MICA_E_INVALID);
    }
    unlink(file);
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    ck_assert_int_eq(private_read(file), MICA_E_INVALID);
    folder_close();
}
END_TEST

static void on_alarm(int number) {
    (void)number;
}

/* Opening and reading a pipe block, and each is interrupted many times. */
START_TEST(signals_do_not_end_a_read) {
    folder_open();
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    const pid_t child = fork();
    if (!child) {
        usleep(50000);
        const int fd = open(file, O_WRONLY);
        usleep(50000);
        _exit(write(fd, "text", 4) != 4);
    }
    const struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval often = {{0, 5000}, {0, 5000}}, never = {0};
    setitimer(ITIMER_REAL, &often, NULL);
    char *data = NULL;
    size_t size;
    mica_status status = mica_file_read(file, 100, &data, &size);
    setitimer(ITIMER_REAL, &never, NULL);
    ck_assert_msg(status == MICA_OK, "%s", mica_last_error());
    ck_assert_str_eq(data, "text");
    free(data);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    folder_close();
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
    tcase_add_test(tests, temporary_names_cannot_be_guessed);
    tcase_add_test(tests, only_regular_files_are_replaced);
    tcase_add_test(tests, what_others_can_write_is_not_loaded);
    tcase_add_test(tests, signals_do_not_end_a_read);
    tcase_add_test(tests, near_names_are_found);
    tcase_add_test(tests, errors_keep_their_context);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
