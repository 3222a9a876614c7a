/* `mica sample`: what a variational autoencoder makes up, or a language model. */
#include "cli/sample.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "io/grid.h"
#include "train/pictures.h"
#include "train/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica sample RUN -o FILE [-n N] [--seed S] [--device D] [--json]\n"
    "       mica sample RUN [--prime TEXT] [--length N] [--temperature T] [--top-k K]\n"
    "                   [--seed S] [--device D] [--json]\n"
    "\n"
    "Draws numbers from the unit normal and has the decoder of a variational autoencoder, a run's\n"
    "best weights, make samples of them. A run that was trained on a text writes on behind TEXT,\n"
    "character by character, and prints it as it comes.\n"
    "\n"
    "  --seed S         the same seed gives the same samples (default: 1)\n"
    "  --device D       as 'mica devices' names it (default: auto)\n"
    "  --json           one JSON object, the last line on stdout\n"
    "pictures:\n"
    "  --out FILE       (-o) FILE.png: all in one picture; FILE.npy: an array for NumPy\n"
    "  --count N        (-n) how many (default: 64)\n"
    "text:\n"
    "  --prime TEXT     what is read first (default: a new line)\n"
    "  --length N       characters to write (default: 500)\n"
    "  --temperature T  above 0; below 1 the likely becomes likelier (default: 1)\n"
    "  --top-k K        choose from the K likeliest characters (default: all)\n";

enum { COUNT = 64, COUNT_LIMIT = 1 << 20, PNG_LIMIT = 4096, LENGTH_LIMIT = 1000000000 };

static int parse(int argc, char **argv, mica_cli_sampling *a) {
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
        {"out", required_argument, NULL, 'o'}, {"count", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'}, {"prime", required_argument, NULL, 'p'},
        {"length", required_argument, NULL, 'l'}, {"temperature", required_argument, NULL, 't'},
        {"top-k", required_argument, NULL, 'k'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "ho:n:", longs)) != -1;) {
        bool right = true;
        switch (c) {
        case 'd':
            a->device = optarg;
            break;
        case 'o':
            a->out = optarg;
            break;
        case 'n':
            right = mica_cli_integer("--count", optarg, 1, COUNT_LIMIT, &a->count);
            break;
        case 's':
            right = mica_cli_integer("--seed", optarg, 0, INT64_MAX, &a->seed);
            break;
        case 'p':
            a->prime = optarg;
            break;
        case 'l':
            right = mica_cli_integer("--length", optarg, 1, LENGTH_LIMIT, &a->length);
            break;
        case 't':
            right = mica_cli_positive("--temperature", optarg, &a->temperature);
            break;
        case 'k':
            right = mica_cli_integer("--top-k", optarg, 1, INT32_MAX, &a->top_k);
            break;
        case 'j':
            a->json = true;
            break;
        case 'h':
            return -1;
        default:
            return 2;
        }
        if (!right)
            return 2;
    }
    if (optind != argc - 1)
        return mica_cli_usage("sample: expected one RUN; see mica sample --help");
    a->run = argv[optind];
    return a->out ? mica_cli_output_check("sample", a->out) : 0;
}

static mica_status write_png(
    const mica_cli_sampling *a, mica_run *run, mica_shape sample, const float *pixels) {
    mica_shape tile;
    char text[96];
    if (!mica_picture_shape(sample, &tile))
        return mica_fail(MICA_E_UNSUPPORTED,
            "samples of %s are no pictures: write them with -o FILE.npy",
            mica_shape_text(sample, text, sizeof text));
    int64_t columns = (int64_t)ceil(sqrt((double)a->count));
    return mica_grid_write(a->out, &(mica_grid){.rows = (a->count + columns - 1) / columns,
                                       .columns = columns,
                                       .count = a->count,
                                       .tile = tile,
                                       .pixels = pixels,
                                       .high = mica_run_get_info(run)->white});
}

static mica_status write_npy(const mica_cli_sampling *a, mica_shape sample, const float *samples) {
    int64_t dim[MICA_MAX_RANK] = {a->count};
    memcpy(dim + 1, sample.dim, (size_t)sample.rank * sizeof *dim);
    return mica_npy_write(a->out, mica_shape_of(sample.rank + 1, dim), samples);
}

static int report(const mica_cli_sampling *a, const mica_run_info *info) {
    if (!a->json)
        return 0;
    json_t *shape = json_pack("[I]", (json_int_t)a->count);
    for (int i = 0; i < info->sample.rank; i++)
        json_array_append_new(shape, json_integer(info->sample.dim[i]));
    return mica_cli_json(json_pack("{s:o, s:o, s:I, s:o}", "out", mica_cli_string(a->out), "shape",
        shape, "seed", (json_int_t)a->seed, "device", mica_cli_string(info->device)));
}

static int sample_pictures(mica_cli_sampling *a, mica_run *run) {
    const mica_run_info *info = mica_run_get_info(run);
    if (a->prime || a->length || a->temperature != 0 || a->top_k)
        return mica_cli_usage(
            "sample: %s writes no text: --prime, --length, --temperature and --top-k are for runs "
            "that were trained on one",
            a->run);
    if (!run->one.network->drawn)
        return mica_cli_usage(
            "sample: %s cannot make samples: it is no variational autoencoder (with "
            "a gaussian layer, and a loss with target: input), and was not trained "
            "on a text",
            a->run);
    a->png = a->out && mica_cli_ends(a->out, ".png");
    if (!a->png && (!a->out || !mica_cli_ends(a->out, ".npy")))
        return mica_cli_usage("sample: expected -o FILE.png or -o FILE.npy");
    if (!a->count)
        a->count = COUNT;
    if (a->png && a->count > PNG_LIMIT)
        return mica_cli_usage("sample: %" PRId64
                              " samples do not fit into one picture: at most %d, "
                              "or -o FILE.npy",
            a->count, PNG_LIMIT);
    size_t numbers = (size_t)a->count * (size_t)mica_shape_count(info->sample);
    float *samples = mica_alloc(numbers, sizeof *samples);
    mica_status status = samples
                             ? mica_run_sample(run, (uint64_t)a->seed, a->count, samples, numbers)
                             : MICA_E_MEMORY;
    if (status == MICA_OK)
        status =
            a->png ? write_png(a, run, info->sample, samples) : write_npy(a, info->sample, samples);
    free(samples);
    return status == MICA_OK ? report(a, info) : mica_cli_fail(status);
}

int mica_cli_sample(int argc, char **argv) {
    mica_cli_sampling a = {.seed = 1};
    int code = parse(argc, argv, &a);
    if (code == -1)
        return fputs(help, stdout) < 0;
    if (code)
        return code;
    mica_run *run = NULL;
    mica_status status = mica_run_open(a.run, a.device, &run);
    if (status == MICA_OK)
        mica_cli_device_note(mica_run_get_info(run)->device_note);
    if (status != MICA_OK)
        code = mica_cli_fail(status);
    else if (mica_run_get_info(run)->text)
        code = mica_cli_sample_text(&a, run);
    else
        code = sample_pictures(&a, run);
    mica_run_destroy(&run);
    return code;
}
