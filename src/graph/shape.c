/* Shapes. */
#include <mica/tensor.h>

#include <stdio.h>

mica_shape mica_shape_of(int rank, const int64_t *dim) {
    mica_shape shape = {.rank = rank};
    if (rank < 0 || rank > MICA_MAX_RANK)
        return (mica_shape){.rank = -1};
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 1)
            return (mica_shape){.rank = -1};
        shape.dim[i] = dim[i];
    }
    return shape;
}

int64_t mica_shape_count(mica_shape shape) {
    int64_t count = 1;
    if (shape.rank < 0 || shape.rank > MICA_MAX_RANK)
        return -1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 1 || shape.dim[i] > INT32_MAX / count)
            return -1;
        count *= shape.dim[i];
    }
    return count;
}

bool mica_shape_equal(mica_shape a, mica_shape b) {
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

const char *mica_shape_text(mica_shape shape, char *text, size_t size) {
    if (shape.rank < 0 || shape.rank > MICA_MAX_RANK) {
        snprintf(text, size, "(invalid)");
        return text;
    }
    size_t used = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < shape.rank && used < size; i++)
        used += (size_t)snprintf(
            text + used, size - used, i ? ", %lld" : "%lld", (long long)shape.dim[i]);
    if (used < size)
        snprintf(text + used, size - used, ")");
    return text;
}
