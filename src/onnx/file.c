/* Opening ONNX files: parsing within bounds, then checks of names, types and tensors, and of the
 * order of nodes, which rules out cycles. Knows no operator. */
#include "onnx/file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/stored.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_LIMIT  INT32_MAX   /* bytes: protobuf's own limit */
#define EXTRA_BYTES (40u << 20) /* memory for messages, beyond the file's own size */
#define NODES_LIMIT 32768       /* more than any network that a device could run */
#define NODE_LINKS  (1u << 20)  /* inputs and outputs of all nodes together */

/* ---- parsing ---- */

/* Small messages take more memory than bytes in the file; this bounds by how much. */
typedef struct budget {
    size_t left;
} budget;

static void *budget_alloc(void *data, size_t size) {
    budget *b = data;
    size_t cost = (size + 31) & ~(size_t)15; /* what malloc adds */
    if (size > SIZE_MAX - 32 || cost > b->left)
        return NULL;
    b->left -= cost;
    return malloc(size);
}

/* What is freed early is not given back: a bound on the sum bounds the peak. */
static void budget_free(void *data, void *block) {
    (void)data;
    free(block);
}

static mica_status parse(mica_onnx *file) {
    char *data;
    size_t size;
    MICA_TRY(mica_file_read(file->path, FILE_LIMIT, &data, &size));
    budget b = {size + EXTRA_BYTES};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &b};
    file->model = mica__onnx__model__unpack(&allocator, size, (const uint8_t *)data);
    free(data);
    if (!file->model)
        return mica_fail(MICA_E_FORMAT, "not an ONNX model, or cut off or damaged");
    return MICA_OK;
}

/* ---- names ---- */

typedef enum origin { INPUT, STORED, COMPUTED } origin;

/* One place that gives a name a value. */
typedef struct definition {
    const char *name;
    origin from;
    uint32_t index; /* of the input, tensor or node */
} definition;

static int by_name(const void *a, const void *b) {
    return strcmp(((const definition *)a)->name, ((const definition *)b)->name);
}

static mica_status name_check(const char *what, const char *name) {
    return name && mica_stored_name_ok(name)
               ? MICA_OK
               : mica_fail(MICA_E_FORMAT,
                     "the name of %s is missing, too long or has control characters", what);
}

uint32_t mica_onnx_symbol_find(const mica_onnx *file, const char *name) {
    size_t low = 0, high = file->n_symbols;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(file->symbols[middle].name, name);
        if (!order)
            return (uint32_t)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return MICA_ONNX_NONE;
}

/* Sorts the definitions and makes a symbol of each. producer[symbol] is the number of the node that
 * computes it, or MICA_ONNX_NONE. */
static mica_status symbols_make(
    mica_onnx *file, definition *list, size_t count, uint32_t *producer) {
    qsort(list, count, sizeof *list, by_name);
    for (size_t i = 0; i < count; i++) {
        if (i && !strcmp(list[i].name, list[i - 1].name))
            return mica_fail(
                MICA_E_FORMAT, "the name \"%.100s\" is given to two values", list[i].name);
        mica_onnx_symbol *symbol = &file->symbols[i];
        symbol->name = list[i].name;
        producer[i] = list[i].from == COMPUTED ? list[i].index : MICA_ONNX_NONE;
        if (list[i].from == INPUT)
            symbol->input = &file->inputs[list[i].index];
        else if (list[i].from == STORED)
            symbol->tensor = &file->tensors[list[i].index];
    }
    file->n_symbols = count;
    return MICA_OK;
}

static const char *node_label(const mica_onnx_pb_node *node) {
    return node->name && *node->name ? node->name : node->n_output ? node->output[0] : "";
}

/* Resolves the names that nodes and outputs use. */
static mica_status links_make(mica_onnx *file, const uint32_t *producer) {
    uint32_t *link = file->links;
    for (size_t n = 0; n < file->n_nodes; n++) {
        mica_onnx_node *node = &file->nodes[n];
        const mica_onnx_pb_node *proto = node->proto;
        node->in = link;
        for (size_t i = 0; i < node->n_in; i++, link++) {
            *link =
                *proto->input[i] ? mica_onnx_symbol_find(file, proto->input[i]) : MICA_ONNX_NONE;
            if (!*proto->input[i])
                continue;
            if (*link == MICA_ONNX_NONE)
                return mica_fail(MICA_E_FORMAT,
                    "node \"%.100s\" (%.50s) takes \"%.100s\", which nothing gives",
                    node_label(proto), proto->op_type, proto->input[i]);
            if (producer[*link] != MICA_ONNX_NONE && producer[*link] >= n)
                return mica_fail(MICA_E_FORMAT,
                    "node \"%.100s\" (%.50s) takes \"%.100s\", which only a later node gives: a "
                    "cycle, or nodes out of order",
                    node_label(proto), proto->op_type, proto->input[i]);
        }
        node->out = link;
        for (size_t i = 0; i < node->n_out; i++, link++)
            *link =
                *proto->output[i] ? mica_onnx_symbol_find(file, proto->output[i]) : MICA_ONNX_NONE;
    }
    const Mica__Onnx__Graph *graph = file->model->graph;
    for (size_t i = 0; i < file->n_outputs; i++) {
        MICA_TRY(name_check("an output", graph->output[i]->name));
        file->outputs[i] = mica_onnx_symbol_find(file, graph->output[i]->name);
        if (file->outputs[i] == MICA_ONNX_NONE)
            return mica_fail(
                MICA_E_FORMAT, "nothing gives the output \"%.100s\"", graph->output[i]->name);
    }
    return MICA_OK;
}

