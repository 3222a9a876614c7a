/* elementwise: y[i] = f(a[i], b[i], ...), where inputs stretch to y's shape by NumPy's rule.
 *
 * A node holds a small program: each step applies a row of cl/elementwise_table.h to registers, the
 * inputs' or earlier steps'. Builders make programs of one step; fusion joins those of neighbours,
 * so that a chain reads its inputs once, writes its result once and keeps nothing between.
 *
 * Backward, with g the gradient of y: rows of the table again, as `derive` below says; then the sum
 * over the dimensions along which the input was stretched. */
#include "op/elementwise.h"

#include "base/error.h"
#include "cl/elementwise_table.h"
#include "op/broadcast.h"
#include "op/linear.h"

#include <mica/ops.h>
#include <stdio.h>
#include <string.h>

#define INPUTS_MOST MICA_ELEMENTWISE_INPUTS
#define STEPS_MOST  MICA_ELEMENTWISE_STEPS

/* ---- attributes ---- */

typedef struct elementwise_step {
    uint8_t row;
    uint8_t operand[3]; /* registers: the inputs, then the results of earlier steps */
    float immediate;
} elementwise_step;

typedef struct elementwise_attrs {
    int n_steps;
    bool bias; /* input 1 must be a vector of the last dimension's size */
    elementwise_step steps[STEPS_MOST];
} elementwise_attrs;

#define ROW(number, name, operands, formula) ROW_##name = number,
enum { MICA_ELEMENTWISE_ROWS(ROW) ROWS };
#undef ROW

static const struct {
    const char *name;
    int operands;
} rows[] = {
#define ROW(number, name, operands, formula) [number] = {#name, operands},
    MICA_ELEMENTWISE_ROWS(ROW)
#undef ROW
};

static elementwise_attrs one_step(int row, int operands, float immediate) {
    elementwise_attrs made = {
        .n_steps = 1, .steps = {{.row = (uint8_t)row, .immediate = immediate}}};
    for (int i = 0; i < operands; i++)
        made.steps[0].operand[i] = (uint8_t)i;
    return made;
}

/* A broadcast is the program without steps. False for other operators. */
static bool program_of(const mica_node *node, elementwise_attrs *out) {
    if (node->op == &mica_op_broadcast)
        *out = (elementwise_attrs){0};
    else if (node->op == &mica_op_elementwise)
        *out = *(const elementwise_attrs *)node->attrs;
    else
        return false;
    return true;
}

const char *mica_elementwise_row_name(int row) {
    return row >= 0 && row < ROWS ? rows[row].name : NULL;
}

static const char *describe(const mica_node *node, char *text, size_t size) {
    const elementwise_attrs *attrs = node->attrs;
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < attrs->n_steps && used < size; i++)
        used += (size_t)snprintf(
            text + used, size - used, "%s%s", i ? "+" : "", rows[attrs->steps[i].row].name);
    return attrs->n_steps ? text : "broadcast";
}

/* ---- infer ---- */

static mica_status infer(mica_node *node) {
    const elementwise_attrs *attrs = node->attrs;
    const char *name = rows[attrs->steps[0].row].name;
    mica_shape shape = node->in[0]->shape;
    char first[96], second[96];
    for (int i = 0; i < node->n_in; i++) {
        const mica_value *in = node->in[i];
        if (in->dtype != MICA_F32)
            return mica_fail(
                MICA_E_INVALID, "%s: %s must be float32, but is int32", name, in->name);
        if (!mica_broadcast_shape(shape, in->shape, &shape))
            return mica_fail(MICA_E_INVALID,
                "%s: the shapes %s of %s and %s of %s do not fit: sizes, aligned at the right, "
                "must be equal or 1",
                name, mica_shape_text(node->in[0]->shape, first, sizeof first), node->in[0]->name,
                mica_shape_text(in->shape, second, sizeof second), in->name);
    }
    if (attrs->bias) {
        mica_shape a = node->in[0]->shape, b = node->in[1]->shape;
        if (a.rank < 1 || b.rank != 1 || b.dim[0] != a.dim[a.rank - 1])
            return mica_fail(MICA_E_INVALID,
                "bias_add: the bias must be a vector of the last size of %s, but its shape is %s",
                mica_shape_text(a, first, sizeof first), mica_shape_text(b, second, sizeof second));
    }
    node->out[0]->shape = shape;
    return MICA_OK;
}

