/* The measured choice among kernels that compute the same: once per device and class of shapes,
 * kept in a database file. Knows no operator.
 *
 * The file is $XDG_CACHE_HOME/mica/tuning/<hash of device and driver>. It is loaded when a device's
 * first choice is made, counts only for the kernels it was measured with, and is replaced whole
 * after each measurement. One that is missing, damaged or of another build is as if empty; where it
 * cannot be written, each process measures for itself. */
#ifndef MICA_TUNE_TUNE_H
#define MICA_TUNE_TUNE_H

#include "device/device.h"

/* Makes the commands, `timed`, that run candidate `index` on any data. */
typedef mica_status mica_tune_record(void *user, int index, mica_commands **commands);

/* Returns which of n candidates (named, the one expected best first) was fastest for `key`, which
 * stands for the operator and a class of shapes that has these candidates; no tabs or line ends in
 * it. Measures where the database does not know, some 30 ms beside the first runs; what cannot be
 * recorded or run drops out. Cannot fail: it is 0 where nothing was measured, as on the null device
 * and with MICA_TUNE=0 in the environment. MICA_TUNE=NAME takes the candidate of that name wherever
 * there is one, for tests. */
int mica_tune_choose(mica_device *device, const char *key, const char *const *names, int n,
    mica_tune_record *record, void *user);

#endif
