/* Using a network of an ONNX file as a run: the recipe that such a run has says only what its
 * samples are. */
#include "train/run.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/graph_impl.h"

#include <mica/ops.h>

#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 16,           /* samples at a time, where the file leaves it open */
    PIXEL_LIMIT = 1 << 26 /* of a picture, as of those that are read */
};

/* The sizes of the only input, (batch, channels, height, width), those that are open filled in. */
static mica_status input_shape(
    const mica_onnx *file, const char *path, int64_t batch, int64_t crop, int64_t dim[4]) {
    const mica_stored_tensor *input = mica_onnx_get_input(file, 0);
    if (mica_onnx_input_count(file) != 1 || input->rank != 4)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: wanted a network of one input, pictures (batch, channels, height, width); it has "
            "%zu inputs, the first with %d dimensions",
            path, mica_onnx_input_count(file), input ? input->rank : 0);
    const int64_t filled[4] = {batch, 3, crop, crop};
    for (int i = 0; i < 4; i++)
        dim[i] = input->dim[i] < 0 ? filled[i] : input->dim[i];
    if (input->dim[0] > 1)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: its batch is fixed at %lld: wanted 1 or an open one", path,
            (long long)input->dim[0]);
    if (dim[1] != 1 && dim[1] != 3)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: its pictures have %lld channels: wanted 1 or 3, in the second dimension%s", path,
            (long long)dim[1],
            dim[3] == 1 || dim[3] == 3 ? "; it was exported with channels last: convert it with "
                                         "--channels-first"
                                       : "");
    if (dim[2] < 1 || dim[3] < 1)
        return mica_fail(MICA_E_INVALID,
            "%s leaves the height and width of pictures open: preprocess needs `crop`", path);
    if (dim[2] > PIXEL_LIMIT / dim[3])
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: its pictures have %lld x %lld pixels: at most %d are allowed", path,
            (long long)dim[3], (long long)dim[2], PIXEL_LIMIT);
    return MICA_OK;
}

/* Is a value a softmax, perhaps in another shape? */
static bool is_probability(const mica_value *value) {
    while (!strcmp(value->node->op->name, "reshape") || !strcmp(value->node->op->name, "transpose"))
        value = value->node->in[0];
    return !strcmp(value->node->op->name, "softmax");
}

/* A classifier's output has one dimension with more than one number a sample. */
static mica_status head_make(mica_network *network, mica_value *output) {
    mica_shape shape = mica_value_shape(output);
    mica_network_head *head = &network->heads[network->n_heads++];
    *head = (mica_network_head){.name = "", .logits = output, .weight = 1};
    int64_t classes = shape.rank ? mica_shape_count(shape) / shape.dim[0] : 0;
    bool row = false;
    for (int i = 1; i < shape.rank; i++)
        row = row || (classes > 1 && shape.dim[i] == classes);
    if (!row || mica_value_dtype(output) != MICA_F32)
        return MICA_OK;
    mica_value *scores = mica_reshape(output, 2, (const int64_t[]){shape.dim[0], classes});
    head->probability = is_probability(output) ? scores : mica_softmax(scores);
    return mica_graph_status(network->graph);
}

static mica_status network_make(mica_run *run, int64_t batch, mica_stage *s) {
    const mica_recipe *recipe = run->recipe;
    const char *name = mica_onnx_get_input(run->onnx, 0)->name;
    int64_t dim[4];
    mica_network *network = s->network = mica_alloc(1, sizeof *network);
    if (!network)
        return MICA_E_MEMORY;
    network->heads = mica_alloc(1, sizeof *network->heads);
    network->layers = mica_alloc(2, sizeof *network->layers);
    if (!network->heads || !network->layers)
        return MICA_E_MEMORY;
    MICA_TRY(mica_graph_create(&network->graph));
    MICA_TRY(input_shape(run->onnx, recipe->path, batch, recipe->preprocess.crop, dim));
    const mica_onnx_given given = {.name = name, .rank = 4, .dim = dim};
    MICA_TRY(mica_onnx_build(run->onnx, network->graph,
        &(mica_onnx_options){
            .batch = batch, .given = &given, .n_given = 1, .frozen = true, .channels_last = true},
        &s->onnx));
    network->input = mica_onnx_input(s->onnx, 0);
    const mica_onnx_result *output = mica_onnx_output(s->onnx, 0);
    if (!network->input || !output || !output->value)
        return mica_fail(
            MICA_E_UNSUPPORTED, "%s: its first output does not depend on its input", recipe->path);
    network->layers[0].value = network->input;
    network->layers[0].output = mica_value_shape(network->input);
    network->layers[0].name = mica_strdup(name);
    network->n_layers = 1;
    return network->layers[0].name ? head_make(network, output->value) : MICA_E_MEMORY;
}

