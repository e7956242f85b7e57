#pragma once
#include <uv.h>

/* uv_loop_configure is variadic and therefore not imported. */
static inline int dds_uv_measure_idle_time(uv_loop_t *loop) {
    return uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
}

/* Declared by glibc only for programs that define _GNU_SOURCE, which the importer does not. */
#include <sys/socket.h>
#include <pthread.h>
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
extern int sync_file_range(int descriptor, off_t offset, off_t count, unsigned flags);

/* Starts writing these bytes to the medium and does not wait: SYNC_FILE_RANGE_WRITE. */
static inline int dds_start_writing(int descriptor, off_t offset, off_t count) {
    return sync_file_range(descriptor, offset, count, 2);
}
extern int pthread_setname_np(pthread_t thread, const char *name);

struct dds_peer_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* SO_PEERCRED; 0 when the kernel answered. */
static inline int dds_get_peer_credentials(int descriptor, struct dds_peer_credentials *credentials) {
    socklen_t length = sizeof *credentials;
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, &length);
}
