/* Images x (batch, h.from, w.from, depth) to y (batch, h.to, w.to, depth), and back.
 *
 * resize_nearest_fwd, resize_bilinear_fwd: bindings 0 x, 1 y. Rows are the lines of y.
 * resize_nearest_bwd, resize_bilinear_bwd: bindings 0 dy, 1 dx: each pixel of x adds up, line by
 *     line, its shares in y. Rows are the lines of x.
 *
 * Mapping of work: rows.h, where a row is a line of pixels. With WIDTH > 1 a work-item takes one
 * pixel after the other, in vectors over the depth. Constants: WIDTH. Parameters: as below; the axes
 * are explained in resize.h. */
#include "resize.h"
#include "rows.h"

typedef struct {
    uint rows;
    uint size;
    int depth;
    axis h, w;
    int from, to; /* for shaders/resize.comp: lines that a launch takes */
} resize_params;

#define ONE_LOAD(i, p)     ((p)[i])
#define ONE_STORE(v, i, p) ((p)[i] = (v))

/* For all numbers of a line: PIXEL sees to `pixel`, then NUMBER(type, load, store) to those from
 * `at` in its depth on. The last vector of a pixel lies partly over the one before. */
#if WIDTH > 1
#define FOR_NUMBERS(count, PIXEL, NUMBER)                                                          \
    for (int pixel = 0; pixel < (count); pixel++) {                                                \
        PIXEL                                                                                      \
        int at = 0;                                                                                \
        for (; at + WIDTH <= p.depth; at += WIDTH)                                                 \
            NUMBER(vec, vec_load, vec_store)                                                       \
        if (at > 0 && at < p.depth) {                                                              \
            at = p.depth - WIDTH;                                                                  \
            NUMBER(vec, vec_load, vec_store)                                                       \
            at = p.depth;                                                                          \
        }                                                                                          \
        for (; at < p.depth; at++)                                                                 \
            NUMBER(float, ONE_LOAD, ONE_STORE)                                                     \
    }
#else
#define FOR_NUMBERS(count, PIXEL, NUMBER)                                                          \
    for (uint i = LANE; i < p.size; i += LOCAL_X) {                                                \
        const int pixel = i / p.depth, at = i % p.depth;                                           \
        PIXEL                                                                                      \
        NUMBER(float, ONE_LOAD, ONE_STORE)                                                         \
    }
#endif

__kernel GROUP_SIZE void resize_nearest_fwd(
    __global const float *x, __global float *y, const resize_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const int row = first + ROW_LANE, image = row / p.h.to;
        const int line = image * p.h.from + nearest(p.h, row % p.h.to);
#define PIXEL const int from = (line * p.w.from + nearest(p.w, pixel)) * p.depth;
#define NUMBER(T, load, store) store(load(0, x + from + at), 0, y + row * p.size + pixel * p.depth + at);
        FOR_NUMBERS(p.w.to, PIXEL, NUMBER)
#undef PIXEL
#undef NUMBER
    }
}

__kernel GROUP_SIZE void resize_nearest_bwd(
    __global const float *dy, __global float *dx, const resize_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const int row = first + ROW_LANE, image = row / p.h.from, j = row % p.h.from;
        const int top = nearest_begin(p.h, j), bottom = nearest_begin(p.h, j + 1);
#define PIXEL const int left = nearest_begin(p.w, pixel), right = nearest_begin(p.w, pixel + 1);
#define NUMBER(T, load, store)                                                                     \
    {                                                                                              \
        T sum = 0.0f;                                                                              \
        for (int v = top; v < bottom; v++)                                                         \
            for (int u = left; u < right; u++)                                                     \
                sum += load(0, dy + ((image * p.h.to + v) * p.w.to + u) * p.depth + at);           \
        store(sum, 0, dx + row * p.size + pixel * p.depth + at);                                   \
    }
        FOR_NUMBERS(p.w.from, PIXEL, NUMBER)
#undef PIXEL
#undef NUMBER
    }
}

__kernel GROUP_SIZE void resize_bilinear_fwd(
    __global const float *x, __global float *y, const resize_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const int row = first + ROW_LANE, image = row / p.h.to;
        const int place_v = place_in(p.h, row % p.h.to), v = place_v / p.h.unit;
        const float down = rest_of(p.h, place_v, v);
        __global const float *top = x + (image * p.h.from + v) * p.w.from * p.depth;
        __global const float *bottom = top + (v + 1 < p.h.from ? p.w.from * p.depth : 0);
#define PIXEL                                                                                      \
    const int place_u = place_in(p.w, pixel), u = place_u / p.w.unit;                              \
    const float right = rest_of(p.w, place_u, u);                                                  \
    const int near = u * p.depth, far = near + (u + 1 < p.w.from ? p.depth : 0);
#define NUMBER(T, load, store)                                                                     \
    store(mix(mix(load(0, top + near + at), load(0, top + far + at), right),                       \
              mix(load(0, bottom + near + at), load(0, bottom + far + at), right), down),          \
        0, y + row * p.size + pixel * p.depth + at);
        FOR_NUMBERS(p.w.to, PIXEL, NUMBER)
#undef PIXEL
#undef NUMBER
    }
}

__kernel GROUP_SIZE void resize_bilinear_bwd(
    __global const float *dy, __global float *dx, const resize_params p) {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const int row = first + ROW_LANE, image = row / p.h.from, j = row % p.h.from;
        const int top = bilinear_begin(p.h, j), bottom = bilinear_end(p.h, j);
#define PIXEL const int left = bilinear_begin(p.w, pixel), right = bilinear_end(p.w, pixel);
#define NUMBER(T, load, store)                                                                     \
    {                                                                                              \
        T sum = 0.0f;                                                                              \
        for (int v = top; v < bottom; v++) {                                                       \
            T line = 0.0f;                                                                         \
            for (int u = left; u < right; u++)                                                     \
                line += bilinear_share(p.w, u, pixel) *                                            \
                        load(0, dy + ((image * p.h.to + v) * p.w.to + u) * p.depth + at);          \
            sum += bilinear_share(p.h, v, j) * line;                                               \
        }                                                                                          \
        store(sum, 0, dx + row * p.size + pixel * p.depth + at);                                   \
    }
        FOR_NUMBERS(p.w.from, PIXEL, NUMBER)
#undef PIXEL
#undef NUMBER
    }
}