/* A node of one step. An input that one kernel cannot stretch on the fly is stretched first. */
static mica_value *apply(int row, mica_value *a, mica_value *b, float immediate) {
    mica_value *in[2] = {a, b};
    int n_in = rows[row].operands;
    elementwise_attrs attrs = one_step(row, n_in, immediate);
    mica_shape shape;
    if (n_in == 2 && a && b && mica_broadcast_shape(a->shape, b->shape, &shape))
        for (int i = 0; i < 2; i++) {
            mica_stretch stretch;
            if (!mica_stretch_of(in[i]->shape, shape, &stretch))
                in[i] = mica_broadcast(in[i], shape);
        }
    return mica_node_build(&mica_op_elementwise, &attrs, in, n_in);
}

/* ---- gradient ---- */

/* dy/d(operand) times g, for a node of one step with inputs a, b and result y. NULL: none. */
static mica_value *derive(const mica_node *node, int operand, mica_value *g) {
    const elementwise_step *step = &((const elementwise_attrs *)node->attrs)->steps[0];
    mica_value *a = node->in[0], *b = node->in[node->n_in - 1], *y = node->out[0];
    switch (step->row) {
    case ROW_add:
        return g;
    case ROW_sub:
        return operand == 0 ? g : mica_neg(g);
    case ROW_mul:
        return mica_mul(g, operand == 0 ? b : a);
    case ROW_div:
        return operand == 0 ? mica_div(g, b) : mica_neg(mica_mul(g, mica_div(y, b)));
    case ROW_scale:
        return mica_scale(g, step->immediate);
    case ROW_neg:
        return mica_neg(g);
    case ROW_square:
        return mica_scale(mica_mul(g, a), 2);
    case ROW_sqrt:
        return mica_scale(mica_div(g, y), 0.5f);
    case ROW_relu:
        return apply(ROW_relu_grad, g, y, 0);
    case ROW_sigmoid:
        return apply(ROW_sigmoid_grad, g, y, 0);
    case ROW_tanh:
        return apply(ROW_tanh_grad, g, y, 0);
    case ROW_exp:
        return mica_mul(g, y);
    case ROW_log:
        return mica_div(g, a);
    case ROW_sigmoid_cross_entropy:
        return operand == 0 ? mica_mul(g, mica_sub(mica_sigmoid(a), b)) : NULL;
    default:
        return mica_graph_failed(
            node->graph, mica_fail(MICA_E_UNSUPPORTED, "%s is itself a gradient and has none",
                             rows[step->row].name));
    }
}

static void grad(mica_node *node, mica_value *const *dout, const bool *needs, mica_value **din) {
    for (int i = 0; i < node->n_in; i++)
        if (needs[i])
            din[i] = mica_unbroadcast(derive(node, i, dout[0]), node->in[i]->shape);
}

/* ---- plan ---- */

/* The parameters of cl/elementwise.cl and shaders/elementwise.comp. */
typedef struct elementwise_params {
    uint32_t n, per_group;
    uint32_t div[INPUTS_MOST], mod[INPUTS_MOST], inner[INPUTS_MOST];
    float k[STEPS_MOST];
} elementwise_params;

static int32_t mode_of(mica_stretch stretch, int64_t count, int64_t whole) {
    if (count == whole)
        return MICA_ELEMENTWISE_FULL;
    if (count == 1)
        return MICA_ELEMENTWISE_SCALAR;
    if (stretch.mod == 1)
        return MICA_ELEMENTWISE_ROW;
    if (stretch.inner == 1 && (int64_t)stretch.div * stretch.mod == whole)
        return MICA_ELEMENTWISE_COLUMN;
    return MICA_ELEMENTWISE_STRETCHED;
}

