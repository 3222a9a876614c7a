/* How training shows on the screen: one live line on a terminal, plain lines elsewhere. */
#ifndef MICA_CLI_PROGRESS_H
#define MICA_CLI_PROGRESS_H

#include <mica/train.h>

/* Zero-initialize. */
typedef struct mica_cli_progress {
    bool begun, terminal;
    double shown; /* when the last line was written */
    bool live;    /* a line that is to be cleared is on the terminal */
    size_t lost;  /* pictures that were lost while training */
} mica_cli_progress;

/* Takes events of mica_train; user is a mica_cli_progress. Writes to stderr. */
void mica_cli_progress_show(void *user, const mica_train_progress *progress);

/* Clears the live line, so that other output can follow, and counts lost pictures that were not
 * named. */
void mica_cli_progress_end(mica_cli_progress *progress);

#endif
