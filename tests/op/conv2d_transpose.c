/* Cases of the transposed convolution, alone and with a bias and an activation behind it. */
#include "tests/golden/conv2d_tensorflow.h"
#include "tests/golden/conv2d_torch.h"
#include "tests/op/convolution.h"

static mica_value *build(mica_graph *graph, mica_value *const *in, const mica_op_case *c) {
    (void)graph;
    return convolution_build(mica_conv2d_transpose, in, c);
}

static void reference(const mica_op_case *c, const mica_ref *in, mica_ref *out) {
    convolution_reference(true, c, in, out);
}

static void gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din) {
    convolution_gradient(true, c, in, dout, din);
}

static const mica_op_case cases[] = {
    CASE("1x1x1x1", IMAGE(1, 1, 1, 1), IMAGE(1, 1, 1, 1), IMAGE(1, 1, 1, 1), VALID),
    CASE("1x1 filter", IMAGE(2, 5, 4, 31), IMAGE(1, 1, 33, 31), IMAGE(2, 5, 4, 33), VALID),
    CASE("1x1 filter, stride 3", IMAGE(2, 3, 2, 3), IMAGE(1, 1, 5, 3), IMAGE(2, 7, 4, 5),
        STRIDES(3, 3)),
    CASE("1x1 filter, stride 3, same", IMAGE(2, 3, 2, 3), IMAGE(1, 1, 5, 3), IMAGE(2, 9, 6, 5),
        SAME, STRIDES(3, 3)),
    CASE("3x3", IMAGE(1, 4, 3, 1), IMAGE(3, 3, 1, 1), IMAGE(1, 6, 5, 1), VALID),
    CASE("one pixel", IMAGE(2, 1, 1, 5), IMAGE(4, 3, 2, 5), IMAGE(2, 4, 3, 2), STRIDES(2, 2)),
    CASE("3x3, 31 to 3 channels", IMAGE(2, 5, 4, 31), IMAGE(3, 3, 3, 31), IMAGE(2, 7, 6, 3), VALID),
    CASE("3x3, 3 to 33 channels, same", IMAGE(2, 5, 4, 3), IMAGE(3, 3, 33, 3), IMAGE(2, 5, 4, 33),
        SAME),
    CASE("2x2, stride 2", IMAGE(2, 4, 5, 32), IMAGE(2, 2, 33, 32), IMAGE(2, 8, 10, 33),
        STRIDES(2, 2)),
    CASE("4x4, stride 2, same", IMAGE(2, 4, 5, 3), IMAGE(4, 4, 6, 3), IMAGE(2, 8, 10, 6), SAME,
        STRIDES(2, 2)),
    CASE("3x3, stride 2, same", IMAGE(2, 3, 5, 3), IMAGE(3, 3, 2, 3), IMAGE(2, 6, 10, 2), SAME,
        STRIDES(2, 2)),
    CASE("3x3, stride 2, same, odd output", IMAGE(2, 3, 5, 3), IMAGE(3, 3, 2, 3), IMAGE(2, 5, 9, 2),
        SAME, STRIDES(2, 2), OUTPUT(5, 9)),
    CASE("3x3, stride 2, larger output", IMAGE(2, 3, 5, 3), IMAGE(3, 3, 2, 3), IMAGE(2, 8, 11, 2),
        STRIDES(2, 2), OUTPUT(8, 0)),
    CASE(
        "5x2, stride 3x1", IMAGE(1, 3, 4, 2), IMAGE(5, 2, 3, 2), IMAGE(1, 11, 5, 3), STRIDES(3, 1)),
    CASE("stride larger than the filter", IMAGE(1, 3, 2, 2), IMAGE(2, 3, 3, 2), IMAGE(1, 12, 10, 3),
        SAME, STRIDES(4, 5)),
    CASE("padding", IMAGE(1, 4, 5, 3), IMAGE(4, 3, 2, 3), IMAGE(1, 6, 7, 2), STRIDES(2, 2),
        PAD(1, 3, 1, 3), OUTPUT(0, 7)),
    CASE("padding wider than the filter", IMAGE(1, 6, 7, 2), IMAGE(2, 2, 3, 2), IMAGE(1, 1, 3, 3),
        PAD(3, 3, 2, 3)),
    CASE("dilation 2, stride 3", IMAGE(1, 3, 4, 2), IMAGE(3, 2, 3, 2), IMAGE(1, 11, 12, 3),
        DILATIONS(2, 2), STRIDES(3, 3)),
    CASE("dilation 4, stride 6", IMAGE(1, 2, 3, 2), IMAGE(3, 3, 2, 2), IMAGE(1, 12, 18, 2), SAME,
        DILATIONS(4, 4), STRIDES(6, 6)),
    CASE("2 groups, stride 2, same", IMAGE(2, 3, 4, 6), IMAGE(3, 3, 5, 6), IMAGE(2, 6, 8, 10),
        GROUPS(2), SAME, STRIDES(2, 2)),
    CASE("depthwise, stride 2", IMAGE(2, 3, 4, 33), IMAGE(4, 4, 1, 33), IMAGE(2, 6, 8, 33),
        GROUPS(33), SAME, STRIDES(2, 2)),
    CASE("depthwise, 2 channels each, dilation 2", IMAGE(1, 4, 3, 4), IMAGE(2, 3, 2, 4),
        IMAGE(1, 6, 7, 8), GROUPS(4), DILATIONS(2, 2)),
    {.name = "x is the filter too",
        .n_in = 1,
        .in = {SHAPE(4, {3, 3, 4, 4})},
        .out = IMAGE(3, 5, 6, 4),
        .attrs = &(const convolution){.squared = true}},
    BIAS_CASE(
        "bias", IMAGE(2, 3, 4, 3), IMAGE(3, 3, 33, 3), 33, IMAGE(2, 6, 8, 33), SAME, STRIDES(2, 2)),
    RELU_CASE("bias and relu", IMAGE(2, 3, 4, 3), IMAGE(4, 4, 5, 3), 5, IMAGE(2, 6, 8, 5), SAME,
        STRIDES(2, 2)),
    BIAS_CASE("bias and sigmoid, 2 groups", IMAGE(2, 3, 4, 4), IMAGE(2, 3, 3, 4), 6,
        IMAGE(2, 4, 6, 6), GROUPS(2), .act = mica_sigmoid, .value = convolution_sigmoid),
    RELU_CASE("a long sum, bias and relu", IMAGE(1, 4, 3, 300), IMAGE(3, 3, 6, 300), 6,
        IMAGE(1, 4, 3, 6), SAME),
    RELU_CASE("40 to 70 channels", IMAGE(2, 7, 8, 40), IMAGE(4, 4, 70, 40), 70,
        IMAGE(2, 14, 16, 70), SAME, STRIDES(2, 2)),
    GRADIENT_CASE("the gradient of x", CONVOLUTION_DX, IMAGE(1, 3, 3, 3), IMAGE(3, 2, 2, 3),
        IMAGE(1, 6, 6, 2), IMAGE(1, 3, 3, 3), SAME, STRIDES(2, 2)),
    GRADIENT_CASE("the gradient of the filter", CONVOLUTION_DFILTER, IMAGE(1, 3, 3, 3),
        IMAGE(3, 2, 2, 3), IMAGE(1, 6, 6, 2), IMAGE(3, 2, 2, 3), SAME, STRIDES(2, 2)),
    GOLDEN(transpose_same_3x3_stride2, IMAGE(1, 3, 2, 3), IMAGE(3, 3, 2, 3), IMAGE(1, 6, 4, 2),
        SAME, STRIDES(2, 2)),
    GOLDEN(transpose_same_4x4_stride2, IMAGE(1, 2, 3, 2), IMAGE(4, 4, 2, 2), IMAGE(1, 4, 6, 2),
        SAME, STRIDES(2, 2)),
    GOLDEN(transpose_same_3x3_stride2_5x3, IMAGE(1, 3, 2, 3), IMAGE(3, 3, 2, 3), IMAGE(1, 5, 3, 2),
        SAME, STRIDES(2, 2), OUTPUT(5, 3)),
    GOLDEN(transpose_valid_2x3_stride3, IMAGE(1, 2, 2, 2), IMAGE(2, 3, 1, 2), IMAGE(1, 6, 6, 1),
        STRIDES(3, 3), OUTPUT(6, 0)),
    GOLDEN(transpose_groups2_stride2_pad1_output1, IMAGE(1, 3, 3, 4), IMAGE(3, 3, 2, 4),
        IMAGE(1, 6, 6, 4), STRIDES(2, 2), PAD(1, 1, 1, 1), GROUPS(2), OUTPUT(6, 6)),
    GOLDEN(transpose_dilation2_stride3, IMAGE(1, 2, 3, 2), IMAGE(2, 3, 1, 2), IMAGE(1, 6, 11, 1),
        DILATIONS(2, 2), STRIDES(3, 3)),
    REFUSED("another depth", IMAGE(2, 5, 5, 3), IMAGE(3, 3, 3, 4),
        WORDS("conv2d_transpose", "x has depth 3", "last size is 4"), VALID),
    REFUSED("stride of the depth", IMAGE(2, 5, 5, 4), IMAGE(3, 3, 3, 4),
        WORDS("strides of batch and depth must be 1"), .options.strides = {1, 2, 2, 2}),
    REFUSED("groups that do not divide the depth", IMAGE(2, 5, 5, 5), IMAGE(3, 3, 2, 5),
        WORDS("divide", "2 groups", "4 and 5"), GROUPS(2)),
    REFUSED("nothing left of the padding", IMAGE(1, 2, 5, 3), IMAGE(3, 3, 2, 3),
        WORDS("height would be 0", "1 to 2^31"), PAD(2, 2, 0, 0)),
    REFUSED("too large an output", IMAGE(1, 3, 5, 3), IMAGE(3, 3, 2, 3),
        WORDS("height 9", "height of 3", "7 to 8"), STRIDES(2, 2), OUTPUT(9, 0)),
    REFUSED("too small an output", IMAGE(1, 3, 5, 3), IMAGE(3, 3, 2, 3),
        WORDS("width 8", "width of 5", "9 to 10"), SAME, STRIDES(2, 2), OUTPUT(0, 8)),
    REFUSED("negative output", IMAGE(1, 3, 5, 3), IMAGE(3, 3, 2, 3), WORDS("output[0] is -1"),
        OUTPUT(-1, 0)),
    REFUSED("a huge result", IMAGE(1, 3, 5, 3), IMAGE(3, 3, 2, 3), WORDS("2^31"),
        STRIDES(INT32_MAX, 1)),
    REFUSED("a result of too many elements", IMAGE(1, 3, 5, 3), IMAGE(3, 3, 2, 3), WORDS("2^31"),
        STRIDES(100000000, 100)),
};

const mica_op_suite mica_suite_conv2d_transpose = {
    .name = "conv2d_transpose", MICA_CASES(cases), .build = build, .reference = reference};
