/* Elementwise functions: a node of the graph is a few steps, each a function of the table, and each
 * becomes one node of the file or a few. */
#include "onnx/export.h"
#include "op/elementwise_program.h"

#include <string.h>

/* What a function is in ONNX. */
typedef struct function {
    const char *op;
    const char *attribute; /* that the step's number becomes */
    bool number;           /* or it becomes the second input */
} function;

static const function functions[ROWS] = {
    [ROW_add] = {"Add", NULL, false},
    [ROW_sub] = {"Sub", NULL, false},
    [ROW_mul] = {"Mul", NULL, false},
    [ROW_div] = {"Div", NULL, false},
    [ROW_scale] = {"Mul", NULL, true},
    [ROW_neg] = {"Neg", NULL, false},
    [ROW_sqrt] = {"Sqrt", NULL, false},
    [ROW_relu] = {"Relu", NULL, false},
    [ROW_sigmoid] = {"Sigmoid", NULL, false},
    [ROW_tanh] = {"Tanh", NULL, false},
    [ROW_exp] = {"Exp", NULL, false},
    [ROW_log] = {"Log", NULL, false},
    [ROW_abs] = {"Abs", NULL, false},
    [ROW_shift] = {"Add", NULL, true},
    [ROW_pow] = {"Pow", NULL, true},
    [ROW_minimum] = {"Min", NULL, false},
    [ROW_maximum] = {"Max", NULL, false},
    [ROW_at_least] = {"Max", NULL, true},
    [ROW_at_most] = {"Min", NULL, true},
    [ROW_leaky_relu] = {"LeakyRelu", "alpha", false},
    [ROW_elu] = {"Elu", "alpha", false},
    [ROW_erf] = {"Erf", NULL, false},
    [ROW_softplus] = {"Softplus", NULL, false},
    [ROW_hard_sigmoid] = {"HardSigmoid", "alpha", false}, /* beta is 1/2, as the row's */
    [ROW_hard_swish] = {"HardSwish", NULL, false},
};

/* The names of a node's inputs in one order. With channels first, what aligns at the last dimension
 * is brought in front of height and width. */
static const char *operand(mica_onnx_writer *w, mica_value *value, bool first) {
    static const int as_it_is[] = {0, 1, 2};
    if (!first || value->shape.rank == 0)
        return mica_onnx_own(w, value);
    if (value->shape.rank == 4)
        return mica_onnx_first(w, value);
    return mica_onnx_stored(w, value, 3, (int64_t[]){value->shape.dim[0], 1, 1}, as_it_is, 0, NULL);
}

/* Whether the node is written with channels first: one of its inputs is there in that order alone,
 * and the others can be brought to it. */
static bool is_first(const mica_onnx_writer *w, const mica_node *node) {
    bool any = false;
    for (int i = 0; i < node->n_in; i++) {
        mica_value *value = node->in[i];
        any = any || mica_onnx_only_first(w, value);
        if (value->shape.rank == 4 || value->shape.rank == 0)
            continue;
        if (value->shape.rank != 1 || !mica_onnx_is_source(value))
            return false;
    }
    return any && node->out[0]->shape.rank == 4;
}

/* x Phi(x) = x/2 (1 + erf(x / sqrt(2))) */
static void gelu_put(mica_onnx_writer *w, const mica_value *y, const char *x, const char *output) {
    const char *scaled = mica_onnx_between(w, y), *erf = mica_onnx_between(w, y);
    const char *shifted = mica_onnx_between(w, y), *half = mica_onnx_between(w, y);
    mica_onnx_put(w, "Mul", scaled, MICA_ONNX_IN(x, mica_onnx_number_stored(w, y, 0.70710678f)));
    mica_onnx_put(w, "Erf", erf, MICA_ONNX_IN(scaled));
    mica_onnx_put(w, "Add", shifted, MICA_ONNX_IN(erf, mica_onnx_number_stored(w, y, 1)));
    mica_onnx_put(w, "Mul", half, MICA_ONNX_IN(x, mica_onnx_number_stored(w, y, 0.5f)));
    mica_onnx_put(w, "Mul", output, MICA_ONNX_IN(half, shifted));
}

static void step_put(mica_onnx_writer *w, const mica_value *y, const mica_elementwise_step *step,
    const char *const *registers, const char *output) {
    const char *a = registers[step->operand[0]], *b = registers[step->operand[1]];
    const function *f = &functions[step->row];
    if (step->row == ROW_gelu) {
        gelu_put(w, y, a, output);
    } else if (step->row == ROW_square) {
        mica_onnx_put(w, "Mul", output, MICA_ONNX_IN(a, a));
    } else if (step->row == ROW_silu) {
        const char *sigmoid = mica_onnx_between(w, y);
        mica_onnx_put(w, "Sigmoid", sigmoid, MICA_ONNX_IN(a));
        mica_onnx_put(w, "Mul", output, MICA_ONNX_IN(a, sigmoid));
    } else if (mica_elementwise_operands(step->row) == 2) {
        mica_onnx_put(w, f->op, output, MICA_ONNX_IN(a, b));
    } else if (f->number) {
        b = mica_onnx_number_stored(w, y, step->immediate);
        mica_onnx_put(w, f->op, output, MICA_ONNX_IN(a, b));
    } else {
        mica_onnx_pb_node *node = mica_onnx_put(w, f->op, output, MICA_ONNX_IN(a));
        if (f->attribute)
            mica_onnx_put_float(w, node, f->attribute, step->immediate);
    }
}

void mica_onnx_write_elementwise(mica_onnx_writer *w, const mica_node *node) {
    const mica_elementwise_attrs *attrs = node->attrs;
    const mica_value *y = node->out[0];
    if (attrs->bias && mica_onnx_take_bias(w, node->in[0], node->in[1], y))
        return;
    for (int i = 0; i < attrs->n_steps; i++) {
        const uint8_t row = attrs->steps[i].row;
        if (!functions[row].op && row != ROW_gelu && row != ROW_square && row != ROW_silu) {
            mica_onnx_cannot(
                w, node, "ONNX has no operator for %s", mica_elementwise_row_name(row));
            return;
        }
    }
    const char *registers[MICA_ELEMENTWISE_INPUTS + MICA_ELEMENTWISE_STEPS] = {""};
    const bool first = is_first(w, node);
    for (int i = 0; i < node->n_in; i++)
        registers[i] = operand(w, node->in[i], first);
    for (int i = 0; i < attrs->n_steps; i++) {
        const char *output =
            i == attrs->n_steps - 1 ? mica_onnx_gives(w, y, first) : mica_onnx_between(w, y);
        step_put(w, y, &attrs->steps[i], registers, output);
        registers[node->n_in + i] = output;
    }
}
