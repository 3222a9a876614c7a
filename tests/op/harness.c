/* Runs cases: builds a case's graph, compiles it in three ways, compares. Knows the public API,
 * nothing of how operators work. */
#include "tests/op/harness.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/philox.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBES_MAX 256
/* Central differences in double: the truncation error is about STEP^2 and the rounding error about
 * 1e-16 / STEP, both far below what float32 results show. */
#define STEP           1e-6
#define SMALL_ELEMENTS 2500

/* An input as the device gets it and as the reference does. */
typedef struct tensor {
    mica_ref ref;
    void *words; /* float or int32_t, as the dtype says */
} tensor;

/* Expected elements of one gradient. */
typedef struct probes {
    int count;
    int64_t at[PROBES_MAX];
    double want[PROBES_MAX];
    double scale;
} probes;

typedef struct run {
    const mica_op_suite *suite;
    const mica_op_case *c;
    mica_device *device;
    mica_rng rng;
    tensor in[MICA_CASE_INPUTS];
    mica_ref want;
    double want_scale;
    double *weight; /* the loss is sum(weight * output) */
    float *weight_words;
    bool once; /* each program runs once */
    bool gradients;
    probes probes[MICA_CASE_INPUTS];
    double forward_error, gradient_error;
    mica_text problem; /* empty while all is well */
} run;

/* A case's graph. With `chained`, inputs and output pass through a scaling by 2. */
typedef struct built {
    mica_graph *graph;
    mica_model *model;
    bool chained;
    mica_value *in[MICA_CASE_INPUTS];
    mica_value *weight;
    mica_value *outputs[1 + MICA_CASE_INPUTS]; /* the result, then the gradients */
    int n_outputs;
    int gradient_of[1 + MICA_CASE_INPUTS]; /* the input's number */
} built;

/* ---- data ---- */

static bool is_differentiated(const mica_case_input *in) {
    return in->dtype == MICA_F32 && !in->fixed;
}

static double uniform(mica_rng *rng, double low, double high) {
    return low + (high - low) * (double)mica_rng_uniform(rng);
}

static void fill_distinct(mica_rng *rng, double low, double high, double *data, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        data[i] = low + (high - low) * (double)i / (double)(count > 1 ? count - 1 : 1);
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = mica_rng_below(rng, (uint32_t)i + 1);
        double swap = data[i];
        data[i] = data[j];
        data[j] = swap;
    }
}

static void fill_one_hot(mica_rng *rng, double *data, int64_t count, int64_t classes) {
    for (int64_t row = 0; row < count / classes; row++)
        data[row * classes + mica_rng_below(rng, (uint32_t)classes)] = 1;
}

static double draw(mica_rng *rng, mica_fill fill, double low, double high) {
    switch (fill) {
    case MICA_FILL_APART: {
        double magnitude = uniform(rng, low, high);
        return mica_rng_below(rng, 2) ? magnitude : -magnitude;
    }
    case MICA_FILL_INTEGER:
        return low + (double)mica_rng_below(rng, (uint32_t)(high - low) + 1);
    case MICA_FILL_NAN:
        return mica_rng_below(rng, 8) == 0 ? NAN : uniform(rng, low, high);
    default:
        return uniform(rng, low, high);
    }
}

static void fill(mica_rng *rng, const mica_case_input *in, double *data, int64_t count) {
    mica_fill kind = in->dtype == MICA_I32 ? MICA_FILL_INTEGER : in->fill;
    bool unset = in->low == 0 && in->high == 0 && kind != MICA_FILL_INTEGER;
    double low = unset ? -1 : in->low, high = unset ? 1 : in->high;
    if (in->values)
        memcpy(data, in->values, (size_t)count * sizeof(double));
    else if (kind == MICA_FILL_DISTINCT)
        fill_distinct(rng, low, high, data, count);
    else if (kind == MICA_FILL_ONE_HOT)
        fill_one_hot(rng, data, count, in->shape.rank ? in->shape.dim[in->shape.rank - 1] : 1);
    else
        for (int64_t i = 0; i < count; i++)
            data[i] = draw(rng, kind, low, high);
}

