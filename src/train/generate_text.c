/* Text from a language model: its network for one character at a time, whose state stays on the
 * device, and the choice of the next character, which is made on the host. */
#include "train/generate_text.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/philox.h"
#include "graph/graph.h"
#include "train/run.h"

#include <mica/sequence.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHOICE_STREAM 0x74657874u /* of Philox: keeps these draws apart from all others */

struct mica_writer {
    mica_recipe *recipe;
    mica_stage stage;
    mica_program *program;
    mica_value *logits;
    float *row;     /* what the network says of each class */
    int32_t *order; /* room for all classes */
};

void mica_writer_destroy(mica_writer **owner) {
    mica_writer *writer = *owner;
    if (!writer)
        return;
    *owner = NULL;
    mica_program_destroy(&writer->program);
    mica_stage_close(&writer->stage);
    mica_recipe_destroy(&writer->recipe);
    free(writer->row);
    free(writer->order);
    free(writer);
}

static bool has_state(const mica_network *network) {
    for (size_t i = 0; i < mica_graph_count(network->graph); i++)
        if (mica_parameter_get(mica_graph_parameter(network->graph, i))->carried)
            return true;
    return false;
}

mica_status mica_writer_recipe(const mica_recipe *of, mica_recipe **recipe) {
    const mica_texts *given = &of->overrides;
    const char **overrides = mica_alloc(given->count + 1, sizeof *overrides);
    if (!overrides)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < given->count; i++)
        overrides[i] = given->item[i];
    overrides[given->count] = "input=[1]";
    mica_status status = mica_recipe_load(of->path, overrides, given->count + 1, recipe);
    free(overrides);
    return status;
}

static mica_status writer_prepare(mica_writer *writer, mica_run *run) {
    const size_t classes = (size_t)run->info.classes;
    MICA_TRY(mica_writer_recipe(run->recipe, &writer->recipe));
    MICA_TRY(mica_stage_open(run, writer->recipe, 1, &writer->stage));
    if (!has_state(writer->stage.network))
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s cannot write text: none of its layers keeps a state (rnn, lstm or gru with "
            "stateful: true)",
            run->recipe->name);
    writer->logits = writer->stage.network->heads[0].logits;
    writer->row = mica_alloc(classes, sizeof *writer->row);
    writer->order = mica_alloc(classes, sizeof *writer->order);
    if (!writer->row || !writer->order)
        return MICA_E_MEMORY;
    return mica_program_create(writer->stage.model,
        &(mica_program_options){.outputs = &writer->logits, .n_outputs = 1}, &writer->program);
}

static mica_status writer_open(mica_run *run) {
    if (run->writer)
        return MICA_OK;
    if (!run->info.text)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s cannot write text: it was not trained on the characters of one (set: text)",
            run->recipe->name);
    mica_writer *writer = mica_alloc(1, sizeof *writer);
    if (!writer)
        return MICA_E_MEMORY;
    mica_status status = writer_prepare(writer, run);
    if (status == MICA_OK)
        run->writer = writer;
    else
        mica_writer_destroy(&writer);
    return status;
}

/* Has the network read a character; its row then says what could follow. */
static mica_status read_character(const mica_writer *writer, int32_t character, size_t classes) {
    MICA_TRY(mica_program_write(
        writer->program, writer->stage.network->input, &character, sizeof character));
    MICA_TRY(mica_program_run(writer->program));
    MICA_TRY(mica_program_read(
        writer->program, writer->logits, writer->row, classes * sizeof *writer->row));
    for (size_t i = 0; i < classes; i++)
        if (!isfinite(writer->row[i]))
            return mica_fail(MICA_E_NUMERIC, "the network gives %g for character %zu",
                (double)writer->row[i], i);
    return MICA_OK;
}

/* ---- choosing ---- */

/* The k-th largest number of the row (k from 1): Hoare's selection, on a copy of places. */
static float kth_largest(const mica_writer *writer, int32_t classes, int32_t k) {
    const float *row = writer->row;
    int32_t *order = writer->order, low = 0, high = classes - 1;
    for (int32_t i = 0; i < classes; i++)
        order[i] = i;
    while (low < high) {
        const float pivot = row[order[(low + high) / 2]];
        int32_t i = low, j = high;
        while (i <= j) {
            while (row[order[i]] > pivot)
                i++;
            while (row[order[j]] < pivot)
                j--;
            if (i <= j) {
                const int32_t kept = order[i];
                order[i++] = order[j];
                order[j--] = kept;
            }
        }
        if (k - 1 <= j)
            high = j;
        else if (k - 1 >= i)
            low = i;
        else
            break;
    }
    return row[order[k - 1]];
}

