/* The part of `mica sample` that writes text. */
#include "cli/sample.h"

#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 500 };

typedef struct output {
    const char *prime; /* to be printed before the first character; NULL: nothing */
    bool live;         /* characters are printed as they come; else kept in text */
    bool failed;
    mica_text text;
} output;

/* A terminal gets lines and tabs, and nothing else that it would obey. */
static void write_text(const char *text) {
    if (!isatty(STDOUT_FILENO)) {
        fputs(text, stdout);
        return;
    }
    while (*text) {
        const size_t plain = strcspn(text, "\n\t");
        mica_cli_out("%.*s", (int)plain, text);
        text += plain;
        if (*text)
            putchar(*text++);
    }
}

static bool put(void *user, const char *character) {
    output *out = user;
    if (!out->live) {
        mica_text_add(&out->text, "%s", character);
        return !out->text.failed;
    }
    if (out->prime)
        write_text(out->prime);
    out->prime = NULL;
    write_text(character);
    out->failed = mica_cli_out_flush();
    return !out->failed;
}

int mica_cli_sample_text(const mica_cli_sampling *a, mica_run *run) {
    if (a->out || a->count)
        return mica_cli_usage("sample: %s writes text: --out and --count are for pictures", a->run);
    output out = {.prime = a->prime, .live = !a->json};
    const mica_text_sampling options = {.prime = a->prime,
        .length = a->length ? a->length : LENGTH,
        .temperature = a->temperature,
        .top_k = a->top_k,
        .seed = (uint64_t)a->seed};
    const mica_status status = mica_run_sample_text(run, &options, put, &out);
    int code = 0;
    if (out.failed) {
        code = 1; /* main tells why */
    } else if (out.text.failed) {
        code = mica_cli_fail(MICA_E_MEMORY);
    } else if (status != MICA_OK) {
        code = mica_cli_fail(status);
    } else if (a->json) {
        code = mica_cli_json(
            json_pack("{s:o, s:o, s:I, s:o}", "prime", mica_cli_string(a->prime ? a->prime : ""),
                "text", mica_cli_string(out.text.data), "seed", (json_int_t)a->seed, "device",
                mica_cli_string(mica_run_get_info(run)->device)));
    } else {
        putchar('\n');
    }
    free(out.text.data);
    return code;
}
