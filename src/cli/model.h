/* The network that a subcommand is given: a run's folder, a recipe with --weights, or an ONNX file
 * with --preprocess. */
#ifndef MICA_CLI_MODEL_H
#define MICA_CLI_MODEL_H

#include "cli/cli.h"

#include <mica/train.h>

typedef struct mica_cli_model {
    const char *path, *device, *weights, *preprocess; /* NULL: not given */
    const char **overrides;
    size_t n_overrides;
} mica_cli_model;

/* Options with these letters, for an array of struct option. */
#define MICA_CLI_MODEL_OPTIONS                                                                     \
    {"device", required_argument, NULL, 'd'}, {"weights", required_argument, NULL, 'w'}, {         \
        "preprocess", required_argument, NULL, 'p'                                                 \
    }

/* Takes optarg if `option` is one of theirs. */
bool mica_cli_model_option(mica_cli_model *model, int option);

/* Checks that the options fit together: 0, or 2 with the error printed. `command` begins it. */
int mica_cli_model_check(const mica_cli_model *model, const char *command);

/* Whether a path that is given without --weights can be a run's folder: 0, or 2 with the error
 * printed. What is not there is found while opening. */
int mica_cli_run_check(const char *path, const char *command);

/* Is it an error of one picture's file (mica_run_read_image), which others may not have? */
bool mica_cli_is_of_file(mica_status status);

/* Says on stderr how a data set's file was taken where that is not plain, and which pictures were
 * left out: some by name, the others counted. */
void mica_cli_show_left_out(const mica_dataset_info *info);

mica_status mica_cli_model_open(const mica_cli_model *model, mica_run **run);

#endif
