/* Text as numbers: UTF-8, read strictly, and the vocabulary of its characters. Knows nothing of how
 * the numbers are used but their order in mini-batches. */
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/dataset.h"
#include "data/lines.h"
#include "data/sequences.h"

#include <mica/sequence.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- characters and their numbers ---- */

/* By code point: the character's number plus 1; 0 if it is not in the vocabulary. */
struct alphabet {
    int32_t *place;
    int32_t count;
};

static mica_status alphabet_of_names(
    const char *const *characters, int32_t count, struct alphabet *alphabet) {
    for (int32_t i = 0; i < count; i++) {
        const size_t size = strlen(characters[i]);
        const char *why;
        int32_t point;
        if (!size || mica_utf8_read(characters[i], size, &point, &why) != (int)size)
            return mica_fail(MICA_E_INVALID,
                "character %d of the vocabulary is \"%s\": wanted one character in UTF-8", i,
                characters[i]);
        alphabet->place[point] = i + 1;
    }
    alphabet->count = count;
    return MICA_OK;
}

/* Reads what the bytes from `first` on say into code points, at most one a byte. `what` names the
 * text in errors. */
static mica_status points_read(const char *what, const char *text, size_t first, size_t size,
    int32_t *points, int64_t *count) {
    long long line = 1;
    int64_t n = 0;
    for (size_t at = first; at < size;) {
        const char *why;
        const int length = mica_utf8_read(text + at, size - at, &points[n], &why);
        if (!length)
            return mica_fail(MICA_E_FORMAT, "%s:%lld: byte %zu (0x%02x) is not UTF-8: %s", what,
                line, at, (unsigned)(unsigned char)text[at], why);
        line += points[n++] == '\n';
        at += (size_t)length;
    }
    *count = n;
    return MICA_OK;
}

/* Replaces code points by their numbers. */
static mica_status points_number(
    const char *what, const struct alphabet *alphabet, int32_t *points, int64_t count) {
    long long line = 1;
    for (int64_t i = 0; i < count; i++) {
        const int32_t point = points[i], place = alphabet->place[point];
        if (!place) {
            char text[5];
            mica_utf8_write(point, text);
            return mica_fail(MICA_E_INVALID,
                "%s:%lld: the character %s (U+%04X) is not among the %d of the vocabulary", what,
                line, point < ' ' || point == 0x7f ? "" : text, (unsigned)point, alphabet->count);
        }
        points[i] = place - 1;
        line += point == '\n';
    }
    return MICA_OK;
}

mica_status mica_text_encode(const char *const *characters, int32_t classes, const char *text,
    size_t size, int32_t *numbers, int64_t *count) {
    struct alphabet alphabet = {.place = mica_alloc(MICA_CODE_POINTS, sizeof *alphabet.place)};
    if (!alphabet.place)
        return MICA_E_MEMORY;
    int64_t n = 0;
    mica_status status = alphabet_of_names(characters, classes, &alphabet);
    if (status == MICA_OK)
        status = points_read("the text", text, 0, size, numbers, &n);
    if (status == MICA_OK)
        status = points_number("the text", &alphabet, numbers, n);
    free(alphabet.place);
    if (status == MICA_OK)
        *count = n;
    return status;
}

/* ---- files ---- */

/* A text as read: numbers, and the names of the characters that they stand for. */
struct corpus {
    int32_t *numbers;
    int64_t count;
    char (*names)[5];
    const char **characters; /* `classes`, into names or the caller's */
    int32_t classes;
};

static void corpus_clear(struct corpus *corpus) {
    free(corpus->numbers);
    free(corpus->names);
    free(corpus->characters);
}

/* The vocabulary of what occurs: code points in their order, `classes` of them unless that is 0. */
static mica_status corpus_vocabulary(
    const char *path, int32_t classes, struct corpus *corpus, struct alphabet *alphabet) {
    int32_t end = 0; /* beyond the largest */
    for (int64_t i = 0; i < corpus->count; i++) {
        const int32_t point = corpus->numbers[i];
        alphabet->place[point] = 1;
        end = point < end ? end : point + 1;
    }
    for (int32_t point = 0; point < end; point++)
        if (alphabet->place[point])
            alphabet->place[point] = ++alphabet->count;
    if (classes && classes != alphabet->count)
        return mica_fail(MICA_E_INVALID,
            "%s: the text has %d different characters, but wanted were %d classes", path,
            alphabet->count, classes);
    corpus->classes = alphabet->count;
    corpus->names = mica_alloc((size_t)alphabet->count, sizeof *corpus->names);
    corpus->characters = mica_alloc((size_t)alphabet->count, sizeof *corpus->characters);
    if (!corpus->names || !corpus->characters)
        return MICA_E_MEMORY;
    for (int32_t point = 0; point < end; point++)
        if (alphabet->place[point]) {
            const int32_t i = alphabet->place[point] - 1;
            mica_utf8_write(point, corpus->names[i]);
            corpus->characters[i] = corpus->names[i];
        }
    return MICA_OK;
}

