/* Where blanks and words end, sixteen bytes at a time: most lines of a flat file begin with 12 or 21 blanks. */
#ifndef GENBANK_ASSETS_WORDS_H
#define GENBANK_ASSETS_WORDS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__) && defined(__GNUC__)
#include <emmintrin.h>
#define GENBANK_ASSETS_WORDS_SSE2 1
#endif

/* Blank, tab, carriage return. */
static inline int is_blank_byte(uint8_t c) { return c == ' ' || c == '\t' || c == '\r'; }

/* How many blanks `p` begins with. */
static inline size_t blanks_before(const uint8_t *p, size_t n) {
    size_t i = 0;
#ifdef GENBANK_ASSETS_WORDS_SSE2
    for (; n - i >= 16; i += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(p + i));
        const unsigned others = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(' '))) ^ 0xFFFFu;
        if (others) {
            i += (size_t)__builtin_ctz(others);
            break;
        }
    }
#endif
    while (i < n && is_blank_byte(p[i])) i++;
    return i;
}

/* How long the word is that `p` begins with: up to the first blank. */
static inline size_t word_before(const uint8_t *p, size_t n) {
    size_t i = 0;
#ifdef GENBANK_ASSETS_WORDS_SSE2
    for (; n - i >= 16; i += 16) {
        const __m128i v = _mm_loadu_si128((const __m128i *)(p + i));
        const __m128i blank = _mm_or_si128(
            _mm_cmpeq_epi8(v, _mm_set1_epi8(' ')),
            _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\r'))));
        const unsigned blanks = (unsigned)_mm_movemask_epi8(blank);
        if (blanks) return i + (size_t)__builtin_ctz(blanks);
    }
#endif
    while (i < n && !is_blank_byte(p[i])) i++;
    return i;
}

#endif