/* ---- the parts of a graph ---- */

static mica_status nodes_check(mica_onnx *file, size_t *links, size_t *outputs) {
    const Mica__Onnx__Graph *graph = file->model->graph;
    if (graph->n_node > NODES_LIMIT)
        return mica_fail(
            MICA_E_FORMAT, "%zu nodes, at most %d can be read", graph->n_node, NODES_LIMIT);
    if (!(file->nodes = mica_alloc(graph->n_node, sizeof *file->nodes)))
        return MICA_E_MEMORY;
    file->n_nodes = graph->n_node;
    for (size_t i = 0; i < file->n_nodes; i++) {
        const mica_onnx_pb_node *proto = graph->node[i];
        file->nodes[i] =
            (mica_onnx_node){.proto = proto, .n_in = proto->n_input, .n_out = proto->n_output};
        MICA_TRY(name_check("a node's operator", proto->op_type));
        if (proto->name && *proto->name)
            MICA_TRY(name_check("a node", proto->name));
        if (proto->domain && *proto->domain)
            MICA_TRY(name_check("a node's domain", proto->domain));
        for (size_t k = 0; k < proto->n_attribute; k++)
            MICA_TRY(name_check("an attribute", proto->attribute[k]->name));
        for (size_t k = 0; k < proto->n_output; k++)
            if (*proto->output[k])
                MICA_TRY(name_check("a value", proto->output[k]));
        for (size_t k = 0; k < proto->n_input; k++)
            if (*proto->input[k])
                MICA_TRY(name_check("a value", proto->input[k]));
        *links += proto->n_input + proto->n_output;
        *outputs += proto->n_output;
    }
    if (*links > NODE_LINKS)
        return mica_fail(MICA_E_FORMAT, "%zu inputs and outputs of nodes, at most %u can be read",
            *links, NODE_LINKS);
    return MICA_OK;
}

