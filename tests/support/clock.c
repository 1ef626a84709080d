// A wall clock that a test can set: loaded before the C library. A file has two numbers of eight bytes: the seconds to add,
// and, if it is not zero, the nanoseconds since 1970 at which the clock stands still. (Debian's libfaketime does the same,
// but never ends beside jemalloc, which asks for the time before anything else runs.)
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *set;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CACHEBACK_CLOCK"), O_RDONLY);
    set = mmap(0, 2 * sizeof *set, PROT_READ, MAP_SHARED, file, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME && set) {
        int64_t still = set[1];
        if (still) {
            now->tv_sec = still / 1000000000;
            now->tv_nsec = still % 1000000000;
        }
        now->tv_sec += set[0];
    }
    return failed;
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