static mica_status ref_create(mica_shape shape, mica_ref *ref) {
    *ref = (mica_ref){.shape = shape, .count = mica_shape_count(shape)};
    if (ref->count < 0)
        return mica_fail(MICA_E_INVALID, "the case has an input of an impossible shape");
    ref->data = mica_alloc((size_t)ref->count, sizeof(double));
    return ref->data ? MICA_OK : MICA_E_MEMORY;
}

static mica_status make_inputs(run *r) {
    for (int i = 0; i < r->c->n_in; i++) {
        const mica_case_input *in = &r->c->in[i];
        tensor *t = &r->in[i];
        MICA_TRY(ref_create(in->shape, &t->ref));
        fill(&r->rng, in, t->ref.data, t->ref.count);
        t->words = mica_alloc((size_t)t->ref.count, 4);
        if (!t->words)
            return MICA_E_MEMORY;
        for (int64_t k = 0; k < t->ref.count; k++)
            if (in->dtype == MICA_I32) {
                ((int32_t *)t->words)[k] = (int32_t)t->ref.data[k];
            } else {
                ((float *)t->words)[k] = (float)t->ref.data[k];
                t->ref.data[k] = (double)((float *)t->words)[k];
            }
    }
    return MICA_OK;
}

static double root_mean_square(const double *data, int64_t count) {
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(data[i])) {
            sum += data[i] * data[i];
            n++;
        }
    return sum > 0 ? sqrt(sum / (double)n) : 1;
}

/* ---- the reference ---- */

static void reference(const run *r, mica_ref *out) {
    mica_ref in[MICA_CASE_INPUTS];
    for (int i = 0; i < r->c->n_in; i++)
        in[i] = r->in[i].ref;
    memset(out->data, 0, (size_t)out->count * sizeof(double));
    (r->c->reference ? r->c->reference : r->suite->reference)(r->c, in, out);
}

static mica_status make_expected(run *r, const mica_value *value) {
    MICA_TRY(ref_create(r->c->out, &r->want));
    r->want.value = value;
    reference(r, &r->want);
    r->want_scale = r->c->scale > 0 ? r->c->scale : root_mean_square(r->want.data, r->want.count);
    size_t count = (size_t)r->want.count;
    r->weight = mica_alloc(count, sizeof(double));
    r->weight_words = mica_alloc(count, sizeof(float));
    if (!r->weight || !r->weight_words)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        r->weight_words[i] = (float)uniform(&r->rng, -1, 1);
        r->weight[i] = (double)r->weight_words[i];
    }
    return MICA_OK;
}

/* All elements of a small tensor, or random ones. */
static void choose_probes(run *r, int input) {
    probes *p = &r->probes[input];
    int64_t count = r->in[input].ref.count;
    int limit = r->c->probes ? r->c->probes : 48;
    limit = limit < PROBES_MAX ? limit : PROBES_MAX;
    p->count = count < limit ? (int)count : limit;
    for (int i = 0; i < p->count; i++)
        p->at[i] = count <= limit ? i : (int64_t)mica_rng_below(&r->rng, (uint32_t)count);
}

/* The sum of differences rather than the difference of sums, which would lose digits. */
static double central_difference(run *r, double *element, mica_ref *above, mica_ref *below) {
    double x = *element, step = STEP * fmax(1, fabs(x)), sum = 0;
    *element = x + step;
    reference(r, above);
    *element = x - step;
    reference(r, below);
    *element = x;
    for (int64_t i = 0; i < above->count; i++)
        sum += r->weight[i] * (above->data[i] - below->data[i]);
    return sum / (2 * step);
}

static mica_status expect_by_differences(run *r) {
    mica_ref above, below = {0};
    mica_status status = ref_create(r->c->out, &above);
    if (status == MICA_OK)
        status = ref_create(r->c->out, &below);
    above.value = below.value = r->want.value;
    for (int i = 0; status == MICA_OK && i < r->c->n_in; i++)
        if (is_differentiated(&r->c->in[i]))
            for (int k = 0; k < r->probes[i].count; k++)
                r->probes[i].want[k] =
                    central_difference(r, &r->in[i].ref.data[r->probes[i].at[k]], &above, &below);
    free(above.data);
    free(below.data);
    return status;
}

