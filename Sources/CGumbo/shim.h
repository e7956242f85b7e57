#pragma once
// Gumbo with a bound on everything. The library checks neither memory nor depth, and frees its tree by recursion: here all that it
// asks for is counted and hangs on a list, and a parse that costs too much is left with a jump over nothing but C.
#include <gumbo.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum {
    DDS_GUMBO_PARSED,
    /* More elements open at once than `open_max`. */
    DDS_GUMBO_TOO_DEEP,
    /* More memory than `octets_max`. */
    DDS_GUMBO_TOO_LARGE,
    /* More processor time than `milliseconds_max`. */
    DDS_GUMBO_TOO_LONG,
} dds_gumbo_end;

struct dds_gumbo_limits {
    size_t octets_max;
    size_t open_max;
    long milliseconds_max;
};

struct dds_gumbo_block {
    struct dds_gumbo_block *previous, *next;
    size_t size;
    size_t unused;
};

struct dds_gumbo_parse {
    struct dds_gumbo_limits limits;
    struct dds_gumbo_block blocks;
    size_t octets;
    unsigned long requests;
    struct timespec begin;
    /* The vector of open elements: the first of that size; it grows by a new one that is asked for before the old one is freed. */
    struct dds_gumbo_block *open, *newest;
    dds_gumbo_end end;
    jmp_buf way_out;
    GumboOutput *output;
};

/* Ten pointers, with which the library begins its vector of open elements. */
#define DDS_GUMBO_OPEN_SIZE (10 * sizeof(void *))

static inline void dds_gumbo_leave(struct dds_gumbo_parse *parse, dds_gumbo_end end)
{
    parse->end = end;
    longjmp(parse->way_out, 1);
}

static inline long dds_gumbo_milliseconds(struct dds_gumbo_parse *parse)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (now.tv_sec - parse->begin.tv_sec) * 1000 + (now.tv_nsec - parse->begin.tv_nsec) / 1000000;
}

static void *dds_gumbo_allocate(void *context, size_t size)
{
    struct dds_gumbo_parse *parse = (struct dds_gumbo_parse *)context;
    if (size > parse->limits.octets_max || parse->octets > parse->limits.octets_max - size)
        dds_gumbo_leave(parse, DDS_GUMBO_TOO_LARGE);
    if (++parse->requests % 256 == 0 && dds_gumbo_milliseconds(parse) > parse->limits.milliseconds_max)
        dds_gumbo_leave(parse, DDS_GUMBO_TOO_LONG);
    struct dds_gumbo_block *block = (struct dds_gumbo_block *)malloc(sizeof *block + size);
    if (block == NULL) dds_gumbo_leave(parse, DDS_GUMBO_TOO_LARGE);
    block->size = size;
    block->previous = &parse->blocks;
    block->next = parse->blocks.next;
    if (block->next != NULL) block->next->previous = block;
    parse->blocks.next = block;
    parse->octets += size;
    parse->newest = block;
    if (parse->open == NULL && size == DDS_GUMBO_OPEN_SIZE) parse->open = block;
    return block + 1;
}

static void dds_gumbo_free(void *context, void *place)
{
    struct dds_gumbo_parse *parse = (struct dds_gumbo_parse *)context;
    if (place == NULL) return;
    struct dds_gumbo_block *block = (struct dds_gumbo_block *)place - 1;
    if (block == parse->open && parse->newest != NULL && parse->newest->size == 2 * block->size) {
        parse->open = parse->newest;
        if (parse->open->size / sizeof(void *) > parse->limits.open_max) dds_gumbo_leave(parse, DDS_GUMBO_TOO_DEEP);
    }
    if (block == parse->newest) parse->newest = NULL;
    block->previous->next = block->next;
    if (block->next != NULL) block->next->previous = block->previous;
    parse->octets -= block->size;
    free(block);
}

static void dds_gumbo_end_parse(struct dds_gumbo_parse *parse)
{
    struct dds_gumbo_block *block = parse->blocks.next;
    while (block != NULL) {
        struct dds_gumbo_block *next = block->next;
        free(block);
        block = next;
    }
    free(parse);
}

/* The tree of a document, or why there is none; null without memory. `text` must live as long as the parse. */
static struct dds_gumbo_parse *dds_gumbo_begin_parse(const char *text, size_t length, struct dds_gumbo_limits limits)
{
    struct dds_gumbo_parse *parse = (struct dds_gumbo_parse *)calloc(1, sizeof *parse);
    if (parse == NULL) return NULL;
    parse->limits = limits;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &parse->begin);
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = dds_gumbo_allocate;
    options.deallocator = dds_gumbo_free;
    options.userdata = parse;
    options.max_errors = 0;
    if (setjmp(parse->way_out) == 0) parse->output = gumbo_parse_with_options(&options, text, length);
    return parse;
}