mica_status mica_elementwise_plan(const mica_node *node, mica_plan *plan) {
    static const char *const entries[] = {"elementwise_fwd_1", "elementwise_fwd_2",
        "elementwise_fwd_3", "elementwise_fwd_4", "elementwise_fwd_5", "elementwise_fwd_6"};
    static const char *const step_names[] = {
        "STEP0", "STEP1", "STEP2", "STEP3", "STEP4", "STEP5", "STEP6", "STEP7"};
    const mica_traits *traits = mica_plan_traits(plan);
    uint32_t width = traits->vector_width;
    mica_shape shape = node->out[0]->shape;
    int64_t whole = mica_shape_count(shape);
    elementwise_attrs program;
    if (!program_of(node, &program))
        return mica_fail(MICA_E_INVALID, "%s has no elementwise program", node->op->name);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "elementwise", .entry = entries[node->n_in - 1]},
        .flops = (double)whole * program.n_steps,
        .bytes = (double)whole * sizeof(float),
    };
    elementwise_params params = {.n = (uint32_t)whole};
    int32_t modes = 0;
    for (int i = 0; i < node->n_in; i++) {
        mica_stretch stretch;
        int64_t count = mica_shape_count(node->in[i]->shape);
        if (!mica_stretch_of(node->in[i]->shape, shape, &stretch))
            return mica_fail(MICA_E_UNSUPPORTED,
                "input %d is stretched along too many separate dimensions for one kernel", i);
        params.div[i] = stretch.div;
        params.mod[i] = stretch.mod;
        params.inner[i] = stretch.inner;
        modes |= mode_of(stretch, count, whole) << 4 * i;
        desc.slots[desc.n_slots++] = MICA_SLOT(node->in[i]);
        desc.bytes += (double)count * sizeof(float);
    }
    desc.slots[desc.n_slots++] = MICA_SLOT(node->out[0]);
    mica_constant_set(&desc.kernel, "WIDTH", (int32_t)width);
    mica_constant_set(&desc.kernel, "INPUTS", node->n_in);
    mica_constant_set(&desc.kernel, "MODES", modes);
    mica_constant_set(&desc.kernel, "STEPS", program.n_steps);
    for (int i = 0; i < STEPS_MOST; i++) {
        const elementwise_step *step = &program.steps[i];
        mica_constant_set(&desc.kernel, step_names[i],
            step->row | step->operand[0] << 8 | step->operand[1] << 16 | step->operand[2] << 24);
        params.k[i] = step->immediate;
    }
    params.per_group =
        mica_linear_map(traits, (uint64_t)whole, width, (uint32_t)node->n_in + 1, &desc);
    desc.params = &params;
    desc.params_size = sizeof params;
    return mica_plan_launch(plan, &desc);
}

static uint32_t in_place(const mica_node *node) {
    uint32_t mask = 0;
    for (int i = 0; i < node->n_in; i++)
        if (mica_shape_count(node->in[i]->shape) == mica_shape_count(node->out[0]->shape))
            mask |= 1u << i;
    return mask;
}

/* ---- fusion ---- */

/* The place of a value among the inputs, where it is put if it is new; -1 if they are too many. */
static int input_of(mica_value *value, mica_value **in, int *n_in) {
    int i = 0;
    while (i < *n_in && in[i] != value)
        i++;
    if (i == INPUTS_MOST)
        return -1;
    in[i] = value;
    *n_in += i == *n_in;
    return i;
}

/* Appends a program's steps, with its registers renamed: inputs by the map, results by where they
 * land. */
static void append(elementwise_attrs *to, const elementwise_attrs *from, int own_inputs,
    const int *map, int n_in) {
    int base = n_in + to->n_steps;
    for (int i = 0; i < from->n_steps; i++) {
        elementwise_step step = from->steps[i];
        for (int k = 0; k < 3; k++) {
            int operand = step.operand[k];
            step.operand[k] =
                (uint8_t)(operand < own_inputs ? map[operand] : base + operand - own_inputs);
        }
        to->steps[to->n_steps++] = step;
    }
}

/* A producer that is smaller than the consumer's output is computed again for each element that it
 * stretches to: right for a scalar, and for a broadcast, which computes nothing. */
mica_node *mica_elementwise_absorb(const mica_node *node, const mica_node *consumer, int at) {
    elementwise_attrs first, second, both = {0};
    if (!program_of(node, &first) || !program_of(consumer, &second))
        return NULL;
    const mica_value *between = consumer->in[at];
    mica_shape shape = consumer->out[0]->shape;
    int64_t count = mica_shape_count(between->shape);
    if (first.n_steps && count != 1 && count != mica_shape_count(shape))
        return NULL;
    if (first.n_steps + second.n_steps > STEPS_MOST)
        return NULL;
    mica_value *in[INPUTS_MOST];
    int n_in = 0, first_map[INPUTS_MOST], second_map[INPUTS_MOST];
    for (int i = 0; i < node->n_in; i++) {
        mica_stretch stretch;
        first_map[i] = input_of(node->in[i], in, &n_in);
        if (first_map[i] < 0 || !mica_stretch_of(node->in[i]->shape, shape, &stretch))
            return NULL;
    }
    for (int i = 0; i < consumer->n_in; i++)
        if (consumer->in[i] != between &&
            (second_map[i] = input_of(consumer->in[i], in, &n_in)) < 0)
            return NULL;
    for (int i = 0; i < consumer->n_in; i++)
        if (consumer->in[i] == between)
            second_map[i] = first.n_steps ? n_in + first.n_steps - 1 : first_map[0];
    append(&both, &first, node->n_in, first_map, n_in);
    append(&both, &second, consumer->n_in, second_map, n_in);
    return mica_node_fused(&mica_op_elementwise, &both, in, n_in, consumer);
}

