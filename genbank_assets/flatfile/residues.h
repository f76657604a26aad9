/* Loops over residues and raw text that the compiler can turn into vector code.
 *
 * Layout of a sequence line: gbrel §3.4.13 -- a right-justified coordinate (9 columns, 10 from base
 * 1,000,000,000 on), then six groups of ten residues. Only whole lines of sixty take the quick way;
 * everything else goes through residues_slow.
 */
#ifndef GENBANK_ASSETS_RESIDUES_H
#define GENBANK_ASSETS_RESIDUES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>

/* Whether the first `width` (at most 16) bytes are blanks and then digits, at least one. Reads 16 bytes. */
static inline int is_coordinate(const uint8_t *p, size_t width) {
    const __m128i v = _mm_loadu_si128((const __m128i *)p), d = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    const unsigned all = (1u << width) - 1;
    const unsigned blanks = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(' '))) & all;
    const unsigned digits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8(9)), d)) & all;
    return !(blanks & (blanks + 1)) && digits && (blanks | digits) == all;
}

/* Copy sixty residues from "aaaaaaaaaa bbbbbbbbbb ..." in upper case; 1 when all are letters.
 * Reads 71 bytes, writes 66: the caller has that much on both sides. */
static inline int residues_sixty(const uint8_t *p, uint8_t *out) {
    const __m128i upper = _mm_set1_epi8((char)0xDF), a = _mm_set1_epi8('A'), span = _mm_set1_epi8(25);
    int ok = 0x3FF;
    for (int g = 0; g < 6; g++) {
        __m128i v = _mm_and_si128(_mm_loadu_si128((const __m128i *)(p + 11 * g)), upper);
        __m128i t = _mm_sub_epi8(v, a);
        ok &= _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(t, span), t));
        _mm_storeu_si128((__m128i *)(out + 10 * g), v);
    }
    return ok == 0x3FF;
}
#else
static inline int is_coordinate(const uint8_t *p, size_t width) {
    size_t i = 0;
    while (i < width - 1 && p[i] == ' ') i++;
    for (; i < width; i++)
        if (p[i] < '0' || p[i] > '9') return 0;
    return 1;
}

static inline int residues_sixty(const uint8_t *p, uint8_t *out) {
    uint8_t bad = 0;
    for (int g = 0; g < 6; g++) memcpy(out + 10 * g, p + 11 * g, 10);
    for (int i = 0; i < 60; i++) {
        uint8_t c = out[i] & 0xDF;
        out[i] = c;
        bad |= (uint8_t)(c - 'A') > 25;
    }
    return !bad;
}
#endif

/* The number that eight bytes spell, blanks for leading zeros. */
static inline int64_t eight_digits(const uint8_t *p) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t v;
    memcpy(&v, p, 8);
    v &= 0x0F0F0F0F0F0F0F0Full;
    v = v * 10 + (v >> 8);
    return (int64_t)((((v & 0x000000FF000000FFull) * 0x000F424000000064ull)
                      + (((v >> 16) & 0x000000FF000000FFull) * 0x0000271000000001ull)) >> 32);
#else
    int64_t v = 0;
    for (int i = 0; i < 8; i++) v = 10 * v + (p[i] & 15);
    return v;
#endif
}

/* Of nine or ten columns that is_coordinate() accepts. */
static inline int64_t coordinate(const uint8_t *p, size_t width) {
    const int64_t lead = width == 9 ? p[0] & 15 : 10 * (p[0] & 15) + (p[1] & 15);
    return 100000000 * lead + eight_digits(p + width - 8);
}

/* Copy what are residues of a fragment; blanks are skipped. -1 when a byte is neither. */
static inline ptrdiff_t residues_slow(const uint8_t *p, size_t n, uint8_t *out) {
    uint8_t *to = out;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            *to++ = c & 0xDF;
        else if (c == '*' || c == '-')
            *to++ = c;
        else if (c != ' ' && c != '\t' && c != '\r')
            return -1;
    }
    return to - out;
}

/* Where the first byte stands that residues_slow does not take; n when it takes all. */
static inline size_t residues_refused(const uint8_t *p, size_t n) {
    uint8_t out;
    size_t i = 0;
    while (i < n && residues_slow(p + i, 1, &out) >= 0) i++;
    return i;
}

/* Counts of G+C+S, and of A+C+G+T+U+W+S, added to gc and acgt. */
static inline __attribute__((always_inline)) void residues_gc_body(const uint8_t *p, size_t n, uint64_t *gc,
                                                                   uint64_t *acgt) {
    uint64_t strong = 0, weak = 0;
    while (n) {
        size_t block = n < 240 ? n : 240;
        uint8_t s = 0, w = 0;
        for (size_t i = 0; i < block; i++) {
            uint8_t c = p[i];
            s += (uint8_t)((c == 'G') | (c == 'C') | (c == 'S'));
            w += (uint8_t)((c == 'A') | (c == 'T') | (c == 'U') | (c == 'W'));
        }
        strong += s, weak += w;
        p += block, n -= block;
    }
    *gc += strong;
    *acgt += strong + weak;
}

