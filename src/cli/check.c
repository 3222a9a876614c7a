/* `mica check`: runs the operator tests on a device and says whether it is safe to train there.
 * Knows the test harness, nothing of how operators work. */
#include "cli/cli.h"
#include "tests/op/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What test suites take for "skipped". */
#define EXIT_SKIPPED   77
#define FAILURES_SHOWN 5

static const char help[] =
    "usage: mica check [--device D] [--all] [--small] [--skip-missing] [--json] [OPERATOR...]\n"
    "\n"
    "Computes every operator, forward and gradient, on a device, compares the results with a\n"
    "double-precision reference, and says whether it is safe to train there. Exit status: 0 if\n"
    "everything is right, 1 if a kernel is wrong, 2 for a wrong option, device or operator.\n"
    "\n"
    "  OPERATOR         only these operators, for example: softmax matmul\n"
    "  --device D       a device as 'mica devices' names it (default: auto)\n"
    "  --all            every device of this machine\n"
    "  --small          only small cases, each run once, for simulators and in a hurry\n"
    "  --skip-missing   exit with 77 where there is no such device, for test suites\n"
    "  --json           one JSON object as the last line\n";

typedef struct options {
    const char *device;
    bool all, small, skip_missing, json;
    char **names; /* operators; none: all */
    int n_names;
} options;

static bool is_wanted(const options *o, const char *name) {
    for (int i = 0; i < o->n_names; i++)
        if (strcmp(o->names[i], name) == 0)
            return true;
    return o->n_names == 0;
}

static bool is_suite(const char *name) {
    for (size_t i = 0; i < mica_suite_count; i++)
        if (strcmp(mica_suites[i]->name, name) == 0)
            return true;
    return false;
}

/* Prints the first failures of an operator; *user counts them. */
static void print_failed(void *user, const char *suite, const char *name, const char *problem) {
    int *count = user;
    if (++*count <= FAILURES_SHOWN)
        mica_cli_out("    %s, %s: %s\n", suite, name, problem);
    mica_cli_out_flush();
}

static void report_suite(const char *name, const mica_suite_result *result, json_t *list) {
    mica_cli_out("  %-28s %5d %10.1e %10.1e   %s\n", name, result->cases, result->forward_error,
        result->gradient_error, result->failed ? "FAILED" : "ok");
    mica_cli_out_flush();
    json_array_append_new(
        list, json_pack("{s:s, s:i, s:i, s:o, s:o}", "name", name, "cases", result->cases, "failed",
                  result->failed, "forward_error", mica_cli_real(result->forward_error),
                  "gradient_error", mica_cli_real(result->gradient_error)));
}

/* Runs the suites; *wrong counts the operators that failed, and their names go to `list`. */
static mica_status run_suites(const options *o, mica_device *device, json_t *list, int *wrong) {
    for (size_t i = 0; i < mica_suite_count; i++) {
        if (!is_wanted(o, mica_suites[i]->name))
            continue;
        int shown = 0;
        mica_suite_options suite_options = {
            .small = o->small, .failed = print_failed, .user = &shown};
        mica_suite_result result;
        MICA_TRY(mica_suite_run(mica_suites[i], device, &suite_options, &result));
        if (shown > FAILURES_SHOWN)
            mica_cli_out("    and %d more\n", shown - FAILURES_SHOWN);
        report_suite(mica_suites[i]->name, &result, list);
        *wrong += result.failed > 0;
    }
    return MICA_OK;
}

static void print_verdict(const options *o, const char *id, const json_t *list, int wrong) {
    if (!wrong) {
        mica_cli_out("%s: all %zu operators are right: safe to train here%s\n", id,
            json_array_size(list), o->n_names || o->small ? " as far as was checked" : "");
        return;
    }
    mica_cli_out("%s: do not train here, these are wrong:", id);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        if (json_integer_value(json_object_get(entry, "failed")) > 0)
            mica_cli_out(" %s", json_string_value(json_object_get(entry, "name")));
    }
    mica_cli_out("\n");
}

/* Returns the exit status for one device, and appends its report to `devices`. */
static int check_device(const options *o, const char *name, json_t *devices) {
    mica_device *device = NULL;
    mica_status status = mica_device_open(name, &device);
    if (status != MICA_OK) {
        int code = mica_cli_fail(status);
        return status == MICA_E_NOT_FOUND && o->skip_missing ? EXIT_SKIPPED : code;
    }
    const mica_device_info *info = mica_device_get_info(device);
    mica_cli_device_note(info->note);
    mica_cli_out("%s: %s, %s\n", info->id, info->name, info->driver);
    mica_cli_out("  %-28s %5s %10s %10s\n", "operator", "cases", "forward", "gradient");
    json_t *list = json_array();
    int wrong = 0;
    status = run_suites(o, device, list, &wrong);
    if (status == MICA_OK)
        print_verdict(o, info->id, list, wrong);
    else
        mica_cli_fail(status);
    bool safe = status == MICA_OK && !wrong;
    json_array_append_new(
        devices, json_pack("{s:s, s:b, s:o}", "id", info->id, "safe", safe, "operators", list));
    mica_device_destroy(&device);
    return safe ? 0 : 1;
}

/* Every device that can be used; the worst exit status. */
static int check_all(const options *o, json_t *devices) {
    mica_device_info *infos = NULL;
    size_t count = 0;
    int worst = 0;
    mica_status status = mica_devices(&infos, &count);
    if (status != MICA_OK || count == 0) {
        free(infos);
        return mica_cli_fail(status == MICA_OK ? MICA_E_NOT_FOUND : status);
    }
    for (size_t i = 0; i < count; i++) {
        int code = 0;
        if (infos[i].problem[0])
            mica_cli_out("%s: skipped: %s\n", infos[i].id, infos[i].problem);
        else
            code = check_device(o, infos[i].id, devices);
        worst = code > worst ? code : worst;
    }
    free(infos);
    return worst;
}

/* Returns the exit code where there is nothing more to do, else -1. */
static int parse(int argc, char **argv, options *o) {
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
        {"all", no_argument, NULL, 'a'}, {"small", no_argument, NULL, 's'},
        {"skip-missing", no_argument, NULL, 'm'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    for (int letter; (letter = mica_cli_option(argc, argv, ":", longs)) != -1;) {
        switch (letter) {
        case 'd':
            o->device = optarg;
            break;
        case 'a':
            o->all = true;
            break;
        case 's':
            o->small = true;
            break;
        case 'm':
            o->skip_missing = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return 2;
        }
    }
    o->names = argv + optind;
    o->n_names = argc - optind;
    for (int i = 0; i < o->n_names; i++)
        if (!is_suite(o->names[i]))
            return mica_cli_usage("check: there is no operator %s to check", o->names[i]);
    if (o->all && o->device)
        return mica_cli_usage("check: --all and --device exclude each other");
    return -1;
}

int mica_cli_check(int argc, char **argv) {
    options o = {0};
    int code = parse(argc, argv, &o);
    if (code >= 0)
        return code;
    json_t *devices = json_array();
    code = o.all ? check_all(&o, devices) : check_device(&o, o.device, devices);
    if (o.json)
        mica_cli_json(json_pack("{s:b, s:O}", "safe", code == 0, "devices", devices));
    json_decref(devices);
    return code;
}
