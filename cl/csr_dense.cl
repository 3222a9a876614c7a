/* Sparse rows made dense. Mapping of work and limits: rows.h. A lane writes the elements of a row
 * that it has set to zero, and no others, so that nothing needs to be waited for. What lies outside
 * of the arrays or the row is passed over; of a column given twice the last value stays.
 *
 * Bindings  csr_dense_fwd 0 start, 1 column, 2 value, 3 y; _ones 0 start, 1 column, 2 y: every
 * value is 1. Constants: WIDTH. */
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
    uint count;    /* of column and value */
    uint from, to; /* for shaders/csr_dense.comp: those of a launch */
} csr_params;

#define FOR_ENTRIES(i, start, row)                                                                 \
    for (uint i = (uint)max(start[row], 0), until = min((uint)max(start[(row) + 1], 0), p.count);  \
         i < until; i++)
#define IS_MINE(c) ((c) < p.size && (LOCAL_X == 1 || (c) % LOCAL_X == LANE))

__kernel GROUP_SIZE void csr_dense_fwd(__global const int *start, __global const int *column,
    __global const float *value, __global float *y, const csr_params p) {
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows), begin = row * p.size;
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        FOR_PARTS(at, begin, begin + p.size)
        part_store((vec)0, y, at, begin + p.size);
        FOR_ENTRIES(i, start, row) {
            const uint c = (uint)column[i];
            if (IS_MINE(c))
                y[begin + c] = value[i];
        }
    }
}

__kernel GROUP_SIZE void csr_dense_ones(
    __global const int *start, __global const int *column, __global float *y, const csr_params p) {
    FOR_ROWS(first, p.rows) {
        const uint row = ROW_OF(first, p.rows), begin = row * p.size;
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        FOR_PARTS(at, begin, begin + p.size)
        part_store((vec)0, y, at, begin + p.size);
        FOR_ENTRIES(i, start, row) {
            const uint c = (uint)column[i];
            if (IS_MINE(c))
                y[begin + c] = 1.0f;
        }
    }
}
