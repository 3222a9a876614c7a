/* `mica encode`: what a layer of a network gives for samples. */
#include "base/mem.h"
#include "cli/model.h"

#include <mica/io.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: mica encode RUN FOLDER|IMAGE... -o CODES.npz|CODES.npy [--layer NAME] [--mean] ...\n"
    "       mica encode RUN --set train|validation|test -o CODES.npz|CODES.npy [--data DIR] ...\n"
    "       mica encode RECIPE --weights FILE ...\n"
    "       mica encode MODEL.onnx --preprocess PRESET|FILE ...\n"
    "\n"
    "Writes what a layer gives for pictures, or for the samples of the recipe's data, as arrays for\n"
    "NumPy, a row a sample: in a .npz file codes, labels, class_names and files; in a .npy file the\n"
    "codes alone. A folder holds pictures, or a folder of pictures for each class. Recipes read the\n"
    ".npz files as the data set codes. What cannot be read is named and left out; the exit code is then\n"
    "that of the error if it is one of several pictures.\n"
    "\n"
    "  --out FILE         (-o) the arrays\n"
    "  --layer NAME       which layer, of an ONNX file which value (default: the code of an\n"
    "                     autoencoder: the recipe's key code, the mean of a gaussian layer, or the\n"
    "                     narrowest layer)\n"
    "  --mean             of a layer that gives images: the mean of each channel\n"
    "  --set SET          takes all samples of train, validation or test instead of pictures\n"
    "  --count N          (-n) only the first N samples of the set\n"
    "  --data DIR         where data sets lie (default: $MICA_DATA,\n"
    "                     ~/.cache/mica/data, or ../shared/data)\n"
    "  --weights FILE     of a recipe that was not trained here: Mica's or PyTorch's safetensors\n"
    "  --set KEY=VALUE    with --weights: changes a key of the recipe\n"
    "  --preprocess P     of an ONNX file: alexnet, vgg, torchvision, squeezenet, or a YAML file with\n"
    "                     the keys of that block\n"
    "  --device D         as 'mica devices' names it (default: auto)\n"
    "  --json             one JSON object, the last line on stdout\n";

#define LIVE_SECONDS 0.1 /* between drawings of the live line */

typedef struct arguments {
    mica_cli_model model;
    const char *data, *out, *layer, *set;
    int64_t count; /* 0: all */
    char **images;
    int64_t n_images;
    bool mean, json;
} arguments;

/* What is written. */
typedef struct encoded {
    mica_dataset *set; /* NULL: single pictures: */
    char **images;     /* of the arguments, those that were read stand first */
    int code;          /* for the program, of the first that was not */
    mica_shape shape;  /* of codes: (count, ...) */
    float *codes;
} encoded;

static const char *const set_names[] = {"train", "validation", "test"};

