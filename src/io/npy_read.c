/* Reading NumPy's arrays. The header, a Python dictionary, is not trusted. */
#include "io/npy.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/stored.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_LIMIT 65536
#define TEXTS_LIMIT  ((int64_t)1 << 24) /* of an array of texts */

typedef struct header {
    char kind;    /* of the type: f, i, u, b, U, S */
    size_t width; /* bytes of an element */
    bool fortran;
    mica_shape shape;
} header;

/* ---- the header ---- */

/* Takes `word` and the blanks behind it. */
static bool take(const char **at, const char *word) {
    size_t size = strlen(word);
    if (strncmp(*at, word, size))
        return false;
    *at += size;
    *at += strspn(*at, " ");
    return true;
}

static bool take_number(const char **at, int64_t limit, int64_t *number) {
    const char *from = *at;
    *number = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (*number > limit / 10)
            return false;
        *number = *number * 10 + (**at - '0');
    }
    bool any = *at > from && *number <= limit;
    *at += strspn(*at, " ");
    return any;
}

static bool is_one_of(char c, const char *wanted) {
    return c && strchr(wanted, c);
}

/* '<f4' */
static bool take_type(const char **at, header *h) {
    int64_t size;
    const char *order = *at + 1, *kind = *at + 2;
    if (**at != '\'' || !is_one_of(*order, "<|=") || !is_one_of(*kind, "fiubUS"))
        return false;
    h->kind = *kind;
    *at += 3;
    if (!take_number(at, 1 << 20, &size) || size < 1 || !take(at, "'"))
        return false;
    h->width = (size_t)size * (h->kind == 'U' ? 4 : 1);
    return true;
}

/* (2, 3) and (2,) and () */
static bool take_shape(const char **at, mica_shape *shape) {
    int64_t dim[MICA_MAX_RANK];
    int rank = 0;
    if (!take(at, "("))
        return false;
    while (!take(at, ")")) {
        if (rank == MICA_MAX_RANK || !take_number(at, INT32_MAX, &dim[rank]) || dim[rank] < 1)
            return false;
        rank++;
        if (!take(at, ",") && **at != ')')
            return false;
    }
    *shape = mica_shape_of(rank, dim);
    return mica_shape_count(*shape) >= 1;
}

static bool header_parse(const char *text, header *h) {
    const char *at = text;
    bool type = false, order = false, shape = false;
    if (!take(&at, "{"))
        return false;
    while (!take(&at, "}")) {
        bool good = false;
        if (take(&at, "'descr':"))
            good = type = !type && take_type(&at, h);
        else if (take(&at, "'fortran_order':"))
            good = order = !order && ((h->fortran = take(&at, "True")) || take(&at, "False"));
        else if (take(&at, "'shape':"))
            good = shape = !shape && take_shape(&at, &h->shape);
        if (!good || (!take(&at, ",") && *at != '}'))
            return false;
    }
    return type && order && shape && (!*at || *at == '\n');
}

/* ---- the data ---- */

static bool stored_type(const header *h, mica_stored_type *type) {
    static const struct {
        char kind;
        size_t width;
        mica_stored_type type;
    } types[] = {{'f', 2, MICA_STORED_F16}, {'f', 4, MICA_STORED_F32}, {'f', 8, MICA_STORED_F64}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].kind == h->kind && types[i].width == h->width) {
            *type = types[i].type;
            return true;
        }
    return false;
}

/* A whole number of 1, 2, 4 or 8 bytes; false if it does not fit. */
static bool integer_at(const header *h, const uint8_t *from, int32_t *number) {
    uint64_t bits = 0;
    memcpy(&bits, from, h->width);
    if (h->kind == 'b')
        bits = bits != 0;
    if (h->kind == 'i' && h->width < 8 && bits >> (8 * h->width - 1))
        bits |= UINT64_MAX << (8 * h->width);
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    *number = (int32_t)value;
    return (h->kind == 'i' || value >= 0) && value >= INT32_MIN && value <= INT32_MAX;
}

/* One text, which ends where only zeros follow; returns its bytes in UTF-8, or -1 where it is none.
 */
static int64_t text_at(const header *h, const uint8_t *from, char *to) {
    char *start = to;
    size_t size = h->width;
    if (h->kind == 'S') {
        size = strnlen((const char *)from, size);
        memcpy(to, from, size);
        to[size] = 0;
        int32_t point;
        const char *why;
        for (size_t i = 0; i < size;) {
            int n = mica_utf8_read(to + i, size - i, &point, &why);
            if (!n)
                return -1;
            i += (size_t)n;
        }
        return (int64_t)size;
    }
    *to = 0;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t point;
        char character[5];
        memcpy(&point, from + i, sizeof point);
        if (!point)
            break;
        if (point >= MICA_CODE_POINTS || (point >= 0xd800 && point < 0xe000))
            return -1;
        mica_utf8_write((int32_t)point, character);
        to = stpcpy(to, character);
    }
    return to - start;
}

