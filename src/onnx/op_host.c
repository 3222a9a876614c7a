/* Work on known numbers: what exporters compute with shapes. Elementwise operators with
 * broadcasting, of which some are there on the host only, and reading with steps. */
#include "onnx/build.h"

#include <math.h>

bool mica_onnx_broadcast(
    int rank_a, const int64_t *a, int rank_b, const int64_t *b, int *rank, int64_t *dim) {
    *rank = rank_a > rank_b ? rank_a : rank_b;
    for (int i = 1; i <= *rank; i++) {
        int64_t x = i <= rank_a ? a[rank_a - i] : 1, y = i <= rank_b ? b[rank_b - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        dim[*rank - i] = x == 1 ? y : x;
    }
    return true;
}

void mica_onnx_steps(int rank, const int64_t *dim, int64_t *step) {
    int64_t size = 1;
    for (int i = rank; i-- > 0; size *= dim[i])
        step[i] = size;
}

/* The steps of a value that is stretched to a shape. */
static void stretched_steps(const mica_onnx_value *value, int rank, int64_t *step) {
    int64_t own[MICA_ONNX_MAX_RANK];
    mica_onnx_steps(value->rank, value->dim, own);
    for (int i = 0; i < rank; i++) {
        int from = i - (rank - value->rank);
        step[i] = from < 0 || value->dim[from] == 1 ? 0 : own[from];
    }
}

/* The place of element n of a shape under steps. */
static int64_t place_of(int64_t n, int rank, const int64_t *dim, const int64_t *step) {
    int64_t at = 0;
    for (int i = rank; i-- > 0; n /= dim[i])
        at += n % dim[i] * step[i];
    return at;
}

static double real_at(const mica_onnx_value *value, int64_t at) {
    return value->real ? value->real[at] : (double)value->whole[at];
}

mica_status mica_onnx_fold_strided(mica_onnx_call *call, int index, mica_onnx_value *value,
    int rank, const int64_t *dim, int64_t offset, const int64_t *step) {
    if (mica_onnx_know(call, value) != MICA_OK)
        return call->status;
    mica_onnx_value *out = mica_onnx_give_known(call, index, value->type, rank, dim);
    if (!out)
        return call->status;
    for (int64_t n = 0; n < mica_onnx_value_count(out); n++) {
        int64_t from = offset + place_of(n, rank, dim, step);
        if (out->real)
            out->real[n] = value->real[from];
        else
            out->whole[n] = value->whole[from];
    }
    return MICA_OK;
}

/* A function of two operands. */
typedef struct function {
    double (*real)(double a, double b);
    bool (*whole)(int64_t a, int64_t b, int64_t *result);
    bool test; /* compares: `whole`, on reals by their order, gives a bool */
} function;

/* out = f(a, b), element by element; NULL for b: 0. */
static mica_status apply(mica_onnx_call *call, const function *f, const mica_onnx_value *a,
    const mica_onnx_value *b, mica_onnx_value *out) {
    int64_t steps[2][MICA_ONNX_MAX_RANK] = {{0}};
    stretched_steps(a, out->rank, steps[0]);
    if (b)
        stretched_steps(b, out->rank, steps[1]);
    if (!mica_onnx_work(call, mica_onnx_value_count(out)))
        return call->status;
    bool whole = a->whole && (!b || b->whole);
    if (whole ? !f->whole : !f->real && !f->test)
        return mica_onnx_refuse(
            call, "it is not worked out for numbers of type %s", mica_onnx_type_name(a->type));
    for (int64_t n = 0; n < mica_onnx_value_count(out); n++) {
        int64_t i = place_of(n, out->rank, out->dim, steps[0]), y = 0;
        int64_t k = b ? place_of(n, out->rank, out->dim, steps[1]) : 0;
        bool good = true;
        double real = 0;
        if (whole) {
            good = f->whole(a->whole[i], b ? b->whole[k] : 0, &y);
        } else if (f->test) { /* -1, 0 or 1 beside 0 compare as the reals do */
            double difference = real_at(a, i) - (b ? real_at(b, k) : 0);
            good = f->whole((difference > 0) - (difference < 0), 0, &y) && !isnan(difference);
        } else {
            real = f->real(real_at(a, i), b ? real_at(b, k) : 0);
        }
        if (!good)
            return mica_onnx_refuse(call, "it has no result for the given numbers");
        if (out->real)
            out->real[n] = out->type == MICA_ONNX_FLOAT ? (double)(float)real : real;
        else if (whole || f->test)
            out->whole[n] = out->type == MICA_ONNX_INT32 ? (int32_t)y : y;
        else
            out->whole[n] = mica_onnx_truncated(real);
    }
    return MICA_OK;
}

/* f over all inputs, from the first to the last. */
static mica_status fold_with(mica_onnx_call *call, const function *f) {
    mica_onnx_value *first = mica_onnx_in(call, 0), all = *first;
    int count = mica_onnx_in_count(call);
    for (int i = 0; i < count; i++) {
        mica_onnx_value *value = mica_onnx_in(call, i);
        if (!value)
            return mica_onnx_refuse(call, "input %d is missing", i + 1);
        if (mica_onnx_know(call, value) != MICA_OK)
            return call->status;
        if (!mica_onnx_broadcast(all.rank, all.dim, value->rank, value->dim, &all.rank, all.dim))
            return mica_onnx_refuse(call, "the shapes of its inputs do not fit each other");
    }
    int type = f->test ? MICA_ONNX_BOOL : first->type;
    if (type != MICA_ONNX_FLOAT && type != MICA_ONNX_DOUBLE && type != MICA_ONNX_INT32 &&
        type != MICA_ONNX_INT64 && type != MICA_ONNX_BOOL)
        return mica_onnx_refuse(
            call, "it is not worked out for numbers of type %s", mica_onnx_type_name(type));
    mica_onnx_value *out = mica_onnx_give_known(call, 0, type, all.rank, all.dim);
    if (!out)
        return call->status;
    mica_status status = apply(call, f, first, count > 1 ? mica_onnx_in(call, 1) : NULL, out);
    for (int i = 2; i < count && status == MICA_OK; i++)
        status = apply(call, f, out, mica_onnx_in(call, i), out);
    return status;
}

mica_status mica_onnx_fold_elementwise(mica_onnx_call *call) {
    if (call->opset < 7) { /* the shapes themselves say what these do, or do not fit */
        mica_onnx_int(call, "broadcast", 0);
        if (mica_onnx_has(call, "axis"))
            return mica_onnx_refuse(call, "it has an axis and known operands");
    }
    function f = {call->op->real, call->op->whole, call->op->test};
    return fold_with(call, &f);
}

/* ---- operators that are on the host only ---- */

static bool is_equal(int64_t a, int64_t b, int64_t *y) {
    *y = a == b;
    return true;
}
static bool is_less(int64_t a, int64_t b, int64_t *y) {
    *y = a < b;
    return true;
}
static bool is_greater(int64_t a, int64_t b, int64_t *y) {
    *y = a > b;
    return true;
}
static bool is_at_most(int64_t a, int64_t b, int64_t *y) {
    *y = a <= b;
    return true;
}
static bool is_at_least(int64_t a, int64_t b, int64_t *y) {
    *y = a >= b;
    return true;
}
static bool both(int64_t a, int64_t b, int64_t *y) {
    *y = a && b;
    return true;
}
static bool either(int64_t a, int64_t b, int64_t *y) {
    *y = a || b;
    return true;
}
static bool one_only(int64_t a, int64_t b, int64_t *y) {
    *y = !a != !b;
    return true;
}
static bool not(int64_t a, int64_t b, int64_t *y) {
    (void)b;
    *y = !a;
    return true;
}
static double sign_real(double a, double b) {
    (void)b;
    return (a > 0) - (a < 0);
}
static bool sign_whole(int64_t a, int64_t b, int64_t *y) {
    (void)b;
    *y = (a > 0) - (a < 0);
    return true;
}

/* Functions of one number as tables have them. */
#define REAL(name, function)                                                                       \
    static double real_##name(double a, double b) {                                                \
        (void)b;                                                                                   \
        return function(a);                                                                        \
    }