/* An input's type and shape. Sizes that are left open are -1. */
static mica_status input_read(
    const Mica__Onnx__ValueInfo *info, mica_stored_tensor *input, int *type) {
    MICA_TRY(name_check("an input", info->name));
    input->name = info->name;
    const Mica__Onnx__TensorType *tensor = info->type ? info->type->tensor_type : NULL;
    if (!tensor || !mica_onnx_type_stored(tensor->elem_type, &input->type))
        return mica_fail(MICA_E_UNSUPPORTED,
            "the input \"%.100s\" is no tensor of numbers, but a %s", info->name,
            tensor ? mica_onnx_type_name(tensor->elem_type) : "sequence, map or optional value");
    *type = tensor->elem_type;
    size_t rank = tensor->shape ? tensor->shape->n_dim : 0;
    if (rank > MICA_ONNX_MAX_RANK)
        return mica_fail(MICA_E_FORMAT,
            "the input \"%.100s\" has %zu dimensions, at most %d can be read", info->name, rank,
            MICA_ONNX_MAX_RANK);
    int64_t *dim = mica_alloc(rank, sizeof *dim);
    if (!dim)
        return MICA_E_MEMORY;
    input->dim = dim;
    input->rank = tensor->shape ? (int)rank : -1;
    for (size_t i = 0; i < rank; i++) {
        const Mica__Onnx__Dimension *size = tensor->shape->dim[i];
        dim[i] = size->has_dim_value ? size->dim_value : -1;
        if (size->has_dim_value && (dim[i] < 0 || dim[i] > INT32_MAX))
            return mica_fail(MICA_E_FORMAT, "the input \"%.100s\" has a size of %lld", info->name,
                (long long)dim[i]);
    }
    return MICA_OK;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The inputs that no initializer gives a value. */
static mica_status inputs_read(mica_onnx *file) {
    const Mica__Onnx__Graph *graph = file->model->graph;
    const char **stored = mica_alloc(graph->n_initializer, sizeof *stored);
    file->inputs = mica_alloc(graph->n_input, sizeof *file->inputs);
    file->input_types = mica_alloc(graph->n_input, sizeof *file->input_types);
    mica_status status = stored && file->inputs && file->input_types ? MICA_OK : MICA_E_MEMORY;
    for (size_t i = 0; i < graph->n_initializer && status == MICA_OK; i++)
        stored[i] = file->tensors[i].proto->name;
    if (status == MICA_OK)
        qsort(stored, graph->n_initializer, sizeof *stored, by_text);
    for (size_t i = 0; i < graph->n_input && status == MICA_OK; i++) {
        const char *name = graph->input[i]->name;
        if (name && bsearch(&name, stored, graph->n_initializer, sizeof *stored, by_text))
            continue;
        status = input_read(
            graph->input[i], &file->inputs[file->n_inputs], &file->input_types[file->n_inputs]);
        file->n_inputs++;
    }
    free(stored);
    return status;
}

static mica_status tensors_read(mica_onnx *file) {
    const Mica__Onnx__Graph *graph = file->model->graph;
    if (graph->n_sparse_initializer)
        return mica_fail(MICA_E_UNSUPPORTED, "it has sparse tensors");
    if (!(file->tensors = mica_alloc(graph->n_initializer, sizeof *file->tensors)))
        return MICA_E_MEMORY;
    for (; file->n_tensors < graph->n_initializer; file->n_tensors++) {
        const mica_onnx_pb_tensor *proto = graph->initializer[file->n_tensors];
        MICA_TRY(name_check("a tensor", proto->name));
        mica_status status =
            mica_onnx_tensor_check(file->folder, proto, &file->tensors[file->n_tensors]);
        if (status != MICA_OK)
            return mica_fail_in(status, "tensor \"%.100s\"", proto->name);
    }
    return MICA_OK;
}

static mica_status opset_read(mica_onnx *file) {
    for (size_t i = 0; i < file->model->n_opset_import; i++) {
        const Mica__Onnx__Opset *opset = file->model->opset_import[i];
        bool own = !opset->domain || !*opset->domain || !strcmp(opset->domain, "ai.onnx");
        if (own && opset->version > file->opset)
            file->opset = opset->version;
    }
    return file->model->n_opset_import
               ? MICA_OK
               : mica_fail(MICA_E_FORMAT, "no version of the operators is given");
}

static mica_status names_resolve(mica_onnx *file, size_t n_links, size_t n_computed) {
    const Mica__Onnx__Graph *graph = file->model->graph;
    size_t count = 0, most = file->n_inputs + file->n_tensors + n_computed;
    definition *list = mica_alloc(most, sizeof *list);
    uint32_t *producer = mica_alloc(most, sizeof *producer);
    file->symbols = mica_alloc(most, sizeof *file->symbols);
    file->links = mica_alloc(n_links, sizeof *file->links);
    file->outputs = mica_alloc(graph->n_output, sizeof *file->outputs);
    file->n_outputs = graph->n_output;
    mica_status status =
        list && producer && file->symbols && file->links && file->outputs ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        for (size_t i = 0; i < file->n_inputs; i++)
            list[count++] = (definition){file->inputs[i].name, INPUT, (uint32_t)i};
        for (size_t i = 0; i < file->n_tensors; i++)
            list[count++] = (definition){file->tensors[i].proto->name, STORED, (uint32_t)i};
        for (size_t n = 0; n < file->n_nodes; n++)
            for (size_t i = 0; i < file->nodes[n].n_out; i++)
                if (*file->nodes[n].proto->output[i])
                    list[count++] =
                        (definition){file->nodes[n].proto->output[i], COMPUTED, (uint32_t)n};
        status = symbols_make(file, list, count, producer);
    }
    if (status == MICA_OK)
        status = links_make(file, producer);
    free(list);
    free(producer);
    return status;
}

static mica_status folder_open(mica_onnx *file) {
    const char *slash = strrchr(file->path, '/');
    char *folder =
        slash ? mica_format("%.*s/", (int)(slash - file->path), file->path) : mica_strdup(".");
    if (!folder)
        return MICA_E_MEMORY;
    file->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    return MICA_OK; /* without it, data outside the model cannot be read, which is said then */
}

static mica_status load(mica_onnx *file) {
    size_t links = 0, outputs = 0;
    MICA_TRY(parse(file));
    if (!file->model->graph || !file->model->graph->n_output)
        return mica_fail(MICA_E_FORMAT, "not an ONNX model: it has no graph with outputs");
    MICA_TRY(opset_read(file));
    MICA_TRY(folder_open(file));
    MICA_TRY(tensors_read(file));
    MICA_TRY(inputs_read(file));
    MICA_TRY(nodes_check(file, &links, &outputs));
    return names_resolve(file, links, outputs);
}

