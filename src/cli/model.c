#include "cli/model.h"

#include "cli/tensors.h"

#include <inttypes.h>
#include <sys/stat.h>

bool mica_cli_model_option(mica_cli_model *model, int option) {
    switch (option) {
    case 'd':
        model->device = optarg;
        return true;
    case 'w':
        model->weights = optarg;
        return true;
    case 'p':
        model->preprocess = optarg;
        return true;
    default:
        return false;
    }
}

int mica_cli_run_check(const char *path, const char *command) {
    struct stat about;
    if (stat(path, &about) || S_ISDIR(about.st_mode))
        return 0;
    if (mica_cli_is_tensors(path))
        return mica_cli_usage(
            "%s: %s is a file of weights: expected a run's folder, or a recipe with --weights FILE",
            command, path);
    return mica_cli_usage(
        "%s: %s is not the folder of a run: a recipe needs --weights FILE", command, path);
}

int mica_cli_model_check(const mica_cli_model *model, const char *command) {
    bool onnx = mica_cli_ends(model->path, ".onnx");
    if (model->n_overrides && !model->weights)
        return mica_cli_usage(
            "%s: --set KEY=VALUE goes with --weights: a run has its recipe", command);
    if (onnx && model->weights)
        return mica_cli_usage(
            "%s: --weights goes with a recipe: an ONNX file has its weights", command);
    if (!onnx && model->preprocess)
        return mica_cli_usage("%s: --preprocess goes with an ONNX file: a recipe has a block "
                              "`preprocess` (--set preprocess=...)",
            command);
    if (onnx && !model->preprocess)
        return mica_cli_usage("%s: an ONNX file does not say what becomes of pictures: give "
                              "--preprocess alexnet, vgg, torchvision, squeezenet or a YAML file",
            command);
    if (!onnx && !model->weights)
        return mica_cli_run_check(model->path, command);
    return 0;
}

static mica_status open_onnx(const mica_cli_model *model, mica_run **run) {
    mica_preprocess how;
    MICA_TRY(mica_preprocess_read(model->preprocess, &how));
    return mica_run_open_onnx(model->path, &how, model->device, run);
}

enum { LEFT_OUT_SHOWN = 10 }; /* pictures that are named */

void mica_cli_show_left_out(const mica_dataset_info *info) {
    if (info->note)
        mica_cli_err("note: %s\n", info->note);
    for (int64_t i = 0; i < info->n_skipped && i < LEFT_OUT_SHOWN; i++)
        mica_cli_err("left out: %s\n", info->skipped[i]);
    if (info->n_skipped > LEFT_OUT_SHOWN)
        mica_cli_err("left out: %" PRId64 " more\n", info->n_skipped - LEFT_OUT_SHOWN);
}

bool mica_cli_is_of_file(mica_status status) {
    return status == MICA_E_FORMAT || status == MICA_E_NOT_FOUND || status == MICA_E_IO ||
           status == MICA_E_INVALID;
}

mica_status mica_cli_model_open(const mica_cli_model *model, mica_run **out) {
    mica_run *run = NULL;
    mica_status status;
    if (model->preprocess)
        status = open_onnx(model, &run);
    else if (model->weights)
        status = mica_run_open_recipe(
            model->path, model->overrides, model->n_overrides, model->weights, model->device, &run);
    else
        status = mica_run_open(model->path, model->device, &run);
    if (status == MICA_OK)
        mica_cli_device_note(mica_run_get_info(run)->device_note);
    if (status == MICA_OK)
        *out = run;
    else
        mica_run_destroy(&run);
    return status;
}
