#include "tests/op/convolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double convolution_relu(double x) {
    return x > 0 ? x : 0;
}

double convolution_relu_slope(double x) {
    return x > 0;
}

double convolution_square_slope(double x) {
    return 2 * x;
}

double convolution_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

mica_value *convolution_build(
    convolution_builder *builder, mica_value *const *in, const mica_op_case *c) {
    const convolution *how = c->attrs;
    mica_value *y = builder(in[0], in[how->squared ? 0 : 1], &how->options);
    if (how->result != CONVOLUTION) {
        y = how->act ? how->act(y) : y;
        mica_value *loss = mica_sum(mica_mul(y, in[2]), NULL, 0, false), *gradient = NULL;
        mica_value *wrt = in[how->result == CONVOLUTION_DX ? 0 : 1];
        return mica_gradients(loss, &wrt, 1, &gradient) == MICA_OK ? gradient : NULL;
    }
    if (c->n_in > 2)
        y = mica_bias_add(y, in[2]);
    return how->act ? how->act(y) : y;
}

/* The zeros before an axis, where window 0 begins. */
static int64_t padding_of(const convolution *how, int axis, int64_t image, int64_t filter) {
    int64_t stride = how->options.strides[1 + axis], dilation = how->options.dilations[1 + axis];
    stride += stride == 0;
    dilation += dilation == 0;
    if (how->options.padding == MICA_EXPLICIT)
        return how->options.pad[2 * axis];
    if (how->options.padding == MICA_VALID)
        return 0;
    int64_t windows = (image + stride - 1) / stride;
    int64_t zeros = (windows - 1) * stride + (filter - 1) * dilation + 1 - image;
    return zeros > 0 ? zeros / 2 : 0;
}

/* The image, the filter and the map; any may be NULL. */
typedef struct trio {
    const double *image, *filter, *map;
} trio;

typedef struct place {
    int64_t image, filter, map;
} place;

/* For each image pixel, weight and map pixel that the formula pairs: adds the product of two to the
 * third, where `into` has it. */
static void pair(const trio *from, double *image, double *filter, double *map, place at) {
    if (image)
        image[at.image] += from->filter[at.filter] * from->map[at.map];
    if (filter)
        filter[at.filter] += from->image[at.image] * from->map[at.map];
    if (map)
        map[at.map] += from->image[at.image] * from->filter[at.filter];
}

static void convolve(const convolution *how, mica_shape image, mica_shape filter, mica_shape map,
    const trio *from, double *into_image, double *into_filter, double *into_map) {
    const int64_t *strides = how->options.strides, *dilations = how->options.dilations;
    const int64_t sh = strides[1] ? strides[1] : 1, sw = strides[2] ? strides[2] : 1;
    const int64_t dh = dilations[1] ? dilations[1] : 1, dw = dilations[2] ? dilations[2] : 1;
    const int64_t top = padding_of(how, 0, image.dim[1], filter.dim[0]);
    const int64_t left = padding_of(how, 1, image.dim[2], filter.dim[1]);
    const int64_t in = filter.dim[2], out = map.dim[3] * in / image.dim[3]; /* of a group */
    for (int64_t b = 0; b < map.dim[0]; b++)
        for (int64_t i = 0; i < map.dim[1]; i++)
            for (int64_t j = 0; j < map.dim[2]; j++)
                for (int64_t k = 0; k < map.dim[3]; k++)
                    for (int64_t u = 0; u < filter.dim[0]; u++)
                        for (int64_t v = 0; v < filter.dim[1]; v++) {
                            int64_t y = i * sh + u * dh - top, x = j * sw + v * dw - left;
                            if (y < 0 || y >= image.dim[1] || x < 0 || x >= image.dim[2])
                                continue;
                            for (int64_t c = 0; c < in; c++)
                                pair(from, into_image, into_filter, into_map,
                                    (place){
                                        ((b * image.dim[1] + y) * image.dim[2] + x) * image.dim[3] +
                                            k / out * in + c,
                                        ((u * filter.dim[1] + v) * in + c) * filter.dim[3] + k,
                                        ((b * map.dim[1] + i) * map.dim[2] + j) * map.dim[3] + k});
                        }
}

/* The result before bias and activation, added to y. */
static void product(
    bool transpose, const convolution *how, const mica_ref *in, mica_shape shape, double *y) {
    const mica_ref *x = &in[0], *filter = &in[how->squared ? 0 : 1];
    if (transpose)
        convolve(how, shape, filter->shape, x->shape, &(trio){NULL, filter->data, x->data}, y, NULL,
            NULL);
    else
        convolve(how, x->shape, filter->shape, shape, &(trio){x->data, filter->data, NULL}, NULL,
            NULL, y);
}

/* The gradients of x, the filter and, with `bias`, it, for a result's dy, added; any may be NULL.
 */
static void gradients(bool transpose, const convolution *how, const mica_ref *in,
    const mica_ref *dy, const mica_ref *bias, double *dx, double *dfilter, double *dbias) {
    const mica_ref *x = &in[0], *filter = &in[how->squared ? 0 : 1];
    double *d = calloc((size_t)dy->count, sizeof *d);
    if (!d)
        return; /* zeros are wrong gradients: the case fails */
    if (how->slope)
        product(transpose, how, in, dy->shape, d);
    for (int64_t i = 0; i < dy->count; i++) {
        double b = bias ? bias->data[i % bias->count] : 0;
        d[i] = dy->data[i] * (how->slope ? how->slope(d[i] + b) : 1);
        if (dbias)
            dbias[i % bias->count] += d[i];
    }
    if (transpose)
        convolve(how, dy->shape, filter->shape, x->shape, &(trio){d, filter->data, x->data}, NULL,
            dfilter, dx);
    else
        convolve(how, x->shape, filter->shape, dy->shape, &(trio){x->data, filter->data, d}, dx,
            dfilter, NULL);
    free(d);
}

void convolution_reference(
    bool transpose, const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    const convolution *how = c->attrs;
    if (how->golden) {
        memcpy(out->data, how->golden, (size_t)out->count * sizeof *out->data);
    } else if (how->result != CONVOLUTION) {
        bool dx = how->result == CONVOLUTION_DX;
        gradients(
            transpose, how, in, &in[2], NULL, dx ? out->data : NULL, dx ? NULL : out->data, NULL);
    } else {
        product(transpose, how, in, out->shape, out->data);
        for (int64_t i = 0; i < out->count; i++) {
            double y = out->data[i] + (c->n_in > 2 ? in[2].data[i % in[2].count] : 0);
            out->data[i] = how->value ? how->value(y) : y;
        }
    }
}

void convolution_gradient(bool transpose, const mica_op_case *c, const mica_ref *in,
    const mica_ref *dout, mica_ref *din) {
    const convolution *how = c->attrs;
    const bool bias = c->n_in > 2;
    gradients(transpose, how, in, dout, bias ? &in[2] : NULL, din[0].data,
        din[how->squared ? 0 : 1].data, bias ? din[2].data : NULL);
}
