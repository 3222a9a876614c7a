/* Files: tensors in safetensors, NumPy's arrays, pictures. */
#ifndef MICA_IO_H
#define MICA_IO_H

#include <mica/status.h>
#include <mica/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Element types in a safetensors file. */
typedef enum mica_stored_type {
    MICA_STORED_F32,
    MICA_STORED_F64,
    MICA_STORED_F16,
    MICA_STORED_BF16,
    MICA_STORED_F8_E4M3,
    MICA_STORED_F8_E5M2,
    MICA_STORED_I64,
    MICA_STORED_U64,
    MICA_STORED_I32,
    MICA_STORED_U32,
    MICA_STORED_I16,
    MICA_STORED_U16,
    MICA_STORED_I8,
    MICA_STORED_U8,
    MICA_STORED_BOOL
} mica_stored_type;

MICA_API const char *mica_stored_type_name(mica_stored_type type); /* "F32", as in the file */
MICA_API size_t mica_stored_type_size(mica_stored_type type);      /* bytes of an element */

/* A tensor in a file. Unlike a tensor of a graph it may have any rank, and sizes of 0. */
typedef struct mica_stored_tensor {
    const char *name; /* UTF-8 */
    mica_stored_type type;
    int rank;
    const int64_t *dim; /* `rank` sizes, outermost first */
} mica_stored_tensor;

typedef struct mica_metadata {
    const char *key, *value; /* UTF-8 */
} mica_metadata;

/* Elements of a tensor of a file; -1 if there are more than its bytes could be counted. */
MICA_API int64_t mica_stored_count(const mica_stored_tensor *tensor);

/* Writes a safetensors file whole or not at all: begin, the data in any number of pieces, commit or
 * abort. The data are the tensors' elements, little-endian, one tensor after the other in the order
 * given. Each tensor must lie at a multiple of its element's size, so put wider types first. Names
 * are distinct, not empty, and not "__metadata__". After a failed write, commit removes what was
 * written and returns the failure; a former file stays. Format: huggingface/safetensors, README. */
typedef struct mica_safetensors_writer mica_safetensors_writer;

MICA_API mica_status mica_safetensors_begin(const char *path, const mica_stored_tensor *tensors,
    size_t count, const mica_metadata *metadata, size_t metadata_count,
    mica_safetensors_writer **writer);
MICA_API mica_status mica_safetensors_write(
    mica_safetensors_writer *writer, const void *data, size_t size);
MICA_API mica_status mica_safetensors_commit(mica_safetensors_writer **writer); /* sets it NULL */
MICA_API void mica_safetensors_abort(mica_safetensors_writer **writer);

/* An open safetensors file. The whole header is checked against the file's length at opening; data
 * are read, or come into view, when asked for. Used by one thread at a time. */
typedef struct mica_safetensors mica_safetensors;

MICA_API mica_status mica_safetensors_open(const char *path, mica_safetensors **file);
MICA_API void mica_safetensors_close(mica_safetensors **file);

/* The tensors in the order of their data. What these return lives as long as the open file. */
MICA_API size_t mica_safetensors_count(const mica_safetensors *file);
MICA_API const mica_stored_tensor *mica_safetensors_get(const mica_safetensors *file, size_t index);

/* NULL if there is no tensor of that name; no error is set. */
MICA_API const mica_stored_tensor *mica_safetensors_find(
    const mica_safetensors *file, const char *name);

/* The value of a key of __metadata__, or NULL; no error is set. */
MICA_API const char *mica_safetensors_metadata(const mica_safetensors *file, const char *key);

/* Reads a tensor that get or find returned: mica_stored_count() elements as float32, of any type of
 * 64 to 16 bits with a point and of integers up to 16 bits (others are MICA_E_UNSUPPORTED), or as
 * the bytes that are stored. */
MICA_API mica_status mica_safetensors_read_floats(
    mica_safetensors *file, const mica_stored_tensor *tensor, float *values);
MICA_API mica_status mica_safetensors_read_bytes(
    mica_safetensors *file, const mica_stored_tensor *tensor, void *bytes);

/* The same numbers as mica_safetensors_read_floats, until the next view or close: float32 where
 * they lie in the file, which is mapped into memory, so that nothing is copied; others, or where
 * the file's header is of an odd length or its file system cannot map, in memory of their own. A
 * file that became shorter since it was opened is MICA_E_IO. One that another program cuts off
 * while the numbers are being read raises SIGBUS, as with any mapped file: replace weights by
 * renaming a whole new file over them, as mica_safetensors_commit does, never by writing into them.
 */
MICA_API mica_status mica_safetensors_view(
    mica_safetensors *file, const mica_stored_tensor *tensor, const float **values);

/* Writes an array as NumPy's numpy.load reads it: format 1.0, float32, little-endian, in C's order.
 */
MICA_API mica_status mica_npy_write(const char *path, mica_shape shape, const float *values);

