/* The options of `mica sample`, for its two kinds of runs. */
#ifndef MICA_CLI_SAMPLE_H
#define MICA_CLI_SAMPLE_H

#include <mica/train.h>
#include <stdbool.h>

typedef struct mica_cli_sampling {
    const char *run, *device;
    int64_t seed;
    bool json;

    /* autoencoders */
    const char *out;
    int64_t count; /* 0: not given */
    bool png;

    /* language models */
    const char *prime;
    int64_t length;     /* 0: not given */
    double temperature; /* 0: not given */
    int64_t top_k;      /* 0: not given */
} mica_cli_sampling;

/* Writes text with a run that does; returns the exit code. */
int mica_cli_sample_text(const mica_cli_sampling *sampling, mica_run *run);

#endif
