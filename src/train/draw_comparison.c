/* comparison.svg: how a model of ratings does beside those that know nothing of tastes. */
#include "base/file.h"
#include "base/mem.h"
#include "io/svg.h"
#include "train/draw.h"

#include <stdlib.h>
#include <string.h>

enum { BARS = 3 };

/* A group's bars, by the metrics that they show: the model's own last. */
static const struct {
    const char *title;
    struct {
        const char *name, *metric;
    } bars[BARS];
} groups[] = {
    {"root mean squared error of test ratings: less is better",
        {{"mean of all", "baseline_mean_rmse"}, {"mean and biases", "baseline_biases_rmse"},
            {NULL, "test_rmse"}}},
    {"of the first 10 items, how many are hits (precision)",
        {{"popularity", "baseline_popularity_precision_at_10"}, {NULL, "test_precision_at_10"}}},
    {"of all hits, how many are among the first 10 (recall)",
        {{"popularity", "baseline_popularity_recall_at_10"}, {NULL, "test_recall_at_10"}}},
    {"how high the hits stand (NDCG at 10)",
        {{"popularity", "baseline_popularity_ndcg_at_10"}, {NULL, "test_ndcg_at_10"}}},
    {"of all items, how many anybody is shown (coverage)",
        {{"popularity", "baseline_popularity_coverage_at_10"}, {NULL, "test_coverage_at_10"}}},
};

enum { GROUPS = sizeof groups / sizeof *groups };

static const mica_metric *find(const mica_metric *metrics, size_t count, const char *name) {
    for (size_t i = 0; name && i < count; i++)
        if (!strcmp(metrics[i].name, name))
            return &metrics[i];
    return NULL;
}

mica_status mica_draw_comparison(
    const mica_metric *metrics, size_t count, const char *model, const char *folder) {
    mica_bar bars[GROUPS][BARS];
    mica_bar_group drawn[GROUPS];
    size_t n = 0;
    for (size_t g = 0; g < GROUPS; g++) {
        size_t found = 0;
        for (size_t i = 0; i < BARS; i++) {
            const mica_metric *metric = find(metrics, count, groups[g].bars[i].metric);
            const char *name = groups[g].bars[i].name;
            if (metric)
                bars[n][found++] = (mica_bar){name ? name : model, metric->value, !name};
        }
        if (found > 1) {
            drawn[n] = (mica_bar_group){groups[g].title, bars[n], found};
            n++;
        }
    }
    if (!n)
        return MICA_OK;
    char *path = mica_path_join(folder, "comparison.svg");
    mica_status status = path ? mica_svg_bars(path, model, drawn, n) : MICA_E_MEMORY;
    free(path);
    return status;
}