REAL(floor, floor)
REAL(ceil, ceil)
REAL(round, nearbyint)
REAL(sin, sin)
REAL(cos, cos)
REAL(tan, tan)
REAL(asin, asin)
REAL(acos, acos)
REAL(atan, atan)
REAL(sinh, sinh)
REAL(cosh, cosh)
REAL(asinh, asinh)
REAL(acosh, acosh)
REAL(atanh, atanh)

/* The sign of the dividend with `fmod`, that of the divisor without. */
static bool remainder_c(int64_t a, int64_t b, int64_t *y) {
    *y = b == 0 || b == -1 ? 0 : a % b;
    return b != 0;
}
static bool remainder_python(int64_t a, int64_t b, int64_t *y) {
    bool good = remainder_c(a, b, y);
    if (*y && (*y < 0) != (b < 0))
        *y += b;
    return good;
}
static mica_status fold_mod(mica_onnx_call *call) {
    bool c = mica_onnx_int(call, "fmod", 0) != 0;
    function f = {c ? fmod : NULL, c ? remainder_c : remainder_python, false};
    return fold_with(call, &f);
}

static mica_status fold_where(mica_onnx_call *call) {
    mica_onnx_value *in[3];
    int rank = 0;
    int64_t dim[MICA_ONNX_MAX_RANK], steps[3][MICA_ONNX_MAX_RANK];
    for (int i = 0; i < 3; i++) {
        in[i] = mica_onnx_in(call, i);
        if (mica_onnx_know(call, in[i]) != MICA_OK)
            return call->status;
        if (!mica_onnx_broadcast(rank, dim, in[i]->rank, in[i]->dim, &rank, dim))
            return mica_onnx_refuse(call, "the shapes of its inputs do not fit each other");
    }
    if (!in[0]->whole || !in[1]->real != !in[2]->real)
        return mica_onnx_refuse(call, "its inputs are of types that do not fit");
    mica_onnx_value *out = mica_onnx_give_known(call, 0, in[1]->type, rank, dim);
    if (!out)
        return call->status;
    for (int i = 0; i < 3; i++)
        stretched_steps(in[i], rank, steps[i]);
    for (int64_t n = 0; n < mica_onnx_value_count(out); n++) {
        int which = in[0]->whole[place_of(n, rank, dim, steps[0])] ? 1 : 2;
        int64_t from = place_of(n, rank, dim, steps[which]);
        if (out->real)
            out->real[n] = in[which]->real[from];
        else
            out->whole[n] = in[which]->whole[from];
    }
    return MICA_OK;
}

