/* What a training gives back to its caller, in memory of its own. */
#ifndef MICA_TRAIN_RESULT_H
#define MICA_TRAIN_RESULT_H

#include "train/compare.h"
#include "train/record.h"

/* A copy of `summary` with the metrics of the run: those of its best epoch's row, and the test
 * set's (by head; NULL: none) with what they are compared to. */
mica_status mica_result_create(const mica_train_result *summary, const mica_record *record,
    const mica_network *network, const mica_evaluation *test, const mica_comparison *comparison,
    mica_train_result **result);

#endif
