/* The elementwise functions: their builders and gradients. A builder makes a node whose program
 * (elementwise_program.h) is one step, or a few where one row has too few immediates.
 *
 * Backward, with g the gradient of y: rows of the table again, as `derive` says; then the sum over
 * the dimensions along which the input was stretched. What can be told from y or computed again
 * from the inputs is, so that fused neighbours keep nothing between them. */
#include "op/elementwise_program.h"

#include "base/error.h"
#include "op/broadcast.h"

#include <mica/ops.h>

static mica_elementwise_attrs one_step(int row, float immediate) {
    mica_elementwise_attrs made = {
        .n_steps = 1, .steps = {{.row = (uint8_t)row, .immediate = immediate}}};
    for (int i = 0; i < mica_elementwise_operands(row); i++)
        made.steps[0].operand[i] = (uint8_t)i;
    return made;
}

/* A node of one step. Inputs that one kernel cannot stretch on the fly are stretched first. */
static mica_value *apply(int row, mica_value *a, mica_value *b, mica_value *c, float immediate) {
    mica_value *in[3] = {a, b, c};
    int n_in = mica_elementwise_operands(row);
    mica_elementwise_attrs attrs = one_step(row, immediate);
    mica_shape shape = {0};
    bool fits = n_in > 1;
    for (int i = 0; i < n_in && fits; i++)
        fits = in[i] && mica_broadcast_shape(shape, in[i]->shape, &shape);
    for (int i = 0; i < n_in && fits; i++) {
        mica_stretch stretch;
        if (!mica_stretch_of(in[i]->shape, shape, &stretch))
            in[i] = mica_broadcast(in[i], shape);
    }
    return mica_node_build(&mica_op_elementwise, &attrs, in, n_in);
}

static mica_value *unary(int row, mica_value *a, float immediate) {
    return apply(row, a, NULL, NULL, immediate);
}

static mica_value *binary(int row, mica_value *a, mica_value *b) {
    return apply(row, a, b, NULL, 0);
}

/* ---- gradient ---- */

/* dy/d(operand) times g, for a step that takes in[...] to y. NULL: none. */
static mica_value *derive(const mica_elementwise_step *step, int operand, mica_value *const *in,
    mica_value *y, mica_value *g) {
    mica_value *a = in[0], *b = in[mica_elementwise_operands(step->row) - 1];
    const float k = step->immediate;
    switch (step->row) {
    case ROW_add:
    case ROW_shift:
        return g;
    case ROW_sub:
        return operand == 0 ? g : mica_neg(g);
    case ROW_mul:
        return mica_mul(g, operand == 0 ? b : a);
    case ROW_div:
        return operand == 0 ? mica_div(g, b) : mica_neg(mica_mul(g, mica_div(y, b)));
    case ROW_scale:
        return mica_scale(g, k);
    case ROW_neg:
        return mica_neg(g);
    case ROW_square:
        return mica_scale(mica_mul(g, a), 2);
    case ROW_sqrt:
        return mica_scale(mica_div(g, y), 0.5f);
    case ROW_pow:
        return k == 0 ? mica_scale(g, 0) : mica_scale(mica_mul(g, mica_pow(a, k - 1)), k);
    case ROW_exp:
        return mica_mul(g, y);
    case ROW_log:
        return mica_div(g, a);
    case ROW_abs:
        return binary(ROW_abs_grad, g, a);
    case ROW_minimum:
        return apply(operand == 0 ? ROW_where_not_less : ROW_where_less, g, b, a, 0);
    case ROW_maximum:
        return apply(operand == 0 ? ROW_where_not_less : ROW_where_less, g, a, b, 0);
    case ROW_at_least:
        return apply(ROW_at_least_grad, g, a, NULL, k);
    case ROW_at_most:
        return apply(ROW_at_most_grad, g, a, NULL, k);
    case ROW_relu:
        return binary(ROW_relu_grad, g, y);
    case ROW_leaky_relu: /* y has the sign of a where the slope has that of 1 */
        return apply(ROW_leaky_relu_grad, g, k > 0 ? y : a, NULL, k);
    case ROW_elu:
        return apply(ROW_elu_grad, g, y, NULL, k);
    case ROW_gelu:
        return binary(ROW_gelu_grad, g, a);
    case ROW_erf:
        return binary(ROW_erf_grad, g, a);
    case ROW_silu:
        return binary(ROW_silu_grad, g, a);
    case ROW_sigmoid:
        return binary(ROW_sigmoid_grad, g, y);
    case ROW_softplus:
        return binary(ROW_softplus_grad, g, y);
    case ROW_tanh:
        return binary(ROW_tanh_grad, g, y);
    case ROW_hard_sigmoid:
        return apply(ROW_hard_sigmoid_grad, g, y, NULL, k);
    case ROW_hard_swish:
        return binary(ROW_hard_swish_grad, g, a);
    case ROW_sigmoid_cross_entropy:
        return operand == 0 ? mica_mul(g, mica_sub(mica_sigmoid(a), b)) : NULL;
    case ROW_binary_cross_entropy:
        return operand == 0 ? apply(ROW_binary_cross_entropy_grad, g, a, b, 0) : NULL;
    default:
        return mica_graph_failed(mica_value_graph(y), mica_fail(MICA_E_UNSUPPORTED,
                                                          "%s is itself a gradient and has "
                                                          "none",
                                                          mica_elementwise_row_name(step->row)));
    }
}

