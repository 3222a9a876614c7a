/* `mica encode`: what a layer of a run gives for samples. */
#include "cli/cli.h"

#include "base/mem.h"
#include "recipe/recipe.h"

#include <mica/io.h>
#include <mica/train.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica encode RUN IMAGE... -o CODES.npy [--layer NAME] [--device D] [--json]\n"
    "       mica encode RUN --set train|validation|test -o CODES.npy [--data DIR] ...\n"
    "       mica encode RECIPE --weights FILE ...\n"
    "\n"
    "Writes what a layer gives for pictures, or for the samples of the recipe's data, as an array\n"
    "for NumPy: a row a sample.\n"
    "\n"
    "  --out FILE      (-o) the array\n"
    "  --layer NAME    which layer (default: the code of an autoencoder: the recipe's key code, the\n"
    "                  mean of a gaussian layer, or the narrowest layer)\n"
    "  --set SET       takes all samples of train, validation or test instead of pictures\n"
    "  --set KEY=VALUE with --weights: changes a key of the recipe\n"
    "  --count N       (-n) only the first N samples of the set\n"
    "  --data DIR      where data sets lie (default: $MICA_DATA,\n"
    "                  ~/.cache/mica/data, or ../shared/data)\n"
    "  --weights FILE  of a recipe that was not trained here: Mica's or PyTorch's safetensors\n"
    "  --device D      as 'mica devices' names it (default: auto)\n"
    "  --json          one JSON object, the last line on stdout\n";

typedef struct arguments {
    const char *run, *device, *data, *out, *layer, *set, *weights;
    const char **overrides; /* owned array; its strings are argv's */
    size_t n_overrides;
    int64_t count; /* 0: all */
    char **images;
    int64_t n_images;
    bool json;
} arguments;

static const char *const set_names[] = {"train", "validation", "test"};

