/* Elementwise operators. Operands are brought to one rank, with channels last where one of them is
 * there in that order alone. */
#include "onnx/build.h"

#include <float.h>
#include <math.h>

/* ---- operands ---- */

/* Operand `value` for a result of this rank and order. Its dimensions stand behind `lead` ones. */
static mica_value *operand(
    mica_onnx_call *call, mica_onnx_value *value, int rank, int lead, bool last) {
    if (!mica_onnx_floating(call, value))
        return NULL;
    bool aligned = lead + value->rank == rank;
    if (!last && aligned) /* broadcasting aligns at the right by itself */
        return mica_onnx_plain(call, value);
    if (value->state == MICA_ONNX_LIVE && value->rank == rank)
        return mica_onnx_last(call, value);
    int64_t dim[MICA_ONNX_MAX_RANK];
    int order[MICA_ONNX_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        bool inside = i >= lead && i < lead + value->rank;
        dim[i] = inside ? value->dim[i - lead] : 1;
        order[i] = i;
    }
    if (last)
        mica_onnx_order(rank, true, order);
    return mica_onnx_arranged(call, value, rank, dim, order);
}

/* The rank of the result of all inputs, and whether it is made with channels last. */
static int common_order(mica_onnx_call *call, bool *last) {
    int rank = 0;
    for (int i = 0; i < mica_onnx_in_count(call); i++) {
        const mica_onnx_value *value = mica_onnx_in(call, i);
        if (value && value->rank > rank)
            rank = value->rank;
    }
    *last = false;
    for (int i = 0; i < mica_onnx_in_count(call); i++) {
        const mica_onnx_value *value = mica_onnx_in(call, i);
        *last = *last || (value && value->rank == rank && mica_onnx_is_last(value));
    }
    return rank;
}

static mica_value *aligned_operand(mica_onnx_call *call, int index, int rank, bool last) {
    mica_onnx_value *value = mica_onnx_in(call, index);
    return operand(call, value, rank, rank - value->rank, last);
}

/* Before opset 7, `axis` says with which dimension of the first operand the second begins. */
static int lead_of(mica_onnx_call *call, int rank) {
    const mica_onnx_value *b = mica_onnx_in(call, 1);
    int lead = rank - b->rank;
    if (call->opset >= 7)
        return lead;
    bool broadcast = mica_onnx_int(call, "broadcast", 0) != 0;
    if (!mica_onnx_has(call, "axis"))
        return lead;
    int64_t axis = mica_onnx_int(call, "axis", 0);
    if (!broadcast || axis < 0 || axis > lead) {
        mica_onnx_refuse(call, "its axis does not fit the operands");
        return lead;
    }
    return (int)axis;
}

/* ---- one, two, many ---- */

mica_status mica_onnx_unary(mica_onnx_call *call) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    bool last;
    if (!mica_onnx_floating(call, x))
        return call->status;
    mica_value *value = mica_onnx_either(call, x, &last);
    return mica_onnx_give_either(call, 0, call->op->unary(value), last);
}

static mica_status binary(mica_onnx_call *call) {
    bool last;
    int rank = common_order(call, &last);
    mica_value *a = aligned_operand(call, 0, rank, last);
    mica_value *b = operand(call, mica_onnx_in(call, 1), rank, lead_of(call, rank), last);
    return mica_onnx_give_either(call, 0, call->op->binary(a, b), last);
}

static mica_value *all_inputs(mica_onnx_call *call, bool *last) {
    int rank = common_order(call, last);
    mica_value *sum = aligned_operand(call, 0, rank, *last);
    for (int i = 1; i < mica_onnx_in_count(call); i++) {
        if (!mica_onnx_in(call, i)) {
            mica_onnx_refuse(call, "input %d is missing", i + 1);
            return NULL;
        }
        if (!mica_onnx_work(call, MICA_ONNX_NODE_WORK))
            return NULL;
        sum = call->op->binary(sum, aligned_operand(call, i, rank, *last));
    }
    return sum;
}

