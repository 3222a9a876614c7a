/* The gradients' norms: their arena is cut into chunks that end where a parameter ends; each
 * chunk's sum of squares is one work-group's, and one work-item adds the chunks in a fixed order. A
 * sparse parameter's sums are computed by the program (graph/sparse.h). The total also tells the
 * optimizer whether all gradients are finite: NaN and infinity survive the sums. */
#include "graph/update.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>

typedef struct norm_chunk {
    uint32_t offset, count; /* in the window, in pieces of the device's vector width */
} norm_chunk;

typedef struct norm_owner {
    uint32_t first, count; /* chunks of a parameter; none if it is frozen */
} norm_owner;

typedef struct norm_tables {
    norm_chunk *chunks;
    norm_owner *owners;
    size_t n_chunks, capacity;
} norm_tables;

static uint64_t padded_count(const mica_value *parameter, uint64_t align) {
    return ((uint64_t)mica_shape_count(parameter->shape) + align - 1) / align * align;
}

static mica_status add_chunk(norm_tables *tables, norm_chunk one) {
    norm_chunk *chunks =
        mica_grow(tables->chunks, tables->n_chunks, &tables->capacity, sizeof *chunks);
    if (!chunks)
        return MICA_E_MEMORY;
    tables->chunks = chunks;
    chunks[tables->n_chunks++] = one;
    return MICA_OK;
}

/* The next window starts on a chunk whose place in the tables can be bound. */
static mica_status align_chunks(norm_tables *tables, uint64_t align) {
    while (tables->n_chunks % align)
        MICA_TRY(add_chunk(tables, (norm_chunk){0, 0}));
    return MICA_OK;
}

static mica_status check_count(const mica_model *model, size_t index) {
    const mica_traits *traits = mica_device_traits(model->device);
    const mica_value *parameter = model->graph->parameters[index];
    const uint64_t count = padded_count(parameter, traits->offset_align / sizeof(float));
    if (count <= traits->max_binding_bytes / 4)
        return MICA_OK;
    return mica_fail(MICA_E_MEMORY, "%s has %llu elements, but the device binds at most %llu",
        parameter->name, (unsigned long long)count,
        (unsigned long long)traits->max_binding_bytes / 4);
}

static mica_status add_sparse(mica_model *model, norm_tables *tables, size_t index) {
    MICA_TRY(check_count(model, index));
    MICA_TRY(align_chunks(tables, mica_device_traits(model->device)->offset_align / sizeof(float)));
    model->sparse_sums[index] = (uint32_t)tables->n_chunks;
    tables->owners[index] = (norm_owner){(uint32_t)tables->n_chunks, MICA_SPARSE_SUMS};
    for (int i = 0; i < MICA_SPARSE_SUMS; i++)
        MICA_TRY(add_chunk(tables, (norm_chunk){0, 0}));
    return MICA_OK;
}

static mica_status add_parameter(
    mica_model *model, norm_tables *tables, size_t index, uint64_t size) {
    const mica_traits *traits = mica_device_traits(model->device);
    uint64_t align = traits->offset_align / sizeof(float), width = traits->vector_width;
    const mica_value *parameter = model->graph->parameters[index];
    uint64_t count = padded_count(parameter, align), limit = traits->max_binding_bytes / 4;
    uint64_t offset = model->offsets[index];
    MICA_TRY(check_count(model, index));
    mica_window *window = model->n_windows ? &model->windows[model->n_windows - 1] : NULL;
    const float rate = mica_parameter_get(parameter)->rate;
    if (!window || window->rate != rate || offset + count - window->offset > limit) {
        MICA_TRY(align_chunks(tables, align));
        window = &model->windows[model->n_windows++];
        *window = (mica_window){
            .offset = offset, .rate = rate, .first_chunk = (uint32_t)tables->n_chunks};
    }
    tables->owners[index].first = (uint32_t)tables->n_chunks;
    for (uint64_t at = 0; at < count; at += size) {
        uint64_t n = count - at < size ? count - at : size;
        MICA_TRY(add_chunk(tables, (norm_chunk){(uint32_t)((offset + at - window->offset) / width),
                                       (uint32_t)(n / width)}));
        tables->owners[index].count++;
    }
    window->count = offset + count - window->offset;
    if (parameter->shape.rank >= 2)
        window->decayed = window->count;
    window->n_chunks = (uint32_t)tables->n_chunks - window->first_chunk;
    return MICA_OK;
}

/* The trainable parameter at an offset of the arena, which are not in the order of their making. */
static size_t parameter_at(const mica_model *model, uint64_t offset) {
    for (size_t i = 0; i < model->n_parameters; i++)
        if (model->offsets[i] == offset)
            return i;
    return model->n_parameters;
}

