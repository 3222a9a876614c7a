/* `mica devices`: lists the devices of this machine, and measures them. Of all above the device
 * layer it knows a matrix product alone. */
#include "cli/cli.h"
#include "cli/measure.h"
#include "device/device.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: mica devices [--bench] [--json]\n"
    "\n"
    "Lists all devices of all OpenCL platforms and of Vulkan. Each is opened, so that what stands\n"
    "here is known to work; what cannot be used is listed with the reason.\n"
    "\n"
    "  --bench   measure memory bandwidth, transfers, the cost of a launch and a matrix product\n"
    "  --json    one JSON object instead of the table\n";

typedef struct options {
    bool bench, json;
} options;

typedef struct figures {
    double copy;     /* GB/s read and written by a kernel */
    double upload;   /* GB/s from host memory to a device buffer */
    double download; /* GB/s back */
    double launch;   /* microseconds a launch in a list of many */
    double wait;     /* microseconds from submitting one launch to the end of the wait */
    double product;  /* GFLOP/s of a product of square matrices */
} figures;

enum {
    BENCH_ELEMENTS = 8 << 20,
    BENCH_LOCAL = 256,
    BENCH_LAUNCHES = 1000,
    BENCH_REPEATS = 5,
    BENCH_PRODUCT = 1024
};

/* What a bench holds, so that one place lets go of it. */
typedef struct bench {
    mica_device *device;
    mica_buffer *buffer;
    mica_commands *copy, *many, *one;
    float *host;
    uint32_t elements;
} bench;

static mica_launch axpb(const bench *b, mica_kernel *kernel, uint32_t count) {
    return (mica_launch){
        .kernel = kernel,
        .bindings = {{b->buffer, 0, b->elements}, {b->buffer, b->elements, b->elements}},
        .groups = {(count + BENCH_LOCAL - 1) / BENCH_LOCAL, 1, 1},
        .params = {count},
    };
}

static mica_status prepare(bench *b) {
    const mica_kernel_desc desc = {.source = "probe",
        .entry = "probe_axpb",
        .n_bindings = 2,
        .params_size = 8,
        .local = {BENCH_LOCAL, 1, 1},
        .n_constants = 1,
        .constants = {{"SCALE", 1}}};
    const mica_traits *traits = mica_device_traits(b->device);
    b->elements = BENCH_ELEMENTS;
    while (b->elements * UINT64_C(8) > traits->max_buffer_bytes ||
           b->elements * UINT64_C(4) > traits->max_binding_bytes)
        b->elements /= 2;
    mica_kernel *kernel;
    MICA_TRY(mica_kernel_get(b->device, &desc, &kernel));
    MICA_TRY(
        mica_buffer_create(b->device, b->elements * UINT64_C(8), MICA_MEMORY_DEVICE, &b->buffer));
    b->host = calloc(b->elements, sizeof *b->host);
    mica_launch *launches = calloc(BENCH_LAUNCHES, sizeof *launches);
    mica_status status = MICA_OK;
    if (!b->host || !launches)
        status = mica_fail(MICA_E_MEMORY, "out of host memory");
    for (int i = 0; launches && i < BENCH_LAUNCHES; i++)
        launches[i] = axpb(b, kernel, 1);
    if (status == MICA_OK)
        status = mica_commands_create(b->device, launches, BENCH_LAUNCHES, false, &b->many);
    if (status == MICA_OK)
        status = mica_commands_create(b->device, launches, 1, false, &b->one);
    free(launches);
    MICA_TRY(status);
    const mica_launch copy = axpb(b, kernel, b->elements);
    return mica_commands_create(b->device, &copy, 1, false, &b->copy);
}

/* The shortest time of some runs, after one that warms up. */
static mica_status run_commands(const bench *b, mica_commands *commands, double *best) {
    *best = 1e9;
    for (int i = 0; i <= BENCH_REPEATS; i++) {
        double start = mica_cli_seconds();
        MICA_TRY(mica_commands_submit(commands));
        MICA_TRY(mica_device_wait(b->device));
        double taken = mica_cli_seconds() - start;
        if (i > 0 && taken < *best)
            *best = taken;
    }
    return MICA_OK;
}

