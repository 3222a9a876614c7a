// Lookup of rows and its gradient: the twin of cl/embedding.cl, with the same buffers and
// parameters, for devices whose lanes are work-items.
// kernels: embedding_fwd embedding_sort embedding_bwd_rows
#version 450
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
    uint count;
    uint columns;
} p;

#ifdef embedding_fwd
layout(std430, binding = 0) readonly buffer Table { float table[]; };
layout(std430, binding = 1) readonly buffer Ids { uint ids[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };

void main() {
    FOR_ROWS(first, p.count) {
        if (!ROW_IS_LIVE(first, p.count))
            continue;
        const uint row = ROW_OF(first, p.count), id = ids[row];
        FOR_PARTS(at, p.size) {
            float v = NOT_A_NUMBER;
            if (id < p.rows) // negative ones are large
                v = table[id * p.size + at];
            y[row * p.size + at] = v;
        }
    }
}
#endif

#ifdef embedding_sort
layout(std430, binding = 0) readonly buffer Ids { int ids[]; };
layout(std430, binding = 1) writeonly buffer Keys { int keys[]; };
layout(std430, binding = 2) writeonly buffer Order { uint order[]; };

shared int some[gl_WorkGroupSize.x];

void main() {
    const uint n = gl_GlobalInvocationID.x, local = gl_WorkGroupSize.x;
    const int id = ids[min(n, p.count - 1)];
    uint before = 0;
    for (uint q0 = 0; q0 < p.count; q0 += local) {
        const uint size = min(p.count - q0, local);
        if (LANE < size)
            some[LANE] = ids[q0 + LANE];
        barrier();
        for (uint i = 0; i < size; i++)
            before += uint(some[i] < id || (some[i] == id && q0 + i < n));
        barrier();
    }
    if (n < p.count) {
        keys[before] = id;
        order[before] = n;
    }
}
#endif

#ifdef embedding_bwd_rows
layout(std430, binding = 0) readonly buffer Keys { int keys[]; };
layout(std430, binding = 1) readonly buffer Order { uint order[]; };
layout(std430, binding = 2) readonly buffer Dy { float dy[]; };
layout(std430, binding = 3) writeonly buffer Dtable { float dtable[]; };

// How many keys are less than `id`.
uint lower_bound(int id) {
    uint begin = 0, count = p.count;
    while (count > 0) {
        const uint middle = count / 2;
        const bool less = keys[begin + middle] < id;
        begin += less ? middle + 1 : 0;
        count = less ? count - middle - 1 : middle;
    }
    return begin;
}

void main() {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const uint row = ROW_OF(first, p.rows), begin = lower_bound(int(row));
        const uint end = lower_bound(int(row) + 1);
        FOR_PARTS(c, p.size) {
            float sum = 0.0;
            for (uint m = begin; m < end; m++)
                sum += dy[order[m] * p.size + c];
            dtable[row * p.size + c] = sum;
        }
    }
}
#endif
