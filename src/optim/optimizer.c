/* The optimizers: option checks, learning-rate schedules, and the update as one launch over the
 * flat arenas. The formulas are in optim.h; the kernels in optimizer.cl and optimizer.comp. */
#include "graph/update.h"
#include "optim/grid.h"

#include "base/error.h"

#include <math.h>

static float or_default(float given, float standard) {
    return given != 0 ? given : standard;
}

static mica_status check_range(
    const char *field, float number, double low, double high, const char *range) {
    if (number >= low && number < high)
        return MICA_OK;
    return mica_fail(MICA_E_INVALID, "optimizer: %s must be %s, not %g", field, range, number);
}

static mica_status check_schedule(const mica_schedule *schedule) {
    switch (schedule->kind) {
    case MICA_SCHEDULE_CONSTANT:
        return MICA_OK;
    case MICA_SCHEDULE_STEP:
        if (schedule->every < 1)
            return mica_fail(
                MICA_E_INVALID, "optimizer: a step schedule needs `every` of at least 1");
        return check_range("gamma", schedule->gamma, 0, INFINITY, "0 or more");
    case MICA_SCHEDULE_COSINE:
        if (schedule->total <= schedule->warmup)
            return mica_fail(MICA_E_INVALID,
                "optimizer: a cosine schedule needs `total` (%llu) above `warmup` (%llu)",
                (unsigned long long)schedule->total, (unsigned long long)schedule->warmup);
        return check_range("final", schedule->final, 0, INFINITY, "0 or more");
    }
    return mica_fail(
        MICA_E_INVALID, "optimizer: schedule %d is not one of mica_schedule_kind", schedule->kind);
}

mica_status mica_optimizer_check(const mica_optimizer *o) {
    if (o->kind < MICA_SGD || o->kind > MICA_ADAMW)
        return mica_fail(
            MICA_E_INVALID, "optimizer: kind %d is not one of mica_optimizer_kind", o->kind);
    if (!(o->learning_rate > 0) || !isfinite(o->learning_rate))
        return mica_fail(
            MICA_E_INVALID, "optimizer: learning_rate must be above 0, not %g", o->learning_rate);
    MICA_TRY(check_range("momentum", o->momentum, 0, 1, "0 or more and below 1"));
    MICA_TRY(check_range("beta1", o->beta1, 0, 1, "0 or more and below 1"));
    MICA_TRY(check_range("beta2", o->beta2, 0, 1, "0 or more and below 1"));
    MICA_TRY(check_range("epsilon", o->epsilon, 0, INFINITY, "0 or more"));
    MICA_TRY(check_range("weight_decay", o->weight_decay, 0, INFINITY, "0 or more"));
    MICA_TRY(check_range("clip_norm", o->clip_norm, 0, INFINITY, "0 or more"));
    if (o->nesterov && (o->kind != MICA_SGD || o->momentum == 0))
        return mica_fail(MICA_E_INVALID, "optimizer: nesterov needs SGD with momentum");
    return check_schedule(&o->schedule);
}

float mica_learning_rate(const mica_optimizer *optimizer, uint64_t step) {
    const mica_schedule *s = &optimizer->schedule;
    double rate = optimizer->learning_rate;
    if (step < s->warmup)
        return (float)(rate * (double)(step + 1) / (double)s->warmup);
    uint64_t t = step - s->warmup;
    if (s->kind == MICA_SCHEDULE_STEP)
        rate *= pow(or_default(s->gamma, 0.1f), floor((double)t / (double)s->every));
    if (s->kind == MICA_SCHEDULE_COSINE) {
        double progress = fmin(1.0, (double)t / (double)(s->total - s->warmup));
        rate = s->final + 0.5 * (rate - s->final) * (1 + cos(3.141592653589793 * progress));
    }
    return (float)rate;
}

int mica_optimizer_states(const mica_optimizer *optimizer, const char **names) {
    if (optimizer->kind == MICA_SGD) {
        names[0] = "momentum";
        return optimizer->momentum > 0;
    }
    names[0] = "adam_m";
    names[1] = "adam_v";
    return 2;
}

