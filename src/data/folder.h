/* Where published data sets lie when nobody says. */
#ifndef MICA_DATA_FOLDER_H
#define MICA_DATA_FOLDER_H

/* The folder whose folder `name` has the set: the user's cache, unless the set only lies in
 * ../shared/data, beside the checkout that the program was started in. Free with free(); NULL (last
 * error set) where there is no cache folder. */
char *mica_data_folder(const char *name);

#endif
