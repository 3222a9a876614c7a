/* Reading NumPy's arrays. The header, a Python dictionary, is not trusted. */
#include "io/npy.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/stored.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_LIMIT 65536
#define TEXTS_LIMIT  ((int64_t)1 << 24) /* of an array of texts */
#define PIECE        65536              /* bytes read at a time, or one element */

typedef mica_npy_layout header;

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

/* Says which of the usual reasons there is that a header is not one that can be read. */
static mica_status header_fail(const char *where, const char *text) {
    const char *type = strstr(text, "'descr':");
    type = type ? type + strlen("'descr':") : "";
    type += strspn(type, " ");
    const int width = *type == '\'' ? (int)strcspn(type + 1, "'") : 0;
    const char kind = width > 1 ? type[2] : 0;
    if (width && type[1] == '>')
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: big-endian numbers (%.*s), wanted little-endian ones: save "
            "a.astype(a.dtype.newbyteorder('<'))",
            where, width, type + 1);
    if (kind == 'O')
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: pickled Python objects, which are not read: save an array of numbers or of texts "
            "(a.astype(str))",
            where);
    if (*type == '[')
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: an array of records, wanted one of numbers or texts: save its fields one by one",
            where);
    if (is_one_of(kind, "cmMV"))
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: elements of type %.*s, wanted floats, integers, bool or text", where, width,
            type + 1);
    return mica_fail(MICA_E_FORMAT,
        "%s: the array's header was not understood: wanted little-endian numbers or texts, at least "
        "one, in at most %d dimensions",
        where, MICA_MAX_RANK);
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

static mica_status take_bytes(mica_npy_source *source, void *data, size_t size) {
    source->left -= size;
    return source->read(source->user, data, size);
}

static bool is_text(const header *h) {
    return h->kind == 'U' || h->kind == 'S';
}

/* Bytes of memory for the data: texts are pointers and characters in one block. */
static uint64_t memory_of(const header *h) {
    const uint64_t count = (uint64_t)mica_shape_count(h->shape);
    return is_text(h) ? count * (sizeof(char *) + h->width + 1) : count * 4;
}

/* What has been read of the data, in pieces. */
typedef struct reading {
    const char *where;
    const header *h;
    mica_stored_type type; /* of numbers with a point */
    void *room;
    char *text; /* where the next text goes */
} reading;

/* Elements first to first + count, which lie at `from`. */
static mica_status piece_convert(reading *r, const uint8_t *from, int64_t first, int64_t count) {
    const header *h = r->h;
    if (h->kind == 'f') {
        mica_stored_floats(r->type, from, (size_t)count, (float *)r->room + first);
        return MICA_OK;
    }
    for (int64_t i = first; i < first + count; i++, from += h->width) {
        if (!is_text(h)) {
            if (!integer_at(h, from, (int32_t *)r->room + i))
                return mica_fail(MICA_E_UNSUPPORTED, "%s: number %lld does not fit into int32",
                    r->where, (long long)i);
            continue;
        }
        const int64_t size = text_at(h, from, r->text);
        if (size < 0)
            return mica_fail(MICA_E_FORMAT, "%s: text %lld is not UTF", r->where, (long long)i);
        ((char **)r->room)[i] = r->text;
        r->text += size + 1;
    }
    return MICA_OK;
}

static mica_status pieces_read(reading *r, mica_npy_source *source) {
    const int64_t count = mica_shape_count(r->h->shape);
    const int64_t most = r->h->width < PIECE ? (int64_t)(PIECE / r->h->width) : 1;
    uint8_t *piece = mica_alloc((size_t)most, r->h->width);
    mica_status status = piece ? MICA_OK : MICA_E_MEMORY;
    for (int64_t first = 0; status == MICA_OK && first < count; first += most) {
        const int64_t n = count - first < most ? count - first : most;
        status = take_bytes(source, piece, (size_t)n * r->h->width);
        if (status == MICA_OK)
            status = piece_convert(r, piece, first, n);
    }
    free(piece);
    return status;
}

mica_status mica_npy_data(
    const char *where, mica_npy_source *source, const mica_npy_layout *h, mica_array *array) {
    reading r = {.where = where, .h = h, .room = mica_alloc(1, memory_of(h))};
    if (!r.room)
        return MICA_E_MEMORY;
    stored_type(h, &r.type);
    r.text = (char *)r.room + (size_t)mica_shape_count(h->shape) * sizeof(char *);
    mica_status status = pieces_read(&r, source);
    if (status != MICA_OK)
        free(r.room);
    else if (h->kind == 'f')
        array->floats = r.room;
    else if (is_text(h))
        array->texts = r.room;
    else
        array->integers = r.room;
    return status;
}

void mica_array_clear(mica_array *array) {
    free((void *)array->name);
    free((void *)array->floats);
    free((void *)array->integers);
    free((void *)array->texts);
    *array = (mica_array){0};
}

/* ---- what is refused before memory is taken ---- */

static mica_status layout_check(const char *where, const header *h, uint64_t rest) {
    const uint64_t count = (uint64_t)mica_shape_count(h->shape);
    mica_stored_type type;
    if (h->fortran && h->shape.rank > 1)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: the array is in Fortran's order: save it with numpy.ascontiguousarray", where);
    if (rest / h->width < count || rest != count * h->width)
        return mica_fail(MICA_E_FORMAT,
            "%s: %llu bytes of data, but the header says %llu "
            "elements of %zu",
            where, (unsigned long long)rest, (unsigned long long)count, h->width);
    if (!is_text(h) && !stored_type(h, &type) &&
        (h->kind == 'f' || h->width > 8 || h->width & (h->width - 1)))
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: elements of type %c%zu: wanted floats of 16, 32 "
            "or 64 bits, integers, bool or text",
            where, h->kind, h->width);
    if (is_text(h) && count > TEXTS_LIMIT)
        return mica_fail(MICA_E_UNSUPPORTED, "%s: %llu texts: wanted at most %lld", where,
            (unsigned long long)count, (long long)TEXTS_LIMIT);
    const uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (memory_of(h) > machine)
        return mica_fail(MICA_E_MEMORY,
            "%s: its data take %llu bytes of memory; this machine has %llu", where,
            (unsigned long long)memory_of(h), (unsigned long long)machine);
    return MICA_OK;
}

mica_status mica_npy_begin(const char *where, mica_npy_source *source, mica_npy_layout *layout) {
    uint8_t start[12];
    const size_t least = 10;
    bool known = source->left >= sizeof start;
    if (known) {
        MICA_TRY(take_bytes(source, start, least));
        known = !memcmp(start, "\x93NUMPY", 6) && start[6] >= 1 && start[6] <= 3;
    }
    const bool wide = known && start[6] > 1; /* the length has four bytes, not two */
    if (wide)
        MICA_TRY(take_bytes(source, start + least, sizeof start - least));
    size_t length = 0;
    for (size_t i = wide ? sizeof start : least; known && i-- > 8;)
        length = length << 8 | start[i];
    if (!known || length > HEADER_LIMIT || length > source->left)
        return mica_fail(MICA_E_FORMAT, "%s: not an array of NumPy's", where);
    char *text = mica_alloc(length + 1, 1);
    if (!text)
        return MICA_E_MEMORY;
    mica_status status = take_bytes(source, text, length);
    header h = {0};
    if (status == MICA_OK && !header_parse(text, &h))
        status = header_fail(where, text);
    free(text);
    if (status == MICA_OK)
        status = layout_check(where, &h, source->left);
    if (status == MICA_OK)
        *layout = h;
    return status;
}
