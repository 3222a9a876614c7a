/* Cases of resized images: up, down, odd factors, all grids; numbers of PyTorch and TensorFlow. */
#include "tests/op/harness.h"

#include "tests/golden/resize_tensorflow.h"
#include "tests/golden/resize_torch.h"

typedef struct attrs {
    mica_resize_method method;
    mica_resize_grid grid;
    int64_t height, width;
    const double *golden;
} attrs;

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    const attrs *a = c->attrs;
    return mica_resize(in[0], a->height, a->width, a->method, a->grid);
}

/* A place is n / d exactly: rounding it down decides which pixel is meant. */
static void place_of(const attrs *a, int64_t from, int64_t to, int64_t i, int64_t *n, int64_t *d) {
    *n = i * from;
    *d = to;
    if (a->grid == MICA_HALF_PIXEL) {
        *n = (2 * i + 1) * from - to;
        *d = 2 * to;
    } else if (a->grid == MICA_ALIGN_CORNERS) {
        *n = to > 1 ? i * (from - 1) : 0;
        *d = to > 1 ? to - 1 : 1;
    }
}

/* The two pixels that output i is made of, and the share of the second. */
static double pixels_of(const attrs *a, int64_t from, int64_t to, int64_t i, int64_t pixel[2]) {
    int64_t n, d;
    place_of(a, from, to, i, &n, &d);
    if (a->method == MICA_NEAREST) {
        pixel[0] = a->grid == MICA_ASYMMETRIC ? n / d : (2 * n + d) / (2 * d);
        pixel[1] = pixel[0];
        return 0;
    }
    if (n < 0)
        n = 0;
    pixel[0] = n / d < from ? n / d : from - 1;
    pixel[1] = pixel[0] + 1 < from ? pixel[0] + 1 : from - 1;
    return (double)n / (double)d - (double)pixel[0];
}

/* Calls for each pair of an output and one of its at most four inputs. */
static void walk(const attrs *a, mica_shape x, mica_shape y,
    void (*visit)(void *user, int64_t from, int64_t to, double share), void *user) {
    for (int64_t i = 0; i < mica_shape_count(y); i++) {
        const int64_t c = i % y.dim[3], u = i / y.dim[3] % y.dim[2],
                      v = i / y.dim[3] / y.dim[2] % y.dim[1],
                      b = i / y.dim[3] / y.dim[2] / y.dim[1];
        int64_t line[2], column[2];
        const double down = pixels_of(a, x.dim[1], y.dim[1], v, line);
        const double right = pixels_of(a, x.dim[2], y.dim[2], u, column);
        for (int k = 0; k < 4; k++) {
            const double share = (k / 2 ? down : 1 - down) * (k % 2 ? right : 1 - right);
            visit(user, ((b * x.dim[1] + line[k / 2]) * x.dim[2] + column[k % 2]) * x.dim[3] + c, i,
                share);
        }
    }
}

typedef struct pass {
    const double *from;
    double *to;
} pass;

static void forward(void *user, int64_t from, int64_t to, double share) {
    const pass *p = user;
    if (share != 0)
        p->to[to] += share * p->from[from];
}

static void backward(void *user, int64_t from, int64_t to, double share) {
    const pass *p = user;
    p->to[from] += share * p->from[to];
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    walk(c->attrs, in->shape, out->shape, forward, &(pass){in->data, out->data});
}

static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    walk(c->attrs, in->shape, dout->shape, backward, &(pass){dout->data, din->data});
}

static void golden(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    (void)in;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = ((const attrs *)c->attrs)->golden[i];
}

/* A tensor used twice. */
static mica_value *build_twice(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    return mica_add(build(graph, in, c), build(graph, in, c));
}

static void reference_twice(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    reference(c, in, out);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] *= 2;
}

static void gradient_twice(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    gradient(c, in, dout, din);
    for (int64_t i = 0; i < din->count; i++)
        din->data[i] *= 2;
}

#define SIZES(b, h, w, d, height, width, method_, grid_)                                           \
    .n_in = 1, .in = {{.shape = {4, {b, h, w, d}}}}, .out = {4, {b, height, width, d}},            \
    .attrs = &(const attrs) {                                                                      \
        MICA_##method_, MICA_##grid_, height, width, NULL                                          \
    }
#define CASE(b, h, w, d, height, width, method_, grid_)                                            \
    {                                                                                              \
        .name = #method_ " " #grid_ " " #b "x" #h "x" #w "x" #d " to " #height "x" #width,         \
        SIZES(b, h, w, d, height, width, method_, grid_), .tolerance = 1e-6, .probes = 96          \
    }
#define ALL(b, h, w, d, height, width)                                                             \
    CASE(b, h, w, d, height, width, NEAREST, HALF_PIXEL),                                          \
        CASE(b, h, w, d, height, width, NEAREST, ALIGN_CORNERS),                                   \
        CASE(b, h, w, d, height, width, NEAREST, ASYMMETRIC),                                      \
        CASE(b, h, w, d, height, width, BILINEAR, HALF_PIXEL),                                     \
        CASE(b, h, w, d, height, width, BILINEAR, ALIGN_CORNERS),                                  \
        CASE(b, h, w, d, height, width, BILINEAR, ASYMMETRIC)
