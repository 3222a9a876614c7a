/* Line charts: scales with round ticks, legends, lines with gaps. */
#include "base/error.h"
#include "base/mem.h"
#include "io/svg.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Pixels. */
#define PLOT_HEIGHT    300.0
#define PLOT_WIDTH_ONE 620.0 /* of a single panel */
#define PLOT_WIDTH     430.0
#define LEFT           72.0 /* of the plot: tick labels and the y label */
#define RIGHT          24.0
#define BOTTOM         56.0
#define TITLE          40.0
#define PANEL_TITLE    24.0
#define LEGEND_ROW     20.0
#define SWATCH         20.0
#define FONT           12.0

#define FEW  40  /* up to so many points of a series are marked each */
#define MANY 200 /* from so many on its line is thinner */

/* After Okabe and Ito, "Color universal design" (2008), the yellow and black replaced: they tell
 * apart for colour-blind readers. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9",
    "#e69f00", "#6f4fb3", "#8c6d46", "#7f7f7f", "#b8215b"};
#define COLOURS (sizeof colours / sizeof *colours)

/* An axis: values from low to high lie on pixels from start to end. */
struct scale {
    bool log, whole;  /* whole: only integers are marked */
    double low, high; /* exponents of ten if log */
    double step;      /* between ticks, in the units of low and high */
    double start, end;
};

struct range {
    double low, high;
    bool whole;
};

struct box {
    double left, top, width, height;
};

static double x_at(const mica_series *series, size_t i) {
    return series->x ? series->x[i] : (double)i + 1;
}

static bool drawn(const mica_panel *panel, const mica_series *series, size_t i) {
    return isfinite(x_at(series, i)) && isfinite(series->y[i]) &&
           (!panel->log_y || series->y[i] > 0);
}

static void range_add(struct range *range, double value) {
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
    range->whole = range->whole && value == floor(value) && fabs(value) < 1e15;
}

static void panel_ranges(const mica_panel *panel, struct range *x, struct range *y) {
    for (size_t s = 0; s < panel->series_count; s++)
        for (size_t i = 0; i < panel->series[s].count; i++) {
            if (!drawn(panel, &panel->series[s], i))
                continue;
            range_add(x, x_at(&panel->series[s], i));
            range_add(y, panel->series[s].y[i]);
        }
}

