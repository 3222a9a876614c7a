/* One axis of a resized image, for OpenCL C and GLSL alike. Output i lies at the place (i * scale +
 * shift) / unit of the input, in whole numbers, so that both passes of an operator agree on every
 * device on what is made of what. Products stay below 2^31. */
#ifndef MICA_RESIZE_H
#define MICA_RESIZE_H

#define AXIS_FIELDS                                                                                \
    int from, to; /* sizes of the input and of the output */                                       \
    int scale, shift, unit;

#ifdef __OPENCL_VERSION__
typedef struct {
    AXIS_FIELDS
} axis;
#else
struct axis { AXIS_FIELDS };
#endif

/* ---- nearest: the place rounded down ---- */

int nearest(const axis a, int i) {
    return (i * a.scale + a.shift) / a.unit;
}

/* The outputs of which j is the nearest: from nearest_begin(a, j) to nearest_begin(a, j + 1) - 1. */
int nearest_begin(const axis a, int j) {
    if (a.scale == 0)
        return j > 0 ? a.to : 0;
    return clamp((j * a.unit - a.shift + a.scale - 1) / a.scale, 0, a.to);
}

/* ---- bilinear: between the places before and behind ---- */

/* The place times `unit`, inside the image. */
int place_in(const axis a, int i) {
    return clamp(i * a.scale + a.shift, 0, (a.from - 1) * a.unit);
}

/* How far a place lies behind j. */
float rest_of(const axis a, int place, int j) {
    return 1.0f * (place - j * a.unit) / a.unit;
}

/* The outputs that j may have a share in: from bilinear_begin to bilinear_end - 1; and the share. */
int bilinear_begin(const axis a, int j) {
    const int before = (j - 1) * a.unit - a.shift;
    return j == 0 || before < 0 || a.scale == 0 ? 0 : before / a.scale + 1;
}

int bilinear_end(const axis a, int j) {
    const int behind = (j + 1) * a.unit - a.shift;
    if (j == a.from - 1 || a.scale == 0)
        return a.to;
    return clamp((behind + a.scale - 1) / a.scale, 0, a.to);
}

float bilinear_share(const axis a, int i, int j) {
    const float rest = rest_of(a, place_in(a, i), j);
    return max(1.0f - max(rest, -rest), 0.0f);
}

#endif