/* 1 when every byte is 1..127: such text needs no further look before it becomes UTF-8. */
static inline __attribute__((always_inline)) int text_is_plain_body(const uint8_t *p, size_t n) {
    while (n) {
        size_t block = n < 4096 ? n : 4096;
        uint8_t odd = 0;
        for (size_t i = 0; i < block; i++) odd |= (uint8_t)((p[i] & 0x80) | (p[i] == 0));
        if (odd) return 0;
        p += block, n -= block;
    }
    return 1;
}

/* 1 when besides no byte is a carriage return: nor must lines be looked through for those. */
static inline __attribute__((always_inline)) int text_is_clean_body(const uint8_t *p, size_t n) {
    while (n) {
        size_t block = n < 4096 ? n : 4096;
        uint8_t odd = 0;
        for (size_t i = 0; i < block; i++) odd |= (uint8_t)((p[i] & 0x80) | (p[i] == 0) | (p[i] == 13));
        if (odd) return 0;
        p += block, n -= block;
    }
    return 1;
}

/* The same loops compiled twice: once with AVX2 for processors that have it. */
#if defined(__x86_64__) && defined(__GNUC__)
static int wide_vectors = -1;
#include <immintrin.h>

/* By hand, because the compiler widens the counters: thirty-two residues in fourteen instructions. */
__attribute__((target("avx2"))) static void residues_gc_wide(const uint8_t *p, size_t n, uint64_t *gc, uint64_t *acgt) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i strong = zero, weak = zero;
    while (n >= 32) {
        size_t steps = n >> 5 < 255 ? n >> 5 : 255;
        __m256i s = zero, w = zero;
        n -= steps << 5;
        for (; steps; steps--, p += 32) {
            __m256i v = _mm256_loadu_si256((const __m256i *)p);
            __m256i gcs = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('G')),
                                                          _mm256_cmpeq_epi8(v, _mm256_set1_epi8('C'))),
                                          _mm256_cmpeq_epi8(v, _mm256_set1_epi8('S')));
            /* A, T, U, W: T and U differ in their lowest bit alone. */
            __m256i atuw = _mm256_or_si256(
                _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('A')),
                                _mm256_cmpeq_epi8(v, _mm256_set1_epi8('W'))),
                _mm256_cmpeq_epi8(_mm256_or_si256(v, _mm256_set1_epi8(1)), _mm256_set1_epi8('U')));
            s = _mm256_sub_epi8(s, gcs);
            w = _mm256_sub_epi8(w, atuw);
        }
        strong = _mm256_add_epi64(strong, _mm256_sad_epu8(s, zero));
        weak = _mm256_add_epi64(weak, _mm256_sad_epu8(w, zero));
    }
    uint64_t a[4], b[4];
    _mm256_storeu_si256((__m256i *)a, strong);
    _mm256_storeu_si256((__m256i *)b, weak);
    *gc += a[0] + a[1] + a[2] + a[3];
    *acgt += a[0] + a[1] + a[2] + a[3] + b[0] + b[1] + b[2] + b[3];
    residues_gc_body(p, n, gc, acgt);
}
__attribute__((target("avx2"))) static int text_is_plain_wide(const uint8_t *p, size_t n) {
    return text_is_plain_body(p, n);
}
__attribute__((target("avx2"))) static int text_is_clean_wide(const uint8_t *p, size_t n) {
    return text_is_clean_body(p, n);
}
static inline int have_wide_vectors(void) {
    if (wide_vectors < 0) wide_vectors = __builtin_cpu_supports("avx2") ? 1 : 0;
    return wide_vectors;
}
static void residues_gc(const uint8_t *p, size_t n, uint64_t *gc, uint64_t *acgt) {
    if (have_wide_vectors())
        residues_gc_wide(p, n, gc, acgt);
    else
        residues_gc_body(p, n, gc, acgt);
}
static int text_is_plain(const uint8_t *p, size_t n) {
    return have_wide_vectors() ? text_is_plain_wide(p, n) : text_is_plain_body(p, n);
}
static int text_is_clean(const uint8_t *p, size_t n) {
    return have_wide_vectors() ? text_is_clean_wide(p, n) : text_is_clean_body(p, n);
}
#else
static void residues_gc(const uint8_t *p, size_t n, uint64_t *gc, uint64_t *acgt) { residues_gc_body(p, n, gc, acgt); }
static int text_is_plain(const uint8_t *p, size_t n) { return text_is_plain_body(p, n); }
static int text_is_clean(const uint8_t *p, size_t n) { return text_is_clean_body(p, n); }
#endif

/* 1 when the bytes are well-formed UTF-8 (RFC 3629). */
static int text_is_utf8(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint8_t c = p[i];
        size_t more;
        uint32_t code;
        if (c < 0x80) {
            i++;
            continue;
        }
        if (c >= 0xC2 && c <= 0xDF)
            more = 1, code = c & 0x1F;
        else if (c >= 0xE0 && c <= 0xEF)
            more = 2, code = c & 0x0F;
        else if (c >= 0xF0 && c <= 0xF4)
            more = 3, code = c & 0x07;
        else
            return 0;
        if (i + more >= n) return 0;
        for (size_t k = 1; k <= more; k++) {
            if ((p[i + k] & 0xC0) != 0x80) return 0;
            code = code << 6 | (p[i + k] & 0x3F);
        }
        if (more == 2 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF))) return 0;
        if (more == 3 && (code < 0x10000 || code > 0x10FFFF)) return 0;
        i += more + 1;
    }
    return 1;
}

#endif
