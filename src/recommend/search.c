/* The neighbour search: for each tile of rows, all tiles of columns pass by, for each of these all
 * blocks of the other side. One program is one step of that: it makes the block of both tiles
 * dense, adds its products to the sums that are carried from run to run, and, at the last block,
 * turns the sums into similarities and merges these into the best of each row. */
#include "recommend/search.h"

#include "base/error.h"
#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <mica/ops.h>
#include <stdlib.h>
#include <string.h>

/* A tile's sums stay in a CPU's last cache, and a block is long enough for a fast product. */
#define TILE_DEFAULT  512
#define BLOCK_DEFAULT 2048

/* What no similarity reaches: stands for "none" on the device, which orders it behind the others.
 */
#define NONE (-4.0f)

/* One panel of a step: the rows of a tile in a block of columns, as the device gets them. */
typedef struct panel {
    mica_value *start_in, *other_in, *value_in, *number_in; /* number: the rows' own, as floats */
    mica_value *value, *mask, *square;                      /* dense; square NULL: not needed */
    int32_t *start, *other;
    float *values, *numbers;
    int32_t tile, block; /* that were written last; -1: none */
} panel;

typedef struct search {
    const mica_search *of;
    int32_t tile, block;   /* sizes */
    int32_t tiles, blocks; /* how many */
    int64_t room;          /* the most ratings of a tile in a block */
    mica_graph *graph;
    mica_model *model;
    mica_program *program;
    panel rows, columns;
    mica_value *keep, *last, *first; /* scalars: go on with the sums; last block; first column */
    mica_value *best, *best_ids;     /* carried: (tile, k) */
    mica_value *merged;              /* what best becomes */
    float *table, *table_ids;        /* room for them */
} search;

/* Equal parts of `count` that are at most `most`. */
static int32_t part_of(int32_t count, int32_t most) {
    const int32_t parts = (int32_t)(((int64_t)count + most - 1) / most);
    return (int32_t)(((int64_t)count + parts - 1) / parts);
}