static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {MICA_CLI_MODEL_OPTIONS,
        {"data", required_argument, NULL, 'D'}, {"out", required_argument, NULL, 'o'},
        {"layer", required_argument, NULL, 'l'}, {"set", required_argument, NULL, 'S'},
        {"count", required_argument, NULL, 'n'}, {"mean", no_argument, NULL, 'm'},
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "ho:n:", longs)) != -1;) {
        if (mica_cli_model_option(&a->model, c))
            continue;
        switch (c) {
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
                a->model.overrides[a->model.n_overrides++] = optarg;
            else
                a->set = optarg;
            break;
        case 'n':
            if (!mica_cli_integer("--count", optarg, 1, INT32_MAX, &a->count))
                return 2;
            break;
        case 'm':
            a->mean = true;
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
    a->model.path = argv[optind];
    a->images = argv + optind + 1;
    a->n_images = argc - optind - 1;
    if (!a->out || !(mica_cli_ends(a->out, ".npy") || mica_cli_ends(a->out, ".npz")))
        return mica_cli_usage("encode: expected -o FILE.npz or -o FILE.npy");
    if (!a->set == !a->n_images)
        return mica_cli_usage("encode: expected either pictures or --set; see mica encode --help");
    if (a->count && !a->set)
        return mica_cli_usage("encode: --count goes with --set");
    bool known = !a->set;
    for (size_t i = 0; !known && i < 3; i++)
        known = !strcmp(a->set, set_names[i]);
    if (!known)
        return mica_cli_usage(
            "encode: --set: expected train, validation or test, got \"%s\"", a->set);
    int code = mica_cli_model_check(&a->model, "encode");
    return code ? code : mica_cli_output_check("encode", a->out);
}

/* ---- samples ---- */

static bool is_folder(const char *path) {
    struct stat info;
    return !stat(path, &info) && S_ISDIR(info.st_mode);
}

/* The recipe's set, or its first samples. */
static mica_status open_set(const arguments *a, mica_run *run, mica_dataset **set) {
    mica_dataset *sets[3] = {NULL, NULL, NULL};
    size_t which = 0;
    while (strcmp(set_names[which], a->set))
        which++;
    MICA_TRY(mica_run_open_data(run, a->data, &sets[0], &sets[1], &sets[2]));
    mica_cli_note(mica_run_data_note(run));
    mica_status status = MICA_OK;
    if (!sets[which])
        status = mica_fail(
            MICA_E_INVALID, "the data of %s have no %s set", mica_run_get_info(run)->name, a->set);
    else if (a->count && a->count < mica_dataset_get_info(sets[which])->count)
        status = mica_dataset_slice(sets[which], 0, a->count, set);
    else
        *set = sets[which], sets[which] = NULL;
    for (size_t i = 0; i < 3; i++)
        mica_dataset_destroy(&sets[i]);
    return status;
}

/* ---- codes ---- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void show_progress(int64_t done, int64_t count, double began, double *shown) {
    double time = now();
    if (!isatty(STDERR_FILENO) || (time - *shown < LIVE_SECONDS && done < count))
        return;
    *shown = time;
    mica_cli_err("\r%" PRId64 "/%" PRId64 "  %.0f samples/s\033[K", done, count,
        (double)done / (time - began));
    if (done == count)
        mica_cli_err("\r\033[K");
    fflush(stderr);
}

/* The shape of `count` codes of a layer. */
static mica_status codes_shape(
    const arguments *a, mica_run *run, int64_t count, mica_shape *layer, mica_shape *codes) {
    char text[96];
    MICA_TRY(mica_run_layer_shape(run, a->layer, layer));
    if (a->mean && layer->rank != 3)
        return mica_fail(MICA_E_INVALID,
            "--mean is for a layer that gives images (height, width, channels): %s gives %s",
            a->layer ? a->layer : "the code", mica_shape_text(*layer, text, sizeof text));
    int64_t dim[MICA_MAX_RANK] = {count};
    if (a->mean)
        dim[1] = layer->dim[2];
    else
        memcpy(dim + 1, layer->dim, (size_t)layer->rank * sizeof *dim);
    *codes = mica_shape_of(a->mean ? 2 : layer->rank + 1, dim);
    return MICA_OK;
}

static void take_mean(
    const float *images, int64_t count, int64_t positions, int64_t channels, float *codes) {
    for (int64_t i = 0; i < count; i++, images += positions * channels)
        for (int64_t c = 0; c < channels; c++) {
            double sum = 0;
            for (int64_t p = 0; p < positions; p++)
                sum += (double)images[p * channels + c];
            *codes++ = (float)(sum / (double)positions);
        }
}

/* Codes of some samples; room has their layer's numbers where their mean is wanted. */
static mica_status encode_some(const arguments *a, mica_run *run, const float *samples,
    int64_t count, mica_shape layer, float *room, float *codes) {
    size_t numbers = (size_t)count * (size_t)mica_shape_count(layer);
    MICA_TRY(mica_run_encode(run, a->layer, samples, count, a->mean ? room : codes, numbers));
    if (a->mean)
        take_mean(room, count, layer.dim[0] * layer.dim[1], layer.dim[2], codes);
    return MICA_OK;
}

static mica_status encode_set(
    const arguments *a, mica_run *run, encoded *e, mica_shape layer, int64_t batch, float *room) {
    const int64_t count = e->shape.dim[0], width = mica_shape_count(e->shape) / count;
    mica_loader *loader = NULL;
    MICA_TRY(mica_loader_create(e->set, &(mica_loader_options){.batch = batch}, &loader));
    mica_status status = MICA_OK;
    double began = now(), shown = 0;
    for (int64_t done = 0; done < count && status == MICA_OK;) {
        mica_batch read;
        status = mica_loader_next(loader, &read);
        if (status == MICA_OK && !read.features)
            status = mica_fail(MICA_E_UNSUPPORTED, "the samples are ids, which have no codes");
        if (status != MICA_OK)
            break;
        status =
            encode_some(a, run, read.features, read.valid, layer, room, e->codes + done * width);
        done += read.valid;
        if (status == MICA_OK)
            show_progress(done, count, began, &shown);
    }
    mica_loader_destroy(&loader);
    return status;
}

static mica_status encode_images(
    const arguments *a, mica_run *run, encoded *e, mica_shape layer, int64_t batch, float *room) {
    const int64_t width = mica_shape_count(e->shape) / a->n_images;
    const size_t size = (size_t)mica_shape_count(mica_run_get_info(run)->sample);
    float *samples = mica_alloc((size_t)batch, size * sizeof *samples);
    mica_status status = samples ? MICA_OK : MICA_E_MEMORY;
    int64_t done = 0, n = 0;
    for (int64_t i = 0; i < a->n_images && status == MICA_OK; i++) {
        status = mica_run_read_image(run, a->images[i], samples + (size_t)n * size, size);
        if (status == MICA_OK) {
            e->images[done + n++] = a->images[i];
        } else if (mica_cli_is_of_file(status)) {
            const int code = mica_cli_fail(status);
            e->code = e->code ? e->code : code;
            status = MICA_OK;
        }
        if (status == MICA_OK && n && (n == batch || i + 1 == a->n_images)) {
            status = encode_some(a, run, samples, n, layer, room, e->codes + done * width);
            done += n;
            n = 0;
        }
    }
    free(samples);
    e->shape.dim[0] = done;
    return status;
}

static mica_status encode_all(const arguments *a, mica_run *run, encoded *e) {
    mica_shape layer;
    int64_t count = e->set ? mica_dataset_get_info(e->set)->count : a->n_images;
    MICA_TRY(codes_shape(a, run, count, &layer, &e->shape));
    const int64_t batch = mica_run_get_info(run)->batch;
    float *room =
        mica_alloc(a->mean ? (size_t)batch : 1, (size_t)mica_shape_count(layer) * sizeof *room);
    e->codes = mica_alloc(
        (size_t)count, (size_t)mica_shape_count(e->shape) / (size_t)count * sizeof *e->codes);
    mica_status status = room && e->codes ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = e->set ? encode_set(a, run, e, layer, batch, room)
                        : encode_images(a, run, e, layer, batch, room);
    free(room);
    return status;
}

/* ---- writing ---- */

/* The file of each sample, below the folder that was given; free() the array. NULL where there are
 * none and when memory runs out. */
static const char **file_names(const arguments *a, const encoded *e) {
    int64_t count = e->shape.dim[0];
    const char **names = mica_alloc((size_t)count, sizeof *names);
    size_t above = e->set && !a->set ? strlen(a->images[0]) : 0;
    for (int64_t i = 0; i < count && names; i++) {
        names[i] = e->set ? mica_dataset_file(e->set, i) : e->images[i];
        if (!names[i]) {
            free(names);
            return NULL;
        }
        names[i] += above;
        names[i] += above ? strspn(names[i], "/") : 0;
    }
    return names;
}

static mica_status write_npz(const arguments *a, const encoded *e) {
    const mica_dataset_info *info = e->set ? mica_dataset_get_info(e->set) : NULL;
    const int64_t count = e->shape.dim[0];
    bool labelled = info && info->classes && !info->target.rank && *info->class_names[0];
    int32_t *labels = mica_alloc((size_t)count, sizeof *labels);
    if (!labels)
        return MICA_E_MEMORY;
    mica_status status = MICA_OK;
    for (int64_t i = 0; i < count && labelled && status == MICA_OK; i++)
        status = mica_dataset_sample(e->set, i, NULL, &labels[i]);
    const char **files = file_names(a, e);
    mica_array arrays[4] = {{.name = "codes", .shape = e->shape, .floats = e->codes}};
    size_t n = 1;
    if (labelled) {
        arrays[n++] =
            (mica_array){.name = "labels", .shape = MICA_SHAPE(count), .integers = labels};
        arrays[n++] = (mica_array){
            .name = "class_names", .shape = MICA_SHAPE(info->classes), .texts = info->class_names};
    }
    if (files)
        arrays[n++] = (mica_array){.name = "files", .shape = MICA_SHAPE(count), .texts = files};
    if (status == MICA_OK)
        status = mica_npz_write(a->out, arrays, n);
    free(files);
    free(labels);
    return status;
}

static int encode(const arguments *a, mica_run *run, encoded *e) {
    mica_status status = MICA_OK;
    if (a->set)
        status = open_set(a, run, &e->set);
    else if (a->n_images == 1 && is_folder(a->images[0]))
        status = mica_run_read_folder(run, a->images[0], &e->set);
    if (status == MICA_OK && e->set)
        mica_cli_show_left_out(mica_dataset_get_info(e->set));
    if (status == MICA_OK)
        status = encode_all(a, run, e);
    if (status == MICA_OK && !e->shape.dim[0])
        return e->code; /* no picture was read: there is nothing to write */
    if (status == MICA_OK)
        status = mica_cli_ends(a->out, ".npz") ? write_npz(a, e)
                                               : mica_npy_write(a->out, e->shape, e->codes);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    if (!a->json)
        return e->code;
    json_t *shape = json_array();
    for (int i = 0; i < e->shape.rank; i++)
        json_array_append_new(shape, json_integer(e->shape.dim[i]));
    const int printed = mica_cli_json(json_pack("{s:o, s:o, s:o}", "out", mica_cli_string(a->out),
        "shape", shape, "device", mica_cli_string(mica_run_get_info(run)->device)));
    return e->code ? e->code : printed;
}

static int open_and_encode(const arguments *a) {
    mica_run *run = NULL;
    encoded e = {.images = a->images};
    mica_status status = mica_cli_model_open(&a->model, &run);
    int code = status == MICA_OK ? encode(a, run, &e) : mica_cli_fail(status);
    free(e.codes);
    mica_dataset_destroy(&e.set);
    mica_run_destroy(&run);
    return code;
}

int mica_cli_encode(int argc, char **argv) {
    arguments a = {.data = getenv("MICA_DATA"),
        .model.overrides = mica_alloc((size_t)argc, sizeof *a.model.overrides)};
    int code = a.model.overrides ? parse(argc, argv, &a) : mica_cli_fail(MICA_E_MEMORY);
    if (code == -1)
        code = fputs(help, stdout) < 0;
    else if (!code)
        code = open_and_encode(&a);
    free(a.model.overrides);
    return code;
}
