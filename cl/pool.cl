/* Maxima and means of the windows of images (batch, height, width, channels), and their gradients.
 *
 * Window (i, j) has the elements at (i * S + u * D - P, j * S + v * D - P), where they are inside,
 * for u and v below K; element (u, v) has the number u * K + v.
 *
 * max_pool_fwd: bindings 0 x, 1 y, 2 places: the number of the first largest element (the first
 *     NaN), a byte (PITCH bytes a pixel, whole words) or, without BYTES, a word.
 * max_pool_bwd: bindings 0 dy, 1 places, 2 dx.
 * avg_pool_fwd: bindings 0 x, 1 y.  avg_pool_bwd: bindings 0 dy, 1 dx.
 *
 * Mapping: a group works through per_group consecutive rows of pixels of its output, LOCAL_Y at a
 * time; LOCAL_X lanes share a row's elements. With WIDTH > 1 a lane takes WIDTH channels of a pixel
 * at once, and LOCAL_X is 1.
 *
 * Constants: WIDTH; BYTES; WINDOW and STRIDE: K and S of both dimensions, with dilation 1; 0: they
 * are parameters. Limits: rows.h.
 *
 * Parameters: as below; rows are those of the output, total the elements of binding 0. Elements
 * from low to high - 1 of each dimension count for a mean. */
#include "rows.h"

typedef struct {
    int in, out, size, stride, dilation, pad, low, high;
} pool_axis;

typedef struct {
    pool_axis h, w;
    uint channels, rows, per_group, total;
    int from, to; /* for shaders/pool.comp: rows of a window that a launch takes */
} pool_params;

#if WINDOW
#define SIZE(a)     WINDOW
#define STEP(a)     STRIDE
#define DILATION(a) 1
#else
#define SIZE(a)     (a).size
#define STEP(a)     (a).stride
#define DILATION(a) (a).dilation
#endif

/* Of a window that begins at `start`: the first element at `low` or behind, and the first at `high`
 * or behind. */
#define FIRST(a, start, low)                                                                       \
    ((start) < (low) ? ((low) - (start) + DILATION(a) - 1) / DILATION(a) : 0)
#define END(a, start, high) min(SIZE(a), ((high) - (start) + DILATION(a) - 1) / DILATION(a))
#define START(a, window)    ((int)(window)*STEP(a) - (a).pad)

/* How many of a window's elements count for its mean. */
int counted(pool_axis a, int window) {
    const int start = START(a, window);
    return END(a, start, a.high) - FIRST(a, start, a.low);
}

/* The windows `o` that have the element at `at` as their number u. */
#define FOR_WINDOWS(a, at, u, o)                                                                   \
    for (int u = first_of_windows(a, (int)(at) + (a).pad), o,                                      \
             last = end_of_windows(a, (int)(at) + (a).pad);                                        \
         u < last; u += DILATION(a) == 1 ? STEP(a) : 1)                                            \
        if ((o = window_at(a, (int)(at) + (a).pad - u * DILATION(a))) >= 0)

/* Of the windows' elements, the first that place `at` of the padded image may be, and the first
 * that it cannot be again. */
int first_of_windows(pool_axis a, int at) {
    const int back = at - (a.out - 1) * STEP(a); /* from there to the last window's begin */
    if (WINDOW != 0 || (DILATION(a) == 1 && back < 0))
        return (uint)at % (uint)STEP(a);
    return back < 0 ? 0 : (back + DILATION(a) - 1) / DILATION(a);
}

int end_of_windows(pool_axis a, int at) {
    return WINDOW != 0 ? WINDOW : min(a.size, at / DILATION(a) + 1);
}

int window_at(pool_axis a, int distance) {
    const int window = distance / STEP(a);
    const bool is_whole = WINDOW != 0 || window * STEP(a) == distance;
    return distance >= 0 && window < a.out && is_whole ? window : -1;
}

#define FOR_ROWS_OF_PIXELS(row)                                                                    \
    for (uint row = get_group_id(0) * p.per_group + ROW_LANE,                                      \
              stop = min(p.rows, (uint)(get_group_id(0) + 1) * p.per_group);                       \
         row < stop; row += LOCAL_Y)

