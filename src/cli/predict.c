/* `mica predict`: what a run's best weights see in pictures. */
#include "cli/cli.h"

#include "base/mem.h"

#include <mica/train.h>

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: mica predict RUN IMAGE... [--top N] [--device D] [--json]\n"
    "\n"
    "Names the classes of pictures, PNG or JPEG, by the best weights of a run's folder, with\n"
    "probabilities. The largest centred part of the network's proportions is resized to its input,\n"
    "grey where that has one channel, and inverted if the recipe says so.\n"
    "\n"
    "  --top N      the N most likely classes (default: 3)\n"
    "  --device D   as 'mica devices' names it (default: auto)\n"
    "  --json       one JSON object, the last line on stdout\n";

typedef struct arguments {
    const char *run, *device;
    char **images;
    int n_images;
    int64_t top;
    bool json;
} arguments;

static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
        {"top", required_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "h", longs)) != -1;) {
        switch (c) {
        case 'd':
            a->device = optarg;
            break;
        case 't':
            if (!mica_cli_integer("--top", optarg, 1, INT32_MAX, &a->top))
                return 2;
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
    a->run = argv[optind];
    a->images = argv + optind + 1;
    a->n_images = argc - optind - 1;
    return 0;
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
        printf("%s\n", image);
    for (int64_t i = 0; i < a->top && i < info->classes; i++) {
        int64_t best = most_likely(probabilities, info->classes);
        double probability = (double)probabilities[best];
        probabilities[best] = -1;
        if (!a->json)
            printf("  %-24s %6.2f %%\n", info->class_names[best], 100 * probability);
        json_array_append_new(
            classes, json_pack("{s:I, s:s, s:o}", "class", (json_int_t)best, "name",
                         info->class_names[best], "probability", mica_cli_real(probability)));
    }
    return json_pack("{s:s, s:o}", "image", image, "classes", classes);
}

static int predict(const arguments *a, mica_run *run) {
    const mica_run_info *info = mica_run_get_info(run);
    size_t classes = (size_t)info->classes;
    float *probabilities = mica_alloc(classes, sizeof *probabilities);
    json_t *images = json_array();
    mica_status status = probabilities ? MICA_OK : MICA_E_MEMORY;
    for (int i = 0; i < a->n_images && status == MICA_OK; i++) {
        status = mica_run_predict_image(run, a->images[i], probabilities, classes);
        if (status == MICA_OK)
            json_array_append_new(images, report(a, info, a->images[i], probabilities));
    }
    int code = status == MICA_OK ? 0 : mica_cli_fail(status);
    if (a->json && !code)
        code = mica_cli_json(json_pack("{s:O, s:s}", "images", images, "device", info->device));
    json_decref(images);
    free(probabilities);
    return code;
}

int mica_cli_predict(int argc, char **argv) {
    arguments a = {.top = 3};
    int code = parse(argc, argv, &a);
    if (code == -1)
        return fputs(help, stdout) < 0;
    if (code)
        return code;
    mica_run *run = NULL;
    mica_status status = mica_run_open(a.run, a.device, &run);
    code = status == MICA_OK ? predict(&a, run) : mica_cli_fail(status);
    mica_run_destroy(&run);
    return code;
}
