#pragma once
#include <errno.h>
#include <malloc.h>
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

// The size of a heap object, by which DDSSeal knows that a key of swift-crypto's lies in memory as expected; Swift's Glibc has
// no malloc.h.
static inline size_t dds_heap_bytes(void *object) {
    return malloc_usable_size(object);
}
