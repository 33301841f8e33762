// Eight bits a number and a bfloat16 scale for each 32 of a row: decoded and encoded in blocks that begin with a group.
typedef signed char code8;
typedef unsigned char square8;
static inline float from_bits(unsigned b) { return __builtin_bit_cast(float, b); }
static inline unsigned to_bits(float x) { return __builtin_bit_cast(unsigned, x); }
// The upper half of the scale's bits: away from zero; zero where there is no reciprocal, NaN where there is one inside.
static inline bf16 scale_of(unsigned largest) {
    return (bf16)(largest < 0x00800000u ? 0 : largest > 0x7f800000u ? 0x7fc0u : (largest + 0xffffu) >> 16);
}
static inline unsigned largest_of(const float* in, i64 n) {
    unsigned largest = 0;
    #pragma omp simd reduction(max:largest)
    for (i64 i = 0; i < n; ++i) {
        const unsigned b = to_bits(in[i]) & 0x7fffffffu;
        largest = largest > b ? largest : b;
    }
    return largest;
}
static inline bool has_reciprocal(bf16 scale) { return scale > 0 && scale < 0x7f80; }

static inline void widen_companded(float* __restrict out, const code8* __restrict in, const bf16* scale, i64 m) {
    for (i64 k = 0; k < m; k += 32) {
        const float s = widen(scale[k / 32]);
        const i64 n = m - k < 32 ? m - k : 32;
        #pragma omp simd
        for (i64 i = 0; i < n; ++i) {
            const float c = (float)in[k + i];
            out[k + i] = c / (254.0f - __builtin_fabsf(c)) * s;
        }
    }
}
static inline void narrow_companded(
    code8* __restrict out, bf16* scale, const float* __restrict in, i64 m, unsigned place, unsigned key
) {
    for (i64 k = 0; k < m; k += 32) {
        const i64 n = m - k < 32 ? m - k : 32;
        const bf16 s = scale[k / 32] = scale_of(largest_of(in + k, n));
        if (!has_reciprocal(s)) {
            for (i64 i = 0; i < n; ++i) out[k + i] = 0;
            continue;
        }
        const float inverse = 1.0f / widen(s);
        #pragma omp simd
        for (i64 i = 0; i < n; ++i) {
            const float x = in[k + i], r = __builtin_fabsf(x) * inverse, a = r < 1.0f ? r : 1.0f;
            const float low = (float)(int)(254.0f * a / (1.0f + a));
            const float above = (a * (254.0f - low) - low) * (253.0f - low);
            const float u = uniform(key, place + (unsigned)(k + i));
            const int c = (int)low + (u * 254.0f < above);
            out[k + i] = (code8)(x < 0 ? -c : c);
        }
    }
}
static inline void widen_square(float* __restrict out, const square8* __restrict in, const bf16* scale, i64 m) {
    for (i64 k = 0; k < m; k += 32) {
        const float s = widen(scale[k / 32]) * (float)(1.0 / 255.0);
        const i64 n = m - k < 32 ? m - k : 32;
        #pragma omp simd
        for (i64 i = 0; i < n; ++i) {
            const float r = (float)in[k + i] * s;
            out[k + i] = r * r;
        }
    }
}
static inline void narrow_square(
    square8* __restrict out, bf16* scale, const float* __restrict in, i64 m, unsigned place, unsigned key
) {
    for (i64 k = 0; k < m; k += 32) {
        const i64 n = m - k < 32 ? m - k : 32;
        const float root = __builtin_sqrtf(from_bits(largest_of(in + k, n)));
        const bf16 s = scale[k / 32] = scale_of(to_bits(root) & 0x7fffffffu);
        if (!has_reciprocal(s)) {
            for (i64 i = 0; i < n; ++i) out[k + i] = 0;
            continue;
        }
        const float inverse = 1.0f / widen(s);
        #pragma omp simd
        for (i64 i = 0; i < n; ++i) {
            const float x = in[k + i] > 0 ? in[k + i] : 0.0f, r = __builtin_sqrtf(x) * inverse;
            const float t = (r < 1.0f ? r : 1.0f) * 255.0f, low = (float)(int)t;
            const float u = uniform(key, place + (unsigned)(k + i));
            const int c = (int)low + (u * (2.0f * low + 1.0f) < t * t - low * low);
            out[k + i] = (square8)(x > 0 ? (c > 1 ? c : 1) : 0);
        }
    }
}