static mica_status corpus_number(
    const char *path, const mica_text_options *options, struct corpus *corpus) {
    struct alphabet alphabet = {.place = mica_alloc(MICA_CODE_POINTS, sizeof *alphabet.place)};
    if (!alphabet.place)
        return MICA_E_MEMORY;
    mica_status status;
    if (options->characters) {
        corpus->classes = options->classes;
        corpus->characters =
            mica_copy(options->characters, (size_t)options->classes * sizeof *options->characters);
        status = corpus->characters
                     ? alphabet_of_names(options->characters, options->classes, &alphabet)
                     : MICA_E_MEMORY;
    } else {
        status = corpus_vocabulary(path, options->classes, corpus, &alphabet);
    }
    if (status == MICA_OK)
        status = points_number(path, &alphabet, corpus->numbers, corpus->count);
    free(alphabet.place);
    return status;
}

static mica_status corpus_read(
    const char *path, const mica_text_options *options, struct corpus *corpus) {
    mica_lines lines = {0};
    MICA_TRY(mica_lines_open(path, &lines));
    const size_t first = lines.at; /* behind the byte order mark */
    mica_status status = MICA_OK;
    if (lines.size == first)
        status = mica_fail(MICA_E_FORMAT, "%s: the text is empty", path);
    else if (!(corpus->numbers = mica_alloc(lines.size - first, sizeof *corpus->numbers)))
        status = MICA_E_MEMORY;
    else
        status = points_read(path, lines.text, first, lines.size, corpus->numbers, &corpus->count);
    mica_lines_close(&lines);
    return status == MICA_OK ? corpus_number(path, options, corpus) : status;
}

/* ---- data sets ---- */

/* The characters first .. first + count - 1 as samples in the order of the mini-batches. */
static mica_status part_make(const char *path, const char *name, const struct corpus *corpus,
    int64_t first, int64_t count, const mica_text_options *options, mica_dataset **out) {
    const int64_t length = options->length, rows = options->sequences;
    const int64_t batches = mica_sequence_batches(count - 1, rows, length); /* 1: the last target */
    if (batches < 1)
        return mica_fail(MICA_E_INVALID,
            "%s: the %s part has %lld characters, too few for one batch of %lld sequences of %lld "
            "and a character more: take a longer text, or smaller ones",
            path, name, (long long)count, (long long)rows, (long long)length);
    mica_samples samples = {.count = batches * rows,
        .sample = MICA_SHAPE(length),
        .target = MICA_SHAPE(length),
        .ahead = 1,
        .ordered = true};
    samples.ids = mica_copy(corpus->numbers + first, (size_t)count * sizeof *samples.ids);
    samples.starts = mica_alloc((size_t)samples.count, sizeof *samples.starts);
    mica_status status = samples.ids && samples.starts ? MICA_OK : MICA_E_MEMORY;
    for (int64_t i = 0; i < samples.count && status == MICA_OK; i++)
        samples.starts[i] = (i % rows * batches + i / rows) * length;
    if (status == MICA_OK)
        status = mica_dataset_adopt(&samples,
            &(mica_dataset_options){.classes = corpus->classes, .class_names = corpus->characters},
            out);
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}

static mica_status options_check(const char *path, const mica_text_options *options) {
    if (!path || !options || options->sequences < 1 || options->length < 1 ||
        options->sequences > INT32_MAX || options->length > INT32_MAX)
        return mica_fail(
            MICA_E_INVALID, "text: wanted a path, and sequences and a length of at least 1");
    return mica_sequence_fractions(options->validation, options->test);
}

mica_status mica_dataset_from_text(const char *path, const mica_text_options *options,
    mica_dataset **train, mica_dataset **validation, mica_dataset **test) {
    static const char *const names[] = {"training", "validation", "test"};
    MICA_TRY(options_check(path, options));
    struct corpus corpus = {0};
    mica_dataset *made[3] = {NULL, NULL, NULL}, **outs[] = {train, validation, test};
    mica_status status = corpus_read(path, options, &corpus);
    int64_t first[4];
    mica_sequence_parts(corpus.count, options->validation, options->test, first);
    for (int i = 0; i < 3 && status == MICA_OK; i++)
        if (outs[i] && (!i || first[i + 1] > first[i])) /* training cannot be empty */
            status = part_make(
                path, names[i], &corpus, first[i], first[i + 1] - first[i], options, &made[i]);
    corpus_clear(&corpus);
    for (int i = 0; i < 3; i++)
        if (status == MICA_OK && outs[i])
            *outs[i] = made[i];
        else
            mica_dataset_destroy(&made[i]);
    return status;
}
