/* SVG pictures: well formed whatever the data, with the right marks in them. */
#include "io/svg.h"

#include "tests/io/temp.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static char *slurp(const char *path) {
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    return text;
}

static int times(const char *text, const char *part) {
    int count = 0;
    while ((text = strstr(text, part))) {
        text += strlen(part);
        count++;
    }
    return count;
}

/* Elements nest, no text is left bare, and no number is nan or inf. */
static void check_form(const char *text) {
    ck_assert_int_eq(strncmp(text, "<svg xmlns=", 11), 0);
    ck_assert_int_eq(times(text, "<text"), times(text, "</text>"));
    ck_assert_int_eq(times(text, "<svg"), times(text, "</svg>"));
    int opened = times(text, "<"), closed = times(text, ">");
    ck_assert_int_eq(opened, closed);
    ck_assert_ptr_null(strstr(text, "=\"nan"));
    ck_assert_ptr_null(strstr(text, "=\"-nan"));
    ck_assert_ptr_null(strstr(text, "inf\""));
    ck_assert_ptr_nonnull(strstr(text, "fill=\"#ffffff\""));
}

static char *curves_of(const mica_figure *figure) {
    const char *path = temp_path("c.svg");
    ck_ok(mica_svg_curves(path, figure));
    char *text = slurp(path);
    check_form(text);
    return text;
}

static char *curve_of(const double *x, const double *y, size_t count, bool log_y) {
    return curves_of(&(mica_figure){.panels = &(mica_panel){.log_y = log_y,
                                        .series = &(mica_series){"s", x, y, count},
                                        .series_count = 1},
        .panel_count = 1});
}

START_TEST(lines_and_gaps) {
    const double y[] = {1, 2, NAN, 3, INFINITY, 2, 1};
    const char *text = curve_of(NULL, y, 7, false);
    ck_assert_int_eq(times(text, "<circle"), 5);
    ck_assert_int_eq(times(text, "M"), 3);
    ck_assert_ptr_nonnull(strstr(text, ">1.5</text>"));
    ck_assert_ptr_nonnull(strstr(text, ">7</text>"));
    ck_assert_ptr_null(strstr(text, ">0.5</text>"));
}
END_TEST

START_TEST(logarithmic) {
    const double y[] = {1e-7, 0, -1, 1e-5, 0.5}, x[] = {0, 10, 20, 30, 40};
    const char *text = curve_of(x, y, 5, true);
    ck_assert_ptr_nonnull(strstr(text, ">10⁻⁷</text>"));
    ck_assert_ptr_nonnull(strstr(text, ">10⁰</text>"));
    ck_assert_int_eq(times(text, "<circle"), 3);
}
END_TEST

START_TEST(strange_data) {
    static const double cases[][3] = {{0, 0, 0}, {1, 1, 1}, {-5, -5, -5}, {1e-300, 2e-300, 3e-300},
        {1e300, -1e300, 0}, {1e308, -1e308, 1e308}, {5e-324, 5e-324, 5e-324}, {NAN, NAN, NAN},
        {1e9, 1e9 + 1, 1e9 + 2}, {1 - 1e-12, 1, 1 + 1e-12}, {0.1, 0.3, 0.2}, {1e15, 2e15, 5e15}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int log_y = 0; log_y < 2; log_y++) {
            curve_of(NULL, cases[i], 3, log_y);
            curve_of(cases[i], cases[i], 3, log_y);
            curve_of(NULL, cases[i], 1, log_y);
        }
    ck_assert_ptr_nonnull(strstr(curve_of(NULL, NULL, 0, false), "no finite values"));
    ck_assert_ptr_nonnull(strstr(curve_of(NULL, NULL, 0, true), "no finite values"));
    curves_of(&(mica_figure){.panels = &(mica_panel){.title = "none"}, .panel_count = 1});
}
END_TEST

START_TEST(long_series_stay_small) {
    static double y[300000];
    for (int i = 0; i < 300000; i++)
        y[i] = i % 7;
    y[150000] = 100;
    const char *text = curve_of(NULL, y, 300000, false);
    ck_assert_uint_lt(strlen(text), 100000);
    ck_assert_ptr_nonnull(strstr(text, ">100</text>"));
}
END_TEST

START_TEST(panels) {
    static double y[12][3];
    static char names[12][20];
    mica_series series[12];
    for (int i = 0; i < 12; i++) {
        snprintf(names[i], sizeof names[i], "layer %d", i + 1);
        for (int k = 0; k < 3; k++)
            y[i][k] = pow(10, -i);
        series[i] = (mica_series){names[i], NULL, y[i], 3};
    }
    const mica_panel two[] = {
        {.title = "a <b> & \"c\"", .log_y = true, .series = series, .series_count = 12},
        {.title = "\xc3\x28 \x1b", .log_y = true, .series = series, .series_count = 1}};
    const char *text = curves_of(
        &(mica_figure){.title = "both", .panels = two, .panel_count = 2, .share_y = true});
    ck_assert_int_eq(times(text, "<path"), 13);
    ck_assert_int_eq(times(text, "stroke-dasharray"), 4);
    ck_assert_ptr_nonnull(strstr(text, "a &lt;b&gt; &amp; &quot;c&quot;"));
    ck_assert_ptr_nonnull(strstr(text, ">?( ?</text>"));
    ck_assert_int_eq(times(text, ">10⁻⁴</text>"), 2);
}
END_TEST

START_TEST(any_locale) {
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        return;
    const double y[] = {0.25, 0.5};
    const char *text = curve_of(NULL, y, 2, false);
    ck_assert_ptr_nonnull(strstr(text, ">0.25</text>"));
    char number[8];
    snprintf(number, sizeof number, "%.1f", 0.5);
    ck_assert_str_eq(number, "0,5");
}
END_TEST

START_TEST(confusion) {
    const int64_t counts[] = {50, 2, 0, 1, 40, 3, 0, 0, 0};
    const char *const names[] = {"cat", "dog & co", "an uncommonly long name"};
    const char *path = temp_path("m.svg");
    ck_ok(mica_svg_confusion(path, NULL, counts, 3, names));
    const char *text = slurp(path);
    check_form(text);
    ck_assert_ptr_nonnull(strstr(text, "accuracy 93.75 % (90 of 96)"));
    ck_assert_int_eq(times(text, "<rect x"), 9);
    ck_assert_ptr_nonnull(strstr(text, ">50</text>"));
    ck_assert_ptr_nonnull(strstr(text, "dog &amp; co"));
    ck_assert_ptr_nonnull(strstr(text, ">96.2 %</text>"));
    ck_assert_ptr_nonnull(strstr(text, ">–</text>"));
    ck_ok(mica_svg_confusion(path, "empty", (const int64_t[]){0}, 1, names));
    check_form(slurp(path));
    ck_refused(mica_svg_confusion(temp_path("no/such/m.svg"), NULL, counts, 3, names), MICA_E_IO,
        "cannot write");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("svg");
    TCase *tests = tcase_create("svg");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, lines_and_gaps);
    tcase_add_test(tests, logarithmic);
    tcase_add_test(tests, strange_data);
    tcase_add_test(tests, long_series_stay_small);
    tcase_add_test(tests, panels);
    tcase_add_test(tests, any_locale);
    tcase_add_test(tests, confusion);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
