/* What well-known networks expect of pictures. */
#include <mica/io.h>

#include <string.h>

/* Mean colours: of ImageNet's training pictures, as published with each network. */
static const struct {
    const char *name;
    mica_preprocess how;
} presets[] = {
    {"alexnet",
        {.size = 256, .crop = 227, .bgr = true, .mean = {104.00699f, 116.66877f, 122.67892f}}},
    {"vgg", {.size = 256, .crop = 224, .bgr = true, .mean = {103.939f, 116.779f, 123.68f}}},
    {"torchvision", {.size = 256,
                        .crop = 224,
                        .scale = 1.0f / 255,
                        .mean = {0.485f, 0.456f, 0.406f},
                        .deviation = {0.229f, 0.224f, 0.225f}}},
    {"squeezenet", {.size = 256, .crop = 227, .bgr = true, .mean = {104, 117, 123}}},
};
#define PRESETS (sizeof presets / sizeof *presets)

const mica_preprocess *mica_preprocess_preset(const char *name) {
    for (size_t i = 0; i < PRESETS; i++)
        if (!strcmp(presets[i].name, name))
            return &presets[i].how;
    return NULL;
}

const char *mica_preprocess_name(size_t index) {
    return index < PRESETS ? presets[index].name : NULL;
}
