#include "io/grid.h"

#include "base/error.h"
#include "io/canvas.h"

#include <stdio.h>
#include <string.h>

enum {
    SIDE = 64,
    MARGIN = 16,
    GAP = 4,
    TEXT = 2,
    LINE = 10 * TEXT,
    CAPTION_LIMIT = 64,
    NAME_LIMIT = 40
};

/* Sizes in pixels. */
typedef struct layout {
    int64_t zoom;
    int64_t left, top; /* of the first cell */
    int64_t cell_width, cell_height;
    int64_t lines; /* of captions */
} layout;

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* One line of a caption; false if there is none of that number. */
static bool caption_line(const char *caption, int line, char text[CAPTION_LIMIT]) {
    const char *end = strchr(caption, '\n');
    if (line && !end)
        return false;
    snprintf(text, CAPTION_LIMIT, "%.*s",
        (int)(line || !end ? strlen(caption) : (size_t)(end - caption)), line ? end + 1 : caption);
    return true;
}

static layout lay_out(const mica_grid *grid, int64_t count) {
    int64_t height = grid->tile.dim[0], width = grid->tile.dim[1];
    int64_t side = grid->side ? grid->side : SIDE;
    layout l = {.zoom = most(1, (side + most(height, width) / 2) / most(height, width)),
        .left = MARGIN,
        .top = MARGIN + (grid->title ? LINE + GAP : 0)};
    l.cell_width = width * l.zoom;
    for (int64_t i = 0; grid->row_names && i < grid->rows; i++)
        l.left = most(l.left, 2 * MARGIN + mica_canvas_text_width(grid->row_names[i], TEXT));
    char text[CAPTION_LIMIT];
    for (int64_t i = 0; grid->captions && i < count; i++)
        for (int line = 0; line < 2 && caption_line(grid->captions[i], line, text); line++) {
            l.lines = most(l.lines, line + 1);
            l.cell_width = most(l.cell_width, mica_canvas_text_width(text, TEXT));
        }
    l.cell_width += l.lines ? 4 * GAP : GAP;
    l.cell_height = height * l.zoom + (l.lines ? l.lines * LINE + 2 * GAP : GAP);
    return l;
}

static void cell_draw(mica_canvas *canvas, const mica_grid *grid, const layout *l, int64_t i) {
    int64_t size = mica_shape_count(grid->tile);
    int64_t x = l->left + i % grid->columns * l->cell_width;
    int64_t y = l->top + i / grid->columns * l->cell_height;
    mica_canvas_tile(
        canvas, x, y, l->zoom, grid->tile, grid->pixels + i * size, grid->low, grid->high);
    char text[CAPTION_LIMIT];
    y += grid->tile.dim[0] * l->zoom + GAP;
    for (int line = 0; line < (int)l->lines && caption_line(grid->captions[i], line, text); line++)
        mica_canvas_text(canvas, x, y + line * LINE, TEXT, line ? MICA_RED : MICA_BLACK, text);
}

mica_status mica_grid_write(const char *path, const mica_grid *grid) {
    int64_t count = grid->count ? grid->count : grid->rows * grid->columns;
    if (grid->rows < 1 || grid->columns < 1 || count < 1 || count > grid->rows * grid->columns ||
        grid->tile.rank != 3 || (grid->tile.dim[2] != 1 && grid->tile.dim[2] != 3) ||
        !(grid->high > grid->low))
        return mica_fail(MICA_E_INVALID,
            "%s: a grid of %lld x %lld with %lld tiles: wanted tiles of (height, width, 1 or 3), no "
            "more than there are places, and high above low",
            path, (long long)grid->rows, (long long)grid->columns, (long long)count);
    layout l = lay_out(grid, count);
    int64_t width = l.left + grid->columns * l.cell_width + MARGIN;
    if (grid->title)
        width = most(width, 2 * MARGIN + mica_canvas_text_width(grid->title, TEXT));
    mica_canvas canvas;
    MICA_TRY(mica_canvas_create(width, l.top + grid->rows * l.cell_height + MARGIN - GAP, &canvas));
    if (grid->title)
        mica_canvas_text(&canvas, MARGIN, MARGIN - GAP, TEXT, MICA_BLACK, grid->title);
    for (int64_t i = 0; grid->row_names && i < grid->rows; i++)
        mica_canvas_text(&canvas, MARGIN,
            l.top + i * l.cell_height + (grid->tile.dim[0] * l.zoom - 8 * TEXT) / 2, TEXT,
            MICA_GREY, grid->row_names[i]);
    for (int64_t i = 0; i < count; i++)
        cell_draw(&canvas, grid, &l, i);
    return mica_canvas_write(&canvas, path);
}

