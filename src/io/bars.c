/* Bars of numbers beside each other: how a model does against others. */
#include "io/svg.h"

#include <math.h>
#include <stdio.h>

#define FONT   13.0
#define MARGIN 24.0
#define TOP    64.0 /* above the first group */
#define HEAD   30.0 /* of a group's title */
#define ROW    24.0
#define GAP    14.0 /* behind a group */
#define LENGTH 360.0
#define NUMBER 70.0 /* behind the longest bar */

static double widest_name(const mica_bar_group *groups, size_t count) {
    double widest = 0;
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < groups[g].count; i++)
            widest = fmax(widest, mica_svg_width(groups[g].bars[i].name, FONT));
    return widest;
}

static double longest(const mica_bar_group *group) {
    double most = 0;
    for (size_t i = 0; i < group->count; i++)
        if (isfinite(group->bars[i].value))
            most = fmax(most, group->bars[i].value);
    return most;
}

static void bar_draw(mica_svg *svg, double left, double y, double most, const mica_bar *bar) {
    const double length = isfinite(bar->value) && most > 0 ? LENGTH * bar->value / most : 0;
    char number[32];
    snprintf(number, sizeof number, "%.4f", bar->value);
    mica_svg_label(svg, left - 10, y + ROW * 0.68, "end", FONT, "", bar->name);
    mica_text_add(&svg->text,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" fill=\"%s\"/>\n", left,
        y + 3, fmax(length, 0), ROW - 6, bar->own ? "#0b4f8a" : "#c9d1d9");
    mica_svg_label(svg, left + fmax(length, 0) + 8, y + ROW * 0.68, "start", FONT,
        bar->own ? "font-weight=\"600\"" : "fill=\"#57606a\"", isfinite(bar->value) ? number : "-");
}

mica_status mica_svg_bars(
    const char *path, const char *title, const mica_bar_group *groups, size_t count) {
    const double left = MARGIN + widest_name(groups, count) + 10;
    double height = TOP;
    for (size_t g = 0; g < count; g++)
        height += HEAD + ROW * (double)groups[g].count + GAP;
    mica_svg svg;
    const mica_status status = mica_svg_begin(&svg, left + LENGTH + NUMBER, height);
    if (status != MICA_OK)
        return status;
    mica_svg_label(&svg, MARGIN, 36, "start", 17, "font-weight=\"600\"", title);
    double y = TOP;
    for (size_t g = 0; g < count; g++) {
        const double most = longest(&groups[g]);
        mica_svg_label(
            &svg, left, y + HEAD * 0.6, "start", FONT, "fill=\"#57606a\"", groups[g].title);
        y += HEAD;
        for (size_t i = 0; i < groups[g].count; i++, y += ROW)
            bar_draw(&svg, left, y, most, &groups[g].bars[i]);
        y += GAP;
    }
    return mica_svg_end(&svg, path);
}
