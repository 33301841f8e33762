// Half-precision weights with what rounding took from them, and stochastic rounding.
static inline float power_of(unsigned exponent, unsigned smallest) {
    return __builtin_bit_cast(float, exponent > smallest ? exponent : smallest);
}
// x over a power of two, by two exact products: no reciprocal of it might be a normal number.
static inline float over_power(float x, float power) {
    const unsigned e = 381u - (__builtin_bit_cast(unsigned, power) >> 23), f = e >> 1;
    return x * __builtin_bit_cast(float, f << 23) * __builtin_bit_cast(float, (e - f) << 23);
}
static inline unsigned exponent_of(float x) { return __builtin_bit_cast(unsigned, x) & 0x7f800000u; }

template <unsigned SMALLEST>
static inline void add_low(float* __restrict out, const signed char* __restrict low, i64 m, float unit) {
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) {
        const float x = out[i];
        const unsigned e = exponent_of(x);
        const float whole = x + (float)low[i] * unit * power_of(e, SMALLEST);
        out[i] = e < 0x7f800000u ? whole : x;
    }
}
template <unsigned SMALLEST>
static inline void keep_low(
    signed char* __restrict low, const float* __restrict half, const float* __restrict in, i64 m, float factor
) {
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) {
        const unsigned e = exponent_of(half[i]);
        const float away = __builtin_rintf(over_power(in[i] - half[i], power_of(e, SMALLEST)) * factor);
        const bool whole = e < 0x7f800000u && __builtin_fabsf(away) <= 1e30f;
        const float c = away > 127.0f ? 127.0f : away < -127.0f ? -127.0f : away;
        low[i] = (signed char)(int)(whole ? c : 0.0f);
    }
}
static inline void widen_bfloat16(float* __restrict out, const bf16* __restrict in, i64 m) {
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) out[i] = widen(in[i]);
}
static inline void widen_split24(float* out, const bf16* in, const signed char* low, i64 m) {
    widen_bfloat16(out, in, m);
    add_low<0x00800000u>(out, low, m, (float)(1.0 / 32512.0));
}
static inline void narrow_split24(bf16* __restrict out, signed char* low, const float* __restrict in, i64 m) {
    float half[BLOCK];
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) {
        const bf16 h = narrow(in[i]);
        out[i] = h, half[i] = widen(h);
    }
    keep_low<0x00800000u>(low, half, in, m, 32512.0f);
}
static inline void widen_split24_half(float* out, const half* in, const signed char* low, i64 m) {
    widen_half(out, in, m);
    add_low<0x38800000u>(out, low, m, (float)(1.0 / 260096.0));
}
static inline void narrow_split24_half(half* out, signed char* low, const float* in, i64 m) {
    float rounded[BLOCK];
    narrow_half(out, in, m);
    widen_half(rounded, out, m);
    keep_low<0x38800000u>(low, rounded, in, m, 260096.0f);
}
static inline void widen_split32(float* __restrict out, const bf16* __restrict in, const short* __restrict low, i64 m) {
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) out[i] = __builtin_bit_cast(float, ((unsigned)in[i] << 16) + (unsigned)(int)low[i]);
}
static inline void narrow_split32(bf16* __restrict out, short* __restrict low, const float* __restrict in, i64 m) {
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) {
        const unsigned b = __builtin_bit_cast(unsigned, in[i]);
        const bool nan = in[i] != in[i];
        const unsigned upper = nan ? 0x7fc00000u : (b + 0x8000u) & 0xffff0000u;
        out[i] = (bf16)(upper >> 16);
        low[i] = (short)(nan ? 0u : b - upper);
    }
}
static inline void narrow_drawn(bf16* __restrict out, const float* __restrict in, i64 m, unsigned place, unsigned key) {
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) {
        const unsigned b = __builtin_bit_cast(unsigned, in[i]) + (drawn(key, place + (unsigned)i) >> 16);
        out[i] = (bf16)(in[i] != in[i] ? 0x7fc0u : b >> 16);
    }
}
static inline void narrow_drawn_half(half* out, const float* __restrict in, i64 m, unsigned place, unsigned key) {
    float rounded[BLOCK];
    #pragma omp simd
    for (i64 i = 0; i < m; ++i) {
        const float power = power_of(exponent_of(in[i]), 0x38800000u);
        const float bits = (float)(int)(drawn(key, place + (unsigned)i) >> 19) * 0x1p-13f;
        const float x = __builtin_floorf(over_power(in[i], power) * 1024.0f + bits) * 0x1p-10f * power;
        rounded[i] = __builtin_fabsf(in[i]) <= 3.40282346638528859812e38f ? x : in[i];
    }
    narrow_half(out, rounded, m);
}
