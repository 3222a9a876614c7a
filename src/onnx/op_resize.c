/* Images to other sizes: Resize, Upsample and Pad.
 *
 * A resize is linear along each axis: each output takes up to four inputs with weights. Where these
 * are those of mica_resize, that is used; any other of ONNX's many grids becomes a product with the
 * matrix of the weights. */
#include "onnx/build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TAPS     4
#define OUT_MOST 65536 /* elements along a resized axis */

typedef enum method { NEAREST, LINEAR, CUBIC } method;

/* How outputs take from inputs along one axis. */
typedef struct tap {
    int64_t place;
    double weight;
} tap;
typedef struct axis_map {
    int64_t in, out;
    tap *taps; /* (out, TAPS), weight 0 where there are fewer */
} axis_map;

/* What the attributes say, besides the sizes. */
typedef struct style {
    method method;
    const char *grid, *nearest;
    double cubic_a;
    bool exclude_outside;
} style;

/* ---- the weights ---- */

/* The place of output i in the input (`out` is in * scale, not always whole), by the names of the
 * specification; NaN: an unknown name. */
static double source_of(
    const char *grid, double i, double in, double out, double scale, double begin, double end) {
    if (!strcmp(grid, "half_pixel"))
        return (i + 0.5) / scale - 0.5;
    if (!strcmp(grid, "pytorch_half_pixel"))
        return out > 1 ? (i + 0.5) / scale - 0.5 : 0;
    if (!strcmp(grid, "align_corners"))
        return out > 1 ? i * (in - 1) / (out - 1) : 0;
    if (!strcmp(grid, "asymmetric"))
        return i / scale;
    if (!strcmp(grid, "tf_half_pixel_for_nn"))
        return (i + 0.5) / scale;
    if (!strcmp(grid, "tf_crop_and_resize"))
        return out > 1 ? begin * (in - 1) + i * (end - begin) * (in - 1) / (out - 1)
                       : 0.5 * (begin + end) * (in - 1);
    return NAN;
}

static double rounded(const char *nearest, double x) {
    return !strcmp(nearest, "round_prefer_floor")  ? ceil(x - 0.5)
           : !strcmp(nearest, "round_prefer_ceil") ? floor(x + 0.5)
           : !strcmp(nearest, "floor")             ? floor(x)
           : !strcmp(nearest, "ceil")              ? ceil(x)
                                                   : NAN;
}

/* Keys, "Cubic convolution interpolation", 1981, at distance d. */
static double cubic(double a, double d) {
    d = fabs(d);
    return d <= 1  ? ((a + 2) * d - (a + 3)) * d * d + 1
           : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
                   : 0;
}

static void taps_make(const style *s, double source, int64_t in, tap *taps) {
    int n = s->method == NEAREST ? 1 : s->method == LINEAR ? 2 : 4;
    double first =
        s->method == NEAREST ? rounded(s->nearest, source) : floor(source) - (s->method == CUBIC);
    double sum = 0;
    for (int k = 0; k < n; k++) {
        double place = first + k, distance = fabs(source - place);
        bool outside = place < 0 || place > (double)(in - 1);
        double weight = s->method == NEAREST  ? 1
                        : s->method == LINEAR ? 1 - distance
                                              : cubic(s->cubic_a, distance);
        taps[k].weight = outside && s->exclude_outside ? 0 : weight;
        taps[k].place = (int64_t)(place < 0 ? 0 : outside ? (double)(in - 1) : place);
        sum += taps[k].weight;
    }
    for (int k = 0; k < n && s->exclude_outside && sum != 0; k++)
        taps[k].weight /= sum;
}

/* Fills a map; NULL taps (refused) where the attributes have no meaning or reach outside. */
static axis_map map_make(mica_onnx_call *call, const style *s, int64_t in, int64_t out,
    double scale, double begin, double end) {
    axis_map map = {.in = in, .out = out};
    if (out < 1 || out > OUT_MOST || in < 1) {
        mica_onnx_refuse(call, "from %lld to %lld elements", (long long)in, (long long)out);
        return map;
    }
    map.taps = mica_onnx_scratch(call, (size_t)(out * TAPS), sizeof *map.taps);
    for (int64_t i = 0; map.taps && i < out; i++) {
        double source =
            source_of(s->grid, (double)i, (double)in, (double)in * scale, scale, begin, end);
        bool crop = !strcmp(s->grid, "tf_crop_and_resize");
        if (!(fabs(source) < 1e9) || isnan(rounded(s->nearest, 0)) ||
            (crop && (source < 0 || source > (double)(in - 1)))) {
            mica_onnx_refuse(call, "grid \"%.30s\" with rounding \"%.30s\", or it reaches outside",
                s->grid, s->nearest);
            map.taps = NULL;
            break;
        }
        taps_make(s, source, in, map.taps + i * TAPS);
    }
    return map;
}