static mica_status make_tables(mica_model *model, norm_tables *tables) {
    uint64_t align = mica_device_traits(model->device)->offset_align / sizeof(float);
    uint64_t size = (model->dense / 256 / 4096 + 1) * 4096; /* some 256 chunks at most */
    size = (size + align - 1) / align * align;
    for (uint64_t at = 0; at < model->trainable;) {
        size_t index = parameter_at(model, at);
        MICA_TRY(at < model->dense ? add_parameter(model, tables, index, size)
                                   : add_sparse(model, tables, index));
        at += padded_count(model->graph->parameters[index], align);
    }
    model->n_chunks = (uint32_t)tables->n_chunks;
    const uint32_t most = mica_device_traits(model->device)->max_loop_steps;
    if (model->n_parameters + tables->n_chunks > most)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%zu parameters with gradients in %zu pieces: their norms would take more than the %u "
            "loop steps that the device makes",
            model->n_parameters, tables->n_chunks, most);
    return MICA_OK;
}

static mica_status upload(
    mica_model *model, const void *data, uint64_t bytes, mica_memory memory, mica_buffer **buffer) {
    MICA_TRY(mica_buffer_create(model->device, bytes, memory, buffer));
    return data ? mica_buffer_write(*buffer, 0, data, bytes) : MICA_OK;
}

mica_status mica_norm_prepare(mica_model *model) {
    size_t n = model->n_parameters;
    norm_tables tables = {.owners = mica_alloc(n, sizeof(norm_owner))};
    model->windows = mica_alloc(n, sizeof *model->windows);
    model->sparse_sums = mica_alloc(n, sizeof *model->sparse_sums);
    mica_status status =
        tables.owners && model->windows && model->sparse_sums ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = make_tables(model, &tables);
    if (status == MICA_OK)
        status = upload(model, tables.chunks, tables.n_chunks * sizeof(norm_chunk),
            MICA_MEMORY_DEVICE, &model->chunks);
    if (status == MICA_OK)
        status = upload(
            model, tables.owners, n * sizeof(norm_owner), MICA_MEMORY_DEVICE, &model->owners);
    if (status == MICA_OK)
        status =
            upload(model, NULL, tables.n_chunks * sizeof(float), MICA_MEMORY_DEVICE, &model->sums);
    if (status == MICA_OK)
        status = upload(model, NULL, (n + 1) * sizeof(float), MICA_MEMORY_HOST, &model->norms);
    free(tables.chunks);
    free(tables.owners);
    if (status != MICA_OK) { /* the next attempt begins anew */
        mica_buffer **made[] = {&model->chunks, &model->owners, &model->sums, &model->norms};
        for (size_t i = 0; i < sizeof made / sizeof *made; i++)
            mica_buffer_destroy(made[i]);
        free(model->windows);
        free(model->sparse_sums);
        model->windows = NULL;
        model->sparse_sums = NULL;
        model->n_windows = 0;
    }
    return status;
}

mica_range mica_norm_place(const mica_model *model, size_t parameter) {
    return (mica_range){model->sums, model->sparse_sums[parameter], MICA_SPARSE_SUMS};
}

mica_status mica_norm_launches(mica_model *model, mica_launch *launches) {
    const mica_traits *traits = mica_device_traits(model->device);
    mica_kernel_desc desc = {.source = "norm", .entry = "norm_chunks", .n_bindings = 3};
    uint32_t most = traits->kind == MICA_GPU ? 256 : 64, local = 1;
    while (traits->vector_width == 1 && local * 2 <= most && local * 2 <= traits->max_group_size)
        local *= 2;
    desc.local[0] = local;
    desc.local[1] = desc.local[2] = 1;
    mica_constant_set(&desc, "WIDTH", (int32_t)traits->vector_width);
    mica_kernel *kernel;
    MICA_TRY(mica_kernel_get(model->device, &desc, &kernel));
    for (size_t i = 0; i < model->n_windows; i++) {
        const mica_window *window = &model->windows[i];
        launches[i] = (mica_launch){.kernel = kernel,
            .bindings = {{model->gradients, window->offset, window->count},
                {model->chunks, window->first_chunk * (uint64_t)2, window->n_chunks * (uint64_t)2},
                {model->sums, window->first_chunk, window->n_chunks}},
            .groups = {window->n_chunks, 1, 1}};
    }
    mica_kernel_desc finish = {.source = "norm",
        .entry = "norm_finish",
        .n_bindings = 3,
        .params_size = sizeof(uint32_t),
        .local = {1, 1, 1}};
    mica_launch *last = &launches[model->n_windows];
    *last = (mica_launch){
        .bindings = {{model->sums, 0, model->n_chunks}, {model->owners, 0, model->n_parameters * 2},
            {model->norms, 0, model->n_parameters + 1}},
        .groups = {1, 1, 1},
        .params = {(uint32_t)model->n_parameters}};
    return mica_kernel_get(model->device, &finish, &last->kernel);
}
