#include "base/utf8.h"

int mica_utf8_read(const char *text, size_t size, int32_t *point, const char **why) {
    const unsigned char *at = (const unsigned char *)text;
    const int first = at[0];
    const int length = first < 0x80   ? 1
                       : first < 0xc0 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                                      : 4;
    *why = "no character begins so";
    if (!length || first > 0xf7)
        return 0;
    int32_t value = length == 1 ? first : first & (0x7f >> length);
    for (int i = 1; i < length; i++) {
        *why = "the character is cut off";
        if ((size_t)i >= size || (at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *why = "the character is longer than it must be";
    if (value < least[length])
        return 0;
    *why = "half of a surrogate pair is no character";
    if (value >= 0xd800 && value < 0xe000)
        return 0;
    *why = "characters end at U+10FFFF";
    if (value >= MICA_CODE_POINTS)
        return 0;
    *why = "a zero byte is no text";
    if (!value)
        return 0;
    *point = value;
    return length;
}

void mica_utf8_write(int32_t point, char text[5]) {
    const int length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const int lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    text[length] = 0;
    for (int i = length - 1; i > 0; i--, point >>= 6)
        text[i] = (char)(0x80 | (point & 0x3f));
    text[0] = (char)(lead[length] | point);
}
