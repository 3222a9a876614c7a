/* The writer's own state, which the writers of operators see only through export.h. */
#ifndef MICA_ONNX_EXPORT_STATE_H
#define MICA_ONNX_EXPORT_STATE_H

#include "base/text.h"
#include "onnx/export.h"

/* How a value is in the file; names are NULL where it is not there. */
typedef struct mica_onnx_written_value {
    const char *own, *first;
    mica_onnx_pb_node *open; /* takes a bias */
    const float *numbers;    /* of a source that was read */
    int uses;
    bool result;     /* of the network: its name is kept for the order that is asked for */
    bool refused;    /* the name of what stands for it is empty */
    bool name_taken; /* by a tensor in another order */
} mica_onnx_written_value;

struct mica_onnx_writer {
    mica_model *model;
    mica_onnx_export_options options;
    mica_onnx_written_value *values; /* by id */
    Mica__Onnx__Model *file;
    void **blocks;
    size_t n_blocks, blocks_capacity;
    size_t n_between;      /* names made up so far */
    uint64_t stored_bytes; /* of all tensors */
    mica_text refusals;
    size_t n_refused;
    mica_status status; /* the first failure */
};

mica_onnx_written_value *mica_onnx_written_of(mica_onnx_writer *w, const mica_value *value);

/* Adds an element to one of the messages' repeated fields. */
#define MICA_ONNX_ADD(w, message, field, element)                                                  \
    do {                                                                                           \
        void *room_ =                                                                              \
            mica_onnx_repeat(w, (message)->field, (message)->n_##field, sizeof *(message)->field); \
        if (room_) {                                                                               \
            (message)->field = room_;                                                              \
            (message)->field[(message)->n_##field++] = (element);                                  \
        }                                                                                          \
    } while (0)
/* The array with room for one more element; arrays grow at powers of two. */
void *mica_onnx_repeat(mica_onnx_writer *w, void *array, size_t count, size_t size);

/* A message in the writer's memory; NULL: failed. */
#define MICA_ONNX_NEW(w, type, init) mica_onnx_new(w, sizeof(type), &(type)init)
void *mica_onnx_new(mica_onnx_writer *w, size_t size, const void *init);

/* The declaration of an input or output. */
void mica_onnx_declare(mica_onnx_writer *w, const mica_value *value, bool result);

#endif