/* An array of NumPy's, with one of the three: numbers with a point as float32, whole numbers and
 * truth as int32, texts in UTF-8. */
typedef struct mica_array {
    const char *name; /* in the archive; "" in a .npy file */
    mica_shape shape;
    const float *floats;
    const int32_t *integers;
    const char *const *texts;
} mica_array;

/* Writes arrays as one .npz file, uncompressed, as numpy.savez does: '<f4', '<i4' and '<U'. The
 * file is replaced whole or not at all. */
MICA_API mica_status mica_npz_write(const char *path, const mica_array *arrays, size_t count);

/* The arrays of a .npz file (compressed or not) or of a .npy file. */
typedef struct mica_npz mica_npz;

/* Reads them. Types: floats of 16, 32 and 64 bits, integers of all sizes whose numbers fit into
 * int32, bool, bytes and str, little-endian and in C's order; others are MICA_E_UNSUPPORTED. An
 * array has at least one element; one that takes more memory than the machine has is MICA_E_MEMORY.
 */
MICA_API mica_status mica_npz_read(const char *path, mica_npz **npz);

/* The same in two steps, so that what does not fit together takes no memory: open reads and checks
 * the headers, after which arrays have names, shapes and kinds ('f', 'i', 'u', 'b', 'U' or 'S', as
 * NumPy's dtype.kind) and no data; load reads those of one that get or find returned. */
MICA_API mica_status mica_npz_open(const char *path, mica_npz **npz);
MICA_API char mica_npz_kind(const mica_array *array);

/* Its type as NumPy calls it, such as "float64", or "text"; returns `text`, of `size` bytes. */
MICA_API const char *mica_npz_type(const mica_array *array, char *text, size_t size);

MICA_API mica_status mica_npz_load(mica_npz *npz, const mica_array *array);
MICA_API void mica_npz_destroy(mica_npz **npz);

/* The arrays in the file's order; NULL out of range or for a name that is not there, without an
 * error being set. They live as long as the npz. */
MICA_API const mica_array *mica_npz_get(const mica_npz *npz, size_t index);
MICA_API const mica_array *mica_npz_find(const mica_npz *npz, const char *name);

/* A picture, 8 bits a channel. */
typedef struct mica_image {
    int64_t height, width;
    int64_t channels; /* 1: grey, 3: red, green, blue */
    uint8_t *pixels;  /* (height, width, channels), freed by mica_image_free */
} mica_image;

/* Reads a PNG of any colour type and depth, a JPEG, a WebP or an uncompressed BMP, up to 2^26
 * pixels: grey PNG and JPEG as grey, others as RGB. What is transparent shows white. A picture is
 * turned as the orientation in its Exif block says; a damaged block is passed over. */
MICA_API mica_status mica_image_read(const char *path, mica_image *image);
MICA_API void mica_image_free(mica_image *image); /* zeroes it; accepts a zeroed one */

/* Writes a picture of 1 or 3 channels as PNG. */
MICA_API mica_status mica_image_write_png(const char *path, const mica_image *image);

/* How pictures are resized; when they shrink, the filter covers all that becomes one pixel. */
typedef enum mica_interpolation {
    MICA_INTERPOLATION_LINEAR,
    MICA_INTERPOLATION_CUBIC
} mica_interpolation;

/* How a picture becomes a network's input. Zero means the default. */
typedef struct mica_preprocess {
    int64_t size; /* the shorter side is scaled to so many pixels, then the centre taken; 0: the
                     largest centred part of the input's proportions is scaled to the input */
    int64_t crop; /* height and width of inputs that leave them open (ONNX); nothing else */
    mica_interpolation interpolation;
    bool bgr;           /* channels are blue, green, red */
    bool invert;        /* 0 to 255 become 255 to 0 */
    float scale;        /* then values are multiplied by this; 0: 1 */
    float mean[3];      /* then by channel, in the input's order, this is subtracted */
    float deviation[3]; /* and this divided by; 0: 1 */
} mica_preprocess;

/* What networks that others trained expect: "alexnet" and "squeezenet" (as in Caffe: blue, green,
 * red, 0 to 255 less a mean colour), "vgg" (likewise), "torchvision" (0 to 1, normalized). NULL for
 * another name, and for an index out of range; no error is set. */
MICA_API const mica_preprocess *mica_preprocess_preset(const char *name);
MICA_API const char *mica_preprocess_name(size_t index);

/* Makes a picture a network's input of shape (height, width, channels), channels 1 or 3: grey by
 * the luma of ITU-R BT.601 where one channel is wanted. Unless how->interpolation says otherwise
 * resizing is linear. how may be NULL. A picture whose part has the wanted size already keeps its
 * exact values. A how->size below the input's height or width is MICA_E_INVALID. */
MICA_API mica_status mica_image_fit(
    const mica_image *image, mica_shape shape, const mica_preprocess *how, float *values);

#ifdef __cplusplus
}
#endif
#endif
