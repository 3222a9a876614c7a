/* Neighbourhood models: what is found by search.c, and predicting and ranking with it. Knows no
 * recipes. */
#include "recommend/neighbours.h"

#include "base/error.h"
#include "base/mem.h"
#include "recommend/search.h"
#include "recommend/stored.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define K_DEFAULT       50
#define K_MOST          1024 /* of mica_top_k */
#define OVERLAP_DEFAULT 2
#define ROWS_MOST       (1 << 24) /* numbers that float32 holds */

struct mica_neighbours {
    mica_neighbours_info info;
    int32_t *ids;
    float *similarities;
    const mica_ratings_info *ratings;
    mica_ratings_rows rows, lines; /* by.. and the other side */
    mica_baseline *baseline;
    float *residuals; /* of each rating of `lines`, from the baseline */

    /* The table read the other way: the rows that have row j among their neighbours. */
    int64_t *back_start;
    int32_t *back_row;
    float *back_similarity;

    /* Ratings of one line, by row: the last that was predicted for. */
    float *line_residual;
    bool *line_has;
    int32_t line; /* -1: none */
};

static const char *name_of_rows(mica_neighbours_by by) {
    return by == MICA_BY_USERS ? "users" : "items";
}

static const char *name_of_lines(mica_neighbours_by by) {
    return by == MICA_BY_USERS ? "items" : "users";
}

/* ---- creating ---- */

static mica_status check_options(
    const mica_neighbours_options *options, const mica_ratings_info *ratings, int32_t rows) {
    const bool plain = options->similarity == MICA_COSINE;
    if (ratings->implicit && !plain)
        return mica_fail(MICA_E_INVALID,
            "implicit ratings are all equal and have cosine similarity only: "
            "set similarity to cosine");
    if (options->by == MICA_BY_USERS && options->similarity == MICA_ADJUSTED_COSINE)
        return mica_fail(MICA_E_INVALID,
            "adjusted cosine compares items: for users set similarity to cosine or pearson");
    if (!isfinite(options->shrinkage) || options->shrinkage < 0)
        return mica_fail(MICA_E_INVALID, "shrinkage must be a number from 0 on, but it is %g",
            (double)options->shrinkage);
    if (options->k < 0 || options->k > K_MOST)
        return mica_fail(
            MICA_E_INVALID, "k must be 1 to %d neighbours, but it is %" PRId32, K_MOST, options->k);
    if (options->min_overlap < 0)
        return mica_fail(MICA_E_INVALID, "min_overlap must be at least 1, but it is %" PRId32,
            options->min_overlap);
    if (rows < 2 || rows > ROWS_MOST)
        return mica_fail(MICA_E_INVALID,
            "neighbours of %s need 2 to %d of them, but the ratings have %" PRId32,
            name_of_rows(options->by), ROWS_MOST, rows);
    return MICA_OK;
}

static void set_ratings(mica_neighbours *model, const mica_ratings *ratings) {
    const bool users = model->info.by == MICA_BY_USERS;
    model->ratings = mica_ratings_get_info(ratings);
    model->rows = users ? model->ratings->by_user : model->ratings->by_item;
    model->lines = users ? model->ratings->by_item : model->ratings->by_user;
    model->info.rows = model->rows.rows;
}

static mica_status allocate_table(mica_neighbours *model) {
    const size_t size = (size_t)model->info.rows * (size_t)model->info.k;
    model->info.ids = model->ids = mica_alloc(size, sizeof *model->ids);
    model->info.similarity_of = model->similarities = mica_alloc(size, sizeof *model->similarities);
    return model->ids && model->similarities ? MICA_OK : MICA_E_MEMORY;
}

static mica_status find(mica_neighbours *model, mica_device *device,
    const mica_neighbours_options *options, int32_t tile, int32_t block) {
    const mica_neighbours_info *info = &model->info;
    const mica_ratings_info *ratings = model->ratings;
    const double range = (double)ratings->highest - (double)ratings->lowest;
    float *values;
    MICA_TRY(mica_search_values(
        &model->rows, &model->lines, info->similarity, range > 0 ? range : 1, &values));
    mica_search search = {.rows = model->rows,
        .others = model->lines.rows,
        .similarity = info->similarity,
        .shrinkage = info->shrinkage,
        .k = info->k,
        .min_overlap = info->min_overlap,
        .tile = tile,
        .block = block,
        .progress = options->progress,
        .user = options->user,
        .stop = options->stop};
    search.rows.value = values;
    mica_status status = mica_search_run(&search, device, model->ids, model->similarities);
    free(values);
    MICA_TRY(status);
    for (int32_t row = 0; row < info->rows; row++)
        if (model->ids[(int64_t)row * info->k] >= 0)
            return MICA_OK;
    return mica_fail(MICA_E_INVALID,
        "no two %s have %" PRId32 " %s in common, so that there are no neighbours: "
        "lower min_overlap, or get more ratings",
        name_of_rows(info->by), info->min_overlap, name_of_lines(info->by));
}

