/* Samples with their targets in host memory, and the batches that training reads from them. */
#ifndef MICA_DATA_H
#define MICA_DATA_H

#include <mica/io.h>
#include <mica/status.h>
#include <mica/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A set of samples of one shape, each with a target: what a network should say of it, mostly its
 * label. It never changes after it was made, so any number of threads may read it. Samples are kept
 * as they came: bytes, float32, the files of pictures, or int32 ids, which name things (characters,
 * users) and leave as they are. Each value that leaves as float32 is (raw value * scale - mean) /
 * deviation, the latter two by channel. */
typedef struct mica_dataset mica_dataset;

/* How a data set is made. Zero means the default. */
typedef struct mica_dataset_options {
    mica_shape sample;              /* of one sample; rank 0: as the file or array says */
    int32_t classes;                /* labels are 0 .. classes - 1; 0: the largest label + 1 */
    const char *const *class_names; /* `classes` names, copied; NULL: "0", "1", ... */
    float scale;                    /* 0: 1/255 for bytes, 1 for float32 */
    const float *mean, *deviation;  /* `channels` each, copied; NULL: 0 and 1 */
    int32_t channels;               /* the sample's last dimension, or 1: one number for all */
} mica_dataset_options;

typedef struct mica_dataset_info {
    int64_t count;           /* samples */
    mica_shape sample;       /* of one sample: (28, 28, 1), or (64) for rows of 64 numbers */
    mica_dtype dtype;        /* of samples */
    mica_shape target;       /* of one target; rank 0: one number */
    mica_dtype target_dtype; /* MICA_I32: classes; MICA_F32: numbers to come near to */
    float target_unit;       /* what 1 in a float32 target is in the data's own numbers */
    float target_lowest, target_highest; /* of ratings: no prediction is worse for being cut to this
                                            range; else both 0 */
    bool ordered; /* batches are not to be shuffled: each goes on where the one before ended */
    int32_t users, items;           /* of ratings, else 0 */
    uint64_t ids_hash;              /* of ratings: see mica_ratings_info */
    int32_t classes;                /* 0: targets are float32 */
    const char *const *class_names; /* `classes` of them */
    float scale;
    const float *mean, *deviation; /* `channels` each; NULL: 0 and 1 */
    int32_t channels;
    const char *const *skipped; /* files that were left out of pictures: "PATH: why" */
    int64_t n_skipped;
    const char *note; /* how a file was taken where that is not plain: "FILE: ..."; or NULL */
} mica_dataset_info;

/* Copies `count` samples, of `options->sample` (which must be given) each, and their labels.
 * A label out of range, a value that is not finite and a count of 0 are MICA_E_INVALID. */
MICA_API mica_status mica_dataset_from_bytes(const uint8_t *features, const int32_t *labels,
    int64_t count, const mica_dataset_options *options, mica_dataset **dataset);
MICA_API mica_status mica_dataset_from_floats(const float *features, const int32_t *labels,
    int64_t count, const mica_dataset_options *options, mica_dataset **dataset);

/* Reads images and labels from two IDX files of unsigned bytes, plain or gzip. Images of rank 3
 * (magic 2051: count, height, width) become samples (height, width, 1); of rank 2, 4 and more,
 * samples keep the dimensions after the first. The length must be exactly what the header says.
 * options may be NULL. Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database". */
MICA_API mica_status mica_dataset_from_idx(const char *images, const char *labels,
    const mica_dataset_options *options, mica_dataset **dataset);

/* Reads a text file, plain or gzip, of comma-separated numbers: a sample a line, its label (a whole
 * number) last. Numbers are decimal, with a point. A first line without any is one of column names:
 * the label is then the column that is called label, class, target, category or y, if there is one.
 * options may be NULL; the shape is (columns) unless given. */
MICA_API mica_status mica_dataset_from_csv(
    const char *path, const mica_dataset_options *options, mica_dataset **dataset);

/* Reads the training or the test part of "mnist" or "fashion-mnist" from its IDX files (plain or
 * .gz, with their published names) in FOLDER/<name>/ or in FOLDER itself. folder NULL is the data
 * folder in the user's cache, ~/.cache/mica/data, or ../shared/data where only that has the set.
 * options may be NULL. */
