#include "train/diagnose.h"

#include "base/error.h"
#include "graph/model.h"
#include "train/evaluate.h"

#include <math.h>

/* Without the sign that a NaN may have. */
static double plain(float number) {
    return isnan(number) ? (double)NAN : (double)number;
}

static mica_status repeat(mica_model *model, const mica_network *network, const mica_batch *batch,
    const mica_value **value, const char **where) {
    mica_program *program = NULL;
    MICA_TRY(mica_program_create(model,
        &(mica_program_options){
            .loss = network->loss, .training = true, .gradients = true, .keep_all = true},
        &program));
    mica_status status = mica_network_write(network, program, batch);
    if (status == MICA_OK)
        status = mica_program_run(program);
    if (status == MICA_OK)
        status = mica_program_find_nonfinite(program, value, where);
    mica_program_destroy(&program);
    return status;
}

mica_status mica_diagnose(mica_model *model, const mica_network *network, const mica_batch *batch,
    uint64_t step, const char *when, float loss, float norm) {
    const mica_value *value = NULL;
    const char *where = NULL;
    uint64_t now = mica_model_step(model), seed = mica_model_seed(model);
    mica_model_set_step(model, step, seed); /* for the same dropout masks */
    mica_status status = repeat(model, network, batch, &value, &where);
    mica_model_set_step(model, now, seed);
    if (status != MICA_OK)
        return mica_fail_in(status, "%s is not finite (loss %g), and looking for the cause failed",
            when, plain(loss));
    if (!value)
        return mica_fail(MICA_E_NUMERIC,
            "%s is not finite: loss %g, gradient norm %g, though every tensor is; lower the "
            "learning rate or set clip_norm",
            when, plain(loss), plain(norm));
    char shape[96];
    return mica_fail(MICA_E_NUMERIC,
        "%s is not finite: loss %g, gradient norm %g; the first such tensor is %s %s, computed by "
        "%s; lower the learning rate, set clip_norm or look at the data",
        when, plain(loss), plain(norm), mica_value_name(value),
        mica_shape_text(mica_value_shape(value), shape, sizeof shape), where);
}