static mica_status variadic(mica_onnx_call *call) {
    bool last;
    mica_value *value = all_inputs(call, &last);
    return mica_onnx_give_either(call, 0, value, last);
}

static mica_status mean(mica_onnx_call *call) {
    bool last;
    mica_value *value = all_inputs(call, &last);
    value = mica_scale(value, 1 / (float)mica_onnx_in_count(call));
    return mica_onnx_give_either(call, 0, value, last);
}

/* ---- functions with attributes ---- */

static mica_value *argument(mica_onnx_call *call, bool *last) {
    mica_onnx_value *x = mica_onnx_in(call, 0);
    *last = false;
    return mica_onnx_floating(call, x) ? mica_onnx_either(call, x, last) : NULL;
}

static mica_status leaky_relu(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    float alpha = (float)mica_onnx_float(call, "alpha", 0.01f);
    return mica_onnx_give_either(call, 0, mica_leaky_relu(x, alpha), last);
}

static mica_value *elu_of(mica_onnx_call *call, mica_value *x, float alpha) {
    if (alpha >= 0)
        return mica_elu(x, alpha);
    mica_onnx_refuse(call, "alpha is %g, expected at least 0", (double)alpha);
    return NULL;
}

static mica_status elu(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    float alpha = (float)mica_onnx_float(call, "alpha", 1);
    return mica_onnx_give_either(call, 0, elu_of(call, x, alpha), last);
}

static mica_status selu(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    float alpha = (float)mica_onnx_float(call, "alpha", 1.67326319217681884765625);
    float gamma = (float)mica_onnx_float(call, "gamma", 1.05070102214813232421875);
    return mica_onnx_give_either(call, 0, mica_scale(elu_of(call, x, alpha), gamma), last);
}

/* max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) */
static mica_status celu(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    float alpha = (float)mica_onnx_float(call, "alpha", 1);
    if (!(alpha > 0))
        return mica_onnx_refuse(call, "alpha is %g, expected more than 0", (double)alpha);
    x = mica_scale(mica_elu(mica_scale(x, 1 / alpha), 1), alpha);
    return mica_onnx_give_either(call, 0, x, last);
}

static mica_status hard_sigmoid(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    float alpha = (float)mica_onnx_float(call, "alpha", 0.2f);
    float beta = (float)mica_onnx_float(call, "beta", 0.5f);
    return mica_onnx_give_either(call, 0, mica_hard_sigmoid(x, alpha, beta), last);
}

static mica_status gelu(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    const char *form = mica_onnx_text(call, "approximate", "none");
    if (form[0] != 'n')
        return mica_onnx_refuse(call, "approximate is \"%.20s\", only \"none\" is there", form);
    return mica_onnx_give_either(call, 0, mica_gelu(x), last);
}

/* x / (1 + |x|) */
static mica_status softsign(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    mica_value *size = mica_add(mica_abs(x), mica_full(call->graph, MICA_SCALAR, 1));
    return mica_onnx_give_either(call, 0, mica_div(x, size), last);
}

static mica_value *reciprocal(mica_value *x) {
    return mica_pow(x, -1);
}

static mica_value *mish(mica_value *x) {
    return mica_mul(x, mica_tanh(mica_softplus(x)));
}

/* x where it is positive, slope * x elsewhere */
static mica_status prelu(mica_onnx_call *call) {
    bool last;
    int rank = common_order(call, &last);
    mica_onnx_value *slope = mica_onnx_in(call, 1);
    bool by_channel = call->opset < 7 && mica_onnx_value_count(slope) > 1;
    mica_value *x = aligned_operand(call, 0, rank, last);
    mica_value *s = operand(call, slope, rank, by_channel ? 1 : rank - slope->rank, last);
    mica_value *y = mica_sub(mica_relu(x), mica_mul(mica_relu(mica_neg(x)), s));
    return mica_onnx_give_either(call, 0, y, last);
}

