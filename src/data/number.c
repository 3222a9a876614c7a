#include "data/number.h"

#include <ctype.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static locale_t plain;

static void plain_make(void) {
    plain = newlocale(LC_ALL_MASK, "C", NULL); /* part of the C library: it is there */
}

static const char *digits(const char *at) {
    return at + strspn(at, "0123456789");
}

/* What follows a decimal number; NULL: there is none. */
static const char *number_end(const char *text) {
    const char *at = text + strspn(text, " \t");
    at += *at == '+' || *at == '-';
    const char *whole = digits(at), *end = *whole == '.' ? digits(whole + 1) : whole;
    if (end - at - (*whole == '.') < 1)
        return NULL;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
        end = digits(exponent) > exponent ? digits(exponent) : end;
    }
    return end;
}

bool mica_number_start(const char *text, const char **end, double *value) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *end = number_end(text);
    if (!*end)
        return false;
    pthread_once(&once, plain_make);
    char *taken;
    *value = strtod_l(text, &taken, plain);
    return taken == *end;
}

bool mica_number_read(const char *text, double *value) {
    const char *end;
    return mica_number_start(text, &end, value) && !*end;
}

bool mica_number_is_name(const char *text) {
    static const char *const missing[] = {"nan", "inf", "infinity", "na", "n/a", "null", "none"};
    text += strspn(text, " \t\"");
    const char *unsigned_text = text + (*text == '+' || *text == '-');
    const size_t width = strcspn(unsigned_text, " \t\",");
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (strlen(missing[i]) == width && !strncasecmp(unsigned_text, missing[i], width))
            return false;
    const bool hex = width > 2 && !strncasecmp(unsigned_text, "0x", 2) &&
                     2 + strspn(unsigned_text + 2, "0123456789abcdefABCDEF") == width;
    const char *end = number_end(text);
    return !hex && (!end || isalpha((unsigned char)*end)); /* "1x1" is a pixel's */
}
