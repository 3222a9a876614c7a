/* The operator tests: tables of cases, and what runs them on a device. Part of the program, so that
 * `mica check` can tell on any machine whether a driver computes what it should.
 *
 * For every case the device's results are compared with a double-precision reference, and its
 * gradients with central differences of that reference. Each case runs as three programs: with
 * every value kept; planned (fused, in place, memory reused); and planned with an exact scaling by
 * 2 before and behind the operator, so that it is tried with neighbours that it may fuse with or
 * overwrite. Before the run that counts, each program runs once on NaN, so that nothing stale
 * passes; behind it, it runs again and must give the same bits, and leave its parameters alone.
 *
 * An operator's file defines `const mica_op_suite mica_suite_<name>` and its name is one word in
 * tests/op/meson.build. */
#ifndef MICA_TESTS_OP_HARNESS_H
#define MICA_TESTS_OP_HARNESS_H

#include <mica/ops.h>

#define MICA_CASE_INPUTS 8

typedef enum mica_fill {
    MICA_FILL_UNIFORM,  /* low .. high; both 0 mean -1 .. 1 */
    MICA_FILL_APART,    /* low .. high with a random sign: stays away from a kink at 0 */
    MICA_FILL_DISTINCT, /* evenly spaced over low .. high (both 0: -1 .. 1), shuffled: no ties */
    MICA_FILL_INTEGER,  /* whole numbers low .. high, both included: labels, ties */
    MICA_FILL_ONE_HOT,  /* in each row of the last axis a 1 at a random place, else 0 */
    MICA_FILL_NAN       /* uniform, with about one element in eight NaN */
} mica_fill;

/* What a case feeds to its operator. float32 inputs are parameters of the graph and are
 * differentiated unless `fixed`; int32 ones (always filled with INTEGER or values) are inputs. */
typedef struct mica_case_input {
    mica_shape shape; /* {2, {33, 10}} */
    mica_fill fill;
    double low, high;
    const double *values; /* not NULL: exactly these, one for each element */
    mica_dtype dtype;
    bool fixed;
} mica_case_input;

/* A tensor in double precision, which holds float32 and int32 exactly. */
typedef struct mica_ref {
    mica_shape shape;
    int64_t count;
    double *data;
    const mica_value *value; /* of an output: the value that was built */
} mica_ref;

typedef struct mica_op_case mica_op_case;

typedef mica_value *mica_case_build(
    mica_graph *graph, mica_value *const *in, const mica_op_case *c);

/* Computes out->data (zeroed) from the inputs. The shapes have been checked. */
typedef void mica_case_reference(const mica_op_case *c, const mica_ref *in, mica_ref *out);

/* Computes din[i].data (zeroed) for a gradient dout of the output: instead of central differences,
 * at kinks and ties. din[i].data is NULL where it is not asked for. */
typedef void mica_case_gradient(
    const mica_op_case *c, const mica_ref *in, const mica_ref *dout, mica_ref *din);

/* The error of an element is |got - expected| / max(|expected|, scale); NaN and infinities must
 * match. The defaults suit sums of up to some thousand products. */
struct mica_op_case {
    const char *name; /* says what is special, for example "33x10" or "used twice" */
    int n_in;
    mica_case_input in[MICA_CASE_INPUTS];
    mica_shape out;    /* the shape that the result must have; left out: a scalar */
    const void *attrs; /* for the callbacks */

    mica_case_build *build;         /* NULL: the suite's */
    mica_case_reference *reference; /* NULL: the suite's */
    mica_case_gradient *gradient;   /* NULL: the suite's; if that is too, central differences */

    double tolerance;          /* 0: 1e-5; negative: exact */
    double gradient_tolerance; /* 0: 1e-4; negative: exact */
    double scale;              /* of the result; 0: its root mean square */
    double gradient_scale;     /* 0: the root mean square of the elements looked at */
    int probes;                /* elements of each gradient that are looked at; 0: 48 */
    bool no_gradient;          /* the operator, or this case, is not differentiable */
    bool training;             /* the programs are compiled for training */
    bool alone;                /* not between scalings: the result depends on the node's id */

    mica_status refused; /* not MICA_OK: building must fail like this, with these words */
    const char *words[4];
};

typedef struct mica_op_suite {
    const char *name; /* the operator's */
    const mica_op_case *cases;
    int n_cases;
    mica_case_build *build;
    mica_case_reference *reference;
    mica_case_gradient *gradient;
    bool no_gradient;
} mica_op_suite;

/* Fills n_cases from an array. */
#define MICA_CASES(array) .cases = (array), .n_cases = (int)(sizeof(array) / sizeof((array)[0]))

typedef struct mica_suite_options {
    bool small; /* only cases of few elements, each program run once: for slow simulators */
    /* Called for every case that failed; may be NULL. */
    void (*failed)(void *user, const char *suite, const char *name, const char *problem);
    void *user;
} mica_suite_options;

/* The worst errors are infinite where a number was missing, NaN or not repeated. */
typedef struct mica_suite_result {
    int cases, failed; /* cases that ran, and those of them that failed */
    double forward_error, gradient_error;
} mica_suite_result;

/* Runs a suite. A case that fails in any way counts in result->failed; the status is not MICA_OK
 * only where the rest cannot run: the device was lost or memory ran out. */
mica_status mica_suite_run(const mica_op_suite *suite, mica_device *device,
    const mica_suite_options *options, mica_suite_result *result);

/* All suites of this build. */
extern const mica_op_suite *const mica_suites[];
extern const size_t mica_suite_count;

/* The seed of the models that cases run in, for references of random operators. */
#define MICA_CASE_SEED 2026

#endif
