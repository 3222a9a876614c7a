#include "cli/progress.h"

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
#define BAR           20

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

static const char *name_end(const char *name, const char *tail) {
    size_t n = strlen(name), m = strlen(tail);
    return n >= m && !strcmp(name + n - m, tail) ? name + n - m : NULL;
}

static bool is_shown(const mica_metric *metric) {
    return isfinite(metric->value) && (name_end(metric->name, "validation_accuracy") ||
                                          name_end(metric->name, "validation_loss"));
}

/* Appends; what does not fit is cut off. */
static size_t append(char *line, size_t size, size_t used, const char *text) {
    int n = snprintf(line + used, size - used, "%s", text);
    return used + (size_t)n < size ? used + (size_t)n : size - 1;
}

static size_t append_loss(char *line, size_t size, size_t used, const mica_train_progress *p) {
    char text[320];
    if (isfinite(p->loss)) {
        snprintf(text, sizeof text, "  loss %.4f", p->loss);
        used = append(line, size, used, text);
    }
    for (size_t i = 0; i < p->n_metrics; i++)
        if (is_shown(&p->metrics[i])) {
            snprintf(text, sizeof text, "  %s %.4f", p->metrics[i].name, p->metrics[i].value);
            used = append(line, size, used, text);
        }
    return used;
}

static size_t append_rate(char *line, size_t size, size_t used, const mica_train_progress *p) {
    char number[32], text[64];
    if (p->samples_per_s > 0) {
        short_number(p->samples_per_s, number, sizeof number);
        snprintf(text, sizeof text, "  %s samples/s", number);
        used = append(line, size, used, text);
    }
    if (p->seconds_left >= 0) {
        duration(p->seconds_left, number, sizeof number);
        snprintf(text, sizeof text, "  %s left", number);
        used = append(line, size, used, text);
    }
    return used;
}

static void show_live(mica_cli_progress *progress, const mica_train_progress *p) {
    struct winsize window;
    size_t columns = 80;
    char line[512], bar[BAR + 1] = {0};
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &window) && window.ws_col > 1)
        columns = window.ws_col;
    size_t size = columns < sizeof line ? columns : sizeof line; /* the last column stays free */
    int64_t filled = p->steps ? BAR * p->step / p->steps : 0;
    for (int i = 0; i < BAR; i++)
        bar[i] = i < filled ? '#' : '.';
    char text[128];
    snprintf(text, sizeof text, "epoch %" PRId64 "/%" PRId64 " step %" PRId64 "/%" PRId64 " [%s]",
        p->epoch, p->epochs, p->step, p->steps, bar);
    size_t used = append(line, size, 0, text);
    used = append_loss(line, size, used, p);
    append_rate(line, size, used, p);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    progress->live = true;
}

static void show_plain(const mica_train_progress *p) {
    char line[1024], text[96];
    snprintf(text, sizeof text, "epoch %" PRId64 "/%" PRId64, p->epoch, p->epochs);
    size_t used = append(line, sizeof line, 0, text);
    if (p->event == MICA_TRAIN_STEP) {
        snprintf(text, sizeof text, " step %" PRId64 "/%" PRId64, p->step, p->steps);
        used = append(line, sizeof line, used, text);
    }
    used = append_loss(line, sizeof line, used, p);
    append_rate(line, sizeof line, used, p);
    fprintf(stderr, "%s\n", line);
}

static void show_start(const mica_train_progress *p) {
    fprintf(stderr, "training on %s in %s", p->device, p->out);
    if (p->epoch > p->epochs)
        fprintf(stderr, ", whose %" PRId64 " epochs are done", p->epochs);
    else if (p->epoch > 1 || p->step > 0)
        fprintf(stderr, ", continuing at epoch %" PRId64 ", step %" PRId64, p->epoch, p->step + 1);
    fprintf(stderr, "\n");
}

void mica_cli_progress_show(void *user, const mica_train_progress *p) {
    mica_cli_progress *progress = user;
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
    if (progress->live)
        fprintf(stderr, "\r\033[K");
    progress->live = false;
}
