/* A language model that reads and writes one character after the other. For run.c. */
#ifndef MICA_TRAIN_GENERATE_TEXT_H
#define MICA_TRAIN_GENERATE_TEXT_H

typedef struct mica_writer mica_writer;

void mica_writer_destroy(mica_writer **writer);

#endif
