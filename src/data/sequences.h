/* Parts of a sequence by position. For data/ alone. */
#ifndef MICA_DATA_SEQUENCES_H
#define MICA_DATA_SEQUENCES_H

#include <mica/status.h>
#include <stdint.h>

/* Fails unless both are fractions that together leave a rest. */
mica_status mica_sequence_fractions(double validation, double test);

/* Of `count` numbers in time, the last are for test and those before for validation: part i
 * (training, validation, test) is first[i] .. first[i + 1] - 1, which is empty for a fraction of 0.
 */
void mica_sequence_parts(int64_t count, double validation, double test, int64_t first[4]);

#endif