/* Lanes share a row's elements; a vector's lane has pixels whole. */
#if WIDTH > 1
#define FOR_PIXELS(j, width) for (int j = 0; j < (width); j++)
#define FOR_CHANNELS(c)      for (uint c = 0; c < p.channels; c += WIDTH)
#else
#define FOR_PIXELS(j, width)                                                                       \
    for (uint e = LANE, j = e / p.channels; e < (uint)(width)*p.channels;                          \
         e += LOCAL_X, j = e / p.channels)
#define FOR_CHANNELS(c) for (uint c = e % p.channels, once = 1; once; once = 0)
#endif

/* Functions of a pixel's channels c .. c + left - 1, at most WIDTH; whole vectors, the usual case,
 * get a copy of the function without a thought of ends. */
#define INLINE __attribute__((always_inline)) static inline void
#define EACH_PART(function, ...)                                                                   \
    if (WIDTH == 1 || p.channels - c >= WIDTH)                                                     \
        function(__VA_ARGS__, WIDTH, p);                                                           \
    else                                                                                           \
        function(__VA_ARGS__, p.channels - c, p);
#define LOAD(x, at)                                                                                \
    (left < WIDTH ? part_load_in(x, at, (at) + left, p.total, 0.0f) : vec_load(0, (x) + (at)))
#define STORE(v, y, at) part_store(v, y, at, (at) + left)

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)
#if BYTES
typedef uchar place;
#define PITCH ((p.channels + 3) / 4 * 4)
#else
typedef int place;
#define PITCH p.channels
#endif

/* The places from channel c on, `left` of them before the pixel's end. */
ivec places_load(__global const place *places, uint left) {
#if WIDTH == 1
    return places[0];
#else
    if (left >= WIDTH)
        return PASTE(convert_int, WIDTH)(PASTE(vload, WIDTH)(0, places));
    int part[WIDTH];
    for (uint i = 0; i < WIDTH; i++)
        part[i] = i < left ? places[i] : 0;
    return PASTE(vload, WIDTH)(0, part);
#endif
}

void places_store(ivec v, __global place *places, uint left) {
#if WIDTH == 1
    places[0] = v;
#else
    if (left >= WIDTH) {
#if BYTES
        PASTE(vstore, WIDTH)(PASTE(convert_uchar, WIDTH)(v), 0, places);
#else
        PASTE(vstore, WIDTH)(v, 0, places);
#endif
        return;
    }
    int part[WIDTH];
    PASTE(vstore, WIDTH)(v, 0, part);
    for (uint i = 0; i < left; i++)
        places[i] = part[i];
#endif
}

/* The elements u0 .. u1 - 1, v0 .. v1 - 1 of a window that are inside. */
typedef struct {
    int u0, u1, v0, v1;
} taps;

/* Whole windows of a constant size come apart, so that their loops unroll. */
#define UNROLL _Pragma("unroll")
#define FOR_TAPS(t, body)                                                                          \
    if (WINDOW && left == WIDTH && t.u0 + t.v0 == 0 && t.u1 + t.v1 == 2 * SIZE(p.h)) {             \
        UNROLL for (int u = 0; u < SIZE(p.h); u++) {                                               \
            UNROLL for (int v = 0; v < SIZE(p.h); v++) body                                        \
        }                                                                                          \
    } else {                                                                                       \
        for (int u = t.u0; u < t.u1; u++)                                                          \
            for (int v = t.v0; v < t.v1; v++)                                                      \
                body                                                                               \
    }
/* Unsigned, for what lies outside may be further away than 2^31: only the sum is a place. */
#define TAP                                                                                        \
    LOAD(x, corner + (uint)(u * DILATION(p.h)) * (uint)p.w.in * p.channels +                       \
                (uint)(v * DILATION(p.w)) * p.channels)

/* Where the window of a pixel begins in x; its first row is `top`. */
uint corner_of(pool_params p, uint row, int top, int left) {
    const uint line = row / (uint)p.h.out * (uint)p.h.in + (uint)top;
    return (line * (uint)p.w.in + (uint)left) * p.channels;
}

/* The largest of the window at x[corner] goes to y[at], its number to places[number]. */
INLINE window_max(__global const float *x, __global float *y, __global place *places, uint corner,
    uint at, uint number, taps t, uint left, const pool_params p) {
    vec best = -INFINITY;
    ivec winner = t.u0 * SIZE(p.w) + t.v0;
    FOR_TAPS(t, {
        const vec tap = TAP;
        const ivec wins = !(tap <= best) & (best == best);
        best = select(best, tap, wins);
        winner = select(winner, (ivec)(u * SIZE(p.w) + v), wins);
    })
    STORE(best, y, at);
    places_store(winner, places + number, left);
}

