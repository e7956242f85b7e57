#pragma once
// ICU renames its functions by version with macros, which Swift cannot see; and its constant objects are opened once, here.
#include <pthread.h>
#include <stdbool.h>
#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>

struct dds_icu_objects {
    UIDNA *names;
    USpoofChecker *scripts;
    const UNormalizer2 *folding;
    const UNormalizer2 *taking_apart;
    const UNormalizer2 *putting_together;
};

static inline struct dds_icu_objects dds_icu_open(void)
{
    UErrorCode error = U_ZERO_ERROR;
    struct dds_icu_objects opened = {0}, nothing = {0};
    opened.names = uidna_openUTS46(
        UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE, &error);
    opened.scripts = uspoof_open(&error);
    opened.folding = unorm2_getNFKCCasefoldInstance(&error);
    opened.taking_apart = unorm2_getNFDInstance(&error);
    opened.putting_together = unorm2_getNFCInstance(&error);
    if (U_FAILURE(error)) return nothing;
    uspoof_setChecks(opened.scripts, USPOOF_RESTRICTION_LEVEL | USPOOF_INVISIBLE | USPOOF_MIXED_NUMBERS, &error);
    uspoof_setRestrictionLevel(opened.scripts, USPOOF_SINGLE_SCRIPT_RESTRICTIVE);
    return opened;
}

/* Never changed once they are open, and then safe on any thread. Empty when ICU has not the data it needs. */
static inline struct dds_icu_objects dds_icu(void)
{
    static struct dds_icu_objects opened;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (opened.names == NULL) opened = dds_icu_open();
    struct dds_icu_objects found = opened;
    pthread_mutex_unlock(&lock);
    return found;
}

/* The octets written to `target`; -1 for a name that IDNA refuses or that is too long. */
static inline int32_t dds_icu_host(const char *name, int32_t length, bool to_ascii, char *target, int32_t capacity)
{
    struct dds_icu_objects icu = dds_icu();
    if (icu.names == NULL) return -1;
    UErrorCode error = U_ZERO_ERROR;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    int32_t size = to_ascii
        ? uidna_nameToASCII_UTF8(icu.names, name, length, target, capacity, &info, &error)
        : uidna_nameToUnicodeUTF8(icu.names, name, length, target, capacity, &info, &error);
    return U_FAILURE(error) || info.errors != 0 || size > capacity ? -1 : size;
}

/* The octets written to `target`; -1 when it is too small. */
static inline int32_t dds_icu_skeleton(const char *text, int32_t length, char *target, int32_t capacity)
{
    struct dds_icu_objects icu = dds_icu();
    if (icu.names == NULL) return -1;
    UErrorCode error = U_ZERO_ERROR;
    int32_t size = uspoof_getSkeletonUTF8(icu.scripts, 0, text, length, target, capacity, &error);
    return U_FAILURE(error) || size > capacity ? -1 : size;
}

/* Whether all letters are of one script, or of those that one language writes together (UTS 39, section 5.2). */
static inline bool dds_icu_is_single_script(const char *text, int32_t length)
{
    struct dds_icu_objects icu = dds_icu();
    if (icu.names == NULL) return false;
    UErrorCode error = U_ZERO_ERROR;
    int32_t found = uspoof_check2UTF8(icu.scripts, text, length, NULL, &error);
    return U_SUCCESS(error) && found == 0;
}

/* NFKC with case folded, from and to UTF-16; -1 when `target` is too small. */
static inline int32_t dds_icu_folded(const UChar *text, int32_t length, UChar *target, int32_t capacity)
{
    struct dds_icu_objects icu = dds_icu();
    if (icu.names == NULL) return -1;
    UErrorCode error = U_ZERO_ERROR;
    int32_t size = unorm2_normalize(icu.folding, text, length, target, capacity, &error);
    return U_FAILURE(error) || size > capacity ? -1 : size;
}

/* NFD, or NFC when `together`, from and to UTF-16; -1 when `target` is too small. */
static inline int32_t dds_icu_normalized(bool together, const UChar *text, int32_t length, UChar *target, int32_t capacity)
{
    struct dds_icu_objects icu = dds_icu();
    if (icu.names == NULL) return -1;
    UErrorCode error = U_ZERO_ERROR;
    int32_t size = unorm2_normalize(together ? icu.putting_together : icu.taking_apart, text, length, target, capacity, &error);
    return U_FAILURE(error) || size > capacity ? -1 : size;
}

/* What a character is to whoever looks for words in a text. */
enum dds_icu_kind {
    DDS_ICU_GAP,
    DDS_ICU_LETTER,
    DDS_ICU_MARK,
    /* Of a script that is written without gaps between its words. */
    DDS_ICU_UNSPACED,
    /* Belongs to the script of what stands before it. */
    DDS_ICU_LENGTHENER,
};

/* A letter whose marks are often left out: accents, and the points of Arabic and Hebrew. */
static inline bool dds_icu_may_lose_marks(UChar32 character)
{
    UErrorCode error = U_ZERO_ERROR;
    switch (uscript_getScript(character, &error)) {
    case USCRIPT_LATIN: case USCRIPT_GREEK: case USCRIPT_CYRILLIC: case USCRIPT_ARABIC: case USCRIPT_HEBREW: return true;
    default: return false;
    }
}

static inline enum dds_icu_kind dds_icu_part(UChar32 character)
{
    UErrorCode error = U_ZERO_ERROR;
    uint32_t category = U_GET_GC_MASK(character);
    if (category & U_GC_M_MASK) return DDS_ICU_MARK;
    if (!(category & (U_GC_L_MASK | U_GC_N_MASK | U_GC_CO_MASK))) return DDS_ICU_GAP;
    switch (uscript_getScript(character, &error)) {
    case USCRIPT_HAN: case USCRIPT_HIRAGANA: case USCRIPT_KATAKANA: case USCRIPT_HANGUL: case USCRIPT_BOPOMOFO: case USCRIPT_YI:
    case USCRIPT_THAI: case USCRIPT_LAO: case USCRIPT_KHMER: case USCRIPT_MYANMAR: return DDS_ICU_UNSPACED;
    case USCRIPT_COMMON: case USCRIPT_INHERITED: return category & U_GC_LM_MASK ? DDS_ICU_LENGTHENER : DDS_ICU_LETTER;
    default: return DDS_ICU_LETTER;
    }
}
