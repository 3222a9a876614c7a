/* What the drawing files share: the document's frame, texts, the locale. */
#include "io/svg.h"

#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

mica_status mica_svg_begin(mica_svg *svg, double width, double height) {
    *svg = (mica_svg){0};
    svg->plain = newlocale(LC_ALL_MASK, "C", NULL);
    if (!svg->plain)
        return mica_fail(MICA_E_MEMORY, "out of host memory: locale");
    svg->callers = uselocale(svg->plain);
    mica_text_add(&svg->text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
        "viewBox=\"0 0 %.0f %.0f\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, "
        "'DejaVu Sans', Helvetica, Arial, sans-serif\" fill=\"#24292f\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
        width, height, width, height);
    return MICA_OK;
}

mica_status mica_svg_end(mica_svg *svg, const char *path) {
    mica_text_add(&svg->text, "</svg>\n");
    uselocale(svg->callers);
    freelocale(svg->plain);
    mica_status status =
        svg->text.failed ? MICA_E_MEMORY : mica_file_replace(path, svg->text.data, svg->text.size);
    free(svg->text.data);
    return status;
}

/* The bytes of the UTF-8 character at `text`, or 0 if it is none that XML allows. */
static size_t character(const char *text) {
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] < 0x80)
        return byte[0] >= 0x20 && byte[0] != 0x7f;
    size_t size = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xf0 && byte[1] < 0x90);
    bool surrogate = byte[0] == 0xed && byte[1] >= 0xa0;
    bool beyond = byte[0] == 0xf4 && byte[1] >= 0x90;
    bool forbidden = byte[0] == 0xef && byte[1] == 0xbf && byte[2] >= 0xbe;
    return overlong || surrogate || beyond || forbidden ? 0 : size;
}

void mica_svg_escape(mica_svg *svg, const char *text) {
    while (*text) {
        size_t size = character(text);
        if (size == 0)
            mica_text_add(&svg->text, "?");
        else if (*text == '&')
            mica_text_add(&svg->text, "&amp;");
        else if (*text == '<')
            mica_text_add(&svg->text, "&lt;");
        else if (*text == '>')
            mica_text_add(&svg->text, "&gt;");
        else if (*text == '"')
            mica_text_add(&svg->text, "&quot;");
        else
            mica_text_bytes(&svg->text, text, size);
        text += size ? size : 1;
    }
}

void mica_svg_label(mica_svg *svg, double x, double y, const char *anchor, double size,
    const char *more, const char *text) {
    mica_text_add(&svg->text,
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%.4g\"%s%s>", x, y, anchor,
        size, *more ? " " : "", more);
    mica_svg_escape(svg, text);
    mica_text_add(&svg->text, "</text>\n");
}

double mica_svg_width(const char *text, double size) {
    size_t characters = 0;
    for (; *text; text++)
        characters += (*text & 0xc0) != 0x80;
    return (double)characters * size * 0.6;
}
