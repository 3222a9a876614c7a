/* The orientation of a picture: what its Exif block says, and turning its pixels accordingly. A
 * block that is damaged says nothing. Format: CIPA DC-008, "Exchangeable image file format for
 * digital still cameras: Exif Version 2.32", 4.6.2 and the tag Orientation in 4.6.4. */
#include "base/mem.h"
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

enum { ORIENTATION = 0x0112, SHORT = 3, ENTRY_SIZE = 12 };

/* `bytes` bytes from `at` on in the block's byte order. */
static uint32_t number_at(const uint8_t *at, int bytes, bool big) {
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | at[big ? i : bytes - 1 - i];
    return number;
}

int mica_exif_orientation(const uint8_t *data, size_t size) {
    if (size >= 6 && !memcmp(data, "Exif\0\0", 6)) {
        data += 6;
        size -= 6;
    }
    const bool big = size >= 8 && !memcmp(data, "MM\0*", 4);
    if (!big && (size < 8 || memcmp(data, "II*\0", 4) != 0))
        return 1;
    const size_t first = number_at(data + 4, 4, big); /* directory of the main picture */
    if (first < 8 || first > size - 2)
        return 1;
    const size_t count = number_at(data + first, 2, big), room = (size - first - 2) / ENTRY_SIZE;
    for (size_t i = 0; i < count && i < room; i++) {
        const uint8_t *entry = data + first + 2 + i * ENTRY_SIZE;
        if (number_at(entry, 2, big) != ORIENTATION)
            continue;
        const uint32_t value = number_at(entry + 8, 2, big);
        const bool good = number_at(entry + 2, 2, big) == SHORT &&
                          number_at(entry + 4, 4, big) == 1 && value >= 1 && value <= 8;
        return good ? (int)value : 1;
    }
    return 1;
}

bool mica_orientation_turns(int orientation) {
    return orientation >= 5;
}

mica_status mica_image_orient(mica_image *image, int orientation) {
    if (orientation == 1)
        return MICA_OK;
    const bool turns = mica_orientation_turns(orientation);
    const int64_t height = turns ? image->width : image->height;
    const int64_t width = turns ? image->height : image->width, channels = image->channels;
    /* is the picture's first row at the bottom, its first column at the right, once turned? */
    const bool up = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const bool left = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    uint8_t *pixels = mica_alloc((size_t)height, (size_t)(width * channels));
    if (!pixels)
        return MICA_E_MEMORY;
    uint8_t *to = pixels;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++, to += channels) {
            const int64_t down = up ? height - 1 - y : y, across = left ? width - 1 - x : x;
            const int64_t row = turns ? across : down, column = turns ? down : across;
            memcpy(to, image->pixels + (row * image->width + column) * channels, (size_t)channels);
        }
    free(image->pixels);
    *image = (mica_image){.height = height, .width = width, .channels = channels, .pixels = pixels};
    return MICA_OK;
}
