/* SHA-256 (FIPS 180-4) for the scanner: streaming, no allocation, no Python.
 *
 * Why not a library: the digests of every record are taken inside loops that hold no Python object, and no C
 * crypto library is certain to be installed with its headers (docs/decisions/0002). Uses the SHA extensions of
 * x86-64 where the processor has them, portable C elsewhere; both paths are tested against hashlib.
 */
#ifndef GENBANK_ASSETS_SHA256_H
#define GENBANK_ASSETS_SHA256_H

#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} sha256_t;

static const uint32_t sha256_k[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define SHA256_ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

static void sha256_blocks_portable(uint32_t *state, const uint8_t *p, size_t blocks) {
    uint32_t w[64];
    while (blocks--) {
        for (int i = 0; i < 16; i++, p += 4)
            w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (SHA256_ROTR(a, 7) ^ SHA256_ROTR(a, 18) ^ (a >> 3)) +
                   (SHA256_ROTR(b, 17) ^ SHA256_ROTR(b, 19) ^ (b >> 10));
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = h + (SHA256_ROTR(e, 6) ^ SHA256_ROTR(e, 11) ^ SHA256_ROTR(e, 25)) + ((e & f) ^ (~e & g)) +
                          sha256_k[i] + w[i];
            uint32_t t2 = (SHA256_ROTR(a, 2) ^ SHA256_ROTR(a, 13) ^ SHA256_ROTR(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define SHA256_HAVE_NI 1

/* Four rounds with message words m; m_next takes its share of the schedule. */
__attribute__((target("sha,sse4.1,ssse3"))) static void sha256_blocks_ni(uint32_t *state, const uint8_t *p,
                                                                         size_t blocks) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0bULL, 0x0405060700010203ULL);
    __m128i tmp = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&state[0]), 0xB1);
    __m128i s1 = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&state[4]), 0x1B);
    __m128i s0 = _mm_alignr_epi8(tmp, s1, 8);
    s1 = _mm_blend_epi16(s1, tmp, 0xF0);
    while (blocks--) {
        const __m128i keep0 = s0, keep1 = s1;
        __m128i m[4];
        for (int i = 0; i < 4; i++)
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), order);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i w = m[i & 3];
            __m128i k = _mm_add_epi32(w, _mm_load_si128((const __m128i *)&sha256_k[4 * i]));
            s1 = _mm_sha256rnds2_epu32(s1, s0, k);
            s0 = _mm_sha256rnds2_epu32(s0, s1, _mm_shuffle_epi32(k, 0x0E));
            if (i < 12) {
                __m128i x = _mm_sha256msg1_epu32(w, m[(i + 1) & 3]);
                x = _mm_add_epi32(x, _mm_alignr_epi8(m[(i + 3) & 3], m[(i + 2) & 3], 4));
                m[i & 3] = _mm_sha256msg2_epu32(x, m[(i + 3) & 3]);
            }
        }
        s0 = _mm_add_epi32(s0, keep0);
        s1 = _mm_add_epi32(s1, keep1);
        p += 64;
    }
    tmp = _mm_shuffle_epi32(s0, 0x1B);
    s1 = _mm_shuffle_epi32(s1, 0xB1);
    _mm_storeu_si128((__m128i *)&state[0], _mm_blend_epi16(tmp, s1, 0xF0));
    _mm_storeu_si128((__m128i *)&state[4], _mm_alignr_epi8(s1, tmp, 8));
}

/* Two independent streams at once: one stream alone waits for its own rounds most of the time. */
__attribute__((target("sha,sse4.1,ssse3"))) static void sha256_pair_ni(uint32_t *left, const uint8_t *p,
                                                                       uint32_t *right, const uint8_t *q,
                                                                       size_t blocks) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0bULL, 0x0405060700010203ULL);
    __m128i t = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&left[0]), 0xB1);
    __m128i a1 = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&left[4]), 0x1B);
    __m128i a0 = _mm_alignr_epi8(t, a1, 8);
    a1 = _mm_blend_epi16(a1, t, 0xF0);
    t = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&right[0]), 0xB1);
    __m128i b1 = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)&right[4]), 0x1B);
    __m128i b0 = _mm_alignr_epi8(t, b1, 8);
    b1 = _mm_blend_epi16(b1, t, 0xF0);
    while (blocks--) {
        const __m128i ka0 = a0, ka1 = a1, kb0 = b0, kb1 = b1;
        __m128i m[4], w[4];
        for (int i = 0; i < 4; i++) {
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), order);
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(q + 16 * i)), order);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            const __m128i k = _mm_load_si128((const __m128i *)&sha256_k[4 * i]);
            __m128i x = _mm_add_epi32(m[i & 3], k), y = _mm_add_epi32(w[i & 3], k);
            a1 = _mm_sha256rnds2_epu32(a1, a0, x);
            b1 = _mm_sha256rnds2_epu32(b1, b0, y);
            a0 = _mm_sha256rnds2_epu32(a0, a1, _mm_shuffle_epi32(x, 0x0E));
            b0 = _mm_sha256rnds2_epu32(b0, b1, _mm_shuffle_epi32(y, 0x0E));
            if (i < 12) {
                x = _mm_sha256msg1_epu32(m[i & 3], m[(i + 1) & 3]);
                y = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
                x = _mm_add_epi32(x, _mm_alignr_epi8(m[(i + 3) & 3], m[(i + 2) & 3], 4));
                y = _mm_add_epi32(y, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                m[i & 3] = _mm_sha256msg2_epu32(x, m[(i + 3) & 3]);
                w[i & 3] = _mm_sha256msg2_epu32(y, w[(i + 3) & 3]);
            }
        }
        a0 = _mm_add_epi32(a0, ka0), a1 = _mm_add_epi32(a1, ka1);
        b0 = _mm_add_epi32(b0, kb0), b1 = _mm_add_epi32(b1, kb1);
        p += 64, q += 64;
    }
    t = _mm_shuffle_epi32(a0, 0x1B);
    a1 = _mm_shuffle_epi32(a1, 0xB1);
    _mm_storeu_si128((__m128i *)&left[0], _mm_blend_epi16(t, a1, 0xF0));
    _mm_storeu_si128((__m128i *)&left[4], _mm_alignr_epi8(a1, t, 8));
    t = _mm_shuffle_epi32(b0, 0x1B);
    b1 = _mm_shuffle_epi32(b1, 0xB1);
    _mm_storeu_si128((__m128i *)&right[0], _mm_blend_epi16(t, b1, 0xF0));
    _mm_storeu_si128((__m128i *)&right[4], _mm_alignr_epi8(b1, t, 8));
}