#define FOLD .fold = mica_onnx_fold_elementwise

const mica_onnx_operator mica_onnx_host_operators[] = {
    {"Equal", FOLD, .whole = is_equal, .test = true, .least_in = 2},
    {"Less", FOLD, .whole = is_less, .test = true, .least_in = 2},
    {"Greater", FOLD, .whole = is_greater, .test = true, .least_in = 2},
    {"LessOrEqual", FOLD, .whole = is_at_most, .test = true, .least_in = 2},
    {"GreaterOrEqual", FOLD, .whole = is_at_least, .test = true, .least_in = 2},
    {"And", FOLD, .whole = both, .test = true, .least_in = 2},
    {"Or", FOLD, .whole = either, .test = true, .least_in = 2},
    {"Xor", FOLD, .whole = one_only, .test = true, .least_in = 2},
    {"Not", FOLD, .whole = not, .test = true, .least_in = 1, .since = 1},
    {"Floor", FOLD, .real = real_floor, .least_in = 1},
    {"Ceil", FOLD, .real = real_ceil, .least_in = 1},
    {"Round", FOLD, .real = real_round, .least_in = 1, .since = 11},
    {"Sign", FOLD, .real = sign_real, .whole = sign_whole, .least_in = 1, .since = 9},
    {"Sin", FOLD, .real = real_sin, .least_in = 1},
    {"Cos", FOLD, .real = real_cos, .least_in = 1},
    {"Tan", FOLD, .real = real_tan, .least_in = 1},
    {"Asin", FOLD, .real = real_asin, .least_in = 1},
    {"Acos", FOLD, .real = real_acos, .least_in = 1},
    {"Atan", FOLD, .real = real_atan, .least_in = 1},
    {"Sinh", FOLD, .real = real_sinh, .least_in = 1},
    {"Cosh", FOLD, .real = real_cosh, .least_in = 1},
    {"Asinh", FOLD, .real = real_asinh, .least_in = 1},
    {"Acosh", FOLD, .real = real_acosh, .least_in = 1},
    {"Atanh", FOLD, .real = real_atanh, .least_in = 1},
    {"Mod", .fold = fold_mod, .least_in = 2, .since = 10},
    {"Where", .fold = fold_where, .least_in = 3, .since = 9},
    {0},
};
