// Maxima and means of the windows of images: see cl/pool.cl, whose bindings, parameters, constants
// (0 is its WIDTH) and mapping these have. For maxima an invocation takes four channels of a pixel,
// whose places are the bytes of a word; for means it takes one.
// kernels: max_pool_fwd max_pool_bwd avg_pool_fwd avg_pool_bwd
#version 450

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 1) const int BYTES = 1;
layout(constant_id = 2) const int WINDOW = 0;
layout(constant_id = 3) const int STRIDE = 0;

struct Axis {
    int size_in, size_out, size, stride, dilation, pad, low, high;
};
layout(push_constant, std430) uniform Params {
    Axis h, w;
    uint channels, rows, per_group, total;
    // The rows of a window that this launch takes; behind 0 it goes on where the one before ended.
    int from, to;
} p;

#define SIZE(a)     (WINDOW != 0 ? WINDOW : (a).size)
#define STEP(a)     (WINDOW != 0 ? STRIDE : (a).stride)
#define DILATION(a) (WINDOW != 0 ? 1 : (a).dilation)

int first_tap(Axis a, int start, int low) {
    return start < low ? (low - start + DILATION(a) - 1) / DILATION(a) : 0;
}

int end_tap(Axis a, int start, int high) {
    return min(SIZE(a), (high - start + DILATION(a) - 1) / DILATION(a));
}

int start_of(Axis a, uint window) {
    return int(window) * STEP(a) - a.pad;
}

int counted(Axis a, uint window) {
    const int start = start_of(a, window);
    return end_tap(a, start, a.high) - first_tap(a, start, a.low);
}

int window_at(Axis a, int distance) {
    const int window = distance / STEP(a);
    return distance >= 0 && window < a.size_out && window * STEP(a) == distance ? window : -1;
}

// Of the windows' elements, the first that place `at` of the padded image may be, and the first
// that it cannot be again.
int first_of_windows(Axis a, int at) {
    const int back = at - (a.size_out - 1) * STEP(a); // from there to the last window's begin
    if (WINDOW != 0 || (DILATION(a) == 1 && back < 0))
        return at % STEP(a);
    return back < 0 ? 0 : (back + DILATION(a) - 1) / DILATION(a);
}

int end_of_windows(Axis a, int at) {
    return WINDOW != 0 ? WINDOW : min(a.size, at / DILATION(a) + 1);
}

// The first of every `step` from `first` on that is no less than `from`.
int next_of(int first, int step, int from) {
    return first < from ? first + (from - first + step - 1) / step * step : first;
}

#define WINDOW_STEP(a) (DILATION(a) == 1 ? STEP(a) : 1)
#define FOR_WINDOWS(a, at, u, o, from, to)                                                         \
    for (int u = next_of(first_of_windows(a, int(at) + (a).pad), WINDOW_STEP(a), from), o,         \
             last = min(end_of_windows(a, int(at) + (a).pad), to);                                 \
         u < last; u += WINDOW_STEP(a))                                                            \
        if ((o = window_at(a, int(at) + (a).pad - u * DILATION(a))) >= 0)

#define FOR_ROWS_OF_PIXELS(row)                                                                    \
    for (uint row = gl_WorkGroupID.x * p.per_group + gl_LocalInvocationID.y,                       \
              stop = min(p.rows, (gl_WorkGroupID.x + 1) * p.per_group);                            \
         row < stop; row += gl_WorkGroupSize.y)

// Element k of `parts` of pixel j.
#define FOR_ELEMENTS(j, k, width, parts)                                                           \
    for (uint e = gl_LocalInvocationID.x, j = e / (parts), k = e % (parts);                        \
         e < uint(width) * (parts); e += gl_WorkGroupSize.x, j = e / (parts), k = e % (parts))

#define QUADS ((p.channels + 3) / 4)

bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u;
}

#ifdef max_pool_fwd
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) buffer Y { float y[]; };
layout(std430, binding = 2) buffer Places { uint places[]; };

