/* Confusion matrices: a cell a pair of classes, shaded by its share of the true class. */
#include "base/error.h"
#include "io/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FONT   12.0
#define TITLE  74.0 /* pixels above the matrix and its column names */
#define RECALL 70.0 /* pixels right of it */

/* A colour between white and (red, green, blue). */
static void shade(double share, int red, int green, int blue, char text[8]) {
    snprintf(text, 8, "#%02x%02x%02x", (int)lround(255 + share * (red - 255)),
        (int)lround(255 + share * (green - 255)), (int)lround(255 + share * (blue - 255)));
}

static void cell_draw(
    mica_svg *svg, double x, double y, double side, int64_t count, int64_t row, bool right) {
    double share = row ? (double)count / (double)row : 0;
    char colour[8];
    if (right)
        shade(share, 0x0b, 0x4f, 0x8a, colour);
    else
        shade(sqrt(share), 0xc4, 0x3c, 0x00, colour); /* so that rare mistakes show too */
    mica_text_add(&svg->text,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
        "stroke=\"#e1e4e8\"/>\n",
        x, y, side, side, colour);
    if (!count || side < 24)
        return;
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)count);
    double size = fmin(13, side * 0.9 / (0.6 * (double)strlen(text)));
    bool dark = right ? share > 0.5 : sqrt(share) > 0.65;
    mica_svg_label(svg, x + side / 2, y + side / 2 + size * 0.36, "middle", size,
        dark ? "fill=\"#ffffff\"" : "", text);
}

static double cell_side(int32_t classes) {
    return classes <= 12 ? 44 : classes <= 30 ? 30 : classes <= 60 ? 16 : 10;
}

static void title_draw(mica_svg *svg, double left, const char *title, int64_t right, int64_t all) {
    mica_svg_label(
        svg, left, 28, "start", 17, "font-weight=\"600\"", title ? title : "Confusion matrix");
    char text[96];
    snprintf(text, sizeof text, "accuracy %.2f %% (%lld of %lld)",
        all ? 100.0 * (double)right / (double)all : 0, (long long)right, (long long)all);
    mica_svg_label(svg, left, 49, "start", 13, "fill=\"#57606a\"", text);
}

mica_status mica_svg_confusion(const char *path, const char *title, const int64_t *counts,
    int32_t classes, const char *const *names) {
    double side = cell_side(classes), font = fmin(FONT, side * 0.9), widest = 0;
    int64_t right = 0, all = 0;
    for (int32_t i = 0; i < classes; i++) {
        widest = fmax(widest, mica_svg_width(names[i], font));
        right += counts[(int64_t)i * classes + i];
        for (int32_t j = 0; j < classes; j++)
            all += counts[(int64_t)i * classes + j];
    }
    bool upright = widest > side - 4;
    double left = 52 + widest, top = TITLE + 20 + (upright ? widest : font);
    double matrix = side * classes;
    mica_svg svg;
    MICA_TRY(mica_svg_begin(&svg, fmax(left + matrix + RECALL, 420), top + matrix + 24));
    title_draw(&svg, 24, title, right, all);
    char more[96];
    snprintf(more, sizeof more, "font-weight=\"600\" transform=\"rotate(-90 28 %.1f)\"",
        top + matrix / 2);
    mica_svg_label(&svg, 28, top + matrix / 2, "middle", FONT, more, "true class");
    mica_svg_label(&svg, left + matrix / 2, TITLE + 6, "middle", FONT, "font-weight=\"600\"",
        "predicted class");
    mica_svg_label(&svg, left + matrix + 12, top - 8, "start", 11, "fill=\"#57606a\"", "recall");
    for (int32_t i = 0; i < classes; i++) {
        double middle = ((double)i + 0.5) * side;
        mica_svg_label(&svg, left - 8, top + middle + font * 0.36, "end", font, "", names[i]);
        snprintf(more, sizeof more, "transform=\"rotate(-90 %.1f %.1f)\"",
            left + middle + font * 0.36, top - 8);
        mica_svg_label(&svg, left + middle + (upright ? font * 0.36 : 0), top - 8,
            upright ? "start" : "middle", font, upright ? more : "", names[i]);
        int64_t row = 0;
        for (int32_t j = 0; j < classes; j++)
            row += counts[(int64_t)i * classes + j];
        for (int32_t j = 0; j < classes; j++)
            cell_draw(&svg, left + j * side, top + i * side, side, counts[(int64_t)i * classes + j],
                row, i == j);
        char text[24] = "–";
        if (row)
            snprintf(text, sizeof text, "%.1f %%",
                100.0 * (double)counts[(int64_t)i * classes + i] / (double)row);
        mica_svg_label(&svg, left + matrix + 12, top + middle + font * 0.36, "start",
            fmin(11, font), "fill=\"#57606a\"", text);
    }
    return mica_svg_end(&svg, path);
}