/* The table read the other way, in the order of rows. */
static mica_status turn_table(mica_neighbours *model) {
    const int64_t rows = model->info.rows, k = model->info.k;
    model->back_start = mica_alloc((size_t)rows + 1, sizeof *model->back_start);
    if (!model->back_start)
        return MICA_E_MEMORY;
    int64_t *start = model->back_start;
    for (int64_t i = 0; i < rows * k; i++)
        if (model->ids[i] >= 0)
            start[model->ids[i] + 1]++;
    for (int64_t row = 0; row < rows; row++)
        start[row + 1] += start[row];
    model->back_row = mica_alloc((size_t)start[rows], sizeof *model->back_row);
    model->back_similarity = mica_alloc((size_t)start[rows], sizeof *model->back_similarity);
    int64_t *next = mica_copy(start, (size_t)rows * sizeof *start);
    if (model->back_row && model->back_similarity && next)
        for (int64_t i = 0; i < rows * k; i++) {
            if (model->ids[i] < 0)
                continue;
            const int64_t to = next[model->ids[i]]++;
            model->back_row[to] = (int32_t)(i / k);
            model->back_similarity[to] = model->similarities[i];
        }
    free(next);
    return model->back_row && model->back_similarity && next ? MICA_OK : MICA_E_MEMORY;
}

/* baseline(line, row) of `count` rows, or of the pairs the caller has. */
static mica_status baseline_of(
    mica_neighbours *model, const int32_t *row, const int32_t *line, int64_t count, float *value) {
    const bool users = model->info.by == MICA_BY_USERS;
    return mica_baseline_biases(
        model->baseline, users ? row : line, users ? line : row, count, value);
}

static mica_status find_residuals(mica_neighbours *model, const mica_ratings *ratings) {
    const mica_ratings_rows *lines = &model->lines;
    const int64_t count = model->ratings->count;
    MICA_TRY(mica_baseline_create(ratings, MICA_NEIGHBOURS_DAMPING, &model->baseline));
    model->residuals = mica_alloc((size_t)count, sizeof *model->residuals);
    int32_t *line_of = mica_alloc((size_t)count, sizeof *line_of);
    mica_status status = model->residuals && line_of ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK) {
        for (int32_t line = 0; line < lines->rows; line++)
            for (int64_t i = lines->start[line]; i < lines->start[line + 1]; i++)
                line_of[i] = line;
        status = baseline_of(model, lines->other, line_of, count, model->residuals);
    }
    for (int64_t i = 0; status == MICA_OK && i < count; i++)
        model->residuals[i] = lines->value[i] - model->residuals[i];
    free(line_of);
    return status;
}

/* What predicting needs beside the table. */
static mica_status prepare(mica_neighbours *model, const mica_ratings *ratings) {
    MICA_TRY(turn_table(model));
    MICA_TRY(find_residuals(model, ratings));
    model->line_residual = mica_alloc((size_t)model->info.rows, sizeof *model->line_residual);
    model->line_has = mica_alloc((size_t)model->info.rows, sizeof *model->line_has);
    model->line = -1;
    return model->line_residual && model->line_has ? MICA_OK : MICA_E_MEMORY;
}

mica_status mica_neighbours_tiled(const mica_ratings *ratings, mica_device *device,
    const mica_neighbours_options *options, int32_t tile, int32_t block, mica_neighbours **out) {
    const mica_neighbours_options defaults = {0}, *o = options ? options : &defaults;
    mica_neighbours *model = mica_alloc(1, sizeof *model);
    if (!model)
        return MICA_E_MEMORY;
    model->info.by = o->by;
    set_ratings(model, ratings);
    mica_status status = check_options(o, model->ratings, model->info.rows);
    if (status == MICA_OK) {
        const int32_t k = o->k ? o->k : K_DEFAULT, most = model->info.rows - 1;
        model->info.similarity = o->similarity;
        model->info.shrinkage = o->shrinkage;
        model->info.min_overlap = o->min_overlap ? o->min_overlap : OVERLAP_DEFAULT;
        model->info.k = k < most ? k : most;
        status = allocate_table(model);
    }
    if (status == MICA_OK)
        status = find(model, device, o, tile, block);
    if (status == MICA_OK)
        status = prepare(model, ratings);
    if (status == MICA_OK)
        *out = model;
    else
        mica_neighbours_destroy(&model);
    return status;
}

mica_status mica_neighbours_create(const mica_ratings *ratings, mica_device *device,
    const mica_neighbours_options *options, mica_neighbours **model) {
    return mica_neighbours_tiled(ratings, device, options, 0, 0, model);
}

void mica_neighbours_destroy(mica_neighbours **owner) {
    mica_neighbours *model = *owner;
    *owner = NULL;
    if (!model)
        return;
    mica_baseline_destroy(&model->baseline);
    free(model->ids);
    free(model->similarities);
    free(model->residuals);
    free(model->back_start);
    free(model->back_row);
    free(model->back_similarity);
    free(model->line_residual);
    free(model->line_has);
    free(model);
}