mica_status mica_onnx_open(const char *path, mica_onnx **out) {
    mica_onnx *file = mica_alloc(1, sizeof *file);
    if (!file)
        return MICA_E_MEMORY;
    file->folder = -1;
    file->path = mica_strdup(path);
    mica_status status = file->path ? load(file) : MICA_E_MEMORY;
    if (status != MICA_OK) {
        if (status == MICA_E_FORMAT || status == MICA_E_UNSUPPORTED)
            mica_fail_in(status, "%.300s", path);
        mica_onnx_close(&file);
        return status;
    }
    *out = file;
    return MICA_OK;
}

void mica_onnx_close(mica_onnx **owner) {
    mica_onnx *file = *owner;
    *owner = NULL;
    if (!file)
        return;
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &(budget){0}};
    if (file->model)
        mica__onnx__model__free_unpacked(file->model, &allocator);
    for (size_t i = 0; i < file->n_inputs; i++)
        free((void *)file->inputs[i].dim);
    for (size_t i = 0; i < file->n_refusals; i++)
        free(file->refusals[i]);
    free(file->refusals);
    free(file->inputs);
    free(file->input_types);
    free(file->tensors);
    free(file->symbols);
    free(file->nodes);
    free(file->links);
    free(file->outputs);
    if (file->folder >= 0)
        close(file->folder);
    free(file->path);
    free(file);
}

size_t mica_onnx_input_count(const mica_onnx *file) {
    return file->n_inputs;
}

const mica_stored_tensor *mica_onnx_get_input(const mica_onnx *file, size_t index) {
    return index < file->n_inputs ? &file->inputs[index] : NULL;
}

int64_t mica_onnx_opset(const mica_onnx *file) {
    return file->opset;
}

const char *mica_onnx_refusal(const mica_onnx *file, size_t index) {
    return index < file->n_refusals ? file->refusals[index] : NULL;
}

/* ---- what is in a file ---- */

bool mica_onnx_get_node(const mica_onnx *file, size_t index, mica_onnx_node_info *info) {
    if (index >= file->n_nodes)
        return false;
    const mica_onnx_node *node = &file->nodes[index];
    const bool has_result = node->n_out && node->out[0] != MICA_ONNX_NONE;
    *info = (mica_onnx_node_info){.operator_name = node->proto->op_type,
        .name = node->proto->name ? node->proto->name : "",
        .result = has_result ? file->symbols[node->out[0]].name : ""};
    return true;
}

size_t mica_onnx_tensor_count(const mica_onnx *file) {
    return file->n_tensors;
}

/* NULL (the last error set): out of range. */
static const mica_onnx_tensor *tensor_of(const mica_onnx *file, size_t index) {
    if (index < file->n_tensors)
        return &file->tensors[index];
    mica_fail(MICA_E_INVALID, "tensor %zu of %zu is out of range", index, file->n_tensors);
    return NULL;
}

mica_status mica_onnx_get_tensor(const mica_onnx *file, size_t index, mica_stored_tensor *out) {
    const mica_onnx_tensor *tensor = tensor_of(file, index);
    mica_stored_type type;
    if (!tensor)
        return MICA_E_INVALID;
    if (!mica_onnx_type_stored(tensor->type, &type))
        return mica_fail(MICA_E_UNSUPPORTED, "tensor \"%.100s\" is %s", tensor->proto->name,
            mica_onnx_type_name(tensor->type));
    *out = (mica_stored_tensor){tensor->proto->name, type, tensor->rank, tensor->dim};
    return MICA_OK;
}

mica_status mica_onnx_read_floats(const mica_onnx *file, size_t index, float *values) {
    const mica_onnx_tensor *tensor = tensor_of(file, index);
    if (!tensor)
        return MICA_E_INVALID;
    if (tensor->type == MICA_ONNX_FLOAT)
        return mica_onnx_tensor_floats(file->folder, tensor, values);
    if (!mica_onnx_type_real(tensor->type))
        return mica_fail(MICA_E_INVALID, "tensor \"%.100s\" is %s", tensor->proto->name,
            mica_onnx_type_name(tensor->type));
    double *reals = mica_alloc((size_t)tensor->count, sizeof *reals);
    mica_status status =
        reals ? mica_onnx_tensor_reals(file->folder, tensor, reals) : MICA_E_MEMORY;
    for (int64_t i = 0; i < tensor->count && status == MICA_OK; i++)
        values[i] = (float)reals[i];
    free(reals);
    return status;
}

mica_status mica_onnx_read_integers(const mica_onnx *file, size_t index, int64_t *values) {
    const mica_onnx_tensor *tensor = tensor_of(file, index);
    if (!tensor)
        return MICA_E_INVALID;
    if (!mica_onnx_type_whole(tensor->type))
        return mica_fail(MICA_E_INVALID, "tensor \"%.100s\" is %s", tensor->proto->name,
            mica_onnx_type_name(tensor->type));
    return mica_onnx_tensor_wholes(file->folder, tensor, values);
}
