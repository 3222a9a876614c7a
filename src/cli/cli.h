/* What the subcommands share: their entry points, options, errors and exit codes. */
#ifndef MICA_CLI_CLI_H
#define MICA_CLI_CLI_H

#include "cli/print.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One file each. argv[0] is the subcommand's name; the result is the program's exit code: 0, 2 for
 * bad usage or input, 1 for what failed while running. */
int mica_cli_train(int argc, char **argv);
int mica_cli_eval(int argc, char **argv);
int mica_cli_predict(int argc, char **argv);
int mica_cli_sample(int argc, char **argv);
int mica_cli_encode(int argc, char **argv);
int mica_cli_recommend(int argc, char **argv);
int mica_cli_convert(int argc, char **argv);
int mica_cli_summary(int argc, char **argv);
int mica_cli_plan(int argc, char **argv);
int mica_cli_fetch(int argc, char **argv);
int mica_cli_devices(int argc, char **argv);
int mica_cli_check(int argc, char **argv);
int mica_cli_bench(int argc, char **argv);

/* The exit code of a status. */
int mica_cli_exit(mica_status status);

/* Prints the last error as "mica: ..." on stderr; returns the status's exit code. */
int mica_cli_fail(mica_status status);

/* Prints "note: ..." on stderr; nothing where the text is NULL. */
void mica_cli_note(const char *text);

/* getopt_long, whose errors become one line with the nearest option. Returns the option's letter,
 * -1 after the last, or '?' once the error was printed: then exit with 2. */
int mica_cli_option(int argc, char **argv, const char *letters, const struct option *options);

/* Reads an option's decimal integer; if it is none or out of range, prints the error and returns
 * false: then exit with 2. */
bool mica_cli_integer(
    const char *option, const char *text, int64_t min, int64_t max, int64_t *number);

/* The same for a number above 0. */
bool mica_cli_positive(const char *option, const char *text, double *number);

/* Whether a file's name ends so. */
bool mica_cli_ends(const char *name, const char *with);

/* The recipe's file of RECIPE|RUN: the path itself, or recipe.yaml in a folder. Free with free();
 * NULL when memory runs out. */
char *mica_cli_recipe_path(const char *path);

/* Whether RECIPE|RUN can be one: 0, or 2 with the error printed where the name is that of a file of
 * weights. `command` begins it. */
int mica_cli_recipe_check(const char *command, const char *path);

/* Whether a file can be written at this path: 0, or 2 with the error printed where the path is a
 * folder's, or its folder is not there or cannot be written into. `command` begins it. */
int mica_cli_output_check(const char *command, const char *path);

/* Prints what is to be said of the choice of a device (mica_device_info's note), if anything. */
void mica_cli_device_note(const char *note);

/* A number for JSON, which has no NaN and no infinity: they become null. */
json_t *mica_cli_real(double number);

/* A text for JSON, which must be UTF-8: bytes that are not become \xff. */
json_t *mica_cli_string(const char *text);

/* Has jansson tell mica_cli_json where memory ran out. Call it first. */
void mica_cli_json_begin(void);

/* Prints an object as one line on stdout and releases it. Where memory ran out on the way, in which
 * case values may be missing or the object NULL, it prints nothing.
 * Returns the exit code: 1 also where stdout cannot be written, which main tells. */
int mica_cli_json(json_t *object);

#endif
