/* `mica summary`: the layers of a network, as Keras' model.summary shows them. Needs no device. */
#include "cli/tensors.h"

#include "base/mem.h"
#include "base/text.h"
#include "recipe/recipe.h"
#include "train/uses.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica summary [--data DIR] [--set key=value]... [--json] RECIPE|RUN|FILE\n"
    "\n"
    "Shows the layers of a recipe's network, or of a run's: output shapes, numbers of parameters\n"
    "and connections. ? stands for the batch. Of a FILE (.onnx, .safetensors, .npz, .npy): its\n"
    "tensors and, of ONNX, its inputs and operators.\n"
    "\n"
    "  --data DIR        where data sets lie, of recipes whose sizes only their data tell (default:\n"
    "                    $MICA_DATA, ~/.cache/mica/data, or ../shared/data)\n"
    "  --set key=value   changes a key of the recipe: --set layers.hidden.units=64\n"
    "  --json            one JSON object instead of the table\n"
    "  --help            this text\n";

typedef struct totals {
    int64_t parameters, frozen;
} totals;

static totals count(const mica_network *network) {
    totals sum = {0, 0};
    for (size_t i = 0; i < network->n_layers; i++) {
        sum.parameters += network->layers[i].parameters;
        sum.frozen += network->layers[i].frozen_parameters;
    }
    return sum;
}

/* "(?, 28, 28)" */
static const char *shape_text(mica_shape shape, char *text, size_t size) {
    int used = snprintf(text, size, "(?");
    for (int i = 1; i < shape.rank; i++)
        used += snprintf(text + used, size - (size_t)used, ", %" PRId64, shape.dim[i]);
    snprintf(text + used, size - (size_t)used, ")");
    return text;
}