static mica_status expect_by_rule(run *r, mica_case_gradient *gradient) {
    mica_ref in[MICA_CASE_INPUTS], din[MICA_CASE_INPUTS] = {0};
    mica_ref dout = r->want;
    dout.data = r->weight;
    mica_status status = MICA_OK;
    for (int i = 0; status == MICA_OK && i < r->c->n_in; i++) {
        in[i] = r->in[i].ref;
        if (is_differentiated(&r->c->in[i]))
            status = ref_create(in[i].shape, &din[i]);
    }
    if (status == MICA_OK) {
        gradient(r->c, in, &dout, din);
        for (int i = 0; i < r->c->n_in; i++)
            for (int k = 0; din[i].data && k < r->probes[i].count; k++)
                r->probes[i].want[k] = din[i].data[r->probes[i].at[k]];
    }
    for (int i = 0; i < r->c->n_in; i++)
        free(din[i].data);
    return status;
}

static mica_status make_expected_gradients(run *r) {
    for (int i = 0; i < r->c->n_in; i++)
        if (is_differentiated(&r->c->in[i]))
            choose_probes(r, i);
    mica_case_gradient *rule = r->c->gradient ? r->c->gradient : r->suite->gradient;
    MICA_TRY(rule ? expect_by_rule(r, rule) : expect_by_differences(r));
    for (int i = 0; i < r->c->n_in; i++) {
        probes *p = &r->probes[i];
        p->scale =
            r->c->gradient_scale > 0 ? r->c->gradient_scale : root_mean_square(p->want, p->count);
    }
    return MICA_OK;
}

/* ---- graphs ---- */

static mica_value *build_operator(const run *r, mica_graph *graph, mica_value *const *in) {
    return (r->c->build ? r->c->build : r->suite->build)(graph, in, r->c);
}

static mica_value *make_input(const run *r, mica_graph *graph, int i) {
    const mica_case_input *in = &r->c->in[i];
    char name[16];
    snprintf(name, sizeof(name), "in%d", i);
    return is_differentiated(in) ? mica_parameter(graph, name, in->shape, (mica_init){0})
                                 : mica_input(graph, name, in->dtype, in->shape);
}

static mica_status build_gradients(const run *r, built *b) {
    mica_value *wrt[MICA_CASE_INPUTS];
    size_t count = 0;
    for (int i = 0; i < r->c->n_in; i++)
        if (is_differentiated(&r->c->in[i])) {
            b->gradient_of[1 + count] = i;
            wrt[count++] = b->in[i];
        }
    b->weight = mica_input(b->graph, "weight", MICA_F32, r->c->out);
    mica_value *loss = mica_sum(mica_mul(b->outputs[0], b->weight), NULL, 0, false);
    MICA_TRY(mica_graph_status(b->graph));
    MICA_TRY(mica_gradients(loss, wrt, count, &b->outputs[1]));
    b->n_outputs = 1 + (int)count;
    return MICA_OK;
}

static mica_status build(const run *r, built *b) {
    MICA_TRY(mica_graph_create(&b->graph));
    mica_value *in[MICA_CASE_INPUTS];
    for (int i = 0; i < r->c->n_in; i++) {
        b->in[i] = in[i] = make_input(r, b->graph, i);
        if (b->chained && r->c->in[i].dtype == MICA_F32)
            in[i] = mica_scale(in[i], 2);
    }
    mica_value *out = build_operator(r, b->graph, in);
    if (b->chained && out && mica_value_dtype(out) == MICA_F32)
        out = mica_scale(out, 2);
    MICA_TRY(mica_graph_status(b->graph));
    if (!mica_shape_equal(mica_value_shape(out), r->c->out)) {
        char got[96], want[96];
        return mica_fail(MICA_E_INVALID, "the result has shape %s, expected %s",
            mica_shape_text(mica_value_shape(out), got, sizeof(got)),
            mica_shape_text(r->c->out, want, sizeof(want)));
    }
    b->outputs[0] = out;
    b->n_outputs = 1;
    return MICA_OK;
}