/* Of a chain of steps, each of which takes the result of the last one. What lies between them is
 * computed again. */
static mica_value *derive_chain(const mica_node *node, mica_value *g) {
    const mica_elementwise_attrs *attrs = node->attrs;
    mica_value *x[MICA_ELEMENTWISE_STEPS + 1] = {node->in[0]};
    for (int i = 0; i + 1 < attrs->n_steps; i++)
        x[i + 1] = unary(attrs->steps[i].row, x[i], attrs->steps[i].immediate);
    x[attrs->n_steps] = node->out[0];
    for (int i = attrs->n_steps; i-- > 0 && g;)
        g = derive(&attrs->steps[i], 0, &x[i], x[i + 1], g);
    return g;
}

void mica_elementwise_grad(
    mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    const mica_elementwise_attrs *attrs = node->attrs;
    for (int i = 0; i < node->n_in; i++)
        if (needs[i]) {
            mica_value *g = attrs->n_steps > 1
                                ? derive_chain(node, dout[0])
                                : derive(&attrs->steps[0], i, node->in, node->out[0], dout[0]);
            din[i] = mica_unbroadcast(g, node->in[i]->shape);
        }
}

/* ---- builders ---- */

mica_value *mica_add(mica_value *a, mica_value *b) {
    return binary(ROW_add, a, b);
}

mica_value *mica_sub(mica_value *a, mica_value *b) {
    return binary(ROW_sub, a, b);
}

mica_value *mica_mul(mica_value *a, mica_value *b) {
    return binary(ROW_mul, a, b);
}

mica_value *mica_div(mica_value *a, mica_value *b) {
    return binary(ROW_div, a, b);
}

mica_value *mica_scale(mica_value *a, float factor) {
    return unary(ROW_scale, a, factor);
}

mica_value *mica_shift(mica_value *a, float number) {
    return unary(ROW_shift, a, number);
}

mica_value *mica_square(mica_value *a) {
    return unary(ROW_square, a, 0);
}

mica_value *mica_sqrt(mica_value *a) {
    return unary(ROW_sqrt, a, 0);
}

mica_value *mica_neg(mica_value *a) {
    return unary(ROW_neg, a, 0);
}

mica_value *mica_relu(mica_value *a) {
    return unary(ROW_relu, a, 0);
}

mica_value *mica_sigmoid(mica_value *a) {
    return unary(ROW_sigmoid, a, 0);
}

mica_value *mica_tanh(mica_value *a) {
    return unary(ROW_tanh, a, 0);
}

mica_value *mica_exp(mica_value *a) {
    return unary(ROW_exp, a, 0);
}

mica_value *mica_log(mica_value *a) {
    return unary(ROW_log, a, 0);
}

