#include "train/uses.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "train/generate_text.h"
#include "train/score.h"

#include <stdlib.h>
#include <string.h>

/* Adds what the last error says of a command. */
static mica_status note_add(mica_texts *notes, const char *command) {
    char *text = mica_format("%s will not work with this run: %s", command, mica_last_error());
    char **item = text ? realloc(notes->item, (notes->count + 1) * sizeof *item) : NULL;
    if (!item) {
        free(text);
        return mica_fail(MICA_E_MEMORY, "out of host memory");
    }
    notes->item = item;
    item[notes->count++] = text;
    return MICA_OK;
}

/* A use that is not needed to measure the run: its failure is a note. */
static mica_status optional(mica_status status, const char *command, mica_texts *notes) {
    return status == MICA_OK || status == MICA_E_MEMORY ? status : note_add(notes, command);
}

static mica_status one_build(const mica_recipe *recipe) {
    mica_network *one = NULL;
    mica_status status = mica_recipe_build(recipe, 1, &one);
    mica_network_destroy(&one);
    return status == MICA_OK || status == MICA_E_MEMORY
               ? status
               : mica_fail_in(status, "for a single sample, which mica eval and predict take");
}

/* Have both networks the same parameters? */
static mica_status parameters_compare(const mica_graph *a, const mica_graph *b) {
    char wide[96], narrow[96];
    for (size_t i = 0; i < mica_graph_count(a); i++) {
        const mica_value *x = mica_graph_parameter(a, i), *y = NULL;
        for (size_t j = 0; j < mica_graph_count(b) && !y; j++)
            if (!strcmp(mica_value_name(x), mica_value_name(mica_graph_parameter(b, j))))
                y = mica_graph_parameter(b, j);
        const bool carried = mica_parameter_get(x)->carried; /* a state, of a batch */
        if (y && !carried && !mica_shape_equal(mica_value_shape(x), mica_value_shape(y)))
            return mica_fail(MICA_E_INVALID, "%s is %s for a window, but %s for one character",
                mica_value_name(x), mica_shape_text(mica_value_shape(x), wide, sizeof wide),
                mica_shape_text(mica_value_shape(y), narrow, sizeof narrow));
    }
    return MICA_OK;
}

static mica_status text_check(const mica_recipe *recipe, const mica_network *network) {
    bool state = false;
    for (size_t i = 0; i < mica_graph_count(network->graph); i++)
        state = state || mica_parameter_get(mica_graph_parameter(network->graph, i))->carried;
    if (!state)
        return MICA_OK; /* no language model; `mica sample` says so */
    mica_recipe *of_one = NULL;
    mica_network *one = NULL;
    mica_status status = mica_writer_recipe(recipe, &of_one);
    if (status == MICA_OK)
        status = mica_recipe_build(of_one, 1, &one);
    if (status == MICA_OK)
        status = parameters_compare(network->graph, one->graph);
    mica_network_destroy(&one);
    mica_recipe_destroy(&of_one);
    return status;
}

static mica_status decoder_check(const mica_recipe *recipe, const mica_network *network) {
    mica_network *decoder = NULL;
    mica_status status = mica_recipe_build_decoder(recipe, network->drawn->name, 1, &decoder);
    mica_network_destroy(&decoder);
    return status;
}

mica_status mica_uses_check(
    const mica_recipe *recipe, const mica_network *network, mica_texts *notes) {
    const mica_recipe_data *data = &recipe->data;
    MICA_TRY(one_build(recipe));
    if (data->ids && data->users && data->ratings.relevant != 0)
        MICA_TRY(mica_scores_check(recipe));
    else if (data->ids && data->users)
        MICA_TRY(optional(mica_scores_check(recipe), "mica recommend", notes));
    if (data->set && mica_recipe_is_text(data))
        MICA_TRY(optional(text_check(recipe, network), "mica sample", notes));
    if (network->drawn)
        MICA_TRY(optional(decoder_check(recipe, network), "mica sample", notes));
    return MICA_OK;
}
