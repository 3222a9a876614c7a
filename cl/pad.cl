/* Tensors of up to six dimensions with more elements around them, and back.
 *
 * pad_fwd: bindings 0 x, 1 y. Rows are those of y.
 * pad_bwd: bindings 0 dy, 1 dx: each element of x adds up its places in y, in their order. Rows are
 *     those of x. Not for PAD_CONSTANT, whose gradient is a slice.
 *
 * A row is the last of the dimensions, whose elements are `unit` numbers each, so that dimensions
 * behind the last one that is padded need no work of their own. Mapping of work: rows.h; with WIDTH
 * > 1 a work-item moves runs of numbers. Constants: WIDTH. Parameters: as below; dimensions are
 * outermost first, n those of x and m those of y. */
#include "pad.h"
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
    int unit;
    int mode;
    float number; /* of PAD_CONSTANT */
    int n[6], before[6], m[6];
} pad_params;

#if WIDTH > 1
void move_run(__global const float *from, __global float *to, int count, bool add) {
    int i = 0;
    for (; i + WIDTH <= count; i += WIDTH) {
        vec v = vec_load(0, from + i);
        if (add)
            v += vec_load(0, to + i);
        vec_store(v, 0, to + i);
    }
    for (; i < count; i++)
        to[i] = add ? to[i] + from[i] : from[i];
}

void fill_run(__global float *to, int count, float number) {
    for (int i = 0; i < count; i += WIDTH)
        part_store((vec)(number), to, i, count);
}
#endif

__kernel GROUP_SIZE void pad_fwd(__global const float *x, __global float *y, const pad_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = first + ROW_LANE;
        int rest = row, from = 0, stride = p.n[5] * p.unit;
        bool inside = true;
        for (int i = 4; i >= 0; i--) {
            const int at = pad_source(p.mode, p.n[i], p.before[i], rest % p.m[i]);
            rest /= p.m[i];
            inside = inside && at >= 0;
            from += at * stride;
            stride *= p.n[i];
        }
        __global float *to = y + row * p.size;
#if WIDTH > 1
        if (!inside) {
            fill_run(to, p.size, p.number);
            continue;
        }
        for (int i = 0; i < p.m[5];) {
            const int at = pad_source(p.mode, p.n[5], p.before[5], i);
            const int count = i == p.before[5] ? p.n[5] : 1;
            if (at < 0)
                fill_run(to + i * p.unit, p.unit, p.number);
            else
                move_run(x + from + at * p.unit, to + i * p.unit, count * p.unit, false);
            i += count;
        }
#else
        for (uint i = LANE; i < p.size; i += LOCAL_X) {
            const int at = pad_source(p.mode, p.n[5], p.before[5], i / p.unit);
            to[i] = inside && at >= 0 ? x[from + at * p.unit + i % p.unit] : p.number;
        }
#endif
    }
}

__kernel GROUP_SIZE void pad_bwd(__global const float *dy, __global float *dx, const pad_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = first + ROW_LANE;
        int rest = row, copies = 1, at[5], count[5];
        for (int i = 4; i >= 0; i--) {
            at[i] = rest % p.n[i];
            rest /= p.n[i];
            count[i] = pad_count(
                p.mode, p.n[i], p.before[i], p.m[i] - p.n[i] - p.before[i], at[i]);
            copies *= count[i];
        }
        const int n = p.n[5], before = p.before[5], after = p.m[5] - n - before;
        __global float *to = dx + row * p.size;
#if WIDTH == 1
        for (uint e = LANE; e < p.size; e += LOCAL_X)
            to[e] = 0.0f;
#endif
        for (int copy = 0; copy < copies; copy++) {
            int line = 0, left = copy;
            for (int i = 0; i < 5; i++) {
                line = line * p.m[i] +
                       pad_place(p.mode, p.n[i], p.before[i], at[i], left % count[i]);
                left /= count[i];
            }
            __global const float *from = dy + line * p.m[5] * p.unit;
#if WIDTH > 1
            const int begin = min(before + 1, n), end = max(begin, n - after - 1);
            for (int i = 0; i < n; i++) {
                if (i == begin && begin < end) { /* these have one place each */
                    move_run(from + (before + i) * p.unit, to + i * p.unit, (end - i) * p.unit,
                        copy > 0);
                    i = end;
                    if (i == n)
                        break;
                }
                const int places = pad_count(p.mode, n, before, after, i);
                for (int k = 0; k < places; k++)
                    move_run(from + pad_place(p.mode, n, before, i, k) * p.unit, to + i * p.unit,
                        p.unit, copy > 0 || k > 0);
            }
#else
            for (uint e = LANE; e < p.size; e += LOCAL_X) {
                const int i = e / p.unit, places = pad_count(p.mode, n, before, after, i);
                float sum = to[e];
                for (int k = 0; k < places; k++)
                    sum += from[pad_place(p.mode, n, before, i, k) * p.unit + e % p.unit];
                to[e] = sum;
            }
#endif
        }
    }
}
