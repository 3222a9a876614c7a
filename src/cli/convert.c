/* `mica convert`: a network as an ONNX file, and weights from one format to another. */
#include "base/mem.h"
#include "cli/model.h"
#include "cli/tensors.h"
#include "train/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica convert [OPTION]... FROM TO\n"
    "\n"
    "FROM is a run, or a recipe with --weights, and TO a network.onnx (opset 17); or both are files\n"
    "of weights: FROM .onnx, .safetensors, .npz or .npy, TO .safetensors or .npz. Names are kept,\n"
    "texts in .npz only. An ONNX file's weights keep its order: filters are (out, in, height,\n"
    "width).\n"
    "\n"
    "  --batch N         samples at once in the ONNX file (1)\n"
    "  --channels-first  images in the ONNX file are (batch, depth, height, width)\n"
    "  --weights FILE    FROM is a recipe, these are its weights (.safetensors)\n"
    "  --set key=value   changes a key of the recipe\n"
    "  --device D        where the weights are on their way, see mica devices\n"
    "  --help            this text\n";

/* ---- networks ---- */

static mica_status export_network(
    mica_run *run, int64_t batch, const mica_onnx_export_options *options, const char *to) {
    mica_stage stage = {0};
    MICA_TRY(mica_stage_open(run, run->recipe, batch, &stage));
    const mica_network *network = stage.network;
    mica_value **outputs = mica_alloc(network->n_heads, sizeof *outputs);
    size_t count = 0;
    for (size_t i = 0; outputs && i < network->n_heads; i++) {
        const mica_network_head *head = &network->heads[i];
        mica_value *output = head->probability      ? head->probability
                             : head->reconstruction ? head->reconstruction
                                                    : head->logits;
        bool there = false;
        for (size_t k = 0; k < count; k++)
            there = there || outputs[k] == output;
        if (!there)
            outputs[count++] = output;
    }
    mica_status status =
        outputs ? mica_onnx_export(stage.model, outputs, count, options, to) : MICA_E_MEMORY;
    free(outputs);
    mica_stage_close(&stage);
    return status;
}

/* ---- weights ---- */

/* All tensors as float32 or int64 in memory. */
typedef struct contents {
    size_t count;
    mica_stored_tensor *tensors;
    void **numbers;
    const char *const **texts; /* in the place of numbers, those of the open file */
} contents;

static void contents_free(contents *c) {
    for (size_t i = 0; i < c->count; i++) {
        free((void *)c->tensors[i].name);
        free((void *)c->tensors[i].dim);
        free(c->numbers[i]);
    }
    free(c->tensors);
    free(c->numbers);
    free(c->texts);
}

static mica_status contents_read(const mica_cli_tensors *from, contents *c) {
    c->tensors = mica_alloc(from->count, sizeof *c->tensors);
    c->numbers = mica_alloc(from->count, sizeof *c->numbers);
    c->texts = mica_alloc(from->count, sizeof *c->texts);
    if (!c->tensors || !c->numbers || !c->texts)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < from->count; i++) {
        mica_stored_tensor tensor;
        MICA_TRY(mica_cli_tensors_get(from, i, &tensor));
        const mica_array *texts = mica_cli_tensors_texts(from, i);
        const bool real = !texts && mica_cli_tensor_real(&tensor);
        int64_t count = texts ? 0 : mica_stored_count(&tensor);
        if (count < 0)
            return mica_fail(MICA_E_FORMAT, "the tensor %s is too large", tensor.name);
        c->tensors[i] =
            (mica_stored_tensor){mica_strdup(tensor.name), real ? MICA_STORED_F32 : MICA_STORED_I64,
                tensor.rank, mica_copy(tensor.dim, (size_t)tensor.rank * sizeof *tensor.dim)};
        c->numbers[i] = mica_alloc((size_t)count, real ? sizeof(float) : sizeof(int64_t));
        c->count = i + 1;
        if (!c->tensors[i].name || !c->tensors[i].dim || !c->numbers[i])
            return MICA_E_MEMORY;
        c->texts[i] = texts ? texts->texts : NULL;
        mica_status status = texts  ? MICA_OK
                             : real ? mica_cli_tensors_floats(from, i, c->numbers[i])
                                    : mica_cli_tensors_integers(from, i, c->numbers[i]);
        if (status != MICA_OK)
            return mica_fail_in(status, "tensor %s", tensor.name);
    }
    return MICA_OK;
}