mica_hyper mica_optimizer_hyper(const mica_optimizer *optimizer, uint64_t step) {
    double t = (double)step + 1;
    return (mica_hyper){.learning_rate = mica_learning_rate(optimizer, step),
        .correction1 = (float)(1 / (1 - pow(or_default(optimizer->beta1, 0.9f), t))),
        .correction2 = (float)(1 / (1 - pow(or_default(optimizer->beta2, 0.999f), t)))};
}

/* As in optimizer.cl and optimizer.comp. */
typedef struct update_params {
    uint32_t pieces, decayed, per_item;
    uint32_t size;    /* of a row, for the kernels that update rows */
    uint32_t variant; /* SGD: Nesterov; Adam: decoupled decay */
    float weight_decay, clip_norm;
    float beta1, beta2, epsilon; /* SGD: beta1 is the momentum */
    float rate;                  /* factor of the learning rate */
} update_params;

/* Gets the kernel, and binds it to a range of the arenas whose gradient stands elsewhere. */
static mica_status describe(const mica_optimizer *optimizer, const mica_model *model, float rate,
    mica_range weights, mica_range gradient, mica_range hyper, const mica_range *rows,
    mica_grid grid, mica_launch *launch) {
    static const char *const entries[2][3] = {{"sgd_update", "momentum_update", "adam_update"},
        {"sgd_update_rows", "momentum_update_rows", "adam_update_rows"}};
    const char *names[MICA_MAX_STATES];
    int n_states = mica_optimizer_states(optimizer, names);
    uint32_t n = 0;
    *launch = (mica_launch){.groups = {grid.groups, 1, 1}};
    launch->bindings[n++] = weights;
    launch->bindings[n++] = gradient;
    for (int i = 0; i < n_states; i++)
        launch->bindings[n++] = (mica_range){model->states[i], weights.offset, weights.count};
    launch->bindings[n++] = hyper;
    launch->bindings[n++] = (mica_range){model->norms, 0, model->n_parameters + 1};
    if (rows)
        launch->bindings[n++] = *rows;
    bool sgd = optimizer->kind == MICA_SGD;
    *(update_params *)launch->params = (update_params){.pieces = grid.pieces,
        .per_item = grid.per_item,
        .variant = sgd ? optimizer->nesterov : optimizer->kind == MICA_ADAMW,
        .weight_decay = optimizer->weight_decay,
        .clip_norm = optimizer->clip_norm,
        .beta1 = sgd ? optimizer->momentum : or_default(optimizer->beta1, 0.9f),
        .beta2 = or_default(optimizer->beta2, 0.999f),
        .epsilon = or_default(optimizer->epsilon, 1e-8f),
        .rate = rate};
    mica_kernel_desc desc = {.source = "optimizer",
        .entry = entries[rows != NULL][n_states],
        .n_bindings = n,
        .params_size = sizeof(update_params),
        .local = {grid.local, 1, 1}};
    mica_constant_set(&desc, "WIDTH", (int32_t)grid.width);
    return mica_kernel_get(model->device, &desc, &launch->kernel);
}

mica_status mica_optimizer_launch(const mica_optimizer *optimizer, mica_model *model,
    const mica_window *window, mica_range hyper, mica_launch *launch) {
    mica_grid grid = mica_grid_over(mica_device_traits(model->device), window->count);
    MICA_TRY(describe(optimizer, model, window->rate,
        (mica_range){model->weights, window->offset, window->count},
        (mica_range){model->gradients, window->offset, window->count}, hyper, NULL, grid, launch));
    ((update_params *)launch->params)->decayed = (uint32_t)(window->decayed / grid.width);
    return MICA_OK;
}

mica_status mica_optimizer_rows_launch(const mica_optimizer *optimizer, mica_model *model,
    const mica_value *parameter, mica_range rows, mica_range gradient, mica_range hyper,
    mica_launch *launch) {
    const uint32_t size = (uint32_t)parameter->shape.dim[1];
    mica_grid grid = mica_grid_over_rows(mica_device_traits(model->device), rows.count, size);
    MICA_TRY(describe(optimizer, model, mica_parameter_get(parameter)->rate,
        mica_model_range(model, model->weights, parameter), gradient, hyper, &rows, grid, launch));
    update_params *params = (update_params *)launch->params;
    params->decayed = params->pieces;
    params->size = size;
    return MICA_OK;
}