const mica_neighbours_info *mica_neighbours_get_info(const mica_neighbours *model) {
    return &model->info;
}

/* ---- files ---- */

mica_status mica_neighbours_save(const mica_neighbours *model, const char *path) {
    return mica_neighbours_write(&model->info, path);
}

mica_status mica_neighbours_load(
    const mica_ratings *ratings, const char *path, mica_neighbours **out) {
    mica_neighbours *model = mica_alloc(1, sizeof *model);
    if (!model)
        return MICA_E_MEMORY;
    mica_status status =
        mica_neighbours_read(path, &model->info, &model->ids, &model->similarities);
    const int32_t rows = model->info.rows;
    set_ratings(model, ratings);
    if (status == MICA_OK && rows != model->info.rows)
        status = mica_fail(MICA_E_FORMAT,
            "%s has neighbours of %" PRId32 " %s, but the ratings have %" PRId32
            ": give the ratings it was made of",
            path, rows, name_of_rows(model->info.by), model->info.rows);
    if (status == MICA_OK)
        status = prepare(model, ratings);
    if (status == MICA_OK)
        *out = model;
    else
        mica_neighbours_destroy(&model);
    return status;
}

/* ---- predicting ---- */

static void open_line(mica_neighbours *model, int32_t line) {
    const mica_ratings_rows *lines = &model->lines;
    if (line == model->line)
        return;
    if (model->line >= 0)
        for (int64_t i = lines->start[model->line]; i < lines->start[model->line + 1]; i++)
            model->line_has[lines->other[i]] = false;
    for (int64_t i = lines->start[line]; i < lines->start[line + 1]; i++) {
        model->line_has[lines->other[i]] = true;
        model->line_residual[lines->other[i]] = model->residuals[i];
    }
    model->line = line;
}

/* What the neighbours of a row add to its baseline in a line. */
static double correction(mica_neighbours *model, int32_t row, int32_t line) {
    const int64_t k = model->info.k, begin = row * k;
    double above = 0, below = 0;
    open_line(model, line);
    for (int64_t i = begin; i < begin + k && model->ids[i] >= 0; i++)
        if (model->line_has[model->ids[i]]) {
            above += (double)model->similarities[i] * (double)model->line_residual[model->ids[i]];
            below += fabs((double)model->similarities[i]);
        }
    return below > 0 ? above / below : 0;
}

static mica_status check_numbers(
    const char *what, const int32_t *number, int64_t count, int32_t end) {
    for (int64_t i = 0; i < count; i++)
        if (number[i] < 0 || number[i] >= end)
            return mica_fail(MICA_E_INVALID, "%s %" PRId32 " of %" PRId32 " does not exist", what,
                number[i], end);
    return MICA_OK;
}

mica_status mica_neighbours_predict(
    void *context, const int32_t *user, const int32_t *item, int64_t count, float *value) {
    mica_neighbours *model = context;
    const bool users = model->info.by == MICA_BY_USERS;
    const int32_t *row = users ? user : item, *line = users ? item : user;
    MICA_TRY(check_numbers("user", user, count, model->ratings->users));
    MICA_TRY(check_numbers("item", item, count, model->ratings->items));
    MICA_TRY(baseline_of(model, row, line, count, value));
    for (int64_t i = 0; i < count; i++)
        value[i] += (float)correction(model, row[i], line[i]);
    return MICA_OK;
}

/* ---- ranking ---- */

static void score_by_items(const mica_neighbours *model, int32_t user, float *scores) {
    const mica_ratings_rows *lines = &model->lines;
    for (int64_t i = lines->start[user]; i < lines->start[user + 1]; i++) {
        const int32_t item = lines->other[i];
        for (int64_t b = model->back_start[item]; b < model->back_start[item + 1]; b++)
            scores[model->back_row[b]] += fmaxf(model->back_similarity[b], 0) * lines->value[i];
    }
}

static void score_by_users(const mica_neighbours *model, int32_t user, float *scores) {
    const mica_ratings_rows *rows = &model->rows;
    const int64_t k = model->info.k;
    for (int64_t n = user * k; n < (user + 1) * k && model->ids[n] >= 0; n++) {
        const int32_t other = model->ids[n];
        const float similarity = fmaxf(model->similarities[n], 0);
        for (int64_t i = rows->start[other]; i < rows->start[other + 1]; i++)
            scores[rows->other[i]] += similarity * rows->value[i];
    }
}

mica_status mica_neighbours_score(
    void *context, const int32_t *user, int64_t count, float *scores) {
    mica_neighbours *model = context;
    const int64_t items = model->ratings->items;
    MICA_TRY(check_numbers("user", user, count, model->ratings->users));
    memset(scores, 0, (size_t)(count * items) * sizeof *scores);
    for (int64_t i = 0; i < count; i++) {
        if (model->info.by == MICA_BY_USERS)
            score_by_users(model, user[i], scores + i * items);
        else
            score_by_items(model, user[i], scores + i * items);
    }
    return MICA_OK;
}