/* The first entry of the row that is `other` or more. */
static int64_t lower_bound(const mica_ratings_rows *rows, int32_t row, int64_t other) {
    int64_t begin = rows->start[row], end = rows->start[row + 1];
    while (begin < end) {
        const int64_t middle = begin + (end - begin) / 2;
        if (rows->other[middle] < other)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* ---- sizes ---- */

static mica_status measure(search *s) {
    const mica_ratings_rows *rows = &s->of->rows;
    s->tile = part_of(rows->rows, s->of->tile ? s->of->tile : TILE_DEFAULT);
    s->block = part_of(s->of->others, s->of->block ? s->of->block : BLOCK_DEFAULT);
    s->tiles = (rows->rows + s->tile - 1) / s->tile;
    s->blocks = (s->of->others + s->block - 1) / s->block;
    int64_t *counts = mica_alloc((size_t)s->blocks, sizeof *counts);
    if (!counts)
        return MICA_E_MEMORY;
    s->room = 1;
    for (int32_t tile = 0; tile < s->tiles; tile++) {
        memset(counts, 0, (size_t)s->blocks * sizeof *counts);
        const int64_t end = (int64_t)(tile + 1) * s->tile;
        const int32_t until = end < rows->rows ? (int32_t)end : rows->rows;
        for (int64_t i = rows->start[tile * s->tile]; i < rows->start[until]; i++)
            counts[rows->other[i] / s->block]++;
        for (int32_t block = 0; block < s->blocks; block++)
            s->room = counts[block] > s->room ? counts[block] : s->room;
    }
    free(counts);
    return MICA_OK;
}

/* ---- the graph ---- */

static mica_value *product(mica_value *a, mica_value *b) {
    return mica_matmul(a, b, &(mica_matmul_options){.transpose_b = true});
}

/* 1 where x > 0, else 0; numbers that are next to nothing must have been taken off. */
static mica_value *is_positive(mica_value *x) {
    return mica_clip(mica_scale(x, 1e30f), 0, 1);
}

static mica_value *number(search *s, float x) {
    return mica_full(s->graph, MICA_SHAPE(1), x);
}

/* The sum of `part` over the blocks so far, this one included. */
static mica_value *sum(search *s, const char *name, mica_value *part) {
    mica_value *before = mica_parameter(
        s->graph, name, MICA_SHAPE(s->tile, s->tile), (mica_init){.kind = MICA_INIT_ZEROS});
    mica_value *after = mica_add(mica_mul(before, s->keep), part);
    mica_parameter_carry(before, after);
    return after;
}

static void build_side(search *s, panel *side, const char *name, bool is_row) {
    mica_graph *graph = s->graph;
    const bool squares = s->of->similarity != MICA_COSINE;
    mica_graph_set_scope(graph, name);
    side->start_in = mica_input(graph, "start", MICA_I32, MICA_SHAPE(s->tile + 1));
    side->other_in = mica_input(graph, "other", MICA_I32, MICA_SHAPE(s->room));
    side->value_in = mica_input(graph, "value", MICA_F32, MICA_SHAPE(s->room));
    side->number_in = mica_input(
        graph, "number", MICA_F32, is_row ? MICA_SHAPE(s->tile, 1) : MICA_SHAPE(1, s->tile));
    side->value = mica_csr_dense(side->start_in, side->other_in, side->value_in, s->block);
    side->mask = mica_csr_dense(side->start_in, side->other_in, NULL, s->block);
    side->square = squares ? mica_square(side->value) : NULL;
    mica_graph_set_scope(graph, NULL);
}

/* The similarity before shrinking, from the sums over the entries that both rows have; `common` is
 * their number, at least 1. */
static mica_value *similarity(search *s, mica_value *common) {
    const panel *a = &s->rows, *b = &s->columns;
    mica_value *dot = sum(s, "dot", product(a->value, b->value));
    if (s->of->similarity == MICA_COSINE)
        return dot;
    mica_value *square_a = sum(s, "square_a", product(a->square, b->mask));
    mica_value *square_b = sum(s, "square_b", product(a->mask, b->square));
    mica_value *valid = NULL;
    if (s->of->similarity == MICA_PEARSON) {
        mica_value *sum_a = sum(s, "sum_a", product(a->value, b->mask));
        mica_value *sum_b = sum(s, "sum_b", product(a->mask, b->value));
        mica_value *variance_a = mica_sub(square_a, mica_div(mica_square(sum_a), common));
        mica_value *variance_b = mica_sub(square_b, mica_div(mica_square(sum_b), common));
        /* Of equal numbers only rounding is left. */
        valid = mica_mul(is_positive(mica_sub(variance_a, mica_scale(square_a, 1e-5f))),
            is_positive(mica_sub(variance_b, mica_scale(square_b, 1e-5f))));
        dot = mica_sub(dot, mica_div(mica_mul(sum_a, sum_b), common));
        square_a = variance_a;
        square_b = variance_b;
    }
    mica_value *length = mica_sqrt(mica_maximum(mica_mul(square_a, square_b), number(s, 1e-30f)));
    mica_value *cosine = mica_div(dot, length);
    return valid ? mica_mul(cosine, valid) : cosine;
}

static mica_status build(search *s) {
    const mica_search *of = s->of;
    MICA_TRY(mica_graph_create(&s->graph));
    mica_graph *graph = s->graph;
    s->keep = mica_input(graph, "keep", MICA_F32, MICA_SHAPE(1));
    s->last = mica_input(graph, "last", MICA_F32, MICA_SHAPE(1));
    s->first = mica_input(graph, "first", MICA_F32, MICA_SHAPE(1));
    build_side(s, &s->rows, "rows", true);
    build_side(s, &s->columns, "columns", false);
    mica_value *count = sum(s, "count", product(s->rows.mask, s->columns.mask));
    mica_value *common = mica_maximum(count, number(s, 1));
    mica_value *shrunk = mica_mul(
        similarity(s, common), mica_div(common, mica_add(common, number(s, of->shrinkage))));
    /* 1 for two rows with enough in common, once all of it is there. */
    mica_value *known =
        mica_mul(mica_mul(is_positive(mica_sub(count, number(s, (float)of->min_overlap - 0.5f))),
                     is_positive(mica_square(mica_sub(s->rows.number_in, s->columns.number_in)))),
            s->last);
    mica_value *score = mica_add(
        mica_mul(mica_clip(shrunk, -1, 1), known), mica_scale(mica_sub(number(s, 1), known), NONE));
    const mica_shape table = MICA_SHAPE(s->tile, of->k);
    s->best = mica_parameter(
        graph, "best", table, (mica_init){.kind = MICA_INIT_CONSTANT, .value = NONE});
    s->best_ids = mica_parameter(graph, "best_ids", table, (mica_init){.kind = MICA_INIT_ZEROS});
    mica_value *ids;
    s->merged = mica_top_k_merge(s->best, s->best_ids, score, s->first, &ids);
    mica_parameter_carry(s->best, s->merged);
    mica_parameter_carry(s->best_ids, ids);
    return mica_graph_status(graph);
}

static mica_status compile(search *s, mica_device *device) {
    MICA_TRY(build(s));
    MICA_TRY(mica_model_create(s->graph, device, 0, &s->model));
    return mica_program_create(
        s->model, &(mica_program_options){.outputs = &s->merged, .n_outputs = 1}, &s->program);
}

/* ---- steps ---- */

static mica_status write_side(search *s, panel *side, int32_t tile, int32_t block) {
    if (side->tile == tile && side->block == block)
        return MICA_OK;
    const mica_ratings_rows *rows = &s->of->rows;
    const int64_t from = (int64_t)block * s->block;
    int32_t n = 0;
    for (int32_t r = 0; r < s->tile; r++) {
        const int64_t row = (int64_t)tile * s->tile + r;
        side->start[r] = n;
        side->numbers[r] = (float)row;
        if (row >= rows->rows)
            continue;
        const int64_t end = rows->start[row + 1];
        for (int64_t i = lower_bound(rows, (int32_t)row, from);
             i < end && rows->other[i] < from + s->block; i++, n++) {
            side->other[n] = (int32_t)(rows->other[i] - from);
            side->values[n] = rows->value[i];
        }
    }
    side->start[s->tile] = n;
    const size_t room = (size_t)s->room, tile_size = (size_t)s->tile;
    MICA_TRY(mica_program_write(
        s->program, side->start_in, side->start, (tile_size + 1) * sizeof *side->start));
    MICA_TRY(
        mica_program_write(s->program, side->other_in, side->other, room * sizeof *side->other));
    MICA_TRY(
        mica_program_write(s->program, side->value_in, side->values, room * sizeof *side->values));
    MICA_TRY(mica_program_write(
        s->program, side->number_in, side->numbers, tile_size * sizeof *side->numbers));
    side->tile = tile;
    side->block = block;
    return MICA_OK;
}

static mica_status step(search *s, int32_t row_tile, int32_t column_tile, int32_t block) {
    const float keep = block > 0, last = block == s->blocks - 1;
    const float first = (float)column_tile * (float)s->tile;
    MICA_TRY(write_side(s, &s->rows, row_tile, block));
    MICA_TRY(write_side(s, &s->columns, column_tile, block));
    MICA_TRY(mica_program_write(s->program, s->keep, &keep, sizeof keep));
    MICA_TRY(mica_program_write(s->program, s->last, &last, sizeof last));
    MICA_TRY(mica_program_write(s->program, s->first, &first, sizeof first));
    return mica_program_run(s->program);
}

static mica_status report(const search *s, int64_t done) {
    const mica_search *of = s->of;
    if (of->progress)
        of->progress(of->user, (double)done / ((double)s->tiles * s->tiles * s->blocks));
    if (of->stop && __atomic_load_n(of->stop, __ATOMIC_RELAXED))
        return mica_fail(
            MICA_E_INTERRUPTED, "interrupted while looking for neighbours: nothing was kept");
    return MICA_OK;
}

static mica_status search_tile(search *s, int32_t tile, int32_t *ids, float *similarities) {
    const size_t k = (size_t)s->of->k, size = (size_t)s->tile * k;
    for (size_t i = 0; i < size; i++) {
        s->table[i] = NONE;
        s->table_ids[i] = 0;
    }
    MICA_TRY(mica_model_write(s->model, s->best, s->table, size));
    MICA_TRY(mica_model_write(s->model, s->best_ids, s->table_ids, size));
    for (int32_t column_tile = 0; column_tile < s->tiles; column_tile++)
        for (int32_t block = 0; block < s->blocks; block++) {
            MICA_TRY(step(s, tile, column_tile, block));
            MICA_TRY(report(s, ((int64_t)tile * s->tiles + column_tile) * s->blocks + block + 1));
        }
    MICA_TRY(mica_model_read(s->model, s->best, s->table, size));
    MICA_TRY(mica_model_read(s->model, s->best_ids, s->table_ids, size));
    const size_t begin = (size_t)tile * size, all = (size_t)s->of->rows.rows * k;
    for (size_t i = 0; i < size && begin + i < all; i++) {
        const bool there = s->table[i] > NONE / 2;
        ids[begin + i] = there ? (int32_t)s->table_ids[i] : -1;
        similarities[begin + i] = there ? s->table[i] : 0;
    }
    return MICA_OK;
}

static mica_status side_create(const search *s, panel *side) {
    side->tile = side->block = -1;
    side->start = mica_alloc((size_t)s->tile + 1, sizeof *side->start);
    side->numbers = mica_alloc((size_t)s->tile, sizeof *side->numbers);
    side->other = mica_alloc((size_t)s->room, sizeof *side->other);
    side->values = mica_alloc((size_t)s->room, sizeof *side->values);
    return side->start && side->numbers && side->other && side->values ? MICA_OK : MICA_E_MEMORY;
}

static void side_clear(panel *side) {
    free(side->start);
    free(side->numbers);
    free(side->other);
    free(side->values);
}

static mica_status run(search *s, mica_device *device, int32_t *ids, float *similarities) {
    MICA_TRY(measure(s));
    MICA_TRY(side_create(s, &s->rows));
    MICA_TRY(side_create(s, &s->columns));
    const size_t size = (size_t)s->tile * (size_t)s->of->k;
    s->table = mica_alloc(size, sizeof *s->table);
    s->table_ids = mica_alloc(size, sizeof *s->table_ids);
    if (!s->table || !s->table_ids)
        return MICA_E_MEMORY;
    MICA_TRY(compile(s, device));
    MICA_TRY(report(s, 0));
    for (int32_t tile = 0; tile < s->tiles; tile++)
        MICA_TRY(search_tile(s, tile, ids, similarities));
    return MICA_OK;
}

mica_status mica_search_run(
    const mica_search *of, mica_device *device, int32_t *ids, float *similarities) {
    search s = {.of = of};
    mica_status status = run(&s, device, ids, similarities);
    mica_program_destroy(&s.program);
    mica_model_destroy(&s.model);
    mica_graph_destroy(&s.graph);
    side_clear(&s.rows);
    side_clear(&s.columns);
    free(s.table);
    free(s.table_ids);
    return status;
}

/* ---- values ---- */

/* The mean of each line. */
static double *means_of(const mica_ratings_rows *lines) {
    double *means = mica_alloc((size_t)lines->rows, sizeof *means);
    for (int32_t line = 0; means && line < lines->rows; line++) {
        double total = 0;
        for (int64_t i = lines->start[line]; i < lines->start[line + 1]; i++)
            total += (double)lines->value[i];
        const int64_t n = lines->start[line + 1] - lines->start[line];
        means[line] = n ? total / (double)n : 0;
    }
    return means;
}

static double length_of(const mica_ratings_rows *rows, int32_t row) {
    double squares = 0;
    for (int64_t i = rows->start[row]; i < rows->start[row + 1]; i++)
        squares += (double)rows->value[i] * (double)rows->value[i];
    return squares > 0 ? sqrt(squares) : 1;
}

mica_status mica_search_values(const mica_ratings_rows *rows, const mica_ratings_rows *lines,
    mica_similarity similarity, double range, float **values) {
    float *out = mica_alloc((size_t)rows->start[rows->rows], sizeof *out);
    double *means =
        similarity == MICA_COSINE ? NULL : means_of(similarity == MICA_PEARSON ? rows : lines);
    if (!out || (similarity != MICA_COSINE && !means)) {
        free(out);
        free(means);
        return MICA_E_MEMORY;
    }
    for (int32_t row = 0; row < rows->rows; row++) {
        const double length = means ? 0 : length_of(rows, row);
        for (int64_t i = rows->start[row]; i < rows->start[row + 1]; i++) {
            const int32_t of = similarity == MICA_PEARSON ? row : rows->other[i];
            double x = (double)rows->value[i];
            x = means ? (x - means[of]) / range : x / length;
            out[i] = means && fabs(x) < 1e-6 ? 0 : (float)x;
        }
    }
    free(means);
    *values = out;
    return MICA_OK;
}
