/* What an opened run recommends: scores of all items, and the best of them. */
#include "train/recommend.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "recipe/changes.h"
#include "train/folder.h"
#include "train/manifest.h"
#include "train/run.h"
#include "train/score.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct mica_recommender {
    mica_recipe *recipe;
    mica_ratings *parts[3]; /* train, validation, test; NULL: there is none */
    char *folder, *note;
    mica_manifest begun, now;
    int32_t users, items;
    mica_neighbours *neighbours; /* or else: */
    mica_run *run;
    const float *numbers; /* owned: (items, width), the items' embedding, once it was asked for */
    int64_t width;
    float *scores;            /* (items) */
    bool *out;                /* by item: not to be recommended */
    mica_recommendation *all; /* (items) */
};

/* ---- opening ---- */

static mica_status open_model(mica_recommender *r, const char *folder, const char *device) {
    if (!r->recipe->neighbours.wanted)
        return mica_run_open(folder, device, &r->run);
    char *path = mica_path_join(folder, MICA_RUN_MODEL);
    mica_status status =
        path ? mica_neighbours_load(r->parts[0], path, &r->neighbours) : MICA_E_MEMORY;
    free(path);
    return status;
}

/* Compares the recipe and the data with those that the run was trained with. */
static mica_status manifests_open(mica_recommender *r, const char *folder, const char *data) {
    mica_dataset *sets[3];
    if (!(r->folder = mica_strdup(folder)))
        return MICA_E_MEMORY;
    MICA_TRY(mica_manifest_read(folder, &r->begun));
    if (r->begun.recipe)
        MICA_TRY(mica_recipe_same(folder, r->begun.recipe, r->recipe->text));
    MICA_TRY(mica_recipe_rating_samples(r->recipe, r->parts, sets));
    mica_status status = mica_manifest_make(r->recipe, data, sets, &r->now);
    for (size_t i = 0; i < 3; i++)
        mica_dataset_destroy(&sets[i]);
    MICA_TRY(status);
    return mica_manifest_fits(&r->begun, &r->now, r->recipe, folder, false, &r->note);
}

const char *mica_recommender_note(const mica_recommender *r) {
    return r->note;
}

mica_status mica_recommender_measures(const mica_recommender *r) {
    char *note = NULL;
    mica_status status = mica_manifest_fits(&r->begun, &r->now, r->recipe, r->folder, true, &note);
    free(note);
    return status;
}

static mica_status open_parts(
    mica_recommender *r, const char *folder, const char *data, const char *device) {
    MICA_TRY(mica_folder_check(folder));
    char *path = mica_path_join(folder, MICA_RUN_RECIPE);
    mica_status status = path ? mica_recipe_load(path, NULL, 0, &r->recipe) : MICA_E_MEMORY;
    free(path);
    MICA_TRY(status);
    MICA_TRY(mica_recipe_open_ratings(r->recipe, data, &r->parts[0], &r->parts[1], &r->parts[2]));
    MICA_TRY(manifests_open(r, folder, data));
    MICA_TRY(open_model(r, folder, device));
    const mica_ratings_info *info = mica_ratings_get_info(r->parts[0]);
    r->users = info->users;
    r->items = info->items;
    r->scores = mica_alloc((size_t)r->items, sizeof *r->scores);
    r->out = mica_alloc((size_t)r->items, sizeof *r->out);
    r->all = mica_alloc((size_t)r->items, sizeof *r->all);
    return r->scores && r->out && r->all ? MICA_OK : MICA_E_MEMORY;
}

mica_status mica_recommender_open(
    const char *run, const char *data, const char *device, mica_recommender **out) {
    if (!run)
        return mica_fail(MICA_E_INVALID, "mica_recommender_open: the run's folder is NULL");
    mica_recommender *r = mica_alloc(1, sizeof *r);
    if (!r)
        return MICA_E_MEMORY;
    mica_status status = open_parts(r, run, data, device);
    if (status == MICA_OK)
        *out = r;
    else
        mica_recommender_destroy(&r);
    return status;
}