mica_value *mica_abs(mica_value *a) {
    return unary(ROW_abs, a, 0);
}

mica_value *mica_pow(mica_value *a, float exponent) {
    return exponent == 2      ? mica_square(a)
           : exponent == 0.5f ? mica_sqrt(a)
                              : unary(ROW_pow, a, exponent);
}

mica_value *mica_minimum(mica_value *a, mica_value *b) {
    return binary(ROW_minimum, a, b);
}

mica_value *mica_maximum(mica_value *a, mica_value *b) {
    return binary(ROW_maximum, a, b);
}

mica_value *mica_clip(mica_value *a, float low, float high) {
    if (!a)
        return NULL;
    if (!(low <= high))
        return mica_graph_failed(mica_value_graph(a),
            mica_fail(MICA_E_INVALID, "clip: low must be at most high, but they are %g and %g",
                (double)low, (double)high));
    mica_elementwise_attrs attrs = {.n_steps = 2,
        .steps = {{.row = ROW_at_least, .immediate = low},
            {.row = ROW_at_most, .operand = {1}, .immediate = high}}};
    return mica_node_build(&mica_op_elementwise, &attrs, &a, 1);
}

mica_value *mica_leaky_relu(mica_value *a, float slope) {
    return unary(ROW_leaky_relu, a, slope);
}

mica_value *mica_elu(mica_value *a, float alpha) {
    if (a && !(alpha >= 0))
        return mica_graph_failed(mica_value_graph(a),
            mica_fail(MICA_E_INVALID, "elu: alpha must be at least 0, but is %g", (double)alpha));
    return unary(ROW_elu, a, alpha);
}

mica_value *mica_gelu(mica_value *a) {
    return unary(ROW_gelu, a, 0);
}

mica_value *mica_erf(mica_value *a) {
    return unary(ROW_erf, a, 0);
}

mica_value *mica_silu(mica_value *a) {
    return unary(ROW_silu, a, 0);
}

mica_value *mica_softplus(mica_value *a) {
    return unary(ROW_softplus, a, 0);
}

/* The row's own offset is 1/2, which all but a few use. */
mica_value *mica_hard_sigmoid(mica_value *a, float slope, float offset) {
    if (offset == 0.5f)
        return unary(ROW_hard_sigmoid, a, slope);
    return unary(ROW_hard_sigmoid, mica_shift(mica_scale(a, slope), offset - 0.5f), 1);
}

mica_value *mica_hard_swish(mica_value *a) {
    return unary(ROW_hard_swish, a, 0);
}

mica_value *mica_hard_tanh(mica_value *a) {
    return mica_clip(a, -1, 1);
}

mica_value *mica_div_or_zero(mica_value *a, mica_value *b) {
    return binary(ROW_div_or_zero, a, b);
}

mica_value *mica_bias_add(mica_value *a, mica_value *bias) {
    mica_elementwise_attrs attrs = one_step(ROW_add, 0);
    attrs.bias = true;
    return mica_node_build(&mica_op_elementwise, &attrs, (mica_value *[]){a, bias}, 2);
}

/* A function of predictions and targets that must not be stretched. */
static mica_value *cross_entropy(int row, mica_value *a, mica_value *targets) {
    if (a && targets && !mica_shape_equal(a->shape, targets->shape)) {
        char first[96], second[96];
        return mica_graph_failed(mica_value_graph(a),
            mica_fail(MICA_E_INVALID, "%s: %s of shape %s and targets of shape %s must be alike",
                mica_elementwise_row_name(row), a->name,
                mica_shape_text(a->shape, first, sizeof first),
                mica_shape_text(targets->shape, second, sizeof second)));
    }
    return binary(row, a, targets);
}

mica_value *mica_sigmoid_cross_entropy(mica_value *logits, mica_value *targets) {
    return cross_entropy(ROW_sigmoid_cross_entropy, logits, targets);
}

mica_value *mica_binary_cross_entropy(mica_value *probabilities, mica_value *targets) {
    return cross_entropy(ROW_binary_cross_entropy, probabilities, targets);
}