static mica_status clip(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    mica_onnx_value *low = mica_onnx_in(call, 1), *high = mica_onnx_in(call, 2);
    bool live = (low && low->state == MICA_ONNX_LIVE) || (high && high->state == MICA_ONNX_LIVE);
    if (live) { /* bounds are scalars, so they have no order */
        if (low)
            x = mica_maximum(x, mica_onnx_plain(call, low));
        if (high)
            x = mica_minimum(x, mica_onnx_plain(call, high));
    } else {
        double least = mica_onnx_float(call, "min", -FLT_MAX);
        double most = mica_onnx_float(call, "max", FLT_MAX);
        least = mica_onnx_number(call, low, least);
        most = mica_onnx_number(call, high, most);
        if (!(least <= most))
            return mica_onnx_refuse(call, "min is %g, which is more than max, %g", least, most);
        x = mica_clip(x, (float)least, (float)most);
    }
    return mica_onnx_give_either(call, 0, x, last);
}

/* The exponent must be one number, though it may stand in a larger tensor. */
static mica_status power(mica_onnx_call *call) {
    bool last;
    mica_value *x = argument(call, &last);
    mica_onnx_value *base = mica_onnx_in(call, 0), *exponent = mica_onnx_in(call, 1);
    lead_of(call, base->rank > exponent->rank ? base->rank : exponent->rank);
    if (!x || mica_onnx_know(call, exponent) != MICA_OK)
        return call->status;
    int64_t count = mica_onnx_value_count(exponent);
    double first = 0;
    for (int64_t i = 0; i < count; i++) {
        double number = exponent->real ? exponent->real[i] : (double)exponent->whole[i];
        first = i ? first : number;
        if (number != first)
            return mica_onnx_refuse(call, "its exponents differ, but must all be the same");
    }
    int rank;
    int64_t dim[MICA_ONNX_MAX_RANK];
    bool fits =
        mica_onnx_broadcast(base->rank, base->dim, exponent->rank, exponent->dim, &rank, dim);
    if (count < 1 ||
        (call->opset >= 7 && (!fits || rank != base->rank ||
                                 mica_onnx_count(rank, dim) != mica_onnx_value_count(base))))
        return mica_onnx_refuse(call, "its exponents do not fit the shape of its base");
    return mica_onnx_give_either(call, 0, mica_pow(x, (float)first), last);
}

/* ---- on the host ---- */

static double real_add(double a, double b) {
    return a + b;
}
static double real_sub(double a, double b) {
    return a - b;
}
static double real_mul(double a, double b) {
    return a * b;
}
static double real_div(double a, double b) {
    return a / b;
}
static double real_neg(double a, double b) {
    (void)b;
    return -a;
}
static double real_abs(double a, double b) {
    (void)b;
    return fabs(a);
}
static double real_sqrt(double a, double b) {
    (void)b;
    return sqrt(a);
}
static double real_exp(double a, double b) {
    (void)b;
    return exp(a);
}
static double real_log(double a, double b) {
    (void)b;
    return log(a);
}
static double real_erf(double a, double b) {
    (void)b;
    return erf(a);
}
static double real_reciprocal(double a, double b) {
    (void)b;
    return 1 / a;
}

/* Integers wrap around, as two's complement does. */
static bool whole_add(int64_t a, int64_t b, int64_t *y) {
    *y = (int64_t)((uint64_t)a + (uint64_t)b);
    return true;
}
static bool whole_sub(int64_t a, int64_t b, int64_t *y) {
    *y = (int64_t)((uint64_t)a - (uint64_t)b);
    return true;
}
static bool whole_mul(int64_t a, int64_t b, int64_t *y) {
    *y = (int64_t)((uint64_t)a * (uint64_t)b);
    return true;
}
static bool whole_div(int64_t a, int64_t b, int64_t *y) {
    *y = b == 0 || b == -1 ? (int64_t) - (uint64_t)a : a / b;
    return b != 0;
}
static bool whole_neg(int64_t a, int64_t b, int64_t *y) {
    (void)b;
    return whole_sub(0, a, y);
}
static bool whole_abs(int64_t a, int64_t b, int64_t *y) {
    return a < 0 ? whole_neg(a, b, y) : whole_add(a, 0, y);
}
static bool whole_min(int64_t a, int64_t b, int64_t *y) {
    *y = a < b ? a : b;
    return true;
}
static bool whole_max(int64_t a, int64_t b, int64_t *y) {
    *y = a > b ? a : b;
    return true;
}