/* The weight that output i takes from each input, compared. */
static bool same_taps(const tap *a, const tap *b) {
    for (int k = 0; k < TAPS; k++) {
        double difference = 0;
        for (int n = 0; n < TAPS; n++)
            difference += (a[n].place == a[k].place ? a[n].weight : 0) -
                          (b[n].place == a[k].place ? b[n].weight : 0);
        if (fabs(difference) > 1e-6)
            return false;
    }
    return true;
}

/* What mica_resize does along an axis, in the same form. */
static bool is_mica(const axis_map *map, mica_resize_grid grid, method how) {
    static const char *const grids[] = {"half_pixel", "align_corners", "asymmetric"};
    style s = {.method = how,
        .grid = grids[grid],
        .nearest = grid == MICA_ASYMMETRIC ? "floor" : "round_prefer_ceil"};
    double in = (double)map->in, out = (double)map->out;
    for (int64_t i = 0; i < map->out; i++) {
        tap taps[TAPS] = {{0}};
        double source = source_of(s.grid, (double)i, in, out, out / in, 0, 1);
        taps_make(&s, source, map->in, taps);
        if (!same_taps(taps, map->taps + i * TAPS) || !same_taps(map->taps + i * TAPS, taps))
            return false;
    }
    return true;
}

/* ---- applying them ---- */

/* x along one axis times the matrix of the weights; x is (outer, in, inner). */
static mica_value *map_apply(mica_onnx_call *call, mica_value *x, int axis, const axis_map *map) {
    mica_shape shape = mica_value_shape(x);
    int64_t outer = mica_onnx_count(axis, shape.dim);
    int64_t inner = mica_onnx_count(shape.rank - axis - 1, shape.dim + axis + 1);
    if (map->in * map->out > (1 << 22)) {
        mica_onnx_refuse(call, "from %lld to %lld elements on this grid is too large",
            (long long)map->in, (long long)map->out);
        return NULL;
    }
    float *matrix = mica_onnx_scratch(call, (size_t)(map->in * map->out), sizeof *matrix);
    if (!matrix || !x)
        return NULL;
    bool flat =
        inner == 1; /* (outer, in) times (in, out), else (out, in) times (outer, in, inner) */
    for (int64_t i = 0; i < map->out; i++)
        for (int k = 0; k < TAPS; k++) {
            const tap *t = &map->taps[i * TAPS + k];
            matrix[flat ? t->place * map->out + i : i * map->in + t->place] += (float)t->weight;
        }
    char name[32];
    snprintf(name, sizeof name, "weights%d", axis);
    mica_value *weights = mica_onnx_constant(
        call, name, flat ? MICA_SHAPE(map->in, map->out) : MICA_SHAPE(map->out, map->in), matrix);
    if (flat)
        x = mica_matmul(mica_onnx_shaped(x, 2, (int64_t[]){outer, map->in}), weights, NULL);
    else
        x = mica_matmul(weights, mica_onnx_shaped(x, 3, (int64_t[]){outer, map->in, inner}), NULL);
    shape.dim[axis] = map->out;
    return x ? mica_onnx_shaped(x, shape.rank, shape.dim) : NULL;
}

static mica_status resize_by(mica_onnx_call *call, const style *s, const axis_map *maps) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    bool changes[MICA_ONNX_MAX_RANK], last;
    for (int i = 0; i < x->rank; i++) {
        tap one[TAPS] = {{0}};
        changes[i] = maps[i].in != maps[i].out;
        for (int64_t k = 0; k < maps[i].out && !changes[i]; k++) {
            one[0] = (tap){k, 1};
            changes[i] = !same_taps(maps[i].taps + k * TAPS, one);
        }
    }
    for (int g = 0; x->rank == 4 && s->method != CUBIC && g < 3; g++)
        if (!changes[0] && !changes[1] && is_mica(&maps[2], (mica_resize_grid)g, s->method) &&
            is_mica(&maps[3], (mica_resize_grid)g, s->method))
            return mica_onnx_give_last(call, 0,
                mica_resize(mica_onnx_last(call, x), maps[2].out, maps[3].out,
                    s->method == NEAREST ? MICA_NEAREST : MICA_BILINEAR, (mica_resize_grid)g));
    mica_value *value = mica_onnx_either(call, x, &last);
    for (int i = 0; i < x->rank && value; i++)
        if (changes[i])
            value = map_apply(call, value, mica_onnx_place(x->rank, i, last), &maps[i]);
    return mica_onnx_give_either(call, 0, value, last);
}

/* ---- the nodes ---- */

