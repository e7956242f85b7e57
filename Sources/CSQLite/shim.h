#pragma once
// What Swift cannot call of SQLite: the variadic sqlite3_config, and destructors that are casts of numbers.
#include <sqlite3.h>
#include <string.h>

/* SQLite's own allocator, and around it one that leaves nothing behind in memory that is given back. */
static inline sqlite3_mem_methods *dds_sqlite_memory(void)
{
    static sqlite3_mem_methods methods;
    return &methods;
}

static inline void dds_sqlite_wipe_free(void *block)
{
    if (block != NULL) explicit_bzero(block, (size_t)dds_sqlite_memory()->xSize(block));
    dds_sqlite_memory()->xFree(block);
}

static inline void *dds_sqlite_wipe_realloc(void *block, int size)
{
    void *larger = dds_sqlite_memory()->xMalloc(size);
    if (larger == NULL || block == NULL) return larger;
    int kept = dds_sqlite_memory()->xSize(block);
    memcpy(larger, block, (size_t)(kept < size ? kept : size));
    dds_sqlite_wipe_free(block);
    return larger;
}

/* Once, before any other call of the library. SQLITE_OK, or why not. */
static inline int dds_sqlite_start(void)
{
    int status = sqlite3_config(SQLITE_CONFIG_GETMALLOC, dds_sqlite_memory());
    if (status != SQLITE_OK) return status;
    sqlite3_mem_methods wiping = *dds_sqlite_memory();
    wiping.xFree = dds_sqlite_wipe_free;
    wiping.xRealloc = dds_sqlite_wipe_realloc;
    status = sqlite3_config(SQLITE_CONFIG_MALLOC, &wiping);
    if (status == SQLITE_OK) status = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    return status == SQLITE_OK ? sqlite3_initialize() : status;
}

/* The text is copied. */
static inline int dds_sqlite_bind_text(sqlite3_stmt *statement, int place, const char *text, int count)
{
    return sqlite3_bind_text(statement, place, text, count, SQLITE_TRANSIENT);
}