/* Whole exponents by squaring; others of integers have no result among them. */
static bool whole_pow(int64_t a, int64_t b, int64_t *y) {
    uint64_t power = 1, factor = (uint64_t)a;
    for (int64_t left = b; left > 0; left >>= 1, factor *= factor)
        power *= left & 1 ? factor : 1;
    *y = (int64_t)power;
    return b >= 0;
}

#define FOLD .fold = mica_onnx_fold_elementwise

const mica_onnx_operator mica_onnx_math_operators[] = {
    {"Add", binary, FOLD, .binary = mica_add, .real = real_add, .whole = whole_add, .least_in = 2},
    {"Sub", binary, FOLD, .binary = mica_sub, .real = real_sub, .whole = whole_sub, .least_in = 2},
    {"Mul", binary, FOLD, .binary = mica_mul, .real = real_mul, .whole = whole_mul, .least_in = 2},
    {"Div", binary, FOLD, .binary = mica_div, .real = real_div, .whole = whole_div, .least_in = 2},
    {"Pow", power, FOLD, .real = pow, .whole = whole_pow, .least_in = 2},
    {"Sum", variadic, FOLD, .binary = mica_add, .real = real_add, .whole = whole_add,
        .least_in = 1},
    {"Max", variadic, FOLD, .binary = mica_maximum, .real = fmax, .whole = whole_max,
        .least_in = 1},
    {"Min", variadic, FOLD, .binary = mica_minimum, .real = fmin, .whole = whole_min,
        .least_in = 1},
    {"Mean", mean, .binary = mica_add, .least_in = 1},
    {"Neg", mica_onnx_unary, FOLD, .unary = mica_neg, .real = real_neg, .whole = whole_neg,
        .least_in = 1},
    {"Abs", mica_onnx_unary, FOLD, .unary = mica_abs, .real = real_abs, .whole = whole_abs,
        .least_in = 1},
    {"Sqrt", mica_onnx_unary, FOLD, .unary = mica_sqrt, .real = real_sqrt, .least_in = 1},
    {"Exp", mica_onnx_unary, FOLD, .unary = mica_exp, .real = real_exp, .least_in = 1},
    {"Log", mica_onnx_unary, FOLD, .unary = mica_log, .real = real_log, .least_in = 1},
    {"Erf", mica_onnx_unary, FOLD, .unary = mica_erf, .real = real_erf, .least_in = 1, .since = 9},
    {"Reciprocal", mica_onnx_unary, FOLD, .unary = reciprocal, .real = real_reciprocal,
        .least_in = 1},
    {"Relu", mica_onnx_unary, .unary = mica_relu, .least_in = 1},
    {"Sigmoid", mica_onnx_unary, .unary = mica_sigmoid, .least_in = 1},
    {"Tanh", mica_onnx_unary, .unary = mica_tanh, .least_in = 1},
    {"Softplus", mica_onnx_unary, .unary = mica_softplus, .least_in = 1, .since = 1},
    {"Softsign", softsign, .least_in = 1, .since = 1},
    {"HardSwish", mica_onnx_unary, .unary = mica_hard_swish, .least_in = 1, .since = 14},
    {"Mish", mica_onnx_unary, .unary = mish, .least_in = 1, .since = 18},
    {"Gelu", gelu, .least_in = 1, .since = 20},
    {"LeakyRelu", leaky_relu, .least_in = 1},
    {"Elu", elu, .least_in = 1},
    {"Selu", selu, .least_in = 1},
    {"Celu", celu, .least_in = 1, .since = 12},
    {"HardSigmoid", hard_sigmoid, .least_in = 1},
    {"PRelu", prelu, .least_in = 2},
    {"Clip", clip, .least_in = 1},
    {0},
};