static bool method_of(mica_onnx_call *call, style *s) {
    const char *mode = mica_onnx_text(call, "mode", "nearest");
    if (!strcmp(mode, "nearest"))
        s->method = NEAREST;
    else if (!strcmp(mode, "linear") || !strcmp(mode, "bilinear"))
        s->method = LINEAR;
    else if (!strcmp(mode, "cubic"))
        s->method = CUBIC;
    else
        mica_onnx_refuse(call, "mode is \"%.20s\"", mode);
    return call->status == MICA_OK;
}

/* A list of `count` numbers of a known input. NULL where it is left out or empty; else refused. */
static const mica_onnx_value *numbers_of(mica_onnx_call *call, int input, int64_t count) {
    mica_onnx_value *value = mica_onnx_in(call, input);
    if (!value || (value->rank == 1 && value->dim[0] == 0) ||
        mica_onnx_know(call, value) != MICA_OK)
        return NULL;
    if (value->rank != 1 || value->dim[0] != count) {
        mica_onnx_refuse(call, "\"%.100s\" must have %lld numbers", value->name, (long long)count);
        return NULL;
    }
    return value;
}

static double number_at(const mica_onnx_value *value, int64_t i) {
    return value->real ? value->real[i] : (double)value->whole[i];
}

/* All axes by scales alone, as Upsample and Resize of opset 10. */
static mica_status resize_scaled(mica_onnx_call *call, const style *s, const double *scales) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    axis_map maps[MICA_ONNX_MAX_RANK];
    for (int i = 0; i < x->rank; i++) {
        double out = floor((double)x->dim[i] * scales[i]);
        maps[i] =
            map_make(call, s, x->dim[i], out > 0 && out < 1e9 ? (int64_t)out : 0, scales[i], 0, 1);
    }
    return call->status != MICA_OK ? call->status : resize_by(call, s, maps);
}

static mica_status upsample(mica_onnx_call *call) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    style s = {.grid = "asymmetric", .nearest = "floor"};
    double scales[MICA_ONNX_MAX_RANK];
    int64_t count;
    const float *attribute = mica_onnx_floats(call, "scales", &count);
    const mica_onnx_value *input = numbers_of(call, 1, x->rank);
    if (!method_of(call, &s) || !mica_onnx_floating(call, x))
        return call->status;
    if (!input && (!attribute || count != x->rank))
        return mica_onnx_refuse(call, "it needs a scale for each dimension");
    for (int i = 0; i < x->rank; i++)
        scales[i] = input ? number_at(input, i) : attribute[i];
    return resize_scaled(call, &s, scales);
}

static mica_status resize(mica_onnx_call *call) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    bool old = call->opset < 11;
    style s = {.grid = old ? "asymmetric"
                           : mica_onnx_text(call, "coordinate_transformation_mode", "half_pixel"),
        .nearest = old ? "floor" : mica_onnx_text(call, "nearest_mode", "round_prefer_floor"),
        .cubic_a = mica_onnx_float(call, "cubic_coeff_a", -0.75),
        .exclude_outside = mica_onnx_int(call, "exclude_outside", 0) != 0};
    mica_onnx_float(call, "extrapolation_value", 0);
    if (!method_of(call, &s) || !mica_onnx_floating(call, x))
        return call->status;
    if (mica_onnx_int(call, "antialias", 0) ||
        strcmp(mica_onnx_text(call, "keep_aspect_ratio_policy", "stretch"), "stretch"))
        return mica_onnx_refuse(call, "antialias and keep_aspect_ratio_policy are not there");
    int64_t count;
    const int64_t *axes = mica_onnx_ints(call, "axes", &count);
    int64_t n = axes ? count : x->rank;
    bool crop = !strcmp(s.grid, "tf_crop_and_resize");
    const mica_onnx_value *scales = numbers_of(call, old ? 1 : 2, n);
    const mica_onnx_value *sizes = old ? NULL : numbers_of(call, 3, n);
    const mica_onnx_value *region = crop ? numbers_of(call, 1, 2 * n) : NULL;
    if (call->status != MICA_OK)
        return call->status;
    if ((!scales && !sizes) || n > x->rank || (crop && !region))
        return mica_onnx_refuse(call, "it needs a scale or size for each dimension");
    axis_map maps[MICA_ONNX_MAX_RANK];
    int64_t given[MICA_ONNX_MAX_RANK]; /* the place in the lists, -1: none */
    for (int i = 0; i < x->rank; i++)
        given[i] = axes ? -1 : i;
    for (int64_t i = 0; axes && i < count; i++)
        given[mica_onnx_axis(call, axes[i], x->rank)] = i;
    for (int i = 0; i < x->rank; i++) {
        double in = (double)x->dim[i], out = in, scale = 1, begin = 0, end = 1;
        if (given[i] >= 0 && sizes) {
            out = number_at(sizes, given[i]);
            scale = out / in;
        } else if (given[i] >= 0) {
            scale = number_at(scales, given[i]);
            out = floor(in * scale);
        }
        if (given[i] >= 0 && crop) {
            begin = number_at(region, given[i]);
            end = number_at(region, n + given[i]);
        }
        maps[i] = map_make(
            call, &s, x->dim[i], out > 0 && out < 1e9 ? (int64_t)out : 0, scale, begin, end);
    }
    return call->status != MICA_OK ? call->status : resize_by(call, &s, maps);
}

