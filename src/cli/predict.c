/* `mica predict`: what a network sees in pictures. */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/model.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: mica predict RUN IMAGE... [--top N] [--labels FILE] [--device D] [--json]\n"
    "       mica predict RECIPE --weights FILE IMAGE... ...\n"
    "       mica predict MODEL.onnx --preprocess PRESET|FILE IMAGE... ...\n"
    "\n"
    "Names the classes of pictures (JPEG, PNG, WebP, BMP) with probabilities: by the best weights of a run's\n"
    "folder, or by a network that was trained elsewhere. The largest centred part of the network's\n"
    "proportions is resized to its input, grey where that has one channel, unless the recipe's block\n"
    "preprocess says otherwise. A file that cannot be read is named, the others are looked at all the\n"
    "same, and the exit code is that of the error; in JSON it has an error in the place of classes.\n"
    "\n"
    "  --top N            the N most likely classes (default: 5)\n"
    "  --labels FILE      names of the classes, one a line\n"
    "  --weights FILE     of a recipe that was not trained here: Mica's or PyTorch's safetensors\n"
    "  --set KEY=VALUE    with --weights: changes a key of the recipe\n"
    "  --preprocess P     of an ONNX file: alexnet, vgg, torchvision, squeezenet, or a YAML file with\n"
    "                     the keys of that block\n"
    "  --device D         as 'mica devices' names it (default: auto)\n"
    "  --json             one JSON object, the last line on stdout\n";

typedef struct arguments {
    mica_cli_model model;
    const char *labels; /* NULL: the run's own names */
    char **images;
    int n_images;
    int64_t top;
    bool json;
} arguments;

static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {MICA_CLI_MODEL_OPTIONS,
        {"top", required_argument, NULL, 't'}, {"labels", required_argument, NULL, 'L'},
        {"set", required_argument, NULL, 'S'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "h", longs)) != -1;) {
        if (mica_cli_model_option(&a->model, c))
            continue;
        switch (c) {
        case 't':
            if (!mica_cli_integer("--top", optarg, 1, INT32_MAX, &a->top))
                return 2;
            break;
        case 'L':
            a->labels = optarg;
            break;
        case 'S':
            a->model.overrides[a->model.n_overrides++] = optarg;
            break;
        case 'j':
            a->json = true;
            break;
        case 'h':
            return -1;
        default:
            return 2;
        }
    }
    if (argc - optind < 2)
        return mica_cli_usage("predict: expected a RUN and pictures; see mica predict --help");
    a->model.path = argv[optind];
    a->images = argv + optind + 1;
    a->n_images = argc - optind - 1;
    return mica_cli_model_check(&a->model, "predict");
}

/* The most likely class. Those that were reported are marked by a negative number. */
static int64_t most_likely(float *probabilities, int64_t classes) {
    int64_t best = 0;
    for (int64_t i = 1; i < classes; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    return best;
}

static json_t *report(
    const arguments *a, const mica_run_info *info, const char *image, float *probabilities) {
    json_t *classes = json_array();
    if (!a->json)
        mica_cli_out("%s\n", image);
    for (int64_t i = 0; i < a->top && i < info->classes; i++) {
        int64_t best = most_likely(probabilities, info->classes);
        double probability = (double)probabilities[best];
        probabilities[best] = -1;
        if (!a->json)
            mica_cli_out("  %6.2f %%  %s\n", 100 * probability, info->class_names[best]);
        json_array_append_new(classes, json_pack("{s:I, s:o, s:o}", "class", (json_int_t)best,
                                           "name", mica_cli_string(info->class_names[best]),
                                           "probability", mica_cli_real(probability)));
    }
    return json_pack("{s:o, s:o}", "image", mica_cli_string(image), "classes", classes);
}

/* A file that cannot be read is named, and the next is looked at; *code is then that of the first
 * such error. */
static mica_status predict_image(
    const arguments *a, mica_run *run, const char *image, float *room, json_t *images, int *code) {
    const mica_run_info *info = mica_run_get_info(run);
    const size_t size = (size_t)mica_shape_count(info->sample), classes = (size_t)info->classes;
    float *probabilities = room + size;
    mica_status status = mica_run_read_image(run, image, room, size);
    if (mica_cli_is_of_file(status)) {
        const int failed = mica_cli_fail(status);
        *code = *code ? *code : failed;
        json_array_append_new(images, json_pack("{s:o, s:o}", "image", mica_cli_string(image),
                                          "error", mica_cli_string(mica_last_error())));
        return MICA_OK;
    }
    if (status == MICA_OK)
        status = mica_run_predict(run, room, size, probabilities, classes);
    if (status == MICA_OK)
        json_array_append_new(images, report(a, info, image, probabilities));
    return status;
}

static int predict(const arguments *a, mica_run *run) {
    const mica_run_info *info = mica_run_get_info(run);
    float *room =
        mica_alloc((size_t)mica_shape_count(info->sample) + (size_t)info->classes, sizeof *room);
    json_t *images = json_array();
    mica_status status = room ? MICA_OK : MICA_E_MEMORY;
    int code = 0;
    for (int i = 0; i < a->n_images && status == MICA_OK; i++)
        status = predict_image(a, run, a->images[i], room, images, &code);
    if (status != MICA_OK)
        code = mica_cli_fail(status);
    if (a->json && status == MICA_OK) {
        const int printed = mica_cli_json(
            json_pack("{s:O, s:o}", "images", images, "device", mica_cli_string(info->device)));
        code = code ? code : printed;
    }
    json_decref(images);
    free(room);
    return code;
}

static int open_and_predict(const arguments *a) {
    mica_run *run = NULL;
    mica_status status = mica_cli_model_open(&a->model, &run);
    if (status == MICA_OK && a->labels)
        status = mica_run_read_labels(run, a->labels);
    int code = status == MICA_OK ? predict(a, run) : mica_cli_fail(status);
    mica_run_destroy(&run);
    return code;
}

int mica_cli_predict(int argc, char **argv) {
    arguments a = {
        .top = 5, .model.overrides = mica_alloc((size_t)argc, sizeof *a.model.overrides)};
    int code = a.model.overrides ? parse(argc, argv, &a) : mica_cli_fail(MICA_E_MEMORY);
    if (code == -1)
        code = fputs(help, stdout) < 0;
    else if (!code)
        code = open_and_predict(&a);
    free(a.model.overrides);
    return code;
}
