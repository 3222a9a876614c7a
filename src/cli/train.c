/* `mica train`: a recipe becomes a run. */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/progress.h"

#include <mica/train.h>

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica train RECIPE [--device D] [--data DIR] [--out DIR] [--seed N] [--set KEY=VALUE]...\n"
    "                  [--resume] [--strict] [--json]\n"
    "\n"
    "Trains the network of a recipe and keeps it in a folder: recipe.yaml, model.safetensors (the\n"
    "best weights), checkpoint.safetensors, metrics.csv, metrics.jsonl and pictures (curves.svg,\n"
    "gradients.svg, confusion.svg and .png, filters.png, mistakes.png; of autoencoders\n"
    "reconstructions.png, walk.png, samples.png; of ratings comparison.svg). Ctrl-C saves and ends;\n"
    "--resume goes on as if nothing had happened, after a kill too. RECIPE may be a run's folder.\n"
    "\n"
    "  --device D             as 'mica devices' names it (default: auto)\n"
    "  --data DIR             where data sets lie (default: $MICA_DATA,\n"
    "                         ~/.cache/mica/data, or ../shared/data)\n"
    "  --out DIR              the run's folder (default: a new one, runs/NAME-seedN)\n"
    "  --seed N               of everything random (default: the recipe's)\n"
    "  --set KEY=VALUE        changes a key of the recipe: --set optimizer.learning_rate=0.1\n"
    "  --resume               continue the run in --out, or the last one of this recipe and seed\n"
    "  --strict               a picture that cannot be read is an error, not left out or replaced\n"
    "  --checkpoint-seconds S how often to save inside an epoch (default: 30)\n"
    "  --json                 the results as one JSON object, the last line on stdout\n";

static volatile sig_atomic_t stop;

/* The handler is gone after the first signal: the second one ends the program at once. */
static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction former;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!sigaction(numbers[i], NULL, &former) && former.sa_handler != SIG_IGN) /* nohup */
            sigaction(numbers[i], &action, NULL);
}

static int print_json(const mica_train_result *result) {
    json_t *object = json_object();
    for (size_t i = 0; i < result->n_metrics; i++)
        json_object_set_new(
            object, result->metrics[i].name, mica_cli_real(result->metrics[i].value));
    json_object_set_new(object, "epochs", json_integer(result->epochs));
    json_object_set_new(object, "best_epoch", json_integer(result->best_epoch));
    json_object_set_new(object, "steps", json_integer((json_int_t)result->steps));
    json_object_set_new(object, "seconds", json_real(result->seconds));
    json_object_set_new(object, "samples_per_s", json_real(result->samples_per_s));
    json_object_set_new(object, "data_wait", json_real(result->data_wait));
    json_object_set_new(object, "device", mica_cli_string(result->device));
    json_object_set_new(object, "out", mica_cli_string(result->out));
    return mica_cli_json(object);
}

static int print_text(const mica_train_result *result) {
    int width = 0;
    for (size_t i = 0; i < result->n_metrics; i++) {
        int length = (int)strlen(result->metrics[i].name);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < result->n_metrics; i++)
        mica_cli_out("%-*s  %.4f\n", width, result->metrics[i].name, result->metrics[i].value);
    if (result->epochs)
        mica_cli_out("%s: %" PRId64 " epochs in %.1f s, the best was epoch %" PRId64 "\n",
            result->out, result->epochs, result->seconds, result->best_epoch);
    else /* a model that is found, not trained */
        mica_cli_out("%s: %.1f s\n", result->out, result->seconds);
    return 0;
}

typedef struct arguments {
    mica_train_options options;
    const char *recipe;
    const char **overrides; /* owned array; its strings are argv's */
    char seed[32];          /* an override */
    bool json;
} arguments;

static bool read_seconds(const char *text, double *seconds) {
    char *end;
    *seconds = strtod(text, &end);
    return *text && !*end && isfinite(*seconds) && *seconds > 0;
}

/* Returns 0, an exit status, or -1 if help was asked for. */
static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
        {"data", required_argument, NULL, 'D'}, {"out", required_argument, NULL, 'o'},
        {"seed", required_argument, NULL, 's'}, {"set", required_argument, NULL, 'S'},
        {"resume", no_argument, NULL, 'r'}, {"checkpoint-seconds", required_argument, NULL, 'c'},
        {"strict", no_argument, NULL, 'x'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    mica_train_options *o = &a->options;
    int64_t seed;
    for (int c; (c = mica_cli_option(argc, argv, "h", longs)) != -1;) {
        switch (c) {
        case 'd':
            o->device = optarg;
            break;
        case 'D':
            o->data = optarg;
            break;
        case 'o':
            o->out = optarg;
            break;
        case 's':
            if (!mica_cli_integer("--seed", optarg, INT64_MIN, INT64_MAX, &seed))
                return 2;
            snprintf(a->seed, sizeof a->seed, "seed=%" PRId64, seed);
            a->overrides[o->n_overrides++] = a->seed;
            break;
        case 'S':
            a->overrides[o->n_overrides++] = optarg;
            break;
        case 'r':
            o->resume = true;
            break;
        case 'x':
            a->overrides[o->n_overrides++] = "data.strict=true";
            break;
        case 'c':
            if (!read_seconds(optarg, &o->checkpoint_seconds))
                return mica_cli_usage(
                    "--checkpoint-seconds: expected a number above 0, got \"%s\"", optarg);
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
        return mica_cli_usage("train: expected one RECIPE or RUN; see mica train --help");
    a->recipe = argv[optind];
    return mica_cli_recipe_check("train", a->recipe);
}

static int train(arguments *a) {
    mica_cli_progress progress = {0};
    mica_train_result *result = NULL;
    a->options.overrides = a->overrides;
    a->options.progress = mica_cli_progress_show;
    a->options.user = &progress;
    a->options.stop = &stop;
    catch_signals();
    mica_status status = mica_train(a->recipe, &a->options, &result);
    mica_cli_progress_end(&progress);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    int code = a->json ? print_json(result) : print_text(result);
    mica_train_result_destroy(&result);
    return code;
}

int mica_cli_train(int argc, char **argv) {
    arguments a = {
        .options.data = getenv("MICA_DATA"),
        .overrides = mica_alloc((size_t)argc, sizeof *a.overrides),
    };
    int code = a.overrides ? parse(argc, argv, &a) : mica_cli_fail(MICA_E_MEMORY);
    if (code == -1)
        code = fputs(help, stdout) < 0;
    else if (!code)
        code = train(&a);
    free(a.overrides);
    return code;
}
