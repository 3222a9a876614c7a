// Sums, maxima and sums of squares along one dimension: see cl/reduce.cl, whose bindings,
// parameters, constants (0 and 1 are its WIDTH and SPAN) and mapping these have, with one element
// for each invocation at a time.
// Limits: local sizes are powers of two, at most 256 in all.
// kernels: reduce_fwd_rows reduce_fwd_columns
#version 450

#define BLOCK 64

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 2) const int MAXIMUM = 0;
layout(constant_id = 3) const int SQUARE = 0;
layout(constant_id = 4) const int ROOT = 0;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Params {
    uint size, inner, total, part, parts, chunks, units, per_group;
    float scale;
} p;

shared float pool[256];

#define IDENTITY (MAXIMUM != 0 ? uintBitsToFloat(0xff800000u) : 0.0) // minus infinity

bool is_nan(float v) {
    return (floatBitsToUint(v) & 0x7fffffffu) > 0x7f800000u;
}

float combine(float a, float b) {
    return MAXIMUM == 0 ? a + b : a < b || is_nan(b) ? b : a;
}

float element(float v) {
    return SQUARE != 0 ? v * v : v;
}

float finish(float v) {
    return (ROOT != 0 ? sqrt(v) : v) * p.scale;
}

// As in cl/reduce.cl.
float combine_items(float v, uint me, uint index, uint count, uint stride) {
    pool[me] = v;
    for (uint reach = count / 2; reach > 0; reach /= 2) {
        barrier();
        if (index < reach)
            pool[me] = combine(pool[me], pool[me + reach * stride]);
    }
    v = pool[me];
    barrier();
    return v;
}

#define COLUMN gl_LocalInvocationID.x
#define ROW    gl_LocalInvocationID.y
#define WIDE   gl_WorkGroupSize.x
#define HIGH   gl_WorkGroupSize.y

#ifdef reduce_fwd_rows
void main() {
    const uint begin = gl_WorkGroupID.x * p.per_group, end = min(p.units, begin + p.per_group);
    for (uint first = begin; first < end; first += HIGH) {
        const uint unit = min(first + ROW, end - 1);
        const uint from = unit % p.parts * p.part, to = min(p.size, from + p.part);
        const uint base = unit / p.parts * p.size;
        float total = IDENTITY;
        for (uint at = from; at < to; at += BLOCK * WIDE) {
            const uint stop = min(to, at + BLOCK * WIDE);
            float sum = IDENTITY;
            for (uint i = at + COLUMN; i < stop; i += WIDE)
                sum = combine(sum, element(x[base + i]));
            total = combine(total, sum);
        }
        if (WIDE > 1)
            total = combine_items(total, ROW * WIDE + COLUMN, COLUMN, WIDE, 1);
        if (COLUMN == 0 && first + ROW < end)
            y[unit] = finish(total);
    }
}
#else
void main() {
    const uint begin = gl_WorkGroupID.x * p.per_group, end = min(p.units, begin + p.per_group);
    for (uint unit = begin; unit < end; unit++) {
        const uint j = unit % p.chunks * WIDE + COLUMN, slice = unit / p.chunks;
        const uint from = slice % p.parts * p.part, to = min(p.size, from + p.part);
        const uint base = slice / p.parts * p.size * p.inner + j;
        float total = IDENTITY;
        for (uint at = from; at < to && j < p.inner; at += BLOCK * HIGH) {
            const uint stop = min(to, at + BLOCK * HIGH);
            float sum = IDENTITY;
            for (uint i = at + ROW; i < stop; i += HIGH)
                sum = combine(sum, element(x[base + i * p.inner]));
            total = combine(total, sum);
        }
        if (HIGH > 1)
            total = combine_items(total, ROW * WIDE + COLUMN, ROW, HIGH, WIDE);
        if (ROW == 0 && j < p.inner)
            y[slice * p.inner + j] = finish(total);
    }
}
#endif
