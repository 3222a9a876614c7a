/* How one long sequence becomes mini-batches, and parts for training, validation and test. Knows
 * neither text nor files. */
#include "data/sequences.h"

#include "base/error.h"

#include <mica/sequence.h>

#include <math.h>
#include <string.h>

int64_t mica_sequence_batches(int64_t count, int64_t sequences, int64_t length) {
    if (count < 1 || sequences < 1 || length < 1 || sequences > INT64_MAX / length)
        return 0;
    return count / (sequences * length);
}

mica_status mica_sequence_batch(const int32_t *numbers, int64_t count, int64_t sequences,
    int64_t length, int64_t batch, int32_t *out) {
    const int64_t batches = mica_sequence_batches(count, sequences, length);
    if (!numbers || !out || batches < 1)
        return mica_fail(MICA_E_INVALID,
            "sequence batch: wanted arrays and at least %lld x %lld numbers for one batch of "
            "sequences x length, both from 1 on; came %lld%s",
            (long long)sequences, (long long)length, (long long)count,
            numbers && out ? "" : " and a NULL array");
    if (batch < 0 || batch >= batches)
        return mica_fail(MICA_E_INVALID,
            "sequence batch %lld: %lld numbers as %lld sequences of length %lld make batches 0 to "
            "%lld",
            (long long)batch, (long long)count, (long long)sequences, (long long)length,
            (long long)batches - 1);
    for (int64_t row = 0; row < sequences; row++)
        memcpy(out + row * length, numbers + (row * batches + batch) * length,
            (size_t)length * sizeof *out);
    return MICA_OK;
}

mica_status mica_sequence_fractions(double validation, double test) {
    if (!(validation >= 0) || !(test >= 0) || !(validation + test < 1))
        return mica_fail(MICA_E_INVALID,
            "validation %g and test %g: wanted fractions from 0 on that leave something for "
            "training",
            validation, test);
    return MICA_OK;
}

void mica_sequence_parts(int64_t count, double validation, double test, int64_t first[4]) {
    first[0] = 0;
    first[1] = count - (int64_t)floor((validation + test) * (double)count + 0.5);
    first[2] = count - (int64_t)floor(test * (double)count + 0.5);
    first[3] = count;
}