static mica_status run_transfer(const bench *b, bool upload, double *best) {
    uint64_t bytes = b->elements * UINT64_C(4);
    *best = 1e9;
    for (int i = 0; i <= BENCH_REPEATS; i++) {
        double start = mica_cli_seconds();
        MICA_TRY(upload ? mica_buffer_write(b->buffer, 0, b->host, bytes)
                        : mica_buffer_read(b->buffer, 0, b->host, bytes));
        double taken = mica_cli_seconds() - start;
        if (i > 0 && taken < *best)
            *best = taken;
    }
    return MICA_OK;
}

static mica_status measure(bench *b, figures *out) {
    double copy, many, one, upload, download, product;
    MICA_TRY(prepare(b));
    MICA_TRY(run_commands(b, b->copy, &copy));
    MICA_TRY(run_commands(b, b->many, &many));
    MICA_TRY(run_commands(b, b->one, &one));
    MICA_TRY(run_transfer(b, true, &upload));
    MICA_TRY(run_transfer(b, false, &download));
    MICA_TRY(mica_cli_product_rate(b->device, BENCH_PRODUCT, &product));
    double gigabytes = 4e-9 * b->elements;
    *out = (figures){.copy = 2 * gigabytes / copy,
        .upload = gigabytes / upload,
        .download = gigabytes / download,
        .launch = 1e6 * many / BENCH_LAUNCHES,
        .wait = 1e6 * one,
        .product = 1e-9 * product};
    return MICA_OK;
}

static mica_status bench_device(mica_device *device, figures *out) {
    bench b = {.device = device};
    mica_status status = measure(&b, out);
    mica_commands_destroy(&b.copy);
    mica_commands_destroy(&b.many);
    mica_commands_destroy(&b.one);
    mica_buffer_destroy(&b.buffer);
    free(b.host);
    return status;
}

static const char *kind_name(mica_device_kind kind) {
    return kind == MICA_GPU ? "gpu" : kind == MICA_CPU ? "cpu" : "accelerator";
}

/* "9.5 GiB", "32 KiB" */
static const char *bytes_text(uint64_t bytes, char text[16]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double number = (double)bytes;
    int unit = 0;
    for (; number >= 1024 && unit < 4; unit++)
        number /= 1024;
    snprintf(
        text, 16, "%.*f %s", number < 10 && unit > 0 && number != (int)number, number, units[unit]);
    return text;
}

static void print_device(const mica_device_info *info, const figures *measured) {
    char memory[16], local[16], largest[16], cache[16], subgroup[32] = "";
    const mica_traits *t = &info->traits;
    if (*info->problem) {
        mica_cli_out("%-10s %-4s %9s %6s  %s\n%10s unusable: %s\n", info->id, "-", "-", "-",
            info->name, "", info->problem);
        return;
    }
    mica_cli_out("%-10s %-4.4s %9s %6u  %-32s  %s\n", info->id, kind_name(t->kind),
        bytes_text(t->memory_bytes, memory), t->compute_units, info->name, info->driver);
    if (t->subgroup_size)
        snprintf(subgroup, sizeof subgroup, ", subgroups of %u", t->subgroup_size);
    mica_cli_out("%10s vectors of %u%s, groups of %u, local memory %s, buffers of %s%s%s%s%s%s\n",
        "", t->vector_width, subgroup, t->max_group_size, bytes_text(t->local_bytes, local),
        bytes_text(t->max_buffer_bytes, largest), t->cache_bytes ? ", cache " : "",
        t->cache_bytes ? bytes_text(t->cache_bytes, cache) : "",
        t->unified ? ", memory shared with the host" : "", t->fp16 ? ", fp16" : "",
        t->matrix_units ? ", matrix units" : "");
    if (measured)
        mica_cli_out(
            "%10s copy %.1f GB/s, upload %.1f GB/s, download %.1f GB/s, launch %.2f us, submit "
            "and wait %.1f us, matrix product %.1f GFLOP/s\n",
            "", measured->copy, measured->upload, measured->download, measured->launch,
            measured->wait, measured->product);
}