#include <cpuid.h>
static int sha256_detect(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    return (b >> 29) & 1 && __builtin_cpu_supports("sse4.1");
}
#else
#define SHA256_HAVE_NI 0
static int sha256_detect(void) { return 0; }
#endif

/* 0 = portable, 1 = SHA extensions; tests set it to try both. */
static int sha256_accelerated = 0;

static inline void sha256_blocks(uint32_t *state, const uint8_t *p, size_t blocks) {
#if SHA256_HAVE_NI
    if (sha256_accelerated) {
        sha256_blocks_ni(state, p, blocks);
        return;
    }
#endif
    sha256_blocks_portable(state, p, blocks);
}

static void sha256_init(sha256_t *h) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(h->state, start, sizeof start);
    h->bytes = 0;
}

static void sha256_update(sha256_t *h, const uint8_t *p, size_t n) {
    size_t have = h->bytes & 63;
    h->bytes += n;
    if (have) {
        size_t want = 64 - have;
        if (n < want) {
            memcpy(h->block + have, p, n);
            return;
        }
        memcpy(h->block + have, p, want);
        sha256_blocks(h->state, h->block, 1);
        p += want, n -= want;
    }
    sha256_blocks(h->state, p, n >> 6);
    if (n & 63) memcpy(h->block, p + (n & ~(size_t)63), n & 63);
}

/* Bring a stream to a block's edge; returns how many bytes that took. */
static size_t sha256_align(sha256_t *h, const uint8_t *p, size_t n) {
    size_t have = h->bytes & 63;
    size_t want = have ? 64 - have : 0;
    if (want > n) want = n;
    if (want) sha256_update(h, p, want);
    return want;
}

/* Update two streams side by side as far as both go, and advance their pointers and sizes by what that took. */
static void sha256_side_by_side(sha256_t *left, const uint8_t **p, size_t *n, sha256_t *right, const uint8_t **q,
                                size_t *m) {
#if SHA256_HAVE_NI
    if (sha256_accelerated && *n >= 256 && *m >= 256) {
        size_t taken = sha256_align(left, *p, *n);
        *p += taken, *n -= taken;
        taken = sha256_align(right, *q, *m);
        *q += taken, *m -= taken;
        size_t blocks = (*n < *m ? *n : *m) >> 6;
        sha256_pair_ni(left->state, *p, right->state, *q, blocks);
        left->bytes += blocks << 6, right->bytes += blocks << 6;
        *p += blocks << 6, *n -= blocks << 6;
        *q += blocks << 6, *m -= blocks << 6;
    }
#endif
}

/* Update two streams; the same result as two updates. */
static void sha256_update_pair(sha256_t *left, const uint8_t *p, size_t n, sha256_t *right, const uint8_t *q,
                               size_t m) {
    sha256_side_by_side(left, &p, &n, right, &q, &m);
    sha256_update(left, p, n);
    sha256_update(right, q, m);
}

static void sha256_final(sha256_t *h, uint8_t *out) {
    uint64_t bits = h->bytes << 3;
    size_t have = h->bytes & 63;
    h->block[have++] = 0x80;
    if (have > 56) {
        memset(h->block + have, 0, 64 - have);
        sha256_blocks(h->state, h->block, 1);
        have = 0;
    }
    memset(h->block + have, 0, 56 - have);
    for (int i = 0; i < 8; i++) h->block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_blocks(h->state, h->block, 1);
    for (int i = 0; i < 8; i++) {
        out[4 * i] = (uint8_t)(h->state[i] >> 24);
        out[4 * i + 1] = (uint8_t)(h->state[i] >> 16);
        out[4 * i + 2] = (uint8_t)(h->state[i] >> 8);
        out[4 * i + 3] = (uint8_t)h->state[i];
    }
}

#endif
