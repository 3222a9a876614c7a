/* `mica plan`: the launches of a recipe's training step, what each costs, and the memory. */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/measure.h"
#include "recipe/recipe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica plan [--device D] [--data DIR] [--set key=value]... [--json] RECIPE|RUN\n"
    "\n"
    "Compiles the training step of a recipe, runs it on random data and shows every launch: the\n"
    "nodes that it serves, its kernel, bytes moved, floating-point operations and time. No file is\n"
    "read but the recipe, and data where only they tell a layer's size.\n"
    "\n"
    "  --device D        opencl:0, vulkan:0, a part of a name, gpu, cpu or auto (the default)\n"
    "  --data DIR        where data sets lie, of recipes whose sizes only their data tell (default:\n"
    "                    $MICA_DATA, ~/.cache/mica/data, or ../shared/data)\n"
    "  --set key=value   changes a key of the recipe: --set batch=256\n"
    "  --json            one JSON object instead of the table\n"
    "  --help            this text\n";

/* A schedule counts in epochs; the plan is of a step, in which that makes no difference. */
enum { STEPS_PER_EPOCH = 100, WARM_UP = 3, RUNS = 9 };

typedef struct request {
    const char *path, *device, *data;
    const char **overrides;
    size_t n_overrides;
    bool json;
} request;

typedef struct planned {
    mica_recipe *recipe;
    mica_network *network;
    mica_device *device;
    mica_model *model;
    mica_program *program;
    mica_program_report report;
    double *times; /* by row and run, in microseconds */
} planned;

static void release(planned *p) {
    free(p->times);
    mica_program_destroy(&p->program);
    mica_model_destroy(&p->model);
    mica_device_destroy(&p->device);
    mica_network_destroy(&p->network);
    mica_recipe_destroy(&p->recipe);
}

static mica_status prepare(const request *asked, planned *p) {
    char *file = mica_cli_recipe_path(asked->path);
    mica_status status =
        file ? mica_recipe_load(file, asked->overrides, asked->n_overrides, &p->recipe)
             : MICA_E_MEMORY;
    free(file);
    MICA_TRY(status);
    MICA_TRY(mica_recipe_complete(&p->recipe, asked->data));
    mica_recipe_schedule(p->recipe, STEPS_PER_EPOCH);
    MICA_TRY(mica_recipe_build(p->recipe, p->recipe->batch, &p->network));
    MICA_TRY(mica_device_open(asked->device, &p->device));
    mica_cli_device_note(mica_device_get_info(p->device)->note);
    MICA_TRY(mica_model_create(p->network->graph, p->device, p->recipe->seed, &p->model));
    mica_program_options options = {.loss = p->network->loss,
        .optimizer = &p->recipe->optimizer,
        .training = true,
        .timed = true};
    return mica_program_create(p->model, &options, &p->program);
}

/* The labels that every head knows. */
static int64_t classes(const mica_network *network) {
    int64_t fewest = INT32_MAX;
    for (size_t i = 0; i < network->n_heads; i++) {
        if (!network->heads[i].prediction)
            continue;
        mica_shape shape = mica_value_shape(network->heads[i].logits);
        int64_t units = shape.dim[shape.rank - 1];
        if (units < 2)
            units = 2;
        fewest = units < fewest ? units : fewest;
    }
    return fewest;
}

static mica_status fill(const planned *p, mica_value *input, int64_t below) {
    return mica_value_dtype(input) == MICA_F32
               ? mica_cli_random_floats(p->program, input)
               : mica_cli_random_labels(p->program, input, (int32_t)below);
}

static mica_status measure(planned *p) {
    const mica_recipe_data *data = &p->recipe->data;
    int64_t fewest = data->users < data->items ? data->users : data->items;
    MICA_TRY(fill(p, p->network->input, data->users ? fewest : data->classes));
    if (p->network->label)
        MICA_TRY(fill(p, p->network->label, classes(p->network)));
    for (int run = -WARM_UP; run < RUNS; run++) {
        MICA_TRY(mica_program_run(p->program));
        MICA_TRY(mica_device_wait(p->device));
        MICA_TRY(mica_program_get_report(p->program, &p->report));
        if (!p->times && !(p->times = mica_alloc(p->report.n_rows * RUNS, sizeof *p->times)))
            return MICA_E_MEMORY;
        for (size_t i = 0; run >= 0 && i < p->report.n_rows; i++)
            p->times[i * RUNS + (size_t)run] = p->report.rows[i].microseconds;
    }
    for (size_t i = 0; i < p->report.n_rows; i++)
        mica_cli_sort(p->times + i * RUNS, RUNS);
    return MICA_OK;
}

static double row_time(const planned *p, size_t row) {
    return p->times[row * RUNS + RUNS / 2];
}

/* ---- output ---- */

/* "1.5 MB", in powers of 1000 as rates are. */
static const char *amount(double number, const char *unit, char *text, size_t size) {
    static const char prefixes[] = " kMGTP";
    int p = 0;
    while (number >= 999.5 && p < 5) {
        number /= 1000;
        p++;
    }
    snprintf(text, size, p && number < 9.95 ? "%.1f %c%s" : "%.0f %c%s", number, prefixes[p], unit);
    return text;
}