static json_t *traits_json(const mica_traits *t) {
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:[I,I,I], s:[I,I,I], s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
        " s:b, s:b, s:b, s:b}",
        "compute_units", (json_int_t)t->compute_units, "vector_width", (json_int_t)t->vector_width,
        "subgroup_size", (json_int_t)t->subgroup_size, "max_group_size",
        (json_int_t)t->max_group_size, "max_group_dim", (json_int_t)t->max_group_dim[0],
        (json_int_t)t->max_group_dim[1], (json_int_t)t->max_group_dim[2], "max_groups",
        (json_int_t)t->max_groups[0], (json_int_t)t->max_groups[1], (json_int_t)t->max_groups[2],
        "max_loop_steps", (json_int_t)t->max_loop_steps, "local_bytes", (json_int_t)t->local_bytes,
        "offset_align", (json_int_t)t->offset_align, "max_bindings", (json_int_t)t->max_bindings,
        "memory_bytes", (json_int_t)t->memory_bytes, "max_buffer_bytes",
        (json_int_t)t->max_buffer_bytes, "max_binding_bytes", (json_int_t)t->max_binding_bytes,
        "cache_bytes", (json_int_t)t->cache_bytes, "unified", t->unified, "fp16", t->fp16,
        "matrix_units", t->matrix_units, "clblast", t->clblast);
}

static json_t *device_json(const mica_device_info *info, const figures *measured) {
    json_t *object = json_pack("{s:o, s:o, s:o, s:o}", "id", mica_cli_string(info->id), "backend",
        mica_cli_string(info->backend), "name", mica_cli_string(info->name), "driver",
        mica_cli_string(info->driver));
    if (*info->problem) {
        json_object_set_new(object, "problem", mica_cli_string(info->problem));
        return object;
    }
    json_object_set_new(object, "kind", json_string(kind_name(info->traits.kind)));
    json_object_set_new(object, "traits", traits_json(&info->traits));
    if (measured)
        json_object_set_new(object, "bench",
            json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "copy_gb_s", measured->copy, "upload_gb_s",
                measured->upload, "download_gb_s", measured->download, "launch_us",
                measured->launch, "wait_us", measured->wait, "product_gflop_s", measured->product));
    return object;
}

/* Opens a device to learn what is true of it; a failure becomes its problem. */
static bool examine(mica_device_info *info, bool with_bench, figures *measured) {
    mica_device *device = NULL;
    mica_status status = mica_device_open(info->id, &device);
    if (status == MICA_OK) {
        *info = *mica_device_get_info(device);
        if (with_bench)
            status = bench_device(device, measured);
    }
    if (status != MICA_OK)
        snprintf(info->problem, sizeof info->problem, "%.255s", mica_last_error());
    mica_device_destroy(&device);
    return status == MICA_OK && with_bench;
}

static int list(const options *o) {
    mica_device_info *infos = NULL;
    size_t count = 0;
    mica_status status = mica_devices(&infos, &count);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    if (!count)
        mica_cli_err("mica: %s\n", mica_last_error());
    else if (!o->json)
        mica_cli_out(
            "%-10s %-4s %9s %6s  %-32s  %s\n", "id", "kind", "memory", "units", "name", "driver");
    json_t *devices = json_array();
    for (size_t i = 0; i < count; i++) {
        figures measured;
        bool has_figures = !*infos[i].problem && examine(&infos[i], o->bench, &measured);
        if (o->json)
            json_array_append_new(devices, device_json(&infos[i], has_figures ? &measured : NULL));
        else
            print_device(&infos[i], has_figures ? &measured : NULL);
        mica_cli_out_flush();
    }
    free(infos);
    json_t *report = json_pack("{s:o}", "devices", devices);
    if (o->json)
        return mica_cli_json(report);
    json_decref(report);
    return 0;
}

int mica_cli_devices(int argc, char **argv) {
    static const struct option long_options[] = {
        {"bench", no_argument, NULL, 'b'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    options o = {0};
    int c;
    while ((c = mica_cli_option(argc, argv, "", long_options)) != -1) {
        switch (c) {
        case 'b':
            o.bench = true;
            break;
        case 'j':
            o.json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return 2;
        }
    }
    if (optind < argc)
        return mica_cli_usage("devices: unexpected argument '%s'", argv[optind]);
    return list(&o);
}