static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
        {"data", required_argument, NULL, 'D'}, {"out", required_argument, NULL, 'o'},
        {"layer", required_argument, NULL, 'l'}, {"set", required_argument, NULL, 'S'},
        {"count", required_argument, NULL, 'n'}, {"weights", required_argument, NULL, 'w'},
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "ho:n:", longs)) != -1;) {
        switch (c) {
        case 'd':
            a->device = optarg;
            break;
        case 'D':
            a->data = optarg;
            break;
        case 'o':
            a->out = optarg;
            break;
        case 'l':
            a->layer = optarg;
            break;
        case 'S':
            if (strchr(optarg, '='))
                a->overrides[a->n_overrides++] = optarg;
            else
                a->set = optarg;
            break;
        case 'n':
            if (!mica_cli_integer("--count", optarg, 1, INT32_MAX, &a->count))
                return 2;
            break;
        case 'w':
            a->weights = optarg;
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
    if (optind == argc)
        return mica_cli_usage("encode: expected a RUN; see mica encode --help");
    a->run = argv[optind];
    a->images = argv + optind + 1;
    a->n_images = argc - optind - 1;
    if (!a->out || !mica_cli_ends(a->out, ".npy"))
        return mica_cli_usage("encode: expected -o FILE.npy");
    if (!a->set == !a->n_images)
        return mica_cli_usage("encode: expected either pictures or --set; see mica encode --help");
    if (a->n_overrides && !a->weights)
        return mica_cli_usage("encode: --set KEY=VALUE goes with --weights: a run has its recipe");
    if (a->count && !a->set)
        return mica_cli_usage("encode: --count goes with --set");
    for (size_t i = 0; a->set && i < 3; i++)
        if (!strcmp(a->set, set_names[i]))
            return 0;
    return a->set ? mica_cli_usage(
                        "encode: --set: expected train, validation or test, got \"%s\"", a->set)
                  : 0;
}

/* The samples of the set, (count, sample...); free(). */
static mica_status read_set(const arguments *a, mica_run *run, float **samples, int64_t *count) {
    mica_dataset *sets[3] = {NULL, NULL, NULL};
    size_t which = 0;
    while (strcmp(set_names[which], a->set))
        which++;
    MICA_TRY(mica_run_open_data(run, a->data, &sets[0], &sets[1], &sets[2]));
    const mica_dataset *set = sets[which];
    mica_status status = MICA_OK;
    if (!set)
        status = mica_fail(
            MICA_E_INVALID, "the data of %s have no %s set", mica_run_get_info(run)->name, a->set);
    if (status == MICA_OK) {
        const mica_dataset_info *info = mica_dataset_get_info(set);
        size_t size = (size_t)mica_shape_count(info->sample);
        *count = a->count && a->count < info->count ? a->count : info->count;
        *samples = mica_alloc((size_t)*count, size * sizeof **samples);
        status = *samples ? MICA_OK : MICA_E_MEMORY;
        for (int64_t i = 0; i < *count && status == MICA_OK; i++)
            status = mica_dataset_sample(set, i, *samples + (size_t)i * size, NULL);
    }
    for (size_t i = 0; i < 3; i++)
        mica_dataset_destroy(&sets[i]);
    return status;
}

static mica_status read_images(const arguments *a, mica_run *run, float **samples, int64_t *count) {
    size_t size = (size_t)mica_shape_count(mica_run_get_info(run)->sample);
    *count = a->n_images;
    *samples = mica_alloc((size_t)*count, size * sizeof **samples);
    if (!*samples)
        return MICA_E_MEMORY;
    for (int64_t i = 0; i < *count; i++)
        MICA_TRY(mica_run_read_image(run, a->images[i], *samples + (size_t)i * size, size));
    return MICA_OK;
}

static mica_status write_codes(
    const arguments *a, mica_run *run, const float *samples, int64_t count, mica_shape *written) {
    mica_shape code;
    MICA_TRY(mica_run_layer_shape(run, a->layer, &code));
    int64_t dim[MICA_MAX_RANK] = {count};
    memcpy(dim + 1, code.dim, (size_t)code.rank * sizeof *dim);
    *written = mica_shape_of(code.rank + 1, dim);
    size_t numbers = (size_t)count * (size_t)mica_shape_count(code);
    float *codes = mica_alloc(numbers, sizeof *codes);
    mica_status status =
        codes ? mica_run_encode(run, a->layer, samples, count, codes, numbers) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = mica_npy_write(a->out, *written, codes);
    free(codes);
    return status;
}

static int encode(const arguments *a, mica_run *run) {
    float *samples = NULL;
    int64_t count = 0;
    mica_shape written;
    mica_status status =
        a->set ? read_set(a, run, &samples, &count) : read_images(a, run, &samples, &count);
    if (status == MICA_OK)
        status = write_codes(a, run, samples, count, &written);
    free(samples);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    if (!a->json)
        return 0;
    json_t *shape = json_array();
    for (int i = 0; i < written.rank; i++)
        json_array_append_new(shape, json_integer(written.dim[i]));
    return mica_cli_json(json_pack("{s:s, s:o, s:s}", "out", a->out, "shape", shape, "device",
        mica_run_get_info(run)->device));
}

static int open_and_encode(const arguments *a) {
    mica_run *run = NULL;
    mica_status status = a->weights ? mica_run_open_recipe(a->run, a->overrides, a->n_overrides,
                                          a->weights, a->device, &run)
                                    : mica_run_open(a->run, a->device, &run);
    int code = status == MICA_OK ? encode(a, run) : mica_cli_fail(status);
    mica_run_destroy(&run);
    return code;
}

int mica_cli_encode(int argc, char **argv) {
    arguments a = {
        .data = getenv("MICA_DATA"),
        .overrides = mica_alloc((size_t)argc, sizeof *a.overrides),
    };
    int code = a.overrides ? parse(argc, argv, &a) : mica_cli_fail(MICA_E_MEMORY);
    if (code == -1)
        code = fputs(help, stdout) < 0;
    else if (!code)
        code = open_and_encode(&a);
    free(a.overrides);
    return code;
}
