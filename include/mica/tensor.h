/* Shapes and element types. */
#ifndef MICA_TENSOR_H
#define MICA_TENSOR_H

#include <mica/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MICA_MAX_RANK 6

typedef enum mica_dtype { MICA_F32 = 0, MICA_I32 = 1 } mica_dtype; /* both are 4 bytes wide */

/* The size of each dimension, outermost first; rank 0 is a scalar. Each size is at least 1. */
typedef struct mica_shape {
    int rank;
    int64_t dim[MICA_MAX_RANK];
} mica_shape;

/* MICA_SHAPE(128, 784) is a shape of rank 2; MICA_SCALAR one of rank 0. */
#define MICA_SHAPE(...)                                                                            \
    mica_shape_of(                                                                                 \
        (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})
#define MICA_SCALAR mica_shape_of(0, NULL)

/* A shape from an array of `rank` sizes. A rank or size out of range gives a shape of rank -1,
 * which every function that takes shapes refuses. */
MICA_API mica_shape mica_shape_of(int rank, const int64_t *dim);

/* The number of elements; 1 for a scalar, -1 for an invalid shape or one over 2^31 - 1 elements. */
MICA_API int64_t mica_shape_count(mica_shape shape);

MICA_API bool mica_shape_equal(mica_shape a, mica_shape b);

/* Writes "(128, 784)" into text, at most size bytes with the final 0. Returns text. */
MICA_API const char *mica_shape_text(mica_shape shape, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