static void print_cost(double bytes, double flops, double microseconds) {
    char moved[16], done[16];
    mica_cli_out("  %9s %10s %10.1f", amount(bytes, "B", moved, sizeof moved),
        amount(flops, "FLOP", done, sizeof done), microseconds);
    if (flops > 0 && microseconds > 0)
        mica_cli_out(" %9.1f", flops / microseconds * 1e-3);
    mica_cli_out("\n");
}

/* The kernel without the constants that are 0: "matmul_fwd_tile TB=1 GM=64". */
static const char *kernel_text(const char *kernel, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    while (*kernel) {
        size_t skip = strspn(kernel, " []"), length = strcspn(kernel + skip, " []");
        const char *word = kernel + skip;
        kernel = word + length;
        if (!length || (length > 2 && !strncmp(word + length - 2, "=0", 2)))
            continue;
        int n = snprintf(text + used, size - used, "%s%.*s", used ? " " : "", (int)length, word);
        used = used + (size_t)n < size ? used + (size_t)n : size - 1;
    }
    return text;
}

static int wider(int width, const char *text) {
    int size = (int)strlen(text);
    return size > width ? size : width;
}

static void print_table(const planned *p) {
    const mica_program_report *report = &p->report;
    const mica_device_info *info = mica_device_get_info(p->device);
    char text[256];
    int node = 12, kernel = 6;
    for (size_t i = 0; i < report->n_rows; i++) {
        node = wider(node, report->rows[i].node);
        kernel = wider(kernel, kernel_text(report->rows[i].kernel, text, sizeof text));
    }
    double bytes = 0, flops = 0, time = 0;
    char size[3][16];
    mica_cli_out("%s, a training step of batch %" PRId64 " on %s (%s)\n", p->recipe->name,
        p->recipe->batch, info->id, info->name);
    for (size_t i = 0; i < report->n_rows; i++) {
        const mica_program_row *row = &report->rows[i];
        if (!i || strcmp(row->phase, report->rows[i - 1].phase))
            mica_cli_out("\n%-*s  %-*s  %9s %10s %10s %9s\n", node, row->phase, kernel, "kernel",
                "moved", "computed", "us", "GFLOP/s");
        mica_cli_out(
            "%-*s  %-*s", node, row->node, kernel, kernel_text(row->kernel, text, sizeof text));
        print_cost(row->bytes, row->flops, row_time(p, i));
        bytes += row->bytes;
        flops += row->flops;
        time += row_time(p, i);
    }
    mica_cli_out("\n%-*s  %-*zu", node, "all launches", kernel, report->n_rows);
    print_cost(bytes, flops, time);
    mica_cli_out("\nparameters, gradients and optimizer: %s; activations: %s (%s without reuse)\n",
        amount((double)report->parameter_bytes, "B", size[0], sizeof size[0]),
        amount((double)report->activation_bytes, "B", size[1], sizeof size[1]),
        amount((double)report->unplanned_bytes, "B", size[2], sizeof size[2]));
}

static json_t *make_json(const planned *p) {
    const mica_program_report *report = &p->report;
    const mica_device_info *info = mica_device_get_info(p->device);
    json_t *rows = json_array();
    for (size_t i = 0; i < report->n_rows; i++) {
        const mica_program_row *row = &report->rows[i];
        json_array_append_new(
            rows, json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "phase", row->phase, "node",
                      row->node, "kernel", row->kernel, "bytes", row->bytes, "flops", row->flops,
                      "microseconds", row_time(p, i)));
    }
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:I, s:I, s:I}", "name", p->recipe->name, "device",
        info->id, "device_name", mica_cli_string(info->name), "batch", (json_int_t)p->recipe->batch,
        "launches", rows, "parameter_bytes", (json_int_t)report->parameter_bytes,
        "activation_bytes", (json_int_t)report->activation_bytes, "unplanned_bytes",
        (json_int_t)report->unplanned_bytes);
}

static int show_plan(const request *asked) {
    planned p = {0};
    mica_status status = prepare(asked, &p);
    if (status == MICA_OK)
        status = measure(&p);
    int code = status == MICA_OK ? 0 : mica_cli_fail(status);
    if (status == MICA_OK && asked->json)
        code = mica_cli_json(make_json(&p));
    else if (status == MICA_OK)
        print_table(&p);
    release(&p);
    return code;
}

int mica_cli_plan(int argc, char **argv) {
    static const struct option options[] = {{"device", required_argument, NULL, 'd'},
        {"data", required_argument, NULL, 'D'}, {"set", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    request asked = {.data = getenv("MICA_DATA"),
        .overrides = mica_alloc((size_t)argc, sizeof *asked.overrides)};
    int code = asked.overrides ? -1 : mica_cli_fail(MICA_E_MEMORY);
    for (int letter; code < 0 && (letter = mica_cli_option(argc, argv, "h", options)) != -1;) {
        if (letter == 'd')
            asked.device = optarg;
        else if (letter == 'D')
            asked.data = optarg;
        else if (letter == 's')
            asked.overrides[asked.n_overrides++] = optarg;
        else if (letter == 'j')
            asked.json = true;
        else if (letter == 'h')
            code = fputs(help, stdout) < 0;
        else
            code = 2;
    }
    if (code < 0 && optind != argc - 1)
        code = mica_cli_usage("plan: expected one RECIPE or RUN; see mica plan --help");
    if (code < 0 && !(code = mica_cli_recipe_check("plan", argv[optind]))) {
        asked.path = argv[optind];
        code = show_plan(&asked);
    }
    free(asked.overrides);
    return code;
}
