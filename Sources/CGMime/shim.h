#pragma once
// GMime's casts and type tests are macros, which Swift cannot see.
#include <gmime/gmime.h>

typedef enum {
    DDS_MIME_OTHER,
    DDS_MIME_MULTIPART,
    DDS_MIME_MESSAGE,
    DDS_MIME_TEXT,
    DDS_MIME_LEAF,
} dds_mime_kind;

static inline dds_mime_kind dds_mime_kind_of(GMimeObject *object)
{
    if (GMIME_IS_MULTIPART(object)) return DDS_MIME_MULTIPART;
    if (GMIME_IS_MESSAGE_PART(object)) return DDS_MIME_MESSAGE;
    if (GMIME_IS_TEXT_PART(object)) return DDS_MIME_TEXT;
    if (GMIME_IS_PART(object)) return DDS_MIME_LEAF;
    return DDS_MIME_OTHER;
}

static inline GMimeMultipart *dds_mime_as_multipart(GMimeObject *object) { return GMIME_MULTIPART(object); }
static inline GMimeMessagePart *dds_mime_as_message_part(GMimeObject *object) { return GMIME_MESSAGE_PART(object); }
static inline GMimePart *dds_mime_as_part(GMimeObject *object) { return GMIME_PART(object); }
static inline GMimeObject *dds_mime_message_as_object(GMimeMessage *message) { return GMIME_OBJECT(message); }
static inline GMimeObject *dds_mime_part_as_object(GMimePart *part) { return GMIME_OBJECT(part); }
static inline GMimeObject *dds_mime_text_as_object(GMimeTextPart *part) { return GMIME_OBJECT(part); }
static inline GMimePart *dds_mime_text_as_part(GMimeTextPart *part) { return GMIME_PART(part); }
static inline GMimeObject *dds_mime_multipart_as_object(GMimeMultipart *multipart) { return GMIME_OBJECT(multipart); }
static inline GMimeStreamMem *dds_mime_stream_as_mem(GMimeStream *stream) { return GMIME_STREAM_MEM(stream); }
static inline GMimeStreamFilter *dds_mime_stream_as_filter(GMimeStream *stream) { return GMIME_STREAM_FILTER(stream); }

// Null when the address is a group or a mailbox, respectively.
static inline InternetAddressMailbox *dds_mime_as_mailbox(InternetAddress *address)
{
    return INTERNET_ADDRESS_IS_MAILBOX(address) ? INTERNET_ADDRESS_MAILBOX(address) : NULL;
}
static inline InternetAddressGroup *dds_mime_as_group(InternetAddress *address)
{
    return INTERNET_ADDRESS_IS_GROUP(address) ? INTERNET_ADDRESS_GROUP(address) : NULL;
}