/* The smallest of 1, 2, 5 times a power of ten that makes at most `most` steps of span. */
static double round_step(double span, double most) {
    double rough = span / most, power = pow(10, floor(log10(rough)));
    double digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static struct range range_settle(struct range range) {
    if (range.low > range.high)
        return (struct range){0, 1, false};
    range.low = fmin(fmax(range.low, -1e300), 1e300);
    range.high = fmin(fmax(range.high, -1e300), 1e300);
    if (range.high - range.low <= fmax(fabs(range.low), fabs(range.high)) * 1e-9) {
        double half = range.whole ? 1 : fmax(fabs(range.low) * 0.1, DBL_MIN * 1e16);
        range.low -= half;
        range.high += half;
    }
    return range;
}

static struct scale scale_y(struct range range, bool logarithmic, double top) {
    struct scale scale = {.log = logarithmic, .start = top + PLOT_HEIGHT, .end = top};
    if (logarithmic && range.low <= range.high) {
        scale.low = floor(log10(range.low) + 1e-9);
        scale.high = ceil(log10(range.high) - 1e-9);
        scale.high = fmax(scale.high, scale.low + 1);
        scale.step = ceil((scale.high - scale.low) / 8);
        return scale;
    }
    range = range_settle(range);
    scale.log = false;
    scale.step = round_step(range.high - range.low, 5);
    scale.low = floor(range.low / scale.step + 1e-9) * scale.step;
    scale.high = ceil(range.high / scale.step - 1e-9) * scale.step;
    return scale;
}

static struct scale scale_x(struct range range, double left, double width) {
    range = range_settle(range);
    struct scale scale = {.whole = range.whole,
        .low = range.low,
        .high = range.high,
        .start = left + 10,
        .end = left + width - 10};
    scale.step = round_step(range.high - range.low, width / 70);
    if (scale.whole)
        scale.step = fmax(scale.step, 1);
    return scale;
}

static double pixel(const struct scale *scale, double value) {
    double at = (value - scale->low) / (scale->high - scale->low);
    return scale->start + at * (scale->end - scale->start);
}

static double pixel_of(const struct scale *scale, double value) {
    return pixel(scale, scale->log ? log10(value) : value);
}

/* 10 to the power of an integer, with superscript digits. */
static void power_text(int exponent, char *text, size_t size) {
    static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    char plain[16];
    snprintf(plain, sizeof plain, "%d", exponent);
    int used = snprintf(text, size, "10");
    for (const char *c = plain; *c && used < (int)size; c++)
        used +=
            snprintf(text + used, size - (size_t)used, "%s", *c == '-' ? "⁻" : digits[*c - '0']);
}

static void tick_text(const struct scale *scale, double value, char *text, size_t size) {
    double largest = fmax(fabs(scale->low), fabs(scale->high));
    if (scale->log)
        power_text((int)lround(value), text, size);
    else if (largest >= 1e6 || scale->step < 1e-4)
        snprintf(text, size, "%.3g", fabs(value) < scale->step / 2 ? 0 : value);
    else
        snprintf(text, size, "%.*f", (int)fmax(0, -floor(log10(scale->step) + 1e-9)),
            fabs(value) < scale->step / 2 ? 0 : value);
}

static void line_draw(
    mica_svg *svg, double x1, double y1, double x2, double y2, const char *colour) {
    mica_text_add(&svg->text,
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2,
        colour);
}

static void axes_draw(mica_svg *svg, const mica_panel *panel, const struct box *box,
    const struct scale *x, const struct scale *y) {
    char text[64];
    double right = box->left + box->width, bottom = box->top + box->height;
    if (y->log && y->step == 1 && y->high - y->low <= 4)
        for (double decade = y->low; decade < y->high; decade++)
            for (int digit = 2; digit < 10; digit++) {
                double at = pixel(y, decade + log10(digit));
                line_draw(svg, box->left, at, right, at, "#f3f4f6");
            }
    double first = ceil(y->low / y->step - 1e-9);
    for (double i = first; i * y->step <= y->high + y->step * 1e-6; i++) {
        double value = i * y->step, at = pixel(y, value);
        line_draw(svg, box->left, at, right, at, "#e1e4e8");
        tick_text(y, value, text, sizeof text);
        mica_svg_label(svg, box->left - 8, at + 4, "end", FONT, "fill=\"#57606a\"", text);
    }
    first = ceil(x->low / x->step - 1e-9);
    for (double i = first; i * x->step <= x->high + x->step * 1e-6; i++) {
        double value = i * x->step, at = pixel(x, value);
        line_draw(svg, at, bottom, at, bottom + 5, "#8c959f");
        tick_text(x, value, text, sizeof text);
        mica_svg_label(svg, at, bottom + 19, "middle", FONT, "fill=\"#57606a\"", text);
    }
    line_draw(svg, box->left, bottom, right, bottom, "#8c959f");
    if (panel->x_label)
        mica_svg_label(
            svg, box->left + box->width / 2, bottom + 42, "middle", FONT + 1, "", panel->x_label);
    if (panel->y_label) {
        double at = box->left - LEFT + 18, middle = box->top + box->height / 2;
        snprintf(text, sizeof text, "transform=\"rotate(-90 %.1f %.1f)\"", at, middle);
        mica_svg_label(svg, at, middle, "middle", FONT + 1, text, panel->y_label);
    }
}

/* After the colours are used up, lines are dashed. */
static const char *dash(size_t series) {
    static const char *const dashes[] = {
        "", " stroke-dasharray=\"7 4\"", " stroke-dasharray=\"2 3\""};
    return dashes[series / COLOURS % 3];
}

/* Draws the points from..to-1, none a gap. Where many share a pixel column, its first, lowest,
 * highest and last stand for all: the line looks the same. */
static void stroke_draw(mica_svg *svg, const mica_series *series, size_t from, size_t to,
    const struct scale *x, const struct scale *y) {
    mica_text_add(&svg->text, "M");
    for (size_t i = from; i < to;) {
        double column = floor(pixel(x, x_at(series, i)) * 2);
        size_t low = i, high = i, end = i;
        for (; end < to && floor(pixel(x, x_at(series, end)) * 2) == column; end++) {
            low = series->y[end] < series->y[low] ? end : low;
            high = series->y[end] > series->y[high] ? end : high;
        }
        size_t keep[4] = {i, low < high ? low : high, low < high ? high : low, end - 1};
        for (int k = 0; k < 4; k++)
            if (k == 0 || keep[k] > keep[k - 1])
                mica_text_add(&svg->text, "%.1f,%.1f ", pixel(x, x_at(series, keep[k])),
                    pixel_of(y, series->y[keep[k]]));
        i = end;
    }
}

static void series_draw(mica_svg *svg, const mica_panel *panel, size_t index, const struct scale *x,
    const struct scale *y) {
    const mica_series *series = &panel->series[index];
    const char *colour = colours[index % COLOURS];
    mica_text_add(&svg->text,
        "<path fill=\"none\" stroke=\"%s\" stroke-width=\"%s\" stroke-linejoin=\"round\" "
        "stroke-linecap=\"round\"%s d=\"",
        colour, series->count < MANY ? "2" : "1.3", dash(index));
    for (size_t i = 0, end; i < series->count; i = end + 1) {
        for (end = i; end < series->count && drawn(panel, series, end);)
            end++;
        if (end > i)
            stroke_draw(svg, series, i, end, x, y);
    }
    mica_text_add(&svg->text, "\"/>\n");
    for (size_t i = 0; i < series->count; i++) {
        bool alone = (i == 0 || !drawn(panel, series, i - 1)) &&
                     (i + 1 == series->count || !drawn(panel, series, i + 1));
        if (drawn(panel, series, i) && (alone || series->count <= FEW))
            mica_text_add(&svg->text, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>\n",
                pixel(x, x_at(series, i)), pixel_of(y, series->y[i]),
                series->count <= FEW ? "3" : "2", colour);
    }
}

/* Places the legend's entries in rows; draws them if svg is not NULL. Returns the rows. */
static int legend(mica_svg *svg, const mica_panel *panel, double left, double top, double width) {
    double x = 0;
    int row = 0;
    for (size_t i = 0; i < panel->series_count; i++) {
        const char *name = panel->series[i].name;
        double wide = SWATCH + 6 + mica_svg_width(name, FONT) + 16;
        if (x > 0 && x + wide > width)
            x = 0, row++;
        double y = top + row * LEGEND_ROW + LEGEND_ROW / 2;
        if (svg) {
            mica_text_add(&svg->text,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                "stroke-width=\"3\"%s/>\n",
                left + x, y, left + x + SWATCH, y, colours[i % COLOURS], dash(i));
            mica_svg_label(svg, left + x + SWATCH + 6, y + 4, "start", FONT, "", name);
        }
        x += wide;
    }
    return panel->series_count ? row + 1 : 0;
}

mica_status mica_svg_curves(const char *path, const mica_figure *figure) {
    double width = figure->panel_count == 1 ? PLOT_WIDTH_ONE : PLOT_WIDTH;
    double head = figure->title ? TITLE : 16, titles = 0;
    int rows = 0;
    struct range shared = {INFINITY, -INFINITY, true};
    for (size_t i = 0; i < figure->panel_count; i++) {
        struct range x = shared;
        panel_ranges(&figure->panels[i], &x, &shared);
        int wanted = legend(NULL, &figure->panels[i], 0, 0, width);
        rows = wanted > rows ? wanted : rows;
        if (figure->panels[i].title)
            titles = PANEL_TITLE;
    }
    double top = head + titles + rows * LEGEND_ROW + 10;
    mica_svg svg;
    MICA_TRY(mica_svg_begin(
        &svg, (double)figure->panel_count * (LEFT + width + RIGHT), top + PLOT_HEIGHT + BOTTOM));
    if (figure->title)
        mica_svg_label(&svg, LEFT, 28, "start", 17, "font-weight=\"600\"", figure->title);
    for (size_t i = 0; i < figure->panel_count; i++) {
        const mica_panel *panel = &figure->panels[i];
        struct box box = {(double)i * (LEFT + width + RIGHT) + LEFT, top, width, PLOT_HEIGHT};
        struct range across = {INFINITY, -INFINITY, true}, up = across;
        panel_ranges(panel, &across, &up);
        bool empty = up.low > up.high;
        struct scale x = scale_x(across, box.left, width);
        struct scale y = scale_y(figure->share_y ? shared : up, panel->log_y, top);
        if (panel->title)
            mica_svg_label(
                &svg, box.left, head + 14, "start", 14, "font-weight=\"600\"", panel->title);
        legend(&svg, panel, box.left, head + titles, width);
        axes_draw(&svg, panel, &box, &x, &y);
        for (size_t s = 0; s < panel->series_count; s++)
            series_draw(&svg, panel, s, &x, &y);
        if (empty)
            mica_svg_label(&svg, box.left + width / 2, top + PLOT_HEIGHT / 2, "middle", 14,
                "fill=\"#57606a\"", "no finite values");
    }
    return mica_svg_end(&svg, path);
}