/* A line that names the texts, for a format that has numbers only. */
static void show_left_out(const contents *c) {
    bool any = false;
    for (size_t i = 0; i < c->count; i++)
        if (c->texts[i]) {
            mica_cli_err("%s%s", any ? ", " : "note: texts do not go into safetensors, left out: ",
                c->tensors[i].name);
            any = true;
        }
    if (any)
        fputc('\n', stderr);
}

/* The wider ones first, as the format wants it. */
static mica_status write_safetensors(const contents *c, const char *to) {
    mica_stored_tensor *sorted = mica_alloc(c->count, sizeof *sorted);
    void **numbers = mica_alloc(c->count, sizeof *numbers);
    mica_safetensors_writer *writer = NULL;
    size_t count = 0;
    mica_status status = sorted && numbers ? MICA_OK : MICA_E_MEMORY;
    for (int pass = 0; pass < 2 && status == MICA_OK; pass++)
        for (size_t i = 0; i < c->count; i++)
            if (!c->texts[i] && (c->tensors[i].type == MICA_STORED_F32) == (pass == 1)) {
                sorted[count] = c->tensors[i];
                numbers[count++] = c->numbers[i];
            }
    if (status == MICA_OK && !count && c->count)
        status = mica_fail(MICA_E_UNSUPPORTED,
            "all that would go into %s is text: safetensors has numbers only, .npz has both", to);
    if (status == MICA_OK)
        status = mica_safetensors_begin(to, sorted, count, NULL, 0, &writer);
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = mica_safetensors_write(writer, numbers[i],
            (size_t)mica_stored_count(&sorted[i]) * mica_stored_type_size(sorted[i].type));
    if (writer && status == MICA_OK)
        status = mica_safetensors_commit(&writer);
    else if (writer)
        mica_safetensors_abort(&writer);
    if (status == MICA_OK)
        show_left_out(c);
    free(sorted);
    free(numbers);
    return status;
}

/* Integers of 64 bits become those of 32, in place. */
static mica_status narrow(const mica_stored_tensor *tensor, void *numbers) {
    const int64_t *wide = numbers;
    int32_t *narrow_ones = numbers;
    for (int64_t i = 0; i < mica_stored_count(tensor); i++) {
        if (wide[i] < INT32_MIN || wide[i] > INT32_MAX)
            return mica_fail(MICA_E_UNSUPPORTED,
                "the tensor %s has %lld: integers of NumPy's files are written with 32 bits",
                tensor->name, (long long)wide[i]);
        memcpy(&narrow_ones[i], &(int32_t){(int32_t)wide[i]}, sizeof *narrow_ones);
    }
    return MICA_OK;
}

static mica_status write_npz(const contents *c, const char *to) {
    mica_array *arrays = mica_alloc(c->count, sizeof *arrays);
    mica_status status = arrays ? MICA_OK : MICA_E_MEMORY;
    for (size_t i = 0; i < c->count && status == MICA_OK; i++) {
        const mica_stored_tensor *tensor = &c->tensors[i];
        const bool real = tensor->type == MICA_STORED_F32, text = c->texts[i];
        if (tensor->rank > MICA_MAX_RANK)
            status = mica_fail(MICA_E_UNSUPPORTED,
                "the tensor %s has %d dimensions, at most %d can be written", tensor->name,
                tensor->rank, MICA_MAX_RANK);
        else if (!real && !text)
            status = narrow(tensor, c->numbers[i]);
        if (status == MICA_OK)
            arrays[i] = (mica_array){.name = tensor->name,
                .shape = mica_shape_of(tensor->rank, tensor->dim),
                .floats = real ? c->numbers[i] : NULL,
                .integers = real || text ? NULL : c->numbers[i],
                .texts = c->texts[i]};
    }
    if (status == MICA_OK)
        status = mica_npz_write(to, arrays, c->count);
    free(arrays);
    return status;
}