void main() {
    FOR_ROWS_OF_PIXELS(row) {
        const int top = start_of(p.h, row % p.h.size_out);
        const int u0 = first_tap(p.h, top, 0), u1 = end_tap(p.h, top, p.h.size_in);
        FOR_ELEMENTS(j, quad, p.w.size_out, QUADS) {
            const int left = start_of(p.w, j);
            const int v0 = first_tap(p.w, left, 0), v1 = end_tap(p.w, left, p.w.size_in);
            const int line = int(row / p.h.size_out) * p.h.size_in + top;
            const uint pixel = row * p.w.size_out + j;
            uint word = 0;
            for (uint k = 0; k < 4 && quad * 4 + k < p.channels; k++) {
                const uint c = quad * 4 + k;
                float best = uintBitsToFloat(0xff800000u); // minus infinity
                uint winner = u0 * SIZE(p.w) + v0;
                if (p.from > 0) { // with bytes windows are too small for that
                    best = y[pixel * p.channels + c];
                    winner = places[pixel * p.channels + c];
                }
                for (int u = max(u0, p.from); u < min(u1, p.to); u++)
                    for (int v = v0; v < v1; v++) {
                        const uint at =
                            (line + u * DILATION(p.h)) * p.w.size_in + left + v * DILATION(p.w);
                        const float t = x[at * p.channels + c];
                        if ((t > best || is_nan(t)) && !is_nan(best)) {
                            best = t;
                            winner = u * SIZE(p.w) + v;
                        }
                    }
                y[pixel * p.channels + c] = best;
                if (BYTES != 0)
                    word |= winner << 8 * k;
                else
                    places[pixel * p.channels + c] = winner;
            }
            if (BYTES != 0)
                places[pixel * QUADS + quad] = word;
        }
    }
}
#endif

#ifdef max_pool_bwd
layout(std430, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, binding = 1) readonly buffer Places { uint places[]; };
layout(std430, binding = 2) buffer DX { float dx[]; };

void main() {
    FOR_ROWS_OF_PIXELS(row) {
        FOR_ELEMENTS(j, quad, p.w.size_in, QUADS) {
            const uint count = min(4, p.channels - quad * 4);
            const uint to = (row * p.w.size_in + j) * p.channels + quad * 4;
            float sum[4] = {0.0, 0.0, 0.0, 0.0};
            for (uint k = 0; p.from > 0 && k < count; k++)
                sum[k] = dx[to + k];
            FOR_WINDOWS(p.h, row % p.h.size_in, u, up, p.from, p.to) {
                FOR_WINDOWS(p.w, j, v, along, 0, p.w.size) {
                    const uint image = row / p.h.size_in;
                    const uint pixel = (image * p.h.size_out + up) * p.w.size_out + along;
                    const uint word = BYTES != 0 ? places[pixel * QUADS + quad] : 0;
                    const uint at = pixel * p.channels + quad * 4, number = u * SIZE(p.w) + v;
                    for (uint k = 0; k < count; k++) {
                        const uint winner = BYTES != 0 ? word >> 8 * k & 255 : places[at + k];
                        sum[k] += winner == number ? dy[at + k] : 0.0;
                    }
                }
            }
            for (uint k = 0; k < count; k++)
                dx[to + k] = sum[k];
        }
    }
}
#endif

#ifdef avg_pool_fwd
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) buffer Y { float y[]; };

void main() {
    FOR_ROWS_OF_PIXELS(row) {
        const uint i = row % p.h.size_out;
        const int top = start_of(p.h, i);
        const int u0 = first_tap(p.h, top, 0), u1 = end_tap(p.h, top, p.h.size_in);
        FOR_ELEMENTS(j, c, p.w.size_out, p.channels) {
            const int left = start_of(p.w, j);
            const int v0 = first_tap(p.w, left, 0), v1 = end_tap(p.w, left, p.w.size_in);
            const int line = int(row / p.h.size_out) * p.h.size_in + top;
            const uint to = (row * p.w.size_out + j) * p.channels + c;
            float sum = 0.0;
            if (p.from > 0)
                sum = y[to];
            for (int u = max(u0, p.from); u < min(u1, p.to); u++)
                for (int v = v0; v < v1; v++) {
                    const uint at =
                        (line + u * DILATION(p.h)) * p.w.size_in + left + v * DILATION(p.w);
                    sum += x[at * p.channels + c];
                }
            if (p.to >= SIZE(p.h))
                sum /= float(counted(p.h, i)) * float(counted(p.w, j));
            y[to] = sum;
        }
    }
}
#endif

#ifdef avg_pool_bwd
layout(std430, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, binding = 1) buffer DX { float dx[]; };

void main() {
    FOR_ROWS_OF_PIXELS(row) {
        FOR_ELEMENTS(j, c, p.w.size_in, p.channels) {
            const uint to = (row * p.w.size_in + j) * p.channels + c;
            float sum = 0.0;
            if (p.from > 0)
                sum = dx[to];
            FOR_WINDOWS(p.h, row % p.h.size_in, u, up, p.from, p.to) {
                FOR_WINDOWS(p.w, j, v, along, 0, p.w.size) {
                    const uint image = row / p.h.size_in;
                    const uint pixel = (image * p.h.size_out + up) * p.w.size_out + along;
                    sum += dy[pixel * p.channels + c] /
                           (float(counted(p.h, up)) * float(counted(p.w, along)));
                }
            }
            dx[to] = sum;
        }
    }
}
#endif
