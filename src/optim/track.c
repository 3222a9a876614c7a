/* The update of running statistics and of states (mica_parameter_track, mica_parameter_carry). */
#include "graph/graph.h"
#include "graph/update.h"

typedef struct track_params {
    uint32_t count;
    float momentum;
} track_params;

mica_status mica_track_launch(mica_model *model, const mica_value *parameter, mica_range value,
    bool updates, mica_launch *launch) {
    const mica_traits *traits = mica_device_traits(model->device);
    uint32_t local = traits->vector_width > 1 ? 1 : 64;
    if (local > traits->max_group_size)
        local = traits->max_group_size;
    mica_kernel_desc desc = {.source = "track",
        .entry = updates ? "track_update" : "track_carry",
        .n_bindings = updates ? 3 : 2,
        .params_size = sizeof(track_params),
        .local = {local, 1, 1}};
    uint64_t groups = (value.count + local - 1) / local;
    uint64_t most = local == 1 ? traits->compute_units : 1024;
    const uint64_t fits = (groups + traits->max_loop_steps - 1) / traits->max_loop_steps;
    most = most > fits ? most : fits;
    *launch = (mica_launch){.bindings = {mica_model_range(model, model->weights, parameter), value},
        .groups = {(uint32_t)(groups < most ? groups : most), 1, 1}};
    if (updates)
        launch->bindings[2] = (mica_range){model->norms, 0, model->n_parameters + 1};
    *(track_params *)launch->params =
        (track_params){(uint32_t)value.count, mica_parameter_get(parameter)->momentum};
    return mica_kernel_get(model->device, &desc, &launch->kernel);
}
