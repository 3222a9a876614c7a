/* `mica eval`: how a run's best weights do on the test set. */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/model.h"
#include "train/evaluate.h"
#include "train/neighbours.h"
#include "train/recommend.h"

#include <mica/train.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica eval RUN [--device D] [--data DIR] [--json]\n"
    "       mica eval RECIPE --weights FILE [--set KEY=VALUE]... ...\n"
    "\n"
    "Measures the best weights of a run's folder on the test set: loss, and accuracy and how each\n"
    "class does, or how far reconstructions are from the samples. Draws the confusion matrix and the\n"
    "gravest mistakes into the folder.\n"
    "\n"
    "  --device D       as 'mica devices' names it (default: auto)\n"
    "  --data DIR       where data sets lie (default: $MICA_DATA,\n"
    "                   ~/.cache/mica/data, or ../shared/data)\n"
    "  --weights FILE   of a recipe that was not trained here: Mica's or PyTorch's safetensors;\n"
    "                   draws nothing\n"
    "  --set KEY=VALUE  with --weights: changes a key of the recipe\n"
    "  --json           one JSON object, the last line on stdout\n";

typedef struct arguments {
    const char *run, *device, *data, *weights;
    const char **overrides; /* owned array; its strings are argv's */
    size_t n_overrides;
    bool json;
} arguments;

static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
        {"data", required_argument, NULL, 'D'}, {"weights", required_argument, NULL, 'w'},
        {"set", required_argument, NULL, 'S'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "h", longs)) != -1;) {
        switch (c) {
        case 'd':
            a->device = optarg;
            break;
        case 'D':
            a->data = optarg;
            break;
        case 'w':
            a->weights = optarg;
            break;
        case 'S':
            a->overrides[a->n_overrides++] = optarg;
            break;
        case 'j':
            a->json = true;
            break;
        case 'h':
            return -1;
        default:
            return 2;
        }
    }
    if (optind != argc - 1)
        return mica_cli_usage("eval: expected one RUN; see mica eval --help");
    if (a->n_overrides && !a->weights)
        return mica_cli_usage("eval: --set goes with --weights: a run has its recipe");
    a->run = argv[optind];
    return a->weights ? 0 : mica_cli_run_check(a->run, "eval");
}

/* Samples of a class, how many were found, and how many were taken for it. */
static void class_counts(
    const mica_evaluation *head, int64_t class, int64_t *count, int64_t *right, int64_t *taken) {
    *count = *taken = 0;
    for (int64_t j = 0; j < head->classes; j++) {
        *count += head->confusion[class * head->classes + j];
        *taken += head->confusion[j * head->classes + class];
    }
    *right = head->confusion[class * head->classes + class];
}

static double ratio(int64_t part, int64_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

static void print_classes(const mica_evaluation *head, const char *const *names) {
    mica_cli_out("\n%-20s %8s %8s %10s\n", "class", "samples", "recall", "precision");
    for (int64_t i = 0; i < head->classes; i++) {
        int64_t count, right, taken;
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, i);
        class_counts(head, i, &count, &right, &taken);
        mica_cli_out("%-20s %8" PRId64, names ? names[i] : number, count);
        if (count)
            mica_cli_out(" %8.4f", ratio(right, count));
        else
            mica_cli_out(" %8s", "-");
        if (taken)
            mica_cli_out(" %10.4f\n", ratio(right, taken));
        else
            mica_cli_out(" %10s\n", "-");
    }
    mica_cli_out("\n");
}

static bool is_measured(const mica_measure *measure, const mica_evaluation *head) {
    return !isnan(mica_measure_get(measure, head));
}

/* The names stand in a column as wide as the widest. */
static void print_head(const mica_evaluation *head, const char *const *names) {
    int width = (int)strlen("loss");
    for (const mica_measure *m = mica_measures; m->name; m++)
        if (is_measured(m, head) && (int)strlen(m->name) > width)
            width = (int)strlen(m->name);
    if (*head->head)
        mica_cli_out("%s\n", head->head);
    mica_cli_out("test_%-*s  %.4f\n", width, "loss", head->loss);
    for (const mica_measure *m = mica_measures; m->name; m++)
        if (is_measured(m, head))
            mica_cli_out("test_%-*s  %.4f\n", width, m->name, mica_measure_get(m, head));
    if (head->confusion)
        print_classes(head, names);
}

static json_t *head_json(const mica_evaluation *head, const char *const *names) {
    json_t *object = json_pack("{s:s, s:o}", "head", head->head, "loss", mica_cli_real(head->loss));
    for (const mica_measure *m = mica_measures; m->name; m++)
        if (is_measured(m, head))
            json_object_set_new(object, m->name, mica_cli_real(mica_measure_get(m, head)));
    if (!head->confusion)
        return object;
    json_t *classes = json_array(), *confusion = json_array();
    for (int64_t i = 0; i < head->classes; i++) {
        int64_t count, right, taken;
        class_counts(head, i, &count, &right, &taken);
        json_t *entry = json_pack("{s:I, s:I, s:o, s:o}", "class", (json_int_t)i, "samples",
            (json_int_t)count, "recall", mica_cli_real(ratio(right, count)), "precision",
            mica_cli_real(ratio(right, taken)));
        if (names)
            json_object_set_new(entry, "name", mica_cli_string(names[i]));
        json_array_append_new(classes, entry);
        json_t *row = json_array();
        for (int64_t j = 0; j < head->classes; j++)
            json_array_append_new(row, json_integer(head->confusion[i * head->classes + j]));
        json_array_append_new(confusion, row);
    }
    json_object_set_new(object, "classes", classes);
    json_object_set_new(object, "confusion", confusion);
    return object;
}