__kernel GROUP_SIZE void max_pool_fwd(
    __global const float *x, __global float *y, __global place *places, const pool_params p) {
    FOR_ROWS_OF_PIXELS(row) {
        const int top = START(p.h, row % p.h.out);
        FOR_PIXELS(j, p.w.out) {
            const int side = START(p.w, j);
            const uint corner = corner_of(p, row, top, side);
            const uint pixel = row * p.w.out + j;
            const taps t = {FIRST(p.h, top, 0), END(p.h, top, p.h.in), FIRST(p.w, side, 0),
                END(p.w, side, p.w.in)};
            FOR_CHANNELS(c) {
                EACH_PART(window_max, x, y, places, corner + c, pixel * p.channels + c,
                    pixel * PITCH + c, t)
            }
        }
    }
}

/* The sum of dy over the windows that dx[at], in pixel (row, j) and channel c, won. */
INLINE windows_won(__global const float *dy, __global const place *places, __global float *dx,
    uint row, uint j, uint c, uint left, const pool_params p) {
    vec sum = 0;
    FOR_WINDOWS(p.h, row % p.h.in, u, up) {
        FOR_WINDOWS(p.w, j, v, along) {
            const uint pixel = (row / p.h.in * p.h.out + up) * p.w.out + along;
            const ivec winner = places_load(places + pixel * PITCH + c, left);
            const vec g = LOAD(dy, pixel * p.channels + c);
            sum += select((vec)0.0f, g, winner == u * SIZE(p.w) + v);
        }
    }
    STORE(sum, dx, (row * p.w.in + j) * p.channels + c);
}

__kernel GROUP_SIZE void max_pool_bwd(__global const float *dy, __global const place *places,
    __global float *dx, const pool_params p) {
    FOR_ROWS_OF_PIXELS(row) {
        FOR_PIXELS(j, p.w.in) {
            FOR_CHANNELS(c) {
                EACH_PART(windows_won, dy, places, dx, row, j, c)
            }
        }
    }
}

/* The sum of the window at x[corner], times share, goes to y[at]. */
INLINE window_mean(__global const float *x, __global float *y, uint corner, uint at, taps t,
    float share, uint left, const pool_params p) {
    vec sum = 0;
    FOR_TAPS(t, { sum += TAP; })
    STORE(sum * share, y, at);
}

__kernel GROUP_SIZE void avg_pool_fwd(
    __global const float *x, __global float *y, const pool_params p) {
    FOR_ROWS_OF_PIXELS(row) {
        const int top = START(p.h, row % p.h.out);
        const float rows = counted(p.h, row % p.h.out);
        FOR_PIXELS(j, p.w.out) {
            const int side = START(p.w, j);
            const uint corner = corner_of(p, row, top, side);
            const taps t = {FIRST(p.h, top, 0), END(p.h, top, p.h.in), FIRST(p.w, side, 0),
                END(p.w, side, p.w.in)};
            const float share = 1 / (rows * counted(p.w, j));
            FOR_CHANNELS(c) {
                EACH_PART(window_mean, x, y, corner + c, (row * p.w.out + j) * p.channels + c,
                    t, share)
            }
        }
    }
}

/* The sum of dy / n over the windows that have dx[at], in pixel (row, j) and channel c. */
INLINE windows_shares(__global const float *dy, __global float *dx, uint row, uint j, uint c,
    uint left, const pool_params p) {
    vec sum = 0;
    FOR_WINDOWS(p.h, row % p.h.in, u, up) {
        FOR_WINDOWS(p.w, j, v, along) {
            const uint pixel = (row / p.h.in * p.h.out + up) * p.w.out + along;
            const float share = 1 / ((float)counted(p.h, up) * counted(p.w, along));
            sum += LOAD(dy, pixel * p.channels + c) * share;
        }
    }
    STORE(sum, dx, (row * p.w.in + j) * p.channels + c);
}

__kernel GROUP_SIZE void avg_pool_bwd(
    __global const float *dy, __global float *dx, const pool_params p) {
    FOR_ROWS_OF_PIXELS(row) {
        FOR_PIXELS(j, p.w.in) {
            FOR_CHANNELS(c) {
                EACH_PART(windows_shares, dy, dx, row, j, c)
            }
        }
    }
}