static mica_status convert_weights(const char *from, const char *to) {
    mica_cli_tensors tensors = {0};
    contents c = {0};
    mica_status status = mica_cli_tensors_open(from, &tensors);
    if (status == MICA_OK) {
        status = contents_read(&tensors, &c);
        if (status != MICA_OK && status != MICA_E_MEMORY)
            mica_fail_in(status, "%s", from);
    }
    if (status == MICA_OK)
        status = mica_cli_ends(to, ".npz") ? write_npz(&c, to) : write_safetensors(&c, to);
    contents_free(&c);
    mica_cli_tensors_close(&tensors);
    return status;
}

/* ---- the command ---- */

static int convert(const mica_cli_model *model, int64_t batch,
    const mica_onnx_export_options *options, const char *to) {
    const bool weights = mica_cli_is_tensors(model->path);
    int code;
    if (weights && !mica_cli_ends(to, ".safetensors") && !mica_cli_ends(to, ".npz"))
        return mica_cli_usage("convert: weights become a .safetensors or .npz file, not %s", to);
    if (!weights && !mica_cli_ends(to, ".onnx"))
        return mica_cli_usage("convert: a network becomes a .onnx file, not %s", to);
    if (weights && (batch || options->channels_first || model->weights || model->n_overrides))
        return mica_cli_usage("convert: %s are weights: options are for networks", model->path);
    if (!weights && (code = mica_cli_model_check(model, "convert")))
        return code;
    if ((code = mica_cli_output_check("convert", to)))
        return code;
    if (weights) {
        mica_status status = convert_weights(model->path, to);
        return status == MICA_OK ? 0 : mica_cli_fail(status);
    }
    mica_run *run = NULL;
    mica_status status = mica_cli_model_open(model, &run);
    if (status == MICA_OK) {
        mica_onnx_export_options named = *options;
        named.name = run->recipe->name;
        status = export_network(run, batch ? batch : 1, &named, to);
    }
    mica_run_destroy(&run);
    return status == MICA_OK ? 0 : mica_cli_fail(status);
}

int mica_cli_convert(int argc, char **argv) {
    static const struct option options[] = {{"batch", required_argument, NULL, 'b'},
        {"channels-first", no_argument, NULL, 'c'}, {"weights", required_argument, NULL, 'w'},
        {"set", required_argument, NULL, 's'}, {"device", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    mica_cli_model model = {.overrides = mica_alloc((size_t)argc, sizeof *model.overrides)};
    mica_onnx_export_options export = {0};
    int64_t batch = 0;
    int code = model.overrides ? -1 : mica_cli_fail(MICA_E_MEMORY);
    for (int letter; code < 0 && (letter = mica_cli_option(argc, argv, "h", options)) != -1;) {
        if (letter == 'b')
            code = mica_cli_integer("convert: --batch", optarg, 1, 1 << 20, &batch) ? -1 : 2;
        else if (letter == 'c')
            export.channels_first = true;
        else if (letter == 's')
            model.overrides[model.n_overrides++] = optarg;
        else if (letter == 'h')
            code = fputs(help, stdout) < 0;
        else if (!mica_cli_model_option(&model, letter))
            code = 2;
    }
    if (code < 0 && optind != argc - 2)
        code = mica_cli_usage("convert: expected FROM and TO; see mica convert --help");
    if (code < 0) {
        model.path = argv[optind];
        code = convert(&model, batch, &export, argv[optind + 1]);
    }
    free(model.overrides);
    return code;
}
