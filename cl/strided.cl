/* Copies between layouts of up to six dimensions. Elements are words of 4 bytes of any type. Rows
 * are the last dimension; mapping of work: rows.h, and group number 1 is a chunk of each row.
 * Dimensions are outermost first; outer ones that are not needed have size 1. Constants: WIDTH.
 *
 * strided_copy: bindings 0 x, 1 y: each element of a box goes from one strided place to another.
 * strided_pad: bindings 0 x, 1 y: y is written whole, with x (of sizes `inner`) at `begin` and 0
 *     around it. */
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
    uint chunk;
    uint from_offset, to_offset;
    uint dim[5], from[6], to[6];
} copy_params;

__kernel GROUP_SIZE void strided_copy(
    __global const uint *x, __global uint *y, const copy_params p) {
    const uint begin = (uint)get_group_id(1) * p.chunk, end = min(begin + p.chunk, p.size);
    const uint step_from = p.from[5], step_to = p.to[5];
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        uint from = p.from_offset + begin * step_from, to = p.to_offset + begin * step_to;
        uint rest = first + ROW_LANE;
        for (int i = 4; rest > 0; i--) {
            const uint at = rest % p.dim[i];
            rest /= p.dim[i];
            from += at * p.from[i];
            to += at * p.to[i];
        }
        const uint count = end - begin;
        uint done = 0;
#if WIDTH > 1
        if (step_from == 1 && step_to == 1)
            for (; done + WIDTH <= count; done += WIDTH)
                vec_store(vec_load(0, x + from + done), 0, y + to + done);
#endif
        for (uint i = done + LANE; i < count; i += LOCAL_X)
            y[to + i * step_to] = x[from + i * step_from];
    }
}

typedef struct {
    uint rows;
    uint size;
    uint chunk;
    uint dim[5], begin[6], inner[6];
} pad_params;

__kernel GROUP_SIZE void strided_pad(__global const uint *x, __global uint *y, const pad_params p) {
    const uint begin = (uint)get_group_id(1) * p.chunk, end = min(begin + p.chunk, p.size);
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = first + ROW_LANE;
        uint rest = row, from = 0, stride = p.inner[5];
        bool inside = true;
        for (int i = 4; i >= 0; i--) {
            const uint at = rest % p.dim[i] - p.begin[i];
            rest /= p.dim[i];
            inside = inside && at < p.inner[i];
            from += at * stride;
            stride *= p.inner[i];
        }
        for (uint i = begin + LANE; i < end; i += LOCAL_X) {
            const uint at = i - p.begin[5];
            y[row * p.size + i] = inside && at < p.inner[5] ? x[from + at] : 0;
        }
    }
}