/* "1,234,567" */
static const char *number_text(int64_t number, char *text, size_t size) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRId64, number), used = 0;
    for (int i = 0; i < n && (size_t)used + 2 < size; i++) {
        if (i && (n - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = 0;
    return text;
}

static int wider(int width, const char *text) {
    int size = (int)strlen(text);
    return size > width ? size : width;
}

static void print_table(const char *name, const mica_network *network) {
    enum { COLUMNS = 4 };
    static const char *const titles[COLUMNS] = {"layer", "type", "output", "parameters"};
    char shape[128], number[32];
    int width[COLUMNS];
    for (int c = 0; c < COLUMNS; c++)
        width[c] = (int)strlen(titles[c]);
    for (size_t i = 0; i < network->n_layers; i++) {
        const mica_network_layer *row = &network->layers[i];
        width[0] = wider(width[0], row->name);
        width[1] = wider(width[1], row->type);
        width[2] = wider(width[2], shape_text(row->output, shape, sizeof shape));
        width[3] = wider(width[3], number_text(row->parameters, number, sizeof number));
    }
    mica_cli_out("%s\n", name);
    mica_cli_out("%-*s  %-*s  %-*s  %*s  %s\n", width[0], titles[0], width[1], titles[1], width[2],
        titles[2], width[3], titles[3], "connected to");
    for (size_t i = 0; i < network->n_layers; i++) {
        const mica_network_layer *row = &network->layers[i];
        mica_cli_out("%-*s  %-*s  %-*s  %*s%s%s%s\n", width[0], row->name, width[1], row->type,
            width[2], shape_text(row->output, shape, sizeof shape), width[3],
            number_text(row->parameters, number, sizeof number), *row->from ? "  " : "", row->from,
            !row->frozen_parameters                     ? ""
            : row->frozen_parameters == row->parameters ? " (frozen)"
                                                        : " (partly frozen)");
    }
    totals sum = count(network);
    mica_cli_out("\nparameters  %s", number_text(sum.parameters, number, sizeof number));
    mica_cli_out(" (%s bytes)\n",
        number_text(sum.parameters * (int64_t)sizeof(float), number, sizeof number));
    mica_cli_out(
        "trainable   %s\n", number_text(sum.parameters - sum.frozen, number, sizeof number));
    mica_cli_out("frozen      %s\n", number_text(sum.frozen, number, sizeof number));
}

/* {"name": ..., "layers": [...], "parameters": ...}; the batch is null in shapes. */
static json_t *make_json(const char *name, const mica_network *network) {
    json_t *layers = json_array();
    for (size_t i = 0; i < network->n_layers; i++) {
        const mica_network_layer *row = &network->layers[i];
        json_t *output = json_pack("[n]");
        for (int d = 1; d < row->output.rank; d++)
            json_array_append_new(output, json_integer(row->output.dim[d]));
        json_array_append_new(
            layers, json_pack("{s:s, s:s, s:o, s:I, s:I, s:s}", "name", row->name, "type",
                        row->type, "output", output, "parameters", (json_int_t)row->parameters,
                        "frozen", (json_int_t)row->frozen_parameters, "from", row->from));
    }
    totals sum = count(network);
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "name", name, "layers", layers, "parameters",
        (json_int_t)sum.parameters, "trainable", (json_int_t)(sum.parameters - sum.frozen),
        "frozen", (json_int_t)sum.frozen, "bytes",
        (json_int_t)(sum.parameters * (int64_t)sizeof(float)));
}

static int summarize(const char *path, const char *data, const char *const *overrides,
    size_t n_overrides, bool json) {
    mica_recipe *recipe = NULL;
    mica_network *network = NULL;
    mica_texts uses = {0};
    char *file = mica_cli_recipe_path(path);
    mica_status status =
        file ? mica_recipe_load(file, overrides, n_overrides, &recipe) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = mica_recipe_complete(&recipe, data);
    if (status == MICA_OK)
        status = mica_recipe_build(recipe, recipe->batch, &network);
    if (status == MICA_OK)
        status = mica_uses_check(recipe, network, &uses);
    int code = status == MICA_OK ? 0 : mica_cli_fail(status);
    for (size_t i = 0; status == MICA_OK && mica_graph_warning(network->graph, i); i++)
        mica_cli_note(mica_graph_warning(network->graph, i));
    for (size_t i = 0; status == MICA_OK && i < uses.count; i++)
        mica_cli_note(uses.item[i]);
    if (status == MICA_OK && json)
        code = mica_cli_json(make_json(recipe->name, network));
    else if (status == MICA_OK)
        print_table(recipe->name, network);
    mica_texts_clear(&uses);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
    free(file);
    return code;
}

int mica_cli_summary(int argc, char **argv) {
    static const struct option options[] = {{"data", required_argument, NULL, 'D'},
        {"set", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *data = NULL;
    bool json = false;
    const char **overrides = mica_alloc((size_t)argc, sizeof *overrides);
    size_t n_overrides = 0;
    int code = overrides ? -1 : mica_cli_fail(MICA_E_MEMORY);
    for (int letter; code < 0 && (letter = mica_cli_option(argc, argv, "h", options)) != -1;) {
        if (letter == 'D')
            data = optarg;
        else if (letter == 's')
            overrides[n_overrides++] = optarg;
        else if (letter == 'j')
            json = true;
        else if (letter == 'h')
            code = fputs(help, stdout) < 0;
        else
            code = 2;
    }
    if (code < 0 && optind != argc - 1)
        code = mica_cli_usage("summary: expected one RECIPE or RUN; see mica summary --help");
    const bool weights = code < 0 && mica_cli_is_tensors(argv[optind]);
    if (weights && (n_overrides || data))
        code = mica_cli_usage(
            "summary: %s is a file of weights: --set and --data are for recipes", argv[optind]);
    else if (weights)
        code = mica_cli_summary_tensors(argv[optind], json);
    else if (code < 0)
        code = summarize(
            argv[optind], data ? data : getenv("MICA_DATA"), overrides, n_overrides, json);
    free(overrides);
    return code;
}