/* An image of 1x5x6x2 by another library. */
#define GOLDEN_TO(height, width, method_, grid_, name_)                                            \
    {                                                                                              \
        .name = #name_ " of another library to " #height "x" #width, .n_in = 1,                    \
        .in = {{.shape = {4, {1, 5, 6, 2}}, .values = golden_resize_x}},                           \
        .out = {4, {1, height, width, 2}}, .reference = golden,                                    \
        .attrs = &(const attrs){MICA_##method_, MICA_##grid_, height, width,                       \
            golden_resize_##name_##_##height##x##width},                                           \
        .tolerance = 2e-6, .no_gradient = true                                                     \
    }
#define GOLDEN(method_, grid_, name_)                                                              \
    GOLDEN_TO(10, 12, method_, grid_, name_), GOLDEN_TO(7, 4, method_, grid_, name_),              \
        GOLDEN_TO(3, 9, method_, grid_, name_)
#define REFUSED(text, shape_, type, method_, grid_, height, width, error, ...)                     \
    {                                                                                              \
        .name = text, .n_in = 1, .in = {{.shape = shape_, .dtype = type}},                         \
        .attrs = &(const attrs){(mica_resize_method)(method_), (mica_resize_grid)(grid_), height,  \
            width, NULL},                                                                          \
        .refused = error, .words = {                                                               \
            "resize",                                                                              \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define S(...) __VA_ARGS__

static const mica_op_case cases[] = {
    ALL(1, 1, 1, 1, 1, 1),
    ALL(2, 1, 1, 3, 5, 4),
    ALL(1, 4, 4, 1, 8, 8),
    ALL(1, 8, 8, 3, 4, 4),
    ALL(2, 3, 5, 3, 7, 4),
    ALL(1, 7, 5, 31, 3, 8),
    ALL(2, 4, 3, 33, 12, 9),
    ALL(1, 5, 6, 32, 10, 12),
    ALL(1, 9, 9, 16, 2, 1),
    ALL(1, 2, 3, 5, 1, 1),
    ALL(3, 6, 1, 2, 5, 3),
    ALL(1, 33, 31, 1, 32, 33),
    CASE(8, 28, 28, 3, 56, 56, NEAREST, HALF_PIXEL),
    CASE(8, 28, 28, 3, 56, 56, BILINEAR, HALF_PIXEL),
    CASE(2, 31, 33, 64, 62, 66, BILINEAR, HALF_PIXEL),
    CASE(1, 100, 101, 3, 31, 17, BILINEAR, HALF_PIXEL),
    CASE(1, 1, 1000, 1, 1, 997, NEAREST, HALF_PIXEL),
    CASE(1, 997, 1, 1, 1000, 1, NEAREST, ALIGN_CORNERS),
    CASE(1, 1, 300, 2, 1, 7, BILINEAR, ALIGN_CORNERS),
    {.name = "used twice",
        SIZES(1, 4, 5, 3, 6, 9, BILINEAR, HALF_PIXEL),
        .build = build_twice,
        .reference = reference_twice,
        .gradient = gradient_twice},
    GOLDEN(NEAREST, ASYMMETRIC, nearest),
    GOLDEN(NEAREST, HALF_PIXEL, nearest_exact),
    GOLDEN(BILINEAR, HALF_PIXEL, bilinear),
    GOLDEN(BILINEAR, ALIGN_CORNERS, bilinear_corners),
    GOLDEN(NEAREST, HALF_PIXEL, tf_nearest),
    GOLDEN(NEAREST, ALIGN_CORNERS, tf_nearest_corners),
    GOLDEN(BILINEAR, HALF_PIXEL, tf_bilinear),
    GOLDEN(BILINEAR, ALIGN_CORNERS, tf_bilinear_corners),
    GOLDEN(BILINEAR, ASYMMETRIC, tf_bilinear_old),

    REFUSED("a matrix", S({2, {3, 4}}), MICA_F32, 0, 0, 2, 2, MICA_E_INVALID, "in0", "(3, 4)"),
    REFUSED("int32", S({4, {1, 3, 4, 1}}), MICA_I32, 0, 0, 2, 2, MICA_E_INVALID, "in0", "int32"),
    REFUSED(
        "to no height", S({4, {1, 3, 4, 1}}), MICA_F32, 0, 0, 0, 2, MICA_E_INVALID, "height", "0"),
    REFUSED("to a negative width", S({4, {1, 3, 4, 1}}), MICA_F32, 1, 0, 2, -2, MICA_E_INVALID,
        "width", "-2"),
    REFUSED("to too many rows", S({4, {1, 3, 4, 1}}), MICA_F32, 1, 0, INT64_MAX, 1,
        MICA_E_UNSUPPORTED, "height", "2^30"),
    REFUSED("of too many elements", S({4, {1, 3, 4, 1}}), MICA_F32, 1, 0, 60000, 60000,
        MICA_E_INVALID, "60000"),
    REFUSED("method 7", S({4, {1, 3, 4, 1}}), MICA_F32, 7, 0, 2, 2, MICA_E_INVALID, "method 7"),
    REFUSED("grid 9", S({4, {1, 3, 4, 1}}), MICA_F32, 0, 9, 2, 2, MICA_E_INVALID, "grid 9"),
};

const mica_op_suite mica_suite_resize = {.name = "resize",
    MICA_CASES(cases),
    .build = build,
    .reference = reference,
    .gradient = gradient};