/* What is known beside the heads. */
typedef struct comparison {
    const mica_metric *metrics;
    size_t count;
} comparison;

static int print_json(const mica_run_info *info, const mica_evaluation *heads, size_t n_heads,
    const comparison *others, int64_t samples) {
    json_t *object = json_object(), *list = json_array();
    for (size_t i = 0; i < n_heads; i++)
        json_array_append_new(list,
            head_json(&heads[i], heads[i].classes == info->classes ? info->class_names : NULL));
    json_object_set_new(object, "test_loss", mica_cli_real(mica_total_loss(heads, n_heads)));
    char name[128];
    for (size_t i = 0; i < n_heads; i++) {
        const char *head = heads[i].head, *line = *head ? "_" : "";
        if (*head) {
            snprintf(name, sizeof name, "%s_test_loss", head);
            json_object_set_new(object, name, mica_cli_real(heads[i].loss));
        }
        for (const mica_measure *m = mica_measures; m->name; m++)
            if (is_measured(m, &heads[i])) {
                snprintf(name, sizeof name, "%s%stest_%s", head, line, m->name);
                json_object_set_new(object, name, mica_cli_real(mica_measure_get(m, &heads[i])));
            }
    }
    for (size_t i = 0; i < others->count; i++)
        json_object_set_new(
            object, others->metrics[i].name, mica_cli_real(others->metrics[i].value));
    json_object_set_new(object, "samples", json_integer(samples));
    json_object_set_new(object, "device", mica_cli_string(info->device));
    json_object_set_new(object, "heads", list);
    return mica_cli_json(object);
}

/* Names in a column as wide as the widest. */
static void print_metrics(const mica_metric *metrics, size_t count) {
    int width = 0;
    for (size_t i = 0; i < count; i++)
        if ((int)strlen(metrics[i].name) > width)
            width = (int)strlen(metrics[i].name);
    for (size_t i = 0; i < count; i++)
        mica_cli_out("%-*s  %.4f\n", width, metrics[i].name, metrics[i].value);
}

static int print_text(const mica_run_info *info, const mica_evaluation *heads, size_t n_heads,
    const comparison *others) {
    if (n_heads > 1)
        mica_cli_out("test_loss  %.4f\n", mica_total_loss(heads, n_heads));
    for (size_t i = 0; i < n_heads; i++)
        print_head(&heads[i], heads[i].classes == info->classes ? info->class_names : NULL);
    print_metrics(others->metrics, others->count);
    return 0;
}

static int evaluate(const arguments *a, mica_run *run) {
    const mica_evaluation *heads;
    size_t n_heads;
    int64_t samples;
    comparison others;
    mica_status status = mica_run_evaluate(run, a->data, &heads, &n_heads, &samples);
    if (mica_run_get_test(run))
        mica_cli_show_left_out(mica_run_get_test(run));
    if (status == MICA_OK)
        status = mica_run_compare(run, a->data, &others.metrics, &others.count);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    const mica_run_info *info = mica_run_get_info(run);
    mica_cli_device_note(info->device_note);
    mica_cli_note(mica_run_data_note(run));
    return a->json ? print_json(info, heads, n_heads, &others, samples)
                   : print_text(info, heads, n_heads, &others);
}

/* A neighbourhood model is no network and has no device. */
static int evaluate_neighbours(const arguments *a) {
    mica_recommender *recommender = NULL;
    mica_metric metrics[MICA_NEIGHBOURS_METRICS];
    size_t count = 0;
    mica_status status = mica_recommender_open(a->run, a->data, NULL, &recommender);
    if (status == MICA_OK)
        status = mica_recommender_measures(recommender);
    if (status == MICA_OK)
        status = mica_neighbours_measure(mica_recommender_recipe(recommender), a->data,
            mica_recommender_neighbours(recommender), metrics, &count);
    if (status == MICA_OK)
        mica_cli_note(mica_recommender_note(recommender));
    mica_recommender_destroy(&recommender);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    if (!a->json) {
        print_metrics(metrics, count);
        return 0;
    }
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, metrics[i].name, mica_cli_real(metrics[i].value));
    return mica_cli_json(object);
}

static int open_and_evaluate(const arguments *a) {
    mica_run *run = NULL;
    bool neighbours = false;
    mica_status status = a->weights ? MICA_OK : mica_run_is_neighbours(a->run, &neighbours);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    if (neighbours)
        return evaluate_neighbours(a);
    status = a->weights ? mica_run_open_recipe(
                              a->run, a->overrides, a->n_overrides, a->weights, a->device, &run)
                        : mica_run_open(a->run, a->device, &run);
    int code = status == MICA_OK ? evaluate(a, run) : mica_cli_fail(status);
    mica_run_destroy(&run);
    return code;
}

int mica_cli_eval(int argc, char **argv) {
    arguments a = {
        .data = getenv("MICA_DATA"),
        .overrides = mica_alloc((size_t)argc, sizeof *a.overrides),
    };
    int code = a.overrides ? parse(argc, argv, &a) : mica_cli_fail(MICA_E_MEMORY);
    if (code == -1)
        code = fputs(help, stdout) < 0;
    else if (!code)
        code = open_and_evaluate(&a);
    free(a.overrides);
    return code;
}