static mica_status finish(const run *r, built *b) {
    if (r->gradients)
        MICA_TRY(build_gradients(r, b));
    return mica_model_create(b->graph, r->device, MICA_CASE_SEED, &b->model);
}

static void built_release(built *b) {
    mica_model_destroy(&b->model);
    mica_graph_destroy(&b->graph);
}

/* ---- running ---- */

/* Writes the inputs, divided by what the chain multiplies with; or NaN instead of each float. */
static mica_status write_inputs(const run *r, const built *b, mica_program *program, bool nan) {
    for (int i = 0; i < r->c->n_in; i++) {
        const mica_case_input *in = &r->c->in[i];
        size_t count = (size_t)r->in[i].ref.count;
        float *words = mica_copy(r->in[i].words, count * 4);
        if (!words)
            return MICA_E_MEMORY;
        for (size_t k = 0; in->dtype == MICA_F32 && k < count; k++)
            words[k] = nan ? NAN : b->chained ? words[k] / 2 : words[k];
        mica_status status = is_differentiated(in)
                                 ? mica_model_write(b->model, b->in[i], words, count)
                                 : mica_program_write(program, b->in[i], words, count * 4);
        free(words);
        MICA_TRY(status);
    }
    if (b->weight)
        MICA_TRY(mica_program_write(
            program, b->weight, r->weight_words, (size_t)r->want.count * sizeof(float)));
    return MICA_OK;
}

static mica_status check_parameters(const run *r, const built *b) {
    for (int i = 0; i < r->c->n_in; i++) {
        if (!is_differentiated(&r->c->in[i]))
            continue;
        size_t count = (size_t)r->in[i].ref.count;
        float *words = mica_alloc(count, 4);
        if (!words)
            return MICA_E_MEMORY;
        mica_status status = mica_model_read(b->model, b->in[i], words, count);
        for (size_t k = 0; status == MICA_OK && k < count; k++) {
            float want = ((const float *)r->in[i].words)[k] / (b->chained ? 2 : 1);
            if (memcmp(&words[k], &want, 4) != 0 && !(isnan(words[k]) && isnan(want)))
                status = mica_fail(MICA_E_NUMERIC,
                    "element %zu of parameter %d changed from %.9g to %.9g", k, i, (double)want,
                    (double)words[k]);
        }
        free(words);
        MICA_TRY(status);
    }
    return MICA_OK;
}

/* The element that is furthest off. */
typedef struct worst {
    double error, got, want;
    int64_t at;
} worst;

static void worst_add(worst *w, double got, double want, double scale, int64_t at) {
    double error = fabs(got - want) / fmax(fabs(want), scale);
    if (isnan(want) || isinf(want))
        error = (isnan(want) && isnan(got)) || got == want ? 0 : INFINITY;
    else if (!isfinite(got))
        error = INFINITY;
    if (error > w->error || w->at < 0)
        *w = (worst){error, got, want, at};
}

/* Keeps the error in *overall; fails where it is above the tolerance. */
static mica_status worst_judge(
    const worst *w, double tolerance, double otherwise, double *overall, const char *what) {
    double limit = tolerance > 0 ? tolerance : tolerance < 0 ? 0 : otherwise;
    *overall = fmax(*overall, w->error);
    if (w->error <= limit)
        return MICA_OK;
    return mica_fail(MICA_E_NUMERIC,
        "%s: element %lld is %.9g, expected %.9g (error %.2g, limit %.2g)", what, (long long)w->at,
        w->got, w->want, w->error, limit);
}

static mica_status check_result(run *r, const built *b, const void *words) {
    bool integer = mica_value_dtype(b->outputs[0]) == MICA_I32;
    worst w = {.at = -1};
    for (int64_t i = 0; i < r->want.count; i++) {
        double got = integer ? (double)((const int32_t *)words)[i]
                             : (double)((const float *)words)[i] / (b->chained ? 2 : 1);
        worst_add(&w, got, r->want.data[i], r->want_scale, i);
    }
    return worst_judge(&w, r->c->tolerance, 1e-5, &r->forward_error, "result");
}