/* ---- Pad ---- */

static bool pads_read(mica_onnx_call *call, int64_t *before, int64_t *after, float *number) {
    const mica_onnx_value *x = mica_onnx_in(call, 0);
    bool inputs = call->opset >= 11;
    int64_t count, n_axes = x->rank;
    mica_onnx_value *in = inputs ? mica_onnx_in(call, 1) : NULL;
    mica_onnx_value *in_axes = inputs ? mica_onnx_in(call, 3) : NULL;
    const int64_t *pads =
        in ? mica_onnx_integers(call, in, &count) : mica_onnx_ints(call, "pads", &count);
    const int64_t *axes = in_axes ? mica_onnx_integers(call, in_axes, &n_axes) : NULL;
    double value = mica_onnx_float(call, "value", 0);
    *number = (float)mica_onnx_number(call, inputs ? mica_onnx_in(call, 2) : NULL, value);
    if (!pads || n_axes > x->rank || count != 2 * n_axes)
        mica_onnx_refuse(call, "its pads do not fit %d dimensions", x->rank);
    for (int i = 0; i < x->rank; i++)
        before[i] = after[i] = 0;
    for (int64_t i = 0; call->status == MICA_OK && i < n_axes; i++) {
        int axis = mica_onnx_axis(call, axes ? axes[i] : i, x->rank);
        before[axis] = pads[i];
        after[axis] = pads[n_axes + i];
        if (pads[i] < -INT32_MAX || pads[i] > INT32_MAX || pads[n_axes + i] < -INT32_MAX ||
            pads[n_axes + i] > INT32_MAX)
            mica_onnx_refuse(call, "padding of %lld", (long long)pads[i]);
    }
    return call->status == MICA_OK;
}

/* Less than nothing is cut off first. */
static mica_status pad(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    const char *name = mica_onnx_text(call, "mode", "constant");
    mica_pad_mode mode = !strcmp(name, "reflect") ? MICA_PAD_REFLECT
                         : !strcmp(name, "edge")  ? MICA_PAD_EDGE
                                                  : MICA_PAD_CONSTANT;
    int64_t pads[2][MICA_ONNX_MAX_RANK], before[MICA_ONNX_MAX_RANK] = {0};
    int64_t after[MICA_ONNX_MAX_RANK] = {0}, begin[MICA_ONNX_MAX_RANK] = {0};
    int64_t size[MICA_ONNX_MAX_RANK];
    float number;
    bool last, cuts = false;
    if (mode == MICA_PAD_CONSTANT && strcmp(name, "constant"))
        return mica_onnx_refuse(call, "mode is \"%.20s\"", name);
    if (!pads_read(call, pads[0], pads[1], &number) || !mica_onnx_floating(call, x))
        return call->status;
    mica_value *value = mica_onnx_either(call, x, &last);
    for (int i = 0; i < x->rank; i++) {
        int at = mica_onnx_place(x->rank, i, last);
        int64_t low = pads[0][i], high = pads[1][i];
        begin[at] = low < 0 ? -low : 0;
        size[at] = x->dim[i] - begin[at] + (high < 0 ? high : 0);
        before[at] = low > 0 ? low : 0;
        after[at] = high > 0 ? high : 0;
        cuts = cuts || low < 0 || high < 0;
        bool reflects = mode == MICA_PAD_REFLECT;
        if (size[at] < 1 || (reflects && (before[at] >= size[at] || after[at] >= size[at])))
            return mica_onnx_refuse(call, "padding of %lld and %lld for a size of %lld",
                (long long)low, (long long)high, (long long)x->dim[i]);
    }
    if (cuts && value)
        value = mica_slice(value, begin, size);
    return mica_onnx_give_either(
        call, 0, value ? mica_pad(value, before, after, mode, number) : NULL, last);
}

const mica_onnx_operator mica_onnx_resize_operators[] = {
    {"Resize", resize, .least_in = 1, .since = 10},
    {"Upsample", upsample, .least_in = 1, .since = 7},
    {"Pad", pad, .least_in = 1},
    {0},
};
