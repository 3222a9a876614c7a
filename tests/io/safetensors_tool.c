/* For safetensors_python.py: `write PATH` writes a file, `read PATH` prints one, a tensor a line:
 * name, type, shape and the values as float32. */
#include <mica/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mica_status write_sample(const char *path) {
    const mica_stored_tensor tensors[] = {
        {"step", MICA_STORED_I64, 0, NULL},
        {"dense.weight", MICA_STORED_F32, 2, (const int64_t[]){3, 5}},
        {"dense.bias", MICA_STORED_F32, 1, (const int64_t[]){5}},
        {"empty", MICA_STORED_F32, 2, (const int64_t[]){0, 4}},
        {"bytes", MICA_STORED_U8, 1, (const int64_t[]){3}},
    };
    mica_safetensors_writer *writer;
    mica_status status = mica_safetensors_begin(
        path, tensors, 5, &(mica_metadata){"format", "größe \"1\""}, 1, &writer);
    if (status != MICA_OK)
        return status;
    int64_t step = -3;
    float weight[15], bias[5];
    for (int i = 0; i < 15; i++)
        weight[i] = (float)i / 7;
    for (int i = 0; i < 5; i++)
        bias[i] = -(float)i;
    mica_safetensors_write(writer, &step, sizeof step);
    mica_safetensors_write(writer, weight, sizeof weight);
    mica_safetensors_write(writer, bias, sizeof bias);
    mica_safetensors_write(writer, "\1\2\377", 3);
    return mica_safetensors_commit(&writer);
}

static mica_status print(mica_safetensors *file, const mica_stored_tensor *tensor) {
    int64_t count = mica_stored_count(tensor);
    float *values = calloc((size_t)count + 1, sizeof *values);
    mica_status status = mica_safetensors_read_floats(file, tensor, values);
    if (status == MICA_OK) {
        printf("%s %s ", tensor->name, mica_stored_type_name(tensor->type));
        for (int i = 0; i < tensor->rank; i++)
            printf("%s%lld", i ? "," : "", (long long)tensor->dim[i]);
        for (int64_t i = 0; i < count; i++)
            printf(" %.9g", (double)values[i]);
        printf("\n");
    }
    free(values);
    return status;
}

static mica_status read_all(const char *path) {
    mica_safetensors *file;
    mica_status status = mica_safetensors_open(path, &file);
    if (status != MICA_OK)
        return status;
    const char *note = mica_safetensors_metadata(file, "note");
    printf("note %s\n", note ? note : "-");
    for (size_t i = 0; i < mica_safetensors_count(file) && status == MICA_OK; i++)
        status = print(file, mica_safetensors_get(file, i));
    mica_safetensors_close(&file);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    mica_status status = strcmp(argv[1], "write") ? read_all(argv[2]) : write_sample(argv[2]);
    if (status != MICA_OK)
        fprintf(stderr, "%s\n", mica_last_error());
    return status != MICA_OK;
}