static mica_status check_gradient(run *r, const built *b, int input, const float *words) {
    const probes *p = &r->probes[input];
    worst w = {.at = -1};
    for (int k = 0; k < p->count; k++) {
        double got = (double)words[p->at[k]] / (b->chained ? 4 : 1);
        worst_add(&w, got, p->want[k], p->scale, p->at[k]);
    }
    char what[40];
    snprintf(what, sizeof(what), "gradient of input %d", input);
    return worst_judge(&w, r->c->gradient_tolerance, 1e-4, &r->gradient_error, what);
}

static size_t output_size(const built *b, int i) {
    return (size_t)mica_shape_count(mica_value_shape(b->outputs[i])) * 4;
}

/* Runs the program and reads all outputs, one behind the other. */
static mica_status run_and_read(const built *b, mica_program *program, char *words) {
    MICA_TRY(mica_program_run(program));
    for (int i = 0; i < b->n_outputs; words += output_size(b, i++))
        MICA_TRY(mica_program_read(program, b->outputs[i], words, output_size(b, i)));
    return MICA_OK;
}

/* Checks the outputs, which must have the same bits after another run; both arrays take all. */
static mica_status check_outputs(
    run *r, const built *b, mica_program *program, char *words, char *again) {
    bool twice = !r->once && !r->c->training;
    MICA_TRY(run_and_read(b, program, words));
    if (twice)
        MICA_TRY(run_and_read(b, program, again));
    size_t at = 0;
    for (int i = 0; i < b->n_outputs; at += output_size(b, i++)) {
        if (twice && memcmp(words + at, again + at, output_size(b, i)) != 0)
            return mica_fail(MICA_E_NUMERIC, "%s differs from one run to the next",
                i == 0 ? "the result" : "a gradient");
        const void *output = words + at;
        MICA_TRY(
            i == 0 ? check_result(r, b, output) : check_gradient(r, b, b->gradient_of[i], output));
    }
    return MICA_OK;
}

static mica_status check_program(run *r, const built *b, mica_program *program) {
    if (!r->once) {
        MICA_TRY(write_inputs(r, b, program, true));
        MICA_TRY(mica_program_run(program));
    }
    MICA_TRY(write_inputs(r, b, program, false));
    size_t size = 0;
    for (int i = 0; i < b->n_outputs; i++)
        size += output_size(b, i);
    char *words = mica_alloc(size, 1), *again = mica_alloc(size, 1);
    mica_status status = words && again ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = check_outputs(r, b, program, words, again);
    free(words);
    free(again);
    return status == MICA_OK ? check_parameters(r, b) : status;
}

/* The kernels of a program that failed, without their constants: where to look. */
static void add_kernels(run *r, mica_program *program) {
    mica_program_report report;
    if (mica_program_get_report(program, &report) != MICA_OK)
        return;
    for (size_t i = 0; i < report.n_rows; i++) {
        const char *kernel = report.rows[i].kernel;
        mica_text_add(
            &r->problem, "%s%.*s", i ? ", " : "; kernels: ", (int)strcspn(kernel, " ["), kernel);
    }
}

static bool is_fatal(mica_status status) {
    return status == MICA_E_LOST || status == MICA_E_MEMORY;
}

/* Compiles and runs what was built; a failure is noted in r->problem. */
static mica_status run_program(run *r, const built *b, const char *variant, bool keep_all) {
    mica_program_options options = {.training = r->c->training,
        .outputs = b->outputs,
        .n_outputs = (size_t)b->n_outputs,
        .keep_all = keep_all};
    mica_program *program = NULL;
    mica_status status = mica_program_create(b->model, &options, &program);
    if (status == MICA_OK)
        status = check_program(r, b, program);
    if (status != MICA_OK) {
        mica_text_add(
            &r->problem, "%s%s: %s", r->problem.size ? "; " : "", variant, mica_last_error());
        if (program)
            add_kernels(r, program);
    }
    mica_program_destroy(&program);
    return is_fatal(status) ? status : MICA_OK;
}

/* A failure to build is noted too. */
static mica_status note(run *r, mica_status status) {
    if (status != MICA_OK)
        mica_text_add(&r->problem, "building: %s", mica_last_error());
    return is_fatal(status) ? status : MICA_OK;
}

