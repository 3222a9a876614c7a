/* ONNX: a network that another framework wrote becomes part of a graph, to run or to train further;
 * and a graph becomes a network that other frameworks read (mica_onnx_export).
 *
 *     mica_onnx_open(path, &file)
 *     mica_onnx_build(file, graph, &options, &network)    adds inputs, weights and operators
 *     mica_model_create(graph, device, seed, &model)
 *     mica_onnx_write(network, model)                     the file's weights
 *
 * Opsets 6 to 25 of the default domain. Numbers are float32; integers of 32 and 64 bits are int32
 * where a device computes with them. ONNX's images are (batch, depth, height, width), Mica's
 * (batch, height, width, depth): filters are stored as Mica wants them, and an image is transposed
 * only where a value in ONNX's order is needed. What depends on shapes alone is worked out while
 * building. */
#ifndef MICA_ONNX_H
#define MICA_ONNX_H

#include <mica/graph.h>
#include <mica/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open file, whole in memory. Used by one thread at a time. */
typedef struct mica_onnx mica_onnx;

/* Reads a model and checks everything that can be checked without building it; nothing in the file
 * is trusted. Data outside the model are read only from below its own folder, and never through
 * links. */
MICA_API mica_status mica_onnx_open(const char *path, mica_onnx **file);
MICA_API void mica_onnx_close(mica_onnx **file);

/* The network's inputs, without those that the file itself gives a value. Sizes that the file
 * leaves open are -1. NULL for an index out of range; lives as long as the open file. */
MICA_API size_t mica_onnx_input_count(const mica_onnx *file);
MICA_API const mica_stored_tensor *mica_onnx_get_input(const mica_onnx *file, size_t index);

/* The newest version of the default operators that the file asks for. */
MICA_API int64_t mica_onnx_opset(const mica_onnx *file);

/* What is in a node: its operator, its own name ("" for none), and the name of its first result,
 * which mica_onnx_find takes. Nodes are in the file's order. false for an index out of range; the
 * texts live as long as the open file. */
typedef struct mica_onnx_node_info {
    const char *operator_name, *name, *result;
} mica_onnx_node_info;
MICA_API bool mica_onnx_get_node(const mica_onnx *file, size_t index, mica_onnx_node_info *info);

/* The tensors that the file stores (initializers), in its order. What get fills in lives as long as
 * the open file; MICA_E_UNSUPPORTED: it is of strings or complex numbers. Those with a point are
 * read as float32, integers and bool as int64. */
MICA_API size_t mica_onnx_tensor_count(const mica_onnx *file);
MICA_API mica_status mica_onnx_get_tensor(
    const mica_onnx *file, size_t index, mica_stored_tensor *tensor);
MICA_API mica_status mica_onnx_read_floats(const mica_onnx *file, size_t index, float *values);
MICA_API mica_status mica_onnx_read_integers(const mica_onnx *file, size_t index, int64_t *values);

/* What is known of an input before the network runs: its shape and, where one of the pointers is
 * set, its numbers (sizes, scales). An input with numbers is not written later. */
typedef struct mica_onnx_given {
    const char *name;
    int rank;
    const int64_t *dim;
    const float *floats;     /* of a float32 input */
    const double *reals;     /* of an input of another type with a point */
    const int64_t *integers; /* of an integer or bool input */
} mica_onnx_given;

/* Zero means the default. */
typedef struct mica_onnx_options {
    int64_t batch; /* the first size of inputs that leave it open; 0: 1 */
    const mica_onnx_given *given;
    size_t n_given;
    bool frozen;        /* weights stay as they are and training changes nothing */
    bool channels_last; /* float32 inputs and outputs of rank 4 are (batch, height, width, depth) */
} mica_onnx_options;

/* The part of a graph that was made from a file. Graph and open file must outlive it. */
typedef struct mica_onnx_network mica_onnx_network;

/* Adds the network to a graph. Inputs and parameters have the file's names; the graph's scope is
 * none afterwards. Float32 tensors that the file stores as initializers, of rank 1 and more, are
 * parameters; other constants are constants. Dropout is active while training.
 *
 * MICA_E_UNSUPPORTED: mica_onnx_refusal has each node that could not be imported. On failure the
 * graph has parts of the network: destroy it. options may be NULL. */
MICA_API mica_status mica_onnx_build(mica_onnx *file, mica_graph *graph,
    const mica_onnx_options *options, mica_onnx_network **network);
MICA_API void mica_onnx_network_destroy(mica_onnx_network **network);

/* The nodes that the last build refused, "name (Operator): reason", one an index; then NULL. */
MICA_API const char *mica_onnx_refusal(const mica_onnx *file, size_t index);

/* The value of an input (by its index in the file), NULL where its numbers were given or the index
 * is out of range. */
MICA_API mica_value *mica_onnx_input(const mica_onnx_network *network, size_t index);

/* An output of the network. */
typedef struct mica_onnx_result {
    const char *name;
    mica_value *value;       /* NULL where the numbers are known without a run and not float32: */
    const int64_t *integers; /* of the shape below, */
    const double *reals;     /* or these, where they are no integers */
    int rank;
    const int64_t *dim; /* in the value's order */
} mica_onnx_result;
MICA_API size_t mica_onnx_output_count(const mica_onnx_network *network);
MICA_API const mica_onnx_result *mica_onnx_output(const mica_onnx_network *network, size_t index);

/* The value that has this name in the file, images as (batch, height, width, depth): to cut a
 * network at a layer. NULL if there is none; no error is set. */
MICA_API mica_value *mica_onnx_find(const mica_onnx_network *network, const char *name);

/* Writes the file's weights into a model of the network's graph. */
MICA_API mica_status mica_onnx_write(const mica_onnx_network *network, mica_model *model);

/* ---- writing ---- */

/* Zero means the default. */
typedef struct mica_onnx_export_options {
    const char *name;    /* of the network; NULL: "mica" */
    bool channels_first; /* inputs and outputs of rank 4 are (batch, depth, height, width) in the
                            file; otherwise as in the graph, (batch, height, width, depth) */
} mica_onnx_export_options;

/* Writes the part of a graph that computes the outputs as an ONNX model of opset 17: what a program
 * that does not train computes. Inputs, outputs and weights keep their names; sizes are those of
 * the graph, the batch too. Filters and the weights of recurrent networks are stored in ONNX's
 * order. Initial states that a layer carries on by itself (mica_parameter_carry) are 0 in the file.
 *
 * MICA_E_UNSUPPORTED: the error has each node that ONNX cannot express, or that the weights are
 * more than the 2 GiB of a file. options may be NULL. */
MICA_API mica_status mica_onnx_export(mica_model *model, mica_value *const *outputs,
    size_t n_outputs, const mica_onnx_export_options *options, const char *path);

#ifdef __cplusplus
}
#endif
#endif
