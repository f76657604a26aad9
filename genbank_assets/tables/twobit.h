/* Text that is nearly all A, C, G and T as one zstd frame at two bits a residue (RFC 8878).
 *
 * What zstd itself would write if it knew that searching for matches is in vain and that the four letters are about
 * equally frequent: blocks of literals only, under one Huffman code of two bits a letter. Whatever stands between runs
 * of letters is a raw block, or one of a repeated byte (a gap of N). Every zstd decoder reads it. No block refers to
 * earlier text, so the window is one block, and a reader in a stream needs no more memory than that.
 */
#ifndef GENBANK_ASSETS_TWOBIT_H
#define GENBANK_ASSETS_TWOBIT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    TWOBIT_BLOCK = 128 * 1024, /* the most that a block of zstd holds */
    TWOBIT_RUN = 256,          /* letters that are worth a block of their own */
    TWOBIT_REPEAT = 16,        /* equal bytes that are */
    TWOBIT_BLOCK_HEAD = 3,
    TWOBIT_TREE = 1 + 'T' / 2, /* weights of the bytes below T, four bits each; that of T follows from them */
    TWOBIT_STEP = TWOBIT_BLOCK_HEAD + TWOBIT_BLOCK /* the most that is written before `most` is looked at again */
};

#define TWOBIT_MISFIT ((size_t)-1)

/* A, C, G, T are 0, 1, 2, 3: their order among bytes, by which Huffman codes of one length are numbered. */
static inline unsigned twobit_code(uint8_t c) { return ((c >> 1) & 3) ^ ((c >> 2) & 1); }
static inline int twobit_is_letter(uint8_t c) { return c == "ACGT"[twobit_code(c)]; }

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Letters at the beginning of p, in steps of 32. */
__attribute__((target("avx2"))) static size_t twobit_run_wide(const uint8_t *p, size_t n) {
    /* By the low four bits of a letter, the letter; 1 stands where no letter has such bits, also for a byte 0. */
    const __m256i letters = _mm256_setr_epi8(1, 'A', 1, 'C', 'T', 1, 1, 'G', 1, 1, 1, 1, 1, 1, 1, 1, /**/
                                             1, 'A', 1, 'C', 'T', 1, 1, 'G', 1, 1, 1, 1, 1, 1, 1, 1);
    const __m256i low = _mm256_set1_epi8(15);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(p + i));
        const __m256i expected = _mm256_shuffle_epi8(letters, _mm256_and_si256(v, low));
        if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, expected)) != -1) break;
    }
    return i;
}

/* Pack the last 32 letters before p + n, and so on towards p; returns how many letters are left at the beginning. */
__attribute__((target("avx2"))) static size_t twobit_pack_wide(const uint8_t *p, size_t n, uint8_t *out) {
    const __m256i two = _mm256_set1_epi8(3), one = _mm256_set1_epi8(1);
    const __m256i pairs = _mm256_set1_epi16(0x0104), fours = _mm256_set1_epi32(0x00010010);
    const __m256i backwards = _mm256_setr_epi8(12, 8, 4, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, /**/
                                               12, 8, 4, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    for (; n >= 32; n -= 32, out += 8) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(p + n - 32));
        __m256i x = _mm256_and_si256(_mm256_srli_epi16(v, 1), two);
        x = _mm256_xor_si256(x, _mm256_and_si256(_mm256_srli_epi16(v, 2), one));
        x = _mm256_madd_epi16(_mm256_maddubs_epi16(x, pairs), fours); /* four letters in every 32 bits */
        x = _mm256_shuffle_epi8(x, backwards);
        const uint32_t last = (uint32_t)_mm256_extract_epi32(x, 4), first = (uint32_t)_mm256_extract_epi32(x, 0);
        memcpy(out, &last, 4);
        memcpy(out + 4, &first, 4);
    }
    return n;
}
static inline int twobit_wide(void) { return __builtin_cpu_supports("avx2") != 0; }
#else
static size_t twobit_run_wide(const uint8_t *p, size_t n) { return 0; }
static size_t twobit_pack_wide(const uint8_t *p, size_t n, uint8_t *out) { return n; }
static inline int twobit_wide(void) { return 0; }
#endif

/* How many letters p begins with. */
static size_t twobit_run(const uint8_t *p, size_t n, int wide) {
    size_t i = wide ? twobit_run_wide(p, n) : 0;
    while (i < n && twobit_is_letter(p[i])) i++;
    return i;
}

/* A Huffman stream (RFC 8878 §4.2.2): letters from the last to the first, from the lowest bits up, then a bit 1.
 * Returns its bytes, n / 4 + 1. */
static size_t twobit_stream(const uint8_t *p, size_t n, uint8_t *out, int wide) {
    const size_t bytes = n / 4 + 1;
    size_t left = wide ? twobit_pack_wide(p, n, out) : n;
    uint8_t *to = out + (n - left) / 4;
    for (; left >= 4; left -= 4) {
        const uint8_t *q = p + left - 4;
        *to++ = (uint8_t)(twobit_code(q[0]) << 6 | twobit_code(q[1]) << 4 | twobit_code(q[2]) << 2 | twobit_code(q[3]));
    }
    unsigned rest = 1;
    for (size_t i = 0; i < left; i++) rest = rest << 2 | twobit_code(p[i]);
    *to = (uint8_t)rest;
    return bytes;
}