mica_status mica_stage_open_onnx(mica_run *run, int64_t batch, mica_stage *out) {
    mica_stage s = {0};
    mica_status status = network_make(run, batch, &s);
    if (status == MICA_OK)
        status = mica_model_create(s.network->graph, run->device, 1, &s.model);
    if (status == MICA_OK)
        status = mica_onnx_write(s.onnx, s.model);
    if (status == MICA_OK)
        *out = s;
    else
        mica_stage_close(&s);
    return status;
}

mica_status mica_stage_find(
    const mica_stage *stage, const char *name, const mica_network_layer **layer) {
    mica_network *network = stage->network;
    if (!stage->onnx)
        return mica_network_find(network, name, layer);
    mica_value *value = mica_onnx_find(stage->onnx, name);
    mica_shape shape = value ? mica_value_shape(value) : (mica_shape){0};
    if (!value || mica_value_dtype(value) != MICA_F32 || shape.rank < 2 ||
        shape.dim[0] != network->layers[0].output.dim[0])
        return mica_fail(MICA_E_NOT_FOUND,
            "no value with numbers for each picture is called %s in the file: mica summary lists "
            "what its nodes give",
            name);
    mica_network_layer *row = &network->layers[1];
    if (network->n_layers > 1 && row->value == value) {
        *layer = row;
        return MICA_OK;
    }
    char *copy = mica_strdup(name);
    if (!copy)
        return MICA_E_MEMORY;
    free(row->name);
    *row = (mica_network_layer){.name = copy, .value = value, .output = shape};
    network->n_layers = 2;
    *layer = row;
    return MICA_OK;
}

/* What a recipe would say of the file. */
static mica_status recipe_make(mica_run *run, const char *path, const mica_preprocess *how) {
    mica_recipe *recipe = run->recipe = mica_alloc(1, sizeof *recipe);
    int64_t dim[4];
    if (!recipe)
        return MICA_E_MEMORY;
    const char *slash = strrchr(path, '/');
    recipe->path = mica_strdup(path);
    recipe->name = mica_strdup(slash ? slash + 1 : path);
    if (!recipe->path || !recipe->name)
        return MICA_E_MEMORY;
    MICA_TRY(mica_onnx_open(path, &run->onnx));
    MICA_TRY(input_shape(run->onnx, path, BATCH, how->crop, dim));
    recipe->batch = dim[0];
    recipe->seed = 1;
    recipe->input_rank = 3;
    recipe->input[0] = dim[2];
    recipe->input[1] = dim[3];
    recipe->input[2] = dim[1];
    recipe->preprocessed = true;
    recipe->preprocess = *how;
    recipe->data.byte_scale = how->scale != 0 ? (double)how->scale : 1;
    return MICA_OK;
}

mica_status mica_run_open_onnx(
    const char *path, const mica_preprocess *how, const char *device, mica_run **out) {
    static const mica_preprocess defaults;
    if (!path)
        return mica_fail(MICA_E_INVALID, "mica_run_open_onnx: the path is NULL");
    mica_run *run = mica_alloc(1, sizeof *run);
    if (!run)
        return MICA_E_MEMORY;
    mica_status status = recipe_make(run, path, how ? how : &defaults);
    if (status == MICA_OK)
        status = mica_run_open_parts(run, device);
    if (status == MICA_OK)
        *out = run;
    else
        mica_run_destroy(&run);
    return status;
}