static mica_status run_plain(run *r) {
    built b = {0};
    mica_status status = make_inputs(r);
    if (status == MICA_OK)
        status = build(r, &b);
    if (status == MICA_OK)
        status = make_expected(r, b.outputs[0]);
    if (status == MICA_OK) {
        r->gradients = !r->c->no_gradient && !r->suite->no_gradient &&
                       mica_value_dtype(b.outputs[0]) == MICA_F32;
        if (r->gradients)
            status = make_expected_gradients(r);
    }
    if (status == MICA_OK)
        status = finish(r, &b);
    status = note(r, status);
    if (status == MICA_OK && !r->problem.size)
        status = run_program(r, &b, "kept", true);
    if (status == MICA_OK && b.model)
        status = run_program(r, &b, "planned", false);
    built_release(&b);
    return status;
}

static mica_status run_chained(run *r) {
    built b = {.chained = true};
    mica_status status = build(r, &b);
    if (status == MICA_OK)
        status = finish(r, &b);
    status = note(r, status);
    if (status == MICA_OK && b.model)
        status = run_program(r, &b, "chained", false);
    built_release(&b);
    return status;
}

static void run_release(run *r) {
    for (int i = 0; i < MICA_CASE_INPUTS; i++) {
        free(r->in[i].ref.data);
        free(r->in[i].words);
    }
    free(r->want.data);
    free(r->weight);
    free(r->weight_words);
    free(r->problem.data);
}

/* ---- refusals ---- */

static mica_status check_refusal(run *r) {
    built b = {0};
    mica_status status = build(r, &b);
    if (is_fatal(status) && r->c->refused != status) {
        built_release(&b);
        return status;
    }
    if (status != r->c->refused)
        mica_text_add(&r->problem, "expected the status '%s', came '%s'%s%s",
            mica_status_name(r->c->refused), mica_status_name(status),
            status == MICA_OK ? "" : ": ", status == MICA_OK ? "" : mica_last_error());
    for (int i = 0; i < 4 && r->c->words[i] && !r->problem.size; i++)
        if (!strstr(mica_last_error(), r->c->words[i]))
            mica_text_add(
                &r->problem, "the message lacks '%s': %s", r->c->words[i], mica_last_error());
    built_release(&b);
    return MICA_OK;
}

/* ---- suites ---- */

static bool is_small(const mica_op_case *c) {
    int64_t elements = mica_shape_count(c->out);
    for (int i = 0; i < c->n_in; i++)
        elements += mica_shape_count(c->in[i].shape);
    return elements <= SMALL_ELEMENTS;
}

static mica_status run_case(const mica_op_suite *suite, const mica_op_case *c, mica_device *device,
    const mica_suite_options *options, mica_suite_result *result) {
    uint64_t seed = mica_hash_text(mica_hash_text(MICA_HASH_START, suite->name), c->name);
    run r = {
        .suite = suite, .c = c, .device = device, .rng = {.seed = seed}, .once = options->small};
    mica_status status;
    if (c->refused != MICA_OK) {
        status = check_refusal(&r);
    } else {
        status = run_plain(&r);
        if (status == MICA_OK && !r.problem.size && !c->alone)
            status = run_chained(&r);
    }
    result->cases++;
    result->forward_error = fmax(result->forward_error, r.forward_error);
    result->gradient_error = fmax(result->gradient_error, r.gradient_error);
    if (r.problem.size || r.problem.failed) {
        result->failed++;
        if (options->failed)
            options->failed(options->user, suite->name, c->name,
                r.problem.size ? r.problem.data : "out of memory");
    }
    run_release(&r);
    return status;
}

mica_status mica_suite_run(const mica_op_suite *suite, mica_device *device,
    const mica_suite_options *options, mica_suite_result *result) {
    mica_suite_result total = {0};
    for (int i = 0; i < suite->n_cases; i++) {
        const mica_op_case *c = &suite->cases[i];
        if (options->small && !is_small(c))
            continue;
        mica_status status = run_case(suite, c, device, options, &total);
        if (status != MICA_OK)
            return mica_fail_in(status, "%s, case %s", suite->name, c->name);
    }
    *result = total;
    return MICA_OK;
}