/* A number between 0 and 1, both excluded, for a character at a place of the text. */
static double uniform(uint64_t seed, int64_t place, int32_t character) {
    uint32_t words[4];
    mica_philox((const uint32_t[4]){(uint32_t)place, (uint32_t)(place >> 32),
                    (uint32_t)character / 4, CHOICE_STREAM},
        (const uint32_t[2]){(uint32_t)seed, (uint32_t)(seed >> 32)}, words);
    return (words[character % 4] + 0.5) / 0x1p32;
}

/* Draws from softmax(row / temperature) as the character whose number plus a Gumbel variable of its
 * own is the largest: Gumbel and Lieblein, 1954. Devices differ in the last bits of the row. Here
 * that changes the choice only where the best two are as near to each other as that, while a search
 * in cumulative probabilities would have such a place for each character of the vocabulary. */
static int32_t choose(
    const mica_writer *writer, const mica_text_sampling *options, int64_t place, int32_t classes) {
    const int32_t k = options->top_k && options->top_k < classes ? (int32_t)options->top_k : 0;
    const float least = k ? kth_largest(writer, classes, k) : -INFINITY;
    const double temperature = options->temperature == 0 ? 1 : options->temperature;
    int32_t best = -1;
    double best_score = -INFINITY;
    for (int32_t i = 0; i < classes; i++) {
        if (writer->row[i] < least)
            continue;
        const double score =
            (double)writer->row[i] - temperature * log(-log(uniform(options->seed, place, i)));
        if (best < 0 || score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

/* ---- writing ---- */

static mica_status write_text(mica_run *run, const mica_text_sampling *options, int32_t *prime,
    int64_t n_prime, bool (*write)(void *user, const char *character), void *user) {
    const mica_writer *writer = run->writer;
    const int32_t classes = (int32_t)run->info.classes;
    MICA_TRY(mica_model_reset(writer->stage.model));
    for (int64_t i = 0; i < n_prime; i++)
        MICA_TRY(read_character(writer, prime[i], (size_t)classes));
    for (int64_t i = 0; i < options->length; i++) {
        const int32_t next = choose(writer, options, i, classes);
        if (!write(user, run->info.class_names[next]))
            return mica_fail(MICA_E_INTERRUPTED, "stopped after %lld characters", (long long)i + 1);
        if (i + 1 < options->length)
            MICA_TRY(read_character(writer, next, (size_t)classes));
    }
    return MICA_OK;
}

static mica_status options_check(const mica_text_sampling *options) {
    if (options->length < 1)
        return mica_fail(MICA_E_INVALID, "length %lld: wanted at least 1 character to write",
            (long long)options->length);
    if (!(options->temperature >= 0) || !isfinite(options->temperature))
        return mica_fail(MICA_E_INVALID,
            "temperature %g: wanted a number above 0 (near 0 the likeliest, 1 as learned)",
            options->temperature);
    if (options->top_k < 0)
        return mica_fail(MICA_E_INVALID,
            "top_k %lld: wanted the number of characters to choose from, or 0 for all",
            (long long)options->top_k);
    return MICA_OK;
}

/* What a text is begun with that nothing is said of: the end of a line, if there are lines. */
static const char *beginning(const mica_run *run) {
    for (int64_t i = 0; i < run->info.classes; i++)
        if (!strcmp(run->info.class_names[i], "\n"))
            return "\n";
    return run->info.class_names[0];
}

mica_status mica_run_sample_text(mica_run *run, const mica_text_sampling *options,
    bool (*write)(void *user, const char *character), void *user) {
    MICA_TRY(options_check(options));
    MICA_TRY(writer_open(run));
    const char *prime = options->prime && *options->prime ? options->prime : beginning(run);
    const size_t size = strlen(prime);
    int32_t *numbers = mica_alloc(size, sizeof *numbers);
    int64_t count = 0;
    if (!numbers)
        return MICA_E_MEMORY;
    mica_status status = mica_text_encode(
        run->info.class_names, (int32_t)run->info.classes, prime, size, numbers, &count);
    if (status != MICA_OK)
        mica_fail_in(status, "prime");
    else
        status = write_text(run, options, numbers, count, write, user);
    free(numbers);
    return status;
}