/* The pointers and the characters in one block. */
static mica_status texts_read(
    const char *where, const header *h, const uint8_t *data, int64_t count, mica_array *array) {
    size_t pointers = (size_t)count * sizeof(char *);
    if (count > TEXTS_LIMIT)
        return mica_fail(MICA_E_UNSUPPORTED, "%s: %lld texts: wanted at most %lld", where,
            (long long)count, (long long)TEXTS_LIMIT);
    char *room = mica_alloc(1, pointers + (size_t)count * (h->width + 1));
    if (!room)
        return MICA_E_MEMORY;
    char **texts = (char **)(void *)room, *at = room + pointers;
    for (int64_t i = 0; i < count; i++) {
        int64_t size = text_at(h, data + (size_t)i * h->width, at);
        if (size < 0) {
            free(room);
            return mica_fail(MICA_E_FORMAT, "%s: text %lld is not UTF", where, (long long)i);
        }
        texts[i] = at;
        at += size + 1;
    }
    array->texts = (const char *const *)texts;
    return MICA_OK;
}

static mica_status integers_read(
    const char *where, const header *h, const uint8_t *data, int64_t count, mica_array *array) {
    int32_t *numbers = mica_alloc((size_t)count, sizeof *numbers);
    if (!numbers)
        return MICA_E_MEMORY;
    for (int64_t i = 0; i < count; i++)
        if (!integer_at(h, data + (size_t)i * h->width, &numbers[i])) {
            free(numbers);
            return mica_fail(
                MICA_E_UNSUPPORTED, "%s: number %lld does not fit into int32", where, (long long)i);
        }
    array->integers = numbers;
    return MICA_OK;
}

static mica_status data_read(
    const char *where, const header *h, const uint8_t *data, mica_array *array) {
    int64_t count = mica_shape_count(h->shape);
    mica_stored_type type;
    if (h->kind == 'U' || h->kind == 'S')
        return texts_read(where, h, data, count, array);
    if (stored_type(h, &type)) {
        float *numbers = mica_alloc((size_t)count, sizeof *numbers);
        if (!numbers)
            return MICA_E_MEMORY;
        mica_stored_floats(type, data, (size_t)count, numbers);
        array->floats = numbers;
        return MICA_OK;
    }
    if (h->kind != 'f' && h->width <= 8 && !(h->width & (h->width - 1)))
        return integers_read(where, h, data, count, array);
    return mica_fail(MICA_E_UNSUPPORTED,
        "%s: elements of type %c%zu: wanted floats of 16, 32 "
        "or 64 bits, integers, bool or text",
        where, h->kind, h->width);
}

void mica_array_clear(mica_array *array) {
    free((void *)array->name);
    free((void *)array->floats);
    free((void *)array->integers);
    free((void *)array->texts);
    *array = (mica_array){0};
}

static mica_status parse(
    const char *where, const char *name, const void *data, size_t size, mica_array *array) {
    const uint8_t *bytes = data;
    bool known = size >= 12 && !memcmp(bytes, "\x93NUMPY", 6) && bytes[6] >= 1 && bytes[6] <= 3;
    size_t begin = known && bytes[6] > 1 ? 12 : 10, length = 0;
    for (size_t i = begin; known && i-- > 8;)
        length = length << 8 | bytes[i];
    if (!known || length > HEADER_LIMIT || length > size - begin)
        return mica_fail(MICA_E_FORMAT, "%s: not an array of NumPy's", where);
    char *text = mica_alloc(length + 1, 1);
    if (!text)
        return MICA_E_MEMORY;
    memcpy(text, bytes + begin, length);
    header h = {0};
    bool good = header_parse(text, &h);
    free(text);
    if (!good)
        return mica_fail(MICA_E_FORMAT,
            "%s: the array's header was not understood: wanted little-endian numbers or texts, "
            "at least one, in at most %d dimensions",
            where, MICA_MAX_RANK);
    if (h.fortran && h.shape.rank > 1)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: the array is in Fortran's order: save it with numpy.ascontiguousarray", where);
    uint64_t count = (uint64_t)mica_shape_count(h.shape), rest = size - begin - length;
    if (rest / h.width < count || rest != count * h.width)
        return mica_fail(MICA_E_FORMAT,
            "%s: %llu bytes of data, but the header says %llu "
            "elements of %zu",
            where, (unsigned long long)rest, (unsigned long long)count, h.width);
    mica_array made = {.name = mica_strdup(name), .shape = h.shape};
    mica_status status =
        made.name ? data_read(where, &h, bytes + begin + length, &made) : MICA_E_MEMORY;
    if (status == MICA_OK)
        *array = made;
    else
        mica_array_clear(&made);
    return status;
}

mica_status mica_npy_parse(
    const char *path, const char *name, const void *data, size_t size, mica_array *array) {
    char *where = *name ? mica_format("%s: %.100s", path, name) : mica_strdup(path);
    mica_status status = where ? parse(where, name, data, size, array) : MICA_E_MEMORY;
    free(where);
    return status;
}
