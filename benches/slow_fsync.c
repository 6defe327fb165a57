/* Preloaded, makes every fsync and fdatasync take SLOW_FSYNC_MICROS longer: a disk where durability costs what it does on a
   server without a cache that survives a power cut. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void rest(void) {
  const char *micros = getenv("SLOW_FSYNC_MICROS");
  long nanos = micros ? atol(micros) * 1000 : 0;
  struct timespec span = {nanos / 1000000000, nanos % 1000000000};
  nanosleep(&span, NULL);
}

int fsync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  rest();
  return real(file);
}

int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  rest();
  return real(file);
}