static inline size_t twobit_put(uint8_t *out, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> 8 * i);
    return bytes;
}

/* Head of a block (§3.1.1.2); types: 0 raw, 1 a byte repeated, 2 compressed. */
static inline size_t twobit_block_head(uint8_t *out, int last, unsigned type, size_t size) {
    return twobit_put(out, (uint64_t)(last != 0) | type << 1 | (uint64_t)size << 3, TWOBIT_BLOCK_HEAD);
}

/* A compressed block of n letters, TWOBIT_RUN to TWOBIT_BLOCK: literals in four streams (§3.1.1.3.1), no sequences. */
static size_t twobit_letters(const uint8_t *p, size_t n, uint8_t *out, int last, int with_tree, int wide) {
    uint8_t *const literals = out + TWOBIT_BLOCK_HEAD, *const tree = literals + 5;
    uint8_t *const jump = tree + (with_tree ? TWOBIT_TREE : 0), *to = jump + 6;
    const size_t part = (n + 3) / 4;
    if (with_tree) {
        tree[0] = 127 + 'T'; /* so many weights, as they are (§4.2.1.1) */
        memset(tree + 1, 0, TWOBIT_TREE - 1);
        for (const char *c = "ACG"; *c; c++) tree[1 + *c / 2] |= *c % 2 ? 1 : 1 << 4;
    }
    for (int k = 0; k < 4; k++) {
        const size_t bytes = twobit_stream(p + k * part, k < 3 ? part : n - 3 * part, to, wide);
        if (k < 3) twobit_put(jump + 2 * k, bytes, 2);
        to += bytes;
    }
    const size_t compressed = (size_t)(to - tree);
    twobit_put(literals, (with_tree ? 2u : 3u) | 3u << 2 | (uint64_t)n << 4 | (uint64_t)compressed << 22, 5);
    *to++ = 0; /* no sequences */
    twobit_block_head(out, last, 2, (size_t)(to - literals));
    return (size_t)(to - out);
}

/* Raw and repeated blocks for n bytes as they are; n may be 0 only for the last block. Room: n + a head per block. */
static size_t twobit_raw(const uint8_t *p, size_t n, uint8_t *out, int last) {
    uint8_t *to = out;
    do {
        const size_t piece = n < TWOBIT_BLOCK ? n : TWOBIT_BLOCK;
        to += twobit_block_head(to, last && piece == n, 0, piece);
        memcpy(to, p, piece);
        to += piece, p += piece, n -= piece;
    } while (n);
    return (size_t)(to - out);
}

static inline size_t twobit_same(const uint8_t *p, size_t n) {
    size_t i = 1;
    while (i < n && p[i] == p[0]) i++;
    return i;
}

/* Write head and text as one frame; returns its bytes, or TWOBIT_MISFIT when they would be more than `most`.
 * `out` has room for most + TWOBIT_STEP bytes, and head with its blocks fits in most. `wide`: there is AVX2. */
static size_t twobit_frame(const uint8_t *head, size_t head_n, const uint8_t *p, size_t n, uint8_t *out, size_t most,
                           int wide) {
    int with_tree = 1;
    uint8_t *to = out;
    to += twobit_put(to, 0xFD2FB528, 4);
    *to++ = 2 << 6;        /* content size in four bytes, no checksum, no dictionary */
    *to++ = (17 - 10) << 3; /* window of 2^17 bytes */
    to += twobit_put(to, head_n + n, 4);
    if (head_n) to += twobit_raw(head, head_n, to, n == 0);
    size_t begin = 0, i = 0; /* bytes from begin to i wait for a raw block */
    while (i < n) {
        const size_t ahead = n - i < TWOBIT_BLOCK ? n - i : TWOBIT_BLOCK;
        const size_t run = twobit_run(p + i, ahead, wide);
        const size_t same = run < ahead && run < TWOBIT_RUN ? twobit_same(p + i + run, ahead - run) : 0;
        const size_t next = run >= TWOBIT_RUN ? i : i + run; /* where this step's own block would begin */
        const int own = run >= TWOBIT_RUN || same >= TWOBIT_REPEAT;
        i = own ? next : i + run + same;
        if ((own || i == n || i - begin >= TWOBIT_BLOCK / 2) && i > begin) {
            to += twobit_raw(p + begin, i - begin, to, !own && i == n);
            begin = i;
            if ((size_t)(to - out) > most) return TWOBIT_MISFIT;
        }
        if (!own) continue;
        if (run >= TWOBIT_RUN) {
            to += twobit_letters(p + i, run, to, i + run == n, with_tree, wide);
            with_tree = 0;
            i += run;
        } else {
            to += twobit_block_head(to, i + same == n, 1, same);
            *to++ = p[i];
            i += same;
        }
        begin = i;
        if ((size_t)(to - out) > most) return TWOBIT_MISFIT;
    }
    if (n == 0 && head_n == 0) to += twobit_raw(p, 0, to, 1);
    return (size_t)(to - out) > most ? TWOBIT_MISFIT : (size_t)(to - out);
}

#endif