static const elementwise_step *only_step(const mica_node *node) {
    const elementwise_attrs *attrs = node->attrs;
    return node->op == &mica_op_elementwise && attrs->n_steps == 1 ? &attrs->steps[0] : NULL;
}

bool mica_elementwise_is_bias(const mica_node *consumer, int at, mica_value **bias) {
    const elementwise_step *step = only_step(consumer);
    if (!step || step->row != ROW_add || consumer->n_in != 2)
        return false;
    mica_value *other = consumer->in[1 - at];
    mica_shape shape = consumer->out[0]->shape, vector = other->shape;
    if (shape.rank < 1 || vector.rank < 1 ||
        mica_shape_count(consumer->in[at]->shape) != mica_shape_count(shape) ||
        vector.dim[vector.rank - 1] != shape.dim[shape.rank - 1] ||
        mica_shape_count(vector) != shape.dim[shape.rank - 1])
        return false;
    *bias = other;
    return true;
}

int mica_elementwise_unary_row(const mica_node *consumer, int at, float *immediate) {
    const elementwise_step *step = only_step(consumer);
    if (!step || at != 0 || rows[step->row].operands != 1)
        return -1;
    *immediate = step->immediate;
    return step->row;
}

/* ---- record and builders ---- */

const mica_op mica_op_elementwise = {
    .name = "elementwise",
    .attrs_size = sizeof(elementwise_attrs),
    .infer = infer,
    .grad = grad,
    .plan = mica_elementwise_plan,
    .in_place = in_place,
    .absorb = mica_elementwise_absorb,
    .describe = describe,
};

mica_value *mica_add(mica_value *a, mica_value *b) {
    return apply(ROW_add, a, b, 0);
}

mica_value *mica_sub(mica_value *a, mica_value *b) {
    return apply(ROW_sub, a, b, 0);
}

mica_value *mica_mul(mica_value *a, mica_value *b) {
    return apply(ROW_mul, a, b, 0);
}

mica_value *mica_div(mica_value *a, mica_value *b) {
    return apply(ROW_div, a, b, 0);
}

mica_value *mica_scale(mica_value *a, float factor) {
    return apply(ROW_scale, a, NULL, factor);
}

mica_value *mica_square(mica_value *a) {
    return apply(ROW_square, a, NULL, 0);
}

mica_value *mica_sqrt(mica_value *a) {
    return apply(ROW_sqrt, a, NULL, 0);
}

mica_value *mica_neg(mica_value *a) {
    return apply(ROW_neg, a, NULL, 0);
}

mica_value *mica_relu(mica_value *a) {
    return apply(ROW_relu, a, NULL, 0);
}

mica_value *mica_sigmoid(mica_value *a) {
    return apply(ROW_sigmoid, a, NULL, 0);
}

mica_value *mica_tanh(mica_value *a) {
    return apply(ROW_tanh, a, NULL, 0);
}

mica_value *mica_exp(mica_value *a) {
    return apply(ROW_exp, a, NULL, 0);
}

mica_value *mica_log(mica_value *a) {
    return apply(ROW_log, a, NULL, 0);
}

mica_value *mica_div_or_zero(mica_value *a, mica_value *b) {
    return apply(ROW_div_or_zero, a, b, 0);
}

mica_value *mica_bias_add(mica_value *a, mica_value *bias) {
    elementwise_attrs attrs = one_step(ROW_add, 2, 0);
    attrs.bias = true;
    return mica_node_build(&mica_op_elementwise, &attrs, (mica_value *[]){a, bias}, 2);
}

mica_value *mica_sigmoid_cross_entropy(mica_value *logits, mica_value *targets) {
    if (logits && targets && !mica_shape_equal(logits->shape, targets->shape)) {
        char first[96], second[96];
        return mica_graph_failed(mica_value_graph(logits),
            mica_fail(MICA_E_INVALID,
                "sigmoid_cross_entropy: logits of shape %s and targets of shape %s must be alike",
                mica_shape_text(logits->shape, first, sizeof first),
                mica_shape_text(targets->shape, second, sizeof second)));
    }
    return apply(ROW_sigmoid_cross_entropy, logits, targets, 0);
}