void mica_recommender_destroy(mica_recommender **owner) {
    mica_recommender *r = *owner;
    *owner = NULL;
    if (!r)
        return;
    mica_neighbours_destroy(&r->neighbours);
    mica_run_destroy(&r->run);
    for (size_t i = 0; i < sizeof r->parts / sizeof *r->parts; i++)
        mica_ratings_destroy(&r->parts[i]);
    mica_recipe_destroy(&r->recipe);
    mica_manifest_clear(&r->begun);
    mica_manifest_clear(&r->now);
    free(r->folder);
    free(r->note);
    free((float *)r->numbers);
    free(r->scores);
    free(r->out);
    free(r->all);
    free(r);
}

const mica_ratings *mica_recommender_ratings(const mica_recommender *r) {
    return r->parts[0];
}

mica_neighbours *mica_recommender_neighbours(const mica_recommender *r) {
    return r->neighbours;
}

const mica_recipe *mica_recommender_recipe(const mica_recommender *r) {
    return r->recipe;
}

const char *mica_recommender_device_note(const mica_recommender *r) {
    return r->run ? mica_run_get_info(r->run)->device_note : "";
}

/* ---- the best ---- */

static int better_first(const void *a, const void *b) {
    const mica_recommendation *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* The best of r->scores whose item is not out. */
static void take_best(mica_recommender *r, mica_recommendation *items, size_t room, size_t *count) {
    size_t n = 0;
    for (int32_t item = 0; item < r->items; item++)
        if (!r->out[item])
            r->all[n++] = (mica_recommendation){item, r->scores[item]};
    qsort(r->all, n, sizeof *r->all, better_first);
    *count = n < room ? n : room;
    memcpy(items, r->all, *count * sizeof *items);
}

static mica_status check_number(const char *what, int32_t number, int32_t end) {
    if (number < 0 || number >= end)
        return mica_fail(
            MICA_E_INVALID, "%s %" PRId32 " of %" PRId32 " does not exist", what, number, end);
    return MICA_OK;
}

/* ---- for a user ---- */

static mica_status score_all(mica_recommender *r, int32_t user) {
    if (r->neighbours)
        return mica_neighbours_score(r->neighbours, &user, 1, r->scores);
    int32_t *users = mica_alloc((size_t)r->items, sizeof *users);
    int32_t *items = mica_alloc((size_t)r->items, sizeof *items);
    mica_status status = users && items ? MICA_OK : MICA_E_MEMORY;
    for (int32_t i = 0; i < r->items && status == MICA_OK; i++) {
        users[i] = user;
        items[i] = i;
    }
    if (status == MICA_OK)
        status = mica_run_score(r->run, users, items, r->items, r->scores);
    free(users);
    free(items);
    return status;
}

mica_status mica_recommend_user(mica_recommender *r, int32_t user, bool exclude_seen,
    mica_recommendation *items, size_t room, size_t *count) {
    MICA_TRY(check_number("user", user, r->users));
    MICA_TRY(score_all(r, user));
    for (int32_t item = 0; item < r->items; item++)
        r->out[item] = r->neighbours && r->scores[item] == 0;
    for (size_t part = 0; part < sizeof r->parts / sizeof *r->parts && exclude_seen; part++) {
        if (!r->parts[part])
            continue;
        const mica_ratings_rows *seen = &mica_ratings_get_info(r->parts[part])->by_user;
        for (int64_t i = seen->start[user]; i < seen->start[user + 1]; i++)
            r->out[seen->other[i]] = true;
    }
    take_best(r, items, room, count);
    return MICA_OK;
}

/* ---- for an item ---- */

static void set_neighbours(mica_recommender *r, int32_t item) {
    const mica_neighbours_info *info = mica_neighbours_get_info(r->neighbours);
    const int64_t k = info->k, begin = item * k;
    for (int64_t i = begin; i < begin + k && info->ids[i] >= 0; i++) {
        r->scores[info->ids[i]] = info->similarity_of[i];
        r->out[info->ids[i]] = false;
    }
}

/* Of all items that share users with this one, through these users' ratings. */
static mica_status set_cosines(mica_recommender *r, int32_t item) {
    const mica_neighbours_info *model = mica_neighbours_get_info(r->neighbours);
    const mica_ratings_info *ratings = mica_ratings_get_info(r->parts[0]);
    const mica_ratings_rows *by_item = &ratings->by_item, *by_user = &ratings->by_user;
    int32_t *common = mica_alloc((size_t)r->items, sizeof *common);
    double *dot = mica_alloc((size_t)r->items, sizeof *dot);
    double *square = mica_alloc((size_t)r->items, sizeof *square);
    if (common && dot && square) {
        for (int32_t other = 0; other < r->items; other++)
            for (int64_t i = by_item->start[other]; i < by_item->start[other + 1]; i++)
                square[other] += (double)by_item->value[i] * (double)by_item->value[i];
        for (int64_t i = by_item->start[item]; i < by_item->start[item + 1]; i++) {
            const int32_t user = by_item->other[i];
            for (int64_t j = by_user->start[user]; j < by_user->start[user + 1]; j++) {
                dot[by_user->other[j]] += (double)by_item->value[i] * (double)by_user->value[j];
                common[by_user->other[j]]++;
            }
        }
        for (int32_t other = 0; other < r->items; other++) {
            const double n = common[other], length = sqrt(square[item] * square[other]);
            r->out[other] = common[other] < model->min_overlap;
            if (length > 0)
                r->scores[other] =
                    (float)(dot[other] / length * n / (n + (double)model->shrinkage));
        }
    }
    const bool whole = common && dot && square;
    free(common);
    free(dot);
    free(square);
    return whole ? MICA_OK : MICA_E_MEMORY;
}

/* Reads the last embedding that has a row of numbers for each item. */
static mica_status read_embedding(mica_recommender *r) {
    const mica_network *network = r->run->one.network;
    const mica_value *found = NULL;
    for (size_t i = 0; i < network->n_layers; i++) {
        const mica_network_layer *layer = &network->layers[i];
        char *name =
            strcmp(layer->type, "embedding") ? NULL : mica_format("%s/weight", layer->name);
        for (size_t j = 0; name && j < mica_graph_count(network->graph); j++) {
            const mica_value *parameter = mica_graph_parameter(network->graph, j);
            const mica_shape shape = mica_value_shape(parameter);
            if (!strcmp(mica_value_name(parameter), name) && shape.rank == 2 &&
                shape.dim[0] == r->items && shape.dim[1] > 1)
                found = parameter;
        }
        free(name);
    }
    if (!found)
        return mica_fail(MICA_E_UNSUPPORTED,
            "%s has no embedding with a row of numbers for each of its %" PRId32
            " items, so that none is similar to another",
            r->recipe->name, r->items);
    const mica_shape shape = mica_value_shape(found);
    const size_t size = (size_t)mica_shape_count(shape);
    float *numbers = mica_alloc(size, sizeof *numbers);
    if (!numbers)
        return MICA_E_MEMORY;
    r->numbers = numbers;
    r->width = shape.dim[1];
    return mica_model_read(r->run->one.model, found, numbers, size);
}

static double dot_of(const float *a, const float *b, int64_t width) {
    double sum = 0;
    for (int64_t i = 0; i < width; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static mica_status set_embeddings(mica_recommender *r, int32_t item) {
    if (!r->numbers)
        MICA_TRY(read_embedding(r));
    const float *mine = r->numbers + item * r->width;
    for (int32_t other = 0; other < r->items; other++) {
        const float *its = r->numbers + other * r->width;
        const double length = sqrt(dot_of(mine, mine, r->width) * dot_of(its, its, r->width));
        r->scores[other] = length > 0 ? (float)(dot_of(mine, its, r->width) / length) : 0;
        r->out[other] = false;
    }
    return MICA_OK;
}

mica_status mica_recommend_item(
    mica_recommender *r, int32_t item, mica_recommendation *items, size_t room, size_t *count) {
    MICA_TRY(check_number("item", item, r->items));
    for (int32_t other = 0; other < r->items; other++) {
        r->out[other] = true;
        r->scores[other] = 0;
    }
    if (!r->neighbours)
        MICA_TRY(set_embeddings(r, item));
    else if (mica_neighbours_get_info(r->neighbours)->by == MICA_BY_USERS)
        MICA_TRY(set_cosines(r, item));
    else
        set_neighbours(r, item);
    r->out[item] = true;
    take_best(r, items, room, count);
    return MICA_OK;
}