/* ---- the confusion matrix ---- */

/* A colour between white and another. */
static uint32_t shade(double share, uint32_t colour) {
    uint32_t mixed = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double part = (double)(colour >> shift & 255);
        mixed = mixed << 8 | (uint32_t)(255 + share * (part - 255) + 0.5);
    }
    return mixed;
}

/* A class's name, cut to so many bytes. */
static const char *short_name(const char *name, int64_t bytes, char text[CAPTION_LIMIT]) {
    snprintf(text, CAPTION_LIMIT, "%.*s", (int)bytes, name);
    return text;
}

mica_status mica_png_confusion(const char *path, const char *title, const int64_t *counts,
    int32_t classes, const char *const *names) {
    int64_t side = classes <= 20 ? 56 : classes <= 60 ? 20 : 10;
    int64_t left = MARGIN, top = MARGIN + 5 * LINE, right = 0, all = 0;
    bool named = side >= 20;
    char text[CAPTION_LIMIT];
    for (int32_t i = 0; i < classes; i++) {
        if (named)
            left = most(left,
                2 * MARGIN + mica_canvas_text_width(short_name(names[i], NAME_LIMIT, text), TEXT));
        right += counts[(int64_t)i * classes + i];
        for (int32_t j = 0; j < classes; j++)
            all += counts[(int64_t)i * classes + j];
    }
    snprintf(text, sizeof text, "accuracy %.2f %% (%lld of %lld)",
        all ? 100.0 * (double)right / (double)all : 0, (long long)right, (long long)all);
    int64_t width = most(left + classes * side + MARGIN,
        2 * MARGIN + most(mica_canvas_text_width(title, TEXT), mica_canvas_text_width(text, TEXT)));
    mica_canvas canvas;
    MICA_TRY(mica_canvas_create(width, top + classes * side + MARGIN, &canvas));
    mica_canvas_text(&canvas, MARGIN, MARGIN - GAP, TEXT, MICA_BLACK, title);
    mica_canvas_text(&canvas, MARGIN, MARGIN - GAP + LINE, TEXT, MICA_GREY, text);
    mica_canvas_text(
        &canvas, MARGIN, MARGIN - GAP + 2 * LINE, TEXT, MICA_GREY, "row: class, column: seen as");
    for (int32_t i = 0; i < classes; i++) {
        const int64_t *row = counts + (int64_t)i * classes;
        int64_t samples = 0, y = top + i * side;
        for (int32_t j = 0; j < classes; j++)
            samples += row[j];
        if (named) {
            mica_canvas_text(&canvas, MARGIN, y + side / 2 - 4 * TEXT, TEXT, MICA_BLACK,
                short_name(names[i], NAME_LIMIT, text));
            short_name(names[i], (side - GAP + TEXT) / (6 * TEXT), text); /* what fits above */
            mica_canvas_text(&canvas,
                left + i * side + (side - mica_canvas_text_width(text, TEXT)) / 2, top - LINE, TEXT,
                MICA_BLACK, text);
        }
        for (int32_t j = 0; j < classes; j++) {
            double share = samples ? (double)row[j] / (double)samples : 0;
            double tint = i == j ? share : share > 0 ? 0.15 + 0.85 * share : 0;
            uint32_t colour = tint > 0 ? shade(tint, i == j ? MICA_BLUE : MICA_RED) : MICA_PALE;
            int64_t x = left + j * side;
            mica_canvas_fill(&canvas, x, y, side - 1, side - 1, colour);
            snprintf(text, sizeof text, "%lld", (long long)row[j]);
            int64_t size = mica_canvas_text_width(text, TEXT) < side ? TEXT : 1;
            if (row[j] && mica_canvas_text_width(text, size) < side)
                mica_canvas_text(&canvas, x + (side - mica_canvas_text_width(text, size)) / 2,
                    y + side / 2 - 4 * size, size, tint > 0.5 ? MICA_WHITE : MICA_BLACK, text);
        }
    }
    return mica_canvas_write(&canvas, path);
}
