/* Status codes and the text of the last error. */
#ifndef MICA_STATUS_H
#define MICA_STATUS_H

#if defined(__GNUC__)
#define MICA_API __attribute__((visibility("default")))
#else
#define MICA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a call that can fail returns. The first group is the caller's to mend (the program `mica`
 * exits with 2), the second happened while running (it exits with 1). */
typedef enum mica_status {
    MICA_OK = 0,
    MICA_E_INVALID,     /* an argument, shape, option or recipe that cannot be */
    MICA_E_FORMAT,      /* a file whose content is not what it claims */
    MICA_E_NOT_FOUND,   /* a file, device, name or data set that is not there */
    MICA_E_UNSUPPORTED, /* something that this device or build does not offer */
    MICA_E_MEMORY,      /* host or device memory ran out */
    MICA_E_IO,          /* reading or writing failed */
    MICA_E_DEVICE,      /* a driver reported an error */
    MICA_E_LOST,        /* the device is gone; every later call on it returns this too */
    MICA_E_NUMERIC,     /* NaN or infinity where training needs numbers */
    MICA_E_INTERRUPTED  /* stopped on request; state was saved */
} mica_status;

/* The name of a status, for example "invalid". Static storage, never NULL. */
MICA_API const char *mica_status_name(mica_status status);

/* What was wanted, what came and what to do, of the last call that failed on this thread. Valid
 * until the next failing call on this thread; "" when none failed. Never NULL. */
MICA_API const char *mica_last_error(void);

#ifdef __cplusplus
}
#endif
#endif
