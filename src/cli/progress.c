#include "cli/progress.h"

#include "cli/cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LIVE_SECONDS  0.1  /* between drawings of the live line */
#define EPOCH_SECONDS 1.0  /* between plain lines at the ends of epochs */
#define PLAIN_SECONDS 30.0 /* between plain lines inside an epoch */
#define SKIPPED_SHOWN 10   /* pictures that are named */
#define BAR_MIN       5
#define BAR_MAX       20

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* "12.3k" */
static void short_number(double value, char *text, size_t size) {
    if (value >= 1e6)
        snprintf(text, size, "%.1fM", value / 1e6);
    else if (value >= 1e4)
        snprintf(text, size, "%.1fk", value / 1e3);
    else
        snprintf(text, size, "%.0f", value);
}

/* "1:02:03", "2:03" */
static void duration(double seconds, char *text, size_t size) {
    int64_t s = seconds < 1e9 ? (int64_t)(seconds + 0.5) : 1000000000;
    if (s >= 3600)
        snprintf(text, size, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
    else
        snprintf(text, size, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

/* The accuracies of the last validation, or the losses if there are none, under short names. */
static void metrics_text(
    const mica_train_progress *p, const char *kind, const char *label, char *text, size_t size) {
    size_t used = 0, tail = strlen(kind);
    *text = 0;
    for (size_t i = 0; i < p->n_metrics; i++) {
        const char *name = p->metrics[i].name;
        size_t length = strlen(name);
        if (length < tail || strcmp(name + length - tail, kind) || used >= size)
            continue;
        used += (size_t)snprintf(text + used, size - used, "  %.*s%s %.3f", (int)(length - tail),
            name, label, p->metrics[i].value);
    }
}

typedef struct parts {
    char epoch[64], step[64], loss[32], metrics[256], rate[48], left[48];
} parts;

static void write_parts(const mica_train_progress *p, parts *text) {
    char number[32];
    *text = (parts){{0}};
    snprintf(text->epoch, sizeof text->epoch, "epoch %" PRId64 "/%" PRId64, p->epoch, p->epochs);
    snprintf(text->step, sizeof text->step, " %" PRId64 "/%" PRId64, p->step, p->steps);
    if (isfinite(p->loss))
        snprintf(text->loss, sizeof text->loss, "  loss %.3f", p->loss);
    metrics_text(p, "validation_accuracy", "acc", text->metrics, sizeof text->metrics);
    if (!*text->metrics)
        metrics_text(p, "validation_loss", "val", text->metrics, sizeof text->metrics);
    if (p->samples_per_s > 0) {
        short_number(p->samples_per_s, number, sizeof number);
        snprintf(text->rate, sizeof text->rate, "  %s samples/s", number);
    }
    if (p->seconds_left >= 0) {
        duration(p->seconds_left, number, sizeof number);
        snprintf(text->left, sizeof text->left, "  %s left", number);
    }
}

/* What the terminal is too narrow for is left out, the least important first; the bar takes what
 * is free. */
static void show_live(mica_cli_progress *progress, const mica_train_progress *p) {
    parts text;
    write_parts(p, &text);
    struct winsize window;
    int columns = 80;
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &window) && window.ws_col)
        columns = window.ws_col;
    char *const optional[] = {text.rate, text.metrics, text.left, text.loss};
    int used = (int)(strlen(text.epoch) + strlen(text.step)) + 1; /* the last column is free */
    for (int i = 0; i < 4; i++)
        used += (int)strlen(optional[i]);
    for (int i = 0; i < 4 && used > columns; i++) {
        used -= (int)strlen(optional[i]);
        *optional[i] = 0;
    }
    char bar[BAR_MAX + 4] = "";
    int width = columns - used - 3 < BAR_MAX ? columns - used - 3 : BAR_MAX;
    if (width >= BAR_MIN) {
        int done = p->steps ? (int)(width * p->step / p->steps) : 0;
        snprintf(bar, sizeof bar, " [%*s]", width, "");
        memset(bar + 2, '#', (size_t)done);
        memset(bar + 2 + done, '.', (size_t)(width - done));
    }
    mica_cli_err("\r%s%s%s%s%s%s%s\033[K", text.epoch, bar, text.step, text.loss, text.metrics,
        text.rate, text.left);
    fflush(stderr);
    progress->live = true;
}

static void show_plain(const mica_train_progress *p) {
    parts text;
    write_parts(p, &text);
    mica_cli_err("%s%s%s%s%s%s%s\n", text.epoch, p->event == MICA_TRAIN_STEP ? " step" : "",
        p->event == MICA_TRAIN_STEP ? text.step : "", text.loss, text.metrics, text.rate,
        text.left);
}

static void show_start(const mica_train_progress *p) {
    for (size_t i = 0; i < p->n_notes; i++)
        mica_cli_note(p->notes[i]);
    for (size_t i = 0; i < p->n_skipped && i < SKIPPED_SHOWN; i++)
        mica_cli_err("left out: %s\n", p->skipped[i]);
    if (p->n_skipped > SKIPPED_SHOWN)
        mica_cli_err("left out: %zu more\n", p->n_skipped - SKIPPED_SHOWN);
    mica_cli_err("training on %s in %s", p->device, p->out);
    if (p->epoch > p->epochs)
        mica_cli_err(", whose %" PRId64 " epochs are done", p->epochs);
    else if (p->epoch > 1 || p->step > 0)
        mica_cli_err(", continuing at epoch %" PRId64 ", step %" PRId64, p->epoch, p->step + 1);
    mica_cli_err("\n");
}

static void line_clear(mica_cli_progress *progress) {
    if (progress->live)
        mica_cli_err("\r\033[K");
    progress->live = false;
}

/* Some are named, the others counted at the end. */
static void show_lost(mica_cli_progress *progress, const mica_train_progress *p) {
    line_clear(progress);
    for (size_t i = 0; i < p->n_lost; i++, progress->lost++)
        if (progress->lost < SKIPPED_SHOWN)
            mica_cli_err("note: lost while training, others take its place: %s\n", p->lost[i]);
}

void mica_cli_progress_show(void *user, const mica_train_progress *p) {
    mica_cli_progress *progress = user;
    if (p->event == MICA_TRAIN_LOST) {
        show_lost(progress, p);
        return;
    }
    double time = now(), since = time - progress->shown;
    if (!progress->begun) {
        progress->begun = true;
        progress->terminal = isatty(STDERR_FILENO);
    }
    bool last = p->event == MICA_TRAIN_EPOCH && p->epoch == p->epochs;
    double interval = progress->terminal             ? LIVE_SECONDS
                      : p->event == MICA_TRAIN_EPOCH ? EPOCH_SECONDS
                                                     : PLAIN_SECONDS;
    if (p->event != MICA_TRAIN_START && since < interval && !last)
        return;
    if (p->event == MICA_TRAIN_START)
        show_start(p);
    else if (progress->terminal)
        show_live(progress, p);
    else
        show_plain(p);
    progress->shown = time;
}

void mica_cli_progress_end(mica_cli_progress *progress) {
    line_clear(progress);
    if (progress->lost > SKIPPED_SHOWN)
        mica_cli_err("note: lost while training: %zu more\n", progress->lost - SKIPPED_SHOWN);
    progress->lost = 0;
}
