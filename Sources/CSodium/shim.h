#pragma once
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

// prctl(2) is variadic and so unknown to Swift; these name the only uses. Each returns 0 or an errno value.

static inline int dds_forbid_core_dumps(void) {
    struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_CORE, &none) == 0 ? 0 : errno;
}

static inline int dds_forbid_tracing(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno;
}

static inline int dds_forbid_new_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

static inline int dds_is_dumpable(void) {
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static inline unsigned long dds_core_limit(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_CORE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

// The signals of a crash, back to what the kernel does with them. The Swift runtime has its own handlers, which start a program
// that reads registers and memory of the crashed process and prints them.
static inline void dds_crash_silently(void) {
    static const int crashes[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGBUS, SIGSEGV};
    for (size_t index = 0; index < sizeof crashes / sizeof *crashes; index++)
        signal(crashes[index], SIG_DFL);
}

// The size of a heap object, by which DDSSeal knows that a key of swift-crypto's lies in memory as expected; Swift's Glibc has
// no malloc.h.
static inline size_t dds_heap_bytes(void *object) {
    return malloc_usable_size(object);
}
