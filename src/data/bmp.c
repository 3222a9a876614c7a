/* Decoding BMP: uncompressed pictures of 24 and 32 bits, of 16 and 32 bits with masks, and of
 * palettes. Format: Microsoft, "Bitmap Storage", with the headers BITMAPCOREHEADER to
 * BITMAPV5HEADER.
 */
#include "base/error.h"
#include "base/mem.h"
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40, MASKS_HEADER = 52, ALPHA_HEADER = 56 };
enum { PLAIN = 0, MASKED = 3, MASKED_ALPHA = 6 };

struct bitmap {
    const char *name;
    const uint8_t *data;
    size_t size;
    int64_t width, height;
    bool from_top;
    uint32_t bits, compression, colours;
    const uint8_t *palette;
    size_t entry;     /* bytes of a colour of the palette */
    uint32_t mask[4]; /* red, green, blue, alpha; 0: none */
    size_t first;     /* byte of the pixels */
};

static uint32_t u16(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t u32(const uint8_t *at) {
    return u16(at) | u16(at + 2) << 16;
}

static int64_t i32(const uint8_t *at) {
    const int64_t number = u32(at);
    return number > INT32_MAX ? number - ((int64_t)1 << 32) : number;
}

static mica_status damaged(const struct bitmap *b, const char *what) {
    return mica_fail(MICA_E_FORMAT, "%s: a damaged BMP: %s", b->name, what);
}

/* Of 16 and 32 bits; the masks stand behind a header of 40 bytes and in longer ones. */
static mica_status masks_read(struct bitmap *b, size_t header) {
    static const uint32_t plain16[4] = {0x7c00, 0x3e0, 0x1f, 0}, /* five bits each */
        plain32[4] = {0xff0000, 0xff00, 0xff, 0};
    if (b->compression == PLAIN) {
        memcpy(b->mask, b->bits == 16 ? plain16 : plain32, sizeof b->mask);
        return MICA_OK;
    }
    const int count = header >= ALPHA_HEADER || b->compression == MASKED_ALPHA ? 4 : 3;
    if (b->size < FILE_HEADER + INFO_HEADER + 4 * (size_t)count)
        return damaged(b, "cut off");
    for (int c = 0; c < count; c++)
        b->mask[c] = u32(b->data + FILE_HEADER + INFO_HEADER + 4 * c);
    return b->mask[0] && b->mask[1] && b->mask[2] ? MICA_OK : damaged(b, "a colour without bits");
}

/* Where the colours of a palette are and how many, at most as many as pixels can name. */
static mica_status palette_find(struct bitmap *b, size_t header) {
    const uint32_t most = 1u << b->bits;
    const size_t start = FILE_HEADER + header;
    b->entry = header == CORE_HEADER ? 3 : 4;
    b->colours = b->colours && b->colours < most ? b->colours : most;
    if (b->first < start || b->first > b->size)
        return damaged(b, "its pixels lie outside the file");
    const size_t room = (b->first - start) / b->entry;
    b->colours = b->colours < room ? b->colours : (uint32_t)room;
    b->palette = b->data + start;
    return b->colours ? MICA_OK : damaged(b, "a palette without colours");
}

static mica_status header_read(struct bitmap *b) {
    if (b->size < FILE_HEADER + CORE_HEADER)
        return damaged(b, "cut off");
    const uint8_t *at = b->data + FILE_HEADER;
    const size_t header = u32(at);
    b->first = u32(b->data + 10);
    if (header != CORE_HEADER && (header < INFO_HEADER || header > b->size - FILE_HEADER))
        return damaged(b, "a header of no known size");
    if (header == CORE_HEADER) {
        b->width = u16(at + 4);
        b->height = u16(at + 6);
        b->bits = u16(at + 10);
    } else {
        b->width = i32(at + 4);
        b->height = i32(at + 8);
        b->from_top = b->height < 0;
        b->height = b->from_top ? -b->height : b->height;
        b->bits = u16(at + 14);
        b->compression = u32(at + 16);
        b->colours = u32(at + 32);
    }
    MICA_TRY(mica_image_check_size(b->name, b->height, b->width));
    const bool palette = b->bits == 1 || b->bits == 4 || b->bits == 8;
    const bool masks = b->bits == 16 || b->bits == 32;
    const bool known = b->compression == PLAIN ||
                       (masks && (b->compression == MASKED || b->compression == MASKED_ALPHA));
    if (!known || !(palette || masks || b->bits == 24))
        return mica_fail(MICA_E_FORMAT,
            "%s: a BMP of %u bits a pixel and compression %u, which is not read: save it "
            "uncompressed or as PNG",
            b->name, b->bits, b->compression);
    if (palette)
        return palette_find(b, header);
    return masks ? masks_read(b, header) : MICA_OK;
}

/* The bits of a mask as 0 to 255. */
static uint8_t masked(uint32_t bits, uint32_t mask) {
    const uint32_t lowest = mask & (~mask + 1), most = mask / lowest;
    return (uint8_t)(((uint64_t)((bits & mask) / lowest) * 255 + most / 2) / most);
}

static mica_status row_read(const struct bitmap *b, const uint8_t *row, uint8_t *to) {
    const bool alpha = b->mask[3] != 0;
    for (int64_t x = 0; x < b->width; x++, to += 3 + alpha) {
        if (b->palette) {
            const int64_t bit = x * b->bits;
            const uint32_t place = row[bit / 8] >> (8 - b->bits - bit % 8) & ((1u << b->bits) - 1);
            if (place >= b->colours)
                return damaged(b, "a colour that its palette lacks");
            for (size_t c = 0; c < 3; c++)
                to[c] = b->palette[place * b->entry + 2 - c];
        } else if (b->bits == 24) {
            for (int c = 0; c < 3; c++)
                to[c] = row[3 * x + 2 - c];
        } else {
            const uint32_t bits = b->bits == 16 ? u16(row + 2 * x) : u32(row + 4 * x);
            for (int c = 0; c < 3 + alpha; c++)
                to[c] = masked(bits, b->mask[c]);
        }
    }
    return MICA_OK;
}

/* Programs that know no transparency leave its bytes 0: then all is opaque. */
static void transparent(uint8_t *pixels, size_t count) {
    bool none = true;
    for (size_t i = 0; i < count && none; i++)
        none = !pixels[4 * i + 3];
    for (size_t i = 0; i < count && none; i++)
        pixels[4 * i + 3] = 255;
    mica_pixels_on_white(pixels, count, 3);
}

mica_status mica_bmp_decode(const char *name, const uint8_t *data, size_t size, mica_image *image) {
    struct bitmap b = {.name = name, .data = data, .size = size};
    MICA_TRY(header_read(&b));
    const size_t stride = ((size_t)b.width * b.bits + 31) / 32 * 4, height = (size_t)b.height;
    if (b.first > size || stride * height > size - b.first)
        return damaged(&b, "cut off");
    const size_t channels = b.mask[3] ? 4 : 3, width = (size_t)b.width;
    uint8_t *pixels = mica_alloc(height, width * channels);
    if (!pixels)
        return MICA_E_MEMORY;
    mica_status status = MICA_OK;
    for (size_t y = 0; y < height && status == MICA_OK; y++)
        status = row_read(&b, data + b.first + (b.from_top ? y : height - 1 - y) * stride,
            pixels + y * width * channels);
    if (status != MICA_OK) {
        free(pixels);
        return status;
    }
    if (channels == 4)
        transparent(pixels, height * width);
    *image = (mica_image){.height = b.height, .width = b.width, .channels = 3, .pixels = pixels};
    return MICA_OK;
}
