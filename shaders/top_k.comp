// The k largest of each row: the twin of top_k_sort and top_k_merge_sort in cl/top_k.cl, with the
// same buffers, constants and parameters. A work-group a row, in turn; shared memory: 2 * SORT words.
// kernels: top_k_sort top_k_merge_sort
#version 450
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const uint SORT = 64;

layout(push_constant) uniform Params {
    uint rows;
    uint size;
    uint k;
    uint from, to; // of each row; behind 0 it goes on with the best of the launch before
} p;

// Words: a shader that is free to flush small numbers to zero must not do so here.
#ifdef top_k_sort
layout(std430, binding = 0) readonly buffer X { int x[]; };
layout(std430, binding = 1) buffer Values { int values[]; };
layout(std430, binding = 2) buffer Places { int places[]; };
#else
layout(std430, binding = 0) readonly buffer Best { int best[]; };
layout(std430, binding = 1) readonly buffer BestIds { float best_ids[]; };
layout(std430, binding = 2) readonly buffer X { int x[]; };
layout(std430, binding = 3) readonly buffer First { float first_id[]; };
layout(std430, binding = 4) buffer Values { int values[]; };
layout(std430, binding = 5) buffer Merged { float merged[]; };
#endif

#define LANE  gl_LocalInvocationID.x
#define LANES gl_WorkGroupSize.x

// Below that of every number.
const int NO_RANK = -0x7fffffff - 1;

// Whole numbers in the order of floats, with -0 = 0 and NaN on top; and back.
int rank_of(int bits) {
    const int magnitude = bits & 0x7fffffff;
    return magnitude > 0x7f800000 ? 0x7fffffff : bits < 0 ? -magnitude : magnitude;
}

int number_of(int rank) {
    return rank < 0 ? int(0x80000000u | uint(-rank)) : rank;
}

shared ivec2 pairs[SORT]; // rank, id

bool is_better(ivec2 a, ivec2 b) {
    return a.x > b.x || (a.x == b.x && a.y < b.y);
}

void sort_pairs() {
    for (uint size = 2; size <= SORT; size *= 2)
        for (uint stride = size / 2; stride > 0; stride /= 2) {
            for (uint e = LANE; e < SORT / 2; e += LANES) {
                const uint i = 2 * e - (e & (stride - 1)), j = i + stride;
                const ivec2 a = pairs[i], b = pairs[j];
                if (is_better(b, a) == ((i & size) == 0)) {
                    pairs[i] = b;
                    pairs[j] = a;
                }
            }
            barrier();
        }
}

void main() {
    for (uint row = gl_WorkGroupID.x; row < p.rows; row += gl_NumWorkGroups.x) {
#ifdef top_k_sort
        const int first = 0;
#else
        const int first = int(first_id[0]);
#endif
        for (uint i = LANE; i < p.k; i += LANES) {
            const uint place = row * p.k + i;
#ifdef top_k_sort
            pairs[i] = ivec2(NO_RANK, 0x7fffffff);
            if (p.from > 0)
                pairs[i] = ivec2(rank_of(values[place]), places[place]);
#else
            pairs[i] = ivec2(rank_of(best[place]), int(best_ids[place]));
            if (p.from > 0)
                pairs[i] = ivec2(rank_of(values[place]), int(merged[place]));
#endif
        }
        for (uint from = p.from; from < p.to; from += SORT - p.k) {
            for (uint i = p.k + LANE; i < SORT; i += LANES) {
                const uint at = from + i - p.k;
                ivec2 pair = ivec2(NO_RANK, 0x7fffffff);
                if (at < p.to)
                    pair = ivec2(rank_of(x[row * p.size + at]), first + int(at));
                pairs[i] = pair;
            }
            barrier();
            sort_pairs();
        }
        for (uint i = LANE; i < p.k; i += LANES) {
            values[row * p.k + i] = number_of(pairs[i].x);
#ifdef top_k_sort
            places[row * p.k + i] = pairs[i].y;
#else
            merged[row * p.k + i] = float(pairs[i].y);
#endif
        }
        barrier();
    }
}
