#include "train/score.h"

#include "base/error.h"
#include "base/mem.h"
#include "graph/model.h"
#include "train/decoder.h"
#include "train/run.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 1024, PAIR = 2 };

struct mica_scores {
    mica_recipe recipe; /* the caller's, but for the input and the losses */
    mica_network *network;
    mica_model *model;
    mica_program *program;
    const mica_network_layer *layer; /* that gives the scores */
    int32_t *pairs;                  /* (BATCH, 2) */
};

void mica_scores_destroy(mica_scores **owner) {
    mica_scores *scores = *owner;
    if (!scores)
        return;
    *owner = NULL;
    mica_program_destroy(&scores->program);
    mica_model_destroy(&scores->model);
    mica_network_destroy(&scores->network);
    free(scores->pairs);
    free(scores);
}

static mica_status network_build(mica_scores *scores) {
    mica_recipe *recipe = &scores->recipe;
    const char *from = recipe->losses[0].from.item[0];
    recipe->input[0] = PAIR; /* one item, where training compares two */
    recipe->n_losses = 0;
    recipe->l2 = 0;
    MICA_TRY(mica_recipe_build(recipe, BATCH, &scores->network));
    MICA_TRY(mica_network_find(scores->network, from, &scores->layer));
    if (mica_shape_count(scores->layer->output) != BATCH)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s: layer %s gives %lld numbers for a user and an item, wanted one score",
            recipe->path, from, (long long)(mica_shape_count(scores->layer->output) / BATCH));
    return MICA_OK;
}

static mica_status prepare(mica_scores *scores, mica_model *model) {
    MICA_TRY(network_build(scores));
    if (!(scores->pairs = mica_alloc(BATCH * PAIR, sizeof *scores->pairs)))
        return MICA_E_MEMORY;
    MICA_TRY(mica_model_create(scores->network->graph, model->device, model->seed, &scores->model));
    MICA_TRY(mica_weights_copy(model, scores->model));
    mica_value *output = scores->layer->value;
    return mica_program_create(scores->model,
        &(mica_program_options){.outputs = &output, .n_outputs = 1}, &scores->program);
}

mica_status mica_scores_check(const mica_recipe *recipe) {
    mica_scores scores = {.recipe = *recipe};
    mica_status status = network_build(&scores);
    mica_network_destroy(&scores.network);
    return status;
}

mica_status mica_scores_create(const mica_recipe *recipe, mica_model *model, mica_scores **out) {
    const mica_recipe_data *data = &recipe->data;
    if (!data->ids || !data->users || !data->items || recipe->losses[0].from.count != 1)
        return mica_fail(MICA_E_UNSUPPORTED, "%s: it was not trained with ratings", recipe->path);
    mica_scores *scores = mica_alloc(1, sizeof *scores);
    if (!scores)
        return MICA_E_MEMORY;
    scores->recipe = *recipe;
    mica_status status = prepare(scores, model);
    if (status == MICA_OK)
        *out = scores;
    else
        mica_scores_destroy(&scores);
    return status;
}

/* Scores at most BATCH pairs. */
static mica_status block_score(
    mica_scores *scores, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    const mica_recipe_data *data = &scores->recipe.data;
    float room[BATCH];
    for (int64_t i = 0; i < count; i++) {
        if (user[i] < 0 || user[i] >= data->users || item[i] < 0 || item[i] >= data->items)
            return mica_fail(MICA_E_INVALID,
                "user %d, item %d: wanted users below %lld and items below %lld", user[i], item[i],
                (long long)data->users, (long long)data->items);
        scores->pairs[PAIR * i] = user[i];
        scores->pairs[PAIR * i + 1] = item[i];
    }
    MICA_TRY(mica_program_write(scores->program, scores->network->input, scores->pairs,
        BATCH * PAIR * sizeof *scores->pairs));
    MICA_TRY(mica_program_run(scores->program));
    MICA_TRY(mica_program_read(scores->program, scores->layer->value, room, sizeof room));
    float mean = data->channels ? data->mean[0] : 0;
    for (int64_t i = 0; i < count; i++)
        value[i] = room[i] + mean;
    return MICA_OK;
}

mica_status mica_scores_predict(
    void *scores, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    for (int64_t first = 0; first < count; first += BATCH) {
        int64_t left = count - first;
        MICA_TRY(block_score(
            scores, user + first, item + first, left < BATCH ? left : BATCH, value + first));
    }
    return MICA_OK;
}

mica_status mica_scores_rank(void *context, const int32_t *user, int64_t count, float *values) {
    mica_scores *scores = context;
    const mica_recipe_data *data = &scores->recipe.data;
    int64_t at = 0, total = count * data->items;
    int32_t users[BATCH], items[BATCH];
    while (at < total) {
        int64_t n = total - at < BATCH ? total - at : BATCH;
        for (int64_t i = 0; i < n; i++) {
            users[i] = user[(at + i) / data->items];
            items[i] = (int32_t)((at + i) % data->items);
        }
        MICA_TRY(block_score(scores, users, items, n, values + at));
        at += n;
    }
    return MICA_OK;
}

mica_status mica_run_score(
    mica_run *run, const int32_t *user, const int32_t *item, int64_t count, float *values) {
    if (!run->scores)
        MICA_TRY(mica_scores_create(run->recipe, run->one.model, &run->scores));
    return mica_scores_predict(run->scores, user, item, count, values);
}
