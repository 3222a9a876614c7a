/* What the subcommands share. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/tensors.h"
#include "io/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int mica_cli_exit(mica_status status) {
    switch (status) {
    case MICA_OK:
        return 0;
    case MICA_E_INVALID:
    case MICA_E_FORMAT:
    case MICA_E_NOT_FOUND:
    case MICA_E_UNSUPPORTED:
        return 2;
    default:
        return 1;
    }
}

int mica_cli_fail(mica_status status) {
    mica_cli_err("mica: %s\n", mica_last_error());
    return mica_cli_exit(status);
}

static void unknown_option(const char *command, const char *given, const struct option *options) {
    const char *names[32];
    char name[64];
    size_t count = 0;
    while (options[count].name && count < sizeof names / sizeof *names) {
        names[count] = options[count].name;
        count++;
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
    const char *near = mica_nearest(name + strspn(name, "-"), names, count);
    if (near)
        mica_cli_usage("%s: unknown option %s; did you mean --%s?", command, name, near);
    else
        mica_cli_usage("%s: unknown option %s; mica %s --help lists them", command, name, command);
}

void mica_cli_note(const char *text) {
    if (text)
        mica_cli_err("note: %s\n", text);
}

int mica_cli_option(int argc, char **argv, const char *letters, const struct option *options) {
    opterr = 0;
    int letter = getopt_long(argc, argv, letters, options, NULL);
    if (letter != '?' && letter != ':')
        return letter;
    const char *given = argv[optind - 1];
    for (const struct option *it = options; it->name && !strncmp(given, "--", 2); it++)
        if (it->val == optopt) {
            mica_cli_usage(it->has_arg ? "%s: --%s needs a value" : "%s: --%s takes no value",
                argv[0], it->name);
            return '?';
        }
    char one[] = {'-', (char)optopt, 0};
    unknown_option(argv[0], optopt ? one : given, options);
    return '?';
}

bool mica_cli_integer(
    const char *option, const char *text, int64_t min, int64_t max, int64_t *number) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (!*text || *end || errno || value < min || value > max) {
        mica_cli_usage("%s: expected an integer from %lld to %lld, got \"%s\"", option,
            (long long)min, (long long)max, text);
        return false;
    }
    *number = value;
    return true;
}

bool mica_cli_positive(const char *option, const char *text, double *number) {
    char *end;
    const double value = strtod(text, &end);
    if (!*text || *end || !isfinite(value) || !(value > 0)) {
        mica_cli_usage("%s: expected a number above 0, got \"%s\"", option, text);
        return false;
    }
    *number = value;
    return true;
}

bool mica_cli_ends(const char *name, const char *with) {
    size_t n = strlen(name), m = strlen(with);
    return n > m && !strcmp(name + n - m, with);
}

static bool is_folder(const char *path) {
    struct stat about;
    return !stat(path, &about) && S_ISDIR(about.st_mode);
}

char *mica_cli_recipe_path(const char *path) {
    return is_folder(path) ? mica_path_join(path, "recipe.yaml") : mica_strdup(path);
}

int mica_cli_recipe_check(const char *command, const char *path) {
    if (!mica_cli_is_tensors(path) || is_folder(path))
        return 0;
    return mica_cli_usage(
        "%s: %s is no recipe: expected a YAML file or the folder of a run", command, path);
}

int mica_cli_output_check(const char *command, const char *path) {
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) + (slash == path) : 0;
    char *folder = mica_format("%.*s", slash ? (int)length : 1, slash ? path : ".");
    int code = 0;
    if (!folder)
        code = mica_cli_fail(MICA_E_MEMORY);
    else if (is_folder(path))
        code = mica_cli_usage("%s: %s is a folder: expected the name of a file", command, path);
    else if (!access(folder, F_OK) && !is_folder(folder))
        code = mica_cli_usage("%s: cannot write %s: %s is no folder", command, path, folder);
    else if (access(folder, W_OK | X_OK))
        code = mica_cli_usage(
            "%s: cannot write %s: its folder %s: %s", command, path, folder, strerror(errno));
    free(folder);
    return code;
}

void mica_cli_device_note(const char *note) {
    if (*note)
        mica_cli_err("note: %s\n", note);
}

json_t *mica_cli_real(double number) {
    return isfinite(number) ? json_real(number) : json_null();
}

json_t *mica_cli_string(const char *text) {
    json_t *string = json_string(text);
    if (string)
        return string;
    mica_text shown = {0};
    mica_cli_text_add(&shown, "%s", text);
    string = json_string(shown.data && !shown.failed ? shown.data : "");
    free(shown.data);
    return string;
}

static bool json_lacks; /* memory ran out in jansson: an object may lack a value */

static void *json_alloc(size_t size) {
    void *block = malloc(size);
    json_lacks = json_lacks || !block;
    return block;
}

void mica_cli_json_begin(void) {
    json_set_alloc_funcs(json_alloc, free);
}

int mica_cli_json(json_t *object) {
    char *text = object && !json_lacks
                     ? mica_json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12))
                     : NULL;
    json_decref(object);
    if (!text || json_lacks) {
        free(text);
        mica_cli_err("mica: out of host memory: writing JSON\n");
        return 1;
    }
    puts(text);
    free(text);
    return mica_cli_out_flush();
}
