/* For tests of files: a fresh folder for each test, files in it, and refusals. */
#ifndef MICA_TESTS_IO_TEMP_H
#define MICA_TESTS_IO_TEMP_H

#include <check.h>
#include <mica/status.h>
#include <stddef.h>
#include <string.h>

/* Fixtures: make and remove the folder. */
void temp_make(void);
void temp_remove(void);

/* The path of a file in the folder; valid for the next seven calls. */
const char *temp_path(const char *name);

/* Write a file into the folder, plain or gzip; they return its path as temp_path does. */
const char *temp_write(const char *name, const void *data, size_t size);
const char *temp_gzip(const char *name, const void *data, size_t size);

/* Runs the one suite of a test program; returns what main returns. */
int temp_run(Suite *suite);

/* The call fails with that status and one line of text that has the fragment in it. */
#define ck_refused(call, wanted, fragment)                                                         \
    do {                                                                                           \
        mica_status status_ = (call);                                                              \
        ck_assert_msg(status_ == (wanted), "wanted %s, came %s (%s)", mica_status_name(wanted),    \
            mica_status_name(status_), mica_last_error());                                         \
        ck_assert_msg(strstr(mica_last_error(), fragment) != NULL, "wanted \"%s\" in: %s",         \
            fragment, mica_last_error());                                                          \
        ck_assert_ptr_null(strchr(mica_last_error(), '\n'));                                       \
    } while (0)

#define ck_ok(call)                                                                                \
    do {                                                                                           \
        mica_status status_ = (call);                                                              \
        ck_assert_msg(status_ == MICA_OK, "%s: %s", mica_status_name(status_), mica_last_error()); \
    } while (0)

#endif
