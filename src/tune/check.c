/* A few elements are computed on the host in double precision, which catches what is wrong in many
 * places; and all that is read is compared between candidates, which catches what is wrong in few:
 * where two differ, the host says who is right. */
#include "tune/check.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* Numbers of a result that are read, and in how many blocks of a larger one. */
enum { SAMPLE_MOST = 1 << 22, BLOCKS = 64, BLOCK = SAMPLE_MOST / BLOCKS };
/* Elements that the host computes: as many as it takes for so many terms in all. */
enum { EXPECTED_LEAST = 8, EXPECTED_MOST = 64 };
static const double terms_worth = 4e6;

/* Mixes the bits of a place (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", 2014). */
static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

float mica_tune_number(uint32_t stream, uint64_t at) {
    const int32_t bits = (int32_t)(mix((uint64_t)stream << 40 | at) >> 40); /* 24 */
    return (float)(bits - (1 << 23)) / (float)(1 << 23);
}

mica_status mica_tune_fill(mica_buffer *buffer, uint32_t stream) {
    const uint64_t count = mica_buffer_bytes(buffer) / 4, step = 1 << 18;
    float *numbers = mica_alloc(step, sizeof *numbers);
    mica_status status = numbers ? MICA_OK : MICA_E_MEMORY;
    for (uint64_t at = 0; status == MICA_OK && at < count; at += step) {
        const uint64_t n = count - at < step ? count - at : step;
        for (uint64_t i = 0; i < n; i++)
            numbers[i] = mica_tune_number(stream, at + i);
        status = mica_buffer_write(buffer, at * 4, numbers, n * 4);
    }
    free(numbers);
    return status;
}

mica_status mica_tune_spoil(const mica_tune_problem *problem) {
    mica_buffer *result = problem->result(problem->user);
    return mica_buffer_fill(result, 0, 0x7fc00000, mica_buffer_bytes(result));
}

/* The element that number i of a sample is. */
static uint64_t place_of(const mica_tune_problem *problem, uint64_t i) {
    if (problem->count <= SAMPLE_MOST)
        return i;
    const uint64_t block = i / BLOCK, last = problem->count - BLOCK;
    return last / (BLOCKS - 1) * block + (block == BLOCKS - 1 ? last % (BLOCKS - 1) : 0) +
           i % BLOCK;
}

mica_status mica_tune_read(const mica_tune_problem *problem, mica_tune_sample *sample) {
    mica_buffer *result = problem->result(problem->user);
    const bool whole = problem->count <= SAMPLE_MOST;
    *sample = (mica_tune_sample){.count = whole ? problem->count : SAMPLE_MOST};
    sample->numbers = mica_alloc(sample->count, sizeof *sample->numbers);
    if (!sample->numbers)
        return MICA_E_MEMORY;
    const uint64_t step = whole ? sample->count : BLOCK;
    for (uint64_t i = 0; i < sample->count; i += step)
        MICA_TRY(mica_buffer_read(result, place_of(problem, i) * 4, sample->numbers + i, step * 4));
    return MICA_OK;
}

/* How far number i of a sample is beyond what rounding explains; 0: it is right. Numbers that are
 * expected not to be finite are passed over. */
static double excess(const mica_tune_problem *problem, const mica_tune_sample *sample, uint64_t i) {
    double slack;
    const double want = problem->expect(problem->user, place_of(problem, i), &slack);
    const double got = (double)sample->numbers[i];
    if (!isfinite(want) || !isfinite(slack))
        return 0;
    if (!isfinite(got))
        return INFINITY;
    return fmax(fabs(got - want) - slack, 0);
}

bool mica_tune_is_right(
    const mica_tune_problem *problem, const mica_tune_sample *sample, uint64_t *at) {
    uint64_t n = (uint64_t)(terms_worth / (double)(problem->terms + 1));
    n = n < EXPECTED_LEAST ? EXPECTED_LEAST : n > EXPECTED_MOST ? EXPECTED_MOST : n;
    for (uint64_t e = 0; e < n; e++) {
        /* the first, the last, and some between */
        const uint64_t i = e == 0 ? 0 : e == 1 ? sample->count - 1 : mix(e) % sample->count;
        *at = place_of(problem, i);
        if (excess(problem, sample, i) > 0)
            return false;
    }
    return true;
}

double mica_tune_slack(uint64_t terms, double magnitude) {
    return (64 + sqrt((double)terms)) * 0x1p-24 * magnitude + 1e-30;
}

int mica_tune_compare(const mica_tune_problem *problem, const mica_tune_sample *a,
    const mica_tune_sample *b, uint64_t *at) {
    /* Where there is doubt the host decides, but not more often than it pays. */
    int asked = 0;
    double doubt = 0;
    for (uint64_t i = 0; i < a->count && asked < EXPECTED_MOST; i++) {
        const double x = (double)a->numbers[i], y = (double)b->numbers[i];
        if (fabs(x - y) <= doubt || x == y)
            continue;
        *at = place_of(problem, i);
        if (excess(problem, a, i) > 0)
            return -1;
        if (excess(problem, b, i) > 0)
            return 1;
        doubt = fmax(doubt, 2 * fabs(x - y)); /* so much is explained by rounding */
        asked++;
    }
    return 0;
}
