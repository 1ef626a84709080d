// A clock that stands still until a test moves it: loaded before the C library, with the nanoseconds since 1970 in a file.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *nanos;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CACHEBACK_CLOCK"), O_RDONLY);
    nanos = mmap(0, sizeof *nanos, PROT_READ, MAP_SHARED, file, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (clock == CLOCK_REALTIME && nanos) {
        now->tv_sec = *nanos / 1000000000;
        now->tv_nsec = *nanos % 1000000000;
        return 0;
    }
    return syscall(SYS_clock_gettime, clock, now);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *at) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (at) {
        *at = precise.tv_sec;
    }
    return precise.tv_sec;
}