MICA_API mica_status mica_dataset_from_mnist(const char *folder, const char *name, bool train,
    const mica_dataset_options *options, mica_dataset **dataset);

/* Reads the training or the test part of CIFAR-10's binary version: records of a label and 1,024
 * bytes each of red, green and blue, which become samples (32, 32, 3). path is a folder: the
 * batches (data_batch_1.bin to data_batch_5.bin, test_batch.bin; or .bin.gz) or
 * cifar-10-binary.tar.gz, which is read as it is, are looked for in PATH/cifar10,
 * PATH/cifar-10-batches-bin and PATH itself; class names are those of batches.meta.txt where that
 * is there. path may also be one archive, or one file of records (then `train` has no meaning).
 * NULL: as for mica_dataset_from_mnist. options may be NULL. Format: A. Krizhevsky, "The CIFAR-10
 * dataset". */
MICA_API mica_status mica_dataset_from_cifar10(
    const char *path, bool train, const mica_dataset_options *options, mica_dataset **dataset);

typedef struct mica_images_options {
    /* sample: (height, width, 3) or (height, width, 1), must be given. class_names: these folders
     * in this order; NULL: all, sorted by name. */
    mica_dataset_options set;
    bool strict;     /* a file that cannot be read is MICA_E_FORMAT; else it is left out */
    uint64_t memory; /* bytes that the samples may take; 0: 2^30. See below. */
    mica_preprocess preprocess; /* how a picture becomes a sample; but its scale, mean and deviation
                                   are not looked at: those of `set` are */
    bool plain; /* a folder without folders will do: its pictures are of one class, named "" */
} mica_images_options;

/* Makes a set of the pictures in a folder: one folder a class, in it pictures (.jpg,
 * .jpeg, .png, .webp, .bmp), which become samples as mica_image_fit says, rounded to bytes. Folders
 * in it are of the same class, to any depth, each read once however many links lead there. Every
 * picture is decoded once. What is not read is named in the set's info: other files, pictures that
 * cannot be read and pictures beside the classes' folders; only hidden files are passed over. A
 * class with nothing left is MICA_E_FORMAT.
 * Where all samples take at most `memory` bytes they are kept; else each is read again from its
 * file whenever it is used, and the files must stay as they are. */
MICA_API mica_status mica_dataset_from_images(
    const char *folder, const mica_images_options *options, mica_dataset **dataset);

/* Reads codes of samples, as `mica encode` writes them, from a .npz file: arrays codes (count,
 * sample...), labels (count) and perhaps class_names; or, with `labels` not NULL, codes and labels
 * from a .npy file each. options may be NULL; names in it must be those of the file. */
MICA_API mica_status mica_dataset_from_npz(const char *path, const char *labels,
    const mica_dataset_options *options, mica_dataset **dataset);

/* Splits into `parts` disjoint sets. Which part a sample belongs to is drawn from the seed and a
 * hash of the sample's own content (of pictures that of their files), so that samples that are
 * added or stand in another order move none from one part to another, and equal samples are never
 * in different parts. A size is a fraction of the samples, above 0 and below 1, which the part has
 * about, or 0: the rest (for one part at most). Each part keeps the set's order. Sizes that exceed
 * 1 and a part that none falls into are MICA_E_INVALID. The parts share the samples' memory with
 * the set and may outlive it. Sets out[0 .. parts - 1]. */
MICA_API mica_status mica_dataset_split(const mica_dataset *dataset, uint64_t seed, size_t parts,
    const double *sizes, mica_dataset **out);

/* The samples first .. first + count - 1, sharing memory as mica_dataset_split does. */
MICA_API mica_status mica_dataset_slice(
    const mica_dataset *dataset, int64_t first, int64_t count, mica_dataset **out);

MICA_API void mica_dataset_destroy(mica_dataset **dataset);

/* Lives as long as the data set. */
MICA_API const mica_dataset_info *mica_dataset_get_info(const mica_dataset *dataset);

