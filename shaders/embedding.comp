// Lookup of rows and its gradients: the twin of cl/embedding.cl, with the same buffers and
// parameters, for devices whose lanes are work-items.
// kernels: embedding_fwd embedding_sort embedding_bwd_rows embedding_bwd_runs
#version 450
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
    uint count;
#ifdef embedding_bwd_runs
    uint per_part;
    uint per_group;
#else
    uint columns;
    uint slots;
#endif
    uint from, to; // the places of this launch; behind 0 it goes on where the one before ended
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
layout(std430, binding = 3) buffer Counted { uint counted[]; };

shared int some[gl_WorkGroupSize.x];

void main() {
    const uint n = gl_GlobalInvocationID.x, local = gl_WorkGroupSize.x;
    const int id = ids[min(n, p.count - 1)];
    uint before = 0;
    if (n < p.count && p.from > 0)
        before = counted[n];
    for (uint q0 = p.from; q0 < p.to; q0 += local) {
        const uint size = min(p.to - q0, local);
        if (LANE < size)
            some[LANE] = ids[q0 + LANE];
        barrier();
        for (uint i = 0; i < size; i++)
            before += uint(some[i] < id || (some[i] == id && q0 + i < n));
        barrier();
    }
    if (n < p.count && p.to < p.count) {
        counted[n] = before;
    } else if (n < p.count) {
        keys[before] = id;
        order[before] = n;
    }
}
#endif

#ifdef embedding_bwd_rows
layout(std430, binding = 0) readonly buffer Keys { int keys[]; };
layout(std430, binding = 1) readonly buffer Order { uint order[]; };
layout(std430, binding = 2) readonly buffer Dy { float dy[]; };
layout(std430, binding = 3) buffer Dtable { float dtable[]; };

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
        const uint row = ROW_OF(first, p.rows), begin = max(lower_bound(int(row)), p.from);
        const uint end = min(lower_bound(int(row) + 1), p.to);
        FOR_PARTS(c, p.size) {
            float sum = 0.0;
            if (p.from > 0)
                sum = dtable[row * p.size + c];
            for (uint m = begin; m < end; m++)
                sum += dy[order[m] * p.size + c];
            dtable[row * p.size + c] = sum;
        }
    }
}
#endif

#ifdef embedding_bwd_runs
layout(std430, binding = 0) readonly buffer Keys { int keys[]; };
layout(std430, binding = 1) readonly buffer Order { uint order[]; };
layout(std430, binding = 2) readonly buffer Dy { float dy[]; };
layout(std430, binding = 3) buffer Sums { float sums[]; };
layout(std430, binding = 4) writeonly buffer Rows { int rows[]; };
layout(std430, binding = 5) writeonly buffer Squares { float squares[]; };

void main() {
    const uint item = gl_LocalInvocationIndex;
    for (uint i = 0; i < p.per_group; i++) {
        const uint part = gl_WorkGroupID.x * p.per_group + i;
        const uint begin = part * p.per_part, end = min(p.count, begin + p.per_part);
        float total = 0.0;
        for (uint m = begin + ROW_LANE; m < end; m += gl_WorkGroupSize.y) {
            const uint place = order[m];
            const int key = keys[m];
            // negative ones are large
            const bool live = uint(key) < p.rows && (m == 0 || keys[m - 1] != key);
            if (LANE == 0)
                rows[place] = live ? key : -1;
            FOR_PARTS(c, p.size) {
                float sum = 0.0;
                if (p.from > 0)
                    sum = sums[place * p.size + c];
                for (uint n = max(m, p.from); live && n < p.to && keys[n] == key; n++)
                    sum += dy[order[n] * p.size + c];
                sums[place * p.size + c] = sum;
                total += sum * sum;
            }
        }
        pool[item] = total;
        barrier();
        for (uint items = gl_WorkGroupSize.x * gl_WorkGroupSize.y / 2; items > 0; items /= 2) {
            if (item < items)
                pool[item] += pool[item + items];
            barrier();
        }
        if (item == 0)
            squares[part] = pool[0];
        barrier();
    }
}
#endif
