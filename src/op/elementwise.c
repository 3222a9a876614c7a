/* elementwise: y[i] = f(a[i], b[i], ...), where inputs stretch to y's shape by NumPy's rule.
 *
 * A node holds a small program: each step applies a row of cl/elementwise_table.h to registers, the
 * inputs' or earlier steps'. Fusion joins the programs of neighbours, so that a chain reads its
 * inputs once, writes its result once and keeps nothing between. Knows no single function: the
 * builders and gradients are in elementwise_functions.c. */
#include "op/elementwise_program.h"

#include "base/error.h"
#include "op/broadcast.h"
#include "op/linear.h"

#include <stdio.h>

#define INPUTS_MOST MICA_ELEMENTWISE_INPUTS
#define STEPS_MOST  MICA_ELEMENTWISE_STEPS

static const struct {
    const char *name;
    int operands;
} rows[] = {
#define ROW(number, name, operands, formula) [number] = {#name, operands},
    MICA_ELEMENTWISE_ROWS(ROW)
#undef ROW
};

int mica_elementwise_operands(int row) {
    return rows[row].operands;
}

/* A broadcast is the program without steps. False for other operators. */
static bool program_of(const mica_node *node, mica_elementwise_attrs *out) {
    if (node->op == &mica_op_broadcast)
        *out = (mica_elementwise_attrs){0};
    else if (node->op == &mica_op_elementwise)
        *out = *(const mica_elementwise_attrs *)node->attrs;
    else
        return false;
    return true;
}

const char *mica_elementwise_row_name(int row) {
    return row >= 0 && row < ROWS ? rows[row].name : NULL;
}

static const char *describe(const mica_node *node, char *text, size_t size) {
    const mica_elementwise_attrs *attrs = node->attrs;
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < attrs->n_steps && used < size; i++)
        used += (size_t)snprintf(
            text + used, size - used, "%s%s", i ? "+" : "", rows[attrs->steps[i].row].name);
    return attrs->n_steps ? text : "broadcast";
}

/* ---- infer ---- */

static mica_status infer(mica_node *node) {
    const mica_elementwise_attrs *attrs = node->attrs;
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

/* The kernel for programs of so many inputs and at most 1, 2, 4 or 8 steps: compilers of shaders
 * take long over steps, also over those that are not used. */
static const char *entry_of(int n_in, int n_steps, int32_t *steps_most) {
#define ENTRIES(inputs)                                                                            \
    {                                                                                              \
        "elementwise_fwd_" #inputs "x1", "elementwise_fwd_" #inputs "x2",                          \
            "elementwise_fwd_" #inputs "x4", "elementwise_fwd_" #inputs "x8"                       \
    }
    static const char *const entries[INPUTS_MOST][4] = {
        ENTRIES(1), ENTRIES(2), ENTRIES(3), ENTRIES(4), ENTRIES(5), ENTRIES(6)};
    int log2 = 0;
    while (1 << log2 < n_steps)
        log2++;
    *steps_most = 1 << log2;
    return entries[n_in - 1][log2];
}

mica_status mica_elementwise_plan(const mica_node *node, mica_plan *plan) {
    static const char *const step_names[] = {
        "STEP0", "STEP1", "STEP2", "STEP3", "STEP4", "STEP5", "STEP6", "STEP7"};
    const mica_traits *traits = mica_plan_traits(plan);
    uint32_t width = traits->vector_width;
    mica_shape shape = node->out[0]->shape;
    int64_t whole = mica_shape_count(shape);
    mica_elementwise_attrs program;
    if (!program_of(node, &program))
        return mica_fail(MICA_E_INVALID, "%s has no elementwise program", node->op->name);
    int32_t steps_most;
    const char *entry = entry_of(node->n_in, program.n_steps, &steps_most);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "elementwise", .entry = entry},
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
        const mica_elementwise_step *step = &program.steps[i];
        mica_constant_set(&desc.kernel, step_names[i],
            step->row | step->operand[0] << 8 | step->operand[1] << 16 | step->operand[2] << 24);
        params.k[i] = step->immediate;
    }
    mica_constant_set(&desc.kernel, "STEPS_MOST", steps_most);
    params.per_group =
        mica_linear_map(traits, (uint64_t)whole, width, (uint32_t)node->n_in + 1, 1, &desc);
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
static void append(mica_elementwise_attrs *to, const mica_elementwise_attrs *from, int own_inputs,
    const int *map, int n_in) {
    int base = n_in + to->n_steps;
    for (int i = 0; i < from->n_steps; i++) {
        mica_elementwise_step step = from->steps[i];
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
    mica_elementwise_attrs first, second, both = {0};
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

static const mica_elementwise_step *only_step(const mica_node *node) {
    const mica_elementwise_attrs *attrs = node->attrs;
    return node->op == &mica_op_elementwise && attrs->n_steps == 1 ? &attrs->steps[0] : NULL;
}

bool mica_elementwise_is_bias(const mica_node *consumer, int at, mica_value **bias) {
    const mica_elementwise_step *step = only_step(consumer);
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
    const mica_elementwise_step *step = only_step(consumer);
    if (!step || at != 0 || rows[step->row].operands != 1)
        return -1;
    *immediate = step->immediate;
    return step->row;
}

/* ---- record ---- */

const mica_op mica_op_elementwise = {
    .name = "elementwise",
    .attrs_size = sizeof(mica_elementwise_attrs),
    .infer = infer,
    .grad = mica_elementwise_grad,
    .plan = mica_elementwise_plan,
    .in_place = in_place,
    .absorb = mica_elementwise_absorb,
    .describe = describe,
};
