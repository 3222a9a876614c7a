#include "cli/print.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `size` bytes with nothing in them that a terminal would obey. */
static void escaped_add(mica_text *text, const char *from, size_t size) {
    static const char letters[] = "\aa\bb\tt\nn\vv\ff\rr";
    int32_t point;
    const char *why;
    for (int n; size; from += n, size -= (size_t)n) {
        n = mica_utf8_read(from, size, &point, &why);
        const char *letter = n == 1 ? strchr(letters, *from) : NULL;
        if (!n)
            mica_text_add(text, "\\x%02x", (unsigned char)*from);
        else if (point < 32 && letter)
            mica_text_add(text, "\\%c", letter[1]);
        else if (point < 32 || point == 127)
            mica_text_add(text, "\\x%02x", (unsigned)point);
        else if (point >= 0x80 && point < 0xa0)
            mica_text_add(text, "\\u%04x", (unsigned)point);
        else
            mica_text_bytes(text, from, (size_t)n);
        n += !n;
    }
}

/* A conversion of printf's, read from its percent sign on. */
typedef struct conversion {
    char flags[8];
    int width, precision; /* -1: none */
    int longs;            /* how many l; 2 for z, which is as wide */
    char letter;
} conversion;

static const char *number_read(const char *at, va_list *args, int *number) {
    if (*at == '*') {
        *number = va_arg(*args, int);
        return at + 1;
    }
    char *end;
    *number = (int)strtol(at, &end, 10);
    return end;
}

static const char *conversion_read(const char *at, va_list *args, conversion *c) {
    *c = (conversion){.width = -1, .precision = -1};
    at++;
    for (size_t n = 0; *at && strchr("-+ #0", *at) && n + 2 < sizeof c->flags;)
        c->flags[n++] = *at++;
    if (*at == '*' || (*at >= '1' && *at <= '9'))
        at = number_read(at, args, &c->width);
    if (*at == '.')
        at = number_read(at + 1, args, &c->precision);
    for (; *at && strchr("hlz", *at); at++)
        c->longs += *at == 'l' ? 1 : *at == 'z' ? 2 : 0;
    c->letter = *at;
    return at + (*at != 0);
}

static void string_convert(mica_text *text, const conversion *c, const char *string) {
    const size_t size = c->precision >= 0 ? strnlen(string, (size_t)c->precision) : strlen(string);
    mica_text shown = {0};
    escaped_add(&shown, string, size);
    const int width = c->width < 0 ? 0 : c->width;
    mica_text_add(text, strchr(c->flags, '-') ? "%-*s" : "%*s", width,
        shown.data && !shown.failed ? shown.data : "");
    text->failed |= shown.failed;
    free(shown.data);
}

/* The conversion again, with what it has read of its arguments written out. */
static void spec_make(const conversion *c, const char *length, char spec[64]) {
    int n = snprintf(spec, 64, "%%%s", c->flags);
    if (c->width >= 0)
        n += snprintf(spec + n, 64 - (size_t)n, "%d", c->width);
    if (c->precision >= 0)
        n += snprintf(spec + n, 64 - (size_t)n, ".%d", c->precision);
    snprintf(spec + n, 64 - (size_t)n, "%s%c", length, c->letter);
}

static void convert(mica_text *text, const conversion *c, va_list *args) {
    char spec[64];
    spec_make(c, strchr("diuxX", c->letter) ? "ll" : "", spec);
    switch (c->letter) {
    case 's':
        string_convert(text, c, va_arg(*args, const char *));
        break;
    case 'c':
        string_convert(text, c, (const char[]){(char)va_arg(*args, int), 0});
        break;
    case 'd':
    case 'i':
        mica_text_add(text, spec,
            c->longs > 1 ? va_arg(*args, long long)
                         : (long long)(c->longs ? va_arg(*args, long) : va_arg(*args, int)));
        break;
    case 'u':
    case 'x':
    case 'X':
        mica_text_add(text, spec,
            c->longs > 1 ? va_arg(*args, unsigned long long)
            : c->longs   ? (unsigned long long)va_arg(*args, unsigned long)
                         : (unsigned long long)va_arg(*args, unsigned));
        break;
    case 'e':
    case 'f':
    case 'g':
        mica_text_add(text, spec, va_arg(*args, double));
        break;
    default:
        mica_text_bytes(text, &c->letter, 1);
    }
}

static void add(mica_text *text, const char *format, va_list *args) {
    while (*format) {
        const size_t plain = strcspn(format, "%");
        mica_text_bytes(text, format, plain);
        format += plain;
        if (!*format)
            break;
        conversion c;
        format = conversion_read(format, args, &c);
        convert(text, &c, args);
    }
}

static int out_error; /* why something that belonged on stdout was lost; 0: nothing was */

static void print(FILE *to, const char *format, va_list *args) {
    mica_text text = {0};
    add(&text, format, args);
    if (text.failed && to == stdout) {
        out_error = ENOMEM; /* told at the end */
    } else if (text.failed) {
        fputs("mica: out of host memory\n", to);
    } else if (text.data && fwrite(text.data, 1, text.size, to) != text.size && to == stdout) {
        out_error = errno;
    }
    free(text.data);
}

void mica_cli_out(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(stdout, format, &args);
    va_end(args);
}

void mica_cli_err(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print(stderr, format, &args);
    va_end(args);
}

void mica_cli_text_add(mica_text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add(text, format, &args);
    va_end(args);
}

int mica_cli_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    mica_cli_err("mica: ");
    print(stderr, format, &args);
    mica_cli_err("\n");
    va_end(args);
    return 2;
}

int mica_cli_out_flush(void) {
    if (fflush(stdout))
        out_error = errno;
    return out_error != 0 || ferror(stdout);
}

int mica_cli_out_end(void) {
    int failed = mica_cli_out_flush();
    if (fclose(stdout)) {
        out_error = errno;
        failed = 1;
    }
    if (failed)
        mica_cli_err("mica: cannot write to standard output%s%s\n", out_error ? ": " : "",
            out_error ? strerror(out_error) : "");
    return failed;
}
