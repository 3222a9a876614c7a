/* Single elements of a convolution's three passes in double precision, by the definition: what
 * kernels are checked against before one is chosen. */
#include "op/conv2d.h"
#include "op/elementwise.h"
#include "tune/tune.h"

#include <math.h>

enum { IN_0, IN_1, BIAS }; /* streams of numbers */

typedef struct sum {
    double value, magnitude;
    uint64_t terms;
} sum;

static void add(sum *s, uint64_t at_0, uint64_t at_1) {
    const double product =
        (double)mica_tune_number(IN_0, at_0) * (double)mica_tune_number(IN_1, at_1);
    s->value += product;
    s->magnitude += fabs(product);
    s->terms++;
}

static uint64_t pixel(int64_t image, int64_t y, int64_t x, int64_t h, int64_t w, int64_t depth) {
    return (uint64_t)(((image * h + y) * w + x) * depth);
}

/* Forward: channel c of the map at (y, x). */
static void forward(
    const mica_conv2d_shape *s, int64_t image, int64_t y, int64_t x, int64_t c, sum *a) {
    const int64_t depth = s->in_c / s->groups, first = c / (s->out_c / s->groups) * depth;
    for (int64_t u = 0; u < s->filter_h; u++)
        for (int64_t v = 0; v < s->filter_w; v++) {
            const int64_t sy = y * s->stride_h - s->pad_top + u * s->dilation_h;
            const int64_t sx = x * s->stride_w - s->pad_left + v * s->dilation_w;
            if (sy < 0 || sy >= s->in_h || sx < 0 || sx >= s->in_w)
                continue;
            const uint64_t from = pixel(image, sy, sx, s->in_h, s->in_w, s->in_c);
            for (int64_t d = 0; d < depth; d++)
                add(a, from + (uint64_t)(first + d),
                    (uint64_t)(((u * s->filter_w + v) * depth + d) * s->out_c + c));
        }
}

/* Data: channel c of the image at (y, x). */
static void data(
    const mica_conv2d_shape *s, int64_t image, int64_t y, int64_t x, int64_t c, sum *a) {
    const int64_t depth = s->in_c / s->groups, wide = s->out_c / s->groups,
                  first = c / depth * wide;
    for (int64_t u = 0; u < s->filter_h; u++)
        for (int64_t v = 0; v < s->filter_w; v++) {
            const int64_t down = y + s->pad_top - u * s->dilation_h;
            const int64_t across = x + s->pad_left - v * s->dilation_w;
            if (down < 0 || down % s->stride_h || down / s->stride_h >= s->out_h || across < 0 ||
                across % s->stride_w || across / s->stride_w >= s->out_w)
                continue;
            const uint64_t from = pixel(
                image, down / s->stride_h, across / s->stride_w, s->out_h, s->out_w, s->out_c);
            const int64_t row = (u * s->filter_w + v) * depth + c % depth;
            for (int64_t d = 0; d < wide; d++)
                add(a, from + (uint64_t)(first + d), (uint64_t)(row * s->out_c + first + d));
        }
}

/* Filter: tap (u, v) from channel d of a group to channel c of the map. */
static void filter(const mica_conv2d_shape *s, int64_t u, int64_t v, int64_t d, int64_t c, sum *a) {
    const int64_t from = c / (s->out_c / s->groups) * (s->in_c / s->groups) + d;
    for (int64_t image = 0; image < s->batch; image++)
        for (int64_t y = 0; y < s->out_h; y++)
            for (int64_t x = 0; x < s->out_w; x++) {
                const int64_t sy = y * s->stride_h - s->pad_top + u * s->dilation_h;
                const int64_t sx = x * s->stride_w - s->pad_left + v * s->dilation_w;
                if (sy < 0 || sy >= s->in_h || sx < 0 || sx >= s->in_w)
                    continue;
                add(a, pixel(image, sy, sx, s->in_h, s->in_w, s->in_c) + (uint64_t)from,
                    pixel(image, y, x, s->out_h, s->out_w, s->out_c) + (uint64_t)c);
            }
}

double mica_conv2d_expect(const mica_conv2d_attrs *attrs, uint64_t at, double *slack) {
    const mica_conv2d_shape *s = &attrs->shape;
    const bool forwards = attrs->pass == MICA_CONV2D_FORWARD;
    sum a = {0};
    if (attrs->pass == MICA_CONV2D_FILTER) {
        const int64_t depth = s->in_c / s->groups, row = (int64_t)at / s->out_c;
        filter(s, row / depth / s->filter_w, row / depth % s->filter_w, row % depth,
            (int64_t)at % s->out_c, &a);
    } else {
        const int64_t h = forwards ? s->out_h : s->in_h, w = forwards ? s->out_w : s->in_w;
        const int64_t depth = forwards ? s->out_c : s->in_c, c = (int64_t)at % depth;
        const int64_t place = (int64_t)at / depth;
        (forwards ? forward : data)(s, place / w / h, place / w % h, place % w, c, &a);
        if (attrs->bias)
            a.value += (double)mica_tune_number(BIAS, (uint64_t)c);
    }
    *slack = mica_tune_slack(a.terms, a.magnitude + 1);
    return mica_elementwise_value(attrs->act, attrs->act_k, a.value, slack);
}
