/* What the subcommands share. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    fprintf(stderr, "mica: %s\n", mica_last_error());
    return mica_cli_exit(status);
}

int mica_cli_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("mica: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return 2;
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

char *mica_cli_recipe_path(const char *path) {
    struct stat about;
    if (!stat(path, &about) && S_ISDIR(about.st_mode))
        return mica_path_join(path, "recipe.yaml");
    return mica_strdup(path);
}

json_t *mica_cli_real(double number) {
    return isfinite(number) ? json_real(number) : json_null();
}

int mica_cli_json(json_t *object) {
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(object);
    if (!text) {
        fprintf(stderr, "mica: out of host memory: writing JSON\n");
        return 1;
    }
    puts(text);
    free(text);
    return 0;
}