/* The file of sample `index`, of a set of pictures; NULL of other sets and out of range. Lives as
 * long as the data set. */
MICA_API const char *mica_dataset_file(const mica_dataset *dataset, int64_t index);

/* Files of pictures that could be read when the set was made, but no more when a loader wanted them
 * again and replaced them: "PATH: why" of the number-th that was noticed, from 0; NULL: there are
 * no more. The parts of a split have one list. Lives as long as the data set. */
MICA_API const char *mica_dataset_lost(const mica_dataset *dataset, size_t number);

/* Writes sample `index` and its target, each as many numbers as its shape has and of its type,
 * float32 or int32; either may be NULL. */
MICA_API mica_status mica_dataset_sample(
    const mica_dataset *dataset, int64_t index, void *sample, void *target);

/* Random changes of pictures, samples of (height, width, channels); those of zero are not made.
 * Each is drawn by Philox from the loader's seed, the epoch and the sample's number, so a sample's
 * changes depend on nothing else. What a crop brings in and a cutout takes out becomes 0, after
 * normalization: the mean colour where there is one. */
typedef struct mica_augment {
    int64_t crop_padding; /* pixels: shifted by up to so many, each way, along both axes */
    bool flip;            /* mirrored, left to right, with a chance of one half */
    float brightness;     /* times 1 - b to 1 + b; at most 1 */
    float contrast;       /* distances from the sample's mean times 1 - c to 1 + c; at most 1 */
    int64_t cutout;       /* side of a square around a random pixel (DeVries and Taylor 2017) */
} mica_augment;

/* Batches of a data set, prepared ahead by threads of its own. The calls of one loader are made by
 * one thread at a time. The batches depend only on the set, the options but `threads`, and the
 * position, so a loader set to a position continues exactly as one that came there by itself. */
typedef struct mica_loader mica_loader;

typedef struct mica_loader_options {
    int64_t batch;  /* samples in a batch, at least 1 */
    bool shuffle;   /* a new order every epoch; else, and where it is ordered, the set's order */
    bool drop_last; /* leave out a last batch that is not full; else fill it up with zeros */
    uint64_t seed;  /* of the shuffle and the changes */
    bool replace;   /* a picture that can no longer be read is replaced by the next of the set that
                       can, and noted (mica_dataset_lost); else it fails the batch */
    mica_augment augment; /* for training */
    int32_t threads; /* at most 64; 0: one, or for pictures read from files one a CPU, up to 8 */
} mica_loader_options;

typedef struct mica_batch {
    /* (batch, sample...), one of them, the other NULL; rows from `valid` on are 0. */
    const float *features;
    const int32_t *ids;
    /* (batch, target...), one of them, the other NULL; rows from `valid` on are 0. */
    const int32_t *labels;
    const float *targets;
    int64_t valid;        /* rows that hold a sample, at least 1 */
    int64_t epoch, index; /* the batch's position, both from 0 */
} mica_batch;

/* Starts at epoch 0, batch 0. The data set must outlive the loader. drop_last with fewer samples
 * than a batch is MICA_E_INVALID, and so is augment for samples that are no pictures. */
MICA_API mica_status mica_loader_create(
    const mica_dataset *dataset, const mica_loader_options *options, mica_loader **loader);
MICA_API void mica_loader_destroy(mica_loader **loader);

/* Batches in an epoch. */
MICA_API int64_t mica_loader_batches(const mica_loader *loader);

/* The next batch is `index` of `epoch`; an index of mica_loader_batches() is the start of the
 * following epoch. */
MICA_API mica_status mica_loader_seek(mica_loader *loader, int64_t epoch, int64_t index);

/* The next batch; after the last of an epoch comes the first of the following one, without end.
 * The batch's arrays stay valid until the next call with this loader. A picture that can no longer
 * be read, and is not replaced, fails each call until a seek. */
MICA_API mica_status mica_loader_next(mica_loader *loader, mica_batch *batch);

/* Seconds that mica_loader_next has spent waiting for batches so far. */
MICA_API double mica_loader_waited(const mica_loader *loader);

#ifdef __cplusplus
}
#endif
#endif
