// Images to another size, and back: see cl/resize.cl, whose bindings and parameters this has.
// Mapping of work: rows.glsl, where a row is a line of pixels.
// kernels: resize_nearest_fwd resize_nearest_bwd resize_bilinear_fwd resize_bilinear_bwd
#version 450
#extension GL_GOOGLE_include_directive : require

#include "resize.h"
#include "rows.glsl"

layout(push_constant) uniform Params {
    uint rows;
    uint size;
    int depth;
    axis h, w;
    int from, to; // backward: lines of dy; behind 0 it goes on where the launch before ended
} p;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) buffer Y { float y[]; };

// A number of what comes in: of x forward, of dy backward.
float number(int image, int v, int u, int at) {
#if defined(resize_nearest_fwd) || defined(resize_bilinear_fwd)
    return x[((image * p.h.from + v) * p.w.from + u) * p.depth + at];
#else
    return x[((image * p.h.to + v) * p.w.to + u) * p.depth + at];
#endif
}

// The number `at` in the depth of pixel (j, i) of an image.
#if defined(resize_nearest_fwd)
#define LINES p.h.to
float result(int image, int j, int i, int at) {
    return number(image, nearest(p.h, j), nearest(p.w, i), at);
}
#elif defined(resize_nearest_bwd)
#define LINES p.h.from
float result(int image, int j, int i, int at) {
    const int top = max(nearest_begin(p.h, j), p.from);
    const int bottom = min(nearest_begin(p.h, j + 1), p.to);
    const int left = nearest_begin(p.w, i), right = nearest_begin(p.w, i + 1);
    float sum = 0.0;
    for (int v = top; v < bottom; v++)
        for (int u = left; u < right; u++)
            sum += number(image, v, u, at);
    return sum;
}
#elif defined(resize_bilinear_fwd)
#define LINES p.h.to
float result(int image, int j, int i, int at) {
    const int place_v = place_in(p.h, j), top = place_v / p.h.unit;
    const int place_u = place_in(p.w, i), left = place_u / p.w.unit;
    const int bottom = min(top + 1, p.h.from - 1), right = min(left + 1, p.w.from - 1);
    const float across = rest_of(p.w, place_u, left);
    return mix(mix(number(image, top, left, at), number(image, top, right, at), across),
        mix(number(image, bottom, left, at), number(image, bottom, right, at), across),
        rest_of(p.h, place_v, top));
}
#else
#define LINES p.h.from
float result(int image, int j, int i, int at) {
    const int top = max(bilinear_begin(p.h, j), p.from);
    const int bottom = min(bilinear_end(p.h, j), p.to);
    const int left = bilinear_begin(p.w, i), right = bilinear_end(p.w, i);
    float sum = 0.0;
    for (int v = top; v < bottom; v++) {
        float line = 0.0;
        for (int u = left; u < right; u++)
            line += bilinear_share(p.w, u, i) * number(image, v, u, at);
        sum += bilinear_share(p.h, v, j) * line;
    }
    return sum;
}
#endif

void main() {
    FOR_ROWS(first, p.rows) {
        if (!ROW_IS_LIVE(first, p.rows))
            continue;
        const int row = int(first + ROW_LANE);
        FOR_PARTS(i, p.size) {
            float sum = result(row / LINES, row % LINES, int(i) / p.depth, int(i) % p.depth);
            if (p.from > 0)
                sum += y[row * p.size + i];
            y[row * p.size + i] = sum;
        }
    }
}
