/* one_hot_fwd: y[row][i] = 1 where i is labels[row], else 0. Mapping of work and limits: rows.h.
 * Bindings: 0 labels (one a row), 1 y. Constants: WIDTH. */
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
} one_hot_params;

__kernel GROUP_SIZE void one_hot_fwd(
    __global const int *labels, __global float *y, const one_hot_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = ROW_OF(first, p.rows), start = row * p.size, end = start + p.size;
        FOR_PARTS(at, start, end) {
            const ivec hit = (int)(at - start) + LANE_NUMBERS == labels[row];
            part_store(select((vec)0, (vec)1, hit), y, at, end);
        }
    }
}
